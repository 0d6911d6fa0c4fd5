//! trust: the options of one verb.
//!
//! In → Out: words → options. **Invariant**: showing, writing, adding and removing are told apart; only one is asked.
//! Not here: stores (`escadre_drivers::trust`). Tests: `tests.rs`.

use clap::Args;
use std::path::PathBuf;

/// `escadre trust`: has this machine trust the local authority.
#[derive(Clone, Debug, Args)]
#[command(
    long_about = "Has this machine trust the local authority, which certifies private names such as desk.localhost.\n\n\
Its root goes into the system's store (as root) and into Chromium's and Firefox's, where they are found. It can vouch for private names only, and says so itself: whoever trusts it trusts it with nothing else.\n\n\
On another machine: escadre trust --out root.pem here, then escadre trust root.pem there."
)]
pub(crate) struct Trust {
    /// The root of another machine's authority, as --out wrote it; otherwise this state folder's own.
    #[arg(value_name = "FILE", conflicts_with_all = ["show", "out", "dir"])]
    pub(crate) file: Option<PathBuf>,
    /// Print the root certificate, change nothing.
    #[arg(long, conflicts_with_all = ["out", "remove"])]
    pub(crate) show: bool,
    /// Write the root certificate into a file, change nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    pub(crate) out: Option<PathBuf>,
    /// Take it out of the stores again.
    #[arg(long)]
    pub(crate) remove: bool,
    /// The edge's folder; otherwise `edge` in the state folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
