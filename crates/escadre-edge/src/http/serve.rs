//! One request: what it is for, whether it may be had on this connection, and what it gets.
//!
//! In → Out: a request, who sent it → a backend's answer, a redirect, a page.
//!
//! **Invariant**: a request of a route is counted once, and told once where requests are logged.
//!
//! Not here: connections (`one`, `two`), reaching a backend (`call`).
//!
//! Tests: `tests/it/routing.rs`, `tests/it/hostile.rs`, `tests/it/access.rs`.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::ask::Asked;
use super::body::{Answer, Download, Kind, Upload};
use super::call::{self, Answered, Call, Instead};
use super::link::Link;
use super::redirect::{self, How};
use super::{Arrival, Scheme};
use crate::access::Line;
use crate::client::Client;
use crate::flight::{Failure, Flight, Visit};
use crate::headers;
use crate::pace::Pace;
use crate::pages::Page;
use crate::state::Edge;
use crate::table::{Entry, Table, Target};
use crate::tls::acme::challenge;
use crate::upgrade::{self, Tunnel};

/// Answers one request, and has it told. `pace`: of a connection that knows how far a body is by it.
pub(super) async fn request(
    edge: &Arc<Edge>,
    arrival: &Arc<Arrival>,
    request: Request<Incoming>,
    pace: Option<&Arc<Pace>>,
) -> Response<Answer> {
    let mut line = edge.access.begin();
    if let Some(line) = &mut line {
        begin(line, arrival, &request);
    }
    let mut response = attend(edge, arrival, request, &mut line, pace).await;
    // A tunnel takes it along.
    if let Some(mut line) = line {
        line.status(response.status());
        response.body_mut().tell(line);
    }
    response
}

/// What is asked for, as it was said.
fn begin(line: &mut Line, arrival: &Arrival, request: &Request<Incoming>) {
    let uri = request.uri();
    let said = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(said);
    let version = match request.version() {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    line.came(arrival.peer.ip().to_canonical(), if arrival.scheme.is_tls() { "https" } else { "http" });
    line.asked(request.method().as_str(), host, uri.path(), version);
}

async fn attend(
    edge: &Arc<Edge>,
    arrival: &Arc<Arrival>,
    mut request: Request<Incoming>,
    line: &mut Option<Line>,
    pace: Option<&Arc<Pace>>,
) -> Response<Answer> {
    let Some(asked) = Asked::of(&request) else { return page(Page::BadRequest, request.headers()) };
    if let Some(proof) = challenge::answer(&edge.dir, request.uri().path()).await {
        return Response::new(Answer::page(Some(proof.into())));
    }
    let table = edge.tables.load();
    let (peer, port, tls) = (arrival.peer, arrival.local.port(), arrival.scheme.is_tls());
    let client = Client::of(request.headers(), peer, port, tls, &table.trusted);
    if let Some(line) = line {
        line.came(client.ip, client.scheme());
    }
    let entry = match lead(edge, &table, arrival, &asked, &client, &request) {
        Ok(entry) => entry,
        Err(response) => return *response,
    };
    if let Some(line) = line {
        line.route(&entry.live);
    }
    let hsts = table.secured(&asked.host).and_then(|secured| secured.hsts_s).filter(|_| client.tls);
    drop(table);
    let visit = entry.live.arrive();
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse::<u64>().ok());
    if entry.body_limit.zip(length).is_some_and(|(limit, length)| length > limit) {
        return page(Page::TooLarge, request.headers());
    }
    let on_client = headers::upgrade_of(request.headers()).filter(|_| request.version() != Version::HTTP_2);
    let on_client = on_client.map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
    let path = request.uri().path().to_owned();
    let found = |table: &Table| match table.find(&asked.host, &path) {
        Some(Target::Serve(entry)) => Some(entry),
        _ => None,
    };
    let (mut parts, body) = request.into_parts();
    headers::forward(&mut parts.headers, &client, &asked.written);
    let protocol = on_client.as_ref().map(|(protocol, _)| protocol.clone());
    let patience = crate::table::bounded(edge.limits.patience_ms);
    let upload = Upload::of(body, entry.body_limit, patience, pace);
    let call = Call::new(parts, upload, protocol);
    drop(entry);
    let reached = call::attend(edge, &found, &call).await;
    pass_on(reached, call, visit, line, arrival, on_client.map(|(_, client)| client), hsts)
}

