//! Room: what nobody needs goes, and every way back that is kept still leads back.

use super::happy::{desk, images};
use escadre_engine::journal;
use escadre_engine::ports::Holder;
use escadre_engine::room::{Asked, RoomError, look, make};
use escadre_model::desired::State;
use escadre_testkit::bench::{Bench, paused};
use escadre_testkit::sketch::Sketch;
use escadre_testkit::world::Behaviour;
use std::collections::BTreeSet;

fn version(number: u32) -> Sketch {
    desk(&format!("api:{number}"))
}

/// An instance that had this many versions, one after the other.
async fn after(versions: u32) -> Bench {
    let bench = Bench::new();
    images(&bench);
    for number in 1..=versions {
        bench.image(&format!("api:{number}"), Behaviour::healthy(u64::from(number) * 100));
        bench.up(&[version(number)]).await;
    }
    bench
}

fn asked(keep: usize) -> Asked {
    Asked { instances: [version(1).id()].into(), keep, ..Asked::default() }
}

/// Every kept state is whole: what it wants can be read, and its images are there.
async fn ways(bench: &Bench) -> usize {
    let receipts = journal::receipts(bench.ports().store.as_ref(), &version(1).id()).await.unwrap();
    let memory = journal::memory(bench.ports().store.as_ref(), &version(1).id()).await.unwrap();
    assert_eq!(receipts.len(), memory.state.receipts.len(), "a kept state cannot be read any more");
    let there: BTreeSet<_> = bench.world.with(|state, _| state.images.values().map(|image| image.id.clone()).collect());
    for receipt in &receipts {
        let missing: Vec<_> = receipt.images.values().filter(|id| !there.contains(*id)).collect();
        assert!(missing.is_empty(), "state {} lacks {missing:?}", receipt.seq);
    }
    receipts.len()
}

#[test]
fn what_no_kept_state_needs_goes_and_the_rest_stays() {
    paused(async {
        let bench = after(7).await;
        let kept = ways(&bench).await;
        let room = look(&asked(5), bench.ports()).await.unwrap();
        let names: Vec<&str> = room.images.iter().flat_map(|one| one.names.iter().map(|name| &**name)).collect();
        assert!(names.contains(&"api:1") && names.contains(&"api:2") && !names.contains(&"api:3"), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("db:") || name.starts_with("migrate:")), "{names:?}");
        assert!(room.states.is_empty(), "five are kept without asking: {:?}", room.states);
        assert!(!room.blobs.is_empty(), "two versions' configuration is needed by nobody");
        let made = make(&room, &asked(5), bench.ports(), &bench.options).await.unwrap();
        assert_eq!((made.images.0, made.failed), (room.images.len(), Vec::new()));
        assert_eq!(ways(&bench).await, kept);
        assert!(look(&asked(5), bench.ports()).await.unwrap().is_empty(), "once more finds nothing");
        bench.sound(&[version(1).id()]).await.unwrap();
        bench.world.fault_at(None);
        bench.up(&[version(7)]).await;
        assert_eq!(bench.world.mutating(), 0, "what runs is as it was");
    });
}

#[test]
fn fewer_states_are_kept_on_request() {
    paused(async {
        let bench = after(4).await;
        let room = look(&asked(5), bench.ports()).await.unwrap();
        assert_eq!((room.images, room.states, room.kept), (Vec::new(), Default::default(), 4));
        let room = look(&asked(1), bench.ports()).await.unwrap();
        assert_eq!(room.states.values().map(BTreeSet::len).sum::<usize>(), 3);
        let made = make(&room, &asked(1), bench.ports(), &bench.options).await.unwrap();
        assert_eq!((made.states, made.images.0, made.failed), (3, 3, Vec::new()));
        assert_eq!(ways(&bench).await, 1);
        bench.sound(&[version(1).id()]).await.unwrap();
    });
}

#[test]
fn an_instance_that_is_gone_keeps_nothing_but_its_history() {
    paused(async {
        let bench = after(2).await;
        let mut gone = version(2);
        gone.state = Some(State::Removed);
        bench.up(&[gone]).await;
        let asked = Asked { gone: [version(1).id()].into(), keep: 5, ..Asked::default() };
        let room = look(&asked, bench.ports()).await.unwrap();
        make(&room, &asked, bench.ports(), &bench.options).await.unwrap();
        let left: Vec<_> = bench.world.with(|state, _| state.images.keys().cloned().collect());
        assert_eq!(left, Vec::<std::sync::Arc<str>>::new());
        assert!(!bench.ports().store.history(&version(1).id()).await.unwrap().is_empty());
    });
}

#[test]
fn nothing_goes_while_somebody_works() {
    paused(async {
        let bench = after(7).await;
        let room = look(&asked(5), bench.ports()).await.unwrap();
        let holder = Holder { by: "somebody".into(), plan: "p1".into(), ..Holder::default() };
        bench.locks.foreign(&version(1).id(), Some(holder));
        let before = bench.snapshot();
        let busy = make(&room, &asked(5), bench.ports(), &bench.options).await;
        assert!(matches!(busy, Err(RoomError::Busy(..))), "{busy:?}");
        assert_eq!(bench.snapshot(), before);
        bench.locks.foreign(&version(1).id(), None);
        assert_eq!(look(&asked(5), bench.ports()).await.unwrap(), room);
    });
}

#[test]
fn what_came_into_use_after_it_was_shown_stays() {
    paused(async {
        let bench = after(7).await;
        let room = look(&asked(5), bench.ports()).await.unwrap();
        bench.up(&[version(1)]).await;
        make(&room, &asked(5), bench.ports(), &bench.options).await.unwrap();
        let names: Vec<_> = bench.world.with(|state, _| state.images.keys().cloned().collect());
        assert!(names.iter().any(|name| &**name == "api:1"), "{names:?}");
        assert!(!names.iter().any(|name| &**name == "api:2"), "{names:?}");
        ways(&bench).await;
    });
}
