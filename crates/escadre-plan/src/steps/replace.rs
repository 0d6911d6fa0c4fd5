//! Steps of a container that takes over from another one, or stops and starts again.
//!
//! In: a service's fate with the old container. Out: beside `Create → Start → Gate → Join → Attach → Switch ‖ Join → Drain → Stop → Remove`,
//! or stop-first `Create → Park → Stop → Attach → Start → Gate → Switch ‖ Remove`; `‖` is the commit point.
//! **Invariant:** before the commit point the old container is there, with its address; replicas go as many at once as the product says.
//! Not here: which manner it is (`diff`), callers that follow (`follow`).
//! Tests: `tests/it/updates.rs`.

use super::Builder;
use super::create::{Comes, New, nameless};
use crate::diff::{ServiceFate, adopt};
use crate::gone::is_up;
use crate::make::Shared;
use crate::order;
use crate::plan::Refusal;
use crate::step::{Act, PlannedGate, Succession, Undo};
use escadre_model::desired::NetworkMode;
use escadre_model::ids::ResourceId;
use escadre_model::observed::ContainerSeen;
use std::sync::Arc;

/// The longest wait for requests in flight to an old container, in milliseconds.
const DRAIN_MS: u64 = 30_000;
/// The longest wait for connections of the instance's other services to an old container, in milliseconds. Shorter: idle ones of connection pools look like
/// any other, and a server that is told to stop finishes what it has begun.
const INSIDE_MS: u64 = 10_000;

