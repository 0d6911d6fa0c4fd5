//! Files of our own: read whole, written whole.
//!
//! In: paths and bytes. Out: the same, or which path and why not.
//! **Invariant:** a file is never half written: whoever looks sees the old one or the new one, also after a power cut.
//! Not here: files of a fleet (`folder`, `git`), logs.
//! Tests: `files/tests.rs`.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest file read whole: nothing of ours comes near it.
pub const LARGEST: u64 = 64 << 20;

/// Which path, what was tried, and the system's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{0} cannot be read")]
    Read(PathBuf, #[source] io::Error),
    /// A file has more bytes than are read whole.
    #[error("{0} has more than {LARGEST} bytes")]
    TooLarge(PathBuf),
    /// A file cannot be written.
    #[error("{0} cannot be written")]
    Write(PathBuf, #[source] io::Error),
    /// A file cannot be removed.
    #[error("{0} cannot be removed")]
    Remove(PathBuf, #[source] io::Error),
    /// A folder cannot be made.
    #[error("the folder {0} cannot be made")]
    Folder(PathBuf, #[source] io::Error),
}

/// The bytes of a file; `None`: there is none.
///
/// # Errors
/// When it is there and cannot be read, or is larger than [`LARGEST`].
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::Read(path.to_owned(), error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| Error::Read(path.to_owned(), error))?;
    if bytes.len() as u64 > LARGEST { Err(Error::TooLarge(path.to_owned())) } else { Ok(Some(bytes)) }
}

/// Writes a file beside its place, then moves it there. The mode is the file's, whatever the umask.
///
/// # Errors
/// When the folder does not exist, is not writable, or the disk is full; the old file is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let fail = |error| Error::Write(path.to_owned(), error);
    let name = path.file_name().ok_or_else(|| fail(io::Error::from(io::ErrorKind::InvalidInput)))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| fail(io::Error::other(error)))?;
    let mut new = name.to_owned();
    new.push(format!(".{:016x}.new", u64::from_be_bytes(random)));
    let new = folder.join(new);
    let written = write_new(&new, bytes, mode).and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        // The unfinished copy is worth nothing; that it cannot be removed changes nothing of the answer.
        drop(fs::remove_file(&new));
        return Err(fail(error));
    }
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder and those above it, if they are not there. The mode is given to what is made, and to the folder itself.
///
/// # Errors
/// When it cannot be made, or something else stands there.
pub fn ensure_dir(path: &Path, mode: u32) -> Result<(), Error> {
    let fail = |error| Error::Folder(path.to_owned(), error);
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(fail)?;
    let now = fs::metadata(path).map_err(fail)?.permissions().mode() & 0o7777;
    if now == mode { Ok(()) } else { fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(fail) }
}

/// Removes a file; one that is not there is gone.
///
/// # Errors
/// When the system refuses.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Remove(path.to_owned(), error)),
        _ => Ok(()),
    }
}

/// The names in a folder, in order; one that is not there has none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn list(path: &Path) -> Result<Vec<std::ffi::OsString>, Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::Read(path.to_owned(), error)),
    };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
