//! The secrets of a fleet, behind the engine's port.
//!
//! In: a fleet with its encrypted values, identities. Out: a value when a step needs it.
//! **Invariant:** nothing decrypted is kept; a value that does not belong where it stands is none.
//! Not here: writing secrets.
//! Tests: `age/tests.rs`.

use super::{Error, Identities, Place, decrypt};
use escadre_engine::ports::Secrets;
use escadre_model::fleet::{Fleet, Stored};
use escadre_model::ids::InstanceId;
use escadre_model::secret::{Secret, SecretRef};
use std::sync::Arc;

/// Reveals secrets of one fleet.
#[derive(Clone, Debug)]
pub struct Vault {
    fleet: Arc<Fleet>,
    identities: Arc<Identities>,
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
}

impl Secrets for Vault {
    fn reveal(&self, instance: &InstanceId, name: &SecretRef) -> Option<Secret> {
        if instance.fleet != self.fleet.name.value {
            return None;
        }
        let instance = self.fleet.instances.get(&instance.instance)?;
        self.open(&self.fleet.secret(instance, &name.0)?).ok()
    }
}
