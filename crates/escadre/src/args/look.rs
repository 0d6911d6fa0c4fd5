//! status, why, drift, history.
//!
//! In → Out: words → options. **Invariant**: none of them changes anything.
//! Not here: what they show (`views`). Tests: `tests.rs`.

use super::shared::{Files, Form, Which};
use super::value::Place;
use clap::Args;

/// `escadre status`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Status {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// One line per instance.
    #[arg(long)]
    pub(crate) list: bool,
    /// One line only; exit code 4 while something needs you.
    #[arg(long, conflicts_with_all = ["list", "watch"])]
    pub(crate) check: bool,
    /// Again and again, until Ctrl-C.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre why`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Why {
    /// An instance, one of its services, or one of its endpoints.
    #[arg(value_name = "INSTANCE[/SERVICE]")]
    pub(crate) place: Place,
    /// A second instance: in what do the two differ?
    #[arg(value_name = "INSTANCE")]
    pub(crate) other: Option<Place>,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre drift`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Drift {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre history`.
#[derive(Clone, Debug, Args)]
pub(crate) struct History {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// At most so many lines.
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
    pub(crate) lines: usize,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}
