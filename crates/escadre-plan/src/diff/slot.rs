//! One container's place: what becomes of the container that is there, or is not.
//!
//! In: a service's replica as wanted, as seen and as recorded. Out: its `Fate`, and why.
//! **Invariant:** equal spec, equal image, running: `Keep`.
//! Not here: callers that may have to follow (`follow`), the change people read (`diff`).
//! Tests: `tests/it`.

use super::{Fate, NetworkFate, View, adopt, beside, resource_key, resources, same_image};
use crate::change::Reason;
use crate::names;
use crate::reasons::{self, Verdict};
use escadre_model::desired::{NetworkMode, Resource, Service};
use escadre_model::ids::ResourceKey;
use escadre_model::observed::{ContainerSeen, Phase};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One container's place, and what it is compared with.
pub(super) struct Slot<'s, 'a> {
    pub(super) view: &'s View<'a>,
    pub(super) key: &'a Arc<str>,
    pub(super) resource: &'a Resource,
    pub(super) service: &'a Service,
    pub(super) replica: u32,
    pub(super) restarted: &'s BTreeSet<&'a str>,
    pub(super) moved: &'s BTreeMap<ResourceKey, Vec<Reason>>,
    pub(super) networks: &'s BTreeMap<Arc<str>, NetworkFate>,
}

