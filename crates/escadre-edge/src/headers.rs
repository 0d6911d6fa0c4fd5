//! What is added to, replaced in and taken out of headers on their way.
//!
//! In → Out: a request's headers + who asks → the headers the backend gets; a backend's headers → the client's.
//!
//! **Invariant**: what a backend reads in `Forwarded` and `X-Forwarded-*` was written by us, of what is believed; what speaks about one
//! connection (RFC 9110, 7.6.1) does not cross to the other.
//!
//! Not here: framing (hyper writes Content-Length and Transfer-Encoding for what it sends).
//!
//! Tests: `headers/tests.rs`.

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::client::Client;

#[cfg(test)]
mod tests;

/// Headers of one connection, besides those that `Connection` names. Made once: this is on the way of every request.
static HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Most headers that a request has more of on its way than it had when it came.
const OURS: usize = 8;

/// What we tell backends.
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The protocol that is asked for by `Connection: upgrade`, lower case. `h2c` is none: through a tunnel of it a client
/// would speak to the backend past every rule of ours.
pub(crate) fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = tokens(headers, &header::CONNECTION).any(|t| t.eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(header::UPGRADE)?;
    let h2 = protocol.to_str().is_ok_and(|p| p.to_ascii_lowercase().contains("h2"));
    (asked && !h2).then(|| protocol.clone())
}

/// Takes out what belongs to the client's or the backend's connection.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<String> = tokens(headers, &header::CONNECTION).map(str::to_ascii_lowercase).collect();
        // Naming these must not take them away: the message would mean something else.
        let kept = ["host", "content-length", "content-type", "cookie", "authorization", "close"];
        for name in named.iter().filter(|n| !kept.contains(&n.as_str())) {
            headers.remove(name.as_str());
        }
    }
    // Most messages have none: looking over the few names costs less than asking for each of these.
    if headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
    }
}

/// The values of a header that is a list of tokens.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).map(str::trim).filter(|t| !t.is_empty())
}

/// HTTP/2 lets a client say its cookies in pieces; a backend of HTTP/1.1 reads the first (RFC 9113, 8.2.3).
fn one_cookie(headers: &mut HeaderMap) {
    let mut pieces = headers.get_all(header::COOKIE).iter();
    if pieces.by_ref().nth(1).is_none() {
        return;
    }
    let pieces: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Pieces of valid values make a valid value.
    if let Ok(whole) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(header::COOKIE, whole);
    }
}

/// Makes the headers of a request those that the backend gets.
pub(crate) fn forward(headers: &mut HeaderMap, client: &Client, host: &HeaderValue) {
    strip_hop_by_hop(headers);
    one_cookie(headers);
    let sent: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
    for name in sent {
        headers.remove(name);
    }
    // We answer it ourselves.
    headers.remove(header::EXPECT);

    // At once, instead of twice on the way there.
    headers.reserve(OURS);
    // HTTP/2 says it elsewhere; a backend reads it here.
    headers.insert(header::HOST, host.clone());
    let ip = client.ip.to_string();
    let scheme = client.scheme();
    // What the client asked for, wherever it asked.
    let asked = client.host.as_ref().unwrap_or(host);
    // The host was checked to be a host name and port: it needs no escaping inside the quotes.
    let first = [&*node(&ip), ";host=\"", asked.to_str().unwrap_or_default(), "\";proto=", scheme].concat();
    let (mut hops, mut nodes) = (ip.clone(), first);
    for via in client.chain().skip(1).map(|ip| ip.to_string()) {
        hops.extend([", ", &via]);
        nodes.extend([", ", &node(&via)]);
    }
    put(headers, &X_FORWARDED_FOR, hops);
    put(headers, &X_REAL_IP, ip);
    headers.insert(X_FORWARDED_PROTO.clone(), HeaderValue::from_static(scheme));
    headers.insert(X_FORWARDED_PORT.clone(), HeaderValue::from(client.port));
    headers.insert(X_FORWARDED_HOST.clone(), asked.clone());
    put(headers, &header::FORWARDED, nodes);
}

/// Whether a header's name, lower case, is one that only we write.
fn is_ours(name: &str) -> bool {
    // Servers with CGI's names cannot tell `_` from `-`; whoever writes it so means to be taken for us.
    let name = if name.contains('_') { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) };
    name.starts_with("x-forwarded-") || matches!(&*name, "forwarded" | "x-real-ip" | "proxy" | "http2-settings")
}

/// A hop's address as `Forwarded` has it (RFC 7239, 6).
fn node(ip: &str) -> String {
    // Of the two kinds only the one is written with colons.
    if ip.contains(':') { ["for=\"[", ip, "]\""].concat() } else { ["for=", ip].concat() }
}

fn put(headers: &mut HeaderMap, name: &HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name.clone(), value);
    }
}

/// A host, normalised, and the port that was named. `None` if it is not a host.
pub(crate) fn host_and_port(written: &str) -> Option<(String, Option<u16>)> {
    let end_of_name = written.rfind(']').unwrap_or(0);
    let (name, port) = match written.rfind(':') {
        Some(colon) if colon > end_of_name || end_of_name == 0 => {
            let (name, port) = written.split_at(colon);
            let port = port.strip_prefix(':')?;
            // `host:` is legal (RFC 3986, 3.2.3) and means no port.
            (name, if port.is_empty() { None } else { Some(number(port)?) })
        }
        _ => (written, None),
    };
    Some((escadre_model::routes::normal_host(name)?, port))
}

fn number(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
