//! HTTP/1.1: one request from a client to a backend, and the answer back.
//!
//! In → Out: an accepted connection → requests; a request → the route by host and path → a backend's answer, or a page.
//!
//! **Invariant**: bodies are streamed both ways, never collected. A request is sent a second time only if no byte of it
//! was sent before, or if it has no body and a safe method (RFC 9110, 9.2.2). A body that ends early on one side never
//! looks complete on the other.
//!
//! Not here: which backend (`table`), headers (`headers`), what happens after 101 (`upgrade`).
//!
//! Tests: `tests/it/`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::flight::{Flight, Visit, cut};
use crate::headers;
use crate::pages::Page;
use crate::park::Admission;
use crate::state::{Connected, Edge, Retiring};
use crate::table::{Entry, Table, Target};
use crate::upgrade;

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
    let (parts, body) = request.into_parts();
    let asked_headers = parts.headers.clone();
    let upgrade = on_client.as_ref().map(|(protocol, _)| protocol.clone());
    let mut call = Call::new(parts, body, entry.body_limit, &asked, (peer, local), upgrade);
    match attend(edge, &found, &mut call).await {
        Ok(Answered { response, flight, sender }) => {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return match on_client {
                    Some((_, client)) => {
                        upgrade::switch(client, response, flight, visit, connected).map(|()| Answer::Page(None))
                    }
                    None => refuse(Page::Unreachable, &visit, &asked_headers),
                };
            }
            answer(response, flight, visit, sender)
        }
        Err(page) => refuse(page, &visit, &asked_headers),
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

/// One request on its way to a backend; it can be sent again as long as nothing of its body was taken.
struct Call {
    parts: Parts,
    /// No body and a safe method.
    repeatable: bool,
    fresh: bool,
    upload: Option<Upload>,
    progress: Arc<Progress>,
}

impl Call {
    fn new(
        mut parts: Parts,
        body: Incoming,
        limit: Option<u64>,
        asked: &Asked,
        (peer, local): (SocketAddr, SocketAddr),
        upgrade: Option<HeaderValue>,
    ) -> Call {
        headers::forward(&mut parts.headers, peer, local, &asked.written);
        let empty = body.is_end_stream();
        let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let fresh = upgrade.is_some();
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
        let progress = Arc::new(Progress::new());
        let upload =
            if empty { Upload::Empty } else { Upload::Stream { body, left: limit, progress: Arc::clone(&progress) } };
        Call { parts, repeatable: empty && safe && !fresh, fresh, upload: Some(upload), progress }
    }

    /// The request to send, if its body is still here.
    fn request(&mut self) -> Option<Request<Upload>> {
        let body = if self.repeatable { Upload::Empty } else { self.upload.take()? };
        let mut request = Request::new(body);
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.parts.uri.clone();
        *request.headers_mut() = self.parts.headers.clone();
        Some(request)
    }
}

/// A backend's answer, and what must be kept until it has ended.
struct Answered {
    response: Response<Incoming>,
    flight: Flight,
    sender: Option<SendRequest<Upload>>,
}

/// Waits for its turn, chooses a backend, sends, tries another one where that is allowed.
async fn attend(
    edge: &Arc<Edge>,
    found: &impl Fn(&Table) -> Option<Arc<Entry>>,
    call: &mut Call,
) -> Result<Answered, Page> {
    let mut tried = Vec::new();
    loop {
        let entry = match edge.tables.admit(found).await {
            Admission::Go(entry) => entry,
            Admission::NotHere => return Err(Page::Unknown),
            Admission::Full => return Err(Page::Starting { retry_seconds: 1 }),
            Admission::Late(entry) => return Err(Page::Starting { retry_seconds: entry.park.as_secs() }),
        };
        let Some(flight) = entry.next(&tried) else {
            // The table may have changed between looking and choosing; then look again.
            let same = found(&edge.tables.load()).is_some_and(|now| Arc::ptr_eq(&now, &entry));
            match (same && !entry.is_parked(), tried.is_empty()) {
                (false, _) => continue,
                (true, true) => return Err(Page::Stopped),
                (true, false) => return Err(Page::Unreachable),
            }
        };
        tried.push(flight.backend.address);
        match exchange(edge, flight, call, entry.timeout).await {
            Ok(answered) => return Ok(answered),
            Err(Trouble::NothingSent) => {}
            Err(Trouble::Final(page)) => return Err(page),
        }
    }
}

/// Why a backend gave no answer.
enum Trouble {
    /// It saw nothing, or may see it again elsewhere.
    NothingSent,
    Final(Page),
}

