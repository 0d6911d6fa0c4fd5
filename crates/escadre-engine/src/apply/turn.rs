//! A turn: one instance under one plan, from the lock to the receipt.
//!
//! In: the instance's part of a plan. Out: an `InstanceReport`, and a receipt in the journal.
//! **Invariant:** lock, recover, look, compare, then intents before acts; nothing old is removed before the commit point; after it only forward.
//! Not here: performing one step (`hands`), going back (`unwind`), several instances (`mod`).
//! Tests: `escadre-testkit`.

use super::hands::{Hands, Images, chain, subject, word};
use super::promises::{images_before, promises};
use super::report::{Around, End, Failure, InstanceReport, Leftover, Next, Refused};
use super::unwind::Unwound;
use super::{Options, Orders, Ports};
use crate::journal::{self, Begun, Body, Memory, ReceiptBody, Standing};
use crate::observe;
use crate::ports::{Attempt, Blob, Changed, Error, Event, Held, Holder, Outcome, Scope, StoreError, Whose};
use crate::recover;
use escadre_model::desired::{Desired, State as Wanted};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind, ResourceId};
use escadre_model::observed::{EngineId, HeldBy, Hold, InstanceSeen, Observed, Outcome as Ended};
use escadre_plan::change::Action;
use escadre_plan::plan::InstancePlan;
use escadre_plan::precondition;
use escadre_plan::step::{Act, Step};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often a lock that somebody has is tried while waiting for it.
const LOCK_PAUSE: Duration = Duration::from_millis(250);

/// One instance under one plan.
pub(crate) struct Turn {
    pub(crate) hands: Hands,
    pub(crate) memory: Memory,
}

/// A step that failed, as the journal and the report hear of it.
pub(crate) struct Broke {
    pub(crate) index: u32,
    pub(crate) error: Error,
}

/// Why a turn cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target cannot be looked at.
    #[error(transparent)]
    Driver(#[from] Error),
    /// The target or the record cannot be looked at.
    #[error(transparent)]
    Observe(#[from] observe::ObserveError),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] crate::ports::LockError),
    /// The plan or the journal makes no sense.
    #[error("{0}")]
    Bug(Arc<str>),
}

impl Halt {
    /// Whose fault it is.
    pub fn whose(&self) -> Whose {
        match self {
            Halt::Store(_) | Halt::Lock(_) => Whose::World,
            Halt::Driver(error) | Halt::Observe(observe::ObserveError::Driver(error)) => error.whose(),
            Halt::Observe(observe::ObserveError::Store(_)) => Whose::World,
            Halt::Bug(_) => Whose::Bug,
        }
    }

    /// What of the host it was.
    fn around(&self) -> Around {
        let gone = |error: &Error| matches!(error, Error::Unreachable { .. });
        if let Halt::Driver(error) | Halt::Observe(observe::ObserveError::Driver(error)) = self
            && gone(error)
        {
            return Around::Target;
        }
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = next {
            let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            if matches!(kind, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)) {
                return Around::Disk;
            }
            next = error.source();
        }
        Around::Other
    }
}

/// Takes the instance's turn and reports.
pub(crate) async fn take(plan: &InstancePlan, orders: &Orders, ports: &Ports, options: &Options) -> InstanceReport {
    let began = ports.clock.monotonic();
    let mut report = InstanceReport::new(plan.instance.clone(), End::NothingToDo, Duration::ZERO);
    report.end = match attempt(plan, orders, ports, options, &mut report).await {
        Ok(end) => end,
        Err(Halt::Bug(why)) => End::Bug(why),
        Err(halt) => End::Broken { why: chain(&halt), whose: halt.whose(), around: halt.around() },
    };
    report.took = ports.clock.monotonic().saturating_sub(began);
    let ended = match &report.end {
        End::Done(_) => Some(done(plan.state)),
        End::WentBack(_) => Some(Ended::WentBack),
        End::Stuck(_) => Some(Ended::Stuck),
        _ => None,
    };
    if let Some(ended) = ended {
        ports.progress.tell(Event::InstanceEnded(plan.instance.clone(), ended, report.took));
    }
    report
}

