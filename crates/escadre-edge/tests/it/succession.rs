//! One holder after the other: in its own process by its program as it is now, and in another process; nobody notices.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::task::JoinSet;

use crate::world::{Server, Wire, World, binary, nobody, route, start, tcp_route, until, within};

/// Clients that ask all the time, without a second try, until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<u64>,
}

impl Load {
    /// Two that connect for each request, two that keep their connection as long as they may.
    async fn begin(world: &World, host: &str) -> Load {
        let (stop, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        let address = world.http().await;
        for keep in [false, false, true, true] {
            let (stop, host) = (Arc::clone(&stop), host.to_owned());
            clients.spawn(async move {
                let (mut wire, mut asked) = (None, 0);
                while !stop.load(Ordering::Relaxed) {
                    let mut open = match wire.take() {
                        Some(open) => open,
                        None => Wire::to(address).await,
                    };
                    let close = if keep { "" } else { "Connection: close\r\n" };
                    open.say(&format!("GET /name HTTP/1.1\r\nHost: {host}\r\n{close}\r\n")).await;
                    let reply = open.reply().await;
                    assert_eq!((reply.status, reply.body.as_str()), (200, "a"), "{}", reply.head);
                    asked += 1;
                    if keep && reply.header("connection") != Some("close") {
                        wire = Some(open);
                    }
                }
                asked
            });
        }
        Load { stop, clients }
    }

    /// How many requests there were; every one was answered, or this panics.
    async fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = 0;
        while let Some(asked) = within("the load ends", self.clients.join_next()).await {
            all += asked.expect("no request failed");
        }
        all
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}

async fn tunnel(world: &World) -> Wire {
    let mut socket = world.dial().await;
    socket.say("GET /ws HTTP/1.1\r\nHost: a.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(socket.head().await.0, 101);
    socket
}

async fn echoes(socket: &mut Wire, word: &str) {
    socket.say(&format!("{word}\n")).await;
    assert_eq!(socket.line().await, format!("{word}\n"));
}

/// Everything a holder does is still done: workers restarted, the folder locked, the numbers kept, the end in order.
async fn is_whole(world: &mut World, since_ms: u64) {
    let before = world.status().await;
    kill(before.pid);
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    until("the next worker answers", || async { world.status().await.worker > before.worker }).await;
    let stats = world.client.stats().await.expect("stats");
    assert_eq!((stats.since_ms, stats.crashes), (since_ms, 1));
    assert!(!world.start_again().wait().expect("ended").success(), "the folder is taken");
    let pid = std::fs::read_to_string(escadre_edge::files::pid_path(world.dir.path())).expect("a pid file");
    assert_eq!(pid, format!("{}\n", world.holder.id()));
    let closed = world.bound(world.routes.tcp[0].listen).await;
    world.change(|r| r.tcp.clear()).await;
    until("a port that is not wanted is closed", || async { tokio::net::TcpStream::connect(closed).await.is_err() })
        .await;
    let http = world.http().await;
    world.client.stop(crate::world::PATIENCE).await.expect("stopped");
    assert!(world.holder.wait().expect("ended").success());
    assert!(tokio::net::TcpStream::connect(http).await.is_err());
}

async fn world(a: &Server, last: u8, words: &[&str]) -> World {
    World::with(words, |r| {
        r.routes.push(route("f/a/web", "a.localhost", &[a]));
        r.tcp.push(tcp_route("f/a/tcp", last, &[a]));
    })
    .await
}

#[tokio::test]
async fn an_upgrade_renews_the_holder_in_its_process_and_fails_no_request() {
    let a = Server::new("a").await;
    let mut world = world(&a, 71, &[]).await;
    let since_ms = world.client.stats().await.expect("stats").since_ms;
    let mut socket = tunnel(&world).await;
    let load = Load::begin(&world, "a.localhost").await;
    for round in 1..=5 {
        let before = world.status().await.worker;
        let after = world.client.upgrade().await.expect("upgraded");
        let holder = after.holder.expect("it says who it is");
        assert_eq!((holder.pid, holder.renewed, holder.problem), (world.holder.id(), round, None));
        assert_eq!(holder.version, escadre_edge::Version::ours());
        assert!(after.worker > before);
        echoes(&mut socket, "still here").await;
    }
    assert!(load.end().await > 20);
    assert_eq!(world.log().matches("took over from this process").count(), 5, "{}", world.log());
    drop(socket);
    is_whole(&mut world, since_ms).await;
}

#[tokio::test]
async fn another_process_takes_over_and_fails_no_request() {
    let a = Server::new("a").await;
    let mut world = world(&a, 72, &[]).await;
    let since_ms = world.client.stats().await.expect("stats").since_ms;
    let mut socket = tunnel(&world).await;
    let load = Load::begin(&world, "a.localhost").await;
    for _ in 0..2 {
        let before = world.status().await;
        let next = start(world.dir.path(), &["take-over".to_owned()]);
        let mut former = std::mem::replace(&mut world.holder, next);
        assert!(former.wait().expect("ended").success(), "{}", world.log());
        // Its workers follow it: they are no children of the new one.
        until("a worker of the new one serves", || async {
            let now = world.status().await;
            now.worker > before.worker && now.holder.is_some_and(|h| h.pid == world.holder.id())
        })
        .await;
        echoes(&mut socket, "still here").await;
    }
    // The one that took over can be upgraded like every other one.
    let renewed = world.client.upgrade().await.expect("upgraded").holder.expect("a holder");
    assert_eq!((renewed.pid, renewed.renewed), (world.holder.id(), 3));
    echoes(&mut socket, "even now").await;
    drop(socket);
    assert!(load.end().await > 20);
    is_whole(&mut world, since_ms).await;
}

#[tokio::test]
async fn where_nothing_runs_there_is_nothing_to_take_over() {
    let a = Server::new("a").await;
    let world = world(&a, 73, &["take-over"]).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    let left = std::fs::read_dir(world.dir.path()).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("successor")), "{left:?}");
}

