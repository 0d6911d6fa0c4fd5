//! The outside world: container engines, the edge's control, files.
//!
//! In: steps and scopes of `escadre-engine`'s ports. Out: what was observed, what was done.
//! **Invariant:** a driver never reads the fleet and never decides; every call to an engine leaves through one door.
//! Not here: order, retries, journal (`escadre-engine`), the engine's words (`escadre-render`).
//! Tests: `tests/it`.

pub mod edge;
pub mod podman;
