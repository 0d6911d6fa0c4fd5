//! The log of requests, and whom a request is said to come from.

use escadre_model::routes::{Routes, Tls};
use serde_json::Value;

use crate::secure::client;
use crate::world::{Server, World, nobody, route, tcp_route, until};

/// A log of a megabyte, and this much else.
async fn world(fill: impl FnOnce(&mut Routes)) -> World {
    World::new(|r| {
        r.access_log_bytes = Some(1 << 20);
        r.https_listen.push("127.0.0.2:0".parse().expect("address"));
        fill(r);
    })
    .await
}

fn read(world: &World) -> Vec<Value> {
    let part = |name: &str| std::fs::read_to_string(world.dir.path().join(name)).unwrap_or_default();
    let text = part("access.log.1") + &part("access.log");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

async fn lines(world: &World, many: usize) -> Vec<Value> {
    until("the lines are written", || async { read(world).len() >= many }).await;
    let lines = read(world);
    assert_eq!(lines.len(), many, "{lines:#?}");
    lines
}

fn text<'v>(line: &'v Value, key: &str) -> &'v str {
    line[key].as_str().unwrap_or_default()
}

#[tokio::test]
async fn every_request_is_one_line_and_says_what_became_of_it() {
    let a = Server::new("a").await;
    let gone = escadre_model::routes::Backend::new("gone", nobody().await);
    let world = world(|r| {
        let mut one = route("f/a/web", "a.localhost", &[&a]);
        one.tls = Some(Tls::Usual);
        let mut refused = route("f/b/web", "b.localhost", &[]);
        refused.backends.push(gone);
        r.routes.extend([one, refused]);
        r.tcp.push(tcp_route("f/a/tcp", 93, &[&a]));
    })
    .await;
    world.get("a.localhost", "/name?token=secret").await;
    world.get("b.localhost", "/x").await;
    world.get("nobody.localhost", "/").await;
    world.get_secure("a.localhost", "/error").await;
    let mut tcp = crate::world::Wire::to(world.bound(world.routes.tcp[0].listen).await).await;
    tcp.say("GET /name HTTP/1.1\r\n\r\n").await;
    assert_eq!(tcp.reply().await.body, "a");
    drop(tcp);
    let lines = lines(&world, 5).await;
    let seen: Vec<String> = lines
        .iter()
        .map(|line| {
            let number = |key: &str| line[key].as_u64().map_or_else(|| "-".to_owned(), |n| n.to_string());
            let word = |key| text(line, key).to_owned();
            [
                word("scheme"),
                word("method"),
                word("host"),
                word("path"),
                word("version"),
                word("route"),
                word("backend"),
                number("status"),
                number("received"),
                number("sent"),
                word("failed"),
            ]
            .join(" ")
        })
        .collect();
    assert_eq!(
        seen,
        [
            "http GET a.localhost /name 1.1 f/a/web a 200 - 1 ",
            "http GET b.localhost /x 1.1 f/b/web  502 - 36 refused",
            "http GET nobody.localhost / 1.1   404 - 28 ",
            "https GET a.localhost /error 1.1 f/a/web a 500 - 0 ",
            "tcp     f/a/tcp a - 22 39 ",
        ]
    );
    for line in &lines {
        assert_eq!(text(line, "client"), "127.0.0.1");
        assert!(text(line, "at").ends_with('Z') && line["ms"].is_u64() && line["left"].is_null(), "{line}");
    }
    assert!(!format!("{lines:?}").contains("secret"), "queries are not written");
}