/// How a turn ended that came to its end as planned.
fn done(state: Wanted) -> Ended {
    match state {
        Wanted::Running => Ended::Healthy,
        Wanted::Stopped => Ended::Stopped,
        Wanted::Removed => Ended::Removed,
    }
}

/// Waits for the lock of an instance, as long as the options allow.
pub(crate) async fn lock(
    instance: &InstanceId,
    what: &Arc<str>,
    ports: &Ports,
    options: &Options,
) -> Result<Result<Box<dyn Held>, Holder>, Halt> {
    let since = ports.clock.now();
    let claim = Holder { by: options.by.clone(), plan: what.clone(), since, ..Holder::default() };
    let began = ports.clock.monotonic();
    loop {
        match ports.locks.attempt(instance, &claim).await? {
            Attempt::Got(held) => return Ok(Ok(held)),
            Attempt::Busy(holder) => {
                if options.stop.asked() || ports.clock.monotonic().saturating_sub(began) >= options.wait {
                    return Ok(Err(holder));
                }
                ports.clock.sleep(LOCK_PAUSE).await;
            }
        }
    }
}

async fn attempt(
    plan: &InstancePlan,
    orders: &Orders,
    ports: &Ports,
    options: &Options,
    report: &mut InstanceReport,
) -> Result<End, Halt> {
    if options.stop.asked() {
        return Ok(End::NotBegun);
    }
    if let Some(refusal) = &plan.refused {
        return Ok(End::Refused(Refused::Plan(refusal.clone())));
    }
    let held = match lock(&plan.instance, &orders.plan.id, ports, options).await? {
        Ok(held) => held,
        Err(holder) => return Ok(End::Refused(Refused::Locked(holder))),
    };
    ports.progress.tell(Event::InstanceBegan(plan.instance.clone()));
    held.doing("looking", &ports.clock.now());
    report.recovered = match recover::instance(&plan.instance, ports, options).await? {
        None => None,
        Some(recovered) if recovered.stuck.is_some() => {
            return Ok(recovered.stuck.map_or(End::NothingToDo, End::Stuck));
        }
        Some(recovered) => Some((recovered.plan, recovered.finished)),
    };
    let memory = journal::memory(ports.store.as_ref(), &plan.instance).await?;
    let rendered = (orders.render)(&plan.instance);
    let claims: Vec<&Desired> = rendered.as_deref().into_iter().collect();
    let observed =
        observe::observe(ports, &Scope::Instances(vec![plan.instance.clone()]), &claims, BTreeSet::new()).await?;
    let seen = observed.instance(&plan.instance);
    let Some(desired) = wanted(plan, rendered, seen, ports).await? else { return Ok(End::Refused(Refused::Gone)) };
    if let Some(end) = compare(plan, orders, &desired, seen, &memory, ports).await? {
        return Ok(end);
    }
    held.doing("working", &ports.clock.now());
    let hands = Hands {
        ports: ports.clone(),
        options: options.clone(),
        instance: plan.instance.clone(),
        plan: orders.plan.id.clone(),
        desired,
        steps: plan.steps.clone().into(),
    };
    let mut turn = Turn { hands, memory };
    turn.begin(plan, orders, &observed).await?;
    let end = turn.carry_out(report).await;
    if end.is_err() {
        (report.begun, report.committed) = turn.stands();
    }
    end
}

