//! One verb per file.
//!
//! In: options, settings, a terminal. Out: [`Done`].
//! **Invariant**: a verb fetches through `wire`, builds a view, and hands it to a painter; it decides nothing that a plan decides.
//! Not here: arguments (`args`), words (`views`, `terminal`).
//! Tests: `tests/it`.

mod adopt;
mod apply;
mod boot;
mod check;
mod completions;
mod compose;
mod diff;
mod doctor;
mod down;
mod drift;
mod exec;
mod explain;
mod go;
mod guard;
mod history;
mod import;
mod logs;
mod man;
mod new;
mod plan;
mod proxy;
mod prune;
mod ps;
#[cfg(test)]
mod reference;
mod rollback;
pub(crate) mod schema;
mod secret;
mod status;
mod touch;
mod trust;
mod up;
mod why;

use crate::args::{Verb, reserved};
use crate::exit::Done;
use crate::settings::Settings;
use crate::terminal::Terminal;
use escadre_plan::make::How;

/// Runs a verb.
///
/// # Errors
/// Whatever kept it from its end.
pub(crate) async fn run(verb: Verb, settings: &Settings, terminal: &Terminal) -> Done {
    match verb {
        Verb::Up(args) => up::run(&args, settings, terminal).await,
        Verb::Down(args) => down::run(&args, settings, terminal).await,
        Verb::Plan(args) => plan::run(&args, settings, terminal).await,
        Verb::Apply(args) => apply::run(&args, settings, terminal).await,
        Verb::Rollback(args) => rollback::run(&args, settings, terminal).await,
        Verb::Diff(args) => diff::run(&args, settings, terminal).await,
        Verb::Restart(args) => touch::run(How::Restart, &args, settings, terminal).await,
        Verb::Start(args) if args.boot => boot::run(settings, terminal).await,
        Verb::Start(args) => touch::run(How::Start, &args.touch, settings, terminal).await,
        Verb::Stop(args) => touch::run(How::Stop, &args, settings, terminal).await,
        Verb::Resume(args) => apply::resume(&args, settings, terminal).await,
        Verb::Status(args) => status::run(&args, settings, terminal).await,
        Verb::Why(args) => why::run(&args, settings, terminal).await,
        Verb::Drift(args) => drift::run(&args, settings, terminal).await,
        Verb::History(args) => history::run(&args, settings, terminal).await,
        Verb::Logs(args) => logs::run(&args, settings, terminal).await,
        Verb::Ps(args) => ps::run(&args, settings, terminal).await,
        Verb::Exec(args) => exec::run(&args, settings).await,
        Verb::Doctor(args) => doctor::run(&args, settings, terminal).await,
        Verb::Hold(args) => guard::hold(&args, settings, terminal).await,
        Verb::Unhold(args) => guard::unhold(&args, settings, terminal).await,
        Verb::Adopt(args) => adopt::run(&args, settings, terminal).await,
        Verb::Import(args) => import::run(&args, settings, terminal).await,
        Verb::Recover(args) => guard::recover(&args, settings, terminal).await,
        Verb::Prune(args) => prune::run(&args, settings, terminal).await,
        Verb::New(args) => new::run(&args, settings, terminal).await,
        Verb::Secret(args) => secret::run(&args, settings, terminal).await,
        Verb::Check(args) => check::run(&args, settings, terminal).await,
        Verb::Compose(args) => compose::run(&args, settings, terminal).await,
        Verb::Explain(args) => explain::run(&args, terminal),
        Verb::Schema(args) => schema::run(&args, settings, terminal),
        Verb::Proxy(args) => proxy::run(&args, settings, terminal).await,
        Verb::Trust(args) => trust::run(&args, settings, terminal),
        Verb::Completions(args) => completions::run(&args, terminal),
        Verb::Man(args) => man::run(&args, settings, terminal),
        Verb::Other(words) => Err(reserved::refuse(&words)),
    }
}
