//! Tests on a real folder: links, pipes, large files, paths that lead out.
use super::*;
use escadre_model::tree::{Entry, Error, Tree};
use std::fs;

#[test]
fn nothing_outside_is_readable() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "x").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    fs::write(folder.path().join("a/b/file"), "one").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("a/out")).unwrap();
    std::os::unix::fs::symlink("b/file", folder.path().join("a/in")).unwrap();
    let tree = WorkTree::open(folder.path()).unwrap();
    assert!(matches!(tree.entry("a/b/file").unwrap(), Entry::File { tracked: true, .. }));
    assert!(matches!(tree.entry("a/out/secret"), Err(Error::Link(_))));
    assert!(matches!(tree.entry("a/out"), Err(Error::Link(_))));
    assert!(matches!(tree.entry("a/in"), Err(Error::Link(_))));
    assert!(matches!(tree.entry("a/../../secret"), Err(Error::Outside(_))));
    assert!(matches!(tree.entry("/etc/passwd"), Err(Error::Outside(_))));
    assert_eq!(tree.entry("a/b/file/below").unwrap(), Entry::Absent);
    assert_eq!(tree.entry("a/none").unwrap(), Entry::Absent);
    let Entry::Folder(names) = tree.entry("a").unwrap() else { panic!("a is a folder") };
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["b", "in", "out"]);
}

#[test]
fn a_tree_does_not_change_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), "one").unwrap();
    let (tree, open) = (WorkTree::open(folder.path()).unwrap(), OpenFolder::new(folder.path()));
    let before = (tree.entry("f").unwrap(), open.entry("f").unwrap());
    fs::write(folder.path().join("f"), "two").unwrap();
    assert_eq!((tree.entry("f").unwrap(), open.entry("f").unwrap()), before);
}

#[test]
fn large_files_and_pipes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::File::create(folder.path().join("large")).unwrap().set_len(100 << 20).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    for tree in [&WorkTree::open(folder.path()).unwrap() as &dyn Tree, &OpenFolder::new(folder.path())] {
        assert!(matches!(tree.entry("large"), Err(Error::TooLarge(..))));
        assert!(matches!(tree.entry("pipe"), Err(Error::Unreadable { .. })));
    }
}
