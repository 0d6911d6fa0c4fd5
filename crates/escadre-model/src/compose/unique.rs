//! One entry per key in lists that have keys: ports, volumes, secrets, environment and so on.
//!
//! In: a tree. Out: the tree in which the last entry for a key stands at the place of the first.
//! **Invariant**: lists without repeated keys are left untouched (and shared).
//! Not here: merging (merge).
//! Source: Compose Specification, chapter Merge, "Unique resources".
//! Tests: tests/cases/compose.

use super::canonical::volumes;
use crate::text::{Mapping, Node, Resolved, Scalar, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// What an entry is known by.
#[derive(Clone, Copy)]
enum By {
    /// The part before `=`.
    Key,
    /// The whole text.
    Text,
    /// The path in the container.
    Target,
    Device,
    /// The target, by default below this folder.
    Mount(&'static str),
    Port,
    Path,
}

/// Removes repeated entries in all services and networks of a model.
pub(crate) fn unique(root: &mut Node) {
    let Some(model) = root.mapping_mut() else { return };
    for_each(model, "services", service);
    for_each(model, "networks", |network| {
        attribute(network, "labels", By::Key);
    });
}

fn for_each(model: &mut Mapping, section: &str, mut change: impl FnMut(&mut Mapping)) {
    let Some(entries) = model.get_mut(section).and_then(Node::mapping_mut) else { return };
    for (_, entry) in entries.iter_mut() {
        if let Some(entry) = entry.mapping_mut() {
            change(entry);
        }
    }
}

const LISTS: &[(&str, By)] = &[
    ("annotations", By::Key),
    ("cap_add", By::Key),
    ("cap_drop", By::Key),
    ("configs", By::Mount("")),
    ("devices", By::Device),
    ("dns", By::Key),
    ("dns_opt", By::Key),
    ("dns_search", By::Key),
    ("env_file", By::Path),
    ("environment", By::Key),
    ("expose", By::Text),
    ("labels", By::Key),
    ("links", By::Key),
    ("ports", By::Port),
    ("profiles", By::Key),
    ("secrets", By::Mount("/run/secrets")),
    ("sysctls", By::Key),
    ("tmpfs", By::Key),
    ("volumes", By::Target),
];

fn service(service: &mut Mapping) {
    // Most services have no list of two; nothing is looked for by name then.
    for (key, node) in service.iter_mut() {
        if is_list(node)
            && let Some((_, by)) = LISTS.iter().find(|(name, _)| *name == &*key.text)
        {
            list(node, *by);
        }
    }
    if let Some(Value::Mapping(_)) = service.get("build").map(|node| &node.value)
        && let Some(build) = service.get_mut("build").and_then(Node::mapping_mut)
    {
        for name in ["args", "additional_contexts", "platform", "tags", "labels"] {
            attribute(build, name, By::Key);
        }
    }
    if let Some(Value::Mapping(_)) = service.get("deploy").map(|node| &node.value)
        && let Some(deploy) = service.get_mut("deploy").and_then(Node::mapping_mut)
    {
        attribute(deploy, "labels", By::Key);
    }
    if let Some(Value::Mapping(networks)) = service.get("networks").map(|node| &node.value)
        && networks.iter().any(|(_, network)| network.as_mapping().is_some())
        && let Some(networks) = service.get_mut("networks").and_then(Node::mapping_mut)
    {
        for (_, network) in networks.iter_mut() {
            if let Some(network) = network.mapping_mut() {
                attribute(network, "aliases", By::Key);
                attribute(network, "link_local_ips", By::Key);
            }
        }
    }
}

fn attribute(owner: &mut Mapping, name: &str, by: By) {
    if owner.get(name).is_some_and(is_list)
        && let Some(node) = owner.get_mut(name)
    {
        list(node, by);
    }
}

/// A list in which something can be there twice.
fn is_list(node: &Node) -> bool {
    node.as_sequence().is_some_and(|items| items.len() > 1)
}

fn list(node: &mut Node, by: By) {
    let Some(items) = node.as_sequence() else { return };
    let mut places: HashMap<String, usize> = HashMap::with_capacity(items.len());
    let mut kept: Vec<usize> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        // What has no key is left for the checks to report.
        let known = key(item, by).unwrap_or_else(|| format!("\0{index}"));
        match places.get(&known) {
            Some(place) => {
                if let Some(slot) = kept.get_mut(*place) {
                    *slot = index;
                }
            }
            None => {
                places.insert(known, kept.len());
                kept.push(index);
            }
        }
    }
    if kept.len() < items.len() {
        let items: Vec<Node> = kept.iter().filter_map(|index| items.get(*index).cloned()).collect();
        node.value = Value::Sequence(Arc::new(items));
    }
}

fn key(item: &Node, by: By) -> Option<String> {
    if let Some(scalar) = item.as_scalar() {
        if let (By::Key, Some((key, _))) = (by, scalar.text.split_once('=')) {
            return Some(key.to_string());
        }
        let text = scalar.display();
        return match by {
            By::Key => Some(text.split('=').next().unwrap_or_default().to_owned()),
            By::Text | By::Path | By::Port => Some(text.into_owned()),
            By::Target => volumes::parse(&text).ok().map(|volume| volume.target),
            By::Device => Some(text.split(':').nth(1).unwrap_or(&text).to_owned()),
            By::Mount(folder) => Some(format!("{folder}/{text}")),
        };
    }
    let mapping = item.as_mapping()?;
    let text = |key: &str| mapping.get(key).and_then(Node::as_scalar).map(|scalar| scalar.display().into_owned());
    match by {
        By::Key | By::Text => None,
        By::Target | By::Device => text("target"),
        By::Mount(folder) => text("target").or_else(|| text("source").map(|source| format!("{folder}/{source}"))),
        By::Path => text("path"),
        By::Port => {
            let (published, number) = match mapping.get("published") {
                // What is no port at all stays, to be refused.
                Some(node) => node.as_scalar().map(|scalar| (scalar.display().into_owned(), is_number(scalar)))?,
                None => (String::new(), false),
            };
            let host = text("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
            let protocol = text("protocol").unwrap_or_else(|| "tcp".to_owned());
            let target = match mapping.get("target").and_then(Node::as_scalar)?.resolve() {
                Resolved::Integer(value) => value.to_string(),
                _ => text("target")?,
            };
            // A number and a text are two keys until they are typed, as in the reference.
            Some(format!("{host}:{published}{}:{}/{protocol}", if number { "#" } else { "" }, target))
        }
    }
}

fn is_number(scalar: &Scalar) -> bool {
    scalar.resolve() != Resolved::Text
}
