//! Ports: what the engine asks of the world, as traits.
//!
//! In: nothing. Out: `Driver`, `Store`, `Locks`, `Secrets`, `Progress`, `Clock`.
//! **Invariant:** no port speaks a target's words; everything is addressed by our identities and engine names the plan chose.
//! Not here: implementations (`escadre-drivers`, and the fake ones of `escadre-testkit`).
//! Tests: the conformance suite of `escadre-testkit`.

mod clock;
mod driver;
mod locks;
mod progress;
mod secrets;
mod store;
mod traffic;

pub use clock::Clock;
pub use driver::{
    Capabilities, Changed, Driver, Error, Evidence, Found, Job, KeptImage, LogLine, LogQuery, Outcome, Scope, Whose,
};
pub use locks::{Attempt, Held, Holder, LockError, Locks};
pub use progress::{Event, Progress, Silent};
pub use secrets::{NoSecrets, Secrets};
pub use store::{Blob, Entry, NewEntry, Phase, Store, StoreError};
pub use traffic::{Carried, Traffic};
