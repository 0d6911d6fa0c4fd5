//! Secrets: a value that cannot be printed, and the reference that stands for it everywhere else.
//!
//! In: decrypted bytes. Out: `Secret`, revealed only where a driver hands it to the engine's own call or writes it into a container's secret file.
//! **Invariant:** no `Display`, no `Debug` with content, no `Serialize`; memory is wiped when the value is dropped.
//! Not here: encryption (`escadre_drivers::age`), where a secret is stored (`fleet`).
//! Tests: `secret/tests.rs`; the canary search in `escadre-testkit`.

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

/// Does a value look like one that nobody but its program should read? By its name (`DB_PASSWORD`, `API_TOKEN`) or by itself (a password in an
/// address, a private key). A guess, made where plain text is about to be shown or stored; a path or a switch is no secret, whatever its name.
pub fn looks_secret(name: &str, value: &str) -> bool {
    let in_address = value.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()?.rsplit_once('@'));
    let in_address =
        in_address.is_some_and(|(who, _)| who.split_once(':').is_some_and(|(_, password)| !password.is_empty()));
    if in_address || (value.contains("-----BEGIN") && value.contains("PRIVATE KEY-----")) {
        return true;
    }
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let words =
        ["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "api_key", "private_key"];
    let ends = ["_pass", "_pwd", "_salt", "_key"];
    let named =
        words.iter().any(|word| name.contains(word)) || ends.iter().any(|end| name.ends_with(end)) || name == "pass";
    let open = [
        "_file",
        "_path",
        "_url",
        "_uri",
        "_ttl",
        "_length",
        "_expiry",
        "_expires",
        "public_key",
        "_enabled",
        "_name",
        "_id",
    ];
    let is_switch = matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "yes" | "no" | "on" | "off" | "0" | "1" | "none" | "null"
    );
    named && !open.iter().any(|end| name.ends_with(end)) && !is_switch && !value.starts_with('/')
}

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

#[cfg(test)]
mod tests;
