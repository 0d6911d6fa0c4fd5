//! `escadre compose config`: the normalised model.
//!
//! In: Compose files. Out: YAML or JSON. **Invariant**: as the reference prints it.
//! Not here: reading. Tests: `tests/it`.

use crate::args::about::Compose;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::wire;

/// Runs the verb.
///
/// # Errors
/// When the files cannot be read.
pub(super) async fn run(args: &Compose, settings: &Settings, terminal: &Terminal) -> Done {
    let model = wire::compose(settings, &args.verb).await?;
    if !model.findings.is_empty() {
        terminal.findings(&model.findings, model.sources.0.as_ref());
    }
    terminal.data(&model.text)?;
    Ok(Exit::Done)
}
