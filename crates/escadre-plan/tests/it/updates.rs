//! Manners of updating.
use crate::world::*;
use escadre_model::desired::*;
use escadre_model::ids::Kind;
use escadre_plan::step::Act;

fn pair(image: &str) -> Desired {
    let mut desired = instance("desk", "acme");
    service("web", image).into(&mut desired);
    service("front", "front:1").after("web", Condition::Started, true).into(&mut desired);
    tcp(&mut desired, "8080", "web", 8080);
    desired
}

#[test]
fn beside_the_old_one_where_that_is_allowed() {
    let mut world = World::new();
    world.up(&[pair("web:1")]);
    let plan = world.up(&[pair("web:2")]);
    assert_eq!(action(&plan, Kind::Service, "web"), "update");
    assert_eq!(
        acts(&plan, "web"),
        ["create", "start", "gate", "join", "attach", "switch", "join", "drain", "stop", "remove"]
    );
    assert_eq!(world.plan(&[pair("web:2")]).steps(), 0);
    world.abilities.side_by_side = false;
    assert_eq!(action(&world.plan(&[pair("web:3")]), Kind::Service, "web"), "replace");
}

#[test]
fn a_candidate_has_the_names_of_the_service_only_when_it_has_proven_itself() {
    let mut world = World::new();
    world.up(&[pair("web:1")]);
    let plan = world.plan(&[pair("web:2")]);
    let named =
        |place: &escadre_plan::step::PlacedNetwork| place.aliases.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut told: Vec<(u32, Vec<String>)> = Vec::new();
    for step in &plan.instances[0].steps {
        match &step.act {
            Act::Create(place) => told.push((step.index, place.networks.iter().flat_map(named).collect())),
            Act::Join { networks, .. } => told.push((step.index, networks.iter().flat_map(named).collect())),
            Act::Gate { .. } => told.push((step.index, vec!["proven".into()])),
            _ => {}
        }
    }
    let told: Vec<Vec<String>> = told.into_iter().map(|(_, names)| names).collect();
    assert_eq!(told[..3], [vec![], vec!["proven".to_owned()], vec!["web".to_owned()]], "{}", dump(&plan));
    world.up(&[pair("web:2")]);
    let names: Vec<_> = world.names.iter().map(|((name, _), names)| (name.as_ref(), names.len())).collect();
    assert_eq!(names, [("desk_acme_front_1_g1", 1), ("desk_acme_web_1_g1", 0), ("desk_acme_web_1_g2", 1)]);
}

#[test]
fn whoever_comes_after_the_old_one_has_its_address() {
    let make = |image: &str| {
        let mut desired = pair(image);
        service("db", image).edit(|db| db.manner = Manner::StopFirst("it writes".into())).into(&mut desired);
        desired
    };
    let mut world = World::new();
    world.up(&[make("1")]);
    let (db, web) = (world.container("acme", "db").addresses.clone(), world.container("acme", "web").addresses.clone());
    world.up(&[make("2")]);
    assert_eq!(world.container("acme", "db").addresses, db);
    assert_ne!(world.container("acme", "web").addresses, web);
}

#[test]
fn as_many_at_once_as_the_product_says_with_pauses() {
    let make = |image: &str, rollout| {
        let mut desired = instance("desk", "acme");
        service("web", image).edit(|web| (web.replicas, web.rollout) = (4, rollout)).into(&mut desired);
        desired
    };
    let waits = |rollout| {
        let mut world = World::new();
        world.up(&[make("web:1", rollout)]);
        let plan = world.up(&[make("web:2", rollout)]);
        let steps = &plan.instances[0].steps;
        let of = |replica: u32, act: &str| {
            let word = |step: &escadre_plan::step::Step| serde_json::to_value(&step.act).unwrap()["act"] == act;
            steps.iter().find(|step| step.on.replica == Some(replica) && word(step)).map(|step| step.index)
        };
        // Whom does the start of each wait for, directly or not?
        let reaches = |from: u32, to: u32| {
            let (mut todo, mut seen) = (vec![from], std::collections::BTreeSet::new());
            while let Some(index) = todo.pop() {
                todo.extend(steps[index as usize].after.iter().filter(|one| seen.insert(**one)));
            }
            seen.contains(&to)
        };
        let pairs = (2..=4).map(|replica| {
            let start = of(replica, "start").unwrap();
            (1..replica).filter(|other| reaches(start, of(*other, "gate").unwrap())).count()
        });
        let alive = steps.iter().filter(|step| {
            matches!(&step.act, Act::Gate { gate: escadre_plan::step::PlannedGate::Alive { for_ms: 5_000 }, .. })
        });
        (pairs.collect::<Vec<_>>(), alive.count())
    };
    assert_eq!(waits(Rollout::default()), (vec![1, 2, 3], 0));
    assert_eq!(waits(Rollout { parallelism: 2, delay_ms: 0, monitor_ms: 0 }), (vec![0, 1, 1], 0));
    assert_eq!(waits(Rollout { parallelism: 0, delay_ms: 5_000, monitor_ms: 0 }), (vec![0, 0, 0], 3));
    assert_eq!(waits(Rollout { parallelism: 1, delay_ms: 0, monitor_ms: 5_000 }), (vec![1, 2, 3], 4));
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
    assert_eq!(action(&plan, Kind::Service, "web"), "update");
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

/// A stop takes its backends from a route, and a lost state folder all routes: the engine still knows what it publishes.
#[test]
fn rootless_routes_come_back_to_the_ports_that_the_engine_publishes() {
    let mut world = World::new();
    world.target.rootless = true;
    world.up(&[pair("web:1")]);
    world.seen("acme").routes.clear();
    let mut other = instance("desk", "birch");
    service("web", "web:1").into(&mut other);
    tcp(&mut other, "8081", "web", 8081);
    let plan = world.plan(&[pair("web:1"), other.clone()]);
    let taken = plan.instances.iter().flat_map(|one| &one.steps).find_map(|step| match &step.act {
        Act::Create(place) if !place.engine_ports.is_empty() => Some(place.engine_ports[0].published),
        _ => None,
    });
    assert_eq!(taken, Some(20_001), "the first one's port is not free: {}", dump(&plan));
    world.up(&[pair("web:1")]);
    assert_eq!(world.seen("acme").routes["8080"].backends[0].1.to_string(), "127.0.0.1:20000");
    assert_eq!(world.plan(&[pair("web:1")]).steps(), 0);
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
