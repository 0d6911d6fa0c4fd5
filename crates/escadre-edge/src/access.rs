//! The log of requests: one JSON line for each request and each TCP connection, if the routes file asks for it.
//!
//! In → Out: what happened to a request → a line in `access.log`.
//!
//! ```text
//! {"at":"2026-07-30T12:00:00.120Z","route":"acme/desk/web","client":"203.0.113.7","method":"GET","host":"desk.example",
//!  "path":"/tickets","version":"2","scheme":"https","status":200,"sent":5120,"ms":14,"backend":"desk_web_1_g3"}
//! ```
//!
//! **Invariant**: the log never holds up a request: what cannot be written in time is counted and left out, and a line
//! says so. Both files together stay below what the routes file allows. JSON escapes whatever a client sends, so that a
//! line is one request. Queries and headers are not written: they carry what should not be kept.
//!
//! Not here: events of the edge itself (`log`), counters (`flight`).
//!
//! Tests: at the end of this file, `tests/it/access.rs`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::flight::{Failure, RouteLive, lock};
use crate::log;

/// Lines that wait to be written, at most.
const ROOM: usize = 8192;
/// Lines that are written at once, at most.
const AT_ONCE: usize = 1024;
/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(100);
/// Longest text of a client in a line (bytes).
const LONGEST: usize = 1024;

/// Where lines go.
#[derive(Debug)]
pub(crate) struct AccessLog {
    path: PathBuf,
    /// Most bytes of both files; 0: no lines.
    most: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    to_writer: Mutex<Option<mpsc::Sender<Told>>>,
}

#[derive(Debug)]
enum Told {
    Line(Box<Facts>),
    /// Everything before it is written.
    Mark(oneshot::Sender<()>),
}

/// What happened to one request or connection.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Facts {
    at: String,
    /// Nothing: it was for no route.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Without the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    scheme: &'static str,
    /// Nothing: the client left before there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Bytes that came from the client; for TCP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    /// Bytes of the answer's body.
    sent: u64,
    /// From the head to the end of the answer.
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<String>,
    /// Why it counts as failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<&'static str>,
    /// The client left before the end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    left: bool,
}

/// A line in the making; it is written when it is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    facts: Box<Facts>,
    begun: Instant,
    to_writer: mpsc::Sender<Told>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    pub(crate) fn new(dir: &Path) -> AccessLog {
        AccessLog {
            path: dir.join("access.log"),
            most: Arc::default(),
            dropped: Arc::default(),
            to_writer: Mutex::default(),
        }
    }

    /// Whether there shall be lines, and how many bytes of them. Needs a runtime.
    pub(crate) fn settle(&self, most: Option<u64>) {
        self.most.store(most.unwrap_or(0), Ordering::Relaxed);
        let mut to_writer = lock(&self.to_writer);
        match (most, to_writer.is_some()) {
            (Some(_), false) => {
                let (send, receive) = mpsc::channel(ROOM);
                let writer = Writer {
                    path: self.path.clone(),
                    most: Arc::clone(&self.most),
                    dropped: Arc::clone(&self.dropped),
                    file: None,
                };
                tokio::spawn(write_all(writer, receive));
                *to_writer = Some(send);
            }
            // Its lines under way are written; then it ends.
            (None, true) => *to_writer = None,
            _ => {}
        }
    }

    /// A line, if there is to be one.
    pub(crate) fn begin(&self) -> Option<Line> {
        if self.most.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let to_writer = lock(&self.to_writer).clone()?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = log::utc(since.as_secs(), since.subsec_millis());
        let facts = Box::new(Facts { at, ..Facts::default() });
        Some(Line { facts, begun: Instant::now(), to_writer, dropped: Arc::clone(&self.dropped) })
    }

    /// Waits until everything that was told so far is on disk.
    pub(crate) async fn flush(&self) {
        let Some(to_writer) = lock(&self.to_writer).clone() else { return };
        let (done, all) = oneshot::channel();
        if to_writer.send(Told::Mark(done)).await.is_ok() {
            // A writer that died has nothing to wait for.
            let _died = all.await;
        }
    }
}

