//! Many instances: they share nothing, whatever they are called; what vanishes from the files is not deleted.
//!
//! In: a fleet of one small product, on the real engine. Out: what a person would see.
//! Not here: one Compose file alone (`stranger`).

use super::world::{IMAGE, World, get, until, world};

const COMPOSE: &str = r#"
services:
  web:
    image: IMAGE:${TAG:-v1}
    command: [sh, -c, "echo $$WHO > /srv/who; exec run"]
    environment: { WHO: "${ESCADRE_INSTANCE}" }
    volumes: ["data:/data"]
  api: { image: "IMAGE:v1" }
volumes: { data: }
"#;

/// A fleet with a product and an endpoint for each instance; gives the port of its edge.
fn files(world: &World, instances: &[&str], target: &str) -> u16 {
    let http = world.fleet_at(target);
    world.write("products/desk/compose.yaml", COMPOSE.replace("IMAGE", IMAGE));
    world.write(
        "products/desk/product.yaml",
        "product: desk\nparameters:\n  TAG: { type: string, default: v1 }\nendpoints:\n  portal: { service: web, port: 8080, \
         hosts: [\"${ESCADRE_INSTANCE}.test.localhost\"] }\n",
    );
    for one in instances {
        instance(world, one, "");
    }
    http
}

fn instance(world: &World, name: &str, more: &str) {
    let text = format!("instance: {name}\nproduct: desk\nenvironment: production\n{more}");
    world.write(&format!("instances/{name}.yaml"), text);
}

#[test]
fn instances_share_nothing_whatever_they_are_called() {
    let Some(world) = world("share") else { return };
    // `a-b` + `c` and `a` + `b-c` are the same letters; so are keys of one product in both.
    let http = files(&world, &["a-b", "a"], world.address());
    for (name, service) in [("a-b", "c"), ("a", "b-c")] {
        instance(&world, name, "override: more.yaml\n");
        world.erase(&format!("instances/{name}.yaml"));
        let text = format!("instance: {name}\nproduct: desk\nenvironment: production\noverride: more.yaml\n");
        world.write(&format!("instances/{name}/instance.yaml"), text);
        world.write(
            &format!("instances/{name}/more.yaml"),
            format!("services: {{ {service}: {{ image: \"{IMAGE}:v1\" }} }}\n"),
        );
    }
    world.up();
    assert_eq!(world.running("a-b"), ["api", "c", "web"]);
    assert_eq!(world.running("a"), ["api", "b-c", "web"]);
    for one in ["a", "a-b"] {
        assert_eq!(get(http, &format!("{one}.test.localhost"), "/who"), Ok((200, one.to_owned())));
    }
    let (networks, volumes) = (world.named("network"), world.named("volume"));
    assert_eq!((networks.len(), volumes.len()), (2, 2), "{networks:?} {volumes:?}");
    // Names of the own instance answer, the other one's do not, and its addresses are not reached.
    let names: Vec<String> = world.containers().into_keys().collect();
    let of = |instance: &str, service: &str| {
        let found = names.iter().find(|name| {
            let seen = world.inspect(name);
            let labels = &seen["Config"]["Labels"];
            labels["dev.escadre.instance"] == instance && labels["dev.escadre.service"] == service
        });
        found.unwrap_or_else(|| panic!("{instance}/{service} in {names:?}")).clone()
    };
    // A static program asks no resolver of the system: names are looked up where that would, in the hosts file and at the network's own DNS.
    let inside = |from: &str, command: &[&str]| {
        let said = world.run(&[&["exec", from, "--"], command].concat());
        (said.code, said.out)
    };
    let address = |from: &str, name: &str| {
        let hosts = inside(from, &["cat", "/etc/hosts"]).1;
        let line = hosts.lines().find(|line| line.split_whitespace().skip(1).any(|word| word == name));
        line.and_then(|line| line.split_whitespace().next()).map(str::to_owned)
    };
    let other = of("a-b", "web");
    for (one, own, theirs) in [("a", "b-c", "c"), ("a-b", "c", "b-c")] {
        let from = format!("{one}/api");
        let web = address(&from, "web").expect("its neighbour has a name");
        assert_eq!(
            inside(&from, &["wget", "-q", "-O", "-", &format!("http://{web}:8080/who")]),
            (Some(0), format!("{one}\n"))
        );
        assert!(address(&from, own).is_some(), "{own} has no name in {one}");
        // The engine's own DNS loses lookups while any of its networks changes.
        until("DNS knows the neighbour", || inside(&from, &["nslookup", "web"]).0 == Some(0));
        for name in [theirs, if one == "a" { other.as_str() } else { "nobody" }] {
            assert_eq!(address(&from, name), None, "{name} has a name in {one}");
            assert_ne!(inside(&from, &["nslookup", name]).0, Some(0), "DNS of {one} knows {name}");
        }
    }
    let name_of = |container: &str| {
        let seen = world.inspect(container);
        let networks = seen["NetworkSettings"]["Networks"].as_object().expect("networks").clone();
        networks.keys().cloned().collect::<Vec<_>>()
    };
    assert!(name_of(&of("a", "web")).iter().all(|network| !name_of(&other).contains(network)));

    // One goes, with its data; the other stays untouched.
    let before: Vec<String> = names
        .iter()
        .filter(|name| world.inspect(name)["Config"]["Labels"]["dev.escadre.instance"] == "a")
        .cloned()
        .collect();
    world.run(&["down", "a-b", "--yes", "--destroy", "a-b/volume/data"]).ends(0);
    assert_eq!(world.containers().into_keys().collect::<Vec<_>>(), before);
    assert_eq!(get(http, "a.test.localhost", "/who"), Ok((200, "a".to_owned())));
    world.run(&["down", "a", "--yes", "--destroy", "a/volume/data"]).ends(0);
    world.nothing_left();
}

