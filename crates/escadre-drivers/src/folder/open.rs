//! The open view of a fleet of one: what Compose would see, links and paths outside included.
//!
//! In: the folder where relative paths begin. Out: what stands at a path, relative or absolute.
//! **Invariant:** captured like every tree: the same path gives the same bytes.
//! Not here: fleets, in which nothing outside is readable (`WorkTree`).
//! Tests: `folder/tests.rs`.

use super::{bytes, unreadable};
use escadre_model::tree::{Entry, Error, Tree};
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A folder from which everything is readable.
#[derive(Debug)]
pub struct OpenFolder {
    root: PathBuf,
    seen: Mutex<HashMap<String, Result<Entry, Error>>>,
}

impl OpenFolder {
    /// Relative paths begin at `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), seen: Mutex::new(HashMap::new()) }
    }

    /// The folder where relative paths begin.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn look(&self, path: &str) -> Result<Entry, Error> {
        let place = self.root.join(path);
        // O_NONBLOCK: a pipe must not stop us.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = match std::fs::OpenOptions::new().read(true).custom_flags(flags).open(&place) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Entry::Absent);
            }
            Err(error) => return Err(unreadable(path, &error)),
        };
        let about = file.metadata().map_err(|error| unreadable(path, &error))?;
        if about.is_file() {
            let executable = about.permissions().mode() & 0o100 != 0;
            return Ok(Entry::File { bytes: bytes(path, file)?, executable, tracked: false });
        }
        if !about.is_dir() {
            return Err(Error::Unreadable { path: path.into(), why: "it is neither a file nor a folder".into() });
        }
        let mut names: Vec<Arc<str>> = Vec::new();
        for entry in std::fs::read_dir(&place).map_err(|error| unreadable(path, &error))? {
            let name = entry.map_err(|error| unreadable(path, &error))?.file_name();
            // A name we could not write is none that a Compose file could name.
            if let Some(name) = name.to_str() {
                names.push(name.into());
            }
        }
        names.sort_unstable();
        Ok(Entry::Folder(names.into()))
    }
}

impl Tree for OpenFolder {
    fn entry(&self, path: &str) -> Result<Entry, Error> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(answer) = seen {
            return answer;
        }
        let answer = self.look(path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(path.to_owned()).or_insert(answer).clone()
    }
}
