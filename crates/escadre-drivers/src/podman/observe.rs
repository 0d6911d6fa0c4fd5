//! Observing: a handful of list calls, whatever the number of instances.
//!
//! In: a scope. Out: `Observed` without the record.
//! **Invariant:** a list that failed is marked incomplete, it is never taken for an empty one; nothing here changes anything.
//! Not here: what the lists' words mean (`escadre_render::engine::read`).
//! Tests: `tests/it`.

use super::door::{Call, encode};
use super::{Engine, host};
use escadre_engine::ports::{Error, Scope};
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::{Complete, ForeignKind, HostSeen, ImageSeen, InstanceSeen, Observed, ProjectSeen};
use escadre_render::engine::{composed, read};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many images are looked at at a time.
const ABREAST: usize = 4;

impl Engine {
    pub(super) async fn see(&self, scope: &Scope, images: &BTreeSet<Arc<str>>) -> Result<Observed, Error> {
        let (containers, networks, volumes, images, routes, edge_ports) = tokio::join!(
            self.list_containers(),
            self.list_networks(),
            self.list_volumes(),
            self.look_at_images(images),
            self.edge.routes(),
            self.edge.ports(),
        );
        let mut seen = Seen { scope, all: Observed::default(), own_ports: edge_ports.into_iter().collect() };
        // Nothing at all could be listed: that is an error, not an observation.
        let containers = containers?;
        seen.all.complete = Complete {
            containers: true,
            networks: networks.is_ok(),
            volumes: volumes.is_ok(),
            images: images.is_ok(),
            record: false,
        };
        for entry in networks.iter().flatten() {
            if let Some(ours) = read::network(entry) {
                self.know_bridge(&ours.instance, entry).await;
            }
        }
        let details = self.details(&containers).await?;
        seen.containers(&containers, &details);
        seen.networks(networks.as_deref().unwrap_or_default());
        seen.volumes(volumes.as_deref().unwrap_or_default());
        for (instance, found) in routes? {
            if seen.wanted(&instance) {
                seen.instance(&instance).routes = found;
            }
        }
        let mut all = seen.all;
        all.host.engine = escadre_engine::ports::Driver::capabilities(self).engine;
        all.host.images = images.unwrap_or_default();
        all.host.subnets.extend(host::subnets());
        all.host.subnets.sort();
        all.host.subnets.dedup();
        all.host.ports = host::ports().into_iter().filter(|port| !seen.own_ports.contains(port)).collect();
        Ok(all)
    }

    pub(super) async fn list_containers(&self) -> Result<Vec<Value>, Error> {
        let path = self.libpod("/containers/json").unwrap_or_else(|| self.compat("/containers/json"));
        self.list(Call::get("list containers", path).query("all", "true"), None).await
    }

    /// What only Docker's own list says of containers that Compose made (addresses, ports, mounts), by their ids; asked where there are any.
    async fn details(&self, containers: &[Value]) -> Result<BTreeMap<String, Value>, Error> {
        if self.libpod("").is_none() || !containers.iter().any(|entry| composed::project(entry).is_some()) {
            return Ok(BTreeMap::new());
        }
        let call = Call::get("list containers", self.compat("/containers/json")).query("all", "true");
        let list = self.list(call, None).await?;
        let id = |entry: &Value| entry.get("Id").and_then(Value::as_str).map(str::to_owned);
        Ok(list.into_iter().filter_map(|entry| Some((id(&entry)?, entry))).collect())
    }

    async fn list_networks(&self) -> Result<Vec<Value>, Error> {
        let path = self.libpod("/networks/json").unwrap_or_else(|| self.compat("/networks"));
        self.list(Call::get("list networks", path), None).await
    }

    async fn list_volumes(&self) -> Result<Vec<Value>, Error> {
        self.list(Call::get("list volumes", self.compat("/volumes")), Some("Volumes")).await
    }

    pub(super) async fn list(&self, call: Call, within: Option<&str>) -> Result<Vec<Value>, Error> {
        let act = call.act.clone();
        let answer = self.door.json(call).await?;
        let list = match within {
            Some(key) => answer.get(key).cloned().unwrap_or(Value::Null),
            None => answer,
        };
        match list {
            Value::Array(list) => Ok(list),
            Value::Null => Ok(Vec::new()),
            _ => Err(Error::Bug { act: act.into(), why: "the answer is no list".into() }),
        }
    }

    /// The images that are there of those that are asked about, under the words they are asked by. Each is looked at alone: Podman needs seconds to list
    /// some hundreds, and milliseconds to find one.
    async fn look_at_images(&self, asked: &BTreeSet<Arc<str>>) -> Result<BTreeMap<Arc<str>, ImageSeen>, Error> {
        futures_util::stream::iter(asked.iter().cloned())
            .map(|reference| async move { Ok((self.inspect_image(&reference).await?, reference)) })
            .buffer_unordered(ABREAST)
            .try_filter_map(|(entry, reference)| async move {
                let Some(entry) = entry else { return Ok(None) };
                let Some(image) = read::image(&entry) else {
                    let why = "the answer has no id".into();
                    return Err(Error::Bug { act: format!("look at image {reference}").into(), why });
                };
                Ok(Some((reference, image)))
            })
            .try_collect()
            .await
    }

