//! Labels: what everything we create carries, so that it is found again by what it is and never by its name.
//!
//! In: identities and hashes. Out: label maps; identities read back from them.
//! **Invariant:** what [`read`] gives for the labels that [`of`] wrote is what was written.
//! Not here: which labels people gave their services (`service`).
//! Tests: `read/tests.rs`, both ways.

use super::names;
use escadre_model::desired::{Desired, Resource};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind, ResourceId, ResourceKey};
use escadre_model::name::Name;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The label schema this version writes.
pub const SCHEMA: &str = "1";
/// What schema a thing's labels have; its presence says "ours".
pub const LABEL_SCHEMA: &str = "dev.escadre.schema";
/// The fleet's name.
pub const LABEL_FLEET: &str = "dev.escadre.fleet";
/// Who the fleet is.
pub const LABEL_ORIGIN: &str = "dev.escadre.origin";
/// The instance.
pub const LABEL_INSTANCE: &str = "dev.escadre.instance";
/// The service's key.
pub const LABEL_SERVICE: &str = "dev.escadre.service";
/// The network's key.
pub const LABEL_NETWORK: &str = "dev.escadre.network";
/// The volume's key.
pub const LABEL_VOLUME: &str = "dev.escadre.volume";
/// Which container of the service.
pub const LABEL_REPLICA: &str = "dev.escadre.replica";
/// Which incarnation of that container.
pub const LABEL_GENERATION: &str = "dev.escadre.generation";
/// Hash of what it was made from.
pub const LABEL_SPEC: &str = "dev.escadre.spec";
/// Hash over the keyed hashes of the secrets it sees.
pub const LABEL_SECRETS: &str = "dev.escadre.secrets";
/// The release.
pub const LABEL_RELEASE: &str = "dev.escadre.release";
/// Keys of the routes that lead to it, separated by commas.
pub const LABEL_ROUTES: &str = "dev.escadre.routes";
/// Addresses it was given: `network=address`, separated by commas. A stopped container has no other memory of them.
pub const LABEL_ADDRESSES: &str = "dev.escadre.addresses";
/// Commands that run when it has started and before it is stopped, as JSON.
pub const LABEL_HOOKS: &str = "dev.escadre.hooks";
/// Hash of the inputs an image was built from by us.
pub const LABEL_BUILD: &str = "dev.escadre.build";

/// The labels of a resource of an instance.
pub fn of(desired: &Desired, id: &ResourceId, resource: &Resource) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        (LABEL_SCHEMA.to_owned(), SCHEMA.to_owned()),
        (LABEL_FLEET.to_owned(), id.instance.fleet.to_string()),
        (LABEL_ORIGIN.to_owned(), desired.origin.to_string()),
        (LABEL_INSTANCE.to_owned(), id.instance.instance.to_string()),
        (LABEL_SPEC.to_owned(), resource.spec.to_string()),
        ("com.docker.compose.project".to_owned(), names::project(&id.instance)),
    ]);
    let key = id.resource.key.to_string();
    match id.resource.kind {
        Kind::Service => {
            labels.insert(LABEL_SERVICE.to_owned(), key.clone());
            labels.insert(LABEL_RELEASE.to_owned(), desired.release.to_string());
            labels.insert(LABEL_REPLICA.to_owned(), id.replica.unwrap_or(1).to_string());
            labels.insert(LABEL_GENERATION.to_owned(), id.generation.unwrap_or(1).to_string());
            labels.insert("com.docker.compose.service".to_owned(), key);
            labels.insert("com.docker.compose.container-number".to_owned(), id.replica.unwrap_or(1).to_string());
            labels.insert("com.docker.compose.oneoff".to_owned(), "False".to_owned());
            labels.insert("com.docker.compose.config-hash".to_owned(), resource.spec.to_string());
        }
        Kind::Network => {
            labels.insert(LABEL_NETWORK.to_owned(), key.clone());
            labels.insert("com.docker.compose.network".to_owned(), key);
        }
        Kind::Volume => {
            labels.insert(LABEL_VOLUME.to_owned(), key.clone());
            labels.insert("com.docker.compose.volume".to_owned(), key);
        }
        Kind::Secret | Kind::Config | Kind::Image | Kind::Route => {}
    }
    labels
}

/// What labels say about a thing of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Who it is.
    pub id: ResourceId,
    /// Who the fleet is.
    pub origin: Option<Arc<str>>,
    /// Hash of what it was made from.
    pub spec: Option<Hash>,
}

/// Reads whose a thing is; `None` when it is not ours.
pub fn read(labels: &Map<String, Value>) -> Option<Whose> {
    let get = |key: &str| labels.get(key).and_then(Value::as_str);
    get(LABEL_SCHEMA)?;
    let fleet = Name::project(get(LABEL_FLEET)?).ok()?;
    let instance = Name::project(get(LABEL_INSTANCE)?).ok()?;
    let kinds = [(LABEL_SERVICE, Kind::Service), (LABEL_NETWORK, Kind::Network), (LABEL_VOLUME, Kind::Volume)];
    let (kind, key) = kinds.into_iter().find_map(|(label, kind)| Some((kind, get(label)?)))?;
    let mut id = InstanceId::new(fleet, instance).resource(ResourceKey::new(kind, key));
    if kind == Kind::Service {
        id = id.container(get(LABEL_REPLICA)?.parse().ok()?, get(LABEL_GENERATION)?.parse().ok()?);
    }
    let spec = get(LABEL_SPEC).and_then(|text| serde_json::from_value(Value::String(text.to_owned())).ok());
    Some(Whose { id, origin: get(LABEL_ORIGIN).map(Into::into), spec })
}
