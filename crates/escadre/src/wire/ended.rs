//! The engine's report, told for people: who is done, who went back and why, who was left alone and what to do.
//!
//! In: `escadre_engine::apply::Report` and the ground it was made on. Out: [`Ended`].
//! **Invariant:** what was not undone is in it as surely as what was; every refusal has a code and a next command.
//! Not here: painting (`terminal::report`), carrying out (`ground`).
//! Tests: `tests/it`.

use super::Ground;
use super::ground::addresses;
use crate::terminal::report::{self, Ended, Failure, Refused};
use escadre_engine::apply::{self, End, InstanceReport, Next, Report};
use escadre_model::desired::Desired;
use escadre_model::ids::{Kind, ResourceId};
use escadre_plan::change::{Action, Change};
use escadre_plan::plan::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The engine's report, for people.
pub(super) fn ended(report: &Report, ground: &Ground) -> Ended {
    let mut ended = Ended {
        schema: report::SCHEMA,
        plan: report.plan.to_string(),
        single: ground.single.is_some(),
        took_ms: u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        exit: report.code(),
        ..Ended::default()
    };
    for one in &report.instances {
        place(one, &mut ended, ground);
    }
    ended.addresses = ground.around.addresses.iter().map(|(address, _)| address.clone()).collect();
    if ground.single.is_none() {
        let of = |one: &&Desired| {
            let is = |name: &String| name == one.instance.instance.as_str();
            ended.done.iter().any(is) && !ended.down.iter().any(is)
        };
        let reach = ground.desired.iter().filter(of).map(|one| {
            let found = addresses(std::slice::from_ref(one), &ground.plan, ground.ports);
            (one.instance.instance.to_string(), found.into_iter().map(|(address, _)| address).collect())
        });
        ended.reach = reach.collect();
    }
    ended
}

/// Does data go with it?
fn loses(change: &Change) -> bool {
    change.on.kind == Kind::Volume && change.action == Action::Delete
}

fn place(one: &InstanceReport, ended: &mut Ended, ground: &Ground) {
    let instance = one.instance.instance.to_string();
    match &one.end {
        End::Done(_) | End::AlreadyDone => {
            let plan = ground.plan.instances.iter().find(|plan| plan.instance == one.instance);
            if plan.is_some_and(crate::terminal::plan_text::goes) {
                ended.down.push(instance.clone());
                ended.destroyed += plan.map_or(0, |plan| plan.changes.iter().filter(|change| loses(change)).count());
            }
            let changes = plan.iter().flat_map(|plan| &plan.changes).filter(|one| one.on.kind == Kind::Service);
            let stopped: Vec<&Change> = changes.filter(|change| change.action == Action::Stop).collect();
            if plan.is_some_and(|plan| !plan.state.is_running()) && !stopped.is_empty() {
                ended.stopped.push(instance.clone());
            } else {
                ended.stopped.extend(stopped.into_iter().map(|change| format!("{instance}/{}", change.on.key)));
            }
            let back = plan.and_then(|plan| plan.back.as_ref());
            ended.back.extend(back.map(|back| (instance.clone(), back.to.to_string())));
            ended.done.push(instance);
        }
        End::NothingToDo => {}
        End::NotBegun => ended.not_begun.push(instance),
        End::Refused(refused) => ended.refused.push(refusal(instance, refused, &ended.plan)),
        End::WentBack(failure) => ended.failures.push(failed(instance, failure, report::Manner::WentBack, ground)),
        End::Stuck(failure) => ended.failures.push(failed(instance, failure, report::Manner::Stuck, ground)),
        End::Broken { why, .. } | End::Bug(why) => ended.failures.push(Failure {
            instance,
            manner: report::Manner::Broken,
            failed: why.to_string(),
            not_undone: vec![OPEN.to_owned()],
            ..Failure::default()
        }),
    }
}

/// What is said when the engine could not go on: the journal knows.
const OPEN: &str = "it stands where it stopped; the journal knows, and the next command on it goes on from there";

