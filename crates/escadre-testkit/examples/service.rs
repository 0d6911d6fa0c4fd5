//! The service of tests under load: short answers, long streams, WebSockets, lines over TCP, and calls of a neighbour. `scripts/images test` puts it into
//! an image; it is compiled by rustc alone and knows nothing but the standard library.
//!
//! In: `TAG` (what it answers), `PORT` (HTTP), `LINES` (a port that sends lines back), `UPSTREAM` (whom `/call` calls, name:port). Out: answers.
//! `service check` asks the one beside it whether it is well. When /tmp/stop appears it closes its ports, finishes what it has begun, and ends.
//!
//! | path | answer |
//! |---|---|
//! | `/` | its tag |
//! | `/stream?5` | a piece every 100 ms for five seconds, its tag at the end |
//! | `/ws` | a WebSocket that sends text back |
//! | `/call` | what `UPSTREAM` answers, found anew through the system's resolver (hosts file, then DNS) |
//! | `/ask` | the same, found through DNS alone, as programs do that bring a resolver of their own |

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own, in a container")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long an idle connection is kept, and a neighbour awaited.
const PATIENCE: Duration = Duration::from_secs(15);
/// A lookup is asked this often, with this time for each: what resolvers do that say nothing else (resolv.conf(5)).
const LOOKUP: (u16, Duration) = (2, Duration::from_secs(5));

/// What is under way, and whether more may come.
#[derive(Default)]
struct Work {
    open: AtomicUsize,
    ending: AtomicBool,
}

struct Under(Arc<Work>);

impl Under {
    fn way(work: &Arc<Work>) -> Self {
        work.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(work))
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn main() -> ExitCode {
    let port = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u16>().ok());
    let http = port("PORT").unwrap_or(8080);
    if std::env::args().nth(1).as_deref() == Some("check") {
        return match call(SocketAddr::from((Ipv4Addr::LOCALHOST, http)), "/") {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let work = Arc::new(Work::default());
    listen(http, &work, serve);
    let lines = port("LINES");
    if let Some(lines) = lines {
        listen(lines, &work, echo);
    }
    println!("service {} on port {http}", tag());
    while !std::path::Path::new("/tmp/stop").exists() {
        std::thread::sleep(Duration::from_millis(50));
    }
    work.ending.store(true, Ordering::SeqCst);
    for port in [Some(http), lines].into_iter().flatten() {
        // It wakes whoever waits for a connection, and sees that it is over.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    }
    while work.open.load(Ordering::SeqCst) > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    ExitCode::SUCCESS
}

fn tag() -> String {
    std::env::var("TAG").unwrap_or_default()
}

/// Takes connections until the end begins; then the port is closed.
fn listen(port: u16, work: &Arc<Work>, each: fn(TcpStream, Under) -> io::Result<()>) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free");
    let work = Arc::clone(work);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if work.ending.load(Ordering::SeqCst) {
                return;
            }
            let under = Under::way(&work);
            std::thread::spawn(move || {
                // How a client goes is its affair.
                let _ = stream.set_nodelay(true);
                let _ = each(stream, under);
            });
        }
    });
}

/// Requests of one connection, until either side has enough.
fn serve(stream: TcpStream, under: Under) -> io::Result<()> {
    let work = Arc::clone(&under.0);
    let (mut read, mut write) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let Some(head) = next(&mut read, &work)? else { return Ok(()) };
        let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let close = field(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
            || work.ending.load(Ordering::SeqCst);
        match path {
            "/stream" => stream_for(&mut write, query.parse().unwrap_or(5), close)?,
            "/ws" => {
                // It has no end of its own: nobody waits for it.
                drop(under);
                return socket(read, write);
            }
            "/call" => answer(
                &mut write,
                upstream(|host, port| (host, port).to_socket_addrs()?.next().ok_or_else(nobody)),
                close,
            )?,
            "/ask" => answer(&mut write, upstream(|host, port| Ok(SocketAddr::new(ask(host)?, port))), close)?,
            _ => answer(&mut write, Ok(tag()), close)?,
        }
        if close {
            return Ok(());
        }
    }
}

