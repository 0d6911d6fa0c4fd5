//! Names and ports that only one can have.
use crate::world::*;
use escadre_model::observed::ForeignKind;
use escadre_plan::plan::{Plan, Refusal};

fn taken(plan: &Plan, place: usize) -> Option<&str> {
    match &plan.instances[place].refused {
        Some(Refusal::Taken { what }) => Some(what),
        _ => None,
    }
}

#[test]
fn two_claims_are_refused_naming_both() {
    let (mut a, mut b) = (desk("a", "1"), desk("b", "1"));
    tcp(&mut a, "8080", "web", 8080);
    tcp(&mut b, "8080", "web", 8080);
    let plan = World::new().plan(&[a.clone(), b.clone()]);
    assert!(taken(&plan, 0).unwrap().contains("desk/b/8080") && taken(&plan, 1).unwrap().contains("desk/a/8080"));
    let mut world = World::new();
    world.up(&[a.clone()]);
    let plan = world.plan(&[a, b]);
    assert!(taken(&plan, 0).is_none() && taken(&plan, 1).is_some(), "who has it keeps it");
    let (mut a, mut b) = (desk("a", "1"), desk("b", "1"));
    http(&mut a, "portal", "web", "same.example.org");
    http(&mut b, "portal", "web", "same.example.org");
    assert!(taken(&World::new().plan(&[a, b]), 0).unwrap().contains("same.example.org"));
}

#[test]
fn names_and_ports_of_others_are_not_taken() {
    let mut world = World::new();
    world.observed.host.foreign.push((ForeignKind::Container, "desk_a_web_1_g1".into()));
    assert!(taken(&world.plan(&[desk("a", "1")]), 0).unwrap().contains("desk_a_web_1_g1"));
    let mut world = World::new();
    world.observed.host.foreign.push((ForeignKind::Network, "desk_a_default".into()));
    assert!(taken(&world.plan(&[desk("a", "1")]), 0).is_some());
    let mut world = World::new();
    world.observed.host.ports = vec![8080];
    let mut desired = desk("a", "1");
    tcp(&mut desired, "8080", "web", 8080);
    assert!(taken(&world.plan(&[desired]), 0).unwrap().contains("port 8080/tcp"));
}
