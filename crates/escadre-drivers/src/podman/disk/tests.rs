//! Whole or not at all.

use super::*;

type Whatever = Result<(), Box<dyn std::error::Error>>;

#[test]
fn a_file_is_written_with_its_mode_and_nothing_stays_beside_it() -> Whatever {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x");
    write_atomic(&path, b"one", 0o444)?;
    write_atomic(&path, b"two", 0o440)?;
    assert_eq!(std::fs::read(&path)?, b"two");
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o7777, 0o440);
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn in_place_keeps_the_inode() -> Whatever {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("hosts");
    write_in_place(&path, b"long long content")?;
    let before = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path)?);
    write_in_place(&path, b"short")?;
    assert_eq!(std::fs::read(&path)?, b"short");
    assert_eq!(before, std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path)?));
    Ok(())
}

#[test]
fn removing_what_is_not_there_is_no_error() -> Whatever {
    let folder = tempfile::tempdir()?;
    assert!(!remove(&folder.path().join("nothing"))?);
    Ok(())
}
