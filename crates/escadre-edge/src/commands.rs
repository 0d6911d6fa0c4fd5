//! What the worker does when it is asked on the control socket.
//!
//! In → Out: connections on the control socket → [`Command`]s → changes of the state, and answers.
//!
//! **Invariant**: loads happen one after the other; a routes file that is bad, or older than what is served, changes
//! nothing.
//!
//! Not here: the words (`control`), the work (`state`, `flight`).
//!
//! Tests: `tests/it/`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use escadre_model::routes::Routes;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::channel::ToHolder;
use crate::control::{
    BackendStatus, BackendUse, CertificateStatus, Code, Command, Counters, Done, Flying, Loaded, Parking, Refused,
    Reply, Request, RouteStatus, SCHEMA, Stats, Status,
};
use crate::flight::lock;
use crate::table::{Entry, bounded};
use crate::tls::acme::record::millis;
use crate::tls::keyring::{self, Secured, Source};
use crate::worker::Worker;

/// How long one who waited may take to say what shall become of what is left, before the edge cuts by itself.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// Longest line that is read.
const MAX_LINE: u64 = 64 * 1024;

type Answer = Result<serde_json::Value, Refused>;

/// Answers the control socket until it is aborted; its connections end with it.
pub(crate) async fn answer_all(worker: Arc<Worker>, listener: UnixListener) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                open.spawn(converse(Arc::clone(&worker), stream));
            }
            Err(error) => {
                worker.edge.log.say(&format!("cannot accept on the control socket: {error}"));
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn converse(worker: Arc<Worker>, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let got = (&mut read).take(MAX_LINE).read_until(b'\n', &mut line).await;
        if !matches!(got, Ok(n) if n > 0) {
            return;
        }
        let whole = line.ends_with(b"\n");
        let reply = match understand(&line) {
            Ok(command) => perform(&worker, command).await,
            Err(refused) => Err(refused),
        };
        let (answer, refused) = match reply {
            Ok(answer) => (Some(answer), None),
            Err(refused) => (None, Some(refused)),
        };
        let reply = Reply { schema: SCHEMA.to_owned(), answer, refused };
        let Ok(mut bytes) = serde_json::to_vec(&reply) else { return };
        bytes.push(b'\n');
        // Whoever asked and left does not want to know.
        if write.write_all(&bytes).await.is_err() || !whole {
            return;
        }
    }
}

fn understand(line: &[u8]) -> Result<Command, Refused> {
    let refuse = |message: String| Refused { code: Code::BadRequest, message };
    let request: Request = serde_json::from_slice(line).map_err(|e| refuse(format!("not a command: {e}")))?;
    if request.schema != SCHEMA {
        return Err(refuse(format!("schema {:?} is not {SCHEMA:?}", request.schema)));
    }
    Ok(request.command)
}

fn give(answer: &impl Serialize) -> Answer {
    serde_json::to_value(answer).map_err(|e| Refused { code: Code::Other, message: e.to_string() })
}

async fn perform(worker: &Arc<Worker>, command: Command) -> Answer {
    let edge = &worker.edge;
    match command {
        Command::Load { generation } => give(&load(worker, generation).await?),
        Command::Status => give(&status(worker)),
        Command::Stats => give(&stats(worker)),
        Command::Drain { backend, deadline_ms } => drain(worker, backend, bounded(deadline_ms)),
        Command::Undrain { backend } => {
            let named = lock(&edge.registry).named(&backend);
            if named.is_empty() {
                return Err(unknown("backend", &backend));
            }
            named.iter().for_each(|b| b.undrain());
            edge.tables.ring();
            give(&flying(worker, backend))
        }
        Command::WaitDrained { backend, timeout_ms } => {
            let timeout = bounded(timeout_ms);
            let until = Instant::now() + timeout + AFTERWARDS;
            lock(&edge.registry).named(&backend).iter().for_each(|b| b.outlast(until));
            // Either way the answer says what is left.
            let _emptied = tokio::time::timeout(timeout, edge.emptied(&backend)).await;
            give(&flying(worker, backend))
        }
        Command::Cut { backend } => {
            let named = lock(&edge.registry).named(&backend);
            if named.is_empty() && edge.in_flight_elsewhere(&backend) == 0 {
                return Err(unknown("backend", &backend));
            }
            edge.tell(ToHolder::Cut { backend: backend.clone() });
            named.iter().for_each(|b| edge.cut_here(b));
            give(&flying(worker, backend))
        }
        Command::Park { route } => hold(worker, &route, true),
        Command::Unpark { route } => hold(worker, &route, false),
        Command::Renew { host } => renew(worker, &host).await,
        Command::Upgrade => {
            edge.log.say("asked for an upgrade");
            edge.tell(ToHolder::Upgrade);
            give(&Done { worker: worker.number })
        }
        Command::HandOver { successor } => {
            edge.log.say(&format!("asked to hand over to process {successor}"));
            edge.tell(ToHolder::HandOver { successor });
            give(&Done { worker: worker.number })
        }
        Command::Stop { within_ms } => {
            edge.log.say("asked to stop");
            edge.tell(ToHolder::Stop { within_ms });
            give(&Done { worker: worker.number })
        }
    }
}

