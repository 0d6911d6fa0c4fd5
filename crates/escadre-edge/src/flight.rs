//! What is under way: for each backend and each route, how much, and whether more may come.
//!
//! In → Out: a piece of work begins → a guard that counts it until it is dropped; drain and cut → guards refused,
//! connections ended; counters → numbers for the control socket.
//!
//! **Invariant**: once a backend is closed no guard is given for it any more, so "closed and zero in flight" stays true.
//! Counting and refusing happen under one lock: there is no moment between them.
//!
//! Not here: which backend is chosen (`table`), deadlines (`commands`, `worker`).
//!
//! Tests: `flight/tests.rs`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use crate::control::Counters;
use crate::pool::Pool;

#[cfg(test)]
mod tests;

/// Takes a lock; a panic elsewhere while holding it does not make numbers unusable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One backend at one address, as long as it has work or stands in the table.
#[derive(Debug)]
pub(crate) struct BackendLive {
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    state: Mutex<Flights>,
    emptied: Notify,
    /// The number of cuts: work of an earlier number is to end.
    cuts: watch::Sender<u64>,
    pub(crate) pool: Pool,
}

#[derive(Debug, Default)]
struct Flights {
    count: u64,
    /// The routes file says draining.
    filed: bool,
    /// Somebody said `drain`; the number tells a later `drain` from an earlier one.
    commanded: Option<u64>,
    commands: u64,
    /// It left the routes file.
    gone: bool,
    /// When what is still under way is cut.
    deadline: Option<Instant>,
}

impl Flights {
    fn closed(&self) -> bool {
        self.filed || self.gone || self.commanded.is_some()
    }
}

impl BackendLive {
    pub(crate) fn new(id: &str, address: SocketAddr) -> Arc<BackendLive> {
        Arc::new(BackendLive {
            id: id.to_owned(),
            address,
            state: Mutex::default(),
            emptied: Notify::new(),
            cuts: watch::Sender::new(0),
            pool: Pool::default(),
        })
    }

    /// Begins a piece of work, unless the backend is closed.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Flight> {
        let mut state = lock(&self.state);
        if state.closed() {
            return None;
        }
        state.count += 1;
        Some(Flight { backend: Arc::clone(self), epoch: *self.cuts.borrow() })
    }

    pub(crate) fn in_flight(&self) -> u64 {
        lock(&self.state).count
    }

    pub(crate) fn is_open(&self) -> bool {
        !lock(&self.state).closed()
    }

    pub(crate) fn is_gone(&self) -> bool {
        lock(&self.state).gone
    }

    /// What the routes file says.
    pub(crate) fn set_filed(&self, draining: bool) {
        lock(&self.state).filed = draining;
        if draining {
            self.pool.clear();
        }
    }

    /// Closes it until [`BackendLive::undrain`]; gives the number of this command.
    pub(crate) fn drain(&self, deadline: Instant) -> u64 {
        let mut state = lock(&self.state);
        state.commands += 1;
        state.commanded = Some(state.commands);
        state.deadline = Some(deadline);
        let number = state.commands;
        drop(state);
        self.pool.clear();
        number
    }

    /// Takes a `drain` back; work that was cut stays cut.
    pub(crate) fn undrain(&self) {
        let mut state = lock(&self.state);
        state.commanded = None;
        state.deadline = None;
    }

    /// It left the routes file; what it has is cut at the deadline of a `drain`, else at the given one.
    pub(crate) fn leave(&self, otherwise: Instant) {
        let mut state = lock(&self.state);
        state.gone = true;
        state.deadline.get_or_insert(otherwise);
        drop(state);
        self.pool.clear();
    }

    /// When what is still under way is cut.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        lock(&self.state).deadline
    }

    /// Somebody waits for its work until then: a deadline before that is not theirs.
    pub(crate) fn outlast(&self, until: Instant) {
        let mut state = lock(&self.state);
        state.deadline = state.deadline.map(|deadline| deadline.max(until));
    }

    /// Whether a `drain` of this number is still the last word.
    pub(crate) fn drains_by(&self, number: u64) -> bool {
        lock(&self.state).commanded == Some(number)
    }

    /// Ends what is under way; gives how many pieces of work that were.
    pub(crate) fn cut(&self) -> u64 {
        let mut state = lock(&self.state);
        let cut = std::mem::take(&mut state.count);
        self.cuts.send_modify(|n| *n += 1);
        drop(state);
        self.pool.clear();
        self.emptied.notify_waiters();
        cut
    }

    /// Ends when nothing is under way.
    pub(crate) async fn emptied(&self) {
        loop {
            let told = self.emptied.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.in_flight() == 0 {
                return;
            }
            told.await;
        }
    }
}

/// The end of one piece of work, told from outside.
#[derive(Debug)]
pub(crate) struct Cut {
    cuts: watch::Receiver<u64>,
    epoch: u64,
}

