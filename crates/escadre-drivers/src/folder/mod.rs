//! Folders as trees: the captured work tree of a fleet, and the open view of a fleet of one.
//!
//! In: a folder. Out: [`WorkTree`] (nothing outside is readable, links are not followed), [`OpenFolder`] (as Compose would see).
//! **Invariant:** the same path gives the same bytes for the life of a tree, whatever happens on the disk meanwhile.
//! Not here: commits (`git`).
//! Tests: `folder/tests.rs`.

mod open;
#[cfg(test)]
mod tests;
mod work;

pub use open::OpenFolder;
pub use work::WorkTree;

use escadre_model::tree;
use std::io::{self, Read};
use std::sync::Arc;

/// The largest file of a tree that is read: data belongs into volumes, not into the repository.
pub const LARGEST: u64 = 32 << 20;

/// A path of a tree in its plain form: without `.`, empty parts and a `/` at the end.
pub(crate) fn checked(path: &str) -> Result<String, tree::Error> {
    if path.starts_with('/') || path.contains('\0') {
        return Err(tree::Error::Outside(path.into()));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return Err(tree::Error::Outside(path.into())),
            ".." => {}
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// All bytes of a file, up to [`LARGEST`].
fn bytes(path: &str, file: std::fs::File) -> Result<Arc<[u8]>, tree::Error> {
    let mut bytes = Vec::new();
    let size = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    if size > LARGEST {
        return Err(tree::Error::TooLarge(path.into(), size, LARGEST));
    }
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    let read = bytes.len() as u64;
    if read > LARGEST { Err(tree::Error::TooLarge(path.into(), read, LARGEST)) } else { Ok(bytes.into()) }
}

fn unreadable(path: &str, error: &io::Error) -> tree::Error {
    tree::Error::Unreadable { path: path.into(), why: error.to_string().into() }
}
