//! The files that a Compose project names, brought into a product's folder.
//!
//! In: a loaded project, its texts as they are to be. Out: paths of the fleet and bytes; what could not be brought, in words.
//! **Invariant:** a secret's file is not brought; what services write is not; nothing is followed out of the Compose file's folder.
//! Not here: which literals become parameters (`escadre_model::propose`), writing (`land`).
//! Tests: `tests/it/write.rs`, `tests/it/import.rs`.

use escadre_model::compose::Project;
use escadre_model::propose::{self, For};
use escadre_model::tree::{Entry, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The largest file that is copied into a product without being asked for by name.
const LARGEST: usize = 4 << 20;
/// The most files that are copied of one folder.
const MOST: usize = 2_000;

/// Where from, where to.
pub(in crate::wire) struct Bring<'b> {
    /// The host's folders.
    pub(in crate::wire) open: &'b dyn Tree,
    /// The Compose file's folder.
    pub(in crate::wire) folder: &'b Path,
    /// The product's folder in the fleet.
    pub(in crate::wire) into: String,
    /// What could not be brought, a sentence each.
    pub(in crate::wire) notes: Vec<String>,
}

/// A file's bytes.
pub(in crate::wire) fn read(open: &dyn Tree, path: &str) -> Option<Vec<u8>> {
    match open.entry(path) {
        Ok(Entry::File { bytes, .. }) => Some(bytes.to_vec()),
        _ => None,
    }
}

/// A path below a folder, from there.
pub(in crate::wire) fn inside(folder: &Path, path: &str) -> Option<String> {
    let rest = Path::new(path).strip_prefix(folder).ok()?;
    (!rest.as_os_str().is_empty()).then(|| rest.to_string_lossy().into_owned())
}

/// Paths of the host that services bind and that do not come with the product.
pub(in crate::wire) fn outside(folder: &Path, project: &Project) -> Vec<String> {
    let binds = propose::named(project).into_iter().filter(|(_, what)| matches!(what, For::Read | For::Written));
    binds.map(|(path, _)| path).filter(|path| inside(folder, path).is_none()).collect()
}

impl Bring<'_> {
    /// The Compose files and everything they name, as they are to stand in the product's folder; `renamed` are called otherwise there, `without` stay
    /// where they are.
    pub(in crate::wire) fn files(
        &mut self,
        project: &Project,
        texts: &BTreeMap<String, String>,
        renamed: &BTreeMap<String, String>,
        without: &BTreeSet<String>,
    ) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for (path, what) in propose::named(project) {
            if what == For::Secret || without.contains(&path) {
                continue;
            }
            let Some(target) = renamed.get(&path).cloned().or_else(|| inside(self.folder, &path)) else {
                if !matches!(what, For::Read | For::Written) {
                    self.notes.push(format!("{path} lies outside the Compose file's folder and is not copied"));
                }
                continue;
            };
            let target = format!("{}/{target}", self.into);
            if let Some(text) = texts.get(&path) {
                files.push((target, text.clone().into_bytes()));
                continue;
            }
            match self.open.entry(&path) {
                Ok(Entry::File { bytes, .. }) if bytes.len() <= LARGEST => files.push((target, bytes.to_vec())),
                Ok(Entry::File { .. }) => self.notes.push(format!("{path} is larger than 4 MiB and is not copied")),
                // What services write is theirs: each instance gets a folder of its own.
                Ok(Entry::Folder(_)) if what == For::Written => {}
                Ok(Entry::Folder(_)) => self.folder(&path, &target, &mut files),
                Ok(Entry::Absent) | Err(_) => self.notes.push(format!("{path} is not there, or cannot be read")),
            }
        }
        files
    }

    fn folder(&mut self, path: &str, target: &str, to: &mut Vec<(String, Vec<u8>)>) {
        let begin = to.len();
        let mut waiting = vec![(path.to_owned(), target.to_owned())];
        while let Some((path, target)) = waiting.pop() {
            match self.open.entry(&path) {
                Ok(Entry::File { bytes, .. }) if bytes.len() <= LARGEST => {
                    to.push((target.clone(), bytes.to_vec()));
                }
                Ok(Entry::Folder(names)) => {
                    let names =
                        names.iter().filter(|name| !matches!(name.as_ref(), ".git" | "node_modules" | "target"));
                    waiting.extend(names.map(|name| (format!("{path}/{name}"), format!("{target}/{name}"))));
                }
                _ => self.notes.push(format!("{path} is not copied: too large, a link, or unreadable")),
            }
            if to.len() - begin > MOST {
                to.truncate(begin);
                self.notes.push(format!("{path} holds more than {MOST} files: copy it yourself into {target}"));
                return;
            }
        }
    }
}
