//! Encryption of secrets with age: one armoured block for each value, which says what it is.
//!
//! In: values, recipients, identities. Out: armoured blocks, and values again.
//! **Invariant:** a block that was made for another place is refused; no message holds a value.
//! Not here: files of secrets (`escadre_model::fleet`), where identities lie on a machine (the binary).
//! Tests: `age/tests.rs`.

mod generate;
mod keys;
#[cfg(test)]
mod tests;
mod vault;

pub use generate::{Identity, generate, new_hash_key, new_id, new_identity};
pub use keys::{Identities, Recipients, public_of};
pub use vault::Vault;

use ::age::armor::{ArmoredReader, ArmoredWriter, Format};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use escadre_model::diagnostic::Code;
use escadre_model::fleet::{HASH_KEY_FILE, Scope, Stored};
use escadre_model::secret::{HashKey, Secret};
use escadre_model::tree::{Entry, Tree};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The largest secret: a file of certificates.
pub const LARGEST: u64 = 1 << 20;

const SECRET_SCHEMA: &str = "escadre.secret/1";
const KEY_SCHEMA: &str = "escadre.hash-key/1";

/// Why something cannot be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No identity was given at all.
    #[error("no identity was given that could decrypt secrets")]
    NoIdentity,
    /// None of the identities is a recipient's.
    #[error("none of the identities at hand is one of the recipients")]
    NotForUs,
    /// The block cannot be read.
    #[error("the encrypted block is damaged: {0}")]
    Damaged(String),
    /// The block says that it is something else.
    #[error("this block is {found}, and it stands where {wanted} should be")]
    Elsewhere {
        /// What the block says.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// A text is no identity.
    #[error("{0} is no identity: {1}")]
    NoKey(String, String),
    /// A text is no recipient.
    #[error("{0} is no recipient: {1}")]
    NoRecipient(String, String),
    /// Nobody could ever decrypt it.
    #[error("there are no recipients to encrypt to")]
    NoRecipients,
    /// A value is larger than [`LARGEST`].
    #[error("a secret has at most {LARGEST} bytes")]
    TooLarge,
    /// The system's randomness or the encryption failed.
    #[error("encryption failed: {0}")]
    Failed(String),
}

impl Error {
    /// The code of its page.
    pub fn code(&self) -> Code {
        match self {
            Error::Elsewhere { .. } => Code::E0602,
            Error::NoKey(..) => Code::E0604,
            Error::NoRecipient(..) | Error::NoRecipients => Code::E0605,
            _ => Code::E0603,
        }
    }
}

/// Where a secret belongs. A decrypted block must say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The fleet's name.
    pub fleet: Arc<str>,
    /// Whose it is.
    pub scope: Scope,
    /// Which instance, environment or fleet.
    pub of: Arc<str>,
    /// The secret's name.
    pub name: Arc<str>,
}

impl Place {
    /// The place of an encrypted value in its file.
    pub fn of(fleet: &str, stored: &Stored<'_>) -> Self {
        Self { fleet: fleet.into(), scope: stored.scope, of: Arc::clone(stored.of), name: Arc::clone(stored.name) }
    }

    /// In words: `secret db_password of instance acme of fleet worteks`.
    fn words(&self) -> String {
        format!("secret {} of {} {} of fleet {}", self.name, self.scope.word(), self.of, self.fleet)
    }
}

#[derive(Serialize, Deserialize)]
struct Plain {
    schema: String,
    fleet: Arc<str>,
    scope: Scope,
    of: Arc<str>,
    name: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Zeroizing<String>>,
    /// A value that is no UTF-8 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<Zeroizing<String>>,
}

#[derive(Serialize, Deserialize)]
struct PlainKey {
    schema: String,
    fleet: String,
    key: Zeroizing<String>,
}

/// Encrypts a value for its place.
///
/// # Errors
/// When there are no recipients, the value is too large, or the system gives no randomness.
pub fn encrypt(recipients: &Recipients, place: &Place, value: &Secret) -> Result<String, Error> {
    if value.reveal().len() as u64 > LARGEST {
        return Err(Error::TooLarge);
    }
    let (text, base64) = match std::str::from_utf8(value.reveal()) {
        Ok(text) => (Some(Zeroizing::new(text.to_owned())), None),
        Err(_) => (None, Some(Zeroizing::new(STANDARD.encode(value.reveal())))),
    };
    let Place { fleet, scope, of, name } = place.clone();
    let plain = Plain { schema: SECRET_SCHEMA.to_owned(), fleet, scope, of, name, value: text, base64 };
    seal(recipients, &plain)
}

