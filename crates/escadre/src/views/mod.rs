//! What verbs show, as plain data: built by pure functions, painted for people, printed as JSON.
//!
//! In: `Desired`, `Observed`, `Plan`, receipts. Out: views, each with a schema.
//! **Invariant**: same input, same view; a view claims nothing that its input does not say.
//! Not here: fetching (`wire`), printing (`terminal`).
//! Tests: beside each view, and `tests.rs`.

pub(crate) mod diff;
pub(crate) mod drift;
pub(crate) mod endpoint;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod look;
pub(crate) mod ps;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod status;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod why;
pub(crate) mod why_service;
