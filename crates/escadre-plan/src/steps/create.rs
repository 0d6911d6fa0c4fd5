//! Steps of a container that nobody was in the place of, or that starts again.
//!
//! In: a service's fate. Out: `Create → Attach → Start → Gate → Switch`, or `Attach → Start → Gate → Switch`.
//! **Invariant:** names lead to a container before it starts when nobody else answers to them: services that wait for each other's names (clusters) come up as under Compose.
//! Not here: taking over from an old container (`replace`).
//! Tests: `tests/it/updates.rs`.

use super::Builder;
use crate::diff::{ServiceFate, adopt};
use crate::gate;
use crate::make::Shared;
use crate::names;
use crate::plan::Refusal;
use crate::step::{Act, HostLine, PlacedNetwork, Placement, Undo};
use escadre_model::desired::{EnginePort, NetworkMode};
use escadre_model::ids::{Kind, ResourceId, ResourceKey};
use escadre_model::observed::ContainerSeen;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// What a new container is to the one that is there.
#[derive(Clone, Copy)]
pub(super) enum Comes<'a> {
    /// There was none, or it has nothing to hand over.
    First,
    /// It runs beside the old one, under its own name only until it has proven itself.
    Beside,
    /// It comes when this one has stopped, at the same addresses.
    After(&'a ContainerSeen),
}

/// A container being made.
pub(super) struct New {
    pub(super) id: ResourceId,
    pub(super) name: Arc<str>,
    /// The step that makes it.
    pub(super) create: u32,
    pub(super) lines: Vec<HostLine>,
    pub(super) backends: Vec<(Arc<str>, SocketAddr)>,
    /// Its networks with the service's names, for programs that ask the engine's DNS.
    pub(super) networks: Vec<PlacedNetwork>,
}

