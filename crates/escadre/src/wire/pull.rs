//! Images that are pulled before a plan is made, so that the plan shows what a tag means now.
//!
//! In: what was asked for, a plan as it would be without. Out: whether anything that is here means something else now; what could not be had, and who needs it.
//! **Invariant:** only images that are here already: what is missing is pulled when the plan is carried out, and nothing is pulled for a question that may be answered with no.
//! Not here: pulling (`escadre_drivers`), images of a plan's steps (`escadre_engine::apply`).
//! Tests: `tests/it/registry.rs`.

use super::Pulling;
use crate::args::value::Pull;
use crate::exit::{Exit, Fault};
use escadre_engine::apply::Ports;
use escadre_engine::ports::{Changed, Job};
use escadre_engine::reconcile::{Asked, Prepared};
use escadre_model::desired::{Body, Desired, Image, PullPolicy};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::ids::{InstanceId, Kind, ResourceKey};
use escadre_plan::step::{Act, Step, Undo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    /// A name means another image now.
    pub(super) changed: bool,
    /// Instances whose images could not be had.
    pub(super) without: BTreeSet<InstanceId>,
    /// Why not.
    pub(super) findings: Vec<Diagnostic>,
}

/// Pulls what is to be pulled.
///
/// # Errors
/// E0326, exit code 3, when nobody may be asked and an image is missing.
pub(super) async fn before(
    pulling: Pulling,
    asked: &Asked,
    prepared: &Prepared,
    ports: &Ports,
) -> Result<Pulled, Fault> {
    if pulling == Pulling::Asked(Pull::Never) {
        return nobody_is_asked(prepared).map(|()| Pulled::default());
    }
    let mut pulled = Pulled::default();
    for (reference, (desired, needed_by)) in refreshed(pulling, asked, prepared) {
        match one(desired, &reference, ports).await {
            Ok(changed) => pulled.changed |= changed,
            Err(why) => {
                let names: Vec<&str> = needed_by.iter().map(|id| id.instance.as_str()).collect();
                let message =
                    format!("image {reference} cannot be had anew: {why}; left as they are: {}", names.join(", "));
                let finding = Diagnostic::error(Code::E0326, message);
                pulled.findings.push(finding.hint("go on with what is here: escadre up --pull missing"));
                pulled.without.extend(needed_by.into_iter().cloned());
            }
        }
    }
    Ok(pulled)
}

/// Images that are here and are asked for again, with one who wants them and all who need them.
fn refreshed<'a>(
    pulling: Pulling,
    asked: &'a Asked,
    prepared: &'a Prepared,
) -> BTreeMap<Arc<str>, (&'a Desired, Vec<&'a InstanceId>)> {
    let mut all: BTreeMap<Arc<str>, (&Desired, Vec<&InstanceId>)> = BTreeMap::new();
    let meant = |id: &InstanceId| prepared.plan.instances.iter().any(|one| one.instance == *id);
    for desired in asked.desired.iter().filter(|one| meant(&one.instance)) {
        let images = desired.resources.values().filter_map(|resource| match &resource.body {
            Body::Image(image) if image.build.is_none() => Some(image),
            _ => None,
        });
        let again = |image: &&Image| match pulling {
            Pulling::AsWritten => image.pull == PullPolicy::Always,
            Pulling::Asked(Pull::Always) => image.pull != PullPolicy::Never,
            _ => false,
        };
        let here = |image: &&Image| prepared.observed.host.images.contains_key(&image.reference);
        for image in images.filter(again).filter(here) {
            let entry = all.entry(image.reference.clone()).or_insert((desired, Vec::new()));
            entry.1.push(&desired.instance);
        }
    }
    all
}

/// Pulls one; says whether its name means another image now.
async fn one(desired: &Desired, reference: &Arc<str>, ports: &Ports) -> Result<bool, String> {
    let key = ResourceKey::new(Kind::Image, reference.clone());
    let act = Act::EnsureImage { reference: reference.clone(), refresh: true, build: None, expect: None };
    let step = Step {
        index: 0,
        on: desired.instance.resource(key),
        act,
        after: Vec::new(),
        payload: None,
        undo: Undo::Nothing,
        after_commit: false,
        when: Vec::new(),
    };
    let (secrets, progress) = (ports.secrets.as_ref(), ports.progress.as_ref());
    let job = Job { desired, step: &step, images: &BTreeMap::new(), secrets, progress };
    let outcome = ports.driver.perform(&job).await.map_err(|error| match error {
        escadre_engine::ports::Error::Image { why, .. } => why.to_string(),
        other => other.to_string(),
    })?;
    Ok(outcome.changed != Changed::NotNeeded)
}

fn nobody_is_asked(prepared: &Prepared) -> Result<(), Fault> {
    let steps = prepared.plan.instances.iter().flat_map(|one| &one.steps);
    let missing: BTreeSet<&Arc<str>> = steps
        .filter_map(|step| match &step.act {
            Act::EnsureImage { reference, build: None, .. } => Some(reference),
            _ => None,
        })
        .filter(|reference| !prepared.observed.host.images.contains_key(*reference))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let finding = |reference: &&Arc<str>| {
        let message = format!("image {reference} is not here, and --pull never asks no registry");
        Diagnostic::error(Code::E0326, message).hint("pull what is missing: escadre up --pull missing")
    };
    Err(Fault::Findings(Exit::Refused, missing.iter().map(finding).collect()))
}
