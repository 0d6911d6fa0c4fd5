//! Images built from the tree: one hash over everything that goes into them.
//!
//! In: `build:` of a service, its context. Out: a hash; an image is built again only when it changed.
//! **Invariant:** in a fleet only what Git knows counts, so that a commit and its work tree give the same hash.
//! Not here: building.
//! Tests: `tests/it/resolve.rs`.

use super::content::{Found, descend};
use super::ignore::Ignore;
use super::{Work, files, once};
use crate::compose::Project;
use crate::diagnostic::{Code, Diagnostic};
use crate::hash::Hash;
use crate::text::Node;
use crate::tree::{Entry, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The hash of a context, or why it cannot be read.
pub(super) type Context = Result<Hash, Box<Diagnostic>>;

impl Work<'_> {
    pub(super) fn builds(&mut self, project: &Project) -> BTreeMap<Arc<str>, Hash> {
        let mut all = BTreeMap::new();
        for service in project.services() {
            let Some(build) = service.node("build") else { continue };
            let context = build.get("context").and_then(Node::as_str).unwrap_or_default();
            let Some(place) = files::in_tree(context) else {
                if context.starts_with('/') {
                    self.findings.push(outside(service.name, context).at(&build.span));
                } else {
                    // A remote context is what its address says.
                    all.insert(Arc::clone(service.name), Hash::of_json(&build.to_json()));
                }
                continue;
            };
            let dockerfile = dockerfile(build);
            let key: Arc<str> = format!("{place}\0{dockerfile}").into();
            let further = further(build, |path| match files::in_tree(path) {
                Some(place) => {
                    let key: Arc<str> = format!("{place}\0").into();
                    once(&self.cache.builds, &key, || inputs(self.tree, place, "", true))
                }
                None => Err(Box::new(outside(service.name, path))),
            });
            let inputs = once(&self.cache.builds, &key, || inputs(self.tree, place, &dockerfile, true));
            match inputs.and_then(|inputs| Ok((inputs, further?))) {
                Ok((inputs, further)) => drop(all.insert(Arc::clone(service.name), of(&inputs, &further, build))),
                Err(finding) => self.findings.push(finding.at(&build.span)),
            }
        }
        all
    }
}

pub(super) fn dockerfile(build: &Node) -> String {
    build.get("dockerfile").and_then(Node::as_str).unwrap_or("Dockerfile").to_owned()
}

fn outside(service: &str, context: &str) -> Diagnostic {
    Diagnostic::error(Code::E0515, format!("{service} is built from {context}, which lies outside the repository"))
}

/// The hash of inputs and options together.
pub(super) fn of(inputs: &Hash, further: &BTreeMap<Arc<str>, Hash>, build: &Node) -> Hash {
    match further.is_empty() {
        true => Hash::of_json(&(inputs, build.to_json())),
        false => Hash::of_json(&(inputs, further, build.to_json())),
    }
}

/// The hashes of further contexts that are folders; images are what their names say.
pub(super) fn further(
    build: &Node,
    read: impl Fn(&str) -> Context,
) -> Result<BTreeMap<Arc<str>, Hash>, Box<Diagnostic>> {
    let all = build.get("additional_contexts").and_then(Node::as_mapping);
    let folders = all.into_iter().flat_map(|map| map.iter()).filter_map(|(key, node)| {
        let path = node.as_str().filter(|path| path.starts_with('/'))?;
        Some(read(path).map(|hash| (Arc::clone(&key.text), hash)))
    });
    folders.collect()
}

/// The hash of what the builder would be given: the context without what .dockerignore leaves out, and the Dockerfile.
pub(super) fn inputs(tree: &dyn Tree, context: &str, dockerfile: &str, tracked_only: bool) -> Context {
    let read = |path: &str| -> Result<Option<Arc<[u8]>>, Box<Diagnostic>> {
        match tree.entry(path) {
            Ok(Entry::File { bytes, .. }) => Ok(Some(bytes)),
            Ok(_) => Ok(None),
            Err(error) => Err(Box::new(crate::fleet::refused(path, &error))),
        }
    };
    let at = |name: &str| if context.is_empty() { name.to_owned() } else { format!("{context}/{name}") };
    let names = match tree.entry(context).map_err(|error| Box::new(crate::fleet::refused(context, &error)))? {
        Entry::Folder(names) => names,
        _ => {
            let message = format!("the build's context {context} is not a folder");
            return Err(Box::new(Diagnostic::error(Code::E0516, message)));
        }
    };
    let recipe = if dockerfile.starts_with('/') {
        read(files::in_tree(dockerfile).unwrap_or(dockerfile))?
    } else {
        read(&at(dockerfile))?
    };
    let ignore = match read(&at(&format!("{dockerfile}.dockerignore")))? {
        Some(bytes) => Some(bytes),
        None => read(&at(".dockerignore"))?,
    };
    let ignore = Ignore::new(&ignore.as_deref().map(String::from_utf8_lossy).unwrap_or_default());
    let mut found = Found { all: BTreeMap::new(), bytes: 0 };
    descend(tree, context, "", &names, &mut found, 0, tracked_only)?;
    let listing: BTreeMap<&str, (Hash, bool)> = found
        .all
        .iter()
        .filter(|(path, _)| !ignore.ignores(path))
        .map(|(path, (bytes, executable))| (&**path, (Hash::of(bytes), *executable)))
        .collect();
    Ok(Hash::of_json(&(listing, recipe.map(Hash::of))))
}
