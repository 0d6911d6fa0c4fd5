//! One client's connection with HTTP/1.1.
//!
//! In → Out: a connection → its requests, one after the other.
//!
//! **Invariant**: a head has a deadline, silence an end; a retiring worker closes a connection with its next answer.
//!
//! Not here: a request (`serve`), how long is too long (`pace`, `patience`).
//!
//! Tests: `tests/it/hostile.rs`, `tests/it/slow.rs`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::Hold;
use super::{Arrival, serve};
use crate::pace::Pace;
use crate::patience::Patient;
use crate::state::{Edge, Retiring};

/// Buffers of a body that may come before a piece of it is passed on: one piece and the one after it wait already, and
/// extensions and trailers of chunks have a bound of their own below one.
const AHEAD: usize = 4;

/// Serves it until it ends.
pub(crate) async fn one<S>(edge: Arc<Edge>, stream: S, arrival: Arrival)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &edge.limits;
    // hyper's least is 8 KiB; twice the head, so that a head at the limit is judged by the limit.
    let buffer = (limits.header_bytes * 2).max(16 * 1024);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        // The pace is ours: theirs arms a timer for each request.
        .header_read_timeout(None)
        .max_headers(limits.header_count)
        .max_header_size(limits.header_bytes)
        .max_buf_size(buffer);
    let of = |milliseconds| crate::table::bounded(milliseconds).max(Duration::from_millis(1));
    let pace = Pace::new(of(limits.header_timeout_ms), of(limits.idle_timeout_ms), (buffer * AHEAD) as u64);
    let pace = Arc::new(pace);
    let stream = Patient::new(stream, of(limits.patience_ms), &pace);
    let mut retiring = edge.retiring.subscribe();
    let arrival = Arc::new(arrival);
    let service = service_fn(|request| {
        let (edge, arrival, pace) = (Arc::clone(&edge), Arc::clone(&arrival), Arc::clone(&pace));
        async move {
            pace.busy();
            let mut response = serve::request(&edge, &arrival, request, Some(&pace)).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                pace.tunnel();
            } else {
                if *edge.retiring.borrow() != Retiring::No {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                response.body_mut().hold(Hold::One(pace));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut served = std::pin::pin!(served);
    tokio::select! {
        // How a client's connection ends is the client's affair: a failure of ours was counted where it happened.
        _ended = served.as_mut() => return,
        () = pace.expired() => return,
        _retire = retiring.wait_for(|r| *r == Retiring::AtOnce) => served.as_mut().graceful_shutdown(),
    }
    let _ended = served.await;
}
