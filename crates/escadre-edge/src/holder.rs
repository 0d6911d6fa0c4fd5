//! The holder: owns the listening sockets, keeps a worker running, replaces it and itself on request.
//!
//! In → Out: options → a folder with `control.sock`, `edge.pid`, a worker that has what it asks for; signals and the
//! worker's messages → new workers, an orderly end.
//!
//! ```text
//! hand         one worker process: what it says, its end
//! succession   from this holder to the next: of another program, or in another process
//! estate       what is handed over then
//! service      what systemd keeps should this one die
//! ```
//!
//! **Invariant**: listening sockets outlive workers and holders: while there is none, clients wait in the accept
//! backlog. At most one worker answers the control socket. One holder per folder (a lock on `edge.pid`).
//!
//! Not here: anything about HTTP, routes or backends.
//!
//! Tests: `tests/it/`.

mod estate;
mod hand;
mod service;
mod succession;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) use estate::SCHEMA as ESTATE;
use hand::Hand;
use service::Service;
use succession::Heir;

use crate::channel::{Channel, ToHolder, ToWorker};
use crate::control::HolderStatus;
use crate::files;
use crate::ledger::Ledger;
use crate::listeners::{self, Refusal};
use crate::log::{self, Log};
use crate::options::{Options, Program};

/// The first wait after a worker that died young; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two workers.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often the holder looks whether its folder is still there.
const LOOK: Duration = Duration::from_millis(500);
/// A worker that lived this long begins the waits anew.
const SETTLED: Duration = Duration::from_secs(10);

/// Why a holder could not hold.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// Another holder lives in this folder.
    #[error("an edge already runs in {}", .0.display())]
    Runs(PathBuf),
    /// The folder is unusable.
    #[error("the edge's folder is not usable: {}", .0.sentence())]
    Folder(#[from] files::FileError),
    /// The path of the control socket is longer than the system allows (107 bytes).
    #[error("{} is too long for a socket (107 bytes)", .0.display())]
    LongPath(PathBuf),
    /// The system refused what every process may have.
    #[error("the edge cannot start")]
    Start(#[source] io::Error),
    /// The edge that runs did not hand over; it goes on.
    #[error("the edge that runs cannot be taken over")]
    TakeOver(#[source] io::Error),
}

/// Becomes a program, in place of this process; comes back only with the reason why not. For a holder that began with what
/// it needs no more.
#[must_use]
pub fn give_place(to: &Program) -> io::Error {
    Command::new(&to.program).args(&to.args).exec()
}

/// Runs the edge until it is told to stop (`stop` on the control socket, SIGTERM, SIGINT). Called by `escadre proxy`,
/// outside of any async runtime.
///
/// # Errors
/// When the folder is unusable or in use, or the system refuses. A port that is taken is no error: it is reported.
pub fn run(options: Options) -> Result<(), HolderError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HolderError::Start)?;
    let served = runtime.block_on(serve(options));
    runtime.shutdown_background();
    served
}

/// What happened.
#[derive(Debug)]
enum Event {
    Said(u64, ToHolder, Option<OwnedFd>),
    /// And how, if that can be known.
    Died(u64, Option<ExitStatus>),
}

#[derive(Debug)]
struct Holder {
    options: Options,
    log: Log,
    service: Service,
    control: UnixListener,
    /// Held open: the lock lives as long as the file.
    pid: File,
    sockets: BTreeMap<SocketAddr, (OwnedFd, SocketAddr)>,
    good: Option<OwnedFd>,
    workers: BTreeMap<u64, Hand>,
    leader: Option<u64>,
    count: u64,
    events: mpsc::UnboundedSender<Event>,
    ledger: Ledger,
    since_ms: u64,
    crashes: u64,
    wait: Duration,
    restart: Option<Instant>,
    started: Instant,
    stopping: Option<Instant>,
    /// How often a holder took over from the one before.
    renewed: u64,
    /// Why the last time failed.
    problem: Option<String>,
    /// The next worker that serves is followed by a holder of the same program.
    upgrading: bool,
    /// Who is to take over now.
    heir: Option<Heir>,
}

