//! Between holder and worker: messages, and sockets that travel with them (SCM_RIGHTS).
//!
//! In → Out: a message and perhaps an open file → the same on the other side, whole or not at all.
//!
//! **Invariant**: a message is one packet (SOCK_SEQPACKET), therefore never half-read; a message of a newer version is
//! `Unknown`, not an error, because an upgrade lets two versions talk.
//!
//! Not here: what the messages cause (`holder`, `worker`).
//!
//! Tests: `tests/it/`.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::control::{Counters, HolderStatus};
use crate::options::Limits;

/// Largest message: a few names and numbers.
const MAX_BYTES: usize = 16 * 1024;

/// What the holder says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(crate) enum ToWorker {
    /// The first message. May carry the last good routes file.
    Hello { worker: u64, dir: PathBuf, limits: Limits, retire_ms: u64 },
    /// Carries the listening socket that was asked for.
    Socket { address: SocketAddr, bound: SocketAddr },
    /// The socket that was asked for cannot be had.
    Refused { address: SocketAddr, error: String, absent: bool },
    /// The socket that was given back is closed.
    Released { address: SocketAddr },
    /// Carries the control socket: from now on this worker answers.
    Lead {
        /// Since when is counted, milliseconds since 1970.
        #[serde(default)]
        since_ms: u64,
        /// Workers that died since then.
        #[serde(default)]
        crashes: u64,
    },
    /// Who the holder is; said again when that changes.
    Holder { status: HolderStatus },
    /// What another worker carried in all, as far as it has changed; worker 0 is the sum of those that ended.
    Carried { worker: u64, counters: Vec<Counters> },
    /// Take nothing new, finish, end. `at_once` when no other worker goes on.
    Retire {
        within_ms: u64,
        #[serde(default)]
        at_once: bool,
    },
    /// Read the routes again, for those who wait.
    Reload,
    /// What a retiring worker has under way.
    Elsewhere { worker: u64, in_flight: BTreeMap<String, u64> },
    /// A worker ended.
    Gone {
        worker: u64,
        /// Without having retired.
        #[serde(default)]
        crashed: bool,
    },
    /// End what this backend has under way.
    Cut { backend: String },
    /// Of a newer version.
    #[serde(other)]
    Unknown,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(crate) enum ToHolder {
    /// Asks for a listening socket.
    Listen { address: SocketAddr },
    /// The address is not served any more.
    Release { address: SocketAddr },
    /// Routes are loaded and listeners taken. `complete` if the routes file was good: then only what was asked for is
    /// wanted. `estate`: the newest schema of what a holder hands over that its program takes over; 0: none.
    Ready {
        complete: bool,
        #[serde(default)]
        estate: u32,
    },
    /// Carries the routes file that is served now.
    Good,
    /// It answers the control socket no more.
    Retired,
    /// One backend's work in a retiring worker.
    Flight { backend: String, in_flight: u64 },
    /// What this worker carried in all, as far as it has changed.
    Carried { counters: Vec<Counters> },
    /// End what this backend has under way in other workers.
    Cut { backend: String },
    /// Somebody asked for a new worker, and a new holder after it.
    Upgrade,
    /// Another process waits to become the holder.
    HandOver { successor: u32 },
    /// Somebody asked to end.
    Stop { within_ms: u64 },
    /// Of a newer version.
    #[serde(other)]
    Unknown,
}

/// One end.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Packets like a datagram socket's, an end like a stream's; only what both have is used.
    socket: UnixDatagram,
}

impl Channel {
    /// Our end, and the one for a child's standard input.
    pub(crate) fn pair() -> io::Result<(Channel, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel::from_fd(ours)?, theirs))
    }

    /// An end that was inherited.
    pub(crate) fn from_fd(fd: OwnedFd) -> io::Result<Channel> {
        let socket = std::os::unix::net::UnixDatagram::from(fd);
        socket.set_nonblocking(true)?;
        Ok(Channel { socket: UnixDatagram::from_std(socket)? })
    }

    /// The end itself, to be lent.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Gives the end to another runtime.
    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        Ok(self.socket.into_std()?.into())
    }

    /// Sends one message, waiting while the other side is behind.
    pub(crate) async fn send<T: Serialize>(&self, message: &T, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"));
        }
        self.socket.async_io(Interest::WRITABLE, || send_now(self.socket.as_fd(), &bytes, file)).await
    }

    /// The next message; `None` when the other side is gone.
    pub(crate) async fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        let (bytes, file) = self.socket.async_io(Interest::READABLE, || receive_now(self.socket.as_fd())).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some((serde_json::from_slice(&bytes)?, file)))
    }
}

fn send_now(socket: BorrowedFd<'_>, bytes: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = file.map(|f| [f]);
    if let Some(files) = &files
        && !control.push(SendAncillaryMessage::ScmRights(files))
    {
        return Err(io::Error::other("no room for a socket in the message"));
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive_now(socket: BorrowedFd<'_>) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; MAX_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = match recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags) {
        // A side that was killed with messages unread resets the pair: it is gone either way.
        Err(rustix::io::Errno::CONNRESET) => return Ok((Vec::new(), None)),
        received => received?,
    };
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
    }
    bytes.truncate(received.bytes);
    let mut file = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut files) = message {
            file = files.next();
        }
    }
    Ok((bytes, file))
}
