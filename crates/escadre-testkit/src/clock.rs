//! A clock on tokio's paused time: a story of ten minutes takes milliseconds.
//!
//! In: nothing. Out: the `Clock` port.
//! **Invariant:** it moves only when everything waits, or when a story says so.
//! Not here: real time (`escadre_drivers::clock`).
//! Tests: stories.

use async_trait::async_trait;
use escadre_engine::ports::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Virtual time since the world began; the world began on 2026-01-01 at midnight UTC.
#[derive(Clone, Debug)]
pub struct VirtualClock(Instant);

impl VirtualClock {
    /// Starts now. Must be called inside a runtime, which should have its time paused.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the world began.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Arc<str> {
        let ms = self.ms();
        let (s, ms) = (ms / 1000, ms % 1000);
        let day = 1 + s / 86_400;
        format!("2026-01-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600 % 24, s / 60 % 60, s % 60).into()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
