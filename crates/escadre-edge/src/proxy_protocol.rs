//! PROXY protocol: a backend that asked for it is told first who connects (HAProxy's specification, 2.1 and 2.2).
//!
//! In → Out: both ends of a client's connection → the bytes before its own.
//!
//! **Invariant**: one header for each connection, before any byte of the client. Addresses of one connection are of one
//! family.
//!
//! Not here: which route asks for it (`table`); reading such headers, which the edge never does.
//!
//! Tests: at the end of this file, `tests/it/tcp.rs`.

use std::net::{IpAddr, SocketAddr};

use escadre_model::routes::ProxyProtocol;

/// The twelve bytes that no other protocol begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, a connection on behalf of somebody.
const PROXY: u8 = 0x21;
/// TCP over IPv4 and IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The header for a connection from `client` to `local`.
pub(crate) fn header(version: ProxyProtocol, client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    // An IPv4 client of an IPv6 listener is one of IPv4.
    let (from, to) = match (client.ip().to_canonical(), local.ip().to_canonical()) {
        (from @ IpAddr::V4(_), to @ IpAddr::V4(_)) | (from @ IpAddr::V6(_), to @ IpAddr::V6(_)) => (from, to),
        (from, to) => (IpAddr::V6(six(from)), IpAddr::V6(six(to))),
    };
    match version {
        ProxyProtocol::V1 => {
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            format!("PROXY {family} {from} {to} {} {}\r\n", client.port(), local.port()).into_bytes()
        }
        ProxyProtocol::V2 => {
            let mut addresses = octets(from);
            addresses.extend(octets(to));
            addresses.extend(client.port().to_be_bytes());
            addresses.extend(local.port().to_be_bytes());
            let mut bytes = SIGNATURE.to_vec();
            bytes.extend([PROXY, if from.is_ipv4() { TCP4 } else { TCP6 }]);
            // 12 or 36.
            bytes.extend(u16::try_from(addresses.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend(addresses);
            bytes
        }
    }
}

fn six(ip: IpAddr) -> std::net::Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: ProxyProtocol, client: &str, local: &str) -> Vec<u8> {
        header(version, client.parse().expect("an address"), local.parse().expect("an address"))
    }

    #[test]
    fn headers_are_as_specified() {
        let one = |client, local| String::from_utf8(told(ProxyProtocol::V1, client, local)).expect("text");
        assert_eq!(one("192.0.2.7:51000", "198.51.100.1:443"), "PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n");
        assert_eq!(one("[2001:db8::7]:1", "[2001:db8::1]:2"), "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n");
        assert_eq!(one("[::ffff:192.0.2.7]:1", "[::ffff:192.0.2.1]:2"), "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n");
        let two = told(ProxyProtocol::V2, "192.0.2.7:258", "198.51.100.1:443");
        let expected = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &[192, 0, 2, 7, 198, 51, 100, 1, 1, 2, 1, 187]];
        assert_eq!(two, expected.concat());
        let six = told(ProxyProtocol::V2, "[2001:db8::7]:1", "[2001:db8::1]:2");
        assert_eq!((six.len(), six[13], six[15]), (16 + 36, 0x21, 36));
    }
}
