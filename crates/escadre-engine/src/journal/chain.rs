//! The chain: every entry's hash covers the one before, so that nobody can change the past unnoticed.
//!
//! In: an entry and the hash before it. Out: its hash; or where a chain breaks.
//! **Invariant:** the hash covers every column; numbers have no gaps; both stores (SQLite's and the tests') compute it here.
//! Not here: keeping (`ports::Store`), meaning (`body`, `record`).
//! Tests: `journal/tests.rs`.

use crate::ports::{Entry, NewEntry, Store, StoreError};
use escadre_model::hash::Hash;

/// The schema of entries this version writes.
pub const SCHEMA: u32 = 1;

/// How many entries are read at a time.
const PAGE: u32 = 1000;

/// What the first entry follows.
pub fn root() -> Hash {
    Hash::of("escadre journal")
}

/// Gives an entry its place.
pub fn link(seq: u64, prev: &Hash, entry: NewEntry) -> Entry {
    let hash = hash(seq, prev, SCHEMA, &entry);
    Entry { seq, prev: prev.clone(), hash, schema: SCHEMA, entry }
}

fn hash(seq: u64, prev: &Hash, schema: u32, entry: &NewEntry) -> Hash {
    let (fleet, instance) = (&entry.instance.fleet, &entry.instance.instance);
    Hash::of_json(&(
        seq,
        prev,
        schema,
        fleet,
        instance,
        &entry.plan,
        entry.step,
        entry.phase.word(),
        &entry.at,
        &entry.body,
    ))
}

/// Reads the whole chain and checks every link; gives the number of entries.
///
/// # Errors
/// When it cannot be read, or the first link that does not hold.
pub async fn verify(store: &dyn Store) -> Result<u64, StoreError> {
    let (mut seq, mut prev) = (0, root());
    loop {
        let page = store.page(seq, PAGE).await?;
        if page.is_empty() {
            return Ok(seq);
        }
        for entry in page {
            let damaged = |why: &str| StoreError::Damaged { seq: seq + 1, why: why.into() };
            if entry.seq != seq + 1 {
                return Err(damaged("an entry is missing"));
            }
            if entry.prev != prev {
                return Err(damaged("it does not follow the entry before it"));
            }
            if entry.hash != hash(entry.seq, &entry.prev, entry.schema, &entry.entry) {
                return Err(damaged("it was changed after it was written"));
            }
            (seq, prev) = (entry.seq, entry.hash);
        }
    }
}
