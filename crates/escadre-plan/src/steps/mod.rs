//! Steps: how the fates of an instance's resources come about, in a valid order.
//!
//! In: a `Diff`. Out: the instance's steps, each with what must have succeeded before.
//! **Invariant:** every index in `after` is smaller than the step's own; all images are there before the first stop; nothing is removed before the commit point;
//! unchanged services have no steps.
//! Not here: what changes (`diff`); doing it (`escadre-engine`).
//! Tests: `tests/it/updates.rs`, and the little world of `tests/it/world.rs`.

mod create;
mod follow;
mod jobs;
mod network;
mod remove;
mod replace;
mod routes;

use crate::change::Action;
use crate::diff::{Diff, Fate, ServiceFate, View};
use crate::make::Shared;
use crate::names;
use crate::plan::Refusal;
use crate::step::{Act, Step, Succession, Undo};
use escadre_model::desired::{Body, Condition, PullPolicy};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceId, ResourceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use remove::{removed, stopped};

/// The steps of a service that others wait for.
#[derive(Default)]
struct Marks {
    /// Its containers are started and its names lead to them.
    started: Vec<u32>,
    /// Its gates are passed.
    ready: Vec<u32>,
}

/// Something that goes after the commit.
struct Doomed {
    on: ResourceId,
    act: Act,
    when: Vec<u32>,
}

/// Steps being made.
pub(crate) struct Builder<'v, 'a> {
    view: &'v View<'a>,
    steps: Vec<Step>,
    images: BTreeMap<Arc<str>, u32>,
    /// Networks, volumes and files, by key.
    things: BTreeMap<ResourceKey, u32>,
    /// Volume key → the engine's name.
    volumes: BTreeMap<Arc<str>, Arc<str>>,
    /// Service → the newest container made for it by these steps.
    current: BTreeMap<Arc<str>, Arc<str>>,
    marks: BTreeMap<&'a str, Marks>,
    net: network::Plan,
    live: routes::Live,
    /// `Follow` steps the steps being made depend on: see `Step::when`.
    when: Vec<u32>,
    /// Service → the `Follow` that decides whether it is replaced, for services that may be.
    follows: BTreeMap<&'a str, u32>,
    /// Routes whose settings are not what they shall be.
    switched: BTreeSet<Arc<str>>,
    /// Service → who takes over from whom.
    successions: BTreeMap<&'a str, Vec<Succession>>,
    /// What goes of each container, in order.
    doomed: Vec<Vec<Doomed>>,
    /// What goes after all containers.
    late: Vec<Doomed>,
}

impl<'v, 'a> Builder<'v, 'a> {
    fn push(&mut self, on: ResourceId, act: Act, after: Vec<u32>, payload: Option<Hash>, undo: Undo) -> u32 {
        let index = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let mut after = after;
        after.extend(&self.when);
        after.sort_unstable();
        after.dedup();
        let when = self.when.clone();
        self.steps.push(Step { index, on, act, after, payload, undo, after_commit: false, when });
        index
    }

    fn resource(&self, key: ResourceKey) -> ResourceId {
        self.view.desired.instance.resource(key)
    }

    /// Something that goes after the commit point, under the same condition as the steps being made.
    fn doom(&self, on: ResourceId, act: Act) -> Doomed {
        Doomed { on, act, when: self.when.clone() }
    }

    fn service(&self, key: &Arc<str>) -> ResourceId {
        self.resource(ResourceKey::new(Kind::Service, key.clone()))
    }

    /// What must have happened before a container of this service starts or its predecessor stops: its dependencies, as it states them.
    fn dependencies(&self, fate: &ServiceFate<'_>) -> Vec<u32> {
        let mut after = Vec::new();
        for one in &fate.service.after {
            if let Some(marks) = self.marks.get(one.service.as_ref()) {
                after.extend(match one.condition {
                    Condition::Started => &marks.started,
                    Condition::Healthy | Condition::Completed => &marks.ready,
                });
            }
        }
        for other in fate.service.lives_in() {
            after.extend(self.marks.get(other.as_ref()).map(|marks| marks.started.as_slice()).unwrap_or_default());
        }
        after
    }

