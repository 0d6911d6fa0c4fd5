//! From any start state the plan is empty after at most three passes.
use crate::world::*;
use escadre_model::desired::*;
use escadre_model::ids::Kind;
use escadre_model::observed::Phase;
use proptest::prelude::*;

/// Something that happened to the world behind our back.
fn disturb(world: &mut World, name: &str, what: u8, which: usize) {
    let seen = world.seen(name);
    let count = seen.containers.len();
    if count == 0 {
        return;
    }
    let at = which % count;
    match what {
        0 => drop(seen.containers.remove(at)),
        1 => seen.containers[at].phase = Phase::Exited(137),
        2 => seen.containers[at].phase = Phase::Created,
        3 => seen.containers[at].known = false,
        4 => {
            // A generation left behind by an interrupted apply.
            let mut extra = seen.containers[at].clone();
            let generation = extra.id.generation.unwrap_or(1) + 1;
            extra.id.generation = Some(generation);
            extra.name = format!("{}-left-{which}", extra.name).into();
            extra.engine = escadre_model::observed::EngineId(format!("left{what}{which}").into());
            extra.phase = Phase::Created;
            extra.addresses.clear();
            seen.record.owned.insert(extra.engine.clone(), extra.id.clone());
            seen.containers.push(extra);
        }
        5 => seen.containers[at].spec = None,
        6 => seen.containers[at].fields = None,
        7 => seen.containers[at].phase = Phase::Paused,
        8 => seen.routes.clear(),
        9 => seen.routes.values_mut().for_each(|route| route.parked = true),
        10 => seen.containers[at].addresses.clear(),
        11 => seen.record.receipts.clear(),
        12 => seen.containers[at].image = "sha256:other".into(),
        _ => seen.record.jobs.clear(),
    }
}

fn variant(name: &str, what: u8) -> Desired {
    let mut desired = desk(name, if what & 1 == 0 { "1" } else { "2" });
    if what & 2 != 0 {
        secret(&mut desired, "password", Some("rotated"));
    }
    if what & 4 != 0 {
        volume(&mut desired, "more");
        service("cache", "redis:7").edit(|it| _ = it.volumes.insert("more".into(), true)).into(&mut desired);
        tcp(&mut desired, "6379", "cache", 0);
    }
    if what & 8 != 0 {
        network(&mut desired, "back", None);
        service("worker", "desk/api:1")
            .edit(|it| {
                it.networks = vec![Attachment { network: "back".into(), names: vec!["worker".into()], address: None }]
            })
            .edit(|it| it.replicas = 2)
            .into(&mut desired);
    }
    if what & 16 != 0 {
        desired.state = State::Stopped;
    }
    if what & 32 != 0 {
        desired.resources.remove(&key(Kind::Service, "web"));
        desired.routes.clear();
    }
    desired
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_start_state_converges(
        first in 0..64_u8, then in 0..64_u8, beside: bool, rootless: bool, follows: Option<bool>,
        events in prop::collection::vec((0..14_u8, 0..8_usize), 0..5),
    ) {
        let mut world = World::new();
        world.target.rootless = rootless;
        world.abilities.side_by_side = beside;
        world.follows = follows.into_iter().flat_map(|yes| [("web", yes), ("api", yes)]).collect();
        let bystander = desk("other", "1");
        world.up(&[variant("acme", first), bystander.clone()]);
        let untouched = world.seen("other").clone();
        let volumes = world.seen("acme").volumes.clone();
        for (what, which) in events { disturb(&mut world, "acme", what, which); }
        let fleet = [variant("acme", then), bystander];
        for _ in 0..3 {
            world.up(&fleet);
        }
        let last = world.plan(&fleet);
        prop_assert!(last.instances.iter().all(|one| !one.goes_ahead() && one.refused.is_none()), "{}", dump(&last));
        prop_assert_eq!(&untouched, world.seen("other"), "work on one instance reached another");
        for volume in volumes {
            prop_assert!(world.seen("acme").volumes.contains(&volume), "a volume was lost");
        }
    }
}
