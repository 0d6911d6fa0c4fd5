//! One instance with everything decided that files can decide: product × values × size × environment × zone.
//!
//! In: a `Fleet` and an instance. Out: what `escadre-render` spells for a target.
//! **Invariant:** no target's words, nothing observed; every value knows where it was written; secrets are references with at most a keyed hash.
//! Not here: how it comes about (`fleet`, `resolve`), how it is spelled (`escadre-render`).
//! Tests: with `resolve`.

use crate::compose::Project;
use crate::compose::verdicts::{Acknowledgement, Capabilities, Verdict};
use crate::desired::{HttpRoute, State};
use crate::hash::{Hash, KeyedHash};
use crate::ids::InstanceId;
use crate::source::Source;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One instance, resolved.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Which.
    pub instance: InstanceId,
    /// Who the fleet is: `id:` of fleet.yaml, or the folder of a fleet of one.
    pub origin: Arc<str>,
    /// A plain Compose file without a fleet: Compose's own names and paths.
    pub single: bool,
    /// The product's name.
    pub product: Arc<str>,
    /// The release; `tree` for now.
    pub release: Arc<str>,
    /// The environment's name; empty in a fleet of one.
    pub environment: Arc<str>,
    /// The target's name; empty in a fleet of one.
    pub target: Arc<str>,
    /// Whether it shall run.
    pub state: State,
    /// The instance's labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// The services and all that belongs to them: interpolated for this instance, size and override applied, normalised.
    pub project: Arc<Project>,
    /// Its endpoints by key, host names interpolated.
    pub endpoints: BTreeMap<Arc<str>, HttpRoute>,
    /// Values of parameters, and where each comes from: for `why`.
    pub values: BTreeMap<Arc<str>, Value>,
    /// Secrets by name.
    pub secrets: BTreeMap<Arc<str>, SecretSeen>,
    /// Bytes of everything the project refers to by path and that travels with the instance: configs, tracked binds, env files' content is in `project`.
    /// Path as the project has it → content.
    pub contents: BTreeMap<Arc<str>, Content>,
    /// Volumes that are not called as they would be: key → name on the engine (`volumes:` in the instance's file, or adopted).
    pub volume_names: BTreeMap<Arc<str>, Arc<str>>,
    /// Volume keys the product declares as shared by design (`volumes: { x: { shared: true } }`): two generations may write them.
    pub shared_volumes: Vec<Arc<str>>,
    /// Absolute paths that services may bind (`grants: { binds: [...] }`); in a fleet of one everything may be bound.
    pub granted_binds: Vec<Arc<str>>,
    /// Verdicts on Compose attributes that the product or the Compose files acknowledge.
    pub acknowledged: Vec<Acknowledgement>,
    /// Images built from the tree: service key → hash of all inputs (context, Dockerfile, arguments, target).
    pub builds: BTreeMap<Arc<str>, Hash>,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// As text.
    pub text: Arc<str>,
    /// Where it was written.
    pub source: Option<Source>,
    /// In words: `default`, `environment integration`, `instance`.
    pub from: Arc<str>,
    /// A fleet of one treats values from `.env` and the environment as sensitive in every output.
    pub sensitive: bool,
}

/// A secret of the instance, as far as it may be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSeen {
    /// Where its encrypted value stands; `None`: it has none yet.
    pub source: Option<Source>,
    /// Keyed hash of the value; `None`: no value, or the key to compare with is not at hand.
    pub hash: Option<KeyedHash>,
    /// It goes into the environment (`as: environment`).
    pub environment: bool,
}

/// What stands at a path that the project refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File {
        /// Its bytes.
        bytes: Arc<[u8]>,
        /// The executable bit.
        executable: bool,
    },
    /// A folder, with everything below it by relative path.
    Folder(BTreeMap<Arc<str>, (Arc<[u8]>, bool)>),
    /// Nothing tracked: in a fleet it becomes a folder of the instance.
    Untracked,
}

impl Resolved {
    /// The verdict on every key that is written in its Compose files.
    pub fn verdicts(&self, rootless: bool) -> Vec<Verdict> {
        let endpoints = self.endpoints.values().map(|route| (Arc::clone(&route.service), route.port)).collect();
        let filled = self.secrets.keys().cloned().collect();
        self.project.verdicts(&Capabilities { rootless, single: self.single, filled, endpoints })
    }
}
