//! Work on several processors: the same on many things, or making what comes next while it is used.
//!
//! In: things, and what is done to each; or one that makes and one that takes. Out: the results, in the order of the things.
//! **Invariant:** the number of threads decides how long it takes and nothing else: the work sees one thing at a time and shares nothing that it changes.
//! Not here: waiting for the world, which is `async` (`escadre-engine`).
//! Tests: `parallel/tests.rs`; whoever uses it compares one thread with many.

use std::num::NonZero;
use std::sync::mpsc;

/// More threads than this only compete for memory.
const MOST: usize = 8;
/// Fewer things than this for a thread are not worth starting it.
const WORTH: usize = 8;

/// On how many threads work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(NonZero<usize>);

impl Threads {
    /// This many; at least one.
    pub fn new(count: usize) -> Self {
        Self(NonZero::new(count).unwrap_or(NonZero::<usize>::MIN))
    }

    /// As many as this machine has processors for.
    pub fn of_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST))
    }

    /// No more than so many things are worth.
    fn for_things(self, count: usize) -> usize {
        self.0.get().min(count.div_ceil(WORTH)).max(1)
    }
}

/// Does the work to each thing; the results are in the order of the things. A panic of the work is the caller's, as on one thread.
pub fn map<T: Send, R: Send>(things: Vec<T>, threads: Threads, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    map_with(things, threads, || (), |(), thing| work(thing))
}

/// As [`map`], with something that each thread has for itself. What several threads count references of is slow for all of them: every count takes the
/// memory it stands in away from the others. So what results have in common is better made once on each thread than once.
pub fn map_with<S, T: Send, R: Send>(
    things: Vec<T>,
    threads: Threads,
    own: impl Fn() -> S + Sync,
    work: impl Fn(&S, T) -> R + Sync,
) -> Vec<R> {
    let (count, threads) = (things.len(), threads.for_things(things.len()));
    let part = |things: Vec<T>| -> Vec<R> {
        let own = own();
        things.into_iter().map(|thing| work(&own, thing)).collect()
    };
    if threads == 1 {
        return part(things);
    }
    let (share, part) = (count.div_ceil(threads), &part);
    let mut left = things.into_iter();
    let mut next = || left.by_ref().take(share).collect::<Vec<T>>();
    std::thread::scope(|scope| {
        let first = next();
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let things = next();
                scope.spawn(move || part(things))
            })
            .collect();
        // The first part is done here, while the others are under way.
        let mut results = part(first);
        results.reserve(count.saturating_sub(results.len()));
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

/// Things that go from one thread to the other at once, and how many such batches may wait.
const BATCH: usize = 256;
const AHEAD: usize = 16;

/// What `make` gives, on a thread of its own, is taken here in the same order, as long as `take` says so; `make` is told when nothing more is wanted.
pub fn ahead<T: Send>(make: impl FnOnce(&mut dyn FnMut(T) -> bool) + Send, take: impl FnMut(T) -> bool) {
    std::thread::scope(|scope| {
        let (give, batches) = mpsc::sync_channel::<Vec<T>>(AHEAD);
        scope.spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            make(&mut |thing| {
                batch.push(thing);
                batch.len() < BATCH || give.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_ok()
            });
            // Nobody may be there to take them any more.
            let _ = give.send(batch);
        });
        let _ = batches.into_iter().flatten().all(take);
    });
}

#[cfg(test)]
mod tests;
