//! Where routes lead, at every moment of an instance's steps.
//!
//! In: the routes as wanted, the containers that serve now. Out: targets for `Switch`, published ports that were left open.
//! **Invariant:** a route leads to containers that passed their gate, or to nobody.
//! Not here: host names and ports that clash (`claims`).
//! Tests: `tests/it/updates.rs`.

use crate::diff::{Diff, Fate, View, resources};
use crate::gone::is_up;
use crate::make::Shared;
use crate::names;
use crate::plan::Refusal;
use crate::step::RouteTarget;
use escadre_model::desired::Route;
use escadre_model::hash::Hash;
use escadre_model::ids::ResourceId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

struct One {
    service: Arc<str>,
    port: u16,
    spec: Hash,
    published: Option<u16>,
    backends: BTreeMap<u32, (ResourceId, SocketAddr)>,
    /// The last step that switched or parked it.
    last: Option<u32>,
}

/// The routes of an instance while its steps are made.
#[derive(Default)]
pub(super) struct Live {
    routes: BTreeMap<Arc<str>, One>,
    /// Where the containers of a service are, for those that share their network.
    addresses: BTreeMap<Arc<str>, IpAddr>,
}

impl Live {
    /// The routes, leading to what serves now.
    pub(super) fn of(view: &View<'_>, diff: &Diff<'_>, shared: &Shared<'_>) -> Result<Self, Refusal> {
        let (mut routes, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        for fate in &diff.services {
            for (_, slot) in &fate.slots {
                if let Fate::Keep(there) | Fate::Adopt(there) | Fate::Restart(there) | Fate::Follow { old: there, .. } =
                    slot
                {
                    addresses.extend(there.addresses.values().next().map(|at| (fate.key.clone(), *at)));
                }
            }
        }
        for (key, route) in &view.desired.routes {
            let (service, port) = resources::end(route);
            let published = match route {
                Route::Tcp(tcp) if tcp.published == 0 => Some(any_port(view, key, shared)?),
                _ => None,
            };
            let mut backends = BTreeMap::new();
            if let Some(fate) = diff.services.iter().find(|one| one.key == service) {
                for (replica, slot) in &fate.slots {
                    let there = match slot {
                        Fate::Keep(there)
                        | Fate::Adopt(there)
                        | Fate::Restart(there)
                        | Fate::Stop(there)
                        | Fate::Follow { old: there, .. } => there,
                        Fate::Replace { old: there, .. } if is_up(there) => there,
                        _ => continue,
                    };
                    let at = resources::seen_backend(view, Some(&diff.networks), key, route, fate.service, there);
                    backends.extend(at.map(|at| (*replica, (there.id.clone(), at))));
                }
            }
            let spec = names::route_spec(route);
            routes.insert(key.clone(), One { service: service.clone(), port, spec, published, backends, last: None });
        }
        Ok(Self { routes, addresses })
    }

    /// The routes of a service, with its ports.
    pub(super) fn of_service(&self, service: &str) -> Vec<(Arc<str>, u16)> {
        let mine = self.routes.iter().filter(|(_, one)| one.service.as_ref() == service);
        mine.map(|(key, one)| (key.clone(), one.port)).collect()
    }

    /// This container serves from now on.
    pub(super) fn set(&mut self, route: &str, replica: u32, id: ResourceId, at: SocketAddr) {
        if let Some(one) = self.routes.get_mut(route) {
            one.backends.insert(replica, (id, at));
        }
    }

    /// This replica does not serve any more.
    pub(super) fn unset(&mut self, service: &str, replica: u32) {
        for one in self.routes.values_mut().filter(|one| one.service.as_ref() == service) {
            one.backends.remove(&replica);
        }
    }

    /// Where these routes lead now.
    pub(super) fn targets(&self, routes: &[Arc<str>]) -> BTreeMap<Arc<str>, RouteTarget> {
        let wanted = routes.iter().filter_map(|key| self.routes.get_key_value(key));
        wanted
            .map(|(key, one)| {
                (
                    key.clone(),
                    RouteTarget {
                        spec: one.spec.clone(),
                        backends: one.backends.values().cloned().collect(),
                        published: one.published,
                        starting: false,
                    },
                )
            })
            .collect()
    }

    /// The routes of a service for people and programs that speak HTTP, which lead to nobody yet.
    pub(super) fn unserved(&self, view: &View<'_>, service: &str) -> Vec<Arc<str>> {
        let http = |key: &str| matches!(view.desired.routes.get(key), Some(Route::Http(_)));
        let mine = self.routes.iter().filter(|(_, one)| one.service.as_ref() == service && one.backends.is_empty());
        mine.filter(|(key, _)| http(key)).map(|(key, _)| key.clone()).collect()
    }

    /// Does any of these routes lead to somebody?
    pub(super) fn served(&self, routes: &[Arc<str>]) -> bool {
        routes.iter().filter_map(|key| self.routes.get(key)).all(|one| !one.backends.is_empty())
    }

    /// The steps that changed these routes last: the next one comes after them.
    pub(super) fn last(&self, routes: &[Arc<str>]) -> Vec<u32> {
        routes.iter().filter_map(|key| self.routes.get(key)).filter_map(|one| one.last).collect()
    }

    /// Remembers the step that changed these routes.
    pub(super) fn changed(&mut self, routes: &[Arc<str>], step: u32) {
        for key in routes {
            if let Some(one) = self.routes.get_mut(key) {
                one.last = Some(step);
            }
        }
    }

    /// Was it switched by a service's steps?
    pub(super) fn untouched(&self, route: &str) -> bool {
        self.routes.get(route).is_some_and(|one| one.last.is_none())
    }

    /// A service's address, for services that share its network.
    pub(super) fn address(&self, service: &str) -> Option<IpAddr> {
        self.addresses.get(service).copied()
    }

    /// Notes a service's address.
    pub(super) fn at(&mut self, service: &Arc<str>, address: IpAddr) {
        self.addresses.insert(service.clone(), address);
    }
}

/// The port chosen for a route that asked for any.
fn any_port(view: &View<'_>, key: &Arc<str>, shared: &Shared<'_>) -> Result<u16, Refusal> {
    let found = shared.fleet.any.get(&(view.desired.instance.clone(), key.clone())).copied();
    found.ok_or_else(|| Refusal::NoAddress { what: format!("{key}: no published port is free").into() })
}
