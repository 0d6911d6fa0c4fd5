//! Waiting while nobody can serve.

use crate::world::{Server, Wire, World, route, tcp_route, until};

#[tokio::test]
async fn who_is_parked_is_served_after_the_switch() {
    let (old, new) = (Server::new("old").await, Server::new("new").await);
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&old]))).await;
    world
        .change(|r| {
            r.routes[0].parked = true;
            r.routes[0].backends.clear();
        })
        .await;
    let mut wires = Vec::new();
    for n in 0..10 {
        let mut wire = world.dial().await;
        wire.say(&format!("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1\r\n\r\n{n}")).await;
        wires.push(wire);
    }
    until("all wait", || async { world.status().await.routes[0].counters.waiting == 10 }).await;
    world
        .change(|r| {
            r.routes[0].parked = false;
            r.routes[0].backends = vec![new.backend()];
        })
        .await;
    for mut wire in wires {
        assert_eq!(wire.reply().await.status, 200);
    }
    assert_eq!(*new.arrived.borrow(), 10);
    let counters = world.status().await.routes[0].counters.clone();
    assert_eq!((counters.requests, counters.failed, counters.waiting), (10, 0, 0));
}

#[tokio::test]
async fn waiting_is_bounded_in_time_and_number() {
    let a = Server::new("a").await;
    let world = World::new(|r| {
        let mut short = route("f/a/web", "a.localhost", &[&a]);
        (short.parked, short.park_ms) = (true, 50);
        let mut narrow = route("f/b/web", "b.localhost", &[&a]);
        (narrow.parked, narrow.park_queue) = (true, 1);
        r.routes = vec![short, narrow];
    })
    .await;
    let late = world.get("a.localhost", "/name").await;
    assert_eq!((late.status, late.header("retry-after")), (503, Some("1")));
    let mut first = world.dial().await;
    first.say("GET /name HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
    until("the first waits", || async { world.status().await.routes[1].counters.waiting == 1 }).await;
    assert_eq!(world.get("b.localhost", "/name").await.status, 503);
    // Somebody who leaves makes room.
    drop(first);
    until("there is room", || async { world.status().await.routes[1].counters.waiting == 0 }).await;
}

#[tokio::test]
async fn parking_by_command() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.routes.push(route("f/b/web", "b.localhost", &[&a]));
    })
    .await;
    assert!(world.client.park("f/a/web").await.expect("parked").parked);
    let mut wire = world.dial().await;
    wire.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    until("it waits", || async { world.status().await.routes[0].counters.waiting == 1 }).await;
    assert_eq!(world.get("b.localhost", "/name").await.status, 200);
    // Another instance's change does not end it.
    world.change(|r| r.routes[1].backends.clear()).await;
    assert_eq!(world.status().await.routes[0].counters.waiting, 1);
    assert!(!world.client.unpark("f/a/web").await.expect("unparked").parked);
    assert_eq!(wire.reply().await.body, "a");
    assert!(world.client.park("f/nobody/web").await.is_err());
}

#[tokio::test]
async fn a_route_that_vanishes_lets_go_who_waits() {
    let mut world = World::new(|r| {
        let mut parked = route("f/a/web", "a.localhost", &[]);
        parked.parked = true;
        r.routes.push(parked);
    })
    .await;
    let mut wire = world.dial().await;
    wire.say("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    until("it waits", || async { world.status().await.routes[0].counters.waiting == 1 }).await;
    world.change(|r| r.routes.clear()).await;
    assert_eq!(wire.reply().await.status, 404);
}

#[tokio::test]
async fn tcp_connections_wait_before_they_are_connected() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| {
        let mut db = tcp_route("f/a/db", 31, &[]);
        db.parked = true;
        let mut short = tcp_route("f/b/db", 32, &[]);
        (short.parked, short.park_ms) = (true, 30);
        r.tcp = vec![db, short];
    })
    .await;
    let address = world.bound(world.routes.tcp[0].listen).await;
    let mut wire = Wire::to(address).await;
    wire.say("GET /name HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until("it waits", || async { world.status().await.routes[0].counters.waiting == 1 }).await;
    world
        .change(|r| {
            r.tcp[0].parked = false;
            r.tcp[0].backends = vec![a.backend()];
        })
        .await;
    assert_eq!(wire.reply().await.body, "a");
    assert!(Wire::is_reset(world.bound(world.routes.tcp[1].listen).await).await, "waited too long");
    assert_eq!(world.status().await.routes[1].counters.failed, 1);
}

#[tokio::test]
async fn who_asks_for_what_is_being_started_is_told_so() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| {
        let mut starting = route("f/acme/web", "a.localhost", &[]);
        starting.starting = true;
        r.routes = vec![starting, route("f/other/web", "b.localhost", &[])];
    })
    .await;
    let ask = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    let mut wire = world.dial().await;
    wire.say(&ask("a.localhost")).await;
    let reply = wire.reply().await;
    assert_eq!(
        (reply.status, reply.header("retry-after"), reply.header("cache-control")),
        (503, Some("2"), Some("no-store"))
    );
    assert!(
        reply.body.contains("<h1>acme is starting</h1>") && reply.body.contains("http-equiv=\"refresh\" content=\"2\""),
        "{}",
        reply.body
    );
    let line = world.get("a.localhost", "/").await;
    assert_eq!((line.status, line.body.as_str()), (503, "acme is starting.\n"));
    assert_eq!(world.get("b.localhost", "/").await.body, "other is stopped.\n");
    world.change(|r| (r.routes[0].starting, r.routes[0].backends) = (false, vec![a.backend()])).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    let counters = |n: usize, status: &escadre_edge::control::Status| status.routes[n].counters.clone();
    let status = world.status().await;
    assert_eq!((counters(0, &status).requests, counters(0, &status).failed), (3, 0), "it was promised to nobody");
    assert_eq!(counters(1, &status).failed, 1);
}