impl Cut {
    /// Ends when the work is to end; if nobody can cut any more, never.
    pub(crate) async fn told(&mut self) {
        if self.cuts.wait_for(|now| *now > self.epoch).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// One piece of work on a backend, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) backend: Arc<BackendLive>,
    epoch: u64,
}

impl Flight {
    /// Whether this work was cut by a deadline.
    pub(crate) fn was_cut(&self) -> bool {
        *self.backend.cuts.borrow() > self.epoch
    }

    /// Tells when the work is to end.
    pub(crate) fn cut(&self) -> Cut {
        Cut { cuts: self.backend.cuts.subscribe(), epoch: self.epoch }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = lock(&self.backend.state);
        if !self.was_cut() {
            state.count = state.count.saturating_sub(1);
            let empty = state.count == 0;
            drop(state);
            if empty {
                self.backend.emptied.notify_waiters();
            }
        }
    }
}

/// Why a request or connection could not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No backend took the connection.
    Refused,
    /// A backend broke off before or within its answer.
    Broken,
    /// No answer in time.
    Late,
    /// Nobody to serve it: stopped, waited too long, waiting room full.
    Unserved,
    /// Cut at the deadline of a drain.
    Cut,
}

impl Failure {
    const ALL: [Failure; 5] = [Failure::Refused, Failure::Broken, Failure::Late, Failure::Unserved, Failure::Cut];

    /// As the access log and the counters call it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Failure::Refused => "refused",
            Failure::Broken => "broken",
            Failure::Late => "late",
            Failure::Unserved => "unserved",
            Failure::Cut => "cut",
        }
    }
}

/// One route's numbers; they outlive a change of the table.
#[derive(Debug, Default)]
pub(crate) struct RouteLive {
    pub(crate) id: String,
    requests: AtomicU64,
    backend_errors: AtomicU64,
    failures: [AtomicU64; 5],
    in_flight: AtomicU64,
    waiting: AtomicU32,
    /// Somebody said `park`.
    pub(crate) held: AtomicBool,
    /// Whose turn it is.
    pub(crate) turn: AtomicUsize,
    changed: Arc<Changed>,
}

/// Whether any number changed since it was last told.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    flag: AtomicBool,
    rang: Notify,
}

impl Changed {
    fn ring(&self) {
        // Looking first keeps the line in every core's cache: this is on the way of every request.
        if !self.flag.load(Ordering::Relaxed) && !self.flag.swap(true, Ordering::Relaxed) {
            self.rang.notify_one();
        }
    }

    /// Ends when a number changed since the last time.
    pub(crate) async fn wait(&self) {
        while !self.flag.swap(false, Ordering::Relaxed) {
            self.rang.notified().await;
        }
    }
}

impl RouteLive {
    pub(crate) fn new(id: &str, changed: &Arc<Changed>) -> Arc<RouteLive> {
        Arc::new(RouteLive { id: id.to_owned(), changed: Arc::clone(changed), ..RouteLive::default() })
    }

    /// Counts an arrival.
    pub(crate) fn arrive(self: &Arc<Self>) -> Visit {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.changed.ring();
        Visit { route: Arc::clone(self), failed: AtomicU8::new(0) }
    }

    /// A place in the waiting room, unless `room` are taken.
    pub(crate) fn wait(self: &Arc<Self>, room: u32) -> Option<Place> {
        let taken = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < room).then_some(n + 1));
        taken.ok().map(|_| Place { route: Arc::clone(self) })
    }

    /// All numbers of this worker.
    pub(crate) fn counters(&self) -> Counters {
        let of = |failure: Failure| self.failures.get(failure as usize).map_or(0, |n| n.load(Ordering::Relaxed));
        let mut counters = Counters {
            id: self.id.clone(),
            requests: self.requests.load(Ordering::Relaxed),
            failed: 0,
            refused: of(Failure::Refused),
            broken: of(Failure::Broken),
            late: of(Failure::Late),
            unserved: of(Failure::Unserved),
            cut: of(Failure::Cut),
            lost: 0,
            backend_errors: self.backend_errors.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
        };
        counters.sum_up();
        counters
    }
}

/// One request or connection of a route, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    route: Arc<RouteLive>,
    /// One more than the number of its failure; 0: none.
    failed: AtomicU8,
}

impl Visit {
    /// It could not be served, because of us or the backend; the first reason counts.
    pub(crate) fn fail(&self, failure: Failure) {
        let first = self.failed.compare_exchange(0, failure as u8 + 1, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok()
            && let Some(count) = self.route.failures.get(failure as usize)
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whose route it is: the instance, as a route's id has it (`fleet/instance/endpoint`).
    pub(crate) fn instance(&self) -> Option<&str> {
        self.route.id.split('/').nth(1).filter(|name| !name.is_empty())
    }

    /// Why it could not be served, if it could not.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let number = self.failed.load(Ordering::Relaxed).checked_sub(1)?;
        Failure::ALL.get(usize::from(number)).copied()
    }

    /// The backend itself answered 5xx.
    pub(crate) fn backend_error(&self) {
        self.route.backend_errors.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.route.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.route.changed.ring();
    }
}

/// A taken place in a route's waiting room.
#[derive(Debug)]
pub(crate) struct Place {
    route: Arc<RouteLive>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.route.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
