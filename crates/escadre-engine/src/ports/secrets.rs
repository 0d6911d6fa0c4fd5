//! Secrets, as a port: the value of a secret for an instance, at the last moment.
//!
//! In: an instance and a secret's name. Out: the value, decrypted.
//! **Invariant:** a value is asked for only inside a step that needs it, and dropped with it.
//! Not here: decryption (`escadre_drivers::age`).
//! Tests: the canary search of `escadre-testkit`.

use escadre_model::ids::InstanceId;
use escadre_model::secret::{Secret, SecretRef};

/// Gives secrets.
pub trait Secrets: Send + Sync {
    /// The value of a secret for an instance; `None` when it has none or cannot be decrypted here.
    fn reveal(&self, instance: &InstanceId, name: &SecretRef) -> Option<Secret>;
}

/// No secrets at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal(&self, _: &InstanceId, _: &SecretRef) -> Option<Secret> {
        None
    }
}
