//! The threads that carry connections, each with a runtime of its own.
//!
//! In → Out: how many → threads; a listener's socket → somebody who accepts on each of them; an accepted connection → the
//! thread that serves it.
//!
//! **Invariant**: a connection, and those to backends that are made for it, stay on one thread: a request wakes no other
//! one. What the worker does beside (routes, commands, certificates) is done on none of them, so that no request waits
//! for it.
//!
//! Not here: what is done with a connection (`listeners`).
//!
//! Tests: at the end of this file, `tests/it/`.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};

/// A thread has so many connections more than another one before it gives new ones away: less would give away what is
/// even already.
const UNEVEN: usize = 4;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The number of the carrier that runs this; 0: it is none.
pub(crate) fn number() -> usize {
    NUMBER.get()
}

/// One thread that carries connections.
#[derive(Debug)]
pub(crate) struct Carrier {
    handle: Handle,
    /// Connections that it has.
    load: Arc<AtomicUsize>,
}

/// A connection of a carrier, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Carrier {
    /// So many threads; they end with the process.
    pub(crate) fn begin(many: usize) -> io::Result<Arc<[Carrier]>> {
        let one = |number: usize| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let carry = move || {
                NUMBER.set(number);
                runtime.block_on(std::future::pending::<()>());
            };
            std::thread::Builder::new().name("edge".to_owned()).stack_size(512 * 1024).spawn(carry)?;
            Ok(Carrier { handle, load: Arc::default() })
        };
        (1..=many).map(one).collect()
    }

    /// Does something on this thread.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
        self.handle.spawn(work)
    }

    /// One more connection.
    pub(crate) fn take(&self) -> Load {
        self.load.fetch_add(1, Ordering::Relaxed);
        Load(Arc::clone(&self.load))
    }
}

/// Who serves a connection that was accepted by this one: itself, unless another one has much less to do.
pub(crate) fn choose(all: &[Carrier], own: usize) -> usize {
    let load = |at: usize| all.get(at).map_or(usize::MAX, |carrier| carrier.load.load(Ordering::Relaxed));
    let least = (0..all.len()).min_by_key(|at| load(*at)).unwrap_or(own);
    if load(own) >= load(least).saturating_add(UNEVEN) { least } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_and_each_stays_where_it_is() {
        let all = Carrier::begin(2).expect("threads");
        let mut held = Vec::new();
        for _ in 0..100 {
            // The same one accepts all of them.
            let at = choose(&all, 0);
            held.push((at, all[at].take()));
        }
        let many = |of: usize| held.iter().filter(|(at, _)| *at == of).count();
        assert!(many(0).abs_diff(many(1)) <= UNEVEN, "{} and {}", many(0), many(1));
        drop(held);
        assert_eq!(choose(&all, 1), 1, "nothing is left");
    }

    #[tokio::test]
    async fn a_carrier_knows_its_number_and_nobody_else_has_one() {
        let all = Carrier::begin(2).expect("threads");
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for carrier in all.iter() {
            let tell = tell.clone();
            carrier.spawn(async move { tell.send(number()).expect("heard") }).await.expect("done");
        }
        assert_eq!((told.recv().await, told.recv().await, number()), (Some(1), Some(2), 0));
    }
}
