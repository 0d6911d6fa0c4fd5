//! What needs you, and what runs where.
//!
//! In: [`Looked`]. Out: [`Status`]; as text: first what was looked at, then what needs you, then the counts.
//! **Invariant**: an instance that could not be seen is unknown; "nothing needs you" is said only when everything was seen.
//! Not here: fetching. Tests: `status/tests.rs`.

use super::endpoint;
use super::look::{Condition, Looked, addresses, current};
use crate::terminal::plan_text::changing;
use crate::terminal::style::{self, Look, count, hang};
use crate::terminal::table::Table;
use escadre_edge::control::Listening;
use escadre_model::desired::{Desired, State};
use escadre_model::observed::{HeldBy, Hold, Outcome, Receipt, Record};
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of [`Status`].
pub(crate) const SCHEMA: &str = "escadre.status/1";

/// What needs you, and what runs where.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    /// Always `escadre.status/1`.
    schema: &'static str,
    /// The fleet.
    fleet: String,
    /// The target, and its engine.
    target: String,
    /// The engine: `podman 4.3.1`.
    engine: String,
    /// When it was looked at, RFC 3339.
    at: String,
    /// Lists that were not complete; then instances may be unknown.
    incomplete: Vec<&'static str>,
    /// What needs you, most urgent first.
    needs_you: Vec<Need>,
    /// Every instance that was asked for.
    instances: Vec<InstanceStatus>,
    /// How many instances differ from their files.
    differ: usize,
    /// The last apply.
    last: Option<Last>,
    #[serde(skip)]
    headline: String,
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Need {
    /// Which instance; `(edge)`: what carries traffic for all.
    instance: String,
    /// In one word: `edge`, `stuck`, `interrupted`, `unhealthy`, `down`, `certificate`, `hold`, `drift`.
    what: &'static str,
    /// The sentence.
    text: String,
    /// The next command.
    next: String,
}

/// An instance in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct InstanceStatus {
    /// Which.
    instance: String,
    /// Its environment.
    environment: String,
    /// The release it wants.
    release: String,
    /// What its file wants: `running`, `stopped`, `removed`.
    wanted: &'static str,
    /// How it is.
    health: Condition,
    /// When its youngest container was started, RFC 3339.
    since: Option<String>,
    /// `hold`, `drift` or `differs`, where it is so.
    mark: Option<&'static str>,
    /// Where it is reached.
    addresses: Vec<String>,
    #[serde(skip)]
    age: String,
}

/// The last apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Last {
    /// The plan.
    plan: String,
    /// When, RFC 3339.
    at: String,
    /// Who asked.
    by: String,
    /// Instances that ended as planned, taken down on purpose included.
    done: usize,
    /// Instances that went back.
    went_back: usize,
    /// Instances that are stuck.
    stuck: usize,
    #[serde(skip)]
    when: String,
}

/// Looks at everything once.
pub(crate) fn build(looked: &Looked<'_>) -> Status {
    let complete = looked.observed.complete;
    let lists = [
        (complete.containers, "containers"),
        (complete.networks, "networks"),
        (complete.volumes, "volumes"),
        (complete.record, "record"),
    ];
    let mut needs_you: Vec<(u8, Need)> = looked.desired.iter().flat_map(|desired| needs(looked, desired)).collect();
    needs_you.extend(edge(looked));
    needs_you.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.instance.cmp(&y.instance)));
    Status {
        schema: SCHEMA,
        fleet: looked.fleet.to_owned(),
        target: looked.plan.target.to_string(),
        engine: looked.observed.host.engine.to_string(),
        at: looked.now.at.to_string(),
        incomplete: lists.iter().filter(|(whole, _)| !whole).map(|(_, name)| *name).collect(),
        needs_you: needs_you.into_iter().map(|(_, need)| need).collect(),
        instances: looked.desired.iter().map(|desired| line(looked, desired)).collect(),
        differ: looked.desired.iter().filter(|desired| differs(looked, desired)).count(),
        last: last(looked),
        headline: looked.now.headline(),
    }
}

