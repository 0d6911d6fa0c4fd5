//! Content hashes, and keyed hashes for what must not be guessed from its hash.
//!
//! In: bytes. Out: `Hash` (SHA-256) and `KeyedHash` (HMAC-SHA-256 under the fleet's key), both shown in hexadecimal.
//! **Invariant:** nothing secret is ever put through `Hash::of`: a short secret could be found by trying.
//! Not here: an image's digest, which is the registry's word (`observed::ImageId`).
//! Tests: `hash/tests.rs`.

use crate::secret::{HashKey, Secret};
use hmac::{KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Digest;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// SHA-256 of some bytes, as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(Arc<str>);

/// HMAC-SHA-256 of a secret under the fleet's hash key, as 64 hexadecimal digits: equal secrets are seen as equal, nothing else is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyedHash(Arc<str>);

impl Hash {
    /// The hash of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(hexadecimal(&sha2::Sha256::digest(bytes.as_ref())).into())
    }

    /// The hash of a value's JSON text; field order is the type's, map order must be fixed by the type (`BTreeMap`).
    pub fn of_json(value: &impl Serialize) -> Self {
        struct Sink(sha2::Sha256);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        // A JSON writer writes a few bytes at a time, which costs more than hashing them.
        let mut sink = std::io::BufWriter::with_capacity(1 << 14, Sink(sha2::Sha256::new()));
        let written = serde_json::to_writer(&mut sink, value).map_err(|error| error.to_string());
        match written.and_then(|()| sink.into_inner().map_err(|error| error.to_string())) {
            Ok(sink) => Self(hexadecimal(&sink.0.finalize()).into()),
            // Only a map with keys that are no strings could fail, and our types have none; the message stands for the value then.
            Err(message) => Self::of(message),
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
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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
