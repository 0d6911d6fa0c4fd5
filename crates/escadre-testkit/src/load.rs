//! A load on real servers, as browsers and programs make it: requests with and without a connection of their own, streams, WebSockets, lines over TCP.
//!
//! In: targets, and how much of each kind. Out: every piece of work with its beginning, its length and how it ended.
//! **Invariant:** work begins when its time has come, whether or not the one before has ended, and its length counts from there (no co-ordinated omission);
//! nothing is tried twice; what could not be counted as loaded is an error, not a zero.
//! Not here: what is measured with it (`xtask bench`), what it must show (the tests).
//! Tests: `load/tests.rs`; `crates/escadre/tests/it/update.rs` and `xtask bench update` are its users.

mod report;
mod work;

pub use report::{Count, Report};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What there is to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called in reports.
    pub name: Arc<str>,
    /// Where HTTP is spoken.
    pub http: SocketAddr,
    /// The `Host` to ask for.
    pub host: Arc<str>,
    /// A port that sends lines back.
    pub lines: Option<SocketAddr>,
}

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A request on a connection of its own.
    Short,
    /// A request on a connection that is kept.
    Kept,
    /// A request that is answered with the words of a neighbour of the one asked, found by the system's resolver.
    Call,
    /// The same, found by asking DNS.
    Ask,
    /// An answer of five seconds, a piece every 100 ms.
    Stream,
    /// A WebSocket of eight seconds, a text there and back every 250 ms.
    Socket,
    /// A TCP connection of eight seconds, a line there and back every 250 ms.
    Lines,
    /// A TCP connection that is kept for ever; when it is cut, a new one is opened.
    Line,
}

impl Kind {
    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Short => "short requests",
            Kind::Kept => "requests on kept connections",
            Kind::Call => "requests that call a neighbour",
            Kind::Ask => "requests that ask DNS for a neighbour",
            Kind::Stream => "streams of 5 s",
            Kind::Socket => "WebSockets of 8 s",
            Kind::Lines => "TCP connections of 8 s",
            Kind::Line => "endless TCP connections",
        }
    }

    /// Whether its length says how fast an answer came; others are as long as they are.
    pub fn is_answer(self) -> bool {
        matches!(self, Kind::Short | Kind::Kept | Kind::Call | Kind::Ask)
    }
}

/// How a piece of work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should, with the tag of who served it.
    Good(Arc<str>),
    /// The connection was refused, or nobody took it.
    Refused(Arc<str>),
    /// It was broken off.
    Cut(Arc<str>),
    /// It was answered with something else, such as an error.
    Wrong(Arc<str>),
}

/// A piece of work.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Which of the targets.
    pub target: usize,
    /// Of which kind.
    pub kind: Kind,
    /// When its time had come, since the load began.
    pub at: Duration,
    /// From then to its end.
    pub took: Duration,
    /// How.
    pub end: End,
}

/// How often each kind begins, over all targets, which take turns.
#[derive(Clone, Debug, Default)]
pub struct Mix(BTreeMap<Kind, f64>);

impl Mix {
    /// So many of a kind begin in a second; of `Kept` so many requests are sent, of `Line` there is one at each target.
    #[must_use]
    pub fn with(mut self, kind: Kind, in_a_second: f64) -> Self {
        self.0.insert(kind, in_a_second);
        self
    }
}

/// A load that goes on until it is ended.
pub struct Load {
    began: Instant,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Vec<Piece>>,
    targets: Vec<Target>,
    mix: Mix,
}

impl Load {
    /// Begins.
    pub fn begin(targets: Vec<Target>, mix: Mix) -> Self {
        let (stop, stopped) = watch::channel(false);
        let began = Instant::now();
        let (theirs, kinds) = (targets.clone(), mix.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(all(began, theirs, kinds, stopped))
        });
        Self { began, stop, thread, targets, mix }
    }

    /// The time since it began.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Begins nothing more, waits for what is under way (endless connections are left), and reports.
    pub fn end(self) -> Report {
        let length = self.began.elapsed();
        // Nobody to hear it: then it has ended already, and the join below says how.
        let _ = self.stop.send(true);
        let pieces = self.thread.join().expect("the load ends");
        Report::new(self.targets, self.mix.0, length, pieces)
    }
}

