//! What one instance shall be, spelled for its target: resources, what they need of each other, and why each value is what it is.
//!
//! In: a `Resolved` instance, through `escadre-render`. Out: what `escadre-plan` compares with `Observed`, and what a receipt keeps.
//! **Invariant:** canonical: the same instance gives the same bytes and so the same hash; no secret value, no generation, no address, no clock.
//! Not here: the target's words (opaque `Payload`s made by `escadre-render`), addresses and generations (planned, `escadre-plan`).
//! Tests: `escadre-render` (both ways), `escadre-plan` (worlds).

mod pack;

pub use pack::{Head, Packed, Parts, UnpackError};

use crate::hash::{Hash, KeyedHash};
use crate::ids::{InstanceId, Kind, ResourceKey};
use crate::payload::{Payload, Words};
use crate::routes::{Plain, ProxyProtocol};
use crate::secret::SecretRef;
use crate::sheet::{Entry, Sheet, Values, View};
use crate::source::Source;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One instance as it shall be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// Which instance.
    pub instance: InstanceId,
    /// Who the fleet is: `id:` of fleet.yaml, or the folder of a fleet of one. Two fleets of one name are told apart by it.
    pub origin: Arc<str>,
    /// The release; `tree` while there are none.
    pub release: Arc<str>,
    /// Whether it shall run.
    pub state: State,
    /// Environment's name, for people and filters; empty in a fleet of one.
    pub environment: Arc<str>,
    /// Labels people gave the instance, for filters.
    #[serde(default)]
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// All resources by kind and key.
    #[serde(with = "as_list")]
    pub resources: BTreeMap<ResourceKey, Resource>,
    /// What the edge carries for it, by route key.
    pub routes: BTreeMap<Arc<str>, Route>,
    /// Which value of each secret it uses is meant, as far as that can be known: a way back needs the one of then. No part of the hash: specs say it already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<Arc<str>, KeyedHash>,
    /// What it takes over that others made, if anything. It says nothing of what the instance shall be, so it is no part of the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopts: Option<Adopts>,
}

/// What ran the services of an instance before it was one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Former {
    /// Docker Compose: its containers are taken over as they run.
    #[default]
    Compose,
    /// A Docker Swarm, which starts again whatever is taken from it: the instance is made when its stack is gone.
    Swarm,
}

impl Former {
    /// What one of the things is called.
    pub fn thing(self) -> &'static str {
        match self {
            Former::Compose => "Compose project",
            Former::Swarm => "Swarm stack",
        }
    }

    fn is_compose(&self) -> bool {
        *self == Former::Compose
    }
}

/// What an instance takes over that another tool made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopts {
    /// Which tool.
    #[serde(default, skip_serializing_if = "Former::is_compose")]
    pub from: Former,
    /// The Compose project, or the Swarm's stack.
    pub project: Arc<str>,
    /// Only what was started from this folder; `None`: wherever it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Arc<str>>,
}

/// Whether an instance shall run: `state:` in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As its services say.
    #[default]
    Running,
    /// Everything is kept, nothing runs.
    Stopped,
    /// The tombstone: containers, networks and files go; volumes are retained.
    Removed,
}

impl State {
    /// As its services say: what is not worth a word.
    pub fn is_running(&self) -> bool {
        *self == State::Running
    }
}

/// One resource: what people see of it, what the target hears of it, and what it needs.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Hash of the payload with keyed hashes in the place of secrets, and of every other thing whose change means a change of this resource.
    /// It is the `dev.escadre.spec` label of what is created from it.
    pub spec: Hash,
    /// What the planner must know of it.
    pub body: Body,
    /// Its fields and its payload, as far as many instances have them in common.
    sheet: Arc<Sheet>,
    /// What is this instance's own in it.
    values: Arc<Values>,
}

