//! HTTP/2 towards clients: many requests on one connection, and what clients do to it who mean no good.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use escadre_model::routes::Tls;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::secure::client;
use crate::world::{PATIENCE, Server, World, route, until, within};

async fn world(servers: &[&Server]) -> World {
    World::new(|r| {
        r.https_listen.push("127.0.0.2:0".parse().expect("address"));
        let mut one = route("f/a/web", "a.localhost", servers);
        one.tls = Some(Tls::Usual);
        r.routes.push(one);
    })
    .await
}

async fn raw(world: &World) -> TlsStream<TcpStream> {
    let wire = world.secure("a.localhost", client(&world.root(), &["h2"])).await.expect("trusted");
    assert_eq!(wire.stream.get_ref().get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    wire.stream.into_inner()
}

type Sender<B> = SendRequest<B>;

async fn dial<B>(world: &World) -> Sender<B>
where
    B: hyper::body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = raw(world).await;
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = shaken.expect("HTTP/2");
    tokio::spawn(async move { drop(connection.await) });
    sender
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://a.localhost{path}")).body(Empty::new()).expect("a request")
}

async fn text(response: hyper::Response<hyper::body::Incoming>) -> String {
    let bytes = within("a body", response.into_body().collect()).await.expect("whole").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn many_requests_share_a_connection_and_backends_see_http_1() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let mut sender = dial(&world).await;
    // One waits; the others are not behind it.
    let held = sender.send_request(get("/hold"));
    a.has(1).await;
    let many: Vec<_> = (0..50).map(|_| sender.send_request(get("/name"))).collect();
    for response in many {
        let response = within("an answer", response).await.expect("answered");
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
        assert_eq!(text(response).await, "a");
    }
    a.release();
    assert_eq!(text(held.await.expect("answered")).await, "a");
    let mut request = get("/head?q");
    for cookie in ["a=1", "b=2"] {
        request.headers_mut().append("cookie", cookie.parse().expect("a value"));
    }
    let head = text(sender.send_request(request).await.expect("answered")).await;
    for part in ["GET /head?q HTTP/1.1\r\n", "host: a.localhost\r\n", "cookie: a=1; b=2\r\n", "proto=https"] {
        assert!(head.contains(part), "{part} in {head}");
    }
}

#[tokio::test]
async fn bodies_flow_both_ways_and_an_answer_that_breaks_off_is_a_broken_stream() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let mut sender = dial(&world).await;
    let body = Full::new(Bytes::from(vec![b'x'; 3_000_000]));
    let request = Request::post("https://a.localhost/upload").body(body).expect("a request");
    assert_eq!(text(within("an answer", sender.send_request(request)).await.expect("answered")).await, "3000000 bytes");
    let mut sender = dial(&world).await;
    let half = within("an answer", sender.send_request(get("/half"))).await.expect("begun");
    a.release();
    assert!(within("a body", half.into_body().collect()).await.is_err(), "it must not look complete");
    assert_eq!(text(sender.send_request(get("/name")).await.expect("the connection goes on")).await, "a");
}

#[tokio::test]
async fn another_host_on_the_same_connection_is_misdirected() {
    let a = Server::new("a").await;
    let mut world = world(&[&a]).await;
    world
        .change(|r| {
            let mut other = route("f/b/web", "b.localhost", &[&a]);
            other.tls = Some(Tls::Usual);
            r.routes.push(other);
        })
        .await;
    let mut sender = dial(&world).await;
    let asked = |uri: &str| Request::get(uri).body(Empty::<Bytes>::new()).expect("a request");
    for (uri, status) in
        [("https://b.localhost/name", 421), ("https://nobody.localhost/", 404), ("https://a.localhost:443/name", 200)]
    {
        let response = within("an answer", sender.send_request(asked(uri))).await.expect("answered");
        assert_eq!(response.status().as_u16(), status, "{uri}");
    }
    let mut contradiction = get("/name");
    contradiction.headers_mut().insert("host", "b.localhost".parse().expect("a value"));
    assert_eq!(sender.send_request(contradiction).await.expect("answered").status().as_u16(), 400);
    assert_eq!(*a.arrived.borrow(), 1);
}

#[tokio::test]
async fn a_new_worker_takes_over_and_no_request_is_lost() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let mut sender = dial(&world).await;
    let held = sender.send_request(get("/hold"));
    a.has(1).await;
    world.client.upgrade().await.expect("upgraded");
    // The old one says goodbye; what was under way is answered.
    let goodbye = async {
        // Until then requests are answered as ever.
        while let Ok(response) = sender.send_request(get("/name")).await {
            assert_eq!(text(response).await, "a");
        }
    };
    within("goodbye is said", goodbye).await;
    a.release();
    assert_eq!(text(held.await.expect("answered")).await, "a");
    let mut sender = dial(&world).await;
    assert_eq!(text(sender.send_request(get("/name")).await.expect("answered")).await, "a");
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).expect("short").to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// `GET https://a.localhost/hold`, in HPACK without a table.
fn head() -> Vec<u8> {
    let literal = |name: u8, value: &str| {
        let mut bytes = vec![name, u8::try_from(value.len()).expect("short")];
        bytes.extend(value.as_bytes());
        bytes
    };
    // :method GET, :scheme https, then :authority and :path by their numbers.
    [vec![0x82, 0x87], literal(0x01, "a.localhost"), literal(0x04, "/hold")].concat()
}

