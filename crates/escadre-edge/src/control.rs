//! The control socket: its words.
//!
//! In → Out: a [`Command`] as one line of JSON on `control.sock` → one line of JSON back: an answer, or a refusal with a
//! code and a sentence.
//!
//! ```text
//! → {"schema":"escadre.edge/1","do":"load","generation":7}
//! ← {"schema":"escadre.edge/1","answer":{"generation":7,"listeners":[…],"swap_us":1}}
//! → {"schema":"escadre.edge/1","do":"drain","backend":"web-g3","deadline_ms":30000}
//! ← {"schema":"escadre.edge/1","refused":{"code":"unknown","message":"there is no backend \"web-g3\""}}
//! ```
//!
//! **Invariant**: every command may be repeated: a client whose worker vanished before it answered asks the next one.
//! Every line carries the schema. The socket has mode 0600 in a folder of mode 0700: who can open it may use it.
//!
//! Not here: who asks (`client`), the numbers (`stats`), what the commands do (`commands`).
//!
//! Tests: `tests/it/`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

mod client;
mod stats;

pub use client::{Client, ControlError};
pub use stats::{Counters, Span, Stats};

/// The schema of every line.
pub const SCHEMA: &str = "escadre.edge/1";

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Read `routes.json`, which must have at least this generation. Answers [`Loaded`].
    Load {
        /// The generation the caller wrote.
        generation: u64,
    },
    /// Everything. Answers [`Status`].
    Status,
    /// Only the counters, over all workers. Answers [`Stats`].
    Stats,
    /// Give a backend nothing new; cut what is under way after the deadline. Answers [`Flying`].
    Drain {
        /// The backend's id.
        backend: String,
        /// From now, milliseconds.
        deadline_ms: u64,
    },
    /// Take a `drain` back. Answers [`Flying`].
    Undrain {
        /// The backend's id.
        backend: String,
    },
    /// Wait until a backend has nothing under way. Answers [`Flying`], with what is left when the time is over. While
    /// somebody waits, a backend that left the routes is not cut by the deadline of its leaving.
    WaitDrained {
        /// The backend's id.
        backend: String,
        /// Longest wait, milliseconds.
        timeout_ms: u64,
    },
    /// End what a backend has under way, now. Answers [`Flying`].
    Cut {
        /// The backend's id.
        backend: String,
    },
    /// Let what arrives for a route wait, until `unpark` or until this worker ends (the file's `parked` outlives it).
    /// Answers [`Parking`].
    Park {
        /// The route's id.
        route: String,
    },
    /// Take a `park` back. Answers [`Parking`].
    Unpark {
        /// The route's id.
        route: String,
    },
    /// Ask the public authority for this host's certificate now. Answers [`CertificateStatus`] when the try has ended.
    Renew {
        /// The host.
        host: String,
    },
    /// Start a new worker, which takes over the listeners; the old one finishes what it has. Then the holder begins anew
    /// in its own process, with its program as it is now. Answers [`Done`] at once.
    Upgrade,
    /// Hand everything over to another process, which waits for it (a holder that was started to take over). Answers
    /// [`Done`] at once.
    HandOver {
        /// The process.
        successor: u32,
    },
    /// End everything, finishing what is under way within this time. Answers [`Done`].
    Stop {
        /// From now, milliseconds.
        within_ms: u64,
    },
}

/// One line to the edge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// [`SCHEMA`].
    pub schema: String,
    /// What is asked.
    #[serde(flatten)]
    pub command: Command,
}

/// One line from the edge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    /// [`SCHEMA`].
    pub schema: String,
    /// The answer, by command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<serde_json::Value>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
}

/// The closed set of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The line is no command of this schema.
    BadRequest,
    /// The routes file is unreadable or contradicts itself; the routes before it are kept.
    BadRoutes,
    /// The routes file has a lower generation than the caller asked for, or than the one that is served.
    OldGeneration,
    /// No such route or backend.
    Unknown,
    /// Of a newer version.
    #[serde(other)]
    Other,
}

/// The routes are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Acknowledged: served from now on, by the worker and by every one after it.
    pub generation: u64,
    /// What became of each listening address.
    pub listeners: Vec<ListenerState>,
    /// How long the swap of the table took (microseconds).
    pub swap_us: u64,
}

