//! What is not as the last apply left it, and what becomes of it: found while a plan was made, told with it.
//!
//! In: [`Stray`]s, collected from what was seen and the plan. Out: text.
//! **Invariant**: what becomes of a thing is what the plan does to it; what nothing is done to is said to stay.
//! Not here: finding out (`views::look`), changes that the files ask for (`plan_text`, `plan_groups`). Tests: `plan_text/tests.rs`.

use super::style::{Look, hang, harmless};
use escadre_model::ids::{InstanceId, Kind};
use escadre_plan::change::{Action, Change, Reason};
use escadre_plan::plan::{InstancePlan, Plan};

/// Something that is not as the last apply left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stray {
    /// Of which instance.
    pub(crate) instance: InstanceId,
    /// Which of its services or other resources.
    pub(crate) on: String,
    /// In what.
    pub(crate) what: String,
}

/// What a plan does to it.
fn becomes(stray: &Stray, plan: &Plan) -> &'static str {
    let one = plan.instances.iter().find(|one| one.instance == stray.instance);
    let change = one.and_then(|one| change_of(one, stray)).filter(|_| one.is_some_and(|one| one.refused.is_none()));
    match change.map(|change| change.action) {
        Some(Action::Create) => "it is made again",
        Some(Action::Start) => "it starts again",
        Some(Action::Update) => "a new one takes its place, without a gap",
        Some(Action::Replace) => "a new one takes its place",
        Some(Action::Run) => "it runs again",
        Some(Action::Delete) => "it goes",
        Some(Action::Stop) => "it stops",
        Some(Action::Adopt) => "it is taken over as it is",
        Some(Action::Move | Action::Retain | Action::Keep | Action::Held) | None => "it stays so",
    }
}

fn change_of<'p>(one: &'p InstancePlan, stray: &Stray) -> Option<&'p Change> {
    let of = |change: &&Change| change.on.key.as_ref() == stray.on;
    // A route may be called like its service.
    one.changes.iter().filter(of).min_by_key(|change| (change.on.kind != Kind::Service, change.action == Action::Keep))
}

/// Says what is found and what becomes of it: for a fleet of one.
pub(crate) fn single(strays: &[Stray], plan: &Plan, look: Look) -> String {
    let line = |stray: &Stray| {
        let text = format!("{}; {}", harmless(&stray.what), becomes(stray, plan));
        hang(&format!("  found    {:<9}", stray.on), &text, look.width)
    };
    strays.iter().map(line).collect()
}

/// The same for a fleet.
pub(crate) fn lines(strays: &[Stray], plan: &Plan, look: Look) -> String {
    let place = |stray: &Stray| format!("{}/{}", stray.instance.instance, stray.on);
    let wide = strays.iter().map(|stray| place(stray).len()).max().unwrap_or(0).min(32);
    let line = |stray: &Stray| {
        let text = format!("{}; {}", harmless(&stray.what), becomes(stray, plan));
        hang(&format!("  {:<wide$}  ", place(stray)), &text, look.width)
    };
    strays.iter().map(line).collect()
}

/// Is the reason told where this is told, for each of these instances?
pub(crate) fn tells(strays: &[Stray], of: &[InstanceId], on: &Change, reason: &Reason) -> bool {
    let known = |id: &InstanceId| strays.iter().any(|one| one.instance == *id && one.on == on.on.key.as_ref());
    matches!(reason, Reason::Drift { .. } | Reason::NotRunning { .. } | Reason::Missing) && of.iter().all(known)
}
