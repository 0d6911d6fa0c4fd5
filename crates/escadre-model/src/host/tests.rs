//! Spellings, twins, and who vouches for what.

use super::*;

#[test]
fn spellings_of_one_name_are_one() {
    for (written, read_as) in [
        ("Help.Acme.Example", "help.acme.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("XN--bcher-KVA.Example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("straße.example", "xn--strae-oqa.example"),
        ("a-b.example", "a-b.example"),
        ("10.0.0.1", "10.0.0.1"),
    ] {
        assert_eq!(read(written).as_deref(), Ok(read_as), "{written}");
    }
}

#[test]
fn what_is_no_name_says_why() {
    for (written, why) in [
        ("", HostError::Empty),
        ("*.customer.example", HostError::Wildcard),
        ("a.*.example", HostError::Wildcard),
        ("customer.example.", HostError::Dot),
        ("customer.example:80", HostError::More),
        ("https://customer.example", HostError::More),
        ("user@customer.example", HostError::More),
        ("a..b", HostError::Labels),
        ("-a.example", HostError::Labels),
        ("a_b.example", HostError::Labels),
        ("a b.example", HostError::Labels),
        ("a\u{200d}b.example", HostError::International),
        ("\u{202e}moc.example", HostError::International),
        ("xn--a.example", HostError::International),
        ("xn--zz--zz--zz.example", HostError::International),
    ] {
        assert_eq!(read(written), Err(why), "{written:?}");
    }
    assert_eq!(read(&"a".repeat(64)), Err(HostError::Labels));
    assert_eq!(read(&vec!["a".repeat(60); 5].join(".")), Err(HostError::Labels));
}

#[test]
fn a_twin_in_another_script_is_another_name() {
    let (latin, cyrillic) = (read("acme.example"), read("\u{430}cme.example"));
    assert_ne!(latin, cyrillic);
    assert_eq!(cyrillic.as_deref(), Ok("xn--cme-5cd.example"));
    assert_eq!(shown("xn--bcher-kva.example"), "bücher.example (xn--bcher-kva.example)");
    assert_eq!(shown("acme.example"), "acme.example");
}

#[test]
fn endings_decide_who_vouches() {
    for (host, expected) in [
        ("localhost", Reach::Private),
        ("spain.totem.localhost", Reach::Private),
        ("desk.internal", Reach::Private),
        ("a.test", Reach::Private),
        ("printer.home.arpa", Reach::Private),
        ("help.acme.fr", Reach::Public),
        ("example.com", Reach::Public),
        ("mytest", Reach::Bare),
        ("attest.fr", Reach::Public),
        ("test", Reach::Bare),
        ("intranet", Reach::Bare),
        ("home.arpa", Reach::Public),
        ("127.0.0.1", Reach::Bare),
        ("[::1]", Reach::Bare),
    ] {
        assert_eq!(reach(host), expected, "{host}");
    }
}
