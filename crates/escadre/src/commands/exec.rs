//! `escadre exec`: a command inside a service.
//!
//! In: options. Out: the command's own output and exit code. **Invariant**: the command's code is passed on.
//! Not here: streams (the driver). Tests: `tests/it`.

use crate::args::inside::Exec;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::wire;

/// Runs the verb.
///
/// # Errors
/// Command line, the world.
pub(super) async fn run(args: &Exec, settings: &Settings) -> Done {
    let code = wire::exec(settings, args).await?;
    Ok(Exit::Command(code))
}
