//! The files that a project names, and that have to come with it.
//!
//! In: a loaded project. Out: paths, and what each is for.
//! **Invariant:** every path that the product would be wrong without is named; what services write is not.
//! Not here: reading them.
//! Tests: `propose/tests.rs`.

use crate::compose::Project;
use crate::text::Node;
use std::collections::BTreeMap;

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum For {
    /// A Compose file: the project's own, or one that it includes or extends.
    Compose,
    /// Variables or labels for a service.
    Variables,
    /// A config's content.
    Config,
    /// A secret's content: it does not belong into a repository.
    Secret,
    /// What an image is built from.
    Build,
    /// What services read only.
    Read,
    /// What services may write, or cannot be told from it.
    Written,
}

/// Paths as the project has them (absolute) → what they are for.
pub fn named(project: &Project) -> BTreeMap<String, For> {
    let mut all = BTreeMap::new();
    let mut add = |path: &str, what: For| {
        if path.starts_with('/') {
            let known = all.entry(path.to_owned()).or_insert(what);
            *known = (*known).max(what);
        }
    };
    project.files.iter().for_each(|path| add(path, For::Compose));
    for service in project.services() {
        for key in ["env_file", "label_file"] {
            for entry in service.list(key) {
                entry
                    .get("path")
                    .or(Some(entry))
                    .and_then(Node::as_str)
                    .into_iter()
                    .for_each(|path| add(path, For::Variables));
            }
        }
        if let Some(context) = service.node("build").and_then(|build| build.get("context")).and_then(Node::as_str) {
            add(context, For::Build);
        }
        for mount in
            service.list("volumes").iter().filter(|mount| mount.get("type").and_then(Node::as_str) == Some("bind"))
        {
            let reads = mount.get("read_only").and_then(Node::as_str) == Some("true");
            let source = mount.get("source").and_then(Node::as_str);
            source.into_iter().for_each(|path| add(path, if reads { For::Read } else { For::Written }));
        }
    }
    for (section, what) in [("configs", For::Config), ("secrets", For::Secret)] {
        for (_, entry) in project.entries(section) {
            entry.get("file").and_then(Node::as_str).into_iter().for_each(|path| add(path, what));
        }
    }
    all
}
