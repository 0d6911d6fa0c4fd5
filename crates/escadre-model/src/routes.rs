//! The routes file: what the edge listens on and where each name leads.
//!
//! In → Out: bytes of `routes.json` → [`Routes`]; [`Routes`] → the conflicts in it.
//!
//! **Invariant**: reading is total (any bytes give a value or a sentence, never a panic), tolerates unknown fields and
//! the schema before this one, and refuses a newer schema instead of guessing. Two routes never share a host and path,
//! two listeners never share an address.
//!
//! Not here: who writes the file (an engine driver), who serves it (`escadre-edge`), how a fleet becomes routes.
//!
//! Tests: `routes/tests.rs`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::cidr::Cidr;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The name of the schema this version writes.
pub const SCHEMA: &str = "escadre.routes/2";

/// The newest schema number this version reads; it reads the one before it as well.
pub const SCHEMA_NUMBER: u32 = 2;

/// How long a request waits for the first byte of an answer when the route does not say (milliseconds).
pub const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// How long a parked request waits when the route does not say (milliseconds).
pub const DEFAULT_PARK_MS: u64 = 10_000;

/// How many requests or connections of one route may wait parked at the same time when the route does not say.
pub const DEFAULT_PARK_QUEUE: u32 = 256;

/// How long work in flight on a backend that left the file may go on when nobody gave a deadline (milliseconds).
pub const DEFAULT_DRAIN_MS: u64 = 60_000;

/// Everything the edge serves, as one value that replaces the one before it as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Always [`SCHEMA`] when written by this version.
    pub schema: String,
    /// Counts up with every written file; the edge acknowledges this number and refuses to go backwards.
    pub generation: u64,
    /// Addresses that speak HTTP. Every address is bound for its own family only: name `0.0.0.0` and `[::]` for both
    /// (see [`everywhere`]).
    #[serde(default)]
    pub http_listen: Vec<SocketAddr>,
    /// Addresses that speak TLS, with HTTP in it: for routes that say where their certificates come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub https_listen: Vec<SocketAddr>,
    /// How public certificates are had; nothing: none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<Acme>,
    /// Networks of proxies in front of the edge, whose `X-Forwarded-*` are believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<Cidr>,
    /// Connections that one client may have at once; nothing: the edge's own limit. Proxies that are believed are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_connections: Option<u32>,
    /// Most bytes of the log of requests, all of its files together; nothing: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log_bytes: Option<u64>,
    /// HTTP routes by host and path.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// TCP routes by listening address.
    #[serde(default)]
    pub tcp: Vec<TcpRoute>,
    /// How long work in flight on a backend that left the file may go on when nobody gave a deadline (milliseconds).
    #[serde(default = "default_drain")]
    pub drain_ms: u64,
}

/// A public certificate authority that speaks ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acme {
    /// Its directory, an https URL.
    pub directory: String,
    /// Whom it may write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Certificates (PEM) that its own server is judged by; nothing: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<String>,
}

/// Where the certificates of a route's names come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Tls {
    /// From the local authority for private names, from the public one for the others ([`crate::host::reach`]); names
    /// that nobody certifies are served without.
    Usual,
    /// From the local authority.
    Local,
    /// From the public authority.
    Acme,
    /// One that was brought: chain and key in a file of the edge's folder, called by its content's hash.
    File {
        /// The file's name without ending.
        id: String,
    },
}

/// What a request without TLS gets where a certificate works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plain {
    /// A redirect to https.
    Redirect,
    /// The same as with it.
    Serve,
}

/// One HTTP route: names and a path that lead to backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Stable identity, `fleet/instance/endpoint`; counters and commands speak of it.
    pub id: String,
    /// Host names without port, in any case, with or without the final dot.
    pub hosts: Vec<String>,
    /// Leading path segments this route serves (`/api` serves `/api` and `/api/x`, not `/apix`); `/` or nothing is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Largest request body in bytes; nothing means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_limit_bytes: Option<u64>,
    /// Longest silence before the first byte of the answer (milliseconds). Streams that have begun are never cut by it.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u64,
    /// Hosts that are answered with a redirect to the first of `hosts`, same path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_hosts: Vec<String>,
    /// Where the certificates of its names come from; nothing: it is served without TLS only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What requests without TLS get once a certificate works; nothing: a redirect, but for certificates of the local
    /// authority, which the client need not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Plain>,
    /// For how long browsers shall remember to use TLS only (seconds; `Strict-Transport-Security`); nothing: not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts_s: Option<u64>,
    /// Where requests go. Empty and not parked means: stopped, or being started.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// While there is no backend: one is being started, and whoever asks is told so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub starting: bool,
    /// Requests wait instead of being sent on.
    #[serde(default)]
    pub parked: bool,
    /// How long a parked request waits before it is answered 503 (milliseconds).
    #[serde(default = "default_park")]
    pub park_ms: u64,
    /// How many requests may wait parked at once; the next one is answered 503 immediately.
    #[serde(default = "default_queue")]
    pub park_queue: u32,
}

