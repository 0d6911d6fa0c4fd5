//! One instance with everything decided that files can decide: product × values × size × environment × zone.
//!
//! In: a `Fleet` and an instance. Out: what `escadre-render` spells for a target.
//! **Invariant:** no target's words, nothing observed; every value knows where it was written; secrets are references with at most a keyed hash.
//! Not here: how it comes about (`fleet`, `resolve`), how it is spelled (`escadre-render`).
//! Tests: with `resolve`.

use crate::compose::Project;
use crate::compose::verdicts::{Acknowledgement, Capabilities, Verdict};
use crate::desired::{Adopts, HttpRoute, State};
use crate::hash::{Hash, KeyedHash};
use crate::ids::InstanceId;
use crate::source::Source;
use crate::text::{LateVariables, Mapping, Node, Scalar, Value as Tree};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One instance, resolved.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Which.
    pub instance: InstanceId,
    /// Who the fleet is: `id:` of fleet.yaml, or the folder of a fleet of one.
    pub origin: Arc<str>,
    /// The release; `tree` for now.
    pub release: Arc<str>,
    /// The target's name; empty in a fleet of one.
    pub target: Arc<str>,
    /// Whether it shall run.
    pub state: State,
    /// The instance's labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Its endpoints by key, host names interpolated.
    pub endpoints: BTreeMap<Arc<str>, HttpRoute>,
    /// Values of parameters, and where each comes from: for `why`.
    pub values: BTreeMap<Arc<str>, Value>,
    /// Secrets by name.
    pub secrets: BTreeMap<Arc<str>, SecretSeen>,
    /// Volumes that are not called as they would be: key → name on the engine (`volumes:` in the instance's file, or adopted).
    pub volume_names: BTreeMap<Arc<str>, Arc<str>>,
    /// What it takes over that Docker Compose made.
    pub adopts: Option<Adopts>,
    /// What it has in common with other instances.
    pub shape: Arc<Shape>,
    /// Its values of the shape's late variables, by slot.
    pub late: Arc<[Arc<str>]>,
}

/// What instances have in common that differ in nothing but late variables, names, secrets and host names: one product, one environment, one size, …
#[derive(Clone, Debug)]
pub struct Shape {
    /// A plain Compose file without a fleet: Compose's own names and paths.
    pub single: bool,
    /// The product's name.
    pub product: Arc<str>,
    /// The environment's name; empty in a fleet of one.
    pub environment: Arc<str>,
    /// The services and all that belongs to them: size and override applied, normalised. Its texts have holes where late variables go:
    /// [`Resolved::project`] has none.
    pub project: Project,
    /// Bytes of everything the project refers to by path and that travels with the instance: configs, tracked binds, env files' content is in `project`.
    /// Path as the project has it → content.
    pub contents: BTreeMap<Arc<str>, Content>,
    /// Volume keys the product declares as shared by design (`volumes: { x: { shared: true } }`): two generations may write them.
    pub shared_volumes: Vec<Arc<str>>,
    /// Absolute paths that services may bind (`grants: { binds: [...] }`); in a fleet of one everything may be bound.
    pub granted_binds: Vec<Arc<str>>,
    /// Verdicts on Compose attributes that the product or the Compose files acknowledge.
    pub acknowledged: Vec<Acknowledgement>,
    /// Images built from the tree: service key → hash of all inputs (context, Dockerfile, arguments, target).
    pub builds: BTreeMap<Arc<str>, Hash>,
    /// Services and their ports that endpoints lead to.
    pub served: Vec<(Arc<str>, u16)>,
    /// Ports that it opens on its host.
    pub ports: Vec<OpenPort>,
    /// Names of the secrets that it may have.
    pub secrets: BTreeSet<Arc<str>>,
    /// Variables whose values are sensitive in every output: those of a fleet of one.
    pub sensitive: BTreeSet<Arc<str>>,
    /// The variables whose values it does not depend on.
    pub late: Arc<LateVariables>,
}

/// A port that an instance opens on its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPort {
    /// Port on the host.
    pub published: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: Arc<str>,
    /// Address on the host; empty means all.
    pub host: Arc<str>,
    /// Where it was written.
    pub source: Source,
}

impl Shape {
    /// A project of which nothing else is decided.
    pub fn new(product: impl Into<Arc<str>>, project: Project) -> Self {
        Self {
            single: false,
            product: product.into(),
            environment: "".into(),
            project,
            contents: BTreeMap::new(),
            shared_volumes: Vec::new(),
            granted_binds: Vec::new(),
            builds: BTreeMap::new(),
            acknowledged: Vec::new(),
            served: Vec::new(),
            ports: Vec::new(),
            secrets: BTreeSet::new(),
            sensitive: BTreeSet::new(),
            late: Arc::default(),
        }
    }
}

impl Resolved {
    /// A running instance of a shape, of which nothing else is decided.
    pub fn new(instance: InstanceId, shape: Shape) -> Self {
        Self {
            instance,
            origin: "".into(),
            release: "tree".into(),
            target: "".into(),
            state: State::Running,
            labels: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            values: BTreeMap::new(),
            secrets: BTreeMap::new(),
            volume_names: BTreeMap::new(),
            adopts: None,
            shape: Arc::new(shape),
            late: Arc::default(),
        }
    }

    /// The verdict on every key that is written in its Compose files.
    pub fn verdicts(&self, rootless: bool) -> Vec<Verdict> {
        let shape = &self.shape;
        let (endpoints, filled) = (shape.served.iter().cloned().collect(), shape.secrets.clone());
        self.project().verdicts(&Capabilities { rootless, single: shape.single, filled, endpoints })
    }

    /// The project of this instance: the shape's, with nothing left open.
    pub fn project(&self) -> Cow<'_, Project> {
        if self.late.is_empty() {
            return Cow::Borrowed(&self.shape.project);
        }
        let shared = &self.shape.project;
        let disabled = shared.disabled.iter().map(|(key, node)| (key.clone(), filled(node, &self.late)));
        Cow::Owned(Project {
            name: shared.name.fill(&self.late),
            root: filled(&shared.root, &self.late),
            disabled: disabled.collect(),
            working_dir: shared.working_dir.clone(),
            files: shared.files.clone(),
            used_up: shared.used_up.clone(),
            named: shared.named.clone(),
            steps: shared.steps.clone(),
            variables: Arc::new(shared.variables.fill(&self.late)),
        })
    }
}

/// A tree with the values of late variables.
fn filled(node: &Node, late: &[Arc<str>]) -> Node {
    let value = match &node.value {
        Tree::Null => Tree::Null,
        Tree::Scalar(scalar) => Tree::Scalar(Scalar { text: scalar.text.fill(late), style: scalar.style }),
        Tree::Sequence(items) => Tree::Sequence(Arc::new(items.iter().map(|item| filled(item, late)).collect())),
        Tree::Mapping(entries) => {
            let entries: Mapping = entries.iter().map(|(key, node)| (key.clone(), filled(node, late))).collect();
            Tree::Mapping(Arc::new(entries))
        }
    };
    Node { value, ..node.clone() }
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
