//! Making room on the real engine: what no way back needs goes, and the ways back that are kept lead back with the registry away.
//!
//! Not here: what may go (`escadre-testkit/tests/it/room.rs`).

use super::world::{IMAGE, World, podman, world};

/// A version: an image of its own, made from the test image under a name of this fleet.
fn version(world: &World, number: u8) {
    let reference = image(world, number);
    let line = ["build", "-q", "--label"];
    let label = format!("version={number}");
    let folder = world.root.join("build");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("Containerfile"), format!("FROM {IMAGE}:v1\n")).expect("written");
    podman(&[&line[..], &[&label, "-t", &reference, &folder.display().to_string()]].concat());
    world.doomed(&reference);
    let text = format!(
        "name: {}\nservices:\n  web:\n    image: {reference}\n    environment: {{ NUMBER: \"{number}\" }}\n",
        world.name
    );
    world.write("compose.yaml", text);
}

fn image(world: &World, number: u8) -> String {
    format!("localhost/{}-web:{number}", world.name)
}

fn there(reference: &str) -> bool {
    let all = podman(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
    all.lines().any(|line| line == reference)
}

/// How much earlier configuration would go, from the JSON of a run without a yes.
fn asked(world: &World, line: &[&str]) -> serde_json::Value {
    let said = world.run(&[&["prune", "--json"], line].concat());
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.all()))
}

#[test]
fn room_is_made_and_ways_back_stay() {
    let Some(world) = world("room") else { return };
    for number in 1..=3 {
        version(&world, number);
        world.up();
    }
    let shown = asked(&world, &["--yes"]);
    assert_eq!(shown["schema"], "escadre.prune/1");
    assert_eq!(shown["images"].as_array().map(Vec::len), Some(0), "{shown}");

    // Without a yes nothing goes, and nobody is asked where nobody could answer.
    let said = world.run(&["prune", "--keep", "2"]);
    assert_ne!(said.code, Some(0), "{}", said.all());
    said.says("1 image that no state needs").says("volumes are not touched").says("--yes");
    assert!(there(&image(&world, 1)));

    // The images that others named stay under that name; ours goes.
    world.run(&["prune", "--keep", "2", "--yes"]).ends(0).says("stays as").says("Gone: 1 image");
    assert!(there(&image(&world, 1)), "we did not fetch it: its name is not ours");
    world.run(&["prune", "--keep", "2", "--yes"]).ends(0).says("Nothing is kept that nobody needs");

    // What is kept leads back, with its name gone and no registry.
    podman(&["untag", &image(&world, 2), &image(&world, 2)]);
    world.run(&["rollback", "--yes"]).ends(0);
    let number = podman(&["ps", "--filter", &format!("label=dev.escadre.fleet={}", world.name), "--format", "{{.ID}}"]);
    let env = world.inspect(number.trim())["Config"]["Env"].to_string();
    assert!(env.contains("NUMBER=2"), "{env}");
    world.run(&["history"]).ends(0);
    world.run(&["down", "--yes"]).ends(0);
    world.nothing_left();
}
