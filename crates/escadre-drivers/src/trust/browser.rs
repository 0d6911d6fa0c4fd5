//! Browsers' own databases of authorities (NSS): Chromium's, and one for each of Firefox's profiles.
//!
//! In: a home folder, a root. Out: databases that are there; the root in them, by `certutil`.
//! **Invariant:** a database that is not there is made only where Chromium or Chrome is installed and would make it itself.
//! Not here: browsers that read the system's store.
//! Tests: `tests.rs`, with Chromium `escadre/tests/it/trust.rs`.

use super::{Root, Store, TrustError};
use crate::exec::{Call, Error, Program};
use crate::files;
use std::path::Path;

/// Where Chromium keeps its own, below the home: as a package, as a snap.
const CHROMIUM: &[&str] = &[".pki/nssdb", "snap/chromium/current/.pki/nssdb"];
/// Where Firefox keeps its profiles, below the home.
const FIREFOX: &[&str] =
    &[".mozilla/firefox", "snap/firefox/common/.mozilla/firefox", ".var/app/org.mozilla.firefox/.mozilla/firefox"];
/// Programs that read Chromium's.
const PROGRAMS: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "brave-browser"];
/// The file that makes a folder a database of today's format.
const DATABASE: &str = "cert9.db";

/// The databases below a home.
pub(super) fn find(home: &Path) -> Vec<Store> {
    let store = |whose, folder| Store::Browser { whose, folder };
    let mut found: Vec<Store> = CHROMIUM
        .iter()
        .map(|path| home.join(path))
        .filter(|folder| folder.join(DATABASE).is_file())
        .map(|folder| store("chromium", folder))
        .collect();
    let installed =
        || crate::exec::PATH.split(':').any(|at| PROGRAMS.iter().any(|name| Path::new(at).join(name).exists()));
    if found.is_empty() && home.is_dir() && installed() {
        found.extend(CHROMIUM.first().map(|path| store("chromium", home.join(path))));
    }
    for profiles in FIREFOX.iter().map(|path| home.join(path)) {
        let names = files::list(&profiles).unwrap_or_default();
        let folders = names.into_iter().map(|name| profiles.join(name));
        found.extend(folders.filter(|at| at.join(DATABASE).is_file()).map(|at| store("firefox", at)));
    }
    found
}

fn call(folder: &Path, arguments: &[&str]) -> Call {
    let database = format!("sql:{}", folder.display());
    let all = ["-d", database.as_str()].into_iter().chain(arguments.iter().copied());
    Call::new(Program::Certutil, all)
}

pub(super) fn has(folder: &Path, root: &Root) -> Result<bool, TrustError> {
    if !folder.join(DATABASE).is_file() {
        return Ok(false);
    }
    // `-a` prints the certificate: one of that name and another key is not it.
    match call(folder, &["-L", "-n", &root.name, "-a"]).run() {
        Ok(printed) => {
            let plain = |text: &str| text.lines().map(str::trim).collect::<String>();
            Ok(plain(&String::from_utf8_lossy(&printed)) == plain(&root.pem))
        }
        Err(Error::Failed { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn add(folder: &Path, root: &Root) -> Result<(), TrustError> {
    if !folder.join(DATABASE).is_file() {
        files::ensure_dir(folder, 0o700)?;
        call(folder, &["-N", "--empty-password"]).run()?;
    }
    // It reads the certificate from a file.
    let beside = folder.join("escadre-root.pem");
    files::write_atomic(&beside, root.pem.as_bytes(), 0o600)?;
    let path = beside.to_string_lossy().into_owned();
    // Trusted for servers (C), for nothing else.
    let added = call(folder, &["-A", "-t", "C,,", "-n", &root.name, "-i", &path]).run();
    files::remove(&beside)?;
    added?;
    Ok(())
}

pub(super) fn remove(folder: &Path, root: &Root) -> Result<(), TrustError> {
    call(folder, &["-D", "-n", &root.name]).run()?;
    Ok(())
}
