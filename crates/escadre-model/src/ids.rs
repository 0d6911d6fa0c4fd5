//! Identities: what plans, journal and messages speak in, instead of an engine's ids.
//!
//! In: names and keys. Out: `InstanceId`, `ResourceKey` (within an instance), `ResourceId` (everywhere).
//! **Invariant:** two different identities never have the same text; the parts cannot hold the separator `/`.
//! Not here: an engine's own ids (`observed::EngineId`), names on an engine (`escadre-render`).
//! Tests: `ids/tests.rs`.

use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One instance of one fleet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InstanceId {
    /// The fleet; a fleet of one is called like its project.
    pub fleet: Name,
    /// The instance within it.
    pub instance: Name,
}

/// What a resource is. A closed list: a new kind is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A network of the instance.
    Network,
    /// A volume: data that outlives containers.
    Volume,
    /// A file whose content is secret.
    Secret,
    /// A file whose content is not secret: a Compose config or a tracked bind.
    Config,
    /// An image that services run from; the key is the reference.
    Image,
    /// A service: one or more long-running containers, or a one-shot.
    Service,
    /// A route or published port that the edge holds for the instance.
    Route,
}

impl Kind {
    /// The word used in texts and labels.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Network => "network",
            Kind::Volume => "volume",
            Kind::Secret => "secret",
            Kind::Config => "config",
            Kind::Image => "image",
            Kind::Service => "service",
            Kind::Route => "route",
        }
    }
}

/// A resource within its instance: kind and key. The key is Compose's own (`my_db`), or an image reference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ResourceKey {
    /// What it is.
    pub kind: Kind,
    /// Its key in the product.
    pub key: Arc<str>,
}

/// One thing in the world, or to be in it: fleet / instance / kind / key [/ replica] [/ generation].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ResourceId {
    /// Whose it is.
    pub instance: InstanceId,
    /// Which resource of the instance.
    pub resource: ResourceKey,
    /// Which container of a service, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u32>,
    /// Which incarnation of that container, from 1: two live side by side during an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

impl InstanceId {
    /// An instance of a fleet.
    pub fn new(fleet: Name, instance: Name) -> Self {
        Self { fleet, instance }
    }

    /// The resource of that kind and key in this instance.
    pub fn resource(&self, key: ResourceKey) -> ResourceId {
        ResourceId { instance: self.clone(), resource: key, replica: None, generation: None }
    }
}

impl ResourceKey {
    /// A resource of that kind and key.
    pub fn new(kind: Kind, key: impl Into<Arc<str>>) -> Self {
        Self { kind, key: key.into() }
    }
}

impl ResourceId {
    /// The container of that replica and generation.
    pub fn container(mut self, replica: u32, generation: u64) -> Self {
        self.replica = Some(replica);
        self.generation = Some(generation);
        self
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.fleet, self.instance)
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.key)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.instance, self.resource)?;
        if let Some(replica) = self.replica {
            write!(f, "/{replica}")?;
        }
        if let Some(generation) = self.generation {
            write!(f, "/g{generation}")?;
        }
        Ok(())
    }
}

macro_rules! debug_as_display {
    ($($t:ty),*) => {$(
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
debug_as_display!(InstanceId, ResourceKey, ResourceId);

#[cfg(test)]
mod tests;
