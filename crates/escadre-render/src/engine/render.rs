//! Rendering: what instances have in common, in the words of a container engine; and one of them.
//!
//! In: a [`Shape`], or a `Resolved` that has it, and [`Facts`]. Out: [`Drafts`], or `Desired`; what is refused or only approximated.
//! **Invariant:** pure and canonical; an attribute that has no effect here is said, never dropped in silence.
//! Not here: what is an instance's own (`draft`); addresses, generations, order (`escadre-plan`).
//! Tests: `render/tests.rs`.

use super::draft::{self, Called, Draft, Drafts, Plain};
use super::{Facts, build, files, mounts, routes, service, value};
use escadre_model::compose::Service as Written;
use escadre_model::desired::{Body, Desired, Image, PullPolicy};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::image;
use escadre_model::payload::Words;
use escadre_model::resolved::{Resolved, Shape};
use escadre_model::sheet::{Entry, Sheet, Told};
use escadre_model::text::{Node, Text};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is gathered while a shape is rendered.
pub(super) struct Render<'a> {
    pub(super) shape: &'a Shape,
    pub(super) facts: &'a Facts,
    pub(super) resources: BTreeMap<ResourceKey, Draft>,
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
    fn of(shape: &'a Shape) -> Self {
        let mut others = Self::default();
        for service in shape.project.services() {
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
        for service in shape.project.services().filter(|service| !others.jobs.contains(&**service.name)) {
            for source in service.list("volumes").iter().filter_map(mounts::source) {
                others.writers.entry(source).or_default().insert(service.name);
            }
        }
        others
    }
}

/// Spells an instance for a container engine.
pub fn render(resolved: &Resolved, facts: &Facts) -> (Desired, Vec<Diagnostic>) {
    drafts(&resolved.shape, facts).fill(resolved)
}

/// Spells what instances have in common.
pub(super) fn drafts(shape: &Shape, facts: &Facts) -> Drafts {
    let mut render =
        Render { shape, facts, resources: BTreeMap::new(), findings: Vec::new(), others: Others::of(shape) };
    let routes = routes::published(&mut render);
    for written in shape.project.services() {
        service::add(&mut render, written);
    }
    Drafts { resources: render.resources, routes, findings: render.findings }
}

