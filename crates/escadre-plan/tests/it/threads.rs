//! The same on any number of threads: what instances want, and the plan.
use crate::pure;
use crate::world::*;
use escadre_model::desired::Desired;
use escadre_model::parallel::Threads;
use escadre_model::resolve::Keys;
use escadre_plan::make::make_on;
use escadre_render::engine::{Facts, fleet as spell};

/// Sixty instances with networks, volumes and routes; each tenth differs from the others.
fn fleet(image: &str) -> Vec<Desired> {
    let make = |index: usize| {
        let mut desired = instance("desk", &format!("c{index:04}"));
        let image = if index % 10 == 3 { "web:odd" } else { image };
        for name in ["db", "web", "worker"] {
            service(name, image).into(&mut desired);
        }
        http(&mut desired, "portal", "web", &format!("c{index}.example.org"));
        desired
    };
    (0..60).map(make).collect()
}

#[test]
fn one_thread_and_many_give_the_same_plan() {
    for rootless in [false, true] {
        let mut world = World::new();
        world.target.rootless = rootless;
        for (image, what) in [("web:1", "a first start"), ("web:1", "nothing"), ("web:2", "another image for most")] {
            let desired = fleet(image);
            let text = |threads: usize| {
                let plan = make_on(&world.input(&desired), Threads::new(threads));
                (serde_json::to_string(&plan).unwrap(), plan)
            };
            let (alone, plan) = text(1);
            assert_eq!(plan.instances.len(), 60);
            let ports = rootless && what != "nothing";
            assert_eq!(
                alone.contains("\"127.0.0.1\""),
                ports,
                "{what}: without root, routes go through loopback ports"
            );
            for threads in [2, 3, 8] {
                assert_eq!(text(threads).0, alone, "{what}, rootless: {rootless}, {threads} threads");
            }
            world.apply(&plan, &desired);
        }
    }
}

#[test]
fn one_thread_and_many_spell_a_fleet_alike() {
    let mut tree = pure::world();
    for index in 0..40 {
        // Every seventh has a file that is wrong: what is said of it has its place among the others.
        let seats = if index % 7 == 5 { "many".to_owned() } else { index.to_string() };
        let text = format!(
            "instance: c{index:02}\nproduct: desk\nenvironment: production\nvalues: {{ DOMAIN: c{index}.example, SEATS: {seats} }}\n"
        );
        tree.put(format!("instances/c{index:02}.yaml"), text);
    }
    let (read, _) = escadre_model::fleet::read(&tree);
    let read = read.expect("a fleet");
    let names: Vec<_> = read.instances.keys().collect();
    let text = |threads: usize| {
        let all = spell(&read, &names, &tree, &Keys::none(), &Facts::default(), Threads::new(threads));
        let told = |one: &escadre_render::engine::Spelled| {
            let wanted = one.wanted.as_ref().map(|(_, desired)| serde_json::to_string(desired).expect("JSON"));
            format!("{wanted:?} {:?}", one.findings)
        };
        all.iter().map(told).collect::<Vec<_>>()
    };
    let alone = text(1);
    assert_eq!(alone.len(), 43);
    for threads in [2, 3, 8] {
        assert_eq!(text(threads), alone, "{threads} threads");
    }
}
