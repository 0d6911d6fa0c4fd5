//! A certificate with its chain and key, read and judged.
//!
//! In → Out: PEM (chain and key, in one text or two) → [`Certificate`], or why it is none; host names and a moment → what
//! is wrong with it for them.
//!
//! **Invariant**: a certificate is whole: its key is the one it was made for. No message quotes the key.
//!
//! Not here: where it comes from (`tls`), whom clients trust.
//!
//! Tests: `certificate/tests.rs`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use escadre_model::hash::Hash;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

#[cfg(test)]
mod tests;

/// Largest text that is read as a certificate and key: chains are a few kilobytes.
pub const MOST_BYTES: usize = 256 * 1024;

/// Most certificates in a chain.
const LONGEST_CHAIN: usize = 16;

/// Why a text is no certificate that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More than [`MOST_BYTES`].
    #[error("it is larger than a certificate can be ({MOST_BYTES} bytes)")]
    TooLarge,
    /// The text cannot be taken apart.
    #[error("it is not PEM: {0}")]
    NotPem(String),
    /// No certificate in it.
    #[error("it holds no certificate (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// No key in it.
    #[error("it holds no private key (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// Several keys: which one is meant?
    #[error("it holds several private keys")]
    SeveralKeys,
    /// A key under a passphrase.
    #[error("its private key is encrypted with a passphrase; nobody is there to type it")]
    EncryptedKey,
    /// A key nobody can use here.
    #[error("its private key is of a kind that cannot be used (RSA from 2048 bits, ECDSA P-256 or P-384, Ed25519)")]
    UnusableKey,
    /// A certificate that cannot be understood.
    #[error("its certificate number {0} cannot be read")]
    Unreadable(usize),
    /// The key belongs to none of the certificates.
    #[error("its private key belongs to another certificate")]
    KeyMismatch,
    /// The key belongs to a later certificate of the chain.
    #[error("its certificates are in the wrong order: the host's own comes first, then those that signed it")]
    WrongOrder,
    /// A chain whose parts do not follow one another.
    #[error("certificate number {0} of its chain was not signed by the next one")]
    BrokenChain(usize),
}

/// What is wrong with a good certificate at a moment, for a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its time is over.
    #[error("it ended on {}", day(*.0))]
    Expired(SystemTime),
    /// Its time has not come.
    #[error("it begins on {}", day(*.0))]
    NotYet(SystemTime),
    /// It names others.
    #[error("it does not name {host}; it names {}", names.join(", "))]
    OtherNames {
        /// Who it should be for.
        host: String,
        /// Who it is for.
        names: Vec<String>,
    },
}

