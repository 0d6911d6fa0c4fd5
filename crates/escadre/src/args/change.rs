//! up, down, plan, apply, resume.
//!
//! In → Out: words → options. **Invariant**: what deletes is named in full.
//! Not here: what they do (`commands`). Tests: `tests.rs`.

use super::shared::{Files, Filter, Form, Manner, Which};
use super::value::{Doomed, PlanRef, Pull, name};
use clap::Args;
use escadre_model::name::Name;
use std::path::PathBuf;

/// `escadre up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Up {
    /// A folder or Compose file (written with a slash, a leading dot or .yaml), or instances; none means all of the fleet.
    #[arg(value_name = "PATH|INSTANCE")]
    pub(crate) what: Vec<String>,
    /// Which instances.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// How to go on.
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// Which images are pulled; without it what `pull_policy` says.
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) pull: Option<Pull>,
    /// Delete this too, with its data, if nothing uses it any more.
    #[arg(long, value_name = "INSTANCE/volume/KEY")]
    pub(crate) destroy: Vec<Doomed>,
    /// Allow a work tree with uncommitted changes where the target requires a commit.
    #[arg(long, requires = "because")]
    pub(crate) dirty: bool,
    /// Why; goes on record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: Option<String>,
    /// All names, however many.
    #[arg(long)]
    pub(crate) names: bool,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre down`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Down {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// All instances of the fleet; asks for their number.
    #[arg(long, conflicts_with = "instances")]
    pub(crate) all: bool,
    /// Delete this too, with its data.
    #[arg(long, value_name = "INSTANCE/volume/KEY")]
    pub(crate) destroy: Vec<Doomed>,
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

/// `escadre plan`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// Only what differs between this commit and what is read now.
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,
    /// Write the plan into this file too.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Delete this too, with its data, if nothing uses it any more.
    #[arg(long, value_name = "INSTANCE/volume/KEY")]
    pub(crate) destroy: Vec<Doomed>,
    /// As Markdown, for a merge request.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// All names, however many.
    #[arg(long)]
    pub(crate) names: bool,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre apply`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Apply {
    /// The plan: its id or its file.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PlanRef,
    /// Not this one.
    #[arg(long, value_name = "INSTANCE", value_parser = name)]
    pub(crate) except: Vec<Name>,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// How to go on.
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// Allow a work tree with uncommitted changes where the target requires a commit.
    #[arg(long, requires = "because")]
    pub(crate) dirty: bool,
    /// Why; goes on record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: Option<String>,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre resume`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Resume {
    /// The plan: its id or its file.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PlanRef,
    /// Not this one.
    #[arg(long, value_name = "INSTANCE", value_parser = name)]
    pub(crate) except: Vec<Name>,
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
