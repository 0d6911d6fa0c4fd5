//! `escadre import`: writes a fleet from what runs under another tool.
//!
//! In: options. Out: what was found, a question, files. **Invariant**: nothing that runs is changed; without a yes nothing is written.
//! Not here: what is written (`wire`), taking over (`plan`, `apply`). Tests: `tests/it/import.rs`.

use crate::args::import::{Import, Tool};
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::terminal::ask::{self, Question};
use crate::wire::{self, ImportWish};
use escadre_model::desired::Former;

/// Runs the verb.
///
/// # Errors
/// Command line, files, the world.
pub(super) async fn run(args: &Import, settings: &Settings, terminal: &Terminal) -> Done {
    let (from, projects, how) = match &args.tool {
        Tool::Compose { projects, how } => (Former::Compose, projects, how),
        Tool::Swarm { stacks, how } => (Former::Swarm, stacks, how),
    };
    let (product, environment, fleet) = (how.product.as_ref(), &how.environment, how.fleet.as_ref());
    let imported = wire::import(settings, &ImportWish { from, projects, product, environment, fleet }).await?;
    if !imported.findings.0.is_empty() {
        terminal.findings(&imported.findings.0, imported.findings.1.0.as_ref());
    }
    terminal.say(&format!("{}\n", imported.told));
    if !how.yes {
        ask::ask(
            &Question::Yes(format!(
                "Write {} of a fleet?",
                crate::terminal::style::count(imported.instances, "instance")
            )),
            terminal,
        )?;
    }
    let begun = imported.write(settings)?;
    let lines: String = begun.written.iter().map(|path| format!("{path}\n")).collect();
    terminal.data(&lines)?;
    let notes: String = begun.notes.iter().map(|note| format!("  {note}\n")).collect();
    terminal.say(&format!("{notes}\n  next   {}\n", begun.next));
    Ok(Exit::Done)
}
