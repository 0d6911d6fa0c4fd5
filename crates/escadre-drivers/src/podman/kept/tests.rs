//! What is kept, and for how long.

use super::*;

#[test]
fn the_old_go_and_then_the_oldest_until_the_rest_fits() {
    let logs = tempfile::tempdir().unwrap();
    let folder = logs.path().join("totem/france");
    disk::ensure_dir(&folder, 0o700).unwrap();
    let now = SystemTime::now();
    for (name, days) in [("a", 20), ("b", 3), ("c", 2), ("d", 1)] {
        let path = folder.join(name);
        std::fs::write(&path, [0; 100]).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(now - Duration::from_secs(days * 86_400)).unwrap();
    }
    std::fs::write(logs.path().join("stray"), "").unwrap();
    let left = || {
        let mut names: Vec<_> = entries(&folder).unwrap();
        names.sort();
        names.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    sweep(logs.path(), now, AGE, BYTES).unwrap();
    assert_eq!(left(), ["b", "c", "d"]);
    sweep(logs.path(), now, AGE, 250).unwrap();
    assert_eq!(left(), ["c", "d"]);
}
