//! Each way an update can fail: who asks meanwhile is served, the old version stays, and one screen says what there is to know.
//!
//! In: small fleets on the real engine, asked without a pause through the edge. Out: exit code 4, the old version's answer, and the screen line by line:
//! the failing service, its gate, the last probe, the last lines of its log, what was undone, what was not, the next command.
//! Not here: a process of ours that dies (`kill`), every step failed in the simulated world (`escadre-testkit`).

use super::world::{Client, IMAGE, Service, World, get, podman, until, world};
use std::collections::BTreeMap;
use std::time::Duration;

/// A front that is updated beside itself, a job before it, and a database that stops first.
const COMPOSE: &str = r#"
services:
  web:
    image: ${WEB}
    pull_policy: never
    command: [sh, -c, "seq 30; ${FIRST}; exec run"]
    depends_on: { migrate: { condition: service_completed_successfully }, db: { condition: service_started } }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/${ASKS}"], interval: 1s, retries: 2, start_period: 2s }
    stop_grace_period: 2s
  migrate:
    image: IMAGE:v1
    command: [sh, -c, "echo 0047 begins; exit ${CODE}"]
    volumes: ["data:/data"]
    depends_on: [db]
  db:
    image: ${DB}
    volumes: ["data:/data"]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 1s, retries: 5 }
    stop_grace_period: 2s
volumes: { data: }
"#;

/// A fleet of these; gives the port of its edge.
fn fleet(world: &World, instances: &[&str]) -> u16 {
    let http = world.fleet_at(world.address());
    world.write("products/desk/compose.yaml", COMPOSE.replace("IMAGE", IMAGE));
    world.write(
        "products/desk/product.yaml",
        format!(
            "product: desk\nparameters:\n  WEB: {{ default: \"{IMAGE}:v1\" }}\n  DB: {{ default: \"{IMAGE}:v1\" }}\n  FIRST: {{ default: \"true\" }}\n  \
             ASKS: {{ default: \"\" }}\n  CODE: {{ type: integer, default: 0 }}\nendpoints:\n  \
             portal: {{ service: web, port: 8080, hosts: [\"${{ESCADRE_INSTANCE}}.test.localhost\"], tls: off }}\n  \
             store: {{ service: db, port: 8080, hosts: [\"db-${{ESCADRE_INSTANCE}}.test.localhost\"], tls: off }}\n"
        ),
    );
    for one in instances {
        instance(world, one, "");
    }
    http
}

fn instance(world: &World, name: &str, values: &str) {
    let values = values.replace("IMAGE", IMAGE);
    let text = format!("instance: {name}\nproduct: desk\nenvironment: production\nvalues: {{ {values} }}\n");
    world.write(&format!("instances/{name}.yaml"), text);
}

/// What the front of an instance answers.
fn answer(http: u16, instance: &str) -> Result<(u16, String), String> {
    get(http, &format!("{instance}.test.localhost"), "/")
}

fn serves(version: &str) -> Result<(u16, String), String> {
    Ok((200, version.to_owned()))
}

/// Everybody asks, without a pause that an update could hide in.
fn load(http: u16, hosts: &[&str]) -> BTreeMap<String, Client> {
    let client = |host: &&str| {
        ((*host).to_owned(), Client::every(Duration::from_millis(40), http, &format!("{host}.test.localhost"), "/"))
    };
    hosts.iter().map(client).collect()
}

/// The screen about an instance: from the sentence to the next command.
fn screen<'s>(said: &'s str, instance: &str) -> &'s str {
    let begin = format!("\n\n{instance} ");
    let from = said.rfind(&begin).unwrap_or_else(|| panic!("no word of {instance}:\n{said}")) + 2;
    let screen = &said[from..];
    let end = screen.find("  see more").map(|at| at + screen[at..].find('\n').unwrap_or_default());
    &screen[..end.unwrap_or_else(|| panic!("no end:\n{screen}"))]
}

/// A screen must have these lines: label, and what stands there.
#[track_caller]
fn holds(screen: &str, lines: &[(&str, &str)]) {
    let joined = screen.replace("\n              ", " ");
    for (label, text) in lines {
        let line = joined.lines().find(|line| line.trim_start().starts_with(label) && line.contains(text));
        assert!(line.is_some(), "no {label:?} with {text:?} in:\n{screen}");
    }
}

