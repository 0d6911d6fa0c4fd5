//! What differs between two states of instances.
//!
//! In: receipts. Out: [`Difference`], instances with the same differences together. **Invariant**: only what receipts say.
//! Not here: the journal. Tests: `tests.rs`.

use super::history::differences;
use crate::terminal::style::{self, Look, count, hang, harmless};
use escadre_model::observed::Receipt;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema of [`Difference`].
pub(crate) const SCHEMA: &str = "escadre.diff/1";

/// In what two states differ.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Difference {
    /// Always `escadre.diff/1`.
    schema: &'static str,
    /// The fleet.
    fleet: String,
    /// The first state: a plan.
    from: String,
    /// The second one: a plan, or `now`.
    to: String,
    /// Largest first.
    groups: Vec<Group>,
    /// Instances that are the same in both.
    same: Vec<String>,
    /// Instances of which one of the two is not on record.
    unknown: Vec<String>,
}

/// Instances with the same differences.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Group {
    /// Who.
    instances: Vec<String>,
    /// What: `web image 4.2.0 -> 4.2.1`.
    differences: Vec<String>,
}

/// Compares. The error is the plan that nobody here has a state of.
pub(crate) fn build<'a>(
    fleet: &str,
    records: impl Iterator<Item = (String, &'a [Receipt])>,
    from: &str,
    to: Option<&str>,
) -> Result<Difference, String> {
    let of = |receipts: &'a [Receipt], plan: Option<&str>| {
        let meant = |one: &&Receipt| match plan {
            Some(plan) => &*one.plan == plan,
            None => one.outcome.is_as_planned(),
        };
        receipts.iter().find(meant)
    };
    let (mut groups, mut same, mut unknown) = (BTreeMap::<Vec<String>, Vec<String>>::new(), Vec::new(), Vec::new());
    let (mut seen_from, mut seen_to) = (false, to.is_none());
    for (name, receipts) in records {
        let (before, after) = (of(receipts, Some(from)), of(receipts, to));
        (seen_from, seen_to) = (seen_from || before.is_some(), seen_to || after.is_some());
        match (before, after) {
            (Some(before), Some(after)) => match differences(&before.desired, &after.desired) {
                list if list.is_empty() => same.push(name),
                list => groups.entry(list).or_default().push(name),
            },
            (None, None) => {}
            _ => unknown.push(name),
        }
    }
    if !seen_from || !seen_to {
        return Err(if seen_from { to.unwrap_or_default().to_owned() } else { from.to_owned() });
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(differences, instances)| Group { instances, differences }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.instances.len()));
    let to = to.unwrap_or("now").to_owned();
    Ok(Difference { schema: SCHEMA, fleet: fleet.to_owned(), from: from.to_owned(), to, groups, same, unknown })
}

/// The differences as text.
pub(crate) fn paint(view: &Difference, names: bool, look: Look) -> String {
    let alone = view.groups.len() + view.same.len() + view.unknown.len() == 1;
    let differing: usize = view.groups.iter().map(|group| group.instances.len()).sum();
    let (from, to) = (&view.from, &view.to);
    let mut out = match (differing, view.groups.as_slice()) {
        (0, _) => format!("Nothing differs between {from} and {to}.\n"),
        (1, [only]) if alone => {
            let (name, number) = (only.instances.join(" "), count(only.differences.len(), "thing"));
            format!("{name} differs in {number} between {from} and {to}.\n")
        }
        (number, _) => format!("{} differ between {from} and {to}.\n", count(number, "instance")),
    };
    for group in &view.groups {
        out.push('\n');
        if !alone {
            let who: Vec<&str> = group.instances.iter().map(String::as_str).collect();
            out.push_str(&hang("  ", &style::names(&who, names), look.width));
        }
        for line in &group.differences {
            out.push_str(&hang("    ", &harmless(line), look.width));
        }
    }
    for (word, list) in [("same", &view.same), ("not known", &view.unknown)] {
        if !list.is_empty() && !alone {
            let who: Vec<&str> = list.iter().map(String::as_str).collect();
            out.push_str(&hang(&format!("\n  {word:<10}"), &style::names(&who, names), look.width));
        }
    }
    out
}
