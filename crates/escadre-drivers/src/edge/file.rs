//! The edge of one state folder: its routes file is changed under its lock, then the edge is asked to take it.
//!
//! In: routes of one instance. Out: a new generation of `routes.json`, acknowledged.
//! **Invariant:** a call touches only the routes it names; a route is in force only when the edge has said so.
//! Not here: the shape of the file (`escadre_model::routes`), the edge itself.
//! Tests: `file/tests.rs`, `tests/it`.

use super::outdated::{self, Outdated};
use super::{Edge, Reveal, RoutesSeen, brought};
use crate::exec;
use crate::systemd::{self, Units};
use async_trait::async_trait;
use escadre_edge::control::{Client, ControlError, Loaded, Stats};
use escadre_edge::files;
use escadre_engine::ports::{Carried, Changed, Error, Traffic};
use escadre_model::cidr::Cidr;
use escadre_model::desired::{CertificateSource, HttpRoute, Route};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind, ResourceId, ResourceKey};
use escadre_model::name::Name;
use escadre_model::observed::RouteSeen;
use escadre_model::payload;
use escadre_model::routes::{self, Acme, Backend, Routes, TcpRoute, Tls};
use escadre_plan::step::RouteTarget;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a started edge may take until it answers.
const START: Duration = Duration::from_secs(10);
/// How long a port that is taken is waited for.
const LET_GO: Duration = Duration::from_secs(2);
/// Ends the id of the IPv6 half of a route that listens everywhere.
const SIX: &str = "@6";

/// What is set for the edge as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where it answers HTTP, while there is at least one HTTP route.
    pub http: Vec<SocketAddr>,
    /// Where it answers HTTPS, while there is at least one route with TLS.
    pub https: Vec<SocketAddr>,
    /// Who certifies public names; `None`: nobody is asked.
    pub acme: Option<Acme>,
    /// Proxies in front of it that are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Connections that one client may have; `None`: the edge's own number.
    pub client_connections: Option<u32>,
    /// Most bytes of the access log; `None`: there is none.
    pub access_log: Option<u64>,
}

impl Settings {
    /// Puts them in force in a table.
    fn put(&self, routes: &mut Routes) {
        let (any, tls) = (!routes.routes.is_empty(), routes.routes.iter().any(|route| route.tls.is_some()));
        routes.http_listen = if any { self.http.clone() } else { Vec::new() };
        routes.https_listen = if tls { self.https.clone() } else { Vec::new() };
        routes.acme = self.acme.clone().filter(|_| tls);
        routes.trusted_proxies.clone_from(&self.trusted_proxies);
        routes.client_connections = self.client_connections;
        routes.access_log_bytes = self.access_log;
    }
}

/// What had to be done to have an edge as it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing.
    Already,
    /// It took over other settings.
    Changed,
    /// It did not run, and runs now.
    Started,
}

/// How the edge is started where none runs: this program, with `proxy` and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The program: usually the running one.
    pub program: PathBuf,
    /// Its arguments: `proxy --dir DIR`.
    pub arguments: Vec<OsString>,
    /// The units it may have been installed as: then systemd starts it, so that there is one edge and not two.
    pub units: Option<Units>,
}

/// The edge of one folder.
#[derive(Clone, Debug)]
pub struct EdgeFiles {
    dir: PathBuf,
    client: Client,
    settings: Option<Settings>,
    start: Option<Start>,
    /// The one that runs was found to be of our version, or made so.
    caught_up: Arc<tokio::sync::OnceCell<()>>,
}

/// A route as it was; nothing means there was none.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Former {
    key: Arc<str>,
    http: Option<routes::Route>,
    tcp: Vec<TcpRoute>,
    spec: Option<Hash>,
}

/// Hashes of the routes' own settings by id: the edge has no use for them, the next plan has.
type Specs = BTreeMap<String, Hash>;

impl EdgeFiles {
    /// The edge of this folder. Without `settings` those that are in force stay; without `start` one that does not run is an
    /// error once a route needs it.
    pub fn new(dir: impl Into<PathBuf>, settings: Option<Settings>, start: Option<Start>) -> Self {
        let dir = dir.into();
        Self { client: Client::new(&dir), dir, settings, start, caught_up: Arc::default() }
    }

