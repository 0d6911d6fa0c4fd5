//! The worker: the process that carries the traffic.
//!
//! In → Out: the holder's messages on standard input, `routes.json`, connections → served connections, answers on the
//! control socket.
//!
//! **Invariant**: it starts with whatever routes are good: those of the file, else the last good ones that the holder
//! kept. When it retires, or the holder is gone, it takes nothing new, finishes what it has, and ends.
//!
//! Not here: binding sockets and restarting (`holder`).
//!
//! Tests: `tests/it/`.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::carriers::Carrier;
use crate::channel::{Channel, ToHolder, ToWorker};
use crate::commands;
use crate::control::Counters;
use crate::files;
use crate::flight::lock;
use crate::ledger::TOLD_AT_ONCE;
use crate::listeners::{Listeners, Refusal};
use crate::log::Log;
use crate::state::{Edge, Retiring, Said};
use crate::tls::acme::keeper;
use crate::tls::keyring;
use crate::version::Version;

/// How often a retiring worker tells what it still has.
const TELL: Duration = Duration::from_millis(50);

/// How often it tells what it carried, at most; what happened since is lost if it is killed.
const COUNT: Duration = Duration::from_millis(200);

/// How long a worker that has ended its work waits for its last words to be heard.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often unused connections and empty backends are dropped.
const PRUNE: Duration = Duration::from_secs(5);

/// Why a worker could not work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It was not started by a holder.
    #[error("a worker is started by the edge itself: its standard input is not a channel of ours")]
    NoHolder(#[source] std::io::Error),
    /// The system refused what every process may have.
    #[error("the worker cannot start")]
    Start(#[source] std::io::Error),
    /// There is no randomness for TLS.
    #[error("the worker cannot speak TLS")]
    Tls(#[source] rustls::Error),
}

/// One worker's tools.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) number: u64,
    pub(crate) version: Version,
    pub(crate) began: Instant,
    pub(crate) dir: PathBuf,
    pub(crate) edge: Arc<Edge>,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) loading: tokio::sync::Mutex<()>,
    pub(crate) problem: Mutex<Option<String>>,
    channel: Arc<Channel>,
    control: Mutex<Option<AbortHandle>>,
    /// Keeps certificates, while this worker is the one that answers.
    keeping: Mutex<Option<AbortHandle>>,
}

/// Runs a worker until it has retired. Called for `escadre proxy worker`, outside of any async runtime;
/// everything else that it needs comes from the holder.
///
/// `version` is [`Version::ours`]; another one makes it say so, and refuse the routes files that one would not read.
///
/// # Errors
/// When it was not started by a holder, or the system refuses a runtime.
pub fn run(version: Version) -> Result<(), WorkerError> {
    let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(WorkerError::NoHolder)?;
    rustix::net::sockopt::socket_type(&input).map_err(|e| WorkerError::NoHolder(e.into()))?;
    crate::listeners::raise_descriptors();
    let begin = async { Channel::from_fd(input).map_err(WorkerError::NoHolder) };
    // The first message says how many threads there shall be, and to read it a runtime is needed: a small one.
    let first = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(WorkerError::Start)?;
    let (hello, kept, input) = first.block_on(async {
        let channel = begin.await?;
        let hello = channel.receive::<ToWorker>().await.map_err(WorkerError::NoHolder)?;
        let (hello, kept) = hello.ok_or_else(|| WorkerError::NoHolder(std::io::ErrorKind::UnexpectedEof.into()))?;
        Ok::<_, WorkerError>((hello, kept, channel.into_fd().map_err(WorkerError::Start)?))
    })?;
    drop(first);
    let ToWorker::Hello { worker, dir, limits, retire_ms } = hello else {
        return Err(WorkerError::NoHolder(std::io::ErrorKind::InvalidData.into()));
    };
    let carriers = Carrier::begin(limits.threads.clamp(1, 64)).map_err(WorkerError::Start)?;
    // What is done beside carrying.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_stack_size(512 * 1024)
        .thread_keep_alive(Duration::from_secs(1))
        .enable_all()
        .build()
        .map_err(WorkerError::Start)?;
    let served = runtime.block_on(async move {
        let channel = Arc::new(Channel::from_fd(input).map_err(WorkerError::NoHolder)?);
        let log = Log::open(&files::log_path(&dir), format!("worker {worker}"));
        let (edge, outbox) = Edge::new(limits, log, &dir).map_err(WorkerError::Tls)?;
        let listeners = Arc::new(Listeners::new(Arc::clone(&edge), Arc::clone(&channel), carriers));
        let worker = Arc::new(Worker {
            number: worker,
            version,
            began: Instant::now(),
            dir,
            edge,
            listeners,
            loading: tokio::sync::Mutex::default(),
            problem: Mutex::default(),
            channel,
            control: Mutex::default(),
            keeping: Mutex::default(),
        });
        worker.serve(kept, outbox, crate::table::bounded(retire_ms)).await;
        Ok(())
    });
    runtime.shutdown_background();
    served
}

