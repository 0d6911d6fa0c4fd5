//! `escadre drift`: what was changed by hand.
//!
//! In: options. Out: a view. **Invariant**: ends with 4 when something was.
//! Not here: deciding what drift is. Tests: `tests/it`.

use super::go;
use crate::args::look::Drift;
use crate::exit::{Done, Exit};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::terminal::time::Now;
use crate::views::drift;
use crate::wire::{self, Ask};

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &Drift, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let ask = Ask { files: args.files.clone(), selection, ..Ask::default() };
    let ground = wire::ground(settings, &ask).await?;
    go::complain(&ground, terminal);
    let now = Now::here();
    let view = drift::build(&ground.looked(&now));
    if args.form.json {
        terminal.json(&view)?;
    } else {
        terminal.data(&drift::paint(&view, terminal.out))?;
    }
    Ok(if view.calls() { Exit::World } else { Exit::Done })
}
