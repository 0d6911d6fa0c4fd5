//! What verbs show, as plain data: built by pure functions, painted for people, printed as JSON.
//!
//! In: `Desired`, `Observed`, `Plan`, receipts. Out: views, each with a schema.
//! **Invariant**: same input, same view; a view claims nothing that its input does not say.
//! Not here: fetching (`wire`), printing (`terminal`).
//! Tests: beside each view.

#[cfg(test)]
pub(crate) mod samples;
