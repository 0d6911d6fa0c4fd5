//! Locks, as a port: one for each (fleet, instance), held while it is changed.
//!
//! In: an instance, and who wants to change it. Out: the lock, or who has it.
//! **Invariant:** a lock whose owner is gone is open at once; two owners of one lock never exist. Planning takes none.
//! Not here: waiting (`apply`), files (`escadre_drivers::locks`).
//! Tests: `escadre-drivers/src/locks/tests.rs`; stories in `escadre-testkit`.

use async_trait::async_trait;
use escadre_model::ids::InstanceId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who holds a lock, as told to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The person.
    pub by: Arc<str>,
    /// The plan, or the verb.
    pub plan: Arc<str>,
    /// Since when, RFC 3339.
    pub since: Arc<str>,
    /// What it does now.
    pub doing: Arc<str>,
    /// When it last said so, RFC 3339.
    pub told: Arc<str>,
    /// Does the process exist?
    #[serde(default)]
    pub alive: bool,
}

/// A lock that is held; dropping it gives it back.
pub trait Held: Send + Sync {
    /// Tells others what is done now. Best effort: the lock holds without it.
    fn doing(&self, what: &str, at: &str);
}

/// The answer to an attempt.
pub enum Attempt {
    /// It is ours.
    Got(Box<dyn Held>),
    /// Somebody has it.
    Busy(Holder),
}

/// Why it cannot even be tried.
#[derive(Debug, thiserror::Error)]
#[error("cannot lock {instance}")]
pub struct LockError {
    /// Which instance.
    pub instance: InstanceId,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// Gives locks.
#[async_trait]
pub trait Locks: Send + Sync {
    /// Tries once.
    ///
    /// # Errors
    /// When it cannot be known whether somebody has it.
    async fn attempt(&self, instance: &InstanceId, claim: &Holder) -> Result<Attempt, LockError>;
}
