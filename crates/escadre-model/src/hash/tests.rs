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
