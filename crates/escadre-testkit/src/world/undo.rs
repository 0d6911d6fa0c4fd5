//! How each act is undone in the small world, and how it is known whether it was done.
//!
//! In: a step, what was before it. Out: the former state.
//! **Invariant:** undoing twice, or what was never done, succeeds and changes nothing.
//! Not here: doing (`act`).
//! Tests: `tests/conformance.rs`.

use super::act::start;
use super::driver::{Bug, FakeDriver};
use super::faults::refused;
use super::state::State;
use escadre_engine::ports::{Changed, Error, Found, Job, Outcome};
use escadre_model::ids::ResourceId;
use escadre_model::observed::{EngineId, Phase, RouteSeen};
use escadre_plan::step::Act;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::net::IpAddr;
use std::sync::Arc;

type Lines = Vec<(Arc<str>, Arc<str>, Option<(IpAddr, Vec<Arc<str>>)>)>;
type Routes = Vec<(Arc<str>, Option<RouteSeen>)>;

/// Whether something was there already: then undoing leaves it.
#[derive(Serialize, Deserialize, Default)]
struct There {
    there: bool,
}

/// What stopping a container takes away.
#[derive(Serialize, Deserialize, Default)]
struct Ran {
    running: bool,
    lines: Lines,
}

impl FakeDriver {
    /// What undoing will need.
    pub(super) fn note(&self, job: &Job<'_>, state: &State, now: u64) -> Option<serde_json::Value> {
        let on = &job.step.on;
        let line = |hosts: &Arc<str>, who: &Arc<str>| {
            let former = state.hosts.get(&(on.instance.clone(), hosts.clone())).and_then(|file| file.get(who));
            (hosts.clone(), who.clone(), former.cloned())
        };
        let routes = |keys: &mut dyn Iterator<Item = &Arc<str>>| -> Routes {
            keys.map(|key| (key.clone(), state.routes.get(&(on.instance.clone(), key.clone())).cloned())).collect()
        };
        match &job.step.act {
            Act::EnsureFile { file } => {
                let there = state.files.contains_key(&(on.instance.clone(), file.clone()));
                serde_json::to_value(There { there }).ok()
            }
            Act::EnsureNetwork { name, .. } => {
                serde_json::to_value(There { there: state.networks.contains_key(name) }).ok()
            }
            Act::EnsureVolume { name, .. } => {
                serde_json::to_value(There { there: state.volumes.contains_key(name) }).ok()
            }
            Act::Attach { lines } => {
                let lines: Lines = lines.iter().map(|new| line(&new.hosts, &new.who)).collect();
                serde_json::to_value(lines).ok()
            }
            Act::Switch { routes: new } => serde_json::to_value(routes(&mut new.keys())).ok(),
            Act::Park { routes: keys } | Act::Unroute { routes: keys } => {
                serde_json::to_value(routes(&mut keys.iter())).ok()
            }
            Act::Stop { name, .. } | Act::Start { name } => {
                let container = state.containers.get(name)?;
                let mine = |address: &IpAddr| container.networks.values().any(|at| at.as_ref() == Some(address));
                let files = state.hosts.iter().filter(|((instance, _), _)| *instance == on.instance);
                let lines = files.flat_map(|((_, hosts), file)| {
                    let lines = file.iter().filter(|(_, (address, _))| mine(address));
                    lines.map(|(who, line)| (hosts.clone(), who.clone(), Some(line.clone())))
                });
                serde_json::to_value(Ran { running: container.runs(now), lines: lines.collect() }).ok()
            }
            _ => None,
        }
    }

