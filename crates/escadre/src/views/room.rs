//! What `prune` would take, and what it took.
//!
//! In: the engine's room, saved plans. Out: [`Pruned`]. **Invariant**: what stays although nobody needs it is named, with why.
//! Not here: what may go (`escadre_engine::room`). Tests: `room/tests.rs`.

use crate::terminal::style::{Look, bytes, count, hang};
use crate::wire::Found;
use escadre_engine::room::{ImageRoom, Made};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema of [`Pruned`].
pub(crate) const SCHEMA: &str = "escadre.prune/1";

/// What would go; with `made`, what went.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Pruned {
    /// Always `escadre.prune/1`.
    schema: &'static str,
    /// The engine and its address.
    engine: String,
    /// Images that no state needs.
    images: Vec<Image>,
    /// Images that no state needs and that stay, because a container has them.
    in_use: Vec<Image>,
    /// Earlier states that are given up, by instance.
    states: BTreeMap<String, usize>,
    /// Among them: instances that were taken down and that no file names any more.
    gone: Vec<String>,
    /// Earlier values of secrets, by instance.
    values: BTreeMap<String, usize>,
    /// Pieces of earlier configuration in the journal.
    configuration: Pieces,
    /// Saved plans of no state that is kept, older than a week.
    plans: Pieces,
    /// Healthy states that stay, over all instances on record.
    kept: usize,
    /// How many of each of the chosen instances stay at most.
    keep: usize,
    /// What went; nothing: nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<Went>,
}

/// An image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Image {
    /// The engine's id.
    id: String,
    /// The names that go.
    names: Vec<String>,
    /// The names it keeps: they are not ours, and the image stays.
    stays_as: Vec<String>,
    /// Its size; layers shared with other images count in each.
    bytes: u64,
}

/// A number of things and their size.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
struct Pieces {
    number: usize,
    bytes: u64,
}

/// What went.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Went {
    images: Pieces,
    states: usize,
    values: usize,
    configuration: Pieces,
    /// What could not be done.
    failed: Vec<String>,
}

impl Pruned {
    /// Nothing would go.
    pub(crate) fn is_empty(&self) -> bool {
        self.images.is_empty()
            && self.states.is_empty()
            && self.values.is_empty()
            && self.configuration.number == 0
            && self.plans.number == 0
    }
}

/// What would go.
pub(crate) fn build(found: &Found) -> Pruned {
    let room = &found.room;
    let image = |one: &ImageRoom| Image {
        id: one.id.to_string(),
        names: one.names.iter().map(ToString::to_string).collect(),
        stays_as: one.others.iter().map(ToString::to_string).collect(),
        bytes: one.bytes,
    };
    Pruned {
        schema: SCHEMA,
        engine: found.engine.clone(),
        images: room.images.iter().map(image).collect(),
        in_use: room.in_use.iter().map(image).collect(),
        states: room.states.iter().map(|(id, states)| (id.instance.to_string(), states.len())).collect(),
        gone: found.gone.iter().map(|id| id.instance.to_string()).collect(),
        values: room.values.iter().map(|(id, values)| (id.instance.to_string(), values.len())).collect(),
        configuration: Pieces { number: room.blobs.len(), bytes: room.blobs.values().sum() },
        plans: Pieces { number: found.plans.len(), bytes: found.plans.iter().map(|(_, size)| size).sum() },
        kept: room.kept,
        keep: found.keep,
        made: None,
    }
}

/// With what went.
pub(crate) fn made(shown: Pruned, made: &Made) -> Pruned {
    let went = Went {
        images: Pieces { number: made.images.0, bytes: made.images.1 },
        states: made.states,
        values: made.values,
        configuration: Pieces { number: made.blobs.0, bytes: made.blobs.1 },
        failed: made.failed.clone(),
    };
    Pruned { made: Some(went), ..shown }
}