/// One instance that fails its own way: what stands in its file, and what its screen says.
struct Way {
    instance: &'static str,
    values: &'static str,
    screen: &'static [(&'static str, &'static str)],
}

const CHECK: &str =
    "healthcheck \"wget -q -O /dev/null http://127.0.0.1:8080/\", every 1 s; 2 failures in a row after the first 2 s";
const KEPT: (&str, &str) = ("undone", "web: the new container is removed");
const NOTHING: (&str, &str) = ("not undone", "nothing");

const WAYS: [Way; 7] = [
    Way {
        instance: "ash-crash",
        values: "WEB: \"IMAGE:bad\"",
        screen: &[
            ("ash-crash went back", "0 of"),
            ("failed", "web ended with code 78 after"),
            ("gate", CHECK),
            ("last probe", "exit code 1"),
            ("its log", "the last 20 lines of 32"),
            ("| error:", "unknown setting \"colour\""),
            KEPT,
            NOTHING,
            ("hold", "until its files change"),
            ("mend it", "correct instances/ash-crash.yaml:4, then: escadre up ash-crash"),
            ("see more", "escadre logs ash-crash/web --plan"),
        ],
    },
    Way {
        instance: "birch-unhealthy",
        values: "WEB: \"IMAGE:v2\", ASKS: nothing",
        screen: &[
            ("birch-unhealthy went back", "0 of"),
            ("failed", "web failed its healthcheck 2 times"),
            ("gate", "http://127.0.0.1:8080/nothing\", every 1 s"),
            ("last probe", "404"),
            ("its log", "the last 20 lines of 31"),
            KEPT,
            NOTHING,
            ("see more", "escadre why birch-unhealthy"),
        ],
    },
    Way {
        instance: "cedar-mute",
        values: "WEB: \"IMAGE:sick\"",
        screen: &[
            ("cedar-mute went back", "0 of"),
            ("failed", "web failed its healthcheck 2 times"),
            ("gate", CHECK),
            ("last probe", "onnection refused"),
            ("|", "escadre-test sick"),
            KEPT,
            NOTHING,
        ],
    },
    Way {
        instance: "elm-slow",
        values: "WEB: \"IMAGE:v2\", FIRST: \"echo warming up; sleep 600\"",
        screen: &[
            ("elm-slow went back", "0 of"),
            ("failed", "web failed its healthcheck 2 times"),
            ("gate", "after the first 2 s are too many"),
            ("last probe", "onnection refused"),
            ("|", "warming up"),
            KEPT,
            NOTHING,
            ("mend it", "escadre up elm-slow"),
        ],
    },
    Way {
        instance: "fir-job",
        values: "WEB: \"IMAGE:v2\", CODE: 3",
        screen: &[
            ("fir-job went back", "0 of"),
            ("failed", "migrate ended with code 3"),
            ("gate", "exit code 0"),
            ("|", "0047 begins"),
            ("not undone", "migrate: it ran, and what it wrote stays: volume data"),
            ("mend it", "correct instances/fir-job.yaml:4"),
            ("see more", "escadre logs fir-job/migrate --plan"),
        ],
    },
    Way {
        instance: "gum-gone",
        values: "WEB: \"localhost/NAME:v3\"",
        screen: &[
            ("gum-gone went back", "0 of"),
            ("failed", "web: image localhost/"),
            ("gate", "not reached"),
            ("undone", "nothing had to be"),
            NOTHING,
            ("again", "escadre up gum-gone"),
            ("see more", "escadre logs gum-gone/web --plan"),
        ],
    },
    Way {
        instance: "holly-db",
        values: "DB: \"IMAGE:bad\"",
        screen: &[
            ("holly-db went back", "of"),
            ("failed", "db ended with code 78 after"),
            ("| error:", "unknown setting \"colour\""),
            ("undone", "db: as before, the old container runs again"),
            ("mend it", "correct instances/holly-db.yaml:4"),
        ],
    },
];

