//! Two generations side by side: names for those who ask the engine's DNS, callers that are watched, connections that are awaited.
//!
//! In: steps with containers' names on the engine. Out: outcomes.
//! **Invariant:** a container keeps its addresses; whoever cannot be seen any more is not waited for.
//! Not here: hosts files (`hosts`), requests through the edge (`crate::edge`).
//! Tests: `beside/tests.rs`, `tests/it`, and the conformance suite of `escadre-testkit`.

use super::door::{Call, encode};
use super::gate::words;
use super::host::{self, Connection};
use super::{Engine, containers, outcome};
use escadre_engine::ports::{Changed, Error, Event, Job, Outcome};
use escadre_model::ids::ResourceId;
use escadre_model::observed::Lookup;
use escadre_plan::step::{PlacedNetwork, Watch};
use escadre_render::engine::{create, read};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks at socket tables. Connections that end between two looks are seen all the same for a minute, at the end that closed them.
const LOOK: Duration = Duration::from_millis(100);
/// Callers that are seen to call nobody for this long are not watched any longer.
const UNSEEN: Duration = Duration::from_secs(2);
/// From here on a call to a former address counts: Go's resolver reads a hosts file again after five seconds.
const SETTLED: Duration = Duration::from_millis(5_500);
/// The longest watch.
const WATCHED: Duration = Duration::from_millis(7_500);
/// With so many calls to the new address, health checks apart, and none to the former one, a program is taken for one that looks names up again.
const CALLS: usize = 3;
/// A container whose open connections from within are not joined by a new one for this long serves connection pools only.
const POOLS: Duration = Duration::from_secs(3);

/// A container's process and addresses.
struct Seen {
    process: i64,
    addresses: BTreeSet<IpAddr>,
    gateways: BTreeSet<IpAddr>,
}

/// What a watch saw so far: connections, as (caller, called).
#[derive(Debug)]
struct Calls {
    /// Connections to former addresses that were there when it began, or came before a new look-up could be expected.
    early: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Connections to former addresses since then.
    late: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Connections to new addresses.
    current: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Was any connection made since it began?
    any: bool,
}

/// What a watch found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It goes on.
    Open,
    /// Programs that look up again, or once.
    Known(Lookup),
    /// Nothing that would tell.
    Unknown,
}

impl Calls {
    /// What was there when the watch began.
    fn from(former: &[(SocketAddr, SocketAddr)], current: &[(SocketAddr, SocketAddr)]) -> Self {
        let (early, current) = (former.iter().copied().collect(), current.iter().copied().collect::<BTreeSet<_>>());
        Self { early, late: BTreeSet::new(), any: !current.is_empty(), current }
    }

    /// Takes a further look into account.
    fn see(&mut self, time: Duration, former: &[(SocketAddr, SocketAddr)], current: &[(SocketAddr, SocketAddr)]) {
        for pair in former {
            if !self.early.contains(pair) {
                self.any |= if time >= SETTLED { self.late.insert(*pair) } else { self.early.insert(*pair) };
            }
        }
        for pair in current {
            self.any |= self.current.insert(*pair);
        }
    }

    fn verdict(&self, time: Duration, check_ms: u64) -> Verdict {
        if !self.late.is_empty() {
            return Verdict::Known(Lookup::Once);
        }
        if !self.any && time >= UNSEEN {
            return Verdict::Unknown;
        }
        if time < WATCHED {
            return Verdict::Open;
        }
        // Its own checks may be among the calls, and they resolve names in a process of their own.
        let passed = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let checks = passed.checked_div(check_ms).map_or(0, |count| usize::try_from(count + 1).unwrap_or(usize::MAX));
        if self.current.len() >= CALLS.saturating_add(checks) {
            return Verdict::Known(Lookup::Again);
        }
        Verdict::Unknown
    }
}

