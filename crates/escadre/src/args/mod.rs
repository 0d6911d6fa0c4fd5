//! What can be typed.
//!
//! In: the words of the command line. Out: [`Parsed`]: a verb with its options, or a text to be printed (help, version).
//! **Invariant**: nothing is guessed: a value that could mean two things is refused; a verb that is not built is refused by name.
//! Not here: what the words mean (`settings`), what verbs do (`commands`).
//! Tests: `tests.rs`, and `tests/it`.

pub(crate) mod about;
pub(crate) mod adopt;
pub(crate) mod back;
pub(crate) mod change;
pub(crate) mod guard;
pub(crate) mod import;
pub(crate) mod inside;
pub(crate) mod look;
pub(crate) mod proxy;
pub(crate) mod reserved;
pub(crate) mod room;
pub(crate) mod secret;
pub(crate) mod shared;
pub(crate) mod trust;
pub(crate) mod value;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use crate::exit::{Exit, Fault};
use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use escadre_model::diagnostic::{Code, Diagnostic};
use std::ffi::OsString;
use std::path::PathBuf;

/// Deliver and operate a containerised product for many isolated instances.
#[derive(Debug, Parser)]
#[command(
    name = "escadre",
    version,
    max_term_width = 100,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "The first command beside a compose.yaml: escadre up\nWhat a code means: escadre explain E0101"
)]
pub(crate) struct Cli {
    /// The state folder to use instead of the engine's own; stands before the verb.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs, in the order in which people meet them.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Plan, ask, do, with progress; the first command of a newcomer.
    Up(change::Up),
    /// Stop and remove what runs; volumes and secrets stay unless named with --destroy.
    Down(change::Down),
    /// What will change: groups, outliers, deletions, restarts, gaps; saved under an id.
    Plan(change::Plan),
    /// Do exactly that plan; it never plans.
    Apply(change::Apply),
    /// Go on with a plan after an interruption.
    Resume(change::Resume),
    /// Bring instances back to an earlier healthy state; data stays as it is.
    Rollback(back::Rollback),
    /// Start services again as they are.
    Restart(back::Touch),
    /// Start what was stopped, as it is.
    Start(back::Start),
    /// Stop instances or services and keep everything.
    Stop(back::Touch),
    /// What needs you, and what runs where.
    Status(look::Status),
    /// Why an instance or a service is as it is, or in what two instances differ.
    Why(look::Why),
    /// What was changed by hand.
    Drift(look::Drift),
    /// What was done, when, by whom, and how it ended.
    History(look::History),
    /// What differs between two states.
    Diff(back::Diff),
    /// What services say, also those that are gone.
    Logs(inside::Logs),
    /// The containers.
    Ps(inside::Ps),
    /// Run a command inside a service.
    Exec(inside::Exec),
    /// What is wrong with this machine, and the command that mends it.
    Doctor(about::Doctor),
    /// Keep an instance as it is until "unhold".
    Hold(guard::Hold),
    /// Lift a hold.
    Unhold(guard::Unhold),
    /// Take over what runs already, without touching it, and do nothing else.
    Adopt(adopt::Adopt),
    /// Write a fleet from what runs under docker compose or in a Docker Swarm.
    Import(import::Import),
    /// Rebuild a lost state folder from what runs.
    Recover(guard::Recover),
    /// Make room: what is kept for ways back that nobody can take any more.
    Prune(room::Prune),
    /// Begin a fleet, a product or an instance.
    New(write::New),
    /// Secrets without an editor.
    Secret(secret::Secret),
    /// Everything that is wrong in the files, at once.
    Check(about::Check),
    /// The Compose model as Escadre reads it.
    Compose(about::Compose),
    /// The page of a code.
    Explain(about::Explain),
    /// JSON schemas of files and of --json.
    Schema(about::Schema),
    /// The edge: what carries traffic.
    Proxy(proxy::Proxy),
    /// Have this machine trust the local certificate authority.
    Trust(trust::Trust),
    /// Completions for a shell.
    #[command(hide = true)]
    Completions(about::Completions),
    /// Manual pages, written into a folder.
    #[command(hide = true)]
    Man(about::Man),
    /// Anything else: a reserved verb, or none.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// What the words came to.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A verb with its options.
    Verb(Box<Cli>),
    /// A text that was asked for: help, version.
    Text(String),
}

/// The whole command, for completions, manual pages and the reference.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line.
///
/// # Errors
/// A finding with exit code 2.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Parsed, Fault> {
    let parsed = command().try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(Cli { verb: Verb::Other(words), .. }) => Err(reserved::refuse(&words)),
        Ok(cli) => Ok(Parsed::Verb(Box::new(cli))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Parsed::Text(error.render().to_string()))
        }
        Err(error) => Err(misread(&error)),
    }
}

/// clap's complaint as a finding.
fn misread(error: &clap::Error) -> Fault {
    let rendered = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let finding = Diagnostic::error(Code::E0201, "a verb is missing").hint("all verbs: escadre help");
        return Fault::Findings(Exit::CommandLine, vec![finding]);
    }
    let code = match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => Code::E0202,
        _ => Code::E0201,
    };
    let mut lines = rendered.lines();
    let first = lines.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    let mut finding = Diagnostic::error(code, sentence(message, lines.clone()));
    for line in lines {
        let line = line.trim();
        if let Some(tip) = line.strip_prefix("tip: ") {
            finding = finding.hint(tip);
        } else if let Some(values) = line.strip_prefix("[possible values: ") {
            finding = finding.hint(format!("possible: {}", values.trim_end_matches(']')));
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            finding = finding.hint(format!("usage: {usage}"));
        }
    }
    if let Some(values) = error.get(ContextKind::ValidSubcommand) {
        finding = finding.hint(format!("possible: {values}"));
    }
    Fault::Findings(Exit::CommandLine, vec![finding])
}

/// A message that lists what is missing does so on the following, indented lines.
fn sentence<'l>(first: &str, rest: impl Iterator<Item = &'l str>) -> String {
    let items: Vec<&str> =
        rest.take_while(|line| line.starts_with("  ") && !line.trim_start().starts_with('[')).map(str::trim).collect();
    if items.is_empty() { first.to_owned() } else { format!("{first} {}", items.join(", ")) }
}
