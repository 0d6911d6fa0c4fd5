//! Tests of path arithmetic.
use super::*;

#[test]
fn cleans_and_joins() {
    for (path, wanted) in [
        ("a/./b//c/..", "a/b"),
        ("/../a", "/a"),
        ("..", ".."),
        ("a/..", "."),
        ("../../x", "../../x"),
        ("/", "/"),
        ("", "."),
    ] {
        assert_eq!(clean(path), wanted, "{path}");
    }
    assert_eq!(join("/w", "./a"), "/w/a");
    assert_eq!(join("/w", "/a"), "/a");
    assert_eq!(parent("/w/a.yaml"), "/w");
    assert_eq!(parent("/a"), "/");
    assert_eq!(parent("a"), ".");
}

#[test]
fn contexts_elsewhere_stay() {
    let base = Base { folder: "/w", home: Some("/home/u") };
    assert_eq!(base.context("https://example.org/x.git"), "https://example.org/x.git");
    assert_eq!(base.context("service:base"), "service:base");
    assert_eq!(base.context("./app"), "/w/app");
    assert_eq!(base.any_kind("C:\\data"), "C:\\data");
    assert_eq!(base.any_kind("~/data"), "/home/u/data");
}
