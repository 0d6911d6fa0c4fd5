//! What entries say, as types.
//!
//! In: what executor and recovery did. Out: JSON text, and back.
//! **Invariant:** an entry explains itself: the record is built from entries alone, without the plan. Fields may be added with a default, never change meaning.
//! Not here: the chain (`chain`), what follows from entries (`record`).
//! Tests: `journal/tests.rs`.

use super::record::State;
use crate::ports::{Entry, Evidence, NewEntry, Outcome, Phase, StoreError};
use escadre_model::desired::State as Wanted;
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::observed::{Adopted, CallsSeen, EngineId, Hold, JobEvidence, Outcome as Ended};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The body of an entry; which one it is, its phase says too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Body {
    /// An instance's turn began.
    Begun(Box<Begun>),
    /// A step is about to be performed.
    Intent {
        /// On what.
        on: ResourceId,
        /// What: the act's word.
        act: Arc<str>,
        /// What undoing will need.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<serde_json::Value>,
    },
    /// A step was performed.
    Done(Box<Done>),
    /// A step or its undoing failed.
    Failed {
        /// Why, in words.
        why: Arc<str>,
        /// It was the undoing.
        #[serde(default)]
        undo: bool,
        /// What is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// A step was undone.
    Undone {
        /// What is not ours any more, because it is gone.
        #[serde(default)]
        frees: Vec<EngineId>,
    },
    /// An open intent was closed otherwise.
    Superseded {
        /// Why.
        because: Arc<str>,
    },
    /// The commit point.
    Committed,
    /// The turn is over.
    Receipt(Box<ReceiptBody>),
    /// It stays as it is.
    Held(Hold),
    /// The hold is over.
    Lifted {
        /// Why.
        because: Arc<str>,
        /// Who.
        by: Arc<str>,
    },
    /// Earlier states were given up: nobody goes back to them any more.
    Forgotten {
        /// Who asked.
        by: Arc<str>,
        /// Entries of their receipts.
        states: BTreeSet<u64>,
    },
    /// Ours from now on.
    Adopted {
        /// Who did it.
        by: Arc<str>,
        /// Engine's id → what it is.
        things: BTreeMap<EngineId, ResourceId>,
        /// Jobs that are known to have ended well.
        #[serde(default)]
        jobs: BTreeMap<Arc<str>, Vec<JobEvidence>>,
    },
}

/// Everything recovery needs, should the turn be interrupted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// Blob of what it is told to be.
    pub desired: Hash,
    /// Blob of the steps.
    pub steps: Hash,
    /// Who asked.
    pub by: Arc<str>,
    /// The commit that was read.
    pub commit: Arc<str>,
    /// Hash of uncommitted files.
    pub dirty: Option<Hash>,
    /// Taken over at the commit point without being touched.
    #[serde(default)]
    pub adopts: BTreeMap<EngineId, ResourceId>,
    /// What is remembered of those among them that bear no labels of ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted: BTreeMap<EngineId, Adopted>,
    /// Hash of the fields of the containers among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted_fields: BTreeMap<EngineId, Hash>,
    /// Jobs that are known to have ended well because of what is taken over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted_jobs: BTreeMap<Arc<str>, JobEvidence>,
    /// Volumes that have no service after it: key → name on the engine.
    #[serde(default)]
    pub retains: BTreeMap<Arc<str>, Arc<str>>,
    /// Retained volumes that it binds again.
    #[serde(default)]
    pub regains: Vec<Arc<str>>,
    /// Services that it stops, of an instance that runs on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stops: BTreeSet<Arc<str>>,
    /// Services that it starts, makes anew or removes: a former stop of theirs is over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub starts: BTreeSet<Arc<str>>,
    /// What is left of the instance after it.
    #[serde(default, skip_serializing_if = "Wanted::is_running")]
    pub state: Wanted,
    /// Image reference → id, as seen when it began.
    #[serde(default)]
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// The plan whose state it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Arc<str>>,
    /// The hold that stands once it has ended well: after a way back, against what the files want.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// A performed step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// What the driver said.
    pub outcome: Outcome,
    /// Ours from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owns: Option<(EngineId, ResourceId)>,
    /// Gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frees: Vec<EngineId>,
    /// A retained volume that was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<Arc<str>>,
    /// A job that ended with code 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<(Arc<str>, JobEvidence)>,
    /// How a service's program looks up whom it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<(Arc<str>, CallsSeen)>,
    /// An image that was ensured: reference → id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<(Arc<str>, Arc<str>)>,
    /// It was found to be done afterwards, by asking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
}

/// The end of an instance's turn, with everything that is remembered of the instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptBody {
    /// How it ended.
    pub outcome: Ended,
    /// Blob of what it was told to be.
    pub desired: Hash,
    /// Who asked.
    pub by: Arc<str>,
    /// The commit that was read.
    pub commit: Arc<str>,
    /// Hash of uncommitted files.
    pub dirty: Option<Hash>,
    /// The plan whose state it went back to on request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Arc<str>>,
    /// Why, when it did not end as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Arc<str>>,
    /// The last line of the log of what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<Arc<str>>,
    /// What is remembered, so that older entries need not be read.
    pub state: State,
}

impl Begun {
    /// A turn with nothing promised.
    pub fn of(desired: Hash, steps: Hash) -> Self {
        Self {
            desired,
            steps,
            by: "".into(),
            commit: "".into(),
            dirty: None,
            adopts: BTreeMap::new(),
            adopted: BTreeMap::new(),
            adopted_fields: BTreeMap::new(),
            adopted_jobs: BTreeMap::new(),
            retains: BTreeMap::new(),
            regains: Vec::new(),
            stops: BTreeSet::new(),
            starts: BTreeSet::new(),
            state: Wanted::Running,
            back: None,
            hold: None,
            images: BTreeMap::new(),
        }
    }
}

impl Body {
    /// The phase of such an entry.
    pub fn phase(&self) -> Phase {
        match self {
            Body::Begun(_) => Phase::Begun,
            Body::Intent { .. } => Phase::Intent,
            Body::Done(_) => Phase::Done,
            Body::Failed { .. } => Phase::Failed,
            Body::Undone { .. } => Phase::Undone,
            Body::Superseded { .. } => Phase::Superseded,
            Body::Committed => Phase::Committed,
            Body::Receipt(_) => Phase::Receipt,
            Body::Held(_) => Phase::Held,
            Body::Lifted { .. } => Phase::Lifted,
            Body::Adopted { .. } => Phase::Adopted,
            Body::Forgotten { .. } => Phase::Forgotten,
        }
    }

    /// The entry to be appended.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a bug.
    pub fn entry(
        &self,
        instance: &InstanceId,
        plan: &Arc<str>,
        step: Option<u32>,
        at: Arc<str>,
    ) -> Result<NewEntry, StoreError> {
        let body = serde_json::to_string(self)
            .map_err(|source| StoreError::Failed { act: "write an entry as JSON".into(), source: source.into() })?;
        Ok(NewEntry {
            instance: instance.clone(),
            plan: plan.clone(),
            step,
            phase: self.phase(),
            at,
            body: body.into(),
        })
    }

    /// Reads the body of an entry.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn of(entry: &Entry) -> Result<Self, StoreError> {
        serde_json::from_str(&entry.entry.body)
            .map_err(|error| StoreError::Damaged { seq: entry.seq, why: error.to_string().into() })
    }
}