    pub(super) async fn inspect_image(&self, reference: &str) -> Result<Option<Value>, Error> {
        // Podman's compatible answer leaves the image's health check out (4.3).
        let path = format!("/images/{}/json", encode(reference));
        let path = self.libpod(&path).unwrap_or_else(|| self.compat(&path));
        self.absent_or(Call::get(format!("look at image {reference}"), path)).await
    }
}

struct Seen<'a> {
    scope: &'a Scope,
    all: Observed,
    own_ports: BTreeSet<u16>,
}

impl Seen<'_> {
    fn wanted(&self, instance: &InstanceId) -> bool {
        match self.scope {
            Scope::Fleet(fleet) => &instance.fleet == fleet,
            Scope::Instances(list) => list.contains(instance),
        }
    }

    /// Ours as a fleet: its names are not foreign, even where only some of its instances are looked at.
    fn of_fleet(&self, instance: &InstanceId) -> bool {
        match self.scope {
            Scope::Fleet(fleet) => &instance.fleet == fleet,
            Scope::Instances(list) => list.iter().any(|one| one.fleet == instance.fleet),
        }
    }

    fn instance(&mut self, id: &InstanceId) -> &mut InstanceSeen {
        self.all.instances.entry(id.clone()).or_default()
    }

    fn project(&mut self, name: &Name) -> &mut ProjectSeen {
        self.host().projects.entry(name.as_str().into()).or_default()
    }

    fn host(&mut self) -> &mut HostSeen {
        &mut self.all.host
    }

    fn containers(&mut self, list: &[Value], details: &BTreeMap<String, Value>) {
        for entry in list {
            match read::container(entry) {
                Some(ours) if self.of_fleet(&ours.instance) => {
                    self.own_ports.extend(ours.seen.published.iter().map(|port| port.published));
                    if self.wanted(&ours.instance) {
                        let instance = self.instance(&ours.instance);
                        instance.origin = instance.origin.take().or(ours.origin);
                        instance.containers.push(ours.seen);
                    }
                }
                _ => {
                    let name = read::container_name(entry).map(Into::into);
                    self.host().foreign.extend(name.map(|name| (ForeignKind::Container, name)));
                    let id = entry.get("Id").and_then(Value::as_str).unwrap_or_default();
                    if let Some((project, one)) = composed::container(entry, details.get(id).unwrap_or(entry)) {
                        self.project(&project).containers.push(one);
                    }
                    if let Some((stack, one)) = composed::task(entry) {
                        self.host().stacks.entry(stack).or_default().push(one);
                    }
                }
            }
        }
        for instance in self.all.instances.values_mut() {
            instance.containers.sort_by(|a, b| a.id.cmp(&b.id));
        }
        for project in self.all.host.projects.values_mut() {
            project.containers.sort_by(|a, b| (&a.id, &a.engine).cmp(&(&b.id, &b.engine)));
        }
        for tasks in self.all.host.stacks.values_mut() {
            tasks.sort_by(|a, b| (&a.service, &a.engine).cmp(&(&b.service, &b.engine)));
        }
    }

    fn networks(&mut self, list: &[Value]) {
        for entry in list {
            self.host().subnets.extend(read::subnets(entry));
            match read::network(entry) {
                Some(ours) if self.of_fleet(&ours.instance) => {
                    if self.wanted(&ours.instance) {
                        let instance = self.instance(&ours.instance);
                        instance.origin = instance.origin.take().or(ours.origin);
                        instance.networks.push(ours.seen);
                    }
                }
                _ => {
                    let name = read::network_name(entry).map(Into::into);
                    self.host().foreign.extend(name.map(|name| (ForeignKind::Network, name)));
                    if let Some((project, one)) = composed::network(entry) {
                        self.project(&project).networks.push(one);
                    }
                }
            }
        }
    }

    fn volumes(&mut self, list: &[Value]) {
        for entry in list {
            match read::volume(entry) {
                Some(ours) if self.of_fleet(&ours.instance) => {
                    if self.wanted(&ours.instance) {
                        let instance = self.instance(&ours.instance);
                        instance.origin = instance.origin.take().or(ours.origin);
                        instance.volumes.push(ours.seen);
                    }
                }
                _ => {
                    let name = read::volume_name(entry).map(Into::into);
                    self.host().foreign.extend(name.map(|name| (ForeignKind::Volume, name)));
                    if let Some((project, one)) = composed::volume(entry) {
                        self.project(&project).volumes.push(one);
                    }
                }
            }
        }
    }
}
