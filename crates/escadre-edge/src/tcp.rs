//! TCP: bytes from a published port to a backend and back.
//!
//! In → Out: an accepted connection → a backend in turn → bytes both ways, each direction ending for itself.
//!
//! **Invariant**: a client is connected to another backend only as long as not a byte was passed on. A reset on one side
//! is a reset on the other: a broken stream never looks like a finished one.
//!
//! Not here: waiting (`park`), what a PROXY header says (`proxy_protocol`).
//!
//! Tests: `tests/it/`.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional};
use tokio::net::TcpStream;

use crate::access::Line;
use crate::flight::{Failure, Flight, Visit};
use crate::park::Admission;
use crate::proxy_protocol;
use crate::state::{Connected, Edge};
use crate::table::{Entry, Role, Table};

/// Who connected, and where.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) peer: SocketAddr,
    /// As the routes say it.
    pub(crate) listen: SocketAddr,
    pub(crate) connected: Connected,
}

/// Serves one connection.
pub(crate) async fn connection(edge: Arc<Edge>, mut client: TcpStream, arrival: Arrival, entry: Arc<Entry>) {
    let Arrival { peer, listen, connected } = arrival;
    let visit = entry.live.arrive();
    let mut line = edge.access.begin();
    if let Some(line) = &mut line {
        line.came(peer.ip().to_canonical(), "tcp");
        line.route(&entry.live);
    }
    drop(entry);
    let found = |table: &Table| match table.role(&listen) {
        Some(Role::Tcp(entry)) => Some(entry),
        _ => None,
    };
    match reach(&edge, &found, &client, peer).await {
        Ok((flight, backend)) => {
            if let Some(line) = &mut line {
                line.backend(&flight.backend.id);
            }
            carry(&mut client, backend, flight, &visit, line.as_mut()).await;
        }
        Err(failure) => {
            visit.fail(failure);
            reset(&client);
        }
    }
    if let Some(line) = &mut line {
        line.failed(visit.failure());
    }
    drop((client, visit, line, connected));
}

/// Bytes both ways, until both have ended or the backend is cut.
async fn carry(client: &mut TcpStream, backend: TcpStream, flight: Flight, visit: &Visit, line: Option<&mut Line>) {
    let mut backend = Watched { stream: backend, broke: false };
    let mut cut = flight.cut();
    let broken = tokio::select! {
        ended = copy_bidirectional(client, &mut backend) => {
            if backend.broke {
                visit.fail(Failure::Broken);
            }
            if let (Some(line), Ok((received, sent))) = (line, &ended) {
                line.carried(*received, *sent);
            }
            ended.is_err()
        }
        () = cut.told() => {
            visit.fail(Failure::Cut);
            true
        }
    };
    if broken {
        reset(client);
        reset(&backend.stream);
    }
}

/// A backend's connection that remembers whether it was the one that broke.
struct Watched {
    stream: TcpStream,
    broke: bool,
}

impl Watched {
    fn look<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.broke |= matches!(polled, Poll::Ready(Err(_)));
        polled
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, to);
        self.look(polled)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.look(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It may have gone before we said that the client has ended: no failure.
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection to a backend of the route, once it can be had.
async fn reach(
    edge: &Edge,
    found: &impl Fn(&Table) -> Option<Arc<Entry>>,
    client: &TcpStream,
    peer: SocketAddr,
) -> Result<(Flight, TcpStream), Failure> {
    let wait = Duration::from_millis(edge.limits.connect_timeout_ms);
    let mut tried = Vec::new();
    loop {
        let Admission::Go(entry) = edge.tables.admit(found).await else { return Err(Failure::Unserved) };
        let Some(flight) = entry.next(&tried) else {
            let same = found(&edge.tables.load()).is_some_and(|now| Arc::ptr_eq(&now, &entry));
            if same && !entry.is_parked() {
                return Err(if tried.is_empty() { Failure::Unserved } else { Failure::Refused });
            }
            continue;
        };
        tried.push(flight.backend.address);
        let connecting = async {
            let mut stream = TcpStream::connect(flight.backend.address).await?;
            if let Some(version) = entry.proxy_protocol {
                stream.write_all(&proxy_protocol::header(version, peer, client.local_addr()?)).await?;
            }
            io::Result::Ok(stream)
        };
        if let Ok(Ok(stream)) = tokio::time::timeout(wait, connecting).await {
            crate::listeners::tune(&stream);
            return Ok((flight, stream));
        }
    }
}

/// Closing is then a reset instead of an end; if it is refused the end has to do.
fn reset(stream: &TcpStream) {
    let _as_end = stream.set_zero_linger();
}
