//! An edge that runs and is of another version than this program.
//!
//! In: what the running edge says of itself. Out: nothing to do, an upgrade, or why there is none.
//! **Invariant:** it is settled before anything is changed; listeners and what is carried outlive it.
//! Not here: which of two versions is the older one (`escadre_edge::Version`), routes.
//! Tests: at the end of this file, `tests/it/edge.rs`.

use crate::exec;
use escadre_edge::Version;
use escadre_edge::control::{Client, Status};
use escadre_model::routes::SCHEMA_NUMBER;
use std::path::{Path, PathBuf};

/// The edge that runs is of another version than this program, and stays so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the edge that runs is of {runs}, this program of version {ours}, {because}")]
pub struct Outdated {
    /// `version 1.2.3`, or that it is an early one.
    pub runs: String,
    /// The file of its program, if that can be seen.
    pub program: Option<PathBuf>,
    /// Our version.
    pub ours: String,
    /// Why it stays.
    pub because: Cause,
}

/// Why an edge of another version stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The file it is started from is still the older program.
    #[error("and the program it is started from has not been replaced")]
    SameProgram,
    /// It did not upgrade.
    #[error("and it could not be upgraded: {0}")]
    Failed(String),
    /// It is newer, and does not read any more what we write.
    #[error("whose routes it does not read any more")]
    Newer,
}

/// [`EdgeFiles::catch_up`](super::EdgeFiles::catch_up).
pub(super) async fn catch_up(client: &Client, log: &Path) -> Result<Option<String>, Outdated> {
    let ours = Version::ours();
    // One that does not run is started from this program; what is wrong with one that does not answer is said where it is needed.
    let Ok(status) = client.status().await else { return Ok(None) };
    let refuse = |runs: Option<Version>, pid, because: Cause| Outdated {
        runs: words(runs.as_ref()),
        program: exec::program_of(pid),
        ours: ours.to_string(),
        because,
    };
    if !is_older(status.version.as_ref(), &ours) && !has_older_holder(&status, &ours) {
        return match status.version {
            Some(newer) if !newer.reads(SCHEMA_NUMBER) => Err(refuse(Some(newer), status.pid, Cause::Newer)),
            _ => Ok(None),
        };
    }
    match client.upgrade().await {
        // A holder that could not be replaced holds listeners and reads no routes: it is in nobody's way (`proxy status` says why).
        Ok(now) if !is_older(now.version.as_ref(), &ours) => Ok(Some(words(status.version.as_ref()))),
        Ok(now) => Err(refuse(now.version, now.pid, Cause::SameProgram)),
        Err(error) => {
            let why = format!("{error}; its log is {}", log.display());
            Err(refuse(status.version, status.pid, Cause::Failed(why)))
        }
    }
}

/// Only the worker may have been replaced before. A holder that says nothing of itself cannot be replaced.
fn has_older_holder(status: &Status, ours: &Version) -> bool {
    status.holder.as_ref().is_some_and(|holder| holder.version.is_older_than(ours))
}

/// Who says no version is older: that is said since there is more than one.
fn is_older(runs: Option<&Version>, ours: &Version) -> bool {
    runs.is_none_or(|runs| runs.is_older_than(ours))
}

fn words(runs: Option<&Version>) -> String {
    runs.map_or_else(|| "an early version".to_owned(), |runs| format!("version {runs}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_no_version_is_older_and_every_cause_is_a_sentence() {
        let ours = Version::ours();
        assert!(is_older(None, &ours) && !is_older(Some(&ours), &ours));
        let said = |because| Outdated { runs: words(None), program: None, ours: "1.2.0".into(), because }.to_string();
        assert_eq!(
            said(Cause::SameProgram),
            "the edge that runs is of an early version, this program of version 1.2.0, and the program it is started from has not been replaced"
        );
        assert!(said(Cause::Newer).ends_with("version 1.2.0, whose routes it does not read any more"));
        assert!(said(Cause::Failed("no answer".into())).ends_with("and it could not be upgraded: no answer"));
    }
}
