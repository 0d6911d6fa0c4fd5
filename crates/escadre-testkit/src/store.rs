//! Store and locks in memory, with the points at which a process may die.
//!
//! In: entries. Out: what a real store would give back.
//! **Invariant:** the same chain as on disk (`escadre_engine::journal::link`); what was appended outlives a killed run.
//! Not here: SQLite and lock files (`escadre-drivers`).
//! Tests: `tests/`.

use crate::world::World;
use async_trait::async_trait;
use escadre_engine::journal;
use escadre_engine::ports::{Attempt, Blob, Entry, Held, Holder, LockError, Locks, NewEntry, Phase, Store, StoreError};
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A journal in memory.
#[derive(Clone)]
pub struct MemoryStore {
    world: World,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<Entry>,
    blobs: BTreeMap<Hash, Arc<[u8]>>,
    full: bool,
}

impl MemoryStore {
    /// An empty journal of a world, whose faults it shares.
    pub fn new(world: &World) -> Self {
        Self { world: world.clone(), inner: Arc::default() }
    }

    /// From now on the disk is full, or has room again.
    pub fn set_full(&self, full: bool) {
        self.inner().full = full;
    }

    /// Everything in it, in order.
    pub fn all(&self) -> Vec<Entry> {
        self.inner().entries.clone()
    }

    /// The state folder is lost.
    pub fn lose(&self) {
        *self.inner() = Inner::default();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, entries: Vec<NewEntry>, blobs: Vec<Blob>) -> Result<Vec<u64>, StoreError> {
        self.world.point().await;
        let seqs = {
            let mut inner = self.inner();
            if inner.full {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(StoreError::Failed { act: "write the journal".into(), source: source.into() });
            }
            inner.blobs.extend(blobs);
            let mut seqs = Vec::new();
            for entry in entries {
                let (seq, prev) =
                    inner.entries.last().map_or((1, journal::root()), |last| (last.seq + 1, last.hash.clone()));
                inner.entries.push(journal::link(seq, &prev, entry));
                seqs.push(seq);
            }
            seqs
        };
        self.world.point().await;
        Ok(seqs)
    }

    async fn tail(&self, fleet: &Name, instance: Option<&Name>) -> Result<Vec<Entry>, StoreError> {
        let inner = self.inner();
        let wanted = |entry: &&Entry| {
            entry.entry.instance.fleet == *fleet && instance.is_none_or(|name| entry.entry.instance.instance == *name)
        };
        let mut heads: BTreeMap<InstanceId, u64> = BTreeMap::new();
        for entry in inner.entries.iter().filter(wanted).filter(|entry| entry.entry.phase == Phase::Receipt) {
            heads.insert(entry.entry.instance.clone(), entry.seq);
        }
        let young = |entry: &&Entry| heads.get(&entry.entry.instance).is_none_or(|head| entry.seq >= *head);
        Ok(inner.entries.iter().filter(wanted).filter(young).cloned().collect())
    }

    async fn history(&self, instance: &InstanceId) -> Result<Vec<Entry>, StoreError> {
        Ok(self.inner().entries.iter().filter(|entry| entry.entry.instance == *instance).cloned().collect())
    }

    async fn entries(&self, seqs: &[u64]) -> Result<Vec<Entry>, StoreError> {
        Ok(self.inner().entries.iter().filter(|entry| seqs.contains(&entry.seq)).cloned().collect())
    }

    async fn page(&self, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.inner().entries.iter().filter(|entry| entry.seq > after).take(limit).cloned().collect())
    }

    async fn blobs(&self, hashes: &[Hash]) -> Result<BTreeMap<Hash, Arc<[u8]>>, StoreError> {
        let inner = self.inner();
        Ok(hashes.iter().filter_map(|hash| Some((hash.clone(), inner.blobs.get(hash)?.clone()))).collect())
    }

    async fn last(&self) -> Result<u64, StoreError> {
        Ok(self.inner().entries.last().map_or(0, |entry| entry.seq))
    }

    async fn instances(&self) -> Result<Vec<InstanceId>, StoreError> {
        let all: BTreeSet<_> = self.inner().entries.iter().map(|entry| entry.entry.instance.clone()).collect();
        Ok(all.into_iter().collect())
    }

    async fn blob_sizes(&self) -> Result<BTreeMap<Hash, u64>, StoreError> {
        Ok(self.inner().blobs.iter().map(|(hash, bytes)| (hash.clone(), bytes.len() as u64)).collect())
    }

    async fn forget(&self, blobs: &[Hash], last: u64) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        let quiet = inner.entries.last().map_or(0, |entry| entry.seq) == last;
        if quiet {
            inner.blobs.retain(|hash, _| !blobs.contains(hash));
        }
        Ok(quiet)
    }
}

/// Locks in memory: a killed run gives its locks back, as the kernel does.
#[derive(Clone, Default)]
pub struct MemoryLocks(Arc<Mutex<BTreeMap<InstanceId, Holder>>>);

struct Guard(MemoryLocks, InstanceId);

impl MemoryLocks {
    fn held(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody else takes the lock of an instance, or gives it back.
    pub fn foreign(&self, instance: &InstanceId, holder: Option<Holder>) {
        match holder {
            Some(holder) => self.held().insert(instance.clone(), holder),
            None => self.held().remove(instance),
        };
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.held().len()
    }
}

impl Held for Guard {
    fn doing(&self, what: &str, at: &str) {
        if let Some(holder) = self.0.held().get_mut(&self.1) {
            (holder.doing, holder.told) = (what.into(), at.into());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.held().remove(&self.1);
    }
}

#[async_trait]
impl Locks for MemoryLocks {
    async fn attempt(&self, instance: &InstanceId, claim: &Holder) -> Result<Attempt, LockError> {
        let mut held = self.held();
        if let Some(holder) = held.get(instance) {
            return Ok(Attempt::Busy(holder.clone()));
        }
        held.insert(instance.clone(), Holder { alive: true, ..claim.clone() });
        Ok(Attempt::Got(Box::new(Guard(self.clone(), instance.clone()))))
    }
}
