//! A small instance made by hand, and steps on it.

use escadre_drivers::edge::NoEdge;
use escadre_drivers::podman::{Engine, Settings, locate::Where};
use escadre_engine::ports::{Driver, Error, Job, Outcome, Secrets, Silent};
use escadre_model::desired::{
    Attachment, Body, Content, Desired, File, Gate, Image, Manner, Network, NetworkMode, OnFailure, PullPolicy,
    Resource, Service, State, Volume,
};
use escadre_model::hash::{Hash, KeyedHash};
use escadre_model::ids::{InstanceId, Kind, ResourceId, ResourceKey};
use escadre_model::name::Name;
use escadre_model::secret::{Secret, SecretRef};
use escadre_plan::step::{Act, PlacedNetwork, Placement, Step, Undo};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The image of all tests here; `scripts/images test` makes it.
pub(crate) const IMAGE: &str = "localhost/escadre-test/base:v1";
static SKIPPED: AtomicU32 = AtomicU32::new(0);
static COUNT: AtomicU32 = AtomicU32::new(0);
static BEGIN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();

pub(crate) struct One;
impl Secrets for One {
    fn reveal(&self, _: &InstanceId, name: &SecretRef, _: Option<&KeyedHash>) -> Option<Secret> {
        (name.0.as_ref() == "db_password").then(|| Secret::new(b"canary-4711".to_vec()))
    }
}

/// An engine, a state folder, and one instance with a name of its own; everything of it is removed at the end.
pub(crate) struct World {
    pub(crate) which: Which,
    pub(crate) engine: Engine,
    pub(crate) desired: Desired,
    pub(crate) images: BTreeMap<Arc<str>, Arc<str>>,
    pub(crate) state: tempfile::TempDir,
    pub(crate) subnet: String,
    number: u32,
}

/// The world, or nothing where no engine is to be used.
/// Counts a test that cannot run here: printed, and a line in the file that ESCADRE_TEST_SKIPS names.
pub(crate) fn skip(test: &str, why: &str) {
    let skipped = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    eprintln!("skipped ({skipped}): {test}: {why}");
    if let Some(path) = std::env::var_os("ESCADRE_TEST_SKIPS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("escadre-drivers {test}: {why}\n").as_bytes()).unwrap();
    }
}

pub(crate) async fn world(test: &str) -> Option<World> {
    world_on(Which::Podman, test).await
}

/// The engines that speak Docker's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Podman,
    Docker,
}

impl Which {
    /// Where it is; nothing, and a skip counted, where it is not to be used.
    pub(crate) fn at(self, test: &str) -> Option<Where> {
        let (variable, usual) = match self {
            Which::Podman => ("ESCADRE_TEST_PODMAN", None),
            Which::Docker => ("ESCADRE_TEST_DOCKER", Some("unix:///run/docker.sock")),
        };
        let Ok(said) = std::env::var(variable) else {
            skip(&format!("{test} ({self:?})"), &format!("needs a real engine, set {variable}=1"));
            return None;
        };
        let address = Some(said.as_str()).filter(|said| said.starts_with("unix:")).or(usual).map(Into::into);
        Some(Where { address, root: true, start: self == Which::Podman, ..Where::default() })
    }

    /// Its own program.
    pub(crate) fn program(self) -> std::process::Command {
        match self {
            Which::Podman => std::process::Command::new("podman"),
            Which::Docker => {
                let mut docker = std::process::Command::new("docker");
                let address = self.at("").and_then(|at| at.address).unwrap_or_default();
                docker.args(["--host", &address]);
                docker
            }
        }
    }
}

