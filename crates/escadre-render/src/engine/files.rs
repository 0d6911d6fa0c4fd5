//! Files that containers see read-only: secrets, configs, tracked binds.
//!
//! In: a service's `secrets`, `configs`, and binds of tracked paths. Out: file resources and the mounts that show them.
//! **Invariant:** a secret's value is never looked at: only its name and keyed hash.
//! Not here: volumes and folders that services write (`mounts`).
//! Tests: `render/tests.rs`.

use super::render::Render;
use super::value;
use escadre_model::compose::Service as Written;
use escadre_model::desired::{Content, File, Shown};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::resolved;
use escadre_model::text::Node;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The mode of a file when nothing is said.
pub(super) const MODE: u32 = 0o444;

/// A mount of a file resource.
pub(super) fn mount(key: &ResourceKey, target: &str) -> Value {
    json!({"kind": "file", "resource": key.to_string(), "target": target})
}

/// The secrets and configs of a service: mounts and the resources behind them.
pub(super) fn add(render: &mut Render<'_>, written: Written<'_>, to: &mut Vec<Value>) -> Vec<ResourceKey> {
    let mut keys = Vec::new();
    for (section, kind) in [("secrets", Kind::Secret), ("configs", Kind::Config)] {
        for reference in written.list(section) {
            let Some(name) = reference.get("source").and_then(Node::as_str) else { continue };
            let (base, absolute) = if kind == Kind::Secret { ("/run/secrets/", true) } else { ("/", true) };
            let target = match reference.get("target").and_then(Node::as_str) {
                Some(target) if absolute && target.starts_with('/') => target.to_owned(),
                Some(target) => format!("{base}{target}"),
                None => format!("{base}{name}"),
            };
            let mode = reference.get("mode").and_then(mode).unwrap_or(MODE);
            let id = |key: &str| reference.get(key).and_then(value::integer).and_then(|id| u32::try_from(id).ok());
            let (uid, gid) = (id("uid"), id("gid"));
            let path = format!("services.{}.{section}", written.name);
            let found = match kind {
                Kind::Secret => secret(render, name, reference, &path),
                _ => config(render, name, reference, &path),
            };
            let Some((content, shown, source)) = found else { continue };
            let file = File { content, mode, uid, gid };
            let key = render.file(kind, name, file, shown, source.as_ref());
            to.push(mount(&key, &target));
            keys.push(key);
        }
    }
    keys
}

/// `0444`, `"0400"` or 0o400: octal however it is written.
fn mode(node: &Node) -> Option<u32> {
    let text = node.as_str()?;
    let digits = text.trim_start_matches("0o").trim_start_matches('0');
    if digits.is_empty() { Some(0) } else { u32::from_str_radix(digits, 8).ok() }
}

type Found = Option<(Content, Shown, Option<Node>)>;

fn secret(render: &mut Render<'_>, name: &str, reference: &Node, path: &str) -> Found {
    let resolved = render.resolved;
    let entry = resolved.project.entry("secrets", name);
    let known = resolved.secrets.get(name);
    if known.is_none() && entry.and_then(|entry| entry.get("external")).and_then(value::flag) == Some(true) {
        render.refuse(
            reference,
            path,
            format!("secret {name} is external: an engine on one host has no store of secrets"),
        );
        return None;
    }
    let hash = value::secret_hash(resolved, name);
    let shown = hash.clone().map_or(Shown::Unknown, Shown::Secret);
    Some((Content::Secret { name: name.into(), hash }, shown, entry.cloned()))
}

fn config(render: &mut Render<'_>, name: &str, reference: &Node, path: &str) -> Found {
    let resolved = render.resolved;
    let Some(entry) = resolved.project.entry("configs", name) else {
        render.refuse(reference, path, format!("there is no config {name}"));
        return None;
    };
    if let Some(content) = entry.get("content") {
        let Some(text) = content.as_str() else {
            render.refuse(
                content,
                path,
                format!("config {name} holds a secret: make it a secret, or give the program a file of its own"),
            );
            return None;
        };
        return Some(bytes(text.as_bytes().into(), content));
    }
    if let Some(variable) = entry.get("environment") {
        let found = variable.as_str().and_then(|variable| resolved.project.variables.get(variable));
        let Some(found) = found else {
            render.refuse(variable, path, format!("the variable of config {name} is not set"));
            return None;
        };
        let Some(text) = found.text.as_str() else {
            render.refuse(variable, path, format!("config {name} holds a secret: make it a secret"));
            return None;
        };
        return Some(bytes(text.as_bytes().into(), variable));
    }
    if let Some(file) = entry.get("file") {
        return match content_at(resolved, file.as_str().unwrap_or_default()) {
            Some(resolved::Content::File { bytes: content, .. }) => Some(bytes(Arc::clone(content), file)),
            Some(resolved::Content::Folder(entries)) => Some(folder(entries, file)),
            _ => {
                let message = format!("the file of config {name} is not there");
                render.findings.push(Diagnostic::error(Code::E0432, message).at(&file.span).path(path));
                None
            }
        };
    }
    render.refuse(entry, path, format!("config {name} is external: an engine on one host has no store of configs"));
    None
}

/// What stands at a path of the project: as the project has it, or relative to where it begins.
pub(super) fn content_at<'a>(resolved: &'a resolved::Resolved, path: &str) -> Option<&'a resolved::Content> {
    let relative = path.strip_prefix(&*resolved.project.working_dir).map(|rest| rest.trim_start_matches('/'));
    let spellings = [Some(path), relative];
    spellings.into_iter().flatten().find_map(|path| resolved.contents.get(path))
}

fn bytes(content: Arc<[u8]>, node: &Node) -> (Content, Shown, Option<Node>) {
    let hash = Hash::of(&content);
    let shown = Shown::Plain(hash.short().into());
    (Content::Bytes { hash, bytes: content }, shown, Some(node.clone()))
}

fn folder(entries: &BTreeMap<Arc<str>, (Arc<[u8]>, bool)>, node: &Node) -> (Content, Shown, Option<Node>) {
    let mut listing = BTreeMap::new();
    let mut blobs = BTreeMap::new();
    for (path, (content, executable)) in entries {
        let hash = Hash::of(content);
        listing.insert(Arc::clone(path), (hash.clone(), *executable));
        blobs.insert(hash, Arc::clone(content));
    }
    let hash = Hash::of_json(&listing);
    let shown = Shown::Plain(hash.short().into());
    (Content::Folder { hash, entries: listing, bytes: blobs }, shown, Some(node.clone()))
}

/// A bind of a tracked path: a read-only copy, named by its content.
pub(super) fn tracked(
    render: &mut Render<'_>,
    path: &str,
    content: &resolved::Content,
    node: &Node,
) -> Option<ResourceKey> {
    let (content, shown, source, mode) = match content {
        resolved::Content::File { bytes: all, executable } => {
            let (content, shown, source) = bytes(Arc::clone(all), node);
            (content, shown, source, if *executable { 0o555 } else { MODE })
        }
        resolved::Content::Folder(entries) => {
            let (content, shown, source) = folder(entries, node);
            (content, shown, source, MODE)
        }
        resolved::Content::Untracked => return None,
    };
    Some(render.file(Kind::Config, path, File { content, mode, uid: None, gid: None }, shown, source.as_ref()))
}
