//! What verbs write: new fleets, products, instances; secrets; schemas for editors.
//!
//! In: what was typed, the fleet as it is. Out: files, whole and atomically.
//! **Invariant:** comments and order of what people wrote are kept; a value that is secret is written encrypted only.
//! Not here: text edits themselves (`escadre_model::fleet::write`), encryption (`escadre_drivers::age`).
//! Tests: `tests/it/write.rs`.

mod begin;
pub(super) mod land;
mod secrets;
mod variables;

pub(crate) use begin::begin;
pub(crate) use secrets::{Secrets, secret};

use super::files::{Read, Source};
use super::ground::sources;
use crate::args::shared::Files;
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::fleet::Fleet;
use escadre_model::fleet::write::EditError;
use std::path::PathBuf;
use std::sync::Arc;

/// JSON schemas of the files people write: name → schema.
pub(crate) fn file_schemas() -> Vec<(&'static str, serde_json::Value)> {
    escadre_model::fleet::schema()
}

/// The fleet of the working folder, with what was found in it.
fn fleet_here(settings: &Settings) -> Result<(PathBuf, Arc<Fleet>, Vec<Diagnostic>), Fault> {
    let Some(root) = settings.folder.ancestors().find(|folder| folder.join(escadre_model::fleet::FILE).is_file())
    else {
        let message = format!("there is no fleet.yaml in {} or above it", settings.folder.display());
        return Err(Fault::Findings(
            Exit::Files,
            vec![Diagnostic::error(Code::E0520, message).hint("begin with: escadre new fleet NAME")],
        ));
    };
    let root = root.to_owned();
    let read = Read::from(Source::Fleet(root.clone()), &Files::default())?;
    match read.fleet {
        Some(fleet) => Ok((root, fleet, read.findings)),
        None => {
            let sources = sources(&root);
            Err(Fault::Files(Exit::Files, read.findings, sources))
        }
    }
}

/// A text that cannot be edited.
pub(super) fn edit_fault(error: EditError) -> Fault {
    Fault::Findings(Exit::Files, vec![Diagnostic::error(Code::E0517, error.to_string())])
}
