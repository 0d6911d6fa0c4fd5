//! The engine's report, told for people: who is done, who went back and why, who was left alone and what to do.
//!
//! In: `escadre_engine::apply::Report` and the ground it was made on. Out: [`Ended`].
//! **Invariant:** what was not undone is in it as surely as what was; every refusal has a code and a next command.
//! Not here: painting (`terminal::report`), carrying out (`ground`).
//! Tests: `tests/it`.

use super::ground::addresses;
use super::{Ground, gates};
use crate::terminal::report::{self, Again, Ended, Failure, Refused, Remedy};
use escadre_engine::apply::{self, End, InstanceReport, Next, Report};
use escadre_model::desired::{Body, Desired, Service};
use escadre_model::ids::{InstanceId, Kind, ResourceId};
use escadre_plan::change::{Action, Change};
use escadre_plan::plan::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many differences are told of an instance whose plan is too old.
const MOST_DIFFERENCES: usize = 3;

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
    for one in &report.again {
        let name = one.instance.instance.to_string();
        for failure in ended.failures.iter_mut().filter(|failure| failure.instance == name) {
            failure.plan = Some(one.plan.to_string());
        }
        let (plan, why, otherwise) = (one.plan.to_string(), one.why.to_string(), one.otherwise.to_string());
        ended.again.push(Again { instance: name, plan, why, otherwise });
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
        End::WentBack(failure) => {
            ended.failures.push(failed(&one.instance, failure, report::Manner::WentBack, ground));
        }
        End::Stuck(failure) => ended.failures.push(failed(&one.instance, failure, report::Manner::Stuck, ground)),
        End::Broken { why, around, .. } => ended.failures.push(broken(one, why, *around)),
        End::Bug(why) => ended.failures.push(broken(one, why, apply::Around::Other)),
    }
}

/// A turn that could not go on: what stands in the middle, and that the next command on it goes on from there.
fn broken(one: &InstanceReport, why: &str, around: apply::Around) -> Failure {
    let any = |acts: &[&str]| one.begun.iter().any(|(_, act)| acts.contains(&act.as_ref()));
    let mut stands: Vec<String> = middle_words(&one.begun);
    if one.begun.is_empty() {
        stands.push("nothing was begun".to_owned());
    } else if one.committed {
        stands
            .push("the new version has proven itself and serves; tidying up goes on with the next command".to_owned());
    } else if any(&["park", "stop", "unroute", "remove"]) {
        stands.push("look whether it answers: something was stopped, or was about to be".to_owned());
    } else if any(&["switch", "attach", "join"]) {
        stands.push("the old and the new one both run, and both serve".to_owned());
    } else {
        stands.push("what served before serves on".to_owned());
    }
    let manner = if one.begun.is_empty() { report::Manner::Untouched } else { report::Manner::Broken };
    let remedy = match around {
        apply::Around::Disk => Remedy::Room,
        apply::Around::Target => Remedy::Engine,
        apply::Around::Other => Remedy::Again,
    };
    let instance = one.instance.instance.to_string();
    Failure { instance, manner, failed: why.to_owned(), remedy, not_undone: stands, ..Failure::default() }
}

/// What stands in the middle, one sentence for things that it happened to alike.
fn middle_words(begun: &[(ResourceId, Arc<str>)]) -> Vec<String> {
    let mut acts: BTreeMap<(Kind, Arc<str>), BTreeSet<&str>> = BTreeMap::new();
    for (on, act) in begun {
        acts.entry((on.resource.kind, Arc::clone(&on.resource.key))).or_default().insert(act.as_ref());
    }
    let told = acts.into_iter().filter_map(|((kind, key), acts)| {
        let sentence = match kind {
            Kind::Service if acts.contains("run") => "it was begun and may still run",
            Kind::Service if acts.contains("stop") => "its old container is stopped, or was about to be",
            Kind::Service if acts.contains("create") => "its new container is made, or was about to be",
            Kind::Route => "was about to lead to the new version",
            _ => return None,
        };
        let what = if kind == Kind::Service { key.to_string() } else { format!("address {key}") };
        Some((sentence, what))
    });
    together(told)
}

/// One line for each sentence, with all that it holds for.
fn together<'a>(told: impl Iterator<Item = (&'a str, String)>) -> Vec<String> {
    let mut said: Vec<(&str, Vec<String>)> = Vec::new();
    for (sentence, what) in told {
        match said.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, names)) => names.push(what),
            None => said.push((sentence, vec![what])),
        }
    }
    said.into_iter().map(|(sentence, names)| format!("{}: {sentence}", names.join(", "))).collect()
}

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
                "it is locked by {}, plan {}, since {} ({})",
                holder.by,
                holder.plan,
                crate::terminal::time::Now::here().exact(&holder.since),
                holder.doing
            ),
            Some(format!("escadre up {instance} --wait")),
        ),
        apply::Refused::WantsOther => ("E0304", format!("what it wants changed after plan {plan} was made"), again),
        apply::Refused::RunsOther(_) => ("E0303", format!("what it runs changed after plan {plan} was made"), again),
        apply::Refused::Gone => {
            ("E0305", "its files cannot be read any more".to_owned(), Some("escadre check".to_owned()))
        }
    };
    let differs = match refused {
        apply::Refused::RunsOther(differs) => first(differs),
        _ => Vec::new(),
    };
    Refused { instance, code: code.to_owned(), why, differs, next }
}

