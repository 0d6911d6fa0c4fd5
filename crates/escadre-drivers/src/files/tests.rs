//! Tests on a real folder.
use super::*;

#[test]
fn a_file_is_replaced_whole_with_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/secret");
    assert!(read(&path).unwrap().is_none());
    assert!(write_atomic(&path, b"x", 0o600).is_err(), "its folder is not there");
    ensure_dir(path.parent().unwrap(), 0o700).unwrap();
    write_atomic(&path, b"one", 0o600).unwrap();
    write_atomic(&path, b"two", 0o640).unwrap();
    assert_eq!(read(&path).unwrap().unwrap(), b"two");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}
