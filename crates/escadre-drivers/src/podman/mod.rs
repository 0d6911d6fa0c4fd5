//! Podman, and Docker in the same words: the driver of one container engine on this host.
//!
//! In: scopes and steps. Out: `Observed`, `Outcome`s, log lines.
//! **Invariant:** every call leaves through [`door::Door`]; performing what is done changes nothing; undoing what was not done succeeds.
//! Not here: the engine's words (`escadre_render::engine`), order, retries, journal (`escadre-engine`).
//! Tests: `tests/it` against the real engine; the conformance suite of `escadre-testkit`.

mod beside;
mod bridge;
mod build;
mod composed;
mod containers;
mod disk;
pub mod door;
mod ensure;
mod gate;
mod hooks;
mod host;
mod hosts;
mod images;
mod kept;
pub mod locate;
mod look;
mod observe;
pub mod policy;
mod swarm;
mod undo;

use crate::edge::Edge;
use async_trait::async_trait;
use door::Door;
use escadre_engine::ports::{
    Capabilities, Changed, Driver, Error, Found, Job, KeptImage, LogLine, LogQuery, Outcome, Scope, Secrets, Traffic,
};
use escadre_model::desired::Desired;
use escadre_model::ids::InstanceId;
use escadre_model::observed::{Difference, EngineId, Observed};
use escadre_model::secret::Secret;
use escadre_model::secret::SecretRef;
use escadre_plan::step::{Act, RouteTarget};
use escadre_render::engine::{Dialect, Facts};
use locate::Api;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use composed::Inspected;
pub(crate) use disk::write_atomic;
pub use look::{Exec, Session, Usage};

/// What a driver needs to know; everything is read outside and passed in.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where the engine is.
    pub at: locate::Where,
    /// The state folder: `files/` and `secrets/` are made in it.
    pub state: PathBuf,
    /// The folder of data that services write outside of volumes: `…/escadre/data`.
    pub data: PathBuf,
    /// Where the fleet's files are: contexts of builds are relative to it.
    pub root: PathBuf,
    /// The commit whose files are meant: contexts of builds are read from it; `None`: from the folder as it is.
    pub commit: Option<Arc<str>>,
    /// What payloads may hold.
    pub policy: policy::Policy,
    /// Registry host → user and password.
    pub registries: BTreeMap<Arc<str>, Credentials>,
    /// systemd runs here, so that Podman runs health checks by itself.
    pub systemd: bool,
}

/// Who we are to a registry.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user.
    pub user: Arc<str>,
    /// The password.
    pub password: Secret,
}

/// A container engine on this host.
pub struct Engine {
    door: Door,
    api: Api,
    settings: Settings,
    edge: Arc<dyn Edge>,
    /// One writer of hosts files at a time; other processes are kept away by the instance's own lock.
    hosts: tokio::sync::Mutex<()>,
    /// The host's ends of networks.
    bridges: tokio::sync::Mutex<bridge::Bridges>,
    /// Turns at making things: see [`TURNS`].
    turns: tokio::sync::Semaphore,
    /// Old logs were looked for already.
    swept: std::sync::atomic::AtomicBool,
}

/// How many containers and networks are made or started at once: two saturate Podman 4.3, a third hides our own pauses; more only wait for its locks.
/// Gates, pulls and stops wait for other things and take no turn.
const TURNS: usize = 3;

impl Engine {
    /// Finds the engine and asks who it is.
    ///
    /// # Errors
    /// When there is none, it does not run and cannot be started, or it does not let us in.
    pub async fn connect(settings: Settings, edge: Arc<dyn Edge>) -> Result<Self, Error> {
        let (door, api) = settings.at.find(settings.policy).await?;
        Ok(Self {
            door,
            api,
            settings,
            edge,
            hosts: tokio::sync::Mutex::new(()),
            bridges: tokio::sync::Mutex::default(),
            turns: tokio::sync::Semaphore::new(TURNS),
            swept: false.into(),
        })
    }

    /// What rendering must know of this engine.
    pub fn facts(&self) -> Facts {
        Facts { dialect: self.api.dialect, rootless: self.api.rootless }
    }

    /// What is behind the door.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The door, for its counters.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// A turn at making something. The semaphore is never closed; without a permit it would only be one more at once.
    async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    fn compat(&self, path: &str) -> String {
        format!("{}{path}", self.api.compat)
    }

    /// The path of one of Podman's own calls; `None` on Docker.
    fn libpod(&self, path: &str) -> Option<String> {
        self.api.libpod.as_ref().map(|prefix| format!("{prefix}{path}"))
    }

