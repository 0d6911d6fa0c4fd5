//! The root is made once, is careful with its key, and is trusted for private names only.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn it_is_made_once_and_its_key_is_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(Authority::there(dir.path()).expect("read").is_none());
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| Authority::open(dir.path()).expect("opened"));
        let two = Authority::open(dir.path()).expect("opened");
        (one.join().expect("no panic"), two)
    });
    assert_eq!((one.root(), one.name()), (two.root(), two.name()));
    let mode = |path: &str| fs::metadata(folder(dir.path()).join(path)).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode("root.key"), mode("")), (0o600, 0o700));
    assert!(one.name().starts_with("Escadre local authority of "), "{}", one.name());
    assert!(one.ends() > SystemTime::now() + ROOT_LIFE - Duration::from_secs(3600));
}

#[test]
fn private_names_are_certified_and_no_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let authority = Authority::open(dir.path()).expect("opened");
    let leaf = authority.certify("spain.totem.localhost").expect("certified");
    assert_eq!(leaf.names(), ["spain.totem.localhost"]);
    assert_eq!(leaf.issuer(), authority.name());
    assert!(leaf.unfit(["spain.totem.localhost"], SystemTime::now()).is_empty());
    for host in ["help.acme.fr", "intranet", "127.0.0.1", "localhost.evil.fr"] {
        assert!(matches!(authority.certify(host), Err(AuthorityError::NotPrivate(_))), "{host}");
    }
}

#[test]
fn a_damaged_one_is_not_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = Authority::open(dir.path()).expect("opened").root().to_owned();
    let other = tempfile::tempdir().expect("a folder");
    Authority::open(other.path()).expect("opened");
    let key = folder(dir.path()).join("root.key");
    for text in
        [fs::read_to_string(folder(other.path()).join("root.key")).expect("read"), "nonsense".to_owned(), String::new()]
    {
        fs::write(&key, text).expect("written");
        let error = Authority::open(dir.path()).expect_err("damaged");
        assert!(matches!(error, AuthorityError::Damaged { .. }), "{error}");
        assert_eq!(fs::read_to_string(folder(dir.path()).join("root.pem")).expect("read"), root);
    }
}

/// Judged by the library that checks certificates for clients; curl and Chromium do it in the black-box tests.
#[test]
fn the_root_says_itself_that_it_is_for_private_names() {
    let dir = tempfile::tempdir().expect("a folder");
    let authority = Authority::open(dir.path()).expect("opened");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.root().as_bytes()).expect("a root")).expect("added");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build();
    let verifier = verifier.expect("a verifier");
    let judge = |host: &str| {
        // Past our own check: what a thief of the key would make.
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let made = params.signed_by(&key, &authority.issuer).expect("signed");
        use rustls::client::danger::ServerCertVerifier;
        let name = host.to_owned().try_into().expect("a server's name");
        verifier.verify_server_cert(made.der(), &[], &name, &[], rustls::pki_types::UnixTime::now()).is_ok()
    };
    for host in ["a.localhost", "localhost", "desk.internal", "x.y.test", "192.168.1.7"] {
        assert!(judge(host), "{host}");
    }
    for host in ["help.acme.fr", "www.google.com", "localhost.evil.fr", "8.8.8.8"] {
        assert!(!judge(host), "{host}");
    }
}
