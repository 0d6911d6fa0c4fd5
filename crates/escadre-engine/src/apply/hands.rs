//! Hands: performs one step through the driver, with the look that follows a lost answer.
//!
//! In: a step, and the ids of images. Out: its outcome, or why not.
//! **Invariant:** an act whose answer was lost is looked for before it is tried again.
//! Not here: order and journal (`turn`), undoing (`unwind`).
//! Tests: `escadre-testkit`: lost answers at every call.

use super::{Options, Ports};
use crate::journal::Done;
use crate::ports::{Changed, Error, Event, Found, Job, Outcome};
use escadre_model::desired::{Body, Desired};
use escadre_model::ids::{InstanceId, Kind, ResourceId};
use escadre_model::observed::{CallsSeen, EngineId, JobEvidence};
use escadre_plan::step::{Act, Step};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a call is repeated that the engine did not answer or answered with an error of its own.
const TRIES: u32 = 4;
/// The first pause before a repetition; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// Image reference → engine's image id.
pub(crate) type Images = BTreeMap<Arc<str>, Arc<str>>;

/// What is needed to perform steps of one instance.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) ports: Ports,
    pub(crate) options: Options,
    pub(crate) instance: InstanceId,
    pub(crate) plan: Arc<str>,
    pub(crate) desired: Arc<Desired>,
    pub(crate) steps: Arc<[Step]>,
}

impl Hands {
    pub(crate) fn job<'a>(&'a self, step: &'a Step, images: &'a Images) -> Job<'a> {
        let (secrets, progress) = (self.ports.secrets.as_ref(), self.ports.progress.as_ref());
        Job { desired: &self.desired, step, images, secrets, progress }
    }

    /// Performs a step, and looks for it after a lost answer.
    pub(crate) async fn perform(&self, step: &Step, images: &Images) -> Result<(Outcome, bool), Error> {
        let job = self.job(step, images);
        let began = self.ports.clock.monotonic();
        self.tell(Event::StepBegan(step.on.clone(), step.index, word(&step.act)));
        let result = self.insist(&job).await;
        self.tell(match &result {
            Ok(_) => Event::StepDone(step.on.clone(), step.index, self.ports.clock.monotonic().saturating_sub(began)),
            Err(error) => Event::StepFailed(step.on.clone(), step.index, chain(error)),
        });
        result
    }

    async fn insist(&self, job: &Job<'_>) -> Result<(Outcome, bool), Error> {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            self.options.kill.point();
            let result = self.ports.driver.perform(job).await;
            self.options.kill.point();
            match result {
                Ok(outcome) if tries == 1 => return Ok((outcome, false)),
                // "It was so already" may be our own lost act: it counts as ours, so that unwinding undoes it.
                Ok(outcome) => return Ok((ours(outcome), true)),
                Err(error) if !error.retry() => return Err(error),
                Err(error) => {
                    if let Ok(Found::Done(outcome)) = self.ports.driver.find(job).await {
                        return Ok((ours(*outcome), true));
                    }
                    if tries == TRIES {
                        return Err(error);
                    }
                    self.ports.clock.sleep(pause).await;
                    (tries, pause) = (tries + 1, pause * 2);
                }
            }
        }
    }

    /// Undoes a step; a call the engine did not answer is repeated, since undoing may be.
    pub(crate) async fn undo(&self, step: &Step, images: &Images, outcome: Option<&Outcome>) -> Result<(), Error> {
        let job = self.job(step, images);
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            self.options.kill.point();
            let result = self.ports.driver.undo(&job, outcome).await;
            self.options.kill.point();
            match result {
                Err(error) if error.retry() && tries < TRIES => {
                    self.ports.clock.sleep(pause).await;
                    (tries, pause) = (tries + 1, pause * 2);
                }
                result => return result,
            }
        }
    }

    /// What the journal says of a performed step.
    pub(crate) fn done(&self, step: &Step, outcome: Outcome, found: bool, images: &Images) -> Done {
        let engine = outcome.engine.clone();
        let named = |name: &Arc<str>| EngineId(name.clone());
        let owns = match &step.act {
            Act::Create(_) | Act::EnsureNetwork { subnet: Some(_), .. } => engine,
            Act::EnsureVolume { name, external: false } => Some(engine.unwrap_or_else(|| named(name))),
            _ => None,
        };
        let frees = match &step.act {
            Act::Remove { engine: Some(engine), .. } => vec![engine.clone()],
            Act::Remove { name, engine: None, .. } if step.on.resource.kind == Kind::Volume => vec![named(name)],
            _ => Vec::new(),
        };
        let destroyed = match &step.act {
            Act::Remove { data: true, .. } => Some(step.on.resource.key.clone()),
            _ => None,
        };
        let image = match (&step.act, &outcome.image) {
            (Act::EnsureImage { reference, .. }, Some(id)) => Some((reference.clone(), id.clone())),
            _ => None,
        };
        let owns = owns.map(|engine| (engine, step.on.clone()));
        let (job, calls) = (self.evidence(step, images), self.calls(step, &outcome, images));
        Done { owns, frees, destroyed, job, calls, image, found, outcome }
    }

    fn evidence(&self, step: &Step, images: &Images) -> Option<(Arc<str>, JobEvidence)> {
        let Act::Run { .. } = &step.act else { return None };
        let resource = self.desired.resources.get(&step.on.resource)?;
        let Body::Service(service) = &resource.body else { return None };
        let image = images.get(&service.image).cloned().unwrap_or_default();
        Some((step.on.resource.key.clone(), JobEvidence { spec: resource.spec.clone(), image }))
    }

    fn calls(&self, step: &Step, outcome: &Outcome, images: &Images) -> Option<(Arc<str>, CallsSeen)> {
        let (lookup, key) = (outcome.lookup?, &step.on.resource.key);
        let (_, service) = self.desired.service(key)?;
        Some((key.clone(), CallsSeen { image: images.get(&service.image)?.clone(), lookup }))
    }

    pub(crate) fn tell(&self, event: Event) {
        self.ports.progress.tell(event);
    }
}

fn ours(mut outcome: Outcome) -> Outcome {
    if outcome.changed == Changed::NotNeeded {
        outcome.changed = Changed::Added;
    }
    outcome
}

/// An act's word in journal, reports and progress.
pub(crate) fn word(act: &Act) -> &'static str {
    match act {
        Act::EnsureImage { .. } => "ensure image",
        Act::EnsureNetwork { .. } => "ensure network",
        Act::EnsureVolume { .. } => "ensure volume",
        Act::EnsureFile { .. } => "ensure file",
        Act::Create(_) => "create",
        Act::Start { .. } => "start",
        Act::Run { .. } => "run",
        Act::Gate { .. } => "gate",
        Act::Attach { .. } => "attach",
        Act::Join { .. } => "join",
        Act::Follow(_) => "follow",
        Act::Switch { .. } => "switch",
        Act::Park { .. } => "park",
        Act::Drain { .. } => "drain",
        Act::Stop { .. } => "stop",
        Act::Remove { .. } => "remove",
        Act::Unroute { .. } => "unroute",
        Act::Apply => "apply",
        Act::Prune => "prune",
    }
}

/// An error and its causes, as one sentence.
pub(crate) fn chain(error: &dyn std::error::Error) -> Arc<str> {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.into()
}

/// Whom a step is about, without replica and generation: for sentences.
pub(crate) fn subject(on: &ResourceId) -> ResourceId {
    ResourceId { replica: None, generation: None, ..on.clone() }
}