impl Engine {
    pub(super) async fn join(&self, name: &str, networks: &[PlacedNetwork]) -> Result<Outcome, Error> {
        let mut changed = Changed::NotNeeded;
        for on in networks {
            let Some(entry) = self.inspect(name).await? else {
                return Err(Error::Bug {
                    act: format!("join network {}", on.name).into(),
                    why: format!("there is no container {name}").into(),
                });
            };
            let there = read::endpoints(&entry).remove(&on.name);
            if there.as_ref().is_some_and(|there| there.names.iter().eq(sorted(&on.aliases))) {
                continue;
            }
            let planned = read::container(&entry).and_then(|ours| ours.seen.addresses.get(&on.name).copied());
            let address = on.address.or_else(|| there.as_ref()?.address).or(planned).ok_or_else(|| Error::Bug {
                act: format!("join network {}", on.name).into(),
                why: format!("nobody knows the address of {name} there").into(),
            })?;
            let left = match &there {
                Some(_) => self.disconnect(name, &on.name).await,
                None => Ok(()),
            };
            let hardware = there.as_ref().and_then(|there| there.hardware.as_deref());
            let attached = create::Attached { container: name, address, hardware, names: &on.aliases };
            let joined = self.connect_to(&on.name, create::connect(&attached, self.api.dialect)).await;
            // Podman may have taken it off and fail over its own DNS server all the same ("aardvark pid not found", 4.3); it refuses to show such a
            // container until it is attached again. Where it was not taken off, it cannot be attached, and the first error is the one that says why.
            joined.map_err(|error| left.err().unwrap_or(error))?;
            changed = Changed::Updated;
        }
        Ok(outcome(changed))
    }

    async fn disconnect(&self, name: &str, network: &str) -> Result<(), Error> {
        let act = format!("take container {name} off network {network}");
        let path = self.compat(&format!("/networks/{}/disconnect", encode(network)));
        let call = Call::post(act, path).json(json!({"Container": name, "Force": false}));
        self.door.bytes(call).await.map(drop)
    }

    pub(super) async fn connect_to(&self, network: &str, body: Value) -> Result<(), Error> {
        let path = format!("/networks/{}/connect", encode(network));
        let path = self.libpod(&path).unwrap_or_else(|| self.compat(&path));
        let call = Call::post(format!("attach a container to network {network}"), path).json(body);
        self.door.bytes(call).await.map(drop)
    }

    /// Is it found under exactly these names?
    pub(super) async fn is_joined(&self, name: &str, networks: &[PlacedNetwork]) -> Result<bool, Error> {
        let Some(entry) = self.inspect(name).await? else { return Ok(false) };
        let there = read::endpoints(&entry);
        let has = |on: &PlacedNetwork| there.get(&on.name).is_some_and(|one| one.names.iter().eq(sorted(&on.aliases)));
        Ok(networks.iter().all(has))
    }

    async fn seen(&self, name: &str) -> Result<Option<Seen>, Error> {
        let Some(entry) = self.inspect(name).await? else { return Ok(None) };
        let process = entry.get("State").and_then(|state| state.get("Pid")).and_then(Value::as_i64).unwrap_or(0);
        if !containers::running(&entry) || process <= 0 {
            return Ok(None);
        }
        let on = read::endpoints(&entry);
        let addresses = on.values().filter_map(|one| one.address).collect();
        let gateways = on.values().filter_map(|one| one.gateway).collect();
        Ok(Some(Seen { process, addresses, gateways }))
    }

    pub(super) async fn observe_callers(&self, job: &Job<'_>, watch: &Watch) -> Result<Outcome, Error> {
        let mut callers = Vec::new();
        for name in &watch.callers {
            callers.extend(self.seen(name).await?);
        }
        let (mut former, mut current) = (Vec::new(), Vec::new());
        for one in &watch.successions {
            // One without a successor still is the one to be called.
            if let (Some(old), Some(new)) = (self.seen(&one.former).await?, self.seen(&one.current).await?) {
                former.push(old);
                current.push(new);
            }
        }
        let (verdict, calls) = self.watch(job, watch, &callers, &former, &current).await;
        let (follows, lookup) = match verdict {
            Verdict::Known(lookup) => (lookup == Lookup::Once, Some(lookup)),
            Verdict::Open | Verdict::Unknown => (watch.unseen && !former.is_empty(), None),
        };
        let seen = match verdict {
            Verdict::Known(Lookup::Once) => "it goes on calling the former address".to_owned(),
            Verdict::Known(Lookup::Again) => format!("it finds the new address, in {} calls", calls.current.len()),
            _ if follows => "whether it finds the new address was not to be seen".to_owned(),
            _ => "it was not seen to call the former address".to_owned(),
        };
        let changed = if follows { Changed::Updated } else { Changed::NotNeeded };
        Ok(Outcome { seen: Some(seen.into()), lookup, ..outcome(changed) })
    }

