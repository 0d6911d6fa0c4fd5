//! What verbs write: new fleets, products, instances; secrets; schemas for editors.
//!
//! In: what was typed, the fleet as it is. Out: files, whole and atomically.
//! **Invariant:** comments and order of what people wrote are kept; a value that is secret is written encrypted only.
//! Not here: text edits themselves (`escadre_model::fleet::write`), encryption (`escadre_drivers::age`).
//! Tests: `tests/it`.

use crate::args::secret::SecretVerb;
use crate::args::write::What;
use crate::exit::Fault;
use crate::settings::{Owner, Settings};
use escadre_model::diagnostic::Code;

/// What this build cannot do yet.
fn unwired<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::usage(Code::E0290, format!("{what}: this build cannot do it yet")))
}

/// Writes a new fleet, product or instance; what was written, one path each, and the next command.
///
/// # Errors
/// When something is in the way.
pub(crate) async fn begin(_settings: &Settings, _what: &What) -> Result<(Vec<String>, String), Fault> {
    unwired("writing a new file")
}

/// Does what is asked of secrets (whose and which: checked already; `None` means all); the text to be printed as data.
///
/// # Errors
/// When it cannot be done.
pub(crate) async fn secret(
    _settings: &Settings,
    _verb: &SecretVerb,
    _owner: Option<Owner>,
    _name: Option<String>,
) -> Result<String, Fault> {
    unwired("secrets")
}

/// JSON schemas of the files people write: name → schema.
pub(crate) fn file_schemas() -> Vec<(&'static str, serde_json::Value)> {
    Vec::new()
}
