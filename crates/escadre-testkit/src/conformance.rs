//! The suite that every driver passes: each kind of act done, repeated, looked for, observed, undone, undone again, failed and undone.
//!
//! In: a `Lab`: a driver, and three programs it can run. Out: what is not as it should be, sentence by sentence; empty when all is well.
//! **Invariant:** the suite asks nothing of a driver that its ports do not promise; everything it makes belongs to the lab's instance and is gone at the end.
//! Not here: order and journal (`escadre-engine`); what one engine can do and another cannot.
//! Tests: `tests/it/conformance.rs`: the fake passes; each planted bug is found here or by the oracle.

use async_trait::async_trait;
use escadre_engine::ports::{Changed, Driver, Error, Found, Job, NoSecrets, Outcome, Scope, Silent};
use escadre_model::desired::{Content, Desired, HealthCheck};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceId, ResourceKey};
use escadre_model::observed::{ContainerSeen, EngineId, InstanceSeen, Phase};
use escadre_plan::step::{
    Act, HostLine, PlacedNetwork, Placement, PlannedGate, RouteTarget, Step, Succession, Undo, Watch,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What a program in the lab does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// It listens on TCP port 80 within a second and goes on; its health check (`check`) passes.
    Serves,
    /// It ends with this code within a second or two.
    Ends(u8),
    /// It runs and does nothing.
    Sleeps,
}

/// What the suite needs of a driver's surroundings.
#[async_trait]
pub trait Lab: Send + Sync {
    /// The driver.
    fn driver(&self) -> &dyn Driver;

    /// One instance, spelled for this driver, with: network `default`, volume `data`, config `conf` (mounted by the service), one image, and one service
    /// `web` running this program (a job when it ends), with a health check when it serves; and a TCP or HTTP route `web` to its port 80.
    /// The same program gives the same Desired; the same lab, the same instance.
    fn desired(&self, program: Program) -> Desired;

    /// A subnet nobody else uses, and three addresses in it for containers.
    fn subnet(&self) -> (Arc<str>, [IpAddr; 3]);

    /// The health check of a serving program.
    fn check(&self) -> HealthCheck;

    /// Makes a container of this name that is not ours (and removes it, when `there` is false).
    async fn foreign(&self, name: &str, there: bool);

    /// The hosts lines that containers of the lab's instance see; `None`: this lab cannot tell.
    async fn lines(&self) -> Option<Vec<HostLine>>;
}

/// What was found, and what could not be tried.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is not as it should be.
    pub wrong: Vec<String>,
    /// What this lab cannot tell: counted, so that it is not taken for passed.
    pub skipped: Vec<String>,
    /// How many things were checked.
    pub checked: usize,
}

impl Findings {
    fn check(&mut self, so: bool, what: impl Into<String>) {
        self.checked += 1;
        if !so {
            self.wrong.push(what.into());
        }
    }
}

/// Runs the whole suite.
pub async fn run(lab: &dyn Lab) -> Findings {
    let mut suite = Suite::new(lab, Program::Serves);
    suite.capabilities();
    suite.life_of_a_service().await;
    suite.strangers().await;
    let Findings { mut wrong, mut skipped, mut checked } = suite.findings;
    for program in [Program::Ends(0), Program::Ends(3)] {
        let mut suite = Suite::new(lab, program);
        suite.life_of_a_job(program).await;
        wrong.extend(suite.findings.wrong);
        skipped.extend(suite.findings.skipped);
        checked += suite.findings.checked;
    }
    Findings { wrong, skipped, checked }
}

struct Suite<'a> {
    lab: &'a dyn Lab,
    desired: Desired,
    images: BTreeMap<Arc<str>, Arc<str>>,
    findings: Findings,
    index: u32,
}

impl<'a> Suite<'a> {
    fn new(lab: &'a dyn Lab, program: Program) -> Self {
        let desired = lab.desired(program);
        Self { lab, desired, images: BTreeMap::new(), findings: Findings::default(), index: 0 }
    }

    fn capabilities(&mut self) {
        let able = self.lab.driver().capabilities();
        self.findings.check(!able.engine.is_empty(), "capabilities: the engine has no name");
    }

    fn step(&mut self, kind: Kind, key: &str, act: Act, undo: Undo) -> Step {
        let on = self.desired.instance.resource(ResourceKey::new(kind, key));
        self.step_on(on, act, undo)
    }

