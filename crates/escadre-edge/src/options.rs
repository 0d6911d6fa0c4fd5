//! What the edge is started with.
//!
//! In → Out: settings of the binary → [`Options`]; [`Limits`] travel from the holder to the worker.
//!
//! **Invariant**: limits are always finite; reading tolerates fields of other versions.
//!
//! Not here: routes, which are a file; where the folder lies, which the binary knows.
//!
//! Tests: `tests/it/`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the holder is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The edge's folder: `routes.json` is read there, `control.sock`, `edge.pid` and `edge.log` are made there. It is
    /// created (mode 0700) if it is missing.
    pub dir: PathBuf,
    /// How the holder starts a worker.
    pub worker: WorkerProgram,
    /// What clients may do.
    pub limits: Limits,
    /// How long a worker that is replaced or stopped may finish what it has.
    pub retire: Duration,
}

/// The program that ends in [`crate::worker::run`].
#[derive(Debug, Clone)]
pub struct WorkerProgram {
    /// Usually the running executable.
    pub program: PathBuf,
    /// Usually `proxy worker`.
    pub args: Vec<OsString>,
}

/// What clients may do. Sent to the worker by the holder, therefore readable across versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Largest request head in bytes (16 kB).
    pub header_bytes: usize,
    /// Most header lines of a request (100).
    pub header_count: usize,
    /// Longest time for a complete request head, and for a handshake (milliseconds; 10 s).
    pub header_timeout_ms: u64,
    /// Longest silence between requests of one connection (milliseconds; 60 s).
    pub idle_timeout_ms: u64,
    /// How long a client may keep us waiting for the next piece of a body, or with reading an answer; a second of it is
    /// given back for each kilobyte that moves, so that it is also the end of a trickle (milliseconds; 60 s).
    pub patience_ms: u64,
    /// Longest time for a connection to a backend (milliseconds; 5 s).
    pub connect_timeout_ms: u64,
    /// Connections open at once over all listeners; further ones wait in the accept backlog (10,000).
    pub connections: usize,
    /// Of these, what one client may have, an IPv6 client being its /64; the routes file may say another number (2,500).
    /// Further ones are closed at once.
    pub client_connections: u32,
    /// How often a listener whose port was taken is tried again (milliseconds; 1 s).
    pub listen_retry_ms: u64,
    /// The first wait after a certificate was refused; each further one is four times the one before, a day at most
    /// (milliseconds; 60 s).
    pub acme_wait_ms: u64,
    /// Threads of the worker (2).
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_bytes: 16 * 1024,
            header_count: 100,
            header_timeout_ms: 10_000,
            idle_timeout_ms: 60_000,
            patience_ms: 60_000,
            connect_timeout_ms: 5_000,
            connections: 10_000,
            client_connections: 2_500,
            listen_retry_ms: 1_000,
            acme_wait_ms: 60_000,
            threads: 2,
        }
    }
}

impl Options {
    /// The defaults for a folder and a worker program.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, worker: WorkerProgram) -> Options {
        Options { dir: dir.into(), worker, limits: Limits::default(), retire: Duration::from_secs(300) }
    }
}