/// The head of the next request; nothing when the connection ends, or this process does and no request has begun.
fn next(read: &mut BufReader<TcpStream>, work: &Arc<Work>) -> io::Result<Option<String>> {
    let began = Instant::now();
    read.get_ref().set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut head = String::new();
    loop {
        match read.read_line(&mut head) {
            Ok(0) => return Ok(None),
            Ok(_) if head.ends_with("\r\n\r\n") => return Ok(Some(head)),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                let over = began.elapsed() > PATIENCE * 4 || work.ending.load(Ordering::SeqCst);
                if head.is_empty() && over {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn field(head: &str, name: &str) -> Option<String> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

fn answer(write: &mut TcpStream, body: Result<String, String>, close: bool) -> io::Result<()> {
    let (status, body) = match body {
        Ok(body) => ("200 OK", body),
        Err(why) => ("502 Bad Gateway", why),
    };
    let close = if close { "close" } else { "keep-alive" };
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: {close}\r\n\r\n{body}");
    write.write_all(text.as_bytes())
}

fn stream_for(write: &mut TcpStream, seconds: u64, close: bool) -> io::Result<()> {
    let close = if close { "close" } else { "keep-alive" };
    write!(write, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: {close}\r\n\r\n")?;
    for _ in 0..seconds * 10 {
        write.write_all(b"6\r\npiece\n\r\n")?;
        std::thread::sleep(Duration::from_millis(100));
    }
    let tag = tag();
    write!(write, "{:x}\r\n{tag}\r\n0\r\n\r\n", tag.len())
}

/// Lines come back, as long as the process lives.
fn echo(stream: TcpStream, under: Under) -> io::Result<()> {
    drop(under);
    let (mut read, mut write) = (BufReader::new(stream.try_clone()?), stream);
    let mut line = String::new();
    while read.read_line(&mut line)? > 0 {
        write.write_all(format!("{} {line}", tag()).as_bytes())?;
        line.clear();
    }
    Ok(())
}

/// A WebSocket (RFC 6455) whose short texts come back.
fn socket(mut read: BufReader<TcpStream>, mut write: TcpStream) -> io::Result<()> {
    read.get_ref().set_read_timeout(None)?;
    // Without the proof that it understood the key: who asks here does not check it.
    write!(write, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")?;
    loop {
        let mut head = [0_u8; 2];
        read.read_exact(&mut head)?;
        let [first, second] = head;
        let mut mask = [0_u8; 4];
        read.read_exact(&mut mask)?;
        let mut text = vec![0_u8; usize::from(second & 0x7f)];
        read.read_exact(&mut text)?;
        text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let mut frame = vec![first, second & 0x7f];
        frame.extend(text);
        write.write_all(&frame)?;
        if first & 0x0f == 8 {
            return Ok(());
        }
    }
}

/// Calls whom `UPSTREAM` names, found in this way; what it says, or why not.
fn upstream(find: impl Fn(&str, u16) -> io::Result<SocketAddr>) -> Result<String, String> {
    let upstream = std::env::var("UPSTREAM").unwrap_or_default();
    let (host, port) = upstream.split_once(':').ok_or("UPSTREAM is not name:port")?;
    let port = port.parse().map_err(|_| "UPSTREAM is not name:port")?;
    let address = find(host, port).map_err(|error| format!("lookup of {host}: {error}"))?;
    call(address, "/").map_err(|error| format!("call of {host} at {address}: {error}"))
}

/// One request on a connection of its own; the body of a 200.
fn call(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") && !body.is_empty() => Ok(body.to_owned()),
        _ => Err(io::Error::other(format!("it answered {:?}", answer.lines().next().unwrap_or_default()))),
    }
}

fn nobody() -> io::Error {
    io::Error::other("the name has no address")
}

/// One address of a name, from the first server of /etc/resolv.conf.
fn ask(name: &str) -> io::Result<IpAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf")?;
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    let server = server.ok_or_else(|| io::Error::other("resolv.conf names no server"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((server, 53))?;
    let (tries, patience) = LOOKUP;
    socket.set_read_timeout(Some(patience))?;
    let mut last = io::Error::other("not asked");
    for number in 1..=tries {
        socket.send(&question(number, name))?;
        let mut answer = [0_u8; 1500];
        match socket.recv(&mut answer) {
            Ok(length) => return address(answer.get(..length).unwrap_or_default()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A question for the addresses of a name (RFC 1035, 4.1).
fn question(number: u16, name: &str) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// The first address of an answer, as programs take it.
fn address(answer: &[u8]) -> io::Result<IpAddr> {
    let byte = |at: usize| answer.get(at).copied().unwrap_or(0);
    match (byte(3) & 0x0f, byte(7)) {
        (0, 1..) => {
            // Behind the head and the question stands the first record: its name, ten bytes, four of address.
            let record = name_end(answer, 12) + 4;
            let four = answer.get(name_end(answer, record) + 10..).and_then(|rest| rest.first_chunk::<4>());
            four.map(|four| IpAddr::from(*four)).ok_or_else(nobody)
        }
        (0, 0) => Err(nobody()),
        (code, _) => Err(io::Error::other(format!("the server said code {code}"))),
    }
}

/// Where a name ends: with an empty label, or with two bytes that point to the rest of it (RFC 1035, 4.1.4).
fn name_end(answer: &[u8], mut at: usize) -> usize {
    loop {
        match answer.get(at).copied().unwrap_or(0) {
            0 => return at + 1,
            0xc0.. => return at + 2,
            length => at += usize::from(length) + 1,
        }
    }
}
