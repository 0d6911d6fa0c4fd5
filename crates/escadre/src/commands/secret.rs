//! `escadre secret`: secrets without an editor.
//!
//! In: options. Out: names, places, ages; a value only with --reveal. **Invariant**: a value is never an argument.
//! Not here: encryption. Tests: `tests/it`.

use crate::args::reserved;
use crate::args::secret::{Secret, SecretVerb};
use crate::exit::{Done, Exit, Fault};
use crate::settings::{Settings, secret};
use crate::terminal::Terminal;
use crate::wire;
use escadre_model::diagnostic::Code;

/// Runs the verb.
///
/// # Errors
/// Command line, files, a key that is not at hand.
pub(super) async fn run(args: &Secret, settings: &Settings, terminal: &Terminal) -> Done {
    let (owner, name) = match &args.verb {
        SecretVerb::Other(words) => return Err(reserved::refuse_secret(words)),
        SecretVerb::Rekey { .. } => (None, None),
        SecretVerb::Set { named, .. } | SecretVerb::Rotate { named } => {
            let (owner, name) =
                secret(Some(&named.first), named.second.as_deref(), named.environment.as_ref(), named.fleet)?;
            if name.is_none() {
                let message = format!("which secret of {}?", named.first);
                return Err(Fault::usage_hint(
                    Code::E0201,
                    message,
                    format!("all of them: escadre secret show {}", named.first),
                ));
            }
            (owner, name)
        }
        SecretVerb::Show { first, second, environment, fleet, reveal, .. } => {
            let (owner, name) = secret(first.as_deref(), second.as_deref(), environment.as_ref(), *fleet)?;
            if *reveal && name.is_none() {
                // Everything in clear on one screen is never what somebody meant.
                return Err(Fault::usage(Code::E0201, "--reveal shows one secret: name its instance and the secret"));
            }
            (owner, name)
        }
    };
    terminal.data(&wire::secret(settings, &args.verb, owner, name).await?)?;
    Ok(Exit::Done)
}