/// One value of a resource: what it is and where it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// A path in the field's terms: `image`, `environment.DOMAIN`, `memory`, `mounts./etc/desk.toml`.
    pub path: Arc<str>,
    /// The value as it may be shown.
    pub value: Shown,
    /// Where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The text before interpolation, where that differs: equal changes are grouped by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Arc<str>>,
}

/// A value as it may be shown to people and kept in plans and receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// As it is.
    Plain(Arc<str>),
    /// A secret, or a text with one in it: only whether it changed can be seen.
    Secret(KeyedHash),
    /// There is a secret but no key to hash it with: whether it changed cannot be known (`Keep`, with a diagnostic).
    Unknown,
}

/// What the planner must know of a resource, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// A network.
    Network(Network),
    /// A volume.
    Volume(Volume),
    /// A secret or config: a file that containers see read-only.
    File(File),
    /// An image to be pulled or built.
    Image(Image),
    /// A service; one that is the same in many instances is held once.
    Service(Arc<Service>),
}

/// A network of the instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its name on the engine.
    pub name: Arc<str>,
    /// It exists already and belongs to somebody else: checked, never made or removed.
    pub external: bool,
    /// The subnet written by the product's author, if any; else one is planned from the target's pool.
    pub subnet: Option<Arc<str>>,
}

/// A volume of the instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name on the engine.
    pub name: Arc<str>,
    /// It exists already and belongs to somebody else: checked, never made or removed.
    pub external: bool,
    /// Its name was written for this instance: one of that name that is there already is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named: bool,
}

/// Where a file's bytes come from, and how containers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// The content. A config's bytes travel with Desired (and its receipt); a secret's never do.
    pub content: Content,
    /// The mode of the file, as in `0o444`.
    pub mode: u32,
    /// The owner in the container, when the product says so.
    pub uid: Option<u32>,
    /// The group in the container, when the product says so.
    pub gid: Option<u32>,
}

/// The content of a file resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Bytes that are no secret, by hash; kept as a blob.
    Bytes {
        /// The hash of the bytes.
        hash: Hash,
        /// The bytes; not serialised (they are a blob of the store).
        #[serde(skip)]
        bytes: Arc<[u8]>,
    },
    /// A copy of a folder of the tree, by the hash of its listing; path within the folder → blob.
    Folder {
        /// The hash over paths, modes and contents.
        hash: Hash,
        /// Path → content hash, executable?
        entries: BTreeMap<Arc<str>, (Hash, bool)>,
        /// Content hash → bytes; not serialised.
        #[serde(skip)]
        bytes: BTreeMap<Hash, Arc<[u8]>>,
    },
    /// A secret: its name, and the keyed hash of its value if the key is at hand.
    Secret {
        /// The secret's name.
        name: Arc<str>,
        /// Keyed hash of the value; `None`: cannot be known now.
        hash: Option<KeyedHash>,
    },
}

/// An image that services run from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The reference as the services name it (`registry.example.org/desk/web:4.2.0`), or the local tag a build gets.
    pub reference: Arc<str>,
    /// When to ask the registry.
    pub pull: PullPolicy,
    /// Built from the tree: the hash of all inputs. Asked again only when it changed.
    pub build: Option<Hash>,
    /// `linux/arm64`, when the product says so.
    pub platform: Option<Arc<str>>,
}

/// Compose's `pull_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    /// Ask the registry at every plan.
    Always,
    /// Only what the engine does not have. The default.
    Missing,
    /// Never: what the engine does not have is an error.
    Never,
    /// Build it.
    Build,
}

