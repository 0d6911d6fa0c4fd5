//! Claims: which instance wants which name, host name and port, over the whole fleet.
//!
//! In: all Desired, what was seen. Out: for an instance, the claims it cannot have, in words that name both sides.
//! **Invariant:** who holds a thing already keeps it; of two newcomers neither gets it, so that the order of files decides nothing.
//! Not here: choosing free subnets and ports (`address`).
//! Tests: `tests/it/claims.rs`.

use crate::diff::adopt;
use crate::names;
use escadre_model::desired::{Body, Desired, Route, Service, State};
use escadre_model::ids::InstanceId;
use escadre_model::observed::{ForeignKind, InstanceSeen, Observed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something only one can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Network(Arc<str>),
    Volume(Arc<str>),
    /// As written; the pool goes around it.
    Subnet(Arc<str>),
    Host(Arc<str>, Arc<str>),
    /// Protocol and port; addresses are compared apart.
    Port(Arc<str>, u16),
}

impl Thing {
    fn words(&self) -> String {
        match self {
            Thing::Network(name) => format!("network name {name}"),
            Thing::Volume(name) => format!("volume name {name}"),
            Thing::Subnet(text) => format!("subnet {text}"),
            Thing::Host(host, path) if path.as_ref() == "/" => format!("host name {host}"),
            Thing::Host(host, path) => format!("host name {host}{path}"),
            Thing::Port(protocol, port) => format!("port {port}/{protocol}"),
        }
    }
}

#[derive(Clone, Debug)]
struct Claim {
    instance: InstanceId,
    /// `web` or the route's key, for the sentence.
    by: Arc<str>,
    /// Address on the host; empty: all.
    address: Arc<str>,
    /// It has it already.
    holds: bool,
}

/// All claims of a fleet.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    things: BTreeMap<Thing, Vec<Claim>>,
    /// What is not ours.
    foreign: BTreeSet<(u8, Arc<str>)>,
    ports: BTreeSet<u16>,
    /// Where the edge answers for host names, as far as there are any: HTTP, HTTPS.
    edge: [Option<u16>; 2],
}

fn kind(kind: ForeignKind) -> u8 {
    match kind {
        ForeignKind::Container => 0,
        ForeignKind::Network => 1,
        ForeignKind::Volume => 2,
    }
}

impl Claims {
    /// Collects the claims of all instances that are to exist.
    pub(crate) fn of(desired: &[&Desired], observed: &Observed, edge: [u16; 2]) -> Self {
        let mut claims = Self {
            things: BTreeMap::new(),
            foreign: observed.host.foreign.iter().map(|(of, name)| (kind(*of), name.clone())).collect(),
            ports: observed.host.ports.iter().copied().collect(),
            edge: [None; 2],
        };
        let wanted = desired.iter().filter(|one| one.state != State::Removed);
        for tls in wanted.flat_map(|one| one.routes.values()).filter_map(names::over_tls) {
            claims.edge = [Some(edge[0]), claims.edge[1].or(tls.then_some(edge[1]))];
        }
        for one in desired.iter().filter(|one| one.state != State::Removed) {
            claims.collect(one, observed.instance(&one.instance));
        }
        claims
    }