fn unknown(what: &str, id: &str) -> Refused {
    Refused { code: Code::Unknown, message: format!("there is no {what} {id:?}") }
}

/// Serves what `routes.json` says, if it is good and not older than it should be.
pub(crate) async fn load(worker: &Arc<Worker>, asked: u64) -> Result<Loaded, Refused> {
    let _one_at_a_time = worker.loading.lock().await;
    let edge = &worker.edge;
    let (dir, newest) = (worker.dir.clone(), worker.version.routes_schema);
    let read = tokio::task::spawn_blocking(move || {
        let Some((routes, file)) = crate::files::open_routes(&dir)? else { return Ok(None) };
        let routes = routes.for_readers_of(newest)?;
        let brought = keyring::brought(&dir, &routes);
        Ok::<_, crate::files::FileError>(Some((routes, file, brought)))
    });
    let read = read.await.map_err(|e| Refused { code: Code::BadRoutes, message: e.to_string() });
    let opened = read.and_then(|r| r.map_err(|e| Refused { code: Code::BadRoutes, message: e.sentence() }));
    let (routes, file, brought) = match opened {
        Ok(Some((routes, file, brought))) => (routes, Some(file), brought),
        Ok(None) if edge.tables.load().generation == 0 => (Routes::empty(0), None, keyring::Brought::new()),
        Ok(None) => {
            let message = format!("{} is not there", crate::files::routes_path(&worker.dir).display());
            return Err(keep(worker, Refused { code: Code::BadRoutes, message }));
        }
        Err(refused) => return Err(keep(worker, refused)),
    };
    let served = edge.tables.load().generation;
    if routes.generation < asked.max(served) {
        let message = format!(
            "the routes file has generation {}, {} {}",
            routes.generation,
            if routes.generation < served { "but served already is" } else { "asked for was" },
            asked.max(served)
        );
        return Err(keep(worker, Refused { code: Code::OldGeneration, message }));
    }
    // Who changes the routes hears of a certificate that cannot be used; a worker that begins serves what it can.
    let unusable = brought.values().find_map(|read| read.as_ref().err());
    if let Some(why) = unusable.filter(|_| asked > 0) {
        return Err(keep(worker, Refused { code: Code::BadRoutes, message: why.to_string() }));
    }
    let swap = edge.replace(&routes, &brought);
    *lock(&worker.problem) = None;
    if routes.generation != served {
        edge.log.say(&format!(
            "routes of generation {}: {}",
            routes.generation,
            routes.routes.len() + routes.tcp.len()
        ));
    }
    worker.listeners.settle().await;
    if let Some(file) = file {
        worker.remember(&file).await;
    }
    let listeners = lock(&edge.listening).values().cloned().collect();
    let swap_us = u64::try_from(swap.as_micros()).unwrap_or(u64::MAX);
    Ok(Loaded { generation: routes.generation, listeners, swap_us })
}

/// The routes before are kept, and `status` says why.
fn keep(worker: &Worker, refused: Refused) -> Refused {
    let mut problem = lock(&worker.problem);
    if problem.as_ref() != Some(&refused.message) {
        worker.edge.log.say(&format!("routes refused: {}", refused.message));
        *problem = Some(refused.message.clone());
    }
    refused
}

fn drain(worker: &Arc<Worker>, backend: String, deadline: Duration) -> Answer {
    let edge = &worker.edge;
    let named = lock(&edge.registry).named(&backend);
    if named.is_empty() {
        return Err(unknown("backend", &backend));
    }
    let deadline = Instant::now() + deadline;
    for live in named {
        let (edge, number) = (Arc::clone(edge), live.drain(deadline));
        tokio::spawn(async move {
            let emptied = tokio::time::timeout_at(deadline.into(), edge.emptied(&live.id)).await;
            if emptied.is_err() && live.drains_by(number) {
                edge.cut(&live);
            }
        });
    }
    give(&flying(worker, backend))
}

fn flying(worker: &Worker, backend: String) -> Flying {
    let in_flight = worker.edge.in_flight(&backend);
    Flying { backend, in_flight }
}

