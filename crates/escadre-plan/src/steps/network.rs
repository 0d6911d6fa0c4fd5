//! Networks of one instance while its steps are made: subnets, addresses, hosts files.
//!
//! In: the networks' fates and what has an address already. Out: places for new containers, and lines of hosts files.
//! **Invariant:** no two containers of a network get one address; a name is told only to services that share a network with it.
//! Not here: the pool over all instances (`address`).
//! Tests: `tests/it/groups.rs`.

use crate::address::{Addresses, Subnet};
use crate::diff::{Diff, Fate, View};
use crate::make::Shared;
use crate::names;
use crate::plan::Refusal;
use crate::step::{HostLine, PlacedNetwork};
use escadre_model::desired::{NetworkMode, Service};
use escadre_model::observed::ContainerSeen;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

struct Net {
    name: Arc<str>,
    subnet: Option<Arc<str>>,
    addresses: Option<Addresses>,
}

struct Hosts {
    networks: BTreeSet<Arc<str>>,
    extra: Vec<(Arc<str>, Arc<str>)>,
    /// No container sees it yet: it must be told who is there.
    fresh: bool,
}

/// Networks, addresses and hosts files of one instance.
#[derive(Default)]
pub(super) struct Plan {
    nets: BTreeMap<Arc<str>, Net>,
    hosts: BTreeMap<Arc<str>, Hosts>,
    /// Lines of the containers that are there.
    standing: Vec<HostLine>,
}

fn no_address(what: String) -> Refusal {
    Refusal::NoAddress { what: what.into() }
}

impl Plan {
    /// Plans the subnets and finds out which addresses are in use.
    pub(super) fn make(view: &View<'_>, diff: &Diff<'_>, shared: &Shared<'_>) -> Result<Self, Refusal> {
        let fixed = view.input.abilities.fixed_address;
        let mut nets = BTreeMap::new();
        for (key, fate) in &diff.networks {
            let subnet = match &fate.subnet {
                _ if fate.external => None,
                Some(text) => {
                    let parsed = Subnet::parse(text);
                    if fate.ensure
                        && let Some(wanted) = parsed
                    {
                        written_is_free(view, wanted, text)?;
                    }
                    parsed
                }
                None if fate.wants_subnet() => {
                    let given = shared.subnets.get(key).copied();
                    Some(given.ok_or_else(|| {
                        no_address(format!(
                            "network {key}: the pool {} has no free /{} left",
                            view.input.target.pool, view.input.target.prefix
                        ))
                    })?)
                }
                None => None,
            };
            let text = subnet.map(|subnet| subnet.to_string().into()).or_else(|| fate.subnet.clone());
            let compose = view.seen.networks.iter().any(|seen| seen.compose && seen.name == fate.name);
            let fixed = fixed && (!compose || view.input.abilities.fixed_on_adopted);
            let mut addresses = subnet.filter(|_| fixed).map(|subnet| match compose {
                true => Addresses::upper_half(subnet),
                false => Addresses::new(subnet),
            });
            if let Some(addresses) = &mut addresses {
                in_use(view, key, &fate.name, addresses);
            }
            nets.insert(key.clone(), Net { name: fate.name.clone(), subnet: text, addresses });
        }
        let mut plan = Self { nets, hosts: BTreeMap::new(), standing: Vec::new() };
        plan.find_hosts(view);
        plan.standing = plan.standing_lines(diff);
        Ok(plan)
    }

    /// The subnet of a network.
    pub(super) fn subnet(&self, network: &str) -> Option<Arc<str>> {
        self.nets.get(network).and_then(|net| net.subnet.clone())
    }

    /// The engine's name of a network, and its gateway.
    fn gateway(&self, network: &str) -> Option<Ipv4Addr> {
        self.nets.get(network)?.addresses.as_ref().map(|addresses| addresses.subnet().gateway())
    }

