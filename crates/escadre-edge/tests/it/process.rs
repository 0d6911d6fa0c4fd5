//! Two processes, their files, and what becomes of traffic when one of them dies.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use escadre_edge::control::{Code, ControlError, Listening};
use escadre_edge::files::{FileError, read_routes, routes_path, update_routes, write_routes};
use escadre_model::routes::{Backend, TcpRoute};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::world::{PATIENCE, Server, Wire, World, binary, route, start, tcp_route, until, within};

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}

fn stop(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, signal).expect("signalled");
}

#[tokio::test]
async fn a_killed_worker_is_replaced_and_no_connection_refused() {
    let a = Server::new("a").await;
    let world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        r.tcp.push(tcp_route("f/a/tcp", 61, &[&a]));
    })
    .await;
    let (http, tcp) = (world.http().await, world.bound(world.routes.tcp[0].listen).await);
    for round in 1..=3 {
        let worker = world.status().await;
        assert_eq!(worker.worker, round);
        kill(worker.pid);
        // Nobody accepts now: the connections wait in the backlog of sockets that live on.
        let (mut one, mut two) = (Wire::to(http).await, Wire::to(tcp).await);
        one.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
        two.say("GET /name HTTP/1.1\r\n\r\n").await;
        assert_eq!(one.reply().await.body, "a");
        assert_eq!(two.reply().await.body, "a");
        until("the next one answers", || async { world.status().await.worker == round + 1 }).await;
    }
    assert_eq!((world.http().await, world.status().await.generation), (http, 1));
}

#[tokio::test]
async fn a_bad_routes_file_changes_nothing_even_over_a_restart() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let path = routes_path(world.dir.path());
    for bad in [
        "".to_owned(),
        "{".to_owned(),
        r#"{"schema":"escadre.routes/3","generation":2}"#.to_owned(),
        r#"{"schema":"escadre.routes/1","generation":2,"routes":[{"id":"x","hosts":["a"]},{"id":"y","hosts":["A."]}]}"#
            .to_owned(),
        r#"{"schema":"escadre.routes/1","generation":2,"routes":[{"id":"x","hosts":["a b"]}]}"#.to_owned(),
    ] {
        let beside = world.dir.path().join("bad");
        std::fs::write(&beside, &bad).expect("written");
        std::fs::rename(&beside, &path).expect("replaced");
        let refused = world.client.load(2).await;
        assert!(matches!(&refused, Err(ControlError::Refused(r)) if r.code == Code::BadRoutes), "{bad}: {refused:?}");
        assert_eq!(world.get("a.localhost", "/name").await.body, "a");
        let status = world.status().await;
        assert_eq!(status.generation, 1);
        assert!(status.problem.is_some());
    }
    let before = world.status().await;
    kill(before.pid);
    until("the next one answers", || async { world.status().await.worker > before.worker }).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    let status = world.status().await;
    assert!(status.generation == 1 && status.problem.is_some(), "{status:?}");
    std::fs::remove_file(&path).expect("removed");
    assert!(world.client.load(0).await.is_err(), "a file that vanished is no empty file");
    kill(status.pid);
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
}

#[tokio::test]
async fn generations_only_go_forward() {
    let mut world = World::new(|_| {}).await;
    world.change(|r| r.generation = 7).await;
    let asked = world.client.load(8).await;
    assert!(matches!(&asked, Err(ControlError::Refused(r)) if r.code == Code::OldGeneration), "{asked:?}");
    assert_eq!(world.client.load(5).await.expect("a later one is fine").generation, 7);
    world.routes.generation = 6;
    write_routes(world.dir.path(), &world.routes).expect("written");
    let older = world.client.load(6).await;
    assert!(matches!(&older, Err(ControlError::Refused(r)) if r.code == Code::OldGeneration), "{older:?}");
    let before = world.status().await;
    kill(before.pid);
    until("the next one answers", || async { world.status().await.worker > before.worker }).await;
    assert_eq!(world.status().await.generation, 7);
}

#[tokio::test]
async fn contradictions_are_not_written() {
    let world = World::new(|_| {}).await;
    let mut routes = world.routes.clone();
    routes.routes = vec![route("f/a/web", "a.localhost", &[]), route("f/b/web", "A.localhost.", &[])];
    let refused = write_routes(world.dir.path(), &routes);
    assert!(
        matches!(&refused, Err(FileError::Routes(e)) if e.to_string().contains("f/a/web and f/b/web")),
        "{refused:?}"
    );
    assert_eq!(read_routes(world.dir.path()).expect("read").generation, 1);
}

