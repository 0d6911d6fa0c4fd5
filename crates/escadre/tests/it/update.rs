//! An update under load: nothing that a client sees fails, through the edge and on published ports, and who is not updated is not disturbed.
//!
//! In: a fleet of three instances of two services, a load of every kind on all of them; two go from v1 to v2. Out: every piece of work, counted.
//! Not here: how fast it is and what others do (`xtask bench update`).

use super::world::{podman, port, skip, world};
use escadre_testkit::load::{Kind, Load, Mix, Target};
use std::net::SocketAddr;
use std::time::Duration;

const IMAGE: &str = "localhost/escadre-test/service";
const COMPOSE: &str = r#"
services:
  web:
    image: IMAGE:${TAG}
    environment: { PORT: "80", LINES: "7000", UPSTREAM: "api:8000" }
    ports: ["${LINES}:7000"]
    depends_on: { api: { condition: service_healthy } }
    healthcheck: { test: [CMD, service, check], interval: 1s, retries: 5 }
  api:
    image: IMAGE:${TAG}
    environment: { PORT: "8000" }
    expose: ["8000"]
    healthcheck: { test: [CMD, service, check], interval: 1s, retries: 5 }
"#;
const INSTANCES: [&str; 3] = ["acer", "birch", "cedar"];
/// The one that is not updated.
const STAYS: usize = 2;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn nobody_notices_an_update_under_load() {
    let Some(world) = world("update") else { return };
    if podman(&["image", "ls", "--quiet", &format!("{IMAGE}:v2")]).is_empty() {
        skip("update", "there is no image localhost/escadre-test/service (scripts/images test makes it)");
        return;
    }
    let http = world.fleet_at(world.address());
    world.write("products/desk/compose.yaml", COMPOSE.replace("IMAGE", IMAGE));
    let product = |tag: &str| {
        format!(
            "product: desk\nparameters:\n  TAG: {{ type: string, default: {tag} }}\n  LINES: {{ type: integer, required: true }}\n\
             endpoints:\n  portal: {{ service: web, port: 80, hosts: [\"${{ESCADRE_INSTANCE}}.test.example\"], tls: off }}\n"
        )
    };
    world.write("products/desk/product.yaml", product("v1"));
    let mut targets = Vec::new();
    for (index, instance) in INSTANCES.iter().enumerate() {
        let lines = port();
        let tag = if index == STAYS { ", TAG: v1" } else { "" };
        let text = format!(
            "instance: {instance}\nproduct: desk\nenvironment: production\nvalues: {{ LINES: {lines}{tag} }}\n"
        );
        world.write(&format!("instances/{instance}.yaml"), text);
        let host = format!("{instance}.test.example");
        targets.push(Target { name: (*instance).into(), http: at(http), host: host.into(), lines: Some(at(lines)) });
    }
    world.up();

    let mix = [
        (Kind::Short, 40.0),
        (Kind::Kept, 15.0),
        (Kind::Call, 15.0),
        (Kind::Stream, 3.0),
        (Kind::Socket, 2.0),
        (Kind::Lines, 2.0),
    ];
    let mix = mix.into_iter().fold(Mix::default(), |mix, (kind, rate)| mix.with(kind, rate));
    let load = Load::begin(targets, mix);
    std::thread::sleep(Duration::from_secs(2));
    world.write("products/desk/product.yaml", product("v2"));
    world.up();
    std::thread::sleep(Duration::from_secs(2));
    let report = load.end();

    report.loaded().expect("there was a load");
    for (index, instance) in INSTANCES.iter().enumerate() {
        let tags: Vec<_> = report.tags(index).into_iter().collect();
        let wanted = if index == STAYS { vec!["v1".into()] } else { vec!["v1".into(), "v2".into()] };
        assert_eq!(tags, wanted, "{instance}: who answered");
    }
    let failures = report.failures(|_| true);
    assert!(failures.is_empty(), "{}:\n{}", report.count(|_| true), failures.join("\n"));
}
