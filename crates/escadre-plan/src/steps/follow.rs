//! Steps of a service that is replaced only if it goes on calling the former containers of services it depends on.
//!
//! In: its fate, and who took over from whom before. Out: one `Follow`, and the steps of a replacement or a restart under its condition.
//! **Invariant:** nothing of the service is touched before `Follow` has answered; all its replicas go by one answer.
//! Not here: who may have to follow (`diff::follow`), watching (`escadre-drivers`).
//! Tests: `tests/it/follow.rs`.

use super::Builder;
use crate::diff::{Fate, ServiceFate, adopt};
use crate::make::Shared;
use crate::plan::Refusal;
use crate::step::{Act, Succession, Undo, Watch};
use escadre_model::desired::Gate;
use escadre_model::observed::ContainerSeen;
use std::sync::Arc;

impl<'a> Builder<'_, 'a> {
    /// One replica of a service that may follow.
    pub(super) fn follow(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        old: &ContainerSeen,
        generation: u64,
        beside: bool,
        shared: &mut Shared<'_>,
    ) -> Result<(), Refusal> {
        let follow = match self.follows.get(fate.key.as_ref()) {
            Some(follow) => *follow,
            None => {
                let follow = self.watch(fate, beside);
                self.follows.insert(fate.key, follow);
                follow
            }
        };
        self.when = vec![follow];
        let done = if beside {
            self.replace(fate, replica, old, generation, true, shared)
        } else {
            self.restart(fate, replica, old);
            Ok(())
        };
        self.when = Vec::new();
        done
    }

    fn watch(&mut self, fate: &ServiceFate<'a>, beside: bool) -> u32 {
        let (mut after, mut successions, mut when) = (Vec::new(), Vec::<Succession>::new(), Some(Vec::new()));
        for callee in &fate.callees {
            after.extend(self.marks.get(callee.as_ref()).map(|marks| marks.ready.as_slice()).unwrap_or_default());
            successions.extend(self.successions.get(callee.as_ref()).into_iter().flatten().cloned());
            // Whoever waits only for others that may follow need not look when none of them does.
            when = match (when, self.follows.get(callee.as_ref())) {
                (Some(mut when), Some(other)) => {
                    when.push(*other);
                    Some(when)
                }
                _ => None,
            };
        }
        // A route whose settings changed is switched in any case.
        let changed: Vec<Arc<str>> = self.live.of_service(fate.key).into_iter().map(|(key, _)| key).collect();
        let changed: Vec<Arc<str>> = changed.into_iter().filter(|key| self.switched.contains(key)).collect();
        after.extend(self.switch(fate.key, &changed, Vec::new()));
        let callers = fate.slots.iter().filter_map(|(_, slot)| match slot {
            Fate::Follow { old, .. } => Some(old.name.clone()),
            _ => None,
        });
        // Where the engine holds a port for it, replacing it costs a gap: that is done only for one that is seen to need it.
        let holds = fate.slots.iter().any(|(_, slot)| match slot {
            Fate::Follow { old, .. } => adopt::held_port(self.view, fate.key, old).is_some(),
            _ => false,
        });
        let unseen = beside && !holds;
        let watch = Watch { callers: callers.collect(), successions, unseen, check_ms: self.check_ms(fate) };
        self.when = when.unwrap_or_default();
        let follow = self.push(self.service(fate.key), Act::Follow(watch), after, None, Undo::Nothing);
        self.when = Vec::new();
        follow
    }

    /// Milliseconds between the service's own health checks: one of them may well be a call to the other service.
    fn check_ms(&self, fate: &ServiceFate<'a>) -> u64 {
        match &fate.service.gate {
            Gate::Check(check) => check.interval_ms,
            Gate::Unstated { disabled: false, times, .. } => {
                let own = self.view.image(&fate.service.image).and_then(|image| image.health.as_ref());
                own.map_or(0, |check| times.as_ref().map_or(check.interval_ms, |times| times.interval_ms))
            }
            Gate::Unstated { .. } | Gate::ExitZero => 0,
        }
    }
}
