//! `escadre apply, resume`: exactly that plan; go on with it.
//!
//! In: a plan's id or file. Out: the report. **Invariant**: it never plans; what is stale is refused and named.
//! Not here: comparing hashes (the engine). Tests: `tests/it`.

use super::go::{self, Typed};
use crate::args::change::{Apply, Resume};
use crate::args::shared::Files;
use crate::args::value::PlanRef;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::style::count;
use crate::terminal::{Terminal, ask};
use crate::wire::{self, Ground, Manner};
use std::time::Duration;

/// `escadre apply`.
///
/// # Errors
/// Command line, refusals, the world.
pub(super) async fn run(args: &Apply, settings: &Settings, terminal: &Terminal) -> Done {
    let manner = Manner { wait: wait(args.manner.wait), because: args.because.clone(), except: args.except.clone() };
    let typed = Typed { yes: args.manner.yes, json: args.form.json, manner };
    go_on(&args.plan, &args.files, args.dirty, &typed, settings, terminal).await
}

/// `escadre resume`.
///
/// # Errors
/// Command line, refusals, the world.
pub(super) async fn resume(args: &Resume, settings: &Settings, terminal: &Terminal) -> Done {
    let manner = Manner { wait: wait(args.manner.wait), because: None, except: args.except.clone() };
    let typed = Typed { yes: args.manner.yes, json: args.form.json, manner };
    // What was begun from a work tree with changes was allowed then.
    go_on(&args.plan, &args.files, true, &typed, settings, terminal).await
}

fn wait(wanted: bool) -> Duration {
    if wanted { go::WAIT } else { Duration::ZERO }
}

async fn go_on(
    plan: &PlanRef,
    files: &Files,
    dirty: bool,
    typed: &Typed,
    settings: &Settings,
    terminal: &Terminal,
) -> Done {
    let (plan, ground) = wire::saved(settings, files, plan, dirty).await?;
    let mut ground = ground;
    ground.plan = plan;
    let number = go::moving(&ground);
    let commit = ground.plan.commit.get(..7).map(|commit| format!(", commit {commit}")).unwrap_or_default();
    let (id, fleet) = (&ground.plan.id, &ground.plan.fleet);
    terminal.say(&format!("plan {id}, fleet {fleet}{commit}: {}\n", count(number, "instance")));
    if number == 0 {
        terminal.say("Nothing to do.\n");
        return Ok(Exit::Done);
    }
    terminal.say(&format!("Ctrl-C finishes what has begun, then stops; escadre resume {id} goes on\n\n"));
    // A plan that was looked at and is applied by its id has been agreed to, but for what is deleted.
    let question = ask::of(&ground.plan).filter(|_| deletes(&ground));
    go::consent(question, typed, terminal)?;
    go::carry_out(&ground, typed, settings, terminal).await
}

/// Whether anything goes.
fn deletes(ground: &Ground) -> bool {
    use escadre_plan::plan::Consent;
    ground.plan.instances.iter().any(|one| one.refused.is_none() && one.consent == Consent::Deletion)
}
