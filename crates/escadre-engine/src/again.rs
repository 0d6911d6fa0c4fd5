//! Again: another plan where somebody took what the first one had chosen.
//!
//! In: what was asked, the plan that was carried out, how it ended. Out: a plan for the instances that went back because of it, and in what it differs.
//! **Invariant:** it does nothing that the former one did not do, too: nobody said yes to anything else; what it chose otherwise is told.
//! Not here: carrying it out (`reconcile`), a plan that was saved: that is carried out as it is or not at all.
//! Tests: `escadre-testkit`: `tests/it/crossed.rs`.

use crate::apply::{Again, Ports, Report};
use crate::ports::Event;
use crate::reconcile::{self, Asked};
use escadre_model::ids::InstanceId;
use escadre_plan::change::{Action, Change, Reason};
use escadre_plan::plan::{InstancePlan, Plan};
use escadre_plan::step::{Act, Placement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often instances are planned again in one go: whoever is crossed that often meets somebody who does it on purpose.
pub(crate) const TIMES: u32 = 3;

/// A plan for those instances that were crossed; `None`: there are none, or something else is different by now, or nothing is.
pub(crate) async fn plan(
    asked: &Asked,
    former: &Plan,
    report: &Report,
    ports: &Ports,
) -> Option<(Arc<Plan>, Vec<Again>)> {
    let crossed: BTreeMap<InstanceId, Arc<str>> =
        report.crossed().map(|(id, failure)| (id.clone(), failure.why.clone())).collect();
    if crossed.is_empty() {
        return None;
    }
    let mut again = asked.clone();
    again.options.only = Some(crossed.keys().cloned().collect());
    // What cannot be looked at any more stays as it was told.
    let plan = reconcile::prepare(&again, ports).await.ok()?.plan;
    let mut told = Vec::with_capacity(crossed.len());
    for (instance, why) in crossed {
        let of = |plan: &'_ Plan| plan.instances.iter().position(|one| one.instance == instance);
        let (then, now) = (former.instances.get(of(former)?)?, plan.instances.get(of(&plan)?)?);
        if !is_within(then, now) {
            return None;
        }
        let otherwise = otherwise(then, now);
        if otherwise.is_empty() {
            return None;
        }
        told.push(Again { instance, plan: plan.id.clone(), why, otherwise: otherwise.join(", ").into() });
    }
    Some((plan, told))
}

/// Says so.
pub(crate) fn tell(told: &[Again], ports: &Ports) {
    for one in told {
        ports.progress.tell(Event::InstanceAgain(one.instance.clone(), one.otherwise.clone()));
    }
}

/// Nothing happens that did not happen under the former plan, too. That it was tried before is no difference, nor what the first try left behind: a
/// one-shot beside a volume that is there by now is asked for on its own, and is the one that was said yes to.
fn is_within(then: &InstancePlan, now: &InstancePlan) -> bool {
    let bare = |change: &Change| {
        let mut bare = change.clone();
        bare.reasons.retain(|reason| !matches!(reason, Reason::Retry { .. } | Reason::Missing));
        bare
    };
    let known: Vec<Change> = then.changes.iter().map(bare).collect();
    now.refused.is_none()
        && now.desired == then.desired
        && now.changes.iter().all(|one| one.action == Action::Keep || known.contains(&bare(one)))
}

/// Subnets and ports that are chosen otherwise: `subnet 10.210.3.64/26 instead of 10.210.3.0/26`.
fn otherwise(then: &InstancePlan, now: &InstancePlan) -> Vec<String> {
    let (before, after) = (chosen(then), chosen(now));
    let differs = |(key, new): (&(&'static str, Arc<str>), &String)| {
        let old = before.get(key)?;
        (old != new).then(|| format!("{} {new} instead of {old}", key.0))
    };
    let all: BTreeSet<String> = after.iter().filter_map(differs).collect();
    all.into_iter().collect()
}

/// What a plan chose, by the name on the engine of what it was chosen for.
fn chosen(plan: &InstancePlan) -> BTreeMap<(&'static str, Arc<str>), String> {
    let mut all = BTreeMap::new();
    for step in &plan.steps {
        match &step.act {
            Act::EnsureNetwork { name, subnet: Some(subnet) } => {
                all.insert(("subnet", name.clone()), subnet.to_string());
            }
            Act::Create(Placement { engine_ports, .. }) => {
                for port in engine_ports {
                    let (on, replica) = (&step.on.resource.key, step.on.replica.unwrap_or_default());
                    let of = format!("{on}/{replica}:{}/{}", port.target, port.protocol);
                    all.insert(("port", of.into()), port.published.to_string());
                }
            }
            _ => {}
        }
    }
    all
}
