//! `escadre proxy`: the edge.
//!
//! In: options. Out: its exit code. **Invariant**: it prints nothing of its own.
//! Not here: carrying traffic (`escadre-edge`). Tests: `tests/it`.

use crate::args::proxy::{Proxy, ProxyVerb};
use crate::args::reserved;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::wire;

/// Runs the verb.
///
/// # Errors
/// When it cannot start.
pub(super) async fn run(args: &Proxy, settings: &Settings) -> Done {
    if let Some(ProxyVerb::Other(words)) = &args.verb {
        return Err(reserved::refuse_proxy(words));
    }
    Ok(Exit::of(wire::proxy(settings, args).await?))
}
