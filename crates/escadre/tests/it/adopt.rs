//! What docker compose runs is taken over: no restart, the first update with the gap the plan has told, the way back, the old command noticed.
//!
//! In: a Compose file brought up by docker compose (scripts/peers brings it), on the real engine. Out: what a person would see.
//! Not here: fleets written from what runs (`import`).

use super::world::{Client, IMAGE, World, finish, get, podman, port, until, world};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const COMPOSE: &str = r#"
services:
  web:
    image: IMAGE:${TAG:-v1}
    environment: { PORT: "80", SEATS: "60" }
    ports: ["WEB:80"]
    depends_on: { api: { condition: service_started }, migrate: { condition: service_completed_successfully } }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, retries: 5 }
  api:
    image: IMAGE:${API:-v1}
    environment: { PORT: "8000" }
    expose: ["8000"]
    secrets: [db_password]
    configs: [{ source: settings, target: /etc/settings.ini }]
    depends_on: [db]
  migrate:
    image: IMAGE:v1
    command: [sh, -c, "date >> /data/migrated"]
    volumes: ["data:/data"]
  db:
    image: IMAGE:v1
    command: [sh, -c, "date >> /data/started; exec run"]
    volumes: ["data:/data", "/scratch"]
    restart: always
volumes:
  data:
configs:
  settings: { file: settings.ini }
secrets:
  db_password: { file: db_password.txt }
"#;

/// docker compose as scripts/peers brings it; counted as a skip where it is not.
pub(crate) fn peer(test: &str) -> Option<PathBuf> {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/bin/docker-compose");
    if !peer.exists() {
        super::world::skip(test, "docker compose is not below .peers (scripts/peers brings it)");
        return None;
    }
    Some(peer)
}

/// Runs docker compose in a folder on the world's engine; it must succeed.
#[track_caller]
pub(crate) fn compose(peer: &Path, world: &World, folder: &Path, project: &str, line: &[&str]) {
    let socket = world.address();
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "120"]).arg(peer).args(["-p", project]).args(line);
    command.current_dir(folder).stdin(Stdio::null()).env("DOCKER_HOST", socket).env("DOCKER_BUILDKIT", "0");
    let output = command.output().expect("docker compose starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "docker compose {line:?}: {said}");
}

