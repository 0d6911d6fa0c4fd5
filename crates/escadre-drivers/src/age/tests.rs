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
    let (public, private) = include!("test_key.inc");
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
    let folder = tempfile::tempdir().unwrap();
    let tree = || crate::folder::WorkTree::open(folder.path()).unwrap();
    assert!(hash_key(&tree(), "worteks", &identities).unwrap().is_none(), "there is none yet");
    crate::files::write_atomic(&folder.path().join(HASH_KEY_FILE), text.as_bytes(), 0o644).unwrap();
    assert_eq!(hash_key(&tree(), "worteks", &identities).unwrap().unwrap().reveal(), key.reveal());
    assert!(hash_key(&tree(), "worteks", &Identities::none()).unwrap().is_none(), "lost keys are no error");
    assert!(hash_key(&tree(), "other", &identities).is_err());
    let file = folder.path().join("identity");
    let mut fresh = Identities::none();
    assert_eq!(fresh.add_file(&file).unwrap_err().code(), Code::E0604);
    crate::files::write_atomic(&file, new_identity().secret.reveal(), 0o600).unwrap();
    fresh.add_file(&file).unwrap();
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

/// A fleet on a disk, from its scaffolding to a resolved instance with secrets.
#[test]
fn a_fleet_with_secrets_is_read_rekeyed_and_protected_from_swaps() {
    use crate::files::write_atomic;
    use crate::folder::WorkTree;
    use escadre_engine::ports::Secrets as _;
    use escadre_model::fleet::{self, write};
    use escadre_model::ids::InstanceId;
    use escadre_model::name::Name;
    use escadre_model::resolve::{self, Cache, Keys};
    use escadre_model::secret::SecretRef;

    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        crate::files::ensure_dir(path.parent().unwrap(), 0o755).unwrap();
        write_atomic(&path, text.as_bytes(), 0o644).unwrap();
    };
    let identity = new_identity();
    let ops = Name::new("ops").unwrap();
    for file in write::new_fleet(
        &Name::new("ours").unwrap(),
        &new_id().unwrap(),
        "unix:///run/podman/podman.sock",
        &[(ops, identity.recipient.clone())],
    ) {
        put(&file.path, &file.text);
    }
    put("products/desk/product.yaml", "product: desk\nsecrets: { db_password: { generate: password, length: 20 } }\n");
    put(
        "products/desk/compose.yaml",
        "services: { web: { image: x, secrets: [db_password] } }\nsecrets: { db_password: { file: ./dev } }\n",
    );
    for name in ["acme", "birch"] {
        put(&format!("instances/{name}.yaml"), &format!("instance: {name}\nproduct: desk\nenvironment: production\n"));
    }
    let read = || {
        let tree = WorkTree::open(folder.path()).unwrap();
        let (fleet, findings) = fleet::read(&tree);
        assert!(findings.is_empty(), "{findings:?}");
        (tree, Arc::new(fleet.unwrap()))
    };
    let (tree, fleet) = read();
    let (none, findings) = resolve::instance(&fleet, "acme", &tree, &Keys::none(), &Cache::new());
    assert!(none.is_none() && findings[0].code == Code::E0606, "{findings:?}");

    let recipients = Recipients::of(&fleet).unwrap();
    let mut blocks = Vec::new();
    for name in ["acme", "birch"] {
        for (secret, how) in write::secrets_made(&fleet.products[&Name::new("desk").unwrap()]) {
            let place =
                Place { fleet: "ours".into(), scope: Scope::Instance, of: name.into(), name: Arc::clone(secret) };
            let block = encrypt(&recipients, &place, &generate(how.length, &how.alphabet).unwrap()).unwrap();
            let path = write::secrets_path(&fleet, &Name::new(name).unwrap()).unwrap();
            put(&path, &write::set_secret(&path, "", secret, &block).unwrap());
            blocks.push(block);
        }
    }
    let (tree, fleet) = read();
    let mut identities = Identities::none();
    identities.add("ops", std::str::from_utf8(identity.secret.reveal()).unwrap()).unwrap();
    let vault = Vault::new(Arc::clone(&fleet), Arc::new(identities));
    let hash_key = Some(new_hash_key().unwrap());
    let keys = Keys { hash_key, reveal: &|stored| vault.reveal_stored(stored) };
    let names = ["acme", "birch"];
    let (all, findings) = resolve::all(&fleet, names, &tree, &keys, &Cache::new());
    assert!(findings.is_empty() && all.len() == 2, "{findings:?}");
    let hashes: Vec<_> = all.iter().map(|one| one.secrets["db_password"].hash.clone().unwrap()).collect();
    assert_ne!(hashes[0], hashes[1]);
    let id = InstanceId::new(Name::new("ours").unwrap(), Name::new("acme").unwrap());
    assert_eq!(vault.reveal(&id, &SecretRef::new("db_password"), None).unwrap().reveal().len(), 20);

    let other = new_identity();
    let others = Recipients::new([("new", other.recipient.as_str())]).unwrap();
    let stored = fleet.stored().next().unwrap();
    let rekeyed = vault.rekeyed(&stored, &others).unwrap();
    assert!(matches!(decrypt(&Identities::none(), &Place::of("ours", &stored), &rekeyed), Err(Error::NoIdentity)));
    let mut new = Identities::none();
    new.add("new", std::str::from_utf8(other.secret.reveal()).unwrap()).unwrap();
    assert_eq!(decrypt(&new, &Place::of("ours", &stored), &rekeyed).unwrap().reveal().len(), 20);

    put("instances/acme.secrets.yaml", &write::set_secret("x", "", "db_password", &blocks[1]).unwrap());
    let (tree, fleet) = read();
    let vault = Vault::new(Arc::clone(&fleet), Arc::clone(&vault.identities));
    let keys = Keys { hash_key: Some(new_hash_key().unwrap()), reveal: &|stored| vault.reveal_stored(stored) };
    let (all, findings) = resolve::all(&fleet, names, &tree, &keys, &Cache::new());
    assert_eq!(all.len(), 1, "birch stays");
    assert!(findings.len() == 1 && findings[0].code == Code::E0602, "{findings:?}");
    assert_eq!(findings[0].span().unwrap().short(), "instances/acme.secrets.yaml:1");
    assert!(vault.reveal(&id, &SecretRef::new("db_password"), None).is_none());
}
