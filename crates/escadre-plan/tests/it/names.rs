//! Names: injective, and at most 63 characters.
use crate::world::id;
use escadre_plan::names;
use proptest::prelude::*;

#[test]
fn read_as_people_expect() {
    assert_eq!(names::container(&id("totem", "france"), "web", 1, 1).as_ref(), "totem_france_web_1_g1");
    assert_eq!(names::container(&id("desk", "desk"), "web", 2, 7).as_ref(), "desk_web_2_g7");
    let long = names::container(&id(&"f".repeat(63), &"i".repeat(63)), &"s".repeat(99), u32::MAX, u64::MAX);
    assert_eq!(long.len(), 63);
}

fn part() -> impl Strategy<Value = String> {
    "[ab]([ab_-]{0,3}[ab])?"
}

proptest! {
    #[test]
    fn two_identities_never_share_a_name(a in (part(), part(), part(), 1..3_u32), b in (part(), part(), part(), 1..3_u32)) {
        let name = |(f, i, s, r): &(String, String, String, u32)| names::container(&id(f, i), s, *r, 1);
        prop_assert_eq!(a == b, name(&a) == name(&b));
        prop_assert!(name(&a).len() <= 63);
    }
}
