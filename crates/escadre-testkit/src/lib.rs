//! A small world for tests: a fake engine with real semantics, seeded faults, a virtual clock, stories, the conformance suite, an oracle; and a load on real servers.
//!
//! In: images with scripted behaviour, faults, commands. Out: transcripts, and the state of the world to be compared.
//! **Invariant:** the same seed and script give the same transcript; nothing here touches the outside but `load`, which is a client.
//! Not here: the product. No other crate uses it but in tests.
//! Tests: `tests/`.

#![expect(clippy::missing_panics_doc, reason = "a test's tool fails by panicking")]

pub mod bench;
pub mod clock;
pub mod conformance;
pub mod load;
pub mod sketch;
pub mod store;
pub mod stories;
pub mod world;
