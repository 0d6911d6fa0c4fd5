//! Traffic: what the routes of instances carried, so that "0 of 74 requests failed" is counted, not hoped.
//!
//! In: two moments. Out: what was carried between them, by instance and route, or nothing where it cannot be known.
//! **Invariant:** a difference is only made of numbers that one edge counted; what it could not count any more is `lost`, and failed.
//! Not here: counting (`escadre-edge`), the sentence (`escadre`).
//! Tests: below.

use escadre_model::ids::InstanceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was carried by each route since its edge began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Which life of the edge counted: another one's numbers cannot be compared.
    pub life: u64,
    /// Parts of it that died since: what they counted in their last moments is not known.
    pub crashes: u64,
    /// By instance and route.
    pub routes: BTreeMap<InstanceId, BTreeMap<Arc<str>, Carried>>,
}

/// What a route carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Requests (HTTP) or connections (TCP) that arrived.
    pub requests: u64,
    /// No container took the connection.
    pub refused: u64,
    /// A container broke off before or within its answer.
    pub broken: u64,
    /// No answer in time.
    pub late: u64,
    /// Nobody was there to serve it, or it waited too long for one.
    pub unserved: u64,
    /// Cut at the end of the time an old container had to finish.
    pub cut: u64,
    /// Under way in a part of the edge that died.
    pub lost: u64,
    /// Answered 5xx by the service itself: its own affair, told apart.
    pub service_errors: u64,
}

impl Carried {
    /// Those that could not be served: everything but the service's own errors.
    pub fn failed(&self) -> u64 {
        [self.refused, self.broken, self.late, self.unserved, self.cut, self.lost]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    fn each(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            requests: with(self.requests, other.requests),
            refused: with(self.refused, other.refused),
            broken: with(self.broken, other.broken),
            late: with(self.late, other.late),
            unserved: with(self.unserved, other.unserved),
            cut: with(self.cut, other.cut),
            lost: with(self.lost, other.lost),
            service_errors: with(self.service_errors, other.service_errors),
        }
    }
}

impl Traffic {
    /// What was carried since an earlier moment; `None` when the edge is not the one that counted then.
    #[must_use]
    pub fn since(&self, before: &Self) -> Option<Self> {
        if self.life != before.life || self.life == 0 {
            return None;
        }
        let mut routes = self.routes.clone();
        for (instance, former) in &before.routes {
            let Some(now) = routes.get_mut(instance) else { continue };
            for (key, then) in former {
                if let Some(now) = now.get_mut(key) {
                    *now = now.each(*then, u64::saturating_sub);
                }
            }
        }
        Some(Self { life: self.life, crashes: self.crashes.saturating_sub(before.crashes), routes })
    }

    /// All routes of an instance together.
    pub fn of(&self, instance: &InstanceId) -> Carried {
        let routes = self.routes.get(instance).into_iter().flat_map(BTreeMap::values);
        routes.fold(Carried::default(), |sum, one| sum.plus(*one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escadre_model::name::Name;

    fn france() -> InstanceId {
        let name = |text| Name::new(text).expect("a name");
        InstanceId::new(name("totem"), name("france"))
    }

    fn traffic(life: u64, requests: u64, cut: u64) -> Traffic {
        let one = Carried { requests, cut, service_errors: 1, ..Carried::default() };
        let routes = BTreeMap::from([("web".into(), one), ("port-80".into(), one)]);
        Traffic { life, crashes: 0, routes: BTreeMap::from([(france(), routes)]) }
    }

    #[test]
    fn a_difference_is_of_one_life() {
        let span = traffic(7, 12, 3).since(&traffic(7, 10, 1)).expect("one life");
        let carried = span.of(&france());
        assert_eq!((carried.requests, carried.failed(), carried.service_errors), (4, 4, 0));
        assert_eq!(traffic(8, 12, 3).since(&traffic(7, 10, 1)), None);
        assert_eq!(traffic(0, 12, 3).since(&traffic(0, 10, 1)), None, "an edge that cannot tell its lives apart");
    }

    #[test]
    fn what_began_meanwhile_counts_whole() {
        let before = Traffic { life: 7, ..Traffic::default() };
        assert_eq!(traffic(7, 12, 3).since(&before).expect("one life").of(&france()).requests, 24);
    }
}
