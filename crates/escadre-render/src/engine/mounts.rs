//! What a service mounts: volumes, binds, memory.
//!
//! In: a service's `volumes` and `tmpfs`. Out: mounts of the payload, and which of them hold data.
//! **Invariant:** in a fleet nothing of the host is bound that is not tracked, the instance's own, or granted.
//! Not here: secrets and configs (`files`).
//! Tests: `render/tests.rs`, `mounts/tests.rs`.

use super::render::Render;
use super::{files, names, value};
use escadre_model::compose::{self, Service as Written};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::ids::ResourceKey;
use escadre_model::resolve::ROOT;
use escadre_model::resolved::Content;
use escadre_model::text::Node;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The mounts of a service.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// In the payload's words.
    pub(super) spelled: Vec<Value>,
    /// Volume key → may it write.
    pub(super) volumes: BTreeMap<Arc<str>, bool>,
    /// Files among them.
    pub(super) files: Vec<ResourceKey>,
    /// Sources that it may write: volume keys and paths, with how people call them.
    pub(super) writable: Vec<(Arc<str>, String)>,
}

/// The source of a mount: a volume's key or a path.
pub(super) fn source(mount: &Node) -> Option<&str> {
    mount.get("source").and_then(Node::as_str)
}

/// Reads a service's mounts.
pub(super) fn of(render: &mut Render<'_>, written: Written<'_>) -> Mounts {
    let mut mounts = Mounts::default();
    let mut lenders = BTreeSet::from([written.name.to_string()]);
    read(render, written, false, &mut lenders, &mut mounts);
    mounts
}

/// A service's own mounts, then those of the services it has them from; `lent`: as a loan that may only be read.
fn read(
    render: &mut Render<'_>,
    written: Written<'_>,
    lent: bool,
    lenders: &mut BTreeSet<String>,
    mounts: &mut Mounts,
) {
    let borrows = lenders.len() > 1;
    let path = format!("services.{}.volumes", written.name);
    for node in written.list("volumes") {
        let kind = node.get("type").and_then(Node::as_str).unwrap_or("volume");
        let Some(target) = node.get("target").and_then(Node::as_str) else { continue };
        // What a service mounts itself stands before what others lend; memory is nobody's to lend.
        let taken = |mount: &Value| mount.get("target").and_then(Value::as_str) == Some(target);
        if borrows && (kind == "tmpfs" || mounts.spelled.iter().any(taken)) {
            continue;
        }
        let writes = !lent && !read_only(node);
        match kind {
            "volume" => volume(render, written, node, (target, writes), mounts),
            "bind" => bind(render, node, (target, writes), &path, mounts),
            "tmpfs" => mounts.spelled.push(memory(node, target)),
            other => render.refuse(node, &path, format!("a mount of type {other} cannot be had from this engine")),
        }
    }
    for node in written.list("volumes_from") {
        let Some(text) = node.as_str() else { continue };
        let project = &render.shape.project;
        let (name, mode) = text.split_once(':').unwrap_or((text, "rw"));
        match project.service(name) {
            Some(lender) if lenders.insert(name.to_owned()) => {
                read(render, lender, lent || mode == "ro", lenders, mounts)
            }
            Some(_) => {}
            None => {
                let path = format!("services.{}.volumes_from", written.name);
                render.refuse(node, &path, format!("volumes_from: {text} is no service of this file"));
            }
        }
    }
}

fn read_only(node: &Node) -> bool {
    node.get("read_only").and_then(value::flag).unwrap_or(false)
}

fn volume(
    render: &mut Render<'_>,
    written: Written<'_>,
    node: &Node,
    (target, writes): (&str, bool),
    mounts: &mut Mounts,
) {
    let (key, anonymous): (Arc<str>, bool) = match source(node) {
        Some(key) => (key.into(), false),
        None => (names::unnamed(written.name, target).into(), true),
    };
    render.volume(&key, anonymous);
    let mut options = Map::new();
    if node.at("volume.nocopy").and_then(value::flag) == Some(true) {
        options.insert("NoCopy".to_owned(), json!(true));
    }
    if let Some(inside) = node.at("volume.subpath").and_then(Node::as_str) {
        options.insert("Subpath".to_owned(), json!(inside));
    }
    let mut mount = json!({"kind": "volume", "key": key, "target": target, "read_only": !writes});
    if let (false, Some(map)) = (options.is_empty(), mount.as_object_mut()) {
        map.insert("options".to_owned(), json!({"VolumeOptions": options}));
    }
    mounts.spelled.push(labelled(node, mount));
    let may = mounts.volumes.entry(Arc::clone(&key)).or_insert(false);
    *may |= writes;
    if writes {
        mounts.writable.push((Arc::clone(&key), format!("volume {key}")));
    }
}

