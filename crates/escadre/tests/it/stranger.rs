//! A stranger's Compose file: it comes up, stays, is changed, survives a bad version, goes, comes back, and goes for good.
//!
//! In: a Compose file with a bit of everything, on the real engine. Out: what a person would see.
//! Not here: many instances (`fleet`), interruptions (`kill`).

use super::world::{Client, IMAGE, Recorder, Which, World, get, port, world_on};

const COMPOSE: &str = r#"
services:
  web:
    image: IMAGE:${TAG:-v1}
    environment: { PORT: "80" }
    ports: ["WEB:80"]
    depends_on:
      api: { condition: service_healthy }
      migrate: { condition: service_completed_successfully }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, retries: 5 }
  api:
    image: IMAGE:v1
    env_file: [api.env]
    command: [sh, -c, "cp /run/secrets/db_password /etc/settings.ini /srv/ && echo $$GREETING > /srv/greeting && exec run"]
    configs: [{ source: settings, target: /etc/settings.ini }]
    secrets: [db_password]
    depends_on: [db]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8000/healthz"], interval: 1s, retries: 5 }
  migrate:
    image: IMAGE:v1
    command: [sh, -c, "date >> /data/migrated"]
    volumes: ["data:/data"]
    depends_on: { db: { condition: service_started } }
    restart: "no"
  db:
    image: IMAGE:v1
    command: [sh, -c, "date >> /data/started; exec run"]
    environment: { PORT: "5432", ROOT: /data }
    volumes: ["data:/data"]
    ports: ["127.0.0.1:DB:5432"]
  built:
    build: { context: app, args: { WORD: built-here } }
    ports: ["BUILT:8080"]
volumes:
  data:
configs:
  settings: { file: settings.ini }
secrets:
  db_password: { file: db_password.txt }
"#;

struct Ports {
    web: u16,
    db: u16,
    built: u16,
}

fn files(world: &World) -> Ports {
    let ports = Ports { web: port(), db: port(), built: port() };
    let text = COMPOSE
        .replace("IMAGE", IMAGE)
        .replace("WEB", &ports.web.to_string())
        .replace("BUILT", &ports.built.to_string())
        .replace("DB:", &format!("{}:", ports.db));
    world.write("compose.yaml", format!("name: {}\n{text}", world.name));
    world.write("api.env", "PORT=8000\nGREETING=from-the-env-file\n");
    world.write("settings.ini", "colour = green\n");
    world.write("db_password.txt", "canary-81234-secret");
    world.write(
        "app/Dockerfile",
        format!("FROM {IMAGE}:v1\nARG WORD\nRUN [\"/bin/sh\", \"-c\", \"echo $WORD > /srv/index.html\"]\n"),
    );
    world.write(".env", "TAG=v1\n");
    ports
}

#[test]
fn a_strangers_file_lives_its_life() {
    lives(Which::Podman);
}

#[test]
fn a_strangers_file_lives_its_life_on_docker() {
    lives(Which::Docker);
}

