//! `escadre completions`: for a shell.
//!
//! In: a shell's name. Out: its script. **Invariant**: made from the same command that is parsed.
//! Not here: where shells want it. Tests: `tests/it`.

use crate::args::{self, about::Completions};
use crate::exit::{Done, Exit};
use crate::terminal::Terminal;

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(args: &Completions, terminal: &Terminal) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "escadre", &mut script);
    terminal.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