/// A service: how many, in which order, how it proves itself and what it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The reference of its image: the key of an `Image` resource.
    pub image: Arc<str>,
    /// How many containers (`scale`, `deploy.replicas`).
    pub replicas: u32,
    /// It is awaited as `service_completed_successfully`: it runs to its end, once per spec.
    pub job: bool,
    /// Which services must be how far before it starts.
    pub after: Vec<After>,
    /// The gate a new container must pass.
    pub gate: Gate,
    /// Whether a new container may run beside the old one.
    pub manner: Manner,
    /// Networks it joins, in order of priority, with the names it has there.
    pub networks: Vec<Attachment>,
    /// It has no network of its own: `host`, `none`, or another service's.
    pub network_mode: NetworkMode,
    /// Other namespaces it has in common with a service: `pid` or `ipc` → that service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<Arc<str>, Arc<str>>,
    /// Volumes it mounts: volume key → may it write.
    pub volumes: BTreeMap<Arc<str>, bool>,
    /// Files it sees: keys of `Secret` and `Config` resources.
    pub files: Vec<ResourceKey>,
    /// Host names for its hosts file: `extra_hosts`.
    pub extra_hosts: Vec<(Arc<str>, Arc<str>)>,
    /// How long it may take to stop, in milliseconds (`stop_grace_period`).
    pub stop_grace_ms: u64,
    /// Ports the engine itself publishes (`mode: host`, UDP): such a service is stop-first.
    pub engine_ports: Vec<EnginePort>,
    /// What a failed gate does: `deploy.update_config.failure_action`.
    pub on_failure: OnFailure,
    /// How its replicas are replaced.
    pub rollout: Rollout,
}

impl Service {
    /// The services in whose network, or other namespaces, it lives: what happens to their containers happens to its own.
    pub fn lives_in(&self) -> impl Iterator<Item = &Arc<str>> {
        let network = match &self.network_mode {
            NetworkMode::Service(other) => Some(other),
            _ => None,
        };
        network.into_iter().chain(self.shares.values())
    }
}

/// How the containers of a service are replaced: `deploy.update_config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// How many at once; 0: all. Compose's `parallelism`, 1 where nothing is said.
    pub parallelism: u32,
    /// The pause before the next ones, in milliseconds.
    pub delay_ms: u64,
    /// How long a new container must go on living after it took over, in milliseconds.
    pub monitor_ms: u64,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { parallelism: 1, delay_ms: 0, monitor_ms: 0 }
    }
}

/// A dependency on another service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// The other service.
    pub service: Arc<str>,
    /// How far it must be.
    pub condition: Condition,
    /// Without it, is this service still worth starting?
    pub required: bool,
    /// Is this service restarted when the other one is replaced?
    pub restart: bool,
}

/// Compose's `depends_on` conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It has been started.
    Started,
    /// Its gate has been passed.
    Healthy,
    /// It has ended with code 0.
    Completed,
}

/// What proves that a new container works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// The product's health check.
    Check(HealthCheck),
    /// `healthcheck: {disable: true}`, or none given: the image's if it has one and it is not disabled, else a port, else being alive.
    Unstated {
        /// The product disabled health checks: the image's does not count either.
        disabled: bool,
        /// Container ports that should be open (ports, endpoints, expose): empty means the image's exposed ports.
        ports: Vec<u16>,
        /// Times without a test (`healthcheck: { start_period: 5m }`): they are the image's check's, and set the deadline of what stands in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        times: Option<Box<HealthCheck>>,
    },
    /// A one-shot: it must end with code 0.
    ExitZero,
}

/// A health check, times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HealthCheck {
    /// `["CMD", …]` or `["CMD-SHELL", text]`, as the engine hears it. Empty: the image's own test with these times.
    pub test: Vec<Arc<str>>,
    /// Between checks.
    pub interval_ms: u64,
    /// A check that takes longer has failed.
    pub timeout_ms: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Failures in this time after the start do not count.
    pub start_period_ms: u64,
    /// Between checks during the start period.
    pub start_interval_ms: u64,
}

/// Whether a new container of a service may run beside the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Beside the old one, then it takes over.
    Beside,
    /// The old one stops first, because …
    StopFirst(Arc<str>),
}

/// What a failed gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The instance goes back. The default, and Compose's `rollback`.
    GoBack,
    /// It goes back and is held (`pause`).
    GoBackAndHold,
}

