//! What becomes of every resource of an instance that shall run, and why.
//!
//! In: one instance as wanted, as seen and as recorded. Out: a [`Diff`]: a change per resource, and the fate of every container.
//! **Invariant:** equal spec, equal image, running: `Keep`. What the record does not know is adopted, never deleted; what a list did not show is not deleted either.
//! Not here: in which steps (`steps`), instances that stop or go (`gone`).
//! Tests: `tests/it`.

use crate::change::{Action, Change, Gap, Reason};
use crate::make::Input;
use crate::plan::{Back, Note};
use crate::reasons::{self, Verdict};
use crate::{gate, names, order};
use escadre_model::desired::{Body, Desired, Manner, NetworkMode, Resource, Service};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::{
    ContainerSeen, ImageSeen, InstanceSeen, NetworkSeen, Outcome, Phase, Receipt, VolumeSeen,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) mod adopt;
mod follow;
pub(crate) mod resources;
mod slot;
mod touch;

use slot::Slot;
pub(crate) use touch::touched;

/// One instance, from all sides.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) input: &'a Input<'a>,
    pub(crate) desired: &'a Desired,
    pub(crate) seen: &'a InstanceSeen,
    /// What the last apply that ended well left behind.
    pub(crate) base: Option<&'a Receipt>,
}