/// What the instance wants: rendered now; for one without a file (taken down by name) what it was told last, or nothing but its name.
async fn wanted(
    plan: &InstancePlan,
    rendered: Option<Arc<Desired>>,
    seen: Option<&InstanceSeen>,
    ports: &Ports,
) -> Result<Option<Arc<Desired>>, Halt> {
    // A way back wants what the journal has, whatever the files say.
    if let Some(desired) = rendered.filter(|_| plan.back.is_none()) {
        return Ok(Some(desired));
    }
    if let Some(desired) = journal::desired_of(ports.store.as_ref(), &plan.desired).await? {
        return Ok(Some(desired));
    }
    let bare = Desired {
        instance: plan.instance.clone(),
        origin: seen.and_then(|seen| seen.origin.clone()).unwrap_or_default(),
        release: "tree".into(),
        state: Wanted::Removed,
        environment: "".into(),
        labels: BTreeMap::new(),
        resources: BTreeMap::new(),
        routes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        adopts: None,
    };
    Ok((bare.hash() == plan.desired).then(|| Arc::new(bare)))
}

/// Is the plan still about this instance? `None`: yes.
async fn compare(
    plan: &InstancePlan,
    orders: &Orders,
    desired: &Desired,
    seen: Option<&InstanceSeen>,
    memory: &Memory,
    ports: &Ports,
) -> Result<Option<End>, Halt> {
    let newest = memory.state.receipts.first();
    let well = newest.filter(|kept| kept.desired == plan.desired && kept.outcome.is_as_planned());
    if desired.hash() != plan.desired {
        return Ok(Some(End::Refused(Refused::WantsOther)));
    }
    let holds = |seen: Option<&InstanceSeen>| (orders.precondition)(&plan.desired, seen) == plan.precondition;
    if !holds(seen) && !holds(without_own_volumes(plan, seen).as_ref()) {
        let by_this = match well {
            Some(kept) => {
                let entries = ports.store.entries(&[kept.seq]).await?;
                entries.first().is_some_and(|entry| entry.entry.plan == orders.plan.id)
            }
            None => false,
        };
        if by_this {
            return Ok(Some(End::AlreadyDone));
        }
        // Where nothing was to be done, nothing was noted either.
        let differs = match plan.steps.is_empty() {
            true => Vec::new(),
            false => precondition::differences(&plan.seen, without_own_volumes(plan, seen).as_ref()),
        };
        return Ok(Some(End::Refused(Refused::RunsOther(differs))));
    }
    let acts = plan.changes.iter().any(|change| matches!(change.action, Action::Adopt | Action::Retain));
    Ok((plan.steps.is_empty() && !acts && well.is_some()).then_some(End::NothingToDo))
}

/// What was seen, without the volumes that an earlier attempt of this very plan has made: going back leaves volumes, and the plan goes on over them.
fn without_own_volumes(plan: &InstancePlan, seen: Option<&InstanceSeen>) -> Option<InstanceSeen> {
    let mut seen = seen?.clone();
    let made: Vec<&Arc<str>> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.act {
            Act::EnsureVolume { name, external: false } => Some(name),
            _ => None,
        })
        .collect();
    let owned = &seen.record.owned;
    seen.volumes.retain(|one| !(made.contains(&&one.name) && owned.contains_key(&EngineId(one.name.clone()))));
    Some(seen)
}

impl Turn {
    /// Appends entries, and takes them into account.
    pub(crate) async fn write(&mut self, bodies: Vec<(Option<u32>, Body)>, blobs: Vec<Blob>) -> Result<(), StoreError> {
        if bodies.is_empty() {
            return Ok(());
        }
        let at = self.hands.ports.clock.now();
        let mut entries = Vec::with_capacity(bodies.len());
        for (step, body) in &bodies {
            entries.push(body.entry(&self.hands.instance, &self.hands.plan, *step, at.clone())?);
        }
        let seqs = self.hands.ports.store.append(entries, blobs).await?;
        for (seq, (step, body)) in seqs.into_iter().zip(&bodies) {
            self.memory.fold(seq, &self.hands.plan, *step, body);
        }
        self.hands.options.kill.point();
        Ok(())
    }

