//! TCP: bytes from a published port to a backend and back.
//!
//! In → Out: an accepted connection → a backend in turn → bytes both ways, each direction ending for itself.
//!
//! **Invariant**: a client is connected to another backend only as long as not a byte was passed on. A reset on one side
//! is a reset on the other: a broken stream never looks like a finished one.
//!
//! Not here: waiting (`park`), PROXY protocol (a later issue).
//!
//! Tests: `tests/it/`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::flight::{Flight, cut};
use crate::park::Admission;
use crate::state::{Connected, Edge};
use crate::table::{Entry, Role, Table};

/// Serves one connection that arrived at `listen`.
pub(crate) async fn connection(
    edge: Arc<Edge>,
    mut client: TcpStream,
    listen: SocketAddr,
    entry: Arc<Entry>,
    connected: Connected,
) {
    let visit = entry.live.arrive();
    let found = |table: &Table| match table.role(&listen) {
        Some(Role::Tcp(entry)) => Some(entry),
        _ => None,
    };
    let Some((flight, mut backend)) = reach(&edge, &found).await else {
        visit.fail();
        reset(&client);
        return;
    };
    let mut signal = flight.backend.cut_signal();
    let broken = tokio::select! {
        ended = copy_bidirectional(&mut client, &mut backend) => ended.is_err(),
        () = cut(&mut signal) => {
            visit.fail();
            true
        }
    };
    if broken {
        reset(&client);
        reset(&backend);
    }
    drop((client, backend, flight, visit, connected));
}

/// A connection to a backend of the route, once it can be had.
async fn reach(edge: &Edge, found: &impl Fn(&Table) -> Option<Arc<Entry>>) -> Option<(Flight, TcpStream)> {
    let wait = Duration::from_millis(edge.limits.connect_timeout_ms);
    let mut tried = Vec::new();
    loop {
        let Admission::Go(entry) = edge.tables.admit(found).await else { return None };
        let Some(flight) = entry.next(&tried) else {
            let same = found(&edge.tables.load()).is_some_and(|now| Arc::ptr_eq(&now, &entry));
            if same && !entry.is_parked() {
                return None;
            }
            continue;
        };
        tried.push(flight.backend.address);
        if let Ok(Ok(stream)) = tokio::time::timeout(wait, TcpStream::connect(flight.backend.address)).await {
            crate::listeners::tune(&stream);
            return Some((flight, stream));
        }
    }
}

/// Closing is then a reset instead of an end; if it is refused the end has to do.
fn reset(stream: &TcpStream) {
    let _as_end = stream.set_zero_linger();
}