/// Runs a test on every engine: `function::podman`, `function::docker`.
macro_rules! on_each_engine {
    ($test:ident, $word:literal) => {
        mod $test {
            use crate::world::{Which, world_on};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn podman() {
                if let Some(world) = world_on(Which::Podman, $word).await {
                    super::$test(world).await;
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn docker() {
                if let Some(world) = world_on(Which::Docker, $word).await {
                    super::$test(world).await;
                }
            }
        }
    };
}
pub(crate) use on_each_engine;

pub(crate) async fn world_on(which: Which, test: &str) -> Option<World> {
    let at = which.at(test)?;
    // What a failed run left behind must not fail the next one: a process begins anywhere among the 4,000 subnets.
    let begin = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos() ^ std::process::id();
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + *BEGIN.get_or_init(|| begin % 3_900);
    let state = tempfile::tempdir().unwrap();
    let engine = Engine::connect(settings(&state, at), Arc::new(NoEdge)).await.unwrap();
    let instance = InstanceId::new(Name::new("podtest").unwrap(), Name::new(&format!("{test}-{number}")).unwrap());
    let subnet = format!("10.222.{}.{}/28", number % 250, number / 250 * 16);
    Some(World { which, engine, desired: empty(instance), images: BTreeMap::new(), state, subnet, number })
}

pub(crate) fn settings(state: &tempfile::TempDir, at: Where) -> Settings {
    Settings {
        at,
        state: state.path().to_owned(),
        data: state.path().join("data"),
        root: state.path().to_owned(),
        ..Settings::default()
    }
}

fn empty(instance: InstanceId) -> Desired {
    Desired {
        instance,
        origin: "id:podtest".into(),
        release: "tree".into(),
        state: State::Running,
        environment: "".into(),
        labels: BTreeMap::new(),
        resources: BTreeMap::new(),
        routes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        adopts: None,
    }
}

impl World {
    pub(crate) fn name(&self, key: &str) -> String {
        format!("podtest_{}_{key}", self.desired.instance.instance)
    }

    pub(crate) fn address(&self, last: u8) -> std::net::IpAddr {
        format!("10.222.{}.{}", self.number % 250, self.number / 250 * 16 + u32::from(last)).parse().unwrap()
    }

    pub(crate) fn add(&mut self, kind: Kind, key: &str, payload: Value, body: Body) {
        let spec = Hash::of(format!("{payload} {key}"));
        let resource = Resource::new(spec, Vec::new(), &payload, body);
        self.desired.resources.insert(ResourceKey::new(kind, key), resource);
    }

    /// A network, a volume, a secret, and a service `web` that runs this command on them.
    pub(crate) fn product(&mut self, command: &[&str], extra: Value) {
        let net = Network { name: self.name("front").into(), external: false, subnet: None };
        self.add(Kind::Network, "front", json!({}), Body::Network(net));
        let data = Volume { name: self.name("data").into(), external: false, named: false };
        self.add(Kind::Volume, "data", json!({}), Body::Volume(data));
        let content = Content::Secret { name: "db_password".into(), hash: None };
        let file = File { content, mode: 0o444, uid: None, gid: None };
        self.add(Kind::Secret, "db_password", json!({}), Body::File(file));
        self.add(
            Kind::Image,
            IMAGE,
            json!({}),
            Body::Image(Image { reference: IMAGE.into(), pull: PullPolicy::Missing, build: None, platform: None }),
        );
        let mut create = json!({"Cmd": command, "Env": ["HELLO=there"], "HostConfig": {"Memory": 67108864}});
        if let (Some(create), Value::Object(extra)) = (create.as_object_mut(), extra) {
            create.extend(extra);
        }
        let words = json!({
            "create": create,
            "mounts": [
                {"kind": "volume", "key": "data", "target": "/data"},
                {"kind": "file", "resource": "secret/db_password", "target": "/run/secrets/db_password"},
            ],
        });
        self.add(Kind::Service, "web", words, Body::Service(Arc::new(service())));
    }

    pub(crate) fn on(&self, kind: Kind, key: &str) -> ResourceId {
        self.desired.instance.resource(ResourceKey::new(kind, key))
    }

    pub(crate) fn web(&self, generation: u64) -> ResourceId {
        self.on(Kind::Service, "web").container(1, generation)
    }

    pub(crate) fn container(&self, generation: u64) -> Arc<str> {
        self.name(&format!("web_1_g{generation}")).into()
    }

    pub(crate) fn placement(&self, generation: u64, last: u8) -> Placement {
        Placement {
            name: self.container(generation),
            image: IMAGE.into(),
            networks: vec![PlacedNetwork {
                network: "front".into(),
                name: self.name("front").into(),
                address: Some(self.address(last)),
                aliases: vec!["web".into()],
            }],
            hosts: Some("front".into()),
            volumes: BTreeMap::from([("data".into(), self.name("data").into())]),
            files: vec![(ResourceKey::new(Kind::Secret, "db_password"), "db_password-1".into())],
            engine_ports: Vec::new(),
            shares_network_of: None,
            shares: std::collections::BTreeMap::new(),
            routes: vec!["portal".into()],
        }
    }

    pub(crate) fn step(&self, on: ResourceId, act: Act) -> Step {
        let (after, when) = (Vec::new(), Vec::new());
        Step { index: 0, on, act, after, payload: None, undo: Undo::Reverse, after_commit: false, when }
    }

    pub(crate) async fn perform(&mut self, step: &Step) -> Result<Outcome, Error> {
        let outcome = self.engine.perform(&self.job(step)).await?;
        if let (Act::EnsureImage { reference, .. }, Some(id)) = (&step.act, &outcome.image) {
            self.images.insert(reference.clone(), id.clone());
        }
        Ok(outcome)
    }

    pub(crate) fn job<'a>(&'a self, step: &'a Step) -> Job<'a> {
        Job { desired: &self.desired, step, images: &self.images, secrets: &One, progress: &Silent }
    }

    pub(crate) fn groundwork(&self) -> Vec<Step> {
        let image = Act::EnsureImage { reference: IMAGE.into(), refresh: false, build: None, expect: None };
        let network = Act::EnsureNetwork { name: self.name("front").into(), subnet: Some(self.subnet.as_str().into()) };
        let volume = Act::EnsureVolume { name: self.name("data").into(), external: false };
        vec![
            self.step(self.on(Kind::Image, IMAGE), image),
            self.step(self.on(Kind::Network, "front"), network),
            self.step(self.on(Kind::Volume, "data"), volume),
            self.step(self.on(Kind::Secret, "db_password"), Act::EnsureFile { file: "db_password-1".into() }),
        ]
    }

    /// Removes everything by name, however far a test came.
    pub(crate) async fn clean(&mut self) {
        for generation in 1..4 {
            let remove = Act::Remove { name: self.container(generation), engine: None, data: false };
            self.perform(&self.step(self.web(generation), remove)).await.unwrap();
        }
        let remove = Act::Remove { name: self.name("front").into(), engine: None, data: false };
        self.perform(&self.step(self.on(Kind::Network, "front"), remove)).await.unwrap();
        let remove = Act::Remove { name: self.name("data").into(), engine: None, data: true };
        self.perform(&self.step(self.on(Kind::Volume, "data"), remove)).await.unwrap();
    }
}

pub(crate) fn service() -> Service {
    Service {
        image: IMAGE.into(),
        replicas: 1,
        job: false,
        after: Vec::new(),
        gate: Gate::Unstated { disabled: false, ports: vec![80], times: None },
        manner: Manner::Beside,
        networks: vec![Attachment { network: "front".into(), names: vec!["web".into()], address: None }],
        network_mode: NetworkMode::Own,
        shares: std::collections::BTreeMap::new(),
        volumes: BTreeMap::from([("data".into(), true)]),
        files: vec![ResourceKey::new(Kind::Secret, "db_password")],
        extra_hosts: vec![("outside".into(), "192.0.2.7".into())],
        stop_grace_ms: 1000,
        engine_ports: Vec::new(),
        on_failure: OnFailure::GoBack,
        rollout: escadre_model::desired::Rollout::default(),
    }
}
