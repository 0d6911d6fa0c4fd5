//! What is taken over without being touched: containers that Docker Compose made, and what comes with them.
//!
//! In: a view of one instance, fates. Out: what a change takes over, in what it differs, what people must know of it.
//! **Invariant:** adopting starts, stops, makes and runs nothing; a port that the engine holds for a container is the edge's only when that has stopped.
//! Not here: bringing these things to their instance (`escadre_engine`), finding differences (`escadre-render`).
//! Tests: `tests/it/adopt.rs`, stories in `escadre-testkit`.

use super::{Diff, Fate, ServiceFate, View};
use crate::change::Reason;
use crate::plan::{InstancePlan, Note, Refusal};
use escadre_model::desired::{Body, Condition, Former, Resource, Route, Volume};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::{
    ContainerSeen, Difference, EngineId, MadeByCompose, Observed, Phase, TaskSeen, VolumeSeen,
};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Is something of Compose's taken over by this plan?
pub(crate) fn adopting(view: &View<'_>) -> bool {
    view.seen.containers.iter().any(|one| one.compose.is_some() && !one.known)
}

/// The container that a fate takes over.
pub(super) fn adopted(slot: &Fate<'_>) -> Option<EngineId> {
    match slot {
        Fate::Adopt(there) => Some(there.engine.clone()),
        _ => None,
    }
}

/// Does what is taken over prove that the one-shot has run?
pub(super) fn proves(fate: &ServiceFate<'_>) -> bool {
    fate.service.job
        && fate.slots.iter().any(|(_, slot)| match slot {
            Fate::Adopt(there) => there.phase == Phase::Exited(0),
            Fate::Vouched => true,
            _ => false,
        })
}

/// A one-shot without a container, when something of Compose's that waited for its end has started.
pub(super) fn vouched(view: &View<'_>, job: &str) -> bool {
    view.desired.services().any(|(key, _, service)| {
        let waits =
            service.after.iter().any(|one| one.service.as_ref() == job && one.condition == Condition::Completed);
        let mut mine = view.seen.containers.iter().filter(|one| one.id.resource.key == *key);
        waits && mine.any(|one| one.compose.is_some() && !one.known && one.phase != Phase::Created)
    })
}

/// In what a container is not as the files want it, as reasons.
pub(super) fn differences(resource: &Resource, made: &MadeByCompose) -> Vec<Reason> {
    reasons(resource, &made.differs)
}

/// In what a service will not be as a Swarm ran it whose stack's place its instance takes; equal containers once.
pub(super) fn instead(view: &View<'_>, service: &str, resource: &Resource) -> Vec<Reason> {
    let mut all = Vec::new();
    for task in stack(view).into_iter().flatten().filter(|one| one.service.as_ref() == service && one.runs) {
        for reason in reasons(resource, &task.differs) {
            if !all.contains(&reason) {
                all.push(reason);
            }
        }
    }
    all
}

/// The Swarm's containers whose place the instance takes.
fn stack<'a>(view: &View<'a>) -> Option<&'a Vec<TaskSeen>> {
    let adopts = view.desired.adopts.as_ref().filter(|adopts| adopts.from == Former::Swarm)?;
    view.input.observed.host.stacks.get(&adopts.project).filter(|tasks| !tasks.is_empty())
}

fn reasons(resource: &Resource, differs: &[Difference]) -> Vec<Reason> {
    let reason = |one: &Difference| {
        let field = resource.field(&one.path);
        Reason::Changed {
            path: one.path.clone(),
            old: one.runs.clone(),
            new: one.wanted.clone(),
            unknown: false,
            source: field.as_ref().and_then(|field| field.source.clone()),
            raw: field.and_then(|field| field.raw.clone()),
        }
    };
    differs.iter().map(reason).collect()
}

/// A volume that nobody named, of the service and place that this key stands for.
pub(super) fn unnamed<'a>(view: &View<'a>, key: &ResourceKey, wanted: &Volume) -> Option<&'a VolumeSeen> {
    let strange =
        |seen: &&VolumeSeen| seen.spec.is_none() || view.seen.record.adopted.contains_key(&EngineId(seen.name.clone()));
    view.seen.volumes.iter().filter(|_| !wanted.named && !wanted.external).filter(strange).find(|seen| seen.key == *key)
}

/// Is the file one that a container of Compose's sees in its own way? It is written when that container is updated.
pub(super) fn sees(view: &View<'_>, file: &ResourceKey) -> bool {
    let mut strange = view.seen.containers.iter().filter(|one| one.compose.is_some());
    strange
        .any(|one| view.desired.service(&one.id.resource.key).is_some_and(|(_, service)| service.files.contains(file)))
}