    /// Image reference → id, as far as known now.
    pub(crate) fn images(&self) -> Images {
        self.memory.run.as_ref().map(|run| run.images.clone()).unwrap_or_default()
    }

    async fn begin(&mut self, plan: &InstancePlan, orders: &Orders, observed: &Observed) -> Result<(), Halt> {
        let desired = self.hands.desired.clone();
        let steps = serde_json::to_vec(&plan.steps)
            .map_err(|error| Halt::Bug(format!("cannot write the steps as JSON: {error}").into()))?;
        let mut blobs = journal::blobs_of(&desired)?;
        let steps_hash = Hash::of(&steps);
        blobs.push((steps_hash.clone(), steps.into()));
        let (commit, dirty) = match &plan.back {
            Some(back) => (back.commit.clone(), back.dirty.clone()),
            None => (orders.plan.commit.clone(), orders.plan.dirty.clone()),
        };
        let former = plan.back.as_ref().map_or(&self.memory.state.images, |back| &back.images);
        let begun = Begun {
            desired: plan.desired.clone(),
            steps: steps_hash,
            by: self.hands.options.by.clone(),
            commit,
            dirty,
            images: images_before(&desired, former, observed),
            hold: self.hold_after(plan),
            state: plan.state,
            back: plan.back.as_ref().map(|back| back.to.clone()),
            ..promises(plan, &desired, observed.instance(&plan.instance), &self.memory)
        };
        Ok(self.write(vec![(None, Body::Begun(Box::new(begun)))], blobs).await?)
    }

    /// From the first step to the receipt.
    async fn carry_out(&mut self, report: &mut InstanceReport) -> Result<End, Halt> {
        let broke = self.forward(false).await?;
        report.ran = self.jobs_run();
        if let Some(broke) = broke {
            let unwound = self.unwind().await?;
            let failure = self.failure(&broke, unwound);
            return self.conclude_failed(failure).await;
        }
        self.write(vec![(None, Body::Committed)], Vec::new()).await?;
        self.finish().await
    }

    /// What follows the commit point, and the receipt.
    pub(crate) async fn finish(&mut self) -> Result<End, Halt> {
        self.forward(true).await?;
        let leftovers = self.leftovers();
        let ended = done(self.memory.run.as_ref().map_or(Wanted::Running, |run| run.begun.state));
        self.receipt(ended, None, None).await?;
        Ok(End::Done(leftovers))
    }

    async fn conclude_failed(&mut self, (failure, stuck): (Failure, bool)) -> Result<End, Halt> {
        let ended = if stuck { Ended::Stuck } else { Ended::WentBack };
        let because = match failure.evidence {
            // The gate's own sentence names the service.
            Some(_) => failure.why.clone(),
            None => format!("{} {}: {}", failure.act, failure.on.resource, failure.why).into(),
        };
        let last_line = failure.evidence.as_ref().and_then(|known| known.log.last().cloned());
        self.receipt(ended, Some((because, last_line)), failure.hold.clone()).await?;
        let failure = Box::new(failure);
        Ok(if stuck { End::Stuck(failure) } else { End::WentBack(failure) })
    }

