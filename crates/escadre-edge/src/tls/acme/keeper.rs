//! Who is to have a certificate next.
//!
//! In → Out: the table's hosts, certificates, records, the time → tries; their ends → the keyring, the record, the log.
//!
//! **Invariant**: what is decided depends on nothing but these; a try that hangs is ended. Whoever asks for one host
//! (`renew`) waits for its own try, not for the others'.
//!
//! Not here: how a certificate is had (`order`).
//!
//! Tests: `tests/it/acme.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use escadre_model::routes::Acme;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::order::{Failed, Try};
use super::record::{Record, Tries, Trouble, jitter, millis};
use crate::certificate::Certificate;
use crate::control::{CertificateStatus, Failing};
use crate::flight::lock;
use crate::state::Edge;
use crate::tls::keyring::Source;

/// Tries at once.
const AT_ONCE: usize = 4;
/// Longest time for one try.
const TRY: Duration = Duration::from_secs(240);
/// A try that died with its process is not begun again before.
const DIED: Duration = Duration::from_secs(30);
/// The longest sleep: clocks are set, files come back.
const LOOK: Duration = Duration::from_secs(3600);

/// Somebody who waits for a try that began after they asked: one that was under way may not know what was mended.
#[derive(Debug)]
struct Asked {
    at: Instant,
    ended: oneshot::Sender<()>,
}

/// What the keeper shares with those who ask.
#[derive(Debug)]
pub(crate) struct Keeper {
    dir: PathBuf,
    /// The first wait after a failure.
    first_wait: Duration,
    pub(crate) record: Mutex<Record>,
    settings: Mutex<Option<Acme>>,
    wanted: Mutex<BTreeMap<String, Vec<Asked>>>,
    /// Held while the account is looked up or made: tries at once must not make several.
    account: tokio::sync::Mutex<()>,
    wake: Notify,
}

