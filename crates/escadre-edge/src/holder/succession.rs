//! From one holder to the next: by its own program as it is now (the process stays), or to another process.
//!
//! In → Out: a holder → the same holder, of another program or process; its workers and clients notice nothing.
//!
//! **Invariant**: a holder gives nothing away before the next one has everything: if that fails it goes on. What a
//! worker says meanwhile waits in its channel.
//!
//! Not here: what is handed over (`estate`).
//!
//! Tests: `tests/it/succession.rs`.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_type};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    recv, send, socket_with, socketpair,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::estate::{self, Employed, Estate};
use super::hand::Hand;
use super::{Event, Holder, HolderError};
use crate::channel::Channel;
use crate::control::{Client, ControlError};
use crate::log::Log;
use crate::options::Options;

/// How long the other process may take until it has, or has taken, everything.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who comes next.
#[derive(Debug)]
pub(super) enum Heir {
    /// This process, of its program as it is now.
    Ourselves,
    /// Another process, which waits for it.
    Other(u32),
}

/// What a holder begins with that is not the first one.
#[derive(Debug)]
pub(super) struct Inherited {
    estate: Estate,
    files: Vec<OwnedFd>,
    /// Whoever gave it and waits for a word; nobody, when it was this process.
    giver: Option<OwnedFd>,
}

/// Where another process waits.
fn waits_at(dir: &Path, process: u32) -> PathBuf {
    dir.join(format!("successor.{process}.sock"))
}

/// What this process was before, or what the edge that runs in this folder hands over; nothing for the first holder.
pub(super) async fn inherit(options: &Options) -> Result<Option<Inherited>, HolderError> {
    // Our standard input is never such a socket, unless we put it there ourselves (`become_anew`).
    let input = io::stdin().as_fd().try_clone_to_owned();
    let inherited = input.ok().filter(|input| socket_type(input) == Ok(SocketType::SEQPACKET));
    if let Some(socket) = inherited {
        let (estate, files) = estate::receive(&socket).map_err(HolderError::TakeOver)?;
        return Ok(Some(Inherited { estate, files, giver: None }));
    }
    if !options.take_over {
        return Ok(None);
    }
    let at = waits_at(&options.dir, std::process::id());
    let taken = take_over(options, &at).await;
    // It is of no use any more, whatever became of it.
    let _left = fs::remove_file(&at);
    taken
}

async fn take_over(options: &Options, at: &Path) -> Result<Option<Inherited>, HolderError> {
    let waits = || -> io::Result<OwnedFd> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrUnix::new(at)?)?;
        listen(&socket, 1)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(socket)
    };
    let _of_an_earlier_process = fs::remove_file(at);
    let socket = waits().map_err(HolderError::Start)?;
    match Client::new(&options.dir).hand_over(std::process::id()).await {
        Ok(()) => {}
        Err(ControlError::Absent { .. }) => return Ok(None),
        Err(error) => return Err(HolderError::TakeOver(io::Error::other(error))),
    }
    let received = accept_with(&socket, SocketFlags::CLOEXEC).map_err(io::Error::from).and_then(|giver| {
        let (estate, files) = estate::receive(&giver)?;
        Ok(Inherited { estate, files, giver: Some(giver) })
    });
    received.map(Some).map_err(HolderError::TakeOver)
}

impl Holder {
    /// A holder that goes on where another one stopped.
    pub(super) fn heir(
        inherited: Inherited,
        options: Options,
        log: Log,
        events: mpsc::UnboundedSender<Event>,
    ) -> io::Result<Holder> {
        let Inherited { estate, files, giver } = inherited;
        let mut files = files.into_iter();
        let mut next = || files.next().ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
        let (pid, control) = (File::from(next()?), UnixListener::from(next()?));
        let good = if estate.good { Some(next()?) } else { None };
        let mut holder = Holder::new(options, log, control, pid, events);
        holder.good = good;
        for (address, bound) in estate.sockets {
            holder.sockets.insert(address, (next()?, bound));
        }
        let ours = giver.is_none();
        for one in estate.workers {
            let channel = Arc::new(Channel::from_fd(next()?)?);
            let mut hand = Hand::new(one.number, one.pid, ours, channel, &holder.events);
            (hand.asked, hand.flights) = (one.asked, one.flights);
            (hand.ready, hand.retired) = (one.ready, one.retired);
            holder.workers.insert(one.number, hand);
        }
        (holder.count, holder.leader, holder.ledger) = (estate.count, estate.leader, estate.ledger);
        (holder.since_ms, holder.crashes, holder.renewed) = (estate.since_ms, estate.crashes, estate.renewed + 1);
        // Workers of another process are nobody's children, and live where that one lived: ours follow them.
        let wants_worker = estate.wants_worker || !ours;
        holder.restart = wants_worker.then(Instant::now);
        write_pid(&holder.pid)?;
        let was = if ours { "this process" } else { "another process" };
        holder.log.say(&format!("took over from {was}, version {}", estate.version));
        if let Some(giver) = giver {
            send(&giver, b"taken", SendFlags::NOSIGNAL)?;
        }
        Ok(holder)
    }

