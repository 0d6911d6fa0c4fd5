//! `escadre prune`: makes room, as a plan.
//!
//! In: options. Out: what would go; after a yes, what went. **Invariant**: nothing goes that was not shown.
//! Not here: what may go (`escadre_engine::room`). Tests: `tests/it/room.rs`.

use super::go::WAIT;
use crate::args::room::Prune;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::terminal::ask::{self, Question};
use crate::views::room;
use crate::wire;
use std::time::Duration;

/// Runs the verb.
///
/// # Errors
/// Files, command line, refusals, the world.
pub(super) async fn run(args: &Prune, settings: &Settings, terminal: &Terminal) -> Done {
    let found = wire::room(settings, args).await?;
    let shown = room::build(&found);
    if !args.form.json {
        terminal.say(&room::paint(&shown, terminal.err));
    }
    if shown.is_empty() {
        if args.form.json {
            terminal.json(&shown)?;
        }
        return Ok(Exit::Done);
    }
    if !args.manner.yes {
        ask::ask(&Question::No("Make room?".to_owned()), terminal)?;
    }
    let wait = if args.manner.wait { WAIT } else { Duration::ZERO };
    let made = wire::make_room(settings, &found, wait).await?;
    let shown = room::made(shown, &made);
    if args.form.json {
        terminal.json(&shown)?;
    } else {
        terminal.say(&room::told(&shown, terminal.err));
    }
    Ok(if made.failed.is_empty() { Exit::Done } else { Exit::World })
}
