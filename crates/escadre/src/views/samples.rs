//! Hand-made plans, wishes and observations for the tests of painters.
//!
//! In: nothing. Out: small worlds. **Invariant**: the same every time.
//! Not here: what is expected of them. Tests: it is for tests.

use escadre_model::desired::*;
use escadre_model::hash::{Hash, KeyedHash};
use escadre_model::ids::{InstanceId, Kind, ResourceKey};
use escadre_model::name::Name;
use escadre_model::observed::*;
use escadre_model::source::Source;
use escadre_plan::change::{Action, Change, Gap, Reason};
use escadre_plan::plan::{Consent, Group, InstancePlan, Note, Plan, Refusal, SCHEMA};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const TREES: &[&str] = &[
    "acacia", "alder", "ash", "aspen", "baobab", "beech", "birch", "box", "cedar", "cherry", "chestnut", "cypress",
    "elder", "elm", "fig", "fir", "ginkgo", "hazel", "holly", "hornbeam", "juniper", "laurel", "lime", "maple",
    "medlar", "mulberry", "myrtle", "oak", "olive", "pear", "pine", "plane", "plum", "poplar", "rowan", "spruce",
    "walnut", "willow", "yew",
];

pub(crate) fn id(instance: &str) -> InstanceId {
    InstanceId::new(Name::new("desk").unwrap(), Name::new(instance).unwrap())
}

pub(crate) fn change(action: Action, kind: Kind, key: &str) -> Change {
    Change {
        on: ResourceKey::new(kind, key),
        action,
        reasons: vec![],
        restarts: 0,
        gate: None,
        gap: None,
        follows: Vec::new(),
        adopts: Vec::new(),
        proves: false,
        detail: None,
    }
}

fn service(action: Action, key: &str, image: &str, gate: &str) -> Change {
    Change { detail: Some(image.into()), gate: Some(gate.into()), ..change(action, Kind::Service, key) }
}

pub(crate) fn source(file: &str, line: u32) -> Option<Source> {
    Some(Source { file: file.into(), line })
}

fn changed(path: &str, old: &str, new: &str, from: Option<Source>) -> Reason {
    let plain = |text: &str| Some(Shown::Plain(text.into()));
    Reason::Changed { path: path.into(), old: plain(old), new: plain(new), unknown: false, source: from, raw: None }
}

fn instance(name: &str, consent: Consent, changes: Vec<Change>) -> InstancePlan {
    let hash = Hash::of(name);
    InstancePlan {
        instance: id(name),
        desired: hash.clone(),
        precondition: hash,
        seen: vec![],
        changes,
        steps: vec![],
        consent,
        refused: None,
        group: None,
        state: State::Running,
        back: None,
    }
}

pub(crate) fn plan(instances: Vec<InstancePlan>) -> Plan {
    Plan {
        schema: SCHEMA.into(),
        id: "7c41e9".into(),
        fleet: "desk".into(),
        commit: "5d0e1b2c00".into(),
        dirty: None,
        target: "host-1".into(),
        waves: vec![instances.iter().map(|i| i.instance.clone()).collect()],
        instances,
        groups: vec![],
        outliers: vec![],
        notes: vec![],
    }
}

/// The first `up` of a plain Compose file.
pub(crate) fn first_up() -> Plan {
    let api = "registry.example.org/desk/api:4.2.0";
    let mut changes = vec![
        Change { detail: Some("desk_default".into()), ..change(Action::Create, Kind::Network, "default") },
        Change { detail: Some("desk_pgdata".into()), ..change(Action::Create, Kind::Volume, "pgdata") },
        Change { detail: Some("desk_uploads".into()), ..change(Action::Create, Kind::Volume, "uploads") },
        service(Action::Create, "db", "postgres:16.4", "healthcheck"),
        service(Action::Create, "cache", "redis:7.4", "port 6379 open"),
        service(Action::Run, "migrate", api, "exit code 0"),
        service(Action::Create, "api", api, "healthcheck"),
        service(Action::Create, "worker", api, "alive for 10 s"),
    ];
    changes[5].action = Action::Create;
    Plan { commit: "".into(), ..plan(vec![instance("desk", Consent::Additive, changes)]) }
}

