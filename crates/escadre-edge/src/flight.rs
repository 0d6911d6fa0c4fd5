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
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

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
    cut: watch::Sender<bool>,
    pub(crate) pool: Pool,
}

#[derive(Debug, Default)]
struct Flights {
    count: u64,
    /// Counts cuts: guards from before a cut no longer count.
    epoch: u64,
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
            cut: watch::Sender::new(false),
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
        Some(Flight { backend: Arc::clone(self), epoch: state.epoch })
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
        self.cut.send_replace(false);
    }

    /// It left the routes file. Gives the moment at which it is cut: the deadline of a `drain`, else the given one.
    pub(crate) fn leave(&self, otherwise: Instant) -> Instant {
        let mut state = lock(&self.state);
        state.gone = true;
        let deadline = *state.deadline.get_or_insert(otherwise);
        drop(state);
        self.pool.clear();
        deadline
    }

    /// Whether a `drain` of this number is still the last word.
    pub(crate) fn drains_by(&self, number: u64) -> bool {
        lock(&self.state).commanded == Some(number)
    }

    /// Ends what is under way; gives how many pieces of work that were.
    pub(crate) fn cut(&self) -> u64 {
        let mut state = lock(&self.state);
        let cut = state.count;
        state.epoch += 1;
        state.count = 0;
        self.cut.send_replace(true);
        drop(state);
        self.emptied.notify_waiters();
        cut
    }

    /// A receiver that turns true when the work is to end.
    pub(crate) fn cut_signal(&self) -> watch::Receiver<bool> {
        self.cut.subscribe()
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

/// Waits until the signal is true; if its sender is gone, nobody can cut any more and this never ends.
pub(crate) async fn cut(signal: &mut watch::Receiver<bool>) {
    if signal.wait_for(|cut| *cut).await.is_err() {
        std::future::pending::<()>().await;
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
        lock(&self.backend.state).epoch != self.epoch
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = lock(&self.backend.state);
        if state.epoch == self.epoch {
            state.count = state.count.saturating_sub(1);
            let empty = state.count == 0;
            drop(state);
            if empty {
                self.backend.emptied.notify_waiters();
            }
        }
    }
}

/// One route's numbers; they outlive a change of the table.
#[derive(Debug, Default)]
pub(crate) struct RouteLive {
    pub(crate) id: String,
    /// Requests or connections that arrived.
    pub(crate) requests: AtomicU64,
    /// Those we or the backend could not serve.
    pub(crate) failed: AtomicU64,
    /// Answers of the backend itself with status 5xx.
    pub(crate) backend_errors: AtomicU64,
    in_flight: AtomicU64,
    waiting: AtomicU32,
    /// Somebody said `park`.
    pub(crate) held: AtomicBool,
    /// Whose turn it is.
    pub(crate) turn: AtomicUsize,
}

impl RouteLive {
    pub(crate) fn new(id: &str) -> Arc<RouteLive> {
        Arc::new(RouteLive { id: id.to_owned(), ..RouteLive::default() })
    }

    /// Counts an arrival.
    pub(crate) fn arrive(self: &Arc<Self>) -> Visit {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Visit { route: Arc::clone(self) }
    }

    /// A place in the waiting room, unless `room` are taken.
    pub(crate) fn wait(self: &Arc<Self>, room: u32) -> Option<Place> {
        let taken = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < room).then_some(n + 1));
        taken.ok().map(|_| Place { route: Arc::clone(self) })
    }

    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// One request or connection of a route, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) route: Arc<RouteLive>,
}

impl Visit {
    /// It could not be served, because of us or the backend.
    pub(crate) fn fail(&self) {
        self.route.failed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.route.in_flight.fetch_sub(1, Ordering::Relaxed);
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
