//! Counting, closing, cutting.

use std::time::{Duration, Instant};

use super::*;

fn backend() -> Arc<BackendLive> {
    BackendLive::new("c1", SocketAddr::from(([10, 0, 0, 1], 80)))
}

#[test]
fn a_closed_backend_gives_no_guard() {
    let live = backend();
    let flight = live.enter().expect("open");
    let number = live.drain(Instant::now() + Duration::from_secs(1));
    assert!(live.enter().is_none());
    assert_eq!(live.in_flight(), 1);
    assert!(live.drains_by(number));
    live.undrain();
    assert!(!live.drains_by(number));
    let second = live.enter().expect("open again");
    drop((flight, second));
    assert_eq!(live.in_flight(), 0);
    live.set_filed(true);
    assert!(live.enter().is_none());
}

#[test]
fn what_was_cut_counts_no_more() {
    let live = backend();
    let old = live.enter().expect("open");
    assert_eq!(live.cut(), 1);
    assert!(old.was_cut());
    let new = live.enter().expect("open");
    drop(old);
    assert_eq!(live.in_flight(), 1, "the old guard does not take the new one's count");
    assert!(!new.was_cut());
}

#[tokio::test]
async fn what_begins_after_a_cut_is_not_cut() {
    let live = backend();
    let old = live.enter().expect("open");
    let mut told = old.cut();
    live.cut();
    told.told().await;
    let new = live.enter().expect("open");
    let mut told = new.cut();
    tokio::select! {
        biased;
        () = told.told() => panic!("it was cut before it began"),
        () = tokio::task::yield_now() => {}
    }
}

#[test]
fn a_visit_fails_once_and_for_its_first_reason() {
    let route = RouteLive::new("f/a/web", &Arc::default());
    let visit = route.arrive();
    visit.fail(Failure::Cut);
    visit.fail(Failure::Broken);
    assert_eq!((route.counters().cut, route.counters().broken, route.counters().failed), (1, 0, 1));
    assert_eq!(route.counters().in_flight, 1);
    drop(visit);
    assert_eq!((route.counters().requests, route.counters().in_flight), (1, 0));
}

#[test]
fn the_deadline_of_a_drain_beats_the_default() {
    let live = backend();
    let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(60));
    live.drain(early);
    live.leave(late);
    assert_eq!(live.deadline(), Some(early));
    let other = backend();
    other.leave(early);
    other.outlast(late);
    assert_eq!(other.deadline(), Some(late), "who waits longer is not cut before");
    other.outlast(early);
    assert_eq!(other.deadline(), Some(late));
}

#[tokio::test]
async fn waiting_for_empty_ends() {
    let live = backend();
    live.emptied().await;
    let flight = live.enter().expect("open");
    let waiting = tokio::spawn({
        let live = Arc::clone(&live);
        async move { live.emptied().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(flight);
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("ends").expect("no panic");
}

#[test]
fn the_waiting_room_is_bounded() {
    let route = RouteLive::new("f/a/web", &Arc::default());
    let first = route.wait(1).expect("a place");
    assert!(route.wait(1).is_none());
    drop(first);
    assert!(route.wait(1).is_some());
    assert!(route.wait(0).is_none());
}