/// The second: one image changed, stop-first.
pub(crate) fn second_up() -> Plan {
    let repository = "registry.example.org/desk/web";
    let mut web = service(Action::Replace, "web", "registry.example.org/desk/web:4.2.1", "healthcheck");
    web.reasons = vec![changed(
        "image",
        &format!("{repository}:4.2.0"),
        &format!("{repository}:4.2.1"),
        source("compose.yaml", 28),
    )];
    web.gap = Some(Gap { why: "it writes to the volume uploads".into(), expected_ms: Some(2_400) });
    web.restarts = 1;
    let keep = ["db", "cache", "api"].map(|key| change(Action::Keep, Kind::Service, key));
    plan(vec![instance("desk", Consent::Gap, std::iter::once(web).chain(keep).collect())])
}

/// Nothing changes.
pub(crate) fn nothing() -> Plan {
    plan(vec![instance("desk", Consent::Nothing, vec![change(Action::Keep, Kind::Service, "web")])])
}

fn web_update() -> Change {
    let mut web = service(Action::Update, "web", "registry.example.org/desk/web:4.2.1", "healthcheck");
    web.restarts = 1;
    let (old, new) = ("registry.example.org/desk/web:4.2.0", "registry.example.org/desk/web:4.2.1");
    web.reasons = vec![changed("image", old, new, source("products/desk/compose.yaml", 28))];
    web
}

/// 40 instances change, one of them in its own way, two are kept.
pub(crate) fn fleet() -> Plan {
    let mut instances: Vec<InstancePlan> =
        TREES.iter().map(|name| instance(name, Consent::Additive, vec![web_update()])).collect();
    let mut odd = web_update();
    odd.reasons.push(changed(
        "mounts./etc/desk/desk.toml",
        "2f00",
        "91c2",
        source("instances/larch/files/desk.toml", 12),
    ));
    instances.push(instance("larch", Consent::Additive, vec![odd]));
    instances.push(instance("pre", Consent::Nothing, vec![change(Action::Keep, Kind::Service, "web")]));
    instances.push(instance("int", Consent::Nothing, vec![change(Action::Keep, Kind::Service, "web")]));
    instances.sort_by(|a, b| a.instance.cmp(&b.instance));
    let class = Hash::of("class");
    let group =
        Group { key: "A".into(), changes: vec![web_update()], instances: TREES.iter().map(|n| id(n)).collect(), class };
    Plan { groups: vec![group], outliers: vec![id("larch")], ..plan(instances) }
}

/// Deletions, refusals, secrets, notes.
pub(crate) fn troubled() -> Plan {
    let gone = change(Action::Delete, Kind::Volume, "data");
    let mut db = change(Action::Replace, Kind::Service, "db");
    db.reasons = vec![
        Reason::SecretChanged { name: "db_password".into(), source: source("instances/oak.secrets.yaml", 3) },
        Reason::Changed {
            path: "environment.URL".into(),
            old: None,
            new: Some(Shown::Plain("https://oak.example".into())),
            unknown: true,
            source: source("products/desk/compose.yaml", 9),
            raw: Some("https://${DOMAIN}".into()),
        },
    ];
    db.gap = Some(Gap { why: "it writes to the volume data".into(), expected_ms: None });
    db.restarts = 1;
    let mut held = instance("larch", Consent::Nothing, vec![change(Action::Held, Kind::Service, "web")]);
    held.refused = Some(Refusal::Held { by: HeldBy::Hand, because: "audit".into() });
    let two =
        vec![instance("elm", Consent::Deletion, vec![gone]), held, instance("oak", Consent::Gap, vec![db.clone()])];
    let group =
        Group { key: "A".into(), changes: vec![db], instances: vec![id("oak"), id("pine")], class: Hash::of("b") };
    let note = Note {
        code: "W0301".into(),
        instance: Some(id("teak")),
        text: "its file is gone and it says nowhere that it shall be removed: it is kept".into(),
        source: None,
        hint: Some("to remove it: write state: removed into instances/teak.yaml".into()),
    };
    Plan { groups: vec![group], outliers: vec![id("elm")], notes: vec![note], dirty: Some(Hash::of("d")), ..plan(two) }
}

