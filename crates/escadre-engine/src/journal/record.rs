//! What follows from an instance's entries: what is ours, what holds it, what was interrupted, what it was told to be.
//!
//! In: entries from the newest receipt on (a receipt carries everything older). Out: `State`, an interrupted `Run`, the `Record` for the planner.
//! **Invariant:** the same entries give the same record; nothing is asked of the world. Five healthy receipts are kept, and everything younger than them.
//! Not here: who writes entries (`apply`, `recover`, `hold`), what the planner makes of it.
//! Tests: `journal/tests.rs`.

use super::body::{Begun, Body, Done, ReceiptBody};
use crate::ports::{Blob, Entry, Outcome, Store, StoreError};
use escadre_model::desired::{Body as ResourceBody, Content, Desired, Head, Parts, UnpackError};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind, ResourceId};
use escadre_model::name::Name;
use escadre_model::observed::{Adopted, CallsSeen, EngineId, Hold, JobEvidence, Outcome as Ended, Receipt, Record};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many healthy receipts stay reachable for a rollback.
pub const HEALTHY_KEPT: usize = 5;
/// How many receipts are remembered in all, so that a flapping instance does not grow its record without end.
const KEPT: usize = 40;

/// Everything remembered of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Engine ids of what we made or adopted and have not removed.
    pub owned: BTreeMap<EngineId, ResourceId>,
    /// What is remembered of those that were adopted without labels of ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted: BTreeMap<EngineId, Adopted>,
    /// Why it stays as it is.
    pub hold: Option<Hold>,
    /// Jobs that ended well.
    pub jobs: BTreeMap<Arc<str>, Vec<JobEvidence>>,
    /// How services that call others look them up.
    #[serde(default)]
    pub calls: BTreeMap<Arc<str>, CallsSeen>,
    /// Services that somebody stopped, each by itself, and nobody has started since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stopped: BTreeSet<Arc<str>>,
    /// Volumes without a service: key → name on the engine.
    pub retained: BTreeMap<Arc<str>, Arc<str>>,
    /// Hash of the fields we set, of each container.
    pub fields: BTreeMap<EngineId, Hash>,
    /// Image reference → id.
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// Earlier receipts, newest first.
    pub receipts: Vec<Kept>,
}

/// A receipt that is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its entry.
    pub seq: u64,
    /// How it ended.
    pub outcome: Ended,
    /// What the instance was told to be.
    pub desired: Hash,
}

/// A turn that began and has not ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The plan.
    pub plan: Arc<str>,
    /// What it began with.
    pub begun: Begun,
    /// Was the commit point passed?
    pub committed: bool,
    /// Steps in the order of their intents.
    pub order: Vec<u32>,
    /// Where each of them stands.
    pub steps: BTreeMap<u32, Standing>,
    /// Image reference → id, those ensured by it included.
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// Jobs that ended well under it.
    pub jobs: Vec<(Arc<str>, JobEvidence)>,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Begun, and nothing known since; with its entry and what undoing needs.
    Open(u64, Option<serde_json::Value>),
    /// Performed.
    Done(Box<Outcome>),
    /// Failed: it may be half done.
    Failed(Option<serde_json::Value>),
    /// Undone, or without effect.
    Closed,
}

/// An instance's memory, with what is interrupted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// What is remembered.
    pub state: State,
    /// What was interrupted.
    pub run: Option<Run>,
}

