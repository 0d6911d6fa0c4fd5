//! Rendering: one resolved instance in the words of a container engine.
//!
//! In: a `Resolved` and [`Facts`]. Out: `Desired`, and what is refused or only approximated.
//! **Invariant:** pure and canonical; an attribute that has no effect here is said, never dropped in silence.
//! Not here: addresses, generations, order (`escadre-plan`).
//! Tests: `render/tests.rs`.

use super::{Facts, files, mounts, names, routes, service, value};
use escadre_model::compose::Service as Written;
use escadre_model::desired::{
    Body, Content, Desired, Field, File, Image, Network, PullPolicy, Resource, Shown, Volume,
};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::payload::Payload;
use escadre_model::resolved::Resolved;
use escadre_model::text::Node;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is gathered while an instance is rendered.
pub(super) struct Render<'a> {
    pub(super) resolved: &'a Resolved,
    pub(super) facts: &'a Facts,
    pub(super) resources: BTreeMap<ResourceKey, Resource>,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) others: Others<'a>,
}

/// What services say of each other, gathered once: asked for each pair of services it would cost as much as all the rest.
#[derive(Default)]
pub(super) struct Others<'a> {
    /// Services that others wait for until they have ended well.
    jobs: BTreeSet<&'a str>,
    /// Services that others depend on.
    pub(super) called: BTreeSet<&'a str>,
    /// Service → names under which others link to it (`links: ["db:database"]`); everybody on the network may use them here.
    pub(super) linked: BTreeMap<&'a str, Vec<&'a str>>,
    /// Volume or bind → services with it among their mounts, jobs left out.
    writers: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Others<'a> {
    fn of(resolved: &'a Resolved) -> Self {
        let mut others = Self::default();
        for service in resolved.project.services() {
            for (key, node) in service.map("depends_on") {
                others.called.insert(&key.text);
                if node.get("condition").and_then(Node::as_str) == Some("service_completed_successfully") {
                    others.jobs.insert(&key.text);
                }
            }
            for (to, alias) in service.strs("links").filter_map(|link| link.split_once(':')) {
                others.linked.entry(to).or_default().push(alias);
            }
        }
        for service in resolved.project.services().filter(|service| !others.jobs.contains(&**service.name)) {
            for source in service.list("volumes").iter().filter_map(mounts::source) {
                others.writers.entry(source).or_default().insert(service.name);
            }
        }
        others
    }
}

/// Spells an instance for a container engine.
pub fn render(resolved: &Resolved, facts: &Facts) -> (Desired, Vec<Diagnostic>) {
    let mut render =
        Render { resolved, facts, resources: BTreeMap::new(), findings: Vec::new(), others: Others::of(resolved) };
    let routes = routes::all(&mut render);
    for written in resolved.project.services() {
        service::add(&mut render, written);
    }
    let desired = Desired {
        instance: resolved.instance.clone(),
        origin: Arc::clone(&resolved.origin),
        release: Arc::clone(&resolved.release),
        state: resolved.state,
        environment: Arc::clone(&resolved.environment),
        labels: resolved.labels.clone(),
        resources: render.resources,
        routes,
        adopts: resolved.adopts.clone(),
    };
    (desired, render.findings)
}

/// A hash over what makes a resource what it is; the word says which rules made it.
pub(super) fn spec(payload: &Value, rest: &impl serde::Serialize) -> Hash {
    Hash::of_json(&("spec/1", payload, rest))
}

