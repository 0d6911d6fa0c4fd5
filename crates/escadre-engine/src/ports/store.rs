//! The journal's store, as a port: entries that are only ever appended, and blobs by hash.
//!
//! In: entries of one writer, to be appended together. Out: entries of an instance, blobs, pages of the whole chain.
//! **Invariant:** what `append` has acknowledged survives a crash of process and machine, and either all of one call is there or nothing; entries never change.
//! Not here: what entries mean (`journal`), how they are kept (`escadre_drivers::store`).
//! Tests: `escadre_testkit` (in memory), `escadre-drivers/src/store/tests.rs` (SQLite).

use async_trait::async_trait;
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an entry says of its step or instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// An instance's turn under a plan began.
    Begun,
    /// A step is about to be performed.
    Intent,
    /// A step was performed.
    Done,
    /// A step (or its undoing) failed.
    Failed,
    /// A step was undone.
    Undone,
    /// An open intent was found to be without effect, or has been overtaken.
    Superseded,
    /// The commit point: from here on only forward.
    Committed,
    /// An instance's turn is over.
    Receipt,
    /// It stays as it is.
    Held,
    /// A hold is over.
    Lifted,
    /// Things that were there are ours from now on.
    Adopted,
}

impl Phase {
    /// All of them, in the order of an instance's life.
    pub const ALL: [Phase; 11] = [
        Phase::Begun,
        Phase::Intent,
        Phase::Done,
        Phase::Failed,
        Phase::Undone,
        Phase::Superseded,
        Phase::Committed,
        Phase::Receipt,
        Phase::Held,
        Phase::Lifted,
        Phase::Adopted,
    ];

    /// The word that is stored.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Begun => "begun",
            Phase::Intent => "intent",
            Phase::Done => "done",
            Phase::Failed => "failed",
            Phase::Undone => "undone",
            Phase::Superseded => "superseded",
            Phase::Committed => "committed",
            Phase::Receipt => "receipt",
            Phase::Held => "held",
            Phase::Lifted => "lifted",
            Phase::Adopted => "adopted",
        }
    }

    /// The phase of a stored word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.word() == word)
    }
}

/// An entry to be appended; the store gives it its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Which instance it is about.
    pub instance: InstanceId,
    /// Under which plan; empty for holds and adoptions.
    pub plan: Arc<str>,
    /// Which step of it.
    pub step: Option<u32>,
    /// What it says.
    pub phase: Phase,
    /// When, RFC 3339.
    pub at: Arc<str>,
    /// The rest, as JSON text; kept byte by byte, because the hash is over it.
    pub body: Arc<str>,
}

/// An entry with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// The hash of the entry before.
    pub prev: Hash,
    /// The hash over everything in this one and `prev`.
    pub hash: Hash,
    /// The schema of the body.
    pub schema: u32,
    /// What was appended.
    pub entry: NewEntry,
}

/// Bytes, and the hash they are known by: that of the bytes themselves, or, for what an instance was told to be, the hash of what it wants.
pub type Blob = (Hash, Arc<[u8]>);

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Written by a newer version: left untouched.
    #[error("the journal at {at} has schema {found}, this version knows {known}: it was left as it is")]
    Newer {
        /// Where.
        at: Arc<str>,
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The chain does not hold, or an entry cannot be read.
    #[error("the journal is damaged at entry {seq}: {why}")]
    Damaged {
        /// Which entry.
        seq: u64,
        /// Why.
        why: Arc<str>,
    },
    /// The disk or the database.
    #[error("cannot {act}")]
    Failed {
        /// The act and the thing.
        act: Arc<str>,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Keeps the journal.
#[async_trait]
pub trait Store: Send + Sync {
    /// Appends entries and blobs together; returns the entries' numbers. Blobs that are there already are left.
    ///
    /// # Errors
    /// When nothing of it was kept.
    async fn append(&self, entries: Vec<NewEntry>, blobs: Vec<Blob>) -> Result<Vec<u64>, StoreError>;

    /// For each instance of a fleet (or only this one): its entries from its newest receipt on, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn tail(&self, fleet: &Name, instance: Option<&Name>) -> Result<Vec<Entry>, StoreError>;

    /// All entries of an instance, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn history(&self, instance: &InstanceId) -> Result<Vec<Entry>, StoreError>;

    /// The entries of these numbers; what is not there is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn entries(&self, seqs: &[u64]) -> Result<Vec<Entry>, StoreError>;

    /// Entries after this number, at most so many: the whole chain, page by page.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn page(&self, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// The blobs of these hashes; what is not there is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn blobs(&self, hashes: &[Hash]) -> Result<BTreeMap<Hash, Arc<[u8]>>, StoreError>;

    /// The number of the newest entry; 0 when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn last(&self) -> Result<u64, StoreError>;
}