    pub(super) fn un(
        &self,
        job: &Job<'_>,
        outcome: Option<&Outcome>,
        state: &mut State,
        now: u64,
    ) -> Result<(), Error> {
        let on = &job.step.on;
        let before = outcome.and_then(|outcome| outcome.before.clone());
        let was_there = || before.clone().is_some_and(|before| read::<There>(before).there);
        match &job.step.act {
            Act::EnsureFile { .. } | Act::EnsureNetwork { .. } | Act::EnsureVolume { .. } if was_there() => {}
            Act::EnsureNetwork { name, subnet: Some(_) } => {
                let ours = state.networks.get(name).is_some_and(|network| network.owner.as_ref() == Some(on));
                let used = state.containers.values().any(|container| container.networks.contains_key(name));
                match (ours, used) {
                    (true, true) => {
                        return Err(refused(&format!("remove network {name}"), "containers are on it", 409));
                    }
                    (true, false) => drop(state.networks.remove(name)),
                    (false, _) if self.has(Bug::UndoOnlyOnce) => return Err(refused("undo", "no such network", 404)),
                    (false, _) => {}
                }
            }
            Act::EnsureVolume { name, external: false } => {
                let ours = state.volumes.get(name).is_some_and(|volume| volume.owner.as_ref() == Some(on));
                if ours {
                    state.volumes.remove(name);
                }
            }
            Act::EnsureFile { file } => drop(state.files.remove(&(on.instance.clone(), file.clone()))),
            Act::Create(placement) => {
                let ours = |(owner, _): &(ResourceId, Arc<str>)| owner == on;
                let there = state.containers.get(&placement.name);
                if there.is_some_and(|there| there.owner.as_ref().is_some_and(ours)) {
                    state.containers.remove(&placement.name);
                } else if self.has(Bug::UndoOnlyOnce) {
                    return Err(refused("undo", "no such container", 404));
                }
            }
            Act::Start { name } => {
                let ran = before.is_some_and(|before| read::<Ran>(before).running);
                if let Some(container) = state.containers.get_mut(name).filter(|there| !ran && there.runs(now)) {
                    container.stopped = Some(143);
                }
            }
            Act::Run { name, .. } => {
                if let Some(container) = state.containers.get_mut(name).filter(|container| container.runs(now)) {
                    container.stopped = Some(143);
                }
            }
            Act::Stop { name, .. } => {
                let ran = before.map_or(Ran { running: true, lines: Vec::new() }, read);
                if ran.running && state.containers.contains_key(name) && !self.has(Bug::LeavesStopped) {
                    start(state, name, now)?;
                }
                restore_lines(state, on, ran.lines);
            }
            Act::Attach { .. } if self.has(Bug::ForgetsFormerNames) => {}
            Act::Attach { .. } => restore_lines(state, on, before.map(read).unwrap_or_default()),
            Act::Switch { .. } | Act::Park { .. } | Act::Unroute { .. } => {
                let routes: Routes = before.map(read).unwrap_or_default();
                for (key, former) in routes {
                    let key = (on.instance.clone(), key);
                    match former {
                        Some(route) => drop(state.routes.insert(key, route)),
                        None => drop(state.routes.remove(&key)),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn was_done(&self, job: &Job<'_>, state: &State, now: u64) -> Found {
        let on = &job.step.on;
        let done = |engine: Option<Arc<str>>| {
            let engine = engine.map(EngineId);
            Found::Done(Box::new(Outcome { engine, changed: Changed::Added, ..Outcome::default() }))
        };
        let when = |yes: bool| if yes { done(None) } else { Found::NotDone };
        match &job.step.act {
            Act::EnsureImage { reference, refresh: false, .. } => match state.images.get(reference) {
                Some(image) => {
                    let image = Some(image.id.clone());
                    Found::Done(Box::new(Outcome { image, ..Outcome::default() }))
                }
                None => Found::NotDone,
            },
            Act::EnsureNetwork { name, .. } => match state.networks.get(name) {
                Some(network) if network.owner.as_ref() == Some(on) => done(Some(network.engine.clone())),
                _ => Found::NotDone,
            },
            Act::EnsureVolume { name, .. } => match state.volumes.get(name) {
                Some(volume) if volume.owner.as_ref() == Some(on) => done(Some(name.clone())),
                _ => Found::NotDone,
            },
            Act::EnsureFile { file } => when(state.files.contains_key(&(on.instance.clone(), file.clone()))),
            Act::Create(placement) => match state.containers.get(&placement.name) {
                Some(there) if there.owner.as_ref().is_some_and(|(owner, _)| owner == on) => {
                    let (engine, fields) = (Some(EngineId(there.engine.clone())), Some(there.fields.clone()));
                    Found::Done(Box::new(Outcome { engine, fields, changed: Changed::Added, ..Outcome::default() }))
                }
                _ => Found::NotDone,
            },
            Act::Start { name } => when(state.containers.get(name).is_some_and(|there| there.runs(now))),
            Act::Run { name, .. } => {
                when(state.containers.get(name).is_some_and(|there| there.phase(now) == Phase::Exited(0)))
            }
            Act::Stop { name, .. } => when(state.containers.get(name).is_none_or(|there| !there.runs(now))),
            Act::Attach { lines } => when(lines.iter().all(|line| {
                let file = state.hosts.get(&(on.instance.clone(), line.hosts.clone()));
                file.and_then(|file| file.get(&line.who)) == Some(&(line.address, line.names.clone()))
            })),
            Act::Join { name, networks } => when(
                state
                    .containers
                    .get(name)
                    .is_some_and(|there| there.names == networks.iter().flat_map(|one| one.aliases.clone()).collect()),
            ),
            Act::Switch { routes } => when(routes.iter().all(|(key, target)| {
                let there = state.routes.get(&(on.instance.clone(), key.clone()));
                there.is_some_and(|there| there.backends == target.backends && !there.parked)
            })),
            Act::Park { routes } => when(
                routes
                    .iter()
                    .all(|key| state.routes.get(&(on.instance.clone(), key.clone())).is_none_or(|route| route.parked)),
            ),
            Act::Unroute { routes } => {
                when(routes.iter().all(|key| !state.routes.contains_key(&(on.instance.clone(), key.clone()))))
            }
            Act::Remove { name, .. } => when(
                !state.containers.contains_key(name)
                    && !state.networks.contains_key(name)
                    && !state.volumes.contains_key(name)
                    && !state.files.contains_key(&(on.instance.clone(), name.clone())),
            ),
            _ => Found::NotDone,
        }
    }
}

fn restore_lines(state: &mut State, on: &ResourceId, lines: Lines) {
    for (hosts, who, former) in lines {
        let file = state.hosts.entry((on.instance.clone(), hosts)).or_default();
        match former {
            Some(line) => drop(file.insert(who, line)),
            None => drop(file.remove(&who)),
        }
    }
}

fn read<T: DeserializeOwned + Default>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap_or_default()
}
