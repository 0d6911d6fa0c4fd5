//! Whom this machine trusts: the local authority's root, put into the stores of the system and of browsers, and taken out again.
//!
//! In: a root certificate, the home folder of whoever asks. Out: the stores that are here, and what became of each.
//! **Invariant:** only a local authority's root is ever added: one that says itself that it is for private names alone. Nothing else in a store is touched.
//! Every act may be repeated.
//! Not here: making the authority (`escadre_edge::authority`).
//! Tests: `tests.rs`, and with curl and Chromium `escadre/tests/it/trust.rs`.

mod browser;
mod system;
#[cfg(test)]
mod tests;

use crate::{exec, files};
use escadre_edge::authority::{Authority, AuthorityError};
use escadre_engine::ports::Changed;
use std::path::{Path, PathBuf};

/// The root of a local authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// PEM.
    pub pem: String,
    /// What it is called: `Escadre local authority of host (1a2b3c4d)`.
    pub name: String,
    /// When it ends.
    pub ends: std::time::SystemTime,
}

/// Why something about trust was not done.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The authority cannot be read or made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// A file is no root of a local authority.
    #[error("{} is not the root of a local authority", .0.display())]
    Foreign(PathBuf),
    /// Only root may change the store.
    #[error("only root may change it")]
    NotRoot,
    /// The program that does it is missing, or failed.
    #[error(transparent)]
    Program(#[from] exec::Error),
}

impl TrustError {
    /// The package of the missing program, where that is what is wrong.
    pub fn missing(&self) -> Option<&'static str> {
        match self {
            TrustError::Program(exec::Error::NotInstalled("certutil")) => Some("libnss3-tools"),
            TrustError::Program(exec::Error::NotInstalled(_)) => Some("ca-certificates"),
            _ => None,
        }
    }
}

/// A place where trusted authorities are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// The system's, which curl, Git and most programs read.
    System(system::System),
    /// A browser's database (NSS): Chromium's, or one of Firefox's profiles.
    Browser {
        /// Whose: `chromium`, `firefox`.
        whose: &'static str,
        /// The folder of the database.
        folder: PathBuf,
    },
}

/// The stores that are on this machine for whoever has this home.
pub fn stores(home: Option<&Path>) -> Vec<Store> {
    let system = system::find().map(Store::System);
    let browsers = home.map(browser::find).unwrap_or_default();
    system.into_iter().chain(browsers).collect()
}

impl Root {
    /// The root of the authority in an edge's folder; made if there is none.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn of(dir: &Path) -> Result<Self, TrustError> {
        Self::known(&Authority::open(dir)?, dir)
    }

    /// The same, if there is one; nothing is made.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn there(dir: &Path) -> Result<Option<Self>, TrustError> {
        Authority::there(dir)?.as_ref().map(|authority| Self::known(authority, dir)).transpose()
    }

    fn known(authority: &Authority, dir: &Path) -> Result<Self, TrustError> {
        let recognised = escadre_edge::authority::recognise(authority.root().as_bytes());
        let (pem, name, ends) = recognised.ok_or_else(|| TrustError::Foreign(escadre_edge::authority::folder(dir)))?;
        Ok(Self { pem, name, ends })
    }

    /// The root in a file that another machine's `escadre trust --out` wrote.
    ///
    /// # Errors
    /// When it cannot be read, or is another certificate.
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let foreign = || TrustError::Foreign(path.to_owned());
        let bytes = files::read(path)?.ok_or_else(foreign)?;
        let (pem, name, ends) = escadre_edge::authority::recognise(&bytes).ok_or_else(foreign)?;
        Ok(Self { pem, name, ends })
    }

    /// The short number in its name, for the names of files.
    fn number(&self) -> &str {
        self.name.rsplit_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'))
    }
}

impl Store {
    /// Where it is, for people.
    pub fn place(&self, root: &Root) -> PathBuf {
        match self {
            Store::System(system) => system.file(root),
            Store::Browser { folder, .. } => folder.clone(),
        }
    }

    /// Whose it is, for people.
    pub fn whose(&self) -> &'static str {
        match self {
            Store::System(_) => "system",
            Store::Browser { whose, .. } => whose,
        }
    }

    /// Is the root in it?
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn has(&self, root: &Root) -> Result<bool, TrustError> {
        match self {
            Store::System(system) => system.has(root),
            Store::Browser { folder, .. } => browser::has(folder, root),
        }
    }

    /// Adds the root.
    ///
    /// # Errors
    /// When the store cannot be changed.
    pub fn add(&self, root: &Root) -> Result<Changed, TrustError> {
        if self.has(root)? {
            return Ok(Changed::NotNeeded);
        }
        match self {
            Store::System(system) => system.add(root)?,
            Store::Browser { folder, .. } => browser::add(folder, root)?,
        }
        Ok(Changed::Added)
    }

    /// Takes the root out.
    ///
    /// # Errors
    /// When the store cannot be changed.
    pub fn remove(&self, root: &Root) -> Result<Changed, TrustError> {
        if !self.has(root)? {
            return Ok(Changed::NotNeeded);
        }
        match self {
            Store::System(system) => system.remove(root)?,
            Store::Browser { folder, .. } => browser::remove(folder, root)?,
        }
        Ok(Changed::Updated)
    }
}
