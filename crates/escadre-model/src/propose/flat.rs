//! A project as a list of values, by paths that mean the same in every copy of it.
//!
//! In: a loaded project. Out: path → value.
//! **Invariant:** ports and mounts are told by what they are for, not by their place in a list; names that Compose makes of the project's own are left out.
//! Not here: what differs between two (`escadre_render::import`).
//! Tests: `propose/tests.rs`.

use crate::compose::Project;
use crate::text::{Node, Value};
use std::collections::BTreeMap;

/// One value of a project.
#[derive(Clone, Copy, Debug)]
pub struct Flat<'p> {
    /// Where it stands, and what it is.
    pub node: &'p Node,
}

impl Flat<'_> {
    /// As text; a list or mapping as JSON.
    pub fn text(&self) -> String {
        match self.node.as_scalar() {
            Some(scalar) => scalar.display().into_owned(),
            None => self.node.to_json().to_string(),
        }
    }

    /// As it was written, before variables were filled in.
    pub fn raw(&self) -> String {
        self.node.raw.as_deref().map_or_else(|| self.text(), str::to_owned)
    }
}

/// All values of a project's services, networks, volumes, configs and secrets.
pub fn flatten(project: &Project) -> BTreeMap<String, Flat<'_>> {
    let mut all = BTreeMap::new();
    for section in ["services", "networks", "volumes", "configs", "secrets"] {
        for (key, node) in project.entries(section) {
            if section == "services" {
                service(&format!("services.{}", key.text), node, &mut all);
                continue;
            }
            for (name, value) in node.as_mapping().into_iter().flat_map(|mapping| mapping.iter()) {
                let made = name.text.as_ref() == "name" && value.raw.is_none() && implied(project, &key.text, value);
                if !made {
                    below(&format!("{section}.{}.{}", key.text, name.text), value, &mut all);
                }
            }
        }
    }
    all
}

fn implied(project: &Project, key: &str, value: &Node) -> bool {
    let implied = project.implied_name(key);
    implied.as_str().is_some_and(|implied| value.as_str() == Some(implied))
}

fn service<'p>(path: &str, node: &'p Node, to: &mut BTreeMap<String, Flat<'p>>) {
    for (key, value) in node.as_mapping().into_iter().flat_map(|mapping| mapping.iter()) {
        let path = format!("{path}.{}", key.text);
        match key.text.as_ref() {
            // What they add stands in `environment` and `labels`.
            "env_file" | "label_file" | "extends" => {}
            "ports" => each(&path, value, "published", port, to),
            "volumes" => each(&path, value, "source", target, to),
            _ => below(&path, value, to),
        }
    }
}

/// Entries of a list that are known by what they are for; the value that may differ stands under the entry's own path.
fn each<'p>(
    path: &str,
    list: &'p Node,
    main: &str,
    key: fn(&Node) -> Option<String>,
    to: &mut BTreeMap<String, Flat<'p>>,
) {
    for entry in list.as_sequence().into_iter().flatten() {
        let Some(key) = key(entry) else { continue };
        let path = format!("{path}.{key}");
        to.insert(path.clone(), Flat { node: entry.get(main).unwrap_or(entry) });
        for (name, value) in entry.as_mapping().into_iter().flat_map(|mapping| mapping.iter()) {
            if name.text.as_ref() != main && value.as_scalar().is_some() {
                to.insert(format!("{path}.{}", name.text), Flat { node: value });
            }
        }
    }
}

fn port(entry: &Node) -> Option<String> {
    let text = |key: &str| entry.get(key).and_then(Node::as_str);
    Some(format!("{}/{}", text("target")?, text("protocol").unwrap_or("tcp")))
}

fn target(entry: &Node) -> Option<String> {
    entry.get("target").and_then(Node::as_str).map(str::to_owned)
}

fn below<'p>(path: &str, node: &'p Node, to: &mut BTreeMap<String, Flat<'p>>) {
    match &node.value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                below(&format!("{path}.{}", key.text), value, to);
            }
        }
        Value::Null => {}
        Value::Scalar(_) | Value::Sequence(_) => {
            to.insert(path.to_owned(), Flat { node });
        }
    }
}