async fn serve(options: Options) -> Result<(), HolderError> {
    listeners::raise_descriptors();
    files::make_dir(&options.dir)?;
    let inherited = succession::inherit(&options).await?;
    let mut term = signal(SignalKind::terminate()).map_err(HolderError::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(HolderError::Start)?;
    let (events, mut happened) = mpsc::unbounded_channel();
    let log = Log::open(&files::log_path(&options.dir), "holder".to_owned());
    let kept = service::kept(&log);
    let mut holder = match inherited {
        Some(inherited) => Holder::heir(inherited, options, log, events).map_err(HolderError::TakeOver)?,
        None => {
            let pid = take_folder(&options.dir)?;
            let control = open_control(&options.dir)?;
            let first = Holder::new(options, log, control, pid, events);
            first.log.say("started");
            first
        }
    };
    holder.take_back(kept);
    holder.tell_leader(holder.introduction()).await;
    holder.go_on().await;
    loop {
        if holder.stopping.is_some() && holder.workers.is_empty() {
            break;
        }
        let next = holder.stopping.or(holder.restart);
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(event) = happened.recv() => holder.hear(event).await,
            () = due => holder.due().await,
            Some(()) = term.recv() => holder.stop(holder.options.retire.min(Duration::from_secs(10))).await,
            Some(()) = interrupt.recv() => holder.stop(Duration::ZERO).await,
            () = tokio::time::sleep(LOOK), if holder.stopping.is_none() => if holder.is_orphan() {
                holder.stop(Duration::ZERO).await;
            },
        }
        if let Some(heir) = holder.heir.take()
            && holder.hand_over(heir, &mut happened).await
        {
            return Ok(());
        }
    }
    holder.log.say("stopped");
    // The lock goes with the process; what is left of a file is taken over by the next holder.
    let _stale = holder.pid.set_len(0);
    if holder.is_orphan() {
        return Ok(());
    }
    let _left = fs::remove_file(files::control_path(&holder.options.dir));
    Ok(())
}

/// Locks `edge.pid` and writes our number into it.
fn take_folder(dir: &Path) -> Result<File, HolderError> {
    let path = files::pid_path(dir);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = open.map_err(files::FileError::io("open", &path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| HolderError::Runs(dir.to_owned()))?;
    succession::write_pid(&file).map_err(files::FileError::io("write", &path))?;
    Ok(file)
}

/// The control socket, closed to others before it has its name.
fn open_control(dir: &Path) -> Result<UnixListener, HolderError> {
    let path = files::control_path(dir);
    let beside = dir.join("control.new");
    if path.as_os_str().len() > 107 {
        return Err(HolderError::LongPath(path));
    }
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(files::FileError::io("remove", &beside)(error).into());
        }
        _ => {}
    }
    let listener = UnixListener::bind(&beside).map_err(files::FileError::io("listen on", &beside))?;
    let closed = fs::set_permissions(&beside, fs::Permissions::from_mode(0o600));
    closed.and_then(|()| fs::rename(&beside, &path)).map_err(files::FileError::io("name", &path))?;
    Ok(listener)
}

impl Holder {
    /// One that has nothing yet, and starts a worker.
    fn new(
        options: Options,
        log: Log,
        control: UnixListener,
        pid: File,
        events: mpsc::UnboundedSender<Event>,
    ) -> Holder {
        Holder {
            service: Service::new(options.notify.clone()),
            options,
            log,
            control,
            pid,
            sockets: BTreeMap::new(),
            good: None,
            workers: BTreeMap::new(),
            leader: None,
            count: 0,
            events,
            ledger: Ledger::default(),
            since_ms: log::now_ms(),
            crashes: 0,
            wait: Duration::ZERO,
            restart: None,
            started: Instant::now(),
            stopping: None,
            renewed: 0,
            problem: None,
            upgrading: false,
            heir: None,
        }
    }