    fn find_hosts(&mut self, view: &View<'_>) {
        let former: BTreeSet<Arc<str>> = match view.base.filter(|_| !view.seen.containers.is_empty()) {
            Some(base) => base
                .desired
                .services()
                .filter_map(|(_, _, one)| names::hosts(&one.networks, &one.extra_hosts))
                .collect(),
            None => BTreeSet::new(),
        };
        for (_, _, service) in view.desired.services().filter(|(_, _, one)| one.network_mode == NetworkMode::Own) {
            if let Some(file) = names::hosts(&service.networks, &service.extra_hosts) {
                let networks = service.networks.iter().map(|one| one.network.clone()).collect();
                let fresh = !former.contains(&file);
                self.hosts.insert(file, Hosts { networks, extra: service.extra_hosts.clone(), fresh });
            }
        }
    }

    fn standing_lines(&self, diff: &Diff<'_>) -> Vec<HostLine> {
        let mut lines = Vec::new();
        for fate in &diff.services {
            for (replica, slot) in &fate.slots {
                if let Fate::Keep(there)
                | Fate::Adopt(there)
                | Fate::Start(there)
                | Fate::Restart(there)
                | Fate::Follow { old: there, .. }
                | Fate::Replace { old: there, .. } = slot
                {
                    lines.extend(self.standing(fate.key, *replica, fate.service, there));
                }
            }
        }
        lines
    }

    /// The lines of a container that is there. One that Compose made has another address after each start: the engine's own DNS knows it.
    pub(super) fn standing(&self, key: &str, replica: u32, service: &Service, there: &ContainerSeen) -> Vec<HostLine> {
        if there.compose.is_some() {
            return Vec::new();
        }
        self.lines_of(key, replica, service, &there.addresses)
    }

    /// A container's lines, from its addresses by the engine's names of networks.
    fn lines_of(
        &self,
        key: &str,
        replica: u32,
        service: &Service,
        addresses: &BTreeMap<Arc<str>, IpAddr>,
    ) -> Vec<HostLine> {
        let mut by_key = BTreeMap::new();
        for one in &service.networks {
            if let Some(address) = self.nets.get(&one.network).and_then(|net| addresses.get(&net.name)) {
                by_key.insert(one.network.as_ref(), *address);
            }
        }
        self.lines(key, replica, service, &by_key)
    }

