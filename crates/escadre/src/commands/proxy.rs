//! `escadre proxy`: the edge.
//!
//! In: options. Out: its exit code. **Invariant**: it prints nothing of its own.
//! Not here: carrying traffic (`escadre-edge`). Tests: `tests/it`.

use crate::args::proxy::{Proxy, ProxyVerb};
use crate::args::reserved;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::terminal::time::Now;
use crate::views::endpoint;
use crate::wire;

/// Runs the verb.
///
/// # Errors
/// When it cannot start.
pub(super) async fn run(args: &Proxy, settings: &Settings, terminal: &Terminal) -> Done {
    if let Some(ProxyVerb::Other(words)) = &args.verb {
        return Err(reserved::refuse_proxy(words));
    }
    if let Some(ProxyVerb::Renew { host }) = &args.verb {
        let told = endpoint::alone(&wire::renew(settings, args, host).await?, &Now::here());
        terminal.data(&endpoint::paint_name(&told, terminal.out))?;
        return Ok(if endpoint::works(&told) { Exit::Done } else { Exit::World });
    }
    Ok(Exit::of(wire::proxy(settings, args).await?))
}
