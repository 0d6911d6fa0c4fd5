//! Unwinding: back to the former state, step by step, newest first.
//!
//! In: a turn that failed or was interrupted before its commit point. Out: what was undone, what was not, and whether it is stuck.
//! **Invariant:** nothing is re-created; a failed undoing ends everything automatic (an engine that does not answer is no failed undoing: it is gone on
//! with later); what changed nothing is not undone.
//! Not here: what follows (`turn`, `recover`).
//! Tests: `escadre-testkit`: each step failed, each undo repeated, each undo failed.

use super::hands::{chain, subject, word};
use super::report::NotUndone;
use super::turn::{Halt, Turn};
use crate::journal::{Body, Standing};
use crate::ports::{Changed, Event, Outcome};
use escadre_model::ids::ResourceId;
use escadre_model::observed::EngineId;
use escadre_plan::step::{Act, Step, Undo};
use std::sync::Arc;

/// What unwinding did.
#[derive(Debug, Default)]
pub(crate) struct Unwound {
    pub(crate) undone: Vec<(ResourceId, Arc<str>)>,
    pub(crate) not_undone: Vec<NotUndone>,
    pub(crate) stuck: bool,
}

impl Turn {
    /// Undoes everything that was begun and is not closed.
    pub(crate) async fn unwind(&mut self) -> Result<Unwound, Halt> {
        let mut unwound = Unwound::default();
        let Some(run) = self.memory.run.clone() else { return Ok(unwound) };
        self.hands.tell(Event::Unwinding(self.hands.instance.clone()));
        let steps = self.hands.steps.clone();
        for index in run.order.iter().rev() {
            let Some(step) = steps.iter().find(|step| step.index == *index) else { continue };
            let Some(standing) = run.steps.get(index) else { continue };
            if !self.unwind_step(step, standing, &mut unwound).await? {
                unwound.stuck = true;
                break;
            }
        }
        Ok(unwound)
    }

    /// Undoes one step; false when that failed.
    async fn unwind_step(&mut self, step: &Step, standing: &Standing, to: &mut Unwound) -> Result<bool, Halt> {
        let outcome = match standing {
            Standing::Closed => return Ok(true),
            Standing::Done(outcome)
                if outcome.changed == Changed::NotNeeded && !matches!(step.act, Act::Run { .. }) =>
            {
                return Ok(true);
            }
            Standing::Done(outcome) => Some((**outcome).clone()),
            Standing::Open(_, before) | Standing::Failed(before) => {
                let changed = Changed::Updated;
                before.clone().map(|before| Outcome { before: Some(before), changed, ..Outcome::default() })
            }
        };
        match &step.undo {
            Undo::Nothing => return Ok(true),
            Undo::Irreversible(why) => {
                to.not_undone.push(NotUndone { on: subject(&step.on), act: word(&step.act).into(), why: why.clone() });
                return Ok(true);
            }
            Undo::Reverse => {}
        }
        let images = self.images();
        match self.hands.undo(step, &images, outcome.as_ref()).await {
            Ok(()) => {
                let frees = freed(step, outcome.as_ref());
                self.write(vec![(Some(step.index), Body::Undone { frees })], Vec::new()).await?;
                to.undone.push((subject(&step.on), word(&step.act).into()));
                Ok(true)
            }
            // Nobody answers: that says nothing of the instance. Its turn stays open in the journal, and the next run goes on from here.
            Err(error) if error.retry() => Err(error.into()),
            Err(error) => {
                let why = chain(&error);
                let failed = Body::Failed { why: why.clone(), undo: true, evidence: None };
                self.write(vec![(Some(step.index), failed)], Vec::new()).await?;
                to.not_undone.push(NotUndone { on: subject(&step.on), act: word(&step.act).into(), why });
                Ok(false)
            }
        }
    }
}

/// What is gone when this step is undone.
fn freed(step: &Step, outcome: Option<&Outcome>) -> Vec<EngineId> {
    match (&step.act, outcome.and_then(|outcome| outcome.engine.clone())) {
        (
            Act::Create(_) | Act::EnsureNetwork { subnet: Some(_), .. } | Act::EnsureVolume { external: false, .. },
            Some(engine),
        ) => {
            vec![engine]
        }
        (Act::EnsureVolume { name, external: false }, None) => vec![EngineId(name.clone())],
        _ => Vec::new(),
    }
}
