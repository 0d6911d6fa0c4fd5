//! What is brought, and what is said about it.

use super::*;
use rcgen::{CertificateParams, KeyPair};

fn pem(names: &[&str], days: u32) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).expect("names");
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(60)).into();
    params.not_after = (now + Duration::from_secs(24 * 3600) * days).into();
    (params.self_signed(&key).expect("signed").pem(), key.serialize_pem())
}

fn https(chain: &str, key: Option<&str>) -> Https {
    let from = CertificateSource::Secret { chain: SecretRef::new(chain), key: key.map(SecretRef::new), hash: None };
    Https { from, plain: None, hsts_s: None }
}

#[test]
fn one_secret_or_two_make_the_same_certificate() {
    let (chain, key) = pem(&["a.fr", "www.a.fr"], 90);
    let reveal = |name: &SecretRef| {
        let text = match &*name.0 {
            "both" => format!("{key}{chain}"),
            "chain" => chain.clone(),
            "key" => key.clone(),
            _ => return None,
        };
        Some(Secret::new(text.into_bytes()))
    };
    let one = judge(&https("both", None), ["a.fr", "www.a.fr"], &reveal).expect("good").expect("brought");
    let two = judge(&https("chain", Some("key")), ["a.fr"], &reveal).expect("good").expect("brought");
    assert_eq!((&one.id, one.ends_soon), (&two.id, None));
    assert!(escadre_model::routes::is_file_id(&one.id), "{}", one.id);
    assert!(Certificate::read(two.text().reveal()).is_ok(), "the edge reads one text");
    for unread in [https("nobody", None), https("chain", Some("nobody"))] {
        assert!(judge(&unread, ["a.fr"], &reveal).expect("unknown").is_none());
    }
    let usual = Https { from: CertificateSource::Usual, plain: None, hsts_s: None };
    assert!(judge(&usual, ["a.fr"], &reveal).expect("nothing to judge").is_none());
    let said = judge(&https("chain", Some("chain")), ["a.fr"], &reveal).expect_err("no key").to_string();
    assert!(said.starts_with("the secret chain is no certificate for the edge: it holds no private key"), "{said}");
    let said = judge(&https("both", None), ["b.fr"], &reveal).expect_err("another name").to_string();
    assert_eq!(
        said,
        "the certificate in the secret both cannot be used: it does not name b.fr; it names a.fr, www.a.fr"
    );
}

#[test]
fn one_that_ends_soon_is_told_and_used() {
    let (chain, key) = pem(&["a.fr"], 20);
    let reveal = |_: &SecretRef| Some(Secret::new(format!("{chain}{key}").into_bytes()));
    assert!(judge(&https("x", None), ["a.fr"], &reveal).expect("good").expect("brought").ends_soon.is_some());
}