    fn step_on(&mut self, on: ResourceId, act: Act, undo: Undo) -> Step {
        let payload = self.desired.resources.get(&on.resource).map(|resource| resource.spec.clone());
        self.index += 1;
        let when = Vec::new();
        Step { index: self.index, on, act, after: Vec::new(), payload, undo, after_commit: false, when }
    }

    fn job<'b>(&'b self, step: &'b Step) -> Job<'b> {
        Job { desired: &self.desired, step, images: &self.images, secrets: &NoSecrets, progress: &Silent }
    }

    async fn seen(&mut self) -> InstanceSeen {
        let id = self.desired.instance.clone();
        match self.lab.driver().observe(&Scope::Instances(vec![id.clone()]), &BTreeSet::new()).await {
            Ok(mut observed) => observed.instances.remove(&id).unwrap_or_default(),
            Err(error) => {
                self.findings.check(false, format!("observe: {error}"));
                InstanceSeen::default()
            }
        }
    }

    async fn container(&mut self, name: &str) -> Option<ContainerSeen> {
        self.seen().await.containers.into_iter().find(|one| &*one.name == name)
    }

    async fn found(&mut self, step: &Step) -> bool {
        match self.lab.driver().find(&self.job(step)).await {
            Ok(Found::Done(_)) => true,
            Ok(Found::NotDone) => false,
            Err(error) => {
                self.findings.check(false, format!("find {}: {error}", step.on));
                false
            }
        }
    }

    /// Performs, with what was noted before in the outcome, as the engine does.
    async fn perform(&mut self, step: &Step) -> Option<Outcome> {
        let before = self.lab.driver().before(&self.job(step)).await;
        let result = self.lab.driver().perform(&self.job(step)).await;
        match (before, result) {
            (Ok(before), Ok(mut outcome)) => {
                outcome.before = outcome.before.or(before);
                self.images.extend(match (&step.act, &outcome.image) {
                    (Act::EnsureImage { reference, .. }, Some(id)) => Some((reference.clone(), id.clone())),
                    _ => None,
                });
                Some(outcome)
            }
            (Err(error), _) | (_, Err(error)) => {
                self.findings.check(false, format!("{:?} on {}: {error}", step.act, step.on));
                None
            }
        }
    }

    async fn undo(&mut self, step: &Step, outcome: Option<&Outcome>, what: &str) {
        let result = self.lab.driver().undo(&self.job(step), outcome).await;
        self.findings.check(result.is_ok(), format!("{what} {}: {result:?}", step.on));
    }

    /// Do, repeat, look for, undo, undo again, look for, do: and it is done in the end.
    async fn cycle(&mut self, step: &Step) -> Option<Outcome> {
        let act = format!("{:?}", step.act);
        let what = format!("{} {}", act.split([' ', '(']).next().unwrap_or_default(), step.on);
        let before = self.found(step).await;
        self.findings.check(!before, format!("{what}: found before it was done"));
        let outcome = self.perform(step).await?;
        let again = self.perform(step).await?;
        self.findings.check(
            again.changed == Changed::NotNeeded,
            format!("{what}: the second time changed something: {again:?}"),
        );
        self.findings.check(again.engine == outcome.engine, format!("{what}: the second time made another one"));
        let found = self.found(step).await;
        self.findings.check(found, format!("{what}: done, and not found"));
        if step.undo != Undo::Reverse {
            return Some(outcome);
        }
        self.undo(step, Some(&outcome), "undo").await;
        let found = self.found(step).await;
        self.findings.check(!found, format!("{what}: undone, and still found"));
        self.undo(step, Some(&outcome), "undo again").await;
        self.undo(step, None, "undo without an outcome").await;
        self.perform(step).await
    }

    fn placement(&self, name: &str, address: IpAddr) -> Placement {
        let engine = |kind: Kind, key: &str| self.name(kind, key);
        let files = self.desired.resources.keys().filter(|key| key.kind == Kind::Config);
        let files = files.map(|key| (key.clone(), self.file(key))).collect();
        let network = PlacedNetwork {
            network: "default".into(),
            name: engine(Kind::Network, "default"),
            address: Some(address),
            aliases: vec!["web".into()],
        };
        let image = self.desired.service("web").map_or_else(|| "".into(), |(_, service)| service.image.clone());
        Placement {
            name: name.into(),
            image,
            networks: vec![network],
            hosts: Some("default".into()),
            volumes: BTreeMap::from([(Arc::from("data"), engine(Kind::Volume, "data"))]),
            files,
            engine_ports: Vec::new(),
            shares_network_of: None,
            shares: std::collections::BTreeMap::new(),
            routes: vec!["web".into()],
        }
    }

