//! Tests of the units' texts and files.
use super::*;

fn units(root: bool, config: &Path) -> Units {
    let whose = Whose { root, config: config.into(), runtime: None, user: "ops".into() };
    Units::new(whose, "/usr/local/bin/escadre".into(), None, "/var/lib/escadre/podman/edge".into())
}

#[test]
fn a_unit_takes_over_stays_stopped_and_leaves_workers_alone() {
    let text = units(true, Path::new("/")).edge().expect("a text");
    for line in [
        "Type=notify",
        "ExecStart=/usr/local/bin/escadre proxy --take-over --dir /var/lib/escadre/podman/edge",
        "ExecReload=/usr/local/bin/escadre proxy upgrade --dir /var/lib/escadre/podman/edge",
        "Restart=on-failure",
        "KillMode=process",
        "FileDescriptorStoreMax=4096",
        "WantedBy=multi-user.target",
    ] {
        assert!(text.lines().any(|is| is == line), "{line} in\n{text}");
    }
    let user = units(false, Path::new("/home/ops/.config"));
    let text = user.edge().expect("a text");
    assert!(text.contains("WantedBy=default.target") && !text.contains("network-online") && !text.contains("Capab"));
    assert_eq!(user.path(EDGE), Path::new("/home/ops/.config/systemd/user/escadre-proxy.service"));
    assert!(user.instances().expect("a text").contains("ExecStart=/usr/local/bin/escadre start --boot\n"));
    let named = Units { state: Some("/srv/my state".into()), ..user };
    let text = named.instances().expect("a text");
    assert!(text.contains("ExecStart=/usr/local/bin/escadre --state \"/srv/my state\" start --boot\n"), "{text}");
}

#[test]
fn paths_are_quoted_as_systemd_reads_them() {
    let said = |path: &str| quoted(Path::new(path)).expect("a word");
    assert_eq!(said("/usr/bin/escadre-1.2"), "/usr/bin/escadre-1.2");
    assert_eq!(said("/my files/50%/$x"), "\"/my files/50%%/$$x\"");
    assert_eq!(said("/a\"b\\c"), "\"/a\\\"b\\\\c\"");
    assert!(matches!(quoted(Path::new("/a\nb")), Err(Error::Path(_))));
}

#[test]
fn another_edges_unit_is_not_ours_to_touch() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = units(false, folder.path());
    assert!(!ours.is_installed() && !ours.remove().expect("nothing there"));
    std::fs::create_dir_all(ours.place()).expect("a folder");
    std::fs::write(ours.path(EDGE), ours.edge().expect("a text")).expect("written");
    assert!(ours.is_installed());
    let other = Units { folder: "/elsewhere/edge".into(), ..ours.clone() };
    assert!(!other.is_installed());
    let refused = other.remove().expect_err("it is another's");
    assert!(matches!(&refused, Error::Foreign { folder, .. } if folder == "/var/lib/escadre/podman/edge"), "{refused}");
    // Of an earlier version, with other words behind the folder: still ours.
    std::fs::write(ours.path(EDGE), "ExecStart=/old/escadre proxy --dir /var/lib/escadre/podman/edge\n")
        .expect("written");
    assert!(ours.is_installed());
}
