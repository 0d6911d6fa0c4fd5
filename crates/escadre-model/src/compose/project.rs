//! A loaded project, and getters for what others need of it.
//!
//! In: the normalised tree. Out: services and their attributes.
//! **Invariant**: the tree is complete and typed; getters never fail, they answer nothing.
//! Not here: loading (load), printing (json).
//! Tests: tests/cases/compose.

use super::Variables;
use super::units;
use crate::diagnostic::Span;
use crate::text::{Key, Mapping, Node, Resolved, Scalar, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A Compose project in its normalised form.
#[derive(Clone, Debug)]
pub struct Project {
    /// The project's name.
    pub name: Text,
    /// The normalised tree: long syntax, typed scalars, absolute paths; spans and texts before interpolation are kept.
    /// `services` holds those that are switched on.
    pub root: Node,
    /// Services that no active profile switches on.
    pub disabled: Mapping,
    /// The folder relative paths began at.
    pub working_dir: String,
    /// The Compose files, in order, as absolute paths.
    pub files: Vec<String>,
    /// Keys that reading itself uses up, with their places: `version`, `include`, `extends`.
    pub used_up: Vec<UsedUp>,
    /// Files that these files name and that were read for it, as absolute paths, with the place that names each.
    pub named: Vec<(String, Span)>,
    /// Services that are steps before the start of another one: the step's name → that service ([`Project::unfold_steps`]).
    pub steps: BTreeMap<Arc<str>, Arc<str>>,
    /// The variables, `.env` included; values for `environment:` of secrets and configs come from here.
    pub variables: Arc<Variables>,
}

/// A key that is no longer in the tree, because what it says has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Its path: `services.web.extends`.
    pub path: String,
    /// The attribute: `services.*.extends`.
    pub attribute: &'static str,
    /// Where it was written.
    pub span: Span,
}

/// One service of a project.
#[derive(Clone, Copy, Debug)]
pub struct Service<'p> {
    /// Its key.
    pub name: &'p Arc<str>,
    /// Where the key is written.
    pub span: &'p Span,
    /// Its normalised tree.
    pub node: &'p Node,
}

impl Project {
    /// Services whose names are one host name, in which capitals are nothing.
    pub fn same_host_names(&self) -> Vec<(&Key, &Key)> {
        let mut seen: BTreeMap<String, &Key> = BTreeMap::new();
        let mut twins = Vec::new();
        for (key, _) in self.entries("services") {
            twins.extend(seen.insert(key.text.to_lowercase(), key).map(|first| (first, key)));
        }
        twins
    }

    /// The services that are switched on, in the order written.
    pub fn services(&self) -> impl Iterator<Item = Service<'_>> {
        self.entries("services").map(|(key, node)| Service { name: &key.text, span: &key.span, node })
    }

    /// One service.
    pub fn service(&self, name: &str) -> Option<Service<'_>> {
        let services = self.root.get("services")?.as_mapping()?;
        let key = services.key(name)?;
        Some(Service { name: &key.text, span: &key.span, node: services.get(name)? })
    }

    /// The entries of a top-level section: `networks`, `volumes`, `secrets`, `configs`, `models`, `jobs`, `services`.
    pub fn entries(&self, section: &str) -> impl Iterator<Item = (&crate::text::Key, &Node)> {
        self.root.get(section).and_then(Node::as_mapping).into_iter().flat_map(Mapping::iter)
    }

    /// What a network, volume, config or secret is called that is not named.
    pub fn implied_name(&self, key: &str) -> Text {
        super::normalise::implied_name(&self.name, key)
    }

    /// One entry of a top-level section.
    pub fn entry(&self, section: &str, key: &str) -> Option<&Node> {
        self.root.get(section)?.get(key)
    }
}

impl<'p> Service<'p> {
    /// The image's reference, if one is written.
    pub fn image(&self) -> Option<&'p str> {
        self.str("image")
    }

    /// The node at a path of keys separated by dots: `healthcheck.test`.
    pub fn node(&self, path: &str) -> Option<&'p Node> {
        self.node.at(path)
    }

    /// A text; nothing if it is absent or holds a secret.
    pub fn str(&self, path: &str) -> Option<&'p str> {
        self.node(path).and_then(Node::as_str)
    }

    /// A boolean; false if absent.
    pub fn flag(&self, path: &str) -> bool {
        self.str(path) == Some("true")
    }

    /// An integer.
    pub fn integer(&self, path: &str) -> Option<i64> {
        self.node(path).and_then(integer)
    }

    /// A list; empty if absent.
    pub fn list(&self, path: &str) -> &'p [Node] {
        self.node(path).and_then(Node::as_sequence).unwrap_or_default()
    }

    /// A list of texts; what holds a secret is left out.
    pub fn strs(&self, path: &str) -> impl Iterator<Item = &'p str> + use<'p> {
        self.list(path).iter().filter_map(Node::as_str)
    }

    /// A mapping; empty if absent.
    pub fn map(&self, path: &str) -> impl Iterator<Item = (&'p crate::text::Key, &'p Node)> + use<'p> {
        self.node(path).and_then(Node::as_mapping).into_iter().flat_map(Mapping::iter)
    }

    /// How many containers run: `scale`, else `deploy.replicas`, else one.
    pub fn scale(&self) -> u32 {
        let written = self.integer("scale").or_else(|| self.integer("deploy.replicas")).unwrap_or(1);
        u32::try_from(written.max(0)).unwrap_or(u32::MAX)
    }
}

/// Nanoseconds of a duration node.
pub fn duration(node: &Node) -> Option<i64> {
    node.as_str().and_then(|text| units::nanoseconds(text).ok())
}

/// Bytes of a size node.
pub fn bytes(node: &Node) -> Option<i64> {
    node.as_str().and_then(|text| units::bytes(text).ok())
}

/// The integer of a node.
pub fn integer(node: &Node) -> Option<i64> {
    match node.as_scalar().map(Scalar::resolve)? {
        Resolved::Integer(value) => i64::try_from(value).ok(),
        _ => None,
    }
}

/// The fraction of a node, such as `cpus`.
pub fn fraction(node: &Node) -> Option<f64> {
    node.as_str().and_then(|text| text.parse().ok())
}
