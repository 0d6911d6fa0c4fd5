//! A target, as a port: observe it, perform one step, undo one step, find out whether a step was done.
//!
//! In: a scope, or a step with what it needs. Out: `Observed` (without the record), `Outcome`, `Found`.
//! **Invariant:** every method may be repeated: performing a step that is done gives the same outcome and changes nothing; undoing one that is undone
//! (or was never done) succeeds. A driver never reads the fleet and never decides.
//! Not here: order, retries, journal (`apply`).
//! Tests: `escadre_testkit::conformance`, which every driver passes.

use super::progress::Progress;
use super::secrets::Secrets;
use super::traffic::Traffic;
use async_trait::async_trait;
use escadre_model::desired::Desired;
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::name::Name;
use escadre_model::observed::{Difference, EngineId, Lookup, Observed};
use escadre_model::secret::{Secret, SecretRef};
use escadre_plan::step::Step;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a target can do; the planner makes steps accordingly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Two generations of a service can run at the same time.
    pub side_by_side: bool,
    /// Containers can be given an address that they keep.
    pub fixed_address: bool,
    /// The target rolls out by itself (Kubernetes).
    pub native_rollout: bool,
    /// The engine runs health checks by itself.
    pub runs_checks: bool,
    /// Containers can be given a fixed address on a network that Docker Compose made, too.
    pub fixed_on_adopted: bool,
    /// What it is: `podman 4.3.1`.
    pub engine: Arc<str>,
}

/// What is to be observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything of a fleet.
    Fleet(Name),
    /// Some instances only.
    Instances(Vec<InstanceId>),
}

/// A step with everything a driver needs to perform it.
pub struct Job<'a> {
    /// The instance's Desired, rendered again and equal to the plan's by hash.
    pub desired: &'a Desired,
    /// The step.
    pub step: &'a Step,
    /// Image reference → engine's image id, as far as ensured.
    pub images: &'a BTreeMap<Arc<str>, Arc<str>>,
    /// Values of secrets.
    pub secrets: &'a dyn Secrets,
    /// Whom to tell.
    pub progress: &'a dyn Progress,
}

impl Job<'_> {
    /// The value of a secret of the instance, the one that is meant.
    pub fn reveal(&self, name: &SecretRef) -> Option<Secret> {
        self.secrets.reveal(&self.desired.instance, name, self.desired.secrets.get(&name.0))
    }
}

/// What a performed step left behind; journalled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The engine's id of what was made or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineId>,
    /// An image's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Arc<str>>,
    /// Hash of the fields we set, as read back from a created container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Hash>,
    /// Was anything changed, or was it so already?
    pub changed: Changed,
    /// What undoing needs to know: former hosts lines, former routes. The driver's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// What a gate saw, in words: `GET /healthz answered 200 in 4 ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Arc<str>>,
    /// What a `Follow` learned of a program, for later plans; nothing when too little was to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
}

/// Result of idempotent work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// It was not there.
    Added,
    /// It was there and was changed.
    Updated,
    /// It was so already.
    #[default]
    NotNeeded,
}

/// An image that bears a name of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptImage {
    /// The target's id of it.
    pub id: Arc<str>,
    /// The name we gave it, and those that we fetched or built it under.
    pub ours: Vec<Arc<str>>,
    /// Its other names.
    pub others: Vec<Arc<str>>,
    /// Its size.
    pub bytes: u64,
    /// A container, running or not, has it.
    pub used: bool,
}

/// Whether a step was done, asked afterwards.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// It was; with the outcome as far as it can be told now.
    Done(Box<Outcome>),
    /// It was not.
    NotDone,
}

/// Whose fault a failure is: it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The files'.
    User,
    /// The world's.
    World,
    /// Ours.
    Bug,
}

/// What is known about a failed service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How the container ended, if it did: `ended with code 78 after 2 s`.
    pub ended: Option<Arc<str>>,
    /// The gate, in words.
    pub gate: Option<Arc<str>>,
    /// The last probe: when, where, what.
    pub last_probe: Option<Arc<str>>,
    /// The last lines of its log, at most 20.
    pub log: Vec<Arc<str>>,
    /// How many lines there are in all.
    pub log_lines: u64,
}

