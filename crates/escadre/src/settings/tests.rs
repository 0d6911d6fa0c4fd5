//! Tests of what words mean.
use super::*;
use std::sync::Arc;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_path_is_told_from_a_name_by_its_form_alone() {
    assert_eq!(what(&words(&["./larch"])).unwrap(), What::Path("./larch".into()));
    assert_eq!(what(&words(&["compose.yaml"])).unwrap(), What::Path("compose.yaml".into()));
    assert_eq!(what(&words(&["."])).unwrap(), What::Path(".".into()));
    assert_eq!(what(&words(&["larch"])).unwrap(), What::Instances(vec![Name::new("larch").unwrap()]));
    assert_eq!(what(&[]).unwrap(), What::Instances(vec![]));
    assert!(what(&words(&["larch", "./x"])).is_err());
    assert!(what(&words(&["La rch"])).is_err());
}

#[test]
fn a_selection_needs_all_its_labels() {
    let labels = BTreeMap::from([(Arc::from("country"), Arc::from("fr"))]);
    let name = Name::new("larch").unwrap();
    let seen = Seen { name: &name, facts: &[("environment", "production")], labels: &labels };
    let pair = |text: &str| text.parse::<Pair>().unwrap();
    let takes = |filter: &[&str]| {
        Selection { filter: filter.iter().map(|text| pair(text)).collect(), ..Selection::default() }.takes(&seen)
    };
    assert!(takes(&[]));
    assert!(takes(&["country=fr", "environment=production"]));
    assert!(!takes(&["country=fr", "environment=integration"]));
    assert!(!takes(&["country="]));
    assert!(!Selection { except: vec![name.clone()], ..Selection::default() }.takes(&seen));
    let wrong = Selection { instances: vec![Name::new("lerch").unwrap()], ..Selection::default() };
    let Err(Fault::Findings(_, findings)) = wrong.known(["larch", "oak"].into_iter()) else {
        panic!("lerch is not known")
    };
    assert!(findings[0].hints[0].contains("larch"));
}

#[test]
fn the_identity_is_named_or_set_or_at_home() {
    let mut settings = Settings { folder: "/f".into(), state: None, environment: BTreeMap::new(), who: "a@b".into() };
    assert_eq!(settings.identity(None), None);
    settings.environment.insert("HOME".into(), "/h".into());
    assert_eq!(settings.identity(None), Some("/h/.config/escadre/identity".into()));
    settings.environment.insert("ESCADRE_IDENTITY".into(), "key".into());
    assert_eq!(settings.identity(None), Some("/f/key".into()));
    assert_eq!(settings.identity(Some(Path::new("/k"))), Some("/k".into()));
    assert_eq!(settings.state_of("podman", true), PathBuf::from("/var/lib/escadre/podman"));
    assert_eq!(settings.state_of("docker", false), PathBuf::from("/h/.local/state/escadre/docker"));
}

#[test]
fn whose_secret_is_never_guessed() {
    let acme = Name::new("acme").unwrap();
    let of = |first, second, environment, fleet| secret(first, second, environment, fleet);
    assert_eq!(
        of(Some("acme"), Some("smtp"), None, false).unwrap(),
        (Some(Owner::Instance(acme.clone())), Some("smtp".into()))
    );
    assert_eq!(of(Some("acme"), None, None, false).unwrap(), (Some(Owner::Instance(acme.clone())), None));
    assert_eq!(of(Some("SMTP"), None, None, true).unwrap(), (Some(Owner::Fleet), Some("SMTP".into())));
    assert_eq!(
        of(Some("SMTP"), None, Some(&acme), false).unwrap(),
        (Some(Owner::Environment(acme.clone())), Some("SMTP".into()))
    );
    assert_eq!(of(None, None, None, false).unwrap(), (None, None));
    assert!(of(Some("acme"), Some("smtp"), None, true).is_err());
    assert!(of(Some("ACME"), None, None, false).is_err());
    assert!(of(Some("acme"), Some("a b"), None, false).is_err());
}
