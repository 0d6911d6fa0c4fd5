//! Steps of what stops and goes.
//!
//! In: containers, networks, files, volumes and routes that are no longer wanted. Out: `Unroute`, `Stop` before the commit point, `Remove` behind it.
//! **Invariant:** only what the changes name; dependents stop before what they depend on; a volume only if `--destroy` named it.
//! Not here: which of them go (`diff`, `gone`).
//! Tests: `tests/it/gone.rs`.

use super::{Builder, network, routes};
use crate::diff::{Diff, Fate, View};
use crate::gone::is_up;
use crate::make::Shared;
use crate::step::{Act, RouteTarget, Step, Undo};
use crate::{names, order};
use escadre_model::desired::{Desired, Route};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::ContainerSeen;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a container may take to stop when no file says so any more, in milliseconds: Compose's default.
const GRACE_MS: u64 = 10_000;

impl<'v, 'a> Builder<'v, 'a> {
    pub(super) fn bare(view: &'v View<'a>) -> Self {
        Self {
            view,
            steps: Vec::new(),
            images: BTreeMap::new(),
            things: BTreeMap::new(),
            volumes: BTreeMap::new(),
            current: BTreeMap::new(),
            marks: BTreeMap::new(),
            net: network::Plan::default(),
            live: routes::Live::default(),
            when: Vec::new(),
            follows: BTreeMap::new(),
            switched: BTreeSet::new(),
            successions: BTreeMap::new(),
            doomed: Vec::new(),
            late: Vec::new(),
        }
    }

    /// Routes go, containers stop; they are removed behind the commit point.
    pub(super) fn stop_gone(&mut self, diff: &Diff<'a>) {
        let proofs = self.steps.iter().filter(|step| {
            matches!(step.act, Act::EnsureImage { .. } | Act::Gate { .. } | Act::Run { .. } | Act::Switch { .. })
        });
        let mut before: Vec<u32> = proofs.map(|step| step.index).collect();
        before.extend(self.unroute(&diff.gone_routes, before.clone()));
        let view = self.view;
        let kept = |one: &ContainerSeen| {
            view.desired
                .service(&one.id.resource.key)
                .is_some_and(|(_, service)| one.id.replica.unwrap_or(1) <= service.replicas.max(1))
        };
        self.stop_all(&diff.gone, before, &kept);
        for one in &diff.gone {
            let act = Act::Remove { name: one.name.clone(), engine: Some(one.engine.clone()), data: false };
            self.doomed.push(vec![self.doom(one.id.clone(), act)]);
        }
    }

    /// Routes that are wanted stay and lead to nobody, so that whoever asks is told; the others go.
    fn lead_nowhere(&mut self, shared: &Shared<'_>) -> Vec<u32> {
        let view = self.view;
        let (stay, go): (Vec<_>, Vec<_>) =
            view.seen.routes.iter().partition(|(key, _)| view.desired.routes.contains_key(*key));
        let gone: Vec<Arc<str>> = go.into_iter().map(|(key, _)| key.clone()).collect();
        let mut done: Vec<u32> = self.unroute(&gone, Vec::new()).into_iter().collect();
        let mut targets: BTreeMap<&Arc<str>, BTreeMap<Arc<str>, RouteTarget>> = BTreeMap::new();
        for (key, seen) in stay {
            let Some(route) = view.desired.routes.get(key).filter(|_| !seen.backends.is_empty() || seen.parked) else {
                continue;
            };
            let published = match route {
                Route::Tcp(tcp) if tcp.published == 0 => {
                    shared.fleet.any.get(&(view.desired.instance.clone(), key.clone())).copied()
                }
                Route::Tcp(_) | Route::Http(_) => None,
            };
            let target =
                RouteTarget { spec: names::route_spec(route), backends: Vec::new(), published, starting: false };
            targets.entry(crate::diff::resources::end(route).0).or_default().insert(key.clone(), target);
        }
        for (service, routes) in targets {
            done.push(self.push(self.service(service), Act::Switch { routes }, Vec::new(), None, Undo::Reverse));
        }
        done
    }

    fn unroute(&mut self, routes: &[Arc<str>], after: Vec<u32>) -> Option<u32> {
        let first = routes.first()?;
        let on = self.resource(ResourceKey::new(Kind::Route, first.clone()));
        Some(self.push(on, Act::Unroute { routes: routes.to_vec() }, after, None, Undo::Reverse))
    }

