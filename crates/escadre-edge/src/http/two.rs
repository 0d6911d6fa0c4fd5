//! One client's connection with HTTP/2.
//!
//! In → Out: a connection → its requests, side by side.
//!
//! **Invariant**: what one client can have the edge keep is bounded in number, bytes and time: a request whose client
//! takes nothing of the answer is ended, the others of its connection go on. A retiring worker says goodbye: the client
//! knows which of its requests are still answered.
//!
//! Not here: a request (`serve`); what floods do to frames (the library counts them and ends the connection).
//!
//! Tests: `tests/it/two.rs`, `tests/it/slow.rs`.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use http::header;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::body::Hold;
use super::{Arrival, serve};
use crate::flight::lock;
use crate::pace::Pace;
use crate::patience::Patient;
use crate::state::{Edge, Retiring};

/// Requests that one connection may have under way (what RFC 9113 asks for at least).
const STREAMS: u32 = 100;
/// What a client may send of one request, and of all of its connection, before a backend has taken it.
const WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);
/// What is kept for a client that reads slowly, for each request.
const SEND_BUFFER: usize = 64 * 1024;
/// How often a silent connection is asked whether it still lives, and how long it may think.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));

/// Serves it until it ends.
pub(crate) async fn two<S>(edge: Arc<Edge>, stream: S, arrival: Arrival)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let header_bytes = u32::try_from(edge.limits.header_bytes).unwrap_or(u32::MAX);
    let idle = crate::table::bounded(edge.limits.idle_timeout_ms);
    let patience = crate::table::bounded(edge.limits.patience_ms);
    let (arrival, open) = (Arc::new(arrival), Arc::new(Open::new()));
    let mut builder = hyper::server::conn::http2::Builder::new(Streams { open: Arc::clone(&open) });
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
    let service = service_fn(|request: Request<Incoming>| {
        let (edge, arrival, entered) = (Arc::clone(&edge), Arc::clone(&arrival), Open::enter(&open));
        async move {
            let mut response = serve::request(&edge, &arrival, request, None).await;
            // It speaks about a connection, which HTTP/2 does in frames.
            response.headers_mut().remove(header::CONNECTION);
            response.body_mut().hold(Hold::Two(entered));
            Ok::<_, Infallible>(response)
        }
    });
    // Never between two requests as HTTP/1.1 is: only the patience with its reading counts.
    // What it may send ahead are its windows.
    let pace = Arc::new(Pace::new(idle, idle, u64::MAX));
    pace.busy();
    let served = builder.serve_connection(TokioIo::new(Patient::new(stream, patience, &pace)), service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        _ended = served.as_mut() => return,
        // The client is told which requests are still answered; it takes the others to a new connection.
        _retire = retiring.wait_for(|r| *r != Retiring::No) => {}
        () = open.watch(idle, patience) => {}
    }
    served.as_mut().graceful_shutdown();
    tokio::select! {
        _ended = served.as_mut() => {}
        // A client that keeps an empty connection open after goodbye is left.
        () = open.watch(idle, patience) => {}
    }
}

/// The requests that a connection has under way.
#[derive(Debug)]
struct Open {
    begin: Instant,
    readers: Mutex<Vec<Arc<Reader>>>,
    /// Milliseconds from the beginning to when the last request ended.
    quiet: AtomicU64,
    /// The one whose future is about to be started.
    newest: Mutex<Option<Arc<Reader>>>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    open: Arc<Open>,
    reader: Arc<Reader>,
}

/// Whether the client takes an answer.
#[derive(Debug)]
struct Reader {
    /// Milliseconds from the connection's beginning to when the client was given a piece beyond which nothing was asked
    /// for yet; 0: it waits for us.
    given: AtomicU64,
    ended: Notify,
}

impl Open {
    fn new() -> Open {
        Open { begin: Instant::now(), readers: Mutex::default(), quiet: AtomicU64::new(0), newest: Mutex::default() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn enter(open: &Arc<Open>) -> OpenRequest {
        let reader = Arc::new(Reader { given: AtomicU64::new(0), ended: Notify::new() });
        lock(&open.readers).push(Arc::clone(&reader));
        *lock(&open.newest) = Some(Arc::clone(&reader));
        OpenRequest { open: Arc::clone(open), reader }
    }

    /// Ends requests whose client takes nothing; ends itself when there was none for a while. It looks now and then:
    /// nothing is armed for a request.
    async fn watch(&self, idle: Duration, patience: Duration) {
        loop {
            let now = self.now();
            let end = {
                let readers = lock(&self.readers);
                for reader in readers.iter() {
                    let given = reader.given.load(Ordering::Relaxed);
                    if given > 0 && Duration::from_millis(now.saturating_sub(given)) >= patience {
                        reader.ended.notify_one();
                    }
                }
                let quiet = self.begin + Duration::from_millis(self.quiet.load(Ordering::Relaxed));
                if readers.is_empty() { quiet + idle } else { Instant::now() + patience / 4 }
            };
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end.max(Instant::now() + Duration::from_millis(1))).await;
        }
    }
}

impl OpenRequest {
    /// A piece of the answer, or its head, is with the library, which asks for the next one when the client has room.
    pub(crate) fn given(&self) {
        self.reader.given.store(self.open.now().max(1), Ordering::Relaxed);
    }

    /// The next piece is asked for.
    pub(crate) fn asked(&self) {
        self.reader.given.store(0, Ordering::Relaxed);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut readers = lock(&self.open.readers);
        if let Some(at) = readers.iter().position(|reader| Arc::ptr_eq(reader, &self.reader)) {
            readers.swap_remove(at);
        }
        self.open.quiet.store(self.open.now(), Ordering::Relaxed);
    }
}

/// Runs the futures of a connection's requests. The library makes one right after it has called the service, in the
/// same breath: so the newest request is the one that a future belongs to.
#[derive(Debug, Clone)]
struct Streams {
    open: Arc<Open>,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        let Some(reader) = lock(&self.open.newest).take() else {
            tokio::spawn(future);
            return;
        };
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _done = future => {}
                // What is dropped is reset.
                () = reader.ended.notified() => {}
            }
        });
    }
}
