//! What is: the world as a driver listed it, and the record as the journal holds it.
//!
//! In: an engine's lists read back by `escadre-render`, receipts and holds read by `escadre-engine`. Out: what `escadre-plan` compares with `Desired`.
//! **Invariant:** a list says whether it is complete; no plan names for deletion what an incomplete one did not list.
//! Not here: asking (`escadre-drivers`), remembering (`escadre-engine`), comparing (`escadre-plan`).
//! Tests: `escadre-plan` worlds; the conformance suite of `escadre-testkit`.

use crate::desired::{Desired, EnginePort, HealthCheck, Shown};
use crate::hash::Hash;
use crate::ids::{InstanceId, ResourceId, ResourceKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Everything seen on one target, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Instance by instance: what carries its labels, and what the record says of it.
    #[serde(with = "as_list")]
    pub instances: BTreeMap<InstanceId, InstanceSeen>,
    /// Each kind of list: is it whole? An instance that is not in `instances` does not exist only if `containers`, `networks` and `volumes` are complete.
    pub complete: Complete,
    /// The host itself.
    pub host: HostSeen,
}

/// Which lists are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// All containers were listed.
    pub containers: bool,
    /// All networks were listed.
    pub networks: bool,
    /// All volumes were listed.
    pub volumes: bool,
    /// All images were listed.
    pub images: bool,
    /// The record was read.
    pub record: bool,
}

/// One instance, seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceSeen {
    /// `dev.escadre.origin` on what was found; another fleet of the same name is refused.
    pub origin: Option<Arc<str>>,
    /// Its containers.
    pub containers: Vec<ContainerSeen>,
    /// Its networks.
    pub networks: Vec<NetworkSeen>,
    /// Its volumes.
    pub volumes: Vec<VolumeSeen>,
    /// Its routes as the edge's file has them: route key → backends, as container ids with generation.
    pub routes: BTreeMap<Arc<str>, RouteSeen>,
    /// What the journal remembers.
    pub record: Record,
}

/// An engine's own id. Compared, shown short, never parsed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct EngineId(pub Arc<str>);

/// A container, seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerSeen {
    /// Who it is, by its labels.
    pub id: ResourceId,
    /// The engine's id.
    pub engine: EngineId,
    /// The engine's name.
    pub name: Arc<str>,
    /// The spec label: hash of what it was made from.
    pub spec: Option<Hash>,
    /// Hash of the fields we set, as the engine reports them now; `None` where the list does not tell. A difference to the record is drift.
    pub fields: Option<Hash>,
    /// The id of the image it runs.
    pub image: Arc<str>,
    /// Running, or how it ended.
    pub phase: Phase,
    /// The engine's health verdict, where it has one.
    pub health: Health,
    /// How often the engine restarted it.
    pub restarts: u32,
    /// When it was started, as the engine writes it (RFC 3339); empty when never.
    pub started: Arc<str>,
    /// Its addresses by network name.
    pub addresses: BTreeMap<Arc<str>, IpAddr>,
    /// Ports of the host that the engine publishes for it; Docker tells them of running containers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<EnginePort>,
    /// Volume bindings from its labels: key → the engine's name.
    pub volumes: BTreeMap<Arc<str>, Arc<str>>,
    /// The record knows its id. One that is not known is to be adopted, never deleted.
    pub known: bool,
    /// Docker Compose made it: it carries none of our labels, and who it is stands in the record alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose: Option<Box<MadeByCompose>>,
}

/// What is seen of a container that Docker Compose made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MadeByCompose {
    /// Its project.
    pub project: Arc<str>,
    /// The folder it was started from.
    pub folder: Arc<str>,
    /// The files it was started with.
    pub files: Vec<Arc<str>>,
    /// Its number among the containers of its service.
    pub number: u32,
    /// Volumes without a name that it has: path in the container → the engine's name.
    pub anonymous: BTreeMap<Arc<str>, Arc<str>>,
    /// In what it is not as the files want it: looked at before it is adopted, and remembered from then on.
    pub differs: Vec<Difference>,
}

/// A value of something that runs, beside the value it is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// A path in the terms of `desired::Field`: `image`, `environment.SEATS`, `memory`.
    pub path: Arc<str>,
    /// As it runs; `None`: it has none, or nobody may see it.
    pub runs: Option<Shown>,
    /// As it shall be; `None`: it shall have none.
    pub wanted: Option<Shown>,
}

