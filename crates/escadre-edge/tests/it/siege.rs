//! Clients that do one bad thing over and over, at a route or port of their own, while somebody else's requests go on:
//! each of theirs is refused or ended, none of the others' fails.

use std::future::Future;
use std::sync::Arc;

use escadre_model::routes::Tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Server, Wire, World, route, until, within};

/// Who attacks at once, and how often each.
const ATTACKERS: usize = 8;
const ROUNDS: usize = 12;
/// More than an endless sender is let send before it is ended (bytes).
const ENDLESS: usize = 64 << 20;
/// More than refusing takes (kilobytes).
const GROWTH: u64 = 48 * 1024;

/// Route `a`, which is attacked, and route `b`, which is not; both with TLS and without.
async fn world(servers: [&Server; 2], limits: &[&str]) -> World {
    World::with(limits, |r| {
        r.https_listen.push("127.0.0.2:0".parse().expect("address"));
        let [a, b] = servers;
        for (id, host, server) in [("f/a/web", "a.localhost", a), ("f/b/web", "b.localhost", b)] {
            let mut one = route(id, host, &[server]);
            one.tls = Some(Tls::Usual);
            r.routes.push(one);
        }
        r.routes[0].body_limit_bytes = Some(1 << 20);
    })
    .await
}

/// Has every attacker do its rounds, and meanwhile asks for `b`; gives how often it was asked.
async fn besiege<F>(world: &World, attack: impl Fn(usize) -> F) -> u64
where
    F: Future<Output = ()> + Send + 'static,
{
    let before = world.status().await;
    let memory = crate::two::memory(before.pid);
    let mut attackers = tokio::task::JoinSet::new();
    for number in 0..ATTACKERS {
        attackers.spawn(attack(number));
    }
    let mut asked = 0;
    loop {
        assert_eq!(world.get("b.localhost", "/name").await.body, "b");
        assert_eq!(world.get_secure("b.localhost", "/name").await.body, "b");
        asked += 2;
        match attackers.try_join_next() {
            Some(ended) => ended.expect("the attacker was ended as it had to be"),
            None if attackers.is_empty() => break,
            None => {}
        }
    }
    let after = world.status().await;
    assert_eq!(after.worker, before.worker, "the worker that began is the worker that ends");
    let grown = crate::two::memory(after.pid).saturating_sub(memory);
    assert!(grown < GROWTH, "it grew by {grown} kB");
    let b = after.routes.iter().find(|route| route.counters.id == "f/b/web").expect("the route");
    assert_eq!(b.counters.failed, 0);
    assert!(!world.log().contains("panicked"), "{}", world.log());
    until("all is let go", || async { world.status().await.connections == 0 }).await;
    asked
}

