//! TLS: whose certificate is shown to whom, where clients are redirected, and what comes that is no TLS.

use std::time::Duration;

use escadre_edge::control::{CertificateFrom, Code, ControlError, Listening};
use escadre_edge::files::{brought_path, forget_brought, keep_brought};
use escadre_model::routes::{Plain, Route, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::secure::{client, foreign};
use crate::world::{Server, World, route, until};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn secured(id: &str, host: &str, tls: Tls, backends: &[&Server]) -> Route {
    let mut route = route(id, host, backends);
    route.tls = Some(tls);
    route
}

async fn world(fill: impl FnOnce(&mut escadre_model::routes::Routes)) -> World {
    World::new(|r| {
        r.https_listen.push("127.0.0.2:0".parse().expect("address"));
        fill(r);
    })
    .await
}

#[tokio::test]
async fn a_private_name_is_served_with_the_local_authoritys_certificate() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let world = world(|r| {
        r.routes.push(secured("f/a/web", "a.localhost", Tls::Usual, &[&a]));
        r.routes.push(secured("f/b/web", "b.internal", Tls::Local, &[&b]));
    })
    .await;
    assert_eq!(world.get_secure("a.localhost", "/name").await.body, "a");
    assert_eq!(world.get_secure("b.internal", "/name").await.body, "b");
    let head = world.get_secure("a.localhost", "/head").await.body;
    for part in ["x-forwarded-proto: https", "proto=https", "x-forwarded-host: a.localhost"] {
        assert!(head.contains(part), "{part} in {head}");
    }
    // Served without as well: whoever does not know the authority is not sent into a warning.
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    // Who does not trust the root is not served, and the root is that of this folder.
    let stranger = foreign(&["x"], YEAR).0;
    assert!(world.secure("a.localhost", client(&stranger, &[])).await.is_err());
    // A worker that is replaced shows a certificate of the same root.
    let root = world.root();
    world.client.upgrade().await.expect("upgraded");
    assert_eq!((world.get_secure("a.localhost", "/name").await.body.as_str(), world.root()), ("a", root));
}

#[tokio::test]
async fn nobody_else_is_certified() {
    let a = Server::new("a").await;
    let mut world = world(|r| {
        r.routes.push(secured("f/a/web", "a.localhost", Tls::Usual, &[&a]));
        r.routes.push(route("f/off/web", "off.localhost", &[&a]));
        // A public one that nobody has asked for yet, and an address.
        r.routes.push(secured("f/p/web", "p.example.fr", Tls::Usual, &[&a]));
    })
    .await;
    let trusting = || client(&world.root(), &["http/1.1"]);
    for host in ["off.localhost", "unknown.localhost", "p.example.fr", "www.a.localhost"] {
        assert!(world.secure(host, trusting()).await.is_err(), "{host}");
    }
    // A client that names an address says no name.
    assert!(world.secure("127.0.0.1", trusting()).await.is_err());
    // Without a certificate that works nobody is redirected.
    assert_eq!(world.get("p.example.fr", "/name").await.body, "a");
    // A host that leaves the routes leaves the handshakes.
    assert_eq!(world.get_secure("a.localhost", "/name").await.body, "a");
    world.change(|r| r.routes.remove(0).backends.clear()).await;
    assert!(world.secure("a.localhost", client(&world.root(), &[])).await.is_err());
}

