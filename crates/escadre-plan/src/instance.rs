//! The plan of one instance.
//!
//! In: what it shall be, what was seen of it, and what the instances of a plan share. Out: an `InstancePlan`.
//! **Invariant:** steps name this instance's resources only; an instance that is refused has no steps.
//! Not here: the comparison (`diff`, `gone`), the steps (`steps`).
//! Tests: `tests/it`.

use crate::change::{Action, Change};
use crate::diff::{self, View};
use crate::make::{Input, Shared};
use crate::plan::{Consent, InstancePlan, Refusal};
use crate::precondition::precondition;
use crate::{gone, steps};
use escadre_model::desired::{Desired, State};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::observed::InstanceSeen;
use std::collections::BTreeMap;

/// Plans one instance that has a file; `hash` is that of what it wants.
pub(crate) fn plan(
    input: &Input<'_>,
    desired: &Desired,
    hash: Hash,
    seen: Option<&InstanceSeen>,
    shared: &mut Shared,
) -> InstancePlan {
    let nothing = InstanceSeen::default();
    let precondition = precondition(&hash, seen);
    let view = View::new(input, desired, seen.unwrap_or(&nothing));
    let mut made = InstancePlan {
        instance: desired.instance.clone(),
        desired: hash,
        precondition,
        changes: Vec::new(),
        steps: Vec::new(),
        consent: Consent::Nothing,
        refused: None,
        group: None,
    };
    if let Some(origin) = view.seen.origin.as_ref().filter(|origin| **origin != desired.origin) {
        made.refused = Some(Refusal::OtherFleet { origin: origin.clone() });
        return made;
    }
    let state = wanted_state(input, desired);
    let result = match state {
        State::Running => {
            let diff = diff::running(view);
            let steps = steps::running(&view, &diff, shared);
            (diff, steps)
        }
        State::Stopped => {
            let diff = gone::stopped(&view);
            let steps = steps::stopped(&view);
            (diff, Ok(steps))
        }
        State::Removed => {
            let diff = gone::removed(&view);
            let steps = steps::removed(&view, &diff);
            (diff, Ok(steps))
        }
    };
    let (diff, steps) = result;
    made.changes = diff.changes;
    shared.notes.extend(diff.notes);
    match steps {
        Ok(steps) => made.steps = steps,
        Err(refusal) => made.refused = Some(refusal),
    }
    if made.refused.is_some() || made.goes_ahead() {
        let refused = made.refused.take();
        made.refused = refusal(&view, state, &made, shared).or(refused);
    }
    settle(&view, state, &mut made);
    made
}

/// Plans the removal of an instance whose file is gone: what it was is read from its last receipt.
pub(crate) fn plan_without_file(
    input: &Input<'_>,
    id: &InstanceId,
    seen: &InstanceSeen,
    shared: &mut Shared,
) -> InstancePlan {
    let last = seen.record.receipts.first().map(|receipt| receipt.desired.as_ref().clone());
    let desired = last.unwrap_or_else(|| Desired {
        instance: id.clone(),
        origin: seen.origin.clone().unwrap_or_default(),
        release: "tree".into(),
        state: State::Removed,
        environment: "".into(),
        labels: BTreeMap::new(),
        resources: BTreeMap::new(),
        routes: BTreeMap::new(),
    });
    plan(input, &desired, desired.hash(), Some(seen), shared)
}

fn wanted_state(input: &Input<'_>, desired: &Desired) -> State {
    match desired.state {
        _ if input.options.down => State::Removed,
        State::Running if input.options.stop => State::Stopped,
        state => state,
    }
}

/// Why an instance that would change must not.
fn refusal(view: &View<'_>, state: State, made: &InstancePlan, shared: &Shared) -> Option<Refusal> {
    let complete = view.input.observed.complete;
    let options = &view.input.options;
    let by_hand = options.down || options.stop || options.rollback.is_some();
    if let Some(hold) = view.seen.record.hold.as_ref().filter(|_| !by_hand)
        && hold.against.as_ref().is_none_or(|against| *against == made.desired)
    {
        return Some(Refusal::Held { because: hold.because.clone() });
    }
    let creates = |kind| made.changes.iter().any(|one| one.on.kind == kind && one.action == Action::Create);
    let unseen = [
        (!complete.containers, "containers"),
        (!complete.record, "record"),
        (!complete.networks && creates(Kind::Network), "networks"),
        (!complete.volumes && creates(Kind::Volume), "volumes"),
    ];
    if let Some((_, what)) = unseen.iter().find(|(missing, _)| *missing) {
        return Some(Refusal::Unseen { what: (*what).into() });
    }
    if state == State::Running {
        if let Some(what) = shared.claims.refuse(view.desired, Some(view.seen)) {
            return Some(Refusal::Taken { what });
        }
        for step in &made.steps {
            if let crate::step::Act::Create(placement) = &step.act
                && shared.claims.container_is_foreign(&placement.name)
            {
                let what = format!("container name {} is taken by one that is not ours", placement.name);
                return Some(Refusal::Taken { what: what.into() });
            }
        }
    }
    None
}

/// Consent, and what a refusal makes of the changes.
fn settle(view: &View<'_>, state: State, made: &mut InstancePlan) {
    if let Some(refused) = &made.refused {
        made.steps = Vec::new();
        if matches!(refused, Refusal::Held { .. }) {
            for change in made.changes.iter_mut().filter(|one| one.action != Action::Keep) {
                change.action = Action::Held;
                change.restarts = 0;
                change.gap = None;
            }
        }
        return;
    }
    if !made.goes_ahead() {
        return;
    }
    let first = view.seen.record.receipts.is_empty();
    let each = made.changes.iter().map(|change| consent(change, first, state));
    made.consent = each.max().unwrap_or(Consent::Nothing).max(Consent::Additive);
}

fn consent(change: &Change, first: bool, state: State) -> Consent {
    match (change.action, change.on.kind) {
        (Action::Keep | Action::Held, _) => Consent::Nothing,
        (Action::Retain, _) => Consent::Nothing,
        (Action::Create | Action::Start | Action::Update, _) => Consent::Additive,
        (Action::Run, _) if first => Consent::Additive,
        (Action::Run | Action::Adopt | Action::Replace | Action::Move | Action::Stop, _) => Consent::Gap,
        (Action::Delete, Kind::Volume) => Consent::Deletion,
        (Action::Delete, Kind::Service) if leftover(change) => Consent::Gap,
        (Action::Delete, Kind::Service) => Consent::Deletion,
        (Action::Delete, Kind::Route) => Consent::Gap,
        (Action::Delete, _) if state == State::Removed => Consent::Deletion,
        // Networks and files that nobody uses any more: nothing of them is lost.
        (Action::Delete, _) => Consent::Additive,
    }
}

fn leftover(change: &Change) -> bool {
    change.detail.as_ref().is_some_and(|detail| detail.ends_with("(left behind by an earlier apply)"))
}
