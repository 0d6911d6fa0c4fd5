//! A certificate authority for tests (Pebble, with a DNS of its own), and one that only refuses.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use escadre_model::routes::Acme;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::secure::client;
use crate::world::{until, within};

/// Says that a test cannot run here, where it is counted.
pub(crate) fn skip(test: &str, reason: &str) {
    if let Some(path) = std::env::var_os("ESCADRE_TEST_SKIPS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("the list of skips");
        writeln!(file, "escadre-edge {test}: {reason}").expect("written");
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/bin").join(name);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(peers).chain(std::env::split_paths(&paths).map(|at| at.join(name)));
    all.into_iter().find(|path| path.is_file())
}

/// The TLS of an authority's own server: what it is judged by, its certificate, its key.
pub(crate) fn server() -> (String, String, String) {
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).expect("a root").pem();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("names");
    let made = params.signed_by(&key, &Issuer::new(root, root_key)).expect("signed");
    (root_pem, made.pem(), key.serialize_pem())
}

fn free() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.local_addr().expect("an address").port()
}

/// A running authority; it ends with this value.
pub(crate) struct Pebble {
    folder: tempfile::TempDir,
    children: Vec<Child>,
    at: u16,
    management: u16,
    names: u16,
    /// Everything it said.
    pub(crate) said: Arc<Mutex<String>>,
    /// What its server is judged by.
    pub(crate) roots: String,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }
}

impl Pebble {
    /// An authority that looks for proofs at this port and signs for so many seconds. `None` where it is not installed.
    pub(crate) async fn start(test: &str, http: u16, seconds: u64) -> Option<Pebble> {
        let (Some(pebble), Some(names)) = (program("pebble"), program("pebble-challtestsrv")) else {
            skip(test, "pebble is not below .peers (scripts/peers pebble brings it)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let (roots, certificate, key) = server();
        std::fs::write(folder.path().join("cert.pem"), certificate).expect("written");
        std::fs::write(folder.path().join("key.pem"), key).expect("written");
        let (at, management, dns, control) = (free(), free(), free(), free());
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{at}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": "cert.pem", "privateKey": "key.pem", "httpPort": http, "tlsPort": 1,
            "domainBlocklist": ["blocked.example.fr"], "retryAfter": {"authz": 1, "order": 1},
            "profiles": {"default": {"description": "of tests", "validityPeriod": seconds}},
        }});
        std::fs::write(folder.path().join("config.json"), config.to_string()).expect("written");
        let said = Arc::new(Mutex::new(String::new()));
        let spawn = |program: &Path, line: &[&str]| {
            let mut command = Command::new(program);
            command.args(line).current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
            command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0").env("PEBBLE_WFE_NONCEREJECT", "1");
            let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
            let out = child.stdout.take().expect("a pipe");
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let mut said = said.lock().expect("unpoisoned");
                    said.push_str(&line);
                    said.push('\n');
                }
            });
            child
        };
        let dns_at = format!("127.0.0.1:{dns}");
        let control_at = format!("127.0.0.1:{control}");
        let line = [
            "-dnsserver",
            &dns_at,
            "-management",
            &control_at,
            "-defaultIPv4",
            "127.0.0.1",
            "-defaultIPv6",
            "",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-doh",
            "",
        ];
        let names_child = spawn(&names, &line);
        let pebble_child = spawn(&pebble, &["-config", "config.json", "-dnsserver", &dns_at]);
        let children = vec![names_child, pebble_child];
        let pebble = Pebble { folder, children, at, management, names: control, said, roots };
        for port in [at, management, control] {
            until("the authority listens", || async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() }).await;
        }
        Some(pebble)
    }

    /// What routes say to have its certificates.
    pub(crate) fn acme(&self) -> Acme {
        let directory = format!("https://127.0.0.1:{}/dir", self.at);
        Acme { directory, email: Some("ops@example.fr".into()), roots: Some(self.roots.clone()) }
    }

    /// What its certificates are judged by.
    pub(crate) async fn root(&self) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.management)).await.expect("connected");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let mut stream = TlsConnector::from(client(&self.roots, &[])).connect(name, stream).await.expect("trusted");
        stream.write_all(b"GET /roots/0 HTTP/1.0\r\nHost: x\r\n\r\n").await.expect("asked");
        let mut text = String::new();
        let _unclean_end = within("an answer", stream.read_to_string(&mut text)).await;
        text.split_once("\r\n\r\n").expect("an answer").1.to_owned()
    }

    /// Its DNS says from now on that a name is there.
    pub(crate) async fn lead(&self, name: &str, to: &str) {
        // Records are added to those that are there.
        for path in ["/clear-a", "/add-a"] {
            let mut stream = TcpStream::connect(("127.0.0.1", self.names)).await.expect("connected");
            let body = serde_json::json!({"host": format!("{name}."), "addresses": [to]}).to_string();
            let head = format!("POST {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.expect("asked");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("answered");
            assert!(answer.contains(" 200 "), "{answer}");
        }
    }

    /// It stops; it can be started again at the same place.
    pub(crate) fn stop(&mut self) {
        let child = self.children.last_mut().expect("it runs");
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    /// It starts again, with nothing remembered.
    pub(crate) async fn start_again(&mut self) {
        let program = program("pebble").expect("it was there");
        let mut command = Command::new(program);
        let config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.folder.path().join("config.json")).expect("read"))
                .expect("json");
        assert!(config["pebble"]["httpPort"].is_number());
        command.args(["-config", "config.json"]).current_dir(self.folder.path());
        // Its DNS is not told: it is not asked for a proof.
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_VA_ALWAYS_VALID", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.children.push(command.spawn().expect("it starts"));
        until("the authority listens", || async { TcpStream::connect(("127.0.0.1", self.at)).await.is_ok() }).await;
    }
}

