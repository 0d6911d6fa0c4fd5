//! Builders of instances, and a little world that performs steps as an engine would, and complains where an engine would.

use escadre_model::desired::*;
use escadre_model::hash::{Hash, KeyedHash};
use escadre_model::ids::{InstanceId, Kind, ResourceId, ResourceKey};
use escadre_model::name::Name;
use escadre_model::observed::*;
use escadre_model::secret::{HashKey, Secret};
use escadre_model::source::Source;
use escadre_plan::make::{Abilities, Input, Options, TargetFacts, make};
use escadre_plan::plan::{InstancePlan, Plan};
use escadre_plan::step::Act;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) fn id(fleet: &str, instance: &str) -> InstanceId {
    InstanceId::new(Name::project(fleet).unwrap(), Name::project(instance).unwrap())
}

pub(crate) fn key(kind: Kind, key: &str) -> ResourceKey {
    ResourceKey::new(kind, key)
}

pub(crate) fn field(path: &str, value: &str, file: &str, line: u32) -> Field {
    Field {
        path: path.into(),
        value: Shown::Plain(value.into()),
        source: Some(Source { file: file.into(), line }),
        raw: None,
    }
}

pub(crate) fn keyed(value: &str) -> KeyedHash {
    KeyedHash::of(&HashKey::new([7; 32]), "test", &Secret::new(value.as_bytes().to_vec()))
}

/// An instance with one network and no service.
pub(crate) fn instance(fleet: &str, name: &str) -> Desired {
    let mut desired = Desired {
        instance: id(fleet, name),
        origin: "origin-1".into(),
        release: "tree".into(),
        state: State::Running,
        environment: "".into(),
        labels: BTreeMap::new(),
        resources: BTreeMap::new(),
        routes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        adopts: None,
    };
    network(&mut desired, "default", None);
    desired
}

pub(crate) fn put(desired: &mut Desired, kind: Kind, name: &str, fields: Vec<Field>, body: Body) {
    let mut fields = fields;
    fields.sort_by(|a, b| a.path.cmp(&b.path));
    let spec = Hash::of_json(&(kind, name, &fields));
    let words = serde_json::json!({ "name": name });
    desired.resources.insert(key(kind, name), Resource::new(spec, fields, &words, body));
}

pub(crate) fn network(desired: &mut Desired, name: &str, subnet: Option<&str>) {
    let on_engine = format!("{}_{}_{name}", desired.instance.fleet, desired.instance.instance);
    let body = Body::Network(Network { name: on_engine.into(), external: false, subnet: subnet.map(Into::into) });
    put(desired, Kind::Network, name, vec![field("subnet", subnet.unwrap_or("planned"), "compose.yaml", 1)], body);
}

pub(crate) fn volume(desired: &mut Desired, name: &str) {
    let on_engine = format!("{}_{}_{name}", desired.instance.fleet, desired.instance.instance);
    let body = Body::Volume(Volume { name: on_engine.into(), external: false, named: false });
    put(desired, Kind::Volume, name, Vec::new(), body);
}

pub(crate) fn secret(desired: &mut Desired, name: &str, value: Option<&str>) {
    let hash = value.map(keyed);
    let shown = hash.clone().map_or(Shown::Unknown, Shown::Secret);
    let mut one = field("content", "", "instances/x.secrets.yaml", 3);
    one.value = shown;
    let content = Content::Secret { name: name.into(), hash };
    put(desired, Kind::Secret, name, vec![one], Body::File(File { content, mode: 0o444, uid: None, gid: None }));
}

pub(crate) fn config(desired: &mut Desired, name: &str, text: &str) {
    let hash = Hash::of(text);
    let fields = vec![field("content", hash.short(), name, 1)];
    let content = Content::Bytes { hash, bytes: text.as_bytes().into() };
    put(desired, Kind::Config, name, fields, Body::File(File { content, mode: 0o444, uid: None, gid: None }));
}

/// A service under construction.
pub(crate) struct Make {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) service: Service,
}

