//! Asking the edge, as engine drivers and the binary do.
//!
//! In → Out: a folder and a question → the edge's answer, or why there is none.
//!
//! **Invariant**: a question whose worker vanished is asked again, of the next one, within its time.
//!
//! Not here: what the words mean (`control`).
//!
//! Tests: `tests/it/`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{
    CertificateStatus, Command, Done, Flying, Loaded, Parking, Refused, Reply, Request, SCHEMA, Stats, Status,
};
use crate::files;

/// How long a certificate may take: authorities look several times, from several places.
const RENEWAL: Duration = Duration::from_secs(300);

/// How long a client waits for an answer, where the command itself does not wait.
const ANSWER: Duration = Duration::from_secs(15);

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
    /// [`Code::BadRoutes`](super::Code::BadRoutes) or [`Code::OldGeneration`](super::Code::OldGeneration) when the routes before are kept; the other [`ControlError`]s.
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

    /// The counters. For a span of time take two and ask the second for [`Stats::since`] the first.
    ///
    /// # Errors
    /// When no edge answers.
    pub async fn stats(&self) -> Result<Stats, ControlError> {
        self.ask(Command::Stats, ANSWER).await
    }

    /// Gives a backend nothing new and cuts what it has after the deadline. Returns at once.
    ///
    /// # Errors
    /// [`Code::Unknown`](super::Code::Unknown) for a backend the edge does not know; when no edge answers.
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

    /// Ends what a backend has under way; gives how much is left, which is nothing unless something new came.
    ///
    /// # Errors
    /// [`Code::Unknown`](super::Code::Unknown) for a backend the edge does not know; when no edge answers.
    pub async fn cut(&self, backend: &str) -> Result<Flying, ControlError> {
        self.ask(Command::Cut { backend: backend.to_owned() }, ANSWER).await
    }

    /// Lets what arrives for a route wait.
    ///
    /// # Errors
    /// [`Code::Unknown`](super::Code::Unknown) for a route the edge does not know; when no edge answers.
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

    /// Has a host's certificate asked for now; returns when the try has ended, well or not.
    ///
    /// # Errors
    /// When the host has no certificate of a public authority, or the authority wants to be left alone; when no edge answers.
    pub async fn renew(&self, host: &str) -> Result<CertificateStatus, ControlError> {
        self.ask(Command::Renew { host: host.to_owned() }, RENEWAL).await
    }

    /// Has the worker replaced by a new process of the executable as it is now, and then the holder; returns when both are.
    /// Whether the holder could be is in [`HolderStatus::problem`](super::HolderStatus::problem); one of an early version never is.
    ///
    /// # Errors
    /// [`ControlError::Silent`] when no new worker answers in time (the old one goes on then); when no edge answers.
    pub async fn upgrade(&self) -> Result<Status, ControlError> {
        let begin = Instant::now();
        let before = self.status().await?;
        let _begun: Done = self.ask(Command::Upgrade, ANSWER).await?;
        while begin.elapsed() < ANSWER {
            let status = self.status().await?;
            let followed = match (&before.holder, &status.holder) {
                (Some(before), Some(now)) => now.renewed > before.renewed || now.problem.is_some(),
                _ => true,
            };
            if status.worker > before.worker && followed {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(self.silent(begin.elapsed()))
    }

    /// Asks the holder to hand everything over to a process that waits for it.
    pub(crate) async fn hand_over(&self, successor: u32) -> Result<(), ControlError> {
        self.ask::<Done>(Command::HandOver { successor }, ANSWER).await.map(drop)
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