    /// Hands over. Gives whether this process has nothing to do any more.
    pub(super) async fn hand_over(&mut self, heir: Heir, happened: &mut mpsc::UnboundedReceiver<Event>) -> bool {
        self.pause(happened).await;
        let failed = match heir {
            _ if self.stopping.is_some() => None,
            Heir::Ourselves => Some(self.become_anew()),
            Heir::Other(process) => match self.give_to(process) {
                Ok(()) => {
                    self.log.say(&format!("handed over to process {process}"));
                    return true;
                }
                Err(error) => Some(error),
            },
        };
        if let Some(error) = failed {
            self.problem = Some(format!("cannot hand over: {error}"));
            self.log.say(&format!("cannot hand over: {error}; going on"));
        }
        let (events, workers) = (self.events.clone(), &mut self.workers);
        workers.iter_mut().for_each(|(number, hand)| hand.listen(*number, &events));
        self.tell_leader(self.introduction()).await;
        self.go_on().await;
        false
    }

    /// Nothing is read from workers any more, and everything that was read is done.
    async fn pause(&mut self, happened: &mut mpsc::UnboundedReceiver<Event>) {
        for hand in self.workers.values_mut() {
            hand.pause().await;
        }
        while let Ok(event) = happened.try_recv() {
            self.hear(event).await;
        }
    }

    /// Begins anew, in this process, with the program as it is now. Comes back only with the reason why not.
    fn become_anew(&self) -> io::Error {
        let attempt = || -> io::Result<(OwnedFd, OwnedFd)> {
            let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
            estate::send(&ours, &self.estate(), &self.open_files())?;
            Ok((theirs.try_clone()?, theirs))
        };
        let (kept, theirs) = match attempt() {
            Ok(sent) => sent,
            Err(error) => return error,
        };
        let program = &self.options.holder;
        let error = Command::new(&program.program).args(&program.args).stdin(Stdio::from(theirs)).exec();
        // The attempt made a broken pipe deadly again; and what waits in the socket would keep closed listeners open.
        let _harmless = signal(SignalKind::pipe());
        let _closed = estate::receive(&kept);
        error
    }

    fn give_to(&self, process: u32) -> io::Result<()> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        connect(&socket, &SocketAddrUnix::new(waits_at(&self.options.dir, process))?)?;
        estate::send(&socket, &self.estate(), &self.open_files())?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        let mut word = [0; 16];
        let (heard, _) = recv(&socket, &mut word, RecvFlags::empty())?;
        if heard == 0 { Err(io::Error::other("the next one ended before it had taken over")) } else { Ok(()) }
    }

    fn estate(&self) -> Estate {
        let employed = |(number, hand): (&u64, &Hand)| Employed {
            number: *number,
            pid: hand.pid,
            asked: hand.asked.clone(),
            flights: hand.flights.clone(),
            ready: hand.ready,
            retired: hand.retired,
        };
        Estate {
            schema: estate::SCHEMA,
            version: self.options.version.clone(),
            count: self.count,
            renewed: self.renewed,
            since_ms: self.since_ms,
            crashes: self.crashes,
            leader: self.leader,
            wants_worker: self.restart.is_some(),
            ledger: self.ledger.clone(),
            good: self.good.is_some(),
            sockets: self.sockets.iter().map(|(address, (_, bound))| (*address, *bound)).collect(),
            workers: self.workers.iter().map(employed).collect(),
        }
    }

    /// In the order of the estate.
    fn open_files(&self) -> Vec<BorrowedFd<'_>> {
        let mut all = vec![self.pid.as_fd(), self.control.as_fd()];
        all.extend(self.good.as_ref().map(AsFd::as_fd));
        all.extend(self.sockets.values().map(|(socket, _)| socket.as_fd()));
        all.extend(self.workers.values().map(|hand| hand.channel.as_fd()));
        all
    }
}

/// Writes our number into the locked file, whatever stands there.
pub(super) fn write_pid(pid: &File) -> io::Result<()> {
    pid.set_len(0)?;
    pid.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
}
