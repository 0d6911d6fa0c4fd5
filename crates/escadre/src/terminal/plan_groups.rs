//! The plan of a fleet: deletions, refusals and outliers first, then equal changes once, then what is kept.
//!
//! In: a [`Plan`] and its [`Around`]. Out: text.
//! **Invariant**: every instance of the plan is named exactly once as changing, refused or kept (or counted, with the switch that names it).
//! Not here: a fleet of one (`plan_text`). Tests: `plan_text/tests.rs`.

use super::plan_adopt;
use super::plan_block::Members;
use super::plan_stray;
use super::plan_text::{Around, changing, refusal_words, rest};
use super::style::{self, Look, columns, count, hang};
use escadre_model::ids::{InstanceId, Kind};
use escadre_plan::change::{Action, Change, Reason};
use escadre_plan::plan::{Group, InstancePlan, Plan};
use std::collections::BTreeMap;

/// The plan as text.
pub(crate) fn paint(plan: &Plan, around: &Around, look: Look) -> String {
    let mut out = headline(plan, around, look);
    out.push('\n');
    for line in answer(plan) {
        out.push_str(&hang("", &line, look.width));
    }
    if !plan.instances.iter().any(changes) && refused(plan).is_empty() {
        out.push_str(&rest(plan, around, look));
        return out;
    }
    out.push_str(&deletions(plan, look));
    out.push_str(&refusals(plan, look));
    out.push_str(&strayed(plan, around, look));
    out.push_str(&instead(plan, look));
    out.push_str(&outliers(plan, around, look));
    out.push_str(&groups(plan, around, look));
    out.push_str(&differing(plan, look));
    out.push_str(&kept(plan, around, look));
    out.push_str(&waves(plan, around, look));
    out.push_str(&rest(plan, around, look));
    if !plan.instances.iter().filter(|one| changes(one)).all(|one| plan_adopt::only(&changing(one))) {
        out.push_str(&price(plan));
    }
    if around.saved && plan.instances.iter().any(changes) {
        out.push_str(&format!(
            "\nPlan {id} is saved. For each instance it is valid until what that instance\nwants or runs changes.\n  apply it              escadre apply {id}\n  for a merge request   escadre plan --markdown\n",
            id = plan.id
        ));
    }
    out
}

/// What was looked at, and how fresh it is.
fn headline(plan: &Plan, around: &Around, look: Look) -> String {
    let left = format!("fleet {}{}", plan.fleet, at_commit(plan));
    let right = [plan.target.as_ref(), around.seen.as_str()].into_iter().filter(|part| !part.is_empty());
    let right = right.collect::<Vec<_>>().join(": ");
    let mut out = if right.is_empty() {
        format!("{left}\n")
    } else if columns(&left) + 2 + columns(&right) <= 80 {
        let pad = 80_usize.saturating_sub(columns(&left) + columns(&right));
        format!("{left}{}{right}\n", " ".repeat(pad))
    } else {
        format!("{left}\n{right}\n")
    };
    for line in &around.lead {
        out.push_str(&hang("", line, look.width));
    }
    out
}

/// `, commit 5d0e1b2 (clean)`.
pub(crate) fn at_commit(plan: &Plan) -> String {
    let short = plan.commit.get(..7).unwrap_or(&plan.commit);
    match (short.is_empty(), &plan.dirty) {
        (true, _) => " (not committed)".to_owned(),
        (false, None) => format!(", commit {short} (clean)"),
        (false, Some(_)) => format!(", commit {short} and uncommitted changes"),
    }
}

/// Whether an instance changes.
fn changes(instance: &InstancePlan) -> bool {
    instance.refused.is_none() && !changing(instance).is_empty()
}

