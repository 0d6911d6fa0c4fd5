//! What was looked at: the common ground of all verbs that look.
//!
//! In: nothing; these are types, and what is told from them alone. Out: [`Looked`].
//! **Invariant**: what was not seen is unknown, never healthy and never absent.
//! Not here: fetching (`wire`). Tests: with the views.

use crate::terminal::time::Now;
use escadre_edge::control::Status as EdgeStatus;
use escadre_model::desired::{CertificateSource, Desired, HttpRoute, Route, State};
use escadre_model::host::{self, Reach};
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::observed::{ContainerSeen, Health, InstanceSeen, Observed, Outcome, Phase};
use escadre_plan::change::Reason;
use escadre_plan::plan::{InstancePlan, Plan};
use schemars::JsonSchema;
use serde::Serialize;

/// Files and world, side by side.
#[derive(Clone, Debug)]
pub(crate) struct Looked<'a> {
    /// The fleet's name.
    pub(crate) fleet: &'a str,
    /// Beside a plain Compose file: its name.
    pub(crate) single: Option<&'a str>,
    /// What the chosen instances want.
    pub(crate) desired: &'a [Desired],
    /// What was seen.
    pub(crate) observed: &'a Observed,
    /// What would be done now: for drift and for what differs from the files.
    pub(crate) plan: &'a Plan,
    /// Where the edge answers for host names.
    pub(crate) ports: EdgePorts,
    /// What the edge tells of itself; nothing: it does not run.
    pub(crate) edge: Option<&'a EdgeStatus>,
    /// Now and here.
    pub(crate) now: &'a Now,
}

/// How an instance or a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    /// Every check that there is has passed.
    Healthy,
    /// It runs, and nothing of it has a check.
    Running,
    /// A check has not decided yet, or the engine restarts it.
    Starting,
    /// A check fails.
    Unhealthy,
    /// It is there and does not run.
    Stopped,
    /// It is not there.
    Absent,
    /// It could not be seen.
    Unknown,
}

impl Condition {
    /// The word, the same everywhere.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Condition::Healthy => "healthy",
            Condition::Running => "running",
            Condition::Starting => "starting",
            Condition::Unhealthy => "unhealthy",
            Condition::Stopped => "stopped",
            Condition::Absent => "absent",
            Condition::Unknown => "unknown",
        }
    }
}

impl<'a> Looked<'a> {
    /// What was seen of an instance.
    pub(crate) fn seen(&self, id: &InstanceId) -> Option<&'a InstanceSeen> {
        self.observed.instances.get(id)
    }

    /// What the plan says of an instance.
    pub(crate) fn planned(&self, id: &InstanceId) -> Option<&'a InstancePlan> {
        self.plan.instances.iter().find(|instance| instance.instance == *id)
    }

    /// How an instance is: as its worst long-running service.
    pub(crate) fn condition(&self, desired: &Desired) -> Condition {
        if !self.observed.complete.containers {
            return Condition::Unknown;
        }
        // A service that the files name and no apply has brought yet is a difference from the files, no failure.
        let brought = self.seen(&desired.instance).and_then(|seen| seen.record.healthy());
        let each: Vec<Condition> = desired
            .services()
            .filter(|(_, _, service)| !service.job && service.replicas > 0)
            .filter(|(key, _, _)| brought.is_none_or(|receipt| receipt.desired.service(key).is_some()))
            .map(|(key, _, _)| self.service(&desired.instance, key))
            .collect();
        if each.iter().all(|one| *one == Condition::Absent) {
            return Condition::Absent;
        }
        let worst = each.iter().copied().max().unwrap_or(Condition::Absent);
        // Some of it is there: then it is down, not away.
        let worst = if worst == Condition::Absent { Condition::Stopped } else { worst };
        // Services without a check beside healthy ones do not make the whole less than healthy.
        if worst == Condition::Running && each.contains(&Condition::Healthy) { Condition::Healthy } else { worst }
    }

    /// How a service is: as its worst container of the newest generation.
    pub(crate) fn service(&self, id: &InstanceId, service: &str) -> Condition {
        if !self.observed.complete.containers {
            return Condition::Unknown;
        }
        current(self.seen(id), service).iter().map(|seen| condition(seen)).max().unwrap_or(Condition::Absent)
    }

    /// Services that the last apply left running and that do not run: (service, what became of it).
    pub(crate) fn fallen(&self, id: &InstanceId) -> Vec<(String, String)> {
        let Some(seen) = self.seen(id).filter(|_| self.observed.complete.containers) else { return Vec::new() };
        let stopped = seen
            .record
            .receipts
            .first()
            .is_some_and(|newest| matches!(newest.outcome, Outcome::Stopped | Outcome::Removed));
        let Some(receipt) = seen.record.healthy().filter(|receipt| !stopped && receipt.desired.state == State::Running)
        else {
            return Vec::new();
        };
        let services = receipt.desired.services().filter(|(_, _, service)| !service.job && service.replicas > 0);
        let fallen = services.filter_map(|(key, _, _)| {
            if seen.record.stopped.contains(key) {
                return None;
            }
            let containers = current(Some(seen), key);
            let what = match containers.first() {
                None => "its container is gone".to_owned(),
                Some(one) if matches!(one.phase, Phase::Exited(_) | Phase::Created | Phase::Paused) => {
                    format!("its container does not run: {}", phase_words(&one.phase))
                }
                Some(_) => return None,
            };
            Some((key.to_string(), what))
        });
        fallen.collect()
    }

    /// What was changed by hand: (service or other resource, what).
    pub(crate) fn drift(&self, id: &InstanceId) -> Vec<(String, String)> {
        let changes = self.planned(id).map(|plan| plan.changes.as_slice()).unwrap_or_default();
        let drifted = changes.iter().flat_map(|change| {
            change.reasons.iter().filter_map(|reason| match reason {
                Reason::Drift { what } => Some((change.on.key.to_string(), what.to_string())),
                _ => None,
            })
        });
        // What docker compose made after an instance was taken over.
        let notes =
            self.plan.notes.iter().filter(|note| note.code.as_ref() == "W0307" && note.instance.as_ref() == Some(id));
        let made = notes.filter_map(|note| note.text.split_once(": "));
        drifted.chain(made.map(|(key, what)| (key.to_owned(), what.to_owned()))).collect()
    }

    /// What is not as the last apply left it: what fell, and what was changed by hand.
    pub(crate) fn strayed(&self, id: &InstanceId) -> Vec<(String, String)> {
        let mut all = self.fallen(id);
        let fallen: Vec<String> = all.iter().map(|(key, _)| key.clone()).collect();
        all.extend(self.drift(id).into_iter().filter(|(key, _)| !fallen.contains(key)));
        all
    }
}