    fn mark(&mut self, service: &'a str, started: u32, ready: u32) {
        let marks = self.marks.entry(service).or_default();
        marks.started.push(started);
        marks.ready.push(ready);
    }
}

/// The steps of an instance that shall run.
pub(crate) fn running<'a>(view: &View<'a>, diff: &Diff<'a>, shared: &mut Shared<'_>) -> Result<Vec<Step>, Refusal> {
    let net = network::Plan::make(view, diff, shared)?;
    let live = routes::Live::of(view, diff, shared)?;
    let mut builder = Builder::bare(view);
    (builder.net, builder.live) = (net, live);
    builder.volumes = diff.volumes.iter().map(|(key, (name, _))| (key.clone(), name.clone())).collect();
    builder.switched = diff.switch.clone();
    builder.announce(diff);
    builder.images(diff);
    builder.things(diff);
    let early = diff.services.iter().any(|one| one.creates() && !one.service.engine_ports.is_empty());
    if early {
        builder.stop_gone(diff);
    }
    builder.stop_touched(diff);
    for fate in &diff.services {
        for (replica, slot) in &fate.slots {
            match slot {
                Fate::Keep(_) | Fate::Adopt(_) | Fate::Stop(_) | Fate::Done | Fate::Vouched => {}
                Fate::Create(generation) => builder.create(fate, *replica, *generation, shared)?,
                Fate::Start(there) => builder.start(fate, *replica, there),
                Fate::Restart(there) => builder.restart(fate, *replica, there),
                Fate::Replace { old, generation, beside } => {
                    builder.replace(fate, *replica, old, *generation, *beside, shared)?;
                }
                Fate::Follow { old, generation, beside } => {
                    builder.follow(fate, *replica, old, *generation, *beside, shared)?;
                }
                Fate::Run { existing, generation } => builder.run(fate, *existing, *generation, shared)?,
            }
        }
    }
    builder.switch_rest(diff);
    if !early {
        builder.stop_gone(diff);
    }
    builder.remove_gone(diff);
    Ok(builder.finish())
}

