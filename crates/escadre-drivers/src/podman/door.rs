//! The door: the one function through which every call to the engine leaves, and which sees the final payload.
//!
//! In: a [`Call`] (method, path, query, JSON body). Out: the engine's answer as JSON, as a stream, or as a raw connection.
//! **Invariant:** nothing else in this crate opens the engine's socket; a call that may change something is counted, and shown to the policy before it leaves.
//! Not here: what the words mean (`escadre_render::engine`), when a call is made (the modules beside).
//! Tests: `door/tests.rs`.

use super::policy::Policy;
use bytes::Bytes;
use escadre_engine::ports::Error;
use http::{HeaderName, Method, Request, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::UnixStream;

/// Longest answer that is read into memory: a list of ten thousand containers has about 30 MB.
const LONGEST: usize = 256 * 1024 * 1024;
/// Longest error text of an engine that is passed on, in characters.
const WORDS: usize = 400;
/// Longest wait for an answer that does not depend on anything but the engine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The engine's socket, and the count of what went through.
#[derive(Debug)]
pub struct Door {
    socket: PathBuf,
    engine: Arc<str>,
    policy: Policy,
    calls: AtomicU64,
    mutating: AtomicU64,
}

/// One call, complete.
#[derive(Debug)]
pub struct Call {
    /// What it is for, for error messages: `create container totem_france_web_1_g1`.
    pub act: String,
    /// The method.
    pub method: Method,
    /// The path with the engine's version prefix, without query.
    pub path: String,
    /// The query, encoded.
    pub query: String,
    /// Further headers.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: Payload,
    /// Longest wait for the head of the answer; `None`: as long as it takes.
    pub patience: Option<Duration>,
    /// It creates, changes or removes something.
    pub mutates: bool,
}

/// What a call carries.
#[derive(Debug)]
pub enum Payload {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(Value),
    /// A tar archive, in pieces as they come.
    Tar(tokio::sync::mpsc::Receiver<io::Result<Bytes>>),
}

impl Call {
    fn new(method: Method, act: impl Into<String>, path: impl Into<String>) -> Self {
        let mutates = !matches!(method, Method::GET | Method::HEAD);
        Self {
            act: act.into(),
            method,
            path: path.into(),
            query: String::new(),
            headers: Vec::new(),
            body: Payload::Nothing,
            patience: Some(PATIENCE),
            mutates,
        }
    }

    /// A call that reads.
    pub fn get(act: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::GET, act, path)
    }

    /// A call that changes something.
    pub fn post(act: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::POST, act, path)
    }

    /// A call that removes something.
    pub fn delete(act: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, act, path)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, key: &str, value: impl AsRef<str>) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(&encode(key));
        self.query.push('=');
        self.query.push_str(&encode(value.as_ref()));
        self
    }

    /// Gives it a body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Payload::Json(body);
        self
    }

    /// Gives it a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Waits this long for the head of the answer, or for ever.
    #[must_use]
    pub fn within(mut self, patience: Option<Duration>) -> Self {
        self.patience = patience;
        self
    }

    /// It is a POST but changes nothing.
    #[must_use]
    pub fn only_reads(mut self) -> Self {
        self.mutates = false;
        self
    }
}

impl Door {
    /// A door to the engine of that name behind a Unix socket.
    pub fn new(engine: impl Into<Arc<str>>, socket: impl Into<PathBuf>, policy: Policy) -> Self {
        Self {
            socket: socket.into(),
            engine: engine.into(),
            policy,
            calls: AtomicU64::new(0),
            mutating: AtomicU64::new(0),
        }
    }

    /// Where it leads.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The engine's name, for messages.
    pub fn engine(&self) -> Arc<str> {
        Arc::clone(&self.engine)
    }

    /// How many calls left so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// How many calls left that create, change or remove.
    pub fn mutating(&self) -> u64 {
        self.mutating.load(Ordering::Relaxed)
    }

