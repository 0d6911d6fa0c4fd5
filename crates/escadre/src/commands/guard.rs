//! `escadre hold, unhold, recover`: what guards an instance, and its record.
//!
//! In: options. Out: a sentence. **Invariant**: a hold is on record before it is said.
//! Not here: the journal. Tests: `tests/it`.

use crate::args::guard::{Hold, Recover, Unhold};
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::wire;

/// `escadre hold`.
///
/// # Errors
/// Command line, refusals.
pub(super) async fn hold(args: &Hold, settings: &Settings, terminal: &Terminal) -> Done {
    terminal.say(&wire::hold(settings, args).await?);
    Ok(Exit::Done)
}

/// `escadre unhold`.
///
/// # Errors
/// Command line, refusals.
pub(super) async fn unhold(args: &Unhold, settings: &Settings, terminal: &Terminal) -> Done {
    terminal.say(&wire::unhold(settings, args).await?);
    Ok(Exit::Done)
}

/// `escadre recover`.
///
/// # Errors
/// Refusals, the world.
pub(super) async fn recover(args: &Recover, settings: &Settings, terminal: &Terminal) -> Done {
    terminal.say(&wire::recover(settings, args).await?);
    Ok(Exit::Done)
}