impl<'a> Builder<'_, 'a> {
    /// A new generation takes over.
    pub(super) fn replace(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        old: &ContainerSeen,
        generation: u64,
        beside: bool,
        shared: &mut Shared<'_>,
    ) -> Result<(), Refusal> {
        let comes = if beside { Comes::Beside } else { Comes::After(old) };
        let new = self.make(fate, replica, generation, comes, shared)?;
        let mut before = self.before_stop(fate);
        before.push(new.create);
        self.successions
            .entry(fate.key)
            .or_default()
            .push(Succession { former: old.name.clone(), current: new.name.clone() });
        let networks = nameless(&new.networks);
        let (id, name) = (new.id.clone(), new.name.clone());
        let hands_over = adopt::held_port(self.view, fate.key, old).is_some();
        let (start, ready) = if beside {
            self.take_over(fate, replica, new, before, hands_over.then_some(old))
        } else {
            let stopped = self.stop_old(fate, replica, old, before);
            let attach = self.attach(&new.id, new.lines, stopped.clone());
            let after = stopped.into_iter().chain(attach).collect();
            let start = self.push(new.id.clone(), Act::Start { name: new.name.clone() }, after, None, Undo::Reverse);
            let gate = self.gate(fate, &new.id, &new.name, start);
            let switch = self.serve(fate, replica, &new.id, new.backends, vec![gate]);
            (start, switch.unwrap_or(gate))
        };
        let ready = self.observe(fate, &id, &name, fate.service.rollout.monitor_ms, ready);
        let ready = self.pause(fate, replica, &id, &name, ready);
        self.mark(fate.key, start, ready);
        // The old one keeps its addresses, and loses the names it has there.
        let networks = networks.into_iter().map(|mut one| {
            one.address = old.addresses.get(&one.name).copied();
            one
        });
        self.retire(fate, old, beside && !hands_over, networks.collect());
        Ok(())
    }

    /// Beside the old one: it proves itself, then names and routes lead to it. Where the engine holds a port for the old one, that stops before
    /// the edge opens it.
    fn take_over(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        new: New,
        before: Vec<u32>,
        holder: Option<&ContainerSeen>,
    ) -> (u32, u32) {
        let start = self.push(new.id.clone(), Act::Start { name: new.name.clone() }, before, None, Undo::Reverse);
        let gate = self.gate(fate, &new.id, &new.name, start);
        let mut last = gate;
        if new.networks.iter().any(|one| !one.aliases.is_empty()) {
            let act = Act::Join { name: new.name.clone(), networks: new.networks };
            // Should the update go back, the candidate goes, and its names with it.
            last = self.push(new.id.clone(), act, vec![gate], None, Undo::Nothing);
        }
        let attach = self.attach(&new.id, new.lines, vec![last]).unwrap_or(last);
        let free = holder.map_or_else(|| vec![attach], |old| self.stop_old(fate, replica, old, vec![attach]));
        let switch = self.serve(fate, replica, &new.id, new.backends, free);
        (attach, switch.unwrap_or(attach))
    }

    /// The same container stops and starts again.
    pub(super) fn restart(&mut self, fate: &ServiceFate<'a>, replica: u32, there: &ContainerSeen) {
        let before = self.before_stop(fate);
        let after = self.stop_old(fate, replica, there, before);
        let start = self.push(there.id.clone(), Act::Start { name: there.name.clone() }, after, None, Undo::Reverse);
        let gate = self.gate(fate, &there.id, &there.name, start);
        let switch = self.serve_again(fate, replica, there, vec![gate]);
        self.mark(fate.key, start, switch.unwrap_or(gate));
    }

    /// What must have happened before anything of a service stops: all images are here, its dependencies are up, enough of its replicas before are ready
    /// (`deploy.update_config.parallelism`).
    pub(super) fn before_stop(&self, fate: &ServiceFate<'a>) -> Vec<u32> {
        let mut before: Vec<u32> = self.images.values().copied().collect();
        before.extend(self.dependencies(fate));
        let done = self.marks.get(fate.key.as_ref()).map(|marks| marks.ready.as_slice()).unwrap_or_default();
        if let Some(at_once) = usize::try_from(fate.service.rollout.parallelism).ok().filter(|count| *count > 0) {
            before.extend(done.len().checked_sub(at_once).and_then(|index| done.get(index)));
        }
        before
    }

    /// It must go on living for this long.
    fn observe(&mut self, fate: &ServiceFate<'a>, id: &ResourceId, name: &Arc<str>, for_ms: u64, after: u32) -> u32 {
        if for_ms == 0 || fate.service.job {
            return after;
        }
        let act = Act::Gate { name: name.clone(), gate: PlannedGate::Alive { for_ms } };
        self.push(id.clone(), act, vec![after], None, Undo::Nothing)
    }

    /// `deploy.update_config.delay`: the pause before the next replica, in which this one goes on living.
    fn pause(&mut self, fate: &ServiceFate<'a>, replica: u32, id: &ResourceId, name: &Arc<str>, after: u32) -> u32 {
        let last = fate.slots.last().is_some_and(|(last, _)| *last == replica);
        let pause = if last { 0 } else { fate.service.rollout.delay_ms };
        self.observe(fate, id, name, pause, after)
    }

    /// Requests wait, or go to the other replicas; then the old container stops.
    pub(super) fn stop_old(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        old: &ContainerSeen,
        before: Vec<u32>,
    ) -> Vec<u32> {
        self.live.unset(fate.key, replica);
        if !is_up(old) {
            return before;
        }
        let mut routes: Vec<Arc<str>> = self.live.of_service(fate.key).into_iter().map(|(key, _)| key).collect();
        // What the engine holds is not the edge's to keep waiting.
        routes.retain(|key| self.view.desired.routes.get(key).is_none_or(|route| adopt::held_by(old, route).is_none()));
        let mut after = before;
        if !routes.is_empty() {
            let quiet = if self.live.served(&routes) {
                self.switch(fate.key, &routes, after.clone())
            } else {
                after.extend(self.live.last(&routes));
                let act = Act::Park { routes: routes.clone() };
                let index = self.push(self.service(fate.key), act, after.clone(), None, Undo::Reverse);
                self.live.changed(&routes, index);
                Some(index)
            };
            after.extend(quiet);
        }
        let act = Act::Stop { name: old.name.clone(), grace_ms: fate.service.stop_grace_ms, forget: false };
        vec![self.push(old.id.clone(), act, after, None, Undo::Reverse)]
    }

    /// The old container goes, behind the commit point.
    fn retire(
        &mut self,
        fate: &ServiceFate<'a>,
        old: &ContainerSeen,
        beside: bool,
        networks: Vec<crate::step::PlacedNetwork>,
    ) {
        let mut chain = Vec::new();
        if beside {
            if !networks.is_empty() && self.is_depended_on(fate) {
                let act = Act::Join { name: old.name.clone(), networks };
                chain.push(self.doom(old.id.clone(), act));
            }
            let act = Act::Drain {
                backends: vec![old.id.clone()],
                deadline_ms: DRAIN_MS,
                name: old.name.clone(),
                inside_ms: if self.has_neighbours(fate) { INSIDE_MS } else { 0 },
            };
            chain.push(self.doom(old.id.clone(), act));
            let act = Act::Stop { name: old.name.clone(), grace_ms: fate.service.stop_grace_ms, forget: false };
            chain.push(self.doom(old.id.clone(), act));
        }
        let act = Act::Remove { name: old.name.clone(), engine: Some(old.engine.clone()), data: false };
        chain.push(self.doom(old.id.clone(), act));
        self.doomed.push(chain);
    }

    fn is_depended_on(&self, fate: &ServiceFate<'a>) -> bool {
        self.view.desired.services().any(|(_, _, other)| order::needs(other).any(|key| key == fate.key))
    }

    /// Another service shares a network with it: it may call it without saying so.
    fn has_neighbours(&self, fate: &ServiceFate<'a>) -> bool {
        let mine = |network: &str| fate.service.networks.iter().any(|one| one.network.as_ref() == network);
        let mut others = self.view.desired.services().filter(|(key, ..)| *key != fate.key);
        others.any(|(_, _, other)| {
            other.network_mode == NetworkMode::Own && other.networks.iter().any(|one| mine(&one.network))
        })
    }
}