/// Sends a piece again and again until the edge has had enough; gives what it said.
pub(crate) async fn pour(wire: &mut Wire, piece: &[u8]) -> String {
    let (mut read, mut write) = wire.stream.get_mut().split();
    let pouring = async {
        let mut sent = 0;
        while write.write_all(piece).await.is_ok() {
            sent += piece.len();
            assert!(sent < ENDLESS, "nobody ended it");
        }
    };
    let mut said = Vec::new();
    let listening = async {
        let mut buffer = [0; 4096];
        // An answer, then the end, or a reset.
        while let Ok(count) = read.read(&mut buffer).await
            && count > 0
        {
            said.extend_from_slice(&buffer[..count]);
        }
    };
    // What was said may be lost where a reset overtakes it.
    let _both = within(&format!("an end of {}", String::from_utf8_lossy(piece.get(..16).unwrap_or(piece))), async {
        tokio::join!(pouring, listening)
    })
    .await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Bytes by chance, always the same ones.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ ((seed as u64 + 1) << 20);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_where_tls_is_spoken() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let world = world([&a, &b], &["header_timeout_ms=500"]).await;
    let https = world.https().await;
    let asked = besiege(&world, move |number| async move {
        for round in 0..ROUNDS {
            let mut bytes = noise(number * ROUNDS + round, 3_000);
            // All kinds: nothing of TLS, a record of a handshake full of noise, one cut short, one of another kind, a long one.
            match round % 5 {
                0 => {}
                1 => bytes.splice(..5, [0x16, 3, 1, 0x0b, 0x00]).for_each(drop),
                2 => bytes = vec![0x16, 3, 1, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 3, 3],
                3 => bytes.splice(..5, [0x17, 3, 3, 0x0b, 0x00]).for_each(drop),
                _ => bytes.splice(..5, [0x16, 3, 1, 0xff, 0xff]).for_each(drop),
            }
            let mut stream = within("connect", TcpStream::connect(https)).await.expect("connected");
            let _refused_early = stream.write_all(&bytes).await;
            let mut answer = Vec::new();
            // An alert, a page of 400 for what looks like no TLS, an end or a reset; but an end.
            let _reset = within("it is ended", stream.read_to_end(&mut answer)).await;
            assert!(answer.len() < 1024, "{}", String::from_utf8_lossy(&answer));
        }
    })
    .await;
    assert!(asked > 0);
    assert_eq!(*a.arrived.borrow(), 0, "no backend saw any of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_without_end() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let world = world([&a, &b], &["patience_ms=500"]).await;
    let http = world.http().await;
    let chunk = Arc::new([b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat());
    besiege(&world, move |number| {
        let chunk = Arc::clone(&chunk);
        async move {
            for round in 0..ROUNDS {
                let mut wire = Wire::to(http).await;
                let (framing, piece): (&str, &[u8]) = match (number + round) % 5 {
                    // Over the route's limit: in chunks, and with a length that says so.
                    0 => ("Transfer-Encoding: chunked\r\n\r\n", &chunk),
                    1 => ("Content-Length: 99999999999\r\n\r\n", &chunk),
                    // What is no body at all: an extension of a chunk, trailers, zeros before a chunk's size.
                    2 => ("Transfer-Encoding: chunked\r\n\r\n1;", b"extension=without-an-end;"),
                    3 => ("Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: another one\r\n"),
                    _ => ("Transfer-Encoding: chunked\r\n\r\n", b"0000000000"),
                };
                wire.say(&format!("POST /upload HTTP/1.1\r\nHost: a.localhost\r\n{framing}")).await;
                let said = pour(&mut wire, piece).await;
                let refused = ["HTTP/1.1 413", "HTTP/1.1 400", "HTTP/1.1 408"].iter().any(|s| said.starts_with(s));
                assert!(refused || said.is_empty(), "{framing:?}: {said}");
            }
        }
    })
    .await;
    let status = world.status().await;
    let a = status.routes.iter().find(|route| route.counters.id == "f/a/web").expect("the route");
    assert_eq!(
        (a.counters.failed, a.counters.in_flight),
        (0, 0),
        "what a client does wrong is no failure of the route"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_end() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let world = world([&a, &b], &[]).await;
    let http = world.http().await;
    besiege(&world, move |number| async move {
        for round in 0..ROUNDS {
            let mut wire = Wire::to(http).await;
            let (begin, piece): (&str, &[u8]) = match (number + round) % 4 {
                0 => ("GET /", b"aaaaaaaaaaaaaaaa"),
                1 => ("GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A: ", b"aaaaaaaaaaaaaaaa"),
                2 => ("GET / HTTP/1.1\r\nHost: a.localhost\r\n", b"X-A: another one\r\n"),
                _ => ("", b"\r\n"),
            };
            wire.say(begin).await;
            let said = pour(&mut wire, piece).await;
            let refused = ["HTTP/1.1 431", "HTTP/1.1 414", "HTTP/1.1 400"].iter().any(|s| said.starts_with(s));
            assert!(refused || said.is_empty(), "{begin:?}: {said}");
        }
    })
    .await;
    assert_eq!(*a.arrived.borrow(), 0, "no backend saw any of it");
}
