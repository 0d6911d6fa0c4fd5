//! The small world: an engine in memory that behaves as real ones do, where it matters.
//!
//! In: acts through the `Driver` port; scripts and hands that change things behind our back. Out: observations, a snapshot for comparison.
//! **Invariant:** names, addresses and things in use conflict as on a real engine; every call is recorded, with whether it could change anything.
//! Not here: what a plan should be (`escadre-plan`), judging (`oracle`, `conformance`).
//! Tests: `tests/conformance.rs`, `tests/faults.rs`, stories.

mod act;
mod behaviour;
pub mod compose;
mod driver;
mod faults;
mod look;
mod state;
mod undo;

pub use behaviour::{Behaviour, Check, duration};
pub use driver::{Bug, Bugs, FakeDriver};
pub use faults::{Call, Fault};
pub use state::{Container, Image, Lines, Network, State, Volume};

use crate::clock::VirtualClock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A world that drivers, stores and tests share.
#[derive(Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    killed: Arc<Notify>,
    clock: VirtualClock,
}

struct Inner {
    state: State,
    faults: faults::Faults,
}

impl World {
    /// An empty world; its clock starts now.
    pub fn new() -> Self {
        let inner = Inner { state: State::default(), faults: faults::Faults::default() };
        Self { inner: Arc::new(Mutex::new(inner)), killed: Arc::default(), clock: VirtualClock::start() }
    }

    /// Its clock.
    pub fn clock(&self) -> VirtualClock {
        self.clock.clone()
    }

    /// Looks at or changes things, behind everybody's back.
    pub fn with<T>(&self, act: impl FnOnce(&mut State, u64) -> T) -> T {
        let now = self.clock.ms();
        act(&mut self.inner().state, now)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
