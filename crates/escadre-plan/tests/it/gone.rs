//! Stopping, removing, retaining, orphans.
use crate::world::*;
use escadre_model::desired::*;
use escadre_model::ids::Kind;
use escadre_model::observed::Phase;
use escadre_plan::plan::Consent;
use std::collections::BTreeSet;

#[test]
fn an_empty_or_half_read_fleet_deletes_nothing() {
    let mut world = World::new();
    world.up(&[desk("acme", "1"), desk("beta", "1")]);
    let plan = world.plan(&[desk("acme", "1")]);
    assert_eq!((plan.steps(), plan.notes.len()), (0, 1));
    assert_eq!(plan.notes[0].code.as_ref(), "W0301");
    world.listed = false;
    let plan = world.plan(&[]);
    assert_eq!((plan.steps(), plan.instances.len()), (0, 0));
    assert_eq!(plan.notes[0].code.as_ref(), "W0302");
}

#[test]
fn a_stopped_instance_keeps_everything_and_starts_again() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let mut stopped = desk("acme", "1");
    stopped.state = State::Stopped;
    let plan = world.up(&[stopped.clone()]);
    assert_eq!(plan.instances[0].consent, Consent::Gap);
    assert_eq!(action(&plan, Kind::Service, "web"), "stop");
    let order: Vec<String> = plan.instances[0].steps.iter().map(|step| step.on.resource.key.to_string()).collect();
    assert_eq!(order, ["web", "web", "api", "db"], "{}", dump(&plan));
    assert_eq!(world.plan(&[stopped]).steps(), 0);
    let plan = world.up(&[desk("acme", "1")]);
    assert_eq!(action(&plan, Kind::Service, "db"), "start", "{}", dump(&plan));
    assert!(
        world
            .seen("acme")
            .containers
            .iter()
            .filter(|one| one.id.resource.key.as_ref() != "migrate")
            .all(|one| one.phase == Phase::Running)
    );
    assert_eq!(world.plan(&[desk("acme", "1")]).steps(), 0);
}

#[test]
fn a_tombstone_takes_all_but_the_volumes() {
    let mut world = World::new();
    world.up(&[desk("acme", "1"), desk("beta", "1")]);
    let mut removed = desk("acme", "1");
    removed.state = State::Removed;
    let fleet = [removed.clone(), desk("beta", "1")];
    let plan = world.up(&fleet);
    assert_eq!(plan.instances[0].consent, Consent::Deletion);
    assert_eq!(action(&plan, Kind::Volume, "pgdata"), "retain");
    assert_eq!(world.plan(&fleet).steps(), 0, "{}", dump(&world.plan(&fleet)));
    let seen = world.seen("acme");
    assert!(seen.containers.is_empty() && seen.networks.is_empty() && seen.volumes.len() == 1);
    assert_eq!(world.seen("beta").containers.len(), 4);
    // The data comes back only by a confirmed adoption.
    let back = [desk("acme", "1"), desk("beta", "1")];
    let plan = world.up(&back);
    assert_eq!(action(&plan, Kind::Volume, "pgdata"), "adopt");
    assert_eq!(plan.instances[0].consent, Consent::Gap);
    assert!(!world.plan(&back).instances[0].goes_ahead());
}

#[test]
fn down_takes_an_orphan_that_was_named_and_data_only_if_that_was_named_too() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    world.options.down = true;
    assert_eq!(world.plan(&[]).steps(), 0, "an orphan nobody named");
    world.options.only = Some(BTreeSet::from([id("desk", "acme")]));
    let plan = world.up(&[]);
    assert!(plan.steps() > 0 && world.seen("acme").volumes.len() == 1);
    world.options.destroy = vec![id("desk", "acme").resource(key(Kind::Volume, "pgdata"))];
    let plan = world.up(&[desk("acme", "1")]);
    assert_eq!(action(&plan, Kind::Volume, "pgdata"), "delete", "{}", dump(&plan));
    assert!(world.seen("acme").volumes.is_empty());
}

#[test]
fn a_service_that_left_the_product_goes_and_its_volume_stays() {
    let mut world = World::new();
    let mut with = desk("acme", "1");
    volume(&mut with, "cachedata");
    service("cache", "redis:7").edit(|it| _ = it.volumes.insert("cachedata".into(), true)).into(&mut with);
    world.up(&[with]);
    let plan = world.up(&[desk("acme", "1")]);
    assert_eq!(acts(&plan, "cache"), ["stop", "remove"]);
    assert_eq!(action(&plan, Kind::Volume, "cachedata"), "retain");
    assert_eq!(plan.instances[0].consent, Consent::Deletion);
    let again = world.plan(&[desk("acme", "1")]);
    assert_eq!((again.steps(), again.notes[0].code.as_ref()), (0, "W0304"), "{}", dump(&again));
}

#[test]
fn a_container_not_on_record_is_never_removed() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    world.container("acme", "web").known = false;
    world.options.down = true;
    let plan = world.up(&[desk("acme", "1")]);
    assert_eq!(world.seen("acme").containers.len(), 1);
    assert!(plan.notes.iter().any(|note| note.code.as_ref() == "W0305"));
}