/// A port that the engine holds for this container and that the edge is to open for its service.
pub(crate) fn held_port(view: &View<'_>, service: &str, container: &ContainerSeen) -> Option<u16> {
    let mut routes = view.desired.routes.values().filter(|route| super::resources::end(route).0.as_ref() == service);
    routes.find_map(|route| held_by(container, route))
}

/// The port of a route that this container has from the engine.
pub(crate) fn held_by(container: &ContainerSeen, route: &Route) -> Option<u16> {
    let Route::Tcp(tcp) = route else { return None };
    container.compose.as_ref()?;
    let held = |one: &&escadre_model::desired::EnginePort| {
        one.protocol.as_ref() == "tcp"
            && one.published == tcp.published
            && (one.host == tcp.host || one.host.is_empty() || tcp.host.is_empty())
    };
    container.published.iter().find(held).map(|one| one.published)
}

/// The same for a container that stays.
pub(super) fn holds(slot: &Fate<'_>, route: &Route) -> Option<u16> {
    match slot {
        Fate::Keep(there)
        | Fate::Adopt(there)
        | Fate::Follow { old: there, .. }
        | Fate::Start(there)
        | Fate::Restart(there) => held_by(there, route),
        _ => None,
    }
}

/// Why a service whose port the engine holds has a gap.
pub(super) fn held_words(port: u16) -> Arc<str> {
    format!("the engine holds port {port} until the old container stops; from then on the edge does").into()
}

/// Where the edge reaches a container of Compose's: at a port the engine publishes, which stays over its restarts, else at its present address.
pub(super) fn backend(view: &View<'_>, container: &ContainerSeen, port: u16) -> Option<SocketAddr> {
    published(container, port).or_else(|| {
        let own = container.addresses.values().next().filter(|_| !view.by_loopback());
        own.map(|address| SocketAddr::new(*address, port))
    })
}

/// Where on this host the engine publishes a port of a container.
pub(super) fn published(container: &ContainerSeen, port: u16) -> Option<SocketAddr> {
    let one = container.published.iter().find(|one| one.target == port && one.protocol.as_ref() == "tcp")?;
    let host = one.host.parse().ok().filter(|host: &IpAddr| !host.is_unspecified());
    Some(SocketAddr::new(host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), one.published))
}

/// A container that is not on record and has no place here.
pub(crate) fn strange(view: &View<'_>, key: &str, container: &ContainerSeen) -> Note {
    let name = &container.name;
    let Some(made) = &container.compose else {
        let text = format!("{key}: container {name} carries our labels and is not on record; it is left as it is");
        return view.note("W0305", text);
    };
    let text = format!(
        "{key}: docker compose made {name} (project {}, from {}) beside what Escadre runs; both answer to the service's name on that network",
        made.project, made.folder
    );
    let mut note = view.note("W0307", text);
    note.hint = Some(format!("{} rm -f {name}", engine(view)).into());
    note
}

fn engine<'a>(view: &View<'a>) -> &'a str {
    if view.input.observed.host.engine.starts_with("docker") { "docker" } else { "podman" }
}

/// What people must know of what is taken over.
pub(super) fn notes<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    let adopted: Vec<&ContainerSeen> = diff
        .services
        .iter()
        .flat_map(|one| &one.slots)
        .filter_map(|(_, slot)| match slot {
            Fate::Adopt(there) => Some(*there),
            _ => None,
        })
        .collect();
    let mut notes = Vec::new();
    let strange: Vec<(&ContainerSeen, &MadeByCompose)> =
        adopted.iter().filter_map(|one| Some((*one, one.compose.as_deref()?))).collect();
    for (container, made) in &strange {
        let key = &container.id.resource.key;
        if view.seen.record.owned.values().any(|id| id.resource.kind == Kind::Service && id.resource.key == *key) {
            let text = format!(
                "{key}: docker compose made {} anew (from {}); the container on record is gone or stands still",
                container.name, made.folder
            );
            notes.push(view.note("W0307", text));
        }
    }
    let going = diff.services.iter().flat_map(|one| &one.slots).filter_map(|(_, slot)| match slot {
        Fate::Replace { old, .. } => Some(*old),
        _ => None,
    });
    for container in adopted.iter().copied().chain(going) {
        notes.extend(nameless(view, container));
    }
    if !strange.is_empty() {
        notes.extend(orphans(view));
    }
    diff.notes.extend(notes);
}

/// How many folders or files are named before they are counted.
const NAMED: usize = 3;

