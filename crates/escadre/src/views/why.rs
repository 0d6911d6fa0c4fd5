//! Why an instance is as it is, and in what two differ. The first sentence is the answer.
//!
//! In: [`Looked`], and the values of `Resolved`. Out: [`Why`], [`Differ`].
//! **Invariant**: a value that is secret or sensitive is never shown, only whether it is set and whether it is the same.
//! Not here: a single service (`why_service`). Tests: `why/tests.rs`.

use super::history::differences;
use super::look::{Condition, Looked};
use crate::terminal::plan_text::{changing, refusal_words, shown};
use crate::terminal::style::{self, Look, count, cut, hang};
use crate::terminal::table::Table;
use escadre_model::desired::{Desired, Field, Shown, State};
use escadre_model::observed::{HeldBy, Outcome, Receipt, Record};
use escadre_model::resolved::Value;
use escadre_plan::change::Action;
use escadre_plan::plan::Refusal;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The schema of [`Why`].
pub(crate) const SCHEMA: &str = "escadre.why/1";

/// Why an instance is as it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Why {
    /// Always `escadre.why/1`.
    schema: &'static str,
    /// Which.
    instance: String,
    /// The answer.
    answer: String,
    /// How it is.
    health: Condition,
    /// What is known, label by label.
    facts: Vec<Fact>,
    /// Its parameters.
    values: Vec<ValueLine>,
    /// What to do.
    next: Vec<String>,
}

/// Something that is known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Fact {
    /// What it is about: `wanted`, `runs`, `hold`, `failed`, `differs`, `drift`.
    pub(crate) label: &'static str,
    /// The sentence.
    pub(crate) text: String,
}

/// A parameter.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ValueLine {
    /// Its name.
    name: String,
    /// Its value, if it may be shown.
    value: Option<String>,
    /// Where it comes from.
    from: String,
}

/// Why an instance is as it is.
pub(crate) fn build(looked: &Looked<'_>, desired: &Desired, values: &BTreeMap<Arc<str>, Value>) -> Why {
    let name = desired.instance.instance.as_str();
    let empty = Record::default();
    let record = looked.seen(&desired.instance).map_or(&empty, |seen| &seen.record);
    Why {
        schema: SCHEMA,
        instance: name.to_owned(),
        answer: answer(looked, desired, record),
        health: looked.condition(desired),
        facts: facts(looked, desired, record),
        values: values.iter().map(|(name, value)| value_line(name, value)).collect(),
        next: next(looked, desired, record),
    }
}