    async fn watch(
        &self,
        job: &Job<'_>,
        watch: &Watch,
        callers: &[Seen],
        former: &[Seen],
        current: &[Seen],
    ) -> (Verdict, Calls) {
        let began = Instant::now();
        let mut calls = Calls::from(&pairs(callers, former), &pairs(callers, current));
        let mut told = began;
        loop {
            let verdict = calls.verdict(began.elapsed(), watch.check_ms);
            if verdict != Verdict::Open || former.is_empty() {
                return (verdict, calls);
            }
            if told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                let news = format!("does it find its new neighbour? ({})", words(began.elapsed()));
                job.progress.tell(Event::StepNews(job.step.on.clone(), job.step.index, news.into()));
            }
            sleep(LOOK).await;
            calls.see(began.elapsed(), &pairs(callers, former), &pairs(callers, current));
        }
    }

    pub(super) async fn drain(
        &self,
        backends: &[ResourceId],
        deadline: Duration,
        name: &str,
        inside: Duration,
    ) -> Result<Outcome, Error> {
        let (left, within) = tokio::join!(self.edge.drain(backends, deadline), self.quiet(name, inside));
        let (left, within) = (left?, within?);
        let mut said = Vec::new();
        if left > 0 {
            said.push(format!("{left} still in flight when the time was up"));
        }
        if within > 0 {
            said.push(format!("{within} connections of other services still open"));
        }
        let seen = (!said.is_empty()).then(|| said.join(", ").into());
        Ok(Outcome { seen, ..outcome(Changed::NotNeeded) })
    }

    /// Waits until nobody within the instance is connected to a container any more, or only connection pools are; says how many connections are left.
    async fn quiet(&self, name: &str, deadline: Duration) -> Result<usize, Error> {
        let Some(seen) = self.seen(name).await?.filter(|_| !deadline.is_zero()) else { return Ok(0) };
        let began = Instant::now();
        let (mut known, mut newest) = (BTreeSet::new(), began);
        loop {
            // The process may have ended meanwhile: then nobody is connected to it.
            let now = incoming(&seen);
            for one in &now {
                if known.insert(*one) {
                    newest = Instant::now();
                }
            }
            if now.is_empty() || newest.elapsed() >= POOLS || began.elapsed() >= deadline {
                return Ok(now.len());
            }
            sleep(LOOK).await;
        }
    }
}

fn sorted(names: &[Arc<str>]) -> BTreeSet<&Arc<str>> {
    names.iter().collect()
}

/// Connections from any of the callers to any of the others, as both ends know them: (caller, called).
fn pairs(callers: &[Seen], called: &[Seen]) -> Vec<(SocketAddr, SocketAddr)> {
    let from = |address: IpAddr| callers.iter().any(|one| one.addresses.contains(&address));
    let to = |address: IpAddr| called.iter().any(|one| one.addresses.contains(&address));
    let mut found = BTreeSet::new();
    for one in called {
        // A process that is gone has no connections.
        for Connection { local, remote, .. } in host::connections_of(one.process).unwrap_or_default() {
            if from(remote.ip()) && to(local.ip()) {
                found.insert((remote, local));
            }
        }
    }
    for one in callers {
        for Connection { local, remote, .. } in host::connections_of(one.process).unwrap_or_default() {
            if from(local.ip()) && to(remote.ip()) {
                found.insert((local, remote));
            }
        }
    }
    found.into_iter().collect()
}

/// Established connections to the ports a container listens on, from others than itself and the host.
fn incoming(seen: &Seen) -> BTreeSet<(SocketAddr, SocketAddr)> {
    let ports = host::ports_of(seen.process).unwrap_or_default();
    let all = host::connections_of(seen.process).unwrap_or_default().into_iter();
    let foreign = |address: IpAddr| {
        !address.is_loopback() && !seen.addresses.contains(&address) && !seen.gateways.contains(&address)
    };
    all.filter(|one| one.established && ports.contains(&one.local.port()) && foreign(one.remote.ip()))
        .map(|one| (one.remote, one.local))
        .collect()
}

#[cfg(test)]
mod tests;
