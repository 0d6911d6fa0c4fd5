//! An inspection in, what runs otherwise out.

use super::*;
use serde_json::json;

#[test]
fn only_what_compose_would_have_set_is_a_difference() {
    let container = json!({
        "Config": {
            "Image": "docker.io/shop/web:1.4",
            "Env": ["PATH=/bin", "SEATS=60", "LANG=C", "EXTRA=1", "HOSTNAME=x"],
            "Labels": { "a": "b", "com.docker.compose.project": "p" }
        },
        "HostConfig": {
            "Memory": 268_435_456, "NanoCpus": 500_000_000, "RestartPolicy": { "Name": "always" },
            "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": "8081" }] }
        },
        "Mounts": [{ "Type": "bind", "Source": "/data/plum", "Destination": "/data", "RW": true }]
    });
    let image = json!({ "Config": { "Env": ["LANG=C", "PATH=/bin"] } });
    let says: BTreeMap<String, String> = [
        ("image", "shop/web:1.5"),
        ("environment.SEATS", "80"),
        ("environment.GONE", "1"),
        ("labels.a", "b"),
        ("mem_limit", "256m"),
        ("deploy.resources.limits.cpus", "1"),
        ("restart", "always"),
        ("ports.80/tcp", "8080"),
        ("volumes./data", "/srv/plum"),
    ]
    .into_iter()
    .map(|(key, value)| (format!("services.web.{key}"), value.to_owned()))
    .collect();
    let found = otherwise("web", &says, Made { container: &container, image: Some(&image) });
    let found: Vec<(&str, Option<&str>)> =
        found.iter().map(|(path, runs)| (path.trim_start_matches("services.web."), runs.as_deref())).collect();
    let wanted = [
        ("deploy.resources.limits.cpus", Some("0.5")),
        ("environment.EXTRA", Some("1")),
        ("environment.GONE", None),
        ("environment.SEATS", Some("60")),
        ("image", Some("shop/web:1.4")),
        ("ports.80/tcp", Some("8081")),
        ("volumes./data", Some("/data/plum")),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn an_image_keeps_the_registry_that_is_written() {
    for (says, runs, wanted) in [
        ("localhost/shop/web:2", "localhost/shop/web:1", Some("localhost/shop/web:1")),
        ("shop/web:2", "docker.io/shop/web:2", None),
        ("postgres", "docker.io/library/postgres:latest", None),
        ("docker.io/library/postgres:16", "docker.io/library/postgres:15", Some("docker.io/postgres:15")),
        ("r.example/a:1", "r.example/a:2", Some("r.example/a:2")),
        ("a:1", "sha256:1234", None),
    ] {
        let container = json!({ "Config": { "Image": runs } });
        let says: BTreeMap<String, String> = [("services.s.image".to_owned(), says.to_owned())].into();
        let found = otherwise("s", &says, Made { container: &container, image: None });
        assert_eq!(found.get("services.s.image").cloned().flatten().as_deref(), wanted, "{says:?} {runs}");
    }
}
