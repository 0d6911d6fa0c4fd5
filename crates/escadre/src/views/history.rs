//! What was done, when, by whom, and how it ended.
//!
//! In: receipts. Out: [`History`], newest first. **Invariant**: only what a receipt says.
//! Not here: the journal. Tests: `tests.rs`.

use super::look::Looked;
use crate::terminal::plan_text::{image_move, shown};
use crate::terminal::style::{self, Look, cut};
use crate::terminal::table::Table;
use crate::terminal::time::Now;
use escadre_model::desired::{Desired, Shown};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::{Outcome, Receipt};
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of [`History`].
pub(crate) const SCHEMA: &str = "escadre.history/1";

/// What was done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct History {
    /// Always `escadre.history/1`.
    schema: &'static str,
    /// The fleet.
    fleet: String,
    /// Newest first.
    entries: Vec<Entry>,
}

/// One apply of one instance.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// Position in the journal.
    seq: u64,
    /// When, RFC 3339.
    at: String,
    /// Which instance.
    instance: String,
    /// The plan.
    plan: String,
    /// `healthy`, `went_back`, `stuck`, `stopped`.
    outcome: &'static str,
    /// Who asked.
    by: String,
    /// The commit; empty outside Git.
    commit: String,
    /// Files that were not committed were read too.
    dirty: bool,
    /// The plan whose state it went back to, if that was asked for.
    back: Option<String>,
    /// What differs from the receipt before it, as far as receipts are kept.
    changed: Vec<String>,
}

/// The receipts of the chosen instances.
pub(crate) fn build(looked: &Looked<'_>, most: usize) -> History {
    let mut entries: Vec<Entry> = looked
        .desired
        .iter()
        .filter_map(|desired| looked.seen(&desired.instance))
        .flat_map(|seen| {
            let receipts = seen.record.receipts.as_slice();
            receipts.iter().enumerate().map(|(at, receipt)| entry(receipt, receipts.get(at + 1..).unwrap_or_default()))
        })
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    entries.truncate(most);
    History { schema: SCHEMA, fleet: looked.fleet.to_owned(), entries }
}

/// A receipt beside those before it.
fn entry(receipt: &Receipt, older: &[Receipt]) -> Entry {
    let before = older.iter().find(|receipt| receipt.outcome == Outcome::Healthy);
    Entry {
        seq: receipt.seq,
        at: receipt.at.to_string(),
        instance: receipt.desired.instance.instance.to_string(),
        plan: receipt.plan.to_string(),
        outcome: outcome(receipt.outcome),
        by: receipt.by.to_string(),
        commit: receipt.commit.to_string(),
        dirty: receipt.dirty.is_some(),
        back: receipt.back.as_ref().map(ToString::to_string),
        changed: before.map(|before| differences(&before.desired, &receipt.desired)).unwrap_or_default(),
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Healthy => "healthy",
        Outcome::WentBack => "went_back",
        Outcome::Stuck => "stuck",
        Outcome::Stopped => "stopped",
        Outcome::Removed => "removed",
    }
}

/// In what two wishes differ: `web image 4.2.0 -> 4.2.1`.
pub(crate) fn differences(old: &Desired, new: &Desired) -> Vec<String> {
    let mut list = Vec::new();
    // Images come and go with the services that name them: those tell it.
    for (key, resource) in new.resources.iter().filter(|(key, _)| key.kind != Kind::Image) {
        let Some(before) = old.resources.get(key) else {
            list.push(format!("{key} new"));
            continue;
        };
        if before.spec == resource.spec {
            continue;
        }
        let fields: Vec<String> = resource
            .fields()
            .into_iter()
            .map(|field| (before.field(&field.path).map(|field| field.value), field))
            .filter(|(old, field)| old.as_ref() != Some(&field.value))
            .map(|(old, field)| match (field.path.as_ref(), &old, &field.value) {
                ("image", Some(Shown::Plain(old)), Shown::Plain(new)) => {
                    format!("{} image {}", key.key, image_move(old, new).1)
                }
                (path, old, new) => format!("{} {path} {} -> {}", key.key, shown(old.as_ref()), shown(Some(new))),
            })
            .collect();
        if fields.is_empty() {
            list.push(format!("{key} changed"));
        }
        list.extend(fields);
    }
    let kept = |key: &&ResourceKey| key.kind != Kind::Image;
    list.extend(
        old.resources
            .keys()
            .filter(kept)
            .filter(|key| !new.resources.contains_key(key))
            .map(|key| format!("{key} gone")),
    );
    list
}

/// The history as text.
pub(crate) fn paint(history: &History, now: &Now, look: Look) -> String {
    if history.entries.is_empty() {
        return "Nothing has been applied here yet.\n".to_owned();
    }
    let mut table = Table::words(0, 6);
    table.head(["when", "instance", "plan", "ended", "by", "what"]);
    for entry in &history.entries {
        let ended = match entry.outcome {
            "healthy" => look.paint(style::GOOD, "healthy"),
            "went_back" => look.paint(style::CARE, "went back"),
            "stuck" => look.paint(style::BAD, "STUCK"),
            other => other.into(),
        };
        let what = match entry.changed.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [one, more @ ..] => format!("{one}, {} more", more.len()),
        };
        let what = match &entry.back {
            Some(plan) => format!("back to {plan}: {what}"),
            None => what,
        };
        let by = cut(&entry.by, 24).into_owned();
        table.row([now.moment(&entry.at), entry.instance.clone(), entry.plan.clone(), ended.into_owned(), by, what]);
    }
    table.paint(look)
}
