//! check, explain, schema, compose config, doctor, completions, man.
//!
//! In → Out: words → options. **Invariant**: none of them touches an instance.
//! Not here: what they do (`commands`). Tests: `tests.rs`.

use super::shared::{Files, Form};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `escadre check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// A folder or a file; otherwise the nearest fleet.yaml or Compose file upwards.
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// What becomes of every Compose key: exact, approximated, platform, refused.
    #[arg(long)]
    pub(crate) verdicts: bool,
    /// Warnings count as errors, and so does every Compose key that is approximated or refused and not acknowledged.
    #[arg(long)]
    pub(crate) strict: bool,
    /// One line per finding.
    #[arg(long, conflicts_with = "json")]
    pub(crate) short: bool,
    /// Where the files are.
    #[command(flatten)]
    pub(crate) files: Files,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre explain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Explain {
    /// The code, as E0101; none lists them all.
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre schema`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Schema {
    /// The schema's name; none lists them all.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Write all of them into this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub(crate) out: Option<PathBuf>,
}

/// `escadre compose`.
#[derive(Clone, Debug, Args)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub(crate) struct Compose {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: ComposeVerb,
}

/// The verbs on Compose files.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ComposeVerb {
    /// The normalised model: files merged, variables filled in, short forms spelled out.
    Config {
        /// The Compose files, the later over the earlier; otherwise the nearest upwards.
        #[arg(long, short = 'f', value_name = "FILE")]
        file: Vec<PathBuf>,
        /// Switch a profile on.
        #[arg(long, value_name = "PROFILE")]
        profile: Vec<String>,
        /// Variables from this file instead of .env.
        #[arg(long, value_name = "FILE")]
        env_file: Vec<PathBuf>,
        /// The project's name.
        #[arg(long, short = 'p', value_name = "NAME")]
        project_name: Option<String>,
        /// The folder that relative paths start from.
        #[arg(long, value_name = "DIR")]
        project_directory: Option<PathBuf>,
        /// The form of the answer.
        #[arg(long, value_name = "FORMAT", default_value = "yaml")]
        format: Format,
    },
}

/// The form of a Compose model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// `escadre doctor`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    /// The form of the answer.
    #[command(flatten)]
    pub(crate) form: Form,
}

/// `escadre completions`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// `escadre man`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Man {
    /// The folder, made if it is missing.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