#[tokio::test]
async fn what_clients_say_cannot_forge_a_line() {
    let a = Server::new("a").await;
    let world = world(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    // Whatever HTTP lets through in a method, a path, a host.
    for (method, path, host) in [
        ("GET", "/%0d%0a{\"forged\":1}", "a.localhost"),
        ("GET", "/\"},{\"forged\":\"1", "a.localhost"),
        ("X\"}", "/name", "a.localhost"),
        ("GET", "/name", "a.localhost\",\"forged\":\"1"),
    ] {
        let mut wire = world.dial().await;
        wire.say(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        let _answered = wire.rest().await;
    }
    world.get("a.localhost", "/last").await;
    until("the last one is written", || async { read(&world).iter().any(|line| text(line, "path") == "/last") }).await;
    assert!(read(&world).iter().all(|line| line["forged"].is_null()), "{:#?}", read(&world));
}

#[tokio::test]
async fn it_is_off_unless_asked_for_bounded_and_outlives_workers() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    world.get("a.localhost", "/name").await;
    world.change(|r| r.access_log_bytes = Some(8_000)).await;
    for _ in 0..100 {
        world.get("a.localhost", "/name").await;
    }
    // What is still to be written when the next worker begins would move its lines out of so small a log.
    world.get("a.localhost", "/before").await;
    until("all is written", || async { read(&world).iter().any(|line| text(line, "path") == "/before") }).await;
    // A request that ends in a worker which retires is written by it.
    let mut held = world.dial().await;
    held.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(103).await;
    world.client.upgrade().await.expect("upgraded");
    world.get("a.localhost", "/after").await;
    a.release();
    assert_eq!(held.reply().await.status, 200);
    until("both are written", || async {
        let lines = read(&world);
        ["/hold", "/after"].iter().all(|path| lines.iter().any(|line| text(line, "path") == *path))
    })
    .await;
    let size = |name: &str| std::fs::metadata(world.dir.path().join(name)).map_or(0, |m| m.len());
    assert!(size("access.log") <= 4_000 && (1..=4_000).contains(&size("access.log.1")));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(world.dir.path().join("access.log")).expect("there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    world.change(|r| r.access_log_bytes = None).await;
    world.get("a.localhost", "/unwritten").await;
    world.client.upgrade().await.expect("upgraded");
    assert!(read(&world).iter().all(|line| text(line, "path") != "/unwritten"));
}

#[tokio::test]
async fn a_client_that_leaves_is_told_apart() {
    let a = Server::new("a").await;
    let world = world(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut before = world.dial().await;
    before.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(1).await;
    drop(before);
    let mut within = world.dial().await;
    within.say("GET /events HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(within.head().await.0, 200);
    drop(within);
    a.release();
    let mut lines = lines(&world, 2).await;
    lines.sort_by(|a, b| text(a, "path").cmp(text(b, "path")));
    let seen: Vec<_> = lines.iter().map(|line| (text(line, "path"), line["status"].as_u64(), &line["left"])).collect();
    assert_eq!(seen, [("/events", Some(200), &Value::Bool(true)), ("/hold", None, &Value::Bool(true))]);
}

#[tokio::test]
async fn only_a_proxy_that_is_believed_speaks_for_others() {
    let a = Server::new("a").await;
    let mut world = world(|r| {
        let mut one = route("f/a/web", "a.localhost", &[&a]);
        one.tls = Some(Tls::Local);
        one.plain = Some(escadre_model::routes::Plain::Redirect);
        r.routes.push(one);
    })
    .await;
    let ask = "GET /head HTTP/1.1\r\nHost: a.localhost\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\
               Forwarded: for=6.6.6.6\r\nConnection: close\r\n\r\n";
    // A stranger says so: it came without TLS, and is sent there.
    let mut wire = world.dial().await;
    wire.say(ask).await;
    assert_eq!(wire.reply().await.status, 308);
    let mut wire = world.secure("a.localhost", client(&world.root(), &["http/1.1"])).await.expect("trusted");
    wire.say(ask).await;
    let head = wire.reply().await.body;
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n") && !head.contains("203.0.113.9"), "{head}");
    world.change(|r| r.trusted_proxies.push("127.0.0.1/32".parse().expect("a network"))).await;
    // A proxy that took TLS off: no redirect, which would never end.
    let mut wire = world.dial().await;
    wire.say(ask).await;
    let head = wire.reply().await.body;
    for part in ["x-forwarded-for: 203.0.113.9, 127.0.0.1\r\n", "x-forwarded-proto: https\r\n", "for=203.0.113.9"] {
        assert!(head.contains(part), "{part} in {head}");
    }
    assert!(!head.contains("6.6.6.6"), "{head}");
    let lines = lines(&world, 3).await;
    let seen: Vec<_> = lines.iter().map(|line| (text(line, "client"), text(line, "scheme"))).collect();
    assert_eq!(seen, [("127.0.0.1", "http"), ("127.0.0.1", "https"), ("203.0.113.9", "https")]);
}
