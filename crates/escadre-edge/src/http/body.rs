//! Bodies on their way, in both directions.
//!
//! In → Out: a client's body → what a backend is sent, piece by piece; a backend's body → what the client gets.
//!
//! **Invariant**: nothing is collected. A body that ends early on one side never looks complete on the other. While an
//! answer's body lives, its request is under way.
//!
//! Not here: heads (`http`), whether a request may be sent again (`call`).
//!
//! Tests: `tests/it/`.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::link::Link;
use super::two::OpenRequest;
use crate::access::Line;
use crate::flight::{Failure, Flight, Visit, lock};
use crate::pace::Pace;
use crate::pages::Page;
use crate::patience::Patience;

/// A client's body, as long as it may have to be sent to another backend, and how far it is.
#[derive(Debug)]
pub(crate) struct Source {
    body: Mutex<(Incoming, Patience)>,
    /// Of the client's connection, if it counts what is no body.
    pace: Option<Arc<Pace>>,
    begin: Instant,
    /// Milliseconds from the beginning to the last piece.
    last: AtomicU64,
    /// A piece of it was given to a backend.
    begun: AtomicBool,
    /// It is the client that is waited for.
    waits: AtomicBool,
    exceeded: AtomicBool,
    /// It was waited for too long.
    slow: AtomicBool,
    /// It broke off, or was none: the client's fault.
    broken: AtomicBool,
}

impl Source {
    fn new(body: Incoming, patience: Duration, pace: Option<Arc<Pace>>) -> Arc<Source> {
        Arc::new(Source {
            body: Mutex::new((body, Patience::new(patience))),
            pace,
            begin: Instant::now(),
            last: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            exceeded: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        })
    }

    /// When the last piece came.
    pub(crate) fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Whether a backend has a piece of it: then no other one can have it whole.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether it is the client that is waited for.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// What the client did wrong with it.
    pub(crate) fn fault(&self) -> Option<Page> {
        let faults =
            [(&self.exceeded, Page::TooLarge), (&self.slow, Page::Unfinished), (&self.broken, Page::BadRequest)];
        faults.into_iter().find(|(is, _)| is.load(Ordering::Relaxed)).map(|(_, page)| page)
    }
}

/// The body of a request on its way to a backend.
#[derive(Debug, Clone)]
pub(crate) enum Upload {
    Empty,
    Stream {
        source: Arc<Source>,
        /// Bytes that may still come.
        left: Option<u64>,
    },
}

impl Upload {
    /// A client's body; `left`: bytes that it may have.
    pub(crate) fn of(body: Incoming, left: Option<u64>, patience: Duration, pace: Option<&Arc<Pace>>) -> Upload {
        if body.is_end_stream() {
            return Upload::Empty;
        }
        Upload::Stream { source: Source::new(body, patience, pace.cloned()), left }
    }

    /// `None`: there is no body.
    pub(crate) fn source(&self) -> Option<&Source> {
        match self {
            Upload::Empty => None,
            Upload::Stream { source, .. } => Some(source),
        }
    }
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than the route allows")]
    TooLarge,
    #[error("the client is too slow with the body")]
    Slow,
    #[error("the backend's answer was cut at the end of its drain")]
    Cut,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Upload::Stream { source, left } = self.get_mut() else { return Poll::Ready(None) };
        let (next, size) = {
            let mut body = lock(&source.body);
            let (body, patience) = &mut *body;
            let polled = Pin::new(body).poll_frame(cx);
            source.waits.store(polled.is_pending(), Ordering::Relaxed);
            let Poll::Ready(next) = polled else {
                if patience.poll_end(cx).is_pending() {
                    return Poll::Pending;
                }
                source.slow.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(BodyError::Slow)));
            };
            let size = next.as_ref().and_then(|f| f.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            patience.moved(size);
            (next, size as u64)
        };
        source.begun.store(true, Ordering::Relaxed);
        if let Some(pace) = &source.pace {
            pace.passed();
        }
        let since = source.begin.elapsed().as_millis();
        source.last.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(left) = left {
            match left.checked_sub(size) {
                Some(rest) => *left = rest,
                None => {
                    source.exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(BodyError::TooLarge)));
                }
            }
        }
        if let Some(Err(_)) = next {
            source.broken.store(true, Ordering::Relaxed);
        }
        Poll::Ready(next.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Upload::Empty => true,
            Upload::Stream { source, .. } => lock(&source.body).0.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Upload::Empty => SizeHint::with_exact(0),
            Upload::Stream { source, .. } => lock(&source.body).0.size_hint(),
        }
    }
}

