//! Short forms become long ones.
//!
//! In: a merged tree. Out: the same model in the long syntax: lists of names as mappings, ports and mounts as mappings,
//! `KEY=value` lists as mappings, single texts as lists.
//! **Invariant**: what is already long is untouched (and stays shared); doing it twice changes nothing.
//! Not here: typing of scalars (decode), defaults (defaults).
//! Tests: tests/cases/compose.

pub(crate) mod ports;
pub(crate) mod volumes;

use super::merge::{by_name, pair, pairs, started};
use super::schema::{Object, Pairs, Shape, tables as t};
use super::trail::{Step, Trail};
use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Key, Mapping, Node, Resolved, Scalar, Value};
use std::sync::Arc;

/// The long form of a tree; nothing when it is already long.
pub(crate) fn canonical(node: &Node, shape: &Shape, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    Canonical { findings, path: Trail::default(), lists: 0 }.node(node, shape)
}

struct Canonical<'f> {
    findings: &'f mut Vec<Diagnostic>,
    path: Trail,
    /// How many lists stand around the value.
    lists: usize,
}

impl Canonical<'_> {
    fn node(&mut self, node: &Node, shape: &Shape) -> Option<Node> {
        match shape {
            Shape::Object(object) => self.object(node, object),
            Shape::Dict(_, of) if may_change(of) => self.entries(node, |_| Some(of)),
            Shape::Named(of) => match &node.value {
                Value::Sequence(_) => by_name(node, false).map(|mapping| with(node, mapping)),
                _ => self.entries(node, |_| Some(of)),
            },
            Shape::List { of, .. } => self.items(node, of),
            // One text is replaced by a later one, a list grows: this attribute alone stays as it is written until files are merged.
            Shape::TextOrTexts { .. } if self.path.ends_with(".no_cache_filter") => None,
            Shape::TextOrTexts { .. } if node.as_scalar().is_some() => Some(list_of(node)),
            Shape::Pairs(Pairs::Contexts) => self.contexts(node),
            Shape::Pairs(Pairs::Ssh) => self.ssh(node),
            // Entries of lists are compared as written when files merge, so these wait for their types.
            Shape::Pairs(_) if node.as_sequence().is_some() && self.lists == 0 => {
                pairs(node, self.findings).map(|mapping| with(node, mapping))
            }
            Shape::Ports => self.ports(node),
            Shape::Volume => self.text(node, &t::MOUNT, volume),
            Shape::Device => self.text(node, &t::DEVICE, device),
            Shape::FileReference => self.keyed(node, "source", &t::FILE_REFERENCE),
            Shape::Short(key, object) => self.keyed(node, key, object),
            Shape::Schedule => self.keyed(node, "cron", &t::SCHEDULE),
            Shape::Build => self.keyed(node, "context", &t::BUILD),
            Shape::EnvFiles => self.env_files(node),
            Shape::DependsOn => self.depends_on(node),
            Shape::Gpus if node.as_scalar().is_some() => {
                let all = std::iter::once((Key::new("count", &node.span), Node::text("all", &node.span)));
                Some(Node::sequence(vec![Node::mapping(all.collect(), &node.span)], &node.span))
            }
            _ => None,
        }
    }

    fn object(&mut self, node: &Node, object: &'static Object) -> Option<Node> {
        let changed = self.entries(node, |key| object.field(key).filter(|shape| may_change(shape)));
        if !matches!(object.field("external"), Some(Shape::External)) {
            return changed;
        }
        match node.get("external").map(|node| &node.value) {
            Some(Value::Mapping(external)) => Some(self.external(changed.unwrap_or_else(|| node.clone()), external)),
            _ => changed,
        }
    }

    /// `external: {name: x}` is the old way of saying `external: true` and `name: x`.
    fn external(&mut self, mut node: Node, external: &Mapping) -> Node {
        let path = &*self.path;
        let span = node.get("external").map_or_else(|| node.span.clone(), |node| node.span.clone());
        let Some(mapping) = node.mapping_mut() else { return node };
        mapping.insert(Key::new("external", &span), Node::plain("true", &span));
        if let Some(name) = external.get("name") {
            let message = format!("`{path}.external.name` is deprecated");
            let finding =
                Diagnostic::warning(Code::W0404, message).at(&name.span).hint("write `external: true` and `name:`");
            self.findings.push(finding.path(path));
            match mapping.get("name") {
                Some(other) if other.as_str() != name.as_str() => {
                    let message = format!("`{path}` has two names, in `name` and in `external.name`");
                    let finding = Diagnostic::error(Code::E0414, message)
                        .label(&other.span, "one")
                        .label(&name.span, "the other");
                    self.findings.push(finding.path(path).hint("keep only `name:`"));
                }
                Some(_) => {}
                None => {
                    mapping.insert(Key::new("name", &name.span), name.clone());
                }
            }
        }
        node
    }

    fn entries(&mut self, node: &Node, shape: impl Fn(&str) -> Option<&'static Shape>) -> Option<Node> {
        let mapping = node.as_mapping()?;
        let mut changed: Option<Mapping> = None;
        for (key, value) in mapping.iter() {
            let Some(shape) = shape(&key.text) else { continue };
            let long = self.within(&key.text, |this| this.node(value, shape));
            if let Some(long) = long
                && let Some(slot) = changed.get_or_insert_with(|| mapping.clone()).get_mut(&key.text)
            {
                *slot = long;
            }
        }
        changed.map(|mapping| with(node, mapping))
    }

    fn items(&mut self, node: &Node, of: &'static Shape) -> Option<Node> {
        let items = node.as_sequence()?;
        let mut changed: Option<Vec<Node>> = None;
        for (index, item) in items.iter().enumerate() {
            self.lists += 1;
            let long = self.within(index, |this| this.node(item, of));
            self.lists -= 1;
            if let Some(long) = long
                && let Some(slot) = changed.get_or_insert_with(|| items.to_vec()).get_mut(index)
            {
                *slot = long;
            }
        }
        changed.map(|items| Node { value: Value::Sequence(Arc::new(items)), ..node.clone() })
    }

    /// A text that stands for a mapping with one key.
    fn keyed(&mut self, node: &Node, key: &'static str, object: &'static Object) -> Option<Node> {
        if node.as_scalar().is_none() {
            return self.object(node, object);
        }
        Some(Node::mapping(std::iter::once((Key::new(key, &node.span), node.clone())).collect(), &node.span))
    }

    fn text(
        &mut self,
        node: &Node,
        object: &'static Object,
        read: fn(&str, &Node) -> Result<Mapping, String>,
    ) -> Option<Node> {
        let Some(scalar) = node.as_scalar() else { return self.object(node, object) };
        let read = match scalar.as_str() {
            Some(text) => read(text, node).map_err(|message| (Code::E0412, message)),
            None => Err((Code::E0420, "a secret cannot be part of the short form".to_owned())),
        };
        match read {
            Ok(mapping) => Some(with(node, mapping)),
            Err((code, message)) => {
                self.report(code, node, &message);
                None
            }
        }
    }

    fn within<T>(&mut self, step: impl Step, read: impl FnOnce(&mut Self) -> T) -> T {
        let here = self.path.go(step);
        let result = read(self);
        self.path.back(here);
        result
    }

    fn report(&mut self, code: Code, node: &Node, message: &str) {
        let path = &*self.path;
        let finding = Diagnostic::error(code, format!("`{path}`: {}", node.veil(message))).at(&node.span).path(path);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn ports(&mut self, node: &Node) -> Option<Node> {
        let items = node.as_sequence()?;
        if items.iter().all(|item| item.as_scalar().is_none()) {
            return None;
        }
        let mut long = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let Some(scalar) = item.as_scalar() else {
                long.push(item.clone());
                continue;
            };
            self.within(index, |this| this.port(item, scalar, &mut long));
        }
        Some(Node { value: Value::Sequence(Arc::new(long)), ..node.clone() })
    }

    fn port(&mut self, item: &Node, scalar: &Scalar, long: &mut Vec<Node>) {
        let number = match scalar.resolve() {
            Resolved::Integer(value) => Some(value.to_string()),
            _ => None,
        };
        match scalar.as_str().map(|text| (ports::parse(number.as_deref().unwrap_or(text)), scalar.resolve())) {
            Some((Ok(ports), Resolved::Text | Resolved::Integer(_))) => {
                long.extend(ports.into_iter().map(|port| with(item, port_entries(&port, item))));
            }
            Some((Err(message), _)) => self.report(Code::E0412, item, &message),
            Some(_) => self.report(Code::E0412, item, "a port is no fraction"),
            None => self.report(Code::E0420, item, "a secret cannot be part of a port"),
        }
    }

    fn env_files(&mut self, node: &Node) -> Option<Node> {
        let long = |item: &Node| {
            let mut entries = match item.as_mapping() {
                Some(mapping) if mapping.contains("required") => return item.clone(),
                Some(mapping) => mapping.clone(),
                None if item.as_scalar().is_some() => {
                    std::iter::once((Key::new("path", &item.span), item.clone())).collect()
                }
                None => return item.clone(),
            };
            entries.insert(Key::new("required", &item.span), Node::plain("true", &item.span));
            Node::mapping(entries, &item.span)
        };
        let is_long = |item: &Node| item.as_scalar().is_none() && item.get("required").is_some();
        match &node.value {
            Value::Scalar(_) => Some(Node::sequence(vec![long(node)], &node.span)),
            Value::Sequence(items) if !items.iter().all(is_long) => {
                Some(Node { value: Value::Sequence(Arc::new(items.iter().map(long).collect())), ..node.clone() })
            }
            _ => None,
        }
    }

    fn depends_on(&mut self, node: &Node) -> Option<Node> {
        match &node.value {
            Value::Sequence(_) => by_name(node, true).map(|mapping| with(node, mapping)),
            Value::Mapping(mapping) => {
                let complete = |node: &Node| node.get("condition").is_some() && node.get("required").is_some();
                if mapping.iter().all(|(_, value)| complete(value) || value.as_mapping().is_none()) {
                    return None;
                }
                let mut mapping = Mapping::clone(mapping);
                for (_, value) in mapping.iter_mut() {
                    let defaults = started(value);
                    if let (Some(entry), Some(defaults)) = (value.mapping_mut(), defaults.as_mapping()) {
                        for (key, default) in defaults.iter() {
                            if !entry.contains(&key.text) {
                                entry.insert(key.clone(), default.clone());
                            }
                        }
                    }
                }
                Some(with(node, mapping))
            }
            _ => None,
        }
    }

    fn contexts(&mut self, node: &Node) -> Option<Node> {
        let items = node.as_sequence()?;
        let mut mapping = Mapping::with_capacity(items.len());
        for item in items {
            match pair(item) {
                Some((key, value)) if !value.is_null() => {
                    mapping.insert(key, value);
                }
                _ => self.report(Code::E0412, item, "write `name=context`"),
            }
        }
        Some(with(node, mapping))
    }

    fn ssh(&mut self, node: &Node) -> Option<Node> {
        let items = node.as_sequence()?;
        let mut mapping = Mapping::with_capacity(items.len());
        for item in items {
            match pair(item) {
                Some((key, value)) if !value.is_null() || &*key.text == "default" => {
                    mapping.insert(key, value);
                }
                _ => self.report(Code::E0412, item, "write `default`, or `id=path`"),
            }
        }
        Some(with(node, mapping))
    }
}

