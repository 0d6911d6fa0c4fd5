//! Totals and identity of a plan.
//!
//! In: a plan. Out: the figures of its summary line, and its id.
//! **Invariant:** the id is the beginning of the hash of everything but the id.
//! Not here: sentences (`escadre`).
//! Tests: `tests/it`.

use crate::change::Action;
use crate::plan::{InstancePlan, Plan, Totals};
use escadre_model::hash::Hash;
use escadre_model::parallel::{self, Threads};
use std::sync::Arc;

impl Plan {
    /// The figures for a summary line. Only instances that go ahead count as changing.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { instances: self.instances.len(), ..Totals::default() };
        for instance in &self.instances {
            for change in &instance.changes {
                *totals.actions.entry(change.action.word().into()).or_default() += 1;
            }
            if instance.goes_ahead() {
                totals.changing += 1;
                totals.restarts += instance.changes.iter().map(|change| change.restarts as usize).sum::<usize>();
            }
        }
        totals
    }

    /// How many steps change the world.
    pub fn steps(&self) -> usize {
        self.instances.iter().map(|instance| instance.steps.len()).sum()
    }

    /// The id its content gives: six hexadecimal digits. A plan file whose id differs was edited.
    pub fn content_id(&self) -> Arc<str> {
        self.content_id_on(Threads::of_machine())
    }

    /// The same on so many threads. It is the hash of hashes, one for each instance, so that they can be made at the same time.
    pub(crate) fn content_id_on(&self, threads: Threads) -> Arc<str> {
        let Plan { schema, id: _, fleet, commit, dirty, target, instances, groups, outliers, waves, notes } = self;
        let instances = parallel::map(instances.iter().collect(), threads, |one: &InstancePlan| Hash::of_parts(one));
        let hash = Hash::of_parts(&(schema, fleet, commit, dirty, target, instances, groups, outliers, waves, notes));
        hash.as_str().get(..6).unwrap_or_default().into()
    }
}

impl InstancePlan {
    /// Does applying this plan do anything for the instance: steps, or things to be taken over?
    pub fn goes_ahead(&self) -> bool {
        self.refused.is_none()
            && (!self.steps.is_empty() || self.changes.iter().any(|change| change.action == Action::Adopt))
    }
}
