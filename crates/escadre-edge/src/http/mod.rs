//! HTTP/1.1: one request from a client to a backend, and the answer back.
//!
//! In → Out: an accepted connection → requests; a request → the route by host and path → a backend's answer, or a page.
//!
//! **Invariant**: a request that contradicts HTTP reaches no backend, and its connection is closed. Every request of a
//! route is counted, once.
//!
//! Not here: sending it (`call`), bodies (`body`), headers (`headers`), what happens after 101 (`upgrade`).
//!
//! Tests: `tests/it/`.

mod body;
mod call;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::flight::{Failure, Flight, Visit};
use crate::headers;
use crate::pages::Page;
use crate::state::{Connected, Edge, Retiring};
use crate::table::{Entry, Table, Target};
use crate::upgrade;
use body::Download;
pub(crate) use body::{Answer, Upload};
use call::{Answered, Call, Instead};

/// Serves one client's connection until it ends.
pub(crate) async fn connection(edge: Arc<Edge>, stream: TcpStream, peer: SocketAddr, connected: Connected) {
    let Ok(local) = stream.local_addr() else { return };
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
    let service = service_fn(|request| {
        let (edge, connected) = (Arc::clone(&edge), Arc::clone(&connected));
        async move {
            let mut response = serve(&edge, peer, local, connected, request).await;
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

/// One request.
async fn serve(
    edge: &Arc<Edge>,
    peer: SocketAddr,
    local: SocketAddr,
    connected: Connected,
    mut request: Request<Incoming>,
) -> Response<Answer> {
    let Some(asked) = Asked::of(&request) else { return page(Page::BadRequest, &request) };
    let Some(first) = edge.tables.load().find(&asked.host, request.uri().path()) else {
        return page(Page::Unknown, &request);
    };
    let entry = match first {
        Target::Serve(entry) => entry,
        Target::Redirect(entry) => return redirect(&entry, asked.port, request.uri()),
    };
    let visit = entry.live.arrive();
    let path = request.uri().path().to_owned();
    let found = |table: &Table| match table.find(&asked.host, &path) {
        Some(Target::Serve(entry)) => Some(entry),
        _ => None,
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse::<u64>().ok());
    if entry.body_limit.zip(length).is_some_and(|(limit, length)| length > limit) {
        return page(Page::TooLarge, &request);
    }
    let on_client = headers::upgrade_of(request.headers()).map(|p| (p, hyper::upgrade::on(&mut request)));
    let (mut parts, body) = request.into_parts();
    let asked_headers = parts.headers.clone();
    headers::forward(&mut parts.headers, peer, local, &asked.written);
    let upgrade = on_client.as_ref().map(|(protocol, _)| protocol.clone());
    let call = Call::new(parts, body, entry.body_limit, upgrade);
    match call::attend(edge, &found, &call).await {
        Ok(Answered { response, flight, sender }) => {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return match on_client {
                    Some((_, client)) => {
                        upgrade::switch(client, response, flight, visit, connected).map(|()| Answer::Page(None))
                    }
                    // Nobody asked for it: what follows could not be understood.
                    None => {
                        let broken = Instead { page: Page::Unreachable, failure: Some(Failure::Broken) };
                        refuse(broken, &visit, &asked_headers)
                    }
                };
            }
            answer(response, flight, visit, sender)
        }
        Err(instead) => refuse(instead, &visit, &asked_headers),
    }
}

/// What the request is for.
struct Asked {
    host: String,
    port: Option<u16>,
    written: HeaderValue,
}

impl Asked {
    /// `None` if it is not a request to a server: no or several hosts, absolute form, CONNECT.
    fn of(request: &Request<Incoming>) -> Option<Asked> {
        let uri = request.uri();
        if uri.authority().is_some() || uri.scheme().is_some() || request.method() == Method::CONNECT {
            return None;
        }
        let (host, port) = headers::host_of(request.headers())?;
        Some(Asked { host, port, written: request.headers().get(header::HOST)?.clone() })
    }
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
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    if parts.status.is_server_error() {
        visit.backend_error();
    }
    Response::from_parts(parts, Answer::Backend(Download { body, flight, visit, sender, ended: false }))
}

fn redirect(entry: &Entry, port: Option<u16>, uri: &Uri) -> Response<Answer> {
    let visit = entry.live.arrive();
    let port = port.map(|p| format!(":{p}")).unwrap_or_default();
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut response = Response::new(Answer::Page(None));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&format!("http://{}{port}{path}", entry.host)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    // Permanent, but a name that is given to somebody else must not be redirected by browsers for ever.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    drop(visit);
    response
}

fn page(page: Page, request: &Request<Incoming>) -> Response<Answer> {
    page.respond(request.headers()).map(|bytes| Answer::Page(Some(bytes)))
}

/// A page, counted as a failure where it is ours or the backend's.
fn refuse(instead: Instead, visit: &Visit, asked: &http::HeaderMap) -> Response<Answer> {
    if let Some(failure) = instead.failure {
        visit.fail(failure);
    }
    instead.page.respond(asked).map(|bytes| Answer::Page(Some(bytes)))
}