impl Keeper {
    pub(crate) fn new(dir: PathBuf, first_wait: Duration) -> Keeper {
        let record = Mutex::new(Record::load(&dir));
        let (settings, wanted) = (Mutex::default(), Mutex::default());
        Keeper {
            dir,
            first_wait,
            record,
            settings,
            wanted,
            account: tokio::sync::Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// New routes are served.
    pub(crate) fn settle(&self, acme: Option<&Acme>) {
        *lock(&self.settings) = acme.cloned();
        self.wake.notify_one();
    }

    pub(crate) fn settings(&self) -> Option<Acme> {
        lock(&self.settings).clone()
    }

    /// Has this host tried now, whatever its record says; told when the try has ended.
    pub(crate) fn renew(&self, host: &str) -> oneshot::Receiver<()> {
        let (ended, told) = oneshot::channel();
        lock(&self.wanted).entry(host.to_owned()).or_default().push(Asked { at: Instant::now(), ended });
        self.wake.notify_one();
        told
    }

    fn tell_those_who_wait(&self, host: &str, begun: Option<Instant>) {
        let mut wanted = lock(&self.wanted);
        let Some(all) = wanted.remove(host) else { return };
        let (told, later): (Vec<Asked>, Vec<Asked>) =
            all.into_iter().partition(|asked| begun.is_none_or(|begun| asked.at <= begun));
        if !later.is_empty() {
            wanted.insert(host.to_owned(), later);
        }
        // Whoever asked may have left.
        for asked in told {
            let _left = asked.ended.send(());
        }
    }

    /// Until when the authority wants to be left alone about a host.
    pub(crate) fn held_back(&self, host: &str, now: SystemTime) -> Option<SystemTime> {
        let record = lock(&self.record);
        let tries = record.hosts.get(host).map(|host| &host.tries)?;
        let limited = matches!(tries.trouble, Some(Trouble::RateLimited(_)));
        (limited && tries.next() > now).then(|| tries.next())
    }

    /// When a host is to be tried; `None`: never, for now.
    fn due(&self, host: &str, certificate: Option<&Certificate>, directory: &str, record: &Record) -> SystemTime {
        let host_record = record.hosts.get(host);
        let same = host_record.is_some_and(|known| known.directory == directory);
        let by_life = match certificate.filter(|_| same) {
            Some(certificate) => {
                let life = certificate.ends().duration_since(certificate.begins()).unwrap_or_default();
                certificate.due() + jitter(host, life)
            }
            None => SystemTime::UNIX_EPOCH,
        };
        let not_before = host_record.map_or(SystemTime::UNIX_EPOCH, |known| {
            let died = SystemTime::UNIX_EPOCH + Duration::from_millis(known.begun_ms) + DIED;
            known.tries.next().max(if known.begun_ms > known.tries.last_ms { died } else { SystemTime::UNIX_EPOCH })
        });
        by_life.max(not_before).max(record.authority.next())
    }

    /// Adds what is known of tries to what is told of a certificate.
    pub(crate) fn tell(&self, edge: &Edge, mut status: CertificateStatus) -> CertificateStatus {
        let Some(acme) = self.settings() else {
            status.problem = Some("no public authority is set for this edge".to_owned());
            return status;
        };
        let record = lock(&self.record);
        let certificate = edge.keyring.public(&status.host);
        let due = self.due(&status.host, certificate.as_deref(), &acme.directory, &record);
        status.next_s = Some(millis(due) / 1_000);
        let Some(tries) = record.hosts.get(&status.host).map(|known| &known.tries) else { return status };
        let Some(trouble) = &tries.trouble else { return status };
        // What the authority itself lacks is not the name's fault, but it is the name that has no certificate.
        let of_all = matches!(trouble, Trouble::Unreachable(_) | Trouble::Account(_));
        let counted = if of_all { &record.authority } else { tries };
        status.problem = Some(trouble.words());
        status.failed = Some(Failing {
            times: counted.failed,
            since_s: counted.since_ms / 1_000,
            last_s: tries.last_ms / 1_000,
            points_to: tries.points_to.clone(),
            here: tries.here.clone(),
        });
        status
    }

    fn change(&self, edge: &Edge, change: impl FnOnce(&mut Record)) {
        let mut record = lock(&self.record);
        change(&mut record);
        if let Err(error) = record.save(&self.dir) {
            edge.log.say(&format!("cannot remember what became of certificates: {}", error.sentence()));
        }
    }
}

/// Keeps certificates until it is aborted.
pub(crate) async fn keep(edge: Arc<Edge>) {
    let keeper = Arc::clone(&edge.keeper);
    let mut tries = JoinSet::new();
    let mut under_way = BTreeMap::new();
    loop {
        let next = begin_due(&edge, &keeper, &mut tries, &mut under_way);
        let sleep = next.map_or(LOOK, |at| at.duration_since(SystemTime::now()).unwrap_or_default()).min(LOOK);
        tokio::select! {
            () = keeper.wake.notified() => {}
            () = tokio::time::sleep(sleep.max(Duration::from_millis(20))) => {}
            Some(ended) = tries.join_next() => {
                if let Ok((host, ended)) = ended {
                    let begun = under_way.remove(&host);
                    finish(&edge, &keeper, &host, ended);
                    keeper.tell_those_who_wait(&host, begun);
                }
            }
        }
    }
}

type Ended = (String, Result<Certificate, (Failed, Look)>);

/// Begins what is due; gives when the next one is.
fn begin_due(
    edge: &Arc<Edge>,
    keeper: &Arc<Keeper>,
    tries: &mut JoinSet<Ended>,
    under_way: &mut BTreeMap<String, Instant>,
) -> Option<SystemTime> {
    let acme = keeper.settings()?;
    let (table, now) = (edge.tables.load(), SystemTime::now());
    let hosts = table.all_secured().filter(|(_, secured)| matches!(secured.source, Source::Acme));
    let wanted: BTreeSet<String> = lock(&keeper.wanted).keys().cloned().collect();
    let mut all: Vec<(SystemTime, &String)> = {
        let record = lock(&keeper.record);
        let free = hosts.map(|(host, _)| host).filter(|host| !under_way.contains_key(*host));
        free.map(|host| {
            let certificate = edge.keyring.public(host);
            let due = keeper.due(host, certificate.as_deref(), &acme.directory, &record);
            (if wanted.contains(host) { SystemTime::UNIX_EPOCH } else { due }, host)
        })
        .collect()
    };
    all.sort();
    let mut all = all.into_iter();
    while tries.len() < AT_ONCE {
        let (due, host) = all.next()?;
        if due > now {
            return Some(due);
        }
        under_way.insert(host.clone(), Instant::now());
        keeper.change(edge, |record| record.hosts.entry(host.clone()).or_default().begun_ms = millis(now));
        let (host, acme, keeper) = (host.clone(), acme.clone(), Arc::clone(keeper));
        tries.spawn(async move {
            let one = Try { dir: &keeper.dir, acme: &acme, host: &host, account: &keeper.account };
            let ended = match tokio::time::timeout(TRY, one.run()).await {
                Ok(ended) => ended,
                Err(_) => {
                    let trouble = Trouble::Unreachable("it did not come to an end in time".to_owned());
                    Err(Failed { trouble, again: None })
                }
            };
            let ended = match ended {
                Ok(certificate) => Ok(certificate),
                Err(failed) => Err((failed, look(&host).await)),
            };
            (host, ended)
        });
    }
    // What ends makes room for the next.
    None
}

fn finish(edge: &Edge, keeper: &Keeper, host: &str, ended: Result<Certificate, (Failed, Look)>) {
    let now = SystemTime::now();
    match ended {
        Ok(certificate) => {
            let (issuer, ends) = (certificate.issuer().to_owned(), crate::certificate::day(certificate.ends()));
            edge.log.say(&format!("certificate of {host} until {ends}, by {issuer}"));
            edge.keyring.add_public(host, certificate);
            let directory = keeper.settings().map(|acme| acme.directory).unwrap_or_default();
            keeper.change(edge, |record| {
                record.authority = Tries::default();
                let known = record.hosts.entry(host.to_owned()).or_default();
                (known.directory, known.tries) = (directory, Tries { last_ms: millis(now), ..Tries::default() });
            });
        }
        Err((Failed { trouble, again }, look)) => {
            let words = trouble.words();
            keeper.change(edge, |record| {
                let known = record.hosts.entry(host.to_owned()).or_default();
                if known.tries.trouble.as_ref() != Some(&trouble) {
                    edge.log.say(&format!("no certificate for {host}: {words}"));
                }
                // An authority that does not work is not asked for the next host either, and no host pays for it.
                if matches!(trouble, Trouble::Unreachable(_) | Trouble::Account(_)) {
                    // Tries that were under way at once are one failure of it.
                    if record.authority.next() <= now {
                        record.authority.fail(trouble.clone(), keeper.first_wait, again, now);
                    }
                    known.tries.last_ms = millis(now);
                    known.tries.trouble = Some(trouble);
                } else {
                    record.authority = Tries::default();
                    known.tries.fail(trouble, keeper.first_wait, again, now);
                }
                (known.tries.points_to, known.tries.here) = (look.points_to, look.here);
            });
        }
    }
}

/// Where a name leads, and where we are: what a person compares first.
#[derive(Debug, Default)]
struct Look {
    points_to: Vec<IpAddr>,
    here: Vec<IpAddr>,
}

async fn look(host: &str) -> Look {
    let asked = tokio::time::timeout(Duration::from_secs(5), tokio::net::lookup_host((host, 80))).await;
    let mut points_to: Vec<IpAddr> = match asked {
        Ok(Ok(found)) => found.map(|at| at.ip()).collect(),
        _ => Vec::new(),
    };
    points_to.sort();
    points_to.dedup();
    let mut here = Vec::new();
    // The address that packets to the internet would leave from; nothing is sent.
    for (from, to) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        let local = async {
            let socket = tokio::net::UdpSocket::bind(from).await?;
            socket.connect(to).await?;
            socket.local_addr()
        };
        here.extend(local.await.ok().map(|at: SocketAddr| at.ip()));
    }
    Look { points_to, here }
}
