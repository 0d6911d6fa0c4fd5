//! One piece of work: what a client sends, and whether what it gets is whole.
//!
//! In: a kind and a target. Out: how it ended.
//! **Invariant:** good is only what came whole, with the status and the words it must have; a connection that is closed in order between two requests is no
//! failure, one that is closed after a request was sent is.
//! Not here: when it begins (`load`).
//! Tests: `tests.rs`.

use super::{End, Kind, Target};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// The longest wait for a connection, an answer, or the next piece of one.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long streams last, in seconds.
const STREAM: u64 = 5;
/// How long WebSockets and lines last.
const TALK: Duration = Duration::from_secs(8);
/// Between two words of theirs.
const WORD: Duration = Duration::from_millis(250);

/// A connection with what was read from it.
pub(super) type Connection = BufReader<TcpStream>;

/// One piece of work on a connection of its own.
pub(super) async fn once(kind: Kind, target: &Target) -> End {
    match kind {
        Kind::Short | Kind::Kept => request(target, "/").await,
        Kind::Call => request(target, "/call").await,
        Kind::Ask => request(target, "/ask").await,
        Kind::Stream => request(target, &format!("/stream?{STREAM}")).await,
        Kind::Socket => socket(target).await,
        Kind::Lines => lines(target, Some(TALK)).await,
        Kind::Line => lines(target, None).await,
    }
}

/// A request on a connection that is kept for the next one; an idle one that ended is opened again.
pub(super) async fn again(target: &Target, kept: &mut Option<Connection>) -> End {
    let usable = kept.take().filter(is_open);
    let mut connection = match usable {
        Some(connection) => connection,
        None => match connect(target.http).await {
            Ok(connection) => connection,
            Err(end) => return end,
        },
    };
    match timeout(PATIENCE, exchange(&mut connection, target, "/", "keep-alive")).await {
        Ok(Ok((head, body))) => {
            if !says_close(&head) {
                *kept = Some(connection);
            }
            judge(&head, &body)
        }
        Ok(Err(error)) => End::Cut(error.to_string().into()),
        Err(_late) => late("the answer"),
    }
}

/// Nothing came on it since: neither its end nor words that nobody asked for.
fn is_open(connection: &Connection) -> bool {
    let mut byte = [0];
    connection.buffer().is_empty()
        && matches!(connection.get_ref().try_read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

async fn connect(to: SocketAddr) -> Result<Connection, End> {
    #[expect(clippy::disallowed_methods, reason = "a client of real servers is what this module is")]
    let connecting = TcpStream::connect(to);
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(stream)) => {
            // A socket without it is slower, not wrong.
            let _ = stream.set_nodelay(true);
            Ok(BufReader::new(stream))
        }
        Ok(Err(error)) => Err(End::Refused(error.to_string().into())),
        Err(_late) => Err(End::Refused(format!("no connection within {} s", PATIENCE.as_secs()).into())),
    }
}

fn late(what: &str) -> End {
    End::Cut(format!("{what} did not come within {} s", PATIENCE.as_secs()).into())
}

async fn request(target: &Target, path: &str) -> End {
    let mut connection = match connect(target.http).await {
        Ok(connection) => connection,
        Err(end) => return end,
    };
    match timeout(PATIENCE, exchange(&mut connection, target, path, "close")).await {
        Ok(Ok((head, body))) => judge(&head, &body),
        Ok(Err(error)) => End::Cut(error.to_string().into()),
        Err(_late) => late("the answer"),
    }
}

/// A request and its whole answer: head and body.
async fn exchange(
    connection: &mut Connection,
    target: &Target,
    path: &str,
    then: &str,
) -> io::Result<(String, Vec<u8>)> {
    let asked = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: {then}\r\n\r\n", target.host);
    connection.write_all(asked.as_bytes()).await?;
    let head = head(connection).await?;
    let mut body = Vec::new();
    if let Some(length) = field(&head, "content-length").and_then(|length| length.parse().ok()) {
        body.resize(length, 0);
        connection.read_exact(&mut body).await?;
        return Ok((head, body));
    }
    if field(&head, "transfer-encoding").is_none() {
        return Err(io::Error::other(format!("an answer without a length: {head}")));
    }
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(|_| whole("a chunk"))?;
        let from = body.len();
        body.resize(from + length + 2, 0);
        connection.read_exact(body.get_mut(from..).unwrap_or_default()).await?;
        body.truncate(from + length);
        if length == 0 {
            return Ok((head, body));
        }
    }
}