    /// Sockets that outlived the holder before; those that it handed over itself are newer. All of them are kept from now
    /// on; what no worker asks for is closed when it has read its routes.
    fn take_back(&mut self, kept: Vec<(SocketAddr, OwnedFd)>) {
        if !kept.is_empty() {
            self.log.say(&format!("{} listening sockets were kept", kept.len()));
        }
        for (address, socket) in kept {
            match self.sockets.entry(address) {
                Entry::Occupied(_) => self.service.forget(&self.log, address),
                Entry::Vacant(free) => drop(free.insert((socket, address))),
            }
        }
        for (address, (socket, _)) in &self.sockets {
            self.service.keep(&self.log, *address, socket.as_fd());
        }
    }

    /// Closes listening sockets that are not wanted.
    fn close(&mut self, is_wanted: impl Fn(&SocketAddr) -> bool) {
        let (service, log) = (&self.service, &self.log);
        self.sockets.retain(|address, _| {
            let wanted = is_wanted(address);
            if !wanted {
                service.forget(log, *address);
            }
            wanted
        });
    }

    /// What a worker tells of us.
    fn introduction(&self) -> ToWorker {
        ToWorker::Holder {
            status: HolderStatus {
                pid: std::process::id(),
                version: self.options.version.clone(),
                renewed: self.renewed,
                problem: self.problem.clone(),
            },
        }
    }

    async fn hear(&mut self, event: Event) {
        match event {
            Event::Said(worker, message, file) => self.heard(worker, message, file).await,
            Event::Died(worker, how) => self.died(worker, how).await,
        }
    }

