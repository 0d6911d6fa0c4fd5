//! `escadre up`: plan, ask, do, with progress.
//!
//! In: options. Out: the plan, then the report. **Invariant**: what was shown is what is done.
//! Not here: making and carrying out the plan. Tests: `tests/it`.

use super::go::{self, Typed};
use crate::args::change::Up;
use crate::exit::{Done, Exit};
use crate::settings::{Selection, Settings, What, what};
use crate::terminal::{Terminal, ask, plan_text};
use crate::wire::{self, Ask, Manner, Pulling};
use std::time::Duration;

/// Runs the verb.
///
/// # Errors
/// Files, command line, refusals, the world.
pub(super) async fn run(args: &Up, settings: &Settings, terminal: &Terminal) -> Done {
    let (path, instances) = match what(&args.what)? {
        What::Path(path) => (Some(settings.folder.join(path)), Vec::new()),
        What::Instances(names) => (None, names),
    };
    let ask_for = Ask {
        files: args.files.clone(),
        path,
        selection: Selection::new(&instances, &args.filter),
        pull: args.pull.map_or(Pulling::AsWritten, Pulling::Asked),
        destroy: args.destroy.clone(),
        save: true,
        act: true,
        dirty: args.dirty,
        ..Ask::default()
    };
    let mut ground = wire::ground(settings, &ask_for).await?;
    // It is done at once: nobody needs to be told how to apply it later.
    ground.around.saved = false;
    ground.around.names = args.names;
    go::complain(&ground, terminal);
    if !args.form.json {
        terminal.say(&plan_text::paint(&ground.plan, &ground.around, terminal.err));
    }
    let question = ask::of(&ground.plan);
    if question.is_none() && args.form.json {
        terminal.json(&ground.plan)?;
    }
    if question.is_none() {
        if let Some(said) = wire::settle_edge(&ground).await?.filter(|_| !args.form.json) {
            terminal.say(&format!("{said}\n"));
        }
        let refused = ground.plan.instances.iter().any(|one| one.refused.is_some());
        return Ok(go::with_findings(if refused { Exit::Refused } else { Exit::Done }, &ground));
    }
    let wait = if args.manner.wait { go::WAIT } else { Duration::ZERO };
    let manner = Manner { wait, because: args.because.clone(), ..Manner::default() };
    let typed = Typed { yes: args.manner.yes, json: args.form.json, manner };
    go::consent(question, &typed, terminal)?;
    let exit = go::carry_out(&ground, &typed, settings, terminal).await?;
    Ok(go::with_findings(exit, &ground))
}