    fn lines(&self, key: &str, replica: u32, service: &Service, addresses: &BTreeMap<&str, IpAddr>) -> Vec<HostLine> {
        let mut lines = Vec::new();
        for (file, hosts) in &self.hosts {
            let shared = service.networks.iter().filter(|one| hosts.networks.contains(&one.network));
            let mut names: Vec<Arc<str>> = Vec::new();
            let mut address = None;
            for one in shared {
                address = address.or_else(|| addresses.get(one.network.as_ref()).copied());
                names.extend(one.names.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
            }
            if let Some(address) = address.filter(|_| !names.is_empty()) {
                lines.push(HostLine { hosts: file.clone(), who: format!("{key}/{replica}").into(), address, names });
            }
        }
        lines
    }

    /// The networks of a new container with its addresses, its hosts file and the lines that lead to it (and what a fresh hosts file must be told).
    /// One that comes when the former one has stopped gets that one's addresses: whoever resolved its name once finds it again.
    pub(super) fn place(
        &mut self,
        key: &str,
        replica: u32,
        service: &Service,
        former: Option<&ContainerSeen>,
    ) -> Result<(Vec<PlacedNetwork>, Vec<HostLine>), Refusal> {
        if service.network_mode != NetworkMode::Own {
            return Ok((Vec::new(), Vec::new()));
        }
        let (mut placed, mut addresses) = (Vec::new(), BTreeMap::new());
        for one in &service.networks {
            let Some(net) = self.nets.get_mut(&one.network) else { continue };
            let address = match (&one.address, &mut net.addresses) {
                (Some(text), Some(free)) => {
                    let written: Option<Ipv4Addr> = text.parse().ok();
                    let inside = written.filter(|address| free.subnet().contains(*address));
                    Some(inside.ok_or_else(|| {
                        no_address(format!(
                            "{key}: address {text} is not within {} of network {}",
                            free.subnet(),
                            one.network
                        ))
                    })?)
                }
                (None, Some(free)) => {
                    let taken = former_address(former, &net.name, free.subnet()).or_else(|| free.take());
                    Some(taken.ok_or_else(|| {
                        no_address(format!("{key}: network {} ({}) is full", one.network, free.subnet()))
                    })?)
                }
                (_, None) => None,
            };
            let address = address.map(IpAddr::V4);
            addresses.extend(address.map(|address| (one.network.as_ref(), address)));
            placed.push(PlacedNetwork {
                network: one.network.clone(),
                name: net.name.clone(),
                address,
                aliases: one.names.clone(),
            });
        }
        let mut lines = self.lines(key, replica, service, &addresses);
        lines.extend(self.open(service));
        Ok((placed, lines))
    }

    /// What a hosts file that nobody saw yet must be told first.
    fn open(&mut self, service: &Service) -> Vec<HostLine> {
        let Some(file) = names::hosts(&service.networks, &service.extra_hosts) else { return Vec::new() };
        let gateway = service.networks.iter().find_map(|one| self.gateway(&one.network));
        let Some(hosts) = self.hosts.get_mut(&file).filter(|hosts| hosts.fresh) else { return Vec::new() };
        hosts.fresh = false;
        let mut lines: Vec<HostLine> = self.standing.iter().filter(|line| line.hosts == file).cloned().collect();
        for (name, at) in &hosts.extra {
            let address = if at.as_ref() == "host-gateway" { gateway.map(IpAddr::V4) } else { at.parse().ok() };
            if let Some(address) = address {
                lines.push(HostLine {
                    hosts: file.clone(),
                    who: format!("extra:{name}").into(),
                    address,
                    names: vec![name.clone()],
                });
            }
        }
        lines
    }
}

/// The address the former container has in a network that stays.
fn former_address(former: Option<&ContainerSeen>, network: &str, subnet: Subnet) -> Option<Ipv4Addr> {
    match former?.addresses.get(network)? {
        IpAddr::V4(address) => Some(*address).filter(|address| subnet.contains(*address)),
        IpAddr::V6(_) => None,
    }
}

/// Addresses of a network that somebody has or was promised.
fn in_use(view: &View<'_>, key: &str, name: &Arc<str>, addresses: &mut Addresses) {
    let listed = view.seen.containers.iter().filter_map(|container| container.addresses.get(name)).copied();
    let routed = view.seen.routes.values().flat_map(|route| &route.backends).map(|(_, at)| at.ip());
    for address in listed.chain(routed) {
        if let IpAddr::V4(address) = address {
            addresses.mark(address);
        }
    }
    for (_, _, service) in view.desired.services() {
        for one in service.networks.iter().filter(|one| one.network.as_ref() == key) {
            if let Some(address) = one.address.as_ref().and_then(|text| text.parse().ok()) {
                addresses.reserve(address);
            }
        }
    }
}

/// A subnet that people wrote must not overlap one that is there.
fn written_is_free(view: &View<'_>, wanted: Subnet, text: &str) -> Result<(), Refusal> {
    let own = view.seen.networks.iter().flat_map(|network| &network.subnets);
    let clash = view
        .input
        .observed
        .host
        .subnets
        .iter()
        .chain(own)
        .find(|seen| Subnet::parse(seen).is_some_and(|seen| seen.overlaps(wanted)));
    match clash {
        None => Ok(()),
        Some(seen) => Err(Refusal::Taken {
            what: format!("subnet {text} overlaps {seen}, which is in use on this machine").into(),
        }),
    }
}
