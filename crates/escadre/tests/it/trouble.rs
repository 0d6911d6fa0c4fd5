//! A world that does not play along: names and ports taken, images missing, engine absent, two at once.
//!
//! In: one small Compose file, on the real engine. Out: exit codes, sentences, and that nothing is half done.
//! Not here: processes that die (`kill`).

use super::world::{IMAGE, World, finish, get, podman, port, until, world};
use std::net::TcpListener;

/// A front, and something behind it.
fn files(world: &World, front: &str) -> u16 {
    let port = port();
    let name = &world.name;
    world.write(
        "compose.yaml",
        format!(
            "name: {name}\nservices:\n  web:\n    image: {IMAGE}:v1\n    ports: [\"{port}:8080\"]\n    depends_on: [api]\n{front}  \
             api: {{ image: \"{IMAGE}:v1\" }}\n"
        ),
    );
    port
}

#[test]
fn two_at_once() {
    let Some(world) = world("two") else { return };
    let port = files(&world, "    healthcheck: { test: [CMD, test, -e, /tmp/good], interval: 1s, retries: 60 }\n");
    let first = world.start(&["up", "--yes"]);
    let front = format!("{0}_web_1_g1", world.name);
    until("the first one waits at its gate", || world.containers().get(&front).is_some_and(|state| state == "running"));
    let second = world.run(&["up", "--yes"]).ends(3);
    assert!(
        second.all().contains("E0311") && second.all().contains("locked") && second.all().contains("tester@"),
        "{}",
        second.all()
    );
    let third = world.start(&["up", "--yes", "--wait"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    podman(&["exec", &front, "touch", "/tmp/good"]);
    finish(first).ends(0);
    let third = finish(third);
    assert!(third.code == Some(0) || third.code == Some(3), "{third:?}");
    assert_eq!(get(port, "localhost", "/"), Ok((200, "v1".to_owned())));
    assert_eq!(world.containers().len(), 2, "{:?}", world.containers());
    world.run(&["plan"]).ends(0).says("othing to do");
}

#[test]
fn a_name_of_ours_on_a_foreign_container() {
    let Some(world) = world("foreign") else { return };
    files(&world, "");
    let taken = format!("{0}_web_1_g1", world.name);
    podman(&["create", "--name", &taken, &format!("{IMAGE}:v1")]);
    let stranger = world.inspect(&taken)["Id"].clone();
    let said = world.run(&["up", "--yes"]);
    assert_eq!(world.inspect(&taken)["Id"], stranger, "the foreign one is untouched");
    // Either another name is found, or the name is named and nothing is half done.
    match said.code {
        Some(0) => assert_eq!(world.running(&world.name), ["api", "web"]),
        _ => {
            let said = said.says(&taken);
            assert!(matches!(said.code, Some(3 | 4)), "{said:?}");
            assert!(world.containers().is_empty(), "half done: {:?}", world.containers());
        }
    }
    podman(&["rm", "-f", &taken]);
}

#[test]
fn a_port_somebody_listens_on() {
    let Some(world) = world("port") else { return };
    let port = files(&world, "");
    let listener = TcpListener::bind(("0.0.0.0", port)).expect("it is free");
    let said = world.run(&["up", "--yes"]).says(&port.to_string());
    assert!(matches!(said.code, Some(3 | 4)), "{said:?}");
    assert_eq!(world.running(&world.name), Vec::<String>::new(), "half done: {:?}", said.all());
    drop(listener);
    let again = world.run(&["up", "--yes"]);
    // What failed for the world's sake is tried again without being asked to.
    let again = again.ends(0);
    assert_eq!(get(port, "localhost", "/"), Ok((200, "v1".to_owned())), "{}", again.all());
}

#[test]
fn an_image_that_is_nowhere() {
    let Some(world) = world("image") else { return };
    let port = files(&world, "");
    world.up();
    let before = world.containers();
    let good = std::fs::read_to_string(world.root.join("compose.yaml")).expect("it was written");
    let bad = good.replacen(&format!("{IMAGE}:v1"), "127.0.0.1:1/nobody/nothing:9", 1);
    world.write("compose.yaml", bad);
    let said = world.run(&["up", "--yes"]).ends(4).says("127.0.0.1:1/nobody/nothing:9");
    assert_eq!(world.containers(), before, "{}", said.all());
    assert_eq!(get(port, "localhost", "/"), Ok((200, "v1".to_owned())), "the old one serves");
    world.write("compose.yaml", good);
    world.up().says("othing to do");
}

#[test]
fn an_engine_that_is_not_there() {
    let Some(world) = world("engine") else { return };
    files(&world, "");
    world.set("CONTAINER_HOST", "unix:///run/escadre-test/nowhere.sock");
    let said = world.run(&["up", "--yes"]).ends(4).says("/run/escadre-test/nowhere.sock");
    assert!(said.all().contains("help") || said.all().contains("next"), "no next step: {}", said.all());
    world.set("CONTAINER_HOST", "tcp://127.0.0.1:1");
    world.run(&["up", "--yes"]).ends(4);
    assert!(world.containers().is_empty());
    // Reading needs none.
    world.run(&["check"]).ends(0);
}

#[test]
fn a_secret_is_nowhere_but_where_it_belongs() {
    let Some(world) = world("canary") else { return };
    const CANARY: &str = "canary-5f3e-of-this-test";
    // A variable of the surroundings is none by its declaration; what it is filled with is all the same said to nobody.
    const VARIABLE: &str = "variable-7c1d-of-this-test";
    let port = port();
    let text = "services:\n  web:\n    image: IMAGE:${TAG:-v1}\n    ports: [\"PORT:8080\"]\n    secrets: [token]\n    \
                environment: { FROM_ENV: \"${VARIABLE}\" }\n    command: [sh, -c, \"test -s /run/secrets/token && exec run\"]\nsecrets:\n  \
                token: { environment: TOKEN }\n";
    let text = text.replace("IMAGE", IMAGE).replace("PORT", &port.to_string());
    world.write("compose.yaml", format!("name: {}\n{text}", world.name));
    world.set("TOKEN", CANARY);
    world.set("VARIABLE", VARIABLE);
    let mut heard = String::new();
    let mut hear = |line: &[&str]| heard.push_str(&world.run(line).all());
    hear(&["check"]);
    hear(&["plan"]);
    hear(&["plan", "--json"]);
    let child = world.start(&["up", "--yes"]);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap_or_default();
    heard.push_str(&String::from_utf8_lossy(&arguments));
    heard.push_str(&finish(child).ends(0).all());
    let mut hear = |line: &[&str]| heard.push_str(&world.run(line).all());
    for line in [
        &["status"][..],
        &["status", "--json"],
        &["why", &world.name],
        &["history"],
        &["history", "--json"],
        &["drift"],
        &["ps", "--json"],
        &["logs"],
        &["doctor"],
    ] {
        hear(line);
    }
    world.set("TOKEN", &format!("{CANARY}-changed"));
    hear(&["plan", "--json"]);
    hear(&["up", "--yes", "--json"]);
    world.set("TAG", "bad");
    hear(&["up", "--yes"]);
    hear(&["why", &world.name]);
    assert!(!heard.contains(CANARY) && !heard.contains(VARIABLE), "it was said aloud: {heard}");
    // The journal keeps what was wanted, in a folder that is closed to others; plans, logs and routes have nothing of it.
    let found = world.files_with(VARIABLE.as_bytes());
    assert!(found.iter().all(|path| path.to_string_lossy().starts_with("store")), "{found:?}");
    let found = world.files_with(CANARY.as_bytes());
    assert!(!found.is_empty(), "it is where it belongs");
    assert!(found.iter().all(|path| path.starts_with("secrets")), "{found:?}");
    let labels = podman(&[
        "ps",
        "-a",
        "--filter",
        &format!("label=dev.escadre.fleet={}", world.name),
        "--format",
        "{{.Labels}} {{.Command}}",
    ]);
    assert!(!labels.contains(CANARY), "{labels}");
    world.set("TAG", "v1");
    world.run(&["down", "--yes"]).ends(0);
    // A fleet of one gets its secrets from the environment again: nothing of it needs to stay.
    assert_eq!(world.files_with(CANARY.as_bytes()), Vec::<std::path::PathBuf>::new());
}