/// The containers of a service that count: those of the newest generation.
pub(crate) fn current<'s>(seen: Option<&'s InstanceSeen>, service: &str) -> Vec<&'s ContainerSeen> {
    let all = seen.map(|seen| seen.containers.as_slice()).unwrap_or_default();
    let of: Vec<&ContainerSeen> = all
        .iter()
        .filter(|one| one.id.resource.kind == Kind::Service && one.id.resource.key.as_ref() == service)
        .collect();
    // What is not on record does not serve where something that is does.
    let known = of.iter().any(|one| one.known);
    let of: Vec<&ContainerSeen> = of.into_iter().filter(|one| one.known || !known).collect();
    // A stopped candidate of a newer generation beside a running old one is not what serves.
    let running: Vec<&ContainerSeen> =
        of.iter().copied().filter(|one| one.phase != Phase::Created && !ended(one)).collect();
    let pool = if running.is_empty() { of } else { running };
    let newest = pool.iter().filter_map(|one| one.id.generation).max();
    pool.into_iter().filter(|one| one.id.generation == newest).collect()
}

fn ended(container: &ContainerSeen) -> bool {
    matches!(container.phase, Phase::Exited(_))
}

/// How a container is.
pub(crate) fn condition(container: &ContainerSeen) -> Condition {
    match (&container.phase, container.health) {
        (Phase::Running, Health::Healthy) => Condition::Healthy,
        (Phase::Running, Health::None) => Condition::Running,
        (Phase::Running, Health::Starting) | (Phase::Restarting, _) => Condition::Starting,
        (Phase::Running, Health::Unhealthy) => Condition::Unhealthy,
        (Phase::Created | Phase::Exited(_) | Phase::Paused, _) => Condition::Stopped,
        (Phase::Unknown, _) => Condition::Unknown,
    }
}

/// A container's phase in words.
pub(crate) fn phase_words(phase: &Phase) -> String {
    match phase {
        Phase::Created => "created".to_owned(),
        Phase::Running => "running".to_owned(),
        Phase::Paused => "paused".to_owned(),
        Phase::Restarting => "restarting".to_owned(),
        Phase::Exited(code) => format!("ended with code {code}"),
        Phase::Unknown => "unknown".to_owned(),
    }
}

/// Where the edge answers for host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EdgePorts {
    /// HTTP.
    pub(crate) http: u16,
    /// HTTPS.
    pub(crate) https: u16,
}

impl EdgePorts {
    /// The addresses of an endpoint, as people type them: with TLS where it has certificates.
    pub(crate) fn addresses(self, route: &HttpRoute) -> impl Iterator<Item = String> + '_ {
        let path = if route.path.as_ref() == "/" { "" } else { route.path.as_ref() };
        route.hosts.iter().map(move |host| {
            let tls = route.tls.as_ref().is_some_and(|https| match https.from {
                CertificateSource::Usual => host::reach(host) != Reach::Bare,
                _ => true,
            });
            let (scheme, port, usual) = if tls { ("https", self.https, 443) } else { ("http", self.http, 80) };
            let port = if port == usual { String::new() } else { format!(":{port}") };
            format!("{scheme}://{host}{port}{path}")
        })
    }
}

/// Where an instance is reached.
pub(crate) fn addresses(desired: &Desired, ports: EdgePorts) -> Vec<String> {
    let of = |route: &Route| match route {
        Route::Http(http) => ports.addresses(http).collect::<Vec<_>>(),
        Route::Tcp(tcp) if tcp.published == 0 => Vec::new(),
        Route::Tcp(tcp) => {
            let host =
                if tcp.host.is_empty() || tcp.host.as_ref() == "0.0.0.0" { "localhost" } else { tcp.host.as_ref() };
            vec![format!("{host}:{}", tcp.published)]
        }
    };
    desired.routes.values().flat_map(of).collect()
}

/// A wished state in words.
pub(crate) fn state_word(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Stopped => "stopped",
        State::Removed => "removed",
    }
}
