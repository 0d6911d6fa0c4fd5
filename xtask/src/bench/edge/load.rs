//! The loads: as much as goes (wrk), at a fixed rate (a process of our own), connections that only stay open (another one).
//!
//! In: an address, a rate, a time. Out: counts, times.
//! **Invariant:** a request's time counts from the moment when it was to be sent, whether or not the one before had been answered (no co-ordinated omission); an
//! answer that is not good is an error, not a number.
//! Not here: what the servers have cost (`servers`).
//! Tests: each load counts its answers.

use super::servers::HOST;
use crate::bench::measure;
use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Connections of both loads; fewer than the edge keeps to one backend.
const CONNECTIONS: usize = 32;
/// Addresses that idle connections come from: the edge lets one client have 2,500.
const SOURCES: usize = 5;
/// The first part of a fixed rate, which warms up and is not looked at.
const WARM: Duration = Duration::from_millis(500);
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Plain,
    Tls,
}

impl Scheme {
    pub(super) fn word(self) -> &'static str {
        match self {
            Scheme::Plain => "http",
            Scheme::Tls => "https",
        }
    }

    fn of(word: &str) -> Result<Self> {
        match word {
            "http" => Ok(Scheme::Plain),
            "https" => Ok(Scheme::Tls),
            _ => bail!("\"{word}\" is no scheme"),
        }
    }
}

/// As many requests as go on kept connections; how many were answered, and how many a second.
pub(super) fn saturate(scheme: Scheme, port: u16, time: Duration) -> Result<(f64, f64)> {
    let url = format!("{}://{HOST}:{port}/", scheme.word());
    let seconds = format!("{}s", time.as_secs());
    let mut command = Command::new("wrk");
    command.args(["--threads", "1", "--connections", &CONNECTIONS.to_string(), "--duration", &seconds, &url]);
    let text = measure::output(&mut command)?;
    ensure!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{url}: {text}");
    let number = |line: &str, word: usize| line.split_whitespace().nth(word).and_then(|word| word.parse::<f64>().ok());
    let all = text.lines().find(|line| line.contains(" requests in ")).and_then(|line| number(line, 0));
    let rate = text.lines().find(|line| line.starts_with("Requests/sec:")).and_then(|line| number(line, 1));
    all.zip(rate).with_context(|| format!("wrk said something else: {text}"))
}

/// What a fixed rate has shown; times in seconds.
pub(super) struct Paced {
    pub(super) requests: f64,
    pub(super) median: f64,
    pub(super) p99: f64,
}

/// Requests at a fixed rate, sent by a process of their own.
pub(super) fn pace(scheme: Scheme, to: SocketAddr, rate: f64, time: Duration, root: &Path) -> Result<Paced> {
    let (to, rate, time) = (to.to_string(), format!("{rate:.0}"), time.as_secs_f64().to_string());
    let root = root.display().to_string();
    let answer = measure::case(&["edge-paced", scheme.word(), &to, &rate, &time, &root])?;
    let of = |key| measure::number(&answer, key);
    Ok(Paced { requests: of("requests")?, median: of("median")?, p99: of("p99")? })
}

/// Connections that had one answer each and say nothing more, held by a process of their own until this value goes.
pub(super) struct Idle {
    client: Child,
    /// Open until it has ended, since it has a last word.
    words: BufReader<ChildStdout>,
}

impl Idle {
    pub(super) fn begin(scheme: Scheme, to: SocketAddr, many: usize, root: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("find this program")?);
        command.args(["bench", "case", "edge-idle", scheme.word(), &to.to_string(), &many.to_string()]).arg(root);
        let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start a client")?;
        let words = BufReader::new(client.stdout.take().context("its words")?);
        let mut idle = Self { client, words };
        let mut line = String::new();
        idle.words.read_line(&mut line).context("hear it")?;
        ensure!(line.trim() == "open", "the client did not open its connections: {line}");
        Ok(idle)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // It ends when it has no input any more.
        drop(self.client.stdin.take());
        let _ = self.client.wait();
    }
}

/// The processes of the loads.
pub(crate) fn case(words: &[&str]) -> Result<Option<Value>> {
    match words {
        ["edge-paced", scheme, to, rate, time, root] => {
            let time = Duration::from_secs_f64(time.parse().context("a time")?);
            paced(Scheme::of(scheme)?, to.parse().context("an address")?, rate.parse().context("a rate")?, time, root)
                .map(Some)
        }
        ["edge-idle", scheme, to, many, root] => {
            let to = to.parse().context("an address")?;
            idle(Scheme::of(scheme)?, to, many.parse().context("a number")?, root).map(Some)
        }
        _ => Ok(None),
    }
}

