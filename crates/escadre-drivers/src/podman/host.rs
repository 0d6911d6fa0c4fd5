//! The host itself: its routes, the ports somebody listens on, a container's own sockets.
//!
//! In: `/proc`. Out: subnets, ports.
//! **Invariant:** only reads; a line that cannot be understood is left out.
//! Not here: what is free (`escadre-plan`).
//! Tests: `host/tests.rs`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// The state of a listening socket in the kernel's table.
const LISTEN: &str = "0A";
/// The state of an established connection.
const ESTABLISHED: &str = "01";

/// Subnets the host has routes to, as `10.210.0.0/26`; the default route is none.
pub(super) fn subnets() -> Vec<Arc<str>> {
    std::fs::read_to_string("/proc/net/route").map(|table| routes(&table)).unwrap_or_default()
}

/// TCP ports somebody on the host listens on.
pub(super) fn ports() -> BTreeSet<u16> {
    listening(Path::new("/proc/net"))
}

/// TCP ports that are open in the network of a process: a container's own socket table.
///
/// # Errors
/// When the process is gone.
pub(super) fn ports_of(process: i64) -> std::io::Result<BTreeSet<u16>> {
    let folder = format!("/proc/{process}/net");
    let folder = Path::new(&folder);
    std::fs::metadata(folder.join("tcp"))?;
    Ok(listening(folder))
}

/// A TCP connection in a socket table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Connection {
    /// This end.
    pub(super) local: SocketAddr,
    /// The other end.
    pub(super) remote: SocketAddr,
    /// It is in use; else it is being made, or has ended a short while ago.
    pub(super) established: bool,
}

/// The TCP connections in the network of a process, those that ended less than a minute ago included where this end closed them.
///
/// # Errors
/// When the process is gone.
pub(super) fn connections_of(process: i64) -> std::io::Result<Vec<Connection>> {
    let folder = format!("/proc/{process}/net");
    let folder = Path::new(&folder);
    let mut found = connections(&std::fs::read_to_string(folder.join("tcp"))?);
    // A kernel without IPv6 has no such table.
    found.extend(std::fs::read_to_string(folder.join("tcp6")).map(|table| connections(&table)).unwrap_or_default());
    Ok(found)
}

fn connections(table: &str) -> Vec<Connection> {
    let one = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
        let (local, remote) = (socket(local)?, socket(remote)?);
        (state != LISTEN).then_some(Connection { local, remote, established: state == ESTABLISHED })
    };
    table.lines().skip(1).filter_map(one).collect()
}

/// An address and port as the kernel writes them: words of 32 bits in its own byte order, in hexadecimal. IPv4 within IPv6 is IPv4.
fn socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(word(0)?.into()),
        32 => {
            let mut bytes = [0_u8; 16];
            for (chunk, at) in bytes.chunks_exact_mut(4).zip(0..) {
                chunk.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(bytes.into()).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

fn listening(folder: &Path) -> BTreeSet<u16> {
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(folder.join(table)).ok())
        .flat_map(|table| open(&table))
        .collect()
}

/// 127.0.0.11: Docker's resolver, which listens in the network of each container on a port of its own choice and is none of the service's.
const RESOLVER: &str = "0B00007F:";

fn open(table: &str) -> Vec<u16> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let local = words.nth(1).filter(|local| !local.starts_with(RESOLVER))?;
            (words.nth(1)? == LISTEN).then(|| u16::from_str_radix(local.rsplit(':').next()?, 16).ok())?
        })
        .collect()
}

fn routes(table: &str) -> Vec<Arc<str>> {
    let mut found: Vec<Arc<str>> = table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |index: usize| u32::from_str_radix(words.get(index)?, 16).ok().map(u32::swap_bytes);
            let (base, mask) = (number(1)?, number(7)?);
            (mask != 0).then(|| format!("{}/{}", Ipv4Addr::from(base), mask.count_ones()).into())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests;
