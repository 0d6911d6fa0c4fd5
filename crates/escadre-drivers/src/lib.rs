//! The outside world: engines, files, the journal's file, locks, time.
//!
//! In: calls through the ports of `escadre-engine`. Out: what the world answers.
//! **Invariant:** a driver never reads the fleet and never decides.
//! Not here: what is to be done (`escadre-plan`), in which order (`escadre-engine`).
//! Tests: beside each module.

pub mod clock;
pub mod locks;
pub mod store;
