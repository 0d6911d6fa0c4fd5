//! The work tree of a fleet, captured as it is read.
//!
//! In: a folder. Out: what stands at a path below it.
//! **Invariant:** every part of a path is opened without following links, from the folder above it: nothing outside is readable, not even
//! when links are made while we read.
//! Not here: what Git would say of it beyond "tracked" (`git`).
//! Tests: `folder/tests.rs`.

use super::{bytes, checked, unreadable};
use crate::git;
use escadre_model::tree::{Entry, Error, Tree};
use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

type Answer = Result<Entry, Error>;

/// A captured work tree.
pub struct WorkTree {
    root: PathBuf,
    folder: OwnedFd,
    /// What Git knows; `None`: there is no repository, and everything counts as known.
    tracked: Option<BTreeSet<Arc<str>>>,
    seen: Mutex<HashMap<String, Answer>>,
}

impl std::fmt::Debug for WorkTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "work tree {}", self.root.display())
    }
}

/// Why a work tree cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be opened.
    #[error("the folder {0} cannot be opened")]
    Folder(PathBuf, #[source] io::Error),
    /// Git does not say which files it knows.
    #[error("what is tracked in {0} cannot be listed")]
    Git(PathBuf, #[source] git::Error),
}

impl WorkTree {
    /// Opens a folder and asks Git, if it is one of a repository, which files it knows.
    ///
    /// # Errors
    /// When the folder cannot be opened, or its repository not be listed.
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        let folder = rustix::fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| OpenError::Folder(root.to_owned(), error.into()))?;
        let listed = git::is_repository(root).and_then(|is| if is { git::tracked(root).map(Some) } else { Ok(None) });
        let tracked = listed.map_err(|error| OpenError::Git(root.to_owned(), error))?;
        Ok(Self { root: root.to_owned(), folder, tracked, seen: Mutex::new(HashMap::new()) })
    }

    /// Whether the folder lies in a repository.
    pub fn is_repository(&self) -> bool {
        self.tracked.is_some()
    }

    /// The folder it was opened at.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn look(&self, path: &str) -> Answer {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        // The repository's own folder is not part of the tree.
        if parts.contains(&".git") {
            return Ok(Entry::Absent);
        }
        let last = parts.pop();
        let mut above = self.folder.try_clone().map_err(|error| unreadable(path, &error))?;
        for part in parts {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            above = match rustix::fs::openat(&above, part, flags, Mode::empty()) {
                Ok(next) => next,
                Err(error) => return refused(path, &above, part, error),
            };
        }
        // A pipe must not stop us, so it is opened without waiting for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let name = last.unwrap_or(".");
        match rustix::fs::openat(&above, name, flags, Mode::empty()) {
            Ok(found) => self.found(path, found),
            Err(error) => refused(path, &above, name, error),
        }
    }

    fn found(&self, path: &str, found: OwnedFd) -> Answer {
        let about = rustix::fs::fstat(&found).map_err(|error| unreadable(path, &error.into()))?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::Directory => names(path, &found).map(Entry::Folder),
            FileType::RegularFile => {
                let executable = about.st_mode & 0o100 != 0;
                let tracked = self.tracked.as_ref().is_none_or(|tracked| tracked.contains(path));
                Ok(Entry::File { bytes: bytes(path, found.into())?, executable, tracked })
            }
            _ => Err(Error::Unreadable { path: path.into(), why: "it is neither a file nor a folder".into() }),
        }
    }
}

/// An errno as an answer: nothing there, a link, or unreadable.
fn refused(path: &str, above: &OwnedFd, part: &str, error: Errno) -> Answer {
    match error {
        Errno::NOENT => Ok(Entry::Absent),
        Errno::LOOP | Errno::MLINK | Errno::NOTDIR => {
            let about = rustix::fs::statat(above, part, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
            match about.map(|about| FileType::from_raw_mode(about.st_mode)) {
                Ok(FileType::Symlink) => Err(Error::Link(path.into())),
                // A file stands where a folder would have to be: nothing is below it.
                Ok(_) | Err(Errno::NOENT) => Ok(Entry::Absent),
                Err(error) => Err(unreadable(path, &error.into())),
            }
        }
        Errno::NAMETOOLONG => Ok(Entry::Absent),
        error => Err(unreadable(path, &error.into())),
    }
}

fn names(path: &str, folder: &OwnedFd) -> Result<Arc<[Arc<str>]>, Error> {
    let fail = |error: Errno| unreadable(path, &error.into());
    let mut names: Vec<Arc<str>> = Vec::new();
    for entry in Dir::read_from(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let Ok(name) = entry.file_name().to_str() else {
            // A name we could not write cannot be left out silently: it might be an instance.
            let why = "a name in it is not UTF-8".into();
            return Err(Error::Unreadable { path: path.into(), why });
        };
        if !matches!(name, "." | ".." | ".git") {
            names.push(name.into());
        }
    }
    names.sort_unstable();
    Ok(names.into())
}

impl Tree for WorkTree {
    fn entry(&self, path: &str) -> Answer {
        let path = checked(path)?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        if let Some(answer) = seen {
            return answer;
        }
        let answer = self.look(&path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever came first is believed, so that two readers see the same bytes.
        seen.entry(path).or_insert(answer).clone()
    }
}