/// A network that a service joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Key of the network.
    pub network: Arc<str>,
    /// The names under which others find it there (service key, aliases, `container_name`).
    pub names: Vec<Arc<str>>,
    /// An address fixed by the product's author (`ipv4_address`).
    pub address: Option<Arc<str>>,
}

/// What a container's network is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// Its own, attached to `networks`.
    Own,
    /// The host's.
    Host,
    /// None at all.
    None,
    /// Another service's.
    Service(Arc<str>),
}

/// A port published by the engine itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EnginePort {
    /// Address on the host; empty means all.
    pub host: Arc<str>,
    /// Port on the host.
    pub published: u16,
    /// Port in the container.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: Arc<str>,
}

/// What the edge carries for an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// HTTP by host name: an endpoint of the product.
    Http(HttpRoute),
    /// A published TCP port.
    Tcp(TcpRoute),
}

/// An endpoint: host names to a service's port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpRoute {
    /// The service that answers.
    pub service: Arc<str>,
    /// Its port in the container.
    pub port: u16,
    /// Host names, lower case.
    pub hosts: Vec<Arc<str>>,
    /// Host names that are redirected to the first of `hosts`.
    pub redirect: Vec<Arc<str>>,
    /// Path prefix, `/` for all.
    pub path: Arc<str>,
    /// Largest request body in bytes; `None`: unbounded.
    pub body_limit: Option<u64>,
    /// Longest wait for the first byte of an answer, in milliseconds; `None`: the edge's default.
    pub timeout_ms: Option<u64>,
    /// How its names are served over TLS; `None`: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Https>,
    /// Where it was written.
    pub source: Option<Source>,
}

/// How the names of an endpoint are served over TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Https {
    /// Where the certificates come from.
    pub from: CertificateSource,
    /// What `http://` gets where a certificate works; `None`: a redirect, but for certificates of the local authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Plain>,
    /// For how long browsers shall remember to use TLS only, in seconds; `None`: they are not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts_s: Option<u64>,
}

/// Where an endpoint's certificates come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateSource {
    /// The local authority for private names, a public one for the others.
    Usual,
    /// The local authority.
    Local,
    /// A public authority, by ACME.
    Acme,
    /// It is brought, as a secret.
    Secret {
        /// The secret with the certificate, its chain, and the key unless that has a secret of its own.
        chain: SecretRef,
        /// The secret with the key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<SecretRef>,
        /// Keyed hashes of their values; `None`: it cannot be known whether they changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<Hash>,
    },
}

/// A published TCP port that the edge listens on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TcpRoute {
    /// The service that answers.
    pub service: Arc<str>,
    /// Its port in the container.
    pub port: u16,
    /// Address on the host; empty means all.
    pub host: Arc<str>,
    /// Port on the host. 0: any free one, chosen at planning.
    pub published: u16,
    /// How the service is told who connects; `None`: it sees the edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Where it was written.
    pub source: Option<Source>,
}

impl Desired {
    /// The hash of what it wants: what a plan is bound to and a hold is held against. It is made of the specs, which stand for the payloads, and of what
    /// the planner must know besides. What people read (fields, and where things were written) follows from these and is no part of it: a comment that
    /// moves every line asks for nothing new.
    pub fn hash(&self) -> Hash {
        let Desired { instance, origin, release, state, environment, labels, resources, routes, secrets: _, adopts: _ } =
            self;
        let resources: Vec<_> = resources.iter().map(|(key, one)| (key, &one.spec, one.body_hash())).collect();
        let routes: Vec<_> = routes.iter().map(|(key, route)| (key, route.without_source())).collect();
        Hash::of_json(&("desired/1", instance, origin, release, state, environment, labels, resources, routes))
    }

    /// The services, by key.
    pub fn services(&self) -> impl Iterator<Item = (&Arc<str>, &Resource, &Service)> {
        self.resources.iter().filter_map(|(key, resource)| match &resource.body {
            Body::Service(service) => Some((&key.key, resource, service.as_ref())),
            _ => None,
        })
    }

