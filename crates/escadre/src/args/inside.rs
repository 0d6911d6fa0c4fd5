//! logs, ps, exec.
//!
//! In → Out: words → options. **Invariant**: `-f` of logs follows; a Compose file is named `--file` there.
//! Not here: what they do (`commands`). Tests: `tests.rs`.

use super::shared::{Files, Filter, Form, Which};
use super::value::{Moment, Place, ServicePlace, plan_id};
use clap::Args;
use std::path::PathBuf;

/// `escadre logs`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Logs {
    /// Instances or services; none means all of the fleet.
    #[arg(value_name = "INSTANCE[/SERVICE]")]
    pub(crate) places: Vec<Place>,
    /// Which instances.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Go on as lines come.
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Only lines since then: 10m, 2h, 7d, 2026-11-20T14:02:10.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Only the last so many lines of each container.
    #[arg(long, short = 'n', value_name = "NUMBER")]
    pub(crate) tail: Option<u64>,
    /// Only lines with this text in them.
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Logs of the containers of this plan, also those that failed and are gone.
    #[arg(long, value_name = "ID", value_parser = plan_id, conflicts_with = "follow")]
    pub(crate) plan: Option<String>,
    /// Take this Compose file as a fleet of one; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre ps`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Ps {
    /// Which instances.
    #[command(flatten)]
    pub(crate) which: Which,
    /// Also those that do not run.
    #[arg(long, short = 'a')]
    pub(crate) all: bool,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre exec`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Exec {
    /// The service.
    #[arg(value_name = "INSTANCE/SERVICE")]
    pub(crate) place: ServicePlace,
    /// Which of several containers, from 1.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) replica: u32,
    /// As this user of the container.
    #[arg(long, short = 'u', value_name = "USER")]
    pub(crate) user: Option<String>,
    /// In this folder of the container.
    #[arg(long, short = 'w', value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Without a terminal, even if there is one.
    #[arg(long, short = 'T')]
    pub(crate) no_tty: bool,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}