/// Everything, each kind in turn over the targets.
async fn all(began: Instant, targets: Vec<Target>, mix: Mix, stopped: watch::Receiver<bool>) -> Vec<Piece> {
    let targets: Arc<[Target]> = targets.into();
    let mut lines = JoinSet::new();
    for (kind, rate) in mix.0 {
        let targets = Arc::clone(&targets);
        let stopped = stopped.clone();
        match kind {
            Kind::Line => {
                for index in 0..targets.len() {
                    lines.spawn(endless(began, Arc::clone(&targets), index, stopped.clone()));
                }
            }
            Kind::Kept => {
                let each = Duration::from_secs_f64(targets.len() as f64 / rate);
                for index in 0..targets.len() {
                    let first = each.mul_f64(index as f64 / targets.len() as f64);
                    lines.spawn(kept(began, Arc::clone(&targets), index, (first, each), stopped.clone()));
                }
            }
            _ => drop(lines.spawn(open(began, targets, kind, Duration::from_secs_f64(1.0 / rate), stopped))),
        }
    }
    let mut pieces = Vec::new();
    while let Some(some) = lines.join_next().await {
        pieces.extend(some.expect("no work panics"));
    }
    pieces.sort_by_key(|piece| piece.at);
    pieces
}

/// Until then, or until it is over.
async fn wait(began: Instant, at: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    let until = tokio::time::Instant::from_std(began + at);
    tokio::select! {
        // Who is late sees the end first.
        biased;
        _told = stopped.wait_for(|stopped| *stopped) => false,
        () = tokio::time::sleep_until(until) => true,
    }
}

/// Work that begins at fixed times.
async fn open(
    began: Instant,
    targets: Arc<[Target]>,
    kind: Kind,
    each: Duration,
    mut stopped: watch::Receiver<bool>,
) -> Vec<Piece> {
    let mut under_way = JoinSet::new();
    let mut pieces = Vec::new();
    for number in 0_u32.. {
        let at = each * number;
        if !wait(began, at, &mut stopped).await {
            break;
        }
        let index = number as usize % targets.len();
        let Some(target) = targets.get(index).cloned() else { break };
        under_way.spawn(async move {
            let end = work::once(kind, &target).await;
            Piece { target: index, kind, at, took: began.elapsed().saturating_sub(at), end }
        });
        while let Some(done) = under_way.try_join_next() {
            pieces.push(done.expect("no work panics"));
        }
    }
    while let Some(done) = under_way.join_next().await {
        pieces.push(done.expect("no work panics"));
    }
    pieces
}

/// Requests on one connection; one that the server has closed in order is opened again before the next request.
async fn kept(
    began: Instant,
    targets: Arc<[Target]>,
    index: usize,
    (first, each): (Duration, Duration),
    mut stopped: watch::Receiver<bool>,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut connection = None;
    for number in 0_u32.. {
        let at = first + each * number;
        if !wait(began, at, &mut stopped).await {
            break;
        }
        let Some(target) = targets.get(index) else { break };
        let end = work::again(target, &mut connection).await;
        pieces.push(Piece { target: index, kind: Kind::Kept, at, took: began.elapsed().saturating_sub(at), end });
    }
    pieces
}

/// One TCP connection after the other, each as long as it is let live.
async fn endless(
    began: Instant,
    targets: Arc<[Target]>,
    index: usize,
    mut stopped: watch::Receiver<bool>,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let Some(target) = targets.get(index).filter(|target| target.lines.is_some()) else { return pieces };
    while !*stopped.borrow() {
        let at = began.elapsed();
        let end = tokio::select! {
            end = work::lines(target, None) => end,
            _told = stopped.wait_for(|stopped| *stopped) => End::Good("left".into()),
        };
        pieces.push(Piece { target: index, kind: Kind::Line, at, took: began.elapsed().saturating_sub(at), end });
        // One that is refused at once must not be asked a thousand times.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    pieces
}

#[cfg(test)]
mod tests;
