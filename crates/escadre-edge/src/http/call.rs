//! One request on its way to a backend, and to the next one where that is allowed.
//!
//! In → Out: a request's head and body, the route → a backend's answer, or the page to give instead and why it counts.
//!
//! **Invariant**: a request is sent a second time only if no byte of it was sent before, if none of its body was sent
//! before it broke, or if it has no body and its method is idempotent (RFC 9110, 9.2.2).
//!
//! Not here: which backend is next (`table`), bodies (`body`).
//!
//! Tests: `tests/it/`.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::body::{Source, Upload};
use super::link::Link;
use crate::flight::{Failure, Flight};
use crate::pages::Page;
use crate::park::Admission;
use crate::state::Edge;
use crate::table::{Entry, Table};

/// One request on its way to a backend.
pub(crate) struct Call {
    parts: Parts,
    upload: Upload,
    /// Its method is idempotent and it has no body: it may be sent again, whatever became of it.
    idempotent: bool,
    /// It is safe as well: it may travel on a connection that was used before.
    safe: bool,
    /// It asks for another protocol.
    tunnels: bool,
}

impl Call {
    /// `parts` are as the backend shall get them but for the body's framing.
    pub(crate) fn new(mut parts: Parts, upload: Upload, upgrade: Option<HeaderValue>) -> Call {
        let empty = upload.source().is_none();
        let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        let idempotent = safe || matches!(parts.method, Method::PUT | Method::DELETE);
        let tunnels = upgrade.is_some();
        if let Some(protocol) = upgrade {
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(header::UPGRADE, protocol);
        }
        if !empty && !parts.headers.contains_key(header::CONTENT_LENGTH) {
            // Said outright, because hyper takes a GET of unknown length for one without a body.
            parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = Uri::from(path);
        let alone = empty && !tunnels;
        Call { parts, upload, idempotent: alone && idempotent, safe: alone && safe, tunnels }
    }

    /// As the backend gets them.
    pub(crate) fn headers(&self) -> &http::HeaderMap {
        &self.parts.headers
    }

    fn request(&self) -> Request<Upload> {
        let mut request = Request::new(self.upload.clone());
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.parts.uri.clone();
        *request.headers_mut() = self.parts.headers.clone();
        request
    }

    /// Whether it may be sent again after a backend broke off without an answer.
    fn may_go_again(&self) -> bool {
        match self.upload.source() {
            None => self.idempotent,
            // The backend has a head that promises a body and nothing of it: no request yet.
            Some(source) => !source.has_begun(),
        }
    }
}

/// A backend's answer, and what must be kept until it has ended.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) flight: Flight,
    pub(crate) link: Link,
    /// Whether another request may use the link afterwards.
    pub(crate) again: bool,
}

/// What the client gets instead of an answer, and how that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instead {
    pub(crate) page: Page,
    /// `None`: it was the client.
    pub(crate) failure: Option<Failure>,
}

impl Instead {
    fn because(page: Page, failure: Failure) -> Instead {
        Instead { page, failure: Some(failure) }
    }

    fn client(page: Page) -> Instead {
        Instead { page, failure: None }
    }
}

/// Waits for its turn, chooses a backend, sends, tries another one where that is allowed.
pub(crate) async fn attend(
    edge: &Arc<Edge>,
    found: &impl Fn(&Table) -> Option<Arc<Entry>>,
    call: &Call,
) -> Result<Answered, Instead> {
    let mut tried = Vec::new();
    let mut trouble = Instead::because(Page::Stopped, Failure::Unserved);
    loop {
        let entry = match edge.tables.admit(found).await {
            Admission::Go(entry) => entry,
            Admission::NotHere => return Err(Instead::client(Page::Unknown)),
            Admission::Full => {
                return Err(Instead::because(Page::Starting { retry_seconds: 1 }, Failure::Unserved));
            }
            Admission::Late(entry) => {
                let page = Page::Starting { retry_seconds: entry.park.as_secs() };
                return Err(Instead::because(page, Failure::Unserved));
            }
        };
        let Some(flight) = entry.next(&tried) else {
            // The table may have changed between looking and choosing; then look again.
            let same = found(&edge.tables.load()).is_some_and(|now| Arc::ptr_eq(&now, &entry));
            if same && !entry.is_parked() {
                return Err(trouble);
            }
            continue;
        };
        tried.push(flight.backend.address);
        match exchange(edge, flight, call, entry.timeout).await {
            Ok(answered) => return Ok(answered),
            Err(Trouble::Again(failure)) => trouble = Instead::because(Page::Unreachable, failure),
            Err(Trouble::Final(instead)) => return Err(instead),
        }
    }
}

/// Why a backend gave no answer.
enum Trouble {
    /// Another one may be asked.
    Again(Failure),
    Final(Instead),
}

/// One attempt at one backend: a used connection first if that is allowed, then a new one.
async fn exchange(edge: &Edge, flight: Flight, call: &Call, timeout: Duration) -> Result<Answered, Trouble> {
    if call.safe
        && let Some(mut link) = flight.backend.pool.take()
    {
        match send(&mut link, &flight, call, timeout).await {
            Ok(response) => return Ok(Answered { response, flight, link, again: true }),
            // The backend closed it at this very moment: that says nothing about a new one.
            Err(Trouble::Again(_)) if !flight.was_cut() => {}
            Err(trouble) => return Err(trouble),
        }
    }
    let wait = Duration::from_millis(edge.limits.connect_timeout_ms);
    let Ok(Ok(stream)) = tokio::time::timeout(wait, TcpStream::connect(flight.backend.address)).await else {
        return Err(Trouble::Again(Failure::Refused));
    };
    // Without it small writes wait for one another; a refusal only makes it slower.
    let _slower = stream.set_nodelay(true);
    // An upload goes on while the client does not read yet, and so needs somebody beside who moves it on.
    let alone = call.tunnels || call.upload.source().is_some();
    let begun = Link::begin(stream, &flight, alone).await;
    let Ok(mut link) = begun else { return Err(Trouble::Again(Failure::Broken)) };
    let response = send(&mut link, &flight, call, timeout).await?;
    Ok(Answered { response, flight, link, again: call.safe })
}

/// Sends on one connection and waits for the head of the answer.
async fn send(link: &mut Link, flight: &Flight, call: &Call, timeout: Duration) -> Result<Response<Incoming>, Trouble> {
    let mut answer = std::pin::pin!(link.send(call.request()));
    let begin = Instant::now();
    let mut deadline = begin + timeout;
    loop {
        match tokio::time::timeout_at(deadline, answer.as_mut()).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(mut failed)) => {
                let unsent = failed.take_message().is_some();
                if let Some(page) = call.upload.source().and_then(Source::fault) {
                    return Err(Trouble::Final(Instead::client(page)));
                }
                let failure = if flight.was_cut() { Failure::Cut } else { Failure::Broken };
                return Err(if unsent || call.may_go_again() {
                    Trouble::Again(failure)
                } else {
                    Trouble::Final(Instead::because(Page::Unreachable, failure))
                });
            }
            Err(_elapsed) => {
                // An upload that moves is not silence.
                let moved = call.upload.source().map_or(begin, Source::last) + timeout;
                if moved <= deadline {
                    let client = call.upload.source().is_some_and(Source::waits);
                    return Err(Trouble::Final(if client {
                        Instead::client(Page::Unfinished)
                    } else {
                        Instead::because(Page::Slow, Failure::Late)
                    }));
                }
                deadline = moved;
            }
        }
    }
}
