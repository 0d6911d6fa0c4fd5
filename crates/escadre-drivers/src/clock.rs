//! The system's clock.
//!
//! In: nothing. Out: the `Clock` port on real time.
//! **Invariant:** durations come from the monotonic clock; a jump of the wall clock changes only what people read.
//! Not here: virtual time (`escadre-testkit`).
//! Tests: beside.

use async_trait::async_trait;
use escadre_engine::ports::Clock;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Real time.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// The clock; `monotonic` counts from here.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::start()
    }
}

/// A moment as RFC 3339 in UTC, with milliseconds. Days to dates by the civil calendar's 400-year cycle.
fn spelled(since_1970: Duration) -> String {
    let (seconds, ms) = (since_1970.as_secs(), since_1970.subsec_millis());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Shift to years that begin in March, so that the leap day is the last of a year.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let date = day - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Arc<str> {
        // A clock before 1970 is shown as 1970.
        spelled(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()).into()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::spelled;
    use std::time::Duration;

    #[test]
    fn dates() {
        let at = |seconds| spelled(Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_795_228_199), "2026-11-21T02:29:59.000Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
    }
}
