//! The outside world: container engines, the edge's control, files.
//!
//! In: steps and scopes of `escadre-engine`'s ports. Out: what was observed, what was done.
//! **Invariant:** a driver never reads the fleet and never decides; every call to an engine leaves through one door.
//! Not here: order, retries, journal (`escadre-engine`), the engine's words (`escadre-render`).
//! Tests: `tests/it`.

pub mod edge;
pub mod podman;
//! The outside world: engines, files, the journal's file, locks, time.
//!
//! In: calls through the ports of `escadre-engine`. Out: what the world answers.
//! **Invariant:** a driver never reads the fleet and never decides.
//! Not here: what is to be done (`escadre-plan`), in which order (`escadre-engine`).
//! Tests: beside each module.

pub mod clock;
pub mod locks;
pub mod store;
