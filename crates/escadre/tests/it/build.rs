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
