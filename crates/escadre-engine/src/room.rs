//! Room: what is kept for ways back that nobody can take any more, and how it goes.
//!
//! In: how many healthy states shall stay reachable, and of which instances. Out: `Room`, what would go; then what went.
//! **Invariant:** what a kept state, an interrupted turn or any container needs stays, whatever fleet it belongs to; nothing goes that was not shown; data
//! (volumes) never goes here. An image that was there before us keeps every name but the one we gave it.
//! Not here: which states an update keeps by itself (`journal`), saved plans (the binary).
//! Tests: `escadre-testkit/tests/it/room.rs`; `escadre/tests/it/room.rs` on a real engine.

use crate::apply::{Halt, Options, Ports, lock};
use crate::journal::{self, Body, Kept, Memory};
use crate::ports::{Changed, Entry, Error, Holder, Store, StoreError};
use escadre_model::desired::Desired;
use escadre_model::hash::{Hash, KeyedHash};
use escadre_model::ids::InstanceId;
use escadre_model::observed::Outcome as Ended;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Instances whose states may be given up beyond `keep`.
    pub instances: BTreeSet<InstanceId>,
    /// How many healthy states of each of them stay reachable; at least one.
    pub keep: usize,
    /// Instances that no file names any more: once taken down, there is nothing to go back to.
    pub gone: BTreeSet<InstanceId>,
}

/// An image under names that nobody needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRoom {
    /// The engine's id of it.
    pub id: Arc<str>,
    /// The names that go.
    pub names: Vec<Arc<str>>,
    /// Names of others: then the image stays under these.
    pub others: Vec<Arc<str>>,
    /// Its size; layers that other images share count in each.
    pub bytes: u64,
}

/// What would go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// States that are given up: their receipts' entries.
    pub states: BTreeMap<InstanceId, BTreeSet<u64>>,
    /// Images.
    pub images: Vec<ImageRoom>,
    /// Images that no state needs and that stay, because a container has them.
    pub in_use: Vec<ImageRoom>,
    /// Earlier values of secrets.
    pub values: BTreeMap<InstanceId, BTreeSet<KeyedHash>>,
    /// Earlier configuration in the journal, by hash, with its size.
    pub blobs: BTreeMap<Hash, u64>,
    /// Plans of the states that stay.
    pub plans: BTreeSet<Arc<str>>,
    /// How many states stay, over all instances.
    pub kept: usize,
}

impl Room {
    /// Nothing would go.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.images.is_empty() && self.values.is_empty() && self.blobs.is_empty()
    }
}

/// What went.
#[derive(Debug, Default)]
pub struct Made {
    /// How many states were given up.
    pub states: usize,
    /// How many images lost our names, and the size of those that are gone from the engine.
    pub images: (usize, u64),
    /// How many earlier values of secrets.
    pub values: usize,
    /// How many pieces of earlier configuration, and their size.
    pub blobs: (usize, u64),
    /// What could not be done, in words; it is tried again the next time.
    pub failed: Vec<String>,
}

