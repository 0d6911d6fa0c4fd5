//! What others made and an instance takes over, or has taken over: Docker Compose's containers, networks and volumes, which bear no labels of ours.
//!
//! In: `Observed` with the records and the Compose projects of the host, and what instances want. Out: the same, with these things among those of
//! their instances.
//! **Invariant:** what is on record is found by its id alone; what is not comes to an instance only where that asks for the project. Nothing is changed
//! in the world, and nobody else's thing loses its name among the foreign ones.
//! Not here: reading a list (`escadre_render::engine::composed`), whether it is adopted (`escadre-plan`), the entry in the journal (`apply`).
//! Tests: `adopt/tests.rs`; stories in `escadre-testkit`.

use crate::apply::Ports;
use crate::ports::Error;
use escadre_model::desired::{Adopts, Body, Desired, Former};
use escadre_model::ids::{InstanceId, Kind, ResourceKey};
use escadre_model::observed::{ContainerSeen, EngineId, ForeignKind, InstanceSeen, Observed, ProjectSeen, VolumeSeen};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Brings Compose's things to the instances that have or want them.
pub(crate) fn join(observed: &mut Observed, wanted: &[&Desired]) {
    let mut taken = BTreeSet::new();
    let Observed { instances, host, .. } = observed;
    let foreign: BTreeSet<Arc<str>> =
        host.foreign.iter().filter(|(kind, _)| *kind == ForeignKind::Volume).map(|(_, name)| name.clone()).collect();
    for (id, seen) in instances.iter_mut() {
        recorded(id, seen, &mut host.projects, &foreign, &mut taken);
    }
    for desired in wanted {
        let compose = desired.adopts.as_ref().filter(|adopts| adopts.from == Former::Compose);
        let claims = compose.and_then(|adopts| Some((adopts, host.projects.get_mut(&adopts.project)?)));
        let named = named(desired, &foreign);
        if claims.is_none() && named.is_empty() {
            continue;
        }
        let seen = instances.entry(desired.instance.clone()).or_default();
        if let Some((adopts, project)) = claims {
            claimed(desired, adopts, seen, project, &mut taken);
        }
        for volume in named {
            add_volume(seen, volume, &mut taken);
        }
    }
    // Volumes that nobody named come with the containers that have them.
    for seen in instances.values_mut() {
        let found: Vec<VolumeSeen> = seen.containers.iter().flat_map(anonymous).collect();
        for volume in found {
            if foreign.contains(&volume.name) {
                add_volume(seen, volume, &mut taken);
            }
        }
        seen.containers.sort_by(|a, b| a.id.cmp(&b.id));
    }
    host.projects.retain(|_, project| *project != ProjectSeen::default());
    host.foreign.retain(|(kind, name)| !taken.contains(&(*kind as u8, name.clone())));
}

type Taken = BTreeSet<(u8, Arc<str>)>;

fn take(taken: &mut Taken, kind: ForeignKind, name: &Arc<str>) {
    taken.insert((kind as u8, name.clone()));
}

fn add_volume(seen: &mut InstanceSeen, mut volume: VolumeSeen, taken: &mut Taken) {
    take(taken, ForeignKind::Volume, &volume.name);
    if !seen.volumes.iter().any(|one| one.name == volume.name) {
        let remembered = seen.record.adopted.get(&EngineId(volume.name.clone()));
        volume.spec = volume.spec.or_else(|| remembered?.spec.clone());
        seen.volumes.push(volume);
    }
}

/// What an instance has on record.
fn recorded(
    instance: &InstanceId,
    seen: &mut InstanceSeen,
    projects: &mut BTreeMap<Arc<str>, ProjectSeen>,
    volumes: &BTreeSet<Arc<str>>,
    taken: &mut Taken,
) {
    let record = std::mem::take(&mut seen.record);
    for (engine, adopted) in &record.adopted {
        let Some(id) = record.owned.get(engine).filter(|id| id.instance == *instance) else { continue };
        if id.resource.kind == Kind::Volume && volumes.contains(&engine.0) {
            let volume = VolumeSeen { key: id.resource.clone(), name: engine.0.clone(), spec: adopted.spec.clone() };
            add_volume(seen, volume, taken);
        }
    }
    let known = |engine: &EngineId| Some((record.adopted.get(engine)?, record.owned.get(engine)?));
    for project in projects.values_mut() {
        for mut container in split(&mut project.containers, |one| known(&one.engine).is_some()) {
            let Some((adopted, id)) = known(&container.engine) else { continue };
            (container.id, container.spec) = (id.clone(), adopted.spec.clone());
            if let Some(made) = container.compose.as_mut() {
                made.differs.clone_from(&adopted.differs);
            }
            take(taken, ForeignKind::Container, &container.name);
            seen.containers.push(container);
        }
        for mut network in split(&mut project.networks, |one| known(&one.engine).is_some()) {
            let Some((adopted, id)) = known(&network.engine) else { continue };
            (network.key, network.spec) = (id.resource.clone(), adopted.spec.clone());
            take(taken, ForeignKind::Network, &network.name);
            seen.networks.push(network);
        }
        project.volumes.retain(|one| known(&EngineId(one.name.clone())).is_none());
    }
    seen.record = record;
}

/// Takes out what fits.
fn split<T>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool) -> Vec<T> {
    let (out, rest) = std::mem::take(list).into_iter().partition(fits);
    *list = rest;
    out
}

