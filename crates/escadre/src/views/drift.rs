//! What was changed by hand.
//!
//! In: [`Looked`]. Out: [`Drift`]. **Invariant**: "nothing" is said only of what was seen in full.
//! Not here: deciding what drift is (`escadre-plan`). Tests: `tests.rs`.

use super::look::Looked;
use crate::terminal::style::{Look, count, hang};
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of [`Drift`].
pub(crate) const SCHEMA: &str = "escadre.drift/1";

/// What was changed by hand.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Drift {
    /// Always `escadre.drift/1`.
    schema: &'static str,
    /// The fleet.
    fleet: String,
    /// Instances that were compared.
    compared: usize,
    /// Everything that could be compared was seen.
    complete: bool,
    /// What differs.
    drifts: Vec<Drifted>,
}

/// One difference.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Drifted {
    /// Which instance.
    instance: String,
    /// Which of its services or other resources.
    on: String,
    /// What is known of the difference.
    what: String,
}

/// Collects what the plan says of drift.
pub(crate) fn build(looked: &Looked<'_>) -> Drift {
    let drifts = looked.desired.iter().flat_map(|desired| {
        let instance = desired.instance.instance.to_string();
        looked.strayed(&desired.instance).into_iter().map(move |(on, what)| Drifted {
            instance: instance.clone(),
            on,
            what,
        })
    });
    Drift {
        schema: SCHEMA,
        fleet: looked.fleet.to_owned(),
        compared: looked.desired.len(),
        complete: looked.observed.complete.containers && looked.observed.complete.record,
        drifts: drifts.collect(),
    }
}

impl Drift {
    /// Whether there is any, or it cannot be known.
    pub(crate) fn calls(&self) -> bool {
        !self.drifts.is_empty() || !self.complete
    }
}

/// The drift as text.
pub(crate) fn paint(drift: &Drift, look: Look) -> String {
    let compared = count(drift.compared, "instance");
    if !drift.complete {
        return format!("Drift of {compared} cannot be told: containers or record were not seen in full.\n");
    }
    if drift.drifts.is_empty() {
        return format!("Everything is as the last apply left it: {compared} compared.\n");
    }
    let verb = if drift.drifts.len() == 1 { "is" } else { "are" };
    let things = count(drift.drifts.len(), "thing");
    let it = if drift.drifts.len() == 1 { "it" } else { "them" };
    let mut out = format!("{things} {verb} not as the last apply left {it}; {compared} compared.\n\n");
    let place = |one: &Drifted| format!("{}/{}", one.instance, one.on);
    let wide = drift.drifts.iter().map(|one| place(one).len()).max().unwrap_or(0);
    for one in &drift.drifts {
        out.push_str(&hang(&format!("  {:<wide$}  ", place(one)), &one.what, look.width));
    }
    let mut names: Vec<&str> = drift.drifts.iter().map(|one| one.instance.as_str()).collect();
    names.dedup();
    out.push_str(&format!("\n  back to the files   escadre up {}\n", names.join(" ")));
    out
}
