//! Plans made by hand: enough of a planner to test the engine without trusting the real one.
//!
//! In: what one instance wants, and what was seen of it. Out: its part of a plan: create, replace (the old one stops first), remove.
//! **Invariant:** as the real planner: nothing old is removed before the commit point, nothing is removed that was not seen.
//! Not here: reasons, groups, holds, refusals (`escadre-plan`).
//! Tests: through `tests/faults.rs`.

use escadre_model::desired::{Body, Condition, Desired, Gate, State};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceId, ResourceKey};
use escadre_model::observed::{ContainerSeen, InstanceSeen, Observed};
use escadre_plan::plan::{Consent, InstancePlan, Plan, SCHEMA};
use escadre_plan::step::{Act, HostLine, PlacedNetwork, Placement, PlannedGate, RouteTarget, Step, Undo};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The hash a plan is bound to.
pub fn precondition(desired: &Hash, seen: Option<&InstanceSeen>) -> Hash {
    let mut lines: Vec<String> = Vec::new();
    for one in seen.iter().flat_map(|seen| &seen.containers) {
        lines.push(format!("{} {} {:?} {:?}", one.id, one.engine.0, one.spec, one.fields));
    }
    for one in seen.iter().flat_map(|seen| &seen.networks) {
        lines.push(format!("{} {}", one.key, one.engine.0));
    }
    for one in seen.iter().flat_map(|seen| &seen.volumes) {
        lines.push(format!("{} {}", one.key, one.name));
    }
    lines.sort();
    Hash::of_json(&(desired, lines))
}

/// A plan for these instances.
pub fn plan(desired: &[Arc<Desired>], observed: &Observed) -> Plan {
    let instances: Vec<InstancePlan> =
        desired.iter().enumerate().map(|(at, one)| instance(one, observed, at)).collect();
    let id = Hash::of_json(&instances).short().chars().take(6).collect::<String>();
    Plan {
        schema: SCHEMA.into(),
        id: id.into(),
        fleet: desired.first().map_or_else(|| "".into(), |one| one.instance.fleet.as_str().into()),
        commit: "".into(),
        dirty: None,
        target: "local".into(),
        waves: vec![instances.iter().map(|plan| plan.instance.clone()).collect()],
        instances,
        groups: Vec::new(),
        outliers: Vec::new(),
        notes: Vec::new(),
    }
}

struct Maker<'a> {
    desired: &'a Desired,
    seen: InstanceSeen,
    subnet: u8,
    steps: Vec<Step>,
}

fn instance(desired: &Desired, observed: &Observed, at: usize) -> InstancePlan {
    let seen = observed.instance(&desired.instance).cloned().unwrap_or_default();
    let taken: Vec<u8> = seen.networks.iter().flat_map(|one| &one.subnets).filter_map(|one| third(one)).collect();
    let subnet = taken.first().copied().unwrap_or_else(|| {
        let used: Vec<u8> = observed.host.subnets.iter().filter_map(|one| third(one)).collect();
        (1..=250).filter(|one| !used.contains(one)).nth(at).unwrap_or(251)
    });
    let mut maker = Maker { desired, seen, subnet, steps: Vec::new() };
    match desired.state {
        State::Running => maker.running(),
        State::Stopped | State::Removed => maker.down(),
    }
    let hash = desired.hash();
    InstancePlan {
        instance: desired.instance.clone(),
        precondition: precondition(&hash, observed.instance(&desired.instance)),
        desired: hash,
        changes: Vec::new(),
        consent: if maker.steps.is_empty() { Consent::Nothing } else { Consent::Additive },
        steps: maker.steps,
        refused: None,
        group: None,
    }
}

fn third(subnet: &str) -> Option<u8> {
    subnet.split('.').nth(2)?.parse().ok()
}

