//! How the small world is listed.
//!
//! In: a scope. Out: `Observed`, without the record.
//! **Invariant:** what is not ours appears only by name; a list that was cut says so.
//! Not here: the record (`escadre_engine::observe`).
//! Tests: `tests/conformance.rs`.

use super::state::{Container, State};
use escadre_engine::ports::{KeptImage, Scope};
use escadre_model::ids::{InstanceId, Kind, ResourceId, ResourceKey};
use escadre_model::name::Name;
use escadre_model::observed::{
    Complete, ContainerSeen, EngineId, ForeignKind, HostSeen, ImageSeen, MadeByCompose, NetworkSeen, Observed,
    VolumeSeen,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) fn list(state: &State, scope: &Scope, images: &BTreeSet<Arc<str>>, now: u64) -> Observed {
    let complete = Complete { containers: true, networks: true, volumes: true, images: true, record: false };
    let mut observed = Observed { complete, host: host(state, images, now), ..Observed::default() };
    let inside = |instance: &InstanceId| match scope {
        Scope::Fleet(fleet) => instance.fleet == *fleet,
        Scope::Instances(instances) => instances.contains(instance),
    };
    for (name, container) in &state.containers {
        if let Some((project, key, number)) = &container.compose {
            observed
                .host
                .projects
                .entry(project.clone())
                .or_default()
                .containers
                .push(composed(project, key, *number, name, container, now));
        }
        let Some((id, origin)) = container.owner.as_ref().filter(|(id, _)| inside(&id.instance)) else { continue };
        let seen = observed.instances.entry(id.instance.clone()).or_default();
        seen.origin = Some(origin.clone());
        seen.containers.push(ContainerSeen {
            id: id.clone(),
            engine: EngineId(container.engine.clone()),
            name: name.clone(),
            spec: container.spec.clone(),
            fields: Some(container.fields.clone()),
            image: container.image.id.clone(),
            phase: container.phase(now),
            health: container.health(now),
            restarts: container.restarts(now),
            started: container.started.map_or_else(|| "".into(), |at| format!("{at} ms").into()),
            addresses: container.networks.iter().filter_map(|(name, at)| Some((name.clone(), (*at)?))).collect(),
            published: container.published.clone(),
            volumes: container.volumes.clone(),
            known: false,
            compose: None,
        });
    }
    for (name, network) in &state.networks {
        if let Some((project, key)) = &network.compose {
            let key = ResourceKey::new(Kind::Network, key.clone());
            let (engine, subnets) = (EngineId(network.engine.clone()), vec![network.subnet.clone()]);
            let seen = NetworkSeen { key, engine, name: name.clone(), spec: None, subnets, compose: true };
            observed.host.projects.entry(project.clone()).or_default().networks.push(seen);
        }
        let Some(id) = network.owner.as_ref().filter(|id| inside(&id.instance)) else { continue };
        observed.instances.entry(id.instance.clone()).or_default().networks.push(NetworkSeen {
            key: id.resource.clone(),
            engine: EngineId(network.engine.clone()),
            name: name.clone(),
            spec: network.spec.clone(),
            subnets: vec![network.subnet.clone()],
            compose: false,
        });
    }
    for (name, volume) in &state.volumes {
        if let Some((project, key)) = &volume.compose {
            let key = ResourceKey::new(Kind::Volume, key.clone());
            let seen = VolumeSeen { key, name: name.clone(), spec: None };
            observed.host.projects.entry(project.clone()).or_default().volumes.push(seen);
        }
        let Some(id) = volume.owner.as_ref().filter(|id| inside(&id.instance)) else { continue };
        let (key, name, spec) = (id.resource.clone(), name.clone(), volume.spec.clone());
        observed.instances.entry(id.instance.clone()).or_default().volumes.push(VolumeSeen { key, name, spec });
    }
    for ((instance, key), route) in state.routes.iter().filter(|((instance, _), _)| inside(instance)) {
        observed.instances.entry(instance.clone()).or_default().routes.insert(key.clone(), route.clone());
    }
    observed
}

