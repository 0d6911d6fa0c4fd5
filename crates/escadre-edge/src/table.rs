//! The routes as they are looked up for each request, and the swap from one table to the next.
//!
//! In → Out: [`Routes`] + the lives of the table before → [`Table`]; host and path, or listening address → [`Entry`].
//!
//! **Invariant**: a table never changes once it is made; the next one replaces it by one pointer swap. Counters and
//! flights live on over the swap, by route id and by backend id and address.
//!
//! Not here: reading the file (`files`), telling those who wait (`park`).
//!
//! Tests: `table/tests.rs`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use escadre_model::cidr::Cidr;
use escadre_model::routes::{self, Backend, BackendState, ProxyProtocol, Routes};

use crate::control::Counters;
use crate::flight::{BackendLive, Changed, Flight, RouteLive};
use crate::tls::keyring::{Brought, Secured};

#[cfg(test)]
mod tests;

/// Longest time a file or a command may ask for: a year. Beyond it a moment could not be computed.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Routes that left the file and are still counted: more than a fleet loses between two looks.
const MOST_FORMER: usize = 4096;

/// Milliseconds from a file or a command.
pub(crate) fn bounded(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds).min(LONGEST)
}

/// What is served now.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) generation: u64,
    pub(crate) drain: Duration,
    /// By normalised host, the longest path first.
    hosts: HashMap<String, Vec<(String, Target)>>,
    tcp: HashMap<SocketAddr, Arc<Entry>>,
    http: Vec<SocketAddr>,
    pub(crate) https: Vec<SocketAddr>,
    /// By normalised host: those that are served with TLS.
    secured: HashMap<String, Secured>,
    /// Proxies that are believed.
    pub(crate) trusted: Vec<Cidr>,
    /// Connections that one client may have, where the file says so.
    pub(crate) client_connections: Option<u32>,
    /// Everything, in the order of the file.
    pub(crate) entries: Vec<Arc<Entry>>,
}

/// What a host and path leads to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Serve(Arc<Entry>),
    /// Another name of the same thing.
    Redirect(Arc<Entry>),
}

/// One route, HTTP or TCP.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) live: Arc<RouteLive>,
    pub(crate) backends: Vec<Arc<BackendLive>>,
    pub(crate) parked: bool,
    /// A backend is being started.
    pub(crate) starting: bool,
    pub(crate) park: Duration,
    pub(crate) queue: u32,
    pub(crate) timeout: Duration,
    pub(crate) body_limit: Option<u64>,
    /// Backends are told who connects.
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    /// The first host, for redirects; empty for TCP.
    pub(crate) host: String,
}

/// What a listening address is for.
#[derive(Debug)]
pub(crate) enum Role {
    Http,
    Https,
    Tcp(Arc<Entry>),
}

/// The lives that outlast a table.
#[derive(Debug)]
pub(crate) struct Registry {
    routes: HashMap<String, Arc<RouteLive>>,
    /// Routes that left the file, the oldest first: their numbers still count.
    former: Vec<Arc<RouteLive>>,
    counted: Arc<Changed>,
    backends: BTreeMap<(String, SocketAddr), Arc<BackendLive>>,
    leaving: Vec<Arc<BackendLive>>,
}

impl Entry {
    /// Whether what arrives waits: by the file, or because somebody said `park`.
    pub(crate) fn is_parked(&self) -> bool {
        self.parked || self.live.held.load(Ordering::SeqCst)
    }

    /// The next open backend in turn that is not among those already tried.
    pub(crate) fn next(&self, tried: &[SocketAddr]) -> Option<Flight> {
        let many = self.backends.len();
        if many == 0 {
            return None;
        }
        let first = self.live.turn.fetch_add(1, Ordering::Relaxed) % many;
        let turn = self.backends.iter().cycle().skip(first).take(many);
        turn.filter(|b| !tried.contains(&b.address)).find_map(|b| b.enter())
    }
}

impl Table {
    /// The route for a normalised host and a request path.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<Target> {
        let paths = self.hosts.get(host)?;
        let serves = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.is_empty())
        };
        paths.iter().find(|(prefix, _)| serves(prefix)).map(|(_, target)| target.clone())
    }

    /// What is said about TLS for a normalised host; `None`: it is served without.
    pub(crate) fn secured(&self, host: &str) -> Option<&Secured> {
        self.secured.get(host)
    }

    /// Every host that is served with TLS.
    pub(crate) fn all_secured(&self) -> impl Iterator<Item = (&String, &Secured)> {
        self.secured.iter()
    }

    /// What a listening address is for; `None` when nothing is served there any more.
    pub(crate) fn role(&self, listen: &SocketAddr) -> Option<Role> {
        if self.http.contains(listen) {
            return Some(Role::Http);
        }
        if self.https.contains(listen) {
            return Some(Role::Https);
        }
        self.tcp.get(listen).map(|entry| Role::Tcp(Arc::clone(entry)))
    }

    /// Every address something is served at.
    pub(crate) fn listens(&self) -> impl Iterator<Item = SocketAddr> {
        self.http.iter().chain(&self.https).chain(self.tcp.keys()).copied()
    }
}

impl Registry {
    pub(crate) fn new(counted: &Arc<Changed>) -> Registry {
        Registry {
            routes: HashMap::new(),
            former: Vec::new(),
            counted: Arc::clone(counted),
            backends: BTreeMap::new(),
            leaving: Vec::new(),
        }
    }

