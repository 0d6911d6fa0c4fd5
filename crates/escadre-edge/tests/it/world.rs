//! A folder with an edge in it, backends to lead to, and a client that says exactly the bytes it is told.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use escadre_edge::control::{Client, Loaded, Status};
use escadre_edge::files::write_routes;
use escadre_model::routes::{Backend, Route, Routes, TcpRoute};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// What only a failure reaches.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let begin = Instant::now();
    while !ask().await {
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The example binary, refused if it is older than what it is made of (`cargo test --test it` does not build it).
pub(crate) fn binary() -> PathBuf {
    let deps = std::env::current_exe().expect("our own path");
    let path = deps.parent().and_then(Path::parent).expect("target folder").join("examples/edge");
    let built = std::fs::metadata(&path).and_then(|m| m.modified());
    let built = built.unwrap_or_else(|e| panic!("{}: {e}; run `cargo test -p escadre-edge`", path.display()));
    let sources = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("src");
    for source in sources {
        let source = source.expect("an entry");
        let changed = source.metadata().and_then(|m| m.modified()).expect("a time");
        assert!(changed <= built, "{:?} is newer than the binary: run `cargo test -p escadre-edge`", source.path());
    }
    path
}

/// An edge in a folder of its own; it ends with this value.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) holder: Child,
    pub(crate) client: Client,
    pub(crate) routes: Routes,
    limits: Vec<String>,
}

impl World {
    /// An edge that listens on one free loopback port and serves what `fill` says.
    pub(crate) async fn new(fill: impl FnOnce(&mut Routes)) -> World {
        World::with(&[], fill).await
    }

    pub(crate) async fn with(limits: &[&str], fill: impl FnOnce(&mut Routes)) -> World {
        let dir = tempfile::tempdir().expect("a folder");
        let mut routes = Routes::empty(1);
        routes.http_listen.push("127.0.0.1:0".parse().expect("address"));
        fill(&mut routes);
        write_routes(dir.path(), &routes).expect("written");
        let limits: Vec<String> = limits.iter().map(|l| (*l).to_owned()).collect();
        let holder = start(dir.path(), &limits);
        let client = Client::new(dir.path());
        let world = World { dir, holder, client, routes, limits };
        world.is_up().await;
        world
    }

    pub(crate) async fn is_up(&self) {
        until("the edge answers", || async {
            self.client.status().await.is_ok_and(|s| s.generation == self.routes.generation)
        })
        .await;
    }

    /// Another holder in the same folder.
    pub(crate) fn start_again(&self) -> Child {
        start(self.dir.path(), &self.limits)
    }

    pub(crate) async fn status(&self) -> Status {
        self.client.status().await.expect("status")
    }

    /// Changes the routes and has them loaded.
    pub(crate) async fn change(&mut self, change: impl FnOnce(&mut Routes)) -> Loaded {
        self.routes.generation += 1;
        change(&mut self.routes);
        write_routes(self.dir.path(), &self.routes).expect("written");
        let loaded = self.client.load(self.routes.generation).await.expect("loaded");
        assert_eq!(loaded.generation, self.routes.generation);
        loaded
    }

    /// The HTTP address.
    pub(crate) async fn http(&self) -> SocketAddr {
        self.bound(self.routes.http_listen[0]).await
    }

    /// The real address of one that was written with port 0.
    pub(crate) async fn bound(&self, address: SocketAddr) -> SocketAddr {
        let status = self.status().await;
        let listener = status.listeners.iter().find(|l| l.address == address).expect("a listener");
        listener.bound.unwrap_or_else(|| panic!("{listener:?}"))
    }

    /// The HTTPS address.
    pub(crate) async fn https(&self) -> SocketAddr {
        self.bound(self.routes.https_listen[0]).await
    }

    pub(crate) async fn dial(&self) -> Wire {
        Wire::to(self.http().await).await
    }

    /// One GET on a connection of its own.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Reply {
        let mut wire = self.dial().await;
        wire.say(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        wire.reply().await
    }

    /// What is under way on a backend, in the worker that answers.
    pub(crate) async fn in_flight(&self, backend: &str) -> Option<u64> {
        let status = self.status().await;
        let named: Vec<u64> = status.backends.iter().filter(|b| b.id == backend).map(|b| b.in_flight).collect();
        (!named.is_empty()).then(|| named.iter().sum())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("edge.log")).unwrap_or_default()
    }
}