fn lives(which: Which) {
    let Some(world) = world_on(which, "stranger") else { return };
    let recorder = Recorder::before(&world);
    let ports = files(&world);

    // It comes up.
    world.up();
    assert_eq!(get(ports.web, "localhost", "/"), Ok((200, "v1".to_owned())));
    assert_eq!(get(ports.built, "localhost", "/"), Ok((200, "built-here".to_owned())));
    let migrated = get(ports.db, "localhost", "/migrated").expect("the database answers").1;
    assert_eq!(migrated.lines().count(), 1, "the job ran once");
    assert_eq!(world.running(&world.name), ["api", "built", "db", "web"]);
    inside(&world);
    assert!(!recorder.mutating().is_empty(), "the recorder sees what is done");

    // Nothing changed: nothing is done.
    recorder.forget();
    let before = world.containers();
    world.up().says("Nothing to do");
    assert_eq!(recorder.mutating(), Vec::<String>::new());
    assert!(!recorder.all().is_empty(), "the engine was asked");
    assert_eq!(world.containers(), before);

    // A new version: who asks meanwhile waits.
    world.write(".env", "TAG=v2\n");
    let client = Client::begin(ports.web, "localhost", "/");
    world.run(&["plan"]).ends(0).says("v1 -> v2");
    world.up();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let asked = client.end();
    assert_eq!(asked.failed, Vec::<String>::new(), "requests failed during an update");
    assert!(asked.good.contains_key("v1") && asked.good.contains_key("v2"), "{asked:?}");
    assert!(asked.longest < std::time::Duration::from_secs(10), "{asked:?}");
    assert_eq!(asked.good.len(), 2, "{asked:?}");

    bad_version(&world, ports.web);

    // Down and up again: the data is there.
    world.run(&["down", "--yes"]).ends(0);
    assert!(world.containers().is_empty(), "{:?}", world.containers());
    assert_eq!(world.named("network"), Vec::<String>::new());
    assert_eq!(world.named("volume"), [format!("{}_data", world.name)], "the volume stays");
    assert!(get(ports.web, "localhost", "/").is_err(), "the edge has let the port go");
    world.run(&["down", "--yes"]).ends(0);
    world.up();
    let started = get(ports.db, "localhost", "/started").expect("the database answers").1;
    assert!(started.lines().count() >= 2, "the data is there: {started}");

    // For good.
    let doomed = format!("{}/volume/data", world.name);
    world.run(&["down", "--yes", "--destroy", &doomed]).ends(0);
    world.nothing_left();
    assert_eq!(world.files_with(b"canary-81234"), Vec::<std::path::PathBuf>::new(), "the secret's file is gone");
    assert_eq!(which.says(&["ps", "-a", "--format", "{{.Names}}"]).matches(&world.name).count(), 0);
}

/// What containers got: configuration, secret, variables of a file.
fn inside(world: &World) {
    let line = |path: &str| world.run(&["exec", &format!("{}/api", world.name), "--", "cat", path]);
    assert_eq!(line("/srv/settings.ini").ends(0).out, "colour = green\n");
    assert_eq!(line("/srv/greeting").ends(0).out, "from-the-env-file\n");
    assert_eq!(line("/run/secrets/db_password").ends(0).out, "canary-81234-secret");
    assert_eq!(line("/nothing").code, Some(1), "the command's own code");
}

/// A version that ends at once, one that never answers, and a mended one.
fn bad_version(world: &World, web: u16) {
    world.write(".env", "TAG=bad\n");
    let said = world.run(&["up", "--yes"]).ends(4);
    assert!(said.all().contains("78") || said.all().contains("unknown setting"), "the reason is shown: {}", said.all());
    let began = std::time::Instant::now();
    let answer = get(web, "localhost", "/");
    if answer != Ok((200, "v2".to_owned())) {
        let took = began.elapsed();
        std::thread::sleep(std::time::Duration::from_secs(1));
        let again = get(web, "localhost", "/");
        let edge = |file: &str| std::fs::read_to_string(world.state.join("edge").join(file)).unwrap_or_default();
        let (log, routes) = (edge("edge.log"), edge("routes.json"));
        panic!(
            "the old one does not serve: {answer:?} after {took:?}, a second later {again:?}\n{}\n{log}{routes}",
            said.all()
        );
    }
    assert_eq!(world.running(&world.name), ["api", "built", "db", "web"], "and nothing else runs");
    let why = world.run(&["why", &world.name]).ends(0).says("went back").says("hold");
    let plan = why.out.split("--plan ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let plan = plan.unwrap_or_else(|| panic!("the next command is named: {}", why.out));
    world.run(&["logs", &world.name, "--plan", plan]).ends(0).says("unknown setting");
    // The same files again: held, nothing is tried.
    let before = world.containers();
    world.run(&["up", "--yes"]).ends(3);
    assert_eq!(world.containers(), before);
    world.write(".env", "TAG=v1\n");
    world.up();
    assert_eq!(get(web, "localhost", "/"), Ok((200, "v1".to_owned())));
    assert!(world.containers().values().all(|state| state == "running" || state == "exited"));
    world.run(&["plan"]).ends(0).says("Nothing to do");
}
