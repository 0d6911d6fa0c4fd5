//! Recovery: what was interrupted converges, it is not replayed.
//!
//! In: an instance whose turn began and has no receipt. Out: it is unwound (before its commit point) or finished (after it), with a receipt.
//! **Invariant:** every open intent is looked for in the world and closed; what cannot be undone leaves the instance stuck and held, nothing more happens by itself.
//! Not here: carrying the plan out again (`reconcile`), a lost record (`rebuild`).
//! Tests: `escadre-testkit`: killed before and after every act and every write.

use crate::apply::{End, Failure, Hands, Next, Options, Ports, Turn, chain, lock};
use crate::journal::{self, Body, Memory, Standing};
use crate::ports::{Changed, Found, Holder, StoreError, Whose};
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::{HeldBy, Hold, Outcome as Ended};
use escadre_plan::step::Step;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use crate::apply::Halt;

/// What became of an instance that was looked at by [`recover`].
#[derive(Debug)]
pub enum Recovery {
    /// Its interrupted turn under this plan was finished: it had passed its commit point.
    Finished(Arc<str>),
    /// Its interrupted turn under this plan was unwound.
    Unwound(Arc<str>),
    /// Going back failed: a person must look.
    Stuck(Box<Failure>),
    /// Somebody works on it: it is left to them.
    Locked(Holder),
    /// It could not be brought to an end now.
    Failed(Arc<str>, Whose),
}

/// Brings all interrupted turns among these instances to their end; what was not interrupted is not in the answer. Every verb that changes anything
/// begins with this, before it looks at the world and plans.
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover(
    instances: &[InstanceId],
    ports: &Ports,
    options: &Options,
) -> Result<BTreeMap<InstanceId, Recovery>, StoreError> {
    let mut recoveries = BTreeMap::new();
    let fleets: BTreeSet<&Name> = instances.iter().map(|instance| &instance.fleet).collect();
    let mut open = Vec::new();
    for fleet in fleets {
        for (instance, (memory, _)) in journal::memories(ports.store.as_ref(), fleet, None).await? {
            if memory.run.is_some() && instances.contains(&instance) {
                open.push(instance);
            }
        }
    }
    for one in open {
        let recovery = match locked(&one, ports, options).await {
            Ok(Some(recovery)) => recovery,
            Ok(None) => continue,
            Err(halt) => Recovery::Failed(chain(&halt), halt.whose()),
        };
        recoveries.insert(one, recovery);
    }
    Ok(recoveries)
}

async fn locked(one: &InstanceId, ports: &Ports, options: &Options) -> Result<Option<Recovery>, Halt> {
    let _held = match lock(one, &Arc::from("recover"), ports, options).await? {
        Ok(held) => held,
        Err(holder) => return Ok(Some(Recovery::Locked(holder))),
    };
    Ok(instance(one, ports, options).await?.map(|recovered| match recovered {
        Recovered { stuck: Some(failure), .. } => Recovery::Stuck(failure),
        Recovered { plan, finished: true, .. } => Recovery::Finished(plan),
        Recovered { plan, .. } => Recovery::Unwound(plan),
    }))
}

/// What was found and what became of it.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The plan that was interrupted.
    pub(crate) plan: Arc<str>,
    /// It was finished; else it was unwound.
    pub(crate) finished: bool,
    /// Going back failed.
    pub(crate) stuck: Option<Box<Failure>>,
}