impl Worker {
    async fn serve(self: Arc<Self>, kept: Option<OwnedFd>, outbox: mpsc::UnboundedReceiver<Said>, retire: Duration) {
        tokio::spawn(forward(Arc::clone(&self.channel), outbox));
        let (event, mut events) = mpsc::unbounded_channel();
        tokio::spawn(Arc::clone(&self).listen_to_holder(event));
        let complete = self.begin(kept).await;
        self.edge.tell(ToHolder::Ready { complete, estate: crate::holder::ESTATE });
        let retry = tokio::spawn(Arc::clone(&self).keep_up());
        let telling = tokio::spawn(Arc::clone(&self).tell_counters());
        // The holder is gone when there are no events any more: then as if it had said so.
        let (within, how) = loop {
            match events.recv().await {
                Some((ToWorker::Lead { since_ms, crashes }, Some(socket))) => {
                    {
                        let mut carried = lock(&self.edge.carried);
                        (carried.since_ms, carried.crashes) = (since_ms, crashes);
                    }
                    self.lead(socket).await;
                }
                Some((ToWorker::Reload, _)) => self.reload().await,
                Some((ToWorker::Retire { within_ms, at_once }, _)) => {
                    break (
                        crate::table::bounded(within_ms),
                        if at_once { Retiring::AtOnce } else { Retiring::Politely },
                    );
                }
                Some(_) => {}
                None => {
                    self.edge.log.say("the holder is gone");
                    break (retire, Retiring::Politely);
                }
            }
        };
        retry.abort();
        telling.abort();
        self.retire(within, how, events).await;
    }

    /// The first table: of the file that the holder kept, at once replaced by that of the file which lies there, if that
    /// is good and not older. Gives whether it was.
    async fn begin(self: &Arc<Self>, kept: Option<OwnedFd>) -> bool {
        if let Some(kept) = kept {
            let read = files::read_from(&mut File::from(kept), &files::routes_path(&self.dir));
            match read.and_then(|routes| Ok(routes.for_readers_of(self.version.routes_schema)?)) {
                Ok(routes) => drop(self.edge.replace(&routes, &keyring::brought(&self.dir, &routes))),
                Err(error) => self.edge.log.say(&format!("the routes before are gone: {}", error.sentence())),
            }
        }
        // Why not is in the log and in `status`.
        let complete = commands::load(self, 0).await.is_ok();
        if !complete {
            self.listeners.settle().await;
        }
        complete
    }

