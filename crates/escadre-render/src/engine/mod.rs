//! Container engines: one spelling (Docker's API) with two dialects.
//!
//! In: a `Resolved` instance and [`Facts`] of the engine; later the engine's lists. Out: `Desired`; bodies of create calls; what was seen.
//! **Invariant:** no address, generation, clock or secret value in a payload; they come with [`create::Place`] at the last moment.
//! Not here: the calls (`escadre-drivers`), order and addresses (`escadre-plan`).
//! Tests: beside each module.

mod build;
pub mod composed;
pub mod create;
pub mod differences;
mod draft;
mod files;
mod fleet;
pub mod hooks;
mod host_config;
pub mod labels;
mod mounts;
pub mod names;
pub mod read;
mod render;
mod routes;
pub mod running;
mod service;
pub mod swarm;
mod value;

pub use fleet::{Spelled, fleet};
pub use render::render;

/// Which engine hears the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Podman, through its Docker-compatible API.
    #[default]
    Podman,
    /// Docker.
    Docker,
}

/// What rendering must know of the engine and its host; captured once, by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The dialect.
    pub dialect: Dialect,
    /// The engine runs without root: no address can be reached from the host, ports below 1024 cannot be published.
    pub rootless: bool,
}
