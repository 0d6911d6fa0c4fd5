//! One-file cases: several files in one, below a dashed line what comes out. `UPDATE=1 cargo test` writes what comes out.
//!
//! In: `tests/cases/**/*.case`. Out: pass or fail, and how many ran.
//! **Invariant**: a case that cannot be read fails.

mod case;
mod compose;
mod endpoints;
mod fleet;
mod late;
mod mutation;
mod random;
mod resolve;
mod schema;
mod verdicts;
