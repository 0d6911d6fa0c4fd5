//! The plan of one instance.
//!
//! In: what it shall be, what was seen of it, and what it was given of the things there are only once. Out: an `InstancePlan`.
//! **Invariant:** steps name this instance's resources only; an instance that is refused has no steps.
//! Not here: the comparison (`diff`, `gone`), the steps (`steps`).
//! Tests: `tests/it`.

use crate::change::{Action, Change};
use crate::diff::{self, Diff, View};
use crate::make::{FleetWide, How, Input, Shared};
use crate::plan::{Consent, InstancePlan, Note, Refusal};
use crate::precondition;
use crate::{gone, steps};
use escadre_model::desired::{Desired, State};
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::observed::InstanceSeen;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An instance as compared, before it has steps.
pub(crate) struct Draft<'a> {
    view: View<'a>,
    state: State,
    made: InstancePlan,
    /// `None`: it is not compared with another fleet's things.
    diff: Option<Diff<'a>>,
}

/// Compares what an instance shall be with what was seen of it. It needs nothing of other instances.
pub(crate) fn compare<'a>(input: &'a Input<'a>, desired: &'a Desired, seen: &'a InstanceSeen) -> Draft<'a> {
    let hash = desired.hash();
    let precondition = precondition::precondition(&hash, Some(seen));
    let view = View::new(input, desired, seen);
    let state = wanted_state(input, desired);
    let mut made = InstancePlan {
        instance: desired.instance.clone(),
        desired: hash,
        precondition,
        seen: Vec::new(),
        changes: Vec::new(),
        steps: Vec::new(),
        consent: Consent::Nothing,
        refused: None,
        group: None,
        state,
        back: view.back().cloned(),
    };
    if let Some(origin) = view.seen.origin.as_ref().filter(|origin| **origin != desired.origin) {
        made.refused = Some(Refusal::OtherFleet { origin: origin.clone() });
        return Draft { view, state, made, diff: None };
    }
    let diff = match state {
        State::Running => match touched(input, desired) {
            Some((how, services)) => diff::touched(view, how, services),
            None => diff::running(view),
        },
        State::Stopped => gone::stopped(&view),
        State::Removed => gone::removed(&view),
    };
    Draft { view, state, made, diff: Some(diff) }
}

impl<'a> Draft<'a> {
    /// The networks that need a subnet from the target's pool.
    pub(crate) fn networks(&self) -> impl Iterator<Item = (&InstanceId, &Arc<str>)> {
        let all = self.diff.iter().filter(|_| self.state == State::Running).flat_map(|diff| &diff.networks);
        all.filter(|(_, fate)| fate.wants_subnet()).map(|(key, _)| (&self.made.instance, key))
    }

    /// The steps, consent, and why it may not be touched. `Err`: it needs ports that `shared` could not give; `Ok` else, with notes.
    pub(crate) fn finish(mut self, shared: &mut Shared<'_>) -> Result<(InstancePlan, Vec<Note>), Box<Self>> {
        let Some(diff) = self.diff.as_ref() else { return Ok((self.made, Vec::new())) };
        let view = self.view;
        let steps = match self.state {
            State::Running => steps::running(&view, diff, shared),
            State::Stopped => Ok(steps::stopped(&view, shared)),
            State::Removed => Ok(steps::removed(&view, diff)),
        };
        if shared.loopback.refused() {
            return Err(Box::new(self));
        }
        let diff = self.diff.take().unwrap_or_default();
        let mut made = self.made;
        made.changes = diff.changes;
        if view.input.options.adopt {
            made.changes.retain(|change| matches!(change.action, Action::Adopt | Action::Keep));
        }
        match steps {
            Ok(_) if view.input.options.adopt => {}
            Ok(steps) => {
                if !steps.is_empty() {
                    made.seen = precondition::seen(view.seen);
                }
                made.steps = steps;
            }
            Err(refusal) => made.refused = Some(refusal),
        }
        if made.refused.is_some() || made.goes_ahead() {
            let refused = made.refused.take();
            made.refused = refusal(&view, self.state, &made, shared.fleet).or(refused);
        }
        settle(&view, self.state, &mut made);
        Ok((made, diff.notes))
    }
}

/// What an instance whose file is gone was, to be planned for its removal: its last receipt tells, else only its name is known.
pub(crate) fn without_file<'a>(id: &InstanceId, seen: &'a InstanceSeen) -> Cow<'a, Desired> {
    let last = seen.record.receipts.first().map(|receipt| Cow::Borrowed(receipt.desired.as_ref()));
    last.unwrap_or_else(|| {
        Cow::Owned(Desired {
            instance: id.clone(),
            origin: seen.origin.clone().unwrap_or_default(),
            release: "tree".into(),
            state: State::Removed,
            environment: "".into(),
            labels: BTreeMap::new(),
            resources: BTreeMap::new(),
            routes: BTreeMap::new(),
            secrets: BTreeMap::new(),
            adopts: None,
        })
    })
}

/// What is done to which services of it, if only that is asked for.
fn touched<'a>(input: &'a Input<'a>, desired: &Desired) -> Option<(How, &'a BTreeSet<Arc<str>>)> {
    let touch = input.options.touch.as_ref()?;
    Some((touch.how, touch.services.get(&desired.instance)?))
}

fn wanted_state(input: &Input<'_>, desired: &Desired) -> State {
    let all_stop = || touched(input, desired).is_some_and(|(how, services)| how == How::Stop && services.is_empty());
    match desired.state {
        _ if input.options.down => State::Removed,
        State::Running if all_stop() => State::Stopped,
        // What its file says is not asked now: it is started.
        State::Stopped if touched(input, desired).is_some() && !all_stop() => State::Running,
        state => state,
    }
}

/// Why an instance that would change must not.
fn refusal(view: &View<'_>, state: State, made: &InstancePlan, fleet: &FleetWide) -> Option<Refusal> {
    let complete = view.input.observed.complete;
    let options = &view.input.options;
    let by_hand = options.down || options.touch.is_some() || view.back().is_some();
    if let Some(hold) = view.seen.record.hold.as_ref().filter(|_| !by_hand)
        && hold.against.as_ref().is_none_or(|against| *against == made.desired)
    {
        return Some(Refusal::Held { by: hold.by, because: hold.because.clone() });
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
        if let Some(refusal) = diff::adopt::refuse(view) {
            return Some(refusal);
        }
        if let Some(what) = fleet.claims.refuse(view.desired, Some(view.seen)) {
            return Some(Refusal::Taken { what });
        }
        for step in &made.steps {
            if let crate::step::Act::Create(placement) = &step.act
                && fleet.claims.container_is_foreign(&placement.name)
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