/// HTTP/2 can carry any byte in a value; HTTP/1.1 to the backend cannot, or one request would become two.
#[tokio::test]
async fn a_line_end_within_a_field_reaches_no_backend() {
    let a = Server::new("a").await;
    let world = world(&[&a]).await;
    let literal = |name: &[u8], value: &[u8]| {
        let short = |text: &[u8]| u8::try_from(text.len()).expect("short");
        [&[0x00, short(name)][..], name, &[short(value)], value].concat()
    };
    let smuggled = &b"x\r\nGET /smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n"[..];
    for field in [
        literal(b"x-a", smuggled),
        literal(b"cookie", b"a=1\nb: c"),
        literal(b"x-a", b"a\0b"),
        literal(b"x-a: b\r\nx-c", b"d"),
        literal(b"transfer-encoding", b"chunked"),
        literal(b"connection", b"close"),
        literal(b"X-Upper", b"a"),
        // The path and the method again, now with more in them.
        [&[0x04, 52][..], b"/\r\nx: y HTTP/1.1\r\n\r\nGET /smuggled HTTP/1.1\r\nX: y"].concat(),
    ] {
        let mut stream = raw(&world).await;
        let request = [head(), field.clone()].concat();
        let bytes = [PREFACE, &frame(4, 0, 0, &[]), &frame(1, 0x5, 1, &request)].concat();
        stream.write_all(&bytes).await.expect("written");
        // A reset of the stream (3), a goodbye (7), the end, or an answer 400 (1).
        let kind = loop {
            let mut head = [0; 9];
            if within("a frame", stream.read_exact(&mut head)).await.is_err() {
                break 7;
            }
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            stream.read_exact(&mut payload).await.expect("a whole frame");
            if matches!(head[3], 1 | 3 | 7) {
                break head[3];
            }
        };
        assert!(matches!(kind, 1 | 3 | 7), "{}", String::from_utf8_lossy(&field));
    }
    assert_eq!(*a.arrived.borrow(), 0, "the backend saw none of it");
}

/// What a client does until it is cut off; gives whether it was, and how much the worker grew meanwhile.
async fn attack(world: &World, rounds: u32, bytes: impl Fn(u32) -> Vec<u8>) -> (bool, u64) {
    let pid = world.status().await.pid;
    let before = memory(pid);
    let mut stream = raw(world).await;
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.expect("written");
    let (mut read, mut write) = tokio::io::split(stream);
    let reading = tokio::spawn(async move {
        let mut sink = vec![0; 65_536];
        while matches!(read.read(&mut sink).await, Ok(n) if n > 0) {}
    });
    let writing = async {
        for round in 0..rounds {
            if write.write_all(&bytes(round)).await.is_err() {
                return true;
            }
        }
        false
    };
    let cut = tokio::time::timeout(PATIENCE, writing).await.unwrap_or(false);
    let grown = memory(pid).saturating_sub(before);
    reading.abort();
    (cut, grown)
}

/// Resident memory in kilobytes.
pub(crate) fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_are_cut_off_and_nobody_else_notices() {
    let a = Server::new("a").await;
    let world = Arc::new(world(&[&a]).await);
    let worker = world.status().await.worker;
    let calm = Arc::new(std::sync::atomic::AtomicBool::new(true));
    // Somebody else's requests meanwhile.
    let other = tokio::spawn({
        let (world, calm) = (Arc::clone(&world), Arc::clone(&calm));
        async move {
            let mut worst = Duration::ZERO;
            while calm.load(std::sync::atomic::Ordering::Relaxed) {
                let begin = std::time::Instant::now();
                assert_eq!(world.get("a.localhost", "/name").await.body, "a");
                worst = worst.max(begin.elapsed());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            worst
        }
    });
    let stream = |round: u32| round * 2 + 1;
    // Opened and reset at once, over and over (CVE-2023-44487).
    let (cut, grown) = attack(&world, 100_000, |round| {
        [frame(1, 0x5, stream(round), &head()), frame(3, 0, stream(round), &8_u32.to_be_bytes())].concat()
    })
    .await;
    assert!(cut && grown < 32_768, "rapid reset: cut {cut}, {grown} kB");
    // A head that never ends (CVE-2024-27316).
    let (cut, grown) = attack(&world, 100_000, |round| match round {
        0 => frame(1, 0, 1, &head()),
        _ => frame(9, 0, 1, &[&[0x00, 0x01, b'x', 0x7f, 0x81, 0x1f][..], &[b'y'; 272]].concat()),
    })
    .await;
    assert!(cut && grown < 32_768, "continuation: cut {cut}, {grown} kB");
    // Settings and pings without end are answered one by one, not kept.
    let (_, grown) = attack(&world, 2_000, |_| frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(20)).await;
    assert!(grown < 32_768, "settings: {grown} kB");
    let (_, grown) = attack(&world, 2_000, |_| frame(6, 0, 0, &[0; 8]).repeat(20)).await;
    assert!(grown < 32_768, "pings: {grown} kB");
    // Frames that mean nothing.
    let (cut, grown) = attack(&world, 100_000, |_| frame(0, 0, 0, &[0; 16_000])).await;
    assert!(cut && grown < 32_768, "data for nobody: cut {cut}, {grown} kB");
    calm.store(false, std::sync::atomic::Ordering::Relaxed);
    let worst = other.await.expect("nobody noticed");
    assert!(worst < PATIENCE, "{worst:?}");
    assert_eq!(world.status().await.worker, worker);
    until("all is let go", || async { world.in_flight("a").await == Some(0) }).await;
}
