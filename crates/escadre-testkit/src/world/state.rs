//! What there is in the small world.
//!
//! In: acts. Out: a snapshot that two worlds can be compared by.
//! **Invariant:** a snapshot leaves out engine ids, generations, addresses and times: what two histories with the same end may differ in.
//! Not here: acting (`act`), listing for the engine (`look`).
//! Tests: `tests/`.

use super::behaviour::Behaviour;
use escadre_model::desired::EnginePort;
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::observed::{Health, Phase, RouteSeen};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

/// A hosts file: who → (address, names).
pub type Lines = BTreeMap<Arc<str>, (IpAddr, Vec<Arc<str>>)>;

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Images on the engine, by reference and by id.
    pub images: BTreeMap<Arc<str>, Image>,
    /// Images in the registry, by reference.
    pub registry: BTreeMap<Arc<str>, Image>,
    /// Containers, by name.
    pub containers: BTreeMap<Arc<str>, Container>,
    /// Networks, by name.
    pub networks: BTreeMap<Arc<str>, Network>,
    /// Volumes, by name.
    pub volumes: BTreeMap<Arc<str>, Volume>,
    /// Files in the state folder: (instance, path) → spec.
    pub files: BTreeMap<(InstanceId, Arc<str>), Hash>,
    /// Hosts files: (instance, set of networks) → who → (address, names).
    pub hosts: BTreeMap<(InstanceId, Arc<str>), Lines>,
    /// Routes of the edge.
    pub routes: BTreeMap<(InstanceId, Arc<str>), RouteSeen>,
    /// Counts engine ids.
    pub made: u64,
    /// How often a program was started that is a job: each run leaves a trace.
    pub runs: BTreeMap<Arc<str>, u32>,
}

/// An image.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its id.
    pub id: Arc<str>,
    /// How a program of it behaves.
    pub behaviour: Behaviour,
}

/// A container.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// The engine's id.
    pub engine: Arc<str>,
    /// Whose it is by its labels, with the fleet's origin; `None`: somebody else's.
    pub owner: Option<(ResourceId, Arc<str>)>,
    /// The spec label.
    pub spec: Option<Hash>,
    /// Hash of the fields, as an inspection would give it.
    pub fields: Hash,
    /// Its image.
    pub image: Image,
    /// It is a job: not restarted by the engine.
    pub job: bool,
    /// When it was started last, in milliseconds.
    pub started: Option<u64>,
    /// It was stopped, with this code.
    pub stopped: Option<i64>,
    /// Network name → address.
    pub networks: BTreeMap<Arc<str>, Option<IpAddr>>,
    /// Names it is found under by those who ask the engine's DNS, beside its own.
    pub names: BTreeSet<Arc<str>>,
    /// Volume key → name.
    pub volumes: BTreeMap<Arc<str>, Arc<str>>,
    /// Docker Compose made it: project, service, number.
    pub compose: Option<(Arc<str>, Arc<str>, u32)>,
    /// Ports the engine publishes for it.
    pub published: Vec<EnginePort>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The engine's id.
    pub engine: Arc<str>,
    /// Whose it is.
    pub owner: Option<ResourceId>,
    /// The spec label.
    pub spec: Option<Hash>,
    /// Its subnet.
    pub subnet: Arc<str>,
    /// Docker Compose made it: project, key.
    pub compose: Option<(Arc<str>, Arc<str>)>,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Whose it is.
    pub owner: Option<ResourceId>,
    /// The spec label.
    pub spec: Option<Hash>,
    /// What was written into it: who, at which start.
    pub written: BTreeSet<Arc<str>>,
    /// Docker Compose made it: project, key.
    pub compose: Option<(Arc<str>, Arc<str>)>,
}

impl Container {
    /// What it does at this moment.
    pub fn phase(&self, now: u64) -> Phase {
        match (self.started, self.stopped) {
            (None, _) => Phase::Created,
            (_, Some(code)) => Phase::Exited(code),
            (Some(at), None) if self.job => {
                self.image.behaviour.ended(now.saturating_sub(at)).map_or(Phase::Running, Phase::Exited)
            }
            (Some(_), None) => Phase::Running,
        }
    }

    /// How often the engine restarted it.
    pub fn restarts(&self, now: u64) -> u32 {
        match (self.started, self.stopped, self.job) {
            (Some(at), None, false) => self.image.behaviour.restarts(now.saturating_sub(at)),
            _ => 0,
        }
    }