impl Memory {
    /// Takes one more entry into account.
    pub fn fold(&mut self, seq: u64, plan: &Arc<str>, step: Option<u32>, body: &Body) {
        match body {
            Body::Begun(begun) => {
                let plan = plan.clone();
                let (begun, images) = (begun.as_ref().clone(), begun.images.clone());
                let (order, steps, jobs) = (Vec::new(), BTreeMap::new(), Vec::new());
                self.run = Some(Run { plan, begun, committed: false, order, steps, images, jobs });
            }
            Body::Committed => self.commit(),
            Body::Receipt(receipt) => self.receipt(seq, receipt),
            Body::Held(hold) => self.state.hold = Some(hold.clone()),
            Body::Lifted { .. } => self.state.hold = None,
            Body::Forgotten { states, .. } => self.state.receipts.retain(|kept| !states.contains(&kept.seq)),
            Body::Adopted { things, jobs, .. } => {
                self.state.owned.extend(things.clone());
                for (service, evidence) in jobs {
                    self.state.jobs.entry(service.clone()).or_default().extend(evidence.iter().cloned());
                }
            }
            Body::Intent { .. }
            | Body::Done(_)
            | Body::Failed { .. }
            | Body::Undone { .. }
            | Body::Superseded { .. } => {
                self.step(seq, step, body);
            }
        }
    }

    fn step(&mut self, seq: u64, step: Option<u32>, body: &Body) {
        match body {
            Body::Done(done) => self.done(done),
            Body::Undone { frees } => self.undone(frees),
            _ => {}
        }
        let (Some(run), Some(step)) = (self.run.as_mut(), step) else { return };
        let before = match run.steps.get(&step) {
            Some(Standing::Open(_, before) | Standing::Failed(before)) => before.clone(),
            Some(Standing::Done(outcome)) => outcome.before.clone(),
            Some(Standing::Closed) | None => None,
        };
        let standing = match body {
            Body::Intent { before, .. } => {
                if !run.order.contains(&step) {
                    run.order.push(step);
                }
                Standing::Open(seq, before.clone())
            }
            Body::Done(done) => {
                let mut outcome = done.outcome.clone();
                outcome.before = outcome.before.or(before);
                Standing::Done(Box::new(outcome))
            }
            // An undoing that failed leaves the step as it stood.
            Body::Failed { undo: true, .. } => return,
            Body::Failed { .. } => Standing::Failed(before),
            _ => Standing::Closed,
        };
        run.steps.insert(step, standing);
    }

    fn done(&mut self, done: &Done) {
        if let Some((engine, on)) = &done.owns {
            self.state.owned.insert(engine.clone(), on.clone());
            if let Some(fields) = &done.outcome.fields {
                self.state.fields.insert(engine.clone(), fields.clone());
            }
        }
        self.free(&done.frees);
        self.state.calls.extend(done.calls.clone());
        if let Some(key) = &done.destroyed {
            self.state.retained.remove(key);
        }
        if let (Some((reference, id)), Some(run)) = (&done.image, self.run.as_mut()) {
            run.images.insert(reference.clone(), id.clone());
        }
        if let Some((service, evidence)) = &done.job {
            let known = self.state.jobs.entry(service.clone()).or_default();
            if !known.contains(evidence) {
                known.push(evidence.clone());
                self.run.iter_mut().for_each(|run| run.jobs.push((service.clone(), evidence.clone())));
            }
        }
    }

    /// A volume made under this turn is gone again, and with it what its jobs wrote: they have to run anew.
    fn undone(&mut self, frees: &[EngineId]) {
        let volume =
            |engine: &EngineId| self.state.owned.get(engine).is_some_and(|id| id.resource.kind == Kind::Volume);
        if frees.iter().any(volume) {
            for (service, evidence) in self.run.iter_mut().flat_map(|run| std::mem::take(&mut run.jobs)) {
                if let Some(known) = self.state.jobs.get_mut(&service) {
                    known.retain(|one| *one != evidence);
                }
            }
            self.state.jobs.retain(|_, known| !known.is_empty());
        }
        self.free(frees);
    }

    fn free(&mut self, engines: &[EngineId]) {
        for engine in engines {
            self.state.owned.remove(engine);
            self.state.adopted.remove(engine);
            self.state.fields.remove(engine);
        }
    }

