//! Observe: the world and the record, joined.
//!
//! In: a scope, and what instances want. Out: `Observed` with each instance's record, and `known` set on what is ours by id.
//! **Invariant:** an instance that only the record knows is in it too; without the record nothing is known to be ours, so nothing can be deleted.
//! Not here: asking the target (`Driver`), comparing (`escadre-plan`).
//! Tests: `escadre-testkit`.

use crate::adopt;
use crate::apply::Ports;
use crate::journal;
use crate::ports::{Error, Scope, StoreError};
use escadre_model::desired::{Body, Desired};
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::{Observed, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why nothing could be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The target.
    #[error(transparent)]
    Driver(#[from] Error),
    /// The record.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks at the world and joins the record. What instances want says what of others' things they take over (what they have taken over is on record), and which
/// images are looked up; `images` are more of those, by id or reference.
///
/// # Errors
/// When the target cannot be listed or the record cannot be read.
pub async fn observe(
    ports: &Ports,
    scope: &Scope,
    wanted: &[&Desired],
    mut images: BTreeSet<Arc<str>>,
) -> Result<Observed, ObserveError> {
    let all = wanted.iter().flat_map(|desired| desired.resources.values());
    images.extend(all.filter_map(|resource| match &resource.body {
        Body::Image(image) => Some(image.reference.clone()),
        _ => None,
    }));
    let mut observed = ports.driver.observe(scope, &images).await?;
    for (id, record) in records(ports, scope).await? {
        observed.instances.entry(id).or_default().record = record;
    }
    adopt::join(&mut observed, wanted);
    for seen in observed.instances.values_mut() {
        for container in &mut seen.containers {
            container.known = seen.record.owned.contains_key(&container.engine);
        }
    }
    observed.complete.record = true;
    adopt::compare(&mut observed, wanted, ports).await?;
    Ok(observed)
}

async fn records(ports: &Ports, scope: &Scope) -> Result<BTreeMap<InstanceId, Record>, StoreError> {
    let store = ports.store.as_ref();
    match scope {
        Scope::Fleet(fleet) => journal::records(store, fleet, None).await,
        Scope::Instances(instances) => {
            let mut all = BTreeMap::new();
            // Many instances of one fleet are read together: one pass over the index instead of one each.
            let mut fleets: BTreeMap<&Name, Vec<&InstanceId>> = BTreeMap::new();
            for instance in instances {
                fleets.entry(&instance.fleet).or_default().push(instance);
            }
            for (fleet, wanted) in fleets {
                let only = match wanted.as_slice() {
                    [one] => Some(&one.instance),
                    _ => None,
                };
                let mut records = journal::records(store, fleet, only).await?;
                records.retain(|id, _| wanted.contains(&id));
                all.extend(records);
            }
            Ok(all)
        }
    }
}
