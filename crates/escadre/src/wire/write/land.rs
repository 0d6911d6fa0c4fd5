//! Several files, all of them or none.
//!
//! In: paths and texts. Out: files on disk.
//! **Invariant:** a failure in the middle brings back what stood there; a new file never takes the place of another; no link is followed
//! out of the fleet.
//! Not here: what stands in the files.
//! Tests: `tests/it/write.rs`.

use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use escadre_drivers::files;
use escadre_model::diagnostic::{Code, Diagnostic};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Files to be written.
#[derive(Default)]
pub(in crate::wire) struct Landing(Vec<Item>);

struct Item {
    path: PathBuf,
    bytes: Vec<u8>,
    mode: u32,
    /// The bytes it replaces; `None`: nothing may stand there.
    before: Option<Vec<u8>>,
}

impl Landing {
    /// A file that is not there yet.
    pub(in crate::wire) fn add(&mut self, path: PathBuf, bytes: impl Into<Vec<u8>>, mode: u32) {
        self.0.push(Item { path, bytes: bytes.into(), mode, before: None });
    }

    /// A file whose text was read and edited; `before` is `None` for a new one.
    pub(in crate::wire) fn edit(&mut self, path: PathBuf, before: Option<Vec<u8>>, text: String) {
        let mode = std::fs::metadata(&path).map_or(0o644, |about| about.permissions().mode() & 0o777);
        self.0.push(Item { path, bytes: text.into_bytes(), mode, before });
    }

    /// Writes them all; their paths as a person in the working folder names them.
    ///
    /// # Errors
    /// When something is in the way or cannot be written; nothing has changed then.
    pub(in crate::wire) fn write(self, settings: &Settings, root: &Path) -> Result<Vec<String>, Fault> {
        let mut findings = Vec::new();
        for item in &self.0 {
            findings.extend(item.obstacle(settings, root));
        }
        if !findings.is_empty() {
            let taken = findings.iter().all(|finding| finding.code == Code::E0502);
            return Err(Fault::Findings(if taken { Exit::CommandLine } else { Exit::Files }, findings));
        }
        let mut done: Vec<&Item> = Vec::new();
        let mut made: Vec<PathBuf> = Vec::new();
        for item in &self.0 {
            let put = item.put(&mut made);
            done.push(item);
            if let Err(error) = put {
                let mut error = anyhow::Error::new(error);
                for item in done.iter().rev() {
                    if let Err(worse) = item.back() {
                        error = error.context(format!("{} could not be brought back: {worse}", item.path.display()));
                    }
                }
                for folder in made.iter().rev() {
                    // A folder that somebody has filled meanwhile stays.
                    let _ = std::fs::remove_dir(folder);
                }
                return Err(Fault::world(error.context("not everything could be written, so nothing was")));
            }
        }
        Ok(self.0.iter().map(|item| shown(settings, &item.path)).collect())
    }
}

impl Item {
    /// What keeps it from being written.
    fn obstacle(&self, settings: &Settings, root: &Path) -> Option<Diagnostic> {
        let name = shown(settings, &self.path);
        if self.before.is_none() && self.path.symlink_metadata().is_ok() {
            let message = format!("{name} is there already, and nothing is overwritten");
            return Some(Diagnostic::error(Code::E0502, message).hint("take another name, or remove it first"));
        }
        // Somebody else may have written while a question was answered.
        if self.before.is_some() && !matches!(files::read(&self.path), Ok(now) if now == self.before) {
            let message = format!("{name} was changed by somebody else meanwhile; nothing was written");
            return Some(Diagnostic::error(Code::E0517, message).hint("do it again"));
        }
        let inside = self.path.strip_prefix(root).ok()?;
        let mut path = root.to_owned();
        for part in inside {
            path.push(part);
            if path.symlink_metadata().is_ok_and(|about| about.is_symlink()) {
                let message = format!("{} is a link, and nothing is written through links", shown(settings, &path));
                return Some(Diagnostic::error(Code::E0515, message));
            }
        }
        None
    }

    fn put(&self, made: &mut Vec<PathBuf>) -> Result<(), files::Error> {
        if let Some(folder) = self.path.parent() {
            let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
            // A key's folder is its owner's alone.
            let mode = if self.mode & 0o077 == 0 { 0o700 } else { 0o755 };
            if !missing.is_empty() {
                made.extend(missing.iter().rev().map(|folder| (*folder).to_owned()));
                files::ensure_dir(folder, mode)?;
            }
        }
        files::write_atomic(&self.path, &self.bytes, self.mode)
    }

    fn back(&self) -> Result<(), files::Error> {
        let now = files::read(&self.path)?;
        match &self.before {
            // Where writing failed, what stood there stands there still.
            before if now == *before => Ok(()),
            Some(bytes) => files::write_atomic(&self.path, bytes, self.mode),
            None => std::fs::remove_file(&self.path).map_err(|error| files::Error::Write(self.path.clone(), error)),
        }
    }
}

/// A path as a person in the working folder names it.
pub(in crate::wire) fn shown(settings: &Settings, path: &Path) -> String {
    path.strip_prefix(&settings.folder).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests;