impl<'a> Builder<'_, 'a> {
    /// Before anything else: whoever asks for what nobody serves yet is told that it is being started.
    fn announce(&mut self, diff: &Diff<'a>) {
        for fate in &diff.services {
            let comes = |slot: &Fate<'_>| matches!(slot, Fate::Create(_) | Fate::Start(_) | Fate::Replace { .. });
            if !fate.slots.iter().any(|(_, slot)| comes(slot)) {
                continue;
            }
            let routes = self.live.unserved(self.view, fate.key);
            if routes.is_empty() {
                continue;
            }
            let mut targets = self.live.targets(&routes);
            targets.values_mut().for_each(|target| target.starting = true);
            let act = Act::Switch { routes: targets };
            let index = self.push(self.service(fate.key), act, Vec::new(), None, Undo::Reverse);
            self.live.changed(&routes, index);
        }
    }

    /// Images of new containers, all before anything stops.
    fn images(&mut self, diff: &Diff<'a>) {
        let needed: BTreeSet<&Arc<str>> =
            diff.services.iter().filter(|one| one.creates()).map(|one| &one.service.image).collect();
        for reference in needed {
            let key = ResourceKey::new(Kind::Image, reference.clone());
            let resource = self.view.desired.resources.get(&key);
            let body = resource.and_then(|resource| match &resource.body {
                Body::Image(image) => Some(image),
                _ => None,
            });
            let seen = self.view.image(reference);
            let asked = self.view.input.registry.contains_key(reference);
            let changed = diff.changes.iter().any(|one| one.on == key && one.action == Action::Update);
            let always = body.is_some_and(|image| image.pull == PullPolicy::Always);
            let act = Act::EnsureImage {
                reference: reference.clone(),
                refresh: (always && !self.view.input.options.as_they_are) || (asked && changed),
                build: body.and_then(|image| image.build.clone()),
                expect: seen.filter(|_| !changed).map(|seen| seen.id.clone()),
            };
            let payload = resource.map(|resource| resource.spec.clone());
            let index = self.push(self.resource(key), act, Vec::new(), payload, Undo::Nothing);
            self.images.insert(reference.clone(), index);
        }
    }

    /// Networks, volumes and files of new containers; those that are there and fit need no step.
    fn things(&mut self, diff: &Diff<'a>) {
        let creating: Vec<&ServiceFate<'a>> = diff.services.iter().filter(|one| one.creates()).collect();
        let uses = |key: &ResourceKey| {
            creating.iter().any(|one| match key.kind {
                Kind::Network => one.service.networks.iter().any(|net| net.network == key.key),
                Kind::Volume => one.service.volumes.contains_key(&key.key),
                _ => one.service.files.contains(key),
            })
        };
        for (key, resource) in &self.view.desired.resources {
            let (act, undo) = match &resource.body {
                Body::Network(_) => {
                    let Some(fate) = diff.networks.get(&key.key).filter(|fate| fate.ensure) else { continue };
                    if fate.external && !uses(key) {
                        continue;
                    }
                    let subnet = if fate.external { None } else { self.net.subnet(&key.key) };
                    (Act::EnsureNetwork { name: fate.name.clone(), subnet }, Undo::Reverse)
                }
                Body::Volume(volume) => {
                    let Some((name, true)) = diff.volumes.get(&key.key) else { continue };
                    if volume.external && !uses(key) {
                        continue;
                    }
                    // What a first start wrote is data, whatever became of the start.
                    (Act::EnsureVolume { name: name.clone(), external: volume.external }, Undo::Nothing)
                }
                Body::File(_) => {
                    let changed = diff.changes.iter().any(|one| one.on == *key && one.action != Action::Keep);
                    if !changed && !uses(key) {
                        continue;
                    }
                    (Act::EnsureFile { file: names::file(key, &resource.spec) }, Undo::Reverse)
                }
                Body::Image(_) | Body::Service(_) => continue,
            };
            let index = self.push(self.resource(key.clone()), act, Vec::new(), Some(resource.spec.clone()), undo);
            self.things.insert(key.clone(), index);
        }
    }

    /// The steps, those behind the commit point last: container by container, then what containers used.
    fn finish(mut self) -> Vec<Step> {
        let (chains, late) = (std::mem::take(&mut self.doomed), std::mem::take(&mut self.late));
        let awaited: BTreeSet<u32> = self.steps.iter().flat_map(|step| step.after.iter().copied()).collect();
        // Nothing is removed before everything else is done, also for a reader who knows no commit point.
        let commit: Vec<u32> = self.steps.iter().map(|step| step.index).filter(|one| !awaited.contains(one)).collect();
        let mut ends = commit.clone();
        for chain in chains {
            let mut last: Vec<u32> = commit.clone();
            for one in chain {
                last = vec![self.push_late(one, last)];
            }
            ends.extend(last);
        }
        for one in late {
            self.push_late(one, ends.clone());
        }
        self.steps
    }

    fn push_late(&mut self, one: Doomed, after: Vec<u32>) -> u32 {
        let undo = match &one.act {
            Act::Remove { data: true, .. } => "the data of the volume is gone",
            Act::Remove { .. } => "what is removed is not made again",
            _ => "it belongs behind the commit point",
        };
        self.when = one.when;
        let index = self.push(one.on, one.act, after, None, Undo::Irreversible(undo.into()));
        self.when = Vec::new();
        if let Some(step) = self.steps.last_mut() {
            step.after_commit = true;
        }
        index
    }
}