#[test]
fn no_writer_loses_anothers_change() {
    let dir = tempfile::tempdir().expect("a folder");
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let dir = dir.path().to_owned();
            std::thread::spawn(move || {
                for n in 0..10 {
                    let add = |r: &mut escadre_model::routes::Routes| {
                        r.routes.push(route(&format!("f/{writer}-{n}/web"), &format!("h{writer}-{n}.localhost"), &[]));
                    };
                    update_routes(&dir, add).expect("written");
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|w| w.join().expect("no panic"));
    let routes = read_routes(dir.path()).expect("read");
    assert_eq!((routes.generation, routes.routes.len()), (80, 80));
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    std::fs::write(routes_path(dir.path()), "{").expect("written");
    assert!(update_routes(dir.path(), |_| {}).is_err(), "a bad file is not overwritten");
}

#[tokio::test]
async fn a_kept_connection_meets_no_closed_door_at_an_upgrade() {
    let a = Server::new("a").await;
    let world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut wire = world.dial().await;
    wire.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    assert_eq!(wire.reply().await.header("connection"), None);
    world.client.upgrade().await.expect("upgraded");
    wire.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    let last = wire.reply().await;
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(wire.is_closed().await);
    until("the old one has ended", || async { world.log().contains("retired") }).await;
}

#[tokio::test]
async fn an_upgrade_that_cannot_begin_leaves_the_old_worker() {
    let a = Server::new("a").await;
    let place = tempfile::tempdir().expect("a folder");
    let program = place.path().join("edge");
    std::os::unix::fs::symlink(binary(), &program).expect("linked");
    let option = format!("worker={}", program.display());
    let world = World::with(&[&option], |r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let before = world.status().await.worker;
    std::fs::remove_file(&program).expect("removed");
    let client = world.client.clone();
    let asking = tokio::spawn(async move { client.upgrade().await });
    until("it was tried", || async { world.log().contains("cannot start a worker") }).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    assert_eq!(world.status().await.worker, before);
    // Later, with the program there again, it works.
    std::os::unix::fs::symlink(binary(), &program).expect("linked");
    assert!(world.client.upgrade().await.expect("upgraded").worker > before);
    asking.abort();
}

#[tokio::test]
async fn workers_that_die_young_are_started_ever_more_slowly() {
    for (worker, sign) in [("/bin/false", "died"), ("/nowhere/edge", "cannot start")] {
        let dir = tempfile::tempdir().expect("a folder");
        let log = || std::fs::read_to_string(dir.path().join("edge.log")).unwrap_or_default();
        let begin = std::time::Instant::now();
        let mut holder = start(dir.path(), &[format!("worker={worker}")]);
        until("four attempts", || async { log().matches(sign).count() >= 4 }).await;
        // At once, then after 100 and 200 ms.
        assert!(begin.elapsed() >= Duration::from_millis(300), "{}", log());
        stop(holder.id(), rustix::process::Signal::TERM);
        assert!(holder.wait().expect("ended").success());
    }
}

#[tokio::test]
async fn a_taken_port_is_reported_and_taken_over_when_it_is_free() {
    let a = Server::new("a").await;
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let taken = foreign.local_addr().expect("an address");
    let mut world =
        World::with(&["listen_retry_ms=20"], |r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let loaded = world
        .change(|r| {
            let mut route = TcpRoute::new("f/a/tcp", taken);
            route.backends.push(Backend::new("a", a.address));
            r.tcp.push(route);
        })
        .await;
    let failed: Vec<_> = loaded.failed().collect();
    assert!(failed.len() == 1 && failed[0].address == taken && failed[0].error.is_some(), "{loaded:?}");
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    drop(foreign);
    until("it is taken over", || async {
        world.status().await.listeners.iter().all(|l| l.state == Listening::Listening)
    })
    .await;
    let mut wire = Wire::to(taken).await;
    wire.say("GET /name HTTP/1.1\r\n\r\n").await;
    assert_eq!(wire.reply().await.body, "a");
    assert_eq!(world.log().matches("cannot listen").count(), 1, "said once: {}", world.log());
}

#[tokio::test]
async fn a_new_worker_takes_over_and_the_old_one_finishes() {
    let (a, b) = (Server::new("a").await, Server::new("b").await);
    let mut world = World::new(|r| {
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
        let mut parked = route("f/b/web", "b.localhost", &[]);
        parked.parked = true;
        r.routes.push(parked);
    })
    .await;
    let before = world.status().await;
    let mut socket = world.dial().await;
    socket.say("GET /ws HTTP/1.1\r\nHost: a.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(socket.head().await.0, 101);
    let mut waits = world.dial().await;
    waits.say("GET /name HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
    until("it waits", || async { world.status().await.routes[1].counters.waiting == 1 }).await;

    let after = world.client.upgrade().await.expect("upgraded");
    assert!(after.worker > before.worker && after.pid != before.pid);
    assert_eq!(after.version, Some(escadre_edge::Version::ours()));
    socket.say("still here\n").await;
    assert_eq!(socket.line().await, "still here\n");
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    // Who waits in the old one hears of the change that the new one is told.
    world
        .change(|r| {
            r.routes[1].parked = false;
            r.routes[1].backends = vec![b.backend()];
        })
        .await;
    assert_eq!(waits.reply().await.body, "b");
    // The new one knows what the old one still has, and its deadline reaches it.
    let left = world.client.wait_drained("a", Duration::from_millis(50)).await.expect("answers");
    assert_eq!(left.in_flight, 1);
    let seen = world.status().await.backends.iter().find(|b| b.id == "a").map(|b| (b.in_flight, b.elsewhere));
    assert_eq!(seen, Some((0, 1)));
    world.client.drain("a", Duration::from_millis(50)).await.expect("drains");
    assert!(socket.is_closed().await);
    assert!(world.client.wait_drained("a", PATIENCE).await.expect("answers").is_empty());
    until("the old one has ended", || async { world.log().contains("retired") }).await;
}

#[tokio::test]
async fn stop_finishes_what_is_under_way() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let http = world.http().await;
    let mut wire = world.dial().await;
    wire.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(1).await;
    let stopping = tokio::spawn({
        let client = world.client.clone();
        async move { client.stop(PATIENCE).await }
    });
    until("nobody listens", || async { tokio::net::TcpStream::connect(http).await.is_err() }).await;
    a.release();
    assert_eq!(wire.reply().await.body, "a");
    within("stopped", stopping).await.expect("no panic").expect("stopped");
    assert!(world.holder.wait().expect("ended").success());
    assert!(matches!(world.client.status().await, Err(ControlError::Absent { .. })));
    // The folder can be used again.
    world.holder = world.start_again();
    world.is_up().await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    stop(world.holder.id(), rustix::process::Signal::TERM);
    assert!(world.holder.wait().expect("ended").success());
}

#[tokio::test]
async fn one_holder_for_a_folder_and_a_killed_one_is_followed() {
    let a = Server::new("a").await;
    let mut world = World::new(|r| r.routes.push(route("f/a/web", "a.localhost", &[&a]))).await;
    let mut second = world.start_again();
    assert!(!second.wait().expect("ended").success(), "the folder is taken");
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");

    let mut wire = world.dial().await;
    wire.say("GET /hold HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    a.has(2).await;
    let before = world.status().await.pid;
    kill(world.holder.id());
    world.holder.wait().expect("ended");
    world.holder = world.start_again();
    // The worker without a holder may answer a last time.
    until("the new one answers", || async { world.client.status().await.is_ok_and(|s| s.pid != before) }).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    a.release();
    assert_eq!(wire.reply().await.body, "a", "the worker without a holder finishes");
}

#[tokio::test]
async fn the_control_socket_is_ours_alone_and_refuses_with_words() {
    let world = World::new(|_| {}).await;
    let path = escadre_edge::files::control_path(world.dir.path());
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let mut stream = BufReader::new(tokio::net::UnixStream::connect(&path).await.expect("connected"));
    for bad in [
        "{}",
        "not json",
        r#"{"schema":"escadre.edge/2","do":"status"}"#,
        r#"{"schema":"escadre.edge/1","do":"explode"}"#,
        r#"{"schema":"escadre.edge/1","do":"load","generation":-1}"#,
        r#"{"schema":"escadre.edge/1","do":"drain","backend":"x","deadline_ms":18446744073709551615}"#,
    ] {
        stream.get_mut().write_all(format!("{bad}\n").as_bytes()).await.expect("written");
        let mut line = String::new();
        within("an answer", stream.read_line(&mut line)).await.expect("read");
        assert!(line.contains(r#""schema":"escadre.edge/1""#) && line.contains("refused"), "{bad}: {line}");
    }
    stream
        .get_mut()
        .write_all(b"{\"schema\":\"escadre.edge/1\",\"do\":\"status\",\"more\":1}\n")
        .await
        .expect("written");
    let mut line = String::new();
    within("an answer", stream.read_line(&mut line)).await.expect("read");
    assert!(line.contains("\"answer\""), "{line}");
}

#[tokio::test]
async fn a_thousand_listeners_and_swaps_in_no_time() {
    let mut world = World::new(|r| {
        r.tcp = (0..250)
            .flat_map(|n| (70..74).map(move |last| (n, last)))
            .map(|(n, last)| {
                // Port 0 can stand once for each address: give every route an address of its own.
                let n = u8::try_from(n).unwrap_or(u8::MAX);
                TcpRoute::new(format!("f/{last}-{n}/tcp"), std::net::SocketAddr::from(([127, 1, last, n], 0)))
            })
            .collect();
    })
    .await;
    let listening = world.status().await.listeners.iter().filter(|l| l.state == Listening::Listening).count();
    assert_eq!(listening, 1_001);
    let fastest = {
        let mut all = Vec::new();
        for _ in 0..10 {
            all.push(world.change(|_| {}).await.swap_us);
        }
        all.into_iter().min()
    };
    assert!(fastest <= Some(50), "{fastest:?} microseconds");
    world.change(|r| r.tcp.clear()).await;
    assert_eq!(world.status().await.listeners.len(), 1);
}
