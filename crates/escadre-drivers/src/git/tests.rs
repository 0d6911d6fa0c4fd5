//! Tests on a real repository.
use super::*;
use crate::folder::WorkTree;
use escadre_model::tree::{Entry, Tree};
use std::fs;

fn git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
    let arguments: Vec<&str> = who.iter().chain(arguments).copied().collect();
    call(folder, &arguments).run().unwrap();
}

fn text(tree: &dyn Tree, path: &str) -> Option<String> {
    match tree.entry(path).unwrap() {
        Entry::File { bytes, .. } => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        _ => None,
    }
}

#[test]
fn a_commit_is_read_whatever_the_work_tree_holds() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(!is_repository(root).unwrap());
    git(root, &["init", "-q", "-b", "main"]);
    assert_eq!(head(root).unwrap().commit, None);
    fs::create_dir_all(root.join("fleet/instances")).unwrap();
    fs::write(root.join("fleet/fleet.yaml"), "one\n").unwrap();
    fs::write(root.join("fleet/instances/é.yaml"), "accent").unwrap();
    std::os::unix::fs::symlink("/etc", root.join("fleet/link")).unwrap();
    git(root, &["add", "-A"]);
    git(root, &["commit", "-q", "-m", "first"]);
    let first = head(root).unwrap();
    assert_eq!((first.changed.len(), &first.dirty), (0, &None));
    let fleet = root.join("fleet");
    assert!(is_repository(root).unwrap() && is_repository(&fleet).unwrap());
    fs::write(fleet.join("fleet.yaml"), "two\n").unwrap();
    fs::write(fleet.join("new"), "new").unwrap();

    let tree = GitTree::open(&fleet, "HEAD").unwrap();
    assert_eq!(Some(tree.commit()), first.commit.as_ref());
    assert_eq!(text(&tree, "fleet.yaml").as_deref(), Some("one\n"));
    assert_eq!(text(&tree, "instances/é.yaml").as_deref(), Some("accent"));
    assert_eq!(tree.entry("new").unwrap(), Entry::Absent);
    assert!(tree.entry("link").is_err() && tree.entry("link/passwd").is_err() && tree.entry("../x").is_err());
    let Entry::Folder(names) = tree.entry("").unwrap() else { panic!("the root is a folder") };
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["fleet.yaml", "instances", "link"]);

    let now = WorkTree::open(&fleet).unwrap();
    assert_eq!(text(&now, "fleet.yaml").as_deref(), Some("two\n"));
    assert!(matches!(now.entry("new").unwrap(), Entry::File { tracked: false, .. }));
    assert!(matches!(now.entry("fleet.yaml").unwrap(), Entry::File { tracked: true, .. }));
    let second = head(&fleet).unwrap();
    assert_eq!(second.changed.iter().map(|path| &**path).collect::<Vec<_>>(), ["fleet.yaml", "new"]);
    let dirty = second.dirty.unwrap();
    fs::write(fleet.join("new"), "newer").unwrap();
    assert_ne!(head(&fleet).unwrap().dirty.unwrap(), dirty);
}

#[test]
fn a_revision_is_no_option_and_no_path() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    for wrong in ["--output=/tmp/x", "HEAD:fleet.yaml", "", "nothing", "a\nb"] {
        assert!(matches!(commit(folder.path(), wrong), Err(Error::NoCommit(_))), "{wrong}");
    }
}
