//! `escadre rollback`: back to an earlier state, as a plan.
//!
//! In: options. Out: the plan, then the report. **Invariant**: without a name, a filter or a plan, only a fleet of one goes back.
//! Not here: which state is meant (`wire`). Tests: `tests/it/back.rs`.

use super::go;
use crate::args::back::Rollback;
use crate::exit::{Done, Fault};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::terminal::style::count;
use crate::wire::{self, Ask, Instead};
use escadre_model::diagnostic::Code;

/// Runs the verb.
///
/// # Errors
/// Files, command line, refusals, the world.
pub(super) async fn run(args: &Rollback, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let instead = match (&args.to, &args.plan) {
        (Some(plan), _) => Instead::Of(plan.clone()),
        (None, Some(plan)) => Instead::Before(plan.clone()),
        (None, None) => Instead::Last,
    };
    let all = selection.is_all() && args.plan.is_none();
    let ask = Ask {
        files: args.files.clone(),
        selection,
        act: true,
        dirty: true,
        instead: Some(instead),
        named: all.then_some(which as fn(usize) -> Fault),
        ..Ask::default()
    };
    let ground = wire::ground(settings, &ask).await?;
    go::at_once(ground, args.manner, args.form.json, settings, terminal).await
}

/// Nobody said which.
fn which(instances: usize) -> Fault {
    let message = format!("which instance? This fleet has {}. Nothing was done (exit 2)", count(instances, "instance"));
    Fault::usage_hint(
        Code::E0205,
        message,
        "one: escadre rollback INSTANCE      all of a plan: escadre rollback --plan PLAN",
    )
}
