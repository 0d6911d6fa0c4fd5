//! What is taken over as it runs, for people: how much, and in what it is not as the files say.
//!
//! In: changes of a plan. Out: sentences and lines.
//! **Invariant**: a difference is told with what runs and with what the files say; a value that nobody may see is not shown.
//! Not here: the rest of a plan (`plan_text`, `plan_groups`).
//! Tests: `plan_adopt/tests.rs`.

use super::plan_text::shown;
use super::style::{Look, count, hang};
use escadre_model::ids::Kind;
use escadre_plan::change::{Action, Change, Reason};
use escadre_plan::plan::{InstancePlan, Refusal};

/// Is everything that changes taken over, and nothing else done?
pub(crate) fn only(changing: &[&Change]) -> bool {
    !changing.is_empty() && changing.iter().all(|change| change.action == Action::Adopt)
}

/// `201 containers, 79 volumes, 40 networks`.
pub(crate) fn things<'a>(changes: impl Iterator<Item = &'a Change> + Clone) -> String {
    let of = |kind: Kind| {
        let mine = changes.clone().filter(move |change| change.action == Action::Adopt && change.on.kind == kind);
        mine.map(|change| change.adopts.len()).sum::<usize>()
    };
    let kinds = [(Kind::Service, "container"), (Kind::Volume, "volume"), (Kind::Network, "network")];
    let parts: Vec<String> =
        kinds.into_iter().filter(|(kind, _)| of(*kind) > 0).map(|(kind, word)| count(of(kind), word)).collect();
    if parts.is_empty() { "nothing that runs".to_owned() } else { parts.join(", ") }
}

/// What does not happen.
pub(crate) const NOTHING: &str = "No restart, no gap. Nothing is created, updated, replaced or deleted.";

/// How many values of what is taken over are not as the files say.
fn differing<'a>(changes: impl Iterator<Item = &'a Change>) -> usize {
    changes.filter(|change| change.action == Action::Adopt).map(|change| change.reasons.len()).sum()
}

/// `2 values differ from the files; each stays as it runs until its service is updated`; nothing when none does.
pub(crate) fn differing_words<'a>(changes: impl Iterator<Item = &'a Change>) -> Option<String> {
    let number = differing(changes);
    (number > 0).then(|| {
        let (differs, stays) = if number == 1 { ("differs", "it stays") } else { ("differ", "they stay") };
        format!(
            "{} {differs} from the files: {stays} as they run until their service is updated.",
            count(number, "value")
        )
        .replace("it stays as they run until their service", "it stays as it runs until its service")
    })
}

/// The differences of one change, one line each.
pub(crate) fn lines(change: &Change) -> Vec<String> {
    change.reasons.iter().map(line).collect()
}

fn line(reason: &Reason) -> String {
    match reason {
        Reason::Changed { path, old, new, source, .. } => {
            let place = source.as_ref().map(|source| format!("{source}  ")).unwrap_or_default();
            let words = match (old, new) {
                (None, new) => format!("runs without it, or with another value; the files say {}", shown(new.as_ref())),
                (old, None) => format!("runs as {}; the files do not have it", shown(old.as_ref())),
                (old, new) => format!("runs as {}; the files say {}", shown(old.as_ref()), shown(new.as_ref())),
            };
            format!("{place}{path}  {words}")
        }
        Reason::ImageMoved { reference, .. } => {
            format!("image  {reference} names another image now than the one that runs")
        }
        _ => "it is not as the files say".to_owned(),
    }
}

/// The differences over a fleet, instance by instance.
pub(crate) fn section(instances: &[InstancePlan], look: Look) -> String {
    let mut out = String::new();
    for instance in instances.iter().filter(|one| one.refused.is_none()) {
        for change in instance.changes.iter().filter(|change| change.action == Action::Adopt) {
            for line in lines(change) {
                out.push_str(&hang(&who(instance, change), &line, look.width));
            }
        }
    }
    out
}

fn who(instance: &InstancePlan, change: &Change) -> String {
    format!("  {:<10} {:<8} ", instance.instance.instance.as_str(), change.on.key)
}

/// Is it an instance that waits for the Swarm's stack whose place it takes?
pub(crate) fn waits(instance: &InstancePlan) -> bool {
    matches!(instance.refused, Some(Refusal::Stack { .. }))
}

/// What will be otherwise than a Swarm runs it now, service by service.
pub(crate) fn instead(instances: &[InstancePlan], look: Look) -> String {
    let mut out = String::new();
    for instance in instances.iter().filter(|one| waits(one)) {
        let made =
            |change: &&Change| change.on.kind == Kind::Service && matches!(change.action, Action::Create | Action::Run);
        for change in instance.changes.iter().filter(made) {
            let told: Vec<String> = change.reasons.iter().filter_map(will).collect();
            let told = if told.is_empty() { vec!["as it runs now".to_owned()] } else { told };
            for line in told {
                out.push_str(&hang(&who(instance, change), &line, look.width));
            }
        }
    }
    out
}

fn will(reason: &Reason) -> Option<String> {
    let Reason::Changed { path, old, new, .. } = reason else { return None };
    Some(match (old, new) {
        (None, new) => {
            format!("{path}  will be {}; it is not so now, or nobody may see what it is", shown(new.as_ref()))
        }
        (old, None) => format!("{path}  is {} now and will not be set", shown(old.as_ref())),
        (old, new) => format!("{path}  is {} now and will be {}", shown(old.as_ref()), shown(new.as_ref())),
    })
}

#[cfg(test)]
mod tests;
