//! Secrets, as a port: the value of a secret for an instance, at the last moment.
//!
//! In: an instance, a secret's name, and which of its values is meant. Out: the value, decrypted.
//! **Invariant:** a value is asked for only inside a step that needs it, and dropped with it.
//! Not here: decryption (`escadre_drivers::age`).
//! Tests: the canary search of `escadre-testkit`.

use escadre_model::hash::KeyedHash;
use escadre_model::ids::InstanceId;
use escadre_model::secret::{Secret, SecretRef};
use std::collections::BTreeSet;

/// Gives secrets.
pub trait Secrets: Send + Sync {
    /// The value of a secret for an instance; `None` when it has none or cannot be decrypted here. With a hash, the value that has it: on a way back that
    /// may be an earlier one.
    fn reveal(&self, instance: &InstanceId, name: &SecretRef, hash: Option<&KeyedHash>) -> Option<Secret>;

    /// Earlier values of an instance's secrets that are at hand, by hash.
    fn earlier(&self, _instance: &InstanceId) -> BTreeSet<KeyedHash> {
        BTreeSet::new()
    }

    /// Earlier values that nobody can go back to any more are forgotten: all but these.
    fn forget(&self, _instance: &InstanceId, _needed: &BTreeSet<KeyedHash>) {}
}

/// No secrets at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal(&self, _: &InstanceId, _: &SecretRef, _: Option<&KeyedHash>) -> Option<Secret> {
        None
    }
}
