//! `escadre new`: begins a fleet, a product, an instance.
//!
//! In: options. Out: files, and their names. **Invariant**: nothing existing is overwritten.
//! Not here: what stands in them. Tests: `tests/it`.

use crate::args::write::New;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::wire;

/// Runs the verb.
///
/// # Errors
/// Command line, files in the way.
pub(super) async fn run(args: &New, settings: &Settings, terminal: &Terminal) -> Done {
    let begun = wire::begin(settings, &args.what).await?;
    let lines: String = begun.written.iter().map(|path| format!("{path}\n")).collect();
    terminal.data(&lines)?;
    let notes: String = begun.notes.iter().map(|note| format!("  {note}\n")).collect();
    terminal.say(&format!("{notes}\n  next   {}\n", begun.next));
    Ok(Exit::Done)
}
