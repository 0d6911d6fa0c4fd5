//! The journal: what was meant, what was done, and what is remembered. Resume and audit in one; there is no second one.
//!
//! In: entries. Out: a chain that can be checked, and the record of every instance.
//! **Invariant:** append-only and hash-chained; a step is in the journal before it is in the world.
//! Not here: keeping it (`escadre_drivers::store`), acting (`apply`).
//! Tests: `journal/tests.rs`.

mod body;
mod chain;
mod record;

pub use body::{Begun, Body, Done, ReceiptBody};
pub use chain::{SCHEMA, link, root, verify};
pub use record::{
    HEALTHY_KEPT, Kept, Memory, Run, Standing, State, blobs_of, desired_and_blobs, desired_of, memories, memory,
    receipts, records,
};

#[cfg(test)]
mod tests;
