//! Equal changes and outliers.
use crate::world::*;
use escadre_model::desired::Desired;

fn fleet(image: &str, count: usize) -> Vec<Desired> {
    let make = |index: usize| {
        let mut desired = instance("desk", &format!("c{index:04}"));
        let mut domain = field("environment.DOMAIN", &format!("{image}.c{index}.example"), "compose.yaml", 6);
        domain.raw = Some("${DOMAIN}".into());
        service("web", image).with(domain).into(&mut desired);
        desired
    };
    (0..count).map(make).collect()
}

#[test]
fn equal_changes_are_told_once_and_outliers_apart() {
    let mut world = World::new();
    world.up(&fleet("web:1", 20));
    let mut next = fleet("web:2", 20);
    service("web", "web:2").with(field("memory", "1g", "instances/c0007.yaml", 4)).into(&mut next[7]);
    let plan = world.plan(&next);
    assert_eq!((plan.groups.len(), plan.groups[0].instances.len()), (1, 19), "{}", dump(&plan));
    assert_eq!(plan.outliers, [id("desk", "c0007")]);
    assert_eq!(plan.groups[0].key.as_ref(), "A");
    assert_eq!(plan.instances[0].group.as_deref(), Some("A"));
    assert_eq!(plan.waves[0].len(), 20);
    let totals = plan.totals();
    assert_eq!((totals.changing, totals.restarts, totals.actions["update"]), (20, 20, 20));
}

#[test]
fn one_that_failed_before_is_no_outlier_for_that() {
    let mut world = World::new();
    world.up(&fleet("web:1", 3));
    let next = fleet("web:2", 3);
    let record = &mut world.seen("c0001").record;
    let mut failed = record.receipts[0].clone();
    failed.outcome = escadre_model::observed::Outcome::WentBack;
    failed.desired = std::sync::Arc::new(next[1].clone());
    record.receipts.insert(0, failed);
    let plan = world.plan(&next);
    assert_eq!((plan.groups.len(), plan.groups[0].instances.len()), (1, 3), "{}", dump(&plan));
}

#[test]
fn subnets_and_addresses_are_different_for_everybody() {
    let mut world = World::new();
    world.observed.host.subnets = vec!["10.210.0.0/25".into()];
    world.up(&fleet("web:1", 30));
    let mut all: Vec<_> = world.observed.host.subnets.clone();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 31);
    world.target.pool = "10.211.0.0/26".into();
    let plan = world.plan(&[desk("x1", "1"), desk("x2", "1")]);
    assert!(plan.instances[0].refused.is_none() && plan.instances[1].refused.is_some(), "{}", dump(&plan));
}
