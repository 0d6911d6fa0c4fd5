//! Two state folders on one engine: who plans at the same time may choose the same subnet or port, and both get through.
//!
//! In: two fleets with one pool of four subnets, brought up at the same moment. Out: what a person would see.
//! Not here: that no more than that is different in the second plan (`escadre-testkit`).

use super::world::{IMAGE, World, finish, get, world};

const COMPOSE: &str = "services: { web: { image: \"IMAGE:v1\", command: [run] } }\n";

/// A fleet of one instance with an address; its subnet is one of four.
fn fleet(test: &str, name: &str, pool: &str) -> Option<(World, u16)> {
    let world = world(test)?;
    let http = world.fleet_at(world.address());
    let text = std::fs::read_to_string(world.root.join("fleet.yaml")).expect("it was written");
    world.write("fleet.yaml", text.replace("    edge:", &format!("    pool: {pool}\n    edge:")));
    world.write("products/desk/compose.yaml", COMPOSE.replace("IMAGE", IMAGE));
    world.write(
        "products/desk/product.yaml",
        format!(
            "product: desk\nendpoints:\n  portal: {{ service: web, port: 8080, hosts: [\"{}.localhost\"] }}\n",
            world.name
        ),
    );
    instance(&world, name);
    Some((world, http))
}

fn instance(world: &World, name: &str) {
    world.write(
        &format!("instances/{name}.yaml"),
        format!("instance: {name}\nproduct: desk\nenvironment: production\n"),
    );
}

/// The subnet that it would choose now.
fn choice(world: &World) -> String {
    let said = world.run(&["plan", "--json"]).ends(0);
    let (_, rest) = said.out.split_once("\"subnet\":").expect("a subnet is planned");
    rest.split('"').nth(1).expect("a text").to_owned()
}

#[test]
fn both_of_two_that_plan_at_the_same_time_come_up() {
    let pool = format!("10.177.{}.0/24", std::process::id() % 250);
    let Some((one, http)) = fleet("crossed", "one", &pool) else { return };
    let Some((other, other_http)) = fleet("crossed", "other-0", &pool) else { return };
    // Names choose: one is looked for that chooses the same.
    let mut name = "other-0".to_owned();
    for n in 1..64 {
        if choice(&one) == choice(&other) {
            break;
        }
        other.erase(&format!("instances/{name}.yaml"));
        name = format!("other-{n}");
        instance(&other, &name);
    }
    assert_eq!(choice(&one), choice(&other), "none of 64 names chooses the same subnet");
    let mut crossed = 0;
    for round in 0..8 {
        let both = [&one, &other].map(|world| world.start(&["up", "--yes"]));
        let said = both.map(|child| finish(child).ends(0));
        for (world, http) in [(&one, http), (&other, other_http)] {
            let answer = get(http, &format!("{}.localhost", world.name), "/");
            assert_eq!(answer.map(|(status, _)| status), Ok(200), "round {round}: {said:?}");
        }
        for one in &said {
            let words: String = one.all().split_whitespace().collect::<Vec<_>>().join(" ");
            if words.contains("planned again, as before but for subnet") {
                assert!(words.contains("free when the plan was made, is taken now"), "{words}");
                assert!(words.contains("1 instance done"), "{words}");
                crossed += 1;
            }
        }
        for world in [&one, &other] {
            world.run(&["down", "--all", "--yes"]).ends(0);
            world.nothing_left();
        }
        if crossed >= 2 {
            break;
        }
    }
    assert!(crossed > 0, "in eight rounds nobody crossed the other: this test shows nothing");
    // What happened is on record: the try that went back, and the one that did not.
    let history = [&one, &other].map(|world| world.run(&["history"]).ends(0).all()).join("\n");
    assert!(history.contains("went back"), "{history}");
}
