//! Who has a world just now: tests that disturb the whole machine run while nobody else has one.
//!
//! In: worlds that come and go. Out: a place for the one that wants to be alone.
//! **Invariant**: a thread that is in never waits, so a test may have several worlds; who wants to be alone is not passed by those who come later.
//! Not here: what a world is (`world`).

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long one waits for the others to leave; every test ends long before.
const PATIENCE: Duration = Duration::from_secs(900);

static PLACES: Mutex<Places> = Mutex::new(Places { taken: 0, alone: 0 });
static MOVED: Condvar = Condvar::new();

thread_local! {
    static MINE: Cell<u32> = const { Cell::new(0) };
}

struct Places {
    taken: u32,
    /// Those who are alone, or want to be.
    alone: u32,
}

/// A place among those who have a world, given back at its end.
pub(crate) struct Presence {
    alone: bool,
}

/// Comes in; waits while somebody is alone, or wants to be.
pub(crate) fn among_others() -> Presence {
    enter(|places| places.alone > 0, false)
}

/// Comes in when everybody has left; nobody else comes in before the place is given back.
pub(crate) fn alone() -> Presence {
    enter(|places| places.taken > 0, true)
}

fn enter(full: impl Fn(&Places) -> bool, alone: bool) -> Presence {
    // A test that failed elsewhere leaves its places as they are: counted, and given back by its worlds.
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    places.alone += u32::from(alone);
    if MINE.get() == 0 {
        let (now, late) =
            MOVED.wait_timeout_while(places, PATIENCE, |places| full(places)).unwrap_or_else(PoisonError::into_inner);
        places = now;
        if late.timed_out() {
            places.alone -= u32::from(alone);
            panic!("the other tests never left");
        }
    }
    places.taken += 1;
    MINE.set(MINE.get() + 1);
    Presence { alone }
}

impl Drop for Presence {
    fn drop(&mut self) {
        MINE.set(MINE.get().saturating_sub(1));
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        places.taken -= 1;
        places.alone -= u32::from(self.alone);
        MOVED.notify_all();
    }
}
