//! `escadre history`: what was done, when, by whom.
//!
//! In: options. Out: a view. **Invariant**: only what receipts say.
//! Not here: the journal. Tests: `tests/it`.

use crate::args::look::History;
use crate::exit::{Done, Exit};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::terminal::time::Now;
use crate::views::history;
use crate::wire::{self, Ask};

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &History, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let ask = Ask { files: args.files.clone(), selection, ..Ask::default() };
    let mut ground = wire::ground(settings, &ask).await?;
    wire::remember(&mut ground).await?;
    let now = Now::here();
    let view = history::build(&ground.looked(&now), args.lines);
    if args.form.json {
        terminal.json(&view)?;
    } else {
        terminal.data(&history::paint(&view, &now, terminal.out))?;
    }
    Ok(Exit::Done)
}