#[test]
fn what_vanishes_from_the_files_is_not_deleted() {
    let Some(world) = world("vanish") else { return };
    let http = files(&world, &["larch", "birch"], world.address());
    world.up();
    let before = world.containers();
    assert_eq!(before.len(), 4);

    // Its file is gone: it runs on, and the plan says so.
    world.erase("instances/birch.yaml");
    world.run(&["up", "--yes"]).ends(0).says("birch");
    assert_eq!(world.containers(), before);
    assert_eq!(get(http, "birch.test.localhost", "/who"), Ok((200, "birch".to_owned())));

    // A file that cannot be read: the others go on, nothing is deleted, exit code 1.
    world.write("instances/larch.yaml", "instance: larch\nproduct: [desk\n");
    world.run(&["up", "--yes"]).ends(1).says("larch.yaml");
    assert_eq!(world.containers(), before);

    // No instance at all.
    world.erase("instances/larch.yaml");
    let said = world.run(&["up", "--yes"]).ends(0);
    assert!(said.all().contains("larch") && said.all().contains("birch"), "{}", said.all());
    assert_eq!(world.containers(), before);
    world.run(&["down", "--all", "--yes"]).never("panic");

    // Nor a fleet: it cannot be read, or is empty, or says it is another one.
    instance(&world, "larch", "");
    instance(&world, "birch", "");
    let good = std::fs::read_to_string(world.root.join("fleet.yaml")).expect("it was written");
    for bad in ["", "fleet: [", "\u{0}", "fleet: other\n"] {
        world.write("fleet.yaml", bad);
        let said = world.run(&["up", "--yes"]);
        assert!(matches!(said.code, Some(1..=4)), "{bad:?}: {said:?}");
        assert_eq!(
            world.containers().keys().filter(|name| before.contains_key(*name)).count(),
            world.containers().len()
        );
    }
    world.write("fleet.yaml", good);
    world.up();
    assert_eq!(world.running("larch"), ["api", "web"]);

    // The tombstone is the way to go.
    instance(&world, "birch", "state: removed\n");
    world.run(&["up", "--yes"]).ends(0);
    assert_eq!(world.running("birch"), Vec::<String>::new());
    assert_eq!(world.named("volume").len(), 2, "its volume is retained");
}

#[test]
fn a_lost_state_folder_is_recovered() {
    let Some(world) = world("recover") else { return };
    let http = files(&world, &["larch", "birch"], world.address());
    world.up();
    let before = world.containers();
    // Its edge still runs: it finds itself without a folder and goes.
    std::fs::remove_dir_all(&world.state).expect("it was there");

    let said = world.run(&["recover"]).ends(0);
    assert!(said.all().contains("larch") && said.all().contains("birch"), "{}", said.all());
    world.run(&["plan"]).ends(0).says("othing to do");
    assert_eq!(world.containers(), before);
    world.up();
    assert_eq!(world.containers(), before, "nothing was made again");
    for one in ["larch", "birch"] {
        assert_eq!(
            get(http, &format!("{one}.test.localhost"), "/who"),
            Ok((200, one.to_owned())),
            "the edge carries it again"
        );
    }
    // And it is a fleet as before: it changes, and it goes.
    instance(&world, "larch", "values: { TAG: v2 }\n");
    world.up();
    assert_eq!(get(http, "larch.test.localhost", "/"), Ok((200, "v2".to_owned())));
    for one in ["larch", "birch"] {
        world.run(&["down", one, "--yes", "--destroy", &format!("{one}/volume/data")]).ends(0);
    }
    world.nothing_left();
}