pub(crate) fn start(dir: &Path, limits: &[String]) -> Child {
    let mut command = Command::new(binary());
    command.arg(dir).args(limits).stdin(Stdio::null());
    command.spawn().expect("the edge starts")
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the edge's log explains a failed test")]
            {
                eprintln!("{}", self.log());
            }
        }
        // Workers end when their holder is gone.
        let _ended = self.holder.kill();
        let _ended = self.holder.wait();
    }
}

/// A route of one host with backends.
pub(crate) fn route(id: &str, host: &str, backends: &[&Server]) -> Route {
    let mut route = Route::new(id, vec![host.to_owned()]);
    route.backends = backends.iter().map(|b| b.backend()).collect();
    route
}

/// A TCP route on a free port of an address of its own (each needs another last byte).
pub(crate) fn tcp_route(id: &str, last: u8, backends: &[&Server]) -> TcpRoute {
    let mut route = TcpRoute::new(id, SocketAddr::from(([127, 0, 0, last], 0)));
    route.backends = backends.iter().map(|b| b.backend()).collect();
    route
}

/// A connection that says exactly what it is told.
pub(crate) struct Wire<S = TcpStream> {
    pub(crate) stream: BufReader<S>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let find = |line: &'_ str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().find(|l| find(l)).and_then(|l| l.split_once(':')).map(|(_, v)| v.trim())
    }
}

impl Wire<TcpStream> {
    pub(crate) async fn to(address: SocketAddr) -> Wire {
        let stream = within("connect", TcpStream::connect(address)).await.expect("connected");
        Wire { stream: BufReader::new(stream) }
    }

    /// Whether a connection to this address is reset, at once or as soon as it is read.
    pub(crate) async fn is_reset(address: SocketAddr) -> bool {
        match within("connect", TcpStream::connect(address)).await {
            Ok(stream) => Wire { stream: BufReader::new(stream) }.rest().await.is_err(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) async fn say(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).await.expect("written");
        self.stream.get_mut().flush().await.expect("written");
    }

    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        within("a line", self.stream.read_line(&mut line)).await.expect("read");
        line
    }

    pub(crate) async fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        loop {
            let line = self.line().await;
            assert!(!line.is_empty(), "the connection ended in the head: {head:?}");
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        (status, head)
    }

    /// One piece of a chunked body; `None` at its proper end.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let line = self.line().await;
        let size = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("no chunk: {line:?}"));
        let mut piece = vec![0; size + 2];
        within("a chunk", self.stream.read_exact(&mut piece)).await.expect("read");
        piece.truncate(size);
        (size > 0).then(|| String::from_utf8(piece).expect("text"))
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        let (status, head) = self.head().await;
        let mut reply = Reply { status, head, body: String::new() };
        if let Some(length) = reply.header("content-length") {
            let mut body = vec![0; length.parse().expect("a length")];
            within("a body", self.stream.read_exact(&mut body)).await.expect("read");
            reply.body = String::from_utf8(body).expect("text");
        } else if reply.header("transfer-encoding").is_some() {
            while let Some(piece) = self.chunk().await {
                reply.body.push_str(&piece);
            }
        }
        reply
    }

    /// Everything until the connection ends; an error if it is reset.
    pub(crate) async fn rest(&mut self) -> std::io::Result<String> {
        let mut bytes = Vec::new();
        within("the end", self.stream.read_to_end(&mut bytes)).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the connection ended, one way or the other, without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        matches!(self.rest().await.as_deref(), Ok("") | Err(_))
    }
}

/// What `/big` answers, in bytes: more than all sockets and buffers on the way take.
pub(crate) const BIG: usize = 64 << 20;
const PIECE: usize = 64 << 10;

