//! The one place that names drivers: from what was typed to what was read, seen and done.
//!
//! In: settings, files, a selection. Out: [`Ground`] (files and world side by side), reports, streams.
//! **Invariant**: every verb comes to the world through here; no verb names a driver.
//! Not here: painting, deciding.
//! Tests: `tests/it` on a real engine.

use crate::args::about::ComposeVerb;
use crate::args::guard::{Hold, Recover, Unhold};
use crate::args::inside::Exec;
use crate::args::proxy::Proxy;
use crate::args::secret::SecretVerb;
use crate::args::shared::Files;
use crate::args::value::{Doomed, PlanRef};
use crate::args::write::What;
use crate::exit::{Fault, Sources};
use crate::settings::{Owner, Selection, Settings};
use crate::terminal::plan_text::{Around, Verdicts};
use crate::terminal::report::Ended;
use crate::terminal::time::Now;
use crate::views::look::Looked;
use escadre_engine::ports::{LogLine, LogQuery, Progress};
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
    /// Ask the registries again what tags mean.
    pub(crate) pull: bool,
    /// Plan that they go, as for `down`.
    pub(crate) down: bool,
    /// What may be deleted with its data.
    pub(crate) destroy: Vec<Doomed>,
    /// Plan against the files of this commit instead of against the record.
    pub(crate) base: Option<String>,
    /// Save the plan in the state folder.
    pub(crate) save: bool,
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
    /// Recover first and go on with what is left.
    pub(crate) resume: bool,
}

/// What reading the files alone gives.
pub(crate) struct Read {
    /// Everything that is wrong or worth knowing.
    pub(crate) findings: Vec<Diagnostic>,
    /// The texts they point into.
    pub(crate) sources: Sources,
    /// What became of Compose's keys.
    pub(crate) verdicts: Option<Verdicts>,
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

/// What this build cannot do yet.
fn unwired<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::usage(Code::E0290, format!("{what}: this build cannot do it yet")))
}

/// Reads the files and says what is wrong.
///
/// # Errors
/// When there are none.
pub(crate) async fn read(_settings: &Settings, _ask: &Ask) -> Result<Read, Fault> {
    unwired("reading the files")
}

/// Reads, resolves, renders, observes, plans.
///
/// # Errors
/// When there are no files, no engine, or no instance is left that could be planned.
pub(crate) async fn ground(_settings: &Settings, _ask: &Ask) -> Result<Ground, Fault> {
    unwired("looking at files and engine")
}

/// Carries out the plan of a ground that was just made.
///
/// # Errors
/// When it could not begin; what failed for an instance is in the report.
pub(crate) async fn carry_out(
    _settings: &Settings,
    _ground: &Ground,
    _manner: &Manner,
    _progress: Arc<dyn Progress>,
) -> Result<Ended, Fault> {
    unwired("carrying out a plan")
}

/// Carries out a saved plan: the files are read and rendered again and compared by hash.
///
/// # Errors
/// When there is no such plan, or it could not begin.
pub(crate) async fn saved(_settings: &Settings, _files: &Files, plan: &PlanRef) -> Result<(Plan, Ground), Fault> {
    unwired(&format!("reading plan {plan}"))
}

/// Log lines of the chosen instances, as they come.
///
/// # Errors
/// When the engine cannot be asked.
pub(crate) async fn logs(
    _settings: &Settings,
    _ask: &Ask,
    _plan: Option<&str>,
    _query: LogQuery,
) -> Result<(tokio::sync::mpsc::Receiver<LogLine>, bool), Fault> {
    unwired("reading logs")
}

/// Runs a command in a container; its exit code.
///
/// # Errors
/// When the container is not there or the engine refuses.
pub(crate) async fn exec(_settings: &Settings, _args: &Exec) -> Result<u8, Fault> {
    unwired("running a command inside a service")
}

/// Writes a new fleet, product or instance; what was written, one path each, and the next command.
///
/// # Errors
/// When something is in the way.
pub(crate) async fn begin(_settings: &Settings, _what: &What) -> Result<(Vec<String>, String), Fault> {
    unwired("writing a new file")
}

/// Does what is asked of secrets (whose and which: checked already; `None` means all); the text to be printed as data.
///
/// # Errors
/// When it cannot be done.
pub(crate) async fn secret(
    _settings: &Settings,
    _verb: &SecretVerb,
    _owner: Option<Owner>,
    _name: Option<String>,
) -> Result<String, Fault> {
    unwired("secrets")
}

/// The normalised Compose model.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn compose(_settings: &Settings, _verb: &ComposeVerb) -> Result<String, Fault> {
    unwired("reading Compose files")
}

/// Sets holds; the sentence that says so.
///
/// # Errors
/// When an instance is not known or locked.
pub(crate) async fn hold(_settings: &Settings, _args: &Hold) -> Result<String, Fault> {
    unwired("holding an instance")
}

/// Lifts holds; the sentence that says so.
///
/// # Errors
/// When an instance is not known or locked.
pub(crate) async fn unhold(_settings: &Settings, _args: &Unhold) -> Result<String, Fault> {
    unwired("lifting a hold")
}

/// Rebuilds the state folder; the sentences that say what came back and what is lost.
///
/// # Errors
/// When the engine cannot be asked or the folder is not lost.
pub(crate) async fn recover(_settings: &Settings, _args: &Recover) -> Result<String, Fault> {
    unwired("rebuilding the state folder")
}

/// Runs or tends the edge; the exit code.
///
/// # Errors
/// When it cannot start.
pub(crate) async fn proxy(_settings: &Settings, _args: &Proxy) -> Result<u8, Fault> {
    unwired("the edge")
}

/// JSON schemas of the files people write: name → schema.
pub(crate) fn file_schemas() -> Vec<(&'static str, serde_json::Value)> {
    Vec::new()
}
