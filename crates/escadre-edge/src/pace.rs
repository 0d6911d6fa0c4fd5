//! What a client's HTTP/1.1 connection is doing, and how long it may do so.
//!
//! In → Out: bytes that come and go, requests that begin and end → the moment at which patience is at an end.
//!
//! **Invariant**: a head must be complete within its time, however its bytes are spread over it; a connection without a
//! request is let go after a while. Requests and tunnels are not timed here, but what comes as a request's body must
//! become pieces of one. Nothing is armed for a request: the one alarm of a connection looks, when it rings, at what has
//! become of it meanwhile.
//!
//! Not here: slow bodies (`patience`), HTTP/2 (`http::two`).
//!
//! Tests: at the end of this file, `tests/it/hostile.rs`, `tests/it/slow.rs`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How often a busy connection is looked at; its end is noticed at the next look.
const LOOK: Duration = Duration::from_secs(10);

/// What a connection is doing. Written as two bits beside the milliseconds since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A head is awaited or coming, and has a deadline.
    Head,
    /// Between two requests.
    Idle,
    /// A request is under way.
    Busy,
    /// Something else than HTTP is spoken.
    Tunnel,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Pace {
    begin: Instant,
    state: AtomicU64,
    head: Duration,
    idle: Duration,
    /// Bytes of a request's body that came since the last piece of it was passed on, and most of them.
    pending: AtomicU64,
    most: u64,
}

impl Pace {
    /// A connection that begins: its first head must be there in time. `most`: bytes of a body that may come between two
    /// pieces of it.
    pub(crate) fn new(head: Duration, idle: Duration, most: u64) -> Pace {
        let state = AtomicU64::new(Phase::Head as u64);
        Pace { begin: Instant::now(), state, head, idle, pending: AtomicU64::new(0), most }
    }

    fn is(&self, phase: Phase) -> bool {
        self.state.load(Ordering::Relaxed) & 3 == phase as u64
    }

    fn set(&self, phase: Phase) {
        let since = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.state.store((since << 2) | phase as u64, Ordering::Relaxed);
    }

    /// Bytes came: between two requests they are the beginning of a head. Within one, gives whether they can still be a
    /// body: the size of a chunk may have zeros before it without an end, which the library reads and nobody is given.
    pub(crate) fn came(&self, bytes: usize) -> bool {
        if self.is(Phase::Idle) {
            self.set(Phase::Head);
        }
        if !self.is(Phase::Busy) {
            return true;
        }
        let before = self.pending.fetch_add(bytes as u64, Ordering::Relaxed);
        before.saturating_add(bytes as u64) <= self.most
    }

    /// A piece of the request's body was passed on.
    pub(crate) fn passed(&self) {
        self.pending.store(0, Ordering::Relaxed);
    }

    /// Bytes went: the last answer was not read to its end before.
    pub(crate) fn went(&self) {
        if self.is(Phase::Idle) {
            self.set(Phase::Idle);
        }
    }

    /// A request begins.
    pub(crate) fn busy(&self) {
        // Since when does not matter.
        self.state.store(Phase::Busy as u64, Ordering::Relaxed);
        self.passed();
    }

    /// A request has been answered.
    pub(crate) fn idle(&self) {
        if self.is(Phase::Busy) {
            self.set(Phase::Idle);
        }
    }

    /// From now on it is no HTTP.
    pub(crate) fn tunnel(&self) {
        self.state.store(Phase::Tunnel as u64, Ordering::Relaxed);
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        self.is(Phase::Tunnel)
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state.load(Ordering::Relaxed);
        let since = self.begin + Duration::from_millis(state >> 2);
        match state & 3 {
            head if head == Phase::Head as u64 => Some(since + self.head),
            idle if idle == Phase::Idle as u64 => Some(since + self.idle),
            _ => None,
        }
    }

    /// Ends when patience is at an end.
    pub(crate) async fn expired(&self) {
        loop {
            let deadline = self.deadline();
            let now = Instant::now();
            match deadline {
                Some(at) if at <= now => return,
                // Idle becomes a head, and its deadline may be nearer than the one that is slept for.
                Some(at) => tokio::time::sleep_until(at.min(now + self.head.max(Duration::from_millis(1)))).await,
                None => tokio::time::sleep(LOOK.min(self.head.max(Duration::from_millis(1)))).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn lives(pace: &Pace, wait: Duration) -> bool {
        tokio::time::timeout(wait, pace.expired()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_a_deadline_that_its_bytes_do_not_move() {
        let pace = Pace::new(10 * SECOND, 60 * SECOND, 0);
        for _ in 0..9 {
            assert!(lives(&pace, SECOND).await);
            assert!(pace.came(1), "a head is bounded elsewhere");
        }
        assert!(!lives(&pace, 2 * SECOND).await);
        // The same for a later one.
        let pace = Pace::new(10 * SECOND, 60 * SECOND, 0);
        pace.busy();
        pace.idle();
        assert!(lives(&pace, 40 * SECOND).await);
        for _ in 0..9 {
            assert!(pace.came(1));
            assert!(lives(&pace, SECOND).await);
        }
        assert!(!lives(&pace, 2 * SECOND).await);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_between_requests_ends_and_requests_do_not() {
        let pace = Pace::new(10 * SECOND, 60 * SECOND, 0);
        pace.busy();
        assert!(lives(&pace, 3_600 * SECOND).await);
        pace.idle();
        assert!(lives(&pace, 59 * SECOND).await);
        // The last answer is still being read.
        pace.went();
        assert!(lives(&pace, 59 * SECOND).await);
        assert!(!lives(&pace, 11 * SECOND).await);
        pace.tunnel();
        pace.idle();
        assert!(lives(&pace, 3_600 * SECOND).await);
    }

    #[test]
    fn what_comes_as_a_body_becomes_pieces_of_one() {
        let pace = Pace::new(SECOND, SECOND, 100);
        pace.busy();
        for _ in 0..1_000 {
            assert!(pace.came(60) && pace.came(40));
            pace.passed();
        }
        assert!(pace.came(100) && !pace.came(1), "none of it was one");
        pace.busy();
        assert!(pace.came(100), "the next request begins anew");
        pace.tunnel();
        assert!(pace.came(usize::MAX), "what a tunnel carries is no body");
    }
}
