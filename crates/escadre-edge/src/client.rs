//! Who asks: the one who connected, or the one for whom a trusted proxy did.
//!
//! In → Out: a request's headers, its connection, the networks of trusted proxies → [`Client`].
//!
//! **Invariant**: nothing that a client says of itself is believed. `X-Forwarded-For` is read from its right end, where
//! the nearest proxy wrote, and only as far as each hop is trusted. `Forwarded` (RFC 7239) is never believed: a proxy
//! that writes the one header passes the other on as it came.
//!
//! Not here: what backends are told (`headers`).
//!
//! Tests: `client/tests.rs`.

use std::net::{IpAddr, SocketAddr};

use escadre_model::cidr::Cidr;
use http::HeaderMap;
use http::header::HeaderValue;

#[cfg(test)]
mod tests;

/// Proxies in a row that are followed: more is a loop, or a lie.
const MOST_HOPS: usize = 16;

/// Who asks, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Who asked.
    pub(crate) ip: IpAddr,
    /// The proxies it came through, the nearest one last; none: it connected itself.
    pub(crate) via: Vec<IpAddr>,
    /// Whether it used TLS, with us or with the proxy.
    pub(crate) tls: bool,
    /// The port it came to.
    pub(crate) port: u16,
    /// The host it asked the proxy for, where that is another than the one that the proxy asks us for.
    pub(crate) host: Option<HeaderValue>,
}

impl Client {
    /// `port` and `tls` are those of the connection with us.
    pub(crate) fn of(headers: &HeaderMap, peer: SocketAddr, port: u16, tls: bool, trusted: &[Cidr]) -> Client {
        let peer = peer.ip().to_canonical();
        let itself = Client { ip: peer, via: Vec::new(), tls, port, host: None };
        let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
        if !is_trusted(peer) {
            return itself;
        }
        let mut client = itself;
        for said in from_the_right(headers) {
            // What is not an address was written by nobody whom we could believe; what stands left of it neither.
            let Some(ip) = said.and_then(address) else { break };
            client.via.push(client.ip);
            client.ip = ip;
            if !is_trusted(ip) || client.via.len() == MOST_HOPS {
                break;
            }
        }
        client.via.reverse();
        if let Some(scheme) = one(headers, "x-forwarded-proto").and_then(|v| v.to_str().ok()) {
            if scheme.eq_ignore_ascii_case("https") && !client.tls {
                (client.tls, client.port) = (true, 443);
            } else if scheme.eq_ignore_ascii_case("http") && client.tls {
                (client.tls, client.port) = (false, 80);
            }
        }
        if let Some(port) = one(headers, "x-forwarded-port").and_then(|v| v.to_str().ok()?.trim().parse().ok()) {
            client.port = port;
        }
        let host = one(headers, "x-forwarded-host");
        client.host = host.filter(|h| h.to_str().is_ok_and(|h| crate::headers::host_and_port(h).is_some())).cloned();
        client
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// Everybody, from the client to the proxy that connected to us.
    pub(crate) fn chain(&self) -> impl Iterator<Item = IpAddr> + '_ {
        std::iter::once(self.ip).chain(self.via.iter().copied())
    }
}

/// The only value of a header; two would be two opinions.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).into_iter();
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// The entries of `X-Forwarded-For`, the last one first; `None` for one that is not text.
fn from_the_right(headers: &HeaderMap) -> impl Iterator<Item = Option<&str>> {
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|b| *b == b',').map(|entry| std::str::from_utf8(entry).ok()))
}

/// An address as proxies write it: with or without brackets and port.
fn address(written: &str) -> Option<IpAddr> {
    let written = written.trim();
    let bare = || written.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || written.parse::<SocketAddr>().ok().map(|a| a.ip());
    written.parse().ok().or_else(bare).or_else(with_port).map(|ip: IpAddr| ip.to_canonical())
}
