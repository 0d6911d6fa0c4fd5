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
    for (from, to, wanted) in [
        ("/w", "/w", "."),
        ("/w", "/w/a/b", "a/b"),
        ("/w/a", "/w/b", "../b"),
        ("/w", "/", ".."),
        ("/", "/w", "w"),
        ("/w", "/web", "../web"),
    ] {
        assert_eq!(relative(from, to), wanted, "{from} {to}");
    }
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