/// What becomes of one container's place.
#[derive(Clone, Copy)]
pub(crate) enum Fate<'a> {
    /// Nothing.
    Keep(&'a ContainerSeen),
    /// It is taken over as it is.
    Adopt(&'a ContainerSeen),
    /// A first container, of this generation.
    Create(u64),
    /// The one that is there starts again.
    Start(&'a ContainerSeen),
    /// The one that is there stops and starts again.
    Restart(&'a ContainerSeen),
    /// A new generation takes over.
    Replace { old: &'a ContainerSeen, generation: u64, beside: bool },
    /// It stays, unless it goes on calling the former containers of services that are replaced: then a new generation takes over, or (`beside` is
    /// false) it stops and starts again.
    Follow { old: &'a ContainerSeen, generation: u64, beside: bool },
    /// It stops, and is kept.
    Stop(&'a ContainerSeen),
    /// A one-shot runs: the container that is there, or a new one.
    Run { existing: Option<&'a ContainerSeen>, generation: u64 },
    /// A one-shot has run.
    Done,
    /// A one-shot must have run: what is taken over has waited for its end.
    Vouched,
}

/// A service and its containers' fates, by replica.
pub(crate) struct ServiceFate<'a> {
    pub(crate) key: &'a Arc<str>,
    pub(crate) resource: &'a Resource,
    pub(crate) service: &'a Service,
    pub(crate) slots: Vec<(u32, Fate<'a>)>,
    /// Services it calls that are replaced beside themselves, for `Fate::Follow`.
    pub(crate) callees: Vec<Arc<str>>,
}

impl ServiceFate<'_> {
    /// Is a new container made for it?
    pub(crate) fn creates(&self) -> bool {
        let new =
            |fate: &Fate<'_>| matches!(fate, Fate::Create(_) | Fate::Replace { .. } | Fate::Run { existing: None, .. });
        self.slots.iter().any(|(_, fate)| new(fate))
    }

    /// Do new containers of it take over from others that go on running for a while, surely or perhaps?
    pub(crate) fn moves(&self) -> bool {
        self.slots
            .iter()
            .any(|(_, fate)| matches!(fate, Fate::Replace { beside: true, .. } | Fate::Follow { beside: true, .. }))
    }

    fn replaced(&self) -> bool {
        self.slots.iter().any(|(_, fate)| matches!(fate, Fate::Replace { .. } | Fate::Restart(_)))
    }
}

/// A network as it will be.
pub(crate) struct NetworkFate {
    /// Its name on the engine.
    pub(crate) name: Arc<str>,
    /// It must be made (or, external, checked).
    pub(crate) ensure: bool,
    pub(crate) external: bool,
    /// The subnet it has or was written with.
    pub(crate) subnet: Option<Arc<str>>,
}

impl NetworkFate {
    /// Is a subnet of the target's pool chosen for it?
    pub(crate) fn wants_subnet(&self) -> bool {
        self.ensure && !self.external && self.subnet.is_none()
    }
}

/// All fates of an instance.
#[derive(Default)]
pub(crate) struct Diff<'a> {
    pub(crate) changes: Vec<Change>,
    /// Dependencies first.
    pub(crate) services: Vec<ServiceFate<'a>>,
    pub(crate) networks: BTreeMap<Arc<str>, NetworkFate>,
    /// Key → name, to be made or checked?
    pub(crate) volumes: BTreeMap<Arc<str>, (Arc<str>, bool)>,
    /// Containers that go: of services no longer wanted, replicas too many, generations left behind.
    pub(crate) gone: Vec<&'a ContainerSeen>,
    pub(crate) gone_networks: Vec<&'a NetworkSeen>,
    pub(crate) gone_volumes: Vec<&'a VolumeSeen>,
    pub(crate) gone_routes: Vec<Arc<str>>,
    pub(crate) gone_files: Vec<(ResourceKey, Arc<str>)>,
    /// Routes whose settings or backends are not what they shall be although their service stays.
    pub(crate) switch: BTreeSet<Arc<str>>,
    /// Files whose change reaches the services that see them.
    pub(crate) moved_files: BTreeMap<ResourceKey, Vec<Reason>>,
    pub(crate) notes: Vec<Note>,
}

impl<'a> View<'a> {
    pub(crate) fn new(input: &'a Input<'a>, desired: &'a Desired, seen: &'a InstanceSeen) -> Self {
        let base = seen.record.receipts.iter().find(|one| one.outcome.is_as_planned());
        Self { input, desired, seen, base }
    }

    /// The way back to an earlier state, if that is what is planned.
    pub(crate) fn back(&self) -> Option<&'a Back> {
        self.input.options.back.get(&self.desired.instance)
    }

    /// The image of that reference, if the engine has it. On a way back: the one that ran then, whatever the reference leads to by now.
    pub(crate) fn image(&self, reference: &str) -> Option<&'a ImageSeen> {
        let then = self.back().and_then(|back| back.images.get(reference));
        self.input.observed.host.images.get(then.map_or(reference, AsRef::as_ref))
    }

    /// The id a container of this image shall have, or what it is to become; `None`: not known before it is here.
    pub(crate) fn wanted_image(&self, reference: &Arc<str>) -> Option<Arc<str>> {
        if let Some(then) = self.back().and_then(|back| back.images.get(reference)) {
            return Some(then.clone());
        }
        let seen = self.image(reference);
        if seen.is_none() && !self.input.observed.complete.images {
            // That it is missing is not known: what runs is not replaced for that.
            return None;
        }
        let key = ResourceKey::new(Kind::Image, reference.clone());
        let build = |resource: &Resource| match &resource.body {
            Body::Image(image) => image.build.clone(),
            _ => None,
        };
        if let Some(inputs) = self.desired.resources.get(&key).and_then(build) {
            let former = self.base.and_then(|base| base.desired.resources.get(&key)).and_then(build);
            let built = seen.filter(|seen| seen.build.as_ref() == Some(&inputs) || former.as_ref() == Some(&inputs));
            return Some(built.map_or_else(|| format!("build {}", inputs.short()).into(), |seen| seen.id.clone()));
        }
        match (seen, self.input.registry.get(reference)) {
            (Some(seen), Some(digest)) if !seen.digests.iter().any(|one| one.ends_with(digest.as_ref())) => {
                Some(digest.clone())
            }
            (Some(seen), _) => Some(seen.id.clone()),
            (None, _) => None,
        }
    }

    /// Containers are reached through loopback ports rather than at their own addresses.
    pub(crate) fn by_loopback(&self) -> bool {
        self.input.target.rootless || !self.input.abilities.fixed_address
    }

    /// The generation after every one that is there or on record.
    fn next_generation(&self, service: &str, replica: u32) -> u64 {
        let ids = self.seen.containers.iter().map(|one| &one.id).chain(self.seen.record.owned.values());
        let mine = ids.filter(|id| {
            id.resource.kind == Kind::Service && id.resource.key.as_ref() == service && id.replica == Some(replica)
        });
        mine.filter_map(|id| id.generation).max().unwrap_or(0).saturating_add(1)
    }

    pub(crate) fn note(&self, code: &str, text: String) -> Note {
        Note {
            code: code.into(),
            instance: Some(self.desired.instance.clone()),
            text: text.into(),
            source: None,
            hint: None,
        }
    }
}

/// Two spellings of an image's id.
fn same_image(a: &str, b: &str) -> bool {
    a.trim_start_matches("sha256:") == b.trim_start_matches("sha256:")
}

/// Compares an instance that shall run.
pub(crate) fn running<'a>(view: View<'a>) -> Diff<'a> {
    let mut diff = Diff::default();
    resources::networks(&view, &mut diff);
    resources::volumes(&view, &mut diff);
    resources::files(&view, &mut diff);
    let mut by_service: BTreeMap<&str, Vec<&'a ContainerSeen>> = BTreeMap::new();
    for container in &view.seen.containers {
        by_service.entry(&container.id.resource.key).or_default().push(container);
    }
    let mut restarted: BTreeSet<&'a str> = BTreeSet::new();
    for key in order::services(view.desired) {
        if let Some((resource, service)) = view.desired.service(key) {
            let containers = by_service.remove(key.as_ref()).unwrap_or_default();
            let fate = one_service(&view, &mut diff, key, resource, service, containers, &restarted);
            if fate.replaced() {
                restarted.insert(key);
            }
            diff.services.push(fate);
        }
    }
    for (key, containers) in by_service {
        removed_service(&view, &mut diff, key, containers);
    }
    resources::used_networks(&view, &mut diff);
    resources::images(&view, &mut diff);
    resources::routes(&view, &mut diff);
    resources::gone_files(&view, &mut diff);
    adopt::notes(&view, &mut diff);
    diff.changes.sort_by_key(rank);
    retry(&view, &mut diff);
    stays(&view, &mut diff);
    diff
}

/// What a way back does not bring back: data, and what one-shots did to it.
fn stays(view: &View<'_>, diff: &mut Diff<'_>) {
    let Some(base) = view.base.filter(|_| view.back().is_some()) else { return };
    for (key, resource, _) in base.desired.services().filter(|(_, _, service)| service.job) {
        let then = view.desired.service(key).map(|(then, _)| &then.spec);
        if then != Some(&resource.spec) && view.seen.record.jobs.contains_key(key) {
            diff.notes.push(view.note("W0311", format!("{key} has run since then: what it did is not undone")));
        }
    }
    let writes = |(_, _, service): (&Arc<str>, &Resource, &'_ Service)| {
        service.volumes.iter().filter(|(_, writes)| **writes).map(|(volume, _)| volume.clone()).collect::<Vec<_>>()
    };
    let volumes: BTreeSet<Arc<str>> = base.desired.services().flat_map(writes).collect();
    if !volumes.is_empty() {
        let names: Vec<&str> = volumes.iter().map(AsRef::as_ref).collect();
        let text = format!("data is not brought back: what was written to {} since then stays", names.join(", "));
        diff.notes.push(view.note("W0311", text));
    }
}

/// The order in which people read changes; services keep the order in which they start.
fn rank(change: &Change) -> u8 {
    match change.on.kind {
        Kind::Network => 0,
        Kind::Volume => 1,
        Kind::Secret => 2,
        Kind::Config => 3,
        Kind::Image => 4,
        Kind::Service => 5,
        Kind::Route => 6,
    }
}

/// After an attempt that failed, what changes is a second attempt.
fn retry(view: &View<'_>, diff: &mut Diff<'_>) {
    // Another Desired than the one that failed is no second try of it.
    let failed = view.seen.record.receipts.first().filter(|one| {
        matches!(one.outcome, Outcome::WentBack | Outcome::Stuck) && one.desired.hash() == view.desired.hash()
    });
    let added = match (failed, view.back()) {
        (_, Some(back)) => Reason::Rollback { to: back.to.clone() },
        (Some(receipt), None) => Reason::Retry { plan: receipt.plan.clone() },
        (None, None) => return,
    };
    for change in
        diff.changes.iter_mut().filter(|change| change.on.kind == Kind::Service && change.action != Action::Keep)
    {
        change.reasons.push(added.clone());
    }
}

fn one_service<'a>(
    view: &View<'a>,
    diff: &mut Diff<'a>,
    key: &'a Arc<str>,
    resource: &'a Resource,
    service: &'a Service,
    containers: Vec<&'a ContainerSeen>,
    restarted: &BTreeSet<&'a str>,
) -> ServiceFate<'a> {
    let replicas = if service.job { 1 } else { service.replicas };
    let mut slots: Vec<(u32, Fate<'a>)> = Vec::new();
    let mut reasons: Vec<Reason> = Vec::new();
    let mut left: BTreeMap<u32, Vec<&'a ContainerSeen>> = BTreeMap::new();
    for container in containers {
        left.entry(container.id.replica.unwrap_or(1)).or_default().push(container);
    }
    let existed = !left.is_empty();
    let fresh = diff.changes.iter().any(|one| one.on.kind == Kind::Volume && one.action == Action::Create);
    let (mut leftovers, mut former) = (Vec::new(), Vec::new());
    for replica in 1..=replicas {
        let mut there = left.remove(&replica).unwrap_or_default();
        there.sort_by_key(|one| {
            (
                matches!(one.phase, Phase::Running | Phase::Paused | Phase::Restarting),
                one.spec.as_ref() == Some(&resource.spec),
                one.known,
                one.id.generation,
            )
        });
        let best = there.pop();
        leftovers.extend(there);
        let slot = Slot {
            view,
            key,
            resource,
            service,
            replica,
            restarted,
            moved: &diff.moved_files,
            networks: &diff.networks,
        };
        let (fate, why) = if service.job { slot.job(best, fresh) } else { slot.fate(best) };
        let unfit = |verdict: &Verdict| matches!(verdict, Verdict::CannotTell);
        if let Some(best) = best
            && unfit(&reasons::compare(&view.seen.record, &resource_key(key), resource, best.spec.as_ref()))
        {
            diff.notes.push(view.note(
                "W0303",
                format!("{key}: whether a secret changed cannot be known without the fleet's key; it stays as it is"),
            ));
        }
        // A job's former container makes room for the new one: the `Run` speaks for both, as a `Replace` does.
        if let (Fate::Run { existing: None, .. }, Some(old)) = (&fate, best.filter(|old| old.known)) {
            former.push(old);
        }
        // A job that is on record as done needs no container; one on a network that goes would keep it from going.
        if let (Fate::Done, Some(old)) = (&fate, best)
            && slot.renewed().next().is_some()
            && view.seen.record.jobs.contains_key(key)
        {
            leftovers.push(old);
        }
        for one in why {
            if !reasons.contains(&one) {
                reasons.push(one);
            }
        }
        slots.push((replica, fate));
    }
    let mut fate = ServiceFate { key, resource, service, slots, callees: Vec::new() };
    reasons.extend(follow::decide(view, &diff.services, &mut fate));
    if existed && fate.slots.iter().any(|(_, one)| matches!(one, Fate::Create(_))) && reasons.is_empty() {
        reasons.push(Reason::Missing);
    }
    if fate.slots.iter().any(|(_, one)| matches!(one, Fate::Create(_) | Fate::Run { .. })) {
        reasons.extend(adopt::instead(view, key, resource));
    }
    service_change(view, diff, &fate, reasons);
    let extra: Vec<_> = left.into_values().flatten().collect();
    let running = extra.iter().any(|one| one.known);
    go(view, diff, key, extra, if running { "more replicas than wanted" } else { "" });
    go(view, diff, key, leftovers, "left behind by an earlier apply");
    diff.gone.extend(former);
    fate
}