    fn name(&self, kind: Kind, key: &str) -> Arc<str> {
        use escadre_model::desired::Body;
        match self.desired.resources.get(&ResourceKey::new(kind, key)).map(|resource| &resource.body) {
            Some(Body::Network(network)) => network.name.clone(),
            Some(Body::Volume(volume)) => volume.name.clone(),
            _ => key.into(),
        }
    }

    fn file(&self, key: &ResourceKey) -> Arc<str> {
        let spec = self.desired.resources.get(key).map_or_else(|| Hash::of(""), |resource| resource.spec.clone());
        escadre_plan::names::file(key, &spec)
    }

    /// Image, network, volume, files: what a container stands on.
    async fn ground(&mut self) {
        let image = self.desired.service("web").map_or_else(|| "".into(), |(_, service)| service.image.clone());
        let act = Act::EnsureImage { reference: image.clone(), refresh: false, build: None, expect: None };
        let step = self.step(Kind::Image, &image, act, Undo::Nothing);
        if let Some(outcome) = self.perform(&step).await {
            self.findings.check(outcome.image.is_some(), "ensure image: it does not say which");
        }
        let found = self.found(&step).await;
        self.findings.check(found, "ensure image: done, and not found");
        let subnet = Some(self.lab.subnet().0);
        let act = Act::EnsureNetwork { name: self.name(Kind::Network, "default"), subnet };
        let step = self.step(Kind::Network, "default", act, Undo::Reverse);
        if let Some(outcome) = self.cycle(&step).await {
            let seen = self.seen().await;
            let there = seen.networks.iter().any(|one| Some(&one.engine) == outcome.engine.as_ref());
            self.findings.check(there, "ensure network: made, and not observed under its id");
        }
        let act = Act::EnsureVolume { name: self.name(Kind::Volume, "data"), external: false };
        let step = self.step(Kind::Volume, "data", act, Undo::Nothing);
        self.cycle(&step).await;
        let seen = self.seen().await;
        self.findings
            .check(seen.volumes.iter().any(|one| &*one.key.key == "data"), "ensure volume: made, and not observed");
        let keys: Vec<ResourceKey> =
            self.desired.resources.keys().filter(|key| key.kind == Kind::Config).cloned().collect();
        for key in keys {
            let act = Act::EnsureFile { file: self.file(&key) };
            let step = self.step(Kind::Config, &key.key, act, Undo::Reverse);
            self.cycle(&step).await;
        }
    }

    async fn create(&mut self, name: &str, address: IpAddr, generation: u64) -> Option<(ResourceId, EngineId)> {
        let on = self.desired.instance.resource(ResourceKey::new(Kind::Service, "web")).container(1, generation);
        let act = Act::Create(self.placement(name, address));
        let step = self.step_on(on.clone(), act, Undo::Reverse);
        let outcome = self.cycle(&step).await?;
        let engine = outcome.engine.clone();
        self.findings.check(engine.is_some(), "create: it does not say the engine's id");
        let engine = engine?;
        let seen = self.container(name).await;
        let (spec, _) = self.desired.service("web").map(|(resource, _)| (resource.spec.clone(), ()))?;
        self.findings.check(
            seen.as_ref().is_some_and(|one| one.engine == engine && one.id == on),
            format!("create: observed as {seen:?}"),
        );
        self.findings
            .check(seen.as_ref().is_some_and(|one| one.spec == Some(spec)), "create: the spec label is not the spec");
        self.findings
            .check(seen.as_ref().is_some_and(|one| one.phase == Phase::Created), "create: it is not \"created\"");
        self.findings.check(
            outcome.fields == seen.as_ref().and_then(|one| one.fields.clone())
                || seen.is_none_or(|one| one.fields.is_none()),
            "create: the fields' hash is not what is observed",
        );
        let count = self.seen().await.containers.iter().filter(|one| one.id == on).count();
        self.findings.check(count == 1, format!("create: repeated, and there are {count} of it"));
        Some((on, engine))
    }

