//! The control socket: its words, and the client that engine drivers use.
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
//! Not here: what the commands do (`commands`).
//!
//! Tests: `tests/it/`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::files;

/// The schema of every line.
pub const SCHEMA: &str = "escadre.edge/1";

/// How long a client waits for an answer, where the command itself does not wait.
const ANSWER: Duration = Duration::from_secs(15);

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
    /// Only the counters. Answers [`Stats`].
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
    /// Wait until a backend has nothing under way. Answers [`Flying`], with what is left when the time is over.
    WaitDrained {
        /// The backend's id.
        backend: String,
        /// Longest wait, milliseconds.
        timeout_ms: u64,
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
    /// Start a new worker, which takes over the listeners; the old one finishes what it has. Answers [`Done`].
    Upgrade,
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
    /// For TLS, not served by this version.
    Reserved,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Counts workers since the holder began; counters begin anew with each.
    pub worker: u64,
    /// The worker's process.
    pub pid: u32,
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

/// One route's numbers since the worker began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The route.
    pub id: String,
    /// Requests (HTTP) or connections (TCP) that arrived.
    pub requests: u64,
    /// Those that we or the backend could not serve: 502, 503, 504 of ours, and what was cut.
    pub failed: u64,
    /// Answers of the backend itself with status 5xx.
    pub backend_errors: u64,
    /// Under way now, those that wait included.
    pub in_flight: u64,
    /// Waiting now, because the route is parked.
    pub waiting: u32,
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

/// The counters of all routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Which worker counted: numbers of different workers are not to be subtracted from one another.
    pub worker: u64,
    /// How long it has been counting (milliseconds).
    pub uptime_ms: u64,
    /// Every route.
    pub routes: Vec<Counters>,
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

/// Why a question to the edge has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No edge runs in this folder.
    #[error("no edge answers at {path}", path = .path.display())]
    Absent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It runs and says nothing, or broke off each time it was asked.
    #[error("the edge at {path} did not answer within {waited:?}", path = .path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// For how long it was asked.
        waited: Duration,
    },
    /// It refused.
    #[error("the edge refused: {0}")]
    Refused(#[from] Refused),
    /// It speaks another language.
    #[error("the edge answered what this version does not understand: {0}")]
    Garbled(String),
}