    fn runs_checks(&self) -> bool {
        self.api.dialect == Dialect::Docker || self.settings.systemd
    }

    async fn are_switched(
        &self,
        instance: &InstanceId,
        wanted: &BTreeMap<Arc<str>, RouteTarget>,
    ) -> Result<bool, Error> {
        let seen = self.edge.routes().await?.remove(instance).unwrap_or_default();
        Ok(wanted.iter().all(|(key, target)| {
            seen.get(key).is_some_and(|now| !now.parked && now.spec == target.spec && now.backends == target.backends)
        }))
    }

    fn routes_of(
        job: &Job<'_>,
        targets: &BTreeMap<Arc<str>, RouteTarget>,
    ) -> Result<BTreeMap<Arc<str>, (escadre_model::desired::Route, RouteTarget)>, Error> {
        targets
            .iter()
            .map(|(key, target)| match job.desired.routes.get(key) {
                Some(route) => Ok((Arc::clone(key), (route.clone(), target.clone()))),
                None => Err(Error::Bug {
                    act: format!("switch route {key}").into(),
                    why: "the instance has no route of that name".into(),
                }),
            })
            .collect()
    }
}

fn outcome(changed: Changed) -> Outcome {
    Outcome { changed, ..Outcome::default() }
}

fn unplanned(act: &str) -> Error {
    Error::Bug { act: act.into(), why: "a container engine has no such step".into() }
}

/// An engine's refusal because there is nothing of that name.
fn is_absent(error: &Error) -> bool {
    match error {
        Error::Refused { status: 404, .. } => true,
        // Podman, where a container goes while it is looked at.
        Error::Refused { status: 500, message, .. } => message.trim_end().ends_with("no such container"),
        _ => false,
    }
}

#[async_trait]
impl Driver for Engine {
    fn capabilities(&self) -> Capabilities {
        let name = match self.api.dialect {
            Dialect::Podman => "podman",
            Dialect::Docker => "docker",
        };
        Capabilities {
            side_by_side: true,
            fixed_address: !self.api.rootless,
            native_rollout: false,
            runs_checks: self.runs_checks(),
            // Docker refuses it where nobody wrote the network's subnet.
            fixed_on_adopted: self.api.dialect == Dialect::Podman,
            engine: format!("{name} {}", self.api.version).into(),
        }
    }

    async fn observe(&self, scope: &Scope, images: &BTreeSet<Arc<str>>) -> Result<Observed, Error> {
        self.see(scope, images).await
    }

    async fn perform(&self, job: &Job<'_>) -> Result<Outcome, Error> {
        let instance = &job.step.on.instance;
        match &job.step.act {
            Act::EnsureImage { reference, refresh, build, expect } => {
                self.ensure_image(job, reference, *refresh, build.as_ref(), expect.as_deref()).await
            }
            Act::EnsureNetwork { name, subnet } => self.ensure_network(job, name, subnet.as_deref()).await,
            Act::EnsureVolume { name, external } => self.ensure_volume(job, name, *external).await,
            Act::EnsureFile { file } => self.ensure_file(job, file),
            Act::Create(placement) => self.create(job, placement).await,
            Act::Start { name } => self.start_up(job, name).await,
            Act::Run { name, deadline_ms } => self.run(job, name, *deadline_ms).await,
            Act::Gate { name, gate } => self.gate(job, name, gate).await,
            Act::Attach { lines } => self.attach(instance, lines).await,
            Act::Switch { routes } => {
                let reveal = |name: &SecretRef| job.reveal(name);
                self.edge.switch(instance, &Self::routes_of(job, routes)?, &reveal).await.map(outcome)
            }
            Act::Park { routes } => self.edge.park(instance, routes).await.map(outcome),
            Act::Unroute { routes } => self.edge.unroute(instance, routes).await.map(outcome),
            Act::Join { name, networks } => self.join(name, networks).await,
            Act::Follow(watch) => self.observe_callers(job, watch).await,
            Act::Drain { backends, deadline_ms, name, inside_ms } => {
                let (deadline, inside) = (Duration::from_millis(*deadline_ms), Duration::from_millis(*inside_ms));
                self.drain(backends, deadline, name, inside).await
            }
            Act::Stop { name, grace_ms, forget } => self.stop(job, name, *grace_ms, *forget).await,
            Act::Remove { name, engine, data } => self.remove(job, name, engine.as_ref(), *data).await,
            Act::Apply => Err(unplanned("apply an object")),
            Act::Prune => Err(unplanned("prune objects")),
        }
    }

