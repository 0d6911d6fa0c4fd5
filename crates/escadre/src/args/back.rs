//! rollback, diff, restart, start, stop.
//!
//! In → Out: words → options. **Invariant**: nothing goes back or stops because nothing was named.
//! Not here: what they do (`commands`). Tests: `tests.rs`.

use super::shared::{Files, Filter, Form, Manner, Which};
use super::value::{Place, name, plan_id};
use clap::Args;
use escadre_model::name::Name;

/// `escadre rollback`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rollback {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// To what this plan left behind; `escadre history` names them. Otherwise to the last healthy state that is another.
    #[arg(long, value_name = "PLAN", value_parser = plan_id)]
    pub(crate) to: Option<String>,
    /// All instances that this plan changed, to what they were before it.
    #[arg(long, value_name = "PLAN", value_parser = plan_id, conflicts_with = "to")]
    pub(crate) plan: Option<String>,
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

/// `escadre diff`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Diff {
    /// A state: the plan that left it behind; `escadre history` names them.
    #[arg(value_name = "PLAN", value_parser = plan_id)]
    pub(crate) from: String,
    /// The state to compare it with; otherwise what runs now.
    #[arg(value_name = "PLAN", value_parser = plan_id)]
    pub(crate) to: Option<String>,
    /// Only this instance; may be repeated.
    #[arg(long = "instance", short = 'i', value_name = "INSTANCE", value_parser = name)]
    pub(crate) instances: Vec<Name>,
    /// Which instances.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// All names, however many.
    #[arg(long)]
    pub(crate) names: bool,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre start`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Start {
    /// What ran on this machine and was not stopped, of all fleets, without their files: for the boot (`escadre proxy install`).
    #[arg(long, conflicts_with_all = ["places", "filter", "json"])]
    pub(crate) boot: bool,
    /// What else.
    #[command(flatten)]
    pub(crate) touch: Touch,
}

/// `escadre restart`, `stop`; most of `start`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Touch {
    /// Instances or services; beside a plain compose.yaml none means all of it.
    #[arg(value_name = "INSTANCE[/SERVICE]")]
    pub(crate) places: Vec<Place>,
    /// Which instances.
    #[command(flatten)]
    pub(crate) filter: Filter,
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
