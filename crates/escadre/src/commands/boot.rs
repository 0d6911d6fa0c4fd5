//! `escadre start --boot`: what ran before this machine went down.
//!
//! In: the record. Out: what is started again, fleet by fleet, then what came of it.
//! **Invariant**: it asks nobody; a fleet that cannot be started keeps no other one from it.
//! Not here: which instances are meant (`wire`). Tests: `tests/it/boot.rs`.

use super::go::{self, Typed};
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::{Terminal, ask, plan_text};
use crate::wire::{self, Manner};

/// Runs the verb.
///
/// # Errors
/// When there is no engine, or the record cannot be read.
pub(super) async fn run(settings: &Settings, terminal: &Terminal) -> Done {
    let mut exit = Exit::Done;
    let grounds = wire::boot(settings).await?;
    if grounds.is_empty() {
        terminal.say("Nothing is on record that ran here.\n");
    }
    for ground in grounds {
        go::complain(&ground, terminal);
        terminal.say(&plan_text::paint(&ground.plan, &ground.around, terminal.err));
        if ask::of(&ground.plan).is_none() {
            // The edge is wanted all the same.
            if let Some(said) = wire::settle_edge(&ground).await? {
                terminal.say(&format!("{said}\n"));
            }
            continue;
        }
        let manner = Manner { wait: go::WAIT, ..Manner::default() };
        let typed = Typed { yes: true, json: false, manner };
        let ended = go::carry_out(&ground, &typed, settings, terminal).await?;
        exit = if ended == Exit::Done { exit } else { ended };
    }
    Ok(exit)
}
