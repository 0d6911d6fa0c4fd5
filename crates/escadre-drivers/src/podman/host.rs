//! The host itself: its routes, the ports somebody listens on, a container's own sockets.
//!
//! In: `/proc`. Out: subnets, ports.
//! **Invariant:** only reads; a line that cannot be understood is left out.
//! Not here: what is free (`escadre-plan`).
//! Tests: `host/tests.rs`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

/// The state of a listening socket in the kernel's table.
const LISTEN: &str = "0A";

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

fn listening(folder: &Path) -> BTreeSet<u16> {
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(folder.join(table)).ok())
        .flat_map(|table| open(&table))
        .collect()
}

fn open(table: &str) -> Vec<u16> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let local = words.nth(1)?;
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
