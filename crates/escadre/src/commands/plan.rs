//! `escadre plan`: what will change.
//!
//! In: options. Out: the plan as text, Markdown or JSON. **Invariant**: nothing is changed but the state folder's list of plans.
//! Not here: making the plan. Tests: `tests/it`.

use super::go;
use crate::args::change::Plan;
use crate::exit::{Done, Exit, Fault};
use crate::settings::{Selection, Settings};
use crate::terminal::{Terminal, plan_markdown, plan_text};
use crate::wire::{self, Ask};
use anyhow::Context;

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &Plan, settings: &Settings, terminal: &Terminal) -> Done {
    let ask = Ask {
        files: args.files.clone(),
        selection: Selection::new(&args.which.instances, &args.which.filter),
        destroy: args.destroy.clone(),
        base: args.base.clone(),
        save: true,
        ..Ask::default()
    };
    let mut ground = wire::ground(settings, &ask).await?;
    ground.around.names = args.names;
    go::complain(&ground, terminal);
    if let Some(path) = &args.out {
        let path = settings.folder.join(path);
        let text = serde_json::to_string_pretty(&ground.plan).map_err(Fault::bug)?;
        std::fs::write(&path, text + "\n")
            .with_context(|| format!("cannot write the plan into {}", path.display()))
            .map_err(Fault::world)?;
    }
    if args.form.json {
        terminal.json(&ground.plan)?;
    } else if args.markdown {
        terminal.data(&plan_markdown::paint(&ground.plan, &ground.around))?;
    } else {
        terminal.data(&plan_text::paint(&ground.plan, &ground.around, terminal.out))?;
    }
    Ok(go::with_findings(Exit::Done, &ground))
}
