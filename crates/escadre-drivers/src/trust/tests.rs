//! Whose roots are recognised; databases of browsers, with `certutil` where it is installed.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, GeneralSubtree, IsCa, KeyPair, NameConstraints};

fn root() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().expect("a folder");
    let root = Root::of(dir.path()).expect("made");
    (dir, root)
}

#[test]
fn an_authoritys_root_is_read_back_from_a_file_and_nothing_else_is() {
    let (dir, root) = root();
    assert_eq!(Root::there(dir.path()).expect("read"), Some(root.clone()));
    assert_eq!(root.number().len(), 8);
    let path = dir.path().join("root.pem");
    std::fs::write(&path, format!("for my laptop\n{}more words\n", root.pem)).expect("written");
    assert_eq!(Root::read(&path).expect("recognised"), root);
    // An authority for every name there is, whatever it is called; one for too many; and no authority at all.
    let made = |constraints: Option<Vec<GeneralSubtree>>| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Escadre local authority of host (00000000)");
        params.name_constraints =
            constraints.map(|permitted_subtrees| NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        params.self_signed(&KeyPair::generate().expect("a key")).expect("signed").pem()
    };
    let name = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    for text in [
        made(None),
        made(Some(vec![name("localhost")])),
        made(Some(vec![name("localhost"), name("fr")])),
        made(Some(vec![name("localhost"), name("")])),
        "nonsense".to_owned(),
        String::new(),
    ] {
        std::fs::write(&path, &text).expect("written");
        assert!(matches!(Root::read(&path), Err(TrustError::Foreign(_))), "{text}");
    }
    assert!(Root::read(&dir.path().join("nothing")).is_err());
}

#[test]
fn a_browsers_database_takes_the_root_in_and_lets_it_go() {
    let (dir, root) = root();
    let home = dir.path().join("home");
    let chromium = home.join(".pki/nssdb");
    let profile = home.join(".mozilla/firefox/abc.default");
    std::fs::create_dir_all(&profile).expect("made");
    let store = Store::Browser { whose: "chromium", folder: chromium.clone() };
    match store.add(&root) {
        Err(error) if error.missing().is_some() => {
            assert_eq!(error.missing(), Some("libnss3-tools"));
            skip("certutil is not installed");
            return;
        }
        added => assert_eq!(added.expect("added"), Changed::Added),
    }
    assert_eq!(store.add(&root).expect("there"), Changed::NotNeeded);
    assert!(store.has(&root).expect("asked"));
    let left: Vec<_> = files::list(&chromium).expect("listed");
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("pem")), "{left:?}");
    // Another machine's root beside it is another one.
    let (_other, second) = self::root();
    assert!(!store.has(&second).expect("asked"));
    store.add(&second).expect("added");
    assert_eq!(store.remove(&root).expect("removed"), Changed::Updated);
    assert_eq!(store.remove(&root).expect("gone"), Changed::NotNeeded);
    assert!(store.has(&second).expect("asked"));
    // A profile of Firefox counts once it has a database.
    let firefox = |found: &[Store]| found.iter().filter(|store| store.whose() == "firefox").count();
    assert_eq!(firefox(&browser::find(&home)), 0);
    browser::add(&profile, &root).expect("added");
    let found = browser::find(&home);
    assert_eq!((firefox(&found), found.iter().filter(|store| store.whose() == "chromium").count()), (1, 1));
}

fn skip(why: &str) {
    if let Some(path) = std::env::var_os("ESCADRE_TEST_SKIPS") {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("the list of skips");
        writeln!(file, "trust: {why}").expect("written");
    }
}