/// Why no room could be made.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// Somebody works on an instance: what it will need is not known yet.
    #[error("{0} is being worked on by {by} (plan {plan})", by = .1.by, plan = .1.plan)]
    Busy(InstanceId, Holder),
    /// A journal of other versions, damage, the disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target.
    #[error(transparent)]
    Driver(#[from] Error),
    /// A lock could not be taken.
    #[error("cannot lock {0}")]
    Lock(InstanceId, #[source] Halt),
}

/// What all instances on record need, and what they ever had.
#[derive(Default)]
struct Needs {
    room: Room,
    images: BTreeSet<Arc<str>>,
    blobs: BTreeSet<Hash>,
    /// Every image that a turn ever ensured, with the references that we fetched or built it for.
    known: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

/// Looks what would go. It changes nothing.
///
/// # Errors
/// When the journal or the target cannot be read.
pub async fn look(asked: &Asked, ports: &Ports) -> Result<Room, RoomError> {
    let store = ports.store.as_ref();
    let mut needs = Needs::default();
    for instance in store.instances().await? {
        needs.add(&instance, asked, ports).await?;
    }
    let Needs { mut room, images, blobs, known } = needs;
    for one in ports.driver.kept_images(&known).await? {
        if !images.contains(&one.id) {
            let (used, one) =
                (one.used, ImageRoom { id: one.id, names: one.ours, others: one.others, bytes: one.bytes });
            if used { room.in_use.push(one) } else { room.images.push(one) }
        }
    }
    room.blobs = store.blob_sizes().await?.into_iter().filter(|(hash, _)| !blobs.contains(hash)).collect();
    Ok(room)
}

impl Needs {
    async fn add(&mut self, instance: &InstanceId, asked: &Asked, ports: &Ports) -> Result<(), StoreError> {
        let store = ports.store.as_ref();
        let mut memory = Memory::default();
        for entry in store.history(instance).await? {
            self.entry(&entry, &mut memory)?;
        }
        let (kept, given_up) = divide(instance, &memory.state.receipts, asked);
        if let Some(run) = &memory.run {
            self.images.extend(run.images.values().cloned());
            self.blobs.extend([run.begun.desired.clone(), run.begun.steps.clone()]);
            self.content(store, &run.begun.desired).await?;
        }
        if !is_down(&memory.state.receipts) {
            self.images.extend(memory.state.images.values().cloned());
        }
        let mut values = BTreeSet::new();
        for entry in store.entries(&kept.iter().map(|one| one.seq).collect::<Vec<_>>()).await? {
            self.room.plans.insert(entry.entry.plan.clone());
            if let Body::Receipt(receipt) = Body::of(&entry)? {
                let desired = self.content(store, &receipt.desired).await?;
                // Of what was taken down nothing runs: it needs neither images nor secrets.
                if receipt.outcome != Ended::Removed {
                    self.images.extend(receipt.state.images.values().cloned());
                    values.extend(desired.iter().flat_map(|desired| desired.secrets.values().cloned()));
                }
            }
        }
        self.room.kept += kept.iter().filter(|one| one.outcome == Ended::Healthy).count();
        let unneeded: BTreeSet<KeyedHash> = ports.secrets.earlier(instance).difference(&values).cloned().collect();
        if !unneeded.is_empty() && asked.concerns(instance) {
            self.room.values.insert(instance.clone(), unneeded);
        }
        if !given_up.is_empty() {
            self.room.states.insert(instance.clone(), given_up);
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, memory: &mut Memory) -> Result<(), StoreError> {
        let body = Body::of(entry)?;
        match &body {
            Body::Begun(begun) => {
                for id in begun.images.values() {
                    self.known.entry(id.clone()).or_default();
                }
            }
            Body::Done(done) => {
                if let Some((reference, id)) = &done.image {
                    let ours = self.known.entry(id.clone()).or_default();
                    if done.outcome.changed != Changed::NotNeeded {
                        ours.insert(reference.clone());
                    }
                }
            }
            _ => {}
        }
        memory.fold(entry.seq, &entry.entry.plan, entry.entry.step, &body);
        Ok(())
    }

    /// What an instance was told to be is needed, and the bytes of its files.
    async fn content(&mut self, store: &dyn Store, hash: &Hash) -> Result<Option<Arc<Desired>>, StoreError> {
        let (desired, blobs) = journal::desired_and_blobs(store, hash).await?;
        self.blobs.extend(blobs);
        Ok(desired)
    }
}

impl Asked {
    fn concerns(&self, instance: &InstanceId) -> bool {
        self.instances.contains(instance) || self.gone.contains(instance)
    }
}

/// It was taken down, and nothing has run since.
fn is_down(receipts: &[Kept]) -> bool {
    receipts.iter().find(|one| one.outcome.is_as_planned()).is_some_and(|one| one.outcome == Ended::Removed)
}

/// The receipts that stay, and the entries of those that are given up. The newest one always stays.
fn divide<'r>(instance: &InstanceId, receipts: &'r [Kept], asked: &Asked) -> (Vec<&'r Kept>, BTreeSet<u64>) {
    let most = match (asked.gone.contains(instance) && is_down(receipts), asked.instances.contains(instance)) {
        (true, _) => 0,
        (false, true) => asked.keep.max(1),
        (false, false) => usize::MAX,
    };
    let mut healthy = 0;
    let (mut kept, mut given_up) = (Vec::new(), BTreeSet::new());
    for (at, one) in receipts.iter().enumerate() {
        if at == 0 || healthy < most {
            kept.push(one);
        } else {
            given_up.insert(one.seq);
        }
        healthy += usize::from(one.outcome == Ended::Healthy);
    }
    (kept, given_up)
}

/// Makes the room that was shown, as far as it is still free of use.
///
/// # Errors
/// When somebody works on an instance, or the journal or the target cannot be read: then nothing has gone. What could not go afterwards is in [`Made`].
pub async fn make(shown: &Room, asked: &Asked, ports: &Ports, options: &Options) -> Result<Made, RoomError> {
    let store = ports.store.as_ref();
    let mut held = Vec::new();
    let verb: Arc<str> = "prune".into();
    for instance in store.instances().await? {
        match lock(&instance, &verb, ports, options).await {
            Ok(Ok(lock)) => held.push(lock),
            Ok(Err(holder)) => return Err(RoomError::Busy(instance, holder)),
            Err(halt) => return Err(RoomError::Lock(instance, halt)),
        }
    }
    // Whoever writes from here on may need what was found to be free.
    let last = store.last().await?;
    let now = look(asked, ports).await?;
    let mut made = Made::default();
    let mut entries = Vec::new();
    for (instance, states) in &now.states {
        let states: BTreeSet<u64> =
            states.intersection(shown.states.get(instance).unwrap_or(&BTreeSet::new())).copied().collect();
        made.states += states.len();
        if !states.is_empty() {
            let body = Body::Forgotten { by: options.by.clone(), states };
            entries.push(body.entry(instance, &Arc::from(""), None, ports.clock.now())?);
        }
    }
    let last = last + entries.len() as u64;
    if !entries.is_empty() {
        store.append(entries, Vec::new()).await?;
    }
    for (instance, values) in &now.values {
        let Some(shown) = shown.values.get(instance) else { continue };
        let there = ports.secrets.earlier(instance);
        let stay = there.iter().filter(|hash| !(values.contains(*hash) && shown.contains(*hash))).cloned().collect();
        ports.secrets.forget(instance, &stay);
        made.values += there.len() - ports.secrets.earlier(instance).len();
    }
    for image in &now.images {
        if !shown.images.iter().any(|one| one.id == image.id) {
            continue;
        }
        match ports.driver.drop_image(&image.id, &image.names).await {
            Ok(gone) => {
                made.images.0 += 1;
                made.images.1 += if gone { image.bytes } else { 0 };
            }
            Err(error) => made.failed.push(error.to_string()),
        }
    }
    let blobs: BTreeMap<Hash, u64> = now.blobs.into_iter().filter(|(hash, _)| shown.blobs.contains_key(hash)).collect();
    if !blobs.is_empty() {
        let hashes: Vec<Hash> = blobs.keys().cloned().collect();
        match store.forget(&hashes, last).await {
            Ok(true) => made.blobs = (blobs.len(), blobs.values().sum()),
            Ok(false) => {
                made.failed.push("the journal was written to meanwhile: earlier configuration stays".to_owned())
            }
            Err(error) => made.failed.push(error.to_string()),
        }
    }
    drop(held);
    Ok(made)
}
