//! Tests of files that are written together.

use super::*;

fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.to_owned(),
        state: None,
        environment: std::collections::BTreeMap::new(),
        who: String::new(),
    }
}

#[test]
fn a_failure_in_the_middle_brings_back_what_stood_there() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("old"), "before").unwrap();
    let landing = |last: &str| {
        let mut landing = Landing::default();
        landing.edit(root.join("old"), Some(b"before".to_vec()), "after".to_owned());
        landing.add(root.join("deep/er/new"), "x", 0o644);
        landing.add(root.join(last), "y", 0o600);
        landing
    };
    // No folder can be made below a file.
    let failed = landing("old/below").write(&settings(root), root);
    assert!(matches!(failed, Err(Fault::Other(Exit::World, _))), "{failed:?}");
    assert_eq!(std::fs::read_to_string(root.join("old")).unwrap(), "before");
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 1, "something was left");
    let written = landing("last").write(&settings(root), root).unwrap();
    assert_eq!(written, ["old", "deep/er/new", "last"]);
    assert_eq!(std::fs::read_to_string(root.join("old")).unwrap(), "after");
    assert_eq!(std::fs::metadata(root.join("last")).unwrap().permissions().mode() & 0o777, 0o600);
    // Meanwhile somebody else has written: the text that was read is not the one that stands there.
    let failed = landing("other").write(&settings(root), root);
    assert!(matches!(failed, Err(Fault::Findings(Exit::Files, _))), "{failed:?}");
    assert!(!root.join("other").exists());
}