/// Brings an interrupted turn of an instance to its end. The caller holds the lock.
pub(crate) async fn instance(
    instance: &InstanceId,
    ports: &Ports,
    options: &Options,
) -> Result<Option<Recovered>, Halt> {
    let memory = journal::memory(ports.store.as_ref(), instance).await?;
    let Some(run) = memory.run.clone() else { return Ok(None) };
    let steps = steps_of(ports, &run.begun.steps).await?;
    let desired = journal::desired_of(ports.store.as_ref(), &run.begun.desired).await?;
    let desired = desired.ok_or_else(|| Halt::Bug("the journal has lost what was wanted".into()))?;
    let plan = run.plan.clone();
    let hands = Hands {
        ports: ports.clone(),
        options: options.clone(),
        instance: instance.clone(),
        plan: plan.clone(),
        desired,
        steps,
    };
    let mut turn = Turn { hands, memory };
    look(&mut turn).await?;
    if run.committed {
        reopen_failed(&mut turn.memory);
        let end = turn.finish().await?;
        debug_assert!(matches!(end, End::Done(_)));
        return Ok(Some(Recovered { plan, finished: true, stuck: None }));
    }
    let ran = turn.jobs_run();
    let unwound = turn.unwind().await?;
    let (outcome, hold) = if unwound.stuck {
        let because = format!("plan {plan} was interrupted, and going back failed").into();
        (Ended::Stuck, Some(Hold { against: None, by: HeldBy::Stuck, because, at: ports.clock.now() }))
    } else {
        (Ended::WentBack, None)
    };
    let because = if ran.is_empty() { "it was interrupted" } else { "it was interrupted; jobs had run" };
    turn.receipt(outcome, Some((because.into(), None)), hold.clone()).await?;
    let stuck = unwound.stuck.then(|| {
        let (on, act, why) = unwound.not_undone.last().map_or_else(
            || {
                (
                    instance.resource(escadre_model::ids::ResourceKey::new(escadre_model::ids::Kind::Service, "")),
                    "undo".into(),
                    "".into(),
                )
            },
            |last| (last.on.clone(), last.act.clone(), last.why.clone()),
        );
        Box::new(Failure {
            on,
            act,
            why,
            whose: crate::ports::Whose::World,
            crossed: false,
            evidence: None,
            undone: unwound.undone,
            not_undone: unwound.not_undone,
            hold,
            next: vec![Next::Look, Next::Why, Next::Unhold],
        })
    });
    Ok(Some(Recovered { plan, finished: false, stuck }))
}

async fn steps_of(ports: &Ports, hash: &Hash) -> Result<Arc<[Step]>, Halt> {
    let bytes = ports.store.blobs(std::slice::from_ref(hash)).await?.remove(hash);
    let bytes = bytes.ok_or_else(|| Halt::Bug("the journal has lost the steps of a plan".into()))?;
    let steps: Vec<Step> = serde_json::from_slice(&bytes)
        .map_err(|error| Halt::Bug(format!("the journal's steps cannot be read: {error}").into()))?;
    Ok(steps.into())
}

/// Looks for every open intent in the world: a found one is done; one without effect stays open before the commit point, where it is undone all
/// the same (it may be half done), and is superseded after it, where it is performed again.
async fn look(turn: &mut Turn) -> Result<(), Halt> {
    let Some(run) = turn.memory.run.clone() else { return Ok(()) };
    let steps = turn.hands.steps.clone();
    for step in steps.iter() {
        let Some(Standing::Open(..)) = run.steps.get(&step.index) else { continue };
        let images = turn.images();
        match turn.hands.ports.driver.find(&turn.hands.job(step, &images)).await? {
            Found::Done(outcome) => {
                let mut outcome = *outcome;
                if outcome.changed == Changed::NotNeeded {
                    outcome.changed = Changed::Added;
                }
                let done = turn.hands.done(step, outcome, true, &images);
                turn.write(vec![(Some(step.index), Body::Done(Box::new(done)))], Vec::new()).await?;
            }
            Found::NotDone if run.committed => {
                let because = "interrupted without effect; done anew".into();
                turn.write(vec![(Some(step.index), Body::Superseded { because })], Vec::new()).await?;
            }
            Found::NotDone => {
                let failed = Body::Failed { why: "interrupted, not done".into(), undo: false, evidence: None };
                turn.write(vec![(Some(step.index), failed)], Vec::new()).await?;
            }
        }
    }
    Ok(())
}

/// After the commit point everything that is not done is done now: forget how far it came.
fn reopen_failed(memory: &mut Memory) {
    if let Some(run) = memory.run.as_mut() {
        run.steps.retain(|_, standing| matches!(standing, Standing::Done(_)));
    }
}