/// How long at most nobody answered at a port, while the binary ran to its end.
fn longest_silence(port: u16, mut child: std::process::Child) -> Duration {
    let (mut longest, mut since) = (Duration::ZERO, None);
    while child.try_wait().expect("the binary is there").is_none() {
        // A connection of its own kind each time: one that hangs in the engine's rules says nothing of the next.
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        match std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            Ok(_) => since = None,
            Err(_) => {
                let began = *since.get_or_insert_with(Instant::now);
                longest = longest.max(began.elapsed());
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(finish(child).code == Some(0), "the update succeeds");
    longest
}

/// Service → (id, when it was started) of a project's containers.
fn running(project: &str) -> Vec<(String, String, String)> {
    let label = format!("label=com.docker.compose.project={project}");
    let ids = podman(&["ps", "-q", "--no-trunc", "--filter", &label]);
    let mut all: Vec<_> = ids
        .lines()
        .map(|id| {
            let text = podman(&["container", "inspect", id]);
            let one: Value = serde_json::from_str(&text).expect("JSON");
            let text = |pointer: &str| one[0].pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("/Config/Labels/com.docker.compose.service"), text("/Id"), text("/State/StartedAt"))
        })
        .collect();
    all.sort();
    all
}

fn file(world: &World) -> u16 {
    let web = port();
    world.write("compose.yaml", COMPOSE.replace("IMAGE", IMAGE).replace("WEB", &web.to_string()));
    world.write("settings.ini", "colour = blue\n");
    world.write("db_password.txt", "hunter2-original\n");
    world.set("COMPOSE_PROJECT_NAME", &world.name);
    web
}

#[test]
fn a_running_project_is_taken_over_and_updated() {
    let Some(world) = world("adopt") else { return };
    let Some(peer) = peer("adopt") else { return };
    let web = file(&world);
    compose(&peer, &world, &world.root, &world.name, &["up", "-d"]);
    let before = running(&world.name);
    assert_eq!(before.len(), 3, "{before:?}");

    // The plan says adopt, and finds no difference; without a yes nothing is done.
    world
        .run(&["plan"])
        .ends(0)
        .says("taken over as they run")
        .says("No restart, no gap")
        .never("differs")
        .never("hunter2");
    world.run(&["up"]).ends(3);
    world.up().says("taken over").never("hunter2");
    assert_eq!(running(&world.name), before, "nothing was restarted");
    world.up().says("Nothing to do.");
    world.run(&["status", "--check"]).ends(0);
    world.run(&["ps"]).ends(0).says(&format!("{}-web-1", world.name));
    world.run(&["logs", &format!("{}/web", world.name)]).ends(0).says("escadre-test v1");
    world.run(&["exec", &format!("{}/db", world.name), "--", "cat", "/data/migrated"]).ends(0);
    assert_eq!(get(web, "localhost", "/").map(|(code, _)| code), Ok(200));

    // A service that publishes nothing is updated beside itself: nobody who asks web notices. Its secrets and configs come from Escadre now.
    world.set("API", "v2");
    let client = Client::begin(web, "localhost", "/");
    world.up().says("update").says("no gap");
    let asked = client.end();
    assert!(asked.failed.is_empty(), "{asked:?}");
    let api = world.containers().into_keys().next().expect("a container of ours");
    assert_eq!(podman(&["exec", &api, "cat", "/run/secrets/db_password"]).trim(), "hunter2-original");
    // Old and new find each other by name.
    world
        .run(&["exec", &format!("{}/web", world.name), "--", "wget", "-q", "-O", "-", "http://api:8000/"])
        .ends(0)
        .says("v2");
    world.run(&["exec", &format!("{}/api", world.name), "--", "wget", "-q", "-O", "-", "http://db:8080/"]).ends(0);

    // A bad version of the service whose port the engine holds: the old one serves again, at that port.
    world.set("TAG", "bad");
    world.up_ends(4).says("went back");
    assert_eq!(get(web, "localhost", "/"), Ok((200, "v1".to_owned())));
    // A good one: the edge takes the port over.
    world.set("TAG", "v2");
    world.run(&["plan"]).ends(0).says("replace").says(&format!("the engine holds port {web} until"));
    let child = world.start(&["up", "--yes"]);
    let gap = longest_silence(web, child);
    assert!(gap < Duration::from_secs(20), "the gap is that of one stop: {gap:?}");
    assert_eq!(get(web, "localhost", "/"), Ok((200, "v2".to_owned())));
    // From now on an update of it has no gap.
    world.set("TAG", "v1");
    let client = Client::begin(web, "localhost", "/");
    world.up().says("no gap");
    let asked = client.end();
    assert!(asked.failed.is_empty(), "{asked:?}");

    // The database keeps its volumes, the one without a name too.
    podman(&["exec", &format!("{}-db-1", world.name), "sh", "-c", "echo kept > /scratch/note"]);
    let text = std::fs::read_to_string(world.root.join("compose.yaml")).expect("the file");
    world.write("compose.yaml", text.replace("restart: always", "restart: unless-stopped"));
    world.up().says("replace");
    let db = world.containers().into_keys().find(|name| name.contains("_db_")).expect("a container of ours");
    assert_eq!(podman(&["exec", &db, "cat", "/scratch/note"]).trim(), "kept");
    assert_eq!(podman(&["exec", &db, "cat", "/data/started"]).lines().count(), 2);

    // The old command in the old folder: what it makes is noticed.
    world.run(&["down", "--yes"]).ends(0);
    let volumes: Vec<String> =
        ["data", "db-scratch"].iter().map(|key| format!("{}/volume/{key}", world.name)).collect();
    world.run(&["down", "--yes", "--destroy", &volumes[0], "--destroy", &volumes[1]]).ends(0);
    world.nothing_left();
}

#[test]
fn what_differs_is_told_and_kept_until_something_changes() {
    let Some(world) = world("differ") else { return };
    let Some(peer) = peer("adopt") else { return };
    let web = file(&world);
    compose(&peer, &world, &world.root, &world.name, &["up", "-d"]);
    let text = std::fs::read_to_string(world.root.join("compose.yaml")).expect("the file");
    // The file was changed after docker compose was called last; and one service of it never ran.
    let changed = text
        .replace("SEATS: \"60\"", "SEATS: \"80\"")
        .replace("restart: always", "restart: always\n    mem_limit: 64m");
    world.write("compose.yaml", &changed);
    let said = world.run(&["plan"]).ends(0);
    let said = said.says("2 values").says("environment.SEATS").says("runs as 60; the files say 80");
    said.says("memory").says("the files say 64M");
    let before = running(&world.name);
    world.up();
    world.up().says("Nothing to do.");
    assert_eq!(running(&world.name), before, "what differs is kept as it runs");
    world.run(&["why", &format!("{}/web", world.name)]).ends(0).says("adopted").says("SEATS");

    // docker compose again, in the same folder: it makes web and db anew, and that is noticed.
    compose(&peer, &world, &world.root, &world.name, &["up", "-d", "--force-recreate", "web"]);
    until("docker compose has made web anew", || running(&world.name).len() == 3);
    world.run(&["plan"]).ends(0).says("W0307").says("made").says("anew");
    world.run(&["drift"]).ends(4).says("docker compose made");
    world.run(&["status", "--check"]).ends(4);
    world.up();
    world.up().says("Nothing to do.");
    assert_eq!(get(web, "localhost", "/").map(|(code, _)| code), Ok(200));
    world.run(&["down", "--yes"]).ends(0);
}

#[test]
fn what_cannot_be_taken_over_is_refused_with_a_reason() {
    let Some(world) = world("refuse") else { return };
    let Some(peer) = peer("adopt") else { return };
    file(&world);
    let elsewhere = world.root.join("elsewhere");
    world.write(
        "elsewhere/compose.yaml",
        format!("services: {{ web: {{ image: \"{IMAGE}:v1\" }}, extra: {{ image: \"{IMAGE}:v1\" }} }}\n"),
    );
    compose(&peer, &world, &elsewhere, &world.name, &["up", "-d"]);
    // A project of that name, from another folder.
    let said = world.run(&["up", "--yes"]).ends(3).says("was started from").says("E0324");
    said.says("--project").says(&world.name);
    assert!(world.containers().is_empty());
    // In its own folder it is taken over; a service that no file has any more stays, and is told.
    world.write("elsewhere/compose.yaml", format!("services: {{ web: {{ image: \"{IMAGE}:v1\" }} }}\n"));
    let said = world.run(&["plan", "-f", "elsewhere/compose.yaml"]).ends(0);
    said.says("taken over").says("W0310").says(&format!("{}-extra-1", world.name));
    compose(&peer, &world, &elsewhere, &world.name, &["down", "--remove-orphans"]);
}

#[test]
fn an_instance_of_a_fleet_takes_its_project_over() {
    let Some(world) = world("fleetadopt") else { return };
    let Some(peer) = peer("adopt") else { return };
    let (web, name) = (port(), world.name.clone());
    let project = format!("{name}-old");
    let product = format!(
        "services:\n  web:\n    image: {IMAGE}:${{TAG:-v1}}\n    ports: [\"${{PORT}}:8080\"]\n    depends_on: [db]\n  db:\n    image: {IMAGE}:v1\n    \
         volumes: [\"data:/data\"]\nvolumes: {{ data: }}\n"
    );
    world.write("old/compose.yaml", &product);
    world.write("old/.env", format!("PORT={web}\n"));
    compose(&peer, &world, &world.root.join("old"), &project, &["up", "-d"]);
    podman(&["exec", &format!("{project}-db-1"), "sh", "-c", "echo precious > /data/note"]);
    world.write(
        "fleet.yaml",
        format!(
            "fleet: {name}\nid: {name}\nenvironments: {{ production: {{}} }}\ntargets: {{ host-1: {{ podman: {} }} }}\n",
            world.address()
        ),
    );
    world.write("products/desk/compose.yaml", &product);
    world.write(
        "products/desk/product.yaml",
        "product: desk\nparameters:\n  TAG: { type: string, default: v1 }\n  PORT: { type: integer, required: true }\n",
    );
    let text = format!(
        "# the first customer\ninstance: acme\nproduct: desk\nenvironment: production\nvalues: {{ PORT: {web} }}   # of the old host\n"
    );
    world.write("instances/acme.yaml", &text);
    // Without the word, its port is somebody else's.
    world.run(&["up", "--yes"]).ends(3).says("is taken by something");
    world.run(&["adopt", "acme", "--project", "nobody"]).ends(4).says("E0324").says(&project);
    world.run(&["adopt", "--project", &project]).ends(2);
    // The word without the volume's name: refused, with the line to write.
    world.write("instances/acme.yaml", format!("{text}adopt: {{ project: {project} }}\n"));
    world.run(&["up", "--yes"]).ends(3).says("volumes: { data:").says(&format!("{project}_data"));
    world.write("instances/acme.yaml", &text);
    let before = running(&project);
    world.run(&["adopt", "acme", "--project", &project]).ends(3).says("adopt: {").says("volumes: {");
    let written = std::fs::read_to_string(world.root.join("instances/acme.yaml")).expect("the file");
    assert!(written.starts_with(&text), "comments are kept: {written}");
    world.run(&["adopt", "acme", "--yes"]).ends(0).says("is adopted as it runs: 2 containers, 1 volume, 1 network");
    world.run(&["adopt", "acme", "--yes"]).ends(0).says("nothing to take over");
    world.run(&["plan"]).ends(0).says("Nothing to do");
    assert_eq!(running(&project), before, "nothing was restarted");
    // Updates: the database is Escadre's own from now on, with its data.
    world.write(
        "products/desk/compose.yaml",
        product.replace("volumes: [\"data:/data\"]", "volumes: [\"data:/data\"]\n    labels: { a: b }"),
    );
    world.up().says("replaced");
    let db = world.containers().into_keys().find(|name| name.contains("_db_")).expect("a container of ours");
    assert_eq!(podman(&["exec", &db, "cat", "/data/note"]).trim(), "precious");
    // The state folder is lost: what is labelled is found by its labels, what is not by the word.
    world.run(&["proxy", "stop"]).ends(0);
    std::fs::remove_file(world.state.join("store")).expect("the journal is lost");
    world.run(&["recover"]).ends(0);
    world.run(&["plan"]).ends(0).says("1 instance is adopted as it runs").says("Nothing is created");
    world.up();
    world.run(&["plan"]).ends(0).says("Nothing to do");
    // The old command makes a second database beside ours: it is told, with the command that mends it.
    compose(&peer, &world, &world.root.join("old"), &project, &["up", "-d"]);
    world.run(&["drift"]).ends(4).says("docker compose made").says("db");
    world.run(&["plan"]).ends(0).says("W0307").says(&format!("podman rm -f {project}-db-1"));
    podman(&["rm", "-f", "-t", "0", &format!("{project}-db-1")]);
    world.run(&["down", "--all", "--yes"]).ends(0);
    world.run(&["down", "--all", "--yes", "--destroy", "acme/volume/data"]).ends(0);
}