/// The first sentence.
fn answer(looked: &Looked<'_>, desired: &Desired, record: &Record) -> String {
    let name = desired.instance.instance.as_str();
    let condition = looked.condition(desired);
    let health = match condition {
        Condition::Running => "It runs; it has no health check.".to_owned(),
        Condition::Unknown => "How it is now could not be seen.".to_owned(),
        other => format!("It is {}.", other.word()),
    };
    let newest = record.receipts.first();
    if let Some(receipt) = newest.filter(|receipt| receipt.outcome == Outcome::Stuck) {
        let when = looked.now.spoken(&receipt.at);
        return format!("{name} is stuck: plan {} failed {when}, and so did going back. {health}", receipt.plan);
    }
    if let Some(hold) = &record.hold {
        let when = looked.now.spoken(&hold.at);
        return match hold.by {
            HeldBy::WentBack => format!(
                "{name} runs as before plan {} and not as its files say, because that update went back {when}; it is on hold since then. {health}",
                hold.because
            ),
            HeldBy::Rollback => format!(
                "{name} runs what plan {} left behind and not what its files say, because it was rolled back {when}; it is on hold since then. {health}",
                hold.because
            ),
            HeldBy::Stuck => format!("{name} is stuck since {when}: {}. {health}", hold.because),
            HeldBy::Hand => format!("{name} is on hold since {when}, by hand: {}. {health}", hold.because),
        };
    }
    if desired.state != State::Running {
        return format!("{name} shall be {}, says its file. {health}", super::look::state_word(desired.state));
    }
    let planned = looked.planned(&desired.instance);
    let changes = planned.map(|plan| changing(plan).len()).unwrap_or_default();
    match (condition, newest, changes) {
        (Condition::Unknown, _, _) => health,
        (Condition::Absent, None, _) => format!("{name} does not run, because it was never applied."),
        (Condition::Absent, Some(receipt), _) if receipt.outcome == Outcome::Removed => {
            format!(
                "{name} does not run, because it was taken down {} by {}.",
                looked.now.spoken(&receipt.at),
                receipt.by
            )
        }
        (Condition::Absent, Some(receipt), _) if receipt.outcome == Outcome::WentBack && record.healthy().is_none() => {
            let when = looked.now.spoken(&receipt.at);
            format!(
                "{name} does not run, because plan {} failed {when} and was undone; it never ran before.",
                receipt.plan
            )
        }
        (Condition::Stopped | Condition::Absent, Some(_), _) if !looked.fallen(&desired.instance).is_empty() => {
            let fallen = looked.fallen(&desired.instance);
            let words: Vec<String> = fallen.iter().map(|(key, what)| format!("{key}: {what}")).collect();
            format!("{name} is down, and no apply of ours did that: {}.", words.join("; "))
        }
        (Condition::Absent, Some(_), _) => {
            format!("{name} does not run: nothing of it is here any more, and no apply of ours removed it.")
        }
        (_, Some(receipt), 0) => format!(
            "{name} is as its files say since {} (plan {}). {health}",
            bare(&looked.now.spoken(&receipt.at)),
            receipt.plan
        ),
        (_, None, _) => format!("{name} runs, and there is no record of how it came to be. {health}"),
        (_, Some(_), n) => format!("{name} is not as its files say: {} would change. {health}", count(n, "thing")),
    }
}

/// `on 2026-11-13 at 09:20` after "since".
fn bare(spoken: &str) -> String {
    spoken.strip_prefix("on ").unwrap_or(spoken).to_owned()
}

/// What is known, label by label.
fn facts(looked: &Looked<'_>, desired: &Desired, record: &Record) -> Vec<Fact> {
    let mut list = Vec::new();
    let mut fact = |label, text: String| list.push(Fact { label, text });
    let environment = if desired.environment.is_empty() { String::new() } else { format!(", {}", desired.environment) };
    fact("wanted", format!("release {}{environment}, {}", desired.release, super::look::state_word(desired.state)));
    let newest_failed = record.receipts.first().filter(|r| matches!(r.outcome, Outcome::WentBack | Outcome::Stuck));
    if let Some(healthy) = record.healthy() {
        let label = if looked.fallen(&desired.instance).is_empty() { "runs" } else { "last well" };
        fact(label, format!("since {} (plan {}, by {})", looked.now.moment(&healthy.at), healthy.plan, healthy.by));
        let differs = differences(&healthy.desired, desired);
        for (index, line) in differs.iter().take(8).enumerate() {
            fact(if index == 0 { "differs" } else { "" }, line.clone());
        }
        if differs.len() > 8 {
            fact("", format!("and {} more: escadre plan {}", differs.len() - 8, desired.instance.instance));
        }
    }
    if let Some(hold) = &record.hold {
        let until = if hold.against.is_some() { "until its files change" } else { "until \"escadre unhold\"" };
        let why = match hold.by {
            HeldBy::WentBack => format!("plan {} went back", hold.because),
            HeldBy::Rollback => format!("rolled back to plan {}", hold.because),
            HeldBy::Stuck | HeldBy::Hand => hold.because.to_string(),
        };
        fact("hold", format!("since {}, {until} ({why})", looked.now.exact(&hold.at)));
    }
    if let Some(failed) = newest_failed {
        let when = looked.now.exact(&failed.at);
        if let Some(why) = &failed.because {
            fact("failed", style::harmless(why).into_owned());
        }
        if let Some(line) = &failed.last_line {
            fact("cause", format!("its last line: {}", style::cut(&style::harmless(line), 120)));
        }
        fact("plan", format!("{}, {when}, {}", failed.plan, failed_words(failed)));
    }
    // A hold is told already.
    let held = |refusal: &&Refusal| matches!(refusal, Refusal::Held { .. });
    if let Some(refusal) =
        looked.planned(&desired.instance).and_then(|plan| plan.refused.as_ref()).filter(|one| !held(one))
    {
        fact("left alone", refusal_words(refusal));
    }
    for (on, what) in looked.drift(&desired.instance) {
        fact("drift", format!("{on}: {what}"));
    }
    list
}

