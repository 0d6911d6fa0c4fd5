//! Files that containers see read-only: secrets, configs, tracked binds.
//!
//! In: a service's `secrets`, `configs`, and binds of tracked paths. Out: file resources and the mounts that show them.
//! **Invariant:** a secret's value is never looked at: only its name and keyed hash.
//! Not here: volumes and folders that services write (`mounts`).
//! Tests: `render/tests.rs`.

use super::draft::Plain;
use super::render::Render;
use super::value;
use escadre_model::compose::Service as Written;
use escadre_model::desired::{Content, Shown};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::resolved::{self, Shape};
use escadre_model::secret::SecretRef;
use escadre_model::sheet::Told;
use escadre_model::text::{Node, Text};
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
            let Some((bytes, told, source)) = found else { continue };
            let key = render.file(kind, name, Plain::File { bytes, mode, uid, gid }, told, source.as_ref());
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

/// Where the bytes of a file come from.
#[derive(Debug)]
pub(super) enum Bytes {
    /// They are the same in all instances.
    Fixed(Content),
    /// They are the letters of a text with late variables.
    Letters(Text),
    /// They are a secret.
    Secret(SecretRef),
}

type Found = Option<(Bytes, Told, Option<Node>)>;

fn secret(render: &mut Render<'_>, name: &str, reference: &Node, path: &str) -> Found {
    let shape = render.shape;
    let entry = shape.project.entry("secrets", name);
    if !shape.secrets.contains(name)
        && entry.and_then(|entry| entry.get("external")).and_then(value::flag) == Some(true)
    {
        render.refuse(
            reference,
            path,
            format!("secret {name} is external: an engine on one host has no store of secrets"),
        );
        return None;
    }
    Some((Bytes::Secret(SecretRef::new(name)), Told::text(Text::secret(name)), entry.cloned()))
}

fn config(render: &mut Render<'_>, name: &str, reference: &Node, path: &str) -> Found {
    let shape = render.shape;
    let Some(entry) = shape.project.entry("configs", name) else {
        render.refuse(reference, path, format!("there is no config {name}"));
        return None;
    };
    if let Some(content) = entry.get("content") {
        let Some(text) = content.as_scalar().map(|scalar| &scalar.text).filter(|text| is_open(text)) else {
            render.refuse(
                content,
                path,
                format!("config {name} holds a secret: make it a secret, or give the program a file of its own"),
            );
            return None;
        };
        return Some(of_text(text, content));
    }
    if let Some(variable) = entry.get("environment") {
        let found = variable.as_str().and_then(|variable| shape.project.variables.get(variable));
        let Some(found) = found else {
            render.refuse(variable, path, format!("the variable of config {name} is not set"));
            return None;
        };
        if !is_open(&found.text) {
            render.refuse(variable, path, format!("config {name} holds a secret: make it a secret"));
            return None;
        }
        return Some(of_text(&found.text, variable));
    }
    if let Some(file) = entry.get("file") {
        return match content_at(shape, file.as_str().unwrap_or_default()) {
            Some(resolved::Content::File { bytes, .. }) => Some(fixed(of_bytes(Arc::clone(bytes)), file)),
            Some(resolved::Content::Folder(entries)) => Some(fixed(folder(entries), file)),
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

/// No secret is in it.
fn is_open(text: &Text) -> bool {
    text.secrets().next().is_none()
}

/// What stands at a path of the project: as the project has it, or relative to where it begins.
pub(super) fn content_at<'a>(shape: &'a Shape, path: &str) -> Option<&'a resolved::Content> {
    let relative = path.strip_prefix(&*shape.project.working_dir).map(|rest| rest.trim_start_matches('/'));
    let spellings = [Some(path), relative];
    spellings.into_iter().flatten().find_map(|path| shape.contents.get(path))
}

/// The bytes of a text without holes.
pub(super) fn letters(text: &Text) -> Content {
    of_bytes(text.as_str().unwrap_or_default().as_bytes().into())
}

fn of_text(text: &Text, node: &Node) -> (Bytes, Told, Option<Node>) {
    if text.is_late() {
        return (Bytes::Letters(text.clone()), Told::Digest(text.clone()), Some(node.clone()));
    }
    fixed(letters(text), node)
}

fn of_bytes(bytes: Arc<[u8]>) -> Content {
    Content::Bytes { hash: Hash::of(&bytes), bytes }
}

/// Content that is the same in all instances, shown by its hash.
fn fixed(content: Content, node: &Node) -> (Bytes, Told, Option<Node>) {
    let shown = match &content {
        Content::Bytes { hash, .. } | Content::Folder { hash, .. } => hash.short().into(),
        Content::Secret { name, .. } => Arc::clone(name),
    };
    (Bytes::Fixed(content), Told::Shown(Shown::Plain(shown)), Some(node.clone()))
}

fn folder(entries: &BTreeMap<Arc<str>, (Arc<[u8]>, bool)>) -> Content {
    let mut listing = BTreeMap::new();
    let mut blobs = BTreeMap::new();
    for (path, (content, executable)) in entries {
        let hash = Hash::of(content);
        listing.insert(Arc::clone(path), (hash.clone(), *executable));
        blobs.insert(hash, Arc::clone(content));
    }
    let hash = Hash::of_json(&listing);
    Content::Folder { hash, entries: listing, bytes: blobs }
}

/// A bind of a tracked path: a read-only copy, named by its content.
pub(super) fn tracked(
    render: &mut Render<'_>,
    path: &str,
    content: &resolved::Content,
    node: &Node,
) -> Option<ResourceKey> {
    let (content, mode) = match content {
        resolved::Content::File { bytes, executable } => {
            (of_bytes(Arc::clone(bytes)), if *executable { 0o555 } else { MODE })
        }
        resolved::Content::Folder(entries) => (folder(entries), MODE),
        resolved::Content::Untracked => return None,
    };
    let (bytes, told, source) = fixed(content, node);
    let file = Plain::File { bytes, mode, uid: None, gid: None };
    Some(render.file(Kind::Config, path, file, told, source.as_ref()))
}