/// Whether something needs a person: then `--check` ends with 4.
pub(crate) fn calls(status: &Status) -> bool {
    !status.needs_you.is_empty() || !status.incomplete.is_empty()
}

/// One line for a monitoring.
pub(crate) fn check_line(status: &Status) -> String {
    let mut parts: Vec<String> =
        status.needs_you.iter().map(|need| format!("{} ({})", need.instance, need.what)).collect();
    if !status.incomplete.is_empty() {
        parts.push(format!("not seen in full: {}", status.incomplete.join(", ")));
    }
    if parts.is_empty() {
        return format!("well: {}\n", count(status.instances.len(), "instance"));
    }
    format!("needs you: {}\n", parts.join(", "))
}

fn differs(looked: &Looked<'_>, desired: &Desired) -> bool {
    looked.planned(&desired.instance).is_some_and(|plan| plan.refused.is_some() || !changing(plan).is_empty())
}

/// What of the edge needs a person.
fn edge(looked: &Looked<'_>) -> Vec<(u8, Need)> {
    let need = |urgency, text: String, next: &str| {
        (urgency, Need { instance: "(edge)".to_owned(), what: "edge", text, next: next.to_owned() })
    };
    let routed = looked.desired.iter().filter_map(|one| looked.seen(&one.instance)).any(|seen| !seen.routes.is_empty());
    let Some(edge) = looked.edge else {
        let text = "it does not run: nobody reaches any instance through it";
        return if routed { vec![need(1, text.to_owned(), "escadre up")] } else { Vec::new() };
    };
    let failed = edge.listeners.iter().filter(|listener| listener.state == Listening::Failed);
    let mut all: Vec<_> = failed
        .map(|listener| {
            let why = listener.error.as_deref().unwrap_or("the system refuses");
            need(1, format!("cannot listen on {}: {why}", listener.address), "escadre doctor")
        })
        .collect();
    if let Some(problem) = &edge.problem {
        all.push(need(1, format!("does not take its routes: {problem}"), "escadre proxy status"));
    }
    all
}

/// What of an instance needs a person, with its urgency.
fn needs(looked: &Looked<'_>, desired: &Desired) -> Vec<(u8, Need)> {
    let name = desired.instance.instance.as_str();
    let mut list = Vec::new();
    let mut need = |urgency: u8, what: &'static str, text: String, next: String| {
        list.push((urgency, Need { instance: name.to_owned(), what, text, next }));
    };
    let record = looked.seen(&desired.instance).map(|seen| &seen.record);
    let newest = record.and_then(|record| record.receipts.first());
    if let Some(stuck) = newest.filter(|receipt| receipt.outcome == Outcome::Stuck) {
        let when = looked.now.moment(&stuck.at);
        need(
            0,
            "stuck",
            format!("stuck since {when}: plan {} failed, and so did going back", stuck.plan),
            format!("escadre why {name}"),
        );
    }
    if record.is_some_and(|record| !record.open.is_empty()) {
        let text = "an apply was interrupted; the next one first finishes or undoes what it began";
        need(1, "interrupted", text.to_owned(), format!("escadre up {name}"));
    }
    if desired.state == State::Running {
        if looked.condition(desired) == Condition::Unhealthy {
            let which = bad_services(looked, desired, Condition::Unhealthy);
            need(2, "unhealthy", which, format!("escadre logs {name}"));
        }
        let fallen = looked.fallen(&desired.instance);
        if !fallen.is_empty() {
            let words: Vec<String> = fallen.iter().map(|(key, what)| format!("{key}: {what}")).collect();
            need(2, "down", format!("down: {}", words.join("; ")), format!("escadre up {name}"));
        }
    }
    let hold = record.and_then(|record| standing(record, desired)).filter(|hold| hold.by != HeldBy::Stuck);
    let failed = newest.filter(|receipt| receipt.outcome == Outcome::WentBack && hold.is_none());
    if let Some(failed) = failed.filter(|_| looked.condition(desired) == Condition::Absent) {
        let when = looked.now.moment(&failed.at);
        let text = format!("does not run: plan {} failed at {when} and was undone", failed.plan);
        need(2, "failed", text, format!("escadre why {name}"));
    }
    if let Some(hold) = hold {
        let since = looked.now.moment(&hold.at);
        let text = match hold.by {
            HeldBy::WentBack => format!("on hold since {since}: its update went back (plan {})", hold.because),
            HeldBy::Rollback => format!("on hold since {since}: it was rolled back to plan {}", hold.because),
            HeldBy::Stuck | HeldBy::Hand => format!("on hold since {since}: {}", hold.because),
        };
        need(3, "hold", text, format!("escadre why {name}"));
    }
    for call in endpoint::calls(looked, desired) {
        need(call.urgency, "certificate", call.text, call.next);
    }
    let drift = looked.drift(&desired.instance);
    if let [(on, what), more @ ..] = drift.as_slice() {
        let more = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
        let how = if what.starts_with("docker compose") { "" } else { "changed by hand: " };
        need(4, "drift", format!("{on} {how}{what}{more}"), format!("escadre drift {name}"));
    }
    list
}

