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

use crate::version::Version;

/// What the holder is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The edge's folder: `routes.json` is read there, `control.sock`, `edge.pid` and `edge.log` are made there. It is
    /// created (mode 0700) if it is missing.
    pub dir: PathBuf,
    /// How the holder starts a worker.
    pub worker: Program,
    /// How the holder begins anew when it is upgraded: as it was started, without `take_over`.
    pub holder: Program,
    /// What the holder says it is: [`Version::ours`].
    pub version: Version,
    /// Take over from the edge that runs in this folder, if one does, instead of refusing to start.
    pub take_over: bool,
    /// Whom to tell that the edge serves, and to have its listening sockets kept: the socket of systemd's
    /// `NOTIFY_SOCKET`.
    pub notify: Option<PathBuf>,
    /// What clients may do.
    pub limits: Limits,
    /// How long a worker that is replaced or stopped may finish what it has.
    pub retire: Duration,
}

/// A program of ours with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// Usually the running executable.
    pub program: PathBuf,
    /// What makes it end in [`crate::worker::run`], or in [`crate::holder::run`].
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
    /// Threads of the worker that carry connections (2).
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
    /// The defaults for a folder and the two programs.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, worker: Program, holder: Program) -> Options {
        Options {
            dir: dir.into(),
            worker,
            holder,
            version: Version::ours(),
            take_over: false,
            notify: None,
            limits: Limits::default(),
            retire: Duration::from_secs(300),
        }
    }
}
