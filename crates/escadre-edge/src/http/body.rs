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
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::OpenRequest;
use crate::flight::{Failure, Flight, Visit, lock};

/// A client's body, as long as it may have to be sent to another backend, and how far it is.
#[derive(Debug)]
pub(crate) struct Source {
    body: Mutex<Incoming>,
    begin: Instant,
    /// Milliseconds from the beginning to the last piece.
    last: AtomicU64,
    /// A piece of it was given to a backend.
    begun: AtomicBool,
    /// It is the client that is waited for.
    waits: AtomicBool,
    exceeded: AtomicBool,
}

impl Source {
    pub(crate) fn new(body: Incoming) -> Arc<Source> {
        Arc::new(Source {
            body: Mutex::new(body),
            begin: Instant::now(),
            last: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            exceeded: AtomicBool::new(false),
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

    /// Whether it is larger than the route allows.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

/// The body of a request on its way to a backend.
#[derive(Debug)]
pub(crate) enum Upload {
    Empty,
    Stream {
        source: Arc<Source>,
        /// Bytes that may still come.
        left: Option<u64>,
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
        let Upload::Stream { source, left } = self.get_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *lock(&source.body)).poll_frame(cx);
        source.waits.store(polled.is_pending(), Ordering::Relaxed);
        let Poll::Ready(next) = polled else { return Poll::Pending };
        source.begun.store(true, Ordering::Relaxed);
        let since = source.begin.elapsed().as_millis();
        source.last.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        let size = next.as_ref().and_then(|f| f.as_ref().ok()?.data_ref()).map_or(0, Bytes::len) as u64;
        if let Some(left) = left {
            match left.checked_sub(size) {
                Some(rest) => *left = rest,
                None => {
                    source.exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(BodyError::TooLarge)));
                }
            }
        }
        Poll::Ready(next.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Upload::Empty => true,
            Upload::Stream { source, .. } => lock(&source.body).is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Upload::Empty => SizeHint::with_exact(0),
            Upload::Stream { source, .. } => lock(&source.body).size_hint(),
        }
    }
}

/// The body of an answer on its way to the client.
#[derive(Debug)]
pub(crate) struct Answer {
    kind: Kind,
    /// The connection counts it as long as it lives.
    open: Option<OpenRequest>,
}

/// Where it comes from.
#[derive(Debug)]
pub(crate) enum Kind {
    Page(Option<Bytes>),
    Backend(Download),
}

impl Answer {
    pub(crate) fn of(kind: Kind) -> Answer {
        Answer { kind, open: None }
    }

    /// One of ours, whole.
    pub(crate) fn page(bytes: Option<Bytes>) -> Answer {
        Answer::of(Kind::Page(bytes))
    }

    /// Keeps its request open on its connection.
    pub(crate) fn hold(&mut self, open: OpenRequest) {
        self.open = Some(open);
    }
}

/// A backend's body; while it lives the request is under way.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) body: Incoming,
    pub(crate) flight: Flight,
    pub(crate) visit: Visit,
    pub(crate) sender: Option<SendRequest<Upload>>,
    pub(crate) ended: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().kind {
            Kind::Page(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Backend(download) => {
                let Poll::Ready(next) = Pin::new(&mut download.body).poll_frame(cx) else { return Poll::Pending };
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
