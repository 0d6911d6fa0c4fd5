//! What becomes of every resource of an instance that shall run, and why.
//!
//! In: one instance as wanted, as seen and as recorded. Out: a [`Diff`]: a change per resource, and the fate of every container.
//! **Invariant:** equal spec, equal image, running: `Keep`. What the record does not know is adopted, never deleted; what a list did not show is not deleted either.
//! Not here: in which steps (`steps`), instances that stop or go (`gone`).
//! Tests: `tests/it`.

use crate::change::{Action, Change, Gap, Reason};
use crate::make::{Input, UpdateManner};
use crate::plan::Note;
use crate::reasons::{self, Verdict};
use crate::{gate, names, order};
use escadre_model::desired::{Body, Desired, Manner, NetworkMode, Resource, Service};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::{
    ContainerSeen, ImageSeen, InstanceSeen, NetworkSeen, Outcome, Phase, Receipt, VolumeSeen,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) mod resources;

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
    /// A one-shot runs: the container that is there, or a new one.
    Run { existing: Option<&'a ContainerSeen>, generation: u64 },
    /// A one-shot has run.
    Done,
}

/// A service and its containers' fates, by replica.
pub(crate) struct ServiceFate<'a> {
    pub(crate) key: &'a Arc<str>,
    pub(crate) resource: &'a Resource,
    pub(crate) service: &'a Service,
    pub(crate) slots: Vec<(u32, Fate<'a>)>,
}

