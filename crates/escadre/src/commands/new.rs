//! `escadre new`: begins a fleet, a product, an instance.
//!
//! In: options. Out: files, and their names. **Invariant**: nothing existing is overwritten.
//! Not here: what stands in them. Tests: `tests/it`.

use crate::args::write::{New, What};
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::terminal::ask::{self, Question};
use crate::wire::{self, Wish};

/// Runs the verb.
///
/// # Errors
/// Command line, files in the way.
pub(super) async fn run(args: &New, settings: &Settings, terminal: &Terminal) -> Done {
    let begun = match &args.what {
        What::Product { name, from: Some(from), unchanged, instance, environment, yes } => {
            let first = instance.as_ref().zip(environment.as_ref());
            let wish = Wish { name, from, unchanged: *unchanged, first };
            let proposed = wire::propose_product(settings, &wish)?;
            if !proposed.findings.0.is_empty() {
                terminal.findings(&proposed.findings.0, proposed.findings.1.0.as_ref());
            }
            terminal.say(&format!("{}\n", proposed.told));
            if !yes {
                ask::ask(&Question::Yes("Write these files?".to_owned()), terminal)?;
            }
            proposed.write(settings)?
        }
        what => wire::begin(settings, what).await?,
    };
    let lines: String = begun.written.iter().map(|path| format!("{path}\n")).collect();
    terminal.data(&lines)?;
    let notes: String = begun.notes.iter().map(|note| format!("  {note}\n")).collect();
    terminal.say(&format!("{notes}\n  next   {}\n", begun.next));
    Ok(Exit::Done)
}
