//! `compose config`: the normalised Compose model, as the reference prints it.
//!
//! In: Compose files, profiles, the environment. Out: JSON or YAML text.
//! **Invariant:** it sees what Compose would see, and nothing is asked of an engine.
//! Not here: the reader (`escadre_model::compose`).
//! Tests: `tests/it`.

use crate::args::about::ComposeVerb;
use crate::exit::Fault;
use crate::settings::Settings;
use escadre_model::diagnostic::Code;

/// The normalised Compose model.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn compose(_settings: &Settings, _verb: &ComposeVerb) -> Result<String, Fault> {
    Err(Fault::usage(Code::E0290, "reading Compose files: this build cannot do it yet"))
}
