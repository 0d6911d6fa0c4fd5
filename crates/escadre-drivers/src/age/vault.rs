//! The secrets of a fleet, behind the engine's port.
//!
//! In: a fleet with its encrypted values, identities. Out: a value when a step needs it.
//! **Invariant:** nothing decrypted is kept; a value that does not belong where it stands is none.
//! Not here: writing secrets.
//! Tests: `age/tests.rs`.

use super::{Error, Identities, Place, Recipients, decrypt, encrypt};
use escadre_engine::ports::Secrets;
use escadre_model::diagnostic::Diagnostic;
use escadre_model::fleet::{Fleet, Stored};
use escadre_model::hash::KeyedHash;
use escadre_model::ids::InstanceId;
use escadre_model::secret::{Secret, SecretRef};
use std::sync::Arc;

/// Reveals secrets of one fleet.
#[derive(Clone, Debug)]
pub struct Vault {
    fleet: Arc<Fleet>,
    pub(super) identities: Arc<Identities>,
}

impl Vault {
    /// A vault over a fleet.
    pub fn new(fleet: Arc<Fleet>, identities: Arc<Identities>) -> Self {
        Self { fleet, identities }
    }

    /// Decrypts one stored value.
    ///
    /// # Errors
    /// As [`decrypt`].
    pub fn open(&self, stored: &Stored<'_>) -> Result<Secret, Error> {
        let place = Place::of(self.fleet.name.value.as_str(), stored);
        decrypt(&self.identities, &place, &stored.block.value)
    }

    /// The value of a stored secret for `resolve::Keys`: none where nobody here can read it, a finding where it is wrong.
    ///
    /// # Errors
    /// When the block is damaged or belongs somewhere else.
    pub fn reveal_stored(&self, stored: &Stored<'_>) -> Result<Option<Secret>, Box<Diagnostic>> {
        match self.open(stored) {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoIdentity | Error::NotForUs) => Ok(None),
            Err(error) => Err(Box::new(
                Diagnostic::error(error.code(), error.to_string())
                    .hint(format!("escadre secret set {} {}", stored.of, stored.name)),
            )),
        }
    }

    /// The same value, encrypted to other recipients: `rekey`.
    ///
    /// # Errors
    /// When it cannot be decrypted here, or not be encrypted.
    pub fn rekeyed(&self, stored: &Stored<'_>, recipients: &Recipients) -> Result<String, Error> {
        let place = Place::of(self.fleet.name.value.as_str(), stored);
        encrypt(recipients, &place, &self.open(stored)?)
    }
}

impl Secrets for Vault {
    fn reveal(&self, instance: &InstanceId, name: &SecretRef, _: Option<&KeyedHash>) -> Option<Secret> {
        if instance.fleet != self.fleet.name.value {
            return None;
        }
        let instance = self.fleet.instances.get(&instance.instance)?;
        self.open(&self.fleet.secret(instance, &name.0)?).ok()
    }
}
