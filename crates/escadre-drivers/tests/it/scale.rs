//! Twenty instances of five services: how long they take to come up, and how long one look at all of them takes. Run with `ESCADRE_SLOW=1`.

use super::world::{IMAGE, World, service, settings, world};
use escadre_engine::ports::{Driver, Scope};
use escadre_model::desired::Body;
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::name::Name;
use escadre_plan::step::{Act, PlacedNetwork, Placement};
use futures_util::StreamExt as _;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

const INSTANCES: u8 = 20;
const SERVICES: u8 = 5;

async fn up(world: &mut World, number: u8) {
    let instance = InstanceId::new(Name::new("podscale").unwrap(), Name::new(&format!("i{number}")).unwrap());
    world.desired.instance = instance;
    world.subnet = format!("10.224.{number}.0/28");
    let network = escadre_model::desired::Network { name: world.name("front").into(), external: false, subnet: None };
    world.add(Kind::Network, "front", json!({}), Body::Network(network));
    let step = Act::EnsureNetwork { name: world.name("front").into(), subnet: Some(world.subnet.as_str().into()) };
    world.perform(&world.step(world.on(Kind::Network, "front"), step)).await.unwrap();
    for index in 1..=SERVICES {
        let key = format!("s{index}");
        let words = json!({"create": {"Cmd": ["httpd", "-f", "-p", "80"]}});
        world.add(Kind::Service, &key, words, Body::Service(std::sync::Arc::new(service())));
        let on = world.on(Kind::Service, &key).container(1, 1);
        let name = world.name(&format!("{key}_1_g1"));
        let placement = Placement {
            name: name.as_str().into(),
            image: IMAGE.into(),
            networks: vec![PlacedNetwork {
                network: "front".into(),
                name: world.name("front").into(),
                address: format!("10.224.{number}.{}", index + 1).parse().ok(),
                aliases: Vec::new(),
            }],
            hosts: Some("front".into()),
            volumes: BTreeMap::new(),
            files: Vec::new(),
            engine_ports: Vec::new(),
            shares_network_of: None,
            shares: std::collections::BTreeMap::new(),
            routes: Vec::new(),
        };
        world.perform(&world.step(on.clone(), Act::Create(placement))).await.unwrap();
        world.perform(&world.step(on, Act::Start { name: name.as_str().into() })).await.unwrap();
    }
}

async fn down(world: &mut World) {
    for index in 1..=SERVICES {
        let key = format!("s{index}");
        let on = world.on(Kind::Service, &key).container(1, 1);
        let name = world.name(&format!("{key}_1_g1"));
        let remove = Act::Remove { name: name.as_str().into(), engine: None, data: false };
        world.perform(&world.step(on, remove)).await.unwrap();
    }
    let remove = Act::Remove { name: world.name("front").into(), engine: None, data: false };
    world.perform(&world.step(world.on(Kind::Network, "front"), remove)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_instances_of_five_services() {
    if std::env::var_os("ESCADRE_SLOW").is_none() {
        return super::world::skip(
            "scale",
            "takes a minute, and its figures depend on who else uses the engine: set ESCADRE_SLOW=1",
        );
    }
    let Some(mut first) = world("scale").await else { return };
    let image = Act::EnsureImage { reference: IMAGE.into(), refresh: false, build: None, expect: None };
    first.perform(&first.step(first.on(Kind::Image, IMAGE), image)).await.unwrap();
    let mut worlds = Vec::new();
    for _ in 0..INSTANCES {
        let mut world = world("scale").await.unwrap();
        world.images = first.images.clone();
        worlds.push(world);
    }
    let began = Instant::now();
    let mut worlds: Vec<World> = futures_util::stream::iter(worlds.into_iter().zip(1..))
        .map(|(mut world, number)| async move {
            up(&mut world, number).await;
            world
        })
        .buffer_unordered(3)
        .collect()
        .await;
    eprintln!("up: {:?}", began.elapsed());
    let engine = escadre_drivers::podman::Engine::connect(
        settings(&first.state, first.which.at("scale").unwrap()),
        std::sync::Arc::new(escadre_drivers::edge::NoEdge),
    )
    .await
    .unwrap();
    let scope = Scope::Fleet(Name::new("podscale").unwrap());
    for _ in 0..5 {
        let calls = engine.door().calls();
        let began = Instant::now();
        let seen = engine.observe(&scope, &BTreeSet::new()).await.unwrap();
        eprintln!("observe: {:?} with {} calls", began.elapsed(), engine.door().calls() - calls);
        assert_eq!(seen.instances.values().map(|one| one.containers.len()).sum::<usize>(), 100);
    }
    assert_eq!(engine.door().mutating(), 0);
    let began = Instant::now();
    futures_util::stream::iter(&mut worlds).for_each_concurrent(3, |world| async move { down(world).await }).await;
    eprintln!("down: {:?}", began.elapsed());
}
