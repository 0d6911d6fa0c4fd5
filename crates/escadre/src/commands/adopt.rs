//! `escadre adopt`: takes over what runs already, and does nothing else.
//!
//! In: options. Out: the plan, then the report. **Invariant**: nothing is started, stopped, made or removed; without a yes nothing is taken over.
//! Not here: what is taken over (`escadre_plan`), the word in an instance's file (`wire`). Tests: `tests/it/adopt.rs`.

use super::go::{self, Typed};
use crate::args::adopt::Adopt;
use crate::exit::{Done, Exit};
use crate::settings::{Selection, Settings};
use crate::terminal::{Terminal, ask, plan_text};
use crate::wire::{self, Ask, Manner};
use std::time::Duration;

/// Runs the verb.
///
/// # Errors
/// Files, command line, refusals, the world.
pub(super) async fn run(args: &Adopt, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let mut anywhere = None;
    if let Some(project) = &args.project {
        match wire::adopt_into(settings, &args.files, &selection, project).await? {
            Some(written) => terminal.say(&written),
            None => anywhere = Some(project.clone()),
        }
    }
    let ask_for = Ask {
        files: args.files.clone(),
        selection,
        adopt: true,
        anywhere,
        act: true,
        // It changes nothing of what runs, and the files may be what is about to be committed.
        dirty: true,
        ..Ask::default()
    };
    let ground = wire::ground(settings, &ask_for).await?;
    go::complain(&ground, terminal);
    let number = go::moving(&ground);
    let refused = ground.plan.instances.iter().any(|one| one.refused.is_some());
    if number == 0 && !refused {
        if args.form.json {
            terminal.json(&ground.plan)?;
        } else {
            terminal
                .say("There is nothing to take over: what runs of these instances is on record, or nothing runs.\n");
        }
        return Ok(go::with_findings(Exit::Done, &ground));
    }
    if !args.form.json {
        terminal.say(&plan_text::paint(&ground.plan, &ground.around, terminal.err));
    }
    let question = ask::of(&ground.plan);
    if question.is_none() {
        if args.form.json {
            terminal.json(&ground.plan)?;
        }
        return Ok(go::with_findings(if refused { Exit::Refused } else { Exit::Done }, &ground));
    }
    let wait = if args.manner.wait { go::WAIT } else { Duration::ZERO };
    let manner = Manner { wait, ..Manner::default() };
    let typed = Typed { yes: args.manner.yes, json: args.form.json, manner };
    go::consent(question, &typed, terminal)?;
    let exit = go::carry_out(&ground, &typed, settings, terminal).await?;
    Ok(go::with_findings(exit, &ground))
}
