//! Claims of several instances to one thing of a target: host names and published ports.
//!
//! In: resolved instances. Out: a finding for each clash, naming both.
//! **Invariant:** instances on different targets never clash; the cost is linear in the number of claims.
//! Not here: ports that somebody else on the host holds (observed).
//! Tests: `tests/it/resolve.rs`.

use crate::compose::Project;
use crate::desired::{Https, State};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::fleet::Fleet;
use crate::host;
use crate::ids::InstanceId;
use crate::resolved::{OpenPort, Resolved};
use crate::source::Source;
use crate::text::Node;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Where an instance's own file says so, from its identity and, for a host name, the endpoint.
pub(super) type Place<'p> = &'p dyn Fn(&InstanceId, Option<&str>) -> Option<Span>;

/// Who claims something, and where that is written.
struct Claim<'r> {
    by: &'r Resolved,
    endpoint: Option<&'r str>,
    source: Option<Source>,
}

/// The address that a port is claimed on (empty: all), and by whom.
type PortClaim<'r> = (&'r str, Claim<'r>);

/// What is said about TLS, and by whom.
type TlsClaim<'r> = (&'r Option<Https>, Claim<'r>);

/// All clashes between these instances of a fleet, in the order given.
pub fn clashes<'r>(fleet: &Fleet, all: impl IntoIterator<Item = &'r Resolved>) -> Vec<Diagnostic> {
    find(all, &|id, endpoint| super::place(fleet, id, endpoint)).findings
}

/// Clashes, and who is in them.
pub(super) struct Clashes<'p> {
    pub(super) findings: Vec<Diagnostic>,
    pub(super) instances: HashSet<InstanceId>,
    place: Place<'p>,
}

impl Clashes<'_> {
    fn disagree(&mut self, what: &str, first: &Claim<'_>, second: &Claim<'_>) {
        self.instances.extend([first.by.instance.clone(), second.by.instance.clone()]);
        let message = format!("{what} is served by two endpoints that say different things in `tls:`");
        self.findings.push(self.labelled(Diagnostic::error(Code::E0523, message), first, second));
    }

    fn add(&mut self, code: Code, what: &str, first: &Claim<'_>, second: &Claim<'_>) {
        self.instances.extend([first.by.instance.clone(), second.by.instance.clone()]);
        let (a, b) = (&first.by.instance.instance, &second.by.instance.instance);
        let message =
            if a == b { format!("{a} claims {what} twice") } else { format!("{a} and {b} both claim {what}") };
        self.findings.push(self.labelled(Diagnostic::error(code, message), first, second));
    }

    /// Two instances are told apart by their own files; where both get it from one place, that is shown too.
    fn labelled(&self, mut finding: Diagnostic, first: &Claim<'_>, second: &Claim<'_>) -> Diagnostic {
        let said = |claim: &Claim<'_>| {
            claim.source.as_ref().map(|source| Span { line: source.line, ..Span::whole(&source.file) })
        };
        let two = first.by.instance != second.by.instance;
        let own = |claim: &Claim<'_>| (self.place)(&claim.by.instance, claim.endpoint).filter(|_| two);
        for claim in [second, first] {
            if let Some(span) = own(claim).or_else(|| said(claim)) {
                finding = finding.label(&span, format!("claimed by {}", claim.by.instance.instance));
            }
        }
        let mut shared: Vec<Span> =
            [second, first].into_iter().filter(|claim| own(claim).is_some()).filter_map(said).collect();
        shared.dedup();
        shared.iter().fold(finding, |finding, span| finding.label(span, "both get it from here"))
    }
}

pub(super) fn find<'r, 'p>(all: impl IntoIterator<Item = &'r Resolved>, place: Place<'p>) -> Clashes<'p> {
    let mut hosts: HashMap<(&str, Arc<str>, &str), Claim<'r>> = HashMap::new();
    let mut tls: HashMap<(&str, Arc<str>), TlsClaim<'r>> = HashMap::new();
    let mut ports: HashMap<(&str, u16, &str), Vec<PortClaim<'r>>> = HashMap::new();
    let mut found = Clashes { findings: Vec::new(), instances: HashSet::new(), place };
    for resolved in all.into_iter().filter(|resolved| resolved.state == State::Running) {
        for (key, route) in &resolved.endpoints {
            for host in route.hosts.iter().chain(&route.redirect) {
                let claim = || Claim { by: resolved, endpoint: Some(key), source: route.source.clone() };
                let (claim, again) = (claim(), claim());
                let (said, first) = tls.entry((&resolved.target, Arc::clone(host))).or_insert((&route.tls, again));
                if *said != &route.tls {
                    let what = format!("the host name {}", host::shown(host));
                    found.disagree(&what, first, &claim);
                }
                match hosts.entry((&resolved.target, Arc::clone(host), &route.path)) {
                    std::collections::hash_map::Entry::Vacant(free) => drop(free.insert(claim)),
                    std::collections::hash_map::Entry::Occupied(first) => {
                        let what = format!(
                            "the host name {}{}",
                            host::shown(host),
                            if &*route.path == "/" { "" } else { &route.path }
                        );
                        found.add(Code::E0513, &what, first.get(), &claim);
                    }
                }
            }
        }
        for port in &resolved.shape.ports {
            let claim = Claim { by: resolved, endpoint: None, source: Some(port.source.clone()) };
            let claims = ports.entry((&resolved.target, port.published, &port.protocol)).or_default();
            match claims.iter().find(|(host, _)| host.is_empty() || port.host.is_empty() || **host == *port.host) {
                Some((_, first)) => found.add(Code::E0514, &format!("port {}", port.published), first, &claim),
                None => claims.push((&port.host, claim)),
            }
        }
    }
    found
}

/// The ports that instances of a project open on their host: those whose container port an endpoint serves are not opened in a fleet.
pub(super) fn ports(project: &Project, served: &[(Arc<str>, u16)], single: bool) -> Vec<OpenPort> {
    let mut all = Vec::new();
    for service in project.services() {
        for node in service.list("ports") {
            let text = |key: &str| node.get(key).and_then(Node::as_str);
            let number = |key: &str| text(key).and_then(|text| text.parse::<u16>().ok());
            let Some(published) = number("published").filter(|port| *port != 0) else { continue };
            let target = number("target");
            let is_served = served.iter().any(|(name, port)| name == service.name && Some(*port) == target);
            let by_engine = text("mode") == Some("host");
            if is_served && !by_engine && !single {
                continue;
            }
            let host = text("host_ip").filter(|ip| !matches!(*ip, "0.0.0.0" | "::")).unwrap_or_default();
            all.push(OpenPort {
                published,
                protocol: text("protocol").unwrap_or("tcp").into(),
                host: host.into(),
                source: Source { file: Arc::clone(&node.span.file), line: node.span.line },
            });
        }
    }
    all
}
