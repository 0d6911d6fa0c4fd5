//! Endpoints of an instance: host names filled in and checked.
//!
//! In: endpoints of the product, the project with its variables. Out: [`HttpRoute`] by key.
//! **Invariant:** a host name is plain text, as DNS carries it; a secret is never part of one. Where its certificate comes from is decided here, whether it can be had elsewhere.
//! Not here: whether another instance claims the same (`clash`).
//! Tests: `tests/it/resolve.rs`.

use super::values::source;
use super::{Work, no_service};
use crate::compose::{Project, Variables, substitute};
use crate::desired::{CertificateSource, HttpRoute, Https};
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::fleet::{Endpoint, TlsBy, usual_certificate};
use crate::hash::{Hash, KeyedHash};
use crate::host::{self, Reach};
use crate::secret::SecretRef;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Work<'_> {
    pub(super) fn endpoints(&mut self, project: &Project, variables: &Variables) -> BTreeMap<Arc<str>, HttpRoute> {
        let product = self.product;
        let mut routes = BTreeMap::new();
        for (key, endpoint) in &product.endpoints {
            let service = &endpoint.service;
            if project.disabled.contains(&service.value) {
                // Only customers with its profile have the service, and the endpoint with it.
                continue;
            }
            if project.service(&service.value).is_none() {
                self.findings.push(no_service(&format!("the endpoint {key}"), &service.value, &service.span, project));
                continue;
            }
            let route = self.route(key, endpoint, variables);
            routes.insert(Arc::clone(key), route);
        }
        share(&mut routes);
        routes
    }

    fn route(&mut self, key: &str, endpoint: &Endpoint, variables: &Variables) -> HttpRoute {
        let mut names = |written: &[Spanned<Arc<str>>]| -> Vec<Arc<str>> {
            written.iter().filter_map(|host| self.host(host, variables)).collect()
        };
        let (hosts, redirect) = (names(&endpoint.hosts), names(&endpoint.redirect));
        let tls = self.https(key, endpoint, &hosts.iter().chain(&redirect).collect::<Vec<_>>());
        HttpRoute {
            service: Arc::clone(&endpoint.service.value),
            port: endpoint.port.value,
            hosts,
            redirect,
            path: Arc::clone(&endpoint.path),
            body_limit: endpoint.body.as_ref().map(|body| body.value),
            timeout_ms: endpoint.timeout.as_ref().map(|timeout| timeout.value),
            tls,
            source: Some(source(&endpoint.span)),
        }
    }

    /// Where the certificates of these names come from. An instance that brings one uses it, whatever the product says but `off`.
    fn https(&mut self, key: &str, endpoint: &Endpoint, names: &[&Arc<str>]) -> Option<Https> {
        let from = match &endpoint.tls.by {
            TlsBy::Off => return None,
            TlsBy::Secret { chain, key } => self.brought(chain, key.as_ref()),
            _ if self.fleet.secret(self.instance, &usual_certificate(key)).is_some() => {
                self.brought(&usual_certificate(key), None)
            }
            // Names that nobody certifies are served without.
            TlsBy::Usual if names.iter().all(|name| host::reach(name) == Reach::Bare) => return None,
            TlsBy::Usual => CertificateSource::Usual,
            TlsBy::Local => CertificateSource::Local,
            TlsBy::Acme => CertificateSource::Acme,
        };
        let (wanted, who) = match &from {
            CertificateSource::Local => (Reach::Private, "the local authority certifies private names only"),
            CertificateSource::Acme => (Reach::Public, "no public authority certifies it"),
            _ => return Some(Https { from, plain: endpoint.tls.plain, hsts_s: endpoint.tls.hsts_s }),
        };
        for name in names.iter().filter(|name| host::reach(name) != wanted) {
            let message = format!("there is no certificate for {}: {who}", host::shown(name));
            let finding = Diagnostic::error(Code::E0522, message).at(&endpoint.tls.span);
            let finding = finding.label(&self.instance.name.span, "for this instance");
            self.findings.push(match wanted {
                Reach::Private => {
                    let endings = host::PRIVATE.join(", ");
                    finding.hint(format!("private names end in {endings}; for others: tls: acme, or a certificate of your own as a secret"))
                }
                _ => finding.hint("leave `tls:` out: private names are certified by the local authority"),
            });
        }
        Some(Https { from, plain: endpoint.tls.plain, hsts_s: endpoint.tls.hsts_s })
    }

    /// A certificate that is a secret.
    fn brought(&self, chain: &Arc<str>, key: Option<&Arc<str>>) -> CertificateSource {
        let hashes: Option<Vec<KeyedHash>> = std::iter::once(chain)
            .chain(key)
            .map(|name| {
                let stored = self.fleet.secret(self.instance, name)?;
                // What is wrong with it was said where secrets are read.
                self.hash(&stored).ok().flatten()
            })
            .collect();
        CertificateSource::Secret {
            chain: SecretRef::new(Arc::clone(chain)),
            key: key.map(|key| SecretRef::new(Arc::clone(key))),
            hash: hashes.map(|hashes| Hash::of_json(&hashes)),
        }
    }

    fn host(&mut self, written: &Spanned<Arc<str>>, variables: &Variables) -> Option<Arc<str>> {
        let mut unset = BTreeSet::new();
        let instance = &self.instance.name;
        let wrong = |code, message: String| {
            Diagnostic::error(code, message).at(&written.span).label(&instance.span, "for this instance")
        };
        let Ok(text) = substitute(&written.value, variables, &mut unset) else {
            self.findings.push(wrong(
                Code::E0519,
                format!("\"{}\" is no host name: its variables cannot be filled in", written.value),
            ));
            return None;
        };
        if let Some(name) = unset.first() {
            let message =
                format!("the host name \"{}\" needs {name}, which has no value for {}", written.value, instance.value);
            self.findings.push(wrong(Code::E0519, message));
            return None;
        }
        let Some(plain) = text.as_str() else {
            self.findings.push(wrong(Code::E0607, format!("the host name \"{}\" cannot hold a secret", written.value)));
            return None;
        };
        match host::read(plain) {
            Ok(name) => Some(name),
            Err(why) => {
                let shown: String = plain.chars().take(80).flat_map(char::escape_default).collect();
                let gives = if *written.value == *plain { String::new() } else { format!(" gives \"{shown}\", which") };
                let message = format!("\"{}\"{gives} is no host name: {why}", written.value);
                self.findings.push(wrong(Code::E0519, message));
                None
            }
        }
    }
}

/// Endpoints of one name (they differ in the path) have one certificate: the one that was brought for any of them.
fn share(routes: &mut BTreeMap<Arc<str>, HttpRoute>) {
    let brought: Vec<HttpRoute> = routes
        .values()
        .filter(|route| matches!(route.tls, Some(Https { from: CertificateSource::Secret { .. }, .. })))
        .cloned()
        .collect();
    for route in routes.values_mut() {
        let has = |name: &Arc<str>| route.hosts.contains(name) || route.redirect.contains(name);
        let other = brought.iter().find(|other| other.hosts.iter().chain(&other.redirect).any(has));
        if let (Some(Https { from, .. }), Some(Https { from: theirs, .. })) =
            (&mut route.tls, other.and_then(|other| other.tls.as_ref()))
            && !matches!(from, CertificateSource::Secret { .. })
        {
            *from = theirs.clone();
        }
    }
}
