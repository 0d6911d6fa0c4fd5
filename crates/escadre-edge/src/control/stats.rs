//! What was carried: counters by route, and what they say about a span of time.
//!
//! In → Out: two [`Stats`] of one edge → the [`Span`] between them.
//!
//! **Invariant**: numbers only grow, over workers and upgrades, as long as the holder lives; a difference between two
//! edges is not made up. What nobody could count any more (a worker that was killed) is `lost`, and counts as failed.
//!
//! Not here: counting (`flight`), adding workers up (`ledger`).
//!
//! Tests: at the end of this file, `tests/it/counters.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One route's numbers, since [`Stats::since_ms`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The route.
    pub id: String,
    /// Requests (HTTP) or connections (TCP) that arrived.
    pub requests: u64,
    /// Those that we or the backend could not serve: the sum of `refused` to `lost`.
    pub failed: u64,
    /// No backend took the connection: 502, or a TCP connection reset.
    #[serde(default)]
    pub refused: u64,
    /// A backend broke off, before its answer (502) or within it; a TCP connection that the backend reset.
    #[serde(default)]
    pub broken: u64,
    /// No answer in time: 504.
    #[serde(default)]
    pub late: u64,
    /// Nobody was there to serve it: stopped, parked too long, too many waiting (503).
    #[serde(default)]
    pub unserved: u64,
    /// Cut at the deadline of a drain.
    #[serde(default)]
    pub cut: u64,
    /// Under way in a worker that died.
    #[serde(default)]
    pub lost: u64,
    /// Answers of the backend itself with status 5xx; they are not failures of ours.
    pub backend_errors: u64,
    /// Under way now, those that wait included.
    pub in_flight: u64,
    /// Waiting now, because the route is parked.
    pub waiting: u32,
}

/// The counters of all routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// The worker that answers.
    pub worker: u64,
    /// How long that worker has been there (milliseconds).
    pub uptime_ms: u64,
    /// Since when is counted, over all workers: milliseconds since 1970, when the holder began. It tells two edges of one
    /// folder apart; 0 is an edge that counts for each worker alone.
    #[serde(default)]
    pub since_ms: u64,
    /// Workers that died since then. What they had counted in their last moments is not known.
    #[serde(default)]
    pub crashes: u64,
    /// Every route, those that left the routes file since then included.
    pub routes: Vec<Counters>,
}

/// What was carried between two moments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Workers that died meanwhile: what they counted in their last moments is missing.
    pub crashes: u64,
    /// By route; `in_flight` and `waiting` are those of the second moment.
    pub routes: BTreeMap<String, Counters>,
}

impl Counters {
    /// Makes `failed` the sum of its causes.
    pub(crate) fn sum_up(&mut self) {
        let causes = [self.refused, self.broken, self.late, self.unserved, self.cut, self.lost];
        self.failed = causes.into_iter().fold(0, u64::saturating_add);
    }

    /// Adds another's numbers.
    pub fn add(&mut self, other: &Counters) {
        self.each(other, u64::saturating_add);
        self.in_flight = self.in_flight.saturating_add(other.in_flight);
        self.waiting = self.waiting.saturating_add(other.waiting);
    }

    fn each(&mut self, other: &Counters, with: impl Fn(u64, u64) -> u64) {
        self.requests = with(self.requests, other.requests);
        self.refused = with(self.refused, other.refused);
        self.broken = with(self.broken, other.broken);
        self.late = with(self.late, other.late);
        self.unserved = with(self.unserved, other.unserved);
        self.cut = with(self.cut, other.cut);
        self.lost = with(self.lost, other.lost);
        self.backend_errors = with(self.backend_errors, other.backend_errors);
        self.sum_up();
    }
}

impl Stats {
    /// What was carried since an earlier moment; `None` if that was another edge, whose numbers are gone.
    #[must_use]
    pub fn since(&self, before: &Stats) -> Option<Span> {
        let same = self.since_ms == before.since_ms && (self.since_ms != 0 || self.worker == before.worker);
        if !same {
            return None;
        }
        let former: BTreeMap<&str, &Counters> = before.routes.iter().map(|c| (c.id.as_str(), c)).collect();
        let routes = self.routes.iter().map(|now| {
            let mut carried = now.clone();
            if let Some(then) = former.get(now.id.as_str()) {
                carried.each(then, u64::saturating_sub);
            }
            (now.id.clone(), carried)
        });
        Some(Span { crashes: self.crashes.saturating_sub(before.crashes), routes: routes.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(since_ms: u64, requests: u64, cut: u64) -> Stats {
        let mut one = Counters { id: "f/a/web".into(), requests, cut, in_flight: 3, ..Counters::default() };
        one.sum_up();
        Stats { worker: 1, uptime_ms: 1, since_ms, crashes: 0, routes: vec![one] }
    }

    #[test]
    fn a_span_is_a_difference_of_one_edge() {
        let span = stats(7, 12, 3).since(&stats(7, 10, 1)).expect("one edge");
        let one = &span.routes["f/a/web"];
        assert_eq!((one.requests, one.failed, one.cut, one.in_flight), (2, 2, 2, 3));
        assert_eq!(stats(8, 12, 3).since(&stats(7, 10, 1)), None);
        let mut other = stats(0, 12, 3);
        other.worker = 2;
        assert_eq!(other.since(&stats(0, 10, 1)), None, "of an edge that counts for each worker alone");
    }

    #[test]
    fn a_route_that_is_new_counts_from_nothing() {
        let mut before = stats(7, 10, 1);
        before.routes.clear();
        assert_eq!(stats(7, 12, 3).since(&before).expect("one edge").routes["f/a/web"].requests, 12);
    }
}