fn refusal(instance: String, refused: &apply::Refused, plan: &str) -> Refused {
    let again = Some(format!("escadre plan {instance}"));
    let (code, why, next) = match refused {
        apply::Refused::Plan(why) => match why {
            Refusal::Held { .. } => {
                ("E0312", crate::terminal::plan_text::refusal_words(why), Some(format!("escadre unhold {instance}")))
            }
            why => ("E0312", crate::terminal::plan_text::refusal_words(why), again),
        },
        apply::Refused::Locked(holder) => (
            "E0311",
            format!(
                "it is locked by {}, plan {}, since {}; it is {}",
                holder.by, holder.plan, holder.since, holder.doing
            ),
            Some(format!("escadre up {instance} --wait")),
        ),
        apply::Refused::WantsOther => ("E0304", format!("what it wants changed after plan {plan} was made"), again),
        apply::Refused::RunsOther => ("E0303", format!("what it runs changed after plan {plan} was made"), again),
        apply::Refused::Gone => {
            ("E0305", "its files cannot be read any more".to_owned(), Some("escadre check".to_owned()))
        }
    };
    Refused { instance, code: code.to_owned(), why, next }
}

fn failed(instance: String, failure: &apply::Failure, manner: report::Manner, ground: &Ground) -> Failure {
    let evidence = failure.evidence.as_deref();
    let because = ground
        .plan
        .instances
        .iter()
        .filter(|one| one.instance.instance.as_str() == instance)
        .flat_map(|one| &one.changes);
    let created = ground
        .plan
        .instances
        .iter()
        .filter(|one| one.instance.instance.as_str() == instance)
        .any(|one| crate::terminal::plan_text::is_first(one, &crate::terminal::plan_text::changing(one)));
    let planned = ground
        .plan
        .instances
        .iter()
        .filter(|one| one.instance.instance.as_str() == instance)
        .flat_map(|one| &one.changes)
        .find(|change| change.on == failure.on.resource)
        .and_then(|change| change.gate.as_ref());
    let gate = planned.map(ToString::to_string).or_else(|| evidence?.gate.as_ref().map(ToString::to_string));
    let because = because.filter(|change| change.on.key == failure.on.resource.key).flat_map(|change| {
        let id = ground.plan.instances.iter().find(|one| one.instance.instance.as_str() == instance);
        let places = id.and_then(|one| ground.around.places.get(&one.instance));
        crate::terminal::plan_block::origins(change, places)
    });
    Failure {
        manner,
        failed: failure.why.to_string(),
        gate,
        last_probe: evidence.and_then(|known| known.last_probe.as_ref()).map(|probe| probe_words(probe)),
        created,
        log: evidence.map(|known| known.log.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        log_lines: evidence.map_or(0, |known| known.log_lines),
        because: because.collect(),
        undone: undone_words(&failure.undone),
        not_undone: failure
            .not_undone
            .iter()
            .map(|one| format!("{} {}: {}", one.on.resource.key, one.act, one.why))
            .collect(),
        hold: failure.hold.as_ref().map(|_| hold_words(&instance, failure)),
        service: Some(failure.on.resource.key.to_string()),
        instance,
    }
}

fn hold_words(instance: &str, failure: &apply::Failure) -> String {
    if failure.next.contains(&Next::Mend) {
        format!("{instance} stays as it is until its files change")
    } else {
        format!("{instance} stays as it is")
    }
}

/// The moment of a probe as people read it; the rest as it was said.
fn probe_words(probe: &str) -> String {
    match probe.split_once(": ") {
        Some((at, rest)) if at.len() > 18 && at.contains('T') => {
            format!("{}  {rest}", crate::terminal::time::Now::here().exact(at))
        }
        _ => probe.to_owned(),
    }
}

/// What was undone, one sentence for services that it happened to alike.
fn undone_words(undone: &[(ResourceId, Arc<str>)]) -> Vec<String> {
    let mut acts: BTreeMap<(Kind, Arc<str>), BTreeSet<&str>> = BTreeMap::new();
    for (on, act) in undone {
        acts.entry((on.resource.kind, Arc::clone(&on.resource.key))).or_default().insert(act.as_ref());
    }
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for ((kind, key), acts) in acts {
        let has = |act: &str| acts.contains(act);
        let (what, sentence) = match kind {
            Kind::Service if has("stop") || has("park") => (key.to_string(), "as before, the old container runs again"),
            Kind::Service if has("create") => (key.to_string(), "the new container is removed"),
            Kind::Service => (key.to_string(), "as before"),
            Kind::Route => (format!("address {key}"), "leads where it led before"),
            kind if has("remove") => (format!("{} {key}", kind.word()), "is there again"),
            kind => (format!("{} {key}", kind.word()), "what was made for it is removed"),
        };
        match said.iter_mut().find(|(known, _)| known == sentence) {
            Some((_, names)) => names.push(what),
            None => said.push((sentence.to_owned(), vec![what])),
        }
    }
    said.into_iter().map(|(sentence, names)| format!("{}: {sentence}", names.join(", "))).collect()
}