impl Line {
    /// What was asked for.
    pub(crate) fn asked(&mut self, method: &str, host: Option<&str>, path: &str, version: &'static str) {
        let facts = &mut self.facts;
        facts.method = Some(cut(method));
        facts.host = host.map(cut);
        facts.path = Some(cut(path));
        facts.version = Some(version);
    }

    /// Who asked, and how.
    pub(crate) fn came(&mut self, client: IpAddr, scheme: &'static str) {
        (self.facts.client, self.facts.scheme) = (Some(client), scheme);
    }

    pub(crate) fn route(&mut self, route: &RouteLive) {
        self.facts.route = Some(route.id.clone());
    }

    pub(crate) fn backend(&mut self, id: &str) {
        self.facts.backend = Some(id.to_owned());
    }

    pub(crate) fn status(&mut self, status: http::StatusCode) {
        self.facts.status = Some(status.as_u16());
    }

    pub(crate) fn sent(&mut self, bytes: u64) {
        self.facts.sent += bytes;
    }

    pub(crate) fn carried(&mut self, received: u64, sent: u64) {
        (self.facts.received, self.facts.sent) = (Some(received), sent);
    }

    pub(crate) fn failed(&mut self, failure: Option<Failure>) {
        self.facts.failed = failure.map(Failure::word);
    }

