//! The engine against the small world: it works, it goes back, it survives death at every step, and planted bugs are found.

#![expect(clippy::cloned_ref_to_slice_refs, reason = "a list of one reads like a list of many")]

mod conformance;
mod crossed;
mod faults;
mod happy;
mod room;
mod seeds;
mod stories;