    async fn life_of_a_service(&mut self) {
        self.ground().await;
        let (_, [first, second, _]) = self.lab.subnet();
        let base = format!("{}_{}_web_1", self.desired.instance.fleet, self.desired.instance.instance);
        let (old, new) = (format!("{base}_g1"), format!("{base}_g2"));
        let Some((on, engine)) = self.create(&old, first, 1).await else { return };
        let attach = self.attach(&on, first);
        self.cycle(&attach).await;
        let start = self.step_on(on.clone(), Act::Start { name: old.as_str().into() }, Undo::Reverse);
        self.cycle(&start).await;
        let check = self.lab.check();
        for gate in [
            PlannedGate::Healthy { check, deadline_ms: 60_000 },
            PlannedGate::PortOpen { ports: vec![80], times: 2, every_ms: 200, deadline_ms: 60_000, or_alive_ms: None },
            PlannedGate::Alive { for_ms: 500 },
        ] {
            let gate = self.step_on(on.clone(), Act::Gate { name: old.as_str().into(), gate }, Undo::Nothing);
            self.perform(&gate).await;
        }
        let switch = self.switch(&on, first);
        self.cycle(&switch).await;
        let seen = self.seen().await;
        self.findings.check(seen.routes.contains_key("web"), "switch: the route is not observed");
        self.park().await;
        self.takes_over(&on, &old, &new, second).await;
        self.beside(&on, &old, &new, second).await;
        self.removal(&on, &old, &engine, &new).await;
    }

    fn attach(&mut self, on: &ResourceId, address: IpAddr) -> Step {
        let line = HostLine { hosts: "default".into(), who: "web/1".into(), address, names: vec!["web".into()] };
        self.step_on(on.clone(), Act::Attach { lines: vec![line] }, Undo::Reverse)
    }

    fn switch(&mut self, on: &ResourceId, address: IpAddr) -> Step {
        let backends = vec![(on.clone(), SocketAddr::new(address, 80))];
        let spec = self.desired.routes.get("web").map_or_else(|| Hash::of(""), Hash::of_json);
        let routes =
            BTreeMap::from([(Arc::from("web"), RouteTarget { spec, backends, published: None, starting: false })]);
        self.step(Kind::Route, "web", Act::Switch { routes }, Undo::Reverse)
    }

    async fn park(&mut self) {
        let park = self.step(Kind::Route, "web", Act::Park { routes: vec!["web".into()] }, Undo::Reverse);
        let Some(outcome) = self.perform(&park).await else { return };
        let parked = self.seen().await.routes.get("web").map(|route| route.parked);
        self.findings.check(parked == Some(true), "park: the route is not parked");
        self.undo(&park, Some(&outcome), "undo").await;
        let parked = self.seen().await.routes.get("web").map(|route| route.parked);
        self.findings.check(parked == Some(false), "park: undone, and still parked");
    }

    /// A second generation takes over and goes back: the old one runs again, with its names and its route.
    async fn takes_over(&mut self, on: &ResourceId, old: &str, new: &str, address: IpAddr) {
        let before_lines = self.lab.lines().await;
        if before_lines.is_none() {
            self.findings.skipped.push("hosts lines: this lab cannot tell".into());
        }
        let before_routes = self.seen().await.routes;
        let Some((next, _)) = self.create(new, address, 2).await else { return };
        let stop = Act::Stop { name: old.into(), grace_ms: 2000, forget: false };
        let stop = self.step_on(on.clone(), stop, Undo::Reverse);
        let stopped = self.cycle(&stop).await;
        let phase = self.container(old).await.map(|one| one.phase);
        self.findings.check(matches!(phase, Some(Phase::Exited(_))), format!("stop: it is {phase:?}"));
        let attach = self.attach(&next, address);
        let attached = self.perform(&attach).await;
        let start = self.step_on(next.clone(), Act::Start { name: new.into() }, Undo::Reverse);
        let started = self.perform(&start).await;
        let switch = self.switch(&next, address);
        let switched = self.perform(&switch).await;
        for (step, outcome) in [(&switch, switched), (&start, started), (&attach, attached), (&stop, stopped)] {
            self.undo(step, outcome.as_ref(), "go back").await;
        }
        let phase = self.container(old).await.map(|one| one.phase);
        self.findings.check(phase == Some(Phase::Running), format!("going back: the old one is {phase:?}"));
        let (lines, routes) = (self.lab.lines().await, self.seen().await.routes);
        self.findings
            .check(lines == before_lines, format!("going back: names were {before_lines:?} and are {lines:?}"));
        self.findings
            .check(routes == before_routes, format!("going back: routes were {before_routes:?} and are {routes:?}"));
    }