    /// Is the folder gone, or another one in its place? Then nobody can reach this edge any more, and it must not stand in the way of the next one.
    fn is_orphan(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(ours) = self.pid.metadata() else { return false };
        match fs::metadata(files::pid_path(&self.options.dir)) {
            Ok(there) => (there.dev(), there.ino()) != (ours.dev(), ours.ino()),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    async fn due(&mut self) {
        if self.stopping.is_some() {
            self.log.say("stopping took too long; what is left is cut");
            self.stopping = Some(Instant::now() + LONGEST_WAIT);
            self.workers.values().for_each(Hand::kill);
            return;
        }
        self.restart = None;
        if let Err(error) = self.start().await {
            self.log.say(&format!("cannot start a worker: {error}"));
            self.go_on().await;
        }
    }

    /// A worker is needed: at once after a long life, later after a short one.
    fn try_again(&mut self) {
        if self.started.elapsed() > SETTLED {
            self.wait = Duration::ZERO;
        }
        self.restart = Some(Instant::now() + self.wait);
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
    }

    async fn start(&mut self) -> io::Result<()> {
        self.started = Instant::now();
        let (ours, theirs) = Channel::pair()?;
        let errors = log::open(&files::log_path(&self.options.dir)).map_or_else(|_| Stdio::null(), Stdio::from);
        let child = Command::new(&self.options.worker.program)
            .args(&self.options.worker.args)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(errors)
            // A terminal's Ctrl-C is for the holder; it ends its workers in order.
            .process_group(0)
            .spawn()?;
        self.count += 1;
        let number = self.count;
        let hello = ToWorker::Hello {
            worker: number,
            dir: self.options.dir.clone(),
            limits: self.options.limits.clone(),
            retire_ms: u64::try_from(self.options.retire.as_millis()).unwrap_or(u64::MAX),
        };
        let channel = Arc::new(ours);
        let hand = Hand::new(number, child.id(), true, Arc::clone(&channel), &self.events);
        self.workers.insert(number, hand);
        let sent = channel.send(&hello, self.good.as_ref().map(AsFd::as_fd)).await;
        // If it died already, its death is on the way.
        sent.or_else(|e| if e.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(e) })
    }

    async fn died(&mut self, worker: u64, how: Option<ExitStatus>) {
        let Some(hand) = self.workers.remove(&worker) else { return };
        if self.leader == Some(worker) {
            self.leader = None;
        }
        self.ledger.close(worker);
        let crashed = !hand.retired && self.stopping.is_none();
        self.crashes += u64::from(crashed);
        self.tell_leader(ToWorker::Gone { worker, crashed }).await;
        if !hand.retired {
            let how = how.map_or_else(|| "nobody knows how".to_owned(), |how| how.to_string());
            self.log.say(&format!("worker {worker} died: {how}"));
        }
        self.go_on().await;
    }

    /// One worker went: another one leads, or has to be started.
    async fn go_on(&mut self) {
        self.lead().await;
        if self.stopping.is_none() && self.restart.is_none() && self.workers.values().all(|w| w.retired) {
            self.try_again();
        }
    }

    async fn heard(&mut self, worker: u64, message: ToHolder, file: Option<OwnedFd>) {
        match message {
            ToHolder::Listen { address } => self.give_socket(worker, address).await,
            ToHolder::Release { address } => {
                self.close(|held| *held != address);
                self.workers.values_mut().for_each(|w| {
                    w.asked.remove(&address);
                });
                self.tell(worker, ToWorker::Released { address }, None).await;
            }
            ToHolder::Ready { complete, estate } => {
                if let Some(hand) = self.workers.get_mut(&worker) {
                    hand.takes_over = estate >= ESTATE;
                }
                self.ready(worker, complete).await;
            }
            ToHolder::Good => {
                self.good = file.or(self.good.take());
                let others: Vec<u64> =
                    self.workers.iter().filter(|(n, w)| **n != worker && w.retired).map(|(n, _)| *n).collect();
                for other in others {
                    self.tell(other, ToWorker::Reload, None).await;
                }
            }
            ToHolder::Retired => {
                if let Some(hand) = self.workers.get_mut(&worker) {
                    hand.retired = true;
                }
                self.go_on().await;
            }
            ToHolder::Flight { backend, in_flight } => {
                if let Some(hand) = self.workers.get_mut(&worker) {
                    hand.flights.insert(backend.clone(), in_flight);
                }
                if self.leader != Some(worker) {
                    let in_flight = BTreeMap::from([(backend, in_flight)]);
                    self.tell_leader(ToWorker::Elsewhere { worker, in_flight }).await;
                }
            }
            ToHolder::Carried { counters } => {
                self.ledger.note(worker, counters.clone());
                if self.leader != Some(worker) {
                    self.tell_leader(ToWorker::Carried { worker, counters }).await;
                }
            }
            ToHolder::Cut { backend } => {
                let others: Vec<u64> = self.workers.keys().filter(|n| **n != worker).copied().collect();
                for other in others {
                    self.tell(other, ToWorker::Cut { backend: backend.clone() }, None).await;
                }
            }
            ToHolder::Upgrade => {
                // One at a time: a worker that is not ready yet is the new one.
                if self.stopping.is_none() && self.workers.values().all(|w| w.ready || w.retired) {
                    self.restart = Some(Instant::now());
                    (self.upgrading, self.problem) = (true, None);
                }
            }
            ToHolder::HandOver { successor } => self.heir = Some(Heir::Other(successor)),
            ToHolder::Stop { within_ms } => self.stop(crate::table::bounded(within_ms)).await,
            ToHolder::Unknown => {}
        }
    }

    async fn give_socket(&mut self, worker: u64, address: SocketAddr) {
        if let Some(hand) = self.workers.get_mut(&worker) {
            hand.asked.insert(address);
        }
        let given = match self.sockets.entry(address) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(free) => listeners::bind(address).map(|socket| {
                self.service.keep(&self.log, address, socket.0.as_fd());
                free.insert(socket)
            }),
        };
        let given = given.and_then(|(socket, bound)| match socket.try_clone() {
            Ok(socket) => Ok((socket, *bound)),
            Err(error) => Err(Refusal { error: error.to_string(), absent: false }),
        });
        let (message, socket) = match given {
            Ok((socket, bound)) => (ToWorker::Socket { address, bound }, Some(socket)),
            Err(Refusal { error, absent }) => (ToWorker::Refused { address, error, absent }, None),
        };
        self.tell(worker, message, socket).await;
    }