    /// TCP ports that are claimed by somebody.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.things.keys().filter_map(|thing| match thing {
            Thing::Port(protocol, port) if protocol.as_ref() == "tcp" => Some(*port),
            _ => None,
        })
    }

    /// Does this name belong to a container that is not ours?
    pub(crate) fn container_is_foreign(&self, name: &Arc<str>) -> bool {
        self.foreign.contains(&(0, name.clone()))
    }

    fn collect(&mut self, one: &Desired, seen: Option<&InstanceSeen>) {
        for (key, resource) in &one.resources {
            let by = &key.key;
            match &resource.body {
                Body::Network(network) if !network.external => {
                    let holds = seen.is_some_and(|seen| seen.networks.iter().any(|it| it.name == network.name));
                    self.add(Thing::Network(network.name.clone()), one, by, "".into(), holds);
                    if let Some(subnet) = &network.subnet {
                        self.add(Thing::Subnet(subnet.clone()), one, by, "".into(), holds);
                    }
                }
                Body::Volume(volume) if !volume.external => {
                    let holds = seen.is_some_and(|seen| seen.volumes.iter().any(|it| it.name == volume.name));
                    self.add(Thing::Volume(volume.name.clone()), one, by, "".into(), holds);
                }
                Body::Service(service) => self.service(one, by, service, seen),
                _ => {}
            }
        }
        for (key, route) in &one.routes {
            let routed = seen.and_then(|seen| seen.routes.get(key));
            let holds = routed.is_some_and(|seen| seen.spec == names::route_spec(route))
                || seen.is_some_and(|seen| seen.containers.iter().any(|one| adopt::held_by(one, route).is_some()));
            match route {
                Route::Http(http) => {
                    for host in &http.hosts {
                        self.add(Thing::Host(host.clone(), http.path.clone()), one, key, "".into(), holds);
                    }
                    for host in &http.redirect {
                        self.add(Thing::Host(host.clone(), http.path.clone()), one, key, "".into(), holds);
                    }
                }
                Route::Tcp(tcp) if tcp.published != 0 => {
                    self.add(Thing::Port("tcp".into(), tcp.published), one, key, tcp.host.clone(), holds);
                }
                Route::Tcp(_) => {}
            }
        }
    }

    fn service(&mut self, one: &Desired, by: &Arc<str>, service: &Service, seen: Option<&InstanceSeen>) {
        if service.engine_ports.is_empty() {
            return;
        }
        let holds = seen.is_some_and(|seen| {
            let former = seen.record.healthy().and_then(|receipt| receipt.desired.service(by));
            former.is_some_and(|(_, former)| former.engine_ports == service.engine_ports)
        });
        let own = seen.into_iter().flat_map(|seen| &seen.containers).flat_map(|one| &one.published);
        let theirs: Vec<_> = own.map(|it| (&it.protocol, it.published)).collect();
        for port in service.engine_ports.iter().filter(|port| port.published != 0) {
            let thing = Thing::Port(port.protocol.clone(), port.published);
            let holds = holds || theirs.contains(&(&port.protocol, port.published));
            self.add(thing, one, by, port.host.clone(), holds);
        }
    }

    fn add(&mut self, thing: Thing, one: &Desired, by: &Arc<str>, address: Arc<str>, holds: bool) {
        let claim = Claim { instance: one.instance.clone(), by: by.clone(), address, holds };
        self.things.entry(thing).or_default().push(claim);
    }

    /// The first claim of the instance that somebody else has, in words. `None`: it may have all it wants.
    pub(crate) fn refuse(&self, one: &Desired, seen: Option<&InstanceSeen>) -> Option<Arc<str>> {
        self.others(one, seen).or_else(|| self.edges(one, seen))
    }

    /// What the edge and the instance's ports take from one another, and what others take from the edge.
    fn edges(&self, one: &Desired, seen: Option<&InstanceSeen>) -> Option<Arc<str>> {
        let mut own = Claims::default();
        own.collect(one, seen);
        for (thing, mine) in &own.things {
            let Thing::Port(protocol, port) = thing else { continue };
            if protocol.as_ref() == "tcp" && self.edge.contains(&Some(*port)) {
                let (id, by) = (&one.instance, mine.first().map_or("", |claim| &claim.by));
                let text = format!(
                    "{} ({id}/{by}) is where the edge answers for host names; it can do so elsewhere: `edge: {{ http: …, https: … }}` of the target",
                    thing.words()
                );
                return Some(text.into());
            }
        }
        // An instance that runs had its port; what keeps it from it now (an edge that lost its folder, and is about to go) is told by the edge itself.
        if seen.is_some_and(|seen| seen.containers.iter().any(|one| one.compose.is_none())) {
            return None;
        }
        for (key, tls) in one.routes.iter().filter_map(|(key, route)| Some((key, names::over_tls(route)?))) {
            let wanted = [self.edge[0], self.edge[1].filter(|_| tls)];
            let taken = wanted.into_iter().flatten().find(|port| self.ports.contains(port));
            if let Some(port) = taken {
                let text = format!(
                    "port {port}/tcp, which the edge needs for the host names of {}/{key}, is taken by something on this machine that is not ours",
                    one.instance
                );
                return Some(text.into());
            }
        }
        None
    }

    fn others(&self, one: &Desired, seen: Option<&InstanceSeen>) -> Option<Arc<str>> {
        let mut own = Claims::default();
        own.collect(one, seen);
        for (thing, mine) in &own.things {
            let others = self.things.get(thing).map(Vec::as_slice).unwrap_or_default();
            for claim in mine.iter().filter(|claim| !claim.holds) {
                let foreign = match thing {
                    Thing::Network(name) => self.foreign.contains(&(1, name.clone())),
                    Thing::Volume(name) => self.foreign.contains(&(2, name.clone())),
                    Thing::Port(protocol, port) => protocol.as_ref() == "tcp" && self.ports.contains(port),
                    Thing::Subnet(_) | Thing::Host(..) => false,
                };
                if foreign {
                    let (id, by) = (&claim.instance, &claim.by);
                    let text =
                        format!("{} ({id}/{by}) is taken by something on this machine that is not ours", thing.words());
                    return Some(text.into());
                }
                let clash = others.iter().find(|other| {
                    (&other.instance, &other.by) != (&claim.instance, &claim.by)
                        && (other.address == claim.address || other.address.is_empty() || claim.address.is_empty())
                });
                if let Some(other) = clash {
                    return Some(
                        format!(
                            "{} is claimed by {}/{} and by {}/{}",
                            thing.words(),
                            claim.instance,
                            claim.by,
                            other.instance,
                            other.by
                        )
                        .into(),
                    );
                }
            }
        }
        None
    }
}
