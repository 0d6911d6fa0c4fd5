//! What clients send who mean no good: refused with 400 and a closed connection, or made harmless.

use crate::world::{Server, World, route};

/// The request, the status, and how many requests the backend may have seen.
#[tokio::test]
async fn broken_requests_are_refused_and_the_connection_closed() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let many_headers = format!("GET / HTTP/1.1\r\nHost: a.localhost\r\n{}\r\n", "X-A: 1\r\n".repeat(10_000));
    let over_by_one = format!("GET / HTTP/1.1\r\nHost: a.localhost\r\n{}\r\n", "X-A: 1\r\n".repeat(100));
    let endless_header = format!("GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A: {}\r\n\r\n", "a".repeat(1 << 20));
    let long_header = format!("GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A: {}\r\n\r\n", "a".repeat(17 * 1024));
    let table: &[(&str, &str, u16)] = &[
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
            400,
        ),
        ("a list of lengths", "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3, 5\r\n\r\nabcde", 400),
        ("a signed length", "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("a negative length", "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: -1\r\n\r\n", 400),
        ("unknown coding", "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (
            "chunked not last",
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("chunked in 1.0", "POST / HTTP/1.0\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("space before colon", "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length : 3\r\n\r\nabc", 400),
        ("folded header", "GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A: 1\r\n  2\r\n\r\n", 400),
        ("NUL", "GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A: a\0b\r\n\r\n", 400),
        ("bare CR", "GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A: a\rb\r\n\r\n", 400),
        ("absolute form", "GET http://a.localhost/ HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 400),
        ("another's absolute form", "GET http://b.localhost/ HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 400),
        ("CONNECT", "CONNECT a.localhost:22 HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 400),
        ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a.localhost\r\nHost: b.localhost\r\n\r\n", 400),
        ("user in host", "GET / HTTP/1.1\r\nHost: x@a.localhost\r\n\r\n", 400),
        ("a quote in host", "GET / HTTP/1.1\r\nHost: a.localhost\";for=192.0.2.1\r\n\r\n", 400),
        ("a list of hosts", "GET / HTTP/1.1\r\nHost: a.localhost, b.localhost\r\n\r\n", 400),
        ("a path in host", "GET / HTTP/1.1\r\nHost: a.localhost/x\r\n\r\n", 400),
        ("a space in a name", "GET / HTTP/1.1\r\nHost: a.localhost\r\nX A: 1\r\n\r\n", 400),
        ("a name of nothing", "GET / HTTP/1.1\r\nHost: a.localhost\r\n: 1\r\n\r\n", 400),
        ("no colon", "GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A\r\n\r\n", 400),
        ("a folded first header", "GET / HTTP/1.1\r\n Host: a.localhost\r\n\r\n", 400),
        ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a.localhost\r\n\r\n", 400),
        ("HTTP/0.9", "GET /\r\n\r\n", 400),
        ("a space in the path", "GET /a b HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 400),
        ("a tab in the first line", "GET\t/ HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 400),
        ("NUL in the path", "GET /\0 HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 400),
        (
            "a coding behind a control character",
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "two codings in two lines",
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("a length in hexadecimal", "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0x3\r\n\r\nabc", 400),
        ("an empty length", "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length:\r\n\r\nabc", 400),
        (
            "a length beyond all numbers",
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
            400,
        ),
        ("10,000 headers", &many_headers, 431),
        ("101 headers", &over_by_one, 431),
        ("a header of 17 kB", &long_header, 431),
        ("a header of 1 MB", &endless_header, 431),
    ];
    for (what, request, status) in table {
        let mut wire = world.dial().await;
        // The edge may answer and close before everything is written.
        let _early = tokio::io::AsyncWriteExt::write_all(wire.stream.get_mut(), request.as_bytes()).await;
        assert_eq!(wire.head().await.0, *status, "{what}");
        // Ended or reset, but ended.
        let _closed = wire.rest().await;
    }
    assert_eq!(*a.arrived.borrow(), 0, "the backend saw none of it");
}

/// Both framings at once: RFC 9112 (6.1) lets a server go by the chunks alone, if it closes afterwards and forwards one
/// framing only. What follows on the connection is never a request.
#[tokio::test]
async fn two_framings_become_one_and_nothing_is_smuggled() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a.localhost\r\n\r\n";
    for (round, framing) in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Transfer-Encoding: chunked\r\nContent-Length: 999\r\nContent-Length: 6",
    ]
    .iter()
    .enumerate()
    {
        let mut wire = world.dial().await;
        wire.say(&format!("POST /upload HTTP/1.1\r\nHost: a.localhost\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}")).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "0 bytes"), "{framing}");
        assert!(wire.is_closed().await, "{framing}");
        assert_eq!(*a.arrived.borrow(), round as u64 + 1, "{framing}");
    }
    let mut same = world.dial().await;
    same.say("POST /head HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n").await;
    let head = same.reply().await.body.to_ascii_lowercase();
    assert_eq!(head.matches("content-length").count(), 1, "{head}");
}

/// Chunks that are none: the head may be with the backend already, but nothing that follows is ever a request, and what
/// the client did wrong counts as no failure.
#[tokio::test]
async fn broken_chunks_end_the_connection_and_smuggle_nothing() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a.localhost\r\n\r\n";
    for (what, body) in [
        ("a size that is no number", "x\r\nabc\r\n0\r\n\r\n"),
        ("a signed size", "+3\r\nabc\r\n0\r\n\r\n"),
        ("a negative size", "-3\r\nabc\r\n0\r\n\r\n"),
        ("a size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
        ("a size beyond all numbers", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        ("no size", "\r\nabc\r\n0\r\n\r\n"),
        ("a size that ends with LF alone", "3\nabc\r\n0\r\n\r\n"),
        ("a size that ends with CR alone", "3\rabc\r\n0\r\n\r\n"),
        ("LF in an extension", "3;a=\nb\r\nabc\r\n0\r\n\r\n"),
        ("CR in an extension", "3;a=\rb\r\nabc\r\n0\r\n\r\n"),
        ("a chunk longer than it says", "3\r\nabcdef\r\n0\r\n\r\n"),
        ("a chunk that ends with LF alone", "3\r\nabc\n0\r\n\r\n"),
        ("a trailer that is none", "3\r\nabc\r\n0\r\nGET /trailer HTTP/1.1\r\n\r\n"),
    ] {
        let before = *a.arrived.borrow();
        let mut wire = world.dial().await;
        wire.say(&format!(
            "POST /upload HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}{hidden}"
        ))
        .await;
        let said = wire.rest().await.unwrap_or_default();
        assert!(said.starts_with("HTTP/1.1 400 "), "{what}: {said:?}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{what}: {said:?}");
        // Its own head at the most; this one is after whatever else would have come.
        assert_eq!(world.get("a.localhost", "/name").await.body, "a", "{what}");
        let seen = *a.arrived.borrow() - before;
        assert!(seen <= 2, "{what}: the backend saw {seen} requests");
    }
    let counters = world.status().await.routes[0].counters.clone();
    assert_eq!((counters.failed, counters.in_flight), (0, 0), "{counters:?}");
}

#[tokio::test]
async fn zeros_before_a_chunks_size_have_an_end_and_small_chunks_have_none() {
    let a = Server::new("a").await;
    // However patient it is.
    let world = World::with(&["patience_ms=600000"], |r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let head = "POST /upload HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut wire = world.dial().await;
    wire.say(head).await;
    let said = crate::siege::pour(&mut wire, &[b'0'; 1024]).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
    let counters = world.status().await.routes[0].counters.clone();
    assert_eq!((counters.requests, counters.failed), (1, 0), "{counters:?}");
    // Five bytes around each, and more of them in all than may come at once.
    let mut wire = world.dial().await;
    wire.say(head).await;
    wire.say(&"1\r\nx\r\n".repeat(100_000)).await;
    wire.say("0\r\n\r\n").await;
    assert_eq!(wire.reply().await.body, "100000 bytes");
}

#[tokio::test]
async fn an_answer_with_two_framings_is_passed_on_with_one() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let reply = world.get("a.localhost", "/both").await;
    assert_eq!((reply.header("content-length"), reply.body.as_str()), (None, "hello"));
}

#[tokio::test]
async fn what_is_within_the_limits_is_served() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    let headers = "X-A: 1\r\n".repeat(98);
    wire.say(&format!("GET /name HTTP/1.1\r\nHost: a.localhost\r\n{headers}X-B: {}\r\n\r\n", "b".repeat(12_000))).await;
    assert_eq!(wire.reply().await.status, 200);
}

#[tokio::test]
async fn a_client_has_its_share_of_connections() {
    let a = Server::new("a").await;
    let world = World::with(&["client_connections=3"], |r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.tcp.push(crate::world::tcp_route("f/a/tcp", 92, &[&a]));
    })
    .await;
    let (http, tcp) = (world.http().await, world.bound(world.routes.tcp[0].listen).await);
    let mut open = Vec::new();
    for n in 0..3 {
        // Both kinds count together.
        let mut wire = crate::world::Wire::to(if n == 0 { tcp } else { http }).await;
        wire.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
        a.has(n + 1).await;
        open.push(wire);
    }
    for at in [http, tcp] {
        let mut fourth = crate::world::Wire::to(at).await;
        assert!(fourth.is_closed().await);
    }
    // Somebody else is served.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.77:0".parse().expect("an address")).expect("bound");
    let mut other =
        crate::world::Wire { stream: tokio::io::BufReader::new(socket.connect(http).await.expect("there")) };
    other.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(other.reply().await.body, "a");
    assert_eq!(world.log().matches("127.0.0.1 has 3 connections").count(), 1, "said once: {}", world.log());
    // Whoever closes one may open one.
    a.release();
    assert_eq!(open[1].reply().await.body, "a");
    crate::world::until("there is room", || async { world.status().await.connections < 3 }).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
}

#[tokio::test]
async fn a_proxy_that_is_believed_is_not_counted_and_the_file_may_say_another_number() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| {
        r.client_connections = Some(1);
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
    })
    .await;
    let mut one = world.dial().await;
    one.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(one.reply().await.body, "a");
    let mut two = world.dial().await;
    assert!(two.is_closed().await);
    world.change(|r| r.trusted_proxies.push("127.0.0.0/8".parse().expect("a network"))).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
}

#[tokio::test]
async fn an_answer_with_a_head_without_end_is_a_failure_of_the_backend() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    assert_eq!(world.get("a.localhost", "/long").await.status, 502);
    assert_eq!(world.status().await.routes[0].counters.broken, 1);
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_their_turn() {
    let a = Server::new("a").await;
    let world = World::with(&["connections=3"], |r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let (mut one, mut two) = (world.dial().await, world.dial().await);
    for (n, wire) in [&mut one, &mut two].into_iter().enumerate() {
        wire.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
        a.has(n as u64 + 1).await;
    }
    let mut third = world.dial().await;
    third.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
    a.has(3).await;
    let mut fourth = world.dial().await;
    fourth.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!((world.status().await.connections, *a.arrived.borrow()), (3, 3));
    a.release();
    for wire in [&mut one, &mut two, &mut third, &mut fourth] {
        assert_eq!(wire.reply().await.body, "a");
    }
}

/// Requests with bytes changed, cut and doubled by a fixed generator: the worker that began is the worker that ends.
#[tokio::test]
async fn no_bytes_end_the_worker() {
    let a = Server::new("a").await;
    let world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.tcp.push(crate::world::tcp_route("f/a/tcp", 91, &[&a]));
    })
    .await;
    let before = world.status().await.worker;
    let http = world.http().await;
    let seed = "POST /upload?q=1 HTTP/1.1\r\nHost: a.localhost:80\r\nConnection: upgrade, x\r\nUpgrade: websocket\r\n\
                Transfer-Encoding: chunked\r\nContent-Length: 3\r\nX-Forwarded-For: 1\r\nTE: trailers\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("small")
    };
    for _ in 0..400 {
        let mut bytes = seed.as_bytes().to_vec();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = u8::try_from(next(256)).expect("a byte"),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, *b"\r\n :\0,/@[".get(next(9)).expect("one of them")),
                _ => bytes.extend_from_within(..at),
            }
        }
        let mut wire = crate::world::Wire::to(http).await;
        // Refused in the middle, or waiting for more: either way we leave.
        let _early = tokio::io::AsyncWriteExt::write_all(wire.stream.get_mut(), &bytes).await;
    }
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    assert_eq!(world.status().await.worker, before);
    assert!(!world.log().contains("panicked"), "{}", world.log());
    crate::world::until("nothing is left under way", || async { world.in_flight("a").await == Some(0) }).await;
}
