//! Equal changes of many instances, told once; outliers apart.
//!
//! In: the plans of all instances. Out: groups, outliers, waves.
//! **Invariant:** instances are in one group only if their actions, paths, texts before interpolation and the places of these are the same; names, addresses and values that
//! were interpolated do not matter. The same instances give the same groups in any order.
//! Not here: how a group reads (`escadre`).
//! Tests: `tests/it/groups.rs`.

use crate::change::{Action, Change, Reason};
use crate::plan::{Group, InstancePlan};
use escadre_model::desired::Shown;
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::source::Source;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What makes two reasons equal.
#[derive(Serialize)]
enum Class<'a> {
    Changed { path: &'a str, text: Option<&'a str>, secret: bool, goes: bool, source: &'a Option<Source> },
    ImageMoved { reference: &'a str, new: &'a str },
    SecretChanged { name: &'a str },
    Missing,
    NotRunning,
    DependencyReplaced { service: &'a str },
    Drift,
    Retry,
    Rollback,
    Removed,
}

fn class(reason: &Reason) -> Class<'_> {
    match reason {
        Reason::Changed { path, new, source, raw, .. } => {
            let literal = match new {
                Some(Shown::Plain(text)) => Some(text.as_ref()),
                _ => None,
            };
            Class::Changed {
                path,
                text: raw.as_deref().or(literal),
                secret: matches!(new, Some(Shown::Secret(_) | Shown::Unknown)),
                goes: new.is_none(),
                source,
            }
        }
        Reason::ImageMoved { reference, new, .. } => Class::ImageMoved { reference, new },
        Reason::SecretChanged { name, .. } => Class::SecretChanged { name },
        Reason::Missing => Class::Missing,
        Reason::NotRunning { .. } => Class::NotRunning,
        Reason::DependencyReplaced { service } => Class::DependencyReplaced { service },
        Reason::Drift { .. } => Class::Drift,
        Reason::Retry { .. } => Class::Retry,
        Reason::Rollback { .. } => Class::Rollback,
        Reason::Removed => Class::Removed,
    }
}

/// The hash of what makes an instance's changes equal to another's; `Keep` does not count, also where a service may have to follow another one: what is
/// known of its program may differ from instance to instance.
pub fn class_of(changes: &[Change]) -> Hash {
    let parts: Vec<_> = changes
        .iter()
        .filter(|change| change.action != Action::Keep)
        .map(|change| {
            // That one of them was tried before makes its change no other change, nor does what runs when it is taken over.
            let counts = |reason: &&Reason| change.action != Action::Adopt && !matches!(reason, Reason::Retry { .. });
            let reasons = change.reasons.iter().filter(counts);
            (&change.on, change.action, reasons.map(class).collect::<Vec<_>>())
        })
        .collect();
    Hash::of_parts(&parts)
}

/// Groups, outliers and waves over the instances that go ahead; each grouped instance is told its group's key.
pub(crate) fn make(instances: &mut [InstancePlan]) -> (Vec<Group>, Vec<InstanceId>, Vec<Vec<InstanceId>>) {
    let mut classes: BTreeMap<Hash, Vec<usize>> = BTreeMap::new();
    for (index, instance) in instances.iter().enumerate() {
        if instance.goes_ahead() {
            classes.entry(class_of(&instance.changes)).or_default().push(index);
        }
    }
    let mut sorted: Vec<(Hash, Vec<usize>)> = classes.into_iter().collect();
    // Largest first; the first instance's place decides between equals, so that names and not hashes give the order.
    sorted.sort_by_key(|(_, members)| (usize::MAX - members.len(), members.first().copied()));
    let many = sorted.first().is_some_and(|(_, members)| members.len() > 1);
    let (mut groups, mut outliers) = (Vec::new(), Vec::new());
    for (class, members) in sorted {
        let ids: Vec<InstanceId> =
            members.iter().filter_map(|index| instances.get(*index)).map(|one| one.instance.clone()).collect();
        if many && ids.len() == 1 {
            outliers.extend(ids);
            continue;
        }
        let key = letters(groups.len());
        let mut changes = Vec::new();
        for (place, index) in members.iter().enumerate() {
            if let Some(one) = instances.get_mut(*index) {
                one.group = Some(key.clone());
                if place == 0 {
                    changes = one.changes.iter().filter(|change| !change.is_quiet()).cloned().collect();
                }
            }
        }
        groups.push(Group { key, changes, instances: ids, class });
    }
    outliers.sort_unstable();
    let wave: Vec<InstanceId> =
        instances.iter().filter(|one| one.goes_ahead()).map(|one| one.instance.clone()).collect();
    (groups, outliers, if wave.is_empty() { Vec::new() } else { vec![wave] })
}

/// `A`, `B`, … `Z`, `AA`, …
fn letters(mut index: usize) -> Arc<str> {
    let mut text = Vec::new();
    loop {
        text.push(b'A' + u8::try_from(index % 26).unwrap_or(0));
        if index < 26 {
            break;
        }
        index = index / 26 - 1;
    }
    text.iter().rev().map(|byte| char::from(*byte)).collect::<String>().into()
}