    /// Ends the turn in the journal: the hold, if any, and the receipt with everything that is remembered.
    pub(crate) async fn receipt(
        &mut self,
        outcome: Ended,
        why: Option<(Arc<str>, Option<Arc<str>>)>,
        hold: Option<Hold>,
    ) -> Result<(), Halt> {
        let Some(run) = self.memory.run.clone() else {
            return Err(Halt::Bug("a turn ends that never began".into()));
        };
        let mut state = self.memory.state.clone();
        match (&hold, outcome) {
            (Some(hold), _) => state.hold = Some(hold.clone()),
            // Another Desired was reached: a hold against a former one is over. One by hand stays until somebody lifts it.
            (None, Ended::Healthy | Ended::Stopped | Ended::Removed) => {
                let well = |kept: &&journal::Kept| kept.outcome.is_as_planned();
                let same = state.receipts.iter().find(well).is_some_and(|kept| kept.desired == run.begun.desired);
                let stays = state.hold.filter(|hold| same || hold.against.is_none());
                state.hold = stays.or_else(|| run.begun.hold.clone());
            }
            (None, _) => {}
        }
        match outcome {
            Ended::Healthy => {
                state.stopped.retain(|service| !run.begun.starts.contains(service));
                state.stopped.extend(run.begun.stops.iter().cloned());
            }
            // All of it is down, and all of it comes again.
            Ended::Stopped | Ended::Removed => state.stopped.clear(),
            Ended::WentBack | Ended::Stuck => {}
        }
        let Begun { desired, by, commit, dirty, back, .. } = run.begun;
        let (because, last_line) = why.map_or((None, None), |(because, line)| (Some(because), line));
        let receipt = ReceiptBody { outcome, desired, by, commit, dirty, back, because, last_line, state };
        let mut bodies: Vec<(Option<u32>, Body)> = hold.map(|hold| (None, Body::Held(hold))).into_iter().collect();
        bodies.push((None, Body::Receipt(Box::new(receipt))));
        self.write(bodies, Vec::new()).await?;
        self.forget_secrets(outcome).await
    }

    /// Values of secrets that no kept receipt was made with are forgotten; all of them once the instance was taken down.
    async fn forget_secrets(&self, outcome: Ended) -> Result<(), Halt> {
        let (instance, secrets) = (&self.hands.instance, &self.hands.ports.secrets);
        if outcome == Ended::Removed {
            secrets.forget(instance, &BTreeSet::new());
            return Ok(());
        }
        let earlier = secrets.earlier(instance);
        if earlier.iter().all(|hash| self.hands.desired.secrets.values().any(|now| now == hash)) {
            return Ok(());
        }
        let mut needed: BTreeSet<_> = self.hands.desired.secrets.values().cloned().collect();
        for kept in &self.memory.state.receipts {
            // One that cannot be read any more cannot be gone back to either.
            if let Some(desired) = journal::desired_of(self.hands.ports.store.as_ref(), &kept.desired).await? {
                needed.extend(desired.secrets.values().cloned());
            }
        }
        secrets.forget(instance, &needed);
        Ok(())
    }

    /// Once back, it stays so: held against what its files want now.
    fn hold_after(&self, plan: &InstancePlan) -> Option<Hold> {
        let back = plan.back.as_ref()?;
        let (against, at) = (Some(back.against.clone()?), self.hands.ports.clock.now());
        Some(Hold { against, by: HeldBy::Rollback, because: back.to.clone(), at })
    }

    /// Performs all steps of one side of the commit point that are not done, in the order of their dependencies, several at once. What has begun is
    /// always awaited. Before the commit point nothing new begins after a failure; after it everything that does not wait for the failed one goes on.
    pub(crate) async fn forward(&mut self, after_commit: bool) -> Result<Option<Broke>, Halt> {
        let mut running = FuturesUnordered::new();
        let mut broke: Option<Broke> = None;
        let mut news: Vec<(Option<u32>, Body)> = Vec::new();
        loop {
            self.pass_over(after_commit, &mut news);
            let room = self.hands.options.steps.max(1).saturating_sub(running.len());
            let ready =
                if broke.is_some() && !after_commit { Vec::new() } else { self.ready(after_commit, room, &news) };
            let mut begin = Vec::new();
            for step in ready {
                match self.intent(&step).await {
                    Ok(intent) => {
                        news.push((Some(step.index), intent));
                        begin.push(step);
                    }
                    // It was not even begun: it leaves no intent, and there is nothing of it to undo.
                    Err(error) => {
                        broke.get_or_insert(Broke { index: step.index, error });
                        break;
                    }
                }
            }
            self.write(std::mem::take(&mut news), Vec::new()).await?;
            let images = self.images();
            for step in begin {
                let (hands, images) = (self.hands.clone(), images.clone());
                running.push(async move {
                    let result = hands.perform(&step, &images).await;
                    (step, result, images)
                });
            }
            let Some((step, result, images)) = running.next().await else { break };
            news.push((Some(step.index), self.ended(&step, result, &images, &mut broke)));
        }
        self.write(news, Vec::new()).await?;
        if broke.is_none() && !after_commit && !self.all_done(after_commit) {
            return Err(Halt::Bug("the plan's steps wait for each other".into()));
        }
        Ok(broke)
    }

