//! Short forms of ports: `8080:80`, `127.0.0.1:8000-8010:80-90/udp`.
//!
//! In: a text. Out: one entry per port, in the long form.
//! **Invariant**: an entry's numbers fit 16 bits; ranges of both sides have the same length, or the container's has one port.
//! Not here: what is published where (plan, edge).
//! Source: Compose Specification, services, `ports`, short syntax.
//! Tests: tests/cases/compose.

use std::net::IpAddr;

/// One port, as the short form says it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Port {
    /// The host's address, or empty.
    pub(crate) host_ip: String,
    /// The host's port or range, or empty.
    pub(crate) published: String,
    /// The container's port.
    pub(crate) target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub(crate) protocol: String,
}

/// Reads the short form.
pub(crate) fn parse(text: &str) -> Result<Vec<Port>, String> {
    let (host, published, container) = split(text);
    let (container, protocol) = container.split_once('/').map_or((container, "tcp"), |(port, protocol)| {
        // `80/` and `80` are the same.
        (port, if protocol.is_empty() { "tcp" } else { protocol })
    });
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("`{protocol}` is no protocol of ports"));
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if bracketed.is_none() && host.contains(':') {
        return Err(format!("the address `{host}` needs brackets: `[{host}]`"));
    }
    let host_ip = bracketed.unwrap_or(host);
    if !host_ip.is_empty() && host_ip.parse::<IpAddr>().is_err() {
        return Err(format!("`{host_ip}` is no address"));
    }
    if container.is_empty() {
        return Err("the container's port is missing".to_owned());
    }
    let (first, last) = range(container)?;
    if first == 0 {
        return Err("a container's port lies between 1 and 65535".to_owned());
    }
    let (host_first, host_last) = if published.is_empty() { (0, 0) } else { range(published)? };
    let single = first == last;
    if !published.is_empty() && last - first != host_last - host_first && !single {
        return Err(format!("the ranges `{published}` and `{container}` differ in length"));
    }
    let ports = (first..=last).map(|target| Port {
        host_ip: host_ip.to_owned(),
        published: match published {
            "" => String::new(),
            _ if single && host_first != host_last => format!("{host_first}-{host_last}"),
            _ => (u32::from(host_first) + u32::from(target - first)).to_string(),
        },
        target,
        protocol: protocol.clone(),
    });
    let mut ports: Vec<Port> = ports.collect();
    // The reference sorts a range's ports as texts.
    ports.sort_by_key(|port| format!("{}/{}", port.target, port.protocol));
    Ok(ports)
}

/// `host:published:container`; the host may hold colons itself.
fn split(text: &str) -> (&str, &str, &str) {
    match text.rsplit_once(':') {
        None => ("", "", text),
        Some((before, container)) => match before.rsplit_once(':') {
            None => ("", before, container),
            Some((host, published)) => (host, published, container),
        },
    }
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let number = |port: &str| {
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        port.parse::<u16>().ok().filter(|_| digits).ok_or_else(|| format!("`{text}` is no port (0 to 65535)"))
    };
    match text.split_once('-') {
        None => number(text).map(|port| (port, port)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first { Err(format!("the range `{text}` runs backwards")) } else { Ok((first, last)) }
        }
    }
}
