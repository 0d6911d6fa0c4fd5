//! hold, unhold, recover.
//!
//! In → Out: words → options. **Invariant**: a hold by hand has a reason.
//! Not here: what they do (`commands`). Tests: `tests.rs`.

use super::shared::{Files, Filter, Form, Manner};
use super::value::name;
use clap::Args;
use escadre_model::name::Name;

/// `escadre hold`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Hold {
    /// The instances.
    #[arg(value_name = "INSTANCE", value_parser = name, required_unless_present = "filter")]
    pub(crate) instances: Vec<Name>,
    /// Which instances.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Why; goes on record and stands in every plan.
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: String,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre unhold`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Unhold {
    /// The instances.
    #[arg(value_name = "INSTANCE", value_parser = name, required_unless_present = "filter")]
    pub(crate) instances: Vec<Name>,
    /// Which instances.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre recover`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Recover {
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
