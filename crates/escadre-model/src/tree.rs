//! The tree: the bytes of one commit, or of a work tree as it was captured.
//!
//! In: a path, relative to the root with `/`. Out: bytes, or that there is nothing.
//! **Invariant:** the same path gives the same bytes for the life of a tree; nothing outside the root is readable.
//! Not here: Git and folders (`escadre_drivers`).
//! Tests: with their implementations.

use std::sync::Arc;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file with its bytes; may it be executed?
    File {
        /// Its bytes.
        bytes: Arc<[u8]>,
        /// The executable bit.
        executable: bool,
        /// It is known to Git; an untracked path becomes a folder of the instance where a service binds it.
        tracked: bool,
    },
    /// A folder with the names in it, sorted.
    Folder(Arc<[Arc<str>]>),
    /// Nothing.
    Absent,
}

/// Why something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The path leads out of the root.
    #[error("{0} lies outside the repository")]
    Outside(Arc<str>),
    /// A symbolic link or a submodule: not followed.
    #[error("{0} is a symbolic link or a submodule, which are not followed")]
    Link(Arc<str>),
    /// Larger than is read.
    #[error("{0} has {1} bytes, more than the limit of {2}")]
    TooLarge(Arc<str>, u64, u64),
    /// It is there and cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The path.
        path: Arc<str>,
        /// The system's words.
        why: Arc<str>,
    },
}

/// Answers by content.
pub trait Tree: Send + Sync {
    /// What stands at a path.
    ///
    /// # Errors
    /// When the path is outside, a link, too large or unreadable; a path with nothing there is [`Entry::Absent`].
    fn entry(&self, path: &str) -> Result<Entry, Error>;
}

/// Files that stand nowhere yet, tracked as they are: what is about to be written can be read like a repository.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: std::collections::BTreeMap<Arc<str>, Arc<[u8]>>,
}

impl Memory {
    /// Puts a file at a path; folders come to be with it.
    pub fn put(&mut self, path: &str, bytes: impl AsRef<[u8]>) {
        self.files.insert(path.into(), bytes.as_ref().into());
    }
}

impl Tree for Memory {
    fn entry(&self, path: &str) -> Result<Entry, Error> {
        let path = path.trim_matches('/');
        if let Some(bytes) = self.files.get(path) {
            return Ok(Entry::File { bytes: Arc::clone(bytes), executable: false, tracked: true });
        }
        let inside = |file: &Arc<str>| {
            let rest = if path.is_empty() { file.as_ref() } else { file.strip_prefix(path)?.strip_prefix('/')? };
            rest.split('/').next().map(Arc::<str>::from)
        };
        let mut names: Vec<Arc<str>> = self.files.keys().filter_map(inside).collect();
        names.dedup();
        Ok(if names.is_empty() && !path.is_empty() { Entry::Absent } else { Entry::Folder(names.into()) })
    }
}