    /// Passes on what the holder says; sockets go to those who asked for them.
    async fn listen_to_holder(self: Arc<Self>, events: mpsc::UnboundedSender<(ToWorker, Option<OwnedFd>)>) {
        loop {
            match self.channel.receive::<ToWorker>().await {
                Ok(Some((ToWorker::Socket { address, bound }, Some(fd)))) => {
                    self.listeners.answered(address, Ok((fd, bound)));
                }
                Ok(Some((ToWorker::Refused { address, error, absent }, _))) => {
                    self.listeners.answered(address, Err(Refusal { error, absent }));
                }
                Ok(Some((ToWorker::Released { address }, _))) => self.listeners.released(address),
                Ok(Some((ToWorker::Elsewhere { worker, in_flight }, _))) => {
                    lock(&self.edge.elsewhere).entry(worker).or_default().extend(in_flight);
                    self.edge.elsewhere_changed.notify_waiters();
                }
                Ok(Some((ToWorker::Gone { worker, crashed }, _))) => {
                    {
                        let mut carried = lock(&self.edge.carried);
                        carried.ledger.close(worker);
                        carried.crashes += u64::from(crashed);
                    }
                    lock(&self.edge.elsewhere).remove(&worker);
                    self.edge.elsewhere_changed.notify_waiters();
                }
                Ok(Some((ToWorker::Carried { worker, counters }, _))) => {
                    lock(&self.edge.carried).ledger.note(worker, counters);
                }
                Ok(Some((ToWorker::Holder { status }, _))) => lock(&self.edge.carried).holder = Some(status),
                Ok(Some((ToWorker::Cut { backend }, _))) => {
                    let named = lock(&self.edge.registry).named(&backend);
                    named.iter().for_each(|b| self.edge.cut_here(b));
                }
                Ok(Some(event)) => {
                    if events.send(event).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    self.edge.log.say(&format!("cannot understand the holder: {error}"));
                    return;
                }
            }
        }
    }