/// The body of an answer on its way to the client.
#[derive(Debug)]
pub(crate) struct Answer {
    kind: Kind,
    hold: Hold,
    /// Written when this ends.
    line: Option<Line>,
}

/// Where it comes from.
#[derive(Debug)]
pub(crate) enum Kind {
    Page(Option<Bytes>),
    Backend(Download),
}

/// What must know how far it is.
#[derive(Debug)]
pub(crate) enum Hold {
    Nobody,
    /// A connection of HTTP/1.1.
    One(Arc<Pace>),
    /// A request of HTTP/2.
    Two(OpenRequest),
}

impl Answer {
    pub(crate) fn of(kind: Kind) -> Answer {
        Answer { kind, hold: Hold::Nobody, line: None }
    }

    /// One of ours, whole.
    pub(crate) fn page(bytes: Option<Bytes>) -> Answer {
        Answer::of(Kind::Page(bytes))
    }

    /// Has its connection know how far it is.
    pub(crate) fn hold(&mut self, hold: Hold) {
        if let Hold::Two(request) = &hold {
            request.given();
        }
        self.hold = hold;
    }

    /// Has it told when it ends.
    pub(crate) fn tell(&mut self, line: Line) {
        self.line = Some(line);
    }

    fn poll_kind(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.kind {
            Kind::Page(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Backend(download) => {
                let Poll::Ready(next) = download.poll_body(cx) else { return Poll::Pending };
                match next {
                    // When the connection is dropped hyper's body just ends; a cut must not look like an end.
                    None if download.flight.was_cut() => {
                        download.visit.fail(Failure::Cut);
                        Poll::Ready(Some(Err(BodyError::Cut)))
                    }
                    None => {
                        download.ended = true;
                        Poll::Ready(None)
                    }
                    Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
                    Some(Err(error)) => {
                        let cut = download.flight.was_cut();
                        download.visit.fail(if cut { Failure::Cut } else { Failure::Broken });
                        Poll::Ready(Some(Err(error.into())))
                    }
                }
            }
        }
    }
}

/// A backend's body; while it lives the request is under way.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) body: Incoming,
    pub(crate) flight: Flight,
    pub(crate) visit: Visit,
    /// `None`: it was given back.
    pub(crate) link: Option<Link>,
    /// Whether another request may use the link.
    pub(crate) again: bool,
    pub(crate) ended: bool,
}

impl Download {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.link {
            Some(link) => link.poll_body(&mut self.body, cx),
            None => Poll::Ready(None),
        }
    }

    fn is_whole(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = this.poll_kind(cx);
        if let Hold::Two(request) = &this.hold {
            if polled.is_ready() { request.given() } else { request.asked() }
        }
        if let (Some(line), Poll::Ready(Some(Ok(frame)))) = (&mut this.line, &polled) {
            line.sent(frame.data_ref().map_or(0, Bytes::len) as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Page(bytes) => bytes.is_none(),
            Kind::Backend(download) => download.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Page(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Backend(download) => download.body.size_hint(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Hold::One(pace) = &self.hold {
            pace.idle();
        }
        if let Some(line) = &mut self.line
            && let Kind::Backend(download) = &self.kind
        {
            let failure = download.visit.failure();
            line.failed(failure);
            line.left(failure.is_none() && !download.is_whole());
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.again
            && self.is_whole()
            && self.flight.backend.is_open()
            && let Some(link) = self.link.take()
        {
            self.flight.backend.pool.put(link);
        }
    }
}
