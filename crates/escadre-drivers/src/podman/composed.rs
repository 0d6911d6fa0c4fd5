//! Looking closely at what Docker Compose made.
//!
//! In: containers by the engine's ids. Out: in what they are not as an instance wants its services; whole inspections for those who read everything.
//! **Invariant:** nothing here changes anything; a container that went in between is left out.
//! Not here: what the words mean (`escadre_render::engine`).
//! Tests: `tests/it`; `escadre/tests/it/adopt.rs`.

use super::Engine;
use super::door::{Call, encode};
use escadre_engine::ports::{Error, Secrets};
use escadre_model::desired::Desired;
use escadre_model::observed::{Difference, EngineId};
use escadre_model::secret::SecretRef;
use escadre_render::engine::differences::{Made, differences};
use futures_util::StreamExt as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many things are inspected at a time: more only wait for the engine's locks.
const ABREAST: usize = 4;

/// Containers and their images as the engine shows them, by id.
#[derive(Debug, Default)]
pub struct Inspected {
    /// Containers.
    pub containers: BTreeMap<EngineId, Value>,
    /// Images, by the ids that the containers name.
    pub images: BTreeMap<Arc<str>, Value>,
}

impl Inspected {
    /// The image a container runs.
    pub fn image_of(&self, container: &Value) -> Option<&Value> {
        self.images.get(container.get("Image")?.as_str()?)
    }
}

impl Engine {
    /// Inspects containers and the images they run.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn inspect_all(&self, ids: impl IntoIterator<Item = EngineId>) -> Result<Inspected, Error> {
        let asked = futures_util::stream::iter(ids).map(|id| async move {
            let path = self.compat(&format!("/containers/{}/json", encode(&id.0)));
            let found = self.absent_or(Call::get(format!("look at container {}", id.0), path)).await;
            found.map(|found| found.map(|found| (id, found)))
        });
        let mut all = Inspected::default();
        for found in asked.buffer_unordered(ABREAST).collect::<Vec<_>>().await {
            all.containers.extend(found?);
        }
        let wanted: BTreeSet<Arc<str>> =
            all.containers.values().filter_map(|one| one.get("Image")?.as_str()).map(Into::into).collect();
        let asked = futures_util::stream::iter(wanted)
            .map(|id| async move { self.inspect_image(&id).await.map(|found| found.map(|found| (id, found))) });
        for found in asked.buffer_unordered(ABREAST).collect::<Vec<_>>().await {
            all.images.extend(found?);
        }
        Ok(all)
    }

    pub(super) async fn differences(
        &self,
        desired: &Desired,
        made: &[(Arc<str>, EngineId)],
        secrets: &dyn Secrets,
    ) -> Result<BTreeMap<EngineId, Vec<Difference>>, Error> {
        let ids: Vec<EngineId> = made.iter().map(|(_, id)| id.clone()).collect();
        let all = self.inspect_all(ids).await?;
        let reveal = |name: &SecretRef| secrets.reveal(&desired.instance, name, desired.secrets.get(&name.0));
        let compare = |(service, id): &(Arc<str>, EngineId)| {
            let container = all.containers.get(id)?;
            let made = Made { container, image: all.image_of(container) };
            Some((id.clone(), differences(desired, service, made, &reveal)))
        };
        Ok(made.iter().filter_map(compare).collect())
    }
}
