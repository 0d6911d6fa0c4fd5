//! What passes from one holder to the next: everything that must not end with its process.
//!
//! In → Out: an [`Estate`] and open files → packets on a SEQPACKET socket → the same on the other side, whole or not at all.
//!
//! **Invariant**: the facts travel in a file of their own (memfd), so their size is no matter; fields that the other
//! side does not know are left out, those it does not say have their default.
//!
//! Not here: when it is handed over, and to whom (`succession`).
//!
//! Tests: at the end of this file, `tests/it/succession.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::version::Version;

/// The schema of [`Estate`], and the newest one that is taken over.
pub(crate) const SCHEMA: u32 = 1;

/// Open files in one packet; the system allows 253.
const AT_ONCE: usize = 128;

/// How long the other side may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// A holder, without its open files: those travel beside, in the order pid file, control socket, routes file (if there
/// is one), listening sockets, workers' channels.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Estate {
    /// [`SCHEMA`].
    pub(super) schema: u32,
    /// Of the holder that hands over.
    pub(super) version: Version,
    /// Workers so far.
    pub(super) count: u64,
    /// How often a holder took over so far.
    pub(super) renewed: u64,
    pub(super) since_ms: u64,
    pub(super) crashes: u64,
    pub(super) leader: Option<u64>,
    /// A further worker was about to be started.
    pub(super) wants_worker: bool,
    pub(super) ledger: Ledger,
    /// Whether the last good routes file is among the open files.
    pub(super) good: bool,
    /// As asked for, and as bound.
    pub(super) sockets: Vec<(SocketAddr, SocketAddr)>,
    pub(super) workers: Vec<Employed>,
}

/// A worker process, as its holder knows it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Employed {
    pub(super) number: u64,
    pub(super) pid: u32,
    pub(super) asked: BTreeSet<SocketAddr>,
    pub(super) flights: BTreeMap<String, u64>,
    pub(super) ready: bool,
    pub(super) retired: bool,
}

/// Sends it. What was sent stays in the socket until it is received, or both of its ends are closed.
pub(super) fn send(socket: &OwnedFd, estate: &Estate, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    set_socket_timeout(socket, Timeout::Send, Some(PATIENCE))?;
    let mut facts = File::from(memfd_create("escadre-edge", MemfdFlags::CLOEXEC)?);
    serde_json::to_writer(&mut facts, estate)?;
    facts.flush()?;
    let all: Vec<BorrowedFd<'_>> = std::iter::once(facts.as_fd()).chain(files.iter().copied()).collect();
    let total = u32::try_from(all.len()).map_err(io::Error::other)?.to_le_bytes();
    for part in all.chunks(AT_ONCE) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(part)) {
            return Err(io::Error::other("no room for the files in the message"));
        }
        sendmsg(socket, &[IoSlice::new(&total)], &mut control, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// Receives it, with all its files.
pub(super) fn receive(socket: &OwnedFd) -> io::Result<(Estate, Vec<OwnedFd>)> {
    set_socket_timeout(socket, Timeout::Recv, Some(PATIENCE))?;
    let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut files = Vec::new();
    loop {
        let mut total = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(socket, &mut [IoSliceMut::new(&mut total)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                files.extend(more);
            }
        }
        if got.bytes != total.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if files.len() >= usize::try_from(u32::from_le_bytes(total)).map_err(io::Error::other)? {
            break;
        }
    }
    let mut files = files.into_iter();
    let mut facts = File::from(files.next().ok_or_else(|| odd("no facts came with the files"))?);
    let mut text = String::new();
    facts.rewind()?;
    facts.read_to_string(&mut text)?;
    let estate: Estate = serde_json::from_str(&text)?;
    if estate.schema > SCHEMA {
        return Err(odd("the edge that runs is of a newer version"));
    }
    let files: Vec<OwnedFd> = files.collect();
    let wanted = 2 + usize::from(estate.good) + estate.sockets.len() + estate.workers.len();
    if files.len() != wanted {
        return Err(odd("some open files did not come along"));
    }
    Ok((estate, files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn estate(sockets: u16) -> Estate {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Estate {
            schema: SCHEMA,
            version: Version::ours(),
            count: 3,
            renewed: 1,
            since_ms: 7,
            crashes: 0,
            leader: Some(3),
            wants_worker: false,
            ledger: Ledger::default(),
            good: false,
            sockets: (0..sockets).map(|port| (address(port), address(port))).collect(),
            workers: Vec::new(),
        }
    }

    #[test]
    fn many_files_arrive_whole_and_in_order() {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair");
        let folder = tempfile::tempdir().expect("a folder");
        let files: Vec<File> = (0..302)
            .map(|n| {
                let path = folder.path().join(n.to_string());
                std::fs::write(&path, n.to_string()).expect("written");
                File::open(path).expect("open")
            })
            .collect();
        let lent: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        send(&ours, &estate(300), &lent).expect("sent");
        let (came, files) = receive(&theirs).expect("received");
        assert_eq!((came.sockets.len(), came.count, files.len()), (300, 3, 302));
        for (n, file) in files.into_iter().enumerate() {
            let mut text = String::new();
            File::from(file).read_to_string(&mut text).expect("read");
            assert_eq!(text, n.to_string());
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair().expect("a pair");
        drop(ours);
        assert!(receive(&theirs).is_err(), "an end");
        let (ours, theirs) = pair().expect("a pair");
        let file = tempfile::tempfile().expect("a file");
        send(&ours, &estate(1), &[file.as_fd(), file.as_fd()]).expect("sent");
        assert!(receive(&theirs).is_err(), "a socket is missing");
        let newer = Estate { schema: SCHEMA + 1, ..estate(0) };
        send(&ours, &newer, &[file.as_fd(), file.as_fd()]).expect("sent");
        assert!(receive(&theirs).is_err_and(|e| e.to_string().contains("newer version")));
    }
}
