//! Content hashes, and keyed hashes for what must not be guessed from its hash.
//!
//! In: bytes. Out: `Hash` (SHA-256) and `KeyedHash` (HMAC-SHA-256 under the fleet's key), both shown in hexadecimal.
//! **Invariant:** nothing secret is ever put through `Hash::of`: a short secret could be found by trying.
//! Not here: an image's digest, which is the registry's word (`observed::ImageId`).
//! Tests: `hash/tests.rs`.

mod bytes;

use crate::secret::{HashKey, Secret};
use hmac::{KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Digest;
use std::fmt;
use std::sync::Arc;

/// SHA-256 of some bytes, as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Hash(Arc<str>);

/// HMAC-SHA-256 of a secret under the fleet's hash key, as 64 hexadecimal digits: equal secrets are seen as equal, nothing else is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct KeyedHash(Arc<str>);

impl Hash {
    /// The hash of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(hexadecimal(&sha2::Sha256::digest(bytes.as_ref())).into())
    }

    /// The hash of a value's JSON text; field order is the type's, map order must be fixed by the type (`BTreeMap`).
    pub fn of_json(value: &impl Serialize) -> Self {
        // The text is made whole and then hashed: a JSON writer writes a few bytes at a time, and what stands between it and the hash costs more
        // than either.
        let mut text = Vec::with_capacity(1 << 10);
        match serde_json::to_writer(&mut text, value) {
            Ok(()) => Self::of(text),
            // Only a map with keys that are no strings could fail, and our types have none; the message stands for the value then.
            Err(error) => Self::of(error.to_string()),
        }
    }

    /// The hash of a value's parts, for what is compared within one version only: several times faster than that of its JSON text.
    pub fn of_parts(value: &impl Serialize) -> Self {
        match bytes::of(value) {
            Ok(bytes) => Self::of(bytes),
            // As with JSON: our types do not fail.
            Err(error) => Self::of(error.to_string()),
        }
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl KeyedHash {
    /// The hash of a secret under a key. The scope (`instance france, db_password`) is hashed with it, so that two secrets which happen to be
    /// equal do not look equal across instances.
    pub fn of(key: &HashKey, scope: &str, secret: &Secret) -> Self {
        // HMAC takes a key of any length; the error type exists for algorithms that do not.
        let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.reveal()) else {
            return Self("0".repeat(64).into());
        };
        mac.update(&(scope.len() as u64).to_be_bytes());
        mac.update(scope.as_bytes());
        mac.update(secret.reveal());
        Self(hexadecimal(&mac.finalize().into_bytes()).into())
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first four digits, as in `secret #a91f`.
    pub fn short(&self) -> &str {
        self.0.get(..4).unwrap_or(&self.0)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl fmt::Display for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.short())
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.short())
    }
}

#[cfg(test)]
mod tests;
