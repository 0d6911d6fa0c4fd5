//! The outside world: container engines, the edge's control, files, the journal's file, locks, time.
//!
//! In: calls through the ports of `escadre-engine`. Out: what the world answers.
//! **Invariant:** a driver never reads the fleet and never decides; every call to an engine leaves through one door.
//! Not here: what is to be done (`escadre-plan`), in which order (`escadre-engine`), the engine's words (`escadre-render`).
//! Tests: beside each module; `tests/it` against real engines.

pub mod clock;
pub mod edge;
pub mod locks;
pub mod podman;
pub mod store;
