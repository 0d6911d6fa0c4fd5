//! Making room: the options of `prune`.
//!
//! In → Out: words → options. **Invariant**: at least one healthy state of each instance is kept.
//! Not here: what it does (`commands`). Tests: `tests.rs`.

use super::shared::{Files, Form, Manner, Which};
use clap::Args;

/// `escadre prune`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Prune {
    /// Whose states may be given up with --keep.
    #[command(flatten)]
    pub(crate) which: Which,
    /// How many healthy states of each instance stay to go back to; the newest is what runs.
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) keep: u8,
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
