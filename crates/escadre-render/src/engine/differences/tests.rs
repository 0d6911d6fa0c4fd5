//! A Compose text, and inspections recorded from docker compose 2.40 on Podman 4.3.1 (cut down): only what really differs is told.

use super::*;
use crate::engine::render::tests::resolved;
use crate::engine::{Facts, render};
use escadre_model::desired::{Adopts, Former};
use serde_json::json;

const COMPOSE: &str = "services:\n  web:\n    image: localhost/base:v1\n    ports: ['8081:80']\n    environment: { DOMAIN: acme.example, SEATS: 60 }\n    \
     volumes: ['./conf:/etc/conf:ro', 'data:/data', '/anon']\n    depends_on: [db]\n    restart: always\n  \
     db:\n    image: localhost/base:v1\n    volumes: ['data:/data']\n    mem_limit: 64m\n    \
     healthcheck: { test: [CMD, 'true'], interval: 5s }\nvolumes: { data: {} }\n";

fn desired(yaml: &str) -> Desired {
    let mut resolved = resolved(yaml, true).expect("a project");
    resolved.adopts = Some(Adopts { from: Former::Compose, project: "totem".into(), folder: None });
    render(&resolved, &Facts::default()).0
}

fn image() -> Value {
    json!({"Id": "2ec6", "Config": {"ExposedPorts": {"8080/tcp": {}}, "Env": ["PATH=/bin:/usr/local/bin", "TAG=v1"], "Cmd": ["run"],
        "Labels": {"dev.escadre.example.inputs": "x", "io.buildah.version": "1.28.2"}, "StopSignal": "SIGTERM"}, "Healthcheck": null})
}

fn web() -> Value {
    json!({
        "Id": "5dc9", "Name": "/totem-web-1", "Image": "sha256:2ec6",
        "Config": {"Hostname": "5dc90b513f97", "User": "", "Tty": false, "OpenStdin": false, "Image": "localhost/base:v1",
            "Env": ["TAG=v1", "SEATS=60", "DOMAIN=acme.example", "PATH=/bin:/usr/local/bin", "TERM=xterm", "container=podman", "HOME=/",
                "HOSTNAME=5dc90b513f97"],
            "Cmd": ["run"], "WorkingDir": "/", "Entrypoint": [], "StopSignal": "15",
            "Labels": {"com.docker.compose.project": "totem", "com.docker.compose.service": "web", "dev.escadre.example.inputs": "x",
                "io.buildah.version": "1.28.2"}},
        "HostConfig": {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8081"}], "8080/tcp": null},
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}, "CapAdd": [], "CapDrop": ["AUDIT_WRITE", "MKNOD", "NET_RAW"],
            "Dns": [], "ExtraHosts": [], "Privileged": false, "ReadonlyRootfs": false, "ShmSize": 65_536_000, "Memory": 0, "NanoCpus": 0,
            "CpuQuota": 0, "PidsLimit": 2048, "Ulimits": [{"Name": "RLIMIT_NOFILE", "Hard": 8192, "Soft": 8192}], "Devices": []},
        "Mounts": [
            {"Type": "volume", "Name": "bce4eb8addb9bff2f5f7763ed4fbbcc28477d71beedda01cc873f2f91bebad9c", "Destination": "/anon", "RW": true},
            {"Type": "volume", "Name": "totem_data", "Destination": "/data", "RW": true},
            {"Type": "bind", "Source": "/p/conf", "Destination": "/etc/conf", "RW": false}],
        "NetworkSettings": {"Networks": {"totem_default": {"Aliases": ["totem-web-1", "web", "5dc90b513f97"], "IPAddress": "10.89.0.3"}}},
    })
}

fn told(yaml: &str, key: &str, container: &Value) -> Vec<String> {
    let image = image();
    let made = Made { container, image: Some(&image) };
    let text = |shown: Option<Shown>| match shown {
        Some(Shown::Plain(text)) => text.to_string(),
        Some(other) => format!("{other:?}"),
        None => "-".to_owned(),
    };
    let all = differences(&desired(yaml), key, made, &|_| None);
    all.into_iter().map(|one| format!("{}: {} -> {}", one.path, text(one.runs), text(one.wanted))).collect()
}

#[test]
fn what_runs_as_the_files_say_has_no_difference() {
    assert_eq!(told(COMPOSE, "web", &web()), Vec::<String>::new());
}