impl<'a> Slot<'_, 'a> {
    fn next(&self) -> u64 {
        self.view.next_generation(self.key, self.replica)
    }

    /// Networks of the service that are made anew.
    pub(super) fn renewed(&self) -> impl Iterator<Item = &NetworkFate> {
        let mine = self.service.networks.iter().filter_map(|one| self.networks.get(&one.network));
        mine.filter(|one| one.ensure && !one.external)
    }

    /// Why the container cannot stay as it is.
    fn unfit(&self, there: &ContainerSeen) -> Vec<Reason> {
        let record = &self.view.seen.record;
        let mut why = match reasons::compare(record, &resource_key(self.key), self.resource, there.spec.as_ref()) {
            Verdict::Same | Verdict::CannotTell => Vec::new(),
            Verdict::Differs(why) => why,
        };
        if let Some(id) = self.view.wanted_image(&self.service.image)
            && !same_image(&there.image, &id)
            // Another reference is told by the field already.
            && !why.iter().any(|one| matches!(one, Reason::Changed { path, .. } if path.as_ref() == "image"))
        {
            why.push(reasons::moved(&self.service.image, &there.image, &id));
        }
        let recorded = record.receipts.iter().find_map(|receipt| receipt.fields.get(&there.engine));
        if let (Some(was), Some(is)) = (recorded, &there.fields)
            && was != is
        {
            why.push(Reason::Drift { what: self.by_hand(there).into() });
        }
        if why.is_empty() {
            why.extend(self.service.files.iter().filter_map(|file| self.moved.get(file)).flatten().cloned());
        }
        for network in self.renewed() {
            why.push(Reason::DependencyReplaced { service: format!("network {}", network.name).into() });
        }
        for other in self.service.lives_in().filter(|other| self.restarted.contains(other.as_ref())) {
            let reason = Reason::DependencyReplaced { service: other.clone() };
            if !why.contains(&reason) {
                why.push(reason);
            }
        }
        why
    }

    /// In what a container is not as it was made, as far as the list of containers tells.
    fn by_hand(&self, there: &ContainerSeen) -> String {
        let made = names::container(
            &self.view.desired.instance,
            self.key,
            self.replica,
            there.id.generation.unwrap_or_default(),
        );
        let mut told = Vec::new();
        if there.compose.is_none() && there.name != made {
            told.push(format!("it is called {} now", there.name));
        }
        // One that does not run has no addresses, one that lives in another's network has that one's, and engines list some networks without: only what
        // is there proves anything.
        if there.phase == Phase::Running && self.service.network_mode == NetworkMode::Own {
            let of = |key: &Arc<str>| self.networks.get(key).map(|network| &network.name);
            let own: BTreeSet<&Arc<str>> = self.service.networks.iter().filter_map(|one| of(&one.network)).collect();
            let has: BTreeSet<&Arc<str>> = there.addresses.keys().collect();
            told.extend(has.difference(&own).map(|name| format!("it is on network {name}, too")));
        }
        match told.is_empty() {
            true => "its networks or its image are not those it was made with".to_owned(),
            false => told.join("; "),
        }
    }

    pub(super) fn fate(&self, best: Option<&'a ContainerSeen>) -> (Fate<'a>, Vec<Reason>) {
        let Some(there) = best else { return (Fate::Create(self.next()), Vec::new()) };
        if let (Some(made), false) = (&there.compose, there.known) {
            return (Fate::Adopt(there), adopt::differences(self.resource, made));
        }
        let mut why = self.unfit(there);
        if !there.known {
            return (Fate::Adopt(there), why);
        }
        if !why.is_empty() {
            let running = there.phase == Phase::Running;
            let beside = running && beside(self.view, self.service);
            return (Fate::Replace { old: there, generation: self.next(), beside }, why);
        }
        let phase: Arc<str> = match &there.phase {
            Phase::Running => return self.dependencies(there),
            Phase::Created => "made, never started".into(),
            Phase::Paused => "paused".into(),
            Phase::Restarting => "restarting".into(),
            Phase::Exited(code) => format!("exited with code {code}").into(),
            Phase::Unknown => "in no known state".into(),
        };
        why.push(Reason::NotRunning { phase });
        let fate = match there.phase {
            Phase::Unknown => Fate::Replace { old: there, generation: self.next(), beside: false },
            Phase::Paused | Phase::Restarting => Fate::Restart(there),
            // Without a known address its routes could not lead to it.
            _ if !resources::reachable(self.view, self.key, self.service, there) => {
                Fate::Replace { old: there, generation: self.next(), beside: false }
            }
            _ => Fate::Start(there),
        };
        (fate, why)
    }

    /// A container that is as it shall be starts again if it asked to.
    fn dependencies(&self, there: &'a ContainerSeen) -> (Fate<'a>, Vec<Reason>) {
        let asked =
            self.service.after.iter().filter(|after| after.restart && self.restarted.contains(after.service.as_ref()));
        let why: Vec<Reason> =
            asked.map(|after| Reason::DependencyReplaced { service: after.service.clone() }).collect();
        let fate = match why.is_empty() {
            true => Fate::Keep(there),
            // Another start may give it another address, which nobody here would know.
            false if there.compose.is_some() => {
                Fate::Replace { old: there, generation: self.next(), beside: beside(self.view, self.service) }
            }
            false => Fate::Restart(there),
        };
        (fate, why)
    }

    /// A one-shot runs once per spec and image; the receipt or the exited container proves that it did.
    /// Where a volume is made anew (`fresh`), what ran before it proves nothing: its work went with the data.
    pub(super) fn job(&self, best: Option<&'a ContainerSeen>, fresh: bool) -> (Fate<'a>, Vec<Reason>) {
        let record = &self.view.seen.record;
        let image = self.view.wanted_image(&self.service.image);
        let same = |it: &str| image.as_ref().is_none_or(|id| same_image(id, it));
        let mut evidence = record.jobs.get(self.key).into_iter().flatten();
        let on_record = evidence.any(|one| one.spec == self.resource.spec && same(&one.image));
        let fits = |one: &&ContainerSeen| one.spec.as_ref() == Some(&self.resource.spec) && same(&one.image);
        let ended = best.filter(fits).is_some_and(|one| one.phase == Phase::Exited(0));
        if (!fresh && (on_record || ended)) || self.view.back().is_some() {
            return (Fate::Done, Vec::new());
        }
        match best {
            Some(there) if there.compose.is_some() && !there.known => {
                let differs = there.compose.as_deref().map(|made| adopt::differences(self.resource, made));
                return (Fate::Adopt(there), differs.unwrap_or_default());
            }
            None if adopt::vouched(self.view, self.key) => return (Fate::Vouched, Vec::new()),
            _ => {}
        }
        let cannot = best.is_some_and(|one| {
            matches!(
                reasons::compare(record, &resource_key(self.key), self.resource, one.spec.as_ref()),
                Verdict::CannotTell
            )
        });
        if cannot {
            return (Fate::Done, Vec::new());
        }
        let existing =
            best.filter(fits).filter(|one| one.known && matches!(one.phase, Phase::Created | Phase::Running));
        let why = best.map(|one| self.unfit(one)).unwrap_or_default();
        (Fate::Run { existing, generation: self.next() }, why)
    }
}
