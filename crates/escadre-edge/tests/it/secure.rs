//! A client that speaks TLS, and certificates to show it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::world::{Wire, World, within};

/// What a client trusts, and what it can speak.
pub(crate) fn client(root: &str, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("a root")).expect("added");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

impl World {
    /// What the local authority of this edge is known by.
    pub(crate) fn root(&self) -> String {
        escadre_edge::authority::Authority::open(self.dir.path()).expect("an authority").root().to_owned()
    }

    /// A handshake for a host, trusting one root; the error is the client's.
    pub(crate) async fn secure(
        &self,
        host: &str,
        config: Arc<ClientConfig>,
    ) -> Result<Wire<TlsStream<TcpStream>>, std::io::Error> {
        let stream = within("connect", TcpStream::connect(self.https().await)).await?;
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let stream = within("shake hands", TlsConnector::from(config).connect(name, stream)).await?;
        Ok(Wire { stream: BufReader::new(stream) })
    }

    /// One GET over TLS, trusting the local authority.
    pub(crate) async fn get_secure(&self, host: &str, path: &str) -> crate::world::Reply {
        let mut wire = self.secure(host, client(&self.root(), &["http/1.1"])).await.expect("trusted");
        wire.say(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        wire.reply().await
    }
}

/// An authority of somebody else, and a certificate by it: root, and chain with key.
pub(crate) fn foreign(names: &[&str], ends_in: std::time::Duration) -> (String, String) {
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "Somebody's authority");
    let root_pem = root.self_signed(&root_key).expect("a root").pem();
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    let now = std::time::SystemTime::now();
    params.not_before = (now - std::time::Duration::from_secs(60)).into();
    params.not_after = (now + ends_in).into();
    let made = params.signed_by(&key, &Issuer::new(root, root_key)).expect("signed");
    (root_pem, format!("{}{}", made.pem(), key.serialize_pem()))
}
