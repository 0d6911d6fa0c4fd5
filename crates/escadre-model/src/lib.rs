//! What we want: the words that cannot be wrong, and the nouns made of them. Pure: no file, socket, clock, environment or randomness.
//!
//! In: bytes of a `Tree`. Out: `Fleet`, `Resolved`, and the shapes of `Desired` and `Observed` that every other room speaks.
//! **Invariant:** the same input gives the same bytes; a finding is a `Diagnostic`, never a panic and never an `Err` that hides the other files.
//! Not here: how a target spells a resource (`escadre-render`), what changes (`escadre-plan`), anything that touches the world.
//! Tests: beside each module, and `tests/it` with one-file cases.

pub mod cidr;
pub mod compose;
pub mod desired;
pub mod diagnostic;
pub mod fleet;
pub mod hash;
pub mod host;
pub mod ids;
pub mod image;
pub mod name;
pub mod observed;
pub mod parallel;
pub mod payload;
pub mod propose;
pub mod resolve;
pub mod resolved;
pub mod routes;
pub mod secret;
pub mod sheet;
pub mod source;
pub mod text;
pub mod tree;