fn hold(worker: &Worker, route: &str, held: bool) -> Answer {
    let table = worker.edge.tables.load();
    let entry = table.entries.iter().find(|e| e.live.id == route).ok_or_else(|| unknown("route", route))?;
    entry.live.held.store(held, Ordering::SeqCst);
    worker.edge.tables.ring();
    give(&Parking { route: route.to_owned(), parked: entry.is_parked(), waiting: entry.live.counters().waiting })
}

/// The numbers of all routes over all workers, by id.
fn counters(worker: &Worker) -> std::collections::BTreeMap<String, Counters> {
    let mut all = lock(&worker.edge.registry).counters().map(|c| (c.id.clone(), c)).collect();
    lock(&worker.edge.carried).ledger.add_to(&mut all);
    all
}

fn stats(worker: &Worker) -> Stats {
    let routes = counters(worker).into_values().collect();
    let carried = lock(&worker.edge.carried);
    let uptime_ms = u64::try_from(worker.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Stats { worker: worker.number, uptime_ms, since_ms: carried.since_ms, crashes: carried.crashes, routes }
}

fn status(worker: &Worker) -> Status {
    let edge = &worker.edge;
    let table = edge.tables.load();
    let mut carried = counters(worker);
    let mut route = |entry: &Arc<Entry>| RouteStatus {
        counters: carried.remove(&entry.live.id).unwrap_or_default(),
        parked: entry.is_parked(),
        backends: entry.backends.iter().map(|b| b.id.clone()).collect(),
    };
    let mut registry = lock(&edge.registry);
    registry.prune();
    let backend = |live: &Arc<crate::flight::BackendLive>| BackendStatus {
        id: live.id.clone(),
        address: live.address,
        state: match (live.is_gone(), live.is_open()) {
            (true, _) => BackendUse::Leaving,
            (false, true) => BackendUse::Active,
            (false, false) => BackendUse::Draining,
        },
        in_flight: live.in_flight(),
        elsewhere: edge.in_flight_elsewhere(&live.id),
    };
    let backends = registry.all().map(backend).collect();
    drop(registry);
    let connections = edge.limits.connections.saturating_sub(edge.open.available_permits());
    Status {
        worker: worker.number,
        pid: std::process::id(),
        version: Some(worker.version.clone()),
        holder: lock(&edge.carried).holder.clone(),
        generation: table.generation,
        problem: lock(&worker.problem).clone(),
        connections: connections as u64,
        listeners: lock(&edge.listening).values().cloned().collect(),
        routes: table.entries.iter().map(&mut route).collect(),
        backends,
        certificates: certificates(worker),
    }
}

/// The certificates of all hosts, in the order of their names.
fn certificates(worker: &Worker) -> Vec<CertificateStatus> {
    let table = worker.edge.tables.load();
    let mut all: Vec<_> = table.all_secured().map(|(host, secured)| certificate(worker, host, secured)).collect();
    all.sort_by(|a, b| a.host.cmp(&b.host));
    all
}

fn certificate(worker: &Worker, host: &str, secured: &Secured) -> CertificateStatus {
    let status = worker.edge.keyring.status(host, &secured.source, SystemTime::now());
    if secured.is_public() { worker.edge.keeper.tell(&worker.edge, status) } else { status }
}

async fn renew(worker: &Arc<Worker>, host: &str) -> Answer {
    let edge = &worker.edge;
    let refuse = |message: String| Refused { code: Code::Unknown, message };
    let find = || {
        let name = escadre_model::routes::normal_host(host).unwrap_or_default();
        let secured = edge.tables.load().secured(&name).cloned();
        let missing = || refuse(format!("no endpoint with TLS has the host {host:?}"));
        secured.map(|secured| (name, secured)).ok_or_else(missing)
    };
    let (name, secured) = find()?;
    match secured.source {
        Source::Acme => {}
        Source::Local => {
            let message =
                format!("{name} has its certificate from the local authority, which makes one when it is needed");
            return Err(refuse(message));
        }
        Source::Brought(_) => {
            let message = format!("the certificate of {name} was brought: whoever brought it brings the next one");
            return Err(refuse(message));
        }
    }
    if edge.keeper.settings().is_none() {
        return Err(refuse("no public authority is set for this edge".to_owned()));
    }
    if let Some(until) = edge.keeper.held_back(&name, SystemTime::now()) {
        let until = crate::log::utc(millis(until) / 1_000, 0);
        let message =
            format!("the authority was asked too often about {name}, and wants to be left alone until {until}");
        return Err(refuse(message));
    }
    // If the worker retires meanwhile the one who asked asks the next.
    edge.keeper.renew(&name).await.map_err(|_| refuse("the try was given up".to_owned()))?;
    let (name, secured) = find()?;
    give(&certificate(worker, &name, &secured))
}