#[test]
fn what_does_not_prove_itself_goes_back() {
    let Some(world) = world("ways") else { return };
    let names: Vec<&str> = WAYS.iter().map(|way| way.instance).chain(["yew"]).collect();
    let http = fleet(&world, &names);
    world.up();
    let before = world.containers();

    // All at once, in one wave: each fails its own way, and one is good.
    let image = format!("localhost/{}:v3", world.name);
    let made = format!("{}-made", world.name);
    podman(&["create", "--name", &made, &format!("{IMAGE}:v2")]);
    podman(&["commit", "--quiet", "--change", "LABEL made=here", &made, &image]);
    podman(&["rm", &made]);
    world.doomed(&image);
    for way in &WAYS {
        instance(&world, way.instance, &way.values.replace("NAME", &world.name));
    }
    instance(&world, "yew", "WEB: \"IMAGE:v2\"");
    world.run(&["plan", "--out", "all.plan"]).ends(0);
    // Since the plan was made somebody has tidied up.
    podman(&["rmi", &image]);
    let clients = load(http, &names);
    let said = world.run(&["apply", "all.plan", "--yes"]).ends(4);
    let asked: BTreeMap<_, _> = clients.into_iter().map(|(host, client)| (host, client.end())).collect();

    let all = said.all();
    for way in &WAYS {
        let screen = screen(&all, way.instance);
        assert!(screen.lines().count() <= 40, "that is no one screen:\n{screen}");
        holds(screen, way.screen);
        assert_eq!(answer(http, way.instance), serves("v1"), "{}: the old one serves", way.instance);
        assert_eq!(world.running(way.instance), ["db", "web"], "{}: and nothing else", way.instance);
    }
    assert_eq!(answer(http, "yew"), serves("v2"), "the good one goes on");
    assert_eq!(get(http, "db-holly-db.test.localhost", "/"), serves("v1"), "the old database is back");
    for (host, asked) in &asked {
        assert_eq!(asked.failed, Vec::<String>::new(), "{host}: {asked:?}");
        assert!(asked.good.values().sum::<u32>() > 5, "{host}: {asked:?}");
        let versions: Vec<&str> = asked.good.keys().map(String::as_str).collect();
        assert!(versions == ["v1"] || (host == "yew" && versions == ["v1", "v2"]), "{host}: {versions:?}");
    }
    assert!(all.contains("1 of 8 done, 7 went back."), "{all}");

    // What was not to be updated is what it was; of the failed ones only the old containers are left, and jobs that ran.
    let now = world.containers();
    let left: Vec<_> = now.keys().filter(|name| !before.contains_key(*name) && !name.contains("_yew_")).collect();
    assert_eq!(left, Vec::<&String>::new());
    world.run(&["status"]).ends(0).says("ash-crash").says("escadre why ash-crash");
    world.run(&["why", "cedar-mute"]).ends(0).says("went back").says("escadre-test sick");
}

#[test]
fn no_room_on_the_disk() {
    let Some(world) = world("room") else { return };
    if !world.on_a_small_disk("no_room_on_the_disk", 4096) {
        return;
    }
    let http = fleet(&world, &["larch"]);
    world.up();
    let before = world.containers();
    instance(&world, "larch", "WEB: \"IMAGE:v2\"");
    let clients = load(http, &["larch"]);

    // Nothing at all: it does not begin, and says which disk it is.
    world.fill(0);
    let disk = world.state.display().to_string();
    let said = world.run(&["up", "--yes"]).ends(4).says(&disk).says("make room (df -h)").all();
    assert!(said.contains("no room is left on the disk of") || said.contains("No space left on device"), "{said}");
    assert_eq!((world.containers(), answer(http, "larch")), (before.clone(), serves("v1")));

    // So little that it fails at the first word of the journal, or in the middle.
    let (mut middle, mut left) = (0, 64);
    loop {
        world.fill(left);
        let said = world.run(&["up", "--yes"]);
        assert_eq!(answer(http, "larch"), serves("v1"), "with {left} kB:\n{}", said.all());
        let said = said.ends(4);
        if said.all().contains("stands in the middle") {
            let all = said.all();
            let screen = screen(&all, "larch");
            holds(
                screen,
                &[("failed", "no room is left on the disk of"), ("go on", "make room (df -h), then: escadre resume")],
            );
            // Where it stands depends on how much fits: what it says is left is what there is.
            let new = world.containers().keys().any(|name| !before.contains_key(name));
            holds(screen, &[("not undone", if new { "new container" } else { "what served before serves on" })]);
            assert_eq!(screen.contains("new container"), new, "{screen}");
            assert!(screen.contains("serves on") || screen.contains("both serve"), "{screen}");
            middle += 1;
            break;
        }
        left += 16;
        assert!(left < 512, "it never stands in the middle:\n{}", said.all());
    }
    assert_eq!(middle, 1);
    let asked = clients.into_values().map(Client::end).next().expect("somebody asked");
    assert_eq!(asked.failed, Vec::<String>::new(), "{asked:?}");
    assert_eq!(asked.good.into_keys().collect::<Vec<_>>(), ["v1"]);

    // There is room again: what stood in the middle is undone, and the update done.
    world.make_room();
    world.up();
    assert_eq!(answer(http, "larch"), serves("v2"));
    assert_eq!(world.running("larch"), ["db", "web"]);
    world.run(&["plan"]).ends(0).says("othing to do");
}

