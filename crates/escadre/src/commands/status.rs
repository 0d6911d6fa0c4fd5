//! `escadre status`: what needs you, and what runs where.
//!
//! In: options. Out: a view. **Invariant**: --check ends with 4 while something needs you.
//! Not here: the view. Tests: `tests/it`.

use super::go;
use crate::args::look::Status;
use crate::exit::{Done, Exit};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::terminal::time::Now;
use crate::views::status;
use crate::wire::{self, Ask};
use std::time::Duration;

/// Between two looks of `--watch`.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &Status, settings: &Settings, terminal: &Terminal) -> Done {
    loop {
        let exit = once(args, settings, terminal).await?;
        if !args.watch {
            return Ok(exit);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

async fn once(args: &Status, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let ask = Ask { files: args.files.clone(), selection, ..Ask::default() };
    let ground = wire::ground(settings, &ask).await?;
    go::complain(&ground, terminal);
    let now = Now::here();
    let view = status::build(&ground.looked(&now));
    if args.form.json {
        terminal.json(&view)?;
    } else if args.check {
        terminal.data(&status::check_line(&view))?;
    } else {
        let text = if args.list { status::list(&view, terminal.out) } else { status::paint(&view, terminal.out) };
        let clear = if args.watch && terminal.live { "\x1b[H\x1b[2J" } else { "" };
        terminal.data(&format!("{clear}{text}"))?;
    }
    let exit = if args.check && status::calls(&view) { Exit::World } else { Exit::Done };
    Ok(go::with_findings(exit, &ground))
}