pub(crate) fn service(name: &str, image: &str) -> Make {
    Make {
        name: name.into(),
        fields: vec![field("image", image, "compose.yaml", 28)],
        service: Service {
            image: image.into(),
            replicas: 1,
            job: false,
            after: Vec::new(),
            gate: Gate::Unstated { disabled: false, ports: vec![80], times: None },
            manner: Manner::Beside,
            networks: vec![Attachment { network: "default".into(), names: vec![name.into()], address: None }],
            network_mode: NetworkMode::Own,
            shares: std::collections::BTreeMap::new(),
            volumes: BTreeMap::new(),
            files: Vec::new(),
            extra_hosts: Vec::new(),
            stop_grace_ms: 10_000,
            engine_ports: Vec::new(),
            on_failure: OnFailure::GoBack,
            rollout: Rollout::default(),
        },
    }
}

impl Make {
    pub(crate) fn with(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }
    pub(crate) fn after(mut self, service: &str, condition: Condition, restart: bool) -> Self {
        self.service.after.push(After { service: service.into(), condition, required: true, restart });
        self
    }
    pub(crate) fn edit(mut self, edit: impl FnOnce(&mut Service)) -> Self {
        edit(&mut self.service);
        self
    }
    pub(crate) fn job(self) -> Self {
        self.edit(|service| {
            service.job = true;
            service.gate = Gate::ExitZero;
        })
    }
    pub(crate) fn into(self, desired: &mut Desired) {
        let image =
            Image { reference: self.service.image.clone(), pull: PullPolicy::Missing, build: None, platform: None };
        put(desired, Kind::Image, &image.reference.clone(), Vec::new(), Body::Image(image));
        put(desired, Kind::Service, &self.name, self.fields, Body::Service(Arc::new(self.service)));
    }
}

pub(crate) fn http(desired: &mut Desired, name: &str, service: &str, host: &str) {
    let route = HttpRoute {
        service: service.into(),
        port: 80,
        hosts: vec![host.into()],
        redirect: Vec::new(),
        path: "/".into(),
        body_limit: None,
        timeout_ms: None,
        tls: None,
        source: None,
    };
    desired.routes.insert(name.into(), Route::Http(route));
}

/// The certificates of an endpoint.
pub(crate) fn over_tls(desired: &mut Desired, name: &str, from: CertificateSource) {
    if let Some(Route::Http(http)) = desired.routes.get_mut(name) {
        http.tls = Some(Https { from, plain: None, hsts_s: None });
    }
}

/// Another name of an endpoint.
pub(crate) fn redirect(desired: &mut Desired, name: &str, host: &str) {
    if let Some(Route::Http(http)) = desired.routes.get_mut(name) {
        http.redirect.push(host.into());
    }
}

pub(crate) fn tcp(desired: &mut Desired, name: &str, service: &str, published: u16) {
    let route =
        TcpRoute { service: service.into(), port: 80, host: "".into(), published, proxy_protocol: None, source: None };
    desired.routes.insert(name.into(), Route::Tcp(route));
}

/// The product of most tests: db, migrate, api, web.
pub(crate) fn desk(name: &str, tag: &str) -> Desired {
    let mut desired = instance("desk", name);
    volume(&mut desired, "pgdata");
    secret(&mut desired, "password", Some("hunter2"));
    config(&mut desired, "desk.toml", "timeout = 30");
    service("db", "postgres:16")
        .edit(|db| {
            db.volumes.insert("pgdata".into(), true);
            db.files.push(key(Kind::Secret, "password"));
            db.manner = Manner::StopFirst("it writes to a volume".into());
            db.gate = Gate::Unstated { disabled: false, ports: vec![5432], times: None };
        })
        .into(&mut desired);
    let api = format!("desk/api:{tag}");
    service("migrate", &api).job().after("db", Condition::Healthy, false).into(&mut desired);
    service("api", &api)
        .after("db", Condition::Healthy, false)
        .after("migrate", Condition::Completed, false)
        .into(&mut desired);
    service("web", "desk/web:1")
        .after("api", Condition::Started, false)
        .edit(|web| web.files.push(key(Kind::Config, "desk.toml")))
        .into(&mut desired);
    http(&mut desired, "portal", "web", &format!("{name}.example.org"));
    desired
}