/// That what is taken over is known by its ids alone, once for all instances of a plan.
pub(crate) fn by_id(observed: &Observed, instances: &[InstancePlan]) -> Option<Note> {
    let (mut count, mut files, mut who) = (0_usize, BTreeSet::new(), BTreeSet::new());
    for plan in instances.iter().filter(|plan| plan.refused.is_none()) {
        let seen = observed.instance(&plan.instance).into_iter().flat_map(|seen| &seen.containers);
        let engines: BTreeSet<&EngineId> = plan.changes.iter().flat_map(|change| &change.adopts).collect();
        for made in seen.filter(|one| engines.contains(&one.engine)).filter_map(|one| one.compose.as_ref()) {
            count += 1;
            who.insert(&plan.instance);
            files.extend(made.files.iter().map(AsRef::as_ref));
        }
    }
    let what = match files.len() {
        0 => "docker compose decides nothing here any more".to_owned(),
        1 => format!("{} on this machine decides nothing any more", files.first().copied().unwrap_or_default()),
        number => {
            let named: Vec<&str> = files.iter().take(NAMED).copied().collect();
            let more = if number > NAMED { format!(" and {} more", number - NAMED) } else { String::new() };
            format!("{}{more} on this machine decide nothing any more", named.join(", "))
        }
    };
    let (are, their) = if count == 1 { ("container is", "its") } else { ("containers are", "their") };
    let text = format!("{count} {are} known by id, in this machine's record, until {their} next update; {what}");
    let instance = if who.len() == 1 { who.pop_first().cloned() } else { None };
    (count > 0).then(|| Note { code: "W0308".into(), instance, text: text.into(), source: None, hint: None })
}

/// Volumes of a container that no file names.
fn nameless(view: &View<'_>, container: &ContainerSeen) -> Vec<Note> {
    let service = &container.id.resource.key;
    let made = container.compose.iter().flat_map(|made| &made.anonymous);
    let unknown = made.filter(|(_, name)| {
        let key = view.seen.volumes.iter().find(|seen| seen.name == **name).map(|seen| &seen.key);
        !key.is_some_and(|key| matches!(view.desired.resources.get(key).map(|one| &one.body), Some(Body::Volume(_))))
    });
    unknown
        .map(|(target, name)| {
            let text = format!(
                "{service}: {target} is a volume that no file names ({name}); its next update begins with an empty one"
            );
            view.note("W0309", text)
        })
        .collect()
}

/// Containers of the project that the files do not have.
fn orphans(view: &View<'_>) -> Vec<Note> {
    let Some(adopts) = view.desired.adopts.as_ref().filter(|adopts| adopts.from == Former::Compose) else {
        return Vec::new();
    };
    let project = view.input.observed.host.projects.get(&adopts.project);
    let left = project.into_iter().flat_map(|project| &project.containers);
    left.map(|one| {
        let text = format!(
            "{} is a service of project {} that no file has: {} is left as it is",
            one.id.resource.key, adopts.project, one.name
        );
        view.note("W0310", text)
    })
    .collect()
}

/// Why the project cannot be taken over without a risk.
pub(crate) fn refuse(view: &View<'_>) -> Option<Refusal> {
    let adopts = view.desired.adopts.as_ref()?;
    let instance = &view.desired.instance.instance;
    if let Some(tasks) = stack(view) {
        let runs = tasks.iter().filter(|one| one.runs).count();
        return Some(Refusal::Stack { name: adopts.project.clone(), runs });
    }
    if adopts.from == Former::Swarm {
        return None;
    }
    let project = view.input.observed.host.projects.get(&adopts.project)?;
    if let (Some(folder), true) = (&adopts.folder, view.seen.record.receipts.is_empty()) {
        let mut made = project.containers.iter().filter_map(|one| one.compose.as_ref());
        if let Some(other) = made.find(|made| made.folder.trim_end_matches('/') != folder.trim_end_matches('/')) {
            let text = format!(
                "a Compose project {instance} runs here that was started from {}, not from {folder}; if it is this one: escadre adopt --project {instance}",
                other.folder
            );
            return Some(Refusal::Foreign { what: text.into() });
        }
    }
    if !adopting(view) {
        return None;
    }
    project.volumes.iter().find_map(|seen| {
        let Body::Volume(wanted) = &view.desired.resources.get(&seen.key)?.body else { return None };
        (!wanted.external && !wanted.named).then(|| {
            let key = &seen.key.key;
            let text = format!(
                "volume {key} of project {} is called {}, and the files would give {instance} a new, empty one; write in its file: volumes: {{ {key}: {} }}",
                adopts.project, seen.name, seen.name
            );
            Refusal::Foreign { what: text.into() }
        })
    })
}