#[test]
fn an_engine_that_is_restarted_in_the_middle() {
    let Some((world, service)) = Service::with_world("restart") else { return };
    let http = fleet(&world, &["larch"]);
    world.up();
    // The new one waits at its gate until it is let through.
    let compose = COMPOSE
        .replace("IMAGE", IMAGE)
        .replace("retries: 2", "retries: 300")
        .replace("[CMD, wget, -q, -O, /dev/null, \"http://127.0.0.1:8080/${ASKS}\"]", "[CMD, test, -e, /tmp/good]");
    // Its name, as soon as there is one that runs and is none of these.
    let waits = |known: &[&str]| {
        let filter = format!("label=dev.escadre.fleet={}", world.name);
        let mut found = String::new();
        until("the new one waits at its gate", || {
            let all = podman(&["ps", "--filter", &filter, "--format", "{{.ID}} {{.Names}}"]);
            let new = all.lines().filter(|line| line.contains("_web_")).find(|line| !known.contains(line));
            found = new.unwrap_or_default().to_owned();
            !found.is_empty()
        });
        found
    };
    let let_through = |container: &str| {
        podman(&["exec", container.split(' ').next().expect("an id"), "touch", "/tmp/good"]);
    };
    let first = waits(&[]);

    // Another one answers at once: nobody notices anything.
    world.write("products/desk/compose.yaml", &compose);
    instance(&world, "larch", "WEB: \"IMAGE:v2\"");
    let clients = load(http, &["larch"]);
    let update = world.start(&["up", "--yes"]);
    let second = waits(&[&first]);
    service.restart();
    let_through(&second);
    super::world::finish(update).ends(0).says("0 of ").says("requests failed meanwhile");
    assert_eq!(answer(http, "larch"), serves("v2"));

    // Nobody answers any more: it stops where it is, v2 serves on, and what stands where is said.
    instance(&world, "larch", "WEB: \"IMAGE:v1\"");
    let update = world.start(&["up", "--yes"]);
    let third = waits(&[&first, &second]);
    service.kill();
    let said = super::world::finish(update).ends(4);
    let all = said.all();
    holds(
        screen(&all, "larch"),
        &[
            ("larch stands in the middle of plan", "0 of"),
            ("failed", "podman does not answer at"),
            ("not undone", "web: its new container is made, or was about to be"),
            ("not undone", "what served before serves on"),
            ("go on", "when the engine answers (escadre doctor): escadre resume"),
        ],
    );
    assert_eq!(answer(http, "larch"), serves("v2"));
    world.run(&["up", "--yes"]).ends(4).says("escadre doctor");

    // It is there again: what stood in the middle is undone first, then done.
    service.again();
    let plan = all.split("escadre resume ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let resumed = world.start(&["resume", plan.expect("the next command"), "--yes"]);
    let fourth = waits(&[&second, &third]);
    let_through(&fourth);
    super::world::finish(resumed).ends(0);
    assert_eq!(answer(http, "larch"), serves("v1"));
    assert_eq!(world.running("larch"), ["db", "web"]);
    let asked = clients.into_values().map(Client::end).next().expect("somebody asked");
    assert_eq!(asked.failed, Vec::<String>::new(), "{asked:?}");
    assert_eq!(asked.good.into_keys().collect::<Vec<_>>(), ["v1", "v2"]);
}
