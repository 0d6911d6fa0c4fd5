//! Bytes that travel with an instance: configs and binds of the repository.
//!
//! In: paths of the project. Out: their content, or that the path becomes a folder of the instance.
//! **Invariant:** only what Git knows travels; a path of the host must be granted.
//! Not here: where copies are put (`escadre-render`).
//! Tests: `tests/it/resolve.rs`.

use super::{Work, files, once};
use crate::compose::Project;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::resolved::Content;
use crate::text::Node;
use crate::tree::{self, Entry, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files in one bound folder, and their bytes in all: more is data, and belongs into a volume.
const MOST_FILES: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;
/// Levels of folders: deeper ones are mistakes.
const DEEPEST: usize = 32;

/// What stands at a path, or why it cannot be read.
pub(super) type Gathered = Result<Content, Box<Diagnostic>>;

impl Work<'_> {
    pub(super) fn contents(&mut self, project: &Project) -> BTreeMap<Arc<str>, Content> {
        let mut all = BTreeMap::new();
        for (_, config) in project.entries("configs") {
            if let Some(node) = config.get("file")
                && let Some(path) = node.as_str()
                && let Some(content) = self.content(path, &node.span)
            {
                if content == Content::Untracked {
                    let message = format!("{} is not there, or not known to Git", files::in_tree(path).unwrap_or(path));
                    self.findings.push(Diagnostic::error(Code::E0516, message).at(&node.span));
                }
                all.insert(path.into(), content);
            }
        }
        for service in project.services() {
            for mount in service.list("volumes") {
                if mount.get("type").and_then(Node::as_str) != Some("bind") {
                    continue;
                }
                let Some(node) = mount.get("source") else { continue };
                let Some(path) = node.as_str() else { continue };
                if files::in_tree(path).is_some() {
                    if !all.contains_key(path)
                        && let Some(content) = self.content(path, &node.span)
                    {
                        all.insert(path.into(), content);
                    }
                } else if !self.granted(path) {
                    let message =
                        format!("{} binds {path} of the host, which product.yaml does not grant", service.name);
                    let finding = Diagnostic::error(Code::E0521, message).at(&node.span);
                    self.findings.push(finding.hint(format!("grants: {{ binds: [{path}] }} in {}", self.product.file)));
                }
            }
        }
        all
    }

    /// Whether the product lets services bind a path of the host.
    pub(super) fn granted(&self, path: &str) -> bool {
        self.product.binds.iter().any(|bind| {
            let granted = bind.value.trim_end_matches('/');
            path.strip_prefix(granted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn content(&mut self, path: &str, span: &Span) -> Option<Content> {
        let Some(place) = files::in_tree(path) else {
            let message = format!("{path} lies outside the repository");
            self.findings.push(Diagnostic::error(Code::E0515, message).at(span));
            return None;
        };
        let key: Arc<str> = place.into();
        match once(&self.cache.folders, &key, || gather(self.tree, place)) {
            Ok(content) => Some(content),
            Err(finding) => {
                self.findings.push(finding.at(span));
                None
            }
        }
    }
}

/// Everything tracked at a path.
pub(super) fn gather(tree: &dyn Tree, path: &str) -> Gathered {
    let refused = |error: &tree::Error| Box::new(crate::fleet::refused(path, error));
    match tree.entry(path).map_err(|error| refused(&error))? {
        Entry::Absent => Ok(Content::Untracked),
        Entry::File { bytes, executable, tracked } => {
            Ok(if tracked { Content::File { bytes, executable } } else { Content::Untracked })
        }
        Entry::Folder(names) => {
            let mut found = Found { all: BTreeMap::new(), bytes: 0 };
            descend(tree, path, "", &names, &mut found, 0, true)?;
            Ok(if found.all.is_empty() { Content::Untracked } else { Content::Folder(found.all) })
        }
    }
}

/// What was found in a folder.
pub(super) struct Found {
    pub(super) all: BTreeMap<Arc<str>, (Arc<[u8]>, bool)>,
    pub(super) bytes: usize,
}

/// Collects the files of a folder by their path within it.
pub(super) fn descend(
    tree: &dyn Tree,
    root: &str,
    below: &str,
    names: &[Arc<str>],
    found: &mut Found,
    depth: usize,
    tracked_only: bool,
) -> Result<(), Box<Diagnostic>> {
    let too_much = |what: String| {
        Box::new(Diagnostic::error(Code::E0518, format!("{root} {what}")).hint("put data into a volume"))
    };
    if depth > DEEPEST {
        return Err(too_much(format!("has folders below level {DEEPEST}")));
    }
    for name in names {
        let within = if below.is_empty() { name.to_string() } else { format!("{below}/{name}") };
        let path = if root.is_empty() { within.clone() } else { format!("{root}/{within}") };
        match tree.entry(&path).map_err(|error| Box::new(crate::fleet::refused(&path, &error)))? {
            Entry::Absent => {}
            Entry::File { tracked: false, .. } if tracked_only => {}
            Entry::File { bytes, executable, .. } => {
                found.bytes += bytes.len();
                if found.all.len() >= MOST_FILES || found.bytes > MOST_BYTES {
                    return Err(too_much(format!("holds more than {MOST_FILES} files or {} MiB", MOST_BYTES >> 20)));
                }
                found.all.insert(within.into(), (bytes, executable));
            }
            Entry::Folder(names) => descend(tree, root, &within, &names, found, depth + 1, tracked_only)?,
        }
    }
    Ok(())
}
