//! The answer to the authority's question whether a name leads here (HTTP-01, RFC 8555, 8.3).
//!
//! In → Out: a token → the text that proves it, as long as it is asked for.
//!
//! **Invariant**: texts are in a folder, so that whichever worker is asked can answer, also during an upgrade. A token is
//! one part of a path and nothing else.
//!
//! Not here: getting tokens (`order`).
//!
//! Tests: `tests/it/acme.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::record::folder;
use crate::files::{self, FileError};

/// Where the authority looks.
pub(crate) const PATH: &str = "/.well-known/acme-challenge/";

/// A text that nobody took back (its process died) is removed after this.
const OLDEST: Duration = Duration::from_secs(3600);

/// A text that is there until this is dropped.
#[derive(Debug)]
pub(super) struct Shown {
    path: Option<PathBuf>,
}

impl Shown {
    pub(super) fn new(dir: &Path, token: String) -> Shown {
        Shown { path: path(dir, &token) }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // One that stays is harmless, and removed later.
            let _stays = std::fs::remove_file(path);
        }
    }
}

fn path(dir: &Path, token: &str) -> Option<PathBuf> {
    let fine =
        (1..=256).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fine.then(|| folder(dir).join("challenges").join(token))
}

/// Shows a text for a token.
pub(super) fn show(dir: &Path, token: &str, text: &str) -> Result<(), FileError> {
    let Some(path) = path(dir, token) else {
        let bad = std::io::Error::new(std::io::ErrorKind::InvalidData, "the authority's token is no token");
        return Err(FileError::io("answer", &folder(dir))(bad));
    };
    if let Some(folder) = path.parent() {
        files::make_dir(folder)?;
        forget(folder);
    }
    files::write_whole(&path, text.as_bytes(), 0o600)
}

fn forget(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > OLDEST) {
            let _stays = std::fs::remove_file(entry.path());
        }
    }
}

/// The text for a request's path, if it is a question of an authority that somebody here caused.
pub(crate) async fn answer(dir: &Path, path: &str) -> Option<String> {
    let token = path.strip_prefix(PATH)?;
    let path = self::path(dir, token)?;
    tokio::fs::read_to_string(path).await.ok()
}