/// What an instance asks for: services, networks and volumes that its files have too.
fn claimed(desired: &Desired, adopts: &Adopts, seen: &mut InstanceSeen, project: &mut ProjectSeen, taken: &mut Taken) {
    let here = |one: &ContainerSeen| {
        let folder = one.compose.as_ref().map(|made| &made.folder);
        adopts.folder.as_ref().is_none_or(|wanted| folder.is_none_or(|folder| same_folder(wanted, folder)))
    };
    // Another folder's project of the same name: the planner says so, and nothing of it is taken.
    if !project.containers.iter().all(here) {
        return;
    }
    let has = |key: &ResourceKey| desired.resources.contains_key(key);
    let mut containers = split(&mut project.containers, |one| has(&one.id.resource));
    containers.sort_by_key(|one| (one.id.resource.clone(), one.id.replica, one.engine.clone()));
    for mut container in containers {
        let replica = replica(&container, seen);
        let generation = next_generation(&container, replica, seen);
        container.id = desired.instance.resource(container.id.resource.clone()).container(replica, generation);
        take(taken, ForeignKind::Container, &container.name);
        seen.containers.push(container);
    }
    for network in split(&mut project.networks, |one| has(&one.key)) {
        take(taken, ForeignKind::Network, &network.name);
        seen.networks.push(network);
    }
    let wanted = |one: &VolumeSeen| match desired.resources.get(&one.key).map(|resource| &resource.body) {
        Some(Body::Volume(volume)) => volume.name == one.name && !volume.external,
        _ => false,
    };
    for volume in split(&mut project.volumes, wanted) {
        add_volume(seen, volume, taken);
    }
}

fn same_folder(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// Which of its service it is: its own number where containers of ours have their numbers, else its place among those that Compose made.
fn replica(container: &ContainerSeen, seen: &InstanceSeen) -> u32 {
    let mine = |one: &&ContainerSeen| one.id.resource == container.id.resource;
    let (number, mut there) = (container.id.replica.unwrap_or(1), seen.containers.iter().filter(mine).peekable());
    let owned = seen.record.owned.values().any(|id| id.resource == container.id.resource);
    if owned || there.peek().is_none() && number == 1 {
        return number;
    }
    u32::try_from(there.count()).unwrap_or(0) + 1
}

fn next_generation(container: &ContainerSeen, replica: u32, seen: &InstanceSeen) -> u64 {
    let there = seen.containers.iter().map(|one| &one.id);
    let mine = there.chain(seen.record.owned.values());
    let mine = mine.filter(|id| id.resource == container.id.resource && id.replica == Some(replica));
    mine.filter_map(|id| id.generation).max().unwrap_or(0) + 1
}

/// Volumes that are there under the names the instance's file gives them.
fn named(desired: &Desired, foreign: &BTreeSet<Arc<str>>) -> Vec<VolumeSeen> {
    let volumes = desired.resources.iter().filter_map(|(key, resource)| match &resource.body {
        Body::Volume(volume) if volume.named && !volume.external => Some((key, &volume.name)),
        _ => None,
    });
    volumes
        .filter(|(_, name)| foreign.contains(*name))
        .map(|(key, name)| VolumeSeen { key: key.clone(), name: name.clone(), spec: None })
        .collect()
}

fn anonymous(container: &ContainerSeen) -> Vec<VolumeSeen> {
    let service = &container.id.resource.key;
    let made = container.compose.iter().flat_map(|made| &made.anonymous);
    made.map(|(target, name)| {
        let key = escadre_render::engine::names::unnamed(service, target);
        VolumeSeen { key: ResourceKey::new(Kind::Volume, key), name: name.clone(), spec: None }
    })
    .collect()
}

/// Finds out in what containers that are about to be adopted, or whose place is to be taken, are not as the files want them. Nothing is decided by it: people are
/// told.
///
/// # Errors
/// When the target cannot be asked.
pub(crate) async fn compare(observed: &mut Observed, wanted: &[&Desired], ports: &Ports) -> Result<(), Error> {
    for desired in wanted {
        let swarm = desired.adopts.as_ref().filter(|adopts| adopts.from == Former::Swarm);
        if let Some(tasks) = swarm.and_then(|adopts| observed.host.stacks.get_mut(&adopts.project)) {
            let of: Vec<_> = tasks.iter().map(|one| (one.service.clone(), one.engine.clone())).collect();
            let mut found = ports.driver.compare(desired, &of, ports.secrets.as_ref()).await?;
            for task in tasks {
                task.differs = found.remove(&task.engine).unwrap_or_default();
            }
        }
        let Some(seen) = observed.instances.get_mut(&desired.instance) else { continue };
        let strange = |one: &&mut ContainerSeen| one.compose.is_some() && !one.known;
        let of: Vec<_> = seen
            .containers
            .iter_mut()
            .filter(strange)
            .map(|one| (one.id.resource.key.clone(), one.engine.clone()))
            .collect();
        if of.is_empty() {
            continue;
        }
        let mut found = ports.driver.compare(desired, &of, ports.secrets.as_ref()).await?;
        for container in &mut seen.containers {
            if let (Some(made), Some(differs)) = (container.compose.as_mut(), found.remove(&container.engine)) {
                made.differs = differs;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