/// The route, or what is answered instead.
fn lead(
    edge: &Edge,
    table: &Table,
    arrival: &Arrival,
    asked: &Asked,
    client: &Client,
    request: &Request<Incoming>,
) -> Result<Arc<Entry>, Box<Response<Answer>>> {
    let instead = |instead: Page| Err(Box::new(page(instead, request.headers())));
    if arrival.scheme == Scheme::NoTls {
        return match table.secured(&asked.host) {
            Some(_) => Err(Box::new(redirect::to_tls_here(arrival, asked, request.uri()))),
            None => instead(Page::NoTls),
        };
    }
    let Some(first) = table.find(&asked.host, request.uri().path()) else { return instead(Page::Unknown) };
    if !is_authority(edge, table, &arrival.scheme, &asked.host) {
        return instead(Page::Misdirected);
    }
    let how = How { tls: client.tls, came_to: arrival.local.port() };
    if let Some(response) = redirect::of(edge, table, how, asked, &first, request.uri()) {
        return Err(Box::new(response));
    }
    match first {
        Target::Serve(entry) => Ok(entry),
        Target::Redirect(_) => instead(Page::Unknown),
    }
}

/// What a backend answered, or why none did, as the client gets it.
fn pass_on(
    reached: Result<Answered, Instead>,
    call: Call,
    visit: Visit,
    line: &mut Option<Line>,
    arrival: &Arc<Arrival>,
    on_client: Option<OnUpgrade>,
    hsts: Option<u64>,
) -> Response<Answer> {
    let Answered { response, flight, link, again } = match reached {
        Ok(answered) => answered,
        Err(instead) => return refuse(instead, &visit, line, &call),
    };
    if let Some(line) = line {
        line.backend(&flight.backend.id);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let connected = Arc::clone(&arrival.connected);
        return match on_client {
            Some(client) => {
                let tunnel = Tunnel { flight, visit, connected, line: line.take() };
                upgrade::switch(client, response, tunnel).map(|()| Answer::page(None))
            }
            // Nobody asked for it: what follows could not be understood.
            None => {
                let broken = Instead { page: Page::Unreachable, failure: Some(Failure::Broken) };
                refuse(broken, &visit, line, &call)
            }
        };
    }
    let mut response = answer(response, flight, visit, (link, again));
    if let Some(seconds) = hsts
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={seconds}"))
    {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// Whether this connection may speak for a host: over TLS, the certificate that the client saw must be the host's own,
/// or one customer's page could be had under another one's name.
fn is_authority(edge: &Edge, table: &Table, scheme: &Scheme, host: &str) -> bool {
    let Scheme::Https { name } = scheme else { return true };
    let Some(name) = name else { return false };
    let Some(asked) = table.secured(host) else { return false };
    if name == host {
        return true;
    }
    let now = SystemTime::now();
    let of = |host: &str, secured: &crate::tls::keyring::Secured| edge.keyring.of(host, &secured.source, now);
    let shown = table.secured(name).and_then(|secured| of(name, secured));
    shown.zip(of(host, asked)).is_some_and(|(shown, own)| Arc::ptr_eq(shown.key(), own.key()))
}

/// The backend's answer as the client gets it.
fn answer(response: Response<Incoming>, flight: Flight, visit: Visit, (link, again): (Link, bool)) -> Response<Answer> {
    let (mut parts, body) = response.into_parts();
    if parts.headers.contains_key(header::TRANSFER_ENCODING) {
        // Both framings in an answer: the chunks are what was read (RFC 9112, 6.3), so only they are passed on.
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    headers::strip_hop_by_hop(&mut parts.headers);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    if parts.status.is_server_error() {
        visit.backend_error();
    }
    let download = Download { body, flight, visit, link: Some(link), again, ended: false };
    Response::from_parts(parts, Answer::of(Kind::Backend(download)))
}

fn page(page: Page, asked: &http::HeaderMap) -> Response<Answer> {
    page.respond(asked).map(|bytes| Answer::page(Some(bytes)))
}

/// A page, counted as a failure where it is ours or the backend's.
fn refuse(instead: Instead, visit: &Visit, line: &mut Option<Line>, call: &Call) -> Response<Answer> {
    if let Some(failure) = instead.failure {
        visit.fail(failure);
    }
    if let Some(line) = line {
        line.failed(instead.failure);
    }
    page(instead.page, call.headers())
}
