//! Tests of checks on made-up machines.
use super::*;

fn well() -> Facts {
    Facts {
        root: true,
        systemd: false,
        apt: true,
        engine: Engine::Answers {
            what: "podman".into(),
            version: "4.3.1".into(),
            at: "unix:///run/podman/podman.sock".into(),
        },
        netavark: true,
        aardvark: true,
        iptables: true,
        controllers: Some(["cpu", "memory", "pids"].map(str::to_owned).to_vec()),
        open_files: Some(1_048_576),
        tun: true,
        ports_taken: vec![],
        edge_runs: false,
        boot: facts::Boot::Starts,
        state: facts::StateFolder { path: "/var/lib/escadre/podman".into(), found: facts::Folder::Well },
        journal: facts::Journal::Whole(1),
        room: Some(40 << 30),
    }
}

#[test]
fn a_machine_that_is_well() {
    let doctor = judge(&well());
    assert!(doctor.well && doctor.checks.iter().all(|check| check.mend.is_none()));
    let text = text(&doctor, Look::plain(80));
    assert!(
        text.starts_with(
            "This machine is well.\n\n  ok    engine       podman 4.3.1 at unix:///run/podman/podman.sock\n"
        )
    );
}

#[test]
fn what_is_not_well_comes_first_with_the_command_that_mends_it() {
    let mut facts = well();
    facts.engine = Engine::Stopped;
    facts.aardvark = false;
    facts.ports_taken = vec![80];
    facts.state.found = facts::Folder::Open(0o755);
    let doctor = judge(&facts);
    assert!(!doctor.well);
    let expected = "This machine is not ready: 3 things to mend.

  bad   engine       podman is installed and its service does not run
                     podman system service --time=0 &
  bad   networks     aardvark-dns not found
                     apt-get install aardvark-dns
  bad   state folder /var/lib/escadre/podman has mode 755: others can read
                     secrets
                     chmod 700 /var/lib/escadre/podman

  warn  ports        somebody listens on 80; a fleet with endpoints needs them,
                     or others named in fleet.yaml
                     ss -ltnp
";
    assert_eq!(
        text(&doctor, Look::plain(80)).split("\n\n  ok").next().map(|text| format!("{text}\n").replace("\n\n", "\n\n")),
        Some(expected.trim_end().to_owned() + "\n")
    );
    facts.engine = Engine::Answers { what: "podman".into(), version: "3.4.0".into(), at: "x".into() };
    assert_eq!(judge(&facts).checks[0].state, State::Bad);
    for check in judge(&facts).checks.iter().filter(|check| check.state == State::Bad) {
        assert!(check.mend.is_some(), "{} says how to mend it", check.name);
    }
}

#[test]
fn what_a_boot_does_not_bring_back_is_told() {
    let of = |boot, systemd| {
        let doctor = judge(&Facts { boot, systemd, ..well() });
        let check = doctor.checks.into_iter().find(|check| check.name == "boot").unwrap();
        (check.state, check.mend)
    };
    assert_eq!(of(facts::Boot::Nothing, true), (State::Ok, None));
    assert_eq!(of(facts::Boot::Nobody, true), (State::Warn, Some("escadre proxy install".to_owned())));
    assert!(of(facts::Boot::Nobody, false).1.is_some_and(|mend| mend.contains("escadre start --boot")));
    assert_eq!(of(facts::Boot::AtLogin, true), (State::Warn, Some("loginctl enable-linger".to_owned())));
}

#[tokio::test]
async fn a_journal_that_cannot_be_trusted_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    assert!(matches!(facts::journal(&path).await, facts::Journal::Absent));
    std::fs::write(&path, "this is no journal, but it is as long as the head of one would have to be".repeat(20))
        .unwrap();
    let broken = facts::journal(&path).await;
    assert!(matches!(&broken, facts::Journal::Broken(why) if !why.is_empty()), "{broken:?}");
    let doctor = judge(&Facts { journal: broken, ..well() });
    let check = doctor.checks.iter().find(|check| check.name == "journal").unwrap();
    assert!(!doctor.well && check.mend.as_deref().is_some_and(|mend| mend.contains("escadre recover")));
}
