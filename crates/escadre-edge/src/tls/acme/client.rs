//! HTTPS to a certificate authority.
//!
//! In → Out: a request of the ACME library → its response, whole.
//!
//! **Invariant**: TLS only, judged by the roots that were given; every step is bounded in time and size. What the server
//! says about trying again is kept: the library drops it with an error.
//!
//! Not here: the protocol (`instant_acme`), when to ask (`keeper`).
//!
//! Tests: `tests/it/acme.rs`.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::flight::lock;

/// Longest time for a connection, and for a whole exchange.
const CONNECT: Duration = Duration::from_secs(15);
const EXCHANGE: Duration = Duration::from_secs(60);
/// Largest answer: a chain of certificates is a few kilobytes.
const MOST: usize = 1024 * 1024;

/// Why an authority could not be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("{0:?} is no https address")]
    Address(String),
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("its certificate is not trusted here: {0}")]
    Untrusted(String),
    #[error("it did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    #[error("it answered what is no HTTP: {0}")]
    Garbled(String),
    #[error("there are no certificates to judge it by: {0}")]
    NoRoots(String),
}

/// A client that remembers what it was told about trying again.
#[derive(Debug, Clone)]
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    again: Arc<Mutex<Option<SystemTime>>>,
}

impl Client {
    /// Judges servers by these roots (PEM), else by the system's.
    pub(super) fn new(roots: Option<&str>) -> Result<Client, ClientError> {
        let mut store = RootCertStore::empty();
        match roots {
            Some(pem) => {
                for der in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let der = der.map_err(|_| ClientError::NoRoots("what was given is no PEM".to_owned()))?;
                    store.add(der).map_err(|error| ClientError::NoRoots(error.to_string()))?;
                }
            }
            None => {
                // One of the system's that cannot be read is no reason to distrust the others.
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if store.is_empty() {
            return Err(ClientError::NoRoots("install ca-certificates, or name a file".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| ClientError::NoRoots(error.to_string()))?;
        let tls = tls.with_root_certificates(store).with_no_client_auth();
        Ok(Client { tls: Arc::new(tls), again: Arc::default() })
    }

    /// When the server wants to be asked again, if it said so with its last refusal.
    pub(super) fn again(&self) -> Option<SystemTime> {
        lock(&self.again).take()
    }

    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>, ClientError> {
        let (mut parts, body) = request.into_parts();
        let address = || ClientError::Address(parts.uri.to_string());
        let authority = parts.uri.authority().cloned().ok_or_else(address)?;
        if parts.uri.scheme_str() != Some("https") {
            return Err(address());
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| address())?;
        let written = HeaderValue::from_str(authority.as_str()).map_err(|_| address())?;
        let unreachable = |error: std::io::Error| match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>())
        {
            Some(error @ rustls::Error::InvalidCertificate(_)) => ClientError::Untrusted(error.to_string()),
            _ => ClientError::Unreachable(error.to_string()),
        };
        let reach = async {
            let stream = TcpStream::connect((host.as_str(), authority.port_u16().unwrap_or(443))).await?;
            TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await
        };
        let stream = tokio::time::timeout(CONNECT, reach).await.map_err(|_| ClientError::Silent(CONNECT))?;
        let stream = stream.map_err(unreachable)?;
        let garbled = |error: &dyn std::fmt::Display| ClientError::Garbled(error.to_string());
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| garbled(&error))?;
        let path = parts.uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
        parts.uri = path;
        parts.headers.insert(header::HOST, written);
        let driven = tokio::spawn(async move { drop(connection.await) });
        let answered = async {
            let response = sender.send_request(Request::from_parts(parts, body)).await;
            let (parts, body) = response.map_err(|error| garbled(&error))?.into_parts();
            let body = Limited::new(body, MOST).collect().await.map_err(|error| garbled(&error))?;
            Ok(Response::from_parts(parts, Full::new(body.to_bytes())))
        };
        let answered = tokio::time::timeout(EXCHANGE, answered).await;
        driven.abort();
        let response = answered.map_err(|_| ClientError::Silent(EXCHANGE))??;
        if response.status().is_client_error() || response.status().is_server_error() {
            *lock(&self.again) = response.headers().get(header::RETRY_AFTER).and_then(moment);
        }
        Ok(response)
    }
}

/// `120`, or a date (RFC 9110, 10.2.3).
fn moment(value: &HeaderValue) -> Option<SystemTime> {
    let text = value.to_str().ok()?.trim();
    match text.parse::<u32>() {
        Ok(seconds) => Some(SystemTime::now() + Duration::from_secs(seconds.into())),
        Err(_) => httpdate::parse_http_date(text).ok(),
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let response = client.exchange(request).await;
            response.map(BytesResponse::from).map_err(|error| instant_acme::Error::Other(Box::new(error)))
        })
    }
}