impl Loaded {
    /// The listeners that do not work although they could.
    pub fn failed(&self) -> impl Iterator<Item = &ListenerState> {
        self.listeners.iter().filter(|l| l.state == Listening::Failed)
    }
}

/// One listening address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerState {
    /// As the routes say.
    pub address: SocketAddr,
    /// As it is (they differ for port 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<SocketAddr>,
    /// Whether it works.
    pub state: Listening,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether a listening address works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listening {
    /// It does.
    Listening,
    /// Somebody else has it, or the system refuses; it is tried again in the background.
    Failed,
    /// This host has no such address family (no IPv6).
    Absent,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Counts workers since the holder began.
    pub worker: u64,
    /// The worker's process.
    pub pid: u32,
    /// What its program is; `None`: a version from before this was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<crate::Version>,
    /// The process that holds the listeners and starts workers; `None`: a version from before this was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<HolderStatus>,
    /// The generation that is served.
    pub generation: u64,
    /// Why the routes file that lies there is not the one that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Connections and tunnels that are open.
    pub connections: u64,
    /// Every listening address.
    pub listeners: Vec<ListenerState>,
    /// Every route, in the order of the file, HTTP first.
    pub routes: Vec<RouteStatus>,
    /// Every backend that stands in the file or still has work.
    pub backends: Vec<BackendStatus>,
    /// Every host that is to be served with TLS.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
}

/// The holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderStatus {
    /// Its process.
    pub pid: u32,
    /// What its program is.
    pub version: crate::Version,
    /// How often it was replaced without an interruption.
    pub renewed: u64,
    /// Why it was not replaced when that was last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The certificate of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// The host, as DNS has it.
    pub host: String,
    /// Where it comes from.
    pub from: CertificateFrom,
    /// Whether there is one that works now.
    pub works: bool,
    /// Until when it holds, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_s: Option<u64>,
    /// Who signed it, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What is wrong, in words; with one that works still: why it will not be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When it is renewed, or tried again, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_s: Option<u64>,
    /// Tries that failed, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failing>,
}

/// Tries that failed, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// How many.
    pub times: u32,
    /// The first, seconds since 1970.
    pub since_s: u64,
    /// The last one.
    pub last_s: u64,
    /// What the name led to then; empty: to nothing.
    #[serde(default)]
    pub points_to: Vec<std::net::IpAddr>,
    /// This machine's own addresses then. A router before it may have another.
    #[serde(default)]
    pub here: Vec<std::net::IpAddr>,
}

impl CertificateStatus {
    pub(crate) fn of(host: &str, from: CertificateFrom) -> CertificateStatus {
        CertificateStatus {
            host: host.to_owned(),
            from,
            works: false,
            ends_s: None,
            issuer: None,
            problem: None,
            next_s: None,
            failed: None,
        }
    }
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateFrom {
    /// The local authority.
    Local,
    /// A public authority, by ACME.
    Acme,
    /// It was brought.
    Brought,
    /// Of a newer version.
    #[serde(other)]
    Other,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Its counters.
    #[serde(flatten)]
    pub counters: Counters,
    /// Whether what arrives waits.
    pub parked: bool,
    /// The ids of its backends.
    pub backends: Vec<String>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// Its id.
    pub id: String,
    /// Its address.
    pub address: SocketAddr,
    /// Whether it gets new work.
    pub state: BackendUse,
    /// Requests, tunnels and connections under way in this worker.
    pub in_flight: u64,
    /// The same in workers that retire, over all addresses of this id.
    #[serde(default)]
    pub elsewhere: u64,
}

/// Whether a backend gets new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendUse {
    /// It does.
    Active,
    /// It finishes what it has.
    Draining,
    /// It left the routes and finishes what it has.
    Leaving,
}

/// What a backend has under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flying {
    /// The backend.
    pub backend: String,
    /// Requests, tunnels and connections, in all workers.
    pub in_flight: u64,
}

impl Flying {
    /// Whether nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_flight == 0
    }
}

/// Whether a route waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parking {
    /// The route.
    pub route: String,
    /// By command or by the file.
    pub parked: bool,
    /// How many wait.
    pub waiting: u32,
}

/// It was done, or begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which worker did it.
    pub worker: u64,
}
