//! What a plan means for the record at its commit point: what is taken over, what is kept without a service, which images run.
//!
//! In: an instance's plan, what it wants, what was seen. Out: the promises of `Begun`, which hold from the commit point on.
//! **Invariant:** only what the plan's changes name by the engine's id is taken over.
//! Not here: writing them (`turn`), reading them back (`journal`).
//! Tests: `escadre-testkit`.

use super::hands::Images;
use crate::journal::{Begun, Memory};
use escadre_model::desired::{Body as ResourceBody, Desired, Resource};
use escadre_model::hash::Hash;
use escadre_model::ids::Kind;
use escadre_model::observed::{Adopted, Difference, InstanceSeen, JobEvidence, Observed};
use escadre_plan::change::{Action, Change};
use escadre_plan::plan::InstancePlan;

/// The ids of the images an instance uses: what its last receipt says, else what the engine has under that reference.
pub(super) fn images_before(desired: &Desired, former: &Images, observed: &Observed) -> Images {
    let references = desired.resources.values().filter_map(|resource| match &resource.body {
        ResourceBody::Image(image) => Some(image.reference.clone()),
        _ => None,
    });
    references
        .filter_map(|reference| {
            let there = || observed.host.images.get(&reference).map(|image| image.id.clone());
            let id = former.get(&reference).cloned().or_else(there)?;
            Some((reference, id))
        })
        .collect()
}

/// What the plan's changes mean for the record at the commit point: what is taken over, which volumes lose or regain their service.
pub(super) fn promises(plan: &InstancePlan, desired: &Desired, seen: Option<&InstanceSeen>, memory: &Memory) -> Begun {
    let mut promises = Begun::of(plan.desired.clone(), Hash::of(""));
    for change in &plan.changes {
        let key = &change.on;
        if change.action == Action::Retain && key.kind == Kind::Volume {
            let name =
                seen.and_then(|seen| seen.volumes.iter().find(|volume| volume.key == *key)).map(|v| v.name.clone());
            if let Some(name) = name.or_else(|| change.detail.clone()) {
                promises.retains.insert(key.key.clone(), name);
            }
        }
        if key.kind == Kind::Service && plan.state.is_running() {
            match change.action {
                Action::Keep | Action::Held | Action::Retain => {}
                Action::Stop => drop(promises.stops.insert(key.key.clone())),
                _ => drop(promises.starts.insert(key.key.clone())),
            }
        }
        if let Some(seen) = seen.filter(|_| change.action == Action::Adopt) {
            adopt(&mut promises, change, desired, seen);
        }
        if key.kind == Kind::Volume && matches!(change.action, Action::Adopt | Action::Create | Action::Keep) {
            promises.regains.extend(memory.state.retained.contains_key(&key.key).then(|| key.key.clone()));
        }
    }
    promises
}

/// What one change takes over: the things it names, by the engine's ids.
fn adopt(promises: &mut Begun, change: &Change, desired: &Desired, seen: &InstanceSeen) {
    let key = &change.on;
    let resource = desired.resources.get(key);
    let whole = desired.instance.resource(key.clone());
    let remember = |differs: &[Difference]| Adopted {
        spec: resource.map(|resource| resource.spec.clone()),
        differs: differs.to_vec(),
    };
    for engine in &change.adopts {
        if let Some(container) = seen.containers.iter().find(|one| one.engine == *engine) {
            promises.adopts.insert(engine.clone(), container.id.clone());
            if let Some(made) = &container.compose {
                promises.adopted.insert(engine.clone(), remember(&made.differs));
                promises.adopted_fields.extend(container.fields.clone().map(|fields| (engine.clone(), fields)));
            }
            continue;
        }
        promises.adopts.insert(engine.clone(), whole.clone());
        let labelled = |spec: &Option<Hash>| spec.is_some();
        let network = seen.networks.iter().find(|one| one.engine == *engine).map(|one| labelled(&one.spec));
        let volume = || seen.volumes.iter().find(|one| one.name == engine.0).map(|one| labelled(&one.spec));
        if network.or_else(volume) == Some(false) {
            promises.adopted.insert(engine.clone(), remember(&[]));
        }
    }
    if let Some(Resource { spec, body: ResourceBody::Service(service), .. }) = resource.filter(|_| change.proves) {
        let ran = seen.containers.iter().find(|one| change.adopts.contains(&one.engine)).map(|one| one.image.clone());
        let image = ran.unwrap_or_else(|| service.image.clone());
        promises.adopted_jobs.insert(key.key.clone(), JobEvidence { spec: spec.clone(), image });
    }
}
