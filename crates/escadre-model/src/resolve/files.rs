//! The tree as Compose sees it: everything of a fleet lies below one made-up folder.
//!
//! In: a `Tree`. Out: `compose::Files`.
//! **Invariant:** a path of the tree begins with [`ROOT`], so it can never be taken for a path of the host; people never see it.
//! Not here: fleets of one, whose paths are the host's.
//! Tests: `tests/it/resolve.rs`.

use crate::compose::{Files, ReadError};
use crate::diagnostic::Diagnostic;
use crate::tree::{Entry, Tree};
use std::sync::Arc;

/// Where the repository lies in the paths of a fleet's projects: `/.fleet/products/desk/conf` is `products/desk/conf` of the tree.
pub const ROOT: &str = "/.fleet";

/// A path of the tree as the project has it.
pub(super) fn inside(path: &str) -> String {
    if path.is_empty() { ROOT.to_owned() } else { format!("{ROOT}/{path}") }
}

/// The path of the tree that a project's path stands for; `None`: it is one of the host.
pub(super) fn in_tree(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(ROOT)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// A finding without the made-up folder.
pub(super) fn named_plainly(mut finding: Diagnostic) -> Diagnostic {
    let prefix = "/.fleet/";
    if finding.message.contains(prefix) {
        finding.message = finding.message.replace(prefix, "");
    }
    for label in &mut finding.labels {
        if let Some(plain) = label.span.file.strip_prefix(prefix) {
            label.span.file = plain.into();
        }
    }
    finding
}

/// A fleet's tree for the Compose reader.
pub(super) struct InTree<'t> {
    tree: &'t dyn Tree,
}

impl<'t> InTree<'t> {
    pub(super) fn new(tree: &'t dyn Tree) -> Self {
        Self { tree }
    }
}

impl Files for InTree<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        let Some(path) = in_tree(path) else { return Err(ReadError("it lies outside the repository".to_owned())) };
        read(self.tree, path)
    }

    fn shown<'p>(&self, path: &'p str) -> &'p str {
        in_tree(path).unwrap_or(path)
    }
}

/// The host for the Compose reader: a fleet of one.
pub(super) struct OnHost<'t> {
    pub(super) tree: &'t dyn Tree,
    /// The folder whose paths are shown relative to it, with a `/` at the end.
    pub(super) shown_from: String,
}

impl Files for OnHost<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        read(self.tree, path)
    }

    fn shown<'p>(&self, path: &'p str) -> &'p str {
        path.strip_prefix(&self.shown_from).unwrap_or(path)
    }
}

fn read(tree: &dyn Tree, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
    match tree.entry(path) {
        Ok(Entry::File { bytes, .. }) => Ok(Some(bytes)),
        Ok(Entry::Folder(_)) => Err(ReadError("it is a folder".to_owned())),
        Ok(Entry::Absent) => Ok(None),
        Err(error) => Err(ReadError(error.to_string())),
    }
}