    /// Makes the table of these routes. Nothing is closed yet: that is [`Registry::settle`], after the swap, so that the
    /// new backends are open before the old ones close.
    pub(crate) fn compile(&mut self, routes: &Routes, brought: &Brought) -> Table {
        let mut table = Table {
            generation: routes.generation,
            drain: bounded(routes.drain_ms),
            http: routes.http_listen.clone(),
            https: routes.https_listen.clone(),
            trusted: routes.trusted_proxies.clone(),
            client_connections: routes.client_connections,
            ..Table::default()
        };
        for route in &routes.routes {
            let entry = Arc::new(Entry {
                live: self.route(&route.id),
                backends: self.backends(&route.backends),
                parked: route.parked,
                starting: route.starting,
                park: bounded(route.park_ms),
                queue: route.park_queue,
                timeout: bounded(route.timeout_ms),
                body_limit: route.body_limit_bytes,
                proxy_protocol: None,
                host: route.hosts.first().and_then(|h| routes::normal_host(h)).unwrap_or_default(),
            });
            let path = routes::normal_path(route.path.as_deref()).unwrap_or_default();
            let mut claim = |written: &String, target: Target| {
                if let Some(host) = routes::normal_host(written) {
                    if let Some(secured) = Secured::of(route, &host, brought) {
                        table.secured.insert(host.clone(), secured);
                    }
                    table.hosts.entry(host).or_default().push((path.clone(), target));
                }
            };
            route.hosts.iter().for_each(|h| claim(h, Target::Serve(Arc::clone(&entry))));
            route.redirect_hosts.iter().for_each(|h| claim(h, Target::Redirect(Arc::clone(&entry))));
            table.entries.push(entry);
        }
        for paths in table.hosts.values_mut() {
            paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        }
        for route in &routes.tcp {
            let entry = Arc::new(Entry {
                live: self.route(&route.id),
                backends: self.backends(&route.backends),
                parked: route.parked,
                starting: false,
                park: bounded(route.park_ms),
                queue: route.park_queue,
                timeout: LONGEST,
                body_limit: None,
                proxy_protocol: route.proxy_protocol,
                host: String::new(),
            });
            table.tcp.insert(route.listen, Arc::clone(&entry));
            table.entries.push(entry);
        }
        table
    }

    fn route(&mut self, id: &str) -> Arc<RouteLive> {
        if let Some(live) = self.routes.get(id) {
            return Arc::clone(live);
        }
        // One that comes back goes on counting.
        let former = self.former.iter().position(|live| live.id == id);
        let live = former.map_or_else(|| RouteLive::new(id, &self.counted), |at| self.former.remove(at));
        self.routes.insert(id.to_owned(), Arc::clone(&live));
        live
    }

    fn backends(&mut self, written: &[Backend]) -> Vec<Arc<BackendLive>> {
        let live = |b: &Backend| {
            let new = || BackendLive::new(&b.id, b.address);
            Arc::clone(self.backends.entry((b.id.clone(), b.address)).or_insert_with(new))
        };
        written.iter().map(live).collect()
    }

    /// After the swap: closes what drains, lets go what left the file. Gives the backends that left.
    pub(crate) fn settle(&mut self, routes: &Routes) -> Vec<Arc<BackendLive>> {
        let http = routes.routes.iter().flat_map(|r| &r.backends);
        let tcp = routes.tcp.iter().flat_map(|r| &r.backends);
        // One container that drains in one route drains in all.
        let mut filed: BTreeMap<(&str, SocketAddr), bool> = BTreeMap::new();
        for backend in http.chain(tcp) {
            *filed.entry((&backend.id, backend.address)).or_default() |= backend.state == BackendState::Draining;
        }
        let ids: std::collections::HashSet<&str> =
            routes.routes.iter().map(|r| r.id.as_str()).chain(routes.tcp.iter().map(|r| r.id.as_str())).collect();
        let gone = self.routes.extract_if(|id, _| !ids.contains(id.as_str())).map(|(_, live)| live);
        self.former.extend(gone);
        let too_many = self.former.len().saturating_sub(MOST_FORMER);
        self.former.drain(..too_many);
        let mut left = Vec::new();
        self.backends.retain(|(id, address), live| match filed.get(&(id.as_str(), *address)) {
            Some(draining) => {
                live.set_filed(*draining);
                true
            }
            None => {
                left.push(Arc::clone(live));
                false
            }
        });
        self.leaving.extend(left.iter().cloned());
        left
    }

    /// Forgets backends that left and have nothing under way any more.
    pub(crate) fn prune(&mut self) {
        self.leaving.retain(|b| !b.is_gone() || b.in_flight() > 0);
        self.backends.values().for_each(|b| b.pool.prune());
    }

    /// The numbers of every route, also of those that left.
    pub(crate) fn counters(&self) -> impl Iterator<Item = Counters> + '_ {
        self.routes.values().chain(&self.former).map(|live| live.counters())
    }

    /// Every backend that stands in the table or still has work.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<BackendLive>> {
        self.backends.values().chain(&self.leaving)
    }

    /// The backends of an id: one for each of its addresses, and those that left under this id.
    pub(crate) fn named(&self, id: &str) -> Vec<Arc<BackendLive>> {
        self.all().filter(|b| b.id == id).cloned().collect()
    }
}
