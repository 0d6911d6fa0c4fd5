//! Clients that keep the edge waiting, and backends that do: an end for the ones who wait for nothing, and nobody else
//! notices.

use std::time::{Duration, Instant};

use bytes::Bytes;
use escadre_model::routes::Tls;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::secure::client;
use crate::world::{BIG, Server, Wire, World, route, until, within};

/// Patience in these tests; what is to outlive it waits three times as long.
const SHORT: Duration = Duration::from_millis(400);

async fn world(servers: &[&Server]) -> World {
    let limits = ["header_timeout_ms=400", "idle_timeout_ms=800", "patience_ms=400"];
    World::with(&limits, |r| {
        r.https_listen.push("127.0.0.2:0".parse().expect("address"));
        let mut one = route("f/a/web", "a.localhost", servers);
        one.tls = Some(Tls::Usual);
        r.routes.push(one);
    })
    .await
}

/// What must not happen before patience is at an end, and must happen then.
async fn ends(what: &str, begin: Instant, end: impl Future<Output = bool>) {
    assert!(within(what, end).await, "{what}");
    assert!(begin.elapsed() >= SHORT, "{what}: after {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let trickle = |mut wire: Wire| async move {
        let mut bytes = b"GET /name HTTP/1.1\r\nHost: a.localhost\r\n".iter().chain(b"X-A: b\r\n".iter().cycle());
        loop {
            let byte = *bytes.next().expect("without end");
            if wire.stream.get_mut().write_all(&[byte]).await.is_err() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let begin = Instant::now();
    ends("the first head", begin, trickle(world.dial().await)).await;
    // After a request that was in order.
    let mut wire = world.dial().await;
    wire.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(wire.reply().await.body, "a");
    ends("a later head", Instant::now(), trickle(wire)).await;
    // Nobody says anything, plain and where TLS is expected.
    for at in [world.http().await, world.https().await] {
        let begin = Instant::now();
        let mut wire = Wire::to(at).await;
        ends("no head at all", begin, async { wire.is_closed().await }).await;
    }
    assert_eq!(*a.arrived.borrow(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_let_go_and_a_long_answer_is_not() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let mut idle = world.dial().await;
    idle.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(idle.reply().await.status, 200);
    let begin = Instant::now();
    let mut patient = world.dial().await;
    patient.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(2).await;
    let mut events = world.dial().await;
    events.say("GET /events HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(events.head().await.0, 200);
    let mut socket = world.dial().await;
    socket.say("GET /ws HTTP/1.1\r\nHost: a.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(socket.head().await.0, 101);
    assert!(idle.is_closed().await);
    assert!(begin.elapsed() >= SHORT);
    tokio::time::sleep(3 * SHORT).await;
    // A backend that says nothing for long keeps whoever waits for it.
    a.release();
    assert_eq!(patient.reply().await.status, 200);
    assert!(events.chunk().await.is_some());
    socket.say("still here\n").await;
    assert_eq!(socket.line().await, "still here\n");
}

#[tokio::test]
async fn an_upload_that_trickles_is_given_up_and_one_that_moves_is_not() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let head = "POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1000000\r\n\r\n";
    let begin = Instant::now();
    let mut wire = world.dial().await;
    wire.say(head).await;
    let (mut read, mut write) = wire.stream.into_inner().into_split();
    let trickle = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut said = Vec::new();
    // The end may be a reset: it goes on sending.
    let _ended = within("the end", read.read_to_end(&mut said)).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(begin.elapsed() >= SHORT);
    within("it is closed", trickle).await.expect("no panic");
    // Ten times the rate for three times the patience.
    let mut wire = world.dial().await;
    wire.say("POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 12288\r\n\r\n").await;
    for _ in 0..12 {
        wire.say(&"x".repeat(1024)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(wire.reply().await.body, "12288 bytes");
    until("nothing is under way", || async { world.in_flight("a").await == Some(0) }).await;
    let counters = world.status().await.routes[0].counters.clone();
    assert_eq!((counters.requests, counters.failed), (2, 0), "a slow client is nobody's failure");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_left() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let mut wire = world.dial().await;
    wire.say("GET /big HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(1).await;
    let begin = Instant::now();
    until("it is left", || async { world.in_flight("a").await == Some(0) }).await;
    assert!(begin.elapsed() >= SHORT);
    // What was under way to it ends broken, not short.
    let mut bytes = Vec::new();
    let ended = within("the end", wire.stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_err() || bytes.len() < BIG);
    // Over TLS as well.
    let mut wire = world.secure("a.localhost", client(&world.root(), &["http/1.1"])).await.expect("trusted");
    wire.say("GET /big HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(2).await;
    until("it is left", || async { world.in_flight("a").await == Some(0) }).await;
    // Whoever reads slowly and steadily has all of it: some seconds, in pieces that are waited for.
    let mut wire = world.dial().await;
    wire.say("GET /big HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    let mut rest = BIG;
    assert_eq!(wire.head().await.0, 200);
    let mut piece = vec![0; 4 << 20];
    while rest > 0 {
        let want = piece.len().min(rest);
        within("a piece", wire.stream.read_exact(&mut piece[..want])).await.expect("it goes on");
        rest -= want;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.status().await.routes[0].counters.failed, 0);
}

/// With HTTP/2 a client says how much it takes of each answer: one that takes nothing of one has it ended, and the others
/// of the same connection go on.
#[tokio::test]
async fn a_window_that_stays_shut_ends_its_request_alone() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let stream =
        world.secure("a.localhost", client(&world.root(), &["h2"])).await.expect("trusted").stream.into_inner();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let shaken = builder.initial_stream_window_size(4096).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.expect("HTTP/2");
    tokio::spawn(async move { drop(connection.await) });
    let get = |path: &str| {
        http::Request::get(format!("https://a.localhost{path}")).body(Empty::<Bytes>::new()).expect("a request")
    };
    let events = within("a head", sender.send_request(get("/events"))).await.expect("answered");
    let stuck = within("a head", sender.send_request(get("/big"))).await.expect("answered");
    let begin = Instant::now();
    until("the stuck one is ended", || async { world.in_flight("a").await == Some(1) }).await;
    assert!(begin.elapsed() >= SHORT);
    let broken = within("the end", http_body_util::BodyExt::collect(stuck.into_body())).await;
    assert!(broken.is_err(), "it must not look complete");
    // The stream beside it waits for its backend, and is well.
    a.release();
    let mut events = events.into_body();
    let event = within("an event", http_body_util::BodyExt::frame(&mut events)).await;
    assert!(event.is_some_and(|frame| frame.is_ok()));
    let name = within("an answer", sender.send_request(get("/name"))).await.expect("the connection goes on");
    assert_eq!(name.status(), 200);
}

#[tokio::test]
async fn a_backend_that_stops_in_the_middle_keeps_its_own_client_only() {
    let (slow, quick) = (Server::new("slow").await, Server::new("quick").await);
    let world = World::new(|r| {
        let mut one = route("f/a/web", "a.localhost", &[&slow]);
        one.timeout_ms = 300;
        r.routes.push(one);
        r.routes.push(route("f/b/web", "b.localhost", &[&quick]));
    })
    .await;
    // Its first byte in time, then silence: it is a stream, and nobody's to end.
    let mut events = world.dial().await;
    events.say("GET /events HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(events.head().await.0, 200);
    let begin = Instant::now();
    assert_eq!(world.get("a.localhost", "/hold").await.status, 504);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    for _ in 0..50 {
        assert_eq!(world.get("b.localhost", "/name").await.body, "quick");
    }
    slow.release();
    assert!(events.chunk().await.is_some());
}

/// Hundreds of connections that trickle heads, trickle bodies, do not read or say nothing: somebody else's requests take
/// what they took before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_slow_clients_disturbs_nobody() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let world = World::with(&["client_connections=400"], |r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.routes.push(route("f/b/web", "b.localhost", &[&b]));
    })
    .await;
    let http = world.http().await;
    let worker = world.status().await.worker;
    let times = async |many: usize| {
        let mut times = Vec::new();
        for _ in 0..many {
            let begin = Instant::now();
            assert_eq!(world.get("b.localhost", "/name").await.body, "b");
            times.push(begin.elapsed());
        }
        times.sort();
        times[many * 9 / 10]
    };
    let before = times(50).await;
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..390 {
        let said: &[u8] = match n % 4 {
            0 => b"GET / HTTP/1.1\r\nHost: a.localhost\r\nX-A: ",
            1 => b"POST /upload HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 99999\r\n\r\n",
            2 => b"GET /big HTTP/1.1\r\nHost: a.localhost\r\n\r\n",
            _ => b"",
        };
        crowd.spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(http).await?;
            stream.write_all(said).await?;
            loop {
                tokio::time::sleep(Duration::from_millis(250)).await;
                if n % 4 < 2 {
                    stream.write_all(b"x").await?;
                }
            }
            #[expect(unreachable_code, reason = "it says what the block gives")]
            std::io::Result::Ok(())
        });
    }
    until("they are all there", || async { world.status().await.connections >= 390 }).await;
    let with_them = times(50).await;
    assert!(with_them < before * 20 + Duration::from_millis(100), "{before:?} before, {with_them:?} with them");
    crowd.abort_all();
    while crowd.join_next().await.is_some() {}
    until("they are all gone", || async { world.status().await.connections == 0 }).await;
    assert_eq!(world.status().await.worker, worker);
}
