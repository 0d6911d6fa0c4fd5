//! How the process ends: one table for every verb.
//!
//! In: what a verb came to. Out: [`Exit`] and [`Fault`].
//! **Invariant**: every way out of the binary is one of these six numbers; only `exec` passes its command's code on.
//! Not here: words for people (`terminal`).
//! Tests: `tests/it`.

use escadre_model::diagnostic::{Code, Diagnostic};
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

/// The exit codes, in the order of whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 1: your files.
    Files,
    /// 2: your command line.
    CommandLine,
    /// 3: refused: a stale plan, a lock, a policy, an answer that was not a yes.
    Refused,
    /// 4: the world: a gate failed, something does not answer.
    World,
    /// 255: a mistake of ours.
    Bug,
    /// What the command inside a container ended with (`exec` only).
    Command(u8),
}

impl Exit {
    /// The number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Files => 1,
            Exit::CommandLine => 2,
            Exit::Refused => 3,
            Exit::World => 4,
            Exit::Bug => 255,
            Exit::Command(code) => code,
        }
    }
}

impl Exit {
    /// The way out of that number; a number outside the table is a mistake of ours.
    pub(crate) fn of(number: u8) -> Self {
        let all = [Exit::Done, Exit::Files, Exit::CommandLine, Exit::Refused, Exit::World];
        all.into_iter().find(|exit| exit.number() == number).unwrap_or(Exit::Bug)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

/// What a verb gives: how it ended, or what kept it from its end.
pub(crate) type Done = Result<Exit, Fault>;

/// Why a verb did not come to its end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Whoever read standard output is gone (`escadre … | head`): that is success.
    Gone,
    /// Findings, to be painted, and how to end.
    Findings(Exit, Vec<Diagnostic>),
    /// Findings about files, with the files they point into, and how to end.
    Files(Exit, Vec<Diagnostic>, Sources),
    /// An error with its chain of sources, and how to end.
    Other(Exit, anyhow::Error),
}

impl Fault {
    /// The command line is wrong.
    pub(crate) fn usage(code: Code, message: impl Into<String>) -> Self {
        Fault::Findings(Exit::CommandLine, vec![Diagnostic::error(code, message)])
    }

    /// The same, with the command that would be right.
    pub(crate) fn usage_hint(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault::Findings(Exit::CommandLine, vec![Diagnostic::error(code, message).hint(hint)])
    }

    /// It is refused, and nothing was done.
    pub(crate) fn refused(finding: Diagnostic) -> Self {
        Fault::Findings(Exit::Refused, vec![finding])
    }

    /// The world did not do its part.
    pub(crate) fn world(error: impl Into<anyhow::Error>) -> Self {
        Fault::Other(Exit::World, error.into())
    }

    /// A mistake of ours.
    pub(crate) fn bug(error: impl Into<anyhow::Error>) -> Self {
        Fault::Other(Exit::Bug, error.into())
    }
}

/// Gives the text of a file, by the name that spans carry.
type Source = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The texts that findings point into.
#[derive(Clone)]
pub(crate) struct Sources(pub(crate) Arc<Source>);

impl fmt::Debug for Sources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sources")
    }
}