/// Whether anything of this shape has a short form.
fn may_change(shape: &Shape) -> bool {
    !matches!(
        shape,
        Shape::Text
            | Shape::TextOrNull
            | Shape::TextOrNumber
            | Shape::TextOrBool
            | Shape::Choice(_)
            | Shape::Rule(..)
            | Shape::Bool { .. }
            | Shape::OptOut { .. }
            | Shape::Int(_)
            | Shape::Float { .. }
            | Shape::Bytes { .. }
            | Shape::Duration { .. }
            | Shape::Mode
            | Shape::TmpfsMode
            | Shape::DeviceCount
            | Shape::Texts { .. }
            | Shape::TextsOrNumbers
            | Shape::Command
            | Shape::HealthTest
            | Shape::Options { .. }
            | Shape::MultiOptions
            | Shape::Hosts
            | Shape::Ulimit
    )
}

fn with(node: &Node, mapping: Mapping) -> Node {
    Node { value: Value::Mapping(Arc::new(mapping)), ..node.clone() }
}

fn list_of(node: &Node) -> Node {
    Node { value: Value::Sequence(Arc::new(vec![node.clone()])), span: node.span.clone(), tag: None, raw: None }
}

/// Collects the entries of a long form; empty texts are left out.
struct Long<'n> {
    node: &'n Node,
    mapping: Mapping,
}

