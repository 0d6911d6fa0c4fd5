//! `escadre secret`: secrets without an editor.
//!
//! In: options. Out: names, places, ages; a value only with --reveal. **Invariant**: a value is never an argument.
//! Not here: encryption. Tests: `tests/it`.

use crate::args::reserved;
use crate::args::secret::{Secret, SecretVerb};
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::wire;

/// Runs the verb.
///
/// # Errors
/// Command line, files, a key that is not at hand.
pub(super) async fn run(args: &Secret, settings: &Settings, terminal: &Terminal) -> Done {
    if let SecretVerb::Other(words) = &args.verb {
        return Err(reserved::refuse_secret(words));
    }
    terminal.data(&wire::secret(settings, &args.verb).await?)?;
    Ok(Exit::Done)
}