/// What an instance wants: web and db.
pub(crate) fn desired(name: &str, seats: &str) -> Desired {
    let field =
        |path: &str, value: Shown, from: Option<Source>| Field { path: path.into(), value, source: from, raw: None };
    let plain = |text: &str| Shown::Plain(text.into());
    let service = |image: &str, manner: Manner, fields: Vec<Field>| {
        let spec = Hash::of(format!("{image}{seats}"));
        let body = Body::Service(Arc::new(Service {
            image: image.into(),
            replicas: 1,
            job: false,
            after: vec![],
            gate: Gate::Unstated { disabled: false, ports: vec![80], times: None },
            manner,
            networks: vec![],
            network_mode: NetworkMode::Own,
            shares: std::collections::BTreeMap::new(),
            volumes: BTreeMap::new(),
            files: vec![],
            extra_hosts: vec![],
            stop_grace_ms: 10_000,
            engine_ports: vec![],
            on_failure: OnFailure::GoBack,
            rollout: escadre_model::desired::Rollout::default(),
        }));
        Resource::new(spec, fields, &serde_json::Value::Null, body)
    };
    let host = format!("help.{name}.example");
    let web = service(
        "desk/web:4.2.1",
        Manner::Beside,
        vec![
            field("environment.DOMAIN", plain(&host), source(&format!("instances/{name}.yaml"), 6)),
            field(
                "environment.PASSWORD",
                Shown::Secret(KeyedHash::of(&key(), name, &secret())),
                source("fleet.secrets.yaml", 3),
            ),
            field("environment.SEATS", plain(seats), source("products/desk/product.yaml", 9)),
            field("image", plain("desk/web:4.2.1"), source("products/desk/compose.yaml", 28)),
        ],
    );
    let db = service(
        "postgres:16.4",
        Manner::StopFirst("it writes to the volume data".into()),
        vec![field("image", plain("postgres:16.4"), source("products/desk/compose.yaml", 4))],
    );
    let route = HttpRoute {
        service: "web".into(),
        port: 80,
        hosts: vec![host.as_str().into()],
        redirect: vec![],
        path: "/".into(),
        body_limit: None,
        timeout_ms: None,
        tls: None,
        source: None,
    };
    let key = |name: &str| ResourceKey::new(Kind::Service, name);
    Desired {
        instance: id(name),
        origin: "6f1c9a2e".into(),
        release: "tree".into(),
        state: State::Running,
        environment: "production".into(),
        labels: BTreeMap::from([("country".into(), "fr".into())]),
        resources: BTreeMap::from([(key("web"), web), (key("db"), db)]),
        routes: BTreeMap::from([("portal".into(), Route::Http(route))]),
        secrets: BTreeMap::new(),
        adopts: None,
    }
}

fn key() -> escadre_model::secret::HashKey {
    escadre_model::secret::HashKey::new([7; 32])
}

fn secret() -> escadre_model::secret::Secret {
    escadre_model::secret::Secret::new(b"canary".to_vec())
}

