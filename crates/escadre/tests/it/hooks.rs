//! Commands that run in a container when it has started and before it is stopped.
//!
//! In: a Compose file with hooks. Out: what they did, and what becomes of a start whose hook fails.
//! Not here: what is spelled for the engine (`escadre_render`).

use super::world::{IMAGE, Which, World, world_on};

fn file(world: &World, word: &str, fails: &str) {
    world.write(
        "compose.yaml",
        format!(
            r#"
services:
  web:
    image: {IMAGE}:v1
    environment: {{ WORD: {word} }}
    volumes: ["./seen:/seen"]
    stop_grace_period: 5s
    post_start:
      - command: [sh, -c, "echo $$WORD started $$WHO as $$(id -u) in $$PWD >> /seen/log"]
        working_dir: /tmp
        environment: {{ WHO: first }}
      - {{ command: "{fails}", user: "1000" }}
    pre_stop:
      - command: [sh, -c, "echo {word} stops >> /seen/log"]
      - command: no-such-program
      - command: [sh, -c, "echo $$WORD stopped >> /seen/log"]
"#
        ),
    );
}

#[test]
fn hooks_run_after_the_start_and_before_the_stop() {
    lives(Which::Podman);
}

#[test]
fn hooks_run_after_the_start_and_before_the_stop_on_docker() {
    lives(Which::Docker);
}

fn lives(which: Which) {
    let Some(world) = world_on(which, "hooks") else { return };
    world.set("COMPOSE_PROJECT_NAME", &world.name);
    let log = || std::fs::read_to_string(world.root.join("seen/log")).unwrap_or_default();
    file(&world, "one", "sh -c 'exit 0'");
    world.up();
    assert_eq!(log(), "one started first as 0 in /tmp\n");
    world.up().says("Nothing to do");
    assert_eq!(log(), "one started first as 0 in /tmp\n");

    // The old one is stopped by its own hooks.
    file(&world, "two", "sh -c 'exit 0'");
    world.up();
    let before = "one started first as 0 in /tmp\none stops\none stopped\ntwo started first as 0 in /tmp\n";
    assert_eq!(log(), before);

    // A hook that fails is a start that failed: the old one runs again, and its own hooks have run for it.
    let runs = world.containers();
    file(&world, "three", "sh -c 'exit 3'");
    let said = world.run(&["up", "--yes"]).ends(4);
    said.says("post_start: sh -c exit 3 ended with code 3").says("went back");
    assert_eq!(world.containers(), runs);
    let rest = "two stops\ntwo stopped\nthree started first as 0 in /tmp\nthree stops\nthree stopped\ntwo started first as 0 in /tmp\n";
    assert_eq!(log().strip_prefix(before), Some(rest));

    world.run(&["down", "--yes"]).ends(0);
    assert!(log().ends_with("two stops\ntwo stopped\n"), "{}", log());
    world.nothing_left();
}

#[test]
fn steps_before_a_start_run_once_and_again_when_they_change() {
    steps(Which::Podman);
}

#[test]
fn steps_before_a_start_run_once_and_again_when_they_change_on_docker() {
    steps(Which::Docker);
}

fn steps(which: Which) {
    let Some(world) = world_on(which, "steps") else { return };
    world.set("COMPOSE_PROJECT_NAME", &world.name);
    let file = |word: &str, second: &str, exit: u8| {
        world.write(
            "compose.yaml",
            format!(
                "services:\n  web:\n    image: {IMAGE}:v1\n    environment: {{ WORD: {word} }}\n    volumes: [ \"./seen:/seen\" ]\n    stop_grace_period: 1s\n    \
                 deploy: {{ replicas: 2 }}\n    depends_on: [ db ]\n    pre_start:\n      \
                 - command: [ sh, -c, \"wget -qO /dev/null http://db:8080/ && echo $$WORD finds db >> /seen/log\" ]\n      \
                 - {{ image: \"{IMAGE}:v2\", command: [ sh, -c, \"echo $$WORD {second} >> /seen/log; exit {exit}\" ] }}\n  \
                 db: {{ image: \"{IMAGE}:v1\", stop_grace_period: 1s }}\n"
            ),
        );
    };
    let log = || std::fs::read_to_string(world.root.join("seen/log")).unwrap_or_default();
    file("one", "second", 0);
    world.up();
    assert_eq!(log(), "one finds db\none second\n", "once, though there are two");
    world.up().says("Nothing to do");
    world.run(&["restart", &format!("{}/web", world.name), "--yes"]).ends(0);
    assert_eq!(log(), "one finds db\none second\n");

    // One step changes: it runs, the other one not.
    file("one", "changed", 0);
    world.up();
    assert_eq!(log(), "one finds db\none second\none changed\n");

    // What a step has from its service changes: both run, before the new ones of the service.
    file("two", "changed", 0);
    world.up();
    let before = "one finds db\none second\none changed\ntwo finds db\ntwo changed\n";
    assert_eq!(log(), before);

    // A step that fails is a start that does not come: those before run on.
    let runs = world.containers();
    file("three", "fails", 3);
    world.run(&["up", "--yes"]).ends(4).says("web-pre-start-2");
    assert_eq!(log(), format!("{before}three finds db\nthree fails\n"));
    let serving = |name: &&String| !name.contains("pre-start");
    let (now, then) = (world.containers(), runs);
    assert_eq!(now.keys().filter(serving).collect::<Vec<_>>(), then.keys().filter(serving).collect::<Vec<_>>());
    world.run(&["down", "--yes"]).ends(0);
    world.nothing_left();
}
