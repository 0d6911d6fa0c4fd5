//! What changes, in which order, at what price. Pure.
//!
//! In: `Desired` instances and what was `Observed`. Out: a `Plan`: changes with reasons for people, steps for the engine, groups, waves.
//! **Invariant:** only this room compares desired with observed; the same input gives the same plan, byte by byte; a plan holds hashes and steps, no payloads and no secrets.
//! Not here: doing it (`escadre-engine`), a target's words (`escadre-render`), painting (`escadre`).
//! Tests: `tests/it`, recorded observations and one-file cases.

pub mod address;
pub mod change;
mod claims;
mod diff;
pub mod gate;
mod gone;
pub mod groups;
mod instance;
pub mod make;
pub mod names;
pub mod order;
pub mod plan;
pub mod precondition;
mod reasons;
pub mod step;
mod steps;
mod totals;
