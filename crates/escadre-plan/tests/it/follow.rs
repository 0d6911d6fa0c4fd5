//! Callers of what is replaced beside itself.
use crate::world::*;
use escadre_model::desired::*;
use escadre_model::ids::Kind;
use escadre_model::observed::{CallsSeen, Lookup};
use escadre_plan::plan::{Consent, Plan};
use escadre_plan::step::Act;

fn chain(api: &str) -> Desired {
    let mut desired = instance("desk", "acme");
    service("api", api).into(&mut desired);
    service("web", "web:1").after("api", Condition::Started, false).into(&mut desired);
    service("front", "front:1").after("web", Condition::Started, false).into(&mut desired);
    service("worker", "worker:1")
        .after("api", Condition::Started, false)
        .edit(|worker| worker.manner = Manner::StopFirst("nobody calls it".into()))
        .into(&mut desired);
    http(&mut desired, "portal", "front", "acme.example.org");
    desired
}

fn follows(plan: &Plan) -> Vec<String> {
    let all = plan.instances[0].changes.iter().filter(|change| !change.follows.is_empty());
    all.map(|change| format!("{} -> {}", change.on.key, change.follows.join(", "))).collect()
}

fn generations(world: &mut World) -> Vec<(String, u64)> {
    let all = world.seen("acme").containers.iter();
    let mut all: Vec<_> = all.map(|one| (one.id.resource.key.to_string(), one.id.generation.unwrap_or(0))).collect();
    all.sort();
    all
}

#[test]
fn a_caller_nobody_knows_is_watched_and_so_is_its_caller() {
    let mut world = World::new();
    world.up(&[chain("api:1")]);
    let plan = world.plan(&[chain("api:2")]);
    assert_eq!(follows(&plan), ["web -> api", "front -> web", "worker -> api"], "{}", dump(&plan));
    assert_eq!(plan.instances[0].consent, Consent::Additive);
    assert_eq!(plan.totals().restarts, 1);
    let front = plan.instances[0]
        .steps
        .iter()
        .find(|step| matches!(step.act, Act::Follow(_)) && step.on.resource.key.as_ref() == "front");
    assert_eq!(front.map(|step| step.when.len()), Some(1), "it looks only if web followed: {}", dump(&plan));
}

#[test]
fn the_answer_decides_and_is_remembered() {
    for (web, expected) in [(false, [1, 1, 1]), (true, [2, 2, 2])] {
        let mut world = World::new();
        world.up(&[chain("api:1")]);
        world.follows = [("web", web), ("front", web), ("worker", web)].into();
        world.up(&[chain("api:2")]);
        let [front, web_is, worker] = expected;
        // One that may stop for a moment starts again, in its own container.
        let worker = worker.min(1);
        assert_eq!(
            generations(&mut world),
            [("api", 2), ("front", front), ("web", web_is), ("worker", worker)].map(|(key, n)| (key.to_owned(), n))
        );
        let next = world.plan(&[chain("api:3")]);
        assert!(follows(&next).is_empty(), "{}", dump(&next));
        let wanted = if web { ["update", "update", "replace"] } else { ["keep", "keep", "keep"] };
        assert_eq!(["web", "front", "worker"].map(|key| action(&next, Kind::Service, key)), wanted, "{}", dump(&next));
    }
}

#[test]
fn another_image_is_another_program() {
    let mut world = World::new();
    world.up(&[chain("api:1")]);
    let other = CallsSeen { image: "sha256:other".into(), lookup: Lookup::Again };
    world.seen("acme").record.calls.insert("web".into(), other);
    assert!(follows(&world.plan(&[chain("api:2")])).contains(&"web -> api".to_owned()));
}

#[test]
fn who_is_told_to_start_again_or_has_an_address_that_stays_follows_nobody() {
    let mut world = World::new();
    let make = |db: &str| {
        let mut desired = instance("desk", "acme");
        service("db", db).edit(|db| db.manner = Manner::StopFirst("it writes".into())).into(&mut desired);
        service("api", "api:1").after("db", Condition::Started, false).into(&mut desired);
        desired
    };
    world.up(&[make("db:1")]);
    assert!(follows(&world.plan(&[make("db:2")])).is_empty(), "the new db has the old one's address");
    let mut world = World::new();
    let make = |api: &str| {
        let mut desired = instance("desk", "acme");
        service("api", api).into(&mut desired);
        service("web", "web:1").after("api", Condition::Started, true).into(&mut desired);
        desired
    };
    world.up(&[make("api:1")]);
    let plan = world.plan(&[make("api:2")]);
    assert!(follows(&plan).is_empty());
    assert_eq!(action(&plan, Kind::Service, "web"), "replace", "restart: true says so");
}
