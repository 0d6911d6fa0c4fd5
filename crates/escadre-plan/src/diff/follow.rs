//! Callers of services that are replaced beside themselves: many programs resolve a name once and go on calling the former address.
//!
//! In: a service that would stay, and the fates of those it depends on. Out: it stays, is replaced as well, or follows if it is seen to call the former ones.
//! **Invariant:** a caller that is known to look names up again stays untouched; one that is known not to is replaced outright, so that the plan says it.
//! Not here: watching (`escadre-drivers`), the steps (`steps::follow`).
//! Tests: `tests/it/follow.rs`.

use super::{Fate, ServiceFate, View, beside, same_image};
use crate::change::Reason;
use escadre_model::desired::{NetworkMode, Service};
use escadre_model::observed::{ContainerSeen, Lookup};

/// Decides for a service that would stay as it is; its dependencies have been decided before. The reasons are those of a replacement that is sure.
pub(super) fn decide<'a>(view: &View<'a>, before: &[ServiceFate<'a>], fate: &mut ServiceFate<'a>) -> Vec<Reason> {
    let stays = fate.slots.iter().all(|(_, slot)| matches!(slot, Fate::Keep(_)));
    if !stays || fate.service.job || fate.service.network_mode != NetworkMode::Own || is_shared(view, fate.key) {
        return Vec::new();
    }
    let callees: Vec<&ServiceFate<'a>> = before.iter().filter(|other| other.moves() && calls(fate, other)).collect();
    if callees.is_empty() {
        return Vec::new();
    }
    let beside = beside(view, fate.service);
    if !beside && !is_called_by_nobody(view, fate) {
        return Vec::new();
    }
    let sure = callees.iter().any(|other| other.slots.iter().any(|(_, slot)| matches!(slot, Fate::Replace { .. })));
    match (lookup(view, fate), sure) {
        (Some(Lookup::Again), _) => Vec::new(),
        (Some(Lookup::Once), true) => {
            let why = callees.iter().map(|other| Reason::DependencyReplaced { service: other.key.clone() }).collect();
            let next = |replica| view.next_generation(fate.key, replica);
            for (replica, slot) in &mut fate.slots {
                if let Fate::Keep(there) = *slot {
                    *slot = match beside {
                        true => Fate::Replace { old: there, generation: next(*replica), beside },
                        false => Fate::Restart(there),
                    };
                }
            }
            why
        }
        (Some(Lookup::Once) | None, _) => {
            fate.callees = callees.iter().map(|other| other.key.clone()).collect();
            for (replica, slot) in &mut fate.slots {
                if let Fate::Keep(old) = *slot {
                    *slot = Fate::Follow { old, generation: view.next_generation(fate.key, *replica), beside };
                }
            }
            Vec::new()
        }
    }
}

/// Does it depend on the other one, and could it reach it?
fn calls(fate: &ServiceFate<'_>, other: &ServiceFate<'_>) -> bool {
    let shares = |one: &Service, two: &Service| {
        one.networks.iter().any(|mine| two.networks.iter().any(|its| its.network == mine.network))
    };
    fate.service.after.iter().any(|after| after.service == *other.key) && shares(fate.service, other.service)
}

/// Another service lives in its network, or another namespace of it: what happens to it happens to the other one too.
fn is_shared(view: &View<'_>, key: &str) -> bool {
    let mut all = view.desired.services();
    all.any(|(_, _, other)| other.lives_in().any(|it| it.as_ref() == key))
}

/// No route leads to it and nobody depends on it: it may stop for a moment.
fn is_called_by_nobody(view: &View<'_>, fate: &ServiceFate<'_>) -> bool {
    let routed = view.desired.routes.values().any(|route| super::resources::end(route).0 == fate.key);
    let mut others = view.desired.services();
    let writes = fate.service.volumes.values().any(|writes| *writes);
    !routed && !writes && !others.any(|(_, _, other)| other.after.iter().any(|after| after.service == *fate.key))
}

/// What is known of its program.
fn lookup(view: &View<'_>, fate: &ServiceFate<'_>) -> Option<Lookup> {
    let known = view.seen.record.calls.get(fate.key)?;
    let runs = |there: &ContainerSeen| same_image(&there.image, &known.image);
    let fits = fate.slots.iter().all(|(_, slot)| matches!(slot, Fate::Keep(there) if runs(there)));
    fits.then_some(known.lookup)
}
