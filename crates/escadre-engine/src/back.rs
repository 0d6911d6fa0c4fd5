//! Back to an earlier state: which receipt is meant, and what a plan must know of it.
//!
//! In: the receipts of an instance, newest first, and what was asked. Out: the receipt, and its [`Back`]; or why there is no way.
//! **Invariant:** only a state that was healthy is gone back to; asked twice without a word, one goes further back and never forward again.
//! Not here: the plan (`escadre_plan::make`, with `Options::back`), carrying it out (`reconcile`).
//! Tests: `back/tests.rs`; stories in `escadre-testkit`.

use escadre_model::hash::Hash;
use escadre_model::observed::{Outcome, Receipt};
use escadre_plan::plan::Back;
use std::sync::Arc;

/// Which state is wanted back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// The newest healthy one that is another than what runs.
    Last,
    /// What this plan left behind.
    Of(&'a str),
    /// What there was before this plan.
    Before(&'a str),
}

/// Why there is no way back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// Nothing else is on record.
    #[error("no other healthy state is on record")]
    NothingEarlier,
    /// No kept receipt is of that plan.
    #[error("plan {0} is not among the states that are kept")]
    Unknown(Arc<str>),
    /// That plan did not leave it healthy.
    #[error("plan {0} did not leave it healthy")]
    NotHealthy(Arc<str>),
    /// It is so already.
    #[error("it runs what plan {0} left behind")]
    Same(Arc<str>),
}

/// Finds the receipt to go back to, among those of one instance, newest first.
///
/// # Errors
/// When there is none.
pub fn find<'r>(receipts: &'r [Receipt], which: Which<'_>) -> Result<&'r Receipt, NoWay> {
    let healthy = |receipt: &&Receipt| receipt.outcome == Outcome::Healthy;
    let now = receipts.iter().find(|one| one.outcome.is_as_planned());
    // What was taken down does not run: the way back is to what ran last.
    let runs = now.filter(|now| now.outcome != Outcome::Removed).map(|receipt| receipt.desired.hash());
    let same = |receipt: &Receipt| Some(receipt.desired.hash()) == runs;
    match which {
        Which::Last => {
            // After a way back what was left stands before it: further back is behind the first time that what runs now ran.
            let from = match now.filter(|now| now.back.is_some()) {
                Some(_) => receipts.iter().rposition(same).map_or(0, |at| at + 1),
                None => 0,
            };
            let older = receipts.get(from..).unwrap_or_default();
            older.iter().filter(healthy).find(|one| !same(one)).ok_or(NoWay::NothingEarlier)
        }
        Which::Of(plan) => {
            let mut all = receipts.iter().filter(|receipt| &*receipt.plan == plan).peekable();
            if all.peek().is_none() {
                return Err(NoWay::Unknown(plan.into()));
            }
            let found = all.find(healthy).ok_or_else(|| NoWay::NotHealthy(plan.into()))?;
            if Some(found.desired.hash()) == runs { Err(NoWay::Same(plan.into())) } else { Ok(found) }
        }
        Which::Before(plan) => {
            let at = receipts.iter().position(|receipt| &*receipt.plan == plan);
            let at = at.ok_or_else(|| NoWay::Unknown(plan.into()))?;
            let older = receipts.get(at + 1..).unwrap_or_default();
            let found = older.iter().find(healthy).ok_or(NoWay::NothingEarlier)?;
            if Some(found.desired.hash()) == runs { Err(NoWay::Same(found.plan.clone())) } else { Ok(found) }
        }
    }
}

/// What a plan must know of the way back to a receipt; `against` is what the files want now, if they can be read.
pub fn way(receipt: &Receipt, against: Option<Hash>) -> Back {
    Back {
        to: receipt.plan.clone(),
        commit: receipt.commit.clone(),
        dirty: receipt.dirty.clone(),
        images: receipt.images.clone(),
        against,
    }
}

#[cfg(test)]
mod tests;
