//! Names are readable, short enough, and never shared.

use super::*;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::name::Name;

fn id(fleet: &str, instance: &str) -> Option<InstanceId> {
    Some(InstanceId::new(Name::new(fleet).ok()?, Name::new(instance).ok()?))
}

#[test]
fn a_container_is_called_by_its_identity() {
    let name =
        id("totem", "france").map(|id| container(&id.resource(ResourceKey::new(Kind::Service, "web")).container(2, 7)));
    assert_eq!(name.as_deref(), Some("totem_france_web_2_g7"));
}

#[test]
fn a_fleet_of_one_is_called_as_compose_would() {
    assert_eq!(id("shop", "shop").map(|id| owned(&id, true, "data")).as_deref(), Some("shop_data"));
    assert_eq!(id("totem", "france").map(|id| owned(&id, false, "data")).as_deref(), Some("totem_france_data"));
}

#[test]
fn what_is_too_long_keeps_its_beginning_and_stays_apart() {
    let name = |tail: &str| id("f", "i").map(|id| owned(&id, false, &format!("{}{tail}", "x".repeat(80))));
    let (a, b) = (name("a").unwrap_or_default(), name("b").unwrap_or_default());
    assert_ne!(a, b);
    assert!(a.len() <= 63 && a.starts_with("f_i_xxx"), "{a}");
}

#[test]
fn characters_an_engine_refuses_are_replaced_and_told_apart() {
    let name = |key: &str| id("f", "i").map(|id| owned(&id, false, key)).unwrap_or_default();
    assert_ne!(name("a/b"), name("a:b"));
    assert_ne!(name("a/b"), name("a-b"));
}

#[test]
fn an_instance_with_its_fleets_name_takes_nobody_elses_volume() {
    let name = |instance: &str, key: &str| id("a", instance).map(|id| owned(&id, false, key));
    assert_eq!(name("a", "b_c").as_deref(), Some("a_a_b_c"));
    assert_ne!(name("a", "b_c"), name("b", "c"));
}
