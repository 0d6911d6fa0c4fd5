//! Images that are built from the files: with everything that a build may be given, and again only when something of it changed.
//!
//! In: a Compose file with `build:`. Out: what the built image holds, and when it is built again.
//! Not here: what stands in the image as docker compose builds it (`compose_peer`).

use super::world::{IMAGE, Which, World, get, port, world_on};

fn file(world: &World, which: Which, port: u16) {
    // Docker's own builder has one context, and takes no secret.
    let (contexts, secrets, asks) = match which {
        Which::Podman => (
            "additional_contexts: { words: ./words, base: \"docker-image://IMAGE:v2\" }",
            "secrets: [ { source: token, target: tok } ]",
            "RUN --mount=type=secret,id=tok cp /run/secrets/tok /srv/token\n        COPY --from=words word /srv/word\n        COPY --from=base /srv/ /srv/base/",
        ),
        Which::Docker => ("", "", "RUN echo canary > /srv/token; echo hello > /srv/word; mkdir /srv/base"),
    };
    let text = format!(
        r#"
services:
  app:
    ports: ["{port}:8080"]
    build:
      context: app
      dockerfile_inline: |
        FROM IMAGE:v1
        COPY . /srv/all/
        {asks}
        RUN cat /etc/hosts > /srv/hosts && ulimit -n > /srv/limit
      {contexts}
      {secrets}
      tags: [ "localhost/{name}-more:1" ]
      extra_hosts: [ "gate=192.0.2.7" ]
      ulimits: {{ nofile: {{ soft: 77, hard: 99 }} }}
      cache_from: [ "localhost/{name}-more" ]
    stop_grace_period: 1s
secrets:
  token: {{ file: token.txt }}
"#,
        name = world.name
    );
    world.write("compose.yaml", text.replace("IMAGE", IMAGE));
}

#[test]
fn images_are_built_with_all_that_is_said() {
    lives(Which::Podman);
}

#[test]
fn images_are_built_with_all_that_is_said_on_docker() {
    lives(Which::Docker);
}

fn lives(which: Which) {
    let Some(world) = world_on(which, "build") else { return };
    world.set("COMPOSE_PROJECT_NAME", &world.name);
    let port = port();
    let more = format!("localhost/{}-more:1", world.name);
    world.doomed(&more);
    file(&world, which, port);
    world.write("app/page", "a page");
    world.write("words/word", "hello");
    world.write("token.txt", "canary-of-the-build");
    world.up().never("canary-of-the-build");
    let inside = |line: &str| {
        let name = world.containers().into_keys().next().expect("a container");
        which.says(&["exec", &name, "sh", "-c", line])
    };
    assert_eq!(
        inside("cat /srv/all/page /srv/word"),
        "a pagehello".replace("hello", if which == Which::Podman { "hello" } else { "hello\n" })
    );
    assert!(inside("cat /srv/token").starts_with("canary"));
    assert_eq!(inside("ls -a /srv/all").split_whitespace().filter(|name| name.contains("secret")).count(), 0);
    assert!(inside("grep -c 192.0.2.7 /srv/hosts").starts_with('1'));
    assert_eq!(inside("cat /srv/limit").trim(), "77");
    assert!(!which.says(&["image", "inspect", "--format", "{{.Id}}", &more]).trim().is_empty(), "it has both names");
    assert_eq!(get(port, "localhost", "/").map(|(code, _)| code), Ok(200));

    // Nothing changed: nothing is built, nor asked for.
    let image = || which.says(&["image", "inspect", "--format", "{{.Id}}", &more]);
    let first = image();
    world.up().says("Nothing to do");
    assert_eq!(image(), first);
    // A secret is no input: what it opened is in the image already.
    world.write("token.txt", "another-canary");
    world.up().says("Nothing to do");
    world.write("app/page", "another page");
    world.up();
    assert_ne!(image(), first);
    assert_eq!(inside("cat /srv/all/page"), "another page");
    if which == Which::Podman {
        world.write("words/word", "bye");
        world.up();
        assert_eq!(inside("cat /srv/word"), "bye");
    }
    world.run(&["down", "--yes"]).ends(0);
    world.nothing_left();
}

#[test]
fn a_commit_is_built_from_its_own_files() {
    let Some(world) = world_on(Which::Podman, "rev") else { return };
    let http = world.fleet_at(world.address());
    // Images are named after the product: so they go at the end.
    let product = format!("products/{}", world.name);
    let compose = "services: { app: { build: { context: app, additional_contexts: { words: ./words } } } }\n";
    world.write(&format!("{product}/compose.yaml"), compose);
    let endpoint = "endpoints:\n  portal: { service: app, port: 8080, tls: off, hosts: [\"${ESCADRE_INSTANCE}.test.localhost\"] }\n";
    world.write(&format!("{product}/product.yaml"), format!("product: {}\n{endpoint}", world.name));
    let recipe =
        format!("FROM {IMAGE}:v1\nCOPY word /srv/word\nCOPY --from=words more /srv/more\nCOPY run.sh /srv/run.sh\n");
    world.write(&format!("{product}/app/Dockerfile"), recipe);
    world.write(&format!("{product}/app/run.sh"), "#!/bin/sh\n");
    let words = |word: &str| {
        world.write(&format!("{product}/app/word"), word);
        world.write(&format!("{product}/words/more"), format!("more {word}"));
    };
    words("committed");
    world.write("instances/elm.yaml", format!("instance: elm\nproduct: {}\nenvironment: production\n", world.name));
    git(&world, &["init", "-q"]);
    git(&world, &["add", "-A"]);
    git(&world, &["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "The fleet"]);
    // The work tree goes on, and a file that the commit has is gone.
    words("uncommitted");
    world.erase(&format!("{product}/app/run.sh"));
    let served = || ["/word", "/more"].map(|path| get(http, "elm.test.localhost", path).map(|(_, body)| body));
    world.run(&["up", "--rev", "HEAD", "--yes"]).ends(0);
    assert_eq!(served(), [Ok("committed".to_owned()), Ok("more committed".to_owned())]);
    let left: Vec<_> =
        std::fs::read_dir(&world.state).expect("a folder").flatten().map(|one| one.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("commit-")), "{left:?}");
    world.run(&["up", "--rev", "HEAD", "--yes"]).ends(0).says("Nothing to do");
    let recipe = format!("FROM {IMAGE}:v1\nCOPY word /srv/word\nCOPY --from=words more /srv/more\n");
    world.write(&format!("{product}/app/Dockerfile"), recipe);
    world.up();
    assert_eq!(served(), [Ok("uncommitted".to_owned()), Ok("more uncommitted".to_owned())]);
}

fn git(world: &World, line: &[&str]) {
    let done = std::process::Command::new("git").args(line).current_dir(&world.root).env("HOME", &world.root).output();
    assert!(done.expect("git is installed").status.success(), "git {line:?}");
}
