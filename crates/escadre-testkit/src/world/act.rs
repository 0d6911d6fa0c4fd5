//! What each act does to the small world.
//!
//! In: a step. Out: its outcome, or the refusal a real engine would give.
//! **Invariant:** repeating an act that is done changes nothing; what is not ours is never touched.
//! Not here: faults and lost answers (`driver`), undoing (`undo`).
//! Tests: `tests/conformance.rs`.

use super::behaviour::Behaviour;
use super::driver::{Bug, FakeDriver};
use super::faults::refused;
use super::state::{Container, Image, Network, State, Volume, edge_port};
use escadre_engine::ports::{Changed, Error, Evidence, Job, Outcome};
use escadre_model::desired::{Body, EnginePort};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceId};
use escadre_model::observed::{EngineId, Health, Lookup, Phase, RouteSeen};
use escadre_plan::step::{Act, Placement, PlannedGate, Watch};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often a gate looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long callers are watched that call.
const WATCHED: Duration = Duration::from_secs(7);
/// How long callers are watched that do not.
const UNSEEN: Duration = Duration::from_secs(2);

impl FakeDriver {
    pub(super) async fn act(&self, job: &Job<'_>) -> Result<Outcome, Error> {
        match &job.step.act {
            Act::EnsureImage { reference, refresh, build, expect } => {
                let there = |state: &mut State, _| expect.clone().filter(|id| state.images.contains_key(id));
                match self.world.with(there).filter(|_| !*refresh) {
                    Some(id) => Ok(Outcome { image: Some(id), ..Outcome::default() }),
                    None => self.image(reference, *refresh, build.as_ref()).await,
                }
            }
            Act::Run { name, .. } => self.run(name).await,
            Act::Gate { name, gate } => self.gate(name, gate).await,
            Act::Follow(watch) => self.follow(watch).await,
            Act::Drain { deadline_ms, .. } => {
                tokio::time::sleep(Duration::from_millis((*deadline_ms).min(50))).await;
                Ok(Outcome::default())
            }
            Act::Stop { .. } => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.world.with(|state, now| self.at_once(job, state, now))
            }
            _ => self.world.with(|state, now| self.at_once(job, state, now)),
        }
    }

    fn at_once(&self, job: &Job<'_>, state: &mut State, now: u64) -> Result<Outcome, Error> {
        let on = &job.step.on;
        match &job.step.act {
            Act::EnsureNetwork { name, subnet } => network(job, state, name, subnet.as_ref()),
            Act::EnsureVolume { name, external } => volume(job, state, name, *external),
            Act::EnsureFile { file } => {
                let spec = job.step.payload.clone().unwrap_or_else(|| Hash::of(""));
                let former = state.files.insert((on.instance.clone(), file.clone()), spec.clone());
                Ok(changed(if former == Some(spec) { Changed::NotNeeded } else { Changed::Added }))
            }
            Act::Create(placement) => self.create(job, state, placement),
            Act::Start { name } => start(state, name, now),
            Act::Attach { lines } => {
                let mut result = Changed::NotNeeded;
                for line in lines {
                    let file = state.hosts.entry((on.instance.clone(), line.hosts.clone())).or_default();
                    let new = (line.address, line.names.clone());
                    if file.insert(line.who.clone(), new.clone()) != Some(new) {
                        result = Changed::Updated;
                    }
                }
                Ok(changed(result))
            }
            Act::Join { name, networks } => {
                let Some(container) = state.containers.get_mut(name) else {
                    return Err(refused(&format!("join networks of {name}"), "no such container", 404));
                };
                for one in networks {
                    if container.networks.get(&one.name) != Some(&one.address) {
                        return Err(refused(&format!("join network {}", one.name), "it had another address", 409));
                    }
                }
                let names: BTreeSet<Arc<str>> = networks.iter().flat_map(|one| one.aliases.clone()).collect();
                let same = container.names == names;
                container.names = names;
                Ok(changed(if same { Changed::NotNeeded } else { Changed::Updated }))
            }
            Act::Switch { routes } => {
                if let Some(port) =
                    routes.keys().filter_map(|key| edge_port(key)).find(|port| state.published(*port, now))
                {
                    return Err(Error::Edge(format!("port {port} is taken").into()));
                }
                let mut result = Changed::NotNeeded;
                for (key, target) in routes {
                    let new = RouteSeen { spec: target.spec.clone(), backends: target.backends.clone(), parked: false };
                    let former = state.routes.insert((on.instance.clone(), key.clone()), new.clone());
                    if former != Some(new) {
                        result = Changed::Updated;
                    }
                }
                Ok(changed(result))
            }
            Act::Park { routes } => {
                for key in routes {
                    if let Some(route) = state.routes.get_mut(&(on.instance.clone(), key.clone())) {
                        route.parked = true;
                    }
                }
                Ok(changed(Changed::Updated))
            }
            Act::Stop { name, forget, .. } => Ok(stop(state, on, name, *forget, now)),
            Act::Remove { name, engine, data } => self.remove(job, state, name, engine.as_ref(), *data, now),
            Act::Unroute { routes } => {
                let gone =
                    routes.iter().filter(|key| state.routes.remove(&(on.instance.clone(), (*key).clone())).is_some());
                Ok(changed(if gone.count() == 0 { Changed::NotNeeded } else { Changed::Updated }))
            }
            other => Err(Error::Bug { act: format!("{other:?}").into(), why: "this engine has no such act".into() }),
        }
    }

    async fn image(&self, reference: &Arc<str>, refresh: bool, build: Option<&Hash>) -> Result<Outcome, Error> {
        let there = self.world.with(|state, _| state.images.get(reference).map(|image| image.id.clone()));
        if let (Some(id), false) = (&there, refresh) {
            return Ok(Outcome { image: Some(id.clone()), ..Outcome::default() });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.world.with(|state, _| {
            let built =
                build.map(|hash| Image { id: format!("sha256:{hash}").into(), behaviour: Behaviour::default() });
            let Some(image) = state.registry.get(reference).cloned().or(built) else {
                return Err(Error::Image { reference: reference.clone(), why: "the registry does not have it".into() });
            };
            let id = image.id.clone();
            state.images.insert(id.clone(), image.clone());
            state.images.insert(reference.clone(), image);
            let changed = if there.as_ref() == Some(&id) { Changed::NotNeeded } else { Changed::Added };
            Ok(Outcome { image: Some(id), changed, ..Outcome::default() })
        })
    }

    fn create(&self, job: &Job<'_>, state: &mut State, placement: &Placement) -> Result<Outcome, Error> {
        let (on, act) = (&job.step.on, format!("create container {}", placement.name));
        let mut name = placement.name.clone();
        if let Some(there) = state.containers.get(&name) {
            let ours = there.owner.as_ref().is_some_and(|(owner, _)| owner == on);
            if self.has(Bug::CreatesTwice) {
                name = format!("{name}_2").into();
            } else if ours || self.has(Bug::TakesForeignNames) {
                return Ok(made(there, Changed::NotNeeded));
            } else {
                return Err(Error::Taken { what: name, by: "a container of somebody else".into() });
            }
        }
        let id = job.images.get(&placement.image);
        let image = state.images.values().find(|image| Some(&image.id) == id).cloned();
        let image = image.ok_or_else(|| refused(&act, &format!("no such image: {}", placement.image), 404))?;
        for network in &placement.networks {
            if !state.networks.contains_key(&network.name) {
                return Err(refused(&act, &format!("no such network: {}", network.name), 404));
            }
        }
        for volume in placement.volumes.values() {
            if !state.volumes.contains_key(volume) {
                return Err(refused(&act, &format!("no such volume: {volume}"), 404));
            }
        }
        for (_, path) in &placement.files {
            if !state.files.contains_key(&(on.instance.clone(), path.clone())) {
                return Err(refused(&act, &format!("no such file: {path}"), 404));
            }
        }
        let resource = job.desired.resources.get(&on.resource);
        let spec = resource.map(|resource| resource.spec.clone());
        let is_job = matches!(resource.map(|resource| &resource.body), Some(Body::Service(service)) if service.job);
        let container = Container {
            engine: state.id("c"),
            owner: Some((on.clone(), job.desired.origin.clone())),
            fields: Hash::of_json(&spec),
            spec,
            image,
            job: is_job,
            started: None,
            stopped: None,
            networks: placement.networks.iter().map(|network| (network.name.clone(), network.address)).collect(),
            names: placement.networks.iter().flat_map(|network| network.aliases.clone()).collect(),
            volumes: placement.volumes.clone(),
            compose: None,
            published: placement.engine_ports.clone(),
        };
        let outcome = made(&container, Changed::Added);
        state.containers.insert(name, container);
        Ok(outcome)
    }

    async fn run(&self, name: &Arc<str>) -> Result<Outcome, Error> {
        let ended = |state: &State, now: u64| match state.containers.get(name).map(|container| container.phase(now)) {
            Some(Phase::Exited(code)) => Some(code),
            _ => None,
        };
        let mut result = Changed::NotNeeded;
        self.world.with(|state, now| {
            if ended(state, now).is_some() {
                return Ok::<(), Error>(());
            }
            if start(state, name, now)?.changed != Changed::NotNeeded {
                result = Changed::Added;
                *state.runs.entry(name.clone()).or_default() += 1;
            }
            Ok(())
        })?;
        loop {
            if let Some(code) = self.world.with(|state, now| ended(state, now)) {
                let seen = Some(format!("exit code {code}").into());
                return match code {
                    0 => Ok(Outcome { changed: result, seen, ..Outcome::default() }),
                    _ => Err(self.failed(name, "did not end with code 0", "exit code 0")),
                };
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Callers go on calling the former ones, or the present ones, or nobody, as their images say.
    async fn follow(&self, watch: &Watch) -> Result<Outcome, Error> {
        let (calls, both) = self.world.with(|state, now| {
            let runs = |name: &Arc<str>| state.containers.get(name).is_some_and(|one| one.runs(now));
            let both = watch.successions.iter().any(|one| runs(&one.former) && runs(&one.current));
            let mut callers = watch.callers.iter().filter_map(|name| state.containers.get(name));
            (callers.find_map(|caller| caller.image.behaviour.calls), both)
        });
        tokio::time::sleep(if calls.is_some() { WATCHED } else { UNSEEN }).await;
        let follows = match calls.filter(|_| both) {
            Some(lookup) => lookup == Lookup::Once,
            None => watch.unseen,
        };
        let answer = if follows { Changed::Updated } else { Changed::NotNeeded };
        Ok(Outcome { lookup: calls.filter(|_| both), ..changed(answer) })
    }

    async fn gate(&self, name: &Arc<str>, gate: &PlannedGate) -> Result<Outcome, Error> {
        let (deadline, words) = match gate {
            PlannedGate::Healthy { deadline_ms, .. } => (*deadline_ms, "healthcheck"),
            PlannedGate::PortOpen { deadline_ms, .. } => (*deadline_ms, "port open"),
            PlannedGate::Alive { for_ms } => (*for_ms, "alive"),
        };
        let began = self.world.clock().ms();
        loop {
            let passed = self.world.clock().ms().saturating_sub(began);
            let found = self.world.with(|state, now| {
                let container = state.containers.get(name)?;
                let ms = container.started.map_or(0, |at| now.saturating_sub(at));
                Some((container.runs(now), container.restarts(now), container.health(now), container.image.clone(), ms))
            });
            let Some((runs, restarts, health, image, ms)) = found else {
                return Err(refused(&format!("look at container {name}"), "no such container", 404));
            };
            if self.has(Bug::GateIsBlind) {
                return Ok(Outcome::default());
            }
            if !runs || restarts > 0 {
                return Err(self.failed(name, "ended", words));
            }
            let ready = match gate {
                PlannedGate::Healthy { .. } => health == Health::Healthy,
                PlannedGate::PortOpen { ports, or_alive_ms, .. } => {
                    let alive = or_alive_ms.is_some_and(|for_ms| passed >= for_ms);
                    alive || ports.iter().all(|port| image.behaviour.open(*port, ms))
                }
                PlannedGate::Alive { for_ms } => passed >= *for_ms,
            };
            if ready {
                return Ok(Outcome { seen: Some(format!("{words} after {ms} ms").into()), ..Outcome::default() });
            }
            if passed > deadline {
                return Err(self.failed(name, "was not ready in time", words));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn failed(&self, name: &str, why: &str, gate: &str) -> Error {
        self.world.with(|state, now| {
            let container = state.containers.get(name);
            let service = container.and_then(|container| container.owner.as_ref());
            let service = service.map_or_else(|| Arc::from(name), |(id, _)| id.resource.key.clone());
            let behaviour = container.map(|container| container.image.behaviour.clone()).unwrap_or_default();
            let ended = behaviour.exits.filter(|_| why != "was not ready in time");
            let log = behaviour.log;
            let log_lines = u64::try_from(log.len()).unwrap_or(0);
            let evidence = Evidence {
                ended: ended.map(|(code, after)| format!("ended with code {code} after {after} ms").into()),
                gate: Some(gate.into()),
                last_probe: Some(format!("at {now} ms").into()),
                log,
                log_lines,
            };
            let why = evidence.ended.clone().unwrap_or_else(|| why.into());
            Error::Gate { service, why, evidence: Box::new(evidence) }
        })
    }

    fn remove(
        &self,
        job: &Job<'_>,
        state: &mut State,
        name: &Arc<str>,
        engine: Option<&EngineId>,
        data: bool,
        now: u64,
    ) -> Result<Outcome, Error> {
        let on = &job.step.on;
        let act = format!("remove {name}");
        let there = match on.resource.kind {
            Kind::Service => {
                let Some(container) = state.containers.get(name) else { return Ok(Outcome::default()) };
                let other = engine.is_some_and(|engine| engine.0 != container.engine);
                if other && !self.has(Bug::RemovesByName) {
                    return Ok(Outcome::default());
                }
                if container.runs(now) {
                    return Err(refused(&act, "it is running", 409));
                }
                let addresses: Vec<_> = container.networks.values().flatten().copied().collect();
                let there = state.containers.remove(name).is_some();
                // Its names go with it, unless somebody else has its address by now.
                let free = |address: &std::net::IpAddr| {
                    let at = |one: &Container| one.networks.values().any(|there| there.as_ref() == Some(address));
                    addresses.contains(address) && !state.containers.values().any(at)
                };
                for ((instance, _), lines) in &mut state.hosts {
                    if *instance == on.instance {
                        lines.retain(|_, (address, _)| !free(address));
                    }
                }
                there
            }
            Kind::Network => {
                let Some(network) = state.networks.get(name) else { return Ok(Outcome::default()) };
                if engine.is_some_and(|engine| engine.0 != network.engine) {
                    return Ok(Outcome::default());
                }
                if state.containers.values().any(|container| container.networks.contains_key(name)) {
                    return Err(refused(&act, "containers are on it", 409));
                }
                state.networks.remove(name).is_some()
            }
            Kind::Volume if !data => {
                return Err(Error::Bug { act: act.into(), why: "a volume is removed only with its data".into() });
            }
            Kind::Volume => {
                if state.containers.values().any(|container| container.volumes.values().any(|there| there == name)) {
                    return Err(refused(&act, "containers use it", 409));
                }
                state.volumes.remove(name).is_some()
            }
            _ => state.files.remove(&(on.instance.clone(), name.clone())).is_some(),
        };
        Ok(changed(if there { Changed::Updated } else { Changed::NotNeeded }))
    }
}

fn network(job: &Job<'_>, state: &mut State, name: &Arc<str>, subnet: Option<&Arc<str>>) -> Result<Outcome, Error> {
    let on = &job.step.on;
    if let Some(there) = state.networks.get(name) {
        if subnet.is_some() && there.owner.as_ref() != Some(on) {
            return Err(Error::Taken { what: name.clone(), by: "a network of somebody else".into() });
        }
        return Ok(Outcome { engine: Some(EngineId(there.engine.clone())), ..Outcome::default() });
    }
    let act = format!("create network {name}");
    let Some(subnet) = subnet else { return Err(refused(&act, "it should exist and does not", 404)) };
    if state.networks.values().any(|there| there.subnet == *subnet) {
        return Err(Error::Crossed { what: format!("subnet {subnet}").into(), by: "another network".into() });
    }
    let engine = state.id("n");
    let spec = job.step.payload.clone();
    let network =
        Network { engine: engine.clone(), owner: Some(on.clone()), spec, subnet: subnet.clone(), compose: None };
    state.networks.insert(name.clone(), network);
    Ok(Outcome { engine: Some(EngineId(engine)), changed: Changed::Added, ..Outcome::default() })
}

fn volume(job: &Job<'_>, state: &mut State, name: &Arc<str>, external: bool) -> Result<Outcome, Error> {
    let on = &job.step.on;
    let engine = Some(EngineId(name.clone()));
    if let Some(there) = state.volumes.get(name) {
        if !external && there.compose.is_none() && there.owner.as_ref() != Some(on) {
            return Err(Error::Taken { what: name.clone(), by: "a volume of somebody else".into() });
        }
        return Ok(Outcome { engine, ..Outcome::default() });
    }
    if external {
        return Err(refused(&format!("find volume {name}"), "it should exist and does not", 404));
    }
    let (spec, written) = (job.step.payload.clone(), BTreeSet::new());
    let volume = Volume { owner: Some(on.clone()), spec, written, compose: None };
    state.volumes.insert(name.clone(), volume);
    Ok(Outcome { engine, changed: Changed::Added, ..Outcome::default() })
}

/// Starts a container; one that runs is left alone.
pub(super) fn start(state: &mut State, name: &Arc<str>, now: u64) -> Result<Outcome, Error> {
    let act = format!("start container {name}");
    let Some(container) = state.containers.get(name) else { return Err(refused(&act, "no such container", 404)) };
    if container.runs(now) {
        return Ok(Outcome::default());
    }
    let clash = state.containers.iter().find(|(other, there)| {
        let same = |(network, address): (&Arc<str>, &Option<std::net::IpAddr>)| {
            address.is_some() && there.networks.get(network) == Some(address)
        };
        *other != name && there.runs(now) && container.networks.iter().any(same)
    });
    if let Some((other, _)) = clash {
        return Err(refused(&act, &format!("its address is taken by {other}"), 409));
    }
    let shares = |other: &Arc<str>, there: &Container| {
        let same =
            |one: &&EnginePort| there.published.iter().any(|it| (&it.host, it.published) == (&one.host, one.published));
        if *other == *name || !there.runs(now) {
            None
        } else {
            container.published.iter().find(same).map(|one| one.published)
        }
    };
    if let Some(port) = state.containers.iter().find_map(|(other, there)| shares(other, there)) {
        return Err(Error::Crossed { what: format!("port {port}").into(), by: "another container".into() });
    }
    let opened = |port: u16| state.routes.keys().any(|(_, key)| edge_port(key) == Some(port));
    if let Some(held) = container.published.iter().map(|one| one.published).find(|port| opened(*port)) {
        return Err(refused(&act, &format!("port {held} is taken by the edge"), 409));
    }
    let volumes: Vec<Arc<str>> = container.volumes.values().cloned().collect();
    let mark: Arc<str> = container.engine.clone();
    if let Some(container) = state.containers.get_mut(name) {
        (container.started, container.stopped) = (Some(now), None);
    }
    for volume in volumes {
        if let Some(volume) = state.volumes.get_mut(&volume) {
            volume.written.insert(mark.clone());
        }
    }
    Ok(changed(Changed::Updated))
}

fn stop(state: &mut State, on: &ResourceId, name: &Arc<str>, forget: bool, now: u64) -> Outcome {
    let Some(container) = state.containers.get_mut(name) else { return Outcome::default() };
    let ran = container.runs(now);
    if ran {
        container.stopped = Some(143);
    }
    let addresses: Vec<_> = container.networks.values().flatten().copied().collect();
    if forget {
        for ((instance, _), lines) in &mut state.hosts {
            if *instance == on.instance {
                lines.retain(|_, (address, _)| !addresses.contains(address));
            }
        }
    }
    changed(if ran { Changed::Updated } else { Changed::NotNeeded })
}

fn changed(changed: Changed) -> Outcome {
    Outcome { changed, ..Outcome::default() }
}

fn made(container: &Container, changed: Changed) -> Outcome {
    let (engine, fields) = (Some(EngineId(container.engine.clone())), Some(container.fields.clone()));
    let image = Some(container.image.id.clone());
    Outcome { engine, fields, image, changed, ..Outcome::default() }
}
