//! Files of the state folder: written whole or not at all.
//!
//! In: paths, bytes, modes. Out: files and folders.
//! **Invariant:** a reader sees the former content or the new one, never a part; a file is on the disk before it has its name.
//! Not here: what is in them.
//! Tests: `disk/tests.rs`.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A folder exists, with everything above it; the mode is for what is made.
///
/// # Errors
/// When it cannot be made.
pub(super) fn ensure_dir(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// A name beside `path` that nobody else uses.
pub(super) fn beside(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}.{number}", std::process::id()))
}

/// Writes a file whole: to a name beside it, to the disk, then renamed.
///
/// # Errors
/// When any of it fails; the former file is untouched then.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_owned(path, bytes, mode, None, None)
}

/// [`write_atomic`] with an owner.
///
/// # Errors
/// When any of it fails; the former file is untouched then.
pub(super) fn write_owned(path: &Path, bytes: &[u8], mode: u32, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let beside = beside(path);
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        if uid.is_some() || gid.is_some() {
            std::os::unix::fs::fchown(&file, uid, gid)?;
        }
        // After the owner: changing it takes special bits away. Set here, because the process' mask does not count then.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    })();
    if written.is_err() {
        // The failure that matters is the first one; a file left over is harmless and has a name of its own.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Rewrites a file in place, keeping its inode: a container that has it bind-mounted sees the new content. Small files only; one `write`.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path)?;
    // One write that covers the old content, the rest empty lines, then the cut: a reader in between sees no part of a line.
    let old = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    let mut whole = bytes.to_vec();
    whole.resize(old.max(bytes.len()), b'\n');
    file.write_all(&whole)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

/// What stands in a file; nothing when there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file or folder is gone.
///
/// # Errors
/// When it is there and cannot be removed.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    let gone = match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
