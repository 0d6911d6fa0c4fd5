//! proxy, proxy install, proxy renew, proxy worker.
//!
//! In → Out: words → options. **Invariant**: the worker is started by the holder only, and hidden.
//! Not here: what carries traffic (`escadre-edge`). Tests: `tests.rs`.

use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// `escadre proxy`: runs the edge in the foreground.
#[derive(Clone, Debug, Args)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub(crate) struct Proxy {
    /// Go into the background once the listeners are open.
    #[arg(long)]
    pub(crate) detach: bool,
    /// The edge's folder; otherwise `edge` in the state folder.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) dir: Option<PathBuf>,
    /// What else.
    #[command(subcommand)]
    pub(crate) verb: Option<ProxyVerb>,
}

/// The verbs on the edge.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProxyVerb {
    /// Let systemd start the edge at boot.
    Install,
    /// What the edge listens on and carries.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Stop the edge; its listeners close.
    Stop,
    /// Ask the public authority for a host's certificate now.
    Renew {
        /// The host.
        #[arg(value_name = "HOST")]
        host: String,
    },
    /// The process that carries traffic; started by the holder.
    #[command(hide = true)]
    Worker {
        /// The holder's words.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Anything else: a reserved verb, or none.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}
