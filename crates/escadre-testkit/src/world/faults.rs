//! Faults: what goes wrong, and when.
//!
//! In: the number of the call, or of the point, at which it happens. Out: errors, lost answers, a process that is gone.
//! **Invariant:** counted from 1 in the order of calls, so that a loop over all numbers hits every call once; the numbers are printed on failure.
//! Not here: what a call does (`act`).
//! Tests: `tests/faults.rs`.

use super::World;
use escadre_engine::ports::Error;
use escadre_model::ids::ResourceId;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

/// What goes wrong at a call that could change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The engine refuses for good (409), nothing was done.
    Refuse,
    /// The engine does not answer, nothing was done.
    Silent,
    /// It was done, but the answer is lost.
    Lost,
    /// It was done, but the engine is gone from then on and answers nothing, until faults are set anew.
    Gone,
    /// It takes ten seconds longer.
    Slow,
    /// The driver has a bug: it panics.
    Panic,
}

/// A recorded call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `perform`, `undo`, `find`, `before`, `observe`.
    pub verb: &'static str,
    /// On what.
    pub on: Option<ResourceId>,
    /// The act's word.
    pub act: &'static str,
    /// Could it create, change or remove anything?
    pub mutating: bool,
}

#[derive(Default)]
pub(super) struct Faults {
    points: u64,
    kill_at: Option<u64>,
    mutating: u64,
    at: BTreeMap<u64, Fault>,
    pub(super) undo_fails_at: Option<u64>,
    pub(super) undos: u64,
    pub(super) away: bool,
    pub(super) calls: Vec<Call>,
    pub(super) incomplete: bool,
}

impl World {
    /// The process dies when it passes this point: each append to the journal and each act that could change something has one before and one after.
    pub fn kill_at(&self, point: Option<u64>) {
        let mut inner = self.inner();
        (inner.faults.points, inner.faults.kill_at) = (0, point);
    }

    /// How many points were passed since `kill_at` was called.
    pub fn points(&self) -> u64 {
        self.inner().faults.points
    }

    /// A fault at a mutating call, counted from now on; `None`: no faults any more.
    pub fn fault_at(&self, fault: Option<(u64, Fault)>) {
        let mut inner = self.inner();
        inner.faults.mutating = 0;
        inner.faults.at = fault.into_iter().collect();
        inner.faults.away = false;
    }

    /// How many mutating calls were made since `fault_at` was called.
    pub fn mutating(&self) -> u64 {
        self.inner().faults.mutating
    }

    /// The undo of this number fails, counted from now on.
    pub fn undo_fails_at(&self, number: Option<u64>) {
        let mut inner = self.inner();
        (inner.faults.undo_fails_at, inner.faults.undos) = (number, 0);
    }

    /// From now on lists are cut short: they hold nothing and say that they are not complete.
    pub fn incomplete(&self, incomplete: bool) {
        self.inner().faults.incomplete = incomplete;
    }

    /// All calls since the last time this was asked.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.inner().faults.calls)
    }

    /// Runs something until it ends or the process is killed; then it is dropped on the spot, with everything it had in hand.
    pub async fn until_killed<F: Future>(&self, what: F) -> Option<F::Output> {
        let output = tokio::select! {
            biased;
            () = self.killed.notified() => None,
            output = what => Some(output),
        };
        // Tasks that were aborted by the drop are gone only when the runtime has had its turn.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        output
    }

    pub(crate) async fn point(&self) {
        let dies = {
            let mut inner = self.inner();
            inner.faults.points += 1;
            Some(inner.faults.points) == inner.faults.kill_at
        };
        if dies {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn record(&self, call: Call) -> Option<Fault> {
        let mut inner = self.inner();
        let mutating = call.mutating;
        inner.faults.calls.push(call);
        if !mutating {
            return None;
        }
        inner.faults.mutating += 1;
        if inner.faults.away {
            return Some(Fault::Silent);
        }
        let number = inner.faults.mutating;
        let fault = inner.faults.at.get(&number).copied();
        inner.faults.away = fault == Some(Fault::Gone);
        fault
    }
}

pub(super) fn silent() -> Error {
    let source = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Error::Unreachable { engine: "fake".into(), at: "memory".into(), source }
}

pub(super) fn refused(act: &str, message: &str, status: u16) -> Error {
    Error::Refused { engine: "fake".into(), act: Arc::from(act), message: message.into(), status }
}
