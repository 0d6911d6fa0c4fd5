//! `escadre ps`: the containers.
//!
//! In: options. Out: a view. **Invariant**: what is not on record is shown as such.
//! Not here: the view. Tests: `tests/it`.

use crate::args::inside::Ps;
use crate::exit::{Done, Exit};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::terminal::time::Now;
use crate::views::ps;
use crate::wire::{self, Ask};

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &Ps, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let ask = Ask { files: args.files.clone(), selection, ..Ask::default() };
    let ground = wire::ground(settings, &ask).await?;
    let now = Now::here();
    let looked = ground.looked(&now);
    let view = ps::build(&looked, args.all);
    if args.form.json {
        terminal.json(&view)?;
    } else {
        terminal.data(&ps::paint(&view, &looked, terminal.out))?;
    }
    Ok(Exit::Done)
}