impl Render<'_> {
    pub(super) fn put(&mut self, kind: Kind, key: impl Into<Arc<str>>, mut resource: Resource) -> ResourceKey {
        let key = ResourceKey::new(kind, key);
        resource.fields.sort_by(|a, b| a.path.cmp(&b.path));
        self.resources.insert(key.clone(), resource);
        key
    }

    pub(super) fn refuse(&mut self, node: &Node, path: &str, message: impl Into<String>) {
        self.findings.push(Diagnostic::error(Code::E0430, message).at(&node.span).path(path));
    }

    pub(super) fn approximate(&mut self, node: &Node, path: &str, message: impl Into<String>) {
        self.findings.push(Diagnostic::warning(Code::W0430, message).at(&node.span).path(path));
    }

    /// The engine's name of a network or volume: the product's if it was written on purpose, else ours.
    fn name_of(&mut self, section: &str, key: &str, node: &Node) -> Arc<str> {
        let ours: Arc<str> = names::owned(&self.resolved.instance, self.resolved.single, key).into();
        let Some(written) = node.get("name") else { return ours };
        let name = written.as_str().unwrap_or_default();
        if name.is_empty() || name == format!("{}_{key}", self.resolved.project.name) {
            return ours;
        }
        // One name for all instances would make them share it; with a variable in it, it is each instance's own.
        if !self.resolved.single && written.raw.is_none() && !is_external(node) {
            let what = format!("{section} of one name would be shared by all instances: {name} is called {ours} here");
            self.approximate(written, &format!("{section}.{key}.name"), what);
            return ours;
        }
        name.into()
    }

    /// The network of that key; made once.
    pub(super) fn network(&mut self, key: &str) {
        let known = ResourceKey::new(Kind::Network, key);
        let Some(node) = self.resolved.project.entry("networks", key).filter(|_| !self.resources.contains_key(&known))
        else {
            return;
        };
        let node = node.clone();
        let name = self.name_of("networks", key, &node);
        let external = is_external(&node);
        let mut words = Map::new();
        for (theirs, ours) in [("internal", "Internal"), ("enable_ipv6", "EnableIPv6"), ("attachable", "Attachable")] {
            if let Some(flag) = node.get(theirs).and_then(value::flag) {
                words.insert(ours.to_owned(), json!(flag));
            }
        }
        if let Some(driver) = node.get("driver").and_then(Node::as_str).filter(|driver| *driver != "default") {
            words.insert("Driver".to_owned(), json!(driver));
        }
        if let Some(options) = node.get("driver_opts") {
            words.insert("Options".to_owned(), value::map(options));
        }
        if let Some(labels) = node.get("labels") {
            words.insert("Labels".to_owned(), value::map(labels));
        }
        let pools = node.at("ipam.config").and_then(Node::as_sequence).unwrap_or_default();
        let pool =
            |key: &str| pools.first().and_then(|pool| pool.get(key)).and_then(Node::as_str).map(Arc::<str>::from);
        if pools.len() > 1 {
            self.approximate(&node, &format!("networks.{key}.ipam"), "only the first subnet of a network is used");
        }
        if let Some(gateway) = pool("gateway") {
            words.insert("gateway".to_owned(), json!(gateway));
        }
        let payload = Value::Object(words);
        let body = Network { name, external, subnet: pool("subnet") };
        let mut fields = Vec::new();
        value::fields(self.resolved, "network", &node, &mut fields);
        let spec = spec(&payload, &(&body.name, &body.external, &body.subnet));
        self.put(
            Kind::Network,
            key,
            Resource { spec, fields, payload: Payload::new(payload), body: Body::Network(body) },
        );
    }

    /// The volume of that key; made once. Its name on the engine comes back.
    pub(super) fn volume(&mut self, key: &str, anonymous: bool) -> Arc<str> {
        let known = ResourceKey::new(Kind::Volume, key);
        if let Some(Resource { body: Body::Volume(volume), .. }) = self.resources.get(&known) {
            return Arc::clone(&volume.name);
        }
        let node = self.resolved.project.entry("volumes", key).filter(|_| !anonymous).cloned();
        let mut words = Map::new();
        let mut fields = Vec::new();
        let mut external = false;
        let mut name: Arc<str> = names::owned(&self.resolved.instance, self.resolved.single, key).into();
        if let Some(node) = &node {
            name = self.name_of("volumes", key, node);
            external = is_external(node);
            if let Some(driver) = node.get("driver").and_then(Node::as_str).filter(|driver| *driver != "default") {
                words.insert("Driver".to_owned(), json!(driver));
            }
            if let Some(options) = node.get("driver_opts") {
                words.insert("DriverOpts".to_owned(), value::map(options));
            }
            if let Some(labels) = node.get("labels") {
                words.insert("Labels".to_owned(), value::map(labels));
            }
            value::fields(self.resolved, "volume", node, &mut fields);
        }
        let written = self.resolved.volume_names.get(key);
        if let Some(other) = written {
            name = Arc::clone(other);
        }
        let payload = Value::Object(words);
        let body = Volume { name: Arc::clone(&name), external, named: written.is_some() };
        let spec = spec(&payload, &(&body.name, &body.external));
        self.put(
            Kind::Volume,
            key,
            Resource { spec, fields, payload: Payload::new(payload), body: Body::Volume(body) },
        );
        name
    }

    /// A file resource; the key is as short as it can be while different modes and owners stay apart.
    pub(super) fn file(
        &mut self,
        kind: Kind,
        name: &str,
        file: File,
        shown: Shown,
        source: Option<&Node>,
    ) -> ResourceKey {
        let plain = file.mode == files::MODE && file.uid.is_none() && file.gid.is_none();
        let who = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
        let key =
            if plain { name.to_owned() } else { format!("{name}@{:o}:{}:{}", file.mode, who(file.uid), who(file.gid)) };
        let content = match &file.content {
            Content::Bytes { hash, .. } | Content::Folder { hash, .. } => hash.to_string(),
            Content::Secret { name, hash } => {
                format!("{name} {}", hash.as_ref().map_or("unknown", |hash| hash.as_str()))
            }
        };
        let spec = spec(&Value::Null, &(content, file.mode, file.uid, file.gid));
        let field = Field {
            path: "content".into(),
            value: shown,
            source: source.map(value::source),
            raw: source.and_then(|node| node.raw.clone()),
        };
        let resource = Resource { spec, fields: vec![field], payload: Payload::new(json!({})), body: Body::File(file) };
        self.put(kind, key, resource)
    }

    /// The image of a service; services of one reference share it.
    pub(super) fn image(&mut self, written: Written<'_>) -> Option<Arc<str>> {
        let resolved = self.resolved;
        let build = resolved.builds.get(written.name).cloned();
        let reference: Arc<str> = match (written.image(), &build) {
            (Some(reference), _) => reference.into(),
            (None, _) if resolved.single => format!("{}-{}", resolved.project.name, written.name).into(),
            (None, Some(hash)) => format!("localhost/{}-{}:{}", resolved.product, written.name, hash.short()).into(),
            (None, None) => format!("localhost/{}-{}:tree", resolved.product, written.name).into(),
        };
        let node = written.node("build");
        let policy = written.node("pull_policy");
        let pull = match policy.and_then(Node::as_str) {
            Some("always") => PullPolicy::Always,
            Some("never") => PullPolicy::Never,
            Some("build") => PullPolicy::Build,
            None | Some("missing" | "if_not_present") => PullPolicy::Missing,
            Some(other) => {
                let path = format!("services.{}.pull_policy", written.name);
                if let Some(policy) = policy {
                    self.approximate(
                        policy,
                        &path,
                        format!("pull_policy: {other} is taken as `missing`; ask with --pull"),
                    );
                }
                PullPolicy::Missing
            }
        };
        let platform: Option<Arc<str>> = written.str("platform").map(Into::into);
        let payload = match node {
            Some(node) if build.is_some() => json!({"build": spelled_build(node)}),
            _ => json!({}),
        };
        let mut fields = Vec::new();
        if let Some(image) = written.node("image") {
            fields.push(value::field(resolved, "reference", image));
        }
        if let Some(hash) = &build {
            let source = node.map(value::source);
            fields.push(Field { path: "build".into(), value: Shown::Plain(hash.short().into()), source, raw: None });
        }
        let spec = spec(&Value::Null, &(&reference, &build, &platform));
        let body = Image { reference: Arc::clone(&reference), pull, build, platform };
        let resource = Resource { spec, fields, payload: Payload::new(payload), body: Body::Image(body) };
        self.put(Kind::Image, Arc::clone(&reference), resource);
        Some(reference)
    }

    /// Do others wait for it until it has ended well?
    pub(super) fn is_job(&self, name: &str) -> bool {
        self.others.jobs.contains(name)
    }

    /// How many services have this volume or bind among their mounts, jobs left out.
    pub(super) fn writers(&self, source: &str) -> usize {
        self.others.writers.get(source).map_or(0, BTreeSet::len)
    }
}

fn is_external(node: &Node) -> bool {
    node.get("external").and_then(value::flag).unwrap_or(false)
}

fn spelled_build(node: &Node) -> Value {
    let mut build = Map::new();
    for key in ["context", "dockerfile", "dockerfile_inline", "target", "network"] {
        if let Some(found) = node.get(key) {
            build.insert(key.to_owned(), value::text(found));
        }
    }
    for key in ["args", "labels"] {
        if let Some(found) = node.get(key) {
            build.insert(key.to_owned(), value::map(found));
        }
    }
    for key in ["no_cache", "pull"] {
        if let Some(flag) = node.get(key).and_then(value::flag) {
            build.insert(key.to_owned(), json!(flag));
        }
    }
    if let Some(size) = node.get("shm_size").and_then(escadre_model::compose::bytes) {
        build.insert("shm_size".to_owned(), json!(size));
    }
    Value::Object(build)
}

#[cfg(test)]
pub(super) mod tests;
