//! HTTP/1.1 and HTTP/2: one request from a client to a backend, and the answer back.
//!
//! In → Out: an accepted connection → requests; a request → the route by host and path → a backend's answer, a redirect,
//! or a page.
//!
//! **Invariant**: a request that contradicts HTTP reaches no backend, and its connection is closed. Every request of a
//! route is counted, once. Nobody is redirected to a name whose certificate does not work.
//!
//! Not here: handshakes (`tls`), sending (`call`), bodies (`body`), headers (`headers`), what happens after 101 (`upgrade`).
//!
//! Tests: `tests/it/`.

mod ask;
mod body;
mod call;
mod redirect;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use crate::flight::{Failure, Flight, Visit};
use crate::headers::{self, From};
use crate::pages::Page;
use crate::state::{Connected, Edge, Retiring};
use crate::table::{Table, Target};
use crate::tls::acme::challenge;
use crate::upgrade;
use ask::Asked;
pub(crate) use body::{Answer, Upload};
use body::{Download, Kind};
use call::{Answered, Call, Instead};

/// Requests that one HTTP/2 connection may have under way (what RFC 9113 asks for at least).
const STREAMS: u32 = 100;
/// What a client may send of one request, and of all of its connection, before a backend has taken it.
const WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);
/// What is kept for a client that reads slowly, for each request.
const SEND_BUFFER: usize = 64 * 1024;
/// How often a silent HTTP/2 connection is asked whether it still lives, and how long it may think.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));
/// An HTTP/2 connection without requests is closed after this; it is worth more than one of HTTP/1.
const IDLE: Duration = Duration::from_secs(60);

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
    fn word(&self) -> &'static str {
        if matches!(self, Scheme::Https { .. }) { "https" } else { "http" }
    }
}

/// Serves one client's connection with HTTP/1.1 until it ends.
pub(crate) async fn one<S>(edge: Arc<Edge>, stream: S, arrival: Arrival)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &edge.limits;
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_timeout_ms))
        .max_headers(limits.header_count)
        .max_header_size(limits.header_bytes)
        // hyper's least is 8 KiB; twice the head, so that a head at the limit is judged by the limit.
        .max_buf_size((limits.header_bytes * 2).max(16 * 1024));
    let mut retiring = edge.retiring.subscribe();
    let arrival = Arc::new(arrival);
    let service = service_fn(|request| {
        let (edge, arrival) = (Arc::clone(&edge), Arc::clone(&arrival));
        async move {
            let mut response = serve(&edge, &arrival, request).await;
            if *edge.retiring.borrow() != Retiring::No && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut served = std::pin::pin!(served);
    tokio::select! {
        // How a client's connection ends is the client's affair: a failure of ours was counted where it happened.
        _ended = served.as_mut() => return,
        _retire = retiring.wait_for(|r| *r == Retiring::AtOnce) => served.as_mut().graceful_shutdown(),
    }
    let _ended = served.await;
}

/// Serves one client's connection with HTTP/2 until it ends.
pub(crate) async fn two<S>(edge: Arc<Edge>, stream: S, arrival: Arrival)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let header_bytes = u32::try_from(edge.limits.header_bytes).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(header_bytes)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    let mut retiring = edge.retiring.subscribe();
    let (arrival, open) = (Arc::new(arrival), Arc::new(Open::default()));
    let service = service_fn(|request: Request<Incoming>| {
        let (edge, arrival, request_open) = (Arc::clone(&edge), Arc::clone(&arrival), Open::enter(&open));
        async move {
            let mut response = serve(&edge, &arrival, request).await;
            // It speaks about a connection, which HTTP/2 does in frames.
            response.headers_mut().remove(header::CONNECTION);
            response.body_mut().hold(request_open);
            Ok::<_, Infallible>(response)
        }
    });
    let served = builder.serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        _ended = served.as_mut() => return,
        // The client is told which requests are still answered; it takes the others to a new connection.
        _retire = retiring.wait_for(|r| *r != Retiring::No) => {}
        () = open.idle() => {}
    }
    served.as_mut().graceful_shutdown();
    tokio::select! {
        _ended = served.as_mut() => {}
        // A client that keeps an empty connection open after goodbye is left.
        () = open.idle() => {}
    }
}

