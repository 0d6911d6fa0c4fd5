//! The holder as a service of systemd: what it says, and its listening sockets, which systemd keeps should it die
//! (sd_notify(3), "FDSTORE"; systemd.service(5), `FileDescriptorStoreMax`).
//!
//! In → Out: a socket that was made or is closed → systemd knows; a start after a death → the sockets that it kept.
//!
//! **Invariant**: systemd keeps what the holder has and nothing else, so that a port that is given back is free, and
//! nobody is refused while there is no holder. Without systemd nothing is said, and nothing was kept.
//!
//! Not here: one holder that hands over to the next while both live (`succession`).
//!
//! Tests: at the end of this file, `tests/it/succession.rs`; with a real systemd `escadre/tests/it/boot.rs`.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    sendmsg_addr, socket_with,
};

use crate::log::Log;

/// How long systemd may keep us waiting: it answers nothing, but its queue may be full.
const PATIENCE: Duration = Duration::from_secs(2);

/// What systemd is told, if it is there.
#[derive(Debug)]
pub(super) struct Service {
    /// Its `NOTIFY_SOCKET`.
    at: Option<PathBuf>,
}

impl Service {
    pub(super) fn new(at: Option<PathBuf>) -> Service {
        Service { at }
    }

    /// The edge serves.
    pub(super) fn ready(&self, log: &Log) {
        self.tell(log, "READY=1", None);
    }

    /// Keep this listening socket; what is kept already is kept once.
    pub(super) fn keep(&self, log: &Log, address: SocketAddr, socket: BorrowedFd<'_>) {
        // What was asked for is found again by where the socket is bound; "any port" is not.
        if address.port() != 0 {
            self.tell(log, &format!("FDSTORE=1\nFDNAME={}", name_of(address)), Some(socket));
        }
    }

    /// This listening socket is closed.
    pub(super) fn forget(&self, log: &Log, address: SocketAddr) {
        if address.port() != 0 {
            self.tell(log, &format!("FDSTOREREMOVE=1\nFDNAME={}", name_of(address)), None);
        }
    }

    fn tell(&self, log: &Log, words: &str, socket: Option<BorrowedFd<'_>>) {
        // Traffic goes on without; only a death would be noticed.
        if let Err(error) = self.send(words, socket) {
            log.say(&format!("cannot tell systemd \"{}\": {error}", words.replace('\n', " ")));
        }
    }

    fn send(&self, words: &str, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let Some(at) = &self.at else { return Ok(()) };
        let address = match at.as_os_str().as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddrUnix::new_abstract_name(name)?,
            None => SocketAddrUnix::new(at)?,
        };
        let ours = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&ours, Timeout::Send, Some(PATIENCE))?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let lent = socket.map(|socket| [socket]);
        if let Some(lent) = &lent
            && !control.push(SendAncillaryMessage::ScmRights(lent))
        {
            return Err(io::Error::other("no room for a socket in the message"));
        }
        sendmsg_addr(&ours, &address, &[IoSlice::new(words.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// What a socket is called in the store: no name may have a colon in it.
fn name_of(address: SocketAddr) -> String {
    format!("listen-{}", address.to_string().replace(':', "_"))
}

/// The listening sockets that systemd kept while there was no holder (sd_listen_fds(3)), with their addresses. To be
/// called once: they are taken out of the environment, so that no child takes them for its own.
pub(super) fn kept(log: &Log) -> Vec<(SocketAddr, OwnedFd)> {
    let mut passed = ListenFd::from_env();
    let one = |at: usize, passed: &mut ListenFd| -> io::Result<Option<(SocketAddr, OwnedFd)>> {
        let Some(listener) = passed.take_tcp_listener(at)? else { return Ok(None) };
        listener.set_nonblocking(true)?;
        Ok(Some((listener.local_addr()?, TcpListener::into(listener))))
    };
    let mut all = Vec::new();
    for at in 0..passed.len() {
        match one(at, &mut passed) {
            Ok(kept) => all.extend(kept),
            Err(error) => log.say(&format!("cannot use what systemd passed on: {error}")),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    fn told(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).expect("told");
        String::from_utf8_lossy(bytes.get(..length).expect("a length")).into_owned()
    }

    #[test]
    fn systemd_is_told_what_is_open_and_by_names_that_it_takes() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::open(&folder.path().join("log"), "test".to_owned());
        let systemd = UnixDatagram::bind(folder.path().join("notify")).expect("bound");
        systemd.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let service = Service::new(Some(folder.path().join("notify")));
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        service.ready(&log);
        service.keep(&log, "0.0.0.0:80".parse().expect("an address"), listener.as_fd());
        service.keep(&log, "127.0.0.1:0".parse().expect("an address"), listener.as_fd());
        service.forget(&log, "[::]:443".parse().expect("an address"));
        let words: Vec<String> = (0..3).map(|_| told(&systemd)).collect();
        assert_eq!(
            words,
            ["READY=1", "FDSTORE=1\nFDNAME=listen-0.0.0.0_80", "FDSTOREREMOVE=1\nFDNAME=listen-[__]_443"]
        );
        drop(systemd);
        service.ready(&log);
        let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
        assert!(log.contains("cannot tell systemd \"READY=1\""), "{log}");
    }
}
