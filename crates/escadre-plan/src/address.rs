//! Addresses: a subnet for every network, an address for every new container, a loopback port where containers cannot be reached.
//!
//! In: the target's pool and everything in use. Out: subnets, addresses and ports that nobody has.
//! **Invariant:** nothing planned overlaps anything seen or planned before in the same plan; the same input gives the same addresses. The cost of
//! each is that of an ordered set of merged ranges.
//! Not here: what needs an address (`steps`).
//! Tests: `address/tests.rs`, `tests/it/groups.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

/// The place that an identity chooses in a pool or range.
pub(crate) fn seed(identity: impl AsRef<[u8]>) -> u64 {
    let hash = escadre_model::hash::Hash::of(identity);
    hash.as_str().get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// A range of IPv4 addresses in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

impl Subnet {
    /// Reads `10.210.0.0/26`; bits behind the prefix are dropped. `None`: not IPv4, or not CIDR.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = text.trim().split_once('/')?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let base = u32::from(base.parse::<Ipv4Addr>().ok()?);
        Some(Self { base: base & Self::mask(prefix), prefix })
    }

    fn mask(prefix: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
    }

    /// The last address.
    fn last(self) -> u32 {
        self.base | !Self::mask(self.prefix)
    }

    /// Is the address within?
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.base..=self.last()).contains(&u32::from(address))
    }

    /// Do the two have an address in common?
    pub fn overlaps(self, other: Self) -> bool {
        self.base <= other.last() && other.base <= self.last()
    }

    /// Its first address behind the network's own: the gateway.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base.saturating_add(1))
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

/// The target's pool of subnets, with what is in use.
#[derive(Clone, Debug)]
pub struct Pool {
    whole: Option<Subnet>,
    prefix: u8,
    /// First → last address of each range in use; they may not overlap each other, because they are merged when added.
    used: BTreeMap<u32, u32>,
}

impl Pool {
    /// A pool from its text (`10.210.0.0/16`) and the prefix of what it hands out. A pool that cannot be read hands out nothing.
    pub fn new(text: &str, prefix: u8) -> Self {
        let whole = Subnet::parse(text).filter(|whole| prefix >= whole.prefix && prefix <= 30);
        Self { whole, prefix, used: BTreeMap::new() }
    }

    /// Marks a subnet as in use; a text that is no IPv4 subnet uses nothing of the pool.
    pub fn mark(&mut self, text: &str) {
        if let Some(subnet) = Subnet::parse(text) {
            self.insert(subnet.base, subnet.last());
        }
    }

    /// Does something in use overlap it?
    pub fn overlaps(&self, subnet: Subnet) -> bool {
        self.covering(subnet.base, subnet.last()).is_some()
    }

    /// A free subnet at or behind a place in the pool that the caller's identity chooses, marked as in use. So the same network finds the same subnet
    /// again, and two commands that plan at the same moment, each unseen by the other, hardly ever choose the same. `None`: the pool is used up.
    pub fn near(&mut self, seed: u64) -> Option<Subnet> {
        let whole = self.whole?;
        let size = 1_u64 << (32 - u32::from(self.prefix));
        let (begin, end) = (u64::from(whole.base), u64::from(whole.last()) + 1);
        let start = begin + seed % ((end - begin) / size) * size;
        let found = self.free(start, end, size).or_else(|| self.free(begin, start, size))?;
        self.insert(found.base, found.last());
        Some(found)
    }

    /// The first free subnet between two addresses on a boundary.
    fn free(&self, mut next: u64, end: u64, size: u64) -> Option<Subnet> {
        while next + size <= end {
            let base = u32::try_from(next).ok()?;
            let last = u32::try_from(next + size - 1).ok()?;
            match self.covering(base, last) {
                None => return Some(Subnet { base, prefix: self.prefix }),
                // The first place behind what is in the way, on a boundary.
                Some(taken) => next = (u64::from(taken) / size + 1) * size,
            }
        }
        None
    }

