//! New keys and passwords, from the system's randomness.
//!
//! In: how long and from which characters. Out: secrets.
//! **Invariant:** every character is equally likely: draws that would favour some are thrown away.
//! Not here: where they are stored.
//! Tests: `age/tests.rs`.

use super::Error;
use ::age::secrecy::ExposeSecret;
use escadre_model::secret::{HashKey, Secret};
use zeroize::Zeroizing;

/// A new identity: its public half, and its file's text.
#[derive(Debug)]
pub struct Identity {
    /// For `recipients:`.
    pub recipient: String,
    /// The line `AGE-SECRET-KEY-1…`.
    pub secret: Secret,
}

/// A password of `length` characters of an alphabet of at most 256.
///
/// # Errors
/// When the alphabet is unusable or the system gives no randomness.
pub fn generate(length: u32, alphabet: &str) -> Result<Secret, Error> {
    let letters: Vec<char> = alphabet.chars().collect();
    let count = letters.len();
    if !(2..=256).contains(&count) {
        return Err(Error::Failed("an alphabet has 2 to 256 characters".to_owned()));
    }
    let fair = 256 - 256 % count;
    let length = usize::try_from(length).unwrap_or(0);
    let mut text = Zeroizing::new(String::with_capacity(length * 4));
    let mut drawn = 0;
    let mut random = Zeroizing::new([0_u8; 64]);
    while drawn < length {
        getrandom::fill(random.as_mut_slice()).map_err(|error| Error::Failed(error.to_string()))?;
        for byte in random.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair) {
            if drawn < length
                && let Some(letter) = letters.get(byte % count)
            {
                text.push(*letter);
                drawn += 1;
            }
        }
    }
    Ok(Secret::new(text.as_bytes().to_vec()))
}

/// A new key to compare secrets with.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_hash_key() -> Result<HashKey, Error> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| Error::Failed(error.to_string()))?;
    Ok(HashKey::new(*bytes))
}

/// A new `id:` of a fleet: eight hexadecimal digits.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 4];
    getrandom::fill(&mut bytes).map_err(|error| Error::Failed(error.to_string()))?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}

/// A new age identity.
pub fn new_identity() -> Identity {
    let key = ::age::x25519::Identity::generate();
    let secret = Secret::new(key.to_string().expose_secret().as_bytes().to_vec());
    Identity { recipient: key.to_public().to_string(), secret }
}