impl Render<'_> {
    pub(super) fn put(
        &mut self,
        kind: Kind,
        key: impl Into<Arc<str>>,
        mut fields: Vec<Entry>,
        words: &Value,
        body: Plain,
    ) -> ResourceKey {
        let key = ResourceKey::new(kind, key);
        fields.sort_by(|a, b| a.path.cmp(&b.path));
        let same = match &body {
            Plain::Image(image, _) => Some(Body::Image(image.clone())),
            Plain::Service(service, _) => Some(Body::Service(Arc::clone(service))),
            _ => None,
        };
        let sheet = Sheet { fields, words: Arc::new(Words::new(words)), body: same.map(|body| body.hash()) };
        let sheet = Arc::new(sheet);
        self.resources.insert(key.clone(), Draft { sheet, body });
        key
    }

    pub(super) fn refuse(&mut self, node: &Node, path: &str, message: impl Into<String>) {
        self.findings.push(Diagnostic::error(Code::E0430, message).at(&node.span).path(path));
    }

    pub(super) fn approximate(&mut self, node: &Node, path: &str, message: impl Into<String>) {
        self.findings.push(Diagnostic::warning(Code::W0430, message).at(&node.span).path(path));
    }

    /// The engine's name of a network or volume: the product's if it was written on purpose, else ours.
    fn name_of(&mut self, section: &'static str, key: &str, node: &Node) -> Called {
        let Some(written) = node.get("name") else { return Called::Ours };
        // What is secret is no name.
        let is_name = |name: &&Text| !name.is_empty() && name.secrets().next().is_none();
        let Some(name) = written.as_scalar().map(|scalar| &scalar.text).filter(is_name) else { return Called::Ours };
        if *name == self.shape.project.implied_name(key) {
            return Called::Ours;
        }
        // One name for all instances would make them share it; with a variable in it, it is each instance's own.
        if !self.shape.single && written.raw.is_none() && !is_external(node) {
            let written_name = name.display().into();
            return Called::Renamed { written: written_name, section, span: written.span.clone() };
        }
        Called::Theirs(name.clone())
    }

    /// The network of that key; made once.
    pub(super) fn network(&mut self, key: &str) {
        let known = ResourceKey::new(Kind::Network, key);
        let Some(node) = self.shape.project.entry("networks", key).filter(|_| !self.resources.contains_key(&known))
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
        let body = Plain::Network { name, external, subnet: pool("subnet") };
        let mut fields = Vec::new();
        value::fields(self.shape, "network", &node, &mut fields);
        self.put(Kind::Network, key, fields, &Value::Object(words), body);
    }

    /// The volume of that key; made once.
    pub(super) fn volume(&mut self, key: &str, anonymous: bool) {
        if self.resources.contains_key(&ResourceKey::new(Kind::Volume, key)) {
            return;
        }
        let node = self.shape.project.entry("volumes", key).filter(|_| !anonymous).cloned();
        let mut words = Map::new();
        let mut fields = Vec::new();
        let (mut name, mut external) = (Called::Ours, false);
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
            value::fields(self.shape, "volume", node, &mut fields);
        }
        self.put(Kind::Volume, key, fields, &Value::Object(words), Plain::Volume { name, external });
    }

    /// A file resource; the key is as short as it can be while different modes and owners stay apart.
    pub(super) fn file(
        &mut self,
        kind: Kind,
        name: &str,
        file: Plain,
        value: Told,
        source: Option<&Node>,
    ) -> ResourceKey {
        let who = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
        let key = match &file {
            Plain::File { mode, uid, gid, .. } if *mode != files::MODE || uid.is_some() || gid.is_some() => {
                format!("{name}@{mode:o}:{}:{}", who(*uid), who(*gid))
            }
            _ => name.to_owned(),
        };
        let field = Entry {
            path: "content".into(),
            value,
            source: source.map(value::source),
            raw: source.and_then(|node| node.raw.clone()),
        };
        self.put(kind, key, vec![field], &json!({}), file)
    }

    /// The image of a service; services of one reference share it.
    pub(super) fn image(&mut self, written: Written<'_>) -> Option<Arc<str>> {
        let shape = self.shape;
        let build = shape.builds.get(written.name).cloned();
        // A step before a service's start has the image that is built for the service.
        let name = shape.project.steps.get(written.name).unwrap_or(written.name);
        let reference: Arc<str> = match (written.image(), &build) {
            (Some(reference), _) => reference.into(),
            (None, _) if shape.single => format!("{}-{name}", shape.project.name.display()).into(),
            (None, Some(hash)) => format!("localhost/{}-{name}:{}", shape.product, hash.short()).into(),
            (None, None) => format!("localhost/{}-{name}:tree", shape.product).into(),
        };
        let node = written.node("build");
        self.takes(written, &reference);
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
                        format!("pull_policy: {other} is taken as `missing`; ask with `up --pull always`"),
                    );
                }
                PullPolicy::Missing
            }
        };
        let platform: Option<Arc<str>> = written.str("platform").map(Into::into);
        let payload = match node {
            Some(node) if build.is_some() => json!({"build": build::spell(self, written, node)}),
            _ => json!({}),
        };
        let mut fields = Vec::new();
        if let Some(image) = written.node("image") {
            fields.push(value::field(shape, "reference", image));
        }
        if let (Some(hash), Some(node)) = (&build, node) {
            fields.push(value::fixed("build", hash.short(), node, None));
        }
        let spec = draft::spec(&Value::Null, &(&reference, &build, &platform));
        let body = Image { reference: Arc::clone(&reference), pull, build, platform };
        self.put(Kind::Image, Arc::clone(&reference), fields, &payload, Plain::Image(body, spec));
        Some(reference)
    }

    /// Does an engine take this reference?
    fn takes(&mut self, written: Written<'_>, reference: &str) {
        let Err(why) = image::Reference::parse(reference) else { return };
        let shown: String = reference.chars().take(80).flat_map(char::escape_default).collect();
        let message = format!("no engine takes \"{shown}\" as the reference of an image: {why}");
        let finding = Diagnostic::error(Code::E0433, message).path(format!("services.{}.image", written.name));
        self.findings.push(match (written.node("image"), written.node("build")) {
            (Some(node), _) => finding.at(&node.span),
            (None, Some(node)) => {
                finding.at(&node.span).hint("what is built gets this name; `image:` beside `build:` gives another one")
            }
            (None, None) => finding,
        });
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

#[cfg(test)]
pub(super) mod tests;