/// One TCP route: bytes from a listening address to backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpRoute {
    /// Stable identity, `fleet/instance/endpoint`.
    pub id: String,
    /// The address the edge listens on for this route; an IPv6 address is bound for IPv6 only.
    pub listen: SocketAddr,
    /// How backends are told who connects; nothing: they see the edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Where connections go. Empty and not parked means: stopped, the connection is reset.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// Connections are accepted and wait before they are connected.
    #[serde(default)]
    pub parked: bool,
    /// How long a parked connection waits before it is reset (milliseconds).
    #[serde(default = "default_park")]
    pub park_ms: u64,
    /// How many connections may wait parked at once; the next one is reset immediately.
    #[serde(default = "default_queue")]
    pub park_queue: u32,
}

/// A version of the PROXY protocol (HAProxy's specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// One line of text.
    V1,
    /// Bytes.
    V2,
}

/// One address that serves a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Identity, unique to one generation of one container; the same container may serve several routes under one id.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it gets new work.
    #[serde(default)]
    pub state: BackendState,
}

/// Whether a backend gets new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// It gets its share.
    #[default]
    Active,
    /// It finishes what it has and gets nothing new.
    Draining,
}

/// Why a routes file is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoutesError {
    /// Not JSON, or not the shape of a routes file.
    #[error("the routes file is not readable: {0}")]
    Unreadable(String),
    /// Another file, or none of ours.
    #[error("the routes file says schema {0:?}, expected {SCHEMA:?}")]
    WrongSchema(String),
    /// Written by a newer version.
    #[error("the routes file has schema {0:?}, newer than {SCHEMA:?} which this version reads")]
    NewerSchema(String),
    /// It contradicts itself.
    #[error("the routes file contradicts itself: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Conflicts(Vec<Conflict>),
}

/// One contradiction in a routes file; it names both sides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Two routes claim one host and path.
    #[error("{first} and {second} both claim {host}{path}")]
    HostPath {
        /// The route that came first in the file.
        first: String,
        /// The other route.
        second: String,
        /// The host, normalised.
        host: String,
        /// The path prefix, normalised.
        path: String,
    },
    /// Two listeners claim one address (`0.0.0.0:80` also claims `127.0.0.1:80`).
    #[error("{first} and {second} both listen on {address}")]
    Listen {
        /// Who came first: a route's id, `http_listen` or `https_listen`.
        first: String,
        /// The other one.
        second: String,
        /// The address of the second one.
        address: SocketAddr,
    },
    /// Two routes have one id.
    #[error("two routes are called {0}")]
    RouteId(String),
    /// One backend id stands for two addresses.
    #[error("backend {id} has two addresses, {first} and {second}")]
    BackendAddress {
        /// The backend.
        id: String,
        /// The address that came first.
        first: SocketAddr,
        /// The other address.
        second: SocketAddr,
    },
    /// A host that is no host name.
    #[error("route {route}: {host:?} is not a host name")]
    BadHost {
        /// The route.
        route: String,
        /// As written.
        host: String,
    },
    /// A path that is no path prefix.
    #[error("route {route}: {path:?} is not a path that begins with / and has no query")]
    BadPath {
        /// The route.
        route: String,
        /// As written.
        path: String,
    },
    /// Two routes of one host do not agree about TLS: it is decided before the path is known.
    #[error("{first} and {second} share the host {host} and say different things about TLS")]
    Tls {
        /// The route that came first in the file.
        first: String,
        /// The other route.
        second: String,
        /// The host, normalised.
        host: String,
    },
    /// A certificate's file that is called as no file of ours is.
    #[error("route {route}: {id:?} is no name of a certificate's file")]
    BadCertificate {
        /// The route.
        route: String,
        /// As written.
        id: String,
    },
    /// A route nobody can reach.
    #[error("route {0} has no host")]
    NoHost(String),
}

/// The number in the name of a schema of this file.
fn schema_number(schema: &str) -> Option<u32> {
    schema.strip_prefix("escadre.routes/")?.parse().ok()
}