fn failed_words(receipt: &Receipt) -> &'static str {
    match receipt.outcome {
        Outcome::Stuck => "and going back failed too",
        _ => "and went back",
    }
}

/// What to do.
fn next(looked: &Looked<'_>, desired: &Desired, record: &Record) -> Vec<String> {
    let name = desired.instance.instance.as_str();
    let mut list = Vec::new();
    if let Some(hold) = &record.hold {
        if hold.by == HeldBy::WentBack {
            list.push(format!("escadre logs {name} --plan {}", hold.because));
            list.push(format!("correct the files, then: escadre up {name}"));
        }
        list.push(format!("or try the same again: escadre unhold {name}"));
        return list;
    }
    let changes = looked.planned(&desired.instance).map(|plan| changing(plan).iter().any(|c| c.action != Action::Keep));
    match looked.condition(desired) {
        _ if !looked.fallen(&desired.instance).is_empty() => {
            list.push(format!("escadre logs {name}"));
            list.push(format!("to bring it back: escadre up {name}"));
        }
        Condition::Unhealthy => list.push(format!("escadre logs {name}")),
        _ if changes == Some(true) => list.push(format!("escadre plan {name}")),
        _ => {}
    }
    list
}

fn value_line(name: &str, value: &Value) -> ValueLine {
    let from = match &value.source {
        Some(source) => format!("{}, {source}", value.from),
        None => value.from.to_string(),
    };
    let shown = (!value.sensitive).then(|| value.text.to_string());
    ValueLine { name: name.to_owned(), value: shown, from }
}

/// The answer as text.
pub(crate) fn paint(why: &Why, look: Look) -> String {
    let mut out = hang("", &why.answer, look.width);
    if !why.facts.is_empty() {
        out.push('\n');
    }
    for fact in &why.facts {
        out.push_str(&hang(&format!("  {:<10}  ", fact.label), &fact.text, look.width));
    }
    if !why.values.is_empty() {
        out.push('\n');
        let mut table = Table::words(2, 3);
        table.head(["value", "is", "from"]);
        for value in &why.values {
            let is = value.value.as_deref().map_or("set, not shown".into(), |text| cut(text, 40));
            table.row([value.name.as_str(), &is, &value.from]);
        }
        out.push_str(&table.paint(look));
    }
    for (index, next) in why.next.iter().enumerate() {
        let label = if index == 0 { "\n  next        " } else { "              " };
        out.push_str(&format!("{label}{next}\n"));
    }
    out
}

/// The schema of [`Differ`].
pub(crate) const DIFFER_SCHEMA: &str = "escadre.differ/1";

/// In what two instances differ.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Differ {
    /// Always `escadre.differ/1`.
    schema: &'static str,
    /// The first.
    one: String,
    /// The second.
    other: String,
    /// What differs.
    things: Vec<Thing>,
    /// Values whose text before interpolation is the same: different for everyone.
    everyone: Vec<String>,
}

/// One difference.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Thing {
    /// What: `web image`, `release`.
    what: String,
    /// In the first; empty: not there.
    one: String,
    /// In the second; empty: not there.
    other: String,
    /// Where, in the first.
    one_from: String,
    /// Where, in the second.
    other_from: String,
}

/// Parameters of an instance.
type Values = BTreeMap<Arc<str>, Value>;

