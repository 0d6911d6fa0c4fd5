//! What all tasks of one worker share.
//!
//! In → Out: limits → [`Edge`]; a new [`Routes`] → the table is swapped, old backends leave.
//!
//! **Invariant**: the table is replaced whole; then those who wait are woken; then what left is given its deadline.
//!
//! Not here: sockets (`listeners`), commands (`commands`), the work itself (`http`, `tcp`).
//!
//! Tests: `tests/it/`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use escadre_model::routes::Routes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::access::AccessLog;
use crate::carriers::Load;
use crate::channel::ToHolder;
use crate::control::{HolderStatus, ListenerState};
use crate::crowd::{Crowd, Guest};
use crate::flight::{BackendLive, Changed, lock};
use crate::ledger::Ledger;
use crate::log::Log;
use crate::options::Limits;
use crate::park::Tables;
use crate::table::{Registry, bounded};
use crate::tls;
use crate::tls::acme::keeper::Keeper;
use crate::tls::keyring::{Brought, Keyring};

/// One worker.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) tables: Arc<Tables>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) dir: PathBuf,
    pub(crate) tls: Arc<rustls::ServerConfig>,
    pub(crate) registry: Mutex<Registry>,
    /// A permit for each open connection or tunnel.
    pub(crate) open: Arc<Semaphore>,
    /// Whose connections they are.
    pub(crate) crowd: Arc<Crowd>,
    /// The log of requests.
    pub(crate) access: AccessLog,
    /// Whether this worker takes nothing new.
    pub(crate) retiring: watch::Sender<Retiring>,
    /// What became of each listening address.
    pub(crate) listening: Mutex<BTreeMap<SocketAddr, ListenerState>>,
    /// In flight in workers that retire, by worker and backend.
    pub(crate) elsewhere: Mutex<BTreeMap<u64, BTreeMap<String, u64>>>,
    pub(crate) elsewhere_changed: Notify,
    /// What other workers carried, since when that is known, and how many of them died.
    pub(crate) carried: Mutex<Carried>,
    /// Rings when a counter changed.
    pub(crate) counted: Arc<Changed>,
    outbox: mpsc::UnboundedSender<Said>,
}

/// What the holder tells of other workers' numbers, and of itself.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) ledger: Ledger,
    pub(crate) since_ms: u64,
    pub(crate) crashes: u64,
    /// Who it is.
    pub(crate) holder: Option<HolderStatus>,
}

/// What goes to the holder, in order.
#[derive(Debug)]
pub(crate) enum Said {
    Message(ToHolder),
    /// Everything before it was sent.
    Mark(oneshot::Sender<()>),
}

/// Whether a worker is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retiring {
    /// It is not.
    No,
    /// Another worker goes on: a connection is closed with its next answer, so that no request meets a closed one.
    Politely,
    /// Nobody goes on: idle connections are closed now.
    AtOnce,
}

/// One open connection or tunnel; it may be handed from the one to the other.
pub(crate) type Connected = Arc<Place>;

/// What it takes as long as it is open.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    /// `None`: somebody who is not counted.
    _guest: Option<Guest>,
    _load: Load,
}

impl Place {
    pub(crate) fn new(permit: OwnedSemaphorePermit, guest: Option<Guest>, load: Load) -> Connected {
        Arc::new(Place { _permit: permit, _guest: guest, _load: load })
    }
}

impl Edge {
    /// The worker's state, and what is to be said to the holder.
    pub(crate) fn new(
        mut limits: Limits,
        log: Log,
        dir: &Path,
    ) -> Result<(Arc<Edge>, mpsc::UnboundedReceiver<Said>), rustls::Error> {
        limits.connections = limits.connections.clamp(1, 1 << 20);
        let (outbox, said) = mpsc::unbounded_channel();
        let (tables, keyring) = (Arc::new(Tables::new()), Arc::new(Keyring::new(dir)));
        let keeper = Arc::new(Keeper::new(dir.to_owned(), bounded(limits.acme_wait_ms)));
        let counted = Arc::<Changed>::default();
        let edge = Edge {
            open: Arc::new(Semaphore::new(limits.connections)),
            crowd: Arc::default(),
            access: AccessLog::new(dir),
            limits,
            log,
            tls: tls::config(&tables, &keyring)?,
            tables,
            keyring,
            keeper,
            dir: dir.to_owned(),
            registry: Mutex::new(Registry::new(&counted)),
            retiring: watch::Sender::new(Retiring::No),
            listening: Mutex::default(),
            elsewhere: Mutex::default(),
            elsewhere_changed: Notify::new(),
            carried: Mutex::default(),
            counted,
            outbox,
        };
        Ok((Arc::new(edge), said))
    }