/// Asks the edge of one folder. Cheap to make; every question is one connection.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// The client of the edge in this folder, whether it runs or not.
    #[must_use]
    pub fn new(dir: &Path) -> Client {
        Client { path: files::control_path(dir) }
    }

    /// Makes the edge read `routes.json`; gives what it acknowledges, of this generation or a later one.
    ///
    /// # Errors
    /// [`Code::BadRoutes`] or [`Code::OldGeneration`] when the routes before are kept; the other [`ControlError`]s.
    pub async fn load(&self, generation: u64) -> Result<Loaded, ControlError> {
        self.ask(Command::Load { generation }, ANSWER).await
    }

    /// Everything.
    ///
    /// # Errors
    /// When no edge answers.
    pub async fn status(&self) -> Result<Status, ControlError> {
        self.ask(Command::Status, ANSWER).await
    }

    /// The counters. For a rate take two and subtract, unless the worker changed.
    ///
    /// # Errors
    /// When no edge answers.
    pub async fn stats(&self) -> Result<Stats, ControlError> {
        self.ask(Command::Stats, ANSWER).await
    }

    /// Gives a backend nothing new and cuts what it has after the deadline. Returns at once.
    ///
    /// # Errors
    /// [`Code::Unknown`] for a backend the edge does not know; when no edge answers.
    pub async fn drain(&self, backend: &str, deadline: Duration) -> Result<Flying, ControlError> {
        let command = Command::Drain { backend: backend.to_owned(), deadline_ms: millis(deadline) };
        self.ask(command, ANSWER).await
    }

    /// Takes a `drain` back.
    ///
    /// # Errors
    /// As [`Client::drain`].
    pub async fn undrain(&self, backend: &str) -> Result<Flying, ControlError> {
        self.ask(Command::Undrain { backend: backend.to_owned() }, ANSWER).await
    }

    /// Waits until a backend has nothing under way. A backend the edge does not know has nothing under way.
    /// After the timeout it gives what is left.
    ///
    /// # Errors
    /// When no edge answers.
    pub async fn wait_drained(&self, backend: &str, timeout: Duration) -> Result<Flying, ControlError> {
        let command = Command::WaitDrained { backend: backend.to_owned(), timeout_ms: millis(timeout) };
        self.ask(command, timeout.saturating_add(ANSWER)).await
    }

    /// Lets what arrives for a route wait.
    ///
    /// # Errors
    /// [`Code::Unknown`] for a route the edge does not know; when no edge answers.
    pub async fn park(&self, route: &str) -> Result<Parking, ControlError> {
        self.ask(Command::Park { route: route.to_owned() }, ANSWER).await
    }

    /// Takes a `park` back.
    ///
    /// # Errors
    /// As [`Client::park`].
    pub async fn unpark(&self, route: &str) -> Result<Parking, ControlError> {
        self.ask(Command::Unpark { route: route.to_owned() }, ANSWER).await
    }

    /// Has the worker replaced by a new process of the executable as it is now; returns when the new one answers.
    ///
    /// # Errors
    /// [`ControlError::Silent`] when no new worker answers in time (the old one goes on then); when no edge answers.
    pub async fn upgrade(&self) -> Result<Status, ControlError> {
        let begin = Instant::now();
        let before: Done = self.ask(Command::Upgrade, ANSWER).await?;
        while begin.elapsed() < ANSWER {
            let status = self.status().await?;
            if status.worker > before.worker {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(self.silent(begin.elapsed()))
    }

    /// Ends the edge, letting what is under way finish within the given time; returns when it has ended.
    ///
    /// # Errors
    /// [`ControlError::Silent`] when it still answers long after that time; when no edge answers.
    pub async fn stop(&self, within: Duration) -> Result<(), ControlError> {
        let begin = Instant::now();
        let _done: Done = self.ask(Command::Stop { within_ms: millis(within) }, ANSWER).await?;
        while begin.elapsed() < within.saturating_add(ANSWER) {
            if UnixStream::connect(&self.path).await.is_err() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(self.silent(begin.elapsed()))
    }

    fn silent(&self, waited: Duration) -> ControlError {
        ControlError::Silent { path: self.path.clone(), waited }
    }

    async fn ask<T: DeserializeOwned>(&self, command: Command, patience: Duration) -> Result<T, ControlError> {
        let request = Request { schema: SCHEMA.to_owned(), command };
        let mut line = serde_json::to_vec(&request).map_err(|e| ControlError::Garbled(e.to_string()))?;
        line.push(b'\n');
        let begin = Instant::now();
        let patient = async {
            loop {
                let stream = UnixStream::connect(&self.path).await;
                let stream = stream.map_err(|source| ControlError::Absent { path: self.path.clone(), source })?;
                // A worker that vanished while it was asked: the question waits for the next one.
                match one(stream, &line).await {
                    Ok(reply) if !reply.is_empty() => return Ok::<_, ControlError>(reply),
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let reply = tokio::time::timeout(patience, patient).await.map_err(|_| self.silent(begin.elapsed()))??;
        let reply: Reply = serde_json::from_slice(&reply).map_err(|e| ControlError::Garbled(e.to_string()))?;
        match (reply.answer, reply.refused) {
            (_, Some(refused)) => Err(refused.into()),
            (Some(answer), None) => serde_json::from_value(answer).map_err(|e| ControlError::Garbled(e.to_string())),
            (None, None) => Err(ControlError::Garbled("neither answer nor refusal".to_owned())),
        }
    }
}

async fn one(mut stream: UnixStream, line: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(line).await?;
    let mut reply = Vec::new();
    BufReader::new(stream).read_until(b'\n', &mut reply).await?;
    // Half a line is no answer.
    Ok(if reply.ends_with(b"\n") { reply } else { Vec::new() })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
