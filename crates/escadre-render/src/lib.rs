//! How each target spells what is wanted, and how it reads back what is there. Pure.
//!
//! In: a `Resolved` instance; a target's own answers. Out: `Desired` with payloads; the parts of `Observed`.
//! **Invariant:** whoever writes a target's words reads them back; the same input gives the same bytes.
//! Not here: what changes (`escadre-plan`), who calls whom (`escadre-drivers`).
//! Tests: beside each module; `tests/it` with one-file cases.

pub mod engine;