fn resource_key(service: &Arc<str>) -> ResourceKey {
    ResourceKey::new(Kind::Service, service.clone())
}

/// The change that people read, from the fates of all containers.
fn service_change(view: &View<'_>, diff: &mut Diff<'_>, fate: &ServiceFate<'_>, reasons: Vec<Reason>) {
    let (mut action, mut restarts, mut weight, mut held) = (Action::Keep, 0_u32, 0_u8, None);
    for (_, slot) in &fate.slots {
        let (this, heavy) = match slot {
            Fate::Keep(_) | Fate::Follow { .. } | Fate::Done => (Action::Keep, 0),
            Fate::Start(_) => (Action::Start, 1),
            Fate::Stop(_) => (Action::Stop, 1),
            Fate::Adopt(_) | Fate::Vouched => (Action::Adopt, 2),
            Fate::Create(_) => (Action::Create, 3),
            Fate::Run { .. } => (Action::Run, 4),
            Fate::Replace { old, beside: true, .. } if adopt::held_port(view, fate.key, old).is_some() => {
                held = held.or_else(|| adopt::held_port(view, fate.key, old));
                (Action::Replace, 6)
            }
            Fate::Replace { beside: true, .. } => (Action::Update, 5),
            Fate::Replace { .. } | Fate::Restart(_) => (Action::Replace, 6),
        };
        let stops = match slot {
            Fate::Replace { old, .. } | Fate::Restart(old) | Fate::Stop(old) => {
                matches!(old.phase, Phase::Running | Phase::Paused | Phase::Restarting)
            }
            _ => false,
        };
        restarts += u32::from(stops);
        if heavy > weight {
            (action, weight) = (this, heavy);
        }
    }
    let gap = (action == Action::Replace).then(|| Gap {
        why: match &fate.service.manner {
            _ if fate.slots.iter().any(|(_, one)| matches!(one, Fate::Restart(_))) => {
                "the same container starts again".into()
            }
            Manner::StopFirst(why) => why.clone(),
            Manner::Beside if held.is_some() => adopt::held_words(held.unwrap_or_default()),
            Manner::Beside => beside_why(view, fate.service),
        },
        expected_ms: None,
    });
    let (_, words) = gate::decide(&fate.service.gate, view.image(&fate.service.image));
    diff.changes.push(Change {
        on: resource_key(fate.key),
        action,
        reasons,
        restarts,
        gate: (!matches!(action, Action::Keep | Action::Adopt | Action::Stop)).then_some(words),
        gap,
        follows: fate.callees.clone(),
        adopts: fate.slots.iter().filter_map(|(_, slot)| adopt::adopted(slot)).collect(),
        proves: adopt::proves(fate),
        detail: Some(fate.service.image.clone()),
    });
}

