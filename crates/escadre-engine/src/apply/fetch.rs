//! Images of a whole plan, before any of its instances stops anything: each is pulled or built once, whoever needs it.
//!
//! In: a plan of several instances. Out: images on the target, as far as they could be had.
//! **Invariant:** nothing but images; what could not be had is left to the turns that need it, which try again, fail and say why before they stop anything.
//! Not here: images of one instance before its own first stop (`escadre_plan::steps` orders them), what the journal says of them (`turn`).
//! Tests: `escadre-testkit`, `tests/it/happy.rs`.

use super::{Options, Orders, Ports};
use crate::ports::Job;
use escadre_model::hash::Hash;
use escadre_plan::plan::InstancePlan;
use escadre_plan::step::{Act, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Pulls and builds. A plan of one instance needs nobody's help: its own steps are in that order.
pub(super) async fn images(orders: &Orders, ports: &Ports, options: &Options) {
    let asks = |plan: &&InstancePlan| plan.refused.is_none() && plan.steps.iter().any(|step| image(step).is_some());
    let plans: Vec<&InstancePlan> = orders.plan.instances.iter().filter(asks).collect();
    if plans.len() < 2 {
        return;
    }
    let (mut known, mut set) = (BTreeSet::new(), JoinSet::new());
    let room = Arc::new(Semaphore::new(options.steps.max(1)));
    for plan in plans {
        // An instance that wants something else by now is refused when its turn comes.
        let rendered = (orders.render)(&plan.instance).filter(|desired| desired.hash() == plan.desired);
        let Some(desired) = rendered else { continue };
        for step in plan.steps.iter().filter(|step| image(step).is_some_and(|image| known.insert(image))) {
            let (ports, stop, room) = (ports.clone(), options.stop.clone(), room.clone());
            let (desired, step) = (desired.clone(), step.clone());
            set.spawn(async move {
                // The semaphore is never closed; without a permit it would only be more at once.
                let _permit = room.acquire().await.ok();
                let (secrets, progress) = (ports.secrets.as_ref(), ports.progress.as_ref());
                let job = Job { desired: &desired, step: &step, images: &BTreeMap::new(), secrets, progress };
                if !stop.asked() {
                    // Whatever goes wrong: the turn tries again, and tells.
                    let _ = ports.driver.perform(&job).await;
                }
            });
        }
    }
    while set.join_next().await.is_some() {}
}

/// What tells two images apart that steps ask for: reference, whether it is asked for again, inputs, the id that was seen.
type Asked<'s> = (&'s Arc<str>, bool, Option<&'s Hash>, Option<&'s Arc<str>>);

fn image(step: &Step) -> Option<Asked<'_>> {
    match &step.act {
        Act::EnsureImage { reference, refresh, build, expect } => {
            Some((reference, *refresh, build.as_ref(), expect.as_ref()))
        }
        _ => None,
    }
}
