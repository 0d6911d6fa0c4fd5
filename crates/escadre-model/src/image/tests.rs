//! References, as distribution's own tests have them, and as people slip.

use super::*;

#[test]
fn what_engines_take() {
    let long = format!("a/{}", "b".repeat(253));
    for (text, registry, path, tag) in [
        ("redis", None, "redis", None),
        ("redis:7.4", None, "redis", Some("7.4")),
        ("bitnami/redis", None, "bitnami/redis", None),
        ("localhost/x:1", Some("localhost"), "x", Some("1")),
        ("localhost:5000/x", Some("localhost:5000"), "x", None),
        ("UPPER/case:tag", Some("UPPER"), "case", Some("tag")),
        ("test.com/a/b__c/d--e.f_g:V-1.0_x", Some("test.com"), "a/b__c/d--e.f_g", Some("V-1.0_x")),
        ("[2001:db8::1]:5000/repo:tag", Some("[2001:db8::1]:5000"), "repo", Some("tag")),
        ("[::1]/repo", Some("[::1]"), "repo", None),
        ("xn--n3h.com/myimage:xn--n3h.com", Some("xn--n3h.com"), "myimage", Some("xn--n3h.com")),
        ("foo_bar.com:8080", None, "foo_bar.com", Some("8080")),
        (&long, None, &long, None),
    ] {
        assert_eq!(Reference::parse(text), Ok(Reference { registry, path, tag, digest: None }), "{text}");
    }
    let digest = format!("sha256:{}", "f".repeat(64));
    let text = format!("test:5000/repo:tag@{digest}");
    let whole = Reference { registry: Some("test:5000"), path: "repo", tag: Some("tag"), digest: Some(&digest) };
    assert_eq!(Reference::parse(&text), Ok(whole));
    let id = "0".repeat(64);
    assert!(Reference::parse(&id).is_ok());
    assert!(Reference::parse("repo@other:ffffffffffffffffffffffffffffffff").is_ok(), "a digest of another kind");
}

#[test]
fn what_no_engine_takes() {
    let tag = format!("a:{}", "t".repeat(129));
    let long = format!("a/{}", "b".repeat(254));
    for (text, why) in [
        ("", ImageError::Empty),
        ("redis :7", ImageError::Space),
        ("https://registry.example.org/x", ImageError::Scheme),
        ("UPPER/case:tag:tag", ImageError::Tag),
        ("Uppercase:tag", ImageError::Capitals),
        ("test:5000/Uppercase/x:tag", ImageError::Capitals),
        (":justtag", ImageError::Path),
        ("a//b", ImageError::Path),
        ("a/b/", ImageError::Path),
        ("a__b___c", ImageError::Path),
        ("a..b", ImageError::Path),
        ("repo:", ImageError::Tag),
        ("repo:-x", ImageError::Tag),
        (tag.as_str(), ImageError::Tag),
        ("repo@sha256:ffff", ImageError::Digest),
        ("repo@", ImageError::Digest),
        ("repo@-sha:ffffffffffffffffffffffffffffffff", ImageError::Digest),
        ("a-/b", ImageError::Path),
        ("-registry.example.org/x", ImageError::Registry),
        ("a.b:x/y", ImageError::Registry),
        ("${TAG}", ImageError::Capitals),
        (long.as_str(), ImageError::Long),
    ] {
        assert_eq!(Reference::parse(text), Err(why), "{text}");
    }
}