    /// The client of its control socket.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Has the settings in force for the routes that are there, and the edge running for them. Without any route there is nothing to do.
    ///
    /// # Errors
    /// When the file cannot be read, or the edge does not acknowledge.
    pub async fn settle(&self) -> Result<Settled, Error> {
        self.keep_up().await?;
        let there = self.read()?;
        if there.routes.is_empty() && there.tcp.is_empty() {
            return Ok(Settled::Already);
        }
        let mut then = there.clone();
        self.put_settings(&mut then);
        let runs = !matches!(self.client.status().await, Err(ControlError::Absent { .. }));
        if then != there {
            self.change(|_, _| ()).await?;
        } else if !runs {
            self.run().await?;
        }
        Ok(match (runs, then == there) {
            (false, _) => Settled::Started,
            (true, false) => Settled::Changed,
            (true, true) => Settled::Already,
        })
    }

    /// Has an edge that is older than this program replaced before anything is changed: it would refuse what we write, and what
    /// was begun could not be ended. Its listeners are handed over and what it carries goes on. Gives the version that was replaced.
    ///
    /// # Errors
    /// When it stays what it is, or is of a version that cannot work with what we write.
    pub async fn catch_up(&self) -> Result<Option<String>, Outdated> {
        outdated::catch_up(&self.client, &files::log_path(&self.dir)).await
    }

    /// [`EdgeFiles::catch_up`], once.
    async fn keep_up(&self) -> Result<(), Error> {
        let caught_up = || async { self.catch_up().await.map(drop) };
        let done = self.caught_up.get_or_try_init(caught_up).await;
        done.map(drop).map_err(|outdated| Error::Edge(outdated.to_string().into()))
    }

    fn put_settings(&self, routes: &mut Routes) {
        if let Some(settings) = &self.settings {
            settings.put(routes);
        }
    }

    fn read(&self) -> Result<Routes, Error> {
        files::read_routes(&self.dir).map_err(|error| Error::Edge(error.sentence().into()))
    }

    fn specs_path(&self) -> PathBuf {
        self.dir.join("routes.specs.json")
    }