/// Whether a container runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Made, never started.
    Created,
    /// Running.
    Running,
    /// Running, but frozen.
    Paused,
    /// Between an end and the next start.
    Restarting,
    /// Ended, with this code.
    Exited(i64),
    /// The engine is removing it or cannot say.
    Unknown,
}

/// A health verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No check, or nobody runs it.
    None,
    /// Not decided yet.
    Starting,
    /// The last check passed.
    Healthy,
    /// Too many failed.
    Unhealthy,
}

/// A network, seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSeen {
    /// Which resource, by its labels.
    pub key: ResourceKey,
    /// The engine's id.
    pub engine: EngineId,
    /// The engine's name.
    pub name: Arc<str>,
    /// The spec label.
    pub spec: Option<Hash>,
    /// Its subnets, as `10.210.0.0/26`.
    pub subnets: Vec<Arc<str>>,
    /// Docker Compose made it: the engine gives addresses on it to containers that have none planned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compose: bool,
}

/// A volume, seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeSeen {
    /// Which resource, by its labels.
    pub key: ResourceKey,
    /// The engine's name, which is its identity.
    pub name: Arc<str>,
    /// The spec label.
    pub spec: Option<Hash>,
}

/// A route, seen in the edge's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteSeen {
    /// Hash of the route's own settings.
    pub spec: Hash,
    /// The containers it goes to, with their addresses.
    pub backends: Vec<(ResourceId, SocketAddr)>,
    /// Requests wait.
    pub parked: bool,
}

/// The host, seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostSeen {
    /// The engine: `podman 4.3.1`.
    pub engine: Arc<str>,
    /// Every subnet in use: all networks of the engine and the host's own routes.
    pub subnets: Vec<Arc<str>>,
    /// Names of all containers, networks and volumes that are not ours, so that a taken name is found before anything runs.
    pub foreign: Vec<(ForeignKind, Arc<str>)>,
    /// TCP ports somebody else listens on.
    pub ports: Vec<u16>,
    /// Images the engine has, by every reference and id they go by.
    pub images: BTreeMap<Arc<str>, ImageSeen>,
    /// What Docker Compose made and nobody adopted, by project.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub projects: BTreeMap<Arc<str>, ProjectSeen>,
    /// Containers of a Docker Swarm's stacks, by stack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<Arc<str>, Vec<TaskSeen>>,
}

/// A container of a Docker Swarm's stack: what runs there, or ran and is kept by the Swarm. It is nobody's but the Swarm's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSeen {
    /// The service, without the stack's name before it.
    pub service: Arc<str>,
    /// Whether it runs.
    pub runs: bool,
    /// The engine's id.
    pub engine: EngineId,
    /// In what it is not as an instance wants it that is to take the stack's place.
    pub differs: Vec<Difference>,
}

/// A Docker Compose project, seen by its labels. The things bear the project's name as fleet and instance, for want of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectSeen {
    /// Its containers but those of `docker compose run`; the replica is Compose's number, the generation is 0.
    pub containers: Vec<ContainerSeen>,
    /// Its networks.
    pub networks: Vec<NetworkSeen>,
    /// Its volumes.
    pub volumes: Vec<VolumeSeen>,
}

/// What a foreign name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignKind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// An image, seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageSeen {
    /// The engine's id of it, `sha256:…`.
    pub id: Arc<str>,
    /// The registry's digests it is known by.
    pub digests: Vec<Arc<str>>,
    /// TCP ports it exposes.
    pub ports: Vec<u16>,
    /// Its own health check.
    pub health: Option<HealthCheck>,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the build inputs it was built from by us (`dev.escadre.build` label).
    pub build: Option<Hash>,
}

/// What the journal remembers of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The last receipts, newest first (at least the newest healthy one).
    pub receipts: Vec<Receipt>,
    /// Why it stays as it is.
    pub hold: Option<Hold>,
    /// One-shots that ended well: service → (spec, image id).
    pub jobs: BTreeMap<Arc<str>, Vec<JobEvidence>>,
    /// How services that call others look up their addresses, where that was seen.
    #[serde(default)]
    pub calls: BTreeMap<Arc<str>, CallsSeen>,
    /// Engine ids of everything we made or adopted and have not removed.
    pub owned: BTreeMap<EngineId, ResourceId>,
    /// What is remembered of those among them that were adopted without labels of ours.
    #[serde(default)]
    pub adopted: BTreeMap<EngineId, Adopted>,
    /// Volumes whose service is gone and which are kept.
    pub retained: BTreeMap<Arc<str>, Arc<str>>,
    /// Services that somebody stopped, each by itself, and nobody has started since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stopped: BTreeSet<Arc<str>>,
    /// Steps begun and not closed: an apply was interrupted.
    pub open: Vec<u64>,
}

