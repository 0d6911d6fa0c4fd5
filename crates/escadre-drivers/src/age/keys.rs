//! Who encrypts to whom: age and ssh-ed25519 keys.
//!
//! In: texts of identity files and of `recipients:`. Out: [`Identities`], [`Recipients`].
//! **Invariant:** no text of an identity is in a message; a key with a passphrase is refused, since nobody is there to type it.
//! Not here: where files lie.
//! Tests: `age/tests.rs`.

use super::Error;
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Keys that decrypt.
#[derive(Default)]
pub struct Identities(Vec<Box<dyn ::age::Identity + Send + Sync>>);

/// Keys that are encrypted to.
#[derive(Default)]
pub struct Recipients(Vec<Box<dyn ::age::Recipient + Send + Sync>>);

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} identities", self.0.len())
    }
}

impl Recipients {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} recipients", self.0.len())
    }
}

impl Identities {
    /// No identities: everything stays encrypted.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds the identities in a file's text: age keys, one per line, or an SSH private key. `name` is for messages.
    ///
    /// # Errors
    /// When there is no key in it, or one that is protected by a passphrase.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let refuse = |why: &str| Error::NoKey(name.to_owned(), why.to_owned());
        if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
            let key = ::age::ssh::Identity::from_buffer(text.as_bytes(), None)
                .map_err(|_| refuse("the SSH key cannot be read"))?;
            return match key {
                ::age::ssh::Identity::Unencrypted(_) => {
                    self.0.push(Box::new(key));
                    Ok(())
                }
                ::age::ssh::Identity::Encrypted(_) => Err(refuse("the SSH key is protected by a passphrase")),
                ::age::ssh::Identity::Unsupported(_) => Err(refuse("this kind of SSH key is not supported")),
            };
        }
        let mut found = 0;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            // The parser's own words could repeat the line.
            let key = ::age::x25519::Identity::from_str(line).map_err(|_| refuse("a line is no AGE-SECRET-KEY-1…"))?;
            self.0.push(Box::new(key));
            found += 1;
        }
        if found == 0 { Err(refuse("it holds no key")) } else { Ok(()) }
    }

    /// Adds the identities in a file: age keys, or an SSH private key.
    ///
    /// # Errors
    /// When the file is not there or cannot be read, and as [`Identities::add`].
    pub fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let name = path.display().to_string();
        let bytes = match crate::files::read(path) {
            Ok(Some(bytes)) => Zeroizing::new(bytes),
            Ok(None) => return Err(Error::NoKey(name, "it is not there".to_owned())),
            Err(error) => return Err(Error::NoKey(name, error.to_string())),
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.add(&name, text),
            Err(_) => Err(Error::NoKey(name, "it is not text".to_owned())),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &dyn ::age::Identity> {
        self.0.iter().map(|identity| &**identity as &dyn ::age::Identity)
    }
}

/// The public halves of the identities in a file's text, as `recipients:` writes them. `name` is for messages.
///
/// # Errors
/// As [`Identities::add`].
pub fn public_of(name: &str, text: &str) -> Result<Vec<String>, Error> {
    // What cannot be used is refused with the same words.
    Identities::none().add(name, text)?;
    let refuse = |why: &str| Error::NoKey(name.to_owned(), why.to_owned());
    if text.contains("-----BEGIN") {
        let key = ::age::ssh::Identity::from_buffer(text.as_bytes(), None)
            .map_err(|_| refuse("the SSH key cannot be read"))?;
        let public = ::age::ssh::Recipient::try_from(key).map_err(|_| refuse("its public half cannot be told"))?;
        return Ok(vec![public.to_string()]);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| ::age::x25519::Identity::from_str(line).map(|key| key.to_public().to_string()))
        .collect::<Result<_, _>>()
        .map_err(|_| refuse("a line is no AGE-SECRET-KEY-1…"))
}

impl Recipients {
    /// Reads `recipients:` of a fleet: names with age recipients (`age1…`) or SSH public keys.
    ///
    /// # Errors
    /// When one of them is no key, or there are none.
    pub fn new<'r>(written: impl IntoIterator<Item = (&'r str, &'r str)>) -> Result<Self, Error> {
        let mut all = Self::default();
        for (name, text) in written {
            let text = text.trim();
            let refuse = |why: &dyn std::fmt::Debug| Error::NoRecipient(name.to_owned(), format!("{why:?}"));
            if text.starts_with("ssh-") {
                let key = ::age::ssh::Recipient::from_str(text).map_err(|error| refuse(&error))?;
                all.0.push(Box::new(key));
            } else {
                let key = ::age::x25519::Recipient::from_str(text)
                    .map_err(|error| Error::NoRecipient(name.to_owned(), error.to_owned()))?;
                all.0.push(Box::new(key));
            }
        }
        if all.0.is_empty() { Err(Error::NoRecipients) } else { Ok(all) }
    }

    /// The recipients of a fleet.
    ///
    /// # Errors
    /// As [`Recipients::new`].
    pub fn of(fleet: &escadre_model::fleet::Fleet) -> Result<Self, Error> {
        Self::new(fleet.recipients.iter().map(|(name, text)| (name.as_str(), &*text.value)))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &dyn ::age::Recipient> {
        self.0.iter().map(|recipient| &**recipient as &dyn ::age::Recipient)
    }
}
