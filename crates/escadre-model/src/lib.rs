//! What we want: findings, text with spans, Compose projects.
//!
//! In: bytes that the caller read. Out: typed values, each with the place where it was written.
//! **Invariant**: nothing here opens a file or a socket, looks at a clock or the environment, or draws a random number;
//! the same input gives the same bytes.
//! Not here: where bytes come from (escadre-drivers), what is done with them (escadre-render, escadre-plan).
//! Tests: beside each module, and one-file cases in `tests/cases/`.

pub mod compose;
pub mod diagnostic;
pub mod text;