impl Routes {
    /// An empty table of the given generation.
    #[must_use]
    pub fn empty(generation: u64) -> Routes {
        Routes {
            schema: SCHEMA.to_owned(),
            generation,
            http_listen: Vec::new(),
            https_listen: Vec::new(),
            acme: None,
            trusted_proxies: Vec::new(),
            client_connections: None,
            access_log_bytes: None,
            routes: Vec::new(),
            tcp: Vec::new(),
            drain_ms: DEFAULT_DRAIN_MS,
        }
    }

    /// Reads and checks the bytes of a routes file.
    ///
    /// # Errors
    /// [`RoutesError`] when it is not ours, of a newer schema, unreadable, or contradicts itself.
    pub fn parse(bytes: &[u8]) -> Result<Routes, RoutesError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|e| RoutesError::Unreadable(e.to_string()))?;
        match schema_number(&head.schema) {
            None => return Err(RoutesError::WrongSchema(head.schema)),
            Some(n) if n > SCHEMA_NUMBER => return Err(RoutesError::NewerSchema(head.schema)),
            Some(n) if n + 1 < SCHEMA_NUMBER || n == 0 => return Err(RoutesError::WrongSchema(head.schema)),
            Some(_) => {}
        }
        let routes: Routes = serde_json::from_slice(bytes).map_err(|e| RoutesError::Unreadable(e.to_string()))?;
        let conflicts = routes.conflicts();
        if conflicts.is_empty() { Ok(routes) } else { Err(RoutesError::Conflicts(conflicts)) }
    }

    /// The table as one who reads schemas up to `newest` gets it.
    ///
    /// # Errors
    /// [`RoutesError::NewerSchema`] when it cannot.
    pub fn for_readers_of(self, newest: u32) -> Result<Routes, RoutesError> {
        match schema_number(&self.schema) {
            Some(number) if number > newest => Err(RoutesError::NewerSchema(self.schema)),
            _ => Ok(self),
        }
    }

    /// The bytes of the file, for people to read too.
    ///
    /// # Errors
    /// Only if serialising fails, which these types do not.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RoutesError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|e| RoutesError::Unreadable(e.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Every contradiction in the table, in the order of the file; none means it can be served.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut found = Vec::new();
        self.check_ids(&mut found);
        self.check_hosts(&mut found);
        self.check_listeners(&mut found);
        self.check_backends(&mut found);
        found
    }

    fn check_ids(&self, found: &mut Vec<Conflict>) {
        let mut seen = std::collections::BTreeSet::new();
        for id in self.routes.iter().map(|r| &r.id).chain(self.tcp.iter().map(|r| &r.id)) {
            if !seen.insert(id) {
                found.push(Conflict::RouteId(id.clone()));
            }
        }
    }

    fn check_hosts(&self, found: &mut Vec<Conflict>) {
        let mut claims: BTreeMap<(String, String), &str> = BTreeMap::new();
        let mut secured: BTreeMap<String, &Route> = BTreeMap::new();
        for route in &self.routes {
            if route.hosts.is_empty() {
                found.push(Conflict::NoHost(route.id.clone()));
            }
            if let Some(Tls::File { id }) = &route.tls
                && !is_file_id(id)
            {
                found.push(Conflict::BadCertificate { route: route.id.clone(), id: id.clone() });
            }
            let path = match normal_path(route.path.as_deref()) {
                Some(path) => path,
                None => {
                    let path = route.path.clone().unwrap_or_default();
                    found.push(Conflict::BadPath { route: route.id.clone(), path });
                    continue;
                }
            };
            for written in route.hosts.iter().chain(&route.redirect_hosts) {
                let Some(host) = normal_host(written) else {
                    found.push(Conflict::BadHost { route: route.id.clone(), host: written.clone() });
                    continue;
                };
                let first = *secured.entry(host.clone()).or_insert(route);
                if (&first.tls, first.plain, first.hsts_s) != (&route.tls, route.plain, route.hsts_s) {
                    let (first, second) = (first.id.clone(), route.id.clone());
                    found.push(Conflict::Tls { first, second, host: host.clone() });
                }
                if let Some(first) = claims.get(&(host.clone(), path.clone())) {
                    let (first, second) = ((*first).to_owned(), route.id.clone());
                    found.push(Conflict::HostPath { first, second, host, path: path.clone() });
                } else {
                    claims.insert((host, path.clone()), &route.id);
                }
            }
        }
    }

    fn check_listeners(&self, found: &mut Vec<Conflict>) {
        // By port and family, so that a thousand TCP routes cost a thousand look-ups.
        let mut claims: BTreeMap<(u16, bool), Vec<(IpAddr, &str)>> = BTreeMap::new();
        let http = self.http_listen.iter().map(|a| ("http_listen", *a));
        let https = self.https_listen.iter().map(|a| ("https_listen", *a));
        let tcp = self.tcp.iter().map(|r| (r.id.as_str(), r.listen));
        for (who, address) in http.chain(https).chain(tcp) {
            // Port 0 means "any free port" and clashes with nobody.
            if address.port() == 0 {
                continue;
            }
            let taken = claims.entry((address.port(), address.is_ipv6())).or_default();
            let clash = taken
                .iter()
                .find(|(ip, _)| *ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified());
            if let Some((_, first)) = clash {
                found.push(Conflict::Listen { first: (*first).to_owned(), second: who.to_owned(), address });
            } else {
                taken.push((address.ip(), who));
            }
        }
    }

    fn check_backends(&self, found: &mut Vec<Conflict>) {
        let mut known: BTreeMap<(&str, u16), SocketAddr> = BTreeMap::new();
        let all = self.routes.iter().flat_map(|r| &r.backends).chain(self.tcp.iter().flat_map(|r| &r.backends));
        for backend in all {
            // One container has several ports, but one address for each of them.
            let first = *known.entry((&backend.id, backend.address.port())).or_insert(backend.address);
            if first != backend.address {
                let (id, second) = (backend.id.clone(), backend.address);
                found.push(Conflict::BackendAddress { id, first, second });
            }
        }
    }
}