#[test]
fn every_value_that_differs_is_told() {
    let changed = COMPOSE
        .replace(
            "base:v1\n    ports",
            "base:v2\n    command: [serve]\n    user: '1000'\n    mem_limit: 128m\n    cpus: 0.5\n    ports",
        )
        .replace("SEATS: 60", "SEATS: 80, NEW: 1, API_TOKEN: abc")
        .replace("8081:80", "8082:80")
        .replace("./conf:/etc/conf:ro", "./other:/etc/conf:ro")
        .replace("restart: always", "restart: unless-stopped\n    cap_add: [NET_ADMIN]\n    labels: { team: blue }");
    let mut container = web();
    if let Some(Value::Array(all)) = container.pointer_mut("/Config/Env") {
        all.extend([json!("API_TOKEN=hunter2"), json!("LEFT=over")]);
    }
    assert_eq!(
        told(&changed, "web", &container),
        [
            "cap_add: - -> NET_ADMIN",
            "command: run -> serve",
            "cpus: - -> 0.5",
            "environment.API_TOKEN: - -> abc",
            "environment.LEFT: over -> -",
            "environment.NEW: - -> 1",
            "environment.SEATS: 60 -> 80",
            "image: localhost/base:v1 -> localhost/base:v2",
            "labels.team: - -> blue",
            "memory: - -> 128M",
            "mounts./etc/conf: /p/conf (read-only) -> /p/other",
            "ports: 8081:80/tcp -> 8082:80/tcp",
            "restart: always -> unless-stopped",
            "user: - -> 1000",
        ]
    );
}

#[test]
fn what_a_swarm_keeps_for_itself_is_no_difference() {
    let mut task = web();
    for (label, value) in [
        ("com.docker.swarm.service.name", "totem_web"),
        ("com.docker.swarm.task.id", "x1"),
        ("com.docker.stack.namespace", "totem"),
    ] {
        task["Config"]["Labels"][label] = json!(value);
    }
    task["HostConfig"]["RestartPolicy"] = json!({"Name": "", "MaximumRetryCount": 0});
    task["NetworkSettings"]["Networks"]["totem_default"]["Aliases"] = json!(["5dc90b513f97"]);
    let with_config = COMPOSE.replace("ports:", "configs: [{ source: settings, target: /etc/a }]\n    ports:")
        + "configs: { settings: { content: a } }\n";
    assert_eq!(told(&with_config, "web", &task), Vec::<String>::new());
    let changed = with_config
        .replace("SEATS: 60", "SEATS: 80")
        .replace("'data:/data', '/anon'", "'data:/data', '/anon', 'more:/more'");
    let changed = changed.replace("volumes: { data: {} }", "volumes: { data: {}, more: {} }");
    assert_eq!(told(&changed, "web", &task), ["environment.SEATS: 60 -> 80", "mounts./more: - -> more"]);
}

#[test]
fn checks_limits_and_networks() {
    let mut db = web();
    db["HostConfig"]["Memory"] = json!(67_108_864);
    db["HostConfig"]["RestartPolicy"] = json!({"Name": "", "MaximumRetryCount": 0});
    db["HostConfig"]["PortBindings"] = json!({});
    db["Config"]["Env"] = json!(["TAG=v1", "PATH=/bin:/usr/local/bin"]);
    db["Config"]["Healthcheck"] =
        json!({"Test": ["CMD", "true"], "Interval": 5_000_000_000_i64, "Timeout": 30_000_000_000_i64, "Retries": 3});
    db["Mounts"] = json!([{"Type": "volume", "Name": "totem_data", "Destination": "/data", "RW": true}]);
    db["NetworkSettings"]["Networks"]["totem_default"]["Aliases"] = json!(["totem-db-1", "db"]);
    assert_eq!(told(COMPOSE, "db", &db), Vec::<String>::new());
    db["HostConfig"]["Memory"] = json!(0);
    db["Config"]["Healthcheck"]["Test"] = json!(["CMD-SHELL", "pg_isready"]);
    db["Mounts"][0]["Name"] = json!("elsewhere");
    db["NetworkSettings"]["Networks"] = json!({"proxy": {"Aliases": []}});
    assert_eq!(
        told(COMPOSE, "db", &db),
        [
            "healthcheck.test: pg_isready -> CMD true",
            "memory: - -> 64M",
            "mounts./data: volume elsewhere -> data",
            "networks.default: - -> joined",
            "networks.proxy: joined -> -",
        ]
    );
}

#[test]
fn references_as_people_write_them() {
    assert_eq!(familiar("docker.io/library/nginx"), "nginx:latest");
    assert_eq!(familiar("registry.example:5000/a/b"), "registry.example:5000/a/b:latest");
    assert_eq!(familiar("localhost/a:1"), "a:1");
    assert_eq!(familiar("nginx:1@sha256:aa"), "nginx@sha256:aa");
}