/// A certificate, its chain and its key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    issuer: String,
    begins: SystemTime,
    ends: SystemTime,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("names", &self.names).field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads chain and key from one text.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn read(text: &[u8]) -> Result<Certificate, CertificateError> {
        Certificate::read_apart(text, text)
    }

    /// Reads the chain from one text and the key from another.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn read_apart(chain: &[u8], key: &[u8]) -> Result<Certificate, CertificateError> {
        if chain.len().max(key.len()) > MOST_BYTES {
            return Err(CertificateError::TooLarge);
        }
        let chain = certificates(chain)?;
        let key = private_key(key)?;
        let parsed = chain
            .iter()
            .enumerate()
            .map(|(n, der)| x509_cert::Certificate::from_der(der).map_err(|_| CertificateError::Unreadable(n + 1)));
        let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
        let first = parsed.first().ok_or(CertificateError::NoCertificate)?;
        let ends_at = |time: &x509_cert::time::Time| UNIX_EPOCH + time.to_unix_duration();
        let validity = &first.tbs_certificate.validity;
        let (begins, ends) = (ends_at(&validity.not_before), ends_at(&validity.not_after));
        let (names, issuer) = (names_of(first), issuer_of(first));
        let key = certified(chain, &parsed, key)?;
        Ok(Certificate { key: Arc::new(key), names, issuer, begins, ends })
    }

    /// What it is called among those that were brought: the hash of the certificates, which are public.
    #[must_use]
    pub fn id(&self) -> String {
        let all: Vec<u8> = self.key.cert.iter().flat_map(|der| der.iter().copied()).collect();
        Hash::of(all).as_str().chars().take(32).collect()
    }

    /// What TLS works with.
    pub(crate) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The names it is for, lower case; `*.` stands for one label.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Who signed it, as it says.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When it begins.
    #[must_use]
    pub fn begins(&self) -> SystemTime {
        self.begins
    }

    /// When it ends.
    #[must_use]
    pub fn ends(&self) -> SystemTime {
        self.ends
    }

    /// When it is to be replaced: after two thirds of its life.
    #[must_use]
    pub fn due(&self) -> SystemTime {
        let life = self.ends.duration_since(self.begins).unwrap_or_default();
        self.begins + life * 2 / 3
    }

    /// Whether it is for a host (lower case).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => name == host,
        })
    }

    /// Whether its time is now.
    #[must_use]
    pub fn is_valid(&self, now: SystemTime) -> bool {
        self.begins <= now && now < self.ends
    }

    /// Everything that is wrong with it for these hosts at this moment.
    pub fn unfit<'h>(&self, hosts: impl IntoIterator<Item = &'h str>, now: SystemTime) -> Vec<Unfit> {
        let mut all = Vec::new();
        if now >= self.ends {
            all.push(Unfit::Expired(self.ends));
        } else if now < self.begins {
            all.push(Unfit::NotYet(self.begins));
        }
        let others = hosts.into_iter().filter(|host| !self.covers(host));
        all.extend(others.map(|host| Unfit::OtherNames { host: host.to_owned(), names: self.names.clone() }));
        all
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let mut chain = Vec::new();
    for found in CertificateDer::pem_slice_iter(text) {
        chain.push(found.map_err(|error| CertificateError::NotPem(words(&error)))?);
        if chain.len() > LONGEST_CHAIN {
            return Err(CertificateError::TooLarge);
        }
    }
    if chain.is_empty() { Err(CertificateError::NoCertificate) } else { Ok(chain) }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let is_encrypted = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
    };
    if is_encrypted(text) {
        return Err(CertificateError::EncryptedKey);
    }
    let mut keys = PrivateKeyDer::pem_slice_iter(text);
    let key = match keys.next() {
        Some(Ok(key)) => key,
        Some(Err(error)) => return Err(CertificateError::NotPem(words(&error))),
        None => return Err(CertificateError::NoKey),
    };
    if keys.next().is_some() { Err(CertificateError::SeveralKeys) } else { Ok(key) }
}

/// A parser's words without what it read: that may be a key.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section begins wrongly".to_owned(),
        pem::Error::Base64Decode(_) => "a section is not base64".to_owned(),
        _ => "it cannot be taken apart".to_owned(),
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    parsed: &[x509_cert::Certificate],
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, CertificateError> {
    let signing = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| CertificateError::UnusableKey)?;
    let certified = CertifiedKey::new(chain.clone(), signing);
    match certified.keys_match() {
        Ok(()) => {}
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            let belongs = |der: &CertificateDer<'static>| {
                CertifiedKey::new(vec![der.clone()], Arc::clone(&certified.key)).keys_match().is_ok()
            };
            let later = chain.iter().skip(1).any(belongs);
            return Err(if later { CertificateError::WrongOrder } else { CertificateError::KeyMismatch });
        }
        Err(_) => return Err(CertificateError::Unreadable(1)),
    }
    for (n, pair) in parsed.windows(2).enumerate() {
        if let [one, next] = pair
            && one.tbs_certificate.issuer != next.tbs_certificate.subject
        {
            return Err(CertificateError::BrokenChain(n + 1));
        }
    }
    Ok(certified)
}

/// The host names in a certificate. Addresses in it are no names: clients do not say one when they connect.
fn names_of(certificate: &x509_cert::Certificate) -> Vec<String> {
    let names = certificate.tbs_certificate.get::<SubjectAltName>().ok().flatten();
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    let names = names.into_iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

fn issuer_of(certificate: &x509_cert::Certificate) -> String {
    common_name(&certificate.tbs_certificate.issuer).unwrap_or_else(|| certificate.tbs_certificate.issuer.to_string())
}

/// The CN of a name.
pub(crate) fn common_name(name: &x509_cert::name::Name) -> Option<String> {
    const COMMON_NAME: &str = "2.5.4.3";
    let mut parts = name.0.iter().flat_map(|part| part.0.iter());
    let part = parts.find(|part| part.oid.to_string() == COMMON_NAME)?;
    let text = String::from_utf8_lossy(part.value.value()).into_owned();
    // Anybody may have written it: it must be one line.
    Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(128).collect())
}

/// `2026-11-26`.
pub(crate) fn day(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    crate::log::utc(since.as_secs(), 0).chars().take(10).collect()
}