    fn ended(
        &self,
        step: &Step,
        result: Result<(Outcome, bool), Error>,
        images: &Images,
        broke: &mut Option<Broke>,
    ) -> Body {
        match result {
            Ok((outcome, found)) => Body::Done(Box::new(self.hands.done(step, outcome, found, images))),
            Err(error) => {
                let evidence = match &error {
                    Error::Gate { evidence, .. } => Some(evidence.clone()),
                    _ => None,
                };
                let failed = Body::Failed { why: chain(&error), undo: false, evidence };
                broke.get_or_insert(Broke { index: step.index, error });
                failed
            }
        }
    }

    async fn intent(&self, step: &Step) -> Result<Body, Error> {
        let images = self.images();
        let before = self.hands.ports.driver.before(&self.hands.job(step, &images)).await?;
        Ok(Body::Intent { on: step.on.clone(), act: word(&step.act).into(), before })
    }

    /// Steps that can begin: theirs is this side of the commit point, they have not begun, and all they wait for is done.
    fn ready(&self, after_commit: bool, room: usize, news: &[(Option<u32>, Body)]) -> Vec<Step> {
        let Some(run) = &self.memory.run else { return Vec::new() };
        let just_done =
            |index: &u32| news.iter().any(|(step, body)| *step == Some(*index) && matches!(body, Body::Done(_)));
        let done = |index: &u32| matches!(run.steps.get(index), Some(Standing::Done(_))) || just_done(index);
        self.hands
            .steps
            .iter()
            .filter(|step| step.after_commit == after_commit)
            .filter(|step| !run.steps.contains_key(&step.index) && !just_done(&step.index))
            .filter(|step| step.after.iter().all(done))
            .take(room)
            .cloned()
            .collect()
    }

    /// Takes steps whose condition no `Follow` has met as done without performing them; a `Follow` among them has answered no.
    fn pass_over(&self, after_commit: bool, news: &mut Vec<(Option<u32>, Body)>) {
        let Some(run) = &self.memory.run else { return };
        let changed = |body: &Body| match body {
            Body::Done(done) => Some(done.outcome.changed),
            _ => None,
        };
        let mut answers: BTreeMap<u32, Changed> =
            news.iter().filter_map(|(step, body)| Some(((*step)?, changed(body)?))).collect();
        answers.extend(run.steps.iter().filter_map(|(index, standing)| match standing {
            Standing::Done(outcome) => Some((*index, outcome.changed)),
            _ => None,
        }));
        // A step comes after those it depends on: once through is enough.
        for step in self.hands.steps.iter().filter(|step| step.after_commit == after_commit) {
            let no = |index: &u32| answers.get(index) == Some(&Changed::NotNeeded);
            let known = run.steps.contains_key(&step.index) || answers.contains_key(&step.index);
            if !known && !step.when.is_empty() && step.when.iter().all(no) {
                answers.insert(step.index, Changed::NotNeeded);
                news.push((Some(step.index), Body::Done(Box::default())));
            }
        }
    }

