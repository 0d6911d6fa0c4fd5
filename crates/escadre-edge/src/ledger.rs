//! What all workers carried, added up: kept by the holder, told to the worker that answers.
//!
//! In → Out: counters that workers tell, their ends → the sum for each route.
//!
//! **Invariant**: a worker's end changes no sum, except that what it had under way and nobody finished is `lost`.
//!
//! Not here: counting (`flight`), what a sum means (`control::stats`).
//!
//! Tests: at the end of this file, `tests/it/counters.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::Counters;

/// The number under which the past is kept: workers count from 1.
const PAST: u64 = 0;

/// Most counters in one message between holder and worker: their ids and numbers are far below 16 kB in all.
pub(crate) const TOLD_AT_ONCE: usize = 16;

/// Counters by worker and route.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    workers: BTreeMap<u64, BTreeMap<String, Counters>>,
}

impl Ledger {
    /// Notes what a worker has counted in all.
    pub(crate) fn note(&mut self, worker: u64, counters: Vec<Counters>) {
        let noted = self.workers.entry(worker).or_default();
        noted.extend(counters.into_iter().map(|c| (c.id.clone(), c)));
    }

    /// A worker ended: its numbers become the past.
    pub(crate) fn close(&mut self, worker: u64) {
        if worker == PAST {
            return;
        }
        let Some(ended) = self.workers.remove(&worker) else { return };
        let past = self.workers.entry(PAST).or_default();
        for (id, mut counters) in ended {
            counters.lost = counters.lost.saturating_add(counters.in_flight);
            (counters.in_flight, counters.waiting) = (0, 0);
            counters.sum_up();
            past.entry(id.clone()).or_insert_with(|| Counters { id, ..Counters::default() }).add(&counters);
        }
    }

    /// Everything, to be told to a worker that begins to answer; its own numbers are left out.
    pub(crate) fn all_but(&self, worker: u64) -> impl Iterator<Item = (u64, Vec<Counters>)> + '_ {
        let others = self.workers.iter().filter(move |(number, _)| **number != worker);
        others.flat_map(|(number, counters)| {
            let all: Vec<&Counters> = counters.values().collect();
            let parts: Vec<_> =
                all.chunks(TOLD_AT_ONCE).map(|part| (*number, part.iter().map(|c| (*c).clone()).collect())).collect();
            parts
        })
    }

    /// Adds everything to a worker's own numbers.
    pub(crate) fn add_to(&self, own: &mut BTreeMap<String, Counters>) {
        for (id, counters) in self.workers.values().flatten() {
            let new = || Counters { id: id.clone(), ..Counters::default() };
            own.entry(id.clone()).or_insert_with(new).add(counters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(requests: u64, in_flight: u64) -> Vec<Counters> {
        vec![Counters { id: "f/a/web".into(), requests, in_flight, ..Counters::default() }]
    }

    fn sum(ledger: &Ledger) -> Counters {
        let mut own = BTreeMap::new();
        ledger.add_to(&mut own);
        own.remove("f/a/web").unwrap_or_default()
    }

    #[test]
    fn an_end_loses_only_what_was_under_way() {
        let mut ledger = Ledger::default();
        ledger.note(1, counted(5, 2));
        ledger.note(1, counted(10, 2));
        ledger.note(2, counted(3, 1));
        assert_eq!((sum(&ledger).requests, sum(&ledger).in_flight, sum(&ledger).lost), (13, 3, 0));
        ledger.close(1);
        ledger.close(1);
        assert_eq!((sum(&ledger).requests, sum(&ledger).in_flight, sum(&ledger).lost), (13, 1, 2));
        assert_eq!(sum(&ledger).failed, 2);
        ledger.note(2, counted(4, 0));
        ledger.close(2);
        assert_eq!((sum(&ledger).requests, sum(&ledger).lost), (14, 2));
    }

    #[test]
    fn a_worker_hears_of_all_others_and_of_the_past() {
        let mut ledger = Ledger::default();
        ledger.note(1, counted(5, 0));
        ledger.close(1);
        ledger.note(2, counted(3, 0));
        ledger.note(3, counted(1, 0));
        let told: Vec<u64> = ledger.all_but(3).map(|(worker, _)| worker).collect();
        assert_eq!(told, [PAST, 2]);
    }
}
