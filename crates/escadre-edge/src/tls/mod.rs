//! TLS towards clients: the handshake, with the certificate of the host that is asked for.
//!
//! In → Out: an accepted connection → HTTP/1.1 or HTTP/2 in TLS, as the client prefers.
//!
//! **Invariant**: TLS 1.2 and 1.3 with the library's own choice of ciphers, nothing to configure. A client that names no
//! host, or one that is not served with TLS, gets no certificate at all. A handshake is bounded in time.
//!
//! Not here: which certificate (`keyring`, `authority`), requests (`http`).
//!
//! Tests: `tests/it/tls.rs`.

pub(crate) mod acme;
pub mod authority;
pub(crate) mod keyring;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http::{self, Arrival, Scheme};
use crate::park::Tables;
use crate::state::{Connected, Edge};
use keyring::Keyring;

/// The first byte of a TLS connection: a record of kind "handshake".
const HANDSHAKE: u8 = 22;

/// Finds the certificate for the host a client names.
#[derive(Debug)]
struct ByName {
    tables: Arc<Tables>,
    keyring: Arc<Keyring>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let table = self.tables.load();
        let secured = table.secured(host)?;
        let certificate = self.keyring.of(host, &secured.source, SystemTime::now())?;
        Some(Arc::clone(certificate.key()))
    }
}

/// How this worker answers handshakes.
///
/// # Errors
/// When the library has no randomness.
pub(crate) fn config(tables: &Arc<Tables>, keyring: &Arc<Keyring>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let by_name = ByName { tables: Arc::clone(tables), keyring: Arc::clone(keyring) };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(by_name));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Resuming spares the signature; the keys of tickets live and rotate in memory.
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// Serves one client's connection until it ends.
pub(crate) async fn connection(edge: Arc<Edge>, stream: TcpStream, peer: SocketAddr, connected: Connected) {
    let Ok(local) = stream.local_addr() else { return };
    let wait = Duration::from_millis(edge.limits.header_timeout_ms);
    let begun = tokio::time::timeout(wait, begin(&edge, stream)).await;
    // A handshake that fails or never ends is the client's affair.
    let Ok(Ok(begun)) = begun else { return };
    match begun {
        Begun::Tls(stream) => {
            let (_, session) = stream.get_ref();
            let name = session.server_name().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
            let h2 = session.alpn_protocol() == Some(b"h2");
            let arrival = Arrival { peer, local, scheme: Scheme::Https { name }, connected };
            if h2 {
                http::two(edge, *stream, arrival).await;
            } else {
                http::one(edge, *stream, arrival).await;
            }
        }
        Begun::Plain(stream) => {
            http::one(edge, stream, Arrival { peer, local, scheme: Scheme::NoTls, connected }).await;
        }
    }
}

enum Begun {
    Tls(Box<TlsStream<TcpStream>>),
    /// Somebody speaks HTTP where TLS is spoken: they are told so.
    Plain(TcpStream),
}

async fn begin(edge: &Edge, stream: TcpStream) -> io::Result<Begun> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ if first == [HANDSHAKE] => {
            Ok(Begun::Tls(Box::new(TlsAcceptor::from(Arc::clone(&edge.tls)).accept(stream).await?)))
        }
        _ if first[0].is_ascii_uppercase() => Ok(Begun::Plain(stream)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
