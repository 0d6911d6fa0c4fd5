//! Earlier values.
use super::*;
use escadre_model::name::Name;
use escadre_model::secret::HashKey;
use std::os::unix::fs::PermissionsExt;

struct One(&'static str);
impl Secrets for One {
    fn reveal(&self, _: &InstanceId, name: &SecretRef, _: Option<&KeyedHash>) -> Option<Secret> {
        (name.0.as_ref() == "db_password").then(|| Secret::new(self.0.as_bytes().to_vec()))
    }
}

fn hash(value: &str) -> KeyedHash {
    KeyedHash::of(&HashKey::new([7; 32]), "test", &Secret::new(value.as_bytes().to_vec()))
}

fn kept(state: &Path, value: &'static str) -> (Kept, InstanceId, SecretRef) {
    let id = InstanceId::new(Name::project("desk").unwrap(), Name::project("acme").unwrap());
    let hashes = BTreeMap::from([(id.clone(), BTreeMap::from([("db_password".into(), hash(value))]))]);
    (Kept::new(Arc::new(One(value)), hashes, state), id, SecretRef::new("db_password"))
}

fn text(secret: Option<Secret>) -> Option<String> {
    secret.map(|secret| String::from_utf8_lossy(secret.reveal()).into_owned())
}

#[test]
fn an_earlier_value_is_given_for_its_own_hash_only() {
    let state = tempfile::tempdir().unwrap();
    let (then, id, name) = kept(state.path(), "canary-one");
    assert_eq!(text(then.reveal(&id, &name, Some(&hash("canary-one")))).as_deref(), Some("canary-one"));
    let (now, ..) = kept(state.path(), "canary-two");
    assert_eq!(text(now.reveal(&id, &name, Some(&hash("canary-two")))).as_deref(), Some("canary-two"));
    assert_eq!(text(now.reveal(&id, &name, Some(&hash("canary-one")))).as_deref(), Some("canary-one"));
    assert_eq!(text(now.reveal(&id, &name, Some(&hash("never")))), None, "the present one is not given instead");
    assert_eq!(text(now.reveal(&id, &name, None)).as_deref(), Some("canary-two"), "nobody knows which is meant");
    assert_eq!(now.earlier(&id), [hash("canary-one"), hash("canary-two")].into());
    now.forget(&id, &[hash("canary-two")].into());
    assert_eq!(now.earlier(&id), [hash("canary-two")].into());
    assert_eq!(text(now.reveal(&id, &name, Some(&hash("canary-one")))), None);
}

#[test]
fn nobody_else_can_read_it() {
    let state = tempfile::tempdir().unwrap();
    let (kept, id, name) = kept(state.path(), "canary-one");
    kept.reveal(&id, &name, Some(&hash("canary-one")));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kept.folder), 0o700);
    assert_eq!(mode(&kept.file(&id, &name, &hash("canary-one"))), 0o600);
    let odd = SecretRef::new("../../out");
    assert!(kept.file(&id, &odd, &hash("x")).starts_with(kept.of(&id)));
    assert_eq!(kept.file(&id, &odd, &hash("x")).parent(), Some(kept.of(&id).as_path()));
}