    /// What was begun, changed something and is not undone; and whether the commit point is passed.
    fn stands(&self) -> (Vec<(ResourceId, Arc<str>)>, bool) {
        let Some(run) = &self.memory.run else { return (Vec::new(), false) };
        let open = |step: &&Step| match run.steps.get(&step.index) {
            None | Some(Standing::Closed) => false,
            Some(Standing::Done(outcome)) => outcome.changed != Changed::NotNeeded,
            Some(Standing::Open(..) | Standing::Failed(_)) => true,
        };
        let begun = self.hands.steps.iter().filter(open).map(|step| (subject(&step.on), word(&step.act).into()));
        (begun.collect(), run.committed)
    }

    fn all_done(&self, after_commit: bool) -> bool {
        let Some(run) = &self.memory.run else { return true };
        let done = |step: &Step| matches!(run.steps.get(&step.index), Some(Standing::Done(_)));
        self.hands.steps.iter().filter(|step| step.after_commit == after_commit).all(done)
    }

    fn leftovers(&self) -> Vec<Leftover> {
        let Some(run) = &self.memory.run else { return Vec::new() };
        let left = |step: &&Step| !matches!(run.steps.get(&step.index), Some(Standing::Done(_)));
        let leftover = |step: &Step| Leftover {
            on: subject(&step.on),
            act: word(&step.act).into(),
            why: run.steps.contains_key(&step.index).then(|| "it failed".into()),
        };
        self.hands.steps.iter().filter(|step| step.after_commit).filter(left).map(leftover).collect()
    }

    /// Jobs that were begun: going back does not undo them.
    pub(crate) fn jobs_run(&self) -> Vec<Arc<str>> {
        let Some(run) = &self.memory.run else { return Vec::new() };
        let ran = |step: &&Step| matches!(step.act, Act::Run { .. }) && run.steps.contains_key(&step.index);
        self.hands.steps.iter().filter(ran).map(|step| step.on.resource.key.clone()).collect()
    }

    fn failure(&self, broke: &Broke, unwound: Unwound) -> (Failure, bool) {
        let step = self.hands.steps.iter().find(|step| step.index == broke.index);
        let whole = ResourceId {
            instance: self.hands.instance.clone(),
            resource: escadre_model::ids::ResourceKey::new(Kind::Service, ""),
            replica: None,
            generation: None,
        };
        let on = step.map_or(whole, |step| subject(&step.on));
        let act: Arc<str> = step.map_or("begin", |step| word(&step.act)).into();
        let why = chain(&broke.error);
        let hold = self.hold(&broke.error, unwound.stuck, &act, &on);
        let evidence = match &broke.error {
            Error::Gate { evidence, .. } => Some(evidence.clone()),
            _ => None,
        };
        let next = match (&hold, unwound.stuck) {
            (_, true) => vec![Next::Look, Next::Why, Next::Unhold],
            (Some(_), _) => vec![Next::Mend, Next::Unhold, Next::Why, Next::Logs],
            (None, _) => vec![Next::Again, Next::Why],
        };
        let Unwound { undone, not_undone, stuck } = unwound;
        let (whose, crossed) = (broke.error.whose(), matches!(broke.error, Error::Crossed { .. }));
        (Failure { on, act, why, whose, crossed, evidence, undone, not_undone, hold, next }, stuck)
    }

    /// A failure that speaks against what was wanted (a gate, a refusal by the engine) holds the instance against exactly that; one that
    /// speaks only against the world (no answer, no image, a full disk) does not. A stuck instance is held against everything.
    fn hold(&self, error: &Error, stuck: bool, act: &str, on: &ResourceId) -> Option<Hold> {
        let (because, at) = (self.hands.plan.clone(), self.hands.ports.clock.now());
        if stuck {
            let because = format!("plan {because} failed to {act} {on}, and going back failed too").into();
            return Some(Hold { against: None, by: HeldBy::Stuck, because, at });
        }
        let speaks =
            matches!(error, Error::Gate { .. }) || matches!(error, Error::Refused { status, .. } if *status < 500);
        let desired = self.memory.run.as_ref().map(|run| run.begun.desired.clone());
        speaks.then_some(Hold { against: desired, by: HeldBy::WentBack, because, at })
    }
}
