//! Idle connections to one backend.
//!
//! In → Out: a connection whose answer has ended → the next request that may use it.
//!
//! **Invariant**: only requests that may be repeated (no body, a safe method) travel on a used connection: a backend may
//! close an idle connection at the moment we write to it, and then nobody knows whether it saw the request.
//! Not more than [`MOST`] idle connections for a backend, none older than [`OLDEST`]; each is used on the thread that made it.
//!
//! Not here: making connections (`http`).
//!
//! Tests: `tests/it/`.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::carriers;
use crate::flight::lock;
use crate::http::Link;

/// Idle connections kept for one backend: as many as a backend usually has workers.
const MOST: usize = 32;
/// Age at which an idle connection is dropped: below the 5 s after which common servers drop theirs.
const OLDEST: Duration = Duration::from_secs(4);

#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// With the thread that each belongs to, the one that was used last at the end.
    idle: Mutex<Vec<(Link, Instant, usize)>>,
}

impl Pool {
    /// The connection that was used last, if it is still usable.
    pub(crate) fn take(&self) -> Option<Link> {
        loop {
            let own = carriers::number();
            let mut idle = lock(&self.idle);
            let at = idle.iter().rposition(|(_, _, of)| *of == own)?;
            let (mut link, since, _) = idle.remove(at);
            drop(idle);
            if since.elapsed() < OLDEST && link.is_usable() {
                return Some(link);
            }
        }
    }

    pub(crate) fn put(&self, link: Link) {
        let mut idle = lock(&self.idle);
        // One thread must not keep the others from having any.
        let old = (idle.len() >= MOST).then(|| idle.remove(0));
        idle.push((link, Instant::now(), carriers::number()));
        drop(idle);
        drop(old);
    }

    /// Drops what nobody uses any more.
    pub(crate) fn prune(&self) {
        let mut idle = lock(&self.idle);
        idle.retain_mut(|(link, since, _)| since.elapsed() < OLDEST && link.is_usable());
        if idle.is_empty() {
            idle.shrink_to_fit();
        }
    }

    pub(crate) fn clear(&self) {
        lock(&self.idle).clear();
    }
}
