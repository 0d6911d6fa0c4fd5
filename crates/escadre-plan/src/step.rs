//! Steps: what the engine does, one by one, without having to choose.
//!
//! In: nothing; these are types. Out: what `escadre-engine` journals and a driver performs, undoes and observes.
//! **Invariant:** a step says everything that distinguishes it but payloads and secrets, which are rendered again and compared by hash; every act has an undo or says why not.
//! Not here: when a step is needed (`plan`), how an engine performs it (`escadre-drivers`).
//! Tests: the conformance suite of `escadre-testkit` runs do, repeat, fail, undo and repeat-undo over every kind.

use escadre_model::desired::{EnginePort, HealthCheck};
use escadre_model::hash::Hash;
use escadre_model::ids::{ResourceId, ResourceKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One step of an instance's plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// Its place in the instance's list, from 0.
    pub index: u32,
    /// On what.
    pub on: ResourceId,
    /// What is done.
    pub act: Act,
    /// Steps that must have succeeded before (indexes, all smaller than this one's).
    pub after: Vec<u32>,
    /// Hash of the resource's spec that the payload must have when it is rendered again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Hash>,
    /// How it is undone before the instance's commit.
    pub undo: Undo,
    /// It belongs behind the commit point: only old things are removed there, and it is never undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_commit: bool,
    /// `Follow` steps of which at least one must have answered yes; else this step is passed over. Empty: it is done in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<u32>,
}

/// Whether a step can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// By the driver, from the step and its outcome.
    Reverse,
    /// There is nothing to undo: having done it harms nothing (an image pulled, a gate looked at).
    Nothing,
    /// It cannot be undone, because …
    Irreversible(Arc<str>),
}

/// What a step does. The closed set of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// The image is on the engine; pulled or built if not.
    EnsureImage {
        /// The reference services use.
        reference: Arc<str>,
        /// Ask the registry even if the engine has one of that name.
        refresh: bool,
        /// Built from the tree, by the hash of its inputs.
        build: Option<Hash>,
        /// The image id the plan saw, if the engine had it already.
        expect: Option<Arc<str>>,
    },
    /// The network exists.
    EnsureNetwork {
        /// Its name on the engine.
        name: Arc<str>,
        /// The planned subnet; `None`: external, it must exist.
        subnet: Option<Arc<str>>,
    },
    /// The volume exists.
    EnsureVolume {
        /// Its name on the engine.
        name: Arc<str>,
        /// It must exist already.
        external: bool,
    },
    /// The secret's or config's file is in the state folder, complete, under a name that contains its hash.
    EnsureFile {
        /// Key of the file, and the part of its path below the instance's folder.
        file: Arc<str>,
    },
    /// A container is made, not started.
    Create(Placement),
    /// A container is started.
    Start {
        /// Its name on the engine.
        name: Arc<str>,
    },
    /// A one-shot is started and awaited; any code but 0 fails.
    Run {
        /// Its name on the engine.
        name: Arc<str>,
        /// The longest it may take, in milliseconds; 0: as long as it needs.
        deadline_ms: u64,
    },
    /// A container proves itself.
    Gate {
        /// Its name on the engine.
        name: Arc<str>,
        /// How.
        gate: PlannedGate,
    },
    /// The service's names lead to this container: lines of hosts files.
    Attach {
        /// The lines to be set.
        lines: Vec<HostLine>,
    },
    /// The container is attached to its networks anew, at the addresses it has, under these names: for programs that ask the engine's DNS. Its open
    /// connections survive. A candidate gets the service's names so when it has proven itself, and its predecessor loses them behind the commit point.
    Join {
        /// Its name on the engine.
        name: Arc<str>,
        /// The networks with the names it is to have there.
        networks: Vec<PlacedNetwork>,
    },
    /// Watches for a bounded time whether callers of a service that was just replaced go on calling the former containers: many programs resolve a name
    /// once. The answer decides which further steps are done (`Step::when`); `Updated` is yes.
    Follow(Watch),
    /// Routes lead to these backends, acknowledged by the edge. It ends parking of these routes.
    Switch {
        /// Route key → backends.
        routes: BTreeMap<Arc<str>, RouteTarget>,
    },
    /// Requests of these routes wait.
    Park {
        /// Route keys.
        routes: Vec<Arc<str>>,
    },
    /// No requests are in flight to these backends any more, or the deadline passed.
    Drain {
        /// The containers whose requests through the edge are awaited.
        backends: Vec<ResourceId>,
        /// The longest wait for them, in milliseconds.
        deadline_ms: u64,
        /// The container whose connections from within the instance are awaited, by its name on the engine.
        name: Arc<str>,
        /// The longest wait for those, in milliseconds: an idle one that its caller keeps open looks like one in use. 0: nobody within calls it.
        inside_ms: u64,
    },
    /// A container is stopped and kept.
    Stop {
        /// Its name on the engine.
        name: Arc<str>,
        /// How long it may take before it is killed, in milliseconds.
        grace_ms: u64,
        /// Take its lines out of the hosts files: it is not coming back under this plan.
        forget: bool,
    },
    /// Something goes. Only what the plan names.
    Remove {
        /// Its name on the engine (container, network, volume), or file.
        name: Arc<str>,
        /// The engine's id the plan saw; another one is left alone.
        engine: Option<escadre_model::observed::EngineId>,
        /// A volume: data is lost, it was named with `--destroy`.
        data: bool,
    },
    /// Routes go.
    Unroute {
        /// Route keys.
        routes: Vec<Arc<str>>,
    },
    /// An object is applied (Kubernetes; not planned by any target yet).
    Apply,
    /// Objects that are no longer wanted go (Kubernetes; not planned by any target yet).
    Prune,
}