impl<'n> Long<'n> {
    fn new(node: &'n Node) -> Self {
        Self { node, mapping: Mapping::new() }
    }

    fn text(mut self, key: &str, text: &str) -> Self {
        if !text.is_empty() {
            self.mapping.insert(Key::new(key, &self.node.span), Node::text(text, &self.node.span));
        }
        self
    }

    fn plain(mut self, key: &str, text: &str, present: bool) -> Self {
        if present {
            self.mapping.insert(Key::new(key, &self.node.span), Node::plain(text, &self.node.span));
        }
        self
    }

    fn node(mut self, key: &str, mapping: Option<Mapping>) -> Self {
        if let Some(mapping) = mapping {
            self.mapping.insert(Key::new(key, &self.node.span), Node::mapping(mapping, &self.node.span));
        }
        self
    }
}

fn port_entries(port: &ports::Port, node: &Node) -> Mapping {
    Long::new(node)
        .text("mode", "ingress")
        .text("host_ip", &port.host_ip)
        .plain("target", &port.target.to_string(), true)
        .text("published", &port.published)
        .text("protocol", &port.protocol)
        .mapping
}

fn volume(text: &str, node: &Node) -> Result<Mapping, String> {
    let volume = volumes::parse(text)?;
    let bind = volume.bind || volume.propagation.is_some() || volume.selinux.is_some();
    let bind = bind.then(|| {
        Long::new(node)
            .text("propagation", volume.propagation.as_deref().unwrap_or_default())
            .text("selinux", volume.selinux.as_deref().unwrap_or_default())
            .plain("create_host_path", "true", volume.bind)
            .mapping
    });
    let named = volume.no_copy || !volume.bind && !volume.bare;
    let named = named.then(|| Long::new(node).plain("nocopy", "true", volume.no_copy).mapping);
    Ok(Long::new(node)
        .text("type", if volume.bind { "bind" } else { "volume" })
        .text("source", &volume.source)
        .text("target", &super::paths::clean(&volume.target))
        .plain("read_only", "true", volume.read_only)
        .node("bind", bind)
        .node("volume", named)
        .mapping)
}

