//! Keys: who can decrypt, and what compares secrets.
//!
//! In: the identity file, `fleet.age`, or the state folder of a fleet of one. Out: [`Keyring`].
//! **Invariant:** a missing key is no error: secrets stay unknown then, and a plan says so; a key that is there and cannot be read is one.
//! Not here: encryption itself (`escadre_drivers::age`).
//! Tests: `tests/it`.

use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use anyhow::Context;
use escadre_drivers::{age, files};
use escadre_model::diagnostic::Diagnostic;
use escadre_model::fleet::{Fleet, HASH_KEY_FILE};
use escadre_model::secret::HashKey;
use escadre_model::tree::{Entry, Tree};
use std::path::Path;
use std::sync::Arc;

/// What a fleet's secrets are opened and compared with.
#[derive(Clone)]
pub(super) struct Keyring {
    /// Who can decrypt; may be empty.
    pub(super) identities: Arc<age::Identities>,
    /// What secrets are compared with; `None`: it cannot be known whether they changed.
    pub(super) hash_key: Option<HashKey>,
}

/// The identities at hand: the named file, ESCADRE_IDENTITY, or the usual place (which may not exist).
///
/// # Errors
/// When a named file is not there, or holds no key that can be used.
pub(super) fn identities(settings: &Settings, named: Option<&Path>) -> Result<age::Identities, Fault> {
    let mut identities = age::Identities::none();
    let Some(path) = settings.identity(named) else { return Ok(identities) };
    let bytes = files::read(&path).map_err(|error| Fault::Other(Exit::CommandLine, error.into()))?;
    let Some(bytes) = bytes else {
        let usual = named.is_none() && !settings.environment.contains_key("ESCADRE_IDENTITY");
        if usual {
            return Ok(identities);
        }
        return Err(Fault::Other(
            Exit::CommandLine,
            anyhow::anyhow!("the identity file {} is not there", path.display()),
        ));
    };
    let shown = path.display().to_string();
    let text = String::from_utf8(bytes)
        .with_context(|| format!("{shown} is no text"))
        .map_err(|error| Fault::Other(Exit::CommandLine, error))?;
    identities.add(&shown, &text).map_err(|error| {
        Fault::Findings(Exit::CommandLine, vec![Diagnostic::error(error.code(), error.to_string())])
    })?;
    Ok(identities)
}

impl Keyring {
    /// The keys of a fleet.
    ///
    /// # Errors
    /// When a named identity cannot be used.
    pub(super) fn of_fleet(
        settings: &Settings,
        named: Option<&Path>,
        fleet: &Fleet,
        tree: &dyn Tree,
        findings: &mut Vec<Diagnostic>,
    ) -> Result<Self, Fault> {
        let identities = identities(settings, named)?;
        let mut hash_key = None;
        if let Ok(Entry::File { bytes, .. }) = tree.entry(HASH_KEY_FILE)
            && !identities.is_empty()
        {
            let block = String::from_utf8_lossy(&bytes);
            match age::decrypt_hash_key(&identities, fleet.name.value.as_str(), &block) {
                Ok(key) => hash_key = Some(key),
                Err(error) => findings.push(Diagnostic::warning(error.code(), error.to_string())),
            }
        }
        Ok(Self { identities: Arc::new(identities), hash_key })
    }
}

/// The key of a fleet of one, in the state folder: made when first needed.
///
/// # Errors
/// When it cannot be read or made.
pub(super) fn of_single(state: &Path) -> Result<HashKey, Fault> {
    let path = state.join("key");
    let world = |error: files::Error| Fault::world(error);
    if let Some(bytes) = files::read(&path).map_err(world)? {
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| Fault::world(anyhow::anyhow!("{} does not hold a key of 32 bytes", path.display())))?;
        return Ok(HashKey::new(bytes));
    }
    let key = age::new_hash_key().map_err(|error| Fault::world(anyhow::Error::new(error)))?;
    files::ensure_dir(state, 0o700).map_err(world)?;
    files::write_atomic(&path, key.reveal(), 0o600).map_err(world)?;
    Ok(key)
}
