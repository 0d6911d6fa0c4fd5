//! What becomes of an instance that shall stop or go.
//!
//! In: a view of one instance. Out: a `Diff` whose changes only stop, delete and retain.
//! **Invariant:** volumes stay unless `--destroy` named them; what the record does not know stays and is told.
//! Not here: the steps (`steps::remove`).
//! Tests: `tests/it/gone.rs`.

use crate::change::{Action, Reason};
use crate::diff::resources::{change, leave_volume};
use crate::diff::{Diff, View, file_paths};
use crate::plan::Note;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::{ContainerSeen, Phase};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Does it run, or would it by itself?
pub(crate) fn is_up(container: &ContainerSeen) -> bool {
    matches!(container.phase, Phase::Running | Phase::Paused | Phase::Restarting)
}

/// One that is not on record stays.
fn unknown_one(view: &View<'_>, container: &ContainerSeen) -> Note {
    let (key, name) = (&container.id.resource.key, &container.name);
    match &container.compose {
        None => view.note(
            "W0305",
            format!("{key}: container {name} carries our labels and is not on record; it is left as it is"),
        ),
        Some(made) => {
            let text = format!(
                "{key}: docker compose made {name} (project {}), and it was never adopted; it is left as it is",
                made.project
            );
            view.note("W0307", text)
        }
    }
}

/// Everything is kept, nothing runs.
pub(crate) fn stopped<'a>(view: &View<'a>) -> Diff<'a> {
    let mut diff = Diff::default();
    let mut services: BTreeMap<&Arc<str>, (u32, Option<&ContainerSeen>)> = BTreeMap::new();
    for container in &view.seen.containers {
        let entry = services.entry(&container.id.resource.key).or_default();
        entry.0 += u32::from(container.known && is_up(container));
        entry.1 = entry.1.or((!container.known).then_some(container));
    }
    for (key, (running, unknown)) in services {
        let action = if running > 0 { Action::Stop } else { Action::Keep };
        let why = if running > 0 { vec![Reason::Removed] } else { Vec::new() };
        let mut one = change(ResourceKey::new(Kind::Service, key.clone()), action, why, None);
        one.restarts = running;
        diff.changes.push(one);
        if let Some(container) = unknown {
            diff.notes.push(unknown_one(view, container));
        }
    }
    for (key, seen) in &view.seen.routes {
        let on = ResourceKey::new(Kind::Route, key.clone());
        if !view.desired.routes.contains_key(key) {
            diff.changes.push(change(on, Action::Delete, vec![Reason::Removed], None));
        } else if !seen.backends.is_empty() || seen.parked {
            diff.changes.push(change(
                on,
                Action::Stop,
                Vec::new(),
                Some("whoever asks is told that it is stopped".into()),
            ));
        }
    }
    diff
}

/// Containers, networks, files and routes go; volumes are retained.
pub(crate) fn removed<'a>(view: &View<'a>) -> Diff<'a> {
    let mut diff = Diff::default();
    let mut services: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
    let mut unknown = false;
    for container in &view.seen.containers {
        if container.known {
            *services.entry(&container.id.resource.key).or_default() += u32::from(is_up(container));
            diff.gone.push(container);
        } else {
            unknown = true;
            diff.notes.push(unknown_one(view, container));
        }
    }
    for network in &view.seen.networks {
        let known = view.seen.record.owned.contains_key(&network.engine);
        if known && !unknown && view.input.observed.complete.networks {
            diff.changes.push(change(
                network.key.clone(),
                Action::Delete,
                vec![Reason::Removed],
                Some(network.name.clone()),
            ));
            diff.gone_networks.push(network);
        } else {
            diff.notes.push(view.note(
                "W0305",
                format!("network {} is not on record, or still used by what is not; it is left as it is", network.name),
            ));
        }
    }
    for volume in &view.seen.volumes {
        leave_volume(view, &mut diff, volume);
    }
    for (key, running) in services {
        let mut one = change(ResourceKey::new(Kind::Service, key.clone()), Action::Delete, vec![Reason::Removed], None);
        one.restarts = running;
        diff.changes.push(one);
    }
    routes(view, &mut diff);
    // Files go with the last container that could see them; later there is nothing to be done for them.
    if let Some(base) = view.base.filter(|_| !diff.gone.is_empty() && !unknown) {
        for (key, path) in file_paths(&base.desired) {
            diff.changes.push(change(key.clone(), Action::Delete, vec![Reason::Removed], None));
            diff.gone_files.push((key.clone(), path));
        }
    }
    diff
}

fn routes(view: &View<'_>, diff: &mut Diff<'_>) {
    for key in view.seen.routes.keys() {
        let on = ResourceKey::new(Kind::Route, key.clone());
        diff.changes.push(change(on, Action::Delete, vec![Reason::Removed], None));
        diff.gone_routes.push(key.clone());
    }
}
