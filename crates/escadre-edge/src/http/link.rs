//! One connection to a backend, moved on by whoever uses it.
//!
//! In → Out: a new stream → requests, one after the other; an idle one → whether it can still be used.
//!
//! **Invariant**: a connection is moved on by the request that has it and by nobody else, so that an answer reaches the
//! client within one task. One that may become a tunnel, or has a body to carry, has a task of its own: what a client
//! sends goes on while it does not read. It ends when its backend is cut.
//!
//! Not here: which connection is used (`pool`, `call`), what becomes of its bytes (`body`, `upgrade`).
//!
//! Tests: `tests/it/`.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::coop;

use super::body::Upload;
use crate::flight::Flight;

/// Most header lines of an answer: what the library reads without asking for memory.
const HEADERS: usize = 100;
/// Longest head of an answer, and most that is read ahead (bytes).
const BUFFER: usize = 64 * 1024;

/// What is moved on.
type Moving = Connection<TokioIo<TcpStream>, Upload>;

/// One connection to a backend.
pub(crate) struct Link {
    sender: SendRequest<Upload>,
    /// `None`: it ended, or has a task of its own.
    connection: Option<Pin<Box<Moving>>>,
    /// Ends when the connection is to end; `None`: that is done, or known to its own task.
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl Link {
    /// Begins to speak HTTP/1.1; `alone`: it moves on in a task of its own, for one request.
    pub(crate) async fn begin(stream: TcpStream, flight: &Flight, alone: bool) -> Result<Link, hyper::Error> {
        let mut builder = Builder::new();
        let shaken = builder.max_headers(HEADERS).max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken?;
        let mut cut = flight.cut();
        if alone {
            tokio::spawn(async move {
                tokio::select! {
                    // Its end reaches the request through the sender, or the body.
                    _ended = connection.with_upgrades() => {}
                    () = cut.told() => {}
                }
            });
            return Ok(Link { sender, connection: None, cut: None });
        }
        let cut = Box::pin(async move { cut.told().await });
        Ok(Link { sender, connection: Some(Box::pin(connection)), cut: Some(cut) })
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| {
            self.go_on(cx);
            let answered = answer.as_mut().poll(cx);
            if answered.is_pending() && self.is_cut(cx) { answer.as_mut().poll(cx) } else { answered }
        })
        .await
    }

    /// The next piece of the answer that was given last.
    pub(crate) fn poll_body(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut body = Pin::new(body);
        let mut polled = body.as_mut().poll_frame(cx);
        if polled.is_pending() {
            self.go_on(cx);
            polled = body.as_mut().poll_frame(cx);
        }
        if polled.is_pending() && self.is_cut(cx) { body.poll_frame(cx) } else { polled }
    }

    /// Reads and writes what can be read and written. The end of the connection reaches the request through the sender,
    /// or the body.
    fn go_on(&mut self, cx: &mut Context<'_>) {
        if self.connection.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
            self.connection = None;
        }
    }

    /// Whether it was cut; then it has ended.
    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        let cut = self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready());
        if cut {
            (self.cut, self.connection) = (None, None);
        }
        cut
    }

    /// Whether it ended while nobody used it, as far as one can know.
    pub(crate) fn is_usable(&mut self) -> bool {
        // Nobody waits for it: what there is to hear is heard now. The budget of the task that happens to ask is not its own.
        let look = pin!(coop::unconstrained(poll_fn(|cx| {
            if !self.is_cut(cx) {
                self.go_on(cx);
            }
            Poll::Ready(())
        })));
        let _at_once = look.poll(&mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }
}
