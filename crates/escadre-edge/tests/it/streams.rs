//! Bodies and tunnels: streamed, not cut by what concerns others, never looking complete when they are not.

use tokio::io::AsyncWriteExt;

use crate::world::{BIG, Server, World, route, until, within};

const WEBSOCKET: &str = "GET /ws HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test]
async fn a_websocket_outlives_changes_of_routes_and_the_end_of_its_own() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    wire.say(WEBSOCKET).await;
    let (status, head) = wire.head().await;
    assert_eq!(status, 101);
    assert!(head.to_ascii_lowercase().contains("upgrade: websocket"), "{head}");
    for round in 0..5 {
        world.change(|r| r.routes.push(route(&format!("f/{round}/web"), &format!("h{round}.localhost"), &[&b]))).await;
        wire.say(&format!("round {round}\n")).await;
        assert_eq!(wire.line().await, format!("round {round}\n"));
    }
    world.change(|r| r.routes[0].backends = vec![b.backend()]).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "b");
    world.change(|r| r.routes.clear()).await;
    wire.say("still here\n").await;
    assert_eq!(wire.line().await, "still here\n");
    assert_eq!(world.in_flight("a").await, Some(1));
    drop(wire);
    until("it is forgotten", || async { world.in_flight("a").await.is_none() }).await;
}

#[tokio::test]
async fn events_flow_while_another_route_changes() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let mut world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.routes.push(route("f/b/web", "b.localhost", &[&b]));
    })
    .await;
    let mut wire = world.dial().await;
    wire.say("GET /events HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(wire.head().await.0, 200);
    for round in 1..=5 {
        world.change(|r| r.routes[1].parked = !r.routes[1].parked).await;
        a.release();
        assert_eq!(wire.chunk().await.expect("an event"), format!("data: a {round}\n\n"));
    }
    assert_eq!(world.in_flight("a").await, Some(1));
    drop(wire);
    until("the backend is free", || async { world.in_flight("a").await == Some(0) }).await;
}

#[tokio::test]
async fn an_upload_is_passed_on_piece_by_piece() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    wire.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    within("the first piece arrives before the last is sent", a.pieces.notified()).await;
    wire.say("2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(wire.reply().await.body, "5 bytes");
    let mut polite = world.dial().await;
    polite.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(polite.head().await.0, 100);
    polite.say("ok").await;
    assert_eq!(polite.reply().await.body, "2 bytes");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_is_framed() {
    let a = Server::new("a").await;
    let world = World::new(|r| {
        let mut small = route("f/a/web", "a.localhost", &[&a]);
        small.body_limit_bytes = Some(4);
        r.routes.push(small);
    })
    .await;
    for (framing, status) in [
        ("Content-Length: 4\r\n\r\nabcd", 200),
        ("Content-Length: 5\r\n\r\nabcde", 413),
        ("Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 413),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", 200),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", 413),
    ] {
        let mut wire = world.dial().await;
        wire.say(&format!("POST /upload HTTP/1.1\r\nHost: a.localhost\r\n{framing}")).await;
        assert_eq!(wire.reply().await.status, status, "{framing:?}");
    }
    assert_eq!(world.status().await.routes[0].counters.failed, 0, "the client's fault is not ours");
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_complete() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    wire.say("GET /half HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(wire.head().await.0, 200);
    assert_eq!(wire.chunk().await.as_deref(), Some("first"));
    a.release();
    let rest = wire.rest().await.unwrap_or_default();
    assert!(!rest.contains("0\r\n"), "{rest:?}");
    assert_eq!(world.status().await.routes[0].counters.failed, 1);
}

#[tokio::test]
async fn a_slow_upload_that_moves_is_not_silence() {
    let a = Server::new("a").await;
    let world = World::new(|r| {
        let mut quick = route("f/a/web", "a.localhost", &[&a]);
        quick.timeout_ms = 400;
        r.routes.push(quick);
    })
    .await;
    let mut wire = world.dial().await;
    wire.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 10\r\n\r\n").await;
    for _ in 0..10 {
        // Longer than the timeout in all, much shorter each time: what is tested is time itself.
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        wire.say("x").await;
    }
    assert_eq!(wire.reply().await.body, "10 bytes");
    let mut stuck = world.dial().await;
    stuck.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 10\r\n\r\nx").await;
    assert_eq!(stuck.reply().await.status, 408);
}

#[tokio::test]
async fn an_upload_goes_on_while_the_client_does_not_read() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    wire.say(&format!("POST /beside HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: {BIG}\r\n\r\n")).await;
    // More than all buffers hold, and the answer is more than they hold, too.
    let body = vec![b'x'; BIG];
    within("it is sent", wire.stream.get_mut().write_all(&body)).await.expect("written");
    within("all of it is there", a.pieces.notified()).await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.body.len()), (200, BIG));
}
