//! A commit as a `Tree`: one listing, then contents from one `git cat-file --batch`.
//!
//! In: a folder of a repository and a commit. Out: what stood at a path.
//! **Invariant:** what is read is the commit's, whatever the work tree holds; links and submodules are not followed.
//! Not here: the work tree (`folder`).
//! Tests: `git/tests.rs`.

use super::{Error, call, commit};
use crate::exec::Conversation;
use crate::folder::LARGEST;
use escadre_model::tree::{self, Entry, Tree};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A commit, from a folder of it.
pub struct GitTree {
    commit: Arc<str>,
    files: BTreeMap<Arc<str>, Blob>,
    folders: BTreeMap<Arc<str>, Arc<[Arc<str>]>>,
    batch: Mutex<Conversation>,
}

#[derive(Clone)]
struct Blob {
    id: Arc<str>,
    kind: BlobKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlobKind {
    File {
        executable: bool,
    },
    /// A symbolic link or a submodule.
    Link,
}

impl std::fmt::Debug for GitTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "commit {} with {} files", self.commit, self.files.len())
    }
}

impl GitTree {
    /// The tree of a revision, as seen from `folder`.
    ///
    /// # Errors
    /// When there is no such commit, or Git fails.
    pub fn open(folder: &Path, revision: &str) -> Result<Self, Error> {
        let commit = commit(folder, revision)?;
        let listing = call(folder, &["ls-tree", "-r", "-z", &commit]).run()?;
        let mut files = BTreeMap::new();
        for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            // Names that are no UTF-8 cannot be written in our files, so nobody can ask for them.
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let (about, path) = line.split_once('\t').ok_or(Error::Answer("a line of ls-tree"))?;
            let mut words = about.split(' ');
            let (mode, _, id) = (words.next(), words.next(), words.next());
            let kind = match mode {
                Some("100644") => BlobKind::File { executable: false },
                Some("100755") => BlobKind::File { executable: true },
                _ => BlobKind::Link,
            };
            let id = id.ok_or(Error::Answer("a line of ls-tree"))?.into();
            files.insert(path.into(), Blob { id, kind });
        }
        let folders = folders(files.keys());
        let batch = Mutex::new(call(folder, &["cat-file", "--batch"]).converse()?);
        Ok(Self { commit, files, folders, batch })
    }

    /// The commit's full id.
    pub fn commit(&self) -> &Arc<str> {
        &self.commit
    }

    fn blob(&self, path: &str, id: &str) -> Result<Arc<[u8]>, tree::Error> {
        let unreadable =
            |error: io::Error| tree::Error::Unreadable { path: path.into(), why: error.to_string().into() };
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.say(id).map_err(unreadable)?;
        let mut header = String::new();
        batch.answer().take(4096).read_line(&mut header).map_err(unreadable)?;
        let size = header.trim().strip_prefix(id).and_then(|rest| rest.trim().strip_prefix("blob "));
        let Some(size) = size.and_then(|size| size.parse::<u64>().ok()) else {
            return Err(tree::Error::Unreadable {
                path: path.into(),
                why: "the object is missing from the repository".into(),
            });
        };
        if size > LARGEST {
            // What is not wanted must be read past, for the next answer stands behind it.
            io::copy(&mut batch.answer().take(size + 1), &mut io::sink()).map_err(unreadable)?;
            return Err(tree::Error::TooLarge(path.into(), size, LARGEST));
        }
        let mut bytes = Vec::new();
        batch.answer().take(size + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 != size + 1 {
            return Err(unreadable(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        bytes.pop();
        Ok(bytes.into())
    }
}

impl Tree for GitTree {
    fn entry(&self, path: &str) -> Result<Entry, tree::Error> {
        let path = crate::folder::checked(path)?;
        if let Some(names) = self.folders.get(path.as_str()) {
            return Ok(Entry::Folder(Arc::clone(names)));
        }
        match self.files.get(path.as_str()) {
            Some(Blob { kind: BlobKind::Link, .. }) => Err(tree::Error::Link(path.into())),
            Some(Blob { kind: BlobKind::File { executable }, id }) => {
                Ok(Entry::File { bytes: self.blob(&path, id)?, executable: *executable, tracked: true })
            }
            None => self.absent(&path),
        }
    }
}

impl GitTree {
    /// Nothing is there, unless a link stands on the way.
    fn absent(&self, path: &str) -> Result<Entry, tree::Error> {
        let mut above = path;
        while let Some((folder, _)) = above.rsplit_once('/') {
            if self.files.get(folder).is_some_and(|blob| blob.kind == BlobKind::Link) {
                return Err(tree::Error::Link(folder.into()));
            }
            above = folder;
        }
        Ok(Entry::Absent)
    }
}

/// Every folder above these files, with the names in it.
fn folders<'f>(files: impl Iterator<Item = &'f Arc<str>>) -> BTreeMap<Arc<str>, Arc<[Arc<str>]>> {
    let mut found: BTreeMap<&str, std::collections::BTreeSet<&str>> = BTreeMap::new();
    found.insert("", std::collections::BTreeSet::new());
    for file in files {
        let mut path: &str = file;
        loop {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let new = found.entry(folder).or_default().insert(name);
            // A name that was there already has its folders, too.
            if folder.is_empty() || !new {
                break;
            }
            path = folder;
        }
    }
    found.into_iter().map(|(folder, names)| (folder.into(), names.into_iter().map(Into::into).collect())).collect()
}