/// One attempt at one backend: a used connection first if that is allowed, then a new one.
async fn exchange(edge: &Edge, flight: Flight, call: &mut Call, timeout: Duration) -> Result<Answered, Trouble> {
    if call.repeatable
        && let Some(mut sender) = flight.backend.pool.take()
        && let Some(request) = call.request()
    {
        match send(&mut sender, request, call, timeout).await {
            Ok(response) => return Ok(Answered { response, flight, sender: Some(sender) }),
            Err(Trouble::NothingSent) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    let wait = Duration::from_millis(edge.limits.connect_timeout_ms);
    let Ok(Ok(stream)) = tokio::time::timeout(wait, TcpStream::connect(flight.backend.address)).await else {
        return Err(Trouble::NothingSent);
    };
    // Without it small writes wait for one another; a refusal only makes it slower.
    let _slower = stream.set_nodelay(true);
    let shaken = hyper::client::conn::http1::Builder::new()
        .max_headers(256)
        .max_buf_size(64 * 1024)
        .handshake::<_, Upload>(TokioIo::new(stream))
        .await;
    let Ok((mut sender, connection)) = shaken else { return Err(Trouble::NothingSent) };
    let mut signal = flight.backend.cut_signal();
    tokio::spawn(async move {
        tokio::select! {
            // Its end reaches the request through the sender, or the body.
            _ended = connection.with_upgrades() => {}
            () = cut(&mut signal) => {}
        }
    });
    let Some(request) = call.request() else { return Err(Trouble::Final(Page::Unreachable)) };
    let response = send(&mut sender, request, call, timeout).await?;
    let reusable = call.repeatable && !call.fresh;
    Ok(Answered { response, flight, sender: reusable.then_some(sender) })
}

/// Sends on one connection and waits for the head of the answer.
async fn send(
    sender: &mut SendRequest<Upload>,
    request: Request<Upload>,
    call: &mut Call,
    timeout: Duration,
) -> Result<Response<Incoming>, Trouble> {
    let mut answer = std::pin::pin!(sender.try_send_request(request));
    let begin = Instant::now();
    let mut deadline = begin + timeout;
    loop {
        match tokio::time::timeout_at(deadline, answer.as_mut()).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(mut failed)) => {
                if let Some(unsent) = failed.take_message() {
                    call.upload = Some(unsent.into_body());
                    return Err(Trouble::NothingSent);
                }
                if call.progress.exceeded.load(Ordering::Relaxed) {
                    return Err(Trouble::Final(Page::TooLarge));
                }
                let page = Trouble::Final(Page::Unreachable);
                return Err(if call.repeatable { Trouble::NothingSent } else { page });
            }
            Err(_elapsed) => {
                // An upload that moves is not silence.
                let moved = call.progress.last() + timeout;
                if moved <= deadline {
                    let client = call.progress.waits.load(Ordering::Relaxed);
                    return Err(Trouble::Final(if client { Page::Unfinished } else { Page::Slow }));
                }
                deadline = moved;
            }
        }
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
        visit.route.backend_errors.fetch_add(1, Ordering::Relaxed);
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
fn refuse(page: Page, visit: &Visit, asked: &http::HeaderMap) -> Response<Answer> {
    if matches!(page, Page::Stopped | Page::Starting { .. } | Page::Unreachable | Page::Slow) {
        visit.fail();
    }
    page.respond(asked).map(|bytes| Answer::Page(Some(bytes)))
}

/// How far an upload is.
#[derive(Debug)]
pub(crate) struct Progress {
    begin: Instant,
    /// Milliseconds from the beginning to the last piece.
    last: AtomicU64,
    /// It is the client that is waited for.
    waits: AtomicBool,
    exceeded: AtomicBool,
}

impl Progress {
    fn new() -> Progress {
        let begin = Instant::now();
        Progress { begin, last: AtomicU64::new(0), waits: AtomicBool::new(false), exceeded: AtomicBool::new(false) }
    }

    fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// The body of a request on its way to a backend.
#[derive(Debug)]
pub(crate) enum Upload {
    Empty,
    Stream {
        body: Incoming,
        /// Bytes that may still come.
        left: Option<u64>,
        progress: Arc<Progress>,
    },
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than the route allows")]
    TooLarge,
    #[error("the backend's answer was cut at the end of its drain")]
    Cut,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Upload::Stream { body, left, progress } = self.get_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        progress.waits.store(polled.is_pending(), Ordering::Relaxed);
        let Poll::Ready(next) = polled else { return Poll::Pending };
        let since = progress.begin.elapsed().as_millis();
        progress.last.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        let size = next.as_ref().and_then(|f| f.as_ref().ok()?.data_ref()).map_or(0, Bytes::len) as u64;
        if let Some(left) = left {
            match left.checked_sub(size) {
                Some(rest) => *left = rest,
                None => {
                    progress.exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(BodyError::TooLarge)));
                }
            }
        }
        Poll::Ready(next.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Upload::Empty => true,
            Upload::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Upload::Empty => SizeHint::with_exact(0),
            Upload::Stream { body, .. } => body.size_hint(),
        }
    }
}

/// The body of an answer on its way to the client.
#[derive(Debug)]
pub(crate) enum Answer {
    Page(Option<Bytes>),
    Backend(Download),
}

/// A backend's body; while it lives the request is under way.
#[derive(Debug)]
pub(crate) struct Download {
    body: Incoming,
    flight: Flight,
    visit: Visit,
    sender: Option<SendRequest<Upload>>,
    ended: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Answer::Page(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Answer::Backend(download) => {
                let Poll::Ready(next) = Pin::new(&mut download.body).poll_frame(cx) else { return Poll::Pending };
                match next {
                    // When the connection is dropped hyper's body just ends; a cut must not look like an end.
                    None if download.flight.was_cut() => {
                        download.visit.fail();
                        Poll::Ready(Some(Err(BodyError::Cut)))
                    }
                    None => {
                        download.ended = true;
                        Poll::Ready(None)
                    }
                    Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
                    Some(Err(error)) => {
                        download.visit.fail();
                        Poll::Ready(Some(Err(error.into())))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Page(bytes) => bytes.is_none(),
            Answer::Backend(download) => download.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Page(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Answer::Backend(download) => download.body.size_hint(),
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take()
            && (self.ended || self.body.is_end_stream())
            && self.flight.backend.is_open()
        {
            self.flight.backend.pool.put(sender);
        }
    }
}
