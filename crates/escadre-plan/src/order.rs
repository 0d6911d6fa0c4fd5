//! The order of services: what must be there first comes first.
//!
//! In: services with `depends_on` and shared networks. Out: their keys, dependencies before dependents, otherwise by name.
//! **Invariant:** every key exactly once, whatever the input; a cycle (refused long before) is broken by name rather than by a panic.
//! Not here: which step waits for which (`steps`).
//! Tests: `tests/it/plans.rs`.

use escadre_model::desired::{Desired, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The services that must be there before this one: `depends_on`, and those whose namespaces it shares.
pub(crate) fn needs(service: &Service) -> impl Iterator<Item = &Arc<str>> {
    service.after.iter().map(|after| &after.service).chain(service.lives_in())
}

/// All services of an instance, dependencies first; ties by name.
pub fn services(desired: &Desired) -> Vec<&Arc<str>> {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut dependents: BTreeMap<&str, Vec<&Arc<str>>> = BTreeMap::new();
    let mut ready: BTreeSet<&Arc<str>> = BTreeSet::new();
    let all: BTreeMap<&str, &Arc<str>> = desired.services().map(|(key, ..)| (key.as_ref(), key)).collect();
    for (key, _, service) in desired.services() {
        let known: BTreeSet<&str> = needs(service)
            .map(AsRef::as_ref)
            .filter(|other| *other != key.as_ref() && all.contains_key(other))
            .collect();
        for other in &known {
            dependents.entry(other).or_default().push(key);
        }
        if known.is_empty() {
            ready.insert(key);
        }
        waiting.insert(key, known.len());
    }
    let mut order = Vec::with_capacity(all.len());
    let mut left: BTreeSet<&Arc<str>> = all.values().copied().collect();
    while let Some(next) = ready.pop_first().or_else(|| left.first().copied()) {
        if !left.remove(next) {
            continue;
        }
        order.push(next);
        for dependent in dependents.remove(next.as_ref()).unwrap_or_default() {
            if let Some(count) = waiting.get_mut(dependent.as_ref()) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.insert(dependent);
                }
            }
        }
    }
    order
}
