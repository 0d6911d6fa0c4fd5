//! Which certificate a host has at this moment.
//!
//! In → Out: a host and where its certificates come from → the certificate, or nothing.
//!
//! **Invariant**: only hosts that stand in the routes have one: a name somebody merely asks for is never certified. What
//! is given is valid now.
//!
//! Not here: who may know which host (`table`), how public certificates are had (`acme`).
//!
//! Tests: `tests/it/tls.rs`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use escadre_model::host::{self, Reach};
use escadre_model::routes::{Plain, Route, Routes, Tls};

use super::acme;
use super::authority::Authority;
use crate::certificate::Certificate;
use crate::control::{CertificateFrom, CertificateStatus};
use crate::files;
use crate::flight::lock;

/// Where the certificate of one host comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The local authority.
    Local,
    /// The public one.
    Acme,
    /// It was brought; or why what was brought cannot be used.
    Brought(Perhaps),
}

/// What a host's routes say about TLS.
#[derive(Debug, Clone)]
pub(crate) struct Secured {
    pub(crate) source: Source,
    pub(crate) plain: Plain,
    pub(crate) hsts_s: Option<u64>,
}

/// A certificate, or in words why there is none.
pub(crate) type Perhaps = Result<Arc<Certificate>, Arc<str>>;

/// Certificates that were brought, by the id of their file.
pub(crate) type Brought = BTreeMap<String, Perhaps>;

/// Reads every certificate that the routes name.
pub(crate) fn brought(dir: &Path, routes: &Routes) -> Brought {
    let mut all = Brought::new();
    for id in routes.routes.iter().filter_map(Route::brought) {
        if all.contains_key(id) {
            continue;
        }
        let path = files::brought_path(dir, id);
        let read = match std::fs::read(&path) {
            Ok(text) => Certificate::read(&text).map(Arc::new).map_err(|e| format!("{}: {e}", path.display())),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        };
        all.insert(id.to_owned(), read.map_err(Arc::from));
    }
    all
}

impl Secured {
    /// Is it a public authority's?
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.source, Source::Acme)
    }

    /// What a route says about one of its hosts; `None`: without TLS.
    pub(crate) fn of(route: &Route, host: &str, brought: &Brought) -> Option<Secured> {
        let source = match (route.tls.as_ref()?, host::reach(host)) {
            (Tls::File { id }, _) => {
                let missing = || Err(Arc::from("it was not read"));
                Source::Brought(brought.get(id).cloned().unwrap_or_else(missing))
            }
            (Tls::Acme, _) | (Tls::Usual, Reach::Public) => Source::Acme,
            (Tls::Local, _) | (Tls::Usual, Reach::Private) => Source::Local,
            (Tls::Usual, Reach::Bare) => return None,
        };
        // Whoever does not trust the local authority would be redirected into a warning.
        let usual = if matches!(source, Source::Local) { Plain::Serve } else { Plain::Redirect };
        Some(Secured { source, plain: route.plain.unwrap_or(usual), hsts_s: route.hsts_s })
    }
}

/// The certificates of one worker.
#[derive(Debug)]
pub(crate) struct Keyring {
    dir: PathBuf,
    /// Opened when it is first needed. Why it cannot be used is tried again with the next load.
    authority: Mutex<Option<Result<Arc<Authority>, Arc<str>>>>,
    local: Mutex<HashMap<String, Perhaps>>,
    public: Mutex<HashMap<String, Arc<Certificate>>>,
}

impl Keyring {
    pub(crate) fn new(dir: &Path) -> Keyring {
        Keyring { dir: dir.to_owned(), authority: Mutex::default(), local: Mutex::default(), public: Mutex::default() }
    }

    /// The certificate of a host, valid now.
    pub(crate) fn of(&self, host: &str, source: &Source, now: SystemTime) -> Option<Arc<Certificate>> {
        let certificate = match source {
            Source::Local => self.local(host, now).ok(),
            Source::Acme => lock(&self.public).get(host).cloned(),
            Source::Brought(brought) => brought.clone().ok(),
        };
        certificate.filter(|certificate| certificate.is_valid(now))
    }

