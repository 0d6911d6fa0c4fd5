//! Steps of a container that takes over from another one, or stops and starts again.
//!
//! In: a service's fate with the old container. Out: stop-first `Create → Park → Stop → Attach → Start → Gate → Switch ‖ Remove`,
//! or beside `Create → Start → Gate → Attach → Switch ‖ Drain → Stop → Remove`; `‖` is the commit point.
//! **Invariant:** before the commit point the old container is there, with its address; replicas go one by one.
//! Not here: which manner it is (`diff`).
//! Tests: `tests/it/updates.rs`.

use super::{Builder, Doomed};
use crate::diff::ServiceFate;
use crate::gone::is_up;
use crate::make::Shared;
use crate::plan::Refusal;
use crate::step::{Act, Undo};
use escadre_model::observed::ContainerSeen;
use std::sync::Arc;

/// The longest wait for requests in flight to an old container, in milliseconds.
const DRAIN_MS: u64 = 30_000;

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
        let new = self.make(fate, replica, generation, shared)?;
        let mut before = self.before_stop(fate);
        before.push(new.create);
        let routes: Vec<Arc<str>> = new.backends.iter().map(|(key, _)| key.clone()).collect();
        let (start, ready) = if beside {
            let start = self.push(new.id.clone(), Act::Start { name: new.name.clone() }, before, None, Undo::Reverse);
            let gate = self.gate(fate, &new.id, &new.name, start);
            let attach = self.attach(&new.id, new.lines, vec![gate]).unwrap_or(gate);
            let switch = self.serve(fate, replica, &new.id, new.backends, vec![attach]);
            (attach, switch.unwrap_or(attach))
        } else {
            let stopped = self.stop_old(fate, replica, old, before);
            let attach = self.attach(&new.id, new.lines, stopped.clone());
            let after = stopped.into_iter().chain(attach).collect();
            let start = self.push(new.id.clone(), Act::Start { name: new.name.clone() }, after, None, Undo::Reverse);
            let gate = self.gate(fate, &new.id, &new.name, start);
            let switch = self.serve(fate, replica, &new.id, new.backends, vec![gate]);
            (start, switch.unwrap_or(gate))
        };
        self.mark(fate.key, start, ready);
        self.retire(fate, old, beside, !routes.is_empty());
        Ok(())
    }

    /// The same container stops and starts again.
    pub(super) fn restart(&mut self, fate: &ServiceFate<'a>, replica: u32, there: &ContainerSeen) {
        let before = self.before_stop(fate);
        let backends = self.seen_backends(fate, there);
        let after = self.stop_old(fate, replica, there, before);
        let start = self.push(there.id.clone(), Act::Start { name: there.name.clone() }, after, None, Undo::Reverse);
        let gate = self.gate(fate, &there.id, &there.name, start);
        let switch = self.serve(fate, replica, &there.id, backends, vec![gate]);
        self.mark(fate.key, start, switch.unwrap_or(gate));
    }

    /// What must have happened before anything of a service stops: all images are here, its dependencies are up, its replica before is ready.
    pub(super) fn before_stop(&self, fate: &ServiceFate<'a>) -> Vec<u32> {
        let mut before: Vec<u32> = self.images.values().copied().collect();
        before.extend(self.dependencies(fate));
        before.extend(self.marks.get(fate.key.as_ref()).and_then(|marks| marks.ready.last()));
        before
    }

    /// Requests wait, or go to the other replicas; then the old container stops.
    fn stop_old(&mut self, fate: &ServiceFate<'a>, replica: u32, old: &ContainerSeen, before: Vec<u32>) -> Vec<u32> {
        self.live.unset(fate.key, replica);
        if !is_up(old) {
            return before;
        }
        let routes: Vec<Arc<str>> = self.live.of_service(fate.key).into_iter().map(|(key, _)| key).collect();
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
    fn retire(&mut self, fate: &ServiceFate<'a>, old: &ContainerSeen, beside: bool, routed: bool) {
        let mut chain = Vec::new();
        if beside {
            if routed {
                let act = Act::Drain { backends: vec![old.id.clone()], deadline_ms: DRAIN_MS };
                chain.push(Doomed { on: old.id.clone(), act });
            }
            let act = Act::Stop { name: old.name.clone(), grace_ms: fate.service.stop_grace_ms, forget: false };
            chain.push(Doomed { on: old.id.clone(), act });
        }
        let act = Act::Remove { name: old.name.clone(), engine: Some(old.engine.clone()), data: false };
        chain.push(Doomed { on: old.id.clone(), act });
        self.doomed.push(chain);
    }
}
