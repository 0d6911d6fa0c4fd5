//! Secrets: a value that cannot be printed, and the reference that stands for it everywhere else.
//!
//! In: decrypted bytes. Out: `Secret`, revealed only where a driver hands it to the engine's own call or writes it into a container's secret file.
//! **Invariant:** no `Display`, no `Debug` with content, no `Serialize`; memory is wiped when the value is dropped.
//! Not here: encryption (`escadre_drivers::age`), where a secret is stored (`fleet`).
//! Tests: the canary search in `escadre-testkit`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret value between decryption and the engine.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

/// The 32 random bytes under which secrets of a fleet are hashed for comparison.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct HashKey([u8; 32]);

/// The name of a secret as the product declares it; the value is looked up for the instance that uses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(pub Arc<str>);

impl Secret {
    /// Takes the bytes of a secret.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes. Call it only where they leave for the engine, a secret file, or a keyed hash.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl HashKey {
    /// Takes a key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the key.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey")
    }
}

impl SecretRef {
    /// The reference to the secret of that name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
