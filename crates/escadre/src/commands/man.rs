//! `escadre man`: manual pages, written into a folder.
//!
//! In: a folder. Out: `escadre.1` and one page per verb. **Invariant**: made from the same command that is parsed.
//! Not here: installing them. Tests: `tests/it`.

use crate::args::{self, about::Man};
use crate::exit::{Done, Exit, Fault};
use crate::settings::Settings;
use crate::terminal::Terminal;
use anyhow::Context;

/// Writes the pages.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn run(args: &Man, settings: &Settings, terminal: &Terminal) -> Done {
    let folder = settings.folder.join(&args.dir);
    let write = || -> anyhow::Result<()> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        clap_mangen::generate_to(args::command(), &folder)
            .with_context(|| format!("cannot write manual pages into {}", folder.display()))
    };
    write().map_err(Fault::world)?;
    terminal.say(&format!("manual pages are in {}\n", folder.display()));
    Ok(Exit::Done)
}