    /// The local certificate of a host, made when it is first asked for or when it is due.
    pub(crate) fn local(&self, host: &str, now: SystemTime) -> Perhaps {
        let mut local = lock(&self.local);
        if let Some(Ok(there)) = local.get(host)
            && now < there.due()
        {
            return Ok(Arc::clone(there));
        }
        if let Some(Err(why)) = local.get(host) {
            return Err(Arc::clone(why));
        }
        let made = self.authority().and_then(|authority| match authority.certify(host) {
            Ok(made) => Ok(Arc::new(made)),
            Err(error) => Err(Arc::from(error.to_string())),
        });
        local.insert(host.to_owned(), made.clone());
        made
    }

    fn authority(&self) -> Result<Arc<Authority>, Arc<str>> {
        let mut authority = lock(&self.authority);
        let open = || match Authority::open(&self.dir) {
            Ok(authority) => Ok(Arc::new(authority)),
            Err(error) => Err(Arc::from(error.to_string())),
        };
        authority.get_or_insert_with(open).clone()
    }

    /// A host's certificate of a public authority.
    pub(crate) fn public(&self, host: &str) -> Option<Arc<Certificate>> {
        lock(&self.public).get(host).cloned()
    }

    /// A host got a certificate of a public authority.
    pub(crate) fn add_public(&self, host: &str, certificate: Certificate) {
        lock(&self.public).insert(host.to_owned(), Arc::new(certificate));
    }

    /// Reads the certificates of a public authority that are kept for these hosts, as far as they are not known yet. One
    /// that cannot be read is had anew.
    pub(crate) fn take_up<'h>(&self, hosts: impl IntoIterator<Item = &'h str>) {
        for host in hosts {
            if lock(&self.public).contains_key(host) {
                continue;
            }
            let read = std::fs::read(acme::certificate_path(&self.dir, host)).ok();
            if let Some(certificate) = read.and_then(|text| Certificate::read(&text).ok()) {
                self.add_public(host, certificate);
            }
        }
    }

    /// What is to be told about a host's certificate.
    pub(crate) fn status(&self, host: &str, source: &Source, now: SystemTime) -> CertificateStatus {
        let (from, certificate) = match source {
            Source::Local => (CertificateFrom::Local, self.local_so_far(host)),
            Source::Acme => (CertificateFrom::Acme, Ok(lock(&self.public).get(host).cloned())),
            Source::Brought(brought) => (CertificateFrom::Brought, brought.clone().map(Some)),
        };
        let mut status = CertificateStatus::of(host, from);
        match certificate {
            Err(why) => status.problem = Some(why.to_string()),
            // A local one is made when somebody comes.
            Ok(None) => match source {
                Source::Local => status.works = true,
                _ => status.problem = Some("it has not been asked for yet".to_owned()),
            },
            Ok(Some(certificate)) => {
                let unfit = certificate.unfit([host], now);
                status.works = unfit.is_empty();
                status.ends_s = certificate.ends().duration_since(SystemTime::UNIX_EPOCH).ok().map(|at| at.as_secs());
                status.issuer = Some(certificate.issuer().to_owned());
                let wrong: Vec<String> = unfit.iter().map(ToString::to_string).collect();
                status.problem = (!wrong.is_empty()).then(|| wrong.join("; "));
            }
        }
        status
    }

    /// The local certificate of a host if it was made already, or why it cannot be.
    fn local_so_far(&self, host: &str) -> Result<Option<Arc<Certificate>>, Arc<str>> {
        match lock(&self.local).get(host).cloned() {
            Some(made) => made.map(Some),
            None => self.authority().map(|_| None),
        }
    }

    /// New routes are served: hosts that left are forgotten, what failed is tried again.
    pub(crate) fn settle(&self, is_there: impl Fn(&str) -> bool) {
        let mut authority = lock(&self.authority);
        if matches!(*authority, Some(Err(_))) {
            *authority = None;
        }
        drop(authority);
        lock(&self.local).retain(|host, certificate| certificate.is_ok() && is_there(host));
    }
}
