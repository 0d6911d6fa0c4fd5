//! A project as JSON, in the form of `docker compose config --format json`.
//!
//! In: a project. Out: what serde writes of it, straight from the tree.
//! **Invariant**: keys of the specification only, `x-` keys at the top level only; values of secrets never.
//! Not here: YAML.
//! Tests: tests/cases/compose.

use super::Project;
use super::schema::{Absent, Object, Pairs, ROOT, Shape, tables as t};
use crate::text::{Mapping, Node};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

impl Project {
    /// The normalised model as a JSON value. Who only writes it needs no value: a project is written by serde as it is.
    pub fn to_json(&self) -> Json {
        // Keys are texts and numbers finite: nothing here can fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Serialize for Project {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut out = out.serialize_map(None)?;
        out.serialize_entry("name", &self.name.display())?;
        for section in ["services", "networks", "volumes", "secrets", "configs", "jobs"] {
            match (self.root.get(section), ROOT.field(section)) {
                (Some(entries), Some(shape))
                    if entries.as_mapping().is_some_and(|entries| section == "services" || !entries.is_empty()) =>
                {
                    out.serialize_entry(section, &Printed { node: entries, shape })?;
                }
                _ if section == "services" => out.serialize_entry(section, &json!({}))?,
                _ => {}
            }
        }
        let root = self.root.as_mapping().into_iter().flat_map(Mapping::iter);
        for (key, node) in root.filter(|(key, _)| key.text.starts_with("x-")) {
            out.serialize_entry(&*key.text, node)?;
        }
        out.end()
    }
}

/// A value as it is printed.
struct Printed<'p> {
    node: &'p Node,
    shape: &'p Shape,
}

impl Serialize for Printed<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let node = self.node;
        match self.shape {
            Shape::Object(object) | Shape::Short(_, object) => print_object(node, object, out),
            Shape::Port => print_object(node, &t::PORT, out),
            Shape::Volume => print_object(node, &t::MOUNT, out),
            Shape::Device => print_object(node, &t::DEVICE, out),
            Shape::FileReference => print_object(node, &t::FILE_REFERENCE, out),
            Shape::Build => print_object(node, &t::BUILD, out),
            Shape::Schedule => print_object(node, &t::SCHEDULE, out),
            Shape::Ulimit if node.as_mapping().is_some() => print_ulimit(node, out),
            Shape::Dict(_, of) | Shape::Named(of) => print_entries(node, of, out),
            Shape::DependsOn => print_entries(node, &Shape::Object(&t::DEPENDENCY), out),
            Shape::List { of, .. } => print_items(node, of, out),
            Shape::Ports => print_items(node, &Shape::Port, out),
            Shape::EnvFiles => print_items(node, &Shape::Object(&t::ENV_FILE), out),
            Shape::Gpus => print_items(node, &Shape::Object(&t::GPU), out),
            Shape::Pairs(Pairs::Ssh) => print_ssh(node, out),
            _ => node.serialize(out),
        }
    }
}

fn print_items<S: Serializer>(node: &Node, shape: &Shape, out: S) -> Result<S::Ok, S::Error> {
    match node.as_sequence() {
        Some(items) => out.collect_seq(items.iter().map(|node| Printed { node, shape })),
        None => node.serialize(out),
    }
}

fn print_entries<S: Serializer>(node: &Node, shape: &Shape, out: S) -> Result<S::Ok, S::Error> {
    match node.as_mapping() {
        Some(mapping) => out.collect_map(mapping.iter().map(|(key, node)| (&*key.text, Printed { node, shape }))),
        None => node.serialize(out),
    }
}

fn print_object<S: Serializer>(node: &Node, object: &Object, out: S) -> Result<S::Ok, S::Error> {
    let Some(mapping) = node.as_mapping() else { return node.serialize(out) };
    let mut out = out.serialize_map(None)?;
    // What a config takes from the environment is not repeated as its content.
    let hidden = std::ptr::eq(object, &raw const t::CONFIG) && mapping.contains("environment");
    let is_hidden = |key: &str| hidden && key == "content";
    for (key, node) in mapping.iter() {
        if let Some(shape) = object.field(&key.text).filter(|_| !is_hidden(&key.text)) {
            out.serialize_entry(printed_name(&key.text, object), &Printed { node, shape })?;
        }
    }
    for (key, printed, absent) in printed_anyway(object) {
        if !mapping.contains(key) {
            out.serialize_entry(printed, absent)?;
        }
    }
    for (key, absent) in object.always {
        if !mapping.contains(key) || is_hidden(key) {
            match absent {
                Absent::Null => out.serialize_entry(key, &())?,
                Absent::Empty => out.serialize_entry(key, &json!({}))?,
                Absent::Exec => out.serialize_entry(key, &json!({ "command": null }))?,
            }
        }
    }
    out.end()
}

/// Members that the reference prints whether they are there or not: as they are written, as they are printed, and what stands for absence.
fn printed_anyway(object: &Object) -> &'static [(&'static str, &'static str, Plain)] {
    const LIMIT: &[(&str, &str, Plain)] = &[("path", "Path", Plain::Text("")), ("rate", "Rate", Plain::Text("0"))];
    const WEIGHT: &[(&str, &str, Plain)] = &[("path", "Path", Plain::Text("")), ("weight", "Weight", Plain::Zero)];
    const DISCRETE: &[(&str, &str, Plain)] = &[("kind", "kind", Plain::Text("")), ("value", "value", Plain::Zero)];
    let is = |known: &'static Object| std::ptr::eq(object, &raw const *known);
    if is(&t::BLKIO_LIMIT) {
        LIMIT
    } else if is(&t::BLKIO_WEIGHT) {
        WEIGHT
    } else if is(&t::DISCRETE) {
        DISCRETE
    } else {
        &[]
    }
}

/// A scalar of the printed model.
#[derive(Clone, Copy)]
enum Plain {
    Text(&'static str),
    Zero,
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Plain::Text(text) => out.serialize_str(text),
            Plain::Zero => out.serialize_u64(0),
        }
    }
}

/// The reference prints the members of block device limits with capitals; everything else as written.
fn printed_name<'k>(name: &'k str, object: &Object) -> &'k str {
    let printed = printed_anyway(object).iter().find(|(written, ..)| *written == name);
    printed.map_or(name, |(_, printed, _)| printed)
}

/// Zero limits are left out, as in the reference.
fn print_ulimit<S: Serializer>(node: &Node, out: S) -> Result<S::Ok, S::Error> {
    let kept = node
        .as_mapping()
        .into_iter()
        .flat_map(Mapping::iter)
        .filter(|(key, child)| matches!(&*key.text, "soft" | "hard") && child.as_str() != Some("0"));
    out.collect_map(kept.map(|(key, child)| (&*key.text, child)))
}

fn print_ssh<S: Serializer>(node: &Node, out: S) -> Result<S::Ok, S::Error> {
    let keys = node.as_mapping().into_iter().flat_map(Mapping::iter);
    out.collect_seq(keys.map(|(key, path)| match path.as_str() {
        Some(path) => format!("{}={path}", key.text),
        None => key.text.to_string(),
    }))
}
