//! Certificates of a public authority: had, kept over restarts, renewed; and what becomes of everybody else when they
//! cannot be had.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use escadre_edge::control::{CertificateStatus, ControlError};
use escadre_model::routes::{Acme, Route, Routes, Tls};

use crate::pebble::{Pebble, Refuser};
use crate::secure::client;
use crate::world::{Server, World, nobody, route, until};

fn public(id: &str, host: &str, backends: &[&Server]) -> Route {
    let mut route = route(id, host, backends);
    route.tls = Some(Tls::Usual);
    route
}

async fn world(fill: impl FnOnce(&mut Routes)) -> World {
    World::with(&["acme_wait_ms=400"], |r| {
        r.https_listen.push("127.0.0.2:0".parse().expect("address"));
        fill(r);
    })
    .await
}

async fn told(world: &World, host: &str) -> CertificateStatus {
    let status = world.status().await;
    status.certificates.into_iter().find(|c| c.host == host).unwrap_or_else(|| panic!("{host} is not told"))
}

async fn works(world: &World, host: &str) {
    until("it has a certificate", || async { told(world, host).await.works }).await;
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// One GET over TLS, judged by this root; the certificate that was shown as well.
async fn get(world: &World, host: &str, root: &str) -> (String, Vec<u8>) {
    let mut wire = world.secure(host, client(root, &["http/1.1"])).await.expect("trusted");
    let shown = wire.stream.get_ref().get_ref().1.peer_certificates().expect("shown")[0].to_vec();
    wire.say(&format!("GET /name HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
    (wire.reply().await.body, shown)
}

#[tokio::test]
async fn a_public_name_gets_its_certificate_and_keeps_it() {
    let a = Server::new("a").await;
    // The same port after a restart: the authority comes there.
    let fixed =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("a port");
    let mut world = world(|r| {
        r.http_listen = vec![fixed];
        r.routes.push(public("f/a/web", "shop.example.fr", &[&a]));
        r.routes.push(public("f/b/web", "b.localhost", &[&a]));
    })
    .await;
    let http = world.http().await.port();
    let Some(pebble) = Pebble::start("acme", http, 90 * 24 * 3600).await else { return };
    // Until somebody says where certificates are had, nobody is asked, and it is served without.
    assert!(told(&world, "shop.example.fr").await.problem.is_some());
    assert_eq!(world.get("shop.example.fr", "/name").await.body, "a");
    world.change(|r| r.acme = Some(pebble.acme())).await;
    works(&world, "shop.example.fr").await;
    let root = pebble.root().await;
    let (body, first) = get(&world, "shop.example.fr", &root).await;
    assert_eq!(body, "a");
    let status = told(&world, "shop.example.fr").await;
    let (ends, next) = (status.ends_s.expect("an end"), status.next_s.expect("a next time"));
    let days = |s: u64| s.saturating_sub(now_s()) / (24 * 3600);
    assert!(days(ends) >= 89 && (60..=64).contains(&days(next)), "renewed after two thirds: {status:?}");
    assert!(status.problem.is_none() && status.failed.is_none(), "{status:?}");
    // Now plain HTTP leads there; the path of proofs belongs to applications, unless it is our proof.
    assert_eq!(world.get("shop.example.fr", "/name").await.status, 308);
    assert_eq!(world.get("b.localhost", "/.well-known/acme-challenge/x").await.body, "a");

    // The next worker has it without asking; so has an edge that was killed with its worker.
    world.client.upgrade().await.expect("upgraded");
    assert_eq!(get(&world, "shop.example.fr", &root).await.1, first);
    let worker = world.status().await.pid;
    world.holder.kill().expect("killed");
    world.holder.wait().expect("ended");
    let pid = rustix::process::Pid::from_raw(i32::try_from(worker).expect("a pid")).expect("a pid");
    let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    world.holder = world.start_again();
    until("the next one answers", || async { world.client.status().await.is_ok_and(|s| s.pid != worker) }).await;
    assert_eq!(get(&world, "shop.example.fr", &root).await.1, first);

    // Nobody can have a name ordered that is in no route; a name that joins is ordered, with the same account.
    let unknown = world.secure("nobody.example.fr", client(&root, &[])).await;
    assert!(unknown.is_err());
    world.change(|r| r.routes.push(public("f/c/web", "new.example.fr", &[&a]))).await;
    works(&world, "new.example.fr").await;
    let said = pebble.said.lock().expect("unpoisoned").clone();
    assert!(!said.contains("nobody.example.fr") && !said.contains("b.localhost"), "{said}");
    let accounts = std::fs::read_dir(world.dir.path().join("tls/acme")).expect("there").flatten();
    let accounts = accounts.filter(|e| e.file_name().to_string_lossy().starts_with("account-")).count();
    assert_eq!(accounts, 1);

    // Keys are in files for their owner only, and in nothing that is told.
    let kept = world.dir.path().join("tls/acme/certificates/shop.example.fr.pem");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&kept).expect("read");
    let key = text.split("PRIVATE KEY-----").nth(1).and_then(|k| k.lines().nth(1)).expect("a line").to_owned();
    let told = serde_json::to_string(&world.status().await).expect("json");
    let record = std::fs::read_to_string(world.dir.path().join("tls/acme/record.json")).expect("read");
    for text in [told, world.log(), record, std::fs::read_to_string(world.dir.path().join("routes.json")).expect("r")] {
        assert!(!text.contains(&key), "{text}");
    }
    assert!(world.log().contains("certificate of shop.example.fr until "), "{}", world.log());
    let left = std::fs::read_dir(world.dir.path().join("tls/acme/challenges")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "proofs are there only while they are asked for");
}

#[tokio::test]
async fn a_certificate_is_renewed_when_two_thirds_of_its_life_are_over() {
    let a = Server::new("a").await;
    let mut world = world(|r| r.routes.push(public("f/a/web", "short.example.fr", &[&a]))).await;
    let Some(pebble) = Pebble::start("acme renewal", world.http().await.port(), 15).await else { return };
    world.change(|r| r.acme = Some(pebble.acme())).await;
    works(&world, "short.example.fr").await;
    let root = pebble.root().await;
    let begin = Instant::now();
    let (_, first) = get(&world, "short.example.fr", &root).await;
    let mut shown = first.clone();
    while shown == first {
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", told(&world, "short.example.fr").await);
        tokio::time::sleep(Duration::from_millis(200)).await;
        // At no moment is there none, or one that has ended.
        shown = get(&world, "short.example.fr", &root).await.1;
    }
    assert!(begin.elapsed() >= Duration::from_secs(8), "not before: {:?}", begin.elapsed());
}

#[tokio::test]
async fn one_name_that_is_refused_keeps_no_other_from_its_certificate() {
    let a = Server::new("a").await;
    let elsewhere = Server::new("elsewhere").await;
    let mut world = world(|r| {
        for (n, host) in ["blocked.example.fr", "elsewhere.example.fr", "good.example.fr"].into_iter().enumerate() {
            r.routes.push(public(&format!("f/{n}/web"), host, &[&a]));
        }
    })
    .await;
    let http = world.http().await.port();
    let Some(pebble) = Pebble::start("acme refused", http, 90 * 24 * 3600).await else { return };
    // Somebody else's server, at the address where the name leads.
    let other = tokio::net::TcpListener::bind(("127.0.0.9", http)).await.expect("bound");
    let to = elsewhere.address;
    let serving = tokio::spawn(async move {
        while let Ok((mut one, _)) = other.accept().await {
            let Ok(mut two) = tokio::net::TcpStream::connect(to).await else { continue };
            tokio::spawn(async move { drop(tokio::io::copy_bidirectional(&mut one, &mut two).await) });
        }
    });
    pebble.lead("elsewhere.example.fr", "127.0.0.9").await;
    world.change(|r| r.acme = Some(pebble.acme())).await;
    works(&world, "good.example.fr").await;
    for (host, words) in
        [("blocked.example.fr", "the authority refuses it"), ("elsewhere.example.fr", "key authorization")]
    {
        until("it was refused", || async { told(&world, host).await.failed.is_some_and(|f| f.times > 0) }).await;
        let status = told(&world, host).await;
        let problem = status.problem.clone().unwrap_or_default();
        assert!(!status.works && problem.to_lowercase().contains(words), "{host}: {status:?}");
        assert!(status.next_s >= Some(now_s().saturating_sub(1)), "{host}: {status:?}");
        assert_eq!(world.get(host, "/name").await.body, "a", "served without, and not redirected");
    }
    // Ever more slowly: 0.4 s, then 1.6 s, then 6.4 s.
    until("the third failure", || async {
        told(&world, "elsewhere.example.fr").await.failed.is_some_and(|f| f.times >= 3)
    })
    .await;
    let before = told(&world, "elsewhere.example.fr").await;
    assert!(before.next_s >= Some(now_s() + 4), "{before:?}");
    // Mended, and asked for at once, without waiting for the next try.
    pebble.lead("elsewhere.example.fr", "127.0.0.1").await;
    let renewed = world.client.renew("elsewhere.example.fr").await.expect("tried");
    assert!(renewed.works && renewed.problem.is_none() && renewed.failed.is_none(), "{renewed:?}");
    assert_eq!(get(&world, "elsewhere.example.fr", &pebble.root().await).await.0, "a");
    let again = world.client.renew("blocked.example.fr").await.expect("tried");
    assert!(!again.works && again.problem.is_some_and(|p| p.contains("refuses")), "its try is waited for");
    serving.abort();
}

#[tokio::test]
async fn renewal_is_refused_with_words_where_it_makes_no_sense() {
    let a = Server::new("a").await;
    let world = world(|r| {
        r.routes.push(public("f/a/web", "a.localhost", &[&a]));
        r.routes.push(public("f/b/web", "b.example.fr", &[&a]));
        r.routes.push(route("f/c/web", "c.localhost", &[&a]));
    })
    .await;
    for (host, words) in [
        ("a.localhost", "from the local authority"),
        ("b.example.fr", "no public authority is set"),
        ("c.localhost", "no endpoint with TLS has the host"),
        ("nobody.fr", "no endpoint with TLS has the host"),
        ("../../x", "no endpoint with TLS has the host"),
    ] {
        let refused = world.client.renew(host).await;
        assert!(matches!(&refused, Err(ControlError::Refused(r)) if r.message.contains(words)), "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn an_authority_that_asks_for_rest_gets_it_over_restarts_too() {
    let a = Server::new("a").await;
    let refuser = Refuser::new(
        "429 Too Many Requests\nRetry-After: 3600\n\n{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many certificates for example.fr\\u0007\",\"status\":429}",
    )
    .await;
    let acme = refuser.acme.clone();
    let world = world(|r| {
        r.acme = Some(acme);
        r.routes.push(public("f/a/web", "a.example.fr", &[&a]));
    })
    .await;
    until("it was asked", || async { told(&world, "a.example.fr").await.failed.is_some() }).await;
    let status = told(&world, "a.example.fr").await;
    let problem = status.problem.clone().expect("a problem");
    assert!(problem.contains("asked too often: too many certificates for example.fr"), "{problem}");
    assert!(!problem.contains('\u{7}'), "an authority's words are harmless");
    assert!(status.next_s >= Some(now_s() + 3_500), "{status:?}");
    let refused = world.client.renew("a.example.fr").await;
    assert!(matches!(&refused, Err(ControlError::Refused(r)) if r.message.contains("left alone until")), "{refused:?}");
    world.client.upgrade().await.expect("upgraded");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(refuser.orders.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(told(&world, "a.example.fr").await.failed, status.failed);
    assert_eq!(world.get("a.example.fr", "/name").await.body, "a");
}

#[tokio::test]
async fn an_authority_that_does_not_work_is_not_asked_for_every_name() {
    let a = Server::new("a").await;
    let gone = nobody().await;
    let names = |r: &mut Routes| {
        r.routes = (0..12).map(|n| public(&format!("f/i{n}/web"), &format!("i{n}.example.fr"), &[&a])).collect();
    };
    let mut world = world(|r| {
        names(r);
        r.acme = Some(Acme { directory: format!("https://{gone}/dir"), email: None, roots: None });
    })
    .await;
    let failed = || async { told(&world, "i0.example.fr").await.failed };
    until("it was tried", || async { failed().await.is_some_and(|f| f.times > 0) }).await;
    let status = told(&world, "i0.example.fr").await;
    let problem = status.problem.clone().expect("a problem");
    assert!(problem.contains("the authority does not work") && problem.contains("cannot be reached"), "{problem}");
    assert_eq!(world.get("i7.example.fr", "/name").await.body, "a");
    // Its waits grow, not twelve at a time.
    let begin = Instant::now();
    until("the third failure", || async { failed().await.is_some_and(|f| f.times >= 3) }).await;
    assert!(begin.elapsed() >= Duration::from_millis(1_500), "{:?}", begin.elapsed());

    // A refusal of what is spoken, and of who speaks.
    for (directory, words) in [
        ("http://127.0.0.1:1/dir".to_owned(), "is no https address"),
        ("nonsense".to_owned(), "is no https address"),
        (format!("https://{}/dir", a.address), "cannot be reached"),
    ] {
        world.change(|r| r.acme = Some(Acme { directory: directory.clone(), email: None, roots: None })).await;
        let renewed = world.client.renew("i0.example.fr").await.expect("tried");
        let problem = renewed.problem.expect("a problem");
        assert!(!renewed.works && problem.contains(words), "{directory}: {problem}");
    }
    let Some(mut pebble) = Pebble::start("acme unreachable", world.http().await.port(), 90 * 24 * 3600).await else {
        return;
    };
    let stranger = Acme { roots: None, ..pebble.acme() };
    world.change(|r| r.acme = Some(stranger)).await;
    let problem = world.client.renew("i0.example.fr").await.expect("tried").problem.expect("a problem");
    assert!(problem.contains("its certificate is not trusted here"), "{problem}");
    // It works again: everybody gets theirs, one try after the other.
    world.change(|r| r.acme = Some(pebble.acme())).await;
    assert!(world.client.renew("i0.example.fr").await.expect("tried").works);
    for n in 1..12 {
        works(&world, &format!("i{n}.example.fr")).await;
    }
    let said = pebble.said.lock().expect("unpoisoned").clone();
    assert!(said.contains("There are now 1 accounts") && !said.contains("There are now 2 accounts"), "{said}");
    // It has forgotten us: the try after the next makes a new account.
    pebble.stop();
    pebble.start_again().await;
    world.change(|r| r.routes.push(public("f/late/web", "late.example.fr", &[&a]))).await;
    works(&world, "late.example.fr").await;
}
