//! What Docker Compose made: containers, networks and volumes with its labels and none of ours; and the containers of a Swarm's stacks.
//!
//! In: entries of an engine's lists. Out: the project's name, and the thing as it is seen; its fleet and instance are called like the project.
//! **Invariant:** total: any JSON gives a value or nothing; what carries a label of ours is never taken for Compose's.
//! Not here: whose it becomes (`escadre_engine::observe`), in what it differs from the files (`differences`).
//! Tests: `composed/tests.rs`, with answers recorded from real engines.

use super::{labels, read};
use escadre_model::ids::{InstanceId, Kind, ResourceId, ResourceKey};
use escadre_model::name::Name;
use escadre_model::observed::{ContainerSeen, EngineId, MadeByCompose, NetworkSeen, TaskSeen, VolumeSeen};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const ONEOFF: &str = "com.docker.compose.oneoff";
const FOLDER: &str = "com.docker.compose.project.working_dir";
const FILES: &str = "com.docker.compose.project.config_files";
const STACK: &str = "com.docker.stack.namespace";
const SWARM_SERVICE: &str = "com.docker.swarm.service.name";
/// How many digits the engines' own names of volumes have.
const ID_DIGITS: usize = 64;

/// The project of a thing that Compose made and that is none of ours.
pub fn project(entry: &Value) -> Option<Name> {
    let all = read::labels_of(entry)?;
    if all.contains_key(labels::LABEL_SCHEMA) {
        return None;
    }
    Name::project(all.get(PROJECT)?.as_str()?).ok()
}

fn label<'v>(all: &'v Map<String, Value>, key: &str) -> &'v str {
    all.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn whose(project: &Name, kind: Kind, key: &str) -> ResourceId {
    InstanceId::new(project.clone(), project.clone()).resource(ResourceKey::new(kind, key))
}

/// A container of a project; `None` for others, and for those of `docker compose run`. `detail` is the entry of Docker's own list, which tells
/// addresses, ports and mounts; on Docker it is the same entry.
pub fn container(entry: &Value, detail: &Value) -> Option<(Name, ContainerSeen)> {
    let project = project(entry)?;
    let all = read::labels_of(entry)?;
    if label(all, ONEOFF) == "True" {
        return None;
    }
    let service = all.get(SERVICE)?.as_str()?;
    let number = label(all, NUMBER).parse().unwrap_or(1);
    let files = label(all, FILES).split(',').filter(|path| !path.is_empty()).map(Into::into);
    let made = MadeByCompose {
        project: project.as_str().into(),
        folder: label(all, FOLDER).into(),
        files: files.collect(),
        number,
        anonymous: anonymous(detail),
        differs: Vec::new(),
    };
    let id = whose(&project, Kind::Service, service).container(number, 0);
    let mut seen = read::seen(entry, id)?;
    seen.addresses = read::addresses(detail, &Map::new());
    seen.published = read::published(detail);
    seen.compose = Some(Box::new(made));
    Some((project, seen))
}

/// A container of a Docker Swarm's stack: the stack, and what is seen of it.
pub fn task(entry: &Value) -> Option<(Arc<str>, TaskSeen)> {
    let all = read::labels_of(entry)?;
    let (stack, service) = (all.get(STACK)?.as_str()?, all.get(SWARM_SERVICE)?.as_str()?);
    let own = service.strip_prefix(stack).and_then(|rest| rest.strip_prefix('_')).unwrap_or(service);
    let runs = entry.get("State").and_then(Value::as_str) == Some("running");
    let engine = EngineId(entry.get("Id")?.as_str()?.into());
    Some((stack.into(), TaskSeen { service: own.into(), runs, engine, differs: Vec::new() }))
}

/// Volumes that nobody named: path in the container → the engine's name.
fn anonymous(detail: &Value) -> BTreeMap<Arc<str>, Arc<str>> {
    let mounts = detail.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let unnamed = |mount: &Value| {
        let name = mount.get("Name")?.as_str()?;
        let target = mount.get("Destination")?.as_str()?;
        let digits = name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| (target.into(), name.into()))
    };
    mounts.filter_map(unnamed).collect()
}

/// A network of a project.
pub fn network(entry: &Value) -> Option<(Name, NetworkSeen)> {
    let project = project(entry)?;
    let key = read::labels_of(entry)?.get("com.docker.compose.network")?.as_str()?;
    let seen = NetworkSeen {
        key: ResourceKey::new(Kind::Network, key),
        engine: EngineId(entry.get("id").or_else(|| entry.get("Id"))?.as_str()?.into()),
        name: read::network_name(entry)?.into(),
        spec: None,
        subnets: read::subnets(entry),
        compose: true,
    };
    Some((project, seen))
}

/// A volume of a project.
pub fn volume(entry: &Value) -> Option<(Name, VolumeSeen)> {
    let project = project(entry)?;
    let key = read::labels_of(entry)?.get("com.docker.compose.volume")?.as_str()?;
    let seen =
        VolumeSeen { key: ResourceKey::new(Kind::Volume, key), name: read::volume_name(entry)?.into(), spec: None };
    Some((project, seen))
}

#[cfg(test)]
mod tests;