/// (Container, network) → names.
type Names = BTreeMap<(Arc<str>, Arc<str>), Vec<Arc<str>>>;

/// What is on the target.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) observed: Observed,
    pub(crate) options: Options,
    pub(crate) target: TargetFacts,
    pub(crate) abilities: Abilities,
    pub(crate) listed: bool,
    files: BTreeSet<(InstanceId, Arc<str>)>,
    /// (Container, network) → the service's names it has there.
    pub(crate) names: Names,
    /// What a `Follow` of that service finds; nothing: what it says where nothing can be seen.
    pub(crate) follows: BTreeMap<&'static str, bool>,
    next: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let complete = Complete { containers: true, networks: true, volumes: true, images: true, record: true };
        Self {
            observed: Observed { complete, ..Observed::default() },
            options: Options::default(),
            target: TargetFacts::default(),
            abilities: Abilities::default(),
            listed: true,
            files: BTreeSet::new(),
            names: BTreeMap::new(),
            follows: BTreeMap::new(),
            next: 0,
        }
    }

    pub(crate) fn seen(&mut self, name: &str) -> &mut InstanceSeen {
        self.observed.instances.entry(id("desk", name)).or_default()
    }

    pub(crate) fn container(&mut self, instance: &str, service: &str) -> &mut ContainerSeen {
        let mut mine = self.seen(instance).containers.iter_mut().filter(|one| one.id.resource.key.as_ref() == service);
        mine.next().unwrap()
    }

    pub(crate) fn input<'a>(&'a self, desired: &'a [Desired]) -> Input<'a> {
        Input {
            fleet: "desk".into(),
            commit: "5d0e1b2".into(),
            dirty: None,
            desired,
            listed: self.listed,
            observed: &self.observed,
            target: self.target.clone(),
            abilities: self.abilities,
            options: self.options.clone(),
            registry: BTreeMap::new(),
        }
    }

    /// A plan, without any checks.
    pub(crate) fn plan_once(&self, desired: &[Desired]) -> Plan {
        make(&self.input(desired))
    }

    pub(crate) fn plan(&self, desired: &[Desired]) -> Plan {
        let plan = self.plan_once(desired);
        let mut backwards: Vec<Desired> = desired.to_vec();
        backwards.reverse();
        assert_eq!(plan, self.plan_once(&backwards), "a plan depends on its input's order");
        check(&plan);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "JSON there and back");
        plan
    }

    fn id(&mut self) -> EngineId {
        self.next += 1;
        EngineId(format!("e{}", self.next).into())
    }

    /// Plans and applies once.
    pub(crate) fn up(&mut self, desired: &[Desired]) -> Plan {
        let plan = self.plan(desired);
        self.apply(&plan, desired);
        plan
    }

    pub(crate) fn apply(&mut self, plan: &Plan, desired: &[Desired]) {
        for one in plan.instances.iter().filter(|one| one.goes_ahead()) {
            let wanted = desired.iter().find(|it| it.instance == one.instance).cloned();
            let wanted = wanted
                .unwrap_or_else(|| self.observed.instances[&one.instance].record.receipts[0].desired.as_ref().clone());
            self.apply_one(plan, one, &wanted);
        }
    }

    fn apply_one(&mut self, plan: &Plan, one: &InstancePlan, wanted: &Desired) {
        let mut seen = self.observed.instances.remove(&one.instance).unwrap_or_default();
        seen.origin = Some(wanted.origin.clone());
        let mut yes = BTreeSet::new();
        for step in &one.steps {
            assert!(step.on.instance == one.instance, "a step names a foreign resource: {}", step.on);
            if !step.when.is_empty() && !step.when.iter().any(|index| yes.contains(index)) {
                continue;
            }
            if let Act::Follow(watch) = &step.act {
                for name in watch.callers.iter().chain(watch.successions.iter().map(|one| &one.former)) {
                    let there = seen.containers.iter().find(|one| one.name == *name).expect("it is watched");
                    assert_eq!(there.phase, Phase::Running, "{name} is watched");
                }
                let follows = self.follows.get(step.on.resource.key.as_ref()).copied().unwrap_or(watch.unseen);
                yes.extend(follows.then_some(step.index));
                let image = seen.containers.iter().find(|one| one.name == watch.callers[0]).unwrap().image.clone();
                let lookup = if follows { Lookup::Once } else { Lookup::Again };
                seen.record.calls.insert(step.on.resource.key.clone(), CallsSeen { image, lookup });
            }
            self.perform(&mut seen, &step.on, &step.act, step.payload.as_ref());
        }
        let mut adopted = Vec::new();
        for change in &one.changes {
            match (change.action, change.on.kind) {
                (escadre_plan::change::Action::Adopt, Kind::Service) => adopted.push(change.on.clone()),
                (escadre_plan::change::Action::Adopt, _) => {
                    seen.record.retained.remove(&change.on.key);
                }
                (escadre_plan::change::Action::Retain, _) => {
                    seen.record.retained.insert(change.on.key.clone(), change.detail.clone().unwrap());
                }
                _ => {}
            }
        }
        for container in &mut seen.containers {
            if adopted.contains(&container.id.resource) {
                container.known = true;
                seen.record.owned.insert(container.engine.clone(), container.id.clone());
            }
        }
        let stopped = self.options.down || wanted.state != State::Running;
        let receipt = Receipt {
            seq: self.next,
            plan: plan.id.clone(),
            commit: "".into(),
            dirty: None,
            at: "".into(),
            by: "".into(),
            because: None,
            last_line: None,
            back: None,
            outcome: if stopped { Outcome::Stopped } else { Outcome::Healthy },
            desired: Arc::new(wanted.clone()),
            images: BTreeMap::new(),
            fields: seen.containers.iter().filter_map(|it| Some((it.engine.clone(), it.fields.clone()?))).collect(),
        };
        seen.record.receipts.insert(0, receipt);
        self.observed.instances.insert(one.instance.clone(), seen);
    }

    fn perform(&mut self, seen: &mut InstanceSeen, on: &ResourceId, act: &Act, payload: Option<&Hash>) {
        let host = &mut self.observed.host;
        let find = |seen: &mut InstanceSeen, name: &str| {
            seen.containers
                .iter()
                .position(|one| one.name.as_ref() == name)
                .unwrap_or_else(|| panic!("no container {name}"))
        };
        match act {
            Act::EnsureImage { reference, .. } => {
                let image = ImageSeen {
                    id: format!("sha256:{}", Hash::of(reference.as_bytes())).into(),
                    digests: Vec::new(),
                    ports: vec![80],
                    health: None,
                    size: 1,
                    build: None,
                };
                host.images.entry(reference.clone()).or_insert(image);
            }
            Act::EnsureNetwork { name, subnet } => {
                let subnet = subnet.clone().expect("a planned subnet");
                let parse = |text: &str| escadre_plan::address::Subnet::parse(text).unwrap();
                assert!(
                    !host.subnets.iter().any(|one| parse(one).overlaps(parse(&subnet))),
                    "subnet {subnet} overlaps"
                );
                assert!(!seen.networks.iter().any(|one| one.name == *name), "network {name} exists");
                host.subnets.push(subnet.clone());
                let engine = self.id();
                seen.record.owned.insert(engine.clone(), on.clone());
                let network = NetworkSeen {
                    key: on.resource.clone(),
                    engine,
                    name: name.clone(),
                    spec: payload.cloned(),
                    subnets: vec![subnet],
                    compose: false,
                };
                seen.networks.push(network);
            }
            Act::EnsureVolume { name, .. } => {
                let volume = VolumeSeen { key: on.resource.clone(), name: name.clone(), spec: payload.cloned() };
                seen.record.owned.insert(EngineId(name.clone()), on.clone());
                seen.volumes.push(volume);
            }
            Act::EnsureFile { file } => {
                self.files.insert((on.instance.clone(), file.clone()));
            }
            Act::Create(place) => {
                let image = host.images.get(&place.image).expect("the image is here").id.clone();
                assert!(!seen.containers.iter().any(|one| one.name == place.name), "name {} is taken", place.name);
                for (_, file) in &place.files {
                    assert!(self.files.contains(&(on.instance.clone(), file.clone())), "no file {file}");
                }
                for volume in place.volumes.values() {
                    assert!(seen.volumes.iter().any(|one| one.name == *volume), "no volume {volume}");
                }
                let mut addresses = BTreeMap::new();
                for net in &place.networks {
                    assert!(seen.networks.iter().any(|one| one.name == net.name), "no network {}", net.name);
                    addresses.extend(net.address.map(|address| (net.name.clone(), address)));
                    self.names.insert((place.name.clone(), net.name.clone()), net.aliases.clone());
                }
                let engine = self.id();
                seen.record.owned.insert(engine.clone(), on.clone());
                seen.containers.push(ContainerSeen {
                    id: on.clone(),
                    fields: Some(Hash::of("as made")),
                    engine,
                    name: place.name.clone(),
                    spec: payload.cloned(),
                    image,
                    phase: Phase::Created,
                    health: Health::None,
                    restarts: 0,
                    started: "".into(),
                    addresses,
                    published: place.engine_ports.clone(),
                    volumes: place.volumes.clone(),
                    known: true,
                    compose: None,
                });
            }
            Act::Start { name } => {
                let at = find(seen, name);
                for (net, address) in &seen.containers[at].addresses {
                    let taken = seen.containers.iter().find(|one| {
                        one.name != *name && one.phase == Phase::Running && one.addresses.get(net) == Some(address)
                    });
                    assert!(taken.is_none(), "{name} starts at {address}, which {taken:?} has");
                }
                seen.containers[at].phase = Phase::Running;
            }
            Act::Run { name, .. } => {
                let at = find(seen, name);
                let one = &mut seen.containers[at];
                one.phase = Phase::Exited(0);
                let evidence = JobEvidence { spec: one.spec.clone().unwrap(), image: one.image.clone() };
                seen.record.jobs.entry(on.resource.key.clone()).or_default().push(evidence);
            }
            Act::Gate { name, .. } => {
                let at = find(seen, name);
                assert_eq!(seen.containers[at].phase, Phase::Running, "a gate of {name}, which does not run");
            }
            Act::Attach { .. } | Act::Follow(_) => {}
            Act::Drain { name, .. } => {
                let at = find(seen, name);
                assert_eq!(seen.containers[at].phase, Phase::Running, "{name} is drained");
            }
            Act::Join { name, networks } => {
                let at = find(seen, name);
                for one in networks {
                    assert_eq!(seen.containers[at].addresses.get(&one.name).copied(), one.address, "its address stays");
                }
                for one in networks {
                    self.names.insert((name.clone(), one.name.clone()), one.aliases.clone());
                }
            }
            Act::Switch { routes } => {
                for (key, target) in routes {
                    let route =
                        RouteSeen { spec: target.spec.clone(), backends: target.backends.clone(), parked: false };
                    seen.routes.insert(key.clone(), route);
                }
            }
            Act::Park { routes } => {
                for key in routes {
                    if let Some(route) = seen.routes.get_mut(key) {
                        route.parked = true;
                    }
                }
            }
            Act::Unroute { routes } => routes.iter().for_each(|key| drop(seen.routes.remove(key))),
            Act::Stop { name, .. } => {
                let at = find(seen, name);
                seen.containers[at].phase = Phase::Exited(143);
            }
            Act::Remove { name, engine, data } => self.remove(seen, on, name, engine.as_ref(), *data),
            Act::Apply | Act::Prune => panic!("no target here plans this"),
        }
    }

    fn remove(&mut self, seen: &mut InstanceSeen, on: &ResourceId, name: &str, engine: Option<&EngineId>, data: bool) {
        match on.resource.kind {
            Kind::Service => {
                let at = seen.containers.iter().position(|one| one.name.as_ref() == name).expect("it is there");
                let gone = seen.containers.remove(at);
                assert_eq!(Some(&gone.engine), engine);
                assert!(gone.known, "what is not on record was removed");
                assert_ne!(gone.phase, Phase::Running, "{name} runs and is removed");
                seen.record.owned.remove(&gone.engine);
            }
            Kind::Network => {
                let used = seen.containers.iter().any(|one| one.addresses.keys().any(|net| net.as_ref() == name));
                assert!(!used, "network {name} is in use");
                let at = seen.networks.iter().position(|one| one.name.as_ref() == name).expect("it is there");
                let gone = seen.networks.remove(at);
                self.observed.host.subnets.retain(|one| !gone.subnets.contains(one));
                seen.record.owned.remove(&gone.engine);
            }
            Kind::Volume => {
                assert!(data);
                seen.volumes.retain(|one| one.name.as_ref() != name);
            }
            _ => {
                self.files.remove(&(on.instance.clone(), Arc::from(name)));
            }
        }
    }
}