    fn specs(&self) -> Specs {
        // What cannot be read is not known: the next plan switches these routes once more.
        std::fs::read(self.specs_path()).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Changes the file and has it taken. Where nothing changes the file stays, and the edge is only asked whether it serves it.
    async fn change(
        &self,
        change: impl Fn(&mut Routes, &mut Specs) + Send + 'static,
    ) -> Result<(Changed, Loaded), Error> {
        self.keep_up().await?;
        let this = self.clone();
        let changing = tokio::task::spawn_blocking(move || this.write(&change));
        let (changed, generation) = changing
            .await
            .map_err(|error| Error::Bug { act: "write the routes".into(), why: error.to_string().into() })??;
        Ok((changed, self.load(generation).await?))
    }

    fn write(&self, change: &(impl Fn(&mut Routes, &mut Specs) + Send)) -> Result<(Changed, u64), Error> {
        let refused = |error: files::FileError| Error::Edge(error.sentence().into());
        let apply = |routes: &mut Routes, specs: &mut Specs| {
            change(routes, specs);
            self.put_settings(routes);
            specs.retain(|id, _| routes.routes.iter().any(|r| r.id == *id) || routes.tcp.iter().any(|r| r.id == *id));
        };
        let now = files::read_routes(&self.dir).map_err(refused)?;
        let (mut then, mut specs) = (now.clone(), self.specs());
        let before = specs.clone();
        apply(&mut then, &mut specs);
        if then == now && specs == before {
            return Ok((Changed::NotNeeded, now.generation));
        }
        let mut kept = Ok(());
        let written = files::update_routes(&self.dir, |routes| {
            let mut specs = self.specs();
            apply(routes, &mut specs);
            kept = serde_json::to_vec(&specs)
                .map_err(std::io::Error::other)
                .and_then(|bytes| crate::podman::write_atomic(&self.specs_path(), &bytes, 0o600));
        })
        .map_err(refused)?;
        kept.map_err(|source| Error::Host { act: "remember the settings of routes".into(), source })?;
        Ok((Changed::Updated, written.generation))
    }

    async fn load(&self, generation: u64) -> Result<Loaded, Error> {
        match self.client.load(generation).await {
            Ok(loaded) => Ok(loaded),
            Err(ControlError::Absent { .. }) => {
                self.run().await?;
                self.client.load(generation).await.map_err(|error| Error::Edge(error.to_string().into()))
            }
            Err(error) => Err(Error::Edge(error.to_string().into())),
        }
    }

    /// The edge runs: started, by its unit or detached, if it does not.
    ///
    /// # Errors
    /// When it ends at once or does not answer.
    pub async fn ensure(&self) -> Result<(), Error> {
        if self.client.status().await.is_ok() { Ok(()) } else { self.run().await }
    }

    /// Starts the edge, by its unit if it is installed and else detached, and waits until it answers.
    async fn run(&self) -> Result<(), Error> {
        let Some(start) = &self.start else {
            return Err(Error::Edge(
                format!("no edge runs in {}; start it with `escadre proxy`", self.dir.display()).into(),
            ));
        };
        files::make_dir(&self.dir).map_err(|error| Error::Edge(error.sentence().into()))?;
        if let Some(units) = start.units.clone().filter(|units| units.systemd_runs() && units.is_installed()) {
            return Self::run_unit(units).await;
        }
        let mut child = exec::Call::own(&start.program, &start.arguments)
            .detach()
            .map_err(|error| Error::Host { act: "start the edge".into(), source: std::io::Error::other(error) })?;
        let deadline = tokio::time::Instant::now() + START;
        loop {
            if self.client.status().await.is_ok() {
                return Ok(());
            }
            let log = files::log_path(&self.dir);
            // One that ends at once says why in its log, unless another one was quicker and answers now.
            if let Some(status) = child.failed()
                && self.client.status().await.is_err()
            {
                return Err(Error::Edge(format!("it ended at once ({status}); its log is {}", log.display()).into()));
            }
            if tokio::time::Instant::now() > deadline {
                return Err(Error::Edge(
                    format!("it was started and does not answer; its log is {}", log.display()).into(),
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// systemd says when it serves.
    async fn run_unit(units: Units) -> Result<(), Error> {
        let look = format!("{} status {}", units.systemctl(), systemd::EDGE);
        let started = tokio::task::spawn_blocking(move || units.start()).await;
        let started = started
            .map_err(|error| Error::Bug { act: "start the edge's unit".into(), why: error.to_string().into() })?;
        started.map_err(|error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), |why| why.to_string());
            Error::Edge(format!("its unit {} does not start: {why}; look: {look}", systemd::EDGE).into())
        })
    }

    /// Where the certificates of an endpoint come from, in the edge's words. One that is brought is put into its folder first.
    fn tls(&self, id: &str, http: &HttpRoute, reveal: &Reveal<'_>) -> Result<Option<Tls>, Error> {
        let Some(https) = &http.tls else { return Ok(None) };
        let tls = match &https.from {
            CertificateSource::Usual => Tls::Usual,
            CertificateSource::Local => Tls::Local,
            CertificateSource::Acme => Tls::Acme,
            CertificateSource::Secret { chain, .. } => {
                let names = http.hosts.iter().chain(&http.redirect).map(AsRef::as_ref);
                let judged = brought::judge(https, names, reveal);
                match judged.map_err(|error| Error::Edge(error.to_string().into()))? {
                    Some(brought) => {
                        files::keep_brought(&self.dir, &brought.id, brought.text().reveal())
                            .map_err(|error| Error::Edge(error.sentence().into()))?;
                        Tls::File { id: brought.id }
                    }
                    // Who cannot read it leaves it as it is.
                    None => {
                        let there = self.read()?.routes.into_iter().find(|route| route.id == id);
                        match there.and_then(|route| route.tls) {
                            Some(Tls::File { id }) => Tls::File { id },
                            _ => return Err(payload::Error::Unset(Arc::clone(&chain.0)).into()),
                        }
                    }
                }
            }
        };
        Ok(Some(tls))
    }

    /// Certificates that no route names any more go.
    fn forget(&self) -> Result<(), Error> {
        let routes = self.read()?;
        files::forget_brought(&self.dir, &routes).map_err(|error| Error::Edge(error.sentence().into()))
    }

    /// A listener of these routes that could not be opened fails the step.
    fn listening(loaded: &Loaded, addresses: &[SocketAddr]) -> Result<(), Error> {
        match loaded.failed().find(|listener| addresses.contains(&listener.address)) {
            None => Ok(()),
            Some(failed) => Err(Error::Taken {
                what: format!("port {} ({})", failed.address.port(), failed.address).into(),
                by: failed.error.clone().unwrap_or_else(|| "somebody else".to_owned()).into(),
            }),
        }
    }
}

fn id_of(instance: &InstanceId, key: &str) -> String {
    format!("{instance}/{key}")
}

fn named(route: &str, id: &str) -> bool {
    route == id || route.strip_suffix(SIX) == Some(id)
}

fn take_out(routes: &mut Routes, id: &str) {
    routes.routes.retain(|route| !named(&route.id, id));
    routes.tcp.retain(|route| !named(&route.id, id));
}

fn backends(target: &RouteTarget) -> Vec<Backend> {
    target.backends.iter().map(|(id, address)| Backend::new(id.to_string(), *address)).collect()
}

/// Puts a route in force in a table.
fn put(routes: &mut Routes, id: &str, route: &Route, tls: Option<&Tls>, target: &RouteTarget) {
    match route {
        Route::Http(http) => {
            let hosts = http.hosts.iter().map(ToString::to_string).collect();
            let mut new = routes::Route::new(id, hosts);
            new.path = Some(http.path.to_string()).filter(|path| !path.is_empty());
            new.body_limit_bytes = http.body_limit;
            new.timeout_ms = http.timeout_ms.unwrap_or(routes::DEFAULT_TIMEOUT_MS);
            new.redirect_hosts = http.redirect.iter().map(ToString::to_string).collect();
            new.tls = tls.cloned();
            new.plain = http.tls.as_ref().and_then(|https| https.plain);
            new.hsts_s = http.tls.as_ref().and_then(|https| https.hsts_s);
            new.backends = backends(target);
            new.starting = target.starting;
            match routes.routes.iter_mut().find(|route| route.id == id) {
                Some(old) => *old = new,
                None => routes.routes.push(new),
            }
        }
        Route::Tcp(tcp) => {
            let wanted = listens(tcp, target);
            routes.tcp.retain(|route| !named(&route.id, id) || wanted.contains(&route.listen));
            for listen in wanted {
                let id =
                    if listen.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) { format!("{id}{SIX}") } else { id.to_owned() };
                let mut new = TcpRoute::new(id.clone(), listen);
                new.proxy_protocol = tcp.proxy_protocol;
                new.backends = backends(target);
                match routes.tcp.iter_mut().find(|route| route.id == id) {
                    Some(old) => *old = new,
                    None => routes.tcp.push(new),
                }
            }
        }
    }
}

fn listens(tcp: &escadre_model::desired::TcpRoute, target: &RouteTarget) -> Vec<SocketAddr> {
    let port = if tcp.published == 0 { target.published.unwrap_or(0) } else { tcp.published };
    match tcp.host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => vec![
            SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
            SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
        ],
    }
}

/// Reads `totem/france/service/web/1/g3`, which is how a backend is called.
fn resource_of(text: &str) -> Option<ResourceId> {
    let parts: Vec<&str> = text.split('/').collect();
    let [fleet, instance, "service", key, replica, generation] = parts.as_slice() else { return None };
    let instance = InstanceId::new(Name::project(fleet).ok()?, Name::project(instance).ok()?);
    let generation = generation.strip_prefix('g')?.parse().ok()?;
    Some(instance.resource(ResourceKey::new(Kind::Service, *key)).container(replica.parse().ok()?, generation))
}

fn route_of(id: &str) -> Option<(InstanceId, Arc<str>)> {
    let mut parts = id.strip_suffix(SIX).unwrap_or(id).splitn(3, '/');
    let instance = InstanceId::new(Name::project(parts.next()?).ok()?, Name::project(parts.next()?).ok()?);
    Some((instance, parts.next()?.into()))
}

fn seen(backends: &[Backend], parked: bool, spec: Option<&Hash>) -> RouteSeen {
    let backends = backends.iter().filter_map(|backend| Some((resource_of(&backend.id)?, backend.address))).collect();
    RouteSeen { spec: spec.cloned().unwrap_or_else(|| Hash::of("unknown")), backends, parked }
}

#[async_trait]
impl Edge for EdgeFiles {
    async fn routes(&self) -> Result<RoutesSeen, Error> {
        let (routes, specs) = (self.read()?, self.specs());
        let mut found = RoutesSeen::new();
        let http = routes.routes.iter().map(|route| (&route.id, &route.backends, route.parked));
        let tcp = routes.tcp.iter().map(|route| (&route.id, &route.backends, route.parked));
        for (id, backends, parked) in http.chain(tcp) {
            if let Some((instance, key)) = route_of(id) {
                let spec = specs.get(id.strip_suffix(SIX).unwrap_or(id));
                found.entry(instance).or_default().insert(key, seen(backends, parked, spec));
            }
        }
        Ok(found)
    }