    pub(crate) fn left(&mut self, left: bool) {
        self.facts.left = left;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Nobody took what was being made.
        self.facts.left |= self.facts.status.is_none() && self.facts.method.is_some() && self.facts.failed.is_none();
        self.facts.ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.to_writer.try_send(Told::Line(std::mem::take(&mut self.facts))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A client's text, not longer than it should be.
fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned()
}

/// Writes until nobody can tell anything more.
async fn write_all(mut writer: Writer, mut told: mpsc::Receiver<Told>) {
    let mut batch = Vec::new();
    while told.recv_many(&mut batch, AT_ONCE).await > 0 {
        let (mut bytes, mut marks) = (Vec::new(), Vec::new());
        for told in batch.drain(..) {
            match told {
                Told::Line(facts) => {
                    // Plain data always becomes JSON.
                    if serde_json::to_writer(&mut bytes, &facts).is_ok() {
                        bytes.push(b'\n');
                    }
                }
                Told::Mark(done) => marks.push(done),
            }
        }
        let written = tokio::task::spawn_blocking(move || {
            writer.write(&bytes);
            writer
        });
        // It cannot panic, and if it did there would be no log but still traffic.
        let Ok(back) = written.await else { return };
        writer = back;
        let hurry = !marks.is_empty();
        for done in marks {
            let _nobody_waits = done.send(());
        }
        if !hurry {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// The file.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    most: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    file: Option<File>,
}

impl Writer {
    fn write(&mut self, lines: &[u8]) {
        let half = usize::try_from(self.most.load(Ordering::Relaxed) / 2).unwrap_or(usize::MAX).max(1);
        let mut rest = lines;
        // No more at once than a file may hold; a line that is longer stands alone.
        while !rest.is_empty() {
            let ends = |part: &[u8]| part.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            let fits = ends(rest.get(..half).unwrap_or(rest));
            let first = || rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (part, after) = rest.split_at(fits.unwrap_or_else(first));
            self.write_part(part, half as u64);
            rest = after;
        }
    }

    fn write_part(&mut self, lines: &[u8], half: u64) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if self.try_write(lines, dropped, half).is_err() {
            // A full disk must not stop traffic; how much is missing is told when there is room again.
            let lost = lines.iter().filter(|b| **b == b'\n').count() as u64;
            self.dropped.fetch_add(dropped + lost, Ordering::Relaxed);
            self.file = None;
        }
    }

    fn try_write(&mut self, lines: &[u8], dropped: u64, half: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        if dropped > 0 {
            let at = log::utc(log::now_ms() / 1000, 0);
            writeln!(bytes, "{{\"at\":\"{at}\",\"dropped\":{dropped}}}")?;
        }
        bytes.extend_from_slice(lines);
        let mut file = self.locked()?;
        loop {
            let there = file.metadata()?.len();
            if there == 0 || there + bytes.len() as u64 <= half {
                break;
            }
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            drop(file);
            file = self.locked()?;
        }
        file.write_all(&bytes)?;
        flock(&file, FlockOperation::Unlock)?;
        self.file = Some(file);
        Ok(())
    }

    /// The file that has the name now, locked: a retiring worker writes the same one, and between looking at its size and
    /// writing to it, or moving it away, the other must not.
    fn locked(&mut self) -> io::Result<File> {
        loop {
            let file = self.file.take().map_or_else(|| log::open(&self.path), Ok)?;
            flock(&file, FlockOperation::LockExclusive)?;
            if is_at(&file, &self.path) {
                return Ok(file);
            }
            // The other one moved it away: the lock goes with the file, and there is a new one.
        }
    }
}

/// Whether a file still has its name.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |ours: fs::Metadata, there: fs::Metadata| (ours.dev(), ours.ino()) == (there.dev(), there.ino());
    file.metadata().and_then(|ours| Ok(same(ours, fs::metadata(path)?))).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(dir: &Path, most: u64) -> Writer {
        Writer {
            path: dir.join("access.log"),
            most: Arc::new(AtomicU64::new(most)),
            dropped: Arc::default(),
            file: None,
        }
    }

    #[test]
    fn two_writers_stay_below_the_bound_and_lose_no_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut one, mut two) = (writer(dir.path(), 2_000), writer(dir.path(), 2_000));
        let size = |name: &str| fs::metadata(dir.path().join(name)).map_or(0, |m| m.len());
        for n in 0..1_000 {
            let line = format!("{{\"n\":{n}}}\n");
            if n % 3 == 0 {
                one.write(line.as_bytes())
            } else {
                two.write(line.as_bytes())
            }
            assert!(size("access.log") <= 1_000 && size("access.log.1") <= 1_000);
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("a file");
        let lines: Vec<String> = (read("access.log.1") + &read("access.log")).lines().map(str::to_owned).collect();
        let last: Vec<String> = (1_000 - lines.len()..1_000).map(|n| format!("{{\"n\":{n}}}")).collect();
        assert!(lines.len() > 90);
        assert_eq!(lines, last);
    }

    #[test]
    fn two_writers_at_the_same_moment_stay_below_the_bound() {
        let dir = tempfile::tempdir().expect("a folder");
        let size = |name: &str| fs::metadata(dir.path().join(name)).map_or(0, |m| m.len());
        std::thread::scope(|threads| {
            for number in 0..2 {
                let mut writer = writer(dir.path(), 400);
                threads.spawn(move || {
                    for n in 0..4_000 {
                        writer.write(format!("{{\"{number}\":{n}}}\n").as_bytes());
                        assert!(size("access.log") <= 200 && size("access.log.1") <= 200);
                    }
                });
            }
        });
        assert!(size("access.log.1") > 100);
    }

    #[test]
    fn many_lines_at_once_stay_below_the_bound() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = writer(dir.path(), 2_000);
        let lines: String = (0..1_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        writer.write(lines.as_bytes());
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("a file");
        let (now, before) = (read("access.log"), read("access.log.1"));
        assert!(now.len() <= 1_000 && before.len() <= 1_000, "{} {}", now.len(), before.len());
        assert!(now.ends_with("{\"n\":999}\n") && lines.ends_with(&(before + &now)));
    }

    #[test]
    fn what_is_lost_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = writer(&dir.path().join("later"), 2_000);
        writer.write(b"{}\n{}\n");
        fs::create_dir(dir.path().join("later")).expect("made");
        writer.write(b"{\"here\":1}\n");
        let written = fs::read_to_string(dir.path().join("later/access.log")).expect("a file");
        let lines: Vec<&str> = written.lines().collect();
        assert!(lines[0].ends_with("\"dropped\":2}"), "{written}");
        assert_eq!(lines[1], "{\"here\":1}");
    }

    #[test]
    fn whatever_a_client_sends_is_one_line() {
        let mut facts = Facts { path: Some("/\r\n{\"forged\":1}\u{2028}\u{1b}[2J".into()), ..Facts::default() };
        facts.host = Some(cut(&"\u{e9}".repeat(LONGEST)));
        let line = serde_json::to_string(&facts).expect("JSON");
        assert!(!line.contains(['\r', '\n', '\u{1b}']), "{line}");
        assert!(line.len() < 2 * LONGEST);
    }
}