impl<'a> Builder<'_, 'a> {
    /// `Create`, with everything planned for the new container.
    pub(super) fn make(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        generation: u64,
        comes: Comes<'_>,
        shared: &mut Shared<'_>,
    ) -> Result<New, Refusal> {
        let service = fate.service;
        let name = names::container(&self.view.desired.instance, fate.key, replica, generation);
        let former = match comes {
            Comes::After(old) => Some(old),
            Comes::First | Comes::Beside => None,
        };
        let (named, lines) = self.net.place(fate.key, replica, service, former)?;
        let networks = match comes {
            Comes::Beside => nameless(&named),
            Comes::First | Comes::After(_) => named.clone(),
        };
        let mut engine_ports = service.engine_ports.clone();
        let backends = self.backends(fate, &networks, &mut engine_ports, shared)?;
        let other = match &service.network_mode {
            NetworkMode::Service(other) => Some(other),
            _ => None,
        };
        let sees = match other {
            Some(other) => self.view.desired.service(other).map(|(_, other)| other),
            None => (service.network_mode == NetworkMode::Own).then_some(service),
        };
        let fixed = self.view.input.abilities.fixed_address;
        let placement = Placement {
            name: name.clone(),
            image: service.image.clone(),
            hosts: sees.filter(|_| fixed).and_then(|one| names::hosts(&one.networks, &one.extra_hosts)),
            volumes: service.volumes.keys().filter_map(|key| self.volume(key)).collect(),
            files: service.files.iter().filter_map(|key| self.file(key)).collect(),
            engine_ports,
            shares_network_of: other.and_then(|other| self.current(other)),
            shares: service.shares.iter().filter_map(|(what, of)| Some((what.clone(), self.current(of)?))).collect(),
            routes: backends.iter().map(|(key, _)| key.clone()).collect(),
            networks,
        };
        let id = self.service(fate.key).container(replica, generation);
        let mut after: Vec<u32> = self.images.get(&service.image).copied().into_iter().collect();
        after.extend(self.prerequisites(fate));
        for other in service.lives_in() {
            // The container whose namespace it shares must run.
            after.extend(self.marks.get(other.as_ref()).map(|marks| marks.started.as_slice()).unwrap_or_default());
        }
        let create =
            self.push(id.clone(), Act::Create(placement), after, Some(fate.resource.spec.clone()), Undo::Reverse);
        self.current.insert(fate.key.clone(), name.clone());
        Ok(New { id, name, create, lines, backends, networks: named })
    }

    fn volume(&self, key: &Arc<str>) -> Option<(Arc<str>, Arc<str>)> {
        self.volumes.get(key).map(|name| (key.clone(), name.clone()))
    }

    fn file(&self, key: &ResourceKey) -> Option<(ResourceKey, Arc<str>)> {
        let resource = self.view.desired.resources.get(key)?;
        Some((key.clone(), names::file(key, &resource.spec)))
    }

    /// The engine's name of the container that serves as this service at this point of the steps.
    fn current(&self, service: &Arc<str>) -> Option<Arc<str>> {
        let there = || {
            let mine = self.view.seen.containers.iter().filter(|one| one.id.resource.key == *service);
            mine.max_by_key(|one| (crate::gone::is_up(one), one.id.generation)).map(|one| one.name.clone())
        };
        self.current.get(service).cloned().or_else(there)
    }

    /// Steps for what the container uses.
    fn prerequisites(&self, fate: &ServiceFate<'a>) -> Vec<u32> {
        let service = fate.service;
        let networks = service.networks.iter().map(|one| ResourceKey::new(Kind::Network, one.network.clone()));
        let volumes = service.volumes.keys().map(|key| ResourceKey::new(Kind::Volume, key.clone()));
        let keys = networks.chain(volumes).chain(service.files.iter().cloned());
        keys.filter_map(|key| self.things.get(&key).copied()).collect()
    }

    /// Where the edge reaches the new container, by route.
    fn backends(
        &mut self,
        fate: &ServiceFate<'a>,
        networks: &[PlacedNetwork],
        ports: &mut Vec<EnginePort>,
        shared: &mut Shared<'_>,
    ) -> Result<Vec<(Arc<str>, SocketAddr)>, Refusal> {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut own = networks.iter().find_map(|one| one.address);
        if let Some(address) = own {
            self.live.at(fate.key, address);
        }
        match &fate.service.network_mode {
            NetworkMode::Host => own = Some(local),
            NetworkMode::Service(other) => own = self.live.address(other),
            NetworkMode::None | NetworkMode::Own => {}
        }
        let loopback = fate.service.network_mode == NetworkMode::Own && (self.view.by_loopback() || own.is_none());
        let mut chosen: BTreeMap<u16, u16> = BTreeMap::new();
        let mut backends = Vec::new();
        for (key, port) in self.live.of_service(fate.key) {
            let at = if loopback {
                let published = match chosen.get(&port) {
                    Some(published) => *published,
                    None => {
                        let free = shared.loopback.take();
                        let published = free.ok_or_else(|| Refusal::NoAddress {
                            what: format!("{key}: no loopback port is free").into(),
                        })?;
                        ports.push(EnginePort {
                            host: "127.0.0.1".into(),
                            published,
                            target: port,
                            protocol: "tcp".into(),
                        });
                        chosen.insert(port, published);
                        published
                    }
                };
                Some(SocketAddr::new(local, published))
            } else {
                own.map(|address| SocketAddr::new(address, port))
            };
            backends.extend(at.map(|at| (key, at)));
        }
        Ok(backends)
    }

    /// A container where there was none.
    pub(super) fn create(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        generation: u64,
        shared: &mut Shared<'_>,
    ) -> Result<(), Refusal> {
        let new = self.make(fate, replica, generation, Comes::First, shared)?;
        let attach = self.attach(&new.id, new.lines, vec![new.create]);
        let mut after = self.dependencies(fate);
        after.extend([new.create].into_iter().chain(attach));
        let start = self.push(new.id.clone(), Act::Start { name: new.name.clone() }, after, None, Undo::Reverse);
        let ready = self.gate(fate, &new.id, &new.name, start);
        self.serve(fate, replica, &new.id, new.backends, vec![ready]);
        self.mark(fate.key, start, ready);
        Ok(())
    }

    /// The container that is there starts again.
    pub(super) fn start(&mut self, fate: &ServiceFate<'a>, replica: u32, there: &ContainerSeen) {
        let lines = self.net.standing(fate.key, replica, fate.service, there);
        let attach = self.attach(&there.id, lines, Vec::new());
        let mut after = self.dependencies(fate);
        after.extend(attach);
        let start = self.push(there.id.clone(), Act::Start { name: there.name.clone() }, after, None, Undo::Reverse);
        let ready = self.gate(fate, &there.id, &there.name, start);
        self.serve_again(fate, replica, there, vec![ready]);
        self.mark(fate.key, start, ready);
    }

    /// Where the edge reaches a container that is there.
    pub(super) fn seen_backends(&self, fate: &ServiceFate<'a>, there: &ContainerSeen) -> Vec<(Arc<str>, SocketAddr)> {
        let routes = self.view.desired.routes.iter();
        let mine = routes.filter(|(_, route)| crate::diff::resources::end(route).0 == fate.key);
        let at = |(key, route): (&Arc<str>, _)| {
            let at = crate::diff::resources::seen_backend(self.view, None, key, route, fate.service, there)?;
            Some((key.clone(), at))
        };
        mine.filter_map(at).collect()
    }

    /// Lines of hosts files, if there are any.
    pub(super) fn attach(&mut self, id: &ResourceId, lines: Vec<HostLine>, after: Vec<u32>) -> Option<u32> {
        (!lines.is_empty()).then(|| self.push(id.clone(), Act::Attach { lines }, after, None, Undo::Reverse))
    }

    /// The gate; for a service without one, its start is the proof.
    pub(super) fn gate(&mut self, fate: &ServiceFate<'a>, id: &ResourceId, name: &Arc<str>, start: u32) -> u32 {
        let (planned, _) = gate::decide(&fate.service.gate, self.view.image(&fate.service.image));
        match planned {
            Some(gate) => {
                self.push(id.clone(), Act::Gate { name: name.clone(), gate }, vec![start], None, Undo::Nothing)
            }
            None => start,
        }
    }

    /// Its routes lead to this container too.
    pub(super) fn serve(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        id: &ResourceId,
        backends: Vec<(Arc<str>, SocketAddr)>,
        after: Vec<u32>,
    ) -> Option<u32> {
        for (key, at) in backends {
            self.live.set(&key, replica, id.clone(), at);
        }
        let routes: Vec<Arc<str>> = self.live.of_service(fate.key).into_iter().map(|(key, _)| key).collect();
        self.switch(fate.key, &routes, after)
    }

    /// Its routes lead to this container, which was there before; those whose port the engine holds for it are none of the edge's.
    pub(super) fn serve_again(
        &mut self,
        fate: &ServiceFate<'a>,
        replica: u32,
        there: &ContainerSeen,
        after: Vec<u32>,
    ) -> Option<u32> {
        for (key, at) in self.seen_backends(fate, there) {
            self.live.set(&key, replica, there.id.clone(), at);
        }
        let mut routes: Vec<Arc<str>> = self.live.of_service(fate.key).into_iter().map(|(key, _)| key).collect();
        routes
            .retain(|key| self.view.desired.routes.get(key).is_none_or(|route| adopt::held_by(there, route).is_none()));
        self.switch(fate.key, &routes, after)
    }

    /// `Switch` of these routes to where they lead now.
    pub(super) fn switch(&mut self, service: &Arc<str>, routes: &[Arc<str>], mut after: Vec<u32>) -> Option<u32> {
        if routes.is_empty() {
            return None;
        }
        after.extend(self.live.last(routes));
        let act = Act::Switch { routes: self.live.targets(routes) };
        let index = self.push(self.service(service), act, after, None, Undo::Reverse);
        self.live.changed(routes, index);
        Some(index)
    }
}

/// The same networks without the service's names: a container is found under its own name only.
pub(super) fn nameless(networks: &[PlacedNetwork]) -> Vec<PlacedNetwork> {
    networks.iter().map(|one| PlacedNetwork { aliases: Vec::new(), ..one.clone() }).collect()
}