#[tokio::test]
async fn a_successor_that_never_comes_changes_nothing() {
    let a = Server::new("a").await;
    let mut world = world(&a, 74, &[]).await;
    let mut stream =
        tokio::net::UnixStream::connect(escadre_edge::files::control_path(world.dir.path())).await.expect("connected");
    let asked = format!("{}\n", r#"{"schema":"escadre.edge/1","do":"hand_over","successor":1}"#);
    tokio::io::AsyncWriteExt::write_all(&mut stream, asked.as_bytes()).await.expect("written");
    until("it was tried", || async { world.log().contains("cannot hand over") }).await;
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
    until("it is told", || async { world.status().await.holder.is_some_and(|h| h.problem.is_some()) }).await;
    let since_ms = world.client.stats().await.expect("stats").since_ms;
    is_whole(&mut world, since_ms).await;
}

#[tokio::test]
async fn a_holder_whose_program_is_gone_goes_on() {
    let a = Server::new("a").await;
    let place = tempfile::tempdir().expect("a folder");
    let program = place.path().join("edge");
    std::fs::copy(binary(), &program).expect("copied");
    let worker = format!("worker={}", binary().display());
    let mut world = world(&a, 75, &[&worker]).await;
    stop(&mut world.holder);
    world.holder = Command::new(&program)
        .arg(world.dir.path())
        .arg(&worker)
        .stdin(Stdio::null())
        .spawn()
        .expect("the edge starts");
    world.is_up().await;
    std::fs::remove_file(&program).expect("removed");
    let status = world.client.upgrade().await.expect("the worker is upgraded");
    let holder = status.holder.expect("a holder");
    assert!(holder.problem.is_some_and(|problem| problem.contains("cannot hand over")));
    assert_eq!(holder.renewed, 0);
    let since_ms = world.client.stats().await.expect("stats").since_ms;
    is_whole(&mut world, since_ms).await;
}

fn stop(holder: &mut Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(holder.id()).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    assert!(holder.wait().expect("ended").success());
}

#[tokio::test]
async fn whoever_starts_it_hears_that_it_serves() {
    let a = Server::new("a").await;
    let mut world = world(&a, 76, &[]).await;
    stop(&mut world.holder);
    let path = world.dir.path().join("notify.sock");
    let socket = tokio::net::UnixDatagram::bind(&path).expect("bound");
    world.holder = Command::new(binary())
        .arg(world.dir.path())
        .env("NOTIFY_SOCKET", &path)
        .stdin(Stdio::null())
        .spawn()
        .expect("the edge starts");
    let mut word = [0; 64];
    let heard = within("a word", socket.recv(&mut word)).await.expect("received");
    assert_eq!(&word[..heard], b"READY=1");
    assert_eq!(world.get("a.localhost", "/name").await.body, "a");
}

/// What systemd does for a service with a store of descriptors: it keeps what it is sent until it is told otherwise, and
/// passes it to the next process.
struct Systemd {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
    kept: BTreeMap<String, OwnedFd>,
}

impl Systemd {
    fn new() -> Systemd {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("bound");
        socket.set_nonblocking(true).expect("set");
        Systemd { folder, socket, kept: BTreeMap::new() }
    }

    fn word(&self) -> String {
        format!("notify={}", self.folder.path().join("notify").display())
    }

    /// The names of what it keeps, after everything that was said so far.
    fn names(&mut self) -> Vec<String> {
        loop {
            let mut bytes = [0; 256];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let Ok(got) = recvmsg(&self.socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) else { break };
            let mut files = control.drain().flat_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => files.collect::<Vec<_>>(),
                _ => Vec::new(),
            });
            let file = files.next();
            let words = String::from_utf8_lossy(&bytes[..got.bytes]).into_owned();
            let name = words.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or_default().to_owned();
            if words.starts_with("FDSTORE=1") {
                self.kept.entry(name).or_insert(file.expect("a socket"));
            } else if words.starts_with("FDSTOREREMOVE=1") {
                self.kept.remove(&name);
            }
        }
        self.kept.keys().cloned().collect()
    }

    /// Starts the edge with the one socket that it keeps.
    fn start(&self, world: &World) -> Child {
        let pass = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\"";
        let socket = self.kept.values().next().expect("it keeps one").try_clone().expect("another one");
        let mut command = Command::new("sh");
        command
            .args(["-c", pass, "sh"])
            .arg(binary())
            .arg(world.dir.path())
            .arg(self.word())
            .stdin(Stdio::from(socket));
        command.spawn().expect("the edge starts")
    }
}