/// The answer: how many change, how, with which gap; what does not happen.
pub(crate) fn answer(plan: &Plan) -> Vec<String> {
    let moving: Vec<&InstancePlan> = plan.instances.iter().filter(|instance| changes(instance)).collect();
    let all = count(plan.instances.len(), "instance");
    if moving.is_empty() {
        let refused = refused(plan).len();
        return vec![match refused {
            0 => format!("Fleet {} is as its files say: {all}. Nothing to do.", plan.fleet),
            _ => format!("{refused} of {all} left alone. Nothing else to do."),
        }];
    }
    if moving.iter().all(|instance| plan_adopt::only(&changing(instance))) {
        let all = moving.iter().flat_map(|instance| changing(instance)).collect::<Vec<_>>();
        let are = if moving.len() == 1 { "is adopted as it runs" } else { "are adopted as they run" };
        let who = format!("{} {are}: {}.", count(moving.len(), "instance"), plan_adopt::things(all.iter().copied()));
        let differing = plan_adopt::differing_words(all.into_iter());
        return [Some(who), Some(plan_adopt::NOTHING.to_owned()), differing].into_iter().flatten().collect();
    }
    let parts = acts(&moving);
    let gaps: usize = moving.iter().flat_map(|i| changing(i)).filter(|change| change.gap.is_some()).count();
    let stops = moving.iter().flat_map(|i| changing(i)).any(|change| change.action == Action::Stop);
    let gap = match (gaps, stops) {
        (0, true) => "what stops is kept".to_owned(),
        (0, false) => "no gap expected".to_owned(),
        (gaps, _) => format!("{} with a gap", count(gaps, "service")),
    };
    let who = match (moving.as_slice(), plan.instances.len()) {
        ([one], 1) => format!("{} changes", one.instance.instance),
        ([_], _) => format!("1 of {all} changes"),
        _ => format!("{} of {all} change", moving.len()),
    };
    vec![format!("{who}: {}; {gap}.", parts.join("; ")), absences(&moving)]
}

/// `40 services are updated`, `4 one-shots run`; then networks, volumes and the like, by what happens to them.
fn acts(moving: &[&InstancePlan]) -> Vec<String> {
    let mut services: BTreeMap<Action, usize> = BTreeMap::new();
    let mut others: BTreeMap<Action, BTreeMap<Kind, usize>> = BTreeMap::new();
    for change in moving.iter().flat_map(|i| changing(i)) {
        match change.on.kind {
            Kind::Service => *services.entry(change.action).or_default() += 1,
            Kind::Image => {}
            kind => *others.entry(change.action).or_default().entry(kind).or_default() += 1,
        }
    }
    let mut parts: Vec<String> = Vec::new();
    for (action, number) in services {
        parts.push(match (action, number) {
            (Action::Run, 1) => "1 one-shot runs".to_owned(),
            (Action::Run, number) => format!("{} run", count(number, "one-shot")),
            (action, 1) => format!("1 service is {}", past(action)),
            (action, number) => format!("{} are {}", count(number, "service"), past(action)),
        });
    }
    for (action, kinds) in others {
        let verb = if kinds.values().sum::<usize>() == 1 { "is" } else { "are" };
        let kinds: Vec<String> = kinds.into_iter().map(|(kind, number)| count(number, kind.word())).collect();
        parts.push(format!("{} {verb} {}", join(&kinds), past(action)));
    }
    parts
}

/// What does not happen, said as loudly.
fn absences(moving: &[&InstancePlan]) -> String {
    let has = |wanted: &dyn Fn(&Change) -> bool| moving.iter().flat_map(|i| changing(i)).any(wanted);
    let (replaced, deleted) = (has(&|c| c.action == Action::Replace), has(&|c| c.action == Action::Delete));
    let nothing = match (replaced, deleted) {
        (false, false) => "Nothing is replaced or deleted.",
        (true, false) => "Nothing is deleted.",
        (false, true) => "Nothing is replaced.",
        (true, true) => "",
    };
    let kinds =
        [(Kind::Volume, "volume"), (Kind::Secret, "secret"), (Kind::Network, "network"), (Kind::Route, "address")];
    let untouched: Vec<&str> = kinds
        .iter()
        .filter(|(kind, _)| !has(&|change| change.on.kind == *kind || (*kind == Kind::Secret && is_secret(change))))
        .map(|(_, word)| *word)
        .collect();
    let second = match untouched.as_slice() {
        [] => String::new(),
        [one] => format!(" No {one} changes."),
        [first @ .., last] => format!(" No {} or {last} changes.", first.join(", ")),
    };
    format!("{nothing}{second}").trim().to_owned()
}