    /// Makes a call and reads the whole answer as JSON (`Null` when it is empty).
    ///
    /// # Errors
    /// When the engine cannot be reached, refuses, or answers something that is no JSON.
    pub async fn json(&self, call: Call) -> Result<Value, Error> {
        let act = call.act.clone();
        let bytes = self.bytes(call).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Bug { act: act.into(), why: format!("the answer is no JSON: {error}").into() })
    }

    /// Makes a call and reads the whole answer.
    ///
    /// # Errors
    /// When the engine cannot be reached or refuses.
    pub async fn bytes(&self, call: Call) -> Result<Bytes, Error> {
        let (act, patience) = (call.act.clone(), call.patience);
        let response = self.send(call).await?;
        let whole = Limited::new(response.into_body(), LONGEST).collect();
        let read = match patience {
            Some(patience) => tokio::time::timeout(patience, whole).await.map_err(|_| self.silent())?,
            None => whole.await,
        };
        read.map(http_body_util::Collected::to_bytes)
            .map_err(|error| Error::Bug { act: act.into(), why: format!("the answer broke off: {error}").into() })
    }

    /// Makes a call that answers with its status alone: was anything changed? The engine says 304 where it was so already.
    ///
    /// # Errors
    /// When the engine cannot be reached or refuses.
    pub async fn changes(&self, call: Call) -> Result<bool, Error> {
        Ok(self.send(call).await?.status() != StatusCode::NOT_MODIFIED)
    }

    /// Makes a call and hands the answer's body over as it comes.
    ///
    /// # Errors
    /// When the engine cannot be reached or refuses.
    pub async fn stream(&self, call: Call) -> Result<Incoming, Error> {
        Ok(self.send(call).await?.into_body())
    }

    /// Makes a call and reads the head of the answer only.
    ///
    /// # Errors
    /// When the engine cannot be reached or refuses.
    pub async fn head(&self, call: Call) -> Result<http::HeaderMap, Error> {
        Ok(self.send(call).await?.headers().clone())
    }

    /// Makes a call that turns the connection into a raw one (attach).
    ///
    /// # Errors
    /// When the engine cannot be reached, refuses, or does not turn it.
    pub async fn raw(&self, call: Call) -> Result<TokioIo<hyper::upgrade::Upgraded>, Error> {
        let act = call.act.clone();
        let call = call.header(http::header::CONNECTION, "Upgrade").header(http::header::UPGRADE, "tcp");
        let response = self.send(call).await?;
        hyper::upgrade::on(response).await.map(TokioIo::new).map_err(|error| Error::Bug {
            act: act.into(),
            why: format!("the engine did not open a raw connection: {error}").into(),
        })
    }

    /// The one place where calls leave.
    async fn send(&self, call: Call) -> Result<http::Response<Incoming>, Error> {
        if call.mutates
            && let Err(why) = self.policy.check(&call)
        {
            return Err(Error::Refused {
                engine: "policy".into(),
                act: call.act.into(),
                message: why,
                status: StatusCode::FORBIDDEN.as_u16(),
            });
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        if call.mutates {
            self.mutating.fetch_add(1, Ordering::Relaxed);
        }
        let (act, patience) = (call.act.clone(), call.patience);
        let request = request(call)?;
        let answer = self.exchange(request);
        let response = match patience {
            Some(patience) => tokio::time::timeout(patience, answer).await.map_err(|_| self.silent())??,
            None => answer.await?,
        };
        let status = response.status();
        // "Not modified" is the answer to stopping what has ended, or starting what runs: what was asked for is so.
        if status.is_success() || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NOT_MODIFIED) {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), 1 << 20).collect();
        let words = match tokio::time::timeout(PATIENCE, body).await {
            Ok(Ok(body)) => words(&body.to_bytes()),
            _ => String::new(),
        };
        Err(Error::Refused { engine: self.engine(), act: act.into(), message: words.into(), status: status.as_u16() })
    }

    async fn exchange(&self, request: Request<BoxBody<Bytes, io::Error>>) -> Result<http::Response<Incoming>, Error> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| self.unreachable(source))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(io::Error::other(error)))?;
        // The connection lives as long as the answer's body is read; its own error shows there.
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await.map_err(|error| self.unreachable(io::Error::other(error)))
    }

    fn unreachable(&self, source: io::Error) -> Error {
        Error::Unreachable { engine: self.engine(), at: self.socket.display().to_string().into(), source }
    }

    fn silent(&self) -> Error {
        self.unreachable(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
    }
}

fn request(call: Call) -> Result<Request<BoxBody<Bytes, io::Error>>, Error> {
    let uri = if call.query.is_empty() { call.path } else { format!("{}?{}", call.path, call.query) };
    let mut request = Request::builder().method(call.method).uri(uri).header(http::header::HOST, "engine");
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let body = match call.body {
        Payload::Nothing => Empty::new().map_err(|never| match never {}).boxed(),
        Payload::Json(value) => {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
            Full::from(value.to_string()).map_err(|never| match never {}).boxed()
        }
        Payload::Tar(pieces) => {
            request = request.header(http::header::CONTENT_TYPE, "application/x-tar");
            let frames = futures_util::stream::unfold(pieces, |mut pieces| async move {
                pieces.recv().await.map(|piece| (piece.map(Frame::data), pieces))
            });
            BodyExt::boxed(StreamBody::new(frames))
        }
    };
    request.body(body).map_err(|error| Error::Bug { act: call.act.into(), why: error.to_string().into() })
}

/// The engine's own words in an error, on one line, cut.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let message = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|value| value.get("message").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or_else(|| text.into_owned());
    let line: String = message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    match line.char_indices().nth(WORDS) {
        Some((at, _)) => format!("{} …", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// Percent-encoding of a query's or path's part.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests;
