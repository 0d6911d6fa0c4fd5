//! Changes and their reasons: what happens to a resource and why, the same words for every target.
//!
//! In: nothing; these are types. Out: what a plan shows to people and to `--json`.
//! **Invariant:** closed sets: a new action or reason is a decision, an ADR and a page.
//! Not here: how a change is carried out (`step`).
//! Tests: through `plan`.

use escadre_model::desired::Shown;
use escadre_model::ids::ResourceKey;
use escadre_model::observed::EngineId;
use escadre_model::source::Source;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It did not exist.
    Create,
    /// It exists and is started again, as it is.
    Start,
    /// A new container starts beside the old one and takes over: no gap.
    Update,
    /// The old one stops first; the change says why, and for how long.
    Replace,
    /// A one-shot runs to its end, once.
    Run,
    /// It runs already; it is taken over without being touched.
    Adopt,
    /// It moves to another target.
    Move,
    /// A volume whose service is gone: kept.
    Retain,
    /// It goes.
    Delete,
    /// Nothing to do.
    Keep,
    /// It would change, but a hold keeps it as it is.
    Held,
    /// It stops and is kept: `state: stopped`, or `stop` was asked for.
    Stop,
}

impl Action {
    /// The word for people and `--json`: one meaning each.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Start => "start",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Run => "run",
            Action::Adopt => "adopt",
            Action::Move => "move",
            Action::Retain => "retain",
            Action::Delete => "delete",
            Action::Keep => "keep",
            Action::Held => "held",
            Action::Stop => "stop",
        }
    }

    /// Additive actions stop nothing and remove nothing.
    pub fn is_additive(self) -> bool {
        matches!(self, Action::Create | Action::Start | Action::Keep)
    }
}

/// One change of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Change {
    /// Which resource of the instance.
    pub on: ResourceKey,
    /// What happens to it.
    pub action: Action,
    /// Why; empty for `Keep` and a first `Create`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// How many containers are stopped by it.
    pub restarts: u32,
    /// The gate a new container must pass, as people read it: `healthcheck`, `port 6379 open`, `alive for 10 s`, `exit code 0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Arc<str>>,
    /// Time in which requests wait or fail, and why there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// Services it calls that are replaced, where nobody knows yet whether it finds their successors by itself: if it goes on calling the former
    /// containers, it is replaced too. The action is `Keep`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<Arc<str>>,
    /// What is taken over, by the engine's ids: `Adopt` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopts: Vec<EngineId>,
    /// What is taken over proves that this one-shot has run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proves: bool,
    /// What people should know beside it: an image's reference, a volume's engine name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Arc<str>>,
}

impl Change {
    /// Nothing happens to it, and nothing may.
    pub fn is_quiet(&self) -> bool {
        self.action == Action::Keep && self.follows.is_empty()
    }
}

/// An expected gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Gap {
    /// Why the service cannot be updated beside itself.
    pub why: Arc<str>,
    /// Expected length in milliseconds, if past updates were measured.
    pub expected_ms: Option<u64>,
}

/// Why something changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// A value of ours is another than in the last receipt.
    Changed {
        /// The field's path.
        path: Arc<str>,
        /// What it was; `None`: it was not there, or no receipt says (then `unknown` is true).
        old: Option<Shown>,
        /// What it is to be; `None`: it goes.
        new: Option<Shown>,
        /// There is no receipt to compare with.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unknown: bool,
        /// Where the new value (or, if it goes, the old one) was written.
        source: Option<Source>,
        /// The text before interpolation: what equal changes are grouped by.
        raw: Option<Arc<str>>,
    },
    /// The same reference names another image now.
    ImageMoved {
        /// The reference.
        reference: Arc<str>,
        /// The image id that runs.
        old: Arc<str>,
        /// The image id it shall run.
        new: Arc<str>,
    },
    /// A secret has another value (or nobody can know).
    SecretChanged {
        /// Its name.
        name: Arc<str>,
        /// Where it is stored.
        source: Option<Source>,
    },
    /// It is wanted and was not found.
    Missing,
    /// It is there and does not run: `exited with code 137`.
    NotRunning {
        /// What it does instead.
        phase: Arc<str>,
    },
    /// What it depends on with `restart: true` is replaced.
    DependencyReplaced {
        /// The other service.
        service: Arc<str>,
    },
    /// Somebody changed it by hand.
    Drift {
        /// What is known of the difference.
        what: Arc<str>,
    },
    /// The last attempt did not succeed.
    Retry {
        /// The plan that failed.
        plan: Arc<str>,
    },
    /// A rollback was asked for.
    Rollback {
        /// The plan whose state is wanted back.
        to: Arc<str>,
    },
    /// It is no longer wanted: gone from the file, or `down`.
    Removed,
}
