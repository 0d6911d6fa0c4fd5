//! Letting backends go.

use std::time::{Duration, Instant};

use escadre_edge::control::{BackendUse, Code, ControlError};

use crate::world::{PATIENCE, Server, Wire, World, route, tcp_route, until, within};

async fn holding(world: &World, server: &Server) -> Wire {
    let before = *server.arrived.borrow();
    let mut wire = world.dial().await;
    wire.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    server.has(before + 1).await;
    wire
}

#[tokio::test]
async fn a_draining_backend_finishes_and_gets_nothing_new() {
    let (old, new) = (Server::new("old").await, Server::new("new").await);
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&old]))).await;
    let mut wire = holding(&world, &old).await;
    world.change(|r| r.routes[0].backends.push(new.backend())).await;
    let flying = world.client.drain("old", PATIENCE).await.expect("drains");
    assert_eq!(flying.in_flight, 1);
    for _ in 0..4 {
        assert_eq!(world.get("a.localhost", "/name").await.body, "new");
    }
    let state = world.status().await.backends.iter().find(|b| b.id == "old").map(|b| b.state);
    assert_eq!(state, Some(BackendUse::Draining));
    let left = world.client.wait_drained("old", Duration::from_millis(30)).await.expect("answers");
    assert_eq!(left.in_flight, 1);
    let waiting = tokio::spawn({
        let client = world.client.clone();
        async move { client.wait_drained("old", PATIENCE).await }
    });
    old.release();
    assert_eq!(wire.reply().await.body, "old");
    let empty = within("drained", waiting).await.expect("no panic").expect("answers");
    assert!(empty.is_empty());
    world.client.undrain("old").await.expect("undrained");
    world.change(|r| r.routes[0].backends.truncate(1)).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "old");
    let unknown = world.client.drain("nobody", PATIENCE).await;
    assert!(matches!(unknown, Err(ControlError::Refused(r)) if r.code == Code::Unknown));
    assert!(world.client.wait_drained("nobody", PATIENCE).await.expect("answers").is_empty());
}

#[tokio::test]
async fn the_deadline_cuts_and_counts() {
    let a = Server::new("a").await;
    let world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.tcp.push(tcp_route("f/a/tcp", 41, &[&a]));
    })
    .await;
    let mut held = holding(&world, &a).await;
    let mut events = world.dial().await;
    events.say("GET /events HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(events.head().await.0, 200);
    let mut socket = world.dial().await;
    socket.say("GET /ws HTTP/1.1\r\nHost: a.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(socket.head().await.0, 101);
    let mut bytes = Wire::to(world.bound(world.routes.tcp[0].listen).await).await;
    bytes.say("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n").await;
    a.has(4).await;
    until("four are under way", || async { world.in_flight("a").await == Some(4) }).await;
    let begin = Instant::now();
    world.client.drain("a", Duration::from_millis(200)).await.expect("drains");
    let empty = world.client.wait_drained("a", PATIENCE).await.expect("answers");
    assert!(empty.is_empty() && begin.elapsed() >= Duration::from_millis(200));
    assert_eq!(held.reply().await.status, 502);
    let rest = events.rest().await.unwrap_or_default();
    assert!(!rest.contains("0\r\n"), "a cut stream must not look complete: {rest:?}");
    assert!(socket.is_closed().await);
    assert!(bytes.rest().await.is_err(), "reset, not ended");
    let failed: Vec<u64> = world.status().await.routes.iter().map(|r| r.counters.failed).collect();
    assert_eq!(failed, [3, 1]);
}

#[tokio::test]
async fn a_backend_that_left_the_file_finishes_until_its_deadline() {
    let (old, new) = (Server::new("old").await, Server::new("new").await);
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&old]))).await;
    let mut finishes = holding(&world, &old).await;
    world.change(|r| r.routes[0].backends = vec![new.backend()]).await;
    let state = world.status().await.backends.iter().find(|b| b.id == "old").map(|b| (b.state, b.in_flight));
    assert_eq!(state, Some((BackendUse::Leaving, 1)));
    old.release();
    assert_eq!(finishes.reply().await.body, "old");
    until("it is forgotten", || async { world.in_flight("old").await.is_none() }).await;

    // Cut before an answer began: what may be asked again is asked elsewhere, what may not is a failure.
    let mut again = holding(&world, &new).await;
    let mut cut = world.dial().await;
    cut.say("POST /hold HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n\r\n").await;
    new.has(2).await;
    world.change(|r| (r.routes[0].backends, r.drain_ms) = (vec![old.backend()], 50)).await;
    assert_eq!(cut.reply().await.status, 502);
    old.has(2).await;
    old.release();
    assert_eq!(again.reply().await.body, "old");
    until("it is forgotten", || async { world.in_flight("new").await.is_none() }).await;
    assert!(world.log().contains("backend new"), "{}", world.log());
}

#[tokio::test]
async fn coming_back_after_leaving_is_a_new_beginning() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = holding(&world, &a).await;
    world.change(|r| r.routes[0].backends.clear()).await;
    assert_eq!(world.get("a.localhost", "/name").await.status, 503);
    world.change(|r| r.routes[0].backends = vec![a.backend()]).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    assert_eq!(world.in_flight("a").await, Some(1));
    a.release();
    assert_eq!(wire.reply().await.body, "a");
}
