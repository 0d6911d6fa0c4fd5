//! What people are refused although the engine is well: each refusal has its code, says what to do, and changes nothing.
//!
//! In: a fleet of two, on the real engine. Out: exit codes, codes and sentences.
//! Not here: refusals that need no engine (`bad`), worlds that do not play along (`trouble`).

use super::world::{IMAGE, World, port, world};
use std::process::Command;

/// A fleet of two instances, elm and oak.
fn fleet(world: &World, require: &str) {
    let name = &world.name;
    world.write(
        "fleet.yaml",
        format!(
            "fleet: {name}\nid: {name}\nenvironments: {{ production: {{}} }}\ntargets:\n  host-1:\n    podman: {}\n    {require}\
             edge: {{ http: {}, https: {} }}\ndefaults: {{ target: host-1 }}\n",
            world.address(),
            port(),
            port()
        ),
    );
    world.write("products/desk/compose.yaml", format!("services: {{ web: {{ image: \"{IMAGE}:v1\" }} }}\n"));
    world.write("products/desk/product.yaml", "product: desk\n");
    for one in ["elm", "oak"] {
        world.write(
            &format!("instances/{one}.yaml"),
            format!("instance: {one}\nproduct: desk\nenvironment: production\n"),
        );
    }
}

#[test]
fn plans_that_are_not_what_they_were() {
    let Some(world) = world("plans") else { return };
    fleet(&world, "");
    world.run(&["apply", "abcdef", "--yes"]).ends(2).says("error[E0302]: there is no plan abcdef here");
    world.write("no.plan", "{}");
    world.run(&["apply", "no.plan", "--yes"]).ends(2).says("error[E0302]").says("escadre plan --out FILE");
    world.run(&["plan", "--out", "made.plan"]).ends(0);
    // Another fleet has no use for it.
    let made = std::fs::read_to_string(world.root.join("made.plan")).expect("the plan is written");
    let mut other: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    other["fleet"] = "other".into();
    world.write("other.plan", other.to_string());
    let other = world.run(&["apply", "other.plan", "--yes"]);
    other.ends(2).says("error[E0302]").says("for fleet other");

    world.write("products/desk/compose.yaml", format!("services: {{ web: {{ image: \"{IMAGE}:v2\" }} }}\n"));
    let changed = world.run(&["apply", "made.plan", "--yes"]).ends(3);
    changed.says("E0304").says("what it wants changed after plan").says("escadre plan elm");
    world.write("products/desk/compose.yaml", format!("services: {{ web: {{ image: \"{IMAGE}:v1\" }} }}\n"));
    world.write("instances/oak.yaml", "instance: oak\nproduct: desk\nenvironment: productoin\n");
    let gone = world.run(&["apply", "made.plan", "--yes"]).ends(3);
    gone.says("E0305").says("its files cannot be read any more").says("escadre check");
    assert_eq!(world.running("oak"), Vec::<String>::new(), "nothing of it was begun");
    world.run(&["down", "--all", "--yes"]);
}

#[test]
fn instances_that_are_held_or_not_named() {
    let Some(world) = world("held") else { return };
    fleet(&world, "");
    let which = world.run(&["down"]).ends(2);
    which.says("error[E0205]: which instance? This fleet has 2 instances.").says("escadre down INSTANCE");
    world.run(&["logs", "ok"]).ends(2).says("error[E0206]: there is no instance \"ok\" in this fleet").says("\"oak\"?");
    world.run(&["hold", "oak", "--because", "the exam week"]).ends(0);
    let held = world.run(&["up", "--yes"]).ends(3);
    held.says("E0312").says("on hold by hand (the exam week)").says("escadre unhold oak");
    assert_eq!((world.running("elm"), world.running("oak")), (vec!["web".to_owned()], vec![]), "the other goes on");
}

#[test]
fn only_from_a_commit() {
    let Some(world) = world("commit") else { return };
    fleet(&world, "require: commit\n    ");
    let none = world.run(&["up", "--yes"]).ends(3);
    none.says("error[E0307]").says("no commit at all").says("--dirty --because TEXT");
    assert!(world.containers().is_empty(), "{:?}", world.containers());
    let git = |line: &[&str]| {
        let done = Command::new("git").args(line).current_dir(&world.root).env("HOME", &world.root).output();
        assert!(done.expect("git is installed").status.success(), "git {line:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one"]);
    world.write("instances/oak.yaml", "instance: oak\nproduct: desk\nenvironment: production\nlabels: { a: b }\n");
    world.run(&["up", "--yes"]).ends(3).says("error[E0307]").says("uncommitted changes");
    assert!(world.containers().is_empty(), "{:?}", world.containers());
}

#[test]
fn a_terminal_that_does_not_say_yes() {
    let Some(world) = world("no") else { return };
    world.write("compose.yaml", format!("name: {}\nservices: {{ web: {{ image: \"{IMAGE}:v1\" }} }}\n", world.name));
    for answer in ["no\n", "", "yesterday\n"] {
        let up = format!("{} --state {} up", env!("CARGO_BIN_EXE_escadre"), world.state.display());
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &up, "/dev/null"]).current_dir(&world.root).env_clear();
        script
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("CONTAINER_HOST", world.address())
            .env("SHELL", "/bin/sh");
        let mut child = script
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("script (bsdutils) is part of every Debian");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), answer.as_bytes()).expect("it listens");
        let said = super::world::finish(child).ends(3);
        said.says("Go on?").says("E0208").says("not agreed. Nothing was done (exit 3)");
        assert!(world.containers().is_empty(), "{:?}", world.containers());
    }
}
