//! Earlier values of secrets, for a way back: what a receipt that is kept was made with.
//!
//! In: the present values, the state folder. Out: the value that is meant, present or earlier; `secrets/earlier/FLEET/INSTANCE/NAME-HASH` of the state folder.
//! **Invariant:** a value lies there only as long as a kept receipt needs it, in a folder nobody else can read; a value is never given for another one's hash.
//! Not here: decryption (`age`), which receipts are kept (`escadre_engine::journal`).
//! Tests: `secrets/tests.rs`, `escadre/tests/it/back.rs`.

use crate::files;
use escadre_engine::ports::Secrets;
use escadre_model::hash::{Hash, KeyedHash};
use escadre_model::ids::InstanceId;
use escadre_model::secret::{Secret, SecretRef};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which value of each secret an instance's files mean now.
pub type Present = BTreeMap<InstanceId, BTreeMap<Arc<str>, KeyedHash>>;

/// Present values, and earlier ones that are kept.
pub struct Kept {
    present: Arc<dyn Secrets>,
    hashes: Present,
    folder: PathBuf,
}

impl Kept {
    /// Keeps what `present` reveals in the state folder.
    pub fn new(present: Arc<dyn Secrets>, hashes: Present, state: &Path) -> Self {
        Self { present, hashes, folder: state.join("secrets").join("earlier") }
    }

    fn of(&self, instance: &InstanceId) -> PathBuf {
        self.folder.join(instance.fleet.as_str()).join(instance.instance.as_str())
    }

    /// The file of a value. Its name ends in the whole hash, and begins with what is safe of the secret's name, for people who look.
    fn file(&self, instance: &InstanceId, name: &SecretRef, hash: &KeyedHash) -> PathBuf {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let plain = name.0.len() <= 60 && name.0.chars().all(safe);
        let name = if plain { name.0.to_string() } else { Hash::of(name.0.as_bytes()).short().to_owned() };
        self.of(instance).join(format!("{name}-{}", hash.as_str()))
    }

    /// A copy that cannot be written is missed only on a way back, which says so then.
    fn keep(&self, instance: &InstanceId, name: &SecretRef, hash: &KeyedHash, value: &Secret) {
        let path = self.file(instance, name, hash);
        if path.exists() {
            return;
        }
        let folders = [self.folder.clone(), self.of(instance)];
        let made = folders.iter().try_for_each(|folder| files::ensure_dir(folder, 0o700));
        drop(made.and_then(|()| files::write_atomic(&path, value.reveal(), 0o600)));
    }

    fn hashes_in(folder: &Path) -> Vec<(PathBuf, KeyedHash)> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let of = |path: PathBuf| {
            let hash = path.file_name()?.to_str()?.rsplit_once('-')?.1.to_owned();
            let hash = serde_json::from_value(serde_json::Value::String(hash)).ok()?;
            Some((path, hash))
        };
        entries.filter_map(Result::ok).filter_map(|entry| of(entry.path())).collect()
    }
}

impl Secrets for Kept {
    fn reveal(&self, instance: &InstanceId, name: &SecretRef, hash: Option<&KeyedHash>) -> Option<Secret> {
        let Some(wanted) = hash else { return self.present.reveal(instance, name, None) };
        let present = self.hashes.get(instance).and_then(|all| all.get(&name.0));
        if present == Some(wanted) {
            let value = self.present.reveal(instance, name, hash)?;
            self.keep(instance, name, wanted, &value);
            return Some(value);
        }
        files::read(&self.file(instance, name, wanted)).ok().flatten().map(Secret::new)
    }

    fn earlier(&self, instance: &InstanceId) -> BTreeSet<KeyedHash> {
        Self::hashes_in(&self.of(instance)).into_iter().map(|(_, hash)| hash).collect()
    }

    fn forget(&self, instance: &InstanceId, needed: &BTreeSet<KeyedHash>) {
        for (path, _) in Self::hashes_in(&self.of(instance)).into_iter().filter(|(_, hash)| !needed.contains(hash)) {
            // One that cannot be removed now is tried again with the next receipt.
            drop(std::fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests;
