//! The small world as a driver: faults and recorded calls around the acts.
//!
//! In: jobs. Out: outcomes, as a real driver gives them.
//! **Invariant:** without faults and bugs it passes the conformance suite; each planted bug makes suite or oracle fail.
//! Not here: the acts (`act`, `undo`, `look`).
//! Tests: `tests/conformance.rs`, `tests/broken.rs`.

use super::World;
use super::faults::{Call, Fault, refused, silent};
use super::look;
use super::state::Image;
use async_trait::async_trait;
use escadre_engine::ports::{Capabilities, Driver, Error, Found, Job, KeptImage, LogLine, LogQuery, Outcome, Scope};
use escadre_model::observed::{Complete, Observed};
use escadre_plan::step::Act;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A mistake a driver's author could make; planted to prove that the tests find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A repeated create makes a second container.
    CreatesTwice,
    /// A container of somebody else is taken for ours because of its name.
    TakesForeignNames,
    /// A lost answer counts as a failure; nobody looks.
    NeverFinds,
    /// Undoing twice fails.
    UndoOnlyOnce,
    /// Undoing a stop does not start.
    LeavesStopped,
    /// Undoing an attachment does not bring the former names back.
    ForgetsFormerNames,
    /// A gate passes whatever happens.
    GateIsBlind,
    /// What has the name is removed, whatever its id.
    RemovesByName,
    /// A list that was cut is called complete.
    CallsCutListsComplete,
    /// Nothing is noted before acting, so a lost answer loses the former state.
    NotesNothing,
}

/// Planted mistakes.
pub type Bugs = BTreeSet<Bug>;

/// The small world's driver.
#[derive(Clone)]
pub struct FakeDriver {
    pub(super) world: World,
    bugs: Bugs,
}

impl FakeDriver {
    /// A correct driver of a world.
    pub fn new(world: &World) -> Self {
        Self::with_bugs(world, [])
    }

    /// A driver with mistakes.
    pub fn with_bugs(world: &World, bugs: impl IntoIterator<Item = Bug>) -> Self {
        Self { world: world.clone(), bugs: bugs.into_iter().collect() }
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bugs.contains(&bug)
    }

    fn record(&self, verb: &'static str, job: Option<&Job<'_>>, mutating: bool) -> Option<Fault> {
        let on = job.map(|job| job.step.on.clone());
        let act = job.map_or("", |job| word(&job.step.act));
        self.world.record(Call { verb, on, act, mutating })
    }

    fn away(&self) -> bool {
        self.world.inner().faults.away
    }
}

#[async_trait]
impl Driver for FakeDriver {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            side_by_side: true,
            fixed_address: true,
            native_rollout: false,
            runs_checks: true,
            fixed_on_adopted: true,
            engine: "fake 1".into(),
        }
    }

    async fn observe(&self, scope: &Scope, images: &BTreeSet<Arc<str>>) -> Result<Observed, Error> {
        self.record("observe", None, false);
        if self.away() {
            return Err(silent());
        }
        let cut = self.world.inner().faults.incomplete;
        let mut observed = self.world.with(|state, now| look::list(state, scope, images, now));
        if cut {
            observed.instances.clear();
            let claims = self.has(Bug::CallsCutListsComplete);
            observed.complete =
                Complete { containers: claims, networks: claims, volumes: claims, images: claims, record: false };
        }
        Ok(observed)
    }

    async fn kept_images(&self, known: &BTreeMap<Arc<str>, BTreeSet<Arc<str>>>) -> Result<Vec<KeptImage>, Error> {
        self.record("kept images", None, false);
        Ok(self.world.with(|state, _| look::kept_images(state, known)))
    }

    async fn drop_image(&self, id: &str, names: &[Arc<str>]) -> Result<bool, Error> {
        self.record("drop image", None, true);
        self.world.point().await;
        self.world.with(|state, _| {
            let stays = |name: &Arc<str>, image: &Image| &*image.id != id || (&**name != id && !names.contains(name));
            let last = !state.images.iter().any(|(name, image)| &*image.id == id && stays(name, image));
            if last && state.containers.values().any(|one| &*one.image.id == id) {
                return Err(refused("remove image", "a container has it", 409));
            }
            state.images.retain(|name, image| stays(name, image) || (!last && &**name == id));
            Ok(last)
        })
    }

    async fn before(&self, job: &Job<'_>) -> Result<Option<serde_json::Value>, Error> {
        self.record("before", Some(job), false);
        if self.has(Bug::NotesNothing) {
            return Ok(None);
        }
        Ok(self.world.with(|state, now| self.note(job, state, now)))
    }

    async fn perform(&self, job: &Job<'_>) -> Result<Outcome, Error> {
        let mutating = !matches!(job.step.act, Act::Gate { .. } | Act::Drain { .. } | Act::Follow(_));
        let fault = self.record("perform", Some(job), mutating);
        if mutating {
            self.world.point().await;
        }
        match fault {
            Some(Fault::Refuse) => return Err(refused(word(&job.step.act), "no", 409)),
            Some(Fault::Silent) => return Err(silent()),
            Some(Fault::Slow) => tokio::time::sleep(Duration::from_secs(10)).await,
            Some(Fault::Panic) => panic!("a planted panic"),
            Some(Fault::Lost | Fault::Gone) | None => {}
        }
        let result = self.act(job).await;
        if mutating {
            self.world.point().await;
        }
        if matches!(fault, Some(Fault::Lost | Fault::Gone)) {
            return Err(silent());
        }
        result
    }

    async fn undo(&self, job: &Job<'_>, outcome: Option<&Outcome>) -> Result<(), Error> {
        let fault = self.record("undo", Some(job), true);
        self.world.point().await;
        let fails = {
            let mut inner = self.world.inner();
            inner.faults.undos += 1;
            inner.faults.undo_fails_at == Some(inner.faults.undos)
        };
        if fails {
            return Err(refused("undo", "no", 409));
        }
        if matches!(fault, Some(Fault::Silent)) {
            return Err(silent());
        }
        let result = self.world.with(|state, now| self.un(job, outcome, state, now));
        self.world.point().await;
        if matches!(fault, Some(Fault::Lost | Fault::Gone)) {
            return Err(silent());
        }
        result
    }

    async fn find(&self, job: &Job<'_>) -> Result<Found, Error> {
        self.record("find", Some(job), false);
        if self.away() {
            return Err(silent());
        }
        if self.has(Bug::NeverFinds) {
            return Ok(Found::NotDone);
        }
        Ok(self.world.with(|state, now| self.was_done(job, state, now)))
    }

    async fn logs(&self, scope: &Scope, query: &LogQuery, to: tokio::sync::mpsc::Sender<LogLine>) -> Result<(), Error> {
        let lines = self.world.with(|state, now| {
            let seen = look::list(state, scope, &BTreeSet::new(), now);
            let containers = seen.instances.into_values().flat_map(|instance| instance.containers);
            let wanted = containers.filter(|one| query.service.as_ref().is_none_or(|key| one.id.resource.key == *key));
            let mut lines = Vec::new();
            for one in wanted {
                let log = state.containers.get(&one.name).map(|there| there.image.behaviour.log.clone());
                lines.extend(log.unwrap_or_default().into_iter().map(|text| LogLine {
                    container: one.id.clone(),
                    at: "".into(),
                    error: false,
                    text,
                }));
            }
            lines
        });
        for line in lines {
            if to.send(line).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// An act's word in recorded calls.
fn word(act: &Act) -> &'static str {
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