    /// Stops what is up, dependents first; `keep` says whose names stay in the hosts files.
    fn stop_all(&mut self, containers: &[&'a ContainerSeen], before: Vec<u32>, keep: &dyn Fn(&ContainerSeen) -> bool) {
        let former: &Desired = match self.view.base {
            Some(base) => &base.desired,
            None => self.view.desired,
        };
        let rank: BTreeMap<&str, usize> =
            order::services(former).into_iter().enumerate().map(|(place, key)| (key.as_ref(), place)).collect();
        let mut sorted: Vec<&ContainerSeen> = containers.iter().copied().filter(|one| is_up(one)).collect();
        sorted.sort_by_key(|one| {
            (std::cmp::Reverse(rank.get(one.id.resource.key.as_ref()).copied()), one.id.clone(), one.engine.clone())
        });
        let mut stops: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for one in sorted {
            let key = one.id.resource.key.as_ref();
            let mut after = before.clone();
            // Whoever depends on it has stopped.
            for (dependent, _, service) in former.services() {
                if order::needs(service).any(|other| other.as_ref() == key) {
                    after.extend(stops.get(dependent.as_ref()).into_iter().flatten());
                }
            }
            let grace_ms = former.service(key).map_or(GRACE_MS, |(_, service)| service.stop_grace_ms);
            let act = Act::Stop { name: one.name.clone(), grace_ms, forget: !keep(one) };
            let index = self.push(one.id.clone(), act, after, None, Undo::Reverse);
            stops.entry(key).or_default().push(index);
        }
    }

    /// Services that stop and are kept, those that depend on others first; their routes lead to nobody and say so.
    pub(super) fn stop_touched(&mut self, diff: &Diff<'a>) {
        let mut last: Vec<u32> = Vec::new();
        for fate in diff.services.iter().rev() {
            for (replica, slot) in &fate.slots {
                let Fate::Stop(there) = slot else { continue };
                self.live.unset(fate.key, *replica);
                let routes: Vec<Arc<str>> = self.live.of_service(fate.key).into_iter().map(|(key, _)| key).collect();
                let mut after = last.clone();
                after.extend(self.switch(fate.key, &routes, Vec::new()));
                let act = Act::Stop { name: there.name.clone(), grace_ms: fate.service.stop_grace_ms, forget: false };
                last = vec![self.push(there.id.clone(), act, after, None, Undo::Reverse)];
            }
        }
    }

    /// What containers used goes after them.
    pub(super) fn remove_gone(&mut self, diff: &Diff<'a>) {
        for one in &diff.gone_networks {
            let act = Act::Remove { name: one.name.clone(), engine: Some(one.engine.clone()), data: false };
            let on = self.resource(one.key.clone());
            self.late.push(self.doom(on, act));
        }
        for (key, path) in &diff.gone_files {
            let act = Act::Remove { name: path.clone(), engine: None, data: false };
            let on = self.resource(key.clone());
            self.late.push(self.doom(on, act));
        }
        for one in &diff.gone_volumes {
            let act = Act::Remove { name: one.name.clone(), engine: None, data: true };
            let on = self.resource(one.key.clone());
            self.late.push(self.doom(on, act));
        }
    }

    /// Routes that are wrong although their service stays.
    pub(super) fn switch_rest(&mut self, diff: &Diff<'a>) {
        for key in &diff.switch {
            if let Some(route) = self.view.desired.routes.get(key).filter(|_| self.live.untouched(key)) {
                let service = crate::diff::resources::end(route).0.clone();
                self.switch(&service, std::slice::from_ref(key), Vec::new());
            }
        }
    }
}

/// The steps of an instance that shall stop: everything is kept.
pub(crate) fn stopped(view: &View<'_>, shared: &Shared<'_>) -> Vec<Step> {
    let mut builder = Builder::bare(view);
    let before = builder.lead_nowhere(shared);
    let known: Vec<&ContainerSeen> = view.seen.containers.iter().filter(|one| one.known).collect();
    builder.stop_all(&known, before, &|_| true);
    builder.finish()
}

/// The steps of an instance that goes.
pub(crate) fn removed<'a>(view: &View<'a>, diff: &Diff<'a>) -> Vec<Step> {
    let mut builder = Builder::bare(view);
    let before = builder.unroute(&diff.gone_routes, Vec::new()).into_iter().collect();
    builder.stop_all(&diff.gone, before, &|_| false);
    for one in &diff.gone {
        let act = Act::Remove { name: one.name.clone(), engine: Some(one.engine.clone()), data: false };
        builder.doomed.push(vec![builder.doom(one.id.clone(), act)]);
    }
    builder.remove_gone(diff);
    builder.finish()
}