/// The hold that stands: one set by hand, or against exactly what the files ask for now. Other files have lifted the others.
fn standing<'r>(record: &'r Record, desired: &Desired) -> Option<&'r Hold> {
    record.hold.as_ref().filter(|hold| hold.against.as_ref().is_none_or(|against| *against == desired.hash()))
}

/// `web is unhealthy`, `web and db are stopped`.
fn bad_services(looked: &Looked<'_>, desired: &Desired, how: Condition) -> String {
    let bad: Vec<&str> = desired
        .services()
        .filter(|(key, _, service)| !service.job && looked.service(&desired.instance, key) == how)
        .map(|(key, _, _)| key.as_ref())
        .collect();
    format!("{} {} {}", bad.join(", "), if bad.len() == 1 { "is" } else { "are" }, how.word())
}

/// An instance in a line.
fn line(looked: &Looked<'_>, desired: &Desired) -> InstanceStatus {
    let seen = looked.seen(&desired.instance);
    let since = desired.services().flat_map(|(key, _, _)| current(seen, key)).map(|one| one.started.to_string());
    let since = since.filter(|at| !at.is_empty()).max();
    let held = seen.is_some_and(|seen| standing(&seen.record, desired).is_some());
    let mark = match (held, looked.drift(&desired.instance).is_empty(), differs(looked, desired)) {
        (true, _, _) => Some("hold"),
        (_, false, _) => Some("drift"),
        (_, _, true) => Some("differs"),
        _ => None,
    };
    InstanceStatus {
        instance: desired.instance.instance.to_string(),
        environment: desired.environment.to_string(),
        release: desired.release.to_string(),
        wanted: super::look::state_word(desired.state),
        health: looked.condition(desired),
        age: since.as_deref().and_then(|at| looked.now.age(at)).unwrap_or_default(),
        since,
        mark,
        addresses: addresses(desired, looked.ports),
    }
}

/// The last apply, over all instances that were asked for.
fn last(looked: &Looked<'_>) -> Option<Last> {
    let receipts =
        || looked.desired.iter().filter_map(|desired| looked.seen(&desired.instance)?.record.receipts.first());
    let newest: &Receipt = receipts().max_by_key(|receipt| receipt.seq)?;
    let of = |outcome| receipts().filter(|receipt| receipt.plan == newest.plan && receipt.outcome == outcome).count();
    Some(Last {
        plan: newest.plan.to_string(),
        at: newest.at.to_string(),
        by: newest.by.to_string(),
        done: of(Outcome::Healthy) + of(Outcome::Stopped) + of(Outcome::Removed),
        went_back: of(Outcome::WentBack),
        stuck: of(Outcome::Stuck),
        when: looked.now.moment(&newest.at),
    })
}