    /// The end of the last range that overlaps these addresses.
    fn covering(&self, first: u32, last: u32) -> Option<u32> {
        self.used.range(..=last).next_back().map(|(_, end)| *end).filter(|end| *end >= first)
    }

    fn insert(&mut self, mut first: u32, mut last: u32) {
        while let Some((start, end)) =
            self.used.range(..=last).next_back().map(|(start, end)| (*start, *end)).filter(|(_, end)| *end >= first)
        {
            self.used.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.used.insert(first, last);
    }
}

/// The addresses of one network.
#[derive(Clone, Debug)]
pub struct Addresses {
    subnet: Subnet,
    used: BTreeSet<u32>,
    next: u32,
}

impl Addresses {
    /// A network's addresses; the first one is the gateway's.
    pub fn new(subnet: Subnet) -> Self {
        Self { subnet, used: BTreeSet::new(), next: subnet.base.saturating_add(2) }
    }

    /// The same for a network on which the engine gives addresses too, from below: ours are taken from the middle on.
    pub fn upper_half(subnet: Subnet) -> Self {
        let middle = subnet.base + (subnet.last() - subnet.base) / 2 + 1;
        Self { subnet, used: BTreeSet::new(), next: middle }
    }

    /// The subnet they are in.
    pub fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// Marks an address as in use. New ones are taken behind the highest in use, so that one that was just given up is not reused at once.
    pub fn mark(&mut self, address: Ipv4Addr) {
        self.reserve(address);
        if self.subnet.contains(address) {
            self.next = self.next.max(u32::from(address).saturating_add(1));
        }
    }

    /// Keeps an address for the one who wrote it.
    pub fn reserve(&mut self, address: Ipv4Addr) {
        self.used.insert(u32::from(address));
    }

    /// A free address, marked as in use. `None`: the subnet is full.
    pub fn take(&mut self) -> Option<Ipv4Addr> {
        // The last address of a subnet is its broadcast address.
        let (first, end) = (self.subnet.base.saturating_add(2), self.subnet.last());
        let from = self.next.clamp(first, end.max(first));
        let found = (from..end).chain(first..from.min(end)).find(|address| !self.used.contains(address))?;
        self.used.insert(found);
        self.next = found.saturating_add(1);
        Some(Ipv4Addr::from(found))
    }
}

/// TCP ports to choose from.
#[derive(Clone, Debug)]
pub struct Ports {
    range: RangeInclusive<u16>,
    used: BTreeSet<u16>,
    next: u32,
}

impl Ports {
    /// Ports of a range, without those in use.
    pub fn new(range: RangeInclusive<u16>, used: impl IntoIterator<Item = u16>) -> Self {
        let next = u32::from(*range.start());
        Self { range, used: used.into_iter().collect(), next }
    }

    /// The next free port, marked as in use. `None`: there is none left.
    pub fn take(&mut self) -> Option<u16> {
        let (start, end) = (u32::from(*self.range.start()), u32::from(*self.range.end()));
        let found = (self.next..=end)
            .chain(start..self.next.min(end.saturating_add(1)))
            .filter_map(|port| u16::try_from(port).ok())
            .find(|port| !self.used.contains(port))?;
        self.used.insert(found);
        self.next = u32::from(found) + 1;
        Some(found)
    }

    /// A free port at or behind a place in the range that the caller's identity chooses, so that the same one is found again; marked as in use.
    pub fn near(&mut self, seed: u64) -> Option<u16> {
        let (start, end) = (u64::from(*self.range.start()), u64::from(*self.range.end()));
        let size = (end + 1).checked_sub(start).filter(|size| *size > 0)?;
        let found = (0..size)
            .filter_map(|step| u16::try_from(start + (seed % size + step) % size).ok())
            .find(|port| !self.used.contains(port))?;
        self.used.insert(found);
        Some(found)
    }
}

#[cfg(test)]
mod tests;