    /// Its check's verdict.
    pub fn health(&self, now: u64) -> Health {
        match (self.phase(now), self.started) {
            (Phase::Running, Some(at)) => self.image.behaviour.verdict(now.saturating_sub(at)),
            _ => Health::None,
        }
    }

    /// Does it run?
    pub fn runs(&self, now: u64) -> bool {
        self.phase(now) == Phase::Running
    }
}

/// The port that the edge opens for a route, by the route's key.
pub(super) fn edge_port(key: &str) -> Option<u16> {
    key.strip_prefix("port-")?.parse().ok()
}

impl State {
    /// Does the engine publish this port for a container that runs?
    pub fn published(&self, port: u16, now: u64) -> bool {
        let holds = |one: &Container| one.runs(now) && one.published.iter().any(|it| it.published == port);
        self.containers.values().any(holds)
    }

    /// A new engine id.
    pub fn id(&mut self, what: &str) -> Arc<str> {
        self.made += 1;
        format!("{what}-{:04}", self.made).into()
    }

    /// What two worlds are compared by: one line for each thing.
    pub fn snapshot(&self, now: u64) -> String {
        let mut text = String::new();
        for (name, container) in &self.containers {
            // A job that has ended is evidence; the record has it too, and going back removes the container.
            if container.job && matches!(container.phase(now), Phase::Exited(_)) {
                continue;
            }
            let does = match container.phase(now) {
                Phase::Running => "runs",
                Phase::Created => "never started",
                _ => "ended",
            };
            let owner = container.owner.as_ref().map(|(id, _)| ResourceId { generation: None, ..id.clone() });
            let owner = owner.map_or_else(
                || {
                    container.compose.as_ref().map_or("somebody else's".to_owned(), |(project, key, _)| {
                        format!("{project}/{key} of docker compose")
                    })
                },
                |id| id.to_string(),
            );
            let spec = container.spec.as_ref().map_or("", Hash::short);
            let networks: Vec<&str> = container.networks.keys().map(|name| &**name).collect();
            let volumes: Vec<&str> = container.volumes.values().map(|name| &**name).collect();
            let image = &container.image.id;
            let names: Vec<&str> = container.names.iter().map(|name| &**name).collect();
            let _ = writeln!(
                text,
                "container {} {owner} {spec} {image} {does} on {networks:?} as {names:?} with {volumes:?}",
                plain(name)
            );
        }
        for (name, network) in &self.networks {
            let _ = writeln!(text, "network {name} ours {}", network.owner.is_some());
        }
        for (name, volume) in &self.volumes {
            let _ = writeln!(text, "volume {name} ours {}", volume.owner.is_some());
        }
        for ((instance, path), spec) in &self.files {
            let _ = writeln!(text, "file {instance} {path} {}", spec.short());
        }
        for ((instance, hosts), lines) in &self.hosts {
            for (who, (address, names)) in lines {
                if self.is_of_ended_job(*address, now) {
                    continue;
                }
                let _ = writeln!(text, "hosts {instance} {hosts} {who} -> {} {names:?}", self.at(*address));
            }
        }
        for ((instance, key), route) in &self.routes {
            let backends: Vec<String> = route
                .backends
                .iter()
                .map(|(id, at)| format!("{} {}", ResourceId { generation: None, ..id.clone() }, self.at(at.ip())))
                .collect();
            let parked = if route.parked { " parked" } else { "" };
            let _ = writeln!(text, "route {instance} {key} -> {backends:?}{parked}");
        }
        text
    }

    fn is_of_ended_job(&self, address: IpAddr, now: u64) -> bool {
        self.containers.values().any(|one| {
            let ended = one.job && matches!(one.phase(now), Phase::Exited(_));
            ended && one.networks.values().any(|at| *at == Some(address))
        })
    }

    fn at(&self, address: IpAddr) -> String {
        let there = |container: &&Container| container.networks.values().any(|at| *at == Some(address));
        let found: Vec<&str> =
            self.containers.iter().filter(|(_, container)| there(container)).map(|(name, _)| plain(name)).collect();
        if found.is_empty() { "nowhere".to_owned() } else { found.join("+") }
    }
}

/// A container's name without its generation.
fn plain(name: &str) -> &str {
    match name.rsplit_once("_g") {
        Some((before, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => name,
    }
}
