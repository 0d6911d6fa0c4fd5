//! Tests of .dockerignore and of variable names; whole instances are in `tests/it/resolve.rs`.
use super::ignore::Ignore;
use super::single::variables;
use std::collections::BTreeSet;

#[test]
fn dockerignore_patterns_fit_as_documented() {
    let ignore = Ignore::new("# comment\n*.log\nnode_modules\n**/*.tmp\ndocs/*\n!docs/keep.md\n/build\nt?st[0-3]\n");
    for path in ["a.log", "node_modules/x/y.js", "x.tmp", "a/b/x.tmp", "docs/a.md", "build/out", "test1"] {
        assert!(ignore.ignores(path), "{path}");
    }
    for path in ["sub/a.log", "src/node_modules", "docs/keep.md", "rebuild", "test4", "tst1", "x.tmpl"] {
        assert!(!ignore.ignores(path), "{path}");
    }
    let bomb = Ignore::new(&"*a".repeat(200));
    assert!(!bomb.ignores(&"b".repeat(2000)));
}

#[test]
fn names_of_variables_are_found() {
    let mut found = BTreeSet::new();
    variables("$A ${B:-$C} $$D ${E?x} $1 costs 5$ \"${_F}\"", &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["A", "B", "C", "E", "_F"]);
}