/// How many requests a connection has under way.
#[derive(Debug, Default)]
struct Open {
    count: AtomicUsize,
    changed: Notify,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct OpenRequest(Arc<Open>);

impl Open {
    fn enter(open: &Arc<Open>) -> OpenRequest {
        open.count.fetch_add(1, Ordering::Relaxed);
        open.changed.notify_one();
        OpenRequest(Arc::clone(open))
    }

    /// Ends when there was none for a while.
    async fn idle(&self) {
        loop {
            let quiet = tokio::time::timeout(IDLE, self.changed.notified()).await.is_err();
            if quiet && self.count.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

/// One request.
async fn serve(edge: &Arc<Edge>, arrival: &Arc<Arrival>, mut request: Request<Incoming>) -> Response<Answer> {
    let Some(asked) = Asked::of(&request) else { return page(Page::BadRequest, &request) };
    if let Some(proof) = challenge::answer(&edge.dir, request.uri().path()).await {
        return Response::new(Answer::page(Some(proof.into())));
    }
    let table = edge.tables.load();
    let secured = table.secured(&asked.host);
    if arrival.scheme == Scheme::NoTls {
        return match secured {
            Some(_) => redirect::to_tls_here(arrival, &asked, request.uri()),
            None => page(Page::NoTls, &request),
        };
    }
    let Some(first) = table.find(&asked.host, request.uri().path()) else {
        return page(Page::Unknown, &request);
    };
    if !is_authority(edge, &table, &arrival.scheme, &asked.host) {
        return page(Page::Misdirected, &request);
    }
    if let Some(response) = redirect::of(edge, &table, arrival, &asked, &first, request.uri()) {
        return response;
    }
    let Target::Serve(entry) = first else { return page(Page::Unknown, &request) };
    let hsts = secured.and_then(|secured| secured.hsts_s).filter(|_| arrival.scheme != Scheme::Http);
    let visit = entry.live.arrive();
    let path = request.uri().path().to_owned();
    let found = |table: &Table| match table.find(&asked.host, &path) {
        Some(Target::Serve(entry)) => Some(entry),
        _ => None,
    };
    drop(table);
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse::<u64>().ok());
    if entry.body_limit.zip(length).is_some_and(|(limit, length)| length > limit) {
        return page(Page::TooLarge, &request);
    }
    let on_client = headers::upgrade_of(request.headers()).map(|p| (p, hyper::upgrade::on(&mut request)));
    let on_client = on_client.filter(|_| request.version() != Version::HTTP_2);
    let (mut parts, body) = request.into_parts();
    let asked_headers = parts.headers.clone();
    let from = From { peer: arrival.peer, port: arrival.local.port(), scheme: arrival.scheme.word() };
    headers::forward(&mut parts.headers, from, &asked.written);
    let upgrade = on_client.as_ref().map(|(protocol, _)| protocol.clone());
    let call = Call::new(parts, body, entry.body_limit, upgrade);
    match call::attend(edge, &found, &call).await {
        Ok(Answered { response, flight, sender }) => {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let connected = Arc::clone(&arrival.connected);
                return match on_client {
                    Some((_, client)) => {
                        upgrade::switch(client, response, flight, visit, connected).map(|()| Answer::page(None))
                    }
                    // Nobody asked for it: what follows could not be understood.
                    None => {
                        let broken = Instead { page: Page::Unreachable, failure: Some(Failure::Broken) };
                        refuse(broken, &visit, &asked_headers)
                    }
                };
            }
            let mut response = answer(response, flight, visit, sender);
            if let Some(seconds) = hsts
                && let Ok(value) = HeaderValue::from_str(&format!("max-age={seconds}"))
            {
                response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
            }
            response
        }
        Err(instead) => refuse(instead, &visit, &asked_headers),
    }
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
fn answer(
    response: Response<Incoming>,
    flight: Flight,
    visit: Visit,
    sender: Option<SendRequest<Upload>>,
) -> Response<Answer> {
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
    let download = Download { body, flight, visit, sender, ended: false };
    Response::from_parts(parts, Answer::of(Kind::Backend(download)))
}

fn page(page: Page, request: &Request<Incoming>) -> Response<Answer> {
    page.respond(request.headers()).map(|bytes| Answer::page(Some(bytes)))
}

/// A page, counted as a failure where it is ours or the backend's.
fn refuse(instead: Instead, visit: &Visit, asked: &http::HeaderMap) -> Response<Answer> {
    if let Some(failure) = instead.failure {
        visit.fail(failure);
    }
    instead.page.respond(asked).map(|bytes| Answer::page(Some(bytes)))
}
