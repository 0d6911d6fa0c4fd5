//! The plan: what people approve and the engine obeys.
//!
//! In: nothing; these are types. Out: `escadre.plan/1`, written to the state folder, shown, applied.
//! **Invariant:** immutable once made; its id is the beginning of the hash of its content; valid for an instance until what that instance wants or runs changes.
//! Not here: how it is made (`make`), painted (`escadre`), carried out (`escadre-engine`).
//! Tests: `tests/it`.

use crate::change::Change;
use crate::precondition::Seen;
use crate::step::Step;
use escadre_model::desired::State;
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::observed::HeldBy;
use escadre_model::source::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The schema this version writes.
pub const SCHEMA: &str = "escadre.plan/1";

/// What will change over the fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: Arc<str>,
    /// Six hexadecimal digits: the beginning of the hash of everything else.
    pub id: Arc<str>,
    /// The fleet.
    pub fleet: Arc<str>,
    /// The commit that was read; empty outside Git.
    pub commit: Arc<str>,
    /// Hash of uncommitted files that were read; `None`: clean.
    pub dirty: Option<Hash>,
    /// The target it was made for.
    pub target: Arc<str>,
    /// Instance by instance, in order of name.
    pub instances: Vec<InstancePlan>,
    /// Equal changes of many instances, largest first.
    pub groups: Vec<Group>,
    /// Instances whose change is not the change of the others.
    pub outliers: Vec<InstanceId>,
    /// Which instances go together; one wave for now.
    pub waves: Vec<Vec<InstanceId>>,
    /// What must be known and is no change: instances found whose file is gone (orphans), lists that were not complete, holds.
    pub notes: Vec<Note>,
}

/// What one instance will go through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InstancePlan {
    /// Which.
    pub instance: InstanceId,
    /// Hash of what it wants.
    pub desired: Hash,
    /// Hash of what it wants and of what was seen of it: (identity, engine id, spec label, hash of the fields we set). Apply compares.
    pub precondition: Hash,
    /// What the precondition was made of, where something is done: a plan that is refused says what changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// Resource by resource; `Keep` included.
    pub changes: Vec<Change>,
    /// What is done, in a valid order.
    pub steps: Vec<Step>,
    /// What a person must say yes to.
    pub consent: Consent,
    /// Why it is not touched although it would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// Key of the group it belongs to, for instances that change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// What is left of it afterwards.
    #[serde(default, skip_serializing_if = "State::is_running")]
    pub state: State,
    /// It goes back to an earlier state: what it wants is in the journal, not in the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
}

/// The way back to an earlier state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Back {
    /// The plan whose state is wanted back.
    pub to: Arc<str>,
    /// The commit that state was read from; empty outside Git.
    pub commit: Arc<str>,
    /// Hash of uncommitted files it was read with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<Hash>,
    /// Image reference → the id that ran then: a tag may lead elsewhere by now.
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// What the files want now: once back, the instance is held against exactly that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Hash>,
}

/// What a person must agree to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// There is nothing to do.
    Nothing,
    /// Only additive changes or updates without a gap: `[Y/n]`.
    Additive,
    /// Something stops, with a gap; or a job runs again; or something is adopted: `[y/N]`.
    Gap,
    /// Something is deleted: the number of instances is typed.
    Deletion,
}

/// Why an instance that would change is left alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refusal {
    /// A hold against exactly this Desired, or by hand.
    Held {
        /// What set it.
        by: HeldBy,
        /// The plan or reason that set it.
        because: Arc<str>,
    },
    /// A list it needs was not complete: nothing can be removed, nothing can be created beside what is unknown.
    Unseen {
        /// Which.
        what: Arc<str>,
    },
    /// What carries its labels belongs to another fleet of the same name.
    OtherFleet {
        /// The other's origin.
        origin: Arc<str>,
    },
    /// A name, port or subnet is taken by somebody else.
    Taken {
        /// What is taken, by whom.
        what: Arc<str>,
    },
    /// What others made, and it would take over, cannot be taken over without a risk that only a person can judge.
    Foreign {
        /// Which risk, and what to write.
        what: Arc<str>,
    },
    /// A Docker Swarm still has the stack whose place it takes: two cannot have one volume or one port.
    Stack {
        /// The stack.
        name: Arc<str>,
        /// How many containers of it run.
        runs: usize,
    },
    /// The pool of addresses is used up, or an address is outside its subnet.
    NoAddress {
        /// What could not be placed.
        what: Arc<str>,
    },
}

/// Equal changes of several instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Group {
    /// `A`, `B`, …
    pub key: Arc<str>,
    /// The changes, as the first of them has them.
    pub changes: Vec<Change>,
    /// Who.
    pub instances: Vec<InstanceId>,
    /// Hash of what makes them equal: actions, paths, texts before interpolation and where these stand.
    pub class: Hash,
}

/// Something to be known beside the changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Note {
    /// The code of its page, as `W0301`.
    pub code: Arc<str>,
    /// Whom it is about.
    pub instance: Option<InstanceId>,
    /// The sentence.
    pub text: Arc<str>,
    /// Where.
    pub source: Option<Source>,
    /// The next command.
    pub hint: Option<Arc<str>>,
}

/// The totals a summary line needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Totals {
    /// Instances with at least one change.
    pub changing: usize,
    /// Instances in all.
    pub instances: usize,
    /// Changes by action word.
    pub actions: BTreeMap<Arc<str>, usize>,
    /// Containers that are stopped.
    pub restarts: usize,
}
