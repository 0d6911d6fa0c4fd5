//! The edge: what carries traffic. HTTP by host name and TCP by port, from listeners to backends, while backends come
//! and go.
//!
//! In → Out: `routes.json` (written by others, see [`files::write_routes`]) and connections → connections to backends;
//! commands on a control socket → what is true now ([`control`]).
//!
//! ```text
//! holder ── owns listening sockets, passes them on, restarts the worker,       holder, channel
//!   │         is itself replaced in its process, or by another one
//!   └─ worker ── reads routes.json, accepts, answers the control socket        worker, commands, listeners
//!        ├─ carriers  threads, each with its own connections
//!        ├─ table     routes as looked up per request, swapped as a whole
//!        ├─ flight    what is under way for each backend and route; drain, cut, counters
//!        ├─ ledger    counters of all workers, added up
//!        ├─ park      waiting while nobody can serve
//!        ├─ tls       handshakes; certificates: the local authority's, brought ones
//!        ├─ http      requests and answers; headers, client, pool, upgrade, pages
//!        ├─ tcp       bytes both ways; proxy_protocol
//!        ├─ pace, patience, crowd   how long and how often a client may
//!        └─ access    the log of requests
//! ```
//!
//! **Invariant**: the edge knows no fleet, no engine and no store; it writes nothing but its pid, its log and its own
//! certificates. A bad
//! routes file never replaces a good one. A backend that leaves the table is cut only when its work has ended or its
//! deadline has passed. Nothing the network sends can stop the process.
//!
//! Not here: who decides the routes (an engine driver).
//!
//! Tests: `tests/it/main.rs` (real processes and sockets), `tests.rs` beside the pure modules.

mod access;
mod carriers;
pub mod certificate;
mod channel;
mod client;
mod commands;
pub mod control;
mod crowd;
pub mod files;
mod flight;
mod headers;
pub mod holder;
mod http;
mod ledger;
mod listeners;
mod log;
mod options;
mod pace;
mod pages;
mod park;
mod patience;
mod pool;
mod proxy_protocol;
mod state;
mod table;
mod tcp;
pub(crate) mod tls;
mod upgrade;
mod version;
pub mod worker;

pub use options::{Limits, Options, Program};
pub use tls::authority;
pub use version::Version;
