//! Tests of the end of an apply.
use super::*;

fn larch() -> Failure {
    Failure {
        instance: "larch".into(),
        failed: "web ended with code 78 after 2 s".into(),
        gate: Some("healthcheck GET /healthz, within 30 s of the start".into()),
        last_probe: Some("14:08:42  172.20.31.7:80  connection refused".into()),
        log: vec![
            "desk-web 4.2.1".into(),
            "error: /etc/desk/desk.toml:12: unknown key \"session_timout\"\u{1b}[2J".into(),
        ],
        log_lines: 2,
        because: vec!["instances/larch/files/desk.toml".into()],
        undone: vec!["web: image and config as before, the failed container removed".into()],
        hold: Some("larch stays as it is until its files change".into()),
        service: Some("web".into()),
        ..Failure::default()
    }
}

fn ended() -> Ended {
    Ended {
        schema: SCHEMA,
        plan: "7c41e9".into(),
        done: (0..39).map(|n| format!("i{n}")).collect(),
        failures: vec![larch()],
        took_ms: 396_000,
        exit: 4,
        ..Ended::default()
    }
}

#[test]
fn a_failure_says_what_was_undone_and_what_was_not() {
    let expected = "larch went back to what it was.

  failed      web ended with code 78 after 2 s
  gate        healthcheck GET /healthz, within 30 s of the start
  last probe  14:08:42  172.20.31.7:80  connection refused
  its log     all of it, 2 lines
    | desk-web 4.2.1
    | error: /etc/desk/desk.toml:12: unknown key \"session_timout\"?[2J
  because     instances/larch/files/desk.toml
  undone      web: image and config as before, the failed container removed
  not undone  nothing
  hold        larch stays as it is until its files change
              or: escadre unhold larch

  mend it     correct instances/larch/files/desk.toml, then: escadre up larch
  see more    escadre why larch      escadre logs larch/web --plan 7c41e9

39 of 40 done, 1 went back.                                   6 min 36 s, exit 4
";
    assert_eq!(paint(&ended(), Look::plain(80)), expected);
    assert_eq!(paint(&ended(), Look::plain(160)), expected);
}

#[test]
fn stuck_refused_and_done() {
    let mut all = ended();
    all.failures[0].manner = Manner::Stuck;
    let text = paint(&all, Look::plain(80));
    assert!(text.starts_with("larch is STUCK"));
    assert!(!text.contains("nothing had to be"), "nothing is claimed of an instance that is stuck");
    let refused = Refused {
        instance: "elm".into(),
        code: "E0303".into(),
        why: "it changed after the plan was made".into(),
        differs: vec!["web is gone".into()],
        next: Some("escadre plan elm".into()),
    };
    let end = Ended { refused: vec![refused], failures: vec![], exit: 3, ..ended() };
    assert!(paint(&end, Look::plain(80)).starts_with(
        "refused for elm: it changed after the plan was made  E0303\n  changed             web is gone\n  next                escadre plan elm\n"
    ));
    let one = Ended {
        single: true,
        done: vec!["desk".into()],
        addresses: vec!["http://localhost:8080".into()],
        took_ms: 32_700,
        ..Ended::default()
    };
    assert_eq!(paint(&one, Look::plain(80)), format!("desk runs: http://localhost:8080{:>48}\n", "32.7 s in all"));
}

#[test]
fn a_down_that_destroyed_data_does_not_say_that_it_stays() {
    let down = Ended { down: vec!["a".into(), "b".into()], done: vec!["a".into(), "b".into()], ..Ended::default() };
    assert!(paint(&down, Look::plain(80)).starts_with("2 instances are down. What they stored stays."));
    let destroyed = Ended { destroyed: 2, ..down };
    assert!(paint(&destroyed, Look::plain(80)).starts_with("2 instances are down, 2 volumes destroyed with the data."));
}

#[test]
fn a_fleet_says_where_its_instances_are_reached() {
    let reach = vec![("elm".to_owned(), vec!["http://elm.localhost".to_owned()]), ("int".to_owned(), vec![])];
    let ended = Ended { done: vec!["elm".into(), "int".into()], reach, ..Ended::default() };
    assert!(paint(&ended, Look::plain(80)).starts_with("  elm  http://elm.localhost\n\n2 instances done."));
}

#[test]
fn what_the_edge_counted_is_told() {
    let of = |all, failed| Requests { all, failed, ..Requests::default() };
    let mut all = ended();
    all.failures[0].traffic = Some(of(74, 0));
    all.traffic = vec![("elm".into(), of(1000, 0)), ("oak".into(), of(74, 2))];
    let text = paint(&all, Look::plain(80));
    assert!(text.starts_with("larch went back to what it was. 0 of 74 requests failed meanwhile.\n\n"), "{text}");
    assert!(text.contains("\n2 of 1,074 requests failed meanwhile.\n  oak: 2 of 74 requests failed\n"), "{text}");
    let tcp = Requests { all: 1, service_errors: 3, connections: true, ..Requests::default() };
    assert_eq!(tcp.words(), "0 of 1 connection failed, 3 more the service itself answered with 5xx");
    assert!(!paint(&ended(), Look::plain(80)).contains("meanwhile"), "what was not counted is not claimed");
}

#[test]
fn what_stands_in_the_middle_is_said_and_what_to_do() {
    let mut all = ended();
    let larch = &mut all.failures[0];
    larch.manner = Manner::Broken;
    larch.remedy = Remedy::Room;
    larch.not_undone = vec!["web: its new container is made, or was about to be".into()];
    let text = paint(&all, Look::plain(80));
    assert!(text.starts_with("larch stands in the middle of plan 7c41e9.\n"), "{text}");
    assert!(text.contains("\n  go on       make room (df -h), then: escadre resume 7c41e9\n"), "{text}");
    assert!(text.contains("39 of 40 done, 1 in the middle."), "{text}");
    all.failures[0].manner = Manner::Untouched;
    assert!(paint(&all, Look::plain(80)).contains("39 of 40 done, 1 not touched."));
}
