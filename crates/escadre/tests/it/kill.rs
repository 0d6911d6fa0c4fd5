//! The binary dies, at every place where it can: the next run ends in the state of an undisturbed one.
//!
//! In: one update of a small instance, killed at point 1, 2, 3, … Out: what the next `up` makes of it.
//! **Invariant**: the same services in the same specification, one container each, nothing left over, an empty plan, a journal without an open end.
//! Not here: dying in the simulated world, where every fault is cheap (`escadre-testkit`).
#![expect(clippy::print_stderr, reason = "the table of what was found is for people")]

use super::world::{IMAGE, World, get, port, world};
use serde_json::Value;
use std::collections::BTreeMap;

/// Two services with data and a port: everything an update does is in it.
fn files(world: &World, port: u16) {
    let name = &world.name;
    world.write(
        "compose.yaml",
        format!(
            "name: {name}\nservices:\n  web:\n    image: {IMAGE}:${{TAG}}\n    ports: [\"{port}:8080\"]\n    depends_on: {{ api: {{ \
             condition: service_healthy }} }}\n    configs: [{{ source: text, target: /etc/text }}]\n    stop_grace_period: 2s\n  api:\n    image: {IMAGE}:${{TAG}}\n    \
             command: [sh, -c, \"date >> /data/started; exec run\"]\n    volumes: [\"data:/data\"]\n    stop_grace_period: 2s\n    healthcheck: {{ test: [CMD, wget, -q, -O, \
             /dev/null, \"http://127.0.0.1:8080/\"], interval: 1s, retries: 9 }}\nvolumes: {{ data: }}\nconfigs: {{ text: {{ content: \"of ${{TAG}}\" }} }}\n"
        ),
    );
}

/// What a state is, but for generations, addresses and times.
fn state(world: &World) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for name in world.containers().into_keys() {
        let seen = world.inspect(&name);
        let labels = &seen["Config"]["Labels"];
        let key = labels["dev.escadre.service"].as_str().unwrap_or_default().to_owned();
        let generation = labels["dev.escadre.generation"].as_str().unwrap_or_default();
        let sorted = |value: &Value, text: &dyn Fn(&Value) -> String| {
            let mut all: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
            all.sort();
            all.retain(|one| !one.contains("HOSTNAME="));
            all
        };
        let known = serde_json::json!({
            "name": name.replace(&format!("_g{generation}"), "_gN"),
            "spec": labels["dev.escadre.spec"],
            "state": seen["State"]["Status"],
            "image": seen["Image"],
            "mounts": sorted(&seen["Mounts"], &|mount| mount["Destination"].to_string()),
            "environment": sorted(&seen["Config"]["Env"], &ToString::to_string),
        });
        assert!(all.insert(key.clone(), known).is_none(), "two containers of {key}: {:?}", world.containers());
    }
    all.insert(".networks".to_owned(), world.named("network").len().into());
    all.insert(".volumes".to_owned(), world.named("volume").len().into());
    all
}

/// From one version to the other, undisturbed: the state after it.
fn undisturbed(world: &World, port: u16, tag: &str) -> BTreeMap<String, Value> {
    world.set("TAG", tag);
    world.up();
    assert_eq!(get(port, "localhost", "/"), Ok((200, tag.to_owned())));
    state(world)
}

/// Which points to die at: all of them where there is time, else every third, and those at both ends.
fn step() -> usize {
    if std::env::var_os("ESCADRE_SLOW").is_some() { 1 } else { 3 }
}

#[test]
fn killed_at_every_point_of_an_update() {
    let Some(world) = world("kill") else { return };
    let port = port();
    files(&world, port);
    undisturbed(&world, port, "v1");
    let second = undisturbed(&world, port, "v2");
    let first = undisturbed(&world, port, "v1");

    // To and fro, so that every run is an update.
    let (mut table, mut at, mut wrong) = (String::new(), 1, Vec::new());
    let mut sides = [("v2", &second), ("v1", &first)].into_iter().cycle();
    let points = loop {
        let (tag, wanted) = sides.next().expect("endless");
        world.set("TAG", tag);
        world.set("ESCADRE_KILL_AT", &at.to_string());
        let killed = world.run(&["up", "--yes"]);
        world.unset("ESCADRE_KILL_AT");
        if killed.code == Some(0) {
            break at - 1;
        }
        assert_eq!(killed.code, None, "at {at} it ended another way:\n{}", killed.all());
        let found = world
            .containers()
            .into_iter()
            .map(|(name, state)| format!("{} {state}", name.trim_start_matches(&format!("{}_", world.name))));
        let found = found.collect::<Vec<_>>().join(", ");
        let ended = again(&world, port, tag, wanted);
        let then = ended.as_ref().map_or_else(Clone::clone, |()| "as undisturbed".to_owned());
        let line = format!("{at:4}  to {tag}  found {found:75}  then {then}\n");
        eprint!("{line}");
        table.push_str(&line);
        if let Err(why) = ended {
            wrong.push(format!("{at}: {why}"));
            break at;
        }
        at += if at < 4 { 1 } else { step() };
    };
    eprintln!("killed at {} of about {points} points of an update of two services:\n{table}", table.lines().count());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(points > 20, "the update has few points: is the hook still called?");
    let doomed = format!("{}/volume/data", world.name);
    world.run(&["down", "--yes", "--destroy", &doomed]).ends(0);
    world.nothing_left();
}

/// The next run, and what came of it.
fn again(world: &World, port: u16, tag: &str, wanted: &BTreeMap<String, Value>) -> Result<(), String> {
    let said = world.run(&["up", "--yes"]);
    if said.code != Some(0) {
        return Err(format!("the next up ends with {:?}: {}", said.code, said.all()));
    }
    let is = state(world);
    if is != *wanted {
        return Err(format!("the state differs: {is:?} instead of {wanted:?}"));
    }
    let answer = get(port, "localhost", "/");
    if answer != Ok((200, tag.to_owned())) {
        return Err(format!("it answers {answer:?}"));
    }
    let plan = world.run(&["plan"]);
    if plan.code != Some(0) || !plan.all().contains("othing to do") {
        return Err(format!("the plan is not empty: {}", plan.all()));
    }
    let doctor = world.run(&["history", "--json"]);
    if doctor.code != Some(0) {
        return Err(format!("the journal cannot be read: {}", doctor.all()));
    }
    Ok(())
}