/// A container that Docker Compose made.
fn composed(project: &str, key: &str, number: u32, name: &Arc<str>, container: &Container, now: u64) -> ContainerSeen {
    let project_name = Name::project(project).unwrap_or_else(|error| panic!("{project}: {error}"));
    let id = InstanceId::new(project_name.clone(), project_name).resource(ResourceKey::new(Kind::Service, key));
    let made = MadeByCompose {
        project: project.into(),
        folder: format!("/srv/{project}").into(),
        files: vec![format!("/srv/{project}/compose.yaml").into()],
        number,
        anonymous: BTreeMap::new(),
        differs: Vec::new(),
    };
    ContainerSeen {
        id: id.container(number, 0),
        engine: EngineId(container.engine.clone()),
        name: name.clone(),
        spec: None,
        fields: Some(container.fields.clone()),
        image: container.image.id.clone(),
        phase: container.phase(now),
        health: container.health(now),
        restarts: container.restarts(now),
        started: container.started.map_or_else(|| "".into(), |at| format!("{at} ms").into()),
        addresses: container.networks.iter().filter_map(|(name, at)| Some((name.clone(), (*at)?))).collect(),
        published: container.published.clone(),
        volumes: container.volumes.clone(),
        known: false,
        compose: Some(Box::new(made)),
    }
}

fn host(state: &State, asked: &BTreeSet<Arc<str>>, now: u64) -> HostSeen {
    let running = state.containers.values().filter(|one| one.runs(now));
    let loopback = running.flat_map(|one| &one.published).filter(|port| &*port.host == "127.0.0.1");
    let mut foreign: Vec<(ForeignKind, Arc<str>)> = Vec::new();
    let nobodys = |owner: Option<&ResourceId>| owner.is_none();
    let containers = state.containers.iter().filter(|(_, one)| nobodys(one.owner.as_ref().map(|(id, _)| id)));
    foreign.extend(containers.map(|(name, _)| (ForeignKind::Container, name.clone())));
    let networks = state.networks.iter().filter(|(_, one)| nobodys(one.owner.as_ref()));
    foreign.extend(networks.map(|(name, _)| (ForeignKind::Network, name.clone())));
    let volumes = state.volumes.iter().filter(|(_, one)| nobodys(one.owner.as_ref()));
    foreign.extend(volumes.map(|(name, _)| (ForeignKind::Volume, name.clone())));
    let images = state.images.iter().filter(|(reference, _)| asked.contains(*reference)).map(|(reference, image)| {
        let ports = image.behaviour.listens.as_ref().map(|(ports, _)| ports.clone()).unwrap_or_default();
        let (id, digests, health, size, build) = (image.id.clone(), Vec::new(), None, 0, None);
        (reference.clone(), ImageSeen { id, digests, ports, health, size, build })
    });
    HostSeen {
        engine: "fake 1".into(),
        subnets: state.networks.values().map(|network| network.subnet.clone()).collect(),
        foreign,
        ports: loopback.map(|port| port.published).collect(),
        images: images.collect(),
        projects: BTreeMap::new(),
        stacks: BTreeMap::new(),
    }
}

/// The images of these ids; their only names here are those they were fetched under, and that of the engine's own.
pub(super) fn kept_images(state: &State, known: &BTreeMap<Arc<str>, BTreeSet<Arc<str>>>) -> Vec<KeptImage> {
    let of = |(id, fetched): (&Arc<str>, &BTreeSet<Arc<str>>)| {
        state.images.get(id)?;
        let names = state.images.iter().filter(|(name, image)| image.id == *id && *name != id);
        let (ours, others) = names.map(|(name, _)| Arc::clone(name)).partition(|name| fetched.contains(name));
        let used = state.containers.values().any(|one| one.image.id == *id);
        Some(KeptImage { id: Arc::clone(id), ours, others, bytes: 1_000_000, used })
    };
    known.iter().filter_map(of).collect()
}
