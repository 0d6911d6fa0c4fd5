//! The outside world: container engines, the edge's control, Git, folders, age, the store, files, time.
//!
//! In: steps and scopes of `escadre-engine`'s ports. Out: what was observed, what was done.
//! **Invariant:** a driver never reads the fleet and never decides; every call to an engine leaves through one door.
//! Not here: order, retries, journal (`escadre-engine`), the engine's words (`escadre-render`).
//! Tests: beside each module, and `tests/it`.

pub mod age;
pub mod clock;
pub mod edge;
pub mod exec;
pub mod files;
pub mod folder;
pub mod git;
pub mod locks;
pub mod podman;
pub mod secrets;
pub mod store;
pub mod systemd;
pub mod trust;
