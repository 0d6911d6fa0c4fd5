//! The system's store of authorities: a folder for additions, and the program that takes them in.
//!
//! In: a root. Out: a file in the distribution's folder, and its program's work.
//! **Invariant:** one file, called by the root's number; the bundle that programs read is written by the distribution's own program only.
//! Not here: browsers, which do not read it (`browser`).
//! Tests: `tests.rs`.

use super::{Root, TrustError};
use crate::exec::{Call, Program};
use crate::files;
use std::path::{Path, PathBuf};

/// Folder, ending of files, program and its arguments, as the distributions have them.
const KNOWN: &[(&str, &str, Program, &[&str])] = &[
    ("/usr/local/share/ca-certificates", "crt", Program::UpdateCaCertificates, &[]), // Debian, Ubuntu, Alpine
    ("/etc/pki/ca-trust/source/anchors", "pem", Program::UpdateCaTrust, &["extract"]), // Fedora, RHEL, Rocky
    ("/etc/ca-certificates/trust-source/anchors", "crt", Program::UpdateCaTrust, &[]), // Arch
    ("/etc/pki/trust/anchors", "pem", Program::UpdateCaCertificates, &[]),           // SUSE
];

/// The system's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    folder: PathBuf,
    ending: &'static str,
    program: Program,
    arguments: &'static [&'static str],
}

/// The system's store, if it is one that is known.
pub(super) fn find() -> Option<System> {
    let (folder, ending, program, arguments) = KNOWN.iter().find(|(folder, ..)| Path::new(folder).is_dir())?;
    Some(System { folder: PathBuf::from(folder), ending, program: *program, arguments })
}

impl System {
    /// The file that adds a root.
    pub(super) fn file(&self, root: &Root) -> PathBuf {
        self.folder.join(format!("escadre-{}.{}", root.number(), self.ending))
    }

    pub(super) fn has(&self, root: &Root) -> Result<bool, TrustError> {
        Ok(files::read(&self.file(root))?.is_some_and(|there| there == root.pem.as_bytes()))
    }

    pub(super) fn add(&self, root: &Root) -> Result<(), TrustError> {
        allowed()?;
        files::write_atomic(&self.file(root), root.pem.as_bytes(), 0o644)?;
        self.take_in()
    }

    pub(super) fn remove(&self, root: &Root) -> Result<(), TrustError> {
        allowed()?;
        files::remove(&self.file(root))?;
        self.take_in()
    }

    fn take_in(&self) -> Result<(), TrustError> {
        Call::new(self.program, self.arguments).run()?;
        Ok(())
    }
}

fn allowed() -> Result<(), TrustError> {
    if rustix::process::geteuid().is_root() { Ok(()) } else { Err(TrustError::NotRoot) }
}
