use super::*;

#[test]
fn equal_secrets_of_two_instances_do_not_look_equal() {
    let key = HashKey::new([7; 32]);
    let secret = Secret::new(b"hunter2".to_vec());
    let france = KeyedHash::of(&key, "instance france db_password", &secret);
    assert_eq!(france, KeyedHash::of(&key, "instance france db_password", &Secret::new(b"hunter2".to_vec())));
    assert_ne!(france, KeyedHash::of(&key, "instance spain db_password", &secret));
    assert_ne!(france, KeyedHash::of(&HashKey::new([8; 32]), "instance france db_password", &secret));
}

#[test]
fn a_hash_is_sha_256() {
    assert_eq!(Hash::of(b"").short(), "e3b0c44298fc");
    assert_eq!(Hash::of_json(&"a"), Hash::of(b"\"a\""));
}

/// What the bytes of values must tell apart.
#[derive(serde::Serialize)]
struct Parts<'p> {
    list: Vec<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<u32>,
    map: std::collections::BTreeMap<&'p str, u64>,
    choice: Choice,
}

#[derive(serde::Serialize)]
#[serde(tag = "is")]
enum Choice {
    A,
    B { text: &'static str },
}

#[test]
fn parts_that_differ_have_other_bytes() {
    let base =
        || Parts { list: vec!["a", "b"], maybe: Some(1), other: None, map: [("k", 300)].into(), choice: Choice::A };
    let all = [
        base(),
        Parts { list: vec!["ab"], ..base() },
        Parts { list: vec!["a", "b", ""], ..base() },
        Parts { list: vec![], ..base() },
        Parts { maybe: None, other: Some(1), ..base() },
        Parts { maybe: None, ..base() },
        Parts { map: [("k", 44)].into(), ..base() },
        Parts { map: [("k", 300), ("l", 0)].into(), ..base() },
        Parts { choice: Choice::B { text: "" }, ..base() },
        Parts { choice: Choice::B { text: "a" }, ..base() },
    ];
    let hashes: std::collections::BTreeSet<Hash> = all.iter().map(Hash::of_parts).collect();
    assert_eq!(hashes.len(), all.len());
    assert_eq!(Hash::of_parts(&base()), Hash::of_parts(&base()));
}
