//! Sending clients elsewhere: from another name to the route's own, from HTTP to HTTPS.
//!
//! In → Out: what is asked for, and how → a redirect, or nothing where the request is served as it is.
//!
//! **Invariant**: to HTTPS only where the certificate of the name works at this moment; in one step, whatever is to be
//! changed. The path and query stay as they were sent.
//!
//! Not here: which route it is (`table`).
//!
//! Tests: `tests/it/tls.rs`, `tests/it/routing.rs`.

use std::time::SystemTime;

use escadre_model::routes::Plain;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Response, StatusCode, Uri};

use super::ask::Asked;
use super::{Answer, Arrival};
use crate::flight::lock;
use crate::state::Edge;
use crate::table::{Table, Target};

/// The ports that nobody writes.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// With TLS, to us or to a proxy that is believed.
    pub(crate) tls: bool,
    /// The port of ours that it came to.
    pub(crate) came_to: u16,
}

/// The redirect for a request, if it is one.
pub(crate) fn of(
    edge: &Edge,
    table: &Table,
    how: How,
    asked: &Asked,
    target: &Target,
    uri: &Uri,
) -> Option<Response<Answer>> {
    let is_tls = how.tls;
    let (entry, host, other_name) = match target {
        Target::Serve(entry) => (entry, asked.host.as_str(), false),
        Target::Redirect(entry) => (entry, entry.host.as_str(), true),
    };
    let wanted = table.secured(host).filter(|secured| is_tls || secured.plain == Plain::Redirect);
    let to_tls = wanted.is_some_and(|secured| edge.keyring.of(host, &secured.source, SystemTime::now()).is_some());
    if !other_name && (is_tls || !to_tls) {
        return None;
    }
    // A redirect is an answer of the route: it counts.
    drop(entry.live.arrive());
    let port = match (is_tls, to_tls) {
        (false, true) => tls_port(edge, table, how, asked),
        (true, false) => None,
        _ => asked.port,
    };
    // Permanent, but a name that is given to somebody else must not be redirected by browsers for ever; and a
    // certificate may end.
    Some(respond(to_tls, host, port, uri, if other_name { "max-age=3600" } else { "no-cache" }))
}

/// HTTP was spoken on an address of TLS: the same address with TLS.
pub(crate) fn to_tls_here(arrival: &Arrival, asked: &Asked, uri: &Uri) -> Response<Answer> {
    let port = asked.port.or(Some(arrival.local.port()));
    let mut response = respond(true, &asked.host, port, uri, "no-store");
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The port of HTTPS as the client must name it; `None`: the usual one.
fn tls_port(edge: &Edge, table: &Table, how: How, asked: &Asked) -> Option<u16> {
    // Whoever came by the usual port although we do not listen there came through something that leads to us; it leads
    // the usual port of HTTPS to us as well.
    if asked.port.is_none() && how.came_to != HTTP {
        return None;
    }
    let listening = lock(&edge.listening);
    let bound = table.https.iter().map(|at| listening.get(at).and_then(|l| l.bound).unwrap_or(*at).port());
    let ports: Vec<u16> = bound.collect();
    if ports.contains(&HTTPS) { None } else { ports.first().copied() }
}

fn respond(tls: bool, host: &str, port: Option<u16>, uri: &Uri, cache: &'static str) -> Response<Answer> {
    let (scheme, usual) = if tls { ("https", HTTPS) } else { ("http", HTTP) };
    let port = port.filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    // `*` is a request for the server as a whole; it has no path to keep.
    let path = if path.starts_with('/') { path } else { "/" };
    let mut response = Response::new(Answer::page(None));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&format!("{scheme}://{host}{port}{path}")) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}
