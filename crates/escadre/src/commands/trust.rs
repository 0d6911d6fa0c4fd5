//! `escadre trust`: whether this machine trusts the local authority.
//!
//! In: options. Out: the certificate, or what became of each store. **Invariant**: what was not done is said, with the command that does it.
//! Not here: stores (`escadre_drivers::trust`). Tests: `tests/it/trust.rs`.

use crate::args::trust::Trust;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::wire::{self, Trusting};

/// Runs the verb.
///
/// # Errors
/// When the authority cannot be read, or no store could be changed.
pub(super) fn run(args: &Trust, settings: &Settings, terminal: &Terminal) -> Done {
    match wire::trust(settings, args)? {
        Trusting::Shown(pem) => terminal.data(&pem)?,
        Trusting::Said(text) => terminal.data(&text)?,
        Trusting::Failed(text) => {
            terminal.data(&text)?;
            return Ok(Exit::World);
        }
    }
    Ok(Exit::Done)
}