#[tokio::test]
async fn a_connection_speaks_for_the_host_of_its_certificate_only() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let (root, text) = foreign(&["one.example.fr", "two.example.fr"], YEAR);
    let mut world = world(|r| {
        r.routes.push(secured("f/a/web", "a.localhost", Tls::Usual, &[&a]));
        r.routes.push(secured("f/b/web", "b.localhost", Tls::Usual, &[&b]));
        r.routes.push(route("f/off/web", "off.localhost", &[&a]));
    })
    .await;
    let mut wire = world.secure("a.localhost", client(&world.root(), &["http/1.1"])).await.expect("trusted");
    for (host, status) in [("b.localhost", 421), ("off.localhost", 421), ("unknown.localhost", 404)] {
        let mut wire = world.secure("a.localhost", client(&world.root(), &["http/1.1"])).await.expect("trusted");
        wire.say(&format!("GET /name HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(wire.reply().await.status, status, "{host}");
    }
    wire.say("GET /name HTTP/1.1\r\nHost: A.LocalHost:443\r\n\r\n").await;
    assert_eq!(wire.reply().await.body, "a");
    assert_eq!((*b.arrived.borrow(), *a.arrived.borrow()), (0, 1));
    // Two names of one certificate may share a connection.
    keep_brought(world.dir.path(), "0123456789", text.as_bytes()).expect("kept");
    world
        .change(|r| {
            let file = || Tls::File { id: "0123456789".into() };
            r.routes.push(secured("f/1/web", "one.example.fr", file(), &[&a]));
            r.routes.push(secured("f/2/web", "two.example.fr", file(), &[&b]));
        })
        .await;
    let mut wire = world.secure("one.example.fr", client(&root, &["http/1.1"])).await.expect("trusted");
    wire.say("GET /name HTTP/1.1\r\nHost: two.example.fr\r\n\r\n").await;
    assert_eq!(wire.reply().await.body, "b");
}

#[tokio::test]
async fn http_is_redirected_where_a_certificate_works_and_nowhere_else() {
    let a = Server::new("a").await;
    let (_, good) = foreign(&["good.example.fr", "www.good.example.fr"], YEAR);
    let (_, short) = foreign(&["ended.example.fr"], Duration::from_millis(1));
    let mut world = world(|_| {}).await;
    keep_brought(world.dir.path(), "good000000", good.as_bytes()).expect("kept");
    keep_brought(world.dir.path(), "ended00000", short.as_bytes()).expect("kept");
    world
        .change(|r| {
            let file = |id: &str| Tls::File { id: id.into() };
            let mut one = secured("f/good/web", "good.example.fr", file("good000000"), &[&a]);
            one.redirect_hosts.push("www.good.example.fr".into());
            one.hsts_s = Some(86_400);
            let mut local = secured("f/asked/web", "asked.localhost", Tls::Local, &[&a]);
            local.plain = Some(Plain::Redirect);
            local.redirect_hosts.push("www.asked.localhost".into());
            let mut both = secured("f/both/web", "both.localhost", Tls::Local, &[&a]);
            both.redirect_hosts.push("www.both.localhost".into());
            r.routes.extend([one, local, both]);
            r.routes.push(secured("f/ended/web", "ended.example.fr", file("ended00000"), &[&a]));
        })
        .await;
    let (http, https) = (world.http().await.port(), world.https().await.port());
    for (host, path, expected) in [
        (format!("good.example.fr:{http}"), "/a?b=c", Some(format!("https://good.example.fr:{https}/a?b=c"))),
        // Whoever came by the usual port goes to the usual port.
        ("good.example.fr".into(), "/", Some("https://good.example.fr/".into())),
        // Another name and the other scheme, in one step.
        (format!("www.good.example.fr:{http}"), "/x", Some(format!("https://good.example.fr:{https}/x"))),
        (format!("asked.localhost:{http}"), "/", Some(format!("https://asked.localhost:{https}/"))),
        (format!("www.asked.localhost:{http}"), "/", Some(format!("https://asked.localhost:{https}/"))),
        (format!("both.localhost:{http}"), "/name", None),
        (format!("www.both.localhost:{http}"), "/", Some(format!("http://both.localhost:{http}/"))),
        // Its certificate has ended: it is served, not redirected into an error.
        (format!("ended.example.fr:{http}"), "/name", None),
    ] {
        let reply = world.get(&host, path).await;
        match expected {
            Some(location) => {
                assert_eq!((reply.status, reply.header("location")), (308, Some(location.as_str())), "{host}")
            }
            None => assert_eq!((reply.status, reply.body.as_str()), (200, "a"), "{host}"),
        }
        assert!(reply.header("strict-transport-security").is_none(), "never without TLS");
    }
    // Over TLS another name is redirected, and what was asked for is said to browsers.
    let reply = world.get_secure("www.both.localhost", "/y").await;
    assert_eq!((reply.status, reply.header("location")), (308, Some("https://both.localhost/y")));
    assert!(world.get_secure("both.localhost", "/name").await.header("strict-transport-security").is_none());
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_tls_only_if_that_was_asked_for() {
    let a = Server::new("a").await;
    let world = world(|r| {
        let mut asked = secured("f/a/web", "a.localhost", Tls::Local, &[&a]);
        asked.hsts_s = Some(3_600);
        r.routes.push(asked);
    })
    .await;
    let reply = world.get_secure("a.localhost", "/name").await;
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=3600"));
    assert!(world.get("a.localhost", "/name").await.header("strict-transport-security").is_none());
}

#[tokio::test]
async fn a_brought_certificate_is_checked_before_anything_changes() {
    let a = Server::new("a").await;
    let (root, text) = foreign(&["a.example.fr"], YEAR);
    let mut world = world(|r| r.routes.push(route("f/a/web", "a.example.fr", &[&a]))).await;
    let file = Tls::File { id: "deadbeef00".into() };
    let mut next = world.routes.clone();
    next.generation += 1;
    next.routes[0].tls = Some(file.clone());
    escadre_edge::files::write_routes(world.dir.path(), &next).expect("written");
    for (what, content) in [("missing", None), ("no certificate", Some("nonsense")), ("empty", Some(""))] {
        if let Some(content) = content {
            keep_brought(world.dir.path(), "deadbeef00", content.as_bytes()).expect("kept");
        }
        let refused = world.client.load(next.generation).await;
        let Err(ControlError::Refused(refused)) = refused else { panic!("{what}: {refused:?}") };
        assert!(refused.code == Code::BadRoutes && refused.message.contains("deadbeef00.pem"), "{what}: {refused}");
        assert_eq!(world.status().await.generation, 1, "{what}");
        assert_eq!(world.get("a.example.fr", "/name").await.body, "a", "{what}");
    }
    keep_brought(world.dir.path(), "deadbeef00", text.as_bytes()).expect("kept");
    world.client.load(next.generation).await.expect("loaded");
    world.routes = next;
    let mut wire = world.secure("a.example.fr", client(&root, &["http/1.1"])).await.expect("trusted");
    wire.say("GET /name HTTP/1.1\r\nHost: a.example.fr\r\n\r\n").await;
    assert_eq!(wire.reply().await.body, "a");
    // No key in what others read: the routes, the log, the answers.
    let key: String = text.lines().rev().nth(1).expect("a line").to_owned();
    for file in ["routes.json", "edge.log"] {
        let said = std::fs::read_to_string(world.dir.path().join(file)).expect("read");
        assert!(!said.contains(&key), "{file}");
    }
    let status = serde_json::to_string(&world.status().await).expect("json");
    assert!(!status.contains(&key) && status.contains("a.example.fr"));

    // A worker that begins serves what it can, and says what it cannot.
    std::fs::remove_file(brought_path(world.dir.path(), "deadbeef00")).expect("removed");
    world.client.upgrade().await.expect("upgraded");
    assert_eq!(world.get("a.example.fr", "/name").await.body, "a");
    let status = world.status().await;
    let told = status.certificates.iter().find(|c| c.host == "a.example.fr").expect("told");
    assert!(!told.works && told.problem.as_ref().is_some_and(|p| p.contains("deadbeef00.pem")), "{told:?}");
}

#[tokio::test]
async fn certificates_nobody_names_are_forgotten_but_not_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut routes = escadre_model::routes::Routes::empty(1);
    routes.routes.push(secured("f/a/web", "a.test", Tls::File { id: "named00000".into() }, &[]));
    for id in ["named00000", "fresh00000", "stale00000"] {
        keep_brought(dir.path(), id, b"x").expect("kept");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(brought_path(dir.path(), id)).expect("there").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    for id in ["named00000", "stale00000"] {
        let file = std::fs::File::options().write(true).open(brought_path(dir.path(), id)).expect("open");
        file.set_modified(hour_ago).expect("set");
    }
    forget_brought(dir.path(), &routes).expect("forgotten");
    let there = |id: &str| brought_path(dir.path(), id).exists();
    assert!(there("named00000") && there("fresh00000") && !there("stale00000"));
}

#[tokio::test]
async fn what_is_no_tls_is_told_so_or_dropped_and_the_others_go_on() {
    let a = Server::new("a").await;
    let world = World::with(&["header_timeout_ms=300"], |r| {
        r.https_listen.push("127.0.0.2:0".parse().expect("address"));
        r.routes.push(secured("f/a/web", "a.localhost", Tls::Usual, &[&a]));
        r.routes.push(route("f/off/web", "off.localhost", &[&a]));
    })
    .await;
    let https = world.https().await;
    let mut plain = crate::world::Wire::to(https).await;
    plain.say(&format!("GET /x?y HTTP/1.1\r\nHost: a.localhost:{}\r\n\r\n", https.port())).await;
    let reply = plain.reply().await;
    let location = format!("https://a.localhost:{}/x?y", https.port());
    assert_eq!((reply.status, reply.header("location")), (308, Some(location.as_str())));
    assert!(plain.is_closed().await);
    let mut plain = crate::world::Wire::to(https).await;
    plain.say("GET /x HTTP/1.1\r\nHost: off.localhost\r\n\r\n").await;
    assert_eq!(plain.reply().await.status, 400);
    assert_eq!(*a.arrived.borrow(), 0);
    let worker = world.status().await.worker;
    // Garbage, half a handshake, silence, and a record that promises more than it holds.
    let mut held = Vec::new();
    for bytes in [&b"\x00\x01\x02\x03"[..], b"\x16\x03\x01", b"", b"\x16\x03\x01\xff\xff\x01", &[0x16; 4096]] {
        let mut stream = tokio::net::TcpStream::connect(https).await.expect("connected");
        let _refused_early = stream.write_all(bytes).await;
        held.push(stream);
    }
    assert_eq!(world.get_secure("a.localhost", "/name").await.body, "a");
    for mut stream in held {
        let mut rest = Vec::new();
        // An alert, an end or a reset, within the time of a head.
        let _ended = crate::world::within("it is ended", stream.read_to_end(&mut rest)).await;
    }
    until("all is let go", || async { world.status().await.connections == 0 }).await;
    assert_eq!(world.status().await.worker, worker);
}

#[tokio::test]
async fn status_tells_every_certificate() {
    let a = Server::new("a").await;
    let (_, ended) = foreign(&["other.example.fr"], YEAR);
    let mut world = world(|r| r.routes.push(secured("f/a/web", "a.localhost", Tls::Usual, &[&a]))).await;
    keep_brought(world.dir.path(), "wrong00000", ended.as_bytes()).expect("kept");
    world
        .change(|r| {
            r.routes.push(secured("f/b/web", "b.example.fr", Tls::File { id: "wrong00000".into() }, &[&a]));
            r.routes.push(secured("f/c/web", "c.example.fr", Tls::Usual, &[&a]));
        })
        .await;
    let status = world.status().await;
    let https = status.listeners.iter().find(|l| l.address == world.routes.https_listen[0]).expect("reported");
    assert_eq!(https.state, Listening::Listening);
    let of = |host: &str| status.certificates.iter().find(|c| c.host == host).expect(host).clone();
    let local = of("a.localhost");
    assert!(local.works && local.from == CertificateFrom::Local && local.problem.is_none(), "{local:?}");
    let wrong = of("b.example.fr");
    assert!(!wrong.works && wrong.from == CertificateFrom::Brought, "{wrong:?}");
    assert!(wrong.problem.as_ref().is_some_and(|p| p.contains("it names other.example.fr")), "{wrong:?}");
    let public = of("c.example.fr");
    assert!(!public.works && public.from == CertificateFrom::Acme && public.problem.is_some(), "{public:?}");
}
