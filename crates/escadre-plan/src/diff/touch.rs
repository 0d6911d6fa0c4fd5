//! Services that are stopped or started as they are.
//!
//! In: a view whose Desired is what runs, and which services are meant. Out: a `Diff` of starts, restarts and stops.
//! **Invariant:** nothing is made, replaced or removed; what is not meant and runs stays as it is.
//! Not here: instances whose file says `stopped` (`gone`).
//! Tests: `tests/it/touch.rs`.

use super::{Diff, Fate, NetworkFate, ServiceFate, View, service_change};
use crate::gone::is_up;
use crate::make::How;
use crate::order;
use escadre_model::desired::Body;
use escadre_model::observed::{ContainerSeen, Phase};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Compares an instance of which services are touched.
pub(crate) fn touched<'a>(view: View<'a>, how: How, meant: &BTreeSet<Arc<str>>) -> Diff<'a> {
    let mut diff = Diff::default();
    networks(&view, &mut diff);
    for key in order::services(view.desired) {
        let Some((resource, service)) = view.desired.service(key) else { continue };
        let is_meant = meant.is_empty() || meant.contains(key);
        if service.job {
            if is_meant && !meant.is_empty() {
                diff.notes.push(view.note("W0312", format!("{key} is a one-shot: it runs when an update asks for it")));
            }
            continue;
        }
        let mut slots = Vec::new();
        for replica in 1..=service.replicas {
            let mine = view
                .seen
                .containers
                .iter()
                .filter(|one| one.known && one.id.resource.key == *key && one.id.replica.unwrap_or(1) == replica);
            let newest = mine.max_by_key(|one| (is_up(one), one.id.generation));
            if let Some(there) = newest {
                slots.extend(fate(there, how, is_meant).map(|fate| (replica, fate)));
            } else if is_meant {
                diff.notes.push(view.note("W0312", format!("{key} has no container here to be started or stopped")));
            }
        }
        let fate = ServiceFate { key, resource, service, slots, callees: Vec::new() };
        service_change(&view, &mut diff, &fate, Vec::new());
        diff.services.push(fate);
    }
    diff
}

fn fate(there: &ContainerSeen, how: How, is_meant: bool) -> Option<Fate<'_>> {
    match (how, &there.phase) {
        (_, Phase::Running) if !is_meant => Some(Fate::Keep(there)),
        _ if !is_meant => None,
        (How::Stop, _) => is_up(there).then_some(Fate::Stop(there)),
        (How::Start, Phase::Running) => Some(Fate::Keep(there)),
        (How::Start | How::Restart, _) if is_up(there) => Some(Fate::Restart(there)),
        (How::Start | How::Restart, _) => Some(Fate::Start(there)),
    }
}

/// Networks as they are.
fn networks<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    for (key, resource) in &view.desired.resources {
        let Body::Network(network) = &resource.body else { continue };
        let there = view.seen.networks.iter().find(|seen| seen.key.key == key.key);
        let name = there.map_or_else(|| network.name.clone(), |seen| seen.name.clone());
        let subnet = there.and_then(|seen| seen.subnets.first().cloned()).or_else(|| network.subnet.clone());
        let fate = NetworkFate { name, ensure: false, external: network.external, subnet };
        diff.networks.insert(key.key.clone(), fate);
    }
}