impl Maker<'_> {
    fn push(&mut self, on: ResourceId, act: Act, after: Vec<u32>, undo: Undo, after_commit: bool) -> u32 {
        let index = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let payload = self.desired.resources.get(&on.resource).map(|resource| resource.spec.clone());
        self.steps.push(Step { index, on, act, after, payload, undo, after_commit });
        index
    }

    fn on(&self, kind: Kind, key: &str) -> ResourceId {
        self.desired.instance.resource(ResourceKey::new(kind, key))
    }

    fn ended_well(&self, key: &str, spec: &Hash) -> bool {
        self.seen.record.jobs.get(key).is_some_and(|all| all.iter().any(|one| one.spec == *spec))
    }

    fn running(&mut self) {
        let mut basis = Vec::new();
        for (key, resource) in &self.desired.resources {
            let on = self.desired.instance.resource(key.clone());
            match &resource.body {
                Body::Network(network) if !self.seen.networks.iter().any(|one| one.key == *key) => {
                    let subnet = Some(format!("10.210.{}.0/26", self.subnet).into());
                    let act = Act::EnsureNetwork { name: network.name.clone(), subnet };
                    basis.push(self.push(on, act, Vec::new(), Undo::Reverse, false));
                }
                Body::Volume(volume) if !self.seen.volumes.iter().any(|one| one.key == *key) => {
                    let act = Act::EnsureVolume { name: volume.name.clone(), external: false };
                    basis.push(self.push(on, act, Vec::new(), Undo::Reverse, false));
                }
                _ => {}
            }
        }
        let mut done: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        let mut left: Vec<Arc<str>> = self.desired.services().map(|(key, ..)| key.clone()).collect();
        let mut removals = Vec::new();
        while !left.is_empty() {
            let now = left.iter().position(|key| {
                let waits = self.desired.service(key).map(|(_, service)| &service.after);
                waits.into_iter().flatten().all(|after| !left.contains(&after.service))
            });
            let Some(now) = now else { break };
            let key = left.remove(now);
            if let Some(last) = self.service(&key, &basis, &done, &mut removals) {
                done.insert(key, last);
            }
        }
        let gone: Vec<ContainerSeen> = self.seen.containers.clone();
        for old in gone.iter().filter(|old| self.desired.service(&old.id.resource.key).is_none()) {
            let stop = Act::Stop { name: old.name.clone(), grace_ms: 1000, forget: true };
            self.push(old.id.clone(), stop, Vec::new(), Undo::Reverse, false);
            removals.push(old.clone());
        }
        for old in removals {
            let act = Act::Remove { name: old.name.clone(), engine: Some(old.engine.clone()), data: false };
            self.push(old.id, act, Vec::new(), Undo::Irreversible("it is gone".into()), true);
        }
    }

    fn service(
        &mut self,
        key: &Arc<str>,
        basis: &[u32],
        done: &BTreeMap<Arc<str>, u32>,
        removals: &mut Vec<ContainerSeen>,
    ) -> Option<u32> {
        let (resource, service) = self.desired.service(key)?;
        let olds: Vec<ContainerSeen> =
            self.seen.containers.iter().filter(|one| one.id.resource.key == *key).cloned().collect();
        let as_wanted = |one: &ContainerSeen| one.spec.as_ref() == Some(&resource.spec);
        if (service.job && self.ended_well(key, &resource.spec)) || (!service.job && olds.iter().any(as_wanted)) {
            return None;
        }
        let mut waits = basis.to_vec();
        waits.extend(service.after.iter().filter_map(|after| done.get(&after.service)).copied());
        debug_assert!(service.after.iter().all(|after| after.condition != Condition::Started || after.required));
        let image = service.image.clone();
        let ensure = Act::EnsureImage { reference: image.clone(), refresh: false, build: None, expect: None };
        waits.push(self.push(self.on(Kind::Image, &image), ensure, Vec::new(), Undo::Nothing, false));
        let mut files = Vec::new();
        for file in &service.files {
            let path: Arc<str> = format!("{}-{}", file.key, self.desired.resources.get(file)?.spec.short()).into();
            let on = self.desired.instance.resource(file.clone());
            let act = Act::EnsureFile { file: path.clone() };
            waits.push(self.push(on, act, Vec::new(), Undo::Reverse, false));
            files.push((file.clone(), path));
        }
        let generation = olds.iter().filter_map(|one| one.id.generation).max().unwrap_or(0) + 1;
        let on = self.on(Kind::Service, key).container(1, generation);
        let name: Arc<str> =
            format!("{}_{}_{key}_1_g{generation}", self.desired.instance.fleet, self.desired.instance.instance).into();
        let address = self.address();
        let networks = self.desired.resources.iter().filter_map(|(net, one)| match &one.body {
            Body::Network(found) => Some(PlacedNetwork {
                network: net.key.clone(),
                name: found.name.clone(),
                address: Some(address),
                aliases: vec![key.clone()],
            }),
            _ => None,
        });
        let volumes = service.volumes.keys().filter_map(|volume| {
            match &self.desired.resources.get(&ResourceKey::new(Kind::Volume, volume.clone()))?.body {
                Body::Volume(found) => Some((volume.clone(), found.name.clone())),
                _ => None,
            }
        });
        let placement = Placement {
            name: name.clone(),
            image,
            networks: networks.collect(),
            hosts: Some("default".into()),
            volumes: volumes.collect(),
            files,
            engine_ports: Vec::new(),
            shares_network_of: None,
            routes: self.desired.routes.contains_key(key).then(|| key.clone()).into_iter().collect(),
        };
        let mut last = self.push(on.clone(), Act::Create(placement), waits, Undo::Reverse, false);
        let routed = self.desired.routes.contains_key(key) && !olds.is_empty();
        if routed {
            let park = Act::Park { routes: vec![key.clone()] };
            last = self.push(self.on(Kind::Route, key), park, vec![last], Undo::Reverse, false);
        }
        for old in &olds {
            let stop = Act::Stop { name: old.name.clone(), grace_ms: 1000, forget: true };
            last = self.push(old.id.clone(), stop, vec![last], Undo::Reverse, false);
        }
        removals.extend(olds);
        if service.job {
            let run = Act::Run { name, deadline_ms: 0 };
            return Some(self.push(on, run, vec![last], Undo::Irreversible("it ran".into()), false));
        }
        last = self.push(on.clone(), Act::Start { name: name.clone() }, vec![last], Undo::Reverse, false);
        let gate = match &service.gate {
            Gate::Check(check) => PlannedGate::Healthy { check: check.clone(), deadline_ms: 60_000 },
            Gate::Unstated { ports, .. } if !ports.is_empty() => {
                PlannedGate::PortOpen { ports: ports.clone(), times: 3, every_ms: 1000, deadline_ms: 60_000 }
            }
            Gate::Unstated { .. } | Gate::ExitZero => PlannedGate::Alive { for_ms: 10_000 },
        };
        last = self.push(on.clone(), Act::Gate { name, gate }, vec![last], Undo::Nothing, false);
        let line =
            HostLine { hosts: "default".into(), who: format!("{key}/1").into(), address, names: vec![key.clone()] };
        last = self.push(on.clone(), Act::Attach { lines: vec![line] }, vec![last], Undo::Reverse, false);
        if self.desired.routes.contains_key(key) {
            let backends = vec![(on, SocketAddr::new(address, 80))];
            let target = RouteTarget { spec: Hash::of(key.as_bytes()), backends, published: None };
            let switch = Act::Switch { routes: BTreeMap::from([(key.clone(), target)]) };
            last = self.push(self.on(Kind::Route, key), switch, vec![last], Undo::Reverse, false);
        }
        Some(last)
    }

    fn address(&self) -> IpAddr {
        let used = |address: &IpAddr| {
            let planned = self.steps.iter().any(|step| match &step.act {
                Act::Create(placement) => placement.networks.iter().any(|one| one.address.as_ref() == Some(address)),
                _ => false,
            });
            planned || self.seen.containers.iter().any(|one| one.addresses.values().any(|at| at == address))
        };
        let all = (2..=62).map(|last| IpAddr::V4(Ipv4Addr::new(10, 210, self.subnet, last)));
        all.into_iter().find(|address| !used(address)).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    fn down(&mut self) {
        let seen = self.seen.clone();
        let mut last = Vec::new();
        if !seen.routes.is_empty() {
            let unroute = Act::Unroute { routes: seen.routes.keys().cloned().collect() };
            last.push(self.push(self.on(Kind::Route, "all"), unroute, Vec::new(), Undo::Reverse, false));
        }
        for one in &seen.containers {
            let stop = Act::Stop { name: one.name.clone(), grace_ms: 1000, forget: true };
            let waits = last.clone();
            self.push(one.id.clone(), stop, waits, Undo::Reverse, false);
        }
        let gone = || Undo::Irreversible("it is gone".into());
        let mut removed = Vec::new();
        for one in &seen.containers {
            let act = Act::Remove { name: one.name.clone(), engine: Some(one.engine.clone()), data: false };
            removed.push(self.push(one.id.clone(), act, Vec::new(), gone(), true));
        }
        for one in &seen.networks {
            let on = self.desired.instance.resource(one.key.clone());
            let act = Act::Remove { name: one.name.clone(), engine: Some(one.engine.clone()), data: false };
            self.push(on, act, removed.clone(), gone(), true);
        }
    }
}