    fn commit(&mut self) {
        let Some(run) = self.run.as_mut() else { return };
        run.committed = true;
        self.state.images = run.images.clone();
        self.state.owned.extend(run.begun.adopts.clone());
        self.state.adopted.extend(run.begun.adopted.clone());
        self.state.fields.extend(run.begun.adopted_fields.clone());
        for (service, evidence) in run.begun.adopted_jobs.clone() {
            let known = self.state.jobs.entry(service).or_default();
            if !known.contains(&evidence) {
                known.push(evidence);
            }
        }
        self.state.retained.extend(run.begun.retains.clone());
        for key in &run.begun.regains {
            self.state.retained.remove(key);
        }
    }

    fn receipt(&mut self, seq: u64, receipt: &ReceiptBody) {
        // The receipt's own state is what was known when it was written: the entries before it add nothing.
        self.state = receipt.state.clone();
        self.state.receipts.insert(0, Kept { seq, outcome: receipt.outcome, desired: receipt.desired.clone() });
        let mut healthy = 0;
        self.state.receipts.retain(|kept| {
            let keep = healthy < HEALTHY_KEPT;
            healthy += usize::from(kept.outcome == Ended::Healthy);
            keep
        });
        self.state.receipts.truncate(KEPT);
        self.run = None;
    }

    /// Intents that are not closed, by entry.
    pub fn open(&self) -> Vec<u64> {
        let open = |standing: &Standing| match standing {
            Standing::Open(seq, _) => Some(*seq),
            _ => None,
        };
        self.run.iter().flat_map(|run| run.steps.values().filter_map(open)).collect()
    }
}

/// Reads the memory of instances of a fleet: all, or this one.
///
/// # Errors
/// When the store cannot be read or holds what is none of ours.
pub async fn memories(
    store: &dyn Store,
    fleet: &Name,
    instance: Option<&Name>,
) -> Result<BTreeMap<InstanceId, (Memory, Option<(Entry, ReceiptBody)>)>, StoreError> {
    let mut memories: BTreeMap<InstanceId, (Memory, Option<(Entry, ReceiptBody)>)> = BTreeMap::new();
    for entry in store.tail(fleet, instance).await? {
        let body = Body::of(&entry)?;
        let (memory, newest) = memories.entry(entry.entry.instance.clone()).or_default();
        memory.fold(entry.seq, &entry.entry.plan, entry.entry.step, &body);
        if let Body::Receipt(receipt) = body {
            *newest = Some((entry, *receipt));
        }
    }
    Ok(memories)
}

/// The memory of one instance.
///
/// # Errors
/// As [`memories`].
pub async fn memory(store: &dyn Store, instance: &InstanceId) -> Result<Memory, StoreError> {
    let mut all = memories(store, &instance.fleet, Some(&instance.instance)).await?;
    Ok(all.remove(instance).unwrap_or_default().0)
}

/// The records of instances of a fleet, for the planner: newest receipt, newest healthy one, hold, evidence, what is owned.
///
/// # Errors
/// As [`memories`].
pub async fn records(
    store: &dyn Store,
    fleet: &Name,
    instance: Option<&Name>,
) -> Result<BTreeMap<InstanceId, Record>, StoreError> {
    let memories = memories(store, fleet, instance).await?;
    let healthy =
        |state: &State| state.receipts.iter().find(|kept| kept.outcome == Ended::Healthy).map(|kept| kept.seq);
    let mut seqs = BTreeSet::new();
    for (memory, newest) in memories.values() {
        let newest = newest.as_ref().map(|(entry, _)| entry.seq);
        seqs.extend(healthy(&memory.state).filter(|seq| Some(*seq) != newest));
    }
    let seqs: Vec<u64> = seqs.into_iter().collect();
    let mut older: BTreeMap<InstanceId, (Entry, ReceiptBody)> = BTreeMap::new();
    for entry in store.entries(&seqs).await? {
        if let Body::Receipt(receipt) = Body::of(&entry)? {
            older.insert(entry.entry.instance.clone(), (entry, *receipt));
        }
    }
    let all: BTreeSet<Hash> = memories
        .values()
        .filter_map(|(_, newest)| newest.as_ref())
        .chain(older.values())
        .map(|(_, receipt)| receipt.desired.clone())
        .collect();
    let desired = all_desired(store, &all.into_iter().collect::<Vec<_>>()).await?;
    let mut records = BTreeMap::new();
    for (instance, (memory, newest)) in memories {
        let receipts = newest.into_iter().chain(older.remove(&instance));
        let receipts = receipts.filter_map(|(entry, body)| receipt_of(&entry, body, &desired)).collect();
        let open = memory.open();
        let State { hold, jobs, calls, owned, adopted, retained, stopped, .. } = memory.state;
        let record = Record { receipts, hold, jobs, calls, owned, adopted, retained, stopped, open };
        records.insert(instance, record);
    }
    Ok(records)
}

