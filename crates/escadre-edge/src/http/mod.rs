//! HTTP/1.1 and HTTP/2: one request from a client to a backend, and the answer back.
//!
//! In → Out: an accepted connection → requests; a request → the route by host and path → a backend's answer, a redirect,
//! or a page.
//!
//! **Invariant**: a request that contradicts HTTP reaches no backend, and its connection is closed. Every request of a
//! route is counted, once. Nobody is redirected to a name whose certificate does not work.
//!
//! Not here: handshakes (`tls`), headers (`headers`), what happens after 101 (`upgrade`).
//!
//! Tests: `tests/it/`.

mod ask;
mod body;
mod call;
mod link;
mod one;
mod redirect;
mod serve;
mod two;

use std::net::SocketAddr;

use crate::state::Connected;
pub(crate) use body::Answer;
pub(crate) use link::Link;
pub(crate) use one::one;
pub(crate) use two::two;

/// Who connected, and how.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) scheme: Scheme,
    pub(crate) connected: Connected,
}

/// What is spoken below HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https {
        /// The host that the client named in its handshake, lower case.
        name: Option<String>,
    },
    /// Nothing, on an address of TLS.
    NoTls,
}

impl Scheme {
    fn is_tls(&self) -> bool {
        matches!(self, Scheme::Https { .. })
    }
}