    /// A second generation runs beside the first one, gets the service's names, and the first one is drained.
    async fn beside(&mut self, on: &ResourceId, old: &str, new: &str, address: IpAddr) {
        let next = ResourceId { generation: Some(2), ..on.clone() };
        let start = self.step_on(next.clone(), Act::Start { name: new.into() }, Undo::Reverse);
        self.perform(&start).await;
        let network = self.name(Kind::Network, "default");
        for names in [vec![], vec![Arc::from("web")]] {
            let networks = vec![PlacedNetwork {
                network: "default".into(),
                name: network.clone(),
                address: Some(address),
                aliases: names.clone(),
            }];
            let join = self.step_on(next.clone(), Act::Join { name: new.into(), networks }, Undo::Nothing);
            self.perform(&join).await;
            let found = self.found(&join).await;
            self.findings.check(found, format!("join as {names:?}: done, and not found"));
            let again = self.perform(&join).await.map(|outcome| outcome.changed);
            self.findings.check(
                again == Some(Changed::NotNeeded),
                format!("join as {names:?}: done again, and it is {again:?}"),
            );
            let seen = self.container(new).await;
            let there = seen.as_ref().is_some_and(|one| one.addresses.values().any(|at| *at == address));
            self.findings.check(there, format!("join as {names:?}: its addresses are {seen:?}"));
            self.findings.check(
                seen.is_some_and(|one| one.phase == Phase::Running),
                format!("join as {names:?}: it does not run any more"),
            );
        }
        for unseen in [true, false] {
            let watch = Watch {
                callers: vec![old.into()],
                successions: vec![Succession { former: old.into(), current: new.into() }],
                unseen,
                check_ms: 0,
            };
            let follow = self.step_on(on.clone(), Act::Follow(watch), Undo::Nothing);
            let answer = self.perform(&follow).await.map(|outcome| outcome.changed != Changed::NotNeeded);
            self.findings.check(
                answer == Some(unseen),
                format!("follow where nobody calls: {unseen} was asked for, and it is {answer:?}"),
            );
        }
        let act = Act::Drain { backends: vec![on.clone()], deadline_ms: 2000, name: old.into(), inside_ms: 500 };
        let drain = self.step_on(on.clone(), act, Undo::Nothing);
        self.perform(&drain).await;
        self.undo(&start, None, "undo").await;
    }

    async fn removal(&mut self, on: &ResourceId, old: &str, engine: &EngineId, new: &str) {
        let gone = || Undo::Irreversible("it is gone".into());
        let other = Some(EngineId("0000000000000000000000000000000000000000000000000000000000000000".into()));
        let next = ResourceId { generation: Some(2), ..on.clone() };
        let act = Act::Remove { name: new.into(), engine: other, data: false };
        let step = self.step_on(next.clone(), act, gone());
        let _ = self.lab.driver().perform(&self.job(&step)).await;
        let there = self.container(new).await;
        self.findings.check(there.is_some(), "remove: one with another id than the plan saw was removed");
        let unroute = self.step(Kind::Route, "web", Act::Unroute { routes: vec!["web".into()] }, Undo::Reverse);
        self.cycle(&unroute).await;
        let stop = Act::Stop { name: old.into(), grace_ms: 2000, forget: true };
        let stop = self.step_on(on.clone(), stop, Undo::Reverse);
        self.cycle(&stop).await;
        for (id, name, engine) in [(on.clone(), old, Some(engine.clone())), (next, new, there.map(|one| one.engine))] {
            let act = Act::Remove { name: name.into(), engine, data: false };
            let step = self.step_on(id, act, gone());
            self.cycle(&step).await;
        }
        self.clear().await;
    }

