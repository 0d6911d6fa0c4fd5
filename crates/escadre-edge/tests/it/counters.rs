//! What was carried, told over workers that come, go and die; and updates that nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use escadre_edge::control::{Counters, Stats};
use escadre_model::routes::Backend;

use crate::world::{PATIENCE, Server, Wire, World, nobody, route, tcp_route, until, within};

async fn stats(world: &World) -> Stats {
    world.client.stats().await.expect("stats")
}

async fn of(world: &World, id: &str) -> Counters {
    stats(world).await.routes.into_iter().find(|c| c.id == id).unwrap_or_default()
}

#[tokio::test]
async fn every_failure_has_its_cause() {
    let a = Server::new("a").await;
    let gone = Backend::new("gone", nobody().await);
    let world = World::new(|r| {
        r.routes.push(route("f/served/web", "served.localhost", &[&a]));
        let mut refused = route("f/refused/web", "refused.localhost", &[]);
        refused.backends.push(gone.clone());
        let stopped = route("f/stopped/web", "stopped.localhost", &[]);
        let mut slow = route("f/slow/web", "slow.localhost", &[&a]);
        slow.timeout_ms = 50;
        r.routes.extend([refused, stopped, slow]);
        let mut tcp = tcp_route("f/refused/tcp", 21, &[]);
        tcp.backends.push(gone);
        r.tcp.push(tcp);
    })
    .await;
    let before = stats(&world).await;
    assert!(before.since_ms > 0 && before.crashes == 0, "{before:?}");
    for (host, path, status) in [
        ("served", "/name", 200),
        ("served", "/error", 500),
        ("served", "/drop", 502),
        ("refused", "/name", 502),
        ("stopped", "/name", 503),
        ("slow", "/hold", 504),
    ] {
        let mut wire = world.dial().await;
        let method = if path == "/drop" { "POST" } else { "GET" };
        wire.say(&format!("{method} {path} HTTP/1.1\r\nHost: {host}.localhost\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(wire.reply().await.status, status, "{host}{path}");
    }
    assert!(Wire::is_reset(world.bound(world.routes.tcp[0].listen).await).await);
    // What its client left is nobody's failure.
    let mut left = world.dial().await;
    left.say("GET /hold HTTP/1.1\r\nHost: served.localhost\r\n\r\n").await;
    a.has(5).await;
    drop(left);
    until("nothing is under way", || async { of(&world, "f/served/web").await.in_flight == 0 }).await;
    let span = stats(&world).await.since(&before).expect("the same edge");
    let seen = |id: &str| {
        let c = &span.routes[id];
        [c.requests, c.failed, c.refused, c.broken, c.late, c.unserved, c.cut, c.lost, c.backend_errors]
    };
    assert_eq!(seen("f/served/web"), [4, 1, 0, 1, 0, 0, 0, 0, 1]);
    assert_eq!(seen("f/refused/web"), [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(seen("f/stopped/web"), [1, 1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(seen("f/slow/web"), [1, 1, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(seen("f/refused/tcp"), [1, 1, 1, 0, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn numbers_outlive_workers() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let before = stats(&world).await;
    for _ in 0..3 {
        world.get("a.localhost", "/name").await;
    }
    let mut held = world.dial().await;
    held.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(4).await;
    world.client.upgrade().await.expect("upgraded");
    world.get("a.localhost", "/name").await;
    let now = of(&world, "f/a/web").await;
    assert_eq!((now.requests, now.failed, now.in_flight), (5, 0, 1), "{now:?}");
    a.release();
    assert_eq!(held.reply().await.body, "a");
    until("the old one has ended", || async { world.log().contains("retired") }).await;
    until("it is told", || async { of(&world, "f/a/web").await.in_flight == 0 }).await;

    // One that is killed loses what it had under way, and that is told as a failure.
    let mut broken = world.dial().await;
    broken.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(6).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let worker = world.status().await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(worker.pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    until("the next one answers", || async { world.status().await.worker > worker.worker }).await;
    world.get("a.localhost", "/name").await;
    let span = stats(&world).await.since(&before).expect("the same edge");
    let carried = &span.routes["f/a/web"];
    assert_eq!((carried.requests, carried.failed, carried.lost, span.crashes), (7, 1, 1, 1), "{carried:?}");
    // A route that leaves is still counted, and goes on when it comes back.
    let mut kept = Vec::new();
    world.change(|r| kept = std::mem::take(&mut r.routes)).await;
    assert_eq!(of(&world, "f/a/web").await.requests, 7);
    world.change(|r| r.routes = kept).await;
    world.get("a.localhost", "/name").await;
    assert_eq!(of(&world, "f/a/web").await.requests, 8);
}

#[tokio::test]
async fn another_edge_counts_from_nothing_and_says_so() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    world.get("a.localhost", "/name").await;
    let before = stats(&world).await;
    world.client.stop(PATIENCE).await.expect("stopped");
    world.holder.wait().expect("ended");
    world.holder = world.start_again();
    world.is_up().await;
    assert_eq!(stats(&world).await.since(&before), None);
}

#[tokio::test]
async fn who_waits_is_not_overtaken_by_the_deadline_of_leaving() {
    let (old, new) = (Server::new("old").await, Server::new("new").await);
    let mut world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&old]));
        r.drain_ms = 200;
    })
    .await;
    let mut held = world.dial().await;
    held.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    old.has(1).await;
    world.change(|r| r.routes[0].backends = vec![new.backend()]).await;
    let left = world.client.wait_drained("old", Duration::from_millis(600)).await.expect("answers");
    assert_eq!(left.in_flight, 1, "three times the deadline of leaving");
    old.release();
    assert_eq!(held.reply().await.body, "old");

    // What is left when nobody waits any longer is cut by command; the backend may serve again at once.
    let mut cut = world.dial().await;
    cut.say("POST /hold HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n\r\n").await;
    new.has(1).await;
    assert!(world.client.cut("new").await.expect("cut").is_empty());
    assert_eq!(cut.reply().await.status, 502);
    let now = of(&world, "f/a/web").await;
    assert_eq!((now.failed, now.cut), (1, 1));
    assert_eq!(world.get("a.localhost", "/name").await.body, "new");
    assert!(world.client.cut("nobody").await.is_err());
}

/// A backend that reads a head, and closes without a word; then one that reads all.
#[tokio::test]
async fn what_a_backend_closed_on_goes_to_another_where_that_is_safe() {
    let good = Server::new("good").await;
    let closes = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = closes.local_addr().expect("an address");
    let closing = tokio::spawn(async move {
        while let Ok((mut stream, _)) = closes.accept().await {
            let mut head = vec![0; 4096];
            // Closed with or without a reset: both are met.
            let _some = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await;
        }
    });
    let world = World::new(|r| {
        let mut both = route("f/a/web", "a.localhost", &[]);
        both.backends = vec![Backend::new("closes", address), good.backend()];
        r.routes.push(both);
    })
    .await;
    for (what, request, served) in [
        ("GET", "GET /name HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", true),
        ("DELETE", "DELETE /name HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", true),
        ("PUT without a body", "PUT /name HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", true),
        ("POST without a body", "POST /name HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", false),
        (
            "POST with a body that was sent",
            "POST /upload HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
            false,
        ),
    ] {
        // Two in turn: one of them begins at the backend that closes.
        let mut statuses = Vec::new();
        for _ in 0..2 {
            let mut wire = world.dial().await;
            wire.say(request).await;
            statuses.push(wire.reply().await.status);
        }
        statuses.sort_unstable();
        assert_eq!(statuses, if served { [200, 200] } else { [200, 502] }, "{what}");
    }
    // A POST whose body had not begun: the backend saw a promise, nothing else.
    for _ in 0..2 {
        let mut wire = world.dial().await;
        wire.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.say("ab").await;
        assert_eq!(wire.reply().await.body, "2 bytes");
    }
    closing.abort();
}

/// Backends come and go fifty times under clients that keep their connections, send bodies, and hold streams; each old
/// one ends the moment it is drained, with whatever connections it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_updates_and_nobody_notices() {
    let mut current = Server::new("b0").await;
    let mut world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&current]));
        r.tcp.push(tcp_route("f/a/tcp", 22, &[&current]));
    })
    .await;
    let (http, tcp) = (world.http().await, world.bound(world.routes.tcp[0].listen).await);
    let before = stats(&world).await;
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            tokio::spawn(async move {
                let mut wire = Wire::to(http).await;
                while !stop.load(Ordering::Relaxed) {
                    let request = match n % 4 {
                        0 | 1 => "GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n".to_owned(),
                        2 => "POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
                        _ => "GET /name HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
                    };
                    if n % 4 == 3 {
                        wire = Wire::to(tcp).await;
                    }
                    wire.say(&request).await;
                    let reply = wire.reply().await;
                    assert_eq!(reply.status, 200, "client {n}: {reply:?}");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for n in 1..=50 {
        let next = Server::new(&format!("b{n}")).await;
        world
            .change(|r| {
                r.routes[0].backends = vec![next.backend()];
                r.tcp[0].backends = vec![next.backend()];
            })
            .await;
        let left = world.client.wait_drained(&current.name, PATIENCE).await.expect("answers");
        assert!(left.is_empty(), "{left:?}");
        current = next;
        let reached = served.load(Ordering::Relaxed) + 40;
        until("they go on", || async { served.load(Ordering::Relaxed) >= reached }).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        within("they end", client).await.expect("no failed request");
    }
    let span = stats(&world).await.since(&before).expect("the same edge");
    for (id, carried) in &span.routes {
        assert_eq!((carried.failed, carried.backend_errors), (0, 0), "{id}: {carried:?}");
    }
    let requests: u64 = span.routes.values().map(|c| c.requests).sum();
    assert_eq!(requests, served.load(Ordering::Relaxed));
}
