//! `escadre down`: stops and removes what runs.
//!
//! In: options. Out: the plan, then the report. **Invariant**: without a name, a filter or --all, only a fleet of one goes.
//! Not here: making and carrying out the plan. Tests: `tests/it`.

use super::go::{self, Typed};
use crate::args::change::Down;
use crate::exit::{Done, Exit, Fault};
use crate::settings::{Selection, Settings};
use crate::terminal::style::count;
use crate::terminal::{Terminal, ask, plan_text};
use crate::wire::{self, Ask, Manner};
use escadre_model::diagnostic::{Code, Diagnostic};
use std::time::Duration;

/// Runs the verb.
///
/// # Errors
/// Files, command line, refusals, the world.
pub(super) async fn run(args: &Down, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let chosen = args.all || !selection.instances.is_empty() || !selection.filter.is_empty();
    let ask_for = Ask {
        files: args.files.clone(),
        selection,
        down: true,
        act: true,
        dirty: true,
        destroy: args.destroy.clone(),
        ..Ask::default()
    };
    let ground = wire::ground(settings, &ask_for).await?;
    if !chosen && ground.single.is_none() {
        return Err(which(ground.desired.len()));
    }
    go::complain(&ground, terminal);
    if !args.form.json {
        terminal.say(&plan_text::paint(&ground.plan, &ground.around, terminal.err));
    }
    let number = go::moving(&ground);
    if number == 0 {
        return Ok(go::with_findings(Exit::Done, &ground));
    }
    let question = match ask::of(&ground.plan) {
        _ if args.all => Some(ask::number("Everything of this fleet is stopped.", number)),
        question => question,
    };
    let wait = if args.manner.wait { go::WAIT } else { Duration::ZERO };
    let manner = Manner { wait, ..Manner::default() };
    let typed = Typed { yes: args.manner.yes, json: args.form.json, manner };
    go::consent(question, &typed, terminal)?;
    let exit = go::carry_out(&ground, &typed, settings, terminal).await?;
    Ok(go::with_findings(exit, &ground))
}

/// Nobody said which.
fn which(instances: usize) -> Fault {
    let message = format!("which instance? This fleet has {}. Nothing was done (exit 2)", count(instances, "instance"));
    let finding = Diagnostic::error(Code::E0205, message)
        .hint("one: escadre down INSTANCE")
        .hint(format!("all: escadre down --all   (asks for the number: {instances})"));
    Fault::Findings(Exit::CommandLine, vec![finding])
}
