//! Options that many verbs share.
//!
//! In → Out: words → the same few structs everywhere.
//! **Invariant**: an option means the same at every verb that has it.
//! Not here: what they mean (`settings`).
//! Tests: `tests.rs`.

use super::value::{Pair, name};
use clap::Args;
use escadre_model::name::Name;
use std::path::PathBuf;

/// Which instances.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// Only instances with this label; `environment`, `product` and `target` count as labels. Repeated: all must match.
    #[arg(long = "where", value_name = "LABEL=VALUE")]
    pub(crate) filter: Vec<Pair>,
    /// Not this one.
    #[arg(long, value_name = "INSTANCE", value_parser = name)]
    pub(crate) except: Vec<Name>,
}

/// Which instances, by name too.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Which {
    /// The instances; none means all of the fleet.
    #[arg(value_name = "INSTANCE", value_parser = name)]
    pub(crate) instances: Vec<Name>,
    /// And which of them.
    #[command(flatten)]
    pub(crate) filter: Filter,
}

/// Where the files are read.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Files {
    /// Read the files of this commit instead of the work tree.
    #[arg(long, value_name = "COMMIT")]
    pub(crate) rev: Option<String>,
    /// Take this Compose file as a fleet of one, whatever fleet.yaml says; may be repeated.
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "rev")]
    pub(crate) file: Vec<PathBuf>,
    /// Switch a Compose profile on (fleet of one).
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// The key that decrypts secrets; otherwise ESCADRE_IDENTITY, otherwise ~/.config/escadre/identity.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
}

/// How a verb that changes something goes on.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Manner {
    /// Never ask.
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Wait for whoever holds an instance's lock instead of being refused.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Form {
    /// Print JSON with a published schema.
    #[arg(long)]
    pub(crate) json: bool,
}
