//! Git: a commit as a `Tree`, and what differs between a work tree and a commit.
//!
//! In: a folder of a repository and a revision. Out: [`GitTree`], [`Head`], lists of changed paths.
//! **Invariant:** nothing of the repository's configuration is run (no hooks, no monitors, no filters), and nothing is written to it.
//! Not here: clones, commits and pushes.
//! Tests: `git/tests.rs`.

mod export;
#[cfg(test)]
mod tests;
mod tree;

pub use export::{ExportError, export};
pub use tree::GitTree;

use crate::exec::{self, Call, Program};
use escadre_model::hash::Hash;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Why Git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program failed.
    #[error("git did not answer")]
    Exec(#[from] exec::Error),
    /// There is no such revision.
    #[error("there is no commit \"{0}\" here")]
    NoCommit(String),
    /// Git's answer has not the form it documents.
    #[error("git's answer was not understood: {0}")]
    Answer(&'static str),
}

/// Where a repository stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit that is checked out; `None`: there is none yet.
    pub commit: Option<Arc<str>>,
    /// Paths that differ from it, from the folder that was asked about; untracked ones included, ignored ones not.
    pub changed: Vec<Arc<str>>,
    /// The hash of these paths and of what stands there now; `None`: nothing differs.
    pub dirty: Option<Hash>,
}

/// Git, asked in a folder, with nothing of the repository's own configuration able to start programs.
pub(crate) fn call(folder: &Path, arguments: &[&str]) -> Call {
    let safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false"];
    Call::new(Program::Git, safe.iter().chain(arguments))
        .within(folder)
        .variable("GIT_TERMINAL_PROMPT", "0")
        .variable("GIT_OPTIONAL_LOCKS", "0")
        // A missing object of a partial clone would be asked for over the network.
        .variable("GIT_NO_LAZY_FETCH", "1")
}

/// Whether a folder lies in a repository's work tree.
///
/// # Errors
/// When Git cannot be run, or refuses the repository (an owner it does not trust).
pub fn is_repository(folder: &Path) -> Result<bool, Error> {
    // Git would look for the same and find nothing; to start it costs more than to read a small fleet. What cannot be looked at, Git is asked about.
    let without =
        |above: &Path| above.join(".git").symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if folder.canonicalize().is_ok_and(|whole| whole.ancestors().all(without)) {
        return Ok(false);
    }
    match call(folder, &["rev-parse", "--is-inside-work-tree"]).run() {
        Ok(answer) => Ok(answer.starts_with(b"true")),
        // Code 128 with these words is Git's "there is none"; everything else is a failure.
        Err(exec::Error::Failed { said, .. }) if said.contains("not a git repository") => Ok(false),
        Err(exec::Error::NotInstalled(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The full id of a commit.
///
/// # Errors
/// When there is no such commit, or Git fails.
pub fn commit(folder: &Path, revision: &str) -> Result<Arc<str>, Error> {
    let no_commit = || Error::NoCommit(revision.chars().take(80).flat_map(char::escape_default).collect());
    if revision.is_empty() || revision.starts_with('-') || revision.contains(|c: char| c.is_control() || c == ':') {
        return Err(no_commit());
    }
    let wanted = format!("{revision}^{{commit}}");
    match call(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).run() {
        Ok(answer) => {
            let id = String::from_utf8_lossy(&answer);
            let id = id.lines().last().unwrap_or_default().trim();
            let fits = matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
            if fits { Ok(id.into()) } else { Err(Error::Answer("a commit id")) }
        }
        Err(exec::Error::Failed { .. }) => Err(no_commit()),
        Err(error) => Err(error.into()),
    }
}

/// The paths Git knows below a folder, from there.
///
/// # Errors
/// When Git fails.
pub fn tracked(folder: &Path) -> Result<BTreeSet<Arc<str>>, Error> {
    let answer = call(folder, &["ls-files", "-z"]).run()?;
    Ok(paths(&answer).map(Into::into).collect())
}

/// The paths that differ between a commit and the work tree now, from the folder that is asked about, untracked ones included.
///
/// # Errors
/// When Git fails.
pub fn differing(folder: &Path, commit: &str) -> Result<Vec<Arc<str>>, Error> {
    let changed = call(
        folder,
        &["diff", "--name-only", "--no-ext-diff", "--no-textconv", "--no-renames", "-z", "--relative", commit, "--"],
    )
    .run()?;
    let new = call(folder, &["ls-files", "--others", "--exclude-standard", "-z"]).run()?;
    let all: BTreeSet<Arc<str>> = paths(&changed).chain(paths(&new)).map(Into::into).collect();
    Ok(all.into_iter().collect())
}

/// Where the repository of a folder stands, and whether its work tree is dirty below that folder.
///
/// # Errors
/// When Git fails.
pub fn head(folder: &Path) -> Result<Head, Error> {
    let commit = match commit(folder, "HEAD") {
        Ok(commit) => commit,
        Err(Error::NoCommit(_)) => {
            let changed: Vec<Arc<str>> = tracked(folder)?.into_iter().collect();
            let dirty = Some(Hash::of_json(&changed));
            return Ok(Head { commit: None, changed, dirty });
        }
        Err(error) => return Err(error),
    };
    let changed = differing(folder, &commit)?;
    let dirty = if changed.is_empty() { None } else { Some(dirty_hash(folder, &changed)) };
    Ok(Head { commit: Some(commit), changed, dirty })
}

fn dirty_hash(folder: &Path, changed: &[Arc<str>]) -> Hash {
    let now: Vec<(&Arc<str>, String)> = changed
        .iter()
        .map(|path| match crate::files::read(&folder.join(&**path)) {
            Ok(Some(bytes)) => (path, Hash::of(bytes).to_string()),
            Ok(None) => (path, "absent".to_owned()),
            // A folder, or a file that cannot be read: that it changed is all that is known.
            Err(error) => (path, error.to_string()),
        })
        .collect();
    Hash::of_json(&now)
}

fn paths(answer: &[u8]) -> impl Iterator<Item = &str> {
    answer.split(|byte| *byte == 0).filter_map(|path| std::str::from_utf8(path).ok()).filter(|path| !path.is_empty())
}
