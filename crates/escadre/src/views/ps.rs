//! The containers.
//!
//! In: [`Looked`]. Out: [`Ps`]. **Invariant**: what carries our labels and is not known to the record is shown as such.
//! Not here: fetching. Tests: `tests.rs`.

use super::look::{Condition, Looked, condition, phase_words};
use crate::terminal::style::{self, Look};
use crate::terminal::table::{Side, Table};
use escadre_model::observed::{ContainerSeen, Phase};
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of [`Ps`].
pub(crate) const SCHEMA: &str = "escadre.ps/1";

/// The containers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Ps {
    /// Always `escadre.ps/1`.
    schema: &'static str,
    /// The fleet.
    fleet: String,
    /// The list is whole.
    complete: bool,
    /// One by one.
    containers: Vec<Container>,
}

/// A container.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Container {
    /// Whose.
    instance: String,
    /// Of which service.
    service: String,
    /// Which of several.
    replica: u32,
    /// Which incarnation.
    generation: u64,
    /// Its name on the engine.
    name: String,
    /// The engine's id.
    id: String,
    /// What it does: `running`, `ended with code 1`.
    state: String,
    /// How it is.
    health: Condition,
    /// When it was started, RFC 3339; empty: never.
    started: String,
    /// How often the engine restarted it.
    restarts: u32,
    /// The image's id.
    image: String,
    /// Its addresses.
    addresses: Vec<String>,
    /// The record knows it; otherwise it waits to be adopted.
    known: bool,
    #[serde(skip)]
    age: String,
}

/// The containers of the chosen instances; with `all` also those that do not run.
pub(crate) fn build(looked: &Looked<'_>, all: bool) -> Ps {
    let mut containers: Vec<Container> = looked
        .desired
        .iter()
        .filter_map(|desired| looked.seen(&desired.instance))
        .flat_map(|seen| &seen.containers)
        .filter(|seen| all || !matches!(seen.phase, Phase::Exited(_) | Phase::Created))
        .map(|seen| container(looked, seen))
        .collect();
    containers.sort_by(|a, b| {
        (&a.instance, &a.service, a.replica, a.generation).cmp(&(&b.instance, &b.service, b.replica, b.generation))
    });
    Ps { schema: SCHEMA, fleet: looked.fleet.to_owned(), complete: looked.observed.complete.containers, containers }
}

fn container(looked: &Looked<'_>, seen: &ContainerSeen) -> Container {
    Container {
        instance: seen.id.instance.instance.to_string(),
        service: seen.id.resource.key.to_string(),
        replica: seen.id.replica.unwrap_or(1),
        generation: seen.id.generation.unwrap_or(0),
        name: seen.name.to_string(),
        id: seen.engine.0.to_string(),
        state: phase_words(&seen.phase),
        health: condition(seen),
        started: seen.started.to_string(),
        restarts: seen.restarts,
        image: seen.image.to_string(),
        addresses: seen.addresses.values().map(ToString::to_string).collect(),
        known: seen.known,
        age: if seen.phase == Phase::Running {
            looked.now.age(&seen.started).unwrap_or_default()
        } else {
            String::new()
        },
    }
}

/// The containers as text.
pub(crate) fn paint(ps: &Ps, looked: &Looked<'_>, look: Look) -> String {
    let mut out = if ps.complete {
        String::new()
    } else {
        "The list is not whole: the engine did not tell everything.\n".to_owned()
    };
    if ps.containers.is_empty() {
        out.push_str("No container runs.\n");
        return out;
    }
    use Side::{Left, Right};
    let mut table = Table::new(0, &[Left, Left, Left, Left, Left, Right, Left]);
    table.head(["service", "state", "health", "since", "image", "restarts", "container"]);
    for one in &ps.containers {
        let service =
            if looked.single.is_some() { one.service.clone() } else { format!("{}/{}", one.instance, one.service) };
        let painted = if one.health > Condition::Starting { style::BAD } else { style::GOOD };
        let health = look.paint(painted, one.health.word()).into_owned();
        let restarts = if one.restarts == 0 { String::new() } else { one.restarts.to_string() };
        let id = crate::terminal::plan_text::short_id(&one.image);
        let name = if one.known { one.name.clone() } else { format!("{} (not on record)", one.name) };
        table.row([service, one.state.clone(), health, one.age.clone(), id, restarts, name]);
    }
    out.push_str(&table.paint(look));
    out
}