/// Why a driver could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine cannot be reached.
    #[error("{engine} does not answer at {at}")]
    Unreachable {
        /// What: `podman`.
        engine: Arc<str>,
        /// Where: the socket.
        at: Arc<str>,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine refused a call.
    #[error("{engine} refused to {act}: {message}")]
    Refused {
        /// What: `podman`.
        engine: Arc<str>,
        /// The act: `create container totem_france_web_1_g1`.
        act: Arc<str>,
        /// Its words, cut.
        message: Arc<str>,
        /// Its status.
        status: u16,
    },
    /// An image could not be had.
    #[error("image {reference} cannot be had: {why}")]
    Image {
        /// The reference.
        reference: Arc<str>,
        /// Why, in words, with what to do.
        why: Arc<str>,
    },
    /// A name, address or port is taken by something that is not ours.
    #[error("{what} is taken by something that is not ours: {by}")]
    Taken {
        /// The name, address or port.
        what: Arc<str>,
        /// By whom.
        by: Arc<str>,
    },
    /// Somebody took a subnet or port that the plan had chosen, after it was made. Another plan chooses another one.
    #[error("{what}, free when the plan was made, is taken now: {by}")]
    Crossed {
        /// The subnet or port.
        what: Arc<str>,
        /// By whom, in the target's words.
        by: Arc<str>,
    },
    /// A gate was not passed.
    #[error("{service} {why}")]
    Gate {
        /// The service.
        service: Arc<str>,
        /// Why, in words.
        why: Arc<str>,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// A secret has no value here.
    #[error("{0}")]
    Secret(#[from] escadre_model::payload::Error),
    /// The disk, or another part of the host.
    #[error("cannot {act}")]
    Host {
        /// The act and the thing.
        act: Arc<str>,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The edge did not acknowledge.
    #[error("the edge did not take the routes: {0}")]
    Edge(Arc<str>),
    /// What came back makes no sense, or the step cannot be performed by this driver.
    #[error("{act}: {why}")]
    Bug {
        /// The act.
        act: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
}

impl Error {
    /// Whose fault it is.
    pub fn whose(&self) -> Whose {
        match self {
            Error::Secret(_) => Whose::User,
            Error::Bug { .. } => Whose::Bug,
            _ => Whose::World,
        }
    }

    /// Is it worth trying the same again by itself?
    pub fn retry(&self) -> bool {
        matches!(self, Error::Unreachable { .. }) || matches!(self, Error::Refused { status, .. } if *status >= 500)
    }
}

/// Which log lines are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogQuery {
    /// Only this service.
    pub service: Option<Arc<str>>,
    /// Go on as lines come.
    pub follow: bool,
    /// Only lines since then, as the engine takes it (seconds since 1970).
    pub since: Option<i64>,
    /// Only the last so many lines of each container.
    pub tail: Option<u64>,
    /// Containers without labels of ours, by the engine's ids: the record knows whose they are.
    pub adopted: BTreeMap<EngineId, ResourceId>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// Whose.
    pub container: ResourceId,
    /// When, RFC 3339 as the engine has it; empty when unknown.
    pub at: Arc<str>,
    /// Standard error?
    pub error: bool,
    /// The text, cut at 16 kB, without the line's end.
    pub text: Arc<str>,
}

/// A target.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Looks. The record is not in it (`Observed::complete.record` stays false). `images` are the references and ids that somebody asks about: a target may
    /// hold thousands of others, which take it seconds to list and mean nothing to a plan.
    ///
    /// # Errors
    /// When nothing could be listed; a partial answer is no error but says so in `complete`.
    async fn observe(&self, scope: &Scope, images: &BTreeSet<Arc<str>>) -> Result<Observed, Error>;

    /// In what containers that others made are not as an instance wants their services, in the target's own words; those without a difference may be left
    /// out. Values of secrets are compared, and never told.
    ///
    /// # Errors
    /// When the target cannot be asked.
    async fn compare(
        &self,
        _desired: &Desired,
        _made: &[(Arc<str>, EngineId)],
        _secrets: &dyn Secrets,
    ) -> Result<BTreeMap<EngineId, Vec<Difference>>, Error> {
        Ok(BTreeMap::new())
    }

    /// What undoing this step will need to know and nobody can tell once it is done: former hosts lines, former routes, whether it ran, whether
    /// what shall exist (a file, a network) was there already and so must outlive an undoing.
    /// Asked before the step's intent is journalled, and journalled with it, so that it survives a lost answer; it changes nothing.
    ///
    /// # Errors
    /// When the target cannot be asked.
    async fn before(&self, _job: &Job<'_>) -> Result<Option<serde_json::Value>, Error> {
        Ok(None)
    }

    /// Performs a step.
    ///
    /// # Errors
    /// When it was not done, or it cannot be known whether it was (then `find` tells later).
    async fn perform(&self, job: &Job<'_>) -> Result<Outcome, Error>;

    /// Undoes a step, whatever state it was left in. `outcome.before` is what `before` noted; after a failure or a lost answer that is all there is in
    /// `outcome`. Without any, only what this very step must have made is removed: a container's name with its generation proves it, a file's does not.
    ///
    /// # Errors
    /// When the former state could not be brought back: the instance is stuck, a person must look.
    async fn undo(&self, job: &Job<'_>, outcome: Option<&Outcome>) -> Result<(), Error>;

    /// Finds out whether a step was done whose answer was lost.
    ///
    /// # Errors
    /// When the target cannot be asked.
    async fn find(&self, job: &Job<'_>) -> Result<Found, Error>;

    /// Images that bear a name we gave them, of these ids; with each the references that we fetched or built it for.
    ///
    /// # Errors
    /// When the target cannot be asked.
    async fn kept_images(&self, known: &BTreeMap<Arc<str>, BTreeSet<Arc<str>>>) -> Result<Vec<KeptImage>, Error>;

    /// Takes these names from an image if it has them; it goes with its last name. Says whether it is gone.
    ///
    /// # Errors
    /// When the target refuses, as for one that a container has.
    async fn drop_image(&self, id: &str, names: &[Arc<str>]) -> Result<bool, Error>;

    /// What the routes of all instances carried so far; `None` when nobody counts.
    ///
    /// # Errors
    /// When what counts is there and does not answer.
    async fn traffic(&self) -> Result<Option<Traffic>, Error> {
        Ok(None)
    }

    /// Reads logs, line by line, into the channel, until the end or until the receiver is gone.
    ///
    /// # Errors
    /// When the target cannot be asked.
    async fn logs(&self, scope: &Scope, query: &LogQuery, to: tokio::sync::mpsc::Sender<LogLine>) -> Result<(), Error>;
}
