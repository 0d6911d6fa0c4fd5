//! The edge's process beside the program: it goes on while the program is replaced.
//!
//! In: one small Compose file, on the real engine; an edge of the version before. Out: what `up` does and says, and that
//! nobody's request is lost.
//! Not here: the edge alone (`escadre-edge`).

use super::world::{IMAGE, Which, World, finish, get, port, skip, until, world};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn files(world: &World, port: u16, tag: &str) {
    let name = &world.name;
    let text = format!("name: {name}\nservices: {{ web: {{ image: \"{IMAGE}:{tag}\", ports: [\"{port}:8080\"] }} }}\n");
    world.write("compose.yaml", text);
}

/// An edge with a program of its own, which can be of the version before: it says so, reads one schema less, and refuses
/// what is newer.
struct Older {
    program: PathBuf,
    holder: Child,
}

impl Older {
    fn start(world: &World) -> Option<Older> {
        let ours = std::env::current_exe().expect("our own path");
        let built = ours.parent().and_then(|deps| deps.parent()).expect("a folder").join("examples/driven_edge");
        if !built.is_file() {
            skip("edge", "needs the example driven_edge of escadre-drivers (cargo test --workspace builds it)");
            return None;
        }
        let program = world.root.with_file_name("driven_edge");
        std::fs::copy(built, &program).expect("copied");
        let holder = Command::new(&program).arg(world.state.join("edge")).spawn().expect("it starts");
        Some(Older { program, holder })
    }

    fn mark(&self) -> PathBuf {
        self.program.with_file_name("driven_edge.older")
    }

    /// The next worker is of the version before, and what lies there was written by it.
    fn becomes_older(&self, world: &World) {
        std::fs::write(self.mark(), "").expect("a mark");
        let path = world.state.join("edge/routes.json");
        let text = std::fs::read_to_string(&path).expect("routes");
        let older = text.replace("escadre.routes/2", "escadre.routes/1");
        assert_ne!(text, older, "the schema has another number now");
        let beside = path.with_extension("beside");
        std::fs::write(&beside, older).and_then(|()| std::fs::rename(&beside, &path)).expect("written");
        let worker = status(world)["pid"].to_string();
        assert!(Command::new("kill").args(["-9", &worker]).status().expect("kill").success());
        until("an older one serves", || status(world)["version"]["number"] == "0.0.9");
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        let _gone = self.holder.kill();
        let _ended = self.holder.wait();
    }
}

fn status(world: &World) -> serde_json::Value {
    let folder = world.state.join("edge");
    let said = world.run(&["proxy", "status", "--json", "--dir", folder.to_str().expect("text")]);
    serde_json::from_str(&said.out).unwrap_or_default()
}

#[test]
fn an_older_edge_is_upgraded_before_anything_is_changed() {
    let Some(world) = world("edge") else { return };
    let port = port();
    files(&world, port, "v1");
    let Some(older) = Older::start(&world) else { return };
    until("it answers", || status(&world)["pid"].is_u64());
    world.up().never("upgraded");
    older.becomes_older(&world);
    until("it serves", || get(port, "localhost", "/") == Ok((200, "v1".to_owned())));
    let (routes, containers) = (world.state.join("edge/routes.json"), world.containers());
    let written = std::fs::read_to_string(&routes).expect("routes");

    // Its program was not replaced: nothing is changed.
    files(&world, port, "v2");
    world.up_ends(4).says("E0325").says("version 0.0.9").says(older.program.to_str().expect("text"));
    assert_eq!((world.containers(), std::fs::read_to_string(&routes).expect("routes")), (containers, written));
    assert_eq!(get(port, "localhost", "/"), Ok((200, "v1".to_owned())));
    // What holds its listeners became the program as it is, too.
    assert_eq!(status(&world)["holder"]["version"]["number"], "0.0.9");

    // It was: the edge is upgraded, the instance after it, and nobody notices.
    std::fs::remove_file(older.mark()).expect("it was there");
    let ended = Arc::new(AtomicBool::new(false));
    let load = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            let mut all = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                all.push(get(port, "localhost", "/"));
            }
            all
        }
    });
    world.up().says("The edge was of version 0.0.9: it is upgraded");
    assert_eq!(get(port, "localhost", "/"), Ok((200, "v2".to_owned())));
    ended.store(true, Ordering::Relaxed);
    let all = load.join().expect("no panic");
    let failed: Vec<_> = all.iter().filter(|got| !matches!(got, Ok((200, _)))).collect();
    assert!(failed.is_empty() && all.len() > 10, "{failed:?} of {}", all.len());
    for part in [&status(&world)["version"], &status(&world)["holder"]["version"]] {
        assert_eq!(part["number"], env!("CARGO_PKG_VERSION"));
    }
    assert_eq!(status(&world)["holder"]["pid"], older.holder.id(), "in the same process");
    world.up().never("upgraded");
}