/// Everything about a new container that is planned rather than written by people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Placement {
    /// Its name on the engine, unique with its generation.
    pub name: Arc<str>,
    /// Key of its image resource (the reference); the id is known when the image is ensured.
    pub image: Arc<str>,
    /// Network key → engine name of the network and the planned address.
    pub networks: Vec<PlacedNetwork>,
    /// The hosts file it sees, by its set of networks; `None` when it has no network of its own.
    pub hosts: Option<Arc<str>>,
    /// Volume key → engine name.
    pub volumes: BTreeMap<Arc<str>, Arc<str>>,
    /// File resource → path below the instance's folder of the state folder (contains the content's hash).
    pub files: Vec<(ResourceKey, Arc<str>)>,
    /// Ports the engine publishes.
    pub engine_ports: Vec<EnginePort>,
    /// Its network is that of this container (engine name): `network_mode: service:x`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_network_of: Option<Arc<str>>,
    /// Other namespaces that are those of a container (`pid`, `ipc` → engine name): `pid: service:x`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<Arc<str>, Arc<str>>,
    /// Keys of the routes that lead to it, for the label.
    pub routes: Vec<Arc<str>>,
}

/// A network with the address planned in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlacedNetwork {
    /// Key of the network.
    pub network: Arc<str>,
    /// Its name on the engine.
    pub name: Arc<str>,
    /// The planned address; `None` on an external network.
    pub address: Option<IpAddr>,
    /// Names that programs asking the engine's DNS find it under.
    pub aliases: Vec<Arc<str>>,
}

/// Whom a `Follow` watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Watch {
    /// The callers' containers, by their names on the engine.
    pub callers: Vec<Arc<str>>,
    /// Whom they called, and who took over.
    pub successions: Vec<Succession>,
    /// The answer when nothing could be seen, because nobody called: yes for a caller that can be replaced without a gap.
    pub unseen: bool,
    /// Milliseconds between the callers' own health checks, whose calls say nothing of the program itself; 0: they have none.
    pub check_ms: u64,
}

/// A container and the one that took over from it. One that does not exist (it was to take over only if …) is no successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Succession {
    /// The engine's name of the former one, which still runs.
    pub former: Arc<str>,
    /// The engine's name of the present one.
    pub current: Arc<str>,
}

/// A gate with everything decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "gate", rename_all = "snake_case")]
pub enum PlannedGate {
    /// The health check passes; with these times.
    Healthy {
        /// The check, the product's or the image's.
        check: HealthCheck,
        /// The whole wait, in milliseconds.
        deadline_ms: u64,
    },
    /// These TCP ports are open, `times` times in a row with `every_ms` between; of several, one that has been open for ten seconds is enough.
    PortOpen {
        /// Ports in the container.
        ports: Vec<u16>,
        /// How often in a row.
        times: u32,
        /// Milliseconds between.
        every_ms: u64,
        /// The whole wait, in milliseconds.
        deadline_ms: u64,
        /// The ports are only what the image declares, which promises nothing (a worker on a web server's image opens none): any open port will do,
        /// and so will being alive for this long, in milliseconds, without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        or_alive_ms: Option<u64>,
    },
    /// It runs, without a restart, for this long.
    Alive {
        /// Milliseconds.
        for_ms: u64,
    },
}

/// A line of a hosts file: one container, its address and names as seen from one set of networks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HostLine {
    /// The hosts file: a set of networks.
    pub hosts: Arc<str>,
    /// Who: service and replica (`web/1`). A line replaces the former line of the same one.
    pub who: Arc<str>,
    /// Where.
    pub address: IpAddr,
    /// Names.
    pub names: Vec<Arc<str>>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RouteTarget {
    /// Hash of the route's own settings, rendered again and compared.
    pub spec: Hash,
    /// Containers and their addresses with port.
    pub backends: Vec<(ResourceId, SocketAddr)>,
    /// For a TCP route that asked for any port: the one chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<u16>,
    /// Nobody serves it yet, and the instance's steps are about to change that: whoever asks is told so. A host or port that somebody else still has
    /// is no failure then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub starting: bool,
}
