//! The edge, as the engine's driver sees it: routes are switched, parked, taken away, drained.
//!
//! In: routes of one instance and where they lead. Out: what changed, and what undoing needs.
//! **Invariant:** every method may be repeated; `restore` brings back exactly what `before` says, for the routes it names and no others.
//! Not here: traffic itself (`escadre-edge`).
//! Tests: `tests/it`.

pub mod brought;
mod file;
mod outdated;

pub use file::{EdgeFiles, Settings, Settled, Start};
pub use outdated::{Cause, Outdated};

use async_trait::async_trait;
use escadre_engine::ports::{Changed, Error, Traffic};
use escadre_model::desired::Route;
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::observed::RouteSeen;
use escadre_model::secret::{Secret, SecretRef};
use escadre_plan::step::RouteTarget;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Routes by instance and key, as the edge's file has them.
pub type RoutesSeen = BTreeMap<InstanceId, BTreeMap<Arc<str>, RouteSeen>>;

/// Gives the value of a secret of the instance that is meant.
pub type Reveal<'r> = dyn Fn(&SecretRef) -> Option<Secret> + Sync + 'r;

/// What carries traffic, for one state folder.
#[async_trait]
pub trait Edge: Send + Sync {
    /// The routes of all instances.
    ///
    /// # Errors
    /// When its file cannot be read.
    async fn routes(&self) -> Result<RoutesSeen, Error>;

    /// The ports it listens on, so that they are not taken for somebody else's.
    async fn ports(&self) -> Vec<u16>;

    /// What [`Edge::restore`] needs to bring these routes back as they are now.
    ///
    /// # Errors
    /// When its file cannot be read.
    async fn before(&self, instance: &InstanceId, routes: &[Arc<str>]) -> Result<Value, Error>;

    /// Leads routes to backends and ends their parking; returns when the edge has taken it. `reveal` gives the secrets that
    /// certificates are brought in.
    ///
    /// # Errors
    /// When a certificate cannot be used, or the edge does not acknowledge.
    async fn switch(
        &self,
        instance: &InstanceId,
        routes: &BTreeMap<Arc<str>, (Route, RouteTarget)>,
        reveal: &Reveal<'_>,
    ) -> Result<Changed, Error>;

    /// Makes requests of these routes wait.
    ///
    /// # Errors
    /// When the edge does not acknowledge.
    async fn park(&self, instance: &InstanceId, routes: &[Arc<str>]) -> Result<Changed, Error>;

    /// Takes routes away.
    ///
    /// # Errors
    /// When the edge does not acknowledge.
    async fn unroute(&self, instance: &InstanceId, routes: &[Arc<str>]) -> Result<Changed, Error>;

    /// Brings back what a switch, parking or removal found.
    ///
    /// # Errors
    /// When the edge does not acknowledge.
    async fn restore(&self, instance: &InstanceId, before: &Value) -> Result<(), Error>;

    /// Waits until nothing is in flight to these containers; says how much still was when the time was up, and ends that.
    ///
    /// # Errors
    /// When the edge cannot be asked.
    async fn drain(&self, backends: &[ResourceId], deadline: Duration) -> Result<u64, Error>;

    /// What the routes carried so far; `None` when no edge runs.
    ///
    /// # Errors
    /// When it runs and does not answer.
    async fn traffic(&self) -> Result<Option<Traffic>, Error>;
}

/// No edge at all: for instances without routes, and for tests of the engine alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEdge;

fn nobody<T>() -> Result<T, Error> {
    Err(Error::Edge("there is no edge here".into()))
}

#[async_trait]
impl Edge for NoEdge {
    async fn routes(&self) -> Result<RoutesSeen, Error> {
        Ok(BTreeMap::new())
    }
    async fn ports(&self) -> Vec<u16> {
        Vec::new()
    }
    async fn before(&self, _: &InstanceId, _: &[Arc<str>]) -> Result<Value, Error> {
        Ok(Value::Null)
    }
    async fn switch(
        &self,
        _: &InstanceId,
        routes: &BTreeMap<Arc<str>, (Route, RouteTarget)>,
        _: &Reveal<'_>,
    ) -> Result<Changed, Error> {
        if routes.is_empty() { Ok(Changed::NotNeeded) } else { nobody() }
    }
    async fn park(&self, _: &InstanceId, routes: &[Arc<str>]) -> Result<Changed, Error> {
        if routes.is_empty() { Ok(Changed::NotNeeded) } else { nobody() }
    }
    async fn unroute(&self, _: &InstanceId, _: &[Arc<str>]) -> Result<Changed, Error> {
        Ok(Changed::NotNeeded)
    }
    async fn restore(&self, _: &InstanceId, _: &Value) -> Result<(), Error> {
        Ok(())
    }
    async fn drain(&self, _: &[ResourceId], _: Duration) -> Result<u64, Error> {
        Ok(0)
    }
    async fn traffic(&self) -> Result<Option<Traffic>, Error> {
        Ok(None)
    }
}
