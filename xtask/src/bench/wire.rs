//! A wire-tap: a socket that passes everything on to the engine and keeps what was asked.
//!
//! In: the engine's socket. Out: another socket; every request that went through it, with its body.
//! **Invariant:** bytes pass unchanged; a request is counted by its method, whatever the program that sent it calls it.
//! Not here: what the calls mean (`floor`, `engine`).
//! Tests: the count of a first apply is checked to be more than nothing.

use anyhow::{Context, Result};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `POST`.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Its body, if it had a length.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// It creates, changes or removes something.
    pub(crate) fn mutates(&self) -> bool {
        self.method != "GET" && self.method != "HEAD"
    }
}

/// A socket with a listener in the middle. It listens as long as the process lives.
pub(crate) struct Tap {
    /// Where to connect.
    pub(crate) socket: PathBuf,
    heard: Arc<Mutex<Vec<Request>>>,
}

impl Tap {
    /// Listens at `socket` for what is meant for `engine`.
    pub(crate) fn new(socket: &Path, engine: &Path) -> Result<Self> {
        let listener = UnixListener::bind(socket).with_context(|| format!("listen at {}", socket.display()))?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (engine, keep) = (engine.to_owned(), Arc::clone(&heard));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (engine, keep) = (engine.clone(), Arc::clone(&keep));
                std::thread::spawn(move || pass(client, &engine, &keep));
            }
        });
        Ok(Self { socket: socket.to_owned(), heard })
    }

    /// What was asked since the last time.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection, both ways. An end that breaks off ends the other one, as without us.
fn pass(client: UnixStream, engine: &Path, heard: &Mutex<Vec<Request>>) {
    let Ok(server) = UnixStream::connect(engine) else { return };
    let (Ok(mut answers), Ok(mut back)) = (server.try_clone(), client.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Write);
    });
    let _ = ask(client, &server, heard);
    let _ = server.shutdown(Shutdown::Write);
}

/// Passes requests on and keeps them; after a body without a length it only passes on.
fn ask(mut client: UnixStream, mut server: &UnixStream, heard: &Mutex<Vec<Request>>) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut piece = vec![0_u8; 1 << 16];
    loop {
        let count = client.read(&mut piece)?;
        let Some(fresh) = piece.get(..count).filter(|fresh| !fresh.is_empty()) else { return Ok(()) };
        bytes.extend_from_slice(fresh);
        server.write_all(fresh)?;
        while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
            let field = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(':'));
                lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
            };
            let length = field("content-length").and_then(|value| value.parse().ok()).unwrap_or(0_usize);
            let endless = field("transfer-encoding").is_some() || field("upgrade").is_some();
            if !endless && bytes.len() < end + 4 + length {
                break;
            }
            let mut words = head.split_whitespace();
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (method, target) = (word(), word());
            let body = bytes.get(end + 4..end + 4 + length).unwrap_or_default().to_vec();
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(Request { method, target, body });
            if endless {
                io::copy(&mut client, &mut server)?;
                return Ok(());
            }
            bytes.drain(..end + 4 + length);
        }
    }
}
