//! Time, as a port: so that stories can run on a virtual clock.
//!
//! In: nothing. Out: now, elapsed, sleep.
//! **Invariant:** durations come from a monotonic source; `now` is for people and records only.
//! Not here: formatting for people (`escadre`).
//! Tests: stories in `escadre-testkit`.

use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// A clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The moment, in RFC 3339 with UTC (`2026-11-20T14:02:10.123Z`).
    fn now(&self) -> Arc<str>;
    /// Time since some fixed point, never going back.
    fn monotonic(&self) -> Duration;
    /// Waits.
    async fn sleep(&self, time: Duration);
}