/// What must hold for every plan.
fn check(plan: &Plan) {
    assert_eq!(plan.id, plan.content_id());
    for one in &plan.instances {
        let mut committed = false;
        let awaited: BTreeSet<u32> = one.steps.iter().flat_map(|step| step.after.iter().copied()).collect();
        if one.steps.iter().any(|step| step.after_commit) {
            let free = one.steps.iter().find(|step| !step.after_commit && !awaited.contains(&step.index));
            assert!(free.is_none(), "nothing behind the commit waits for {free:?}");
        }
        let stops = one.steps.iter().position(|step| matches!(step.act, Act::Stop { .. }));
        for (place, step) in one.steps.iter().enumerate() {
            assert_eq!(step.index as usize, place);
            assert!(step.after.iter().all(|before| *before < step.index), "{}: {:?}", step.on, step.after);
            assert!(!committed || step.after_commit, "a step before the commit follows one behind it");
            committed |= step.after_commit;
            if let Act::Remove { .. } = step.act {
                assert!(step.after_commit, "{} is removed before the commit", step.on);
            }
            if let (Act::EnsureImage { .. }, Some(stop)) = (&step.act, stops) {
                assert!(place < stop, "an image is fetched after a stop");
            }
        }
        assert!(one.refused.is_none() || one.steps.is_empty());
    }
}

