//! Doing it safely: observe, apply, unwind, journal, recover.
//!
//! In: a `Plan`, `Desired` rendered again, ports to the world. Out: `Receipt`s.
//! **Invariant:** a step is in the journal before it is in the world; the engine never compares desired with observed beyond the plan's own hashes, and never chooses.
//! Not here: the outside world itself (`escadre-drivers`), the plan (`escadre-plan`), words for people (`escadre`).
//! Tests: stories in `escadre-testkit`.

mod adopt;
mod again;
pub mod apply;
pub mod back;
pub mod hold;
pub mod journal;
mod kill;
pub mod observe;
pub mod ports;
pub mod rebuild;
pub mod reconcile;
pub mod recover;
pub mod room;

pub use kill::Kill;