/// A backend in this process. Its paths say what it does: `/name`, `/head` (what arrived), `/hold` (answers when
/// released), `/events` (a chunk for each release), `/ws` (101, then echo), `/upload`, `/drop`, `/half`
/// (breaks off), `/both` (two framings), `/error`, `/big` (more than all buffers hold), `/beside` (the same while it reads
/// what comes), `/long` (a head of 200 kB).
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Counts releases.
    pub(crate) release: watch::Sender<u64>,
    /// How many requests arrived.
    pub(crate) arrived: Arc<watch::Sender<u64>>,
    /// Pieces of uploads.
    pub(crate) pieces: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn new(name: &str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let release = watch::Sender::new(0);
        let arrived = Arc::new(watch::Sender::new(0));
        let pieces = Arc::new(Notify::new());
        let (signal, count, piece, owner) = (release.subscribe(), arrived.clone(), pieces.clone(), name.to_owned());
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (signal, count, piece, owner) = (signal.clone(), count.clone(), piece.clone(), owner.clone());
                // A client that breaks off is no failure of the backend.
                open.spawn(async move { drop(serve(stream, &owner, signal, &count, &piece).await) });
            }
        });
        Server { name: name.to_owned(), address, release, arrived, pieces, task }
    }

    pub(crate) fn backend(&self) -> Backend {
        Backend::new(&self.name, self.address)
    }

    pub(crate) fn release(&self) {
        self.release.send_modify(|n| *n += 1);
    }

    /// Waits until this many requests arrived in all.
    pub(crate) async fn has(&self, many: u64) {
        let mut count = self.arrived.subscribe();
        within("requests arrive", count.wait_for(|n| *n >= many)).await.expect("the server lives");
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    listener.local_addr().expect("an address")
}

async fn serve(
    stream: TcpStream,
    name: &str,
    mut signal: watch::Receiver<u64>,
    count: &watch::Sender<u64>,
    pieces: &Notify,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        signal.mark_unchanged();
        count.send_modify(|n| *n += 1);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let path = path.split('?').next().unwrap_or_default();
        let body = match path.rsplit('/').next().unwrap_or_default() {
            "head" => head.clone(),
            "hold" => {
                // The client may leave before it is released.
                let changed = signal.changed();
                tokio::select! { _ = changed => {}, _ = stream.fill_buf() => return Ok(()) }
                name.to_owned()
            }
            "events" => {
                stream
                    .get_mut()
                    .write_all(
                        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
                    )
                    .await?;
                while signal.changed().await.is_ok() {
                    let event = format!("data: {} {}\n\n", name, *signal.borrow());
                    stream.get_mut().write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
                }
                return Ok(());
            }
            "ws" => {
                stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                    .await?;
                let (mut read, mut write) = stream.into_inner().into_split();
                tokio::io::copy(&mut read, &mut write).await?;
                return Ok(());
            }
            "upload" => format!("{} bytes", upload(&mut stream, &head, pieces).await?),
            "drop" => return Ok(()),
            "half" => {
                stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                    .await?;
                signal.changed().await.ok();
                return Ok(());
            }
            "beside" => {
                let length = head
                    .to_ascii_lowercase()
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
                let mut left = length.unwrap_or(0_usize) - stream.buffer().len();
                let (mut read, mut write) = stream.into_inner().into_split();
                let answering = async {
                    write.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n").as_bytes()).await?;
                    for _ in 0..BIG / PIECE {
                        write.write_all(&[b'x'; PIECE]).await?;
                    }
                    Ok(())
                };
                let reading = async {
                    let mut piece = vec![0; PIECE];
                    while left > 0 {
                        left = left.saturating_sub(read.read(&mut piece).await?.max(1));
                    }
                    pieces.notify_one();
                    Ok(())
                };
                return tokio::try_join!(answering, reading).map(drop);
            }
            "both" => {
                let answer =
                    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
                stream.get_mut().write_all(answer.as_bytes()).await?;
                continue;
            }
            "big" => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n");
                stream.get_mut().write_all(head.as_bytes()).await?;
                for _ in 0..BIG / PIECE {
                    stream.get_mut().write_all(&[b'x'; PIECE]).await?;
                }
                continue;
            }
            "long" => {
                let head = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(200_000));
                stream.get_mut().write_all(head.as_bytes()).await?;
                continue;
            }
            "error" => {
                stream.get_mut().write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n").await?;
                continue;
            }
            _ => name.to_owned(),
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.get_mut().write_all(answer.as_bytes()).await?;
    }
}

async fn upload(stream: &mut BufReader<TcpStream>, head: &str, pieces: &Notify) -> std::io::Result<usize> {
    let lower = head.to_ascii_lowercase();
    let mut total = 0;
    if let Some(length) = lower.lines().find_map(|l| l.strip_prefix("content-length:")) {
        let mut left: usize = length.trim().parse().map_err(std::io::Error::other)?;
        while left > 0 {
            let got = stream.fill_buf().await?.len().min(left);
            if got == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            stream.consume(got);
            left -= got;
            total += got;
            pieces.notify_one();
        }
        return Ok(total);
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let mut piece = vec![0; size + 2];
        stream.read_exact(&mut piece).await?;
        if size == 0 {
            return Ok(total);
        }
        total += size;
        pieces.notify_one();
    }
}
