//! The words of `escadre adopt`.
//!
//! In → Out: words → options. **Invariant**: a project is named together with the one instance that it was.
//! Not here: what it does (`commands`). Tests: `tests.rs`.

use super::shared::{Files, Form, Manner, Which};
use clap::Args;

/// `escadre adopt`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Adopt {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// The Docker Compose project that this instance was: written into its file. Beside a plain Compose file: take the project of that name,
    /// wherever it was started from.
    #[arg(long, value_name = "NAME", value_parser = project)]
    pub(crate) project: Option<String>,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// How to go on.
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// A Compose project's name.
fn project(text: &str) -> Result<String, String> {
    super::value::name(text).map(|name| name.to_string())
}