/// A container of an instance.
pub(crate) fn container(name: &str, service: &str, phase: Phase, health: Health) -> ContainerSeen {
    let resource = id(name).resource(ResourceKey::new(Kind::Service, service)).container(1, 3);
    ContainerSeen {
        id: resource,
        engine: EngineId(format!("{name}{service}0123456789abcdef").into()),
        name: format!("desk_{name}_{service}_1_g3").into(),
        spec: None,
        fields: None,
        image: "sha256:91c2f04be7d1aa00".into(),
        phase,
        health,
        restarts: 0,
        started: "2026-11-20T13:08:46Z".into(),
        addresses: BTreeMap::from([("default".into(), "10.210.0.3".parse().unwrap())]),
        published: Vec::new(),
        volumes: BTreeMap::new(),
        known: true,
        compose: None,
    }
}

/// The end of an apply.
pub(crate) fn receipt(seq: u64, name: &str, seats: &str, at: &str, outcome: Outcome) -> Receipt {
    Receipt {
        seq,
        plan: format!("51aa{seq:02}").into(),
        commit: "5d0e1b2c00".into(),
        dirty: None,
        at: at.into(),
        by: "ops@example.org".into(),
        back: None,
        because: None,
        last_line: None,
        outcome,
        desired: Arc::new(desired(name, seats)),
        images: BTreeMap::new(),
        fields: BTreeMap::new(),
    }
}

/// larch on hold, oak drifted and unhealthy, yew not there; birch well.
pub(crate) fn observed() -> Observed {
    let up = |name: &str, health: Health| InstanceSeen {
        origin: Some("6f1c9a2e".into()),
        containers: vec![
            container(name, "web", Phase::Running, health),
            container(name, "db", Phase::Running, Health::None),
        ],
        record: Record {
            receipts: vec![receipt(4, name, "50", "2026-11-13T08:20:41Z", Outcome::Healthy)],
            ..Record::default()
        },
        ..InstanceSeen::default()
    };
    let mut larch = up("larch", Health::Healthy);
    let failed = receipt(9, "larch", "60", "2026-11-20T13:08:46Z", Outcome::WentBack);
    // Against what the files ask for: it stands.
    let against = Some(desired("larch", "50").hash());
    larch.record.receipts.insert(0, failed);
    larch.record.hold =
        Some(Hold { against, by: HeldBy::WentBack, because: "7c41e9".into(), at: "2026-11-20T13:08:46Z".into() });
    let all = Complete { containers: true, networks: true, volumes: true, images: true, record: true };
    Observed {
        instances: BTreeMap::from([
            (id("birch"), up("birch", Health::Healthy)),
            (id("larch"), larch),
            (id("oak"), up("oak", Health::Unhealthy)),
        ]),
        complete: all,
        host: HostSeen { engine: "podman 4.3.1".into(), ..HostSeen::default() },
    }
}

/// The plan for [`observed`]: oak drifted, yew is to be created.
pub(crate) fn drifted() -> Plan {
    let mut oak = change(Action::Replace, Kind::Service, "web");
    oak.reasons = vec![Reason::Drift { what: "memory 512 MiB -> 1 GiB".into() }];
    let mut larch = instance("larch", Consent::Nothing, vec![change(Action::Held, Kind::Service, "web")]);
    larch.refused = Some(Refusal::Held { by: HeldBy::WentBack, because: "7c41e9".into() });
    plan(vec![
        instance("birch", Consent::Nothing, vec![change(Action::Keep, Kind::Service, "web")]),
        larch,
        instance("oak", Consent::Gap, vec![oak]),
        instance("yew", Consent::Additive, vec![change(Action::Create, Kind::Service, "web")]),
    ])
}

/// An edge that runs, with nothing to tell.
pub(crate) fn edge() -> escadre_edge::control::Status {
    escadre_edge::control::Status {
        worker: 1,
        pid: 7,
        version: Some(escadre_edge::Version::ours()),
        holder: None,
        generation: 3,
        problem: None,
        connections: 0,
        listeners: Vec::new(),
        routes: Vec::new(),
        backends: Vec::new(),
        certificates: Vec::new(),
    }
}
