//! Services that are stopped and started as they are.
use crate::world::*;
use escadre_model::ids::Kind;
use escadre_model::observed::Phase;
use escadre_plan::make::{How, Touch};
use escadre_plan::plan::{Consent, Plan};
use escadre_plan::step::Act;

/// Touches services of an instance, as its last receipt has it.
fn touch(world: &mut World, how: How, services: &[&str]) -> Plan {
    let runs = world.seen("acme").record.receipts[0].desired.as_ref().clone();
    let services = services.iter().map(|key| (*key).into()).collect();
    world.options.touch = Some(Touch { how, services: [(id("desk", "acme"), services)].into() });
    let plan = world.up(&[runs]);
    world.options.touch = None;
    plan
}

fn phase(world: &mut World, service: &str) -> Phase {
    world.container("acme", service).phase.clone()
}

#[test]
fn one_service_stops_its_route_says_so_and_it_starts_again() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let plan = touch(&mut world, How::Stop, &["web"]);
    assert_eq!(action(&plan, Kind::Service, "web"), "stop");
    assert_eq!(acts(&plan, "web"), ["switch", "stop"], "{}", dump(&plan));
    assert!(world.seen("acme").routes["portal"].backends.is_empty());
    assert_eq!([phase(&mut world, "web"), phase(&mut world, "api")], [Phase::Exited(143), Phase::Running]);
    assert_eq!(touch(&mut world, How::Stop, &["web"]).steps(), 0, "it has stopped already");
    let next = world.plan(&[desk("acme", "1")]);
    assert_eq!(action(&next, Kind::Service, "web"), "start", "the files want it to run");
    let plan = touch(&mut world, How::Start, &["web"]);
    assert_eq!(plan.instances[0].consent, Consent::Additive);
    assert_eq!(phase(&mut world, "web"), Phase::Running);
    assert_eq!(world.seen("acme").routes["portal"].backends.len(), 1);
    assert_eq!(world.plan(&[desk("acme", "1")]).steps(), 0);
}

#[test]
fn what_starts_again_is_what_was_there_whatever_the_files_want() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let before = world.container("acme", "api").engine.clone();
    let plan = touch(&mut world, How::Restart, &["api"]);
    assert_eq!(action(&plan, Kind::Service, "api"), "replace");
    assert_eq!(acts(&plan, "api"), ["stop", "start", "gate"], "{}", dump(&plan));
    assert_eq!(world.container("acme", "api").engine, before);
    let whole = touch(&mut world, How::Restart, &[]);
    let order: Vec<String> = whole.instances[0]
        .steps
        .iter()
        .filter(|step| matches!(step.act, Act::Start { .. }))
        .map(|step| step.on.resource.key.to_string())
        .collect();
    assert_eq!(order, ["db", "api", "web"], "{}", dump(&whole));
    assert!(acts(&whole, "migrate").is_empty());
}

#[test]
fn an_instance_stops_as_a_whole_and_starts_as_a_whole() {
    let mut world = World::new();
    world.up(&[desk("acme", "1"), desk("beta", "1")]);
    let beta = world.seen("beta").clone();
    let plan = touch(&mut world, How::Stop, &[]);
    assert_eq!(plan.instances[0].consent, Consent::Gap);
    assert_eq!(["db", "api", "web"].map(|key| phase(&mut world, key)), [const { Phase::Exited(143) }; 3]);
    assert!(world.seen("acme").routes["portal"].backends.is_empty(), "whoever asks is told");
    let plan = touch(&mut world, How::Start, &[]);
    assert_eq!(action(&plan, Kind::Service, "db"), "start", "{}", dump(&plan));
    assert_eq!(["db", "api", "web"].map(|key| phase(&mut world, key)), [const { Phase::Running }; 3]);
    assert_eq!(&beta, world.seen("beta"));
}

#[test]
fn what_cannot_be_touched_is_told() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let plan = touch(&mut world, How::Start, &["migrate"]);
    assert_eq!((plan.steps(), plan.notes[0].code.as_ref()), (0, "W0312"));
    world.seen("acme").containers.retain(|one| one.id.resource.key.as_ref() != "web");
    let plan = touch(&mut world, How::Start, &["web"]);
    assert_eq!((plan.steps(), plan.notes[0].code.as_ref()), (0, "W0312"));
}