/// An authority that says yes to everything but an order: that one gets a fixed answer.
pub(crate) struct Refuser {
    pub(crate) acme: Acme,
    /// Orders that were asked for.
    pub(crate) orders: Arc<std::sync::atomic::AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Refuser {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Refuser {
    /// `answer`: status line, further header lines, problem.
    pub(crate) async fn new(answer: &'static str) -> Refuser {
        let (roots, certificate, key) = server();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let at: SocketAddr = listener.local_addr().expect("an address");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let orders = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let count = Arc::clone(&orders);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = vec![0; 16_384];
                let Ok(got) = stream.read(&mut head).await else { continue };
                let head = String::from_utf8_lossy(&head[..got]).into_owned();
                let base = format!("https://{at}");
                let nonce = format!("Replay-Nonce: n{}\r\n", rand(&head));
                let reply = match head.split(' ').nth(1).unwrap_or_default() {
                    "/dir" => {
                        let body = serde_json::json!({
                            "newNonce": format!("{base}/nonce"), "newAccount": format!("{base}/account"),
                            "newOrder": format!("{base}/order"),
                        })
                        .to_string();
                        format!(
                            "HTTP/1.1 200 OK\r\n{nonce}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                            body.len()
                        )
                    }
                    "/account" => format!(
                        "HTTP/1.1 201 Created\r\n{nonce}Location: {base}/account/1\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{{\"status\":\"valid\"}}"
                    ),
                    "/order" => {
                        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let (head, body) = answer.split_once("\n\n").expect("head and body");
                        let head = head.replace('\n', "\r\n");
                        format!(
                            "HTTP/1.1 {head}\r\n{nonce}Content-Type: application/problem+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                            body.len()
                        )
                    }
                    _ => format!("HTTP/1.1 200 OK\r\n{nonce}Content-Length: 0\r\nConnection: close\r\n\r\n"),
                };
                let _left = stream.write_all(reply.as_bytes()).await;
                let _left = stream.shutdown().await;
            }
        });
        let acme = Acme { directory: format!("https://{at}/dir"), email: None, roots: Some(roots) };
        Refuser { acme, orders, task }
    }
}

/// Some number that differs from request to request.
fn rand(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (text, std::time::Instant::now()).hash(&mut hasher);
    hasher.finish()
}
