//! Manners of updating.
use crate::world::*;
use escadre_model::desired::*;
use escadre_model::ids::Kind;
use escadre_plan::make::UpdateManner;
use escadre_plan::step::Act;

fn pair(image: &str) -> Desired {
    let mut desired = instance("desk", "acme");
    service("web", image).into(&mut desired);
    service("front", "front:1").after("web", Condition::Started, true).into(&mut desired);
    tcp(&mut desired, "8080", "web", 8080);
    desired
}

#[test]
fn beside_the_old_one_when_asked_and_allowed() {
    let mut world = World::new();
    world.options.update_manner = UpdateManner::Beside;
    world.up(&[pair("web:1")]);
    let plan = world.up(&[pair("web:2")]);
    assert_eq!(action(&plan, Kind::Service, "web"), "update");
    assert_eq!(acts(&plan, "web"), ["create", "start", "gate", "attach", "switch", "drain", "stop", "remove"]);
    assert_eq!(world.plan(&[pair("web:2")]).steps(), 0);
    world.abilities.side_by_side = false;
    assert_eq!(action(&world.plan(&[pair("web:3")]), Kind::Service, "web"), "replace");
}

#[test]
fn dependents_that_ask_for_it_start_again() {
    let mut world = World::new();
    world.up(&[pair("web:1")]);
    let plan = world.up(&[pair("web:2")]);
    assert_eq!(acts(&plan, "front"), ["stop", "start", "gate"], "{}", dump(&plan));
    assert_eq!(world.plan(&[pair("web:2")]).steps(), 0);
}

#[test]
fn replicas_go_one_by_one_and_the_others_serve() {
    let make = |image: &str, replicas| {
        let mut desired = instance("desk", "acme");
        service("web", image).edit(|web| web.replicas = replicas).into(&mut desired);
        tcp(&mut desired, "8080", "web", 8080);
        desired
    };
    let mut world = World::new();
    world.up(&[make("web:1", 3)]);
    let plan = world.up(&[make("web:2", 3)]);
    assert!(!acts(&plan, "web").contains(&"park".to_owned()), "{}", dump(&plan));
    for step in &plan.instances[0].steps {
        if let Act::Switch { routes } = &step.act {
            assert!(routes["8080"].backends.len() >= 2);
        }
    }
    assert_eq!(world.plan(&[make("web:2", 3)]).steps(), 0);
    let plan = world.up(&[make("web:2", 1)]);
    assert_eq!(acts(&plan, "web"), ["switch", "stop", "stop", "remove", "remove"], "{}", dump(&plan));
    assert_eq!(world.plan(&[make("web:2", 1)]).steps(), 0);
    world.up(&[make("web:2", 2)]);
    assert_eq!(world.plan(&[make("web:2", 2)]).steps(), 0);
}

#[test]
fn a_changed_network_is_made_beside_the_old_one() {
    let make = |subnet| {
        let mut desired = desk("acme", "1");
        network(&mut desired, "default", subnet);
        desired
    };
    let mut world = World::new();
    world.up(&[make(None)]);
    let plan = world.up(&[make(Some("10.99.0.0/24"))]);
    assert_eq!(action(&plan, Kind::Network, "default"), "replace");
    assert_eq!(action(&plan, Kind::Service, "db"), "replace");
    let again = world.plan(&[make(Some("10.99.0.0/24"))]);
    assert_eq!(again.steps(), 0, "{}", dump(&again));
    let networks = &world.seen("acme").networks;
    assert_eq!(networks.iter().map(|one| one.name.as_ref()).collect::<Vec<_>>(), ["desk_acme_default_2"]);
}

#[test]
fn rootless_routes_go_through_loopback_ports() {
    let mut world = World::new();
    world.target.rootless = true;
    let plan = world.up(&[pair("web:1")]);
    let placed = plan.instances[0].steps.iter().find_map(|step| match &step.act {
        Act::Create(place) if !place.engine_ports.is_empty() => Some(place.clone()),
        _ => None,
    });
    assert_eq!(placed.unwrap().engine_ports[0].published, 20_000);
    assert_eq!(world.plan(&[pair("web:1")]).steps(), 0);
    world.up(&[pair("web:2")]);
    assert_eq!(world.plan(&[pair("web:2")]).steps(), 0);
    let route = &world.seen("acme").routes["8080"];
    assert_eq!(route.backends[0].1.to_string(), "127.0.0.1:20001");
}

#[test]
fn a_new_hosts_file_is_told_who_is_there() {
    let mut world = World::new();
    world.up(&[pair("web:1")]);
    let mut desired = pair("web:1");
    network(&mut desired, "back", None);
    service("both", "both:1")
        .edit(|both| {
            both.networks.push(Attachment { network: "back".into(), names: vec!["both".into()], address: None })
        })
        .into(&mut desired);
    let plan = world.plan(&[desired]);
    let lines = plan.instances[0].steps.iter().find_map(|step| match &step.act {
        Act::Attach { lines } => Some(lines.clone()),
        _ => None,
    });
    let told: Vec<String> = lines.unwrap().iter().map(|line| format!("{} {}", line.hosts, line.who)).collect();
    assert_eq!(
        told,
        ["back+default both/1", "default both/1", "back+default web/1", "back+default front/1"],
        "{}",
        dump(&plan)
    );
}

#[test]
fn a_certificate_is_switched_to_when_its_secret_changes_and_kept_when_it_cannot_be_read() {
    use escadre_model::desired::CertificateSource;
    use escadre_model::hash::Hash;
    use escadre_model::secret::SecretRef;
    let brought = |hash: Option<&str>| CertificateSource::Secret {
        chain: SecretRef::new("portal.tls"),
        key: None,
        hash: hash.map(Hash::of),
    };
    let with = |from: CertificateSource| {
        let mut desired = desk("a", "1");
        http(&mut desired, "portal", "web", "a.example.org");
        over_tls(&mut desired, "portal", from);
        desired
    };
    let mut world = World::new();
    world.up(&[with(brought(Some("one")))]);
    assert!(world.plan(&[with(brought(Some("one")))]).instances[0].steps.is_empty());
    assert!(world.plan(&[with(brought(None))]).instances[0].steps.is_empty(), "unknown is kept");
    let plan = world.plan(&[with(brought(Some("two")))]);
    let acts: Vec<_> = plan.instances[0].steps.iter().map(|step| &step.act).collect();
    assert!(matches!(acts[..], [Act::Switch { .. }]), "{acts:?}");
    let said = format!("{:?}", plan.instances[0].changes);
    assert!(said.contains("https by secret portal.tls #"), "{said}");
    assert!(!world.plan(&[with(CertificateSource::Usual)]).instances[0].steps.is_empty());
}
