//! After 101: bytes both ways between a client and a backend, WebSocket or any other protocol.
//!
//! In → Out: both upgraded connections → bytes, until both sides have ended or the backend is cut.
//!
//! **Invariant**: a tunnel belongs to its backend, not to the table: changes of routes do not touch it.
//!
//! Not here: which upgrades are let through (`headers::upgrade_of`).
//!
//! Tests: `tests/it/`.

use http::Response;
use http::header;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::access::Line;
use crate::flight::{Failure, Flight, Visit};
use crate::headers;
use crate::state::Connected;

/// What lives as long as a tunnel.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) flight: Flight,
    pub(crate) visit: Visit,
    pub(crate) connected: Connected,
    pub(crate) line: Option<Line>,
}

/// The 101 for the client; the tunnel begins when it has been sent.
pub(crate) fn switch(client: OnUpgrade, mut response: Response<Incoming>, mut tunnel: Tunnel) -> Response<()> {
    let backend = hyper::upgrade::on(&mut response);
    let (mut parts, _empty) = response.into_parts();
    let protocol = parts.headers.get(header::UPGRADE).cloned();
    headers::strip_hop_by_hop(&mut parts.headers);
    parts.headers.insert(header::CONNECTION, http::HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        parts.headers.insert(header::UPGRADE, protocol);
    }
    parts.extensions.clear();
    if let Some(line) = &mut tunnel.line {
        line.status(parts.status);
    }
    tokio::spawn(dig(client, backend, tunnel));
    Response::from_parts(parts, ())
}

async fn dig(client: OnUpgrade, backend: OnUpgrade, tunnel: Tunnel) {
    let Tunnel { flight, visit, connected, mut line } = tunnel;
    let mut cut = flight.cut();
    let bytes = async {
        let (Ok(client), Ok(backend)) = (client.await, backend.await) else { return };
        let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
        // How a tunnel ends is its users' affair: they have a protocol of their own.
        let ended = copy_bidirectional(&mut client, &mut backend).await;
        if let (Some(line), Ok((received, sent))) = (&mut line, ended) {
            line.carried(received, sent);
        }
    };
    tokio::select! {
        () = bytes => {}
        () = cut.told() => visit.fail(Failure::Cut),
    }
    if let Some(line) = &mut line {
        line.failed(visit.failure());
    }
    drop((flight, visit, connected, line));
}