    /// What a container stood on goes; then nothing is left.
    async fn clear(&mut self) {
        let gone = || Undo::Irreversible("it is gone".into());
        let seen = self.seen().await;
        for one in &seen.networks {
            let act = Act::Remove { name: one.name.clone(), engine: Some(one.engine.clone()), data: false };
            let step = self.step(Kind::Network, "default", act, gone());
            self.cycle(&step).await;
        }
        for one in &seen.volumes {
            let act = Act::Remove { name: one.name.clone(), engine: None, data: true };
            let step = self.step(Kind::Volume, "data", act, gone());
            self.cycle(&step).await;
        }
        let keys: Vec<ResourceKey> =
            self.desired.resources.keys().filter(|key| key.kind == Kind::Config).cloned().collect();
        for key in keys {
            let act = Act::Remove { name: self.file(&key), engine: None, data: false };
            let step = self.step(Kind::Config, &key.key, act, gone());
            self.cycle(&step).await;
        }
        let seen = self.seen().await;
        let left = (seen.containers.len(), seen.networks.len(), seen.volumes.len(), seen.routes.len());
        self.findings
            .check(left == (0, 0, 0, 0), format!("the end: containers, networks, volumes, routes left: {left:?}"));
    }

    /// Names of others, and acts that must fail: nothing is taken, and undoing what failed succeeds.
    async fn strangers(&mut self) {
        self.ground().await;
        let (_, [_, _, third]) = self.lab.subnet();
        let name = format!("{}_{}_web_1_g9", self.desired.instance.fleet, self.desired.instance.instance);
        let on = self.desired.instance.resource(ResourceKey::new(Kind::Service, "web")).container(1, 9);
        let step = self.step_on(on.clone(), Act::Create(self.placement(&name, third)), Undo::Reverse);
        self.lab.foreign(&name, true).await;
        let result = self.lab.driver().perform(&self.job(&step)).await;
        self.findings
            .check(matches!(result, Err(Error::Taken { .. })), format!("create under a stranger's name: {result:?}"));
        self.undo(&step, None, "undo what failed").await;
        let again = self.lab.driver().perform(&self.job(&step)).await;
        self.findings.check(again.is_err(), "undoing what failed removed a stranger's container");
        self.lab.foreign(&name, false).await;
        self.crossed().await;
        let images = std::mem::take(&mut self.images);
        let result = self.lab.driver().perform(&self.job(&step)).await;
        self.findings.check(result.is_err(), "create without its image: it was made");
        self.undo(&step, None, "undo what failed").await;
        self.images = images;
        let seen = self.seen().await;
        self.findings.check(seen.containers.is_empty(), "a failed create left something behind");
        self.clear().await;
    }

    /// A subnet that another network has: it is told apart, because another plan mends it.
    async fn crossed(&mut self) {
        let name: Arc<str> = format!("{}_second", self.name(Kind::Network, "default")).into();
        let act = Act::EnsureNetwork { name, subnet: Some(self.lab.subnet().0) };
        let step = self.step(Kind::Network, "default", act, Undo::Reverse);
        let result = self.lab.driver().perform(&self.job(&step)).await;
        self.findings
            .check(matches!(result, Err(Error::Crossed { .. })), format!("a network in another's subnet: {result:?}"));
        self.undo(&step, None, "undo what failed").await;
    }

    async fn life_of_a_job(&mut self, program: Program) {
        self.ground().await;
        let (_, [first, ..]) = self.lab.subnet();
        let name = format!("{}_{}_web_1_g1", self.desired.instance.fleet, self.desired.instance.instance);
        let Some((on, engine)) = self.create(&name, first, 1).await else { return };
        let run = Act::Run { name: name.as_str().into(), deadline_ms: 60_000 };
        let run = self.step_on(on.clone(), run, Undo::Irreversible("it ran".into()));
        if program == Program::Ends(0) {
            self.cycle(&run).await;
        } else {
            for round in ["", " again"] {
                let result = self.lab.driver().perform(&self.job(&run)).await;
                let told = matches!(&result, Err(Error::Gate { evidence, .. }) if evidence.ended.is_some());
                self.findings.check(told, format!("run of what fails{round}: {result:?}"));
            }
            let gate = PlannedGate::Alive { for_ms: 500 };
            let gate = self.step_on(on.clone(), Act::Gate { name: name.as_str().into(), gate }, Undo::Nothing);
            let result = self.lab.driver().perform(&self.job(&gate)).await;
            self.findings
                .check(matches!(result, Err(Error::Gate { .. })), format!("gate of what has ended: {result:?}"));
        }
        let act = Act::Remove { name: name.as_str().into(), engine: Some(engine), data: false };
        let remove = self.step_on(on, act, Undo::Irreversible("it is gone".into()));
        self.cycle(&remove).await;
        self.clear().await;
    }
}

/// The content of a config, for labs that render by hand.
pub fn content(text: &str) -> Content {
    Content::Bytes { hash: Hash::of(text), bytes: text.as_bytes().into() }
}