fn paced(scheme: Scheme, to: SocketAddr, rate: f64, time: Duration, root: &str) -> Result<Value> {
    let config = config(root)?;
    let together = Arc::new(Barrier::new(CONNECTIONS));
    let each = Duration::from_secs_f64(CONNECTIONS as f64 / rate);
    let lines: Vec<_> = (0..CONNECTIONS)
        .map(|index| {
            let (together, config) = (Arc::clone(&together), Arc::clone(&config));
            std::thread::spawn(move || -> Result<Vec<f64>> {
                let stream = TcpStream::connect(to).context("connect");
                let made = stream.and_then(|stream| Connection::new(scheme, stream, &config));
                // Whoever failed lets the others go on, and says so in the end.
                together.wait();
                let mut connection = made?;
                let first = Instant::now() + each.mul_f64(index as f64 / CONNECTIONS as f64);
                let mut times = Vec::new();
                for number in 0_u32.. {
                    let due = first + each * number;
                    if due.duration_since(first) >= WARM + time {
                        break;
                    }
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    connection.ask()?;
                    times.push(if due.duration_since(first) < WARM { -1.0 } else { due.elapsed().as_secs_f64() });
                }
                Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for line in lines {
        times.extend(line.join().map_err(|_| anyhow!("a line of the load panicked"))??);
    }
    let requests = times.len();
    times.retain(|time| *time >= 0.0);
    times.sort_by(f64::total_cmp);
    let part = |of: usize| times.get((times.len() * of / 100).min(times.len().saturating_sub(1))).copied();
    Ok(json!({ "requests": requests, "median": part(50), "p99": part(99) }))
}

fn idle(scheme: Scheme, to: SocketAddr, many: usize, root: &str) -> Result<Value> {
    let config = config(root)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
    let mut open = Vec::with_capacity(many);
    for number in 0..many {
        let last = u8::try_from(1 + number % SOURCES).context("a source")?;
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 1, last], 0)))?;
            socket.connect(to).await?.into_std()
        });
        let stream = stream.with_context(|| format!("open connection {number}"))?;
        stream.set_nonblocking(false).context("block")?;
        let mut connection = Connection::new(scheme, stream, &config)?;
        connection.ask().with_context(|| format!("ask on connection {number}"))?;
        open.push(connection);
    }
    writeln!(std::io::stdout(), "open").context("say so")?;
    // Until nobody wants them any more.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(json!({ "open": open.len() }))
}

/// A client that trusts the one certificate.
fn config(root: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).context("read the certificate")?).context("trust it")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

trait Bytes: Read + Write + Send {}
impl<S: Read + Write + Send> Bytes for S {}

/// A kept connection, and the bytes of an answer.
struct Connection {
    stream: Box<dyn Bytes>,
    answer: Vec<u8>,
}

impl Connection {
    fn new(scheme: Scheme, stream: TcpStream, config: &Arc<ClientConfig>) -> Result<Self> {
        stream.set_nodelay(true).context("send at once")?;
        stream.set_read_timeout(Some(PATIENCE)).context("not wait for ever")?;
        let stream: Box<dyn Bytes> = match scheme {
            Scheme::Plain => Box::new(stream),
            Scheme::Tls => {
                let name = ServerName::try_from(HOST).context("a name")?;
                let mut stream =
                    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).context("begin TLS")?, stream);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock).context("shake hands")?;
                }
                Box::new(stream)
            }
        };
        Ok(Self { stream, answer: Vec::new() })
    }

    /// One request, and its answer to the end.
    fn ask(&mut self) -> Result<()> {
        let request = concat!("GET / HTTP/1.1\r\nHost: ", "localhost", "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
        self.stream.write_all(request.as_bytes()).context("ask")?;
        self.answer.clear();
        let mut buffer = [0; 4096];
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            let count = self.stream.read(&mut buffer).context("read an answer")?;
            ensure!(count > 0, "the connection ended within an answer");
            self.answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if whole.is_none() {
                whole = length(&self.answer)?;
            }
        }
        Ok(())
    }
}

/// How long an answer is, as soon as its head is there.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "another answer: {head}");
    let body = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = body.context("no length")?.trim().parse().context("a length")?;
    Ok(Some(end + 4 + body))
}
