//! What a verb wants instead of what the files say: an earlier state, or what runs, stopped and started as it is.
//!
//! In: what was asked, the receipts. Out: the instances' wishes replaced by those of receipts, and the planner's options.
//! **Invariant:** nothing here is read from the files but what an instance is to be held against; an instance for which there is no way is named.
//! Not here: which receipt is meant (`escadre_engine::back`), planning.
//! Tests: `tests/it/back.rs`.

use super::files::Wanted;
use crate::exit::{Exit, Fault};
use escadre_engine::apply::Ports;
use escadre_engine::back::{self, NoWay, Which};
use escadre_engine::journal;
use escadre_model::desired::Desired;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::ids::InstanceId;
use escadre_model::observed::{Outcome, Receipt};
use escadre_plan::make::{self, How, Touch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is wanted instead.
#[derive(Clone, Debug)]
pub(crate) enum Instead {
    /// The last healthy state that is another.
    Last,
    /// What this plan left behind.
    Of(String),
    /// What there was before this plan, for all it changed.
    Before(String),
    /// What runs, with these services stopped or started; of an instance without any: all of it.
    Touched(How, BTreeMap<escadre_model::name::Name, BTreeSet<Arc<str>>>),
}

/// Puts it in the place of what the files want. Says which instances are left.
///
/// # Errors
/// When there is no way for any of them: exit code 3.
pub(super) async fn put(
    instead: &Instead,
    wanted: &mut Wanted,
    only: Option<BTreeSet<InstanceId>>,
    options: &mut make::Options,
    ports: &Ports,
) -> Result<(BTreeSet<InstanceId>, Vec<Diagnostic>), Fault> {
    let meant = only.unwrap_or_else(|| wanted.desired.iter().map(|one| one.instance.clone()).collect());
    let (mut left, mut findings) = (BTreeSet::new(), Vec::new());
    let mut touched = BTreeMap::new();
    for id in meant {
        let receipts = journal::receipts(ports.store.as_ref(), &id).await.map_err(Fault::world)?;
        let receipt = match choose(instead, &receipts) {
            Ok(Some(receipt)) => receipt,
            Ok(None) => continue,
            Err(finding) => {
                findings.push(finding(&id));
                continue;
            }
        };
        let mut desired = receipt.desired.as_ref().clone();
        if let Instead::Touched(_, services) = instead {
            // It may have been stopped before; its services are meant as they are.
            desired.state = escadre_model::desired::State::Running;
            let services = services.get(&id.instance).cloned().unwrap_or_default();
            known(&desired, &services)?;
            touched.insert(id.clone(), services);
        } else {
            let now = wanted.desired.iter().find(|one| one.instance == id).map(Desired::hash);
            options.back.insert(id.clone(), back::way(receipt, now));
        }
        wanted.desired.retain(|one| one.instance != id);
        wanted.desired.push(desired);
        left.insert(id);
    }
    if let Instead::Touched(how, _) = instead {
        options.touch = Some(Touch { how: *how, services: touched });
    }
    if left.is_empty() {
        if let (true, Instead::Before(plan)) = (findings.is_empty(), instead) {
            findings.push(none_of(plan));
        }
        return Err(Fault::Findings(Exit::Refused, findings));
    }
    Ok((left, findings))
}

/// A finding about an instance.
type About = Box<dyn Fn(&InstanceId) -> Diagnostic + Send>;

/// The receipt that is meant; none: this instance is not concerned.
fn choose<'r>(instead: &Instead, receipts: &'r [Receipt]) -> Result<Option<&'r Receipt>, About> {
    let which = match instead {
        Instead::Last => Which::Last,
        Instead::Of(plan) => Which::Of(plan),
        Instead::Before(plan) => Which::Before(plan),
        Instead::Touched(..) => {
            let newest = receipts.iter().find(|one| one.outcome.is_as_planned());
            let there = newest.filter(|one| one.outcome != Outcome::Removed);
            return there.map(Some).ok_or_else(|| Box::new(nothing_runs) as About);
        }
    };
    match back::find(receipts, which) {
        Ok(receipt) => Ok(Some(receipt)),
        // A plan of many instances need not have been about this one.
        Err(NoWay::Unknown(_)) if matches!(instead, Instead::Before(_)) => Ok(None),
        Err(why) => Err(Box::new(move |id| no_way(id, &why))),
    }
}

fn nothing_runs(id: &InstanceId) -> Diagnostic {
    let name = &id.instance;
    let message = format!("nothing of {name} is on record that could be started or stopped");
    Diagnostic::error(Code::E0314, message).hint(format!("escadre up {name}"))
}

fn no_way(id: &InstanceId, why: &NoWay) -> Diagnostic {
    let name = &id.instance;
    let finding = Diagnostic::error(Code::E0313, format!("{name} cannot go back: {why}"));
    finding.hint(format!("the states that are kept: escadre history {name}"))
}

fn none_of(plan: &str) -> Diagnostic {
    let message = format!("plan {plan} is not on record for any instance here");
    Diagnostic::error(Code::E0313, message).hint("what was done: escadre history")
}

/// The services that are named exist.
///
/// # Errors
/// E0206, exit code 2.
fn known(desired: &Desired, services: &BTreeSet<Arc<str>>) -> Result<(), Fault> {
    let Some(strange) = services.iter().find(|key| desired.service(key).is_none()) else { return Ok(()) };
    let all: Vec<&str> = desired.services().map(|(key, ..)| key.as_ref()).collect();
    let message = format!("there is no service \"{strange}\" in {}", desired.instance.instance);
    Err(Fault::usage_hint(Code::E0206, message, format!("its services: {}", all.join(", "))))
}
