//! The one place that names drivers: from what was typed to what was read, seen and done.
//!
//! In: settings, files, a selection. Out: [`Ground`] (files and world side by side), reports, streams.
//! **Invariant**: every verb comes to the world through here; no verb names a driver.
//! Not here: painting, deciding.
//! Tests: `tests/it` on a real engine.

mod adopt;
mod boot;
mod certificates;
mod compose;
mod counted;
mod edge;
mod ended;
mod files;
mod gates;
mod ground;
mod guard;
mod import;
mod inside;
mod instead;
mod keys;
mod pull;
mod room;
mod trust;
mod units;
mod verdicts;
mod world;
mod write;

pub(crate) use adopt::adopt_into;
pub(crate) use boot::boot;
pub(crate) use compose::compose;
pub(crate) use edge::{is_process, process, proxy, renew};
pub(crate) use ground::{carry_out, ground, read, remember, saved, settle_edge};
pub(crate) use guard::{hold, recover, unhold};
pub(crate) use import::{Wish as ImportWish, import};
pub(crate) use inside::{exec, logs};
pub(crate) use instead::Instead;
pub(crate) use room::{Found, make_room, room};
pub(crate) use trust::{Trusting, trust};
pub(crate) use units::of as units;
pub(crate) use write::product::{Wish, propose as propose_product};
pub(crate) use write::{Secrets, begin, file_schemas, secret};

use crate::args::shared::Files;
use crate::args::value::{Doomed, Pull};
use crate::exit::{Fault, Sources};
use crate::settings::Selection;
use crate::terminal::plan_text::Around;
use crate::terminal::time::Now;
use crate::views::look::{EdgePorts, Looked};
use escadre_edge::control::Status as EdgeStatus;
use escadre_model::desired::Desired;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::Observed;
use escadre_model::resolved::Value;
use escadre_plan::plan::Plan;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is asked of files and world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// Where the files are.
    pub(crate) files: Files,
    /// Start looking for them there instead of in the working folder.
    pub(crate) path: Option<PathBuf>,
    /// Which instances.
    pub(crate) selection: Selection,
    /// Which images are pulled before the plan is made.
    pub(crate) pull: Pulling,
    /// Plan that they go, as for `down`.
    pub(crate) down: bool,
    /// Plan only what is taken over.
    pub(crate) adopt: bool,
    /// Beside a plain Compose file: the project that is meant wherever it was started from.
    pub(crate) anywhere: Option<String>,
    /// What may be deleted with its data.
    pub(crate) destroy: Vec<Doomed>,
    /// Plan against the files of this commit instead of against the record.
    pub(crate) base: Option<String>,
    /// Save the plan in the state folder.
    pub(crate) save: bool,
    /// It is to be carried out at once: interrupted turns are brought to their end first.
    pub(crate) act: bool,
    /// A work tree that is not committed is allowed where a commit is required.
    pub(crate) dirty: bool,
    /// What is wanted instead of what the files say.
    pub(crate) instead: Option<Instead>,
    /// Of a fleet, instances must be named; what is said otherwise, from their number.
    pub(crate) named: Option<fn(usize) -> Fault>,
}

/// Which images are pulled before a plan is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pulling {
    /// None: nothing is brought up, or only looked at.
    #[default]
    Nothing,
    /// Those whose `pull_policy` is `always`.
    AsWritten,
    /// What was asked for on the command line, whatever the files say.
    Asked(Pull),
}

/// Files and world side by side, and the plan between them.
pub(crate) struct Ground {
    /// The fleet's name.
    pub(crate) fleet: String,
    /// Beside a plain Compose file: its name.
    pub(crate) single: Option<String>,
    /// What the chosen instances want.
    pub(crate) desired: Vec<Desired>,
    /// Their parameters.
    pub(crate) values: BTreeMap<InstanceId, BTreeMap<Arc<str>, Value>>,
    /// What was seen.
    pub(crate) observed: Observed,
    /// What would be done.
    pub(crate) plan: Plan,
    /// What stands around the plan.
    pub(crate) around: Around,
    /// Errors of some instances; the others are planned all the same.
    pub(crate) findings: Vec<Diagnostic>,
    /// The texts they point into.
    pub(crate) sources: Sources,
    /// Where the edge answers for host names.
    pub(crate) ports: EdgePorts,
    /// What the edge tells of itself; nothing: it does not run.
    pub(crate) edge: Option<EdgeStatus>,
    /// The world it was seen in, and what the files want there.
    held: Arc<ground::Held>,
}

/// How an apply is done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    /// Wait that long for a lock.
    pub(crate) wait: Duration,
    /// Why a work tree that is not committed was allowed; goes on record.
    pub(crate) because: Option<String>,
    /// Not these instances.
    pub(crate) except: Vec<Name>,
}

/// What reading the files alone gives.
pub(crate) struct Read {
    /// Everything that is wrong or worth knowing.
    pub(crate) findings: Vec<Diagnostic>,
    /// The texts they point into.
    pub(crate) sources: Sources,
    /// What became of Compose's keys.
    pub(crate) judged: verdicts::Judged,
    /// How many instances were read.
    pub(crate) instances: usize,
}

impl Ground {
    /// For views.
    pub(crate) fn looked<'a>(&'a self, now: &'a Now) -> Looked<'a> {
        Looked {
            fleet: &self.fleet,
            single: self.single.as_deref(),
            desired: &self.desired,
            observed: &self.observed,
            plan: &self.plan,
            ports: self.ports,
            edge: self.edge.as_ref(),
            now,
        }
    }

    /// The wish of an instance.
    ///
    /// # Errors
    /// When it is none of this fleet's: exit code 2.
    pub(crate) fn find(&self, name: &Name) -> Result<&Desired, Fault> {
        self.desired.iter().find(|desired| desired.instance.instance == *name).ok_or_else(|| {
            let message = format!("there is no instance \"{name}\" in this fleet");
            Fault::usage_hint(Code::E0206, message, "all names: escadre status --list")
        })
    }
}