impl ServiceFate<'_> {
    /// Is a new container made for it?
    pub(crate) fn creates(&self) -> bool {
        let new =
            |fate: &Fate<'_>| matches!(fate, Fate::Create(_) | Fate::Replace { .. } | Fate::Run { existing: None, .. });
        self.slots.iter().any(|(_, fate)| new(fate))
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
        let base = seen.record.receipts.iter().find(|one| matches!(one.outcome, Outcome::Healthy | Outcome::Stopped));
        Self { input, desired, seen, base }
    }

    /// The image of that reference, if the engine has it.
    pub(crate) fn image(&self, reference: &str) -> Option<&'a ImageSeen> {
        self.input.observed.host.images.get(reference)
    }

    /// The id a container of this image shall have, or what it is to become; `None`: not known before it is here.
    pub(crate) fn wanted_image(&self, reference: &Arc<str>) -> Option<Arc<str>> {
        let seen = self.image(reference);
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
    diff.changes.sort_by_key(rank);
    retry(&view, &mut diff);
    diff
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
    let added = match (failed, &view.input.options.rollback) {
        (_, Some(to)) => Reason::Rollback { to: to.clone() },
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
    let fate = ServiceFate { key, resource, service, slots };
    if existed && fate.slots.iter().any(|(_, one)| matches!(one, Fate::Create(_))) && reasons.is_empty() {
        reasons.push(Reason::Missing);
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
    let (mut action, mut restarts, mut weight) = (Action::Keep, 0_u32, 0_u8);
    for (_, slot) in &fate.slots {
        let (this, heavy) = match slot {
            Fate::Keep(_) | Fate::Done => (Action::Keep, 0),
            Fate::Start(_) => (Action::Start, 1),
            Fate::Adopt(_) => (Action::Adopt, 2),
            Fate::Create(_) => (Action::Create, 3),
            Fate::Run { .. } => (Action::Run, 4),
            Fate::Replace { beside: true, .. } => (Action::Update, 5),
            Fate::Replace { .. } | Fate::Restart(_) => (Action::Replace, 6),
        };
        let stops = match slot {
            Fate::Replace { old, .. } | Fate::Restart(old) => {
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
        gate: (action != Action::Keep && action != Action::Adopt).then_some(words),
        gap,
        detail: Some(fate.service.image.clone()),
    });
}

/// May a new container of the service run beside the old one?
fn beside(view: &View<'_>, service: &Service) -> bool {
    view.input.options.update_manner == UpdateManner::Beside
        && view.input.abilities.side_by_side
        && service.manner == Manner::Beside
        && service.engine_ports.is_empty()
        && service.network_mode == NetworkMode::Own
        && service.networks.iter().all(|one| one.address.is_none())
}

fn beside_why(view: &View<'_>, service: &Service) -> Arc<str> {
    if view.input.options.update_manner == UpdateManner::StopFirstOnly {
        "updating beside the old one is not built yet".into()
    } else if !view.input.abilities.side_by_side {
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
            diff.notes.push(view.note(
                "W0305",
                format!(
                    "{key}: container {} carries our labels and is not on record; it is left as it is",
                    container.name
                ),
            ));
            continue;
        }
        diff.changes.push(Change {
            on: resource_key(key),
            action: Action::Delete,
            reasons: vec![Reason::Removed],
            restarts: u32::from(matches!(container.phase, Phase::Running | Phase::Paused | Phase::Restarting)),
            gate: None,
            gap: None,
            detail: Some(format!("{} ({why})", container.name).into()),
        });
        diff.gone.push(container);
    }
}

/// A service that is in no file any more.
fn removed_service<'a>(view: &View<'a>, diff: &mut Diff<'a>, key: &str, containers: Vec<&'a ContainerSeen>) {
    go(view, diff, &key.into(), containers, "no longer in the product");
}

/// One container's place, and what it is compared with.
struct Slot<'s, 'a> {
    view: &'s View<'a>,
    key: &'a Arc<str>,
    resource: &'a Resource,
    service: &'a Service,
    replica: u32,
    restarted: &'s BTreeSet<&'a str>,
    moved: &'s BTreeMap<ResourceKey, Vec<Reason>>,
    networks: &'s BTreeMap<Arc<str>, NetworkFate>,
}

impl<'a> Slot<'_, 'a> {
    fn next(&self) -> u64 {
        self.view.next_generation(self.key, self.replica)
    }

    /// Networks of the service that are made anew.
    fn renewed(&self) -> impl Iterator<Item = &NetworkFate> {
        let mine = self.service.networks.iter().filter_map(|one| self.networks.get(&one.network));
        mine.filter(|one| one.ensure && !one.external)
    }

    /// Why the container cannot stay as it is.
    fn unfit(&self, there: &ContainerSeen) -> Vec<Reason> {
        let record = &self.view.seen.record;
        let mut why = match reasons::compare(record, &resource_key(self.key), self.resource, there.spec.as_ref()) {
            Verdict::Same | Verdict::CannotTell => Vec::new(),
            Verdict::Differs(why) => why,
        };
        if let Some(id) = self.view.wanted_image(&self.service.image)
            && !same_image(&there.image, &id)
            // Another reference is told by the field already.
            && !why.iter().any(|one| matches!(one, Reason::Changed { path, .. } if path.as_ref() == "image"))
        {
            why.push(reasons::moved(&self.service.image, &there.image, &id));
        }
        let recorded = record.receipts.iter().find_map(|receipt| receipt.fields.get(&there.engine));
        if let (Some(was), Some(is)) = (recorded, &there.fields)
            && was != is
        {
            why.push(Reason::Drift {
                what: format!("settings of {} are not those it was made with", there.name).into(),
            });
        }
        if why.is_empty() {
            why.extend(self.service.files.iter().filter_map(|file| self.moved.get(file)).flatten().cloned());
        }
        for network in self.renewed() {
            why.push(Reason::DependencyReplaced { service: format!("network {}", network.name).into() });
        }
        if let NetworkMode::Service(other) = &self.service.network_mode
            && self.restarted.contains(other.as_ref())
        {
            why.push(Reason::DependencyReplaced { service: other.clone() });
        }
        why
    }

    fn fate(&self, best: Option<&'a ContainerSeen>) -> (Fate<'a>, Vec<Reason>) {
        let Some(there) = best else { return (Fate::Create(self.next()), Vec::new()) };
        let mut why = self.unfit(there);
        if !there.known {
            return (Fate::Adopt(there), why);
        }
        if !why.is_empty() {
            let running = there.phase == Phase::Running;
            let beside = running && beside(self.view, self.service);
            return (Fate::Replace { old: there, generation: self.next(), beside }, why);
        }
        let phase: Arc<str> = match &there.phase {
            Phase::Running => return self.dependencies(there),
            Phase::Created => "made, never started".into(),
            Phase::Paused => "paused".into(),
            Phase::Restarting => "restarting".into(),
            Phase::Exited(code) => format!("exited with code {code}").into(),
            Phase::Unknown => "in no known state".into(),
        };
        why.push(Reason::NotRunning { phase });
        let fate = match there.phase {
            Phase::Unknown => Fate::Replace { old: there, generation: self.next(), beside: false },
            Phase::Paused | Phase::Restarting => Fate::Restart(there),
            // Without a known address its routes could not lead to it.
            _ if !resources::reachable(self.view, self.key, self.service, there) => {
                Fate::Replace { old: there, generation: self.next(), beside: false }
            }
            _ => Fate::Start(there),
        };
        (fate, why)
    }

    /// A container that is as it shall be starts again if it asked to.
    fn dependencies(&self, there: &'a ContainerSeen) -> (Fate<'a>, Vec<Reason>) {
        let asked =
            self.service.after.iter().filter(|after| after.restart && self.restarted.contains(after.service.as_ref()));
        let why: Vec<Reason> =
            asked.map(|after| Reason::DependencyReplaced { service: after.service.clone() }).collect();
        (if why.is_empty() { Fate::Keep(there) } else { Fate::Restart(there) }, why)
    }

    /// A one-shot runs once per spec and image; the receipt or the exited container proves that it did.
    /// Where a volume is made anew (`fresh`), what ran before it proves nothing: its work went with the data.
    fn job(&self, best: Option<&'a ContainerSeen>, fresh: bool) -> (Fate<'a>, Vec<Reason>) {
        let record = &self.view.seen.record;
        let image = self.view.wanted_image(&self.service.image);
        let same = |it: &str| image.as_ref().is_none_or(|id| same_image(id, it));
        let mut evidence = record.jobs.get(self.key).into_iter().flatten();
        let on_record = evidence.any(|one| one.spec == self.resource.spec && same(&one.image));
        let fits = |one: &&ContainerSeen| one.spec.as_ref() == Some(&self.resource.spec) && same(&one.image);
        let ended = best.filter(fits).is_some_and(|one| one.phase == Phase::Exited(0));
        if (!fresh && (on_record || ended)) || self.view.input.options.rollback.is_some() {
            return (Fate::Done, Vec::new());
        }
        let cannot = best.is_some_and(|one| {
            matches!(
                reasons::compare(record, &resource_key(self.key), self.resource, one.spec.as_ref()),
                Verdict::CannotTell
            )
        });
        if cannot {
            return (Fate::Done, Vec::new());
        }
        let existing =
            best.filter(fits).filter(|one| one.known && matches!(one.phase, Phase::Created | Phase::Running));
        let why = best.map(|one| self.unfit(one)).unwrap_or_default();
        (Fate::Run { existing, generation: self.next() }, why)
    }
}

/// The files of a Desired, by the path they have on the host.
pub(crate) fn file_paths(desired: &Desired) -> impl Iterator<Item = (&ResourceKey, Arc<str>)> {
    let files = desired.resources.iter().filter(|(_, resource)| matches!(resource.body, Body::File(_)));
    files.map(|(key, resource)| (key, names::file(key, &resource.spec)))
}
