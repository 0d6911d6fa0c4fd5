//! A project as JSON, in the form of `docker compose config --format json`.
//!
//! In: a project. Out: JSON.
//! **Invariant**: keys of the specification only, `x-` keys at the top level only; values of secrets never.
//! Not here: YAML.
//! Tests: tests/cases/compose.

use super::Project;
use super::schema::{Absent, Object, Pairs, ROOT, Shape, tables as t};
use crate::text::{Mapping, Node};
use serde_json::{Map, Value as Json, json};

impl Project {
    /// The normalised model as JSON.
    pub fn to_json(&self) -> Json {
        let mut out = Map::new();
        out.insert("name".into(), Json::String(self.name.display().into_owned()));
        for section in ["services", "networks", "volumes", "secrets", "configs", "jobs"] {
            let entries = self.root.get(section).and_then(Node::as_mapping);
            let shape = ROOT.field(section);
            match (entries, shape) {
                (Some(entries), Some(Shape::Dict(_, of))) if section == "services" || !entries.is_empty() => {
                    let printed = entries.iter().map(|(key, node)| (key.text.to_string(), print(node, of)));
                    out.insert(section.into(), Json::Object(printed.collect()));
                }
                _ if section == "services" => {
                    out.insert(section.into(), json!({}));
                }
                _ => {}
            }
        }
        let root = self.root.as_mapping().into_iter().flat_map(Mapping::iter);
        for (key, node) in root.filter(|(key, _)| key.text.starts_with("x-")) {
            out.insert(key.text.to_string(), node.to_json());
        }
        Json::Object(out)
    }
}

fn print(node: &Node, shape: &Shape) -> Json {
    match shape {
        Shape::Object(object) | Shape::Short(_, object) => print_object(node, object),
        Shape::Volume => print_object(node, &t::MOUNT),
        Shape::Device => print_object(node, &t::DEVICE),
        Shape::FileReference => print_object(node, &t::FILE_REFERENCE),
        Shape::Build => print_object(node, &t::BUILD),
        Shape::Schedule => print_object(node, &t::SCHEDULE),
        Shape::Ulimit if node.as_mapping().is_some() => print_ulimit(node),
        Shape::Dict(_, of) | Shape::Named(of) => print_entries(node, |child| print(child, of)),
        Shape::DependsOn => print_entries(node, |child| print_object(child, &t::DEPENDENCY)),
        Shape::List { of, .. } => print_items(node, |item| print(item, of)),
        Shape::Ports => print_items(node, |item| print_object(item, &t::PORT)),
        Shape::EnvFiles => print_items(node, |item| print_object(item, &t::ENV_FILE)),
        Shape::Gpus => print_items(node, |item| print_object(item, &t::GPU)),
        Shape::Pairs(Pairs::Ssh) => print_ssh(node),
        _ => node.to_json(),
    }
}

fn print_items(node: &Node, print: impl Fn(&Node) -> Json) -> Json {
    node.as_sequence().map_or_else(|| node.to_json(), |items| Json::Array(items.iter().map(print).collect()))
}

fn print_entries(node: &Node, print: impl Fn(&Node) -> Json) -> Json {
    match node.as_mapping() {
        Some(mapping) => Json::Object(mapping.iter().map(|(key, node)| (key.text.to_string(), print(node))).collect()),
        None => node.to_json(),
    }
}

fn print_object(node: &Node, object: &Object) -> Json {
    let Some(mapping) = node.as_mapping() else { return node.to_json() };
    let mut out = Map::new();
    // What a config takes from the environment is not repeated as its content.
    let hidden = std::ptr::eq(object, &raw const t::CONFIG) && mapping.contains("environment");
    for (key, child) in mapping.iter() {
        if let Some(shape) = object.field(&key.text).filter(|_| !(hidden && &*key.text == "content")) {
            out.insert(printed_name(&key.text, object), print(child, shape));
        }
    }
    for (key, absent) in printed_anyway(object) {
        if !out.contains_key(*key) {
            out.insert((*key).to_owned(), Json::from(*absent));
        }
    }
    for (key, absent) in object.always {
        if !out.contains_key(*key) {
            let value = match absent {
                Absent::Null => Json::Null,
                Absent::Empty => json!({}),
                Absent::Exec => json!({ "command": null }),
            };
            out.insert((*key).to_owned(), value);
        }
    }
    Json::Object(out)
}

/// Members that the reference prints whether they are there or not.
fn printed_anyway(object: &Object) -> &'static [(&'static str, Plain)] {
    const LIMIT: &[(&str, Plain)] = &[("Path", Plain::Text("")), ("Rate", Plain::Text("0"))];
    const WEIGHT: &[(&str, Plain)] = &[("Path", Plain::Text("")), ("Weight", Plain::Zero)];
    const DISCRETE: &[(&str, Plain)] = &[("kind", Plain::Text("")), ("value", Plain::Zero)];
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

impl From<Plain> for Json {
    fn from(plain: Plain) -> Self {
        match plain {
            Plain::Text(text) => Json::String(text.to_owned()),
            Plain::Zero => json!(0),
        }
    }
}

/// The reference prints the members of block device limits with capitals; everything else as written.
fn printed_name(name: &str, object: &Object) -> String {
    let capital = std::ptr::eq(object, &raw const t::BLKIO_LIMIT) || std::ptr::eq(object, &raw const t::BLKIO_WEIGHT);
    match (capital, name) {
        (true, "path") => "Path".to_owned(),
        (true, "rate") => "Rate".to_owned(),
        (true, "weight") => "Weight".to_owned(),
        _ => name.to_owned(),
    }
}

/// Zero limits are left out, as in the reference.
fn print_ulimit(node: &Node) -> Json {
    let kept = node
        .as_mapping()
        .into_iter()
        .flat_map(Mapping::iter)
        .filter(|(key, child)| matches!(&*key.text, "soft" | "hard") && child.as_str() != Some("0"));
    Json::Object(kept.map(|(key, child)| (key.text.to_string(), child.to_json())).collect())
}

fn print_ssh(node: &Node) -> Json {
    let keys = node.as_mapping().into_iter().flat_map(Mapping::iter);
    Json::Array(
        keys.map(|(key, path)| match path.as_str() {
            Some(path) => Json::String(format!("{}={path}", key.text)),
            None => Json::String(key.text.to_string()),
        })
        .collect(),
    )
}
