//! The plan of a fleet: deletions, refusals and outliers first, then equal changes once, then what is kept.
//!
//! In: a [`Plan`] and its [`Around`]. Out: text.
//! **Invariant**: every instance of the plan is named exactly once as changing, refused or kept (or counted, with the switch that names it).
//! Not here: a fleet of one (`plan_text`). Tests: `plan_text/tests.rs`.

use super::plan_text::{Around, action_word, changing, image_move, reason_lines, refusal_words, rest};
use super::style::{self, Look, columns, count, hang};
use escadre_model::desired::Shown;
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
    out.push_str(&outliers(plan, look));
    out.push_str(&groups(plan, around, look));
    out.push_str(&kept(plan, around, look));
    out.push_str(&waves(plan, around, look));
    out.push_str(&rest(plan, around, look));
    out.push_str(&price(plan));
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
        let but = if refused == 0 { String::new() } else { format!(" {} left alone.", count(refused, "instance")) };
        return vec![format!("Fleet {} is as its files say: {all}. Nothing to do.{but}", plan.fleet)];
    }
    let parts = acts(&moving);
    let gaps: usize = moving.iter().flat_map(|i| changing(i)).filter(|change| change.gap.is_some()).count();
    let gap = if gaps == 0 { "no gap expected".to_owned() } else { format!("{} with a gap", count(gaps, "service")) };
    let verb = if moving.len() == 1 { "changes" } else { "change" };
    let first = format!("{} of {all} {verb}: {}, {gap}.", moving.len(), join(&parts));
    vec![first, absences(&moving)]
}