    /// The service of that key.
    pub fn service(&self, key: &str) -> Option<(&Resource, &Service)> {
        match self.resources.get(&ResourceKey::new(Kind::Service, key)) {
            Some(resource @ Resource { body: Body::Service(service), .. }) => Some((resource, service)),
            _ => None,
        }
    }
}

impl Body {
    /// The hash of all of it.
    pub fn hash(&self) -> Hash {
        Hash::of_json(self)
    }
}

impl Route {
    /// Its settings alone, without the place where they were written.
    pub fn without_source(&self) -> Route {
        let mut plain = self.clone();
        match &mut plain {
            Route::Http(http) => http.source = None,
            Route::Tcp(tcp) => tcp.source = None,
        }
        plain
    }
}

impl Resource {
    /// A resource of one instance alone: fields in the order of their paths, and the target's words.
    pub fn new(spec: Hash, fields: Vec<Field>, words: &serde_json::Value, body: Body) -> Self {
        let fields = fields.into_iter().map(Entry::from).collect();
        let sheet = Sheet { fields, words: Arc::new(Words::new(words)), body: None };
        Self::of(spec, Arc::new(sheet), Arc::default(), body)
    }

    /// A resource of an instance, from the sheet that it shares with others.
    pub fn of(spec: Hash, sheet: Arc<Sheet>, values: Arc<Values>, body: Body) -> Self {
        Self { spec, body, sheet, values }
    }

    /// The values a person would compare, sorted by path, looked at without being copied.
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.sheet.views(&self.values)
    }

    /// The values a person would compare, sorted by path.
    pub fn fields(&self) -> Vec<Field> {
        self.sheet.fields(&self.values)
    }

    /// The value at a path.
    pub fn field(&self, path: &str) -> Option<Field> {
        self.sheet.field(path, &self.values)
    }

    /// Where its first field was written.
    pub fn source(&self) -> Option<&Source> {
        self.sheet.fields.first().and_then(|entry| entry.source.as_ref())
    }

    /// Is there a secret among its fields whose hash cannot be made now?
    pub fn has_unknown(&self) -> bool {
        self.sheet.fields.iter().any(|entry| entry.is_unknown(&self.values))
    }

    /// The hash of what the planner must know of it.
    fn body_hash(&self) -> Hash {
        self.sheet.body.clone().unwrap_or_else(|| self.body.hash())
    }

    /// The target's words, for `escadre-render` and its driver only.
    pub fn payload(&self) -> Payload {
        self.sheet.payload(&self.values)
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        let told = || self.fields() == other.fields() && self.payload() == other.payload();
        let shared = Arc::ptr_eq(&self.sheet, &other.sheet) && self.values == other.values;
        self.spec == other.spec && self.body == other.body && (shared || told())
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("Resource", 4)?;
        fields.serialize_field("spec", &self.spec)?;
        fields.serialize_field("fields", &self.fields())?;
        fields.serialize_field("payload", &self.payload())?;
        fields.serialize_field("body", &self.body)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Whole {
            spec: Hash,
            fields: Vec<Field>,
            payload: Payload,
            body: Body,
        }
        let Whole { spec, fields, payload, body } = Whole::deserialize(from)?;
        let fields = fields.into_iter().map(Entry::from).collect();
        let sheet = Sheet { fields, words: payload.words(), body: None };
        Ok(Self::of(spec, Arc::new(sheet), Arc::default(), body))
    }
}

/// A map with structured keys as a list of pairs, since JSON's keys are texts.
mod as_list {
    use super::{BTreeMap, Resource, ResourceKey};
    use serde::{Deserialize, Deserializer, Serializer, ser::SerializeSeq};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<ResourceKey, Resource>, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(map.len()))?;
        for pair in map {
            list.serialize_element(&pair)?;
        }
        list.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<ResourceKey, Resource>, D::Error> {
        Ok(Vec::<(ResourceKey, Resource)>::deserialize(from)?.into_iter().collect())
    }
}
