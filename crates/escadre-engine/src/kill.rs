//! Kill points: places where a test of the real binary ends the process, as a power cut would.
//!
//! In: the number of the point to die at. Out: nothing.
//! **Invariant:** without the feature `kill-points` this is nothing at all; with it, the process aborts without running any destructor.
//! Not here: reading the number from the environment (the binary), faults in the simulated world (`escadre-testkit`).
//! Tests: the crash loop of `xtask`.

#[cfg(feature = "kill-points")]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts the points passed, and dies at one of them.
#[derive(Clone, Debug, Default)]
pub struct Kill {
    #[cfg(feature = "kill-points")]
    at: Option<u64>,
    #[cfg(feature = "kill-points")]
    passed: Arc<AtomicU64>,
}

impl Kill {
    /// Dies at the point of this number, counted from 1; `None`: never.
    #[cfg(feature = "kill-points")]
    pub fn at(at: Option<u64>) -> Self {
        Self { at, passed: Arc::default() }
    }

    /// How many points were passed: a run that is not killed tells how many there are.
    #[cfg(feature = "kill-points")]
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// A place where a process may die: after each write to the journal, before and after each act.
    #[cfg(feature = "kill-points")]
    pub(crate) fn point(&self) {
        if Some(self.passed.fetch_add(1, Ordering::SeqCst) + 1) == self.at {
            std::process::abort();
        }
    }

    /// A place where a process may die; compiled out.
    #[cfg(not(feature = "kill-points"))]
    pub(crate) fn point(&self) {}
}
