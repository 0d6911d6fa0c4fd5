//! How many connections one client may have open.
//!
//! In → Out: a client's address → a guard that counts it until it is dropped, or nothing where it has enough.
//!
//! **Invariant**: one client never takes all places. An IPv6 client is its /64: whoever has one address there has all of
//! them. Proxies that are believed stand for many clients and are not counted.
//!
//! Not here: the places themselves (`state::Edge::open`).
//!
//! Tests: at the end of this file, `tests/it/hostile.rs`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::flight::lock;

/// The log says that somebody had too many no oftener than this.
const TELL: Duration = Duration::from_secs(60);

/// Who is here.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    clients: Mutex<HashMap<IpAddr, u32>>,
    told: Mutex<Option<Instant>>,
}

/// One connection of a client, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    crowd: Arc<Crowd>,
    client: IpAddr,
}

/// Who is counted together.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four => four,
    }
}

impl Crowd {
    /// Lets one in, unless it has `most` already.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, most: u32) -> Option<Guest> {
        let client = client(address);
        let mut clients = lock(&self.clients);
        let count = clients.entry(client).or_default();
        // One that is let in always has its entry; one that is not had it before.
        if *count >= most.max(1) {
            return None;
        }
        *count += 1;
        Some(Guest { crowd: Arc::clone(self), client })
    }

    /// Whether it is time to say once more that somebody had too many.
    pub(crate) fn is_worth_telling(&self) -> bool {
        let mut told = lock(&self.told);
        let worth = told.is_none_or(|at| at.elapsed() >= TELL);
        if worth {
            *told = Some(Instant::now());
        }
        worth
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut clients = lock(&self.crowd.clients);
        if let Entry::Occupied(mut entry) = clients.entry(self.client) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        // What ten thousand clients needed once is not kept for ever.
        if clients.len() * 8 < clients.capacity() && clients.capacity() > 1024 {
            clients.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_share_and_no_more() {
        let crowd = Arc::<Crowd>::default();
        let enter = |address: &str| crowd.enter(address.parse().expect("an address"), 2);
        let (one, two) = (enter("192.0.2.1"), enter("::ffff:192.0.2.1"));
        assert!(one.is_some() && two.is_some());
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(one);
        assert!(enter("192.0.2.1").is_some());
        let _here = (enter("2001:db8::1"), enter("2001:db8::ffff:2"));
        assert!(enter("2001:db8::3").is_none(), "one network of one customer");
        assert!(enter("2001:db8:0:1::3").is_some());
        drop(two);
        assert_eq!(lock(&crowd.clients).len(), 1, "whoever left is forgotten");
    }
}
