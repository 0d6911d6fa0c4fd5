//! Reconcile: the one path that command line, portal, webhook, schedule and message take.
//!
//! In: what a fleet wants and what was asked for. Out: a plan; and, when it is wanted, a report with receipts.
//! **Invariant:** whoever asks, the same steps in the same order: recover what was interrupted, look, plan, apply.
//! Not here: reading and rendering the fleet, asking people (`escadre`).
//! Tests: `escadre-testkit`.

use crate::again;
use crate::apply::{self, Options, Orders, Ports, Render, Report};
use crate::observe::{self, ObserveError};
use crate::ports::Scope;
use crate::recover::{self, Recovery};
use escadre_model::desired::Desired;
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::Observed;
use escadre_plan::make::{self, Abilities, Input, TargetFacts};
use escadre_plan::plan::Plan;
use escadre_plan::precondition::precondition;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is wanted, and what was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The fleet.
    pub fleet: Name,
    /// All of its instances that could be read.
    pub desired: Vec<Desired>,
    /// Was the list of instances read whole?
    pub listed: bool,
    /// The commit that was read; empty outside Git.
    pub commit: Arc<str>,
    /// Hash of uncommitted files.
    pub dirty: Option<Hash>,
    /// The target.
    pub target: TargetFacts,
    /// Which instances, and what is to happen to them.
    pub options: make::Options,
    /// Image reference → the registry's digest, for those that were asked.
    pub registry: BTreeMap<Arc<str>, Arc<str>>,
}

/// A plan, with what it was made of.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What was seen.
    pub observed: Arc<Observed>,
    /// What instances want, by identity.
    pub desired: Arc<BTreeMap<InstanceId, Arc<Desired>>>,
}

/// Before anything is planned that shall be applied at once: interrupted turns of the instances in question are brought to their end.
///
/// # Errors
/// When the record cannot be read.
pub async fn recover(
    asked: &Asked,
    ports: &Ports,
    options: &Options,
) -> Result<BTreeMap<InstanceId, Recovery>, ObserveError> {
    let wanted = asked.desired.iter().map(|desired| desired.instance.clone());
    let named = asked.options.only.iter().flatten().cloned();
    let selected = |id: &InstanceId| asked.options.only.as_ref().is_none_or(|only| only.contains(id));
    let mut instances: Vec<InstanceId> = wanted.chain(named).filter(selected).collect();
    instances.sort();
    instances.dedup();
    Ok(recover::recover(&instances, ports, options).await?)
}

/// Looks and plans. Nothing is changed.
///
/// # Errors
/// When the target cannot be looked at or the record cannot be read: then there is no plan, never an empty one.
pub async fn prepare(asked: &Asked, ports: &Ports) -> Result<Prepared, ObserveError> {
    // The whole fleet, also when one instance is asked for: names, ports and subnets are compared over all of it.
    let wanted: Vec<&Desired> = asked.desired.iter().collect();
    // A way back starts the images of then.
    let then = asked.options.back.values().flat_map(|back| back.images.values().cloned()).collect();
    let observed = observe::observe(ports, &Scope::Fleet(asked.fleet.clone()), &wanted, then).await?;
    let able = ports.driver.capabilities();
    let abilities = Abilities {
        side_by_side: able.side_by_side,
        fixed_address: able.fixed_address,
        runs_checks: able.runs_checks,
        fixed_on_adopted: able.fixed_on_adopted,
    };
    let plan = make::make(&Input {
        fleet: asked.fleet.as_str().into(),
        commit: asked.commit.clone(),
        dirty: asked.dirty.clone(),
        desired: &asked.desired,
        listed: asked.listed,
        observed: &observed,
        target: asked.target.clone(),
        abilities,
        options: asked.options.clone(),
        registry: asked.registry.clone(),
    });
    let desired = asked.desired.iter().map(|desired| (desired.instance.clone(), Arc::new(desired.clone()))).collect();
    Ok(Prepared { plan: Arc::new(plan), observed: Arc::new(observed), desired: Arc::new(desired) })
}

/// Carries out a plan that was just made (`up`, `down`, `stop`, `rollback`).
pub async fn carry_out(prepared: &Prepared, ports: &Ports, options: &Options) -> Report {
    let desired = prepared.desired.clone();
    let render: Render = Arc::new(move |instance| desired.get(instance).cloned());
    carry_out_rendered(prepared.plan.clone(), render, ports, options).await
}

/// Carries out a saved plan (`apply`, `resume`), against what its instances want now. Resuming is the same: instances that are done are left alone,
/// interrupted ones are brought to their end first.
pub async fn carry_out_rendered(plan: Arc<Plan>, render: Render, ports: &Ports, options: &Options) -> Report {
    apply::apply(&Orders { plan, render, precondition }, ports, options).await
}

/// Carries out a plan that was just made for what was asked. Where somebody took a subnet or port between the plan and its step (another state folder on
/// the same engine plans for itself), the instance went back; it is looked at and planned again, and goes on when nothing else is different. `keep` is
/// given each such plan first; one that it cannot keep is not carried out.
pub async fn carry_out_asked(
    asked: &Asked,
    plan: Arc<Plan>,
    render: Render,
    ports: &Ports,
    options: &Options,
    keep: &(dyn Fn(&Plan) -> bool + Sync),
) -> Report {
    let mut former = plan.clone();
    let mut report = carry_out_rendered(plan, render.clone(), ports, options).await;
    for _ in 0..again::TIMES {
        if options.stop.asked() {
            break;
        }
        let Some((plan, told)) = again::plan(asked, &former, &report, ports).await else { break };
        if !keep(&plan) {
            break;
        }
        again::tell(&told, ports);
        report.again.extend(told);
        report.follow(carry_out_rendered(plan.clone(), render.clone(), ports, options).await);
        former = plan;
    }
    report
}