/// In what two instances differ: their parameters, then what they want otherwise.
pub(crate) fn differ((one, ours): (&Desired, &Values), (other, theirs): (&Desired, &Values)) -> Differ {
    let mut things = Vec::new();
    let mut everyone = std::collections::BTreeSet::new();
    for (name, a) in ours {
        let Some(b) = theirs.get(name).filter(|b| b.text != a.text) else { continue };
        // What every instance writes for itself is different by nature.
        if &*a.from == "instance" && &*b.from == "instance" {
            everyone.insert(name.to_string());
            continue;
        }
        let cell = |value: &Value| {
            let text = if value.sensitive { "set, not shown".to_owned() } else { value.text.to_string() };
            (text, value.source.as_ref().map_or_else(|| value.from.to_string(), ToString::to_string))
        };
        things.push(thing(name.to_string(), cell(a), cell(b)));
    }
    let facts = [("release", &one.release, &other.release), ("environment", &one.environment, &other.environment)];
    for (what, a, b) in facts {
        if a != b {
            things.push(thing(what.to_owned(), (a.to_string(), String::new()), (b.to_string(), String::new())));
        }
    }
    let (ours, theirs) = (fields(one), fields(other));
    let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for key in keys {
        let (a, b) = (ours.get(key), theirs.get(key));
        if a.map(|field| &field.value) == b.map(|field| &field.value) {
            continue;
        }
        // Names of an instance's own networks and volumes differ by nature.
        if matches!(key.rsplit(' ').next(), Some("network.name" | "volume.name" | "name")) && a.is_some() && b.is_some()
        {
            continue;
        }
        // A text that holds a variable is the same text: its parameters are told. A file is told where its content is.
        let raw = |field: Option<&Field>| field.and_then(|field| field.raw.clone()).filter(|raw| raw.contains('$'));
        let (text, what) = (raw(a), key.rsplit(' ').next().unwrap_or_default());
        if (text.is_some() && text == raw(b)) || (what.starts_with("files.") && a.is_some() && b.is_some()) {
            continue;
        }
        // Secrets are different for everyone by nature.
        let secret = |field: Option<&Field>| field.is_some_and(|field| !matches!(field.value, Shown::Plain(_)));
        if secret(a) && secret(b) {
            everyone.insert(key.clone());
            continue;
        }
        things.push(thing(key.clone(), cell(a), cell(b)));
    }
    Differ {
        schema: DIFFER_SCHEMA,
        one: one.instance.instance.to_string(),
        other: other.instance.instance.to_string(),
        things,
        everyone: everyone.into_iter().collect(),
    }
}

fn fields(desired: &Desired) -> BTreeMap<String, Field> {
    let all = desired.resources.iter().flat_map(|(key, resource)| {
        resource.fields().into_iter().map(move |field| (format!("{} {}", key.key, field.path), field))
    });
    all.collect()
}

fn cell(field: Option<&Field>) -> (String, String) {
    let from = field.and_then(|field| field.source.as_ref()).map(ToString::to_string).unwrap_or_default();
    (field.map(|field| shown(Some(&field.value))).unwrap_or_default(), from)
}

fn thing(what: String, one: (String, String), other: (String, String)) -> Thing {
    Thing { what, one: one.0, other: other.0, one_from: one.1, other_from: other.1 }
}

/// The differences as text.
pub(crate) fn paint_differ(differ: &Differ, look: Look) -> String {
    let Differ { one, other, things, everyone, .. } = differ;
    let apart = if everyone.is_empty() {
        String::new()
    } else {
        format!(", apart from {}, different for everyone", everyone.join(", "))
    };
    if things.is_empty() {
        return hang("", &format!("{one} and {other} differ in nothing{apart}."), look.width);
    }
    let mut out =
        hang("", &format!("{one} and {other} differ in {}{apart}.", count(things.len(), "thing")), look.width);
    out.push('\n');
    let mut table = Table::words(2, 5);
    table.row(["", one.as_str(), "", other.as_str(), ""]);
    for thing in things {
        let absent = |text: &str| if text.is_empty() { "-".to_owned() } else { cut(text, 28).into_owned() };
        table.row([
            thing.what.clone(),
            absent(&thing.one),
            thing.one_from.clone(),
            absent(&thing.other),
            thing.other_from.clone(),
        ]);
    }
    out.push_str(&table.paint(look));
    out
}

#[cfg(test)]
mod tests;
