//! The one place that names every driver: files, keys, engine, state folder, edge, put together for a verb.
//!
//! In: settings and where the files are. Out: [`Wanted`] (what the files say, rendered) and [`World`] (ports to everything outside).
//! **Invariant:** a verb gets its ports here or not at all; nothing here decides what happens to an instance.
//! Not here: what was typed (`args`, `settings`), verbs (`commands`), painting (`terminal`).
//! Tests: `tests/it`.

mod files;
mod keys;
mod world;

pub(crate) use files::{Source, Wanted, find};
pub(crate) use keys::{Keyring, identities};
pub(crate) use world::{World, connect};

use crate::exit::{Exit, Fault};
use crate::terminal::Terminal;
use escadre_model::diagnostic::{Diagnostic, has_errors};
use std::path::Path;

/// Paints what was found, with excerpts of the files below `root`; an error among it ends the verb.
///
/// # Errors
/// Exit code 1 when there is an error among the findings and nothing could be read because of it.
pub(crate) fn tell(terminal: &Terminal, root: &Path, findings: &[Diagnostic]) {
    terminal.findings(findings, &|file| excerpt(root, file));
}

/// The fault that follows from findings, if an error is among them.
pub(crate) fn fault_of(findings: &[Diagnostic]) -> Option<Fault> {
    has_errors(findings).then(|| Fault::Findings(Exit::Files, Vec::new()))
}

/// The text of a file that a finding points at.
pub(crate) fn excerpt(root: &Path, file: &str) -> Option<String> {
    let bytes = escadre_drivers::files::read(&root.join(file)).ok().flatten()?;
    String::from_utf8(bytes).ok()
}