    /// The new worker serves; the one before retires, and only then the new one answers the control socket: two that
    /// answer would acknowledge what the other does not know.
    async fn ready(&mut self, worker: u64, complete: bool) {
        let Some(hand) = self.workers.get_mut(&worker) else { return };
        hand.ready = true;
        if complete {
            let asked = hand.asked.clone();
            self.close(|address| asked.contains(address));
        }
        match self.leader {
            Some(before) if before != worker => {
                let within_ms = u64::try_from(self.options.retire.as_millis()).unwrap_or(u64::MAX);
                self.tell(before, ToWorker::Retire { within_ms, at_once: false }, None).await;
            }
            _ => self.lead().await,
        }
    }

    /// Makes the newest ready worker the one that answers.
    async fn lead(&mut self) {
        let newest = self.workers.iter().rev().find(|(_, w)| w.ready && !w.retired).map(|(n, _)| *n);
        let Some(newest) = newest.filter(|_| self.stopping.is_none()) else { return };
        if self.leader == Some(newest) {
            return;
        }
        self.leader = Some(newest);
        let old: Vec<(u64, BTreeMap<String, u64>)> =
            self.workers.iter().filter(|(_, w)| w.retired).map(|(n, w)| (*n, w.flights.clone())).collect();
        for (worker, flights) in old {
            for (backend, n) in flights {
                self.tell(newest, ToWorker::Elsewhere { worker, in_flight: BTreeMap::from([(backend, n)]) }, None)
                    .await;
            }
        }
        for (worker, counters) in self.ledger.all_but(newest).collect::<Vec<_>>() {
            self.tell(newest, ToWorker::Carried { worker, counters }, None).await;
        }
        self.tell(newest, self.introduction(), None).await;
        let lead = ToWorker::Lead { since_ms: self.since_ms, crashes: self.crashes };
        match self.control.try_clone() {
            Ok(control) => self.tell(newest, lead, Some(control.into())).await,
            Err(error) => self.log.say(&format!("cannot pass on the control socket: {error}")),
        }
        self.log.say(&format!("worker {newest} serves"));
        self.service.ready(&self.log);
        self.follow(newest).await;
    }

    /// The worker of an upgrade serves: the holder becomes what it is. That its program works is proven, and it says
    /// whether it takes over from a holder.
    async fn follow(&mut self, worker: u64) {
        if !std::mem::take(&mut self.upgrading) {
            return;
        }
        if self.workers.get(&worker).is_some_and(|hand| hand.takes_over) {
            self.heir = Some(Heir::Ourselves);
        } else {
            self.problem = Some("the program as it is now cannot take over from this version".to_owned());
            self.tell(worker, self.introduction(), None).await;
        }
    }

    async fn tell_leader(&self, message: ToWorker) {
        if let Some(leader) = self.leader {
            self.tell(leader, message, None).await;
        }
    }

    async fn tell(&self, worker: u64, message: ToWorker, file: Option<OwnedFd>) {
        let Some(hand) = self.workers.get(&worker) else { return };
        // A worker that hangs must not hang the holder.
        let sent = hand.channel.send(&message, file.as_ref().map(AsFd::as_fd));
        match tokio::time::timeout(LONGEST_WAIT, sent).await {
            // Its death is on the way.
            Ok(_sent) => {}
            Err(_) => {
                self.log.say(&format!("worker {worker} does not listen; it is ended"));
                hand.kill();
            }
        }
    }

    async fn stop(&mut self, within: Duration) {
        if self.stopping.is_some() {
            self.workers.values().for_each(Hand::kill);
            return;
        }
        self.log.say(&format!("stopping within {} ms", within.as_millis()));
        self.restart = None;
        // Nothing new: who comes now is refused by the system, not kept waiting.
        self.close(|_| false);
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let all: Vec<u64> = self.workers.keys().copied().collect();
        for worker in all {
            self.tell(worker, ToWorker::Retire { within_ms, at_once: true }, None).await;
        }
        self.stopping = Some(Instant::now() + within + Duration::from_secs(1));
    }
}
