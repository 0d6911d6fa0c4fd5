//! Listening sockets: made by the holder, used by the worker.
//!
//! In → Out: an address → a bound socket, or why not; the table's addresses → accepted connections, each to `http` or
//! `tcp` by what the address is for at that moment.
//!
//! **Invariant**: an address that cannot be had is reported and tried again; it never keeps another one from working.
//! An IPv6 socket takes IPv6 only, so that both families at one port do not clash and clients keep their address.
//!
//! Not here: the message channel (`channel`).
//!
//! Tests: `tests/it/`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::carriers::{self, Carrier};
use crate::channel::{Channel, ToHolder};
use crate::control::{ListenerState, Listening};
use crate::flight::lock;
use crate::http::{Arrival, Scheme};
use crate::state::{Connected, Edge, Place, Retiring};
use crate::table::Role;

/// Connections that may wait to be accepted: what comes while a worker is replaced. The system caps it (somaxconn).
const BACKLOG: i32 = 4096;

/// How long the holder may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Why a socket could not be made.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    /// The host has no such address family: nothing to repair.
    pub(crate) absent: bool,
}

/// A listening socket and the address it really has (they differ for port 0).
pub(crate) fn bind(address: SocketAddr) -> Result<(OwnedFd, SocketAddr), Refusal> {
    try_bind(address).map_err(|errno| {
        let no_family = matches!(errno, Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT)
            || (address.is_ipv6() && address.ip().is_unspecified() && errno == Errno::ADDRNOTAVAIL);
        Refusal { error: io::Error::from(errno).to_string(), absent: no_family }
    })
}

fn try_bind(address: SocketAddr) -> rustix::io::Result<(OwnedFd, SocketAddr)> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket =
        rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let bound = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok((socket, bound))
}

/// Settings of every connection: small writes at once, and a client that vanished is noticed within two minutes.
pub(crate) fn tune(stream: &TcpStream) {
    // Each only makes it better; a connection works without.
    let _slower = stream.set_nodelay(true);
    let _unnoticed = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, Duration::from_secs(60)))
        .and_then(|()| sockopt::set_tcp_keepintvl(stream, Duration::from_secs(15)))
        .and_then(|()| sockopt::set_tcp_keepcnt(stream, 4));
}

/// As many descriptors as this process may have: each connection takes two, each listener one. With
/// fewer it serves fewer.
pub(crate) fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _fewer = setrlimit(Resource::Nofile, limit);
}

type Answer = Result<(OwnedFd, SocketAddr), Refusal>;

/// The worker's listeners.
#[derive(Debug)]
pub(crate) struct Listeners {
    edge: Arc<Edge>,
    channel: Arc<Channel>,
    asked: Mutex<BTreeMap<SocketAddr, oneshot::Sender<Answer>>>,
    given_back: Mutex<BTreeMap<SocketAddr, oneshot::Sender<()>>>,
    carriers: Arc<[Carrier]>,
    /// For each address a task on each carrier.
    accepting: tokio::sync::Mutex<BTreeMap<SocketAddr, Vec<JoinHandle<()>>>>,
    /// Rings when a socket could not be had.
    pub(crate) failing: Notify,
}

impl Listeners {
    pub(crate) fn new(edge: Arc<Edge>, channel: Arc<Channel>, carriers: Arc<[Carrier]>) -> Listeners {
        Listeners {
            edge,
            channel,
            carriers,
            asked: Mutex::default(),
            given_back: Mutex::default(),
            accepting: tokio::sync::Mutex::default(),
            failing: Notify::new(),
        }
    }

    /// The holder's answer to a question for a socket.
    pub(crate) fn answered(&self, address: SocketAddr, answer: Answer) {
        if let Some(asked) = lock(&self.asked).remove(&address) {
            // Nobody waits any more: the socket is closed here, and asked for again when it is wanted.
            let _late = asked.send(answer);
        }
    }

    /// The holder has closed its end of a socket.
    pub(crate) fn released(&self, address: SocketAddr) {
        if let Some(waiting) = lock(&self.given_back).remove(&address) {
            let _late = waiting.send(());
        }
    }

    /// Listens on what the table says and on nothing else. When it returns, what it listens on no more is free for
    /// others (unless a retiring worker still has it for a moment).
    pub(crate) async fn settle(&self) {
        let mut accepting = self.accepting.lock().await;
        if *self.edge.retiring.borrow() != Retiring::No {
            return;
        }
        let table = self.edge.tables.load();
        let wanted: std::collections::BTreeSet<SocketAddr> = table.listens().collect();
        let dropped: Vec<SocketAddr> = accepting.keys().filter(|a| !wanted.contains(a)).copied().collect();
        let mut released = Vec::new();
        for address in dropped {
            if let Some(tasks) = accepting.remove(&address) {
                end(tasks).await;
            }
            let (tell, told) = oneshot::channel();
            lock(&self.given_back).insert(address, tell);
            self.say(ToHolder::Release { address }).await;
            released.push(told);
        }
        for told in released {
            // A holder that says nothing is replaced or gone soon; then so are its sockets.
            let _unsaid = tokio::time::timeout(ANSWER, told).await;
        }
        let mut questions = Vec::new();
        for address in wanted.iter().filter(|a| !accepting.contains_key(a)) {
            let (ask, answer) = oneshot::channel();
            lock(&self.asked).insert(*address, ask);
            self.say(ToHolder::Listen { address: *address }).await;
            questions.push((*address, answer));
        }
        for (address, answer) in questions {
            let answer = match tokio::time::timeout(ANSWER, answer).await {
                Ok(Ok(answer)) => answer,
                _ => Err(Refusal { error: "the holder did not answer".to_owned(), absent: false }),
            };
            let state = match answer.and_then(|(fd, bound)| self.accept(address, fd, bound)) {
                Ok((tasks, bound)) => {
                    accepting.insert(address, tasks);
                    ListenerState { address, bound: Some(bound), state: Listening::Listening, error: None }
                }
                Err(refusal) => self.refused(address, refusal),
            };
            lock(&self.edge.listening).insert(address, state);
        }
        let mut states = lock(&self.edge.listening);
        states.retain(|address, _| wanted.contains(address));
    }