/// A plan as text: changes, then steps.
pub(crate) fn dump(plan: &Plan) -> String {
    let mut text = String::new();
    for one in &plan.instances {
        text += &format!("{} {:?}", one.instance, one.consent);
        text += &one.refused.as_ref().map_or(String::new(), |why| format!(" refused {why:?}"));
        text += "\n";
        for change in one.changes.iter().filter(|change| change.action != escadre_plan::change::Action::Keep) {
            text += &format!("  {} {}", change.action.word(), change.on);
            text += &change.gate.as_ref().map_or(String::new(), |gate| format!(" [{gate}]"));
            text += &change.gap.as_ref().map_or(String::new(), |gap| format!(" ({})", gap.why));
            for reason in &change.reasons {
                let json = serde_json::to_value(reason).unwrap();
                text += &format!(" because {}", json["reason"].as_str().unwrap());
                for part in ["path", "name", "reference", "service", "phase"] {
                    text += &json[part].as_str().map_or(String::new(), |value| format!(" {value}"));
                }
            }
            text += "\n";
        }
        for step in &one.steps {
            let json = serde_json::to_value(&step.act).unwrap();
            let mark = if step.after_commit { "‖" } else { " " };
            let mut who = step.on.resource.key.to_string();
            who += &step.on.generation.map_or(String::new(), |generation| format!("/g{generation}"));
            text +=
                &format!("  {mark} {} {} {who} after {:?}\n", step.index, json["act"].as_str().unwrap(), step.after);
        }
    }
    for note in &plan.notes {
        text += &format!("{} {}\n", note.code, note.text);
    }
    text
}

/// The acts of an instance's steps on one service, in order.
pub(crate) fn acts(plan: &Plan, service: &str) -> Vec<String> {
    let mine = plan.instances.iter().flat_map(|one| &one.steps).filter(|step| step.on.resource.key.as_ref() == service);
    mine.map(|step| serde_json::to_value(&step.act).unwrap()["act"].as_str().unwrap().to_owned()).collect()
}

/// The action on a resource.
pub(crate) fn action(plan: &Plan, kind: Kind, name: &str) -> &'static str {
    let mut all = plan.instances.iter().flat_map(|one| &one.changes).filter(|change| change.on == key(kind, name));
    all.next().map_or("none", |change| change.action.word())
}
