//! One verb per file.
//!
//! In: options, settings, a terminal. Out: [`Done`].
//! **Invariant**: a verb fetches through `wire`, builds a view, and hands it to a painter; it decides nothing that a plan decides.
//! Not here: arguments (`args`), words (`views`, `terminal`).
//! Tests: `tests/it`.

mod completions;
mod doctor;
mod explain;
mod man;
pub(crate) mod schema;

use crate::args::{Verb, proxy, reserved, secret};
use crate::exit::{Done, Fault};
use crate::settings::Settings;
use crate::terminal::Terminal;
use escadre_model::diagnostic::Code;

/// Runs a verb.
///
/// # Errors
/// Whatever kept it from its end.
pub(crate) async fn run(verb: Verb, settings: &Settings, terminal: &Terminal) -> Done {
    match verb {
        Verb::Explain(args) => explain::run(&args, terminal),
        Verb::Schema(args) => schema::run(&args, settings, terminal),
        Verb::Completions(args) => completions::run(&args, terminal),
        Verb::Man(args) => man::run(&args, settings, terminal),
        Verb::Doctor(args) => doctor::run(&args, settings, terminal),
        Verb::Other(words) => Err(reserved::refuse(&words)),
        Verb::Secret(secret::Secret { verb: secret::SecretVerb::Other(words) }) => Err(reserved::refuse_secret(&words)),
        Verb::Proxy(proxy::Proxy { verb: Some(proxy::ProxyVerb::Other(words)), .. }) => {
            Err(reserved::refuse_proxy(&words))
        }
        other => Err(Fault::usage(Code::E0290, format!("this version cannot do it yet: {other:?}"))),
    }
}