fn whole(what: &str) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, format!("{what} broke off"))
}

async fn head(connection: &mut Connection) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await? == 0 {
            return Err(whole(if head.is_empty() { "the connection, before an answer," } else { "the head" }));
        }
    }
    Ok(head)
}

fn field(head: &str, name: &str) -> Option<String> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

fn says_close(head: &str) -> bool {
    field(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

/// An answer with 200 whose last line is a tag; of a stream also every piece.
fn judge(head: &str, body: &[u8]) -> End {
    let text = String::from_utf8_lossy(body);
    let status = head.split(' ').nth(1).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    match lines.split_last() {
        Some((tag, pieces)) if status == "200" && is_tag(tag) => {
            let right = pieces.iter().all(|piece| *piece == "piece");
            if right { End::Good((*tag).into()) } else { End::Wrong("pieces in disorder".into()) }
        }
        _ => {
            let said: String = text.chars().take(160).collect();
            End::Wrong(format!("{status}: {}", said.trim()).into())
        }
    }
}

/// `v1`, `v2`: what the service calls itself.
fn is_tag(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Lines there and back, for a time or for ever; the tag is that of the last one.
pub(super) async fn lines(target: &Target, length: Option<Duration>) -> End {
    let Some(to) = target.lines else { return End::Wrong("the target has no port for lines".into()) };
    let mut connection = match connect(to).await {
        Ok(connection) => connection,
        Err(end) => return end,
    };
    let began = Instant::now();
    for number in 0_u32.. {
        sleep_until(began + WORD * number).await;
        let word = format!("word {number}\n");
        let spoken = timeout(PATIENCE, async {
            connection.write_all(word.as_bytes()).await?;
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Err(whole("the connection"));
            }
            Ok(line)
        });
        let line = match spoken.await {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return End::Cut(error.to_string().into()),
            Err(_late) => return late("the line"),
        };
        match line.split_once(' ') {
            Some((tag, said)) if is_tag(tag) && said == word => {
                if length.is_some_and(|length| began.elapsed() >= length) {
                    return End::Good(tag.into());
                }
            }
            _ => return End::Wrong(line.trim().into()),
        }
    }
    End::Wrong("it ran out of numbers".into())
}

/// A WebSocket: texts there and back, then a close in order.
async fn socket(target: &Target) -> End {
    let mut connection = match connect(target.http).await {
        Ok(connection) => connection,
        Err(end) => return end,
    };
    let asked = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        target.host
    );
    let opened = timeout(PATIENCE, async {
        connection.write_all(asked.as_bytes()).await?;
        head(&mut connection).await
    });
    match opened.await {
        Ok(Ok(head)) if head.split(' ').nth(1) == Some("101") => {}
        Ok(Ok(head)) => return End::Wrong(head.lines().next().unwrap_or_default().into()),
        Ok(Err(error)) => return End::Cut(error.to_string().into()),
        Err(_late) => return late("the handshake"),
    }
    let began = Instant::now();
    for number in 0_u32.. {
        sleep_until(began + WORD * number).await;
        let over = began.elapsed() >= TALK;
        let (code, word) = if over { (0x88, Vec::new()) } else { (0x81, format!("word {number}").into_bytes()) };
        match timeout(PATIENCE, frame(&mut connection, code, &word)).await {
            Ok(Ok(said)) if said == word => {}
            Ok(Ok(said)) => return End::Wrong(String::from_utf8_lossy(&said).into()),
            Ok(Err(error)) => return End::Cut(error.to_string().into()),
            Err(_late) => return late("the word"),
        }
        if over {
            return End::Good("v0".into());
        }
    }
    End::Wrong("it ran out of numbers".into())
}

/// One short frame there, masked with zeros, and the one that comes back.
async fn frame(connection: &mut Connection, code: u8, word: &[u8]) -> io::Result<Vec<u8>> {
    let length = u8::try_from(word.len()).map_err(|_| io::Error::other("a word is short"))?;
    let mut bytes = vec![code, 0x80 | length, 0, 0, 0, 0];
    bytes.extend_from_slice(word);
    connection.write_all(&bytes).await?;
    let mut back = [0; 2];
    connection.read_exact(&mut back).await?;
    let [first, length] = back;
    let mut said = vec![0; usize::from(length)];
    connection.read_exact(&mut said).await?;
    if first == code { Ok(said) } else { Err(io::Error::other(format!("a frame of kind {first:#x}"))) }
}
