//! Certificates of a public authority (ACME): had, kept, renewed.
//!
//! In → Out: the hosts that the routes give to a public authority → certificates for them, in files and in the keyring.
//!
//! **Invariant**: only hosts that stand in the routes are ordered; one order for a host at a time, few at once. A
//! certificate is replaced when two thirds of its life are over, the same day in every year of no two hosts. What fails is
//! tried again ever more slowly, and as slowly as the authority wants; until then the old one is shown.
//!
//! ```text
//! keeper     who is due, who is waited for
//!   └─ order       account, order, proof, certificate
//!        ├─ client      HTTPS to the authority
//!        └─ challenge   the answer to its question
//! record     tries and troubles, on disk
//! ```
//!
//! Not here: handshakes (`tls`).
//!
//! Tests: `tests/it/acme.rs` (against a real authority for tests, and against bad ones).

pub(crate) mod challenge;
mod client;
pub(crate) mod keeper;
mod order;
pub(crate) mod record;

use std::path::{Path, PathBuf};

/// The file with a host's certificate and key.
pub(crate) fn certificate_path(dir: &Path, host: &str) -> PathBuf {
    record::folder(dir).join("certificates").join(format!("{host}.pem"))
}
