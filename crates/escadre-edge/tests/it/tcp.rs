//! Bytes both ways.

use std::collections::BTreeSet;

use escadre_model::routes::{Backend, ProxyProtocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{Server, Wire, World, nobody, tcp_route, within};

#[tokio::test]
async fn each_direction_ends_for_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let world = World::new(|r| {
        let mut route = tcp_route("f/a/db", 51, &[]);
        route.backends.push(Backend::new("db", address));
        r.tcp.push(route);
    })
    .await;
    let mut client = Wire::to(world.bound(world.routes.tcp[0].listen).await).await;
    let (mut backend, _) = within("accepted", listener.accept()).await.expect("accepted");
    client.say("question").await;
    client.stream.get_mut().shutdown().await.expect("half closed");
    // The backend sees the end of the question, and answers long after it.
    let mut question = String::new();
    within("the end of the question", backend.read_to_string(&mut question)).await.expect("read");
    assert_eq!(question, "question");
    assert_eq!(world.in_flight("db").await, Some(1));
    let answer = "x".repeat(3_000_000);
    within("answered", backend.write_all(answer.as_bytes())).await.expect("written");
    drop(backend);
    assert_eq!(client.rest().await.expect("ended in order").len(), answer.len());
    crate::world::until("nothing is under way", || async { world.in_flight("db").await == Some(0) }).await;
    assert_eq!(world.status().await.routes[0].counters.failed, 0);
}

#[tokio::test]
async fn a_reset_is_passed_on_as_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let world = World::new(|r| {
        let mut route = tcp_route("f/a/db", 52, &[]);
        route.backends.push(Backend::new("db", address));
        r.tcp.push(route);
    })
    .await;
    let mut client = Wire::to(world.bound(world.routes.tcp[0].listen).await).await;
    let (backend, _) = within("accepted", listener.accept()).await.expect("accepted");
    backend.set_zero_linger().expect("set");
    drop(backend);
    assert!(client.rest().await.is_err());
}

#[tokio::test]
async fn a_backend_that_asked_for_it_hears_first_who_connects() {
    for (last, version) in [(55, ProxyProtocol::V1), (56, ProxyProtocol::V2)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let world = World::new(|r| {
            let mut route = tcp_route("f/a/db", last, &[]);
            route.backends.push(Backend::new("db", address));
            route.proxy_protocol = Some(version);
            r.tcp.push(route);
        })
        .await;
        let at = world.bound(world.routes.tcp[0].listen).await;
        let mut client = Wire::to(at).await;
        let (from, to) = (client.stream.get_ref().local_addr().expect("an address").port(), at.port());
        // Before the client has said anything: there are protocols in which the server speaks first.
        let (mut backend, _) = within("accepted", listener.accept()).await.expect("accepted");
        let expected = match version {
            ProxyProtocol::V1 => format!("PROXY TCP4 127.0.0.1 127.0.0.{last} {from} {to}\r\n").into_bytes(),
            ProxyProtocol::V2 => {
                let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
                [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0"[..], &[last], &ports].concat()
            }
        };
        let mut header = vec![0; expected.len()];
        within("the header", backend.read_exact(&mut header)).await.expect("read");
        assert_eq!(header, expected);
        client.say("question").await;
        let mut question = [0; 8];
        within("the question", backend.read_exact(&mut question)).await.expect("read");
        assert_eq!(&question, b"question");
        backend.write_all(b"answer").await.expect("written");
        drop(backend);
        assert_eq!(client.rest().await.expect("ended in order"), "answer");
    }
}

#[tokio::test]
async fn connections_are_spread_and_refusing_backends_passed_over() {
    let (one, two, dead) = (Server::new("one").await, Server::new("two").await, nobody().await);
    let mut world = World::new(|r| {
        let mut route = tcp_route("f/a/web", 53, &[&one, &two]);
        route.backends.push(Backend::new("dead", dead));
        r.tcp.push(route);
        r.tcp.push(tcp_route("f/b/web", 54, &[]));
    })
    .await;
    let address = world.bound(world.routes.tcp[0].listen).await;
    let mut seen = BTreeSet::new();
    for _ in 0..6 {
        let mut wire = Wire::to(address).await;
        wire.say("GET /name HTTP/1.1\r\n\r\n").await;
        seen.insert(wire.reply().await.body);
    }
    assert_eq!(seen.len(), 2);
    assert!(Wire::is_reset(world.bound(world.routes.tcp[1].listen).await).await, "nobody there");
    let failed: Vec<u64> = world.status().await.routes.iter().map(|r| r.counters.failed).collect();
    assert_eq!(failed, [0, 1]);
    // An open connection outlives its route; new ones are refused.
    let mut open = Wire::to(address).await;
    open.say("GET /name HTTP/1.1\r\n\r\n").await;
    open.reply().await;
    world.change(|r| r.tcp.clear()).await;
    open.say("GET /name HTTP/1.1\r\n\r\n").await;
    assert_eq!(open.reply().await.status, 200);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
