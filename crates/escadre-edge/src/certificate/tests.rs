//! What is a certificate, what is none, and what it says about itself.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;

struct Made {
    chain: String,
    root: String,
    key: String,
}

/// A certificate for these names, signed by a root of its own, from so many days ago to so many days ahead.
fn made(names: &[&str], days: (u64, u64)) -> Made {
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "A test authority");
    let root_pem = root.self_signed(&root_key).expect("a root").pem();
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(names).expect("names");
    let now = SystemTime::now();
    let day = Duration::from_secs(24 * 3600);
    params.not_before = (now - day * u32::try_from(days.0).expect("days")).into();
    params.not_after = (now + day * u32::try_from(days.1).expect("days")).into();
    if days.1 == 0 {
        params.not_after = (now - Duration::from_secs(60)).into();
    }
    let made = params.signed_by(&key, &Issuer::new(root, root_key)).expect("signed");
    Made { chain: made.pem(), root: root_pem, key: key.serialize_pem() }
}

#[test]
fn chain_and_key_are_read_in_one_text_or_two_and_in_any_company() {
    let made = made(&["Help.Acme.Example", "*.acme.example"], (1, 89));
    let text = format!("some words before\n{}\n{}\n{}", made.key, made.chain, made.root);
    for read in [
        Certificate::read(text.as_bytes()),
        Certificate::read_apart(format!("{}{}", made.chain, made.root).as_bytes(), made.key.as_bytes()),
        Certificate::read(text.replace('\n', "\r\n").as_bytes()),
    ] {
        let read = read.expect("a certificate");
        assert_eq!(read.names(), ["help.acme.example", "*.acme.example"]);
        assert_eq!(read.issuer(), "A test authority");
        let now = SystemTime::now();
        assert!(read.is_valid(now) && read.unfit(["help.acme.example"], now).is_empty());
        let left = read.due().duration_since(now).expect("later").as_secs() / (24 * 3600);
        assert!((58..=59).contains(&left), "two thirds of ninety days, one of them over: {left}");
        for (host, covered) in [
            ("help.acme.example", true),
            ("www.acme.example", true),
            ("acme.example", false),
            ("a.b.acme.example", false),
            (".acme.example", false),
            ("help.acme.example.evil.example", false),
        ] {
            assert_eq!(read.covers(host), covered, "{host}");
        }
    }
}

#[test]
fn what_is_none_says_why_and_never_quotes_the_key() {
    let (one, two) = (made(&["a.test"], (1, 9)), made(&["b.test"], (1, 9)));
    let locked = one.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let inner: String = one.key.lines().skip(1).take(1).collect();
    let table: Vec<(&str, String, CertificateError)> = vec![
        ("nothing", String::new(), CertificateError::NoCertificate),
        ("a key alone", one.key.clone(), CertificateError::NoCertificate),
        ("a certificate alone", one.chain.clone(), CertificateError::NoKey),
        ("two keys", format!("{}{}{}", one.chain, one.key, two.key), CertificateError::SeveralKeys),
        ("a locked key", format!("{}{locked}", one.chain), CertificateError::EncryptedKey),
        ("another's key", format!("{}{}", one.chain, two.key), CertificateError::KeyMismatch),
        ("the root first", format!("{}{}{}", one.root, one.chain, one.key), CertificateError::WrongOrder),
        ("a stranger's root", format!("{}{}{}", one.chain, two.chain, one.key), CertificateError::BrokenChain(1)),
        (
            "a key that is none",
            format!("{}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", one.chain),
            CertificateError::UnusableKey,
        ),
        (
            "a certificate that is none",
            format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{}", one.key),
            CertificateError::Unreadable(1),
        ),
        ("too much", "x".repeat(MOST_BYTES + 1), CertificateError::TooLarge),
        ("a long chain", format!("{}{}", one.chain.repeat(17), one.key), CertificateError::TooLarge),
    ];
    for (what, text, expected) in table {
        let error = Certificate::read(text.as_bytes()).expect_err(what);
        assert_eq!(error, expected, "{what}");
        assert!(!error.to_string().contains(&inner), "{what}: {error}");
    }
    let cut = format!("{}{}", one.chain, one.key.replace("-----END PRIVATE KEY-----", ""));
    let error = Certificate::read(cut.as_bytes()).expect_err("no end");
    assert!(matches!(error, CertificateError::NotPem(_)) && !error.to_string().contains(&inner), "{error}");
}

#[test]
fn time_and_names_are_judged() {
    let now = SystemTime::now();
    let text = |made: &Made| format!("{}{}", made.chain, made.key);
    let over = Certificate::read(text(&made(&["a.test"], (9, 0))).as_bytes()).expect("read");
    assert!(!over.is_valid(now));
    let unfit = over.unfit(["a.test", "b.test"], now);
    assert!(matches!(&unfit[..], [Unfit::Expired(_), Unfit::OtherNames { host, .. }] if host == "b.test"), "{unfit:?}");
    assert!(unfit[1].to_string().contains("it does not name b.test; it names a.test"), "{}", unfit[1]);
    let early = Certificate::read(text(&made(&["a.test"], (0, 9))).as_bytes()).expect("read");
    let before = now - Duration::from_secs(3600);
    assert!(matches!(&early.unfit(["a.test"], before)[..], [Unfit::NotYet(_)]));
}
