use super::*;
use crate::views::samples::change;
use escadre_model::desired::Shown;
use escadre_model::observed::EngineId;

fn adopted(kind: Kind, key: &str, engines: usize) -> Change {
    let adopts = (0..engines).map(|number| EngineId(format!("{key}{number}").into())).collect();
    Change { adopts, ..change(Action::Adopt, kind, key) }
}

fn differs(path: &str, old: Option<&str>, new: Option<&str>) -> Reason {
    let plain = |text: &str| Shown::Plain(text.into());
    let (old, new) = (old.map(plain), new.map(plain));
    Reason::Changed { path: path.into(), old, new, unknown: false, source: None, raw: None }
}

#[test]
fn what_is_taken_over_is_counted_by_kind() {
    let all =
        [adopted(Kind::Network, "default", 1), adopted(Kind::Service, "web", 2), adopted(Kind::Service, "migrate", 0)];
    assert_eq!(things(all.iter()), "2 containers, 1 network");
    assert!(only(&all.iter().collect::<Vec<_>>()));
    assert!(!only(&[]));
    assert_eq!(differing_words(all.iter()), None);
}

#[test]
fn a_difference_says_both_sides() {
    let mut web = adopted(Kind::Service, "web", 1);
    web.reasons = vec![differs("environment.SEATS", Some("60"), Some("80"))];
    assert_eq!(
        differing_words([&web].into_iter()).as_deref(),
        Some("1 value differs from the files: it stays as it runs until its service is updated.")
    );
    web.reasons.extend([differs("environment.TOKEN", None, Some("x")), differs("labels.old", Some("1"), None)]);
    assert_eq!(
        lines(&web),
        [
            "environment.SEATS  runs as 60; the files say 80",
            "environment.TOKEN  runs without it, or with another value; the files say x",
            "labels.old  runs as 1; the files do not have it",
        ]
    );
    assert_eq!(
        differing_words([&web].into_iter()).as_deref(),
        Some("3 values differ from the files: they stay as they run until their service is updated.")
    );
}