/// What is remembered of a thing that bears no labels of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// What the files wanted when it was adopted: it is kept as long as they want the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Hash>,
    /// In what it was not so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Difference>,
}

/// What an instance was after an apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Position in the journal.
    pub seq: u64,
    /// The plan that did it.
    pub plan: Arc<str>,
    /// The commit the files were read from; empty outside Git.
    pub commit: Arc<str>,
    /// Hash of uncommitted files read, if any.
    pub dirty: Option<Hash>,
    /// When, RFC 3339.
    pub at: Arc<str>,
    /// Who asked.
    pub by: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when it did not end as planned: `web ended with code 78`.
    #[serde(default)]
    pub because: Option<Arc<str>>,
    /// The last line of the log of what failed.
    #[serde(default)]
    pub last_line: Option<Arc<str>>,
    /// The plan whose state it went back to, if that was asked for.
    #[serde(default)]
    pub back: Option<Arc<str>>,
    /// What the instance was told to be.
    pub desired: Arc<Desired>,
    /// Image reference → the engine's image id that runs.
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// Engine id of a container → hash of the fields we set, as read back right after.
    pub fields: BTreeMap<EngineId, Hash>,
}

/// How an apply of an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As planned, and its gates were passed.
    Healthy,
    /// It failed and the former state serves again.
    WentBack,
    /// It failed, and going back failed too: a person must look.
    Stuck,
    /// Its services were stopped, and everything is kept.
    Stopped,
    /// It was taken down: only retained volumes are left.
    Removed,
}

impl Outcome {
    /// It came to its end as planned.
    pub fn is_as_planned(self) -> bool {
        matches!(self, Outcome::Healthy | Outcome::Stopped | Outcome::Removed)
    }
}

/// Why an instance stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Against which Desired; `None`: by hand, against all.
    pub against: Option<Hash>,
    /// What set it.
    pub by: HeldBy,
    /// The plan that went back, or was gone back to; what is stuck; or a person's reason.
    pub because: Arc<str>,
    /// When, RFC 3339.
    pub at: Arc<str>,
}

/// What set a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// An update that went back by itself.
    WentBack,
    /// A rollback that was asked for.
    Rollback,
    /// An update that failed, and so did going back.
    Stuck,
    /// A person.
    Hand,
}

/// A one-shot that ended with code 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEvidence {
    /// The spec it ran with.
    pub spec: Hash,
    /// The image it ran.
    pub image: Arc<str>,
}

/// How the program of a service calls others of its instance, as seen when one of them was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsSeen {
    /// The image it ran: another one may do otherwise.
    pub image: Arc<str>,
    /// How.
    pub lookup: Lookup,
}

/// When a program looks up the address of another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// Again and again: it finds a successor by itself.
    Again,
    /// Once, at its start: it goes on calling the former address.
    Once,
}

impl Observed {
    /// What was seen of an instance, if anything.
    pub fn instance(&self, id: &InstanceId) -> Option<&InstanceSeen> {
        self.instances.get(id)
    }
}

impl Record {
    /// The newest receipt whose apply ended well.
    pub fn healthy(&self) -> Option<&Receipt> {
        self.receipts.iter().find(|receipt| matches!(receipt.outcome, Outcome::Healthy))
    }
}

/// A map with structured keys as a list of pairs, since JSON's keys are texts.
mod as_list {
    use super::{BTreeMap, InstanceId, InstanceSeen};
    use serde::{Deserialize, Deserializer, Serializer, ser::SerializeSeq};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<InstanceId, InstanceSeen>, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(map.len()))?;
        for pair in map {
            list.serialize_element(&pair)?;
        }
        list.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<InstanceId, InstanceSeen>, D::Error> {
        Ok(Vec::<(InstanceId, InstanceSeen)>::deserialize(from)?.into_iter().collect())
    }
}