#[tokio::test]
async fn who_connects_while_no_holder_lives_waits_for_the_next_one() {
    let (a, mut systemd) = (Server::new("a").await, Systemd::new());
    let listen = nobody().await;
    let mut world = World::with(&[&systemd.word()], |r| {
        r.http_listen = vec![listen];
        r.routes.push(route("f/a/web", "a.localhost", &[&a]));
    })
    .await;
    let name = format!("listen-127.0.0.1_{}", listen.port());
    assert_eq!(systemd.names(), [name.as_str()]);
    let mut socket = tunnel(&world).await;
    for round in 0..2 {
        world.holder.kill().expect("killed");
        world.holder.wait().expect("ended");
        let gone = || async { world.log().matches("the holder is gone").count() == round + 1 };
        until("the worker knows", gone).await;
        let mut waiting = Vec::new();
        for _ in 0..10 {
            let mut wire = Wire::to(listen).await;
            wire.say("GET /name HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
            waiting.push(wire);
        }
        world.holder = systemd.start(&world);
        for mut wire in waiting {
            assert_eq!(wire.reply().await.body, "a");
        }
        echoes(&mut socket, "still here").await;
        assert_eq!(systemd.names(), [name.as_str()], "kept once");
        world.is_up().await;
        // Its next life knows them as well, and passes nothing on to its children.
        world.client.upgrade().await.expect("upgraded");
    }
    assert_eq!(world.log().matches("1 listening sockets were kept").count(), 2, "{}", world.log());
    // What nobody wants any more is not kept, and free for others.
    world.change(|r| r.http_listen.clear()).await;
    assert!(systemd.names().is_empty());
    until("it is free", || async { tokio::net::TcpListener::bind(listen).await.is_ok() }).await;
}