    async fn compare(
        &self,
        desired: &Desired,
        made: &[(Arc<str>, EngineId)],
        secrets: &dyn Secrets,
    ) -> Result<BTreeMap<EngineId, Vec<Difference>>, Error> {
        self.differences(desired, made, secrets).await
    }

    async fn before(&self, job: &Job<'_>) -> Result<Option<serde_json::Value>, Error> {
        self.note(job).await
    }

    async fn undo(&self, job: &Job<'_>, outcome: Option<&Outcome>) -> Result<(), Error> {
        self.take_back(job, outcome.and_then(|outcome| outcome.before.as_ref())).await
    }

    async fn find(&self, job: &Job<'_>) -> Result<Found, Error> {
        let done = |outcome: Option<Outcome>| outcome.map_or(Found::NotDone, |outcome| Found::Done(Box::new(outcome)));
        let instance: &InstanceId = &job.step.on.instance;
        Ok(match &job.step.act {
            Act::EnsureImage { reference, build, refresh, .. } => {
                done(if *refresh { None } else { self.find_image(reference, build.as_ref()).await? })
            }
            Act::EnsureNetwork { name, .. } => {
                done(self.find_network(name).await?.map(|_| outcome(Changed::NotNeeded)))
            }
            Act::EnsureVolume { name, .. } => done(self.find_volume(name).await?.map(|_| outcome(Changed::NotNeeded))),
            Act::EnsureFile { file } => done(self.find_file(job, file).then(|| outcome(Changed::NotNeeded))),
            Act::Create(placement) => done(self.find_container(&job.step.on, &placement.name).await?),
            // Whether its hooks have run cannot be seen: they run once more.
            Act::Start { name } => {
                let done_with = self.is_running(name).await? && !self.has_started_hooks(name).await?;
                done(done_with.then(|| outcome(Changed::Updated)))
            }
            Act::Run { name, .. } => done(self.ended_well(name).await?.then(|| outcome(Changed::Updated))),
            Act::Attach { lines } => done(self.attached(instance, lines)?.then(|| outcome(Changed::Updated))),
            Act::Join { name, networks } => {
                done(self.is_joined(name, networks).await?.then(|| outcome(Changed::Updated)))
            }
            Act::Stop { name, .. } => done((!self.is_running(name).await?).then(|| outcome(Changed::Updated))),
            Act::Remove { name, engine, .. } => {
                done(self.is_gone(job, name, engine.as_ref()).await?.then(|| outcome(Changed::Updated)))
            }
            Act::Switch { routes } => {
                done(self.are_switched(instance, routes).await?.then(|| outcome(Changed::Updated)))
            }
            Act::Park { routes } => {
                let seen = self.edge.routes().await?.remove(instance).unwrap_or_default();
                let parked = routes.iter().all(|key| seen.get(key).is_some_and(|route| route.parked));
                done(parked.then(|| outcome(Changed::Updated)))
            }
            Act::Unroute { routes } => {
                let seen = self.edge.routes().await?.remove(instance).unwrap_or_default();
                done((!routes.iter().any(|key| seen.contains_key(key))).then(|| outcome(Changed::Updated)))
            }
            // Looking again costs nothing.
            Act::Gate { .. } | Act::Follow(_) | Act::Drain { .. } | Act::Apply | Act::Prune => Found::NotDone,
        })
    }

    async fn kept_images(&self, known: &BTreeMap<Arc<str>, BTreeSet<Arc<str>>>) -> Result<Vec<KeptImage>, Error> {
        self.images_of_ours(known).await
    }

    async fn drop_image(&self, id: &str, names: &[Arc<str>]) -> Result<bool, Error> {
        self.take_names(id, names).await
    }

    async fn traffic(&self) -> Result<Option<Traffic>, Error> {
        self.edge.traffic().await
    }

    async fn logs(&self, scope: &Scope, query: &LogQuery, to: tokio::sync::mpsc::Sender<LogLine>) -> Result<(), Error> {
        self.read_logs(scope, query, to).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_told_from_what_went_wrong() {
        let refused = |status: u16, message: &str| {
            is_absent(&Error::Refused {
                engine: "podman".into(),
                act: "look at a container".into(),
                message: message.into(),
                status,
            })
        };
        assert!(refused(404, "no such image"));
        assert!(refused(500, "container 1f does not exist in database: no such container"));
        assert!(!refused(500, "cannot start: no such container runtime"));
        assert!(!refused(409, "no such container"));
    }
}