    /// Says something to the holder, after what was said before.
    pub(crate) fn tell(&self, message: ToHolder) {
        // Without a holder this worker is retiring anyway.
        let _unheard = self.outbox.send(Said::Message(message));
    }

    /// Has this sent when everything that was said before is with the holder.
    pub(crate) fn tell_and(&self, heard: oneshot::Sender<()>) {
        let _unheard = self.outbox.send(Said::Mark(heard));
    }

    /// Serves these routes from now on. Gives how long the swap itself took.
    pub(crate) fn replace(self: &Arc<Self>, routes: &Routes, brought: &Brought) -> std::time::Duration {
        let mut registry = lock(&self.registry);
        let next = registry.compile(routes, brought);
        let drain = next.drain;
        let begin = Instant::now();
        let old = self.tables.swap(next);
        let took = begin.elapsed();
        self.tables.ring();
        let left = registry.settle(routes);
        drop(registry);
        drop(old);
        let table = self.tables.load();
        self.keyring.settle(|host| table.secured(host).is_some());
        self.keyring.take_up(table.all_secured().filter(|(_, s)| s.is_public()).map(|(host, _)| host.as_str()));
        self.keeper.settle(routes.acme.as_ref());
        self.access.settle(routes.access_log_bytes);
        for backend in left {
            backend.leave(Instant::now() + drain);
            let edge = Arc::clone(self);
            tokio::spawn(async move { edge.see_off(&backend).await });
        }
        took
    }

    /// Waits until a backend that left has nothing under way, or cuts it at the deadline.
    async fn see_off(&self, backend: &Arc<BackendLive>) {
        while let Some(deadline) = backend.deadline() {
            if tokio::time::timeout_at(deadline.into(), self.emptied(&backend.id)).await.is_ok() {
                break;
            }
            // It may have been put off meanwhile.
            if backend.deadline().is_none_or(|now| now <= deadline) {
                self.cut(backend);
                break;
            }
        }
        lock(&self.registry).prune();
    }

    /// Ends what a backend has under way, in all workers.
    pub(crate) fn cut(&self, backend: &BackendLive) {
        self.tell(ToHolder::Cut { backend: backend.id.clone() });
        self.cut_here(backend);
    }

    /// Ends what a backend has under way in this worker.
    pub(crate) fn cut_here(&self, backend: &BackendLive) {
        let cut = backend.cut();
        if cut > 0 {
            self.log.say(&format!("backend {} {}: deadline passed, {cut} cut", backend.id, backend.address));
        }
    }

    /// In flight on a backend in workers that retire.
    pub(crate) fn in_flight_elsewhere(&self, backend: &str) -> u64 {
        lock(&self.elsewhere).values().filter_map(|b| b.get(backend)).sum()
    }

    /// In flight on a backend in all workers.
    pub(crate) fn in_flight(&self, backend: &str) -> u64 {
        let here: u64 = lock(&self.registry).named(backend).iter().map(|b| b.in_flight()).sum();
        here + self.in_flight_elsewhere(backend)
    }

    /// Ends when a backend has nothing under way in any worker.
    pub(crate) async fn emptied(&self, backend: &str) {
        loop {
            let told = self.elsewhere_changed.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let named = lock(&self.registry).named(backend);
            for live in &named {
                live.emptied().await;
            }
            if self.in_flight_elsewhere(backend) > 0 {
                told.await;
            } else if named.iter().all(|b| b.in_flight() == 0) {
                return;
            }
        }
    }
}
