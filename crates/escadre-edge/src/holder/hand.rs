//! One worker process, as its holder has it.
//!
//! In → Out: a process and its channel → what it says and its end, as events.
//!
//! **Invariant**: a worker has ended when its channel has: it holds the other end as long as it lives. Its last words are
//! heard before its end is told.
//!
//! Not here: what its words cause (`holder`).
//!
//! Tests: `tests/it/`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Event;
use crate::channel::{Channel, ToHolder};

/// How often a process that closed its channel is asked whether it has ended, and how often in all before it is killed.
const ASK: (Duration, u32) = (Duration::from_millis(5), 400);

/// One worker process.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) channel: Arc<Channel>,
    pub(super) pid: u32,
    /// Started by this process, in whatever program: its end is ours to wait for.
    ours: bool,
    listening: JoinHandle<()>,
    pub(super) asked: BTreeSet<SocketAddr>,
    pub(super) flights: BTreeMap<String, u64>,
    pub(super) ready: bool,
    pub(super) retired: bool,
    /// Its program can take over from a holder of ours.
    pub(super) takes_over: bool,
}

impl Hand {
    pub(super) fn new(
        number: u64,
        pid: u32,
        ours: bool,
        channel: Arc<Channel>,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Hand {
        let child = pid_of(pid).filter(|_| ours);
        let listening = tokio::spawn(listen_to(number, child, Arc::clone(&channel), events.clone()));
        let (asked, flights) = (BTreeSet::new(), BTreeMap::new());
        Hand { channel, pid, ours, listening, asked, flights, ready: false, retired: false, takes_over: false }
    }

    /// Hears it again, after a pause.
    pub(super) fn listen(&mut self, number: u64, events: &mpsc::UnboundedSender<Event>) {
        let child = pid_of(self.pid).filter(|_| self.ours);
        self.listening = tokio::spawn(listen_to(number, child, Arc::clone(&self.channel), events.clone()));
    }

    /// Hears it no more; what it says waits in its channel.
    pub(super) async fn pause(&mut self) {
        self.listening.abort();
        // Aborted, or at its end.
        let _ended = (&mut self.listening).await;
    }

    /// Ends it at once. Its channel is open, so it is this process and no other one of the same number.
    pub(super) fn kill(&self) {
        if let Some(pid) = pid_of(self.pid) {
            // One that has just ended needs no killing.
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
}

fn pid_of(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// Passes on what a worker says, until it is gone.
async fn listen_to(number: u64, child: Option<Pid>, channel: Arc<Channel>, events: mpsc::UnboundedSender<Event>) {
    // An end, or words that cannot be read: its death says the rest.
    while let Ok(Some((message, file))) = channel.receive::<ToHolder>().await {
        if events.send(Event::Said(number, message, file)).is_err() {
            return;
        }
    }
    let how = match child {
        Some(child) => ended(child).await,
        None => None,
    };
    // The holder that would listen has ended.
    let _unheard = events.send(Event::Died(number, how));
}

/// How a child that closed its channel ended; it is brought to its end if it does not come to it.
async fn ended(child: Pid) -> Option<ExitStatus> {
    let (pause, times) = ASK;
    for asked in 0.. {
        match waitpid(Some(child), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => return Some(ExitStatus::from_raw(status.as_raw())),
            Ok(None) if asked == times => {
                let _gone = kill_process(child, Signal::KILL);
            }
            Ok(None) => {}
            Err(_) => return None,
        }
        tokio::time::sleep(pause).await;
    }
    None
}
