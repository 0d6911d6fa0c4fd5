//! Waiting while nobody can serve: a gap is latency first.
//!
//! In → Out: how to find the route → the route when it can serve, or why not (not here, room full, waited too long).
//!
//! **Invariant**: those who wait are bounded in number and time, and look the route up again after every change: they
//! never act on a table that is no longer served.
//!
//! Not here: what is answered then (`pages`), what a backend is (`flight`).
//!
//! Tests: `tests/it/`.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use arc_swap::ArcSwap;

use crate::table::{Entry, Table};

/// The table and the bell that rings when it, or a hold, changes.
#[derive(Debug)]
pub(crate) struct Tables {
    now: ArcSwap<Table>,
    changes: watch::Sender<u64>,
}

/// What became of waiting.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It can be served, by this route.
    Go(Arc<Entry>),
    /// No such route, or no longer.
    NotHere,
    /// The waiting room is full.
    Full,
    /// It waited too long.
    Late(Arc<Entry>),
}

impl Tables {
    pub(crate) fn new() -> Tables {
        Tables { now: ArcSwap::from_pointee(Table::default()), changes: watch::Sender::new(0) }
    }

    pub(crate) fn load(&self) -> Arc<Table> {
        self.now.load_full()
    }

    /// Replaces the table; gives the old one, to be dropped by the caller after everybody has gone on.
    pub(crate) fn swap(&self, next: Table) -> Arc<Table> {
        self.now.swap(Arc::new(next))
    }

    /// Wakes those who wait.
    pub(crate) fn ring(&self) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// The route, as soon as it is not parked.
    pub(crate) async fn admit(&self, find: impl Fn(&Table) -> Option<Arc<Entry>>) -> Admission {
        let Some(entry) = find(&self.now.load()) else { return Admission::NotHere };
        if !entry.is_parked() {
            return Admission::Go(entry);
        }
        let Some(_place) = entry.live.wait(entry.queue) else { return Admission::Full };
        let deadline = Instant::now() + entry.park;
        let mut changes = self.changes.subscribe();
        loop {
            // After subscribing, so that no change falls between looking and waiting.
            let Some(entry) = find(&self.now.load()) else { return Admission::NotHere };
            if !entry.is_parked() {
                return Admission::Go(entry);
            }
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                // The sender lives as long as we do; if it were gone nothing would ever change.
                Ok(Err(_)) | Err(_) => return Admission::Late(entry),
            }
        }
    }
}
