//! `escadre diff`: what differs between two states.
//!
//! In: options. Out: a view. **Invariant**: only what receipts say.
//! Not here: the journal. Tests: `tests/it/back.rs`.

use crate::args::back::Diff;
use crate::exit::{Done, Exit, Fault};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::views::diff;
use crate::wire::{self, Ask};
use escadre_model::diagnostic::{Code, Diagnostic};

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &Diff, settings: &Settings, terminal: &Terminal) -> Done {
    let selection = Selection::new(&args.instances, &args.filter);
    let ask = Ask { files: args.files.clone(), selection, ..Ask::default() };
    let mut ground = wire::ground(settings, &ask).await?;
    wire::remember(&mut ground).await?;
    let records = ground.desired.iter().filter_map(|one| {
        let seen = ground.observed.instance(&one.instance)?;
        Some((one.instance.instance.to_string(), seen.record.receipts.as_slice()))
    });
    let view = diff::build(&ground.fleet, records, &args.from, args.to.as_deref());
    let view = view.map_err(|plan| {
        let finding =
            Diagnostic::error(Code::E0302, format!("no state that plan {plan} left behind is on record here"));
        Fault::Findings(Exit::CommandLine, vec![finding.hint("the states that are kept: escadre history")])
    })?;
    if args.form.json {
        terminal.json(&view)?;
    } else {
        terminal.data(&diff::paint(&view, args.names, terminal.out))?;
    }
    Ok(Exit::Done)
}