fn memory(node: &Node, target: &str) -> Value {
    let mut options = Map::new();
    if let Some(size) = node.at("tmpfs.size").and_then(compose::bytes) {
        options.insert("SizeBytes".to_owned(), json!(size));
    }
    if let Some(mode) = node.at("tmpfs.mode").and_then(value::integer) {
        options.insert("Mode".to_owned(), json!(mode));
    }
    let mut mount = json!({"kind": "tmpfs", "target": target});
    if let (false, Some(map)) = (options.is_empty(), mount.as_object_mut()) {
        map.insert("options".to_owned(), json!({"TmpfsOptions": options}));
    }
    mount
}

fn bind(render: &mut Render<'_>, node: &Node, (target, writes): (&str, bool), path: &str, mounts: &mut Mounts) {
    let Some(from) = source(node) else { return };
    let shape = render.shape;
    let relative = place(&shape.project.working_dir, from);
    let relative = relative.as_deref();
    let granted = shape.granted_binds.iter().any(|granted| inside(from, granted).is_some());
    if !shape.single && !granted {
        let Some(relative) = relative else {
            let message = format!("{from} lies outside the repository and is not granted");
            let hint = format!("grants: {{ binds: [{from}] }} in product.yaml lets services bind it");
            render.findings.push(Diagnostic::error(Code::E0431, message).at(&node.span).path(path).hint(hint));
            return;
        };
        // A path that is tracked is a read-only copy, whatever the mount says: what services write is not tracked.
        let content = files::content_at(shape, from).filter(|content| **content != Content::Untracked);
        if let Some(content) = content {
            if let Some(key) = files::tracked(render, relative, content, node) {
                mounts.spelled.push(labelled(node, files::mount(&key, target)));
                mounts.files.push(key);
            }
            return;
        }
        let mount = json!({"kind": "data", "path": relative, "target": target, "read_only": !writes});
        mounts.spelled.push(labelled(node, mount));
        if writes {
            mounts.writable.push((from.into(), format!("folder {relative}")));
        }
        return;
    }
    let make = node.at("bind.create_host_path").and_then(value::flag).unwrap_or(true);
    let mut mount = json!({"kind": "bind", "source": from, "target": target, "read_only": !writes, "create": make});
    let propagation = node.at("bind.propagation").and_then(Node::as_str);
    if let (Some(propagation), Some(map)) = (propagation, mount.as_object_mut()) {
        map.insert("options".to_owned(), json!({"BindOptions": {"Propagation": propagation}}));
    }
    let mount = labelled(node, mount);
    // Only the short spelling of an engine knows labels, and in it a colon divides.
    if mount.get("label").is_some() && from.contains(':') {
        render.refuse(
            node,
            path,
            format!("{from} has a colon in it: no engine can label it for SELinux while it binds it"),
        );
    }
    mounts.spelled.push(mount);
    // A socket is no data: two may talk to it.
    if writes && !from.ends_with(".sock") {
        mounts.writable.push((from.into(), format!("folder {}", relative.unwrap_or(from))));
    }
}

/// A mount with the label for SELinux that is asked for: `z`, shared; `Z`, this container's own.
fn labelled(node: &Node, mut mount: Value) -> Value {
    if let (Some(label), Some(map)) = (node.at("bind.selinux").and_then(Node::as_str), mount.as_object_mut()) {
        map.insert("label".to_owned(), json!(label));
    }
    mount
}

/// What a path of the repository is called within an instance: as the product writes it, else from the repository's root,
/// marked so that the two can never be the same. `None`: it is a path of the host.
fn place(working_dir: &str, path: &str) -> Option<String> {
    let mark = ROOT.trim_start_matches('/');
    let of_product = inside(path, working_dir).filter(|rest| inside(rest, mark).is_none());
    of_product.map(str::to_owned).or_else(|| inside(path, ROOT).map(|rest| format!("{mark}/{rest}")))
}

/// The part of a path below a folder.
fn inside<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    if rest.is_empty() { Some(".") } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests;