/// The status as text.
pub(crate) fn paint(status: &Status, look: Look) -> String {
    let left = format!("fleet {}: {} on {}", status.fleet, count(status.instances.len(), "instance"), status.engine);
    let pad = 80_usize.saturating_sub(style::columns(&left) + style::columns(&status.headline)).max(2);
    let mut out = format!("{left}{}{}\n", " ".repeat(pad), status.headline);
    if !status.incomplete.is_empty() {
        let text = format!(
            "Not seen in full: {}. What is unknown below is neither healthy nor gone.",
            status.incomplete.join(", ")
        );
        out.push_str(&look.paint(style::BAD, &hang("", &text, look.width)));
    }
    if status.needs_you.is_empty() && status.incomplete.is_empty() {
        out.push_str("\nNothing needs you.\n");
    } else if !status.needs_you.is_empty() {
        let head = look.paint(style::CARE, "NEEDS YOU").into_owned();
        out.push_str(&format!("\n{head} ({})\n", status.needs_you.len()));
    }
    let wide = status.needs_you.iter().map(|need| need.instance.len()).max().unwrap_or(0).max(7);
    for need in &status.needs_you {
        out.push_str(&hang(&format!("  {:<wide$}  ", need.instance), &need.text, look.width));
        out.push_str(&format!("  {:<wide$}  {}\n", "", need.next));
    }
    out.push_str(&counts(status, look));
    if status.differ > 0 {
        let verb = if status.differ == 1 { "differs" } else { "differ" };
        out.push_str(&format!("FILES      {} {verb} from the files: escadre plan\n", count(status.differ, "instance")));
    }
    if let Some(last) = &status.last {
        let others = [(last.went_back, "went back"), (last.stuck, "stuck")];
        let others: String = others.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!(", {n} {word}")).collect();
        let text = format!("plan {}, {}, by {}: {} done{others}", last.plan, last.when, last.by, last.done);
        out.push_str(&hang("LAST       ", &text, look.width));
    }
    // Few instances are told one by one; for many there is --list.
    if status.instances.len() <= 12 {
        out.push('\n');
        out.push_str(&list(status, look));
    } else {
        out.push_str("\n  one line for each   escadre status --list\n");
    }
    out
}

/// How many are how.
fn counts(status: &Status, _look: Look) -> String {
    let order = [
        Condition::Healthy,
        Condition::Running,
        Condition::Starting,
        Condition::Unhealthy,
        Condition::Stopped,
        Condition::Absent,
        Condition::Unknown,
    ];
    let told = order.iter().filter_map(|how| {
        let number = status.instances.iter().filter(|instance| instance.health == *how).count();
        (number > 0).then(|| format!("{} {number}", how.word()))
    });
    format!("\nHEALTH     {}\n", told.collect::<Vec<_>>().join("   "))
}

/// One line per instance.
pub(crate) fn list(status: &Status, look: Look) -> String {
    let plain = status.instances.iter().all(|one| one.release == "tree");
    let mut table = Table::words(0, 7);
    table.head(["instance", "environment", "release", "health", "since", "", "address"]);
    for one in &status.instances {
        let health = match one.health {
            Condition::Healthy | Condition::Running => look.paint(style::GOOD, one.health.word()),
            Condition::Unhealthy | Condition::Stopped | Condition::Unknown => look.paint(style::BAD, one.health.word()),
            Condition::Starting | Condition::Absent => look.paint(style::CARE, one.health.word()),
        };
        let health =
            if one.wanted == "running" { health.into_owned() } else { format!("{health} (wants {})", one.wanted) };
        table.row([
            one.instance.clone(),
            one.environment.clone(),
            // While nothing is released, everything follows the tree, and a column of it says nothing.
            if plain { String::new() } else { one.release.clone() },
            health,
            one.age.clone(),
            one.mark.unwrap_or_default().to_owned(),
            one.addresses.join(" "),
        ]);
    }
    table.paint(look)
}

#[cfg(test)]
mod tests;
