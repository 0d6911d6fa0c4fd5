//! Holds by hand: an instance stays as it is until somebody says otherwise.
//!
//! In: an instance, a reason. Out: an entry in the journal.
//! **Invariant:** under the instance's lock, after what was interrupted has been brought to its end.
//! Not here: holds set by a failure (`apply`), what a hold means for a plan (`escadre-plan`).
//! Tests: `escadre-testkit`.

use crate::apply::{Halt, Options, Ports, lock};
use crate::journal::{self, Body};
use crate::ports::{Changed, Holder};
use crate::recover;
use escadre_model::ids::InstanceId;
use escadre_model::observed::{HeldBy, Hold};
use std::sync::Arc;

/// How setting or lifting a hold ended.
#[derive(Debug)]
pub enum HoldEnd {
    /// It is so now, or was so already.
    Done(Changed),
    /// Somebody works on the instance.
    Locked(Holder),
}

/// Why a hold could not be set or lifted.
#[derive(Debug, thiserror::Error)]
#[error("cannot change the hold of {instance}")]
pub struct HoldError {
    /// Which instance.
    pub instance: InstanceId,
    #[source]
    source: Halt,
}

/// Holds an instance against every Desired.
///
/// # Errors
/// When the journal, the lock or (to end what was interrupted) the target fails.
pub async fn hold(
    instance: &InstanceId,
    because: &str,
    ports: &Ports,
    options: &Options,
) -> Result<HoldEnd, HoldError> {
    let hold = Hold { against: None, by: HeldBy::Hand, because: because.into(), at: ports.clock.now() };
    change(instance, Some(hold), ports, options).await
}

/// Lifts whatever hold an instance has; a stuck one is open for plans again, which go by what is there.
///
/// # Errors
/// As [`hold`].
pub async fn unhold(instance: &InstanceId, ports: &Ports, options: &Options) -> Result<HoldEnd, HoldError> {
    change(instance, None, ports, options).await
}

async fn change(
    instance: &InstanceId,
    to: Option<Hold>,
    ports: &Ports,
    options: &Options,
) -> Result<HoldEnd, HoldError> {
    let failed = |source| HoldError { instance: instance.clone(), source };
    let verb: Arc<str> = if to.is_some() { "hold" } else { "unhold" }.into();
    let _held = match lock(instance, &verb, ports, options).await.map_err(failed)? {
        Ok(held) => held,
        Err(holder) => return Ok(HoldEnd::Locked(holder)),
    };
    recover::instance(instance, ports, options).await.map_err(failed)?;
    let memory = journal::memory(ports.store.as_ref(), instance).await.map_err(|error| failed(error.into()))?;
    let (changed, body) = match (memory.state.hold, to) {
        (None, None) => return Ok(HoldEnd::Done(Changed::NotNeeded)),
        (Some(there), Some(hold)) if there.against.is_none() && there.because == hold.because => {
            return Ok(HoldEnd::Done(Changed::NotNeeded));
        }
        (None, Some(hold)) => (Changed::Added, Body::Held(hold)),
        (Some(_), Some(hold)) => (Changed::Updated, Body::Held(hold)),
        (Some(_), None) => (Changed::Updated, Body::Lifted { because: "by hand".into(), by: options.by.clone() }),
    };
    let entry = body.entry(instance, &Arc::from(""), None, ports.clock.now()).map_err(|error| failed(error.into()))?;
    ports.store.append(vec![entry], Vec::new()).await.map_err(|error| failed(error.into()))?;
    options.kill.point();
    Ok(HoldEnd::Done(changed))
}
