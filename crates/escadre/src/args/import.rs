//! The words of `escadre import`.
//!
//! In → Out: words → options. **Invariant**: the environment of what is brought in is said, never guessed.
//! Not here: what it does (`commands`). Tests: `tests.rs`.

use super::write::fleet_name;
use clap::{Args, Subcommand};
use escadre_model::name::Name;

/// `escadre import`.
#[derive(Clone, Debug, Args)]
#[command(subcommand_value_name = "TOOL", subcommand_help_heading = "Tools")]
pub(crate) struct Import {
    /// What runs it now.
    #[command(subcommand)]
    pub(crate) tool: Tool,
}

/// What can be brought in.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Tool {
    /// Projects of docker compose that run on this host.
    Compose {
        /// Only these projects; otherwise all of which several run that are one product.
        #[arg(value_name = "PROJECT", value_parser = project)]
        projects: Vec<String>,
        /// And how.
        #[command(flatten)]
        how: How,
    },
    /// Stacks of the Docker Swarm that this host's engine manages.
    Swarm {
        /// Only these stacks; otherwise all.
        #[arg(value_name = "STACK")]
        stacks: Vec<String>,
        /// And how.
        #[command(flatten)]
        how: How,
    },
}

/// How it is written.
#[derive(Clone, Debug, Args)]
pub(crate) struct How {
    /// The product's name; otherwise what the names have in common.
    #[arg(long, value_name = "NAME", value_parser = fleet_name)]
    pub(crate) product: Option<Name>,
    /// The environment of the instances; never guessed.
    #[arg(long, value_name = "ENVIRONMENT", value_parser = fleet_name)]
    pub(crate) environment: Name,
    /// The name of the fleet, where there is none yet; otherwise the folder's.
    #[arg(long, value_name = "NAME", value_parser = fleet_name)]
    pub(crate) fleet: Option<Name>,
    /// Write without asking.
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// A Compose project's name.
fn project(text: &str) -> Result<String, String> {
    super::value::name(text).map(|name| name.to_string())
}