fn device(text: &str, node: &Node) -> Result<Mapping, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, "", "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => return Err(format!("`{text}` has too many colons; write `source:target:permissions`")),
    };
    let target = if target.is_empty() { source } else { target };
    Ok(Long::new(node).text("source", source).text("target", target).text("permissions", permissions).mapping)
}

/// Takes empty entries out of a service's `dns`, which often come from variables that are not set.
pub(crate) fn omit_empty_dns(root: &mut Node) {
    let empty = |node: &Node| match &node.value {
        Value::Null => true,
        Value::Scalar(scalar) => scalar.is_empty(),
        _ => false,
    };
    for section in ["services", "jobs"] {
        let wanted =
            |node: &Node| node.get("dns").and_then(Node::as_sequence).is_some_and(|items| items.iter().any(empty));
        if !root
            .get(section)
            .and_then(Node::as_mapping)
            .is_some_and(|entries| entries.iter().any(|(_, node)| wanted(node)))
        {
            continue;
        }
        let Some(entries) = root.mapping_mut().and_then(|root| root.get_mut(section)).and_then(Node::mapping_mut)
        else {
            continue;
        };
        for (_, entry) in entries.iter_mut() {
            if wanted(entry)
                && let Some(items) =
                    entry.mapping_mut().and_then(|entry| entry.get_mut("dns")).and_then(Node::sequence_mut)
            {
                items.retain(|item| !empty(item));
            }
        }
    }
}