/// Decrypts a block and checks that it belongs where it stands.
///
/// # Errors
/// When no identity fits, the block is damaged, or it was made for another place.
pub fn decrypt(identities: &Identities, place: &Place, block: &str) -> Result<Secret, Error> {
    let bytes = open(identities, block)?;
    // What serde says may quote a part of the text, so it is not passed on.
    let plain: Plain =
        serde_json::from_slice(&bytes).map_err(|_| Error::Damaged("it holds no secret of Escadre".to_owned()))?;
    if plain.schema != SECRET_SCHEMA {
        return Err(Error::Damaged("it was written by another version".to_owned()));
    }
    let found = Place { fleet: plain.fleet, scope: plain.scope, of: plain.of, name: plain.name };
    if found != *place {
        return Err(Error::Elsewhere { found: found.words(), wanted: place.words() });
    }
    match (plain.value, plain.base64) {
        (Some(text), None) => Ok(Secret::new(text.as_bytes().to_vec())),
        (None, Some(text)) => STANDARD
            .decode(text.as_bytes())
            .map(Secret::new)
            .map_err(|_| Error::Damaged("its base64 is wrong".to_owned())),
        _ => Err(Error::Damaged("it holds no value".to_owned())),
    }
}

/// Encrypts the key that compares secrets: the content of `fleet.age`.
///
/// # Errors
/// As [`encrypt`].
pub fn encrypt_hash_key(recipients: &Recipients, fleet: &str, key: &HashKey) -> Result<String, Error> {
    let text = Zeroizing::new(STANDARD.encode(key.reveal()));
    seal(recipients, &PlainKey { schema: KEY_SCHEMA.to_owned(), fleet: fleet.to_owned(), key: text })
}

/// Decrypts `fleet.age`.
///
/// # Errors
/// As [`decrypt`].
pub fn decrypt_hash_key(identities: &Identities, fleet: &str, block: &str) -> Result<HashKey, Error> {
    let bytes = open(identities, block)?;
    let damaged = || Error::Damaged("it holds no key of Escadre".to_owned());
    let plain: PlainKey = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
    if plain.fleet != fleet {
        let words = |name: &str| format!("the key of fleet {name}");
        return Err(Error::Elsewhere { found: words(&plain.fleet), wanted: words(fleet) });
    }
    let bytes = Zeroizing::new(STANDARD.decode(plain.key.as_bytes()).map_err(|_| damaged())?);
    <[u8; 32]>::try_from(bytes.as_slice()).map(HashKey::new).map_err(|_| damaged())
}

/// The key of a fleet from its tree; `None`: it has none, or nobody here can read it.
///
/// # Errors
/// When `fleet.age` cannot be read, is damaged, or belongs to another fleet.
pub fn hash_key(tree: &dyn Tree, fleet: &str, identities: &Identities) -> Result<Option<HashKey>, Error> {
    let bytes = match tree.entry(HASH_KEY_FILE) {
        Ok(Entry::File { bytes, .. }) => bytes,
        Ok(_) => return Ok(None),
        Err(error) => return Err(Error::Damaged(error.to_string())),
    };
    match decrypt_hash_key(identities, fleet, &String::from_utf8_lossy(&bytes)) {
        Ok(key) => Ok(Some(key)),
        Err(Error::NoIdentity | Error::NotForUs) => Ok(None),
        Err(error) => Err(error),
    }
}

fn seal(recipients: &Recipients, plain: &impl Serialize) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Failed(error.to_string());
    let json = Zeroizing::new(serde_json::to_vec(plain).map_err(|error| failed(&error))?);
    let encryptor = ::age::Encryptor::with_recipients(recipients.all()).map_err(|_| Error::NoRecipients)?;
    let mut out = Vec::new();
    let armour = ArmoredWriter::wrap_output(&mut out, Format::AsciiArmor).map_err(|error| failed(&error))?;
    let mut writer = encryptor.wrap_output(armour).map_err(|error| failed(&error))?;
    writer.write_all(&json).map_err(|error| failed(&error))?;
    writer.finish().and_then(ArmoredWriter::finish).map_err(|error| failed(&error))?;
    String::from_utf8(out).map_err(|error| failed(&error))
}

fn open(identities: &Identities, block: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    if identities.is_empty() {
        return Err(Error::NoIdentity);
    }
    // Blocks inside YAML may be indented; armour is not.
    let block: String = block.lines().map(str::trim).flat_map(|line| [line, "\n"]).collect();
    let refused = |error: ::age::DecryptError| match error {
        ::age::DecryptError::NoMatchingKeys => Error::NotForUs,
        other => Error::Damaged(other.to_string()),
    };
    let decryptor = ::age::Decryptor::new(ArmoredReader::new(block.as_bytes())).map_err(refused)?;
    let reader = decryptor.decrypt(identities.all()).map_err(refused)?;
    let mut bytes = Zeroizing::new(Vec::new());
    // A value, once more as base64, and its place.
    reader.take(2 * LARGEST + 4096).read_to_end(&mut bytes).map_err(|error| Error::Damaged(error.to_string()))?;
    Ok(bytes)
}
