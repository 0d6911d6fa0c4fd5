//! new fleet, new product, new instance.
//!
//! In → Out: words → options. **Invariant**: nothing existing is overwritten.
//! Not here: what they write (`commands`). Tests: `tests.rs`.

use super::value::{Pair, name};
use clap::{Args, Subcommand};
use escadre_model::name::Name;
use std::path::PathBuf;

/// `escadre new`.
#[derive(Clone, Debug, Args)]
#[command(subcommand_value_name = "WHAT", subcommand_help_heading = "What")]
pub(crate) struct New {
    /// What to begin.
    #[command(subcommand)]
    pub(crate) what: What,
}

/// What can be begun.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum What {
    /// A fleet: fleet.yaml with an id, the key that hashes secrets, the first recipient.
    Fleet {
        /// Its name.
        #[arg(value_name = "NAME", value_parser = fleet_name)]
        name: Name,
        /// The folder; the current one otherwise.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Who can decrypt: NAME=age1… or NAME=ssh-ed25519 …; otherwise your own identity, made if there is none.
        #[arg(long, value_name = "NAME=KEY")]
        recipient: Vec<Pair>,
    },
    /// A product: product.yaml beside a Compose file, with its variables as parameters.
    Product {
        /// Its name.
        #[arg(value_name = "NAME", value_parser = fleet_name)]
        name: Name,
        /// A Compose file to begin with: domains, ports and passwords in it become parameters and secrets; what changes is shown before it is
        /// written.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Take the Compose file as it stands.
        #[arg(long, requires = "from")]
        unchanged: bool,
        /// A first instance: it gets the values that stood in the file, its secrets encrypted.
        #[arg(long, value_name = "INSTANCE", value_parser = fleet_name, requires_all = ["from", "environment"])]
        instance: Option<Name>,
        /// The environment of the first instance; never guessed.
        #[arg(long, value_name = "ENVIRONMENT", value_parser = fleet_name, requires = "instance")]
        environment: Option<Name>,
        /// Write without asking.
        #[arg(long)]
        yes: bool,
    },
    /// An instance: its file, and the secrets its product generates.
    Instance {
        /// Its name.
        #[arg(value_name = "NAME", value_parser = fleet_name)]
        name: Name,
        /// The product; may be left out where the fleet has one only.
        #[arg(long, value_name = "PRODUCT", value_parser = fleet_name)]
        product: Option<Name>,
        /// The environment; never guessed.
        #[arg(long, value_name = "ENVIRONMENT", value_parser = fleet_name)]
        environment: Name,
        /// The size.
        #[arg(long, value_name = "SIZE")]
        size: Option<String>,
        /// The target; the fleet's default otherwise.
        #[arg(long, value_name = "TARGET", value_parser = fleet_name)]
        target: Option<Name>,
        /// The value of a parameter.
        #[arg(long = "set", value_name = "PARAMETER=VALUE")]
        values: Vec<Pair>,
        /// A label for filters.
        #[arg(long = "label", value_name = "LABEL=VALUE")]
        labels: Vec<Pair>,
        /// As a folder of its own, with files/ beside it.
        #[arg(long)]
        folder: bool,
    },
}

/// A name of ours: unlike a Compose project's, without underscores.
pub(super) fn fleet_name(text: &str) -> Result<Name, String> {
    name(text)?;
    Name::new(text).map_err(|error| error.to_string())
}
