//! Rebuild: the record made anew from labels, when the state folder was lost (`escadre recover`).
//!
//! In: what carries the labels of a fleet, and what its instances want. Out: adoptions in the journal.
//! **Invariant:** nothing in the world is touched; only what carries our labels *and the fleet's own origin* is taken; what is lost for good (history, holds,
//! rollback targets) is not invented.
//! Not here: interrupted turns (`recover`), which need a journal.
//! Tests: `escadre-testkit`: after it the plan is empty.

use crate::apply::{Halt, Options, Ports, chain, lock};
use crate::journal::Body;
use crate::observe;
use crate::ports::{Scope, Whose};
use escadre_model::desired::{Condition, Desired};
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::name::Name;
use escadre_model::observed::{ContainerSeen, EngineId, InstanceSeen, JobEvidence, Phase};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What became of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// So many containers, networks and volumes are on record again, and these jobs are known to have run.
    Adopted {
        /// How many things.
        things: usize,
        /// Jobs, by service.
        jobs: Vec<Arc<str>>,
    },
    /// All of it is on record already.
    NotNeeded,
    /// It belongs to another fleet of the same name.
    OtherFleet(Arc<str>),
    /// Somebody works on it.
    Locked,
    /// It could not be done, and whose fault.
    Failed(Arc<str>, Whose),
}

/// Takes everything on record that carries the fleet's labels and is not on record.
///
/// # Errors
/// When the target cannot be looked at or the record cannot be read.
pub async fn rebuild(
    fleet: &Name,
    origin: &str,
    desired: &BTreeMap<InstanceId, Arc<Desired>>,
    ports: &Ports,
    options: &Options,
) -> Result<BTreeMap<InstanceId, Rebuilt>, observe::ObserveError> {
    let wanted: Vec<&Desired> = desired.values().map(AsRef::as_ref).collect();
    let observed = observe::observe(ports, &Scope::Fleet(fleet.clone()), &wanted, BTreeSet::new()).await?;
    let mut all = BTreeMap::new();
    for (instance, seen) in &observed.instances {
        let rebuilt = match &seen.origin {
            Some(other) if &**other != origin => Rebuilt::OtherFleet(other.clone()),
            _ => match one(instance, seen, desired.get(instance).map(AsRef::as_ref), ports, options).await {
                Ok(rebuilt) => rebuilt,
                Err(halt) => Rebuilt::Failed(chain(&halt), halt.whose()),
            },
        };
        all.insert(instance.clone(), rebuilt);
    }
    Ok(all)
}

async fn one(
    instance: &InstanceId,
    seen: &InstanceSeen,
    desired: Option<&Desired>,
    ports: &Ports,
    options: &Options,
) -> Result<Rebuilt, Halt> {
    let Ok(_held) = lock(instance, &Arc::from("recover"), ports, options).await? else { return Ok(Rebuilt::Locked) };
    let things: BTreeMap<EngineId, ResourceId> =
        things(instance, seen).filter(|(engine, _)| !seen.record.owned.contains_key(engine)).collect();
    let mut jobs = desired.map(|desired| evidence(desired, seen)).unwrap_or_default();
    jobs.retain(|service, found| {
        let known = seen.record.jobs.get(service).map(Vec::as_slice).unwrap_or_default();
        found.retain(|one| !known.contains(one));
        !found.is_empty()
    });
    if things.is_empty() && jobs.is_empty() {
        return Ok(Rebuilt::NotNeeded);
    }
    let rebuilt = Rebuilt::Adopted { things: things.len(), jobs: jobs.keys().cloned().collect() };
    let body = Body::Adopted { by: options.by.clone(), things, jobs };
    let entry = body.entry(instance, &Arc::from(""), None, ports.clock.now())?;
    ports.store.append(vec![entry], Vec::new()).await?;
    options.kill.point();
    Ok(rebuilt)
}

fn things<'a>(instance: &'a InstanceId, seen: &'a InstanceSeen) -> impl Iterator<Item = (EngineId, ResourceId)> + 'a {
    // What bears no labels of ours is no evidence of what it was: the next plan shows it as `adopt`.
    let containers =
        seen.containers.iter().filter(|one| one.compose.is_none()).map(|one| (one.engine.clone(), one.id.clone()));
    let networks = seen
        .networks
        .iter()
        .filter(|one| !one.compose)
        .map(|one| (one.engine.clone(), instance.resource(one.key.clone())));
    let volumes = seen
        .volumes
        .iter()
        .filter(|one| one.spec.is_some())
        .map(|one| (EngineId(one.name.clone()), instance.resource(one.key.clone())));
    containers.chain(networks).chain(volumes)
}

/// Jobs that must have ended well: their container is there and ended with code 0, or a service that waits for their end runs as it is wanted now.
fn evidence(desired: &Desired, seen: &InstanceSeen) -> BTreeMap<Arc<str>, Vec<JobEvidence>> {
    let of = |key: &Arc<str>| -> Vec<&ContainerSeen> {
        seen.containers.iter().filter(|one| one.id.resource.key == *key).collect()
    };
    let mut jobs = BTreeMap::new();
    for (key, resource, service) in desired.services().filter(|(_, _, service)| service.job) {
        let wanted = |one: &&ContainerSeen| one.spec.as_ref() == Some(&resource.spec);
        let ended = of(key).into_iter().filter(wanted).find(|one| one.phase == Phase::Exited(0));
        let waits = desired.services().any(|(other, theirs, waiting)| {
            let after = waiting.after.iter().any(|one| one.service == *key && one.condition == Condition::Completed);
            let runs = |one: &ContainerSeen| one.phase == Phase::Running && one.spec.as_ref() == Some(&theirs.spec);
            after && of(other).into_iter().any(runs)
        });
        let image = ended.map(|one| one.image.clone());
        let image = image.or_else(|| waits.then(|| service.image.clone()));
        if let Some(image) = image {
            jobs.insert(key.clone(), vec![JobEvidence { spec: resource.spec.clone(), image }]);
        }
    }
    jobs
}
