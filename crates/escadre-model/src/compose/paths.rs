//! Relative paths in a model become absolute ones.
//!
//! In: a model and the folder its paths are relative to. Out: the model with absolute paths.
//! **Invariant**: pure text work; nothing is looked up on a disk, links are not followed.
//! Not here: whether a path may be read (the caller's `Files`).
//! Tests: `paths/tests.rs`.

#[cfg(test)]
mod tests;

use super::schema::{Object, SERVICE, Shape};
use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Key, Mapping, Node, Scalar, Style, Text, Value};

/// The shortest path that means the same: no `.`, no doubled `/`, `..` taken back where possible.
pub fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    match (absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// `path` below `folder`, unless it is absolute.
pub fn join(folder: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { clean(&format!("{folder}/{path}")) }
}

/// The way from one folder to another; both are absolute.
pub(crate) fn relative(from: &str, to: &str) -> String {
    let (from, to) = (clean(from), clean(to));
    let steps =
        |path: &'_ str| -> Vec<String> { path.split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect() };
    let (from, to) = (steps(&from), steps(&to));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let way: Vec<&str> = up.chain(to.iter().skip(shared).map(String::as_str)).collect();
    clean(&way.join("/"))
}

/// The folder a path lies in.
pub fn parent(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((folder, _)) => clean(folder),
        None => ".".to_owned(),
    }
}

/// Where relative paths begin.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    /// The folder of relative paths.
    pub(crate) folder: &'a str,
    /// The folder that `~` stands for.
    pub(crate) home: Option<&'a str>,
}

impl Base<'_> {
    fn expand(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) => clean(&format!("{home}/{rest}")),
            _ => path.to_owned(),
        }
    }

    fn absolute(&self, path: &str) -> String {
        let path = self.expand(path);
        if path.is_empty() || path.starts_with('/') { path } else { join(self.folder, &path) }
    }

    /// Paths that may belong to a machine of another kind stay as they are.
    fn any_kind(&self, path: &str) -> String {
        let path = self.expand(path);
        if path.starts_with('/') || is_windows(&path) { path } else { join(self.folder, &path) }
    }

    fn context(&self, path: &str) -> String {
        let elsewhere = ["https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:"];
        if path.contains("://") || elsewhere.iter().any(|prefix| path.starts_with(prefix)) {
            return path.to_owned();
        }
        self.absolute(path)
    }
}

fn is_windows(path: &str) -> bool {
    let mut letters = path.chars();
    path.starts_with("\\\\")
        || matches!((letters.next(), letters.next(), letters.next()), (Some(a), Some(':'), Some('/' | '\\')) if a.is_ascii_alphabetic())
}

/// Makes all paths of a model absolute.
pub(crate) fn resolve(root: &mut Node, base: Base<'_>, findings: &mut Vec<Diagnostic>) {
    for section in ["services", "jobs"] {
        each(root, section, |entry| container(entry, base, findings));
    }
    for section in ["configs", "secrets"] {
        each(root, section, |entry| change(entry, "file", |path| base.any_kind(path)));
    }
    each(root, "volumes", |volume| {
        let text = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
        let bind = text(volume.get("driver")).as_deref() == Some("local")
            && text(volume.get("driver_opts").and_then(|options| options.get("o"))).as_deref() == Some("bind");
        if bind && let Some(options) = volume.get_mut("driver_opts").and_then(Node::mapping_mut) {
            change(options, "device", |path| base.any_kind(path));
        }
    });
}

/// Every mapping in a section, to be changed; the section is left shared when it is not there.
pub(crate) fn each(root: &mut Node, section: &str, mut change: impl FnMut(&mut Mapping)) {
    let Some(entries) = root.mapping_mut().and_then(|root| root.get_mut(section)).and_then(Node::mapping_mut) else {
        return;
    };
    for (_, entry) in entries.iter_mut() {
        if entry.as_mapping().is_some()
            && let Some(entry) = entry.mapping_mut()
        {
            change(entry);
        }
    }
}

/// Makes all paths of one service absolute; used alone for a service that is being extended.
pub(crate) fn container(entry: &mut Mapping, base: Base<'_>, findings: &mut Vec<Diagnostic>) {
    if let Some(build) = inner(entry, "build") {
        change(build, "context", |path| base.context(path));
        if let Some(contexts) = inner(build, "additional_contexts") {
            contexts.iter_mut().for_each(|(_, node)| change_node(node, |path| base.context(path)));
        }
        if let Some(keys) = inner(build, "ssh") {
            keys.iter_mut().for_each(|(_, node)| change_node(node, |path| base.any_kind(path)));
        }
    }
    items(entry, "env_file", |file| {
        if let Some(file) = file.mapping_mut() {
            change(file, "path", |path| base.absolute(path));
        }
    });
    items(entry, "label_file", |file| change_node(file, |path| base.absolute(path)));
    if let Some(extends) = inner(entry, "extends") {
        change(extends, "file", |path| base.absolute(path));
    }
    if let Some(develop) = inner(entry, "develop") {
        items(develop, "watch", |watch| {
            if let Some(watch) = watch.mapping_mut() {
                change(watch, "path", |path| base.absolute(path));
            }
        });
    }
    items(entry, "volumes", |volume| {
        if volume.get("type").and_then(Node::as_str) != Some("bind") {
            return;
        }
        if volume.get("source").is_none() {
            findings.push(Diagnostic::error(Code::E0404, "a bind mount needs `source:`").at(&volume.span));
            return;
        }
        if let Some(volume) = volume.mapping_mut() {
            change(volume, "source", |path| base.any_kind(path));
        }
    });
    items(entry, "pre_start", |hook| {
        if let Some(hook) = hook.mapping_mut() {
            container(hook, base, findings);
        }
    });
}

fn inner<'m>(entry: &'m mut Mapping, key: &str) -> Option<&'m mut Mapping> {
    entry.get(key)?.as_mapping()?;
    entry.get_mut(key)?.mapping_mut()
}

fn items(entry: &mut Mapping, key: &str, change: impl FnMut(&mut Node)) {
    if entry.get(key).and_then(Node::as_sequence).is_some_and(|items| !items.is_empty())
        && let Some(items) = entry.get_mut(key).and_then(Node::sequence_mut)
    {
        items.iter_mut().for_each(change);
    }
}

fn change(entry: &mut Mapping, key: &str, with: impl Fn(&str) -> String) {
    if let Some(node) = entry.get_mut(key) {
        change_node(node, with);
    }
}

fn change_node(node: &mut Node, with: impl Fn(&str) -> String) {
    if let Some(text) = node.as_str() {
        let changed = with(text);
        if changed != text {
            node.value = Value::Scalar(Scalar { text: Text::from(changed), style: Style::Quoted });
        }
    }
}

/// Keys that a `pre_start` hook inherits: those of the container, not those of the service around it.
pub(crate) fn is_container_key(key: &Key) -> bool {
    let container: Option<&[(&'static str, Shape)]> = Object::first_part(&SERVICE);
    container.is_some_and(|part| part.iter().any(|(name, _)| *name == &*key.text))
}