    /// Answers the control socket from now on. The routes are read once more: the worker before may have been told of
    /// newer ones after we began.
    async fn lead(self: &Arc<Self>, socket: OwnedFd) {
        self.reload().await;
        let listener = std::os::unix::net::UnixListener::from(socket);
        let listener = listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener));
        match listener {
            Ok(listener) => {
                let task = tokio::spawn(commands::answer_all(Arc::clone(self), listener));
                if let Some(before) = lock(&self.control).replace(task.abort_handle()) {
                    before.abort();
                }
                let keeping = tokio::spawn(keeper::keep(Arc::clone(&self.edge)));
                if let Some(before) = lock(&self.keeping).replace(keeping.abort_handle()) {
                    before.abort();
                }
            }
            Err(error) => self.edge.log.say(&format!("cannot take the control socket: {error}")),
        }
    }

    async fn reload(self: &Arc<Self>) {
        // Why not is in the log and in `status`.
        let _refused_is_logged = commands::load(self, 0).await;
    }

    /// Tries taken ports again, drops what is not used any more.
    async fn keep_up(self: Arc<Self>) {
        let retry = Duration::from_millis(self.edge.limits.listen_retry_ms.max(10));
        let mut pruned = Instant::now();
        loop {
            if self.listeners.failed() {
                tokio::time::sleep(retry).await;
                self.listeners.settle().await;
            } else {
                // A listener that fails ends the long sleep; without one this is all that wakes an idle worker.
                let _slept = tokio::time::timeout(PRUNE, self.listeners.failing.notified()).await;
            }
            if pruned.elapsed() >= PRUNE {
                lock(&self.edge.registry).prune();
                pruned = Instant::now();
            }
        }
    }

    /// Lets the holder keep the file that is served: it outlives this process and the path.
    pub(crate) async fn remember(&self, file: &File) {
        if let Err(error) = self.channel.send(&ToHolder::Good, Some(file.as_fd())).await {
            self.edge.log.say(&format!("the holder does not listen: {error}"));
        }
    }

    async fn retire(
        self: &Arc<Self>,
        within: Duration,
        how: Retiring,
        mut events: mpsc::UnboundedReceiver<(ToWorker, Option<OwnedFd>)>,
    ) {
        let edge = &self.edge;
        edge.retiring.send_replace(how);
        self.listeners.close().await;
        for task in [lock(&self.control).take(), lock(&self.keeping).take()].into_iter().flatten() {
            task.abort();
        }
        // Those who wait because of a command wait for an `unpark` that this worker will never hear.
        edge.tables.load().entries.iter().for_each(|e| e.live.held.store(false, std::sync::atomic::Ordering::SeqCst));
        edge.tables.ring();
        // Told before the next worker answers, so that it knows from its first answer on what is still under way here.
        let (mut told, mut counted) = (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
        self.tell_flights(&mut told);
        self.tell_changed_counters(&mut counted);
        edge.tell(ToHolder::Retired);
        let all = u32::try_from(edge.limits.connections.max(1)).unwrap_or(u32::MAX);
        let deadline = tokio::time::sleep(within);
        let done = edge.open.acquire_many(all);
        tokio::pin!(done, deadline);
        let mut tick = tokio::time::interval(TELL);
        let mut holder_is_there = true;
        loop {
            tokio::select! {
                _all = &mut done => break,
                () = &mut deadline => {
                    edge.log.say("retiring took too long; what is left is cut");
                    break;
                }
                event = events.recv(), if holder_is_there => match event {
                    Some((ToWorker::Reload, _)) => self.reload().await,
                    // Said again, it is meant for what is left.
                    Some((ToWorker::Retire { within_ms, at_once }, _)) => {
                        if at_once {
                            edge.retiring.send_replace(Retiring::AtOnce);
                        }
                        deadline.as_mut().reset(tokio::time::Instant::now() + crate::table::bounded(within_ms));
                    }
                    Some(_) => {}
                    None => holder_is_there = false,
                },
                _tick = tick.tick() => {
                    self.tell_flights(&mut told);
                    self.tell_changed_counters(&mut counted);
                }
            }
        }
        self.tell_changed_counters(&mut counted);
        // What was told before is not lost with this process.
        let (heard, all_heard) = tokio::sync::oneshot::channel();
        edge.tell_and(heard);
        let _holder_is_gone = tokio::time::timeout(LAST_WORDS, all_heard).await;
        let _slow_disk = tokio::time::timeout(LAST_WORDS, edge.access.flush()).await;
        edge.log.say("retired");
    }

    /// Tells the holder what was carried, soon after it changed: that much is known even if this process is killed.
    async fn tell_counters(self: Arc<Self>) {
        let mut told = std::collections::BTreeMap::new();
        loop {
            self.edge.counted.wait().await;
            self.tell_changed_counters(&mut told);
            tokio::time::sleep(COUNT).await;
        }
    }

    fn tell_changed_counters(&self, told: &mut std::collections::BTreeMap<String, Counters>) {
        let mut changed: Vec<Counters> = lock(&self.edge.registry).counters().collect();
        changed.retain(|now| {
            let news = told.get(&now.id) != Some(now);
            if news {
                told.insert(now.id.clone(), now.clone());
            }
            news
        });
        for part in changed.chunks(TOLD_AT_ONCE) {
            self.edge.tell(ToHolder::Carried { counters: part.to_vec() });
        }
    }

    fn tell_flights(&self, told: &mut std::collections::BTreeMap<String, u64>) {
        let mut now = std::collections::BTreeMap::<String, u64>::new();
        for live in lock(&self.edge.registry).all() {
            *now.entry(live.id.clone()).or_default() += live.in_flight();
        }
        for (backend, in_flight) in &now {
            if told.get(backend).copied().unwrap_or(0) != *in_flight {
                self.edge.tell(ToHolder::Flight { backend: backend.clone(), in_flight: *in_flight });
            }
        }
        for backend in told.keys().filter(|b| !now.contains_key(*b)) {
            self.edge.tell(ToHolder::Flight { backend: backend.clone(), in_flight: 0 });
        }
        *told = now;
    }
}

/// Sends what tasks have to say to the holder, one after the other.
async fn forward(channel: Arc<Channel>, mut outbox: mpsc::UnboundedReceiver<Said>) {
    while let Some(said) = outbox.recv().await {
        let message = match said {
            Said::Message(message) => message,
            Said::Mark(heard) => {
                // Whoever waits may have given up.
                let _late = heard.send(());
                continue;
            }
        };
        // The holder is gone: the reading side notices and says so.
        if channel.send(&message, None).await.is_err() {
            return;
        }
    }
}