/// May a new container of the service run beside the old one?
fn beside(view: &View<'_>, service: &Service) -> bool {
    view.input.abilities.side_by_side
        && service.manner == Manner::Beside
        && service.engine_ports.is_empty()
        && service.network_mode == NetworkMode::Own
        && service.networks.iter().all(|one| one.address.is_none())
}

fn beside_why(view: &View<'_>, service: &Service) -> Arc<str> {
    if !view.input.abilities.side_by_side {
        "the target runs one container at a time".into()
    } else if !service.engine_ports.is_empty() {
        "the engine publishes a port of it".into()
    } else {
        "its address is written in the product".into()
    }
}

/// Containers that go, with the change that names them; what the record does not know stays and is told.
fn go<'a>(view: &View<'a>, diff: &mut Diff<'a>, key: &Arc<str>, containers: Vec<&'a ContainerSeen>, why: &str) {
    for container in containers {
        if !container.known {
            diff.notes.push(adopt::strange(view, key, container));
            continue;
        }
        let detail = format!("{} ({why})", container.name).into();
        let told = resources::change(resource_key(key), Action::Delete, vec![Reason::Removed], Some(detail));
        let restarts = u32::from(matches!(container.phase, Phase::Running | Phase::Paused | Phase::Restarting));
        diff.changes.push(Change { restarts, ..told });
        diff.gone.push(container);
    }
}

/// A service that is in no file any more.
fn removed_service<'a>(view: &View<'a>, diff: &mut Diff<'a>, key: &str, containers: Vec<&'a ContainerSeen>) {
    go(view, diff, &key.into(), containers, "no longer in the product");
}

/// The files of a Desired, by the path they have on the host.
pub(crate) fn file_paths(desired: &Desired) -> impl Iterator<Item = (&ResourceKey, Arc<str>)> {
    let files = desired.resources.iter().filter(|(_, resource)| matches!(resource.body, Body::File(_)));
    files.map(|(key, resource)| (key, names::file(key, &resource.spec)))
}