    fn refused(&self, address: SocketAddr, refusal: Refusal) -> ListenerState {
        let state = if refusal.absent { Listening::Absent } else { Listening::Failed };
        self.failing.notify_one();
        let known = lock(&self.edge.listening).get(&address).is_some_and(|s| s.error.as_ref() == Some(&refusal.error));
        // Once, not at every new try.
        if !known {
            self.edge.log.say(&format!("cannot listen on {address}: {}", refusal.error));
        }
        ListenerState { address, bound: None, state, error: Some(refusal.error) }
    }

    fn accept(
        &self,
        address: SocketAddr,
        fd: OwnedFd,
        bound: SocketAddr,
    ) -> Result<(Vec<JoinHandle<()>>, SocketAddr), Refusal> {
        let refused = |error: io::Error| Refusal { error: error.to_string(), absent: false };
        let listener = std::net::TcpListener::from(fd);
        listener.set_nonblocking(true).map_err(refused)?;
        let mut tasks = Vec::new();
        for at in 0..self.carriers.len() {
            let (edge, carriers) = (Arc::clone(&self.edge), Arc::clone(&self.carriers));
            let listener = listener.try_clone().map_err(refused)?;
            let accept = async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => accept_all(edge, listener, address, (carriers, at)).await,
                    Err(error) => edge.log.say(&format!("cannot accept on {address}: {error}")),
                }
            };
            tasks.extend(self.carriers.get(at).map(|carrier| carrier.spawn(accept)));
        }
        Ok((tasks, bound))
    }

    /// Whether a socket is to be tried again.
    pub(crate) fn failed(&self) -> bool {
        lock(&self.edge.listening).values().any(|s| s.state == Listening::Failed)
    }

    /// Accepts nothing any more.
    pub(crate) async fn close(&self) {
        let mut accepting = self.accepting.lock().await;
        while let Some((_, tasks)) = accepting.pop_first() {
            end(tasks).await;
        }
    }

    async fn say(&self, message: ToHolder) {
        if let Err(error) = self.channel.send(&message, None).await {
            self.edge.log.say(&format!("the holder does not listen: {error}"));
        }
    }
}

/// Ends tasks and waits until their socket is closed.
async fn end(tasks: Vec<JoinHandle<()>>) {
    tasks.iter().for_each(JoinHandle::abort);
    for task in tasks {
        // Aborted is what it shall be.
        let _aborted = task.await;
    }
}

/// Accepts on the carrier of this place.
async fn accept_all(
    edge: Arc<Edge>,
    listener: TcpListener,
    address: SocketAddr,
    (carriers, own): (Arc<[Carrier]>, usize),
) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a client that was gone already: neither ends the listener.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    edge.log.say(&format!("cannot accept on {address}: {error}"));
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                continue;
            }
        };
        let table = edge.tables.load();
        let is_believed = table.trusted.iter().any(|network| network.contains(peer.ip().to_canonical()));
        let guest = if is_believed {
            None
        } else {
            let most = table.client_connections.unwrap_or(edge.limits.client_connections);
            match edge.crowd.enter(peer.ip(), most) {
                Some(guest) => Some(guest),
                None => {
                    if edge.crowd.is_worth_telling() {
                        edge.log.say(&format!("{} has {most} connections; further ones are closed", peer.ip()));
                    }
                    continue;
                }
            }
        };
        drop(table);
        // If there is room nothing is awaited between accepting and serving: a listener may be ended at any await, and
        // what it had accepted would be lost. If there is none, one waits here and those after it in the backlog.
        let permit = match Arc::clone(&edge.open).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_none_left) => match Arc::clone(&edge.open).acquire_owned().await {
                Ok(permit) => permit,
                Err(_closed) => return,
            },
        };
        tune(&stream);
        let to = carriers::choose(&carriers, own);
        let Some(carrier) = carriers.get(to) else { continue };
        let place = Place::new(permit, guest, carrier.take());
        if to == own {
            serve(&edge, stream, peer, address, place);
        } else if let Ok(stream) = stream.into_std() {
            let edge = Arc::clone(&edge);
            carrier.spawn(async move {
                if let Ok(stream) = TcpStream::from_std(stream) {
                    serve(&edge, stream, peer, address, place);
                }
            });
        }
    }
}

/// Begins to serve a connection on the thread that runs this.
fn serve(edge: &Arc<Edge>, stream: TcpStream, peer: SocketAddr, address: SocketAddr, place: Connected) {
    match edge.tables.load().role(&address) {
        Some(Role::Http) => {
            let Ok(local) = stream.local_addr() else { return };
            let arrival = Arrival { peer, local, scheme: Scheme::Http, connected: place };
            tokio::spawn(crate::http::one(Arc::clone(edge), stream, arrival));
        }
        Some(Role::Https) => {
            tokio::spawn(crate::tls::connection(Arc::clone(edge), stream, peer, place));
        }
        Some(Role::Tcp(entry)) => {
            let arrival = crate::tcp::Arrival { peer, listen: address, connected: place };
            tokio::spawn(crate::tcp::connection(Arc::clone(edge), stream, arrival, entry));
        }
        // Left the table a moment ago.
        None => {}
    }
}