#[test]
fn who_comes_before_an_instance_has_started_is_told_so() {
    let Some(world) = world("starting") else { return };
    let http = world.fleet_at(world.address());
    // It listens when it is let.
    let wait = "until test -e /srv/go; do sleep 0.1; done; exec run";
    let compose = format!("services: {{ web: {{ image: \"{IMAGE}:v1\", command: [sh, -c, \"{wait}\"] }} }}\n");
    world.write("products/desk/compose.yaml", compose);
    world.write(
        "products/desk/product.yaml",
        "product: desk\nendpoints:\n  portal: { service: web, port: 8080, tls: off, hosts: [\"${ESCADRE_INSTANCE}.test.localhost\"] }\n",
    );
    world.write("instances/elm.yaml", "instance: elm\nproduct: desk\nenvironment: production\n");
    let answer = || get(http, "elm.test.localhost", "/");
    let says = |status: u16, text: &str| answer() == Ok((status, text.to_owned()));
    let inside = |line: &[&str]| {
        let name = world.containers().into_keys().next().expect("a container");
        Which::Podman.says(&[&["exec", &name], line].concat());
    };
    let let_go = || {
        until("it says that it starts", || says(503, "elm is starting."));
        until("its container runs", || !world.running("elm").is_empty());
        assert!(says(503, "elm is starting."), "nobody has proven itself: {:?}", answer());
        inside(&["touch", "/srv/go"]);
    };
    let up = world.start(&["up", "--yes"]);
    let_go();
    finish(up).ends(0);
    assert!(says(200, "v1"), "{:?}", answer());
    inside(&["rm", "/srv/go"]);
    world.run(&["stop", "elm", "--yes"]).ends(0);
    assert!(says(503, "elm is stopped."), "{:?}", answer());
    let start = world.start(&["start", "elm", "--yes"]);
    let_go();
    finish(start).ends(0);
    assert!(says(200, "v1"), "{:?}", answer());
    world.run(&["proxy", "stop", "--dir", world.state.join("edge").to_str().expect("text")]).ends(0);
}

#[test]
fn a_service_on_a_published_port_can_be_told_who_connects() {
    use std::io::{Read as _, Write as _};
    let Some(world) = world("told") else { return };
    world.set("COMPOSE_PROJECT_NAME", &world.name);
    let open = port();
    let file = |told: &str| {
        world.write(
            "compose.yaml",
            format!(
                "services:\n  mail:\n    image: {IMAGE}:v1\n    command: [ nc, -ll, -p, \"9000\", -e, cat ]\n    init: true\n    stop_grace_period: 1s\n    \
                 ports: [ {{ target: 9000, published: {open}{told} }} ]\n"
            ),
        );
    };
    let echoed = || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", open)).expect("the edge listens");
        stream.write_all(b"who am I\n").expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("ended");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    };
    file("");
    world.up();
    assert_eq!(echoed(), "who am I\n");
    let runs = world.containers();
    file(", x-escadre: { proxy_protocol: v1 }");
    world.up().says("mail:9000, PROXY");
    let answer = echoed();
    assert!(answer.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ") && answer.ends_with("\r\nwho am I\n"), "{answer}");
    assert_eq!(world.containers(), runs, "only the way there changed");
    world.up().says("Nothing to do");
    file("");
    world.up();
    assert_eq!(echoed(), "who am I\n");
    world.run(&["down", "--yes"]).ends(0);
    world.nothing_left();
}
