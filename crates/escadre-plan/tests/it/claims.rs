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

#[test]
fn the_edges_own_ports_are_not_for_instances_and_not_for_strangers() {
    let (mut a, mut b) = (desk("a", "1"), desk("b", "1"));
    http(&mut a, "portal", "web", "a.example.org");
    tcp(&mut b, "80", "web", 80);
    let plan = World::new().plan(&[a.clone(), b.clone()]);
    assert!(taken(&plan, 0).is_none(), "{:?}", plan.instances[0].refused);
    let said = taken(&plan, 1).unwrap();
    assert!(said.contains("port 80/tcp (desk/b/80) is where the edge answers for host names"), "{said}");
    // Without host names the port is as good as any, and 443 is free without TLS.
    b.routes.retain(|key, _| &**key == "80");
    let plan = World::new().plan(&[b]);
    assert!(taken(&plan, 0).is_none(), "{:?}", plan.instances[0].refused);
    let mut c = desk("c", "1");
    tcp(&mut c, "443", "web", 443);
    assert!(taken(&World::new().plan(&[a.clone(), c.clone()]), 1).is_none());
    let mut secured = a.clone();
    over_tls(&mut secured, "portal", escadre_model::desired::CertificateSource::Usual);
    assert!(taken(&World::new().plan(&[secured.clone(), c]), 1).unwrap().contains("port 443/tcp (desk/c/443)"));

    let mut world = World::new();
    world.observed.host.ports = vec![443];
    assert!(taken(&world.plan(&[a.clone()]), 0).is_none());
    let plan = world.plan(&[secured.clone()]);
    let said = taken(&plan, 0).unwrap();
    assert!(said.contains("port 443/tcp, which the edge needs for the host names of desk/a/portal"), "{said}");
    // Whoever runs already is not taken down for it.
    let mut world = World::new();
    world.up(&[secured.clone()]);
    world.observed.host.ports = vec![80, 443];
    assert!(taken(&world.plan(&[secured]), 0).is_none());
}

#[test]
fn a_redirect_claims_its_path_like_any_name() {
    let (mut a, mut b) = (desk("a", "1"), desk("b", "1"));
    http(&mut a, "portal", "web", "a.example.org");
    http(&mut b, "portal", "web", "b.example.org");
    redirect(&mut b, "portal", "a.example.org");
    let plan = World::new().plan(&[a, b]);
    assert!(taken(&plan, 0).unwrap().contains("a.example.org") && taken(&plan, 1).is_some());
}