/// `40 containers are updated`, `2 services replaced`.
fn acts(moving: &[&InstancePlan]) -> Vec<String> {
    let mut counted: BTreeMap<Action, usize> = BTreeMap::new();
    for change in moving.iter().flat_map(|i| changing(i)).filter(|change| change.on.kind == Kind::Service) {
        *counted.entry(change.action).or_default() += 1;
    }
    let mut others: BTreeMap<(Action, Kind), usize> = BTreeMap::new();
    for change in moving.iter().flat_map(|i| changing(i)) {
        if !matches!(change.on.kind, Kind::Service | Kind::Image) {
            *others.entry((change.action, change.on.kind)).or_default() += 1;
        }
    }
    let mut parts: Vec<String> = Vec::new();
    for (action, number) in counted {
        let what = if parts.is_empty() { count(number, "service") } else { style::grouped(number as u64) };
        let verb = match (parts.is_empty(), number) {
            (true, 1) => "is ",
            (true, _) => "are ",
            (false, _) => "",
        };
        parts.push(format!("{what} {verb}{}", past(action)));
    }
    for ((action, kind), number) in others {
        let verb = match (parts.is_empty(), number) {
            (true, 1) => "is ",
            (true, _) => "are ",
            (false, _) => "",
        };
        parts.push(format!("{} {verb}{}", count(number, kind.word()), past(action)));
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

/// Instances whose change is not the change of the others.
fn outliers(plan: &Plan, look: Look) -> String {
    let about = "their change is not the change of the others";
    let mut out = section("OUTLIERS", plan.outliers.len(), about, look, style::CARE);
    let largest =
        plan.groups.iter().max_by_key(|group| group.instances.len()).filter(|group| group.instances.len() > 1);
    for id in &plan.outliers {
        let Some(instance) = plan.instances.iter().find(|instance| instance.instance == *id) else { continue };
        out.push_str(&format!("  {}\n", id.instance));
        let common = largest.map(|group| (group.instances.len(), group.changes.as_slice()));
        out.push_str(&block(&changing(instance), false, common, look));
    }
    out
}

/// Equal changes, once, with the names of those they concern.
fn groups(plan: &Plan, around: &Around, look: Look) -> String {
    let shown: Vec<&Group> = plan
        .groups
        .iter()
        .filter(|group| !(group.instances.len() == 1 && group.instances.iter().all(|id| plan.outliers.contains(id))))
        .collect();
    let word = if shown.len() == 1 { "group" } else { "groups" };
    if shown.is_empty() {
        return String::new();
    }
    let head = look.paint(style::HEAD, "EQUAL CHANGES").into_owned();
    let mut out = format!("\n{head} ({} {word})\n", shown.len());
    for group in shown {
        let names: Vec<&str> = group.instances.iter().map(|id| id.instance.as_str()).collect();
        out.push_str(&format!("  {:<9}{}\n", group.key, count(names.len(), "instance")));
        let changes: Vec<&Change> =
            group.changes.iter().filter(|c| !matches!(c.action, Action::Keep | Action::Held)).collect();
        out.push_str(&block(&changes, names.len() > 1, None, look));
        out.push_str(&hang("    who      ", &style::names(&names, around.names), look.width));
    }
    out
}

/// The changes of an instance or group: what, then why.
fn block(changes: &[&Change], group: bool, common: Option<(usize, &[Change])>, look: Look) -> String {
    let mut out = String::new();
    let told = |change: &&&Change| change.on.kind == Kind::Service || !change.reasons.is_empty();
    let labels = changes.iter().filter(told).map(|change| columns(&label_of(change)));
    let kinds = changes.iter().filter(|change| !told(change)).map(|change| columns(change.on.kind.word()));
    let wide = labels.chain(kinds).max().unwrap_or(0).min(24);
    let mut made: BTreeMap<(Action, Kind), Vec<&str>> = BTreeMap::new();
    for change in changes {
        // Resources without a reason of their own are told in one line per kind.
        if change.on.kind != Kind::Service && change.reasons.is_empty() {
            made.entry((change.action, change.on.kind)).or_default().push(&change.on.key);
            continue;
        }
        let prefix = format!("    {:<8} {:<wide$}  ", action_word(change.action), label_of(change));
        let mut lines = what_lines(change, group, common);
        if lines.is_empty() {
            lines.push(first_words(change));
        }
        for (index, line) in lines.iter().enumerate() {
            let before = if index == 0 { prefix.clone() } else { " ".repeat(columns(&prefix)) };
            out.push_str(&hang(&before, line, look.width));
        }
    }
    for ((action, kind), keys) in made {
        let prefix = format!("    {:<8} {:<wide$}  ", action_word(action), kind.word());
        out.push_str(&hang(&prefix, &keys.join(", "), look.width));
    }
    for line in because(changes) {
        out.push_str(&hang("    because  ", &line, look.width));
    }
    out
}

fn label_of(change: &Change) -> String {
    match change.on.kind {
        Kind::Service => change.on.key.to_string(),
        kind => format!("{} {}", kind.word(), change.on.key),
    }
}

/// What a change without reasons says: image and gate.
fn first_words(change: &Change) -> String {
    let parts =
        [change.detail.as_ref().map(ToString::to_string), change.gate.as_ref().map(|gate| format!("ready: {gate}"))];
    parts.into_iter().flatten().collect::<Vec<_>>().join("   ")
}

/// The values that change, and for an outlier whether the others have it too.
fn what_lines(change: &Change, group: bool, common: Option<(usize, &[Change])>) -> Vec<String> {
    let mut lines = Vec::new();
    for reason in &change.reasons {
        let shared = common.map(|(number, changes)| {
            if changes.iter().any(|other| other.on == change.on && other.reasons.iter().any(|r| same(r, reason))) {
                format!("as the other {number}")
            } else {
                "only here".to_owned()
            }
        });
        let (what, more) = value_words(reason, group);
        match shared {
            Some(shared) => lines.push(format!("{what:<40} {shared}")),
            None => lines.push(what),
        }
        lines.extend(more);
    }
    if change.gap.is_some() {
        let gap = Change { reasons: Vec::new(), ..change.clone() };
        lines.extend(reason_lines(&gap, group));
    }
    lines
}

/// A reason without its place, and what stands below it.
fn value_words(reason: &Reason, group: bool) -> (String, Option<String>) {
    if let Reason::Changed { path, old: Some(Shown::Plain(old)), new: Some(Shown::Plain(new)), unknown: false, .. } =
        reason
        && path.as_ref() == "image"
    {
        let (repository, moved) = image_move(old, new);
        return (format!("image  {moved}"), (!repository.is_empty()).then_some(repository));
    }
    let mut placeless = reason.clone();
    if let Reason::Changed { source, .. } | Reason::SecretChanged { source, .. } = &mut placeless {
        *source = None;
    }
    let one = Change { reasons: vec![placeless], gap: None, ..empty() };
    (reason_lines(&one, group).into_iter().next().unwrap_or_default(), None)
}

/// Whether two instances change for the same reason: same path, same text before interpolation, same place.
fn same(one: &Reason, other: &Reason) -> bool {
    match (one, other) {
        (
            Reason::Changed { path, new, raw, source, .. },
            Reason::Changed { path: path2, new: new2, raw: raw2, source: source2, .. },
        ) => path == path2 && raw == raw2 && source == source2 && (raw.is_some() || new == new2),
        (one, other) => one == other,
    }
}

fn empty() -> Change {
    Change {
        on: escadre_model::ids::ResourceKey::new(Kind::Service, ""),
        action: Action::Keep,
        reasons: Vec::new(),
        restarts: 0,
        gate: None,
        gap: None,
        detail: None,
    }
}

/// The places that changes come from, once each.
fn because(changes: &[&Change]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for reason in changes.iter().flat_map(|change| &change.reasons) {
        let line = match reason {
            Reason::Changed { source: Some(source), path, .. } => format!("{source}  {path}"),
            Reason::SecretChanged { source: Some(source), name } => format!("{source}  secret {name}"),
            _ => continue,
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
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