impl Route {
    /// A route with the defaults: whole host, no body limit, not parked, no backend.
    #[must_use]
    pub fn new(id: impl Into<String>, hosts: Vec<String>) -> Route {
        Route {
            id: id.into(),
            hosts,
            path: None,
            body_limit_bytes: None,
            timeout_ms: DEFAULT_TIMEOUT_MS,
            redirect_hosts: Vec::new(),
            tls: None,
            plain: None,
            hsts_s: None,
            backends: Vec::new(),
            starting: false,
            parked: false,
            park_ms: DEFAULT_PARK_MS,
            park_queue: DEFAULT_PARK_QUEUE,
        }
    }
}

impl Route {
    /// The file of the certificate that was brought for it.
    #[must_use]
    pub fn brought(&self) -> Option<&str> {
        match &self.tls {
            Some(Tls::File { id }) => Some(id),
            _ => None,
        }
    }
}

impl TcpRoute {
    /// A TCP route with the defaults: not parked, no backend.
    #[must_use]
    pub fn new(id: impl Into<String>, listen: SocketAddr) -> TcpRoute {
        TcpRoute {
            id: id.into(),
            listen,
            proxy_protocol: None,
            backends: Vec::new(),
            parked: false,
            park_ms: DEFAULT_PARK_MS,
            park_queue: DEFAULT_PARK_QUEUE,
        }
    }
}

impl Backend {
    /// An active backend.
    #[must_use]
    pub fn new(id: impl Into<String>, address: SocketAddr) -> Backend {
        Backend { id: id.into(), address, state: BackendState::Active }
    }
}

/// All addresses of this host at one port: IPv4 and IPv6.
#[must_use]
pub fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![
        SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
    ]
}

/// Whether a certificate's file may be called so: it is a part of a path.
#[must_use]
pub fn is_file_id(id: &str) -> bool {
    (8..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A host as it is compared: lower case, without the final dot. Takes a bare host (no port); an IPv6 address stands
/// in brackets. `None` if it is no host name or address (RFC 1123 labels; `_` is let through because people use it).
#[must_use]
pub fn normal_host(written: &str) -> Option<String> {
    let host = written.strip_suffix('.').unwrap_or(written);
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(|ip| format!("[{ip}]"));
    }
    if host.is_empty() || host.len() > 253 {
        return None;
    }
    let fine = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.split('.').all(fine).then(|| host.to_ascii_lowercase())
}

/// A path prefix as it is compared: begins with `/`, no final `/` (the whole host is the empty string). `None` if it is
/// no path.
#[must_use]
pub fn normal_path(written: Option<&str>) -> Option<String> {
    let path = written.unwrap_or("/");
    let fine = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
    fine.then(|| path.trim_end_matches('/').to_owned())
}

fn default_timeout() -> u64 {
    DEFAULT_TIMEOUT_MS
}

fn default_park() -> u64 {
    DEFAULT_PARK_MS
}

fn default_queue() -> u32 {
    DEFAULT_PARK_QUEUE
}

fn default_drain() -> u64 {
    DEFAULT_DRAIN_MS
}
