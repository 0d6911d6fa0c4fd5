//! The same work on many things, on several processors.
//!
//! In: things, and what is done to each. Out: the results, in the order of the things.
//! **Invariant:** the number of threads decides how long it takes and nothing else: the work sees one thing at a time and shares nothing that it changes.
//! Not here: waiting for the world, which is `async` (`escadre-engine`).
//! Tests: `parallel/tests.rs`; whoever uses it compares one thread with many.

use std::num::NonZero;

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
    let (count, threads) = (things.len(), threads.for_things(things.len()));
    if threads == 1 {
        return things.into_iter().map(work).collect();
    }
    let (share, work) = (count.div_ceil(threads), &work);
    let mut left = things.into_iter();
    let mut part = || left.by_ref().take(share).collect::<Vec<T>>();
    std::thread::scope(|scope| {
        let first = part();
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let part = part();
                scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>())
            })
            .collect();
        let mut results = Vec::with_capacity(count);
        // The first part is done here, while the others are under way.
        results.extend(first.into_iter().map(work));
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests;