/// For people: what would go.
pub(crate) fn paint(pruned: &Pruned, look: Look) -> String {
    let kept = format!("{} stay to go back to", count(pruned.kept, "healthy state"));
    if pruned.is_empty() {
        let fewer = if pruned.keep > 1 { "; to keep fewer: escadre prune --keep 1" } else { "" };
        return format!("Nothing is kept that nobody needs: {kept}{fewer}.\n{}", in_use(pruned, look));
    }
    let mut out = format!("Room to be made on {}\n\n", pruned.engine);
    let mut line = |what: &str, text: String| out.push_str(&hang(&format!("  {what:<15}"), &text, look.width));
    if !pruned.images.is_empty() {
        let gone: u64 = pruned.images.iter().filter(|one| one.stays_as.is_empty()).map(|one| one.bytes).sum();
        let number = count(pruned.images.len(), "image");
        line("images", format!("{number} that no state needs, up to {}", bytes(gone)));
        pruned.images.iter().for_each(|one| line("", named(one)));
    }
    if !pruned.states.is_empty() {
        let each = |(name, number): (&String, &usize)| match pruned.gone.contains(name) {
            true => format!("{name} {number} (taken down, and in no file)"),
            false => format!("{name} {number}"),
        };
        let number = count(pruned.states.values().sum(), "state");
        let who: Vec<String> = pruned.states.iter().map(each).collect();
        line("states", format!("{number} nobody can go back to afterwards: {}", who.join(", ")));
    }
    if !pruned.values.is_empty() {
        let number = count(pruned.values.values().sum(), "earlier value");
        let who: Vec<&str> = pruned.values.keys().map(String::as_str).collect();
        line("secrets", format!("{number}: {}", who.join(", ")));
    }
    if pruned.configuration.number > 0 {
        let Pieces { number, bytes: size } = pruned.configuration;
        line("configuration", format!("{} of earlier states, {}", count(number, "file"), bytes(size)));
    }
    if pruned.plans.number > 0 {
        let Pieces { number, bytes: size } = pruned.plans;
        line("plans", format!("{} older than a week, {}", count(number, "saved plan"), bytes(size)));
    }
    out.push_str(&format!("\n{kept}; volumes are not touched.\n{}", in_use(pruned, look)));
    out.push('\n');
    out
}

/// The name people know an image by, and what becomes of it.
fn named(image: &Image) -> String {
    let digits = image.id.rsplit(':').next().unwrap_or_default();
    let digits = digits.get(..12).unwrap_or(digits);
    let known: Vec<&str> =
        image.names.iter().map(String::as_str).filter(|name| !name.starts_with("localhost/escadre/keep:")).collect();
    let name = if known.is_empty() { format!("{digits} (its tag has moved on)") } else { known.join(" ") };
    match image.stays_as.as_slice() {
        [] => format!("{name}, {}", bytes(image.bytes)),
        others => format!("{digits}: stays as {}, which is not ours; our name for it goes", others.join(" ")),
    }
}

fn in_use(pruned: &Pruned, look: Look) -> String {
    match pruned.in_use.as_slice() {
        [] => String::new(),
        some => {
            let names: Vec<&str> = some.iter().filter_map(|one| one.names.first()).map(String::as_str).collect();
            let text = format!("needed by no state, and a container has it: {}", names.join(", "));
            hang("  stays          ", &text, look.width)
        }
    }
}

/// For people: what went.
pub(crate) fn told(pruned: &Pruned, look: Look) -> String {
    let Some(went) = &pruned.made else { return String::new() };
    let mut parts = Vec::new();
    if went.images.number > 0 {
        parts.push(format!("{} ({})", count(went.images.number, "image"), bytes(went.images.bytes)));
    }
    let mut some = |number: usize, what: &str| parts.extend((number > 0).then(|| count(number, what)));
    some(went.states, "state");
    some(went.values, "earlier value");
    some(went.configuration.number, "file");
    some(pruned.plans.number, "saved plan");
    let mut out = match parts.as_slice() {
        [] => "Nothing went.\n".to_owned(),
        some => hang("Gone: ", &format!("{}.", some.join(", ")), look.width),
    };
    for failed in &went.failed {
        out.push_str(&hang("  not done: ", failed, look.width));
    }
    out
}

#[cfg(test)]
mod tests;