/// What changed first.
fn first(differs: &[Arc<str>]) -> Vec<String> {
    let mut first: Vec<String> = differs.iter().take(MOST_DIFFERENCES).map(ToString::to_string).collect();
    let more = differs.len().saturating_sub(first.len());
    first.extend((more > 0).then(|| format!("and {more} more")));
    first
}

fn failed(id: &InstanceId, failure: &apply::Failure, manner: report::Manner, ground: &Ground) -> Failure {
    let instance = id.instance.to_string();
    let evidence = failure.evidence.as_deref();
    let plan = ground.plan.instances.iter().find(|one| one.instance == *id);
    let changes = plan.map(|plan| plan.changes.as_slice()).unwrap_or_default();
    let created =
        plan.is_some_and(|one| crate::terminal::plan_text::is_first(one, &crate::terminal::plan_text::changing(one)));
    let wanted = ground.desired.iter().find(|one| one.instance == *id);
    // An image fails for the services that run from it.
    let about: Vec<&str> = match failure.on.resource.kind {
        Kind::Image => wanted.map(|one| users(one, &failure.on.resource.key)).unwrap_or_default(),
        _ => vec![&failure.on.resource.key],
    };
    let service = match failure.on.resource.kind {
        Kind::Service | Kind::Image => about.first().map(ToString::to_string),
        _ => None,
    };
    let planned = service.as_deref().and_then(|service| {
        let words = gates::words(plan?, wanted, service)?;
        Some(if evidence.is_some() { words } else { format!("{words}; not reached") })
    });
    let places = ground.around.places.get(id);
    let of = |change: &&Change| about.contains(&change.on.key.as_ref());
    let mut because: Vec<String> = Vec::new();
    for place in changes.iter().filter(of).flat_map(|change| crate::terminal::plan_block::origins(change, places)) {
        if !because.contains(&place) {
            because.push(place);
        }
    }
    let why = match failure.on.resource.kind {
        Kind::Image if !about.is_empty() => format!("{}: {}", about.join(", "), failure.why),
        _ => failure.why.to_string(),
    };
    Failure {
        manner,
        failed: why,
        gate: planned.or_else(|| evidence?.gate.as_ref().map(ToString::to_string)),
        last_probe: evidence.and_then(|known| known.last_probe.as_ref()).map(|probe| probe_words(probe)),
        created,
        log: evidence.map(|known| known.log.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        log_lines: evidence.map_or(0, |known| known.log_lines),
        because,
        undone: undone_words(&failure.undone),
        not_undone: failure.not_undone.iter().map(|one| not_undone_words(one, wanted)).collect(),
        traffic: None,
        plan: None,
        remedy: remedy(failure),
        hold: failure.hold.as_ref().map(|_| hold_words(&instance, failure)),
        service,
        instance,
    }
}

/// What can be done: a full disk says so in the engine's own words.
fn remedy(failure: &apply::Failure) -> Remedy {
    let full = |text: &str| text.contains("no space left on device") || text.contains("disk quota exceeded");
    match failure.next.first() {
        Some(Next::Look) => Remedy::Look,
        Some(Next::Again) if full(&failure.why) => Remedy::Room,
        Some(Next::Again) => Remedy::Again,
        _ => Remedy::Mend,
    }
}

/// The services that run from an image.
fn users<'d>(desired: &'d Desired, reference: &str) -> Vec<&'d str> {
    let runs = |service: &Service| &*service.image == reference;
    let all = desired.resources.iter().filter_map(|(key, resource)| match &resource.body {
        Body::Service(service) if runs(service) => Some(&*key.key),
        _ => None,
    });
    all.collect()
}

/// What going back did not bring back; of a one-shot, where it may have written to.
fn not_undone_words(one: &apply::NotUndone, desired: Option<&Desired>) -> String {
    let key = &one.on.resource.key;
    let service = desired.and_then(|desired| desired.service(key)).filter(|_| &*one.act == "run");
    let Some((_, service)) = service else { return format!("{key} {}: {}", one.act, one.why) };
    let written = service.volumes.iter().filter(|(_, writes)| **writes).map(|(volume, _)| &**volume);
    let written = written.collect::<Vec<_>>();
    match written.as_slice() {
        [] => format!("{key}: it ran, and what it did elsewhere stays"),
        volumes => format!("{key}: it ran, and what it wrote stays: volume {}", volumes.join(", ")),
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
    let told = acts.into_iter().map(|((kind, key), acts)| {
        let has = |act: &str| acts.contains(act);
        match kind {
            Kind::Service if has("stop") || has("park") => ("as before, the old container runs again", key.to_string()),
            Kind::Service if has("create") => ("the new container is removed", key.to_string()),
            Kind::Service => ("as before", key.to_string()),
            Kind::Route => ("leads where it led before", format!("address {key}")),
            kind if has("remove") => ("is there again", format!("{} {key}", kind.word())),
            kind => ("what was made for it is removed", format!("{} {key}", kind.word())),
        }
    });
    together(told)
}
