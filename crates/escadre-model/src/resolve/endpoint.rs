//! Endpoints of an instance: host names filled in and checked.
//!
//! In: endpoints of the product, the project with its variables. Out: [`HttpRoute`] by key.
//! **Invariant:** a host name is plain text, lower case, and a DNS name; a secret is never part of one.
//! Not here: whether another instance claims the same (`clash`).
//! Tests: `tests/it/resolve.rs`.

use super::values::source;
use super::{Work, no_service};
use crate::compose::{Project, Variables, substitute};
use crate::desired::HttpRoute;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::fleet::{Endpoint, hostname};
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
            routes.insert(Arc::clone(key), self.route(endpoint, variables));
        }
        routes
    }

    fn route(&mut self, endpoint: &Endpoint, variables: &Variables) -> HttpRoute {
        let mut names = |written: &[Spanned<Arc<str>>]| -> Vec<Arc<str>> {
            written.iter().filter_map(|host| self.host(host, variables)).collect()
        };
        let (hosts, redirect) = (names(&endpoint.hosts), names(&endpoint.redirect));
        HttpRoute {
            service: Arc::clone(&endpoint.service.value),
            port: endpoint.port.value,
            hosts,
            redirect,
            path: Arc::clone(&endpoint.path),
            body_limit: endpoint.body.as_ref().map(|body| body.value),
            timeout_ms: endpoint.timeout.as_ref().map(|timeout| timeout.value),
            source: Some(source(&endpoint.span)),
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
        if !hostname(plain) {
            let shown: String = plain.chars().take(80).flat_map(char::escape_default).collect();
            self.findings
                .push(wrong(Code::E0519, format!("\"{}\" gives \"{shown}\", which is no host name", written.value)));
            return None;
        }
        Some(plain.to_ascii_lowercase().into())
    }
}
