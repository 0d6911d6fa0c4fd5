//! The planner, from outside: what people would see planned, and a little world that carries plans out.
//!
//! In: builders (`world`). Out: assertions on plans.
//! **Invariant:** every test plans twice and compares: same input, same bytes.
//! Not here: units of addresses (`src/address/tests.rs`).

mod back;
mod bench;
mod claims;
mod converge;
mod follow;
mod gates;
mod gone;
mod groups;
mod names;
mod plans;
mod pure;
mod shapes;
mod threads;
mod touch;
mod updates;
mod world;
