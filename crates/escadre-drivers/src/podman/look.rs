//! Looking inside: logs, commands in a running container, what it uses.
//!
//! In: a scope or a container. Out: log lines, a session, figures.
//! **Invariant:** nothing here changes what is deployed; only [`Engine::exec`] makes calls that change something.
//! Not here: painting (`escadre`).
//! Tests: `look/tests.rs`, `tests/it`.

use super::door::{Call, encode};
use super::{Engine, is_absent};
use bytes::Bytes;
use escadre_engine::ports::{Error, LogLine, LogQuery, Scope};
use escadre_model::ids::ResourceId;
use escadre_model::observed::EngineId;
use escadre_render::engine::read;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::Sender;

/// Longest line that is passed on, in bytes.
const LONGEST: usize = 16 * 1024;

/// A log with fewer lines than these is looked at whole.
const MANY_LINES: usize = 2000;

/// A command to be run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// With a terminal.
    pub tty: bool,
    /// Its input is given.
    pub stdin: bool,
    /// As this user; `None`: the container's.
    pub user: Option<String>,
    /// In this folder; `None`: the container's.
    pub folder: Option<String>,
    /// Further variables, `KEY=value`.
    pub environment: Vec<String>,
    /// With all rights.
    pub privileged: bool,
}

/// A command that runs in a container.
#[derive(Debug)]
pub struct Session {
    id: String,
    tty: bool,
    raw: TokioIo<hyper::upgrade::Upgraded>,
}

/// What a container uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since its start, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory, in bytes.
    pub memory: u64,
    /// Its limit, in bytes; 0 when there is none.
    pub memory_limit: u64,
    /// Processes.
    pub processes: u64,
}

/// Takes apart what an engine sends: eight bytes of head (stream, length) before each piece, or nothing where there is a terminal.
#[derive(Debug, Default)]
struct Frames {
    rest: Vec<u8>,
    framed: Option<bool>,
}

impl Frames {
    /// Takes bytes in, gives pieces out: is it the error stream, and what.
    fn take(&mut self, bytes: &[u8]) -> Vec<(bool, Vec<u8>)> {
        self.rest.extend_from_slice(bytes);
        let mut found = Vec::new();
        loop {
            let framed = match (self.framed, self.rest.as_slice()) {
                (Some(framed), _) => framed,
                (None, [0..=2, 0, 0, 0, ..]) => true,
                (None, [_, _, _, _, ..]) => false,
                (None, [0..=2, ..] | []) => return found,
                (None, _) => false,
            };
            self.framed = Some(framed);
            if !framed {
                if !self.rest.is_empty() {
                    found.push((false, std::mem::take(&mut self.rest)));
                }
                return found;
            }
            let [stream, _, _, _, a, b, c, d, body @ ..] = self.rest.as_slice() else { return found };
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let Some(piece) = body.get(..length) else { return found };
            found.push((*stream == 2, piece.to_vec()));
            self.rest.drain(..8 + length);
        }
    }
}

/// Whole lines out of pieces, apart by stream.
#[derive(Debug, Default)]
struct Whole {
    out: Vec<u8>,
    error: Vec<u8>,
}

impl Whole {
    fn take(&mut self, error: bool, piece: &[u8]) -> Vec<(bool, String)> {
        let rest = if error { &mut self.error } else { &mut self.out };
        rest.extend_from_slice(piece);
        let mut found = Vec::new();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=at).collect();
            found.push((error, text(&line)));
        }
        // A line without end must not fill the memory.
        if rest.len() > 4 * LONGEST {
            found.push((error, text(&std::mem::take(rest))));
        }
        found
    }

    fn end(self) -> impl Iterator<Item = (bool, String)> {
        [(false, self.out), (true, self.error)]
            .into_iter()
            .filter(|(_, rest)| !rest.is_empty())
            .map(|(error, rest)| (error, text(&rest)))
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line.get(..line.len().min(LONGEST)).unwrap_or_default()).into_owned()
}

/// The moment an engine writes before a line, and the line.
fn dated(line: &str) -> (&str, &str) {
    match line.split_once(' ') {
        Some((at, rest)) if at.len() >= 20 && at.as_bytes().get(10) == Some(&b'T') => (at, rest),
        _ if line.len() >= 20 && line.as_bytes().get(10) == Some(&b'T') && !line.contains(' ') => (line, ""),
        _ => ("", line),
    }
}