fn is_secret(change: &Change) -> bool {
    change.reasons.iter().any(|reason| matches!(reason, Reason::SecretChanged { .. }))
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Start => "started",
        Action::Stop => "stopped",
        Action::Update => "updated",
        Action::Replace => "replaced",
        Action::Run => "run",
        Action::Adopt => "adopted",
        Action::Move => "moved",
        Action::Retain => "retained",
        Action::Delete => "deleted",
        Action::Keep => "kept",
        Action::Held => "held",
    }
}

fn join(parts: &[String]) -> String {
    match parts {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Everything that goes, by name.
fn deletions(plan: &Plan, look: Look) -> String {
    let gone: Vec<(&InstanceId, &Change)> = plan
        .instances
        .iter()
        .filter(|instance| changes(instance))
        .flat_map(|instance| changing(instance).into_iter().map(move |change| (&instance.instance, change)))
        .filter(|(_, change)| change.action == Action::Delete)
        .collect();
    let mut out = section("DELETED", gone.len(), "", look, style::BAD);
    let mut by_thing: BTreeMap<(Kind, &str), Vec<&str>> = BTreeMap::new();
    for (instance, change) in gone {
        by_thing.entry((change.on.kind, &change.on.key)).or_default().push(instance.instance.as_str());
    }
    for ((kind, key), names) in by_thing {
        let data = if kind == Kind::Volume { " with its data" } else { "" };
        // Deletions are named in full, however many: nobody shall agree to what was cut.
        out.push_str(&hang(&format!("  {} {key}{data}: ", kind.word()), &names.join(" "), look.width));
    }
    out
}

/// What is taken over and is not as the files say.
fn differing(plan: &Plan, look: Look) -> String {
    let told = plan_adopt::section(&plan.instances, look);
    let number = plan
        .instances
        .iter()
        .filter(|one| one.changes.iter().any(|c| c.action == Action::Adopt && !c.reasons.is_empty()));
    if told.is_empty() {
        return told;
    }
    format!(
        "{}{told}",
        section("DIFFER FROM THE FILES", number.count(), "as they run until their next update", look, style::CARE)
    )
}

/// What will be otherwise once it takes the place of a Swarm's stack.
fn instead(plan: &Plan, look: Look) -> String {
    let number = plan.instances.iter().filter(|one| plan_adopt::waits(one)).count();
    let told = plan_adopt::instead(&plan.instances, look);
    if told.is_empty() {
        return told;
    }
    format!("{}{told}", section("WILL BE OTHERWISE THAN IN THE SWARM", number, "", look, style::CARE))
}

/// Instances that would change and are left alone.
fn refused(plan: &Plan) -> Vec<&InstancePlan> {
    plan.instances.iter().filter(|instance| instance.refused.is_some()).collect()
}

fn refusals(plan: &Plan, look: Look) -> String {
    let list = refused(plan);
    let mut out = section("LEFT ALONE", list.len(), "they would change", look, style::CARE);
    for instance in list {
        let why = instance.refused.as_ref().map(refusal_words).unwrap_or_default();
        let name = instance.instance.instance.as_str();
        out.push_str(&hang(&format!("  {name:<8} "), &why, look.width));
        let next = instance.refused.as_ref().and_then(|refusal| super::plan_text::refusal_next(name, refusal));
        out.extend(next.map(|next| format!("  {:<8} {next}\n", "")));
    }
    out
}

/// What somebody changed by hand or what ended by itself, and what becomes of it.
fn strayed(plan: &Plan, around: &Around, look: Look) -> String {
    let title = section("FOUND", around.strays.len(), "not as the last apply left it", look, style::CARE);
    format!("{title}{}", plan_stray::lines(&around.strays, plan, look))
}

/// Instances whose change is not the change of the others.
fn outliers(plan: &Plan, around: &Around, look: Look) -> String {
    let about = "their change is not the change of the others";
    let mut out = section("OUTLIERS", plan.outliers.len(), about, look, style::CARE);
    let largest =
        plan.groups.iter().max_by_key(|group| group.instances.len()).filter(|group| group.instances.len() > 1);
    for id in &plan.outliers {
        let Some(instance) = plan.instances.iter().find(|instance| instance.instance == *id) else { continue };
        out.push_str(&format!("  {}\n", id.instance));
        let common = largest.map(|group| (group.instances.len(), group.changes.as_slice()));
        let members = Members { plan, around, ids: std::slice::from_ref(id), common };
        out.push_str(&members.block(&instance.changes, look));
    }
    out
}

/// Equal changes, once, with the names of those they concern. A single instance needs no group.
fn groups(plan: &Plan, around: &Around, look: Look) -> String {
    let shown: Vec<&Group> = plan
        .groups
        .iter()
        .filter(|group| !(group.instances.len() == 1 && group.instances.iter().all(|id| plan.outliers.contains(id))))
        .collect();
    let alone = shown.iter().all(|group| group.instances.len() == 1);
    let mut out = match (shown.len(), alone) {
        (0, _) => return String::new(),
        (number, true) => section("CHANGES", number, "", look, style::HEAD),
        (number, false) => {
            let word = if number == 1 { "group" } else { "groups" };
            format!("\n{} ({number} {word})\n", look.paint(style::HEAD, "EQUAL CHANGES"))
        }
    };
    for group in shown {
        let names: Vec<&str> = group.instances.iter().map(|id| id.instance.as_str()).collect();
        out.push_str(&if alone {
            format!("  {}\n", names.join(" "))
        } else {
            format!("  {:<9}{}\n", group.key, count(names.len(), "instance"))
        });
        let members = Members { plan, around, ids: &group.instances, common: None };
        out.push_str(&members.block(&group.changes, look));
        if !alone {
            out.push_str(&hang("    who      ", &style::names(&names, around.names), look.width));
        }
    }
    out
}

/// Instances that stay as they are.
fn kept(plan: &Plan, around: &Around, look: Look) -> String {
    let names: Vec<&str> = plan
        .instances
        .iter()
        .filter(|instance| instance.refused.is_none() && changing(instance).is_empty())
        .map(|instance| instance.instance.instance.as_str())
        .collect();
    if names.is_empty() {
        return String::new();
    }
    let head = section("KEPT", names.len(), "", look, style::HEAD);
    format!("{head}{}", hang("  ", &style::names(&names, around.names), look.width))
}

/// Waves, where there is more than one.
fn waves(plan: &Plan, around: &Around, look: Look) -> String {
    if plan.waves.len() < 2 {
        return String::new();
    }
    let mut out = format!("\n{}\n", look.paint(style::HEAD, "WAVES"));
    for (index, wave) in plan.waves.iter().enumerate() {
        let names: Vec<&str> = wave.iter().map(|id| id.instance.as_str()).collect();
        let prefix = format!("  {:<3}{:>4}   ", index + 1, wave.len());
        out.push_str(&hang(&prefix, &style::names(&names, around.names), look.width));
    }
    out
}

/// What it costs: containers that stop, images to be had.
fn price(plan: &Plan) -> String {
    let moving: Vec<&Change> = plan.instances.iter().filter(|i| changes(i)).flat_map(changing).collect();
    let restarts: usize = moving.iter().map(|change| change.restarts as usize).sum();
    let images: std::collections::BTreeSet<&str> = moving
        .iter()
        .filter(|change| change.on.kind == Kind::Image && change.action == Action::Create)
        .map(|change| change.on.key.as_ref())
        .collect();
    if moving.is_empty() {
        return String::new();
    }
    let images = if images.is_empty() {
        String::new()
    } else {
        format!("     {} TO PULL OR BUILD", count(images.len(), "IMAGE"))
    };
    format!("\nRESTARTS {}{}\n", count(restarts, "container"), images.to_uppercase())
}

/// A heading with its number; nothing when there is nothing.
fn section(title: &str, number: usize, about: &str, look: Look, painted: anstyle::Style) -> String {
    if number == 0 {
        return String::new();
    }
    let title = look.paint(painted, title).into_owned();
    let about = if about.is_empty() { String::new() } else { format!(": {about}") };
    format!("\n{title} ({number}){about}\n")
}
