//! secret set, show, rotate, rekey.
//!
//! In → Out: words → options. **Invariant**: a value is never an argument (it would stand in the shell's history and in every process list).
//! Not here: what they do (`commands`). Tests: `tests.rs`.

use super::shared::Form;
use super::value::name;
use clap::{Args, Subcommand};
use escadre_model::name::Name;
use std::ffi::OsString;
use std::path::PathBuf;

/// `escadre secret`.
#[derive(Clone, Debug, Args)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub(crate) struct Secret {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: SecretVerb,
}

/// Whose secret, and which.
#[derive(Clone, Debug, Args)]
pub(crate) struct Named {
    /// The instance; with --environment or --fleet the secret.
    #[arg(value_name = "INSTANCE")]
    pub(crate) first: String,
    /// The secret.
    #[arg(value_name = "SECRET")]
    pub(crate) second: Option<String>,
    /// The secret of a whole environment.
    #[arg(long, value_name = "ENVIRONMENT", value_parser = name, conflicts_with = "fleet")]
    pub(crate) environment: Option<Name>,
    /// The secret of the whole fleet.
    #[arg(long)]
    pub(crate) fleet: bool,
    /// The key that decrypts secrets; otherwise ESCADRE_IDENTITY, otherwise ~/.config/escadre/identity.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
}

/// The verbs on secrets.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SecretVerb {
    /// Store a value: asked for without echo, or read from standard input or a file.
    Set {
        /// Which.
        #[command(flatten)]
        named: Named,
        /// Take the bytes of this file.
        #[arg(long, value_name = "FILE", conflicts_with = "generate")]
        from: Option<PathBuf>,
        /// Generate it as product.yaml says.
        #[arg(long)]
        generate: bool,
    },
    /// Where secrets are set, and whether your key reads them; the value only with --reveal.
    Show {
        /// The instance, all of them otherwise; with --environment or --fleet the secret.
        #[arg(value_name = "INSTANCE")]
        first: Option<String>,
        /// The secret, all of them otherwise.
        #[arg(value_name = "SECRET")]
        second: Option<String>,
        /// The secrets of an environment.
        #[arg(long, value_name = "ENVIRONMENT", value_parser = name, conflicts_with = "fleet")]
        environment: Option<Name>,
        /// The secrets of the whole fleet.
        #[arg(long)]
        fleet: bool,
        /// Print the value itself.
        #[arg(long)]
        reveal: bool,
        /// The key that decrypts secrets.
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// The form of the answer.
        #[command(flatten)]
        form: Form,
    },
    /// Generate a new value as product.yaml says; the next plan brings it in.
    Rotate {
        /// Which.
        #[command(flatten)]
        named: Named,
    },
    /// Encrypt every secret anew for the recipients that fleet.yaml names now.
    Rekey {
        /// The key that decrypts secrets.
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
    },
    /// Anything else: a reserved verb, or none.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}