/// All kept receipts of an instance, newest first: what `rollback` and `history` choose from.
///
/// # Errors
/// As [`memories`].
pub async fn receipts(store: &dyn Store, instance: &InstanceId) -> Result<Vec<Receipt>, StoreError> {
    let memory = memory(store, instance).await?;
    let seqs: Vec<u64> = memory.state.receipts.iter().map(|kept| kept.seq).collect();
    let mut bodies = Vec::new();
    for entry in store.entries(&seqs).await? {
        if let Body::Receipt(body) = Body::of(&entry)? {
            bodies.push((entry, *body));
        }
    }
    let hashes: BTreeSet<Hash> = bodies.iter().map(|(_, body)| body.desired.clone()).collect();
    let desired = all_desired(store, &hashes.into_iter().collect::<Vec<_>>()).await?;
    let mut receipts: Vec<Receipt> =
        bodies.into_iter().filter_map(|(entry, body)| receipt_of(&entry, body, &desired)).collect();
    receipts.sort_by_key(|receipt| std::cmp::Reverse(receipt.seq));
    Ok(receipts)
}

fn receipt_of(entry: &Entry, body: ReceiptBody, desired: &BTreeMap<Hash, Arc<Desired>>) -> Option<Receipt> {
    Some(Receipt {
        seq: entry.seq,
        plan: entry.entry.plan.clone(),
        commit: body.commit,
        dirty: body.dirty,
        at: entry.entry.at.clone(),
        by: body.by,
        outcome: body.outcome,
        because: body.because,
        last_line: body.last_line,
        back: body.back,
        // A receipt whose blob is gone cannot be compared with: as if it were not there.
        desired: desired.get(&body.desired)?.clone(),
        images: body.state.images,
        fields: body.state.fields,
    })
}

/// What an instance was told to be, by its hash, with the bytes of its files.
///
/// # Errors
/// When the store cannot be read or the blob is not what it should be.
pub async fn desired_of(store: &dyn Store, hash: &Hash) -> Result<Option<Arc<Desired>>, StoreError> {
    Ok(all_desired(store, std::slice::from_ref(hash)).await?.remove(hash))
}

/// What an instance was told to be, and the blobs it is kept in: its head, its parts, its files' bytes.
///
/// # Errors
/// When the store cannot be read or a blob is not what it should be.
pub async fn desired_and_blobs(
    store: &dyn Store,
    hash: &Hash,
) -> Result<(Option<Arc<Desired>>, BTreeSet<Hash>), StoreError> {
    let mut blobs = BTreeSet::from([hash.clone()]);
    let desired = desired_of(store, hash).await?;
    // One that is held whole has no parts; one that nobody can read was an error just now.
    let text = store.blobs(std::slice::from_ref(hash)).await?.remove(hash);
    if let Some(head) = text.and_then(|text| Head::read(&text).ok()) {
        blobs.extend(head.parts().into_iter().cloned());
    }
    blobs.extend(desired.iter().flat_map(|desired| contents(desired)).flat_map(hashes_of));
    Ok((desired, blobs))
}

fn unreadable(hash: &Hash, source: UnpackError) -> StoreError {
    StoreError::Failed { act: format!("read blob {}", hash.short()).into(), source: source.into() }
}

