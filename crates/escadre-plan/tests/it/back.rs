//! Back to an earlier state.
use crate::world::*;
use escadre_model::hash::Hash;
use escadre_model::ids::Kind;
use escadre_model::observed::{HeldBy, Hold};
use escadre_plan::change::Reason;
use escadre_plan::plan::Back;
use escadre_plan::step::Act;

fn back(to: &str, images: &[(&str, &str)], against: Option<Hash>) -> Back {
    let images = images.iter().map(|(reference, id)| ((*reference).into(), (*id).into())).collect();
    Back { to: to.into(), commit: "c0ffee1".into(), dirty: None, images, against }
}

#[test]
fn everything_but_data_and_jobs_goes_back() {
    let mut world = World::new();
    let first = world.up(&[desk("acme", "1")]);
    let id_then = world.container("acme", "api").image.clone();
    world.up(&[desk("acme", "2")]);
    let wanted = desk("acme", "2").hash();
    let images = [("desk/api:1", id_then.as_ref())];
    world.options.back = [(id("desk", "acme"), back(&first.id, &images, Some(wanted.clone())))].into();
    // The engine knows images by their ids, too.
    let image = world.observed.host.images["desk/api:1"].clone();
    world.observed.host.images.insert(image.id.clone(), image);
    let plan = world.up(&[desk("acme", "1")]);
    assert_eq!(action(&plan, Kind::Service, "api"), "update", "{}", dump(&plan));
    assert!(acts(&plan, "migrate").is_empty(), "a job is not run backwards: {}", dump(&plan));
    let one = &plan.instances[0];
    assert_eq!(one.back.as_ref().and_then(|back| back.against.clone()), Some(wanted));
    let api = one.changes.iter().find(|change| change.on == key(Kind::Service, "api")).unwrap();
    assert!(api.reasons.iter().any(|why| matches!(why, Reason::Rollback { to } if *to == first.id)));
    let told: Vec<&str> = plan.notes.iter().map(|note| note.code.as_ref()).collect();
    assert_eq!(told, ["W0311", "W0311"], "{}", dump(&plan));
}

#[test]
fn the_image_that_ran_is_meant_whatever_its_tag_leads_to() {
    let mut world = World::new();
    let first = world.up(&[desk("acme", "1")]);
    let then = world.container("acme", "api").image.clone();
    let mut moved = world.observed.host.images["desk/api:1"].clone();
    world.observed.host.images.insert(then.clone(), moved.clone());
    moved.id = "sha256:moved".into();
    world.observed.host.images.insert("desk/api:1".into(), moved);
    world.up(&[desk("acme", "1")]);
    world.options.back = [(id("desk", "acme"), back(&first.id, &[("desk/api:1", &then)], None))].into();
    let plan = world.plan(&[desk("acme", "1")]);
    let ensure = plan.instances[0].steps.iter().find_map(|step| match &step.act {
        Act::EnsureImage { expect, refresh, .. } => Some((expect.clone(), *refresh)),
        _ => None,
    });
    assert_eq!(ensure, Some((Some(then), false)), "{}", dump(&plan));
}

#[test]
fn a_hold_does_not_stand_in_the_way() {
    let mut world = World::new();
    let first = world.up(&[desk("acme", "1")]);
    world.up(&[desk("acme", "2")]);
    let hold = Hold { against: None, by: HeldBy::Hand, because: "audit".into(), at: "".into() };
    world.seen("acme").record.hold = Some(hold);
    assert!(world.plan(&[desk("acme", "3")]).instances[0].refused.is_some());
    world.options.back = [(id("desk", "acme"), back(&first.id, &[], None))].into();
    assert!(world.plan(&[desk("acme", "1")]).instances[0].refused.is_none());
}