    async fn ports(&self) -> Vec<u16> {
        let Ok(status) = self.client.status().await else { return Vec::new() };
        status.listeners.iter().map(|listener| listener.bound.unwrap_or(listener.address).port()).collect()
    }

    async fn before(&self, instance: &InstanceId, keys: &[Arc<str>]) -> Result<Value, Error> {
        let (routes, specs) = (self.read()?, self.specs());
        let former: Vec<Former> = keys
            .iter()
            .map(|key| {
                let id = id_of(instance, key);
                Former {
                    key: Arc::clone(key),
                    http: routes.routes.iter().find(|route| route.id == id).cloned(),
                    tcp: routes.tcp.iter().filter(|route| named(&route.id, &id)).cloned().collect(),
                    spec: specs.get(&id).cloned(),
                }
            })
            .collect();
        serde_json::to_value(former)
            .map_err(|error| Error::Bug { act: "note the routes".into(), why: error.to_string().into() })
    }

    async fn switch(
        &self,
        instance: &InstanceId,
        routes: &BTreeMap<Arc<str>, (Route, RouteTarget)>,
        reveal: &Reveal<'_>,
    ) -> Result<Changed, Error> {
        if routes.is_empty() {
            return Ok(Changed::NotNeeded);
        }
        let mut wanted: Vec<(String, Route, Option<Tls>, RouteTarget)> = Vec::new();
        for (key, (route, target)) in routes {
            let tls = match route {
                Route::Http(http) => self.tls(&id_of(instance, key), http, reveal)?,
                Route::Tcp(_) => None,
            };
            wanted.push((id_of(instance, key), route.clone(), tls, target.clone()));
        }
        let mut addresses = Vec::new();
        for (_, route, tls, target) in &wanted {
            match route {
                Route::Http(_) => {
                    let settings = self.settings.iter();
                    addresses.extend(settings.clone().flat_map(|all| &all.http).copied());
                    addresses.extend(settings.flat_map(|all| &all.https).copied().filter(|_| tls.is_some()));
                }
                Route::Tcp(tcp) => addresses.extend(listens(tcp, target)),
            }
        }
        let announces = wanted.iter().all(|(_, _, _, target)| target.starting);
        let changing = move |routes: &mut Routes, specs: &mut Specs| {
            for (id, route, tls, target) in &wanted {
                let before = target.starting.then(|| routes.clone());
                put(routes, id, route, tls.as_ref(), target);
                match before {
                    // Another one still has its host: it is told of when it serves.
                    Some(before) if !routes.conflicts().is_empty() => *routes = before,
                    _ => drop(specs.insert(id.clone(), target.spec.clone())),
                }
            }
        };
        let (changed, mut loaded) = self.change(changing).await?;
        if announces {
            return Ok(changed);
        }
        let deadline = tokio::time::Instant::now() + LET_GO;
        // Whoever had a port a moment ago may be on its way out: an edge that lost its folder needs half a second.
        while Self::listening(&loaded, &addresses).is_err() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(200)).await;
            loaded = self.load(loaded.generation).await?;
        }
        Self::listening(&loaded, &addresses)?;
        self.forget()?;
        Ok(changed)
    }

    async fn park(&self, instance: &InstanceId, keys: &[Arc<str>]) -> Result<Changed, Error> {
        let ids: Vec<String> = keys.iter().map(|key| id_of(instance, key)).collect();
        if ids.is_empty() {
            return Ok(Changed::NotNeeded);
        }
        let changing = move |routes: &mut Routes, _: &mut Specs| {
            let wanted = |route: &str| ids.iter().any(|id| named(route, id));
            routes.routes.iter_mut().filter(|route| wanted(&route.id)).for_each(|route| route.parked = true);
            routes.tcp.iter_mut().filter(|route| wanted(&route.id)).for_each(|route| route.parked = true);
        };
        self.change(changing).await.map(|(changed, _)| changed)
    }

    async fn unroute(&self, instance: &InstanceId, keys: &[Arc<str>]) -> Result<Changed, Error> {
        let ids: Vec<String> = keys.iter().map(|key| id_of(instance, key)).collect();
        let there = self.read()?;
        let known =
            |id: &String| there.routes.iter().any(|r| named(&r.id, id)) || there.tcp.iter().any(|r| named(&r.id, id));
        if !ids.iter().any(known) {
            return Ok(Changed::NotNeeded);
        }
        let changing = move |routes: &mut Routes, _: &mut Specs| ids.iter().for_each(|id| take_out(routes, id));
        self.change(changing).await.map(|(changed, _)| changed)
    }

    async fn restore(&self, instance: &InstanceId, before: &Value) -> Result<(), Error> {
        if before.is_null() {
            return Ok(());
        }
        let former: Vec<Former> = serde_json::from_value(before.clone())
            .map_err(|error| Error::Bug { act: "bring routes back".into(), why: error.to_string().into() })?;
        let instance = instance.clone();
        let changing = move |routes: &mut Routes, specs: &mut Specs| {
            for one in &former {
                let id = id_of(&instance, &one.key);
                match (&one.http, routes.routes.iter_mut().find(|route| route.id == id)) {
                    (Some(was), Some(now)) => *now = was.clone(),
                    (Some(was), None) => routes.routes.push(was.clone()),
                    (None, _) => routes.routes.retain(|route| route.id != id),
                }
                routes.tcp.retain(|route| !named(&route.id, &id) || one.tcp.iter().any(|was| was.id == route.id));
                for was in &one.tcp {
                    match routes.tcp.iter_mut().find(|route| route.id == was.id) {
                        Some(now) => *now = was.clone(),
                        None => routes.tcp.push(was.clone()),
                    }
                }
                match &one.spec {
                    Some(spec) => drop(specs.insert(id, spec.clone())),
                    None => drop(specs.remove(&id)),
                }
            }
        };
        self.change(changing).await.map(drop)
    }

    async fn drain(&self, backends: &[ResourceId], deadline: Duration) -> Result<u64, Error> {
        let waiting = backends.iter().map(|id| async move {
            let backend = id.to_string();
            match self.client.wait_drained(&backend, deadline).await {
                Ok(flying) => {
                    if !flying.is_empty() {
                        // The container is stopped next: the edge ends it in order, and counts it as cut. If it ended by itself just now there is nothing to cut.
                        let _ended = self.client.cut(&backend).await;
                    }
                    Ok(flying.in_flight)
                }
                // Without an edge nothing is in flight through it.
                Err(ControlError::Absent { .. }) => Ok(0),
                Err(error) => Err(Error::Edge(error.to_string().into())),
            }
        });
        let left = futures_util::future::join_all(waiting).await;
        left.into_iter().sum()
    }

    async fn traffic(&self) -> Result<Option<Traffic>, Error> {
        match self.client.stats().await {
            Ok(stats) => Ok(Some(traffic_of(&stats))),
            Err(ControlError::Absent { .. }) => Ok(None),
            Err(error) => Err(Error::Edge(error.to_string().into())),
        }
    }
}

/// The edge's counters by instance and route; the two halves of a port that listens everywhere are one.
fn traffic_of(stats: &Stats) -> Traffic {
    let mut traffic = Traffic { life: stats.since_ms, crashes: stats.crashes, ..Traffic::default() };
    for counters in &stats.routes {
        let Some((instance, key)) = route_of(&counters.id) else { continue };
        let carried = Carried {
            requests: counters.requests,
            refused: counters.refused,
            broken: counters.broken,
            late: counters.late,
            unserved: counters.unserved,
            cut: counters.cut,
            lost: counters.lost,
            service_errors: counters.backend_errors,
        };
        let sum = traffic.routes.entry(instance).or_default().entry(key).or_default();
        *sum = sum.plus(carried);
    }
    traffic
}

#[cfg(test)]
mod tests;