/// What instances were told to be, by hash; what they have in common is read and held once. One that is not whole any more is left out.
async fn all_desired(store: &dyn Store, hashes: &[Hash]) -> Result<BTreeMap<Hash, Arc<Desired>>, StoreError> {
    let (mut heads, mut all) = (Vec::with_capacity(hashes.len()), BTreeMap::new());
    for (hash, text) in store.blobs(hashes).await? {
        match Head::read(&text) {
            Ok(head) => heads.push((hash, head)),
            // Journals before there were parts hold it whole.
            Err(error) => match serde_json::from_slice::<Desired>(&text) {
                Ok(whole) => drop(all.insert(hash, whole)),
                Err(_) => return Err(unreadable(&hash, error.into())),
            },
        }
    }
    let wanted: BTreeSet<&Hash> = heads.iter().flat_map(|(_, head)| head.parts()).collect();
    let texts = store.blobs(&wanted.into_iter().cloned().collect::<Vec<_>>()).await?;
    let mut parts = Parts::default();
    for (hash, head) in heads {
        match head.unpack(&mut parts, &|part| texts.get(part).cloned()) {
            Ok(desired) => drop(all.insert(hash, desired)),
            Err(UnpackError::Missing(_)) => {}
            Err(error) => return Err(unreadable(&hash, error)),
        }
    }
    let wanted: BTreeSet<Hash> = all.values().flat_map(contents).flat_map(hashes_of).collect();
    if !wanted.is_empty() {
        let blobs = store.blobs(&wanted.into_iter().collect::<Vec<_>>()).await?;
        all.values_mut().for_each(|desired| fill(desired, &blobs));
    }
    Ok(all.into_iter().map(|(hash, desired)| (hash, Arc::new(desired))).collect())
}

/// Gives its files their bytes.
fn fill(desired: &mut Desired, blobs: &BTreeMap<Hash, Arc<[u8]>>) {
    for resource in desired.resources.values_mut() {
        let ResourceBody::File(file) = &mut resource.body else { continue };
        match &mut file.content {
            Content::Bytes { hash, bytes } => *bytes = blobs.get(hash).cloned().unwrap_or_default(),
            Content::Folder { entries, bytes, .. } => {
                let found = |(hash, _): &(Hash, bool)| Some((hash.clone(), blobs.get(hash)?.clone()));
                *bytes = entries.values().filter_map(found).collect();
            }
            Content::Secret { .. } => {}
        }
    }
}

/// Everything of a Desired that has to be kept as blobs: its head under its own hash, its parts, and its files' bytes. Secrets are not in it.
///
/// # Errors
/// When it cannot be written as JSON, which would be a bug.
pub fn blobs_of(desired: &Desired) -> Result<Vec<Blob>, StoreError> {
    let packed = desired
        .pack()
        .map_err(|source| StoreError::Failed { act: "write what is wanted as JSON".into(), source: source.into() })?;
    let mut blobs: Vec<Blob> = vec![(desired.hash(), packed.head.into())];
    blobs.extend(packed.parts.into_iter().map(|(hash, text)| (hash, text.into())));
    for content in contents(desired) {
        match content {
            Content::Bytes { hash, bytes } => blobs.push((hash.clone(), bytes.clone())),
            Content::Folder { bytes, .. } => {
                blobs.extend(bytes.iter().map(|(hash, bytes)| (hash.clone(), bytes.clone())))
            }
            Content::Secret { .. } => {}
        }
    }
    Ok(blobs)
}

fn contents(desired: &Desired) -> impl Iterator<Item = &Content> {
    desired.resources.values().filter_map(|resource| match &resource.body {
        ResourceBody::File(file) => Some(&file.content),
        _ => None,
    })
}

fn hashes_of(content: &Content) -> Vec<Hash> {
    match content {
        Content::Bytes { hash, .. } => vec![hash.clone()],
        Content::Folder { entries, .. } => entries.values().map(|(hash, _)| hash.clone()).collect(),
        Content::Secret { .. } => Vec::new(),
    }
}
