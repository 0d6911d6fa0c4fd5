//! Certificates that are brought as secrets: judged, and put where the edge reads them.
//!
//! In: an endpoint's host names, the values of its secrets. Out: the id under which the edge knows the certificate, or why it cannot be used.
//! **Invariant:** nothing is put anywhere before it was judged; no message quotes a key; the id is the hash of the public part.
//! Not here: what a certificate is (`escadre_edge::certificate`), when it is switched to (`file`).
//! Tests: `brought/tests.rs`, `tests/it`.

use escadre_edge::certificate::{Certificate, CertificateError, Unfit};
use escadre_model::desired::{CertificateSource, Https};
use escadre_model::secret::{Secret, SecretRef};
use std::time::{Duration, SystemTime};

#[cfg(test)]
mod tests;

/// A certificate that ends within this time is worth a warning: somebody has to bring the next one.
pub const SOON: Duration = Duration::from_secs(21 * 24 * 3600);

/// Why a certificate that was brought cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BroughtError {
    /// The secret's value is none.
    #[error("the secret {secret} is no certificate for the edge: {why}")]
    NoCertificate {
        /// The secret.
        secret: SecretRef,
        /// What is wrong.
        why: CertificateError,
    },
    /// It is one, but not for these names, or not now.
    #[error("the certificate in the secret {secret} cannot be used: {}", .why.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unfit {
        /// The secret.
        secret: SecretRef,
        /// What is wrong.
        why: Vec<Unfit>,
    },
}

/// A certificate that can be used.
#[derive(Debug)]
pub struct Brought {
    /// What the edge calls it.
    pub id: String,
    /// When it ends, where that is soon.
    pub ends_soon: Option<SystemTime>,
    text: Secret,
}

impl Brought {
    /// Chain and key, as the edge reads them.
    pub(super) fn text(&self) -> &Secret {
        &self.text
    }
}

/// Judges the certificate of an endpoint. `Ok(None)`: it brings none, or its secrets cannot be read here.
///
/// # Errors
/// When what was brought cannot be used for these names now.
pub fn judge<'n>(
    https: &Https,
    names: impl IntoIterator<Item = &'n str>,
    reveal: &dyn Fn(&SecretRef) -> Option<Secret>,
) -> Result<Option<Brought>, BroughtError> {
    let CertificateSource::Secret { chain, key, .. } = &https.from else { return Ok(None) };
    let Some(first) = reveal(chain) else { return Ok(None) };
    let second = match key {
        Some(key) => match reveal(key) {
            Some(second) => Some(second),
            None => return Ok(None),
        },
        None => None,
    };
    let read = match &second {
        Some(second) => Certificate::read_apart(first.reveal(), second.reveal()),
        None => Certificate::read(first.reveal()),
    };
    let certificate = read.map_err(|why| {
        // Which of the two is meant is clear from the words, but for a key that is missing.
        let of_key = matches!(
            why,
            CertificateError::NoKey
                | CertificateError::SeveralKeys
                | CertificateError::EncryptedKey
                | CertificateError::UnusableKey
        );
        let secret = key.as_ref().filter(|_| of_key).unwrap_or(chain).clone();
        BroughtError::NoCertificate { secret, why }
    })?;
    let now = SystemTime::now();
    let why = certificate.unfit(names, now);
    if !why.is_empty() {
        return Err(BroughtError::Unfit { secret: chain.clone(), why });
    }
    let mut text = first.reveal().to_vec();
    if let Some(second) = &second {
        text.push(b'\n');
        text.extend_from_slice(second.reveal());
    }
    let ends_soon = Some(certificate.ends()).filter(|ends| *ends < now + SOON);
    Ok(Some(Brought { id: certificate.id(), ends_soon, text: Secret::new(text) }))
}
