//! The engine against the small world: it works, it goes back, it survives death at every step, and planted bugs are found.

mod conformance;
mod faults;
mod happy;
mod stories;