impl Engine {
    pub(super) async fn read_logs(&self, scope: &Scope, query: &LogQuery, to: Sender<LogLine>) -> Result<(), Error> {
        let wanted = |id: &ResourceId| {
            let instance = match scope {
                Scope::Fleet(fleet) => &id.instance.fleet == fleet,
                Scope::Instances(list) => list.contains(&id.instance),
            };
            instance && query.service.as_ref().is_none_or(|service| *service == id.resource.key)
        };
        let list = self.list_containers().await?;
        let adopted = |entry: &Value| {
            let engine = EngineId(entry.get("Id")?.as_str()?.into());
            Some((query.adopted.get(&engine)?.clone(), engine.0))
        };
        let ours = |entry| read::container(entry).map(|ours| (ours.seen.id, ours.seen.engine.0));
        let found = list.iter().filter_map(|entry| ours(entry).or_else(|| adopted(entry))).filter(|(id, _)| wanted(id));
        let all = found.map(|(id, engine)| self.log_of(id, engine, query, to.clone()));
        let results = futures_util::future::join_all(all).await;
        results.into_iter().collect()
    }

    async fn log_of(
        &self,
        id: ResourceId,
        engine: Arc<str>,
        query: &LogQuery,
        to: Sender<LogLine>,
    ) -> Result<(), Error> {
        let path = self.compat(&format!("/containers/{}/logs", encode(&engine)));
        let mut call = Call::get(format!("read the log of {id}"), path)
            .query("stdout", "true")
            .query("stderr", "true")
            .query("timestamps", "true");
        if query.follow {
            call = call.query("follow", "true");
        }
        if let Some(since) = query.since {
            call = call.query("since", since.to_string());
        }
        if let Some(tail) = query.tail {
            call = call.query("tail", tail.to_string());
        }
        let mut body = match self.door.stream(call.within(None)).await {
            Ok(body) => body,
            // It went in between.
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let (mut frames, mut whole) = (Frames::default(), Whole::default());
        let line = |(error, line): (bool, String)| {
            let (at, text) = dated(&line);
            LogLine { container: id.clone(), at: at.into(), error, text: text.into() }
        };
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { break };
            let bytes = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
            for (error, piece) in frames.take(bytes) {
                for one in whole.take(error, &piece) {
                    if to.send(line(one)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        for one in whole.end() {
            if to.send(line(one)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The last lines of a container's log, and how many there are in all.
    pub(super) async fn last_lines(&self, name: &str, lines: usize) -> Result<(Vec<Arc<str>>, u64), Error> {
        let mut all = self.log_tail(name, &MANY_LINES.to_string()).await?;
        // Podman 4.3 loses and joins lines that were written in pieces when it is asked for the last ones only: a log that is short enough is read whole.
        if all.len() < MANY_LINES {
            all = self.log_tail(name, "all").await?;
        }
        let total = all.len() as u64;
        let kept = all.split_off(all.len().saturating_sub(lines));
        Ok((kept.into_iter().map(Into::into).collect(), total))
    }

    async fn log_tail(&self, name: &str, tail: &str) -> Result<Vec<String>, Error> {
        let path = self.compat(&format!("/containers/{}/logs", encode(name)));
        let call = Call::get(format!("read the log of {name}"), path)
            .query("stdout", "true")
            .query("stderr", "true")
            .query("tail", tail);
        let bytes = self.door.bytes(call).await?;
        let (mut frames, mut whole) = (Frames::default(), Whole::default());
        let mut all: Vec<String> = Vec::new();
        for (error, piece) in frames.take(&bytes) {
            all.extend(whole.take(error, &piece).into_iter().map(|(_, line)| line));
        }
        all.extend(whole.end().map(|(_, line)| line));
        Ok(all)
    }

    /// Starts a command in a running container.
    ///
    /// # Errors
    /// When the container does not run or has no such program.
    pub async fn exec(&self, name: &str, exec: &Exec) -> Result<Session, Error> {
        let path = self.compat(&format!("/containers/{}/exec", encode(name)));
        let mut body = json!({
            "AttachStdin": exec.stdin,
            "AttachStdout": true,
            "AttachStderr": true,
            "Tty": exec.tty,
            "Privileged": exec.privileged,
            "Cmd": exec.command,
            "Env": exec.environment,
        });
        for (key, value) in [("User", &exec.user), ("WorkingDir", &exec.folder)] {
            if let (Some(map), Some(value)) = (body.as_object_mut(), value) {
                map.insert(key.to_owned(), json!(value));
            }
        }
        let made = self.door.json(Call::post(format!("run a command in {name}"), path).json(body)).await?;
        let id = made.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let call = Call::post(format!("run a command in {name}"), self.compat(&format!("/exec/{}/start", encode(&id))))
            .json(json!({"Detach": false, "Tty": exec.tty}));
        Ok(Session { raw: self.door.raw(call).await?, id, tty: exec.tty })
    }

    /// Carries bytes between a session and the caller until the command ends; its exit code.
    ///
    /// # Errors
    /// When the engine breaks off.
    pub async fn converse(
        &self,
        session: Session,
        mut input: impl AsyncRead + Unpin + Send,
        mut output: impl AsyncWrite + Unpin + Send,
        mut errors: impl AsyncWrite + Unpin + Send,
    ) -> Result<i64, Error> {
        let host = |source| Error::Host { act: "carry the command's input and output".into(), source };
        let (mut from, mut to) = tokio::io::split(session.raw);
        let feed = async {
            let mut piece = vec![0; 8192];
            loop {
                match input.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    // The command may have closed its input; its output says the rest.
                    Ok(count) => match piece.get(..count) {
                        Some(bytes) if to.write_all(bytes).await.is_ok() => {}
                        _ => break,
                    },
                }
            }
            let _ = to.shutdown().await;
            std::future::pending::<()>().await;
        };
        let read = async {
            let mut frames = Frames { framed: session.tty.then_some(false), ..Frames::default() };
            let mut piece = vec![0; 32 * 1024];
            loop {
                let count = from.read(&mut piece).await.map_err(host)?;
                if count == 0 {
                    return Ok::<(), Error>(());
                }
                for (error, bytes) in frames.take(piece.get(..count).unwrap_or_default()) {
                    let to: &mut (dyn AsyncWrite + Unpin + Send) = if error { &mut errors } else { &mut output };
                    to.write_all(&bytes).await.map_err(host)?;
                    to.flush().await.map_err(host)?;
                }
            }
        };
        tokio::select! {
            done = read => done?,
            () = feed => {}
        }
        let path = self.compat(&format!("/exec/{}/json", encode(&session.id)));
        // Podman closes the stream a moment before it writes the code down.
        for _ in 0..50 {
            let seen = self.door.json(Call::get("ask how the command ended", path.clone())).await?;
            if seen.get("Running").and_then(Value::as_bool) != Some(true) {
                return Ok(seen.get("ExitCode").and_then(Value::as_i64).unwrap_or(-1));
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Err(Error::Bug { act: "run a command".into(), why: "its output ended and it did not".into() })
    }

    /// Tells a session's terminal its size.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn resize(&self, session: &Session, rows: u16, columns: u16) -> Result<(), Error> {
        let path = self.compat(&format!("/exec/{}/resize", encode(&session.id)));
        let call = Call::post("resize a terminal", path).query("h", rows.to_string()).query("w", columns.to_string());
        self.door.bytes(call).await.map(drop)
    }

    /// What a container uses now; nothing when it does not run.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn usage(&self, name: &str) -> Result<Option<Usage>, Error> {
        let path = self.compat(&format!("/containers/{}/stats", encode(name)));
        let call = Call::get(format!("ask what {name} uses"), path).query("stream", "false").query("one-shot", "true");
        let answer = match self.door.json(call).await {
            Ok(answer) => answer,
            Err(Error::Refused { status: 404 | 409, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let number = |path: &str| answer.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        Ok(Some(Usage {
            cpu_ns: number("/cpu_stats/cpu_usage/total_usage"),
            memory: number("/memory_stats/usage"),
            memory_limit: number("/memory_stats/limit"),
            processes: number("/pids_stats/current"),
        }))
    }
}

#[cfg(test)]
mod tests;
