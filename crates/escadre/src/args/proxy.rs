//! proxy, and its verbs: install, uninstall, status, upgrade, stop, renew, worker.
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
    /// Take over from the edge that runs in this folder, if one does; nothing is interrupted. systemd's unit does so.
    #[arg(long, conflicts_with = "detach")]
    pub(crate) take_over: bool,
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
    /// Let systemd start the edge and the instances at boot, and keep the edge running; one that runs is taken over.
    Install {
        /// Print the units and do nothing.
        #[arg(long)]
        print: bool,
    },
    /// Let systemd forget the edge and the instances; what runs goes on.
    Uninstall,
    /// What the edge listens on and carries.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Replace the edge's processes by the program as it is now; nothing is interrupted.
    Upgrade,
    /// Stop the edge; its listeners close.
    Stop,
    /// Ask the public authority for a host's certificate now.
    Renew {
        /// The host.
        #[arg(value_name = "HOST")]
        host: String,
    },
    /// Anything else: a reserved verb, or none.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}
