//! What is going on, told while it goes on.
//!
//! In: events of executor and drivers. Out: nothing; whoever listens paints them.
//! **Invariant:** losing an event changes nothing: the journal is the truth, this is only for eyes.
//! Not here: painting (`escadre::terminal`).
//! Tests: stories in `escadre-testkit` print them as transcripts.

use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::observed::Outcome;
use std::sync::Arc;
use std::time::Duration;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An instance's turn has come.
    InstanceBegan(InstanceId),
    /// A step began: step index, on what, act's word.
    StepBegan(ResourceId, u32, &'static str),
    /// A step is going on: a sentence (`waiting for its healthcheck (2 s)`, `12 of 41 MB`).
    StepNews(ResourceId, u32, Arc<str>),
    /// A step is done, after this long.
    StepDone(ResourceId, u32, Duration),
    /// A step failed.
    StepFailed(ResourceId, u32, Arc<str>),
    /// What was done is being undone.
    Unwinding(InstanceId),
    /// An instance that went back is planned again, because somebody took what its plan had chosen: in what that plan is different.
    InstanceAgain(InstanceId, Arc<str>),
    /// An instance's turn is over.
    InstanceEnded(InstanceId, Outcome, Duration),
}

/// Listens.
pub trait Progress: Send + Sync {
    /// Takes an event; must not block.
    fn tell(&self, event: Event);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _: Event) {}
}
