//! Folders of a commit, written where a program that reads no repository can read them.
//!
//! In: a repository's folder, a commit, paths in it. Out: a temporary folder with what stands below these paths, and nothing else of the commit.
//! **Invariant:** what is written is the commit's, whatever the work tree holds; links and submodules are refused, as in every tree; it goes when it is dropped.
//! Not here: packing a build's context (`podman::build`).
//! Tests: `git/tests.rs`.

use super::{Error, GitTree};
use escadre_model::tree::{self, Entry, Tree};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Why folders of a commit could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Git.
    #[error(transparent)]
    Git(#[from] Error),
    /// What stands there cannot be read, or must not be.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// The commit has no such folder.
    #[error("commit {0} has no folder {1}")]
    NoFolder(Box<str>, Box<str>),
    /// The disk.
    #[error("cannot write {path}")]
    Disk {
        /// What of it.
        path: Box<str>,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes these folders of a commit into a temporary folder within `at`, each at its own path.
///
/// # Errors
/// When the commit or a folder cannot be read, or the disk takes no more.
pub fn export(repository: &Path, commit: &str, paths: &[String], at: &Path) -> Result<tempfile::TempDir, ExportError> {
    let tree = GitTree::open(repository, commit)?;
    let disk = |path: &str, source: io::Error| ExportError::Disk { path: path.into(), source };
    let folder = tempfile::Builder::new()
        .prefix("commit-")
        .tempdir_in(at)
        .map_err(|source| disk(&at.display().to_string(), source))?;
    for path in paths {
        let path = crate::folder::checked(path)?;
        let Entry::Folder(names) = tree.entry(&path)? else {
            return Err(ExportError::NoFolder(commit.into(), path.into()));
        };
        write(&tree, &path, &names, folder.path())?;
    }
    Ok(folder)
}

fn write(tree: &GitTree, path: &str, names: &[std::sync::Arc<str>], to: &Path) -> Result<(), ExportError> {
    let disk = |path: &str, source: io::Error| ExportError::Disk { path: path.into(), source };
    let mut made = std::fs::DirBuilder::new();
    made.recursive(true).mode(0o755).create(to.join(path)).map_err(|source| disk(path, source))?;
    for name in names {
        let path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
        match tree.entry(&path)? {
            Entry::Folder(names) => write(tree, &path, &names, to)?,
            Entry::File { bytes, executable, .. } => {
                let mode = if executable { 0o755 } else { 0o644 };
                let mut file = std::fs::OpenOptions::new();
                let file = file.write(true).create(true).truncate(true).mode(mode).open(to.join(&path));
                file.and_then(|mut file| io::Write::write_all(&mut file, &bytes))
                    .map_err(|source| disk(&path, source))?;
            }
            Entry::Absent => {}
        }
    }
    Ok(())
}
