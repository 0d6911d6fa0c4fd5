//! Which request goes where, and what the backend is told about it.

use std::collections::BTreeSet;

use escadre_model::routes::{Backend, BackendState};

use crate::world::{Server, World, nobody, route};

#[tokio::test]
async fn hosts_lead_to_their_backends() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.routes.push(route("f/b/web", "b.localhost", &[&b]));
    })
    .await;
    for (host, expected) in [
        ("a.localhost", "a"),
        ("A.LocalHost", "a"),
        ("a.localhost.", "a"),
        ("a.localhost:8080", "a"),
        ("b.localhost.:80", "b"),
    ] {
        let reply = world.get(host, "/name").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, expected), "{host}");
    }
    let unknown = world.get("secret.localhost", "/").await;
    assert_eq!(unknown.status, 404);
    assert!(!unknown.body.contains("a.localhost") && !unknown.body.contains("secret"), "{}", unknown.body);
    assert!(unknown.header("proxy-status").is_some_and(|s| s.starts_with("escadre;")));
    let status = world.status().await;
    assert_eq!(status.routes.iter().map(|r| r.counters.requests).collect::<Vec<_>>(), [4, 1]);
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    for _ in 0..20 {
        wire.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
        assert_eq!(wire.reply().await.body, "a");
    }
    wire.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(wire.reply().await.body, "5 bytes");
    wire.say("HEAD /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(wire.head().await.0, 200);
}

#[tokio::test]
async fn the_longest_path_wins_and_other_names_redirect() {
    let (web, api) = (Server::new("web").await, Server::new("api").await);
    let world = World::new(|r| {
        let mut whole = route("f/a/web", "a.localhost", &[&web]);
        whole.redirect_hosts.push("www.a.localhost".into());
        let mut part = route("f/a/api", "a.localhost", &[&api]);
        part.path = Some("/api".into());
        r.routes = vec![whole, part];
    })
    .await;
    for (path, expected) in [("/name", "web"), ("/api/name", "api"), ("/apix/name", "web"), ("/api", "api")] {
        assert_eq!(world.get("a.localhost", path).await.body, expected, "{path}");
    }
    let moved = world.get("www.a.localhost:8080", "/x?y=1").await;
    assert_eq!((moved.status, moved.header("location")), (308, Some("http://a.localhost:8080/x?y=1")));
}

#[tokio::test]
async fn backends_take_turns_and_a_refusing_one_is_passed_over() {
    let (one, two) = (Server::new("one").await, Server::new("two").await);
    let dead = nobody().await;
    let mut world = World::new(|r| {
        let mut all = route("f/a/web", "a.localhost", &[&one, &two]);
        all.backends.push(Backend::new("dead", dead));
        r.routes.push(all);
    })
    .await;
    let mut seen = BTreeSet::new();
    for _ in 0..9 {
        let reply = world.get("a.localhost", "/name").await;
        assert_eq!(reply.status, 200);
        seen.insert(reply.body);
    }
    assert_eq!(seen.len(), 2);
    assert_eq!(world.status().await.routes[0].counters.failed, 0);
    // Also with a body: nothing of it was sent.
    for _ in 0..4 {
        let mut wire = world.dial().await;
        wire.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3\r\n\r\nabc").await;
        assert_eq!(wire.reply().await.body, "3 bytes");
    }
    world.change(|r| r.routes[0].backends.iter_mut().take(1).for_each(|b| b.state = BackendState::Draining)).await;
    for _ in 0..4 {
        assert_eq!(world.get("a.localhost", "/name").await.body, "two");
    }
}

#[tokio::test]
async fn nobody_who_answers_is_502_and_nobody_at_all_503() {
    let (a, dead) = (Server::new("a").await, nobody().await);
    let world = World::new(|r| {
        let mut broken = route("f/a/web", "a.localhost", &[]);
        broken.backends.push(Backend::new("dead", dead));
        r.routes.push(broken);
        r.routes.push(route("f/b/web", "b.localhost", &[]));
        let mut slow = route("f/c/web", "c.localhost", &[&a]);
        slow.timeout_ms = 50;
        r.routes.push(slow);
    })
    .await;
    assert_eq!(world.get("a.localhost", "/").await.status, 502);
    let stopped = world.get("b.localhost", "/").await;
    assert_eq!((stopped.status, stopped.header("retry-after")), (503, Some("60")));
    assert_eq!(world.get("c.localhost", "/hold").await.status, 504);
    assert_eq!(world.get("c.localhost", "/drop").await.status, 502);
    assert_eq!(world.get("c.localhost", "/error").await.status, 500);
    let stats = world.client.stats().await.expect("stats");
    let counted: Vec<_> = stats.routes.iter().map(|r| (r.requests, r.failed, r.backend_errors, r.in_flight)).collect();
    assert_eq!(counted, [(1, 1, 0, 0), (1, 1, 0, 0), (3, 2, 1, 0)]);
}

#[tokio::test]
async fn the_backend_learns_who_asks_from_us_only() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    wire.say(
        "GET /head?q=1 HTTP/1.1\r\nHost: A.localhost:8080\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\n\
         Forwarded: for=6.6.6.6\r\nX_Forwarded_Proto: https\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n\
         Upgrade: h2c\r\nAccept: text/html\r\n\r\n",
    )
    .await;
    let head = wire.reply().await.body.to_ascii_lowercase();
    assert!(head.starts_with("get /head?q=1 http/1.1\r\n"), "{head}");
    for there in [
        "host: a.localhost:8080",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: a.localhost:8080",
        "x-forwarded-proto: http\r\n",
        "forwarded: for=127.0.0.1;host=\"a.localhost:8080\";proto=http",
        "accept: text/html",
    ] {
        assert!(head.contains(there), "{there} in {head}");
    }
    for gone in ["6.6.6.6", "evil", "x_forwarded", "x-hop", "upgrade:", "\r\nte:"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
}

#[tokio::test]
async fn both_address_families_are_served_where_they_are() {
    let a = Server::new("a").await;
    let world = World::new(|r| {
        r.http_listen.push("[::1]:0".parse().expect("address"));
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
    })
    .await;
    let status = world.status().await;
    let six = status.listeners.iter().find(|l| l.address.is_ipv6()).expect("reported");
    if let Some(bound) = six.bound {
        let mut wire = crate::world::Wire::to(bound).await;
        wire.say("GET /head HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
        assert!(wire.reply().await.body.contains("for=\"[::1]\""));
    } else {
        assert!(six.error.is_some(), "{six:?}");
    }
}
