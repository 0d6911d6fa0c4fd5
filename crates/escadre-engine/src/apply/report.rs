//! How an apply ended, as data for terminal, JSON and portal.
//!
//! In: what turns found out. Out: `Report`.
//! **Invariant:** what was not undone is in it as surely as what was; nothing is claimed that was not done or seen.
//! Not here: sentences and layout (`escadre::terminal`).
//! Tests: golden transcripts of `escadre-testkit`.

use crate::ports::{Evidence, Holder, Whose};
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::observed::Hold;
use escadre_plan::plan::Refusal;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How an apply of a plan ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The plan.
    pub plan: Arc<str>,
    /// Its instances, in the plan's order.
    pub instances: Vec<InstanceReport>,
    /// Instances that were planned again, in the order in which that happened.
    pub again: Vec<Again>,
    /// How long it took.
    pub took: Duration,
}

/// An instance that was planned again, because somebody took what its plan had chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// Which.
    pub instance: InstanceId,
    /// The plan it went on under.
    pub plan: Arc<str>,
    /// What was taken, and by whom.
    pub why: Arc<str>,
    /// In what that plan is different: `subnet 10.210.3.64/26 instead of 10.210.3.0/26`.
    pub otherwise: Arc<str>,
}

/// How one instance's turn ended.
#[derive(Clone, Debug)]
pub struct InstanceReport {
    /// Which.
    pub instance: InstanceId,
    /// How.
    pub end: End,
    /// How long its turn took, waiting for a lock included.
    pub took: Duration,
    /// An interrupted apply was found first: its plan, and whether it was finished (else it was unwound).
    pub recovered: Option<(Arc<str>, bool)>,
    /// Jobs that ran under it: they are not undone by going back.
    pub ran: Vec<Arc<str>>,
    /// For a turn that could not go on: what it had begun and not undone, on what and the act's word. Empty: nothing.
    pub begun: Vec<(ResourceId, Arc<str>)>,
    /// For a turn that could not go on: it stands behind its commit point.
    pub committed: bool,
}

/// The end of a turn.
#[derive(Clone, Debug)]
pub enum End {
    /// As planned. What could not be tidied up after the commit point is named; the next plan takes care of it.
    Done(Vec<Leftover>),
    /// There was nothing to do.
    NothingToDo,
    /// This plan was carried out for this instance before.
    AlreadyDone,
    /// A stop was asked before its turn.
    NotBegun,
    /// It was not touched.
    Refused(Refused),
    /// It failed, and the former state serves again.
    WentBack(Box<Failure>),
    /// It failed, and so did going back: a person must look.
    Stuck(Box<Failure>),
    /// Something of ours or of the host failed around it; the journal says where it stands, the next run goes on from there.
    Broken {
        /// Why, with its causes.
        why: Arc<str>,
        /// Whose fault.
        whose: Whose,
        /// What of the host it was.
        around: Around,
    },
    /// A bug of ours.
    Bug(Arc<str>),
}

/// What around a turn kept it from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// No room is left where the journal is kept.
    Disk,
    /// The target does not answer.
    Target,
    /// Something else.
    Other,
}

/// Why an instance was not touched.
#[derive(Clone, Debug)]
pub enum Refused {
    /// By the plan itself.
    Plan(Refusal),
    /// Somebody works on it.
    Locked(Holder),
    /// What it wants is not what the plan was made for.
    WantsOther,
    /// What runs is not what the plan saw: in what, one sentence each, as far as it is known.
    RunsOther(Vec<Arc<str>>),
    /// What it wants is not to be had any more.
    Gone,
}

/// Something old that could not be removed after the commit point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// What.
    pub on: ResourceId,
    /// The act's word.
    pub act: Arc<str>,
    /// Why it failed; `None`: it was not begun, because what it waits for failed.
    pub why: Option<Arc<str>>,
}

/// A failed turn.
#[derive(Clone, Debug)]
pub struct Failure {
    /// On what.
    pub on: ResourceId,
    /// What was tried: the act's word.
    pub act: Arc<str>,
    /// Why it failed, in words.
    pub why: Arc<str>,
    /// Whose fault.
    pub whose: Whose,
    /// Somebody took what the plan had chosen, after it was made: another plan of the same may succeed.
    pub crossed: bool,
    /// Gate, last probe, last 20 log lines.
    pub evidence: Option<Box<Evidence>>,
    /// What was undone, newest first: on what, the act's word.
    pub undone: Vec<(ResourceId, Arc<str>)>,
    /// What was not undone, and why.
    pub not_undone: Vec<NotUndone>,
    /// The hold that was set.
    pub hold: Option<Hold>,
    /// What to do next, best first.
    pub next: Vec<Next>,
}

/// Something that going back did not bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotUndone {
    /// What.
    pub on: ResourceId,
    /// The act's word.
    pub act: Arc<str>,
    /// Why.
    pub why: Arc<str>,
}

/// What a person can do next; the terminal knows the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Correct the files: that ends the hold.
    Mend,
    /// Lift the hold and try the same again.
    Unhold,
    /// Try again: nothing stands against it.
    Again,
    /// Read why.
    Why,
    /// Read the logs.
    Logs,
    /// Look at what is there by hand.
    Look,
}

impl InstanceReport {
    /// A report without particulars.
    pub fn new(instance: InstanceId, end: End, took: Duration) -> Self {
        Self { instance, end, took, recovered: None, ran: Vec::new(), begun: Vec::new(), committed: false }
    }
}

impl End {
    /// The exit code of this end alone.
    pub fn code(&self) -> u8 {
        let by = |whose: Whose| match whose {
            Whose::User => 1,
            Whose::World => 4,
            Whose::Bug => 255,
        };
        match self {
            End::Done(_) | End::NothingToDo | End::AlreadyDone => 0,
            End::NotBegun | End::Refused(_) => 3,
            End::WentBack(failure) => by(failure.whose),
            End::Stuck(_) => 4,
            End::Broken { whose, .. } => by(*whose),
            End::Bug(_) => 255,
        }
    }
}

impl Report {
    /// The instances that went back because somebody took what their plan had chosen.
    pub fn crossed(&self) -> impl Iterator<Item = (&InstanceId, &Failure)> {
        self.instances.iter().filter_map(|one| match &one.end {
            End::WentBack(failure) if failure.crossed => Some((&one.instance, failure.as_ref())),
            _ => None,
        })
    }

    /// Another plan was carried out for some of the instances: how those ended counts.
    pub(crate) fn follow(&mut self, next: Report) {
        self.took += next.took;
        for one in next.instances {
            if let Some(former) = self.instances.iter_mut().find(|former| former.instance == one.instance) {
                let took = former.took + one.took;
                *former = InstanceReport { took, ..one };
            }
        }
    }

    /// The exit code of all: a bug before the world, the world before the files, the files before a refusal.
    pub fn code(&self) -> u8 {
        let codes: Vec<u8> = self.instances.iter().map(|instance| instance.end.code()).collect();
        [255, 4, 1, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
    }
}
