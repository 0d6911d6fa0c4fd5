//! Tests of encryption: there and back, and everything that must be refused.
use super::*;

fn place(of: &str, name: &str) -> Place {
    Place { fleet: "worteks".into(), scope: Scope::Instance, of: of.into(), name: name.into() }
}

fn pair() -> (Recipients, Identities) {
    let identity = new_identity();
    let recipients = Recipients::new([("ops", identity.recipient.as_str())]).unwrap();
    let mut identities = Identities::none();
    identities.add("test", std::str::from_utf8(identity.secret.reveal()).unwrap()).unwrap();
    (recipients, identities)
}

#[test]
fn a_value_comes_back_only_in_its_place() {
    let (recipients, identities) = pair();
    let acme = place("acme", "db_password");
    let block = encrypt(&recipients, &acme, &Secret::new(b"hunter2-canary".to_vec())).unwrap();
    assert!(block.starts_with(escadre_model::fleet::ARMOUR_BEGIN));
    assert!(!block.contains("canary"));
    assert_eq!(decrypt(&identities, &acme, &block).unwrap().reveal(), b"hunter2-canary");
    let indented: String = block.lines().map(|line| format!("  {line}\n")).collect();
    assert_eq!(decrypt(&identities, &acme, &indented).unwrap().reveal(), b"hunter2-canary");
    for other in [place("birch", "db_password"), place("acme", "SMTP_PASSWORD")] {
        let error = decrypt(&identities, &other, &block).unwrap_err();
        assert_eq!(error.code(), Code::E0602, "{error}");
        assert!(!error.to_string().contains("canary"));
    }
    let mut other = acme.clone();
    other.scope = Scope::Fleet;
    assert_eq!(decrypt(&identities, &other, &block).unwrap_err().code(), Code::E0602);
}

#[test]
fn bytes_that_are_no_text_come_back() {
    let (recipients, identities) = pair();
    let value = Secret::new(vec![0, 255, 10, 254]);
    let block = encrypt(&recipients, &place("a", "b"), &value).unwrap();
    assert_eq!(decrypt(&identities, &place("a", "b"), &block).unwrap().reveal(), value.reveal());
}

#[test]
fn strangers_and_damaged_blocks_are_refused() {
    let (recipients, identities) = pair();
    let (_, strangers) = pair();
    let block = encrypt(&recipients, &place("a", "b"), &Secret::new(b"x".to_vec())).unwrap();
    assert!(matches!(decrypt(&strangers, &place("a", "b"), &block), Err(Error::NotForUs)));
    assert!(matches!(decrypt(&Identities::none(), &place("a", "b"), &block), Err(Error::NoIdentity)));
    let damaged = block.replacen('A', "B", 3);
    assert_eq!(decrypt(&identities, &place("a", "b"), &damaged).unwrap_err().code(), Code::E0603);
    assert!(decrypt(&identities, &place("a", "b"), "").is_err());
}

#[test]
fn an_ssh_key_works_both_ways() {
    // Made for this test and used nowhere.
    let (public, private) = include!("test_key.rs");
    let recipients = Recipients::new([("ops", public)]).unwrap();
    let mut identities = Identities::none();
    identities.add("ssh", private).unwrap();
    let block = encrypt(&recipients, &place("a", "b"), &Secret::new(b"x".to_vec())).unwrap();
    assert_eq!(decrypt(&identities, &place("a", "b"), &block).unwrap().reveal(), b"x");
    // The public half is found in the private one; the comment is not.
    let found = public_of("ssh", private).unwrap();
    assert_eq!(found.len(), 1);
    assert!(public.starts_with(&found[0]) && found[0].len() > 60, "{found:?}");
    let identity = new_identity();
    let file = format!("# mine\n\n{}\n", std::str::from_utf8(identity.secret.reveal()).unwrap());
    assert_eq!(public_of("age", &file).unwrap(), [identity.recipient]);
    assert!(public_of("none", "AGE-SECRET-KEY-1CANARY").is_err_and(|error| !error.to_string().contains("CANARY")));
}

#[test]
fn keys_that_are_none_are_refused_without_being_repeated() {
    let mut identities = Identities::none();
    let error = identities.add("file", "AGE-SECRET-KEY-1CANARY").unwrap_err();
    assert_eq!(error.code(), Code::E0604);
    assert!(!error.to_string().contains("CANARY"));
    assert!(identities.add("file", "# only a comment\n").is_err());
    assert_eq!(Recipients::new([("ops", "age1nonsense")]).unwrap_err().code(), Code::E0605);
    assert!(matches!(Recipients::new([]), Err(Error::NoRecipients)));
}

#[test]
fn the_hash_key_comes_back_for_its_fleet() {
    let (recipients, identities) = pair();
    let key = new_hash_key().unwrap();
    let text = encrypt_hash_key(&recipients, "worteks", &key).unwrap();
    assert_eq!(decrypt_hash_key(&identities, "worteks", &text).unwrap().reveal(), key.reveal());
    assert_eq!(decrypt_hash_key(&identities, "other", &text).unwrap_err().code(), Code::E0602);
}

#[test]
fn passwords_are_made_of_their_alphabet() {
    let one = generate(1000, "abc").unwrap();
    assert_eq!(one.reveal().len(), 1000);
    for letter in b"abc" {
        let share = one.reveal().iter().filter(|byte| *byte == letter).count();
        assert!((200..=470).contains(&share), "{share} of 1000 are {}", char::from(*letter));
    }
    assert_ne!(one.reveal(), generate(1000, "abc").unwrap().reveal());
    assert!(generate(8, "").is_err());
}
