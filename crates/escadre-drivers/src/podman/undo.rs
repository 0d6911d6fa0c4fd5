//! Undoing: what must be known before a step, and how it is taken back.
//!
//! In: a step; later what was noted before it. Out: the former state.
//! **Invariant:** undoing twice, or what was never done, succeeds. Without a note only what this very step must have made is removed.
//! Not here: doing (`containers`, `ensure`, `hosts`).
//! Tests: `tests/it`, and the conformance suite of `escadre-testkit`.

use super::hosts::Former;
use super::{Engine, containers, disk};
use escadre_engine::ports::{Error, Job};
use escadre_model::ids::ResourceId;
use escadre_plan::step::Act;
use escadre_render::engine::read;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for requests in flight to a container that did not make it.
const DRAIN: Duration = Duration::from_secs(10);

/// Whether something was there already: then undoing leaves it.
#[derive(Debug, Serialize, Deserialize)]
struct There {
    there: bool,
}

/// What stopping or starting a container changes.
#[derive(Debug, Serialize, Deserialize)]
struct Ran {
    running: bool,
    lines: Vec<Former>,
}

fn noted(note: impl Serialize) -> Result<Option<Value>, Error> {
    serde_json::to_value(note)
        .map(Some)
        .map_err(|error| Error::Bug { act: "note what was before".into(), why: error.to_string().into() })
}

fn read_back<T: for<'a> Deserialize<'a>>(note: Option<&Value>) -> Result<Option<T>, Error> {
    match note {
        None | Some(Value::Null) => Ok(None),
        Some(note) => T::deserialize(note)
            .map(Some)
            .map_err(|error| Error::Bug { act: "read what was before".into(), why: error.to_string().into() }),
    }
}

impl Engine {
    pub(super) async fn note(&self, job: &Job<'_>) -> Result<Option<Value>, Error> {
        let instance = &job.step.on.instance;
        match &job.step.act {
            Act::EnsureNetwork { name, .. } => noted(There { there: self.find_network(name).await?.is_some() }),
            Act::EnsureVolume { name, .. } => noted(There { there: self.find_volume(name).await?.is_some() }),
            Act::EnsureFile { file } => {
                let path = self.path_of(&job.step.on.resource, instance, file)?;
                noted(There { there: std::fs::symlink_metadata(path).is_ok() })
            }
            Act::Attach { lines } => noted(self.former_lines(instance, lines)?),
            Act::Stop { name, .. } | Act::Start { name } => {
                let Some(entry) = self.inspect(name).await? else { return Ok(None) };
                let lines = match read::container(&entry) {
                    Some(ours) => self.lines_to(instance, &ours.seen)?,
                    None => Vec::new(),
                };
                noted(Ran { running: containers::running(&entry), lines })
            }
            Act::Switch { routes } => {
                let keys: Vec<Arc<str>> = routes.keys().cloned().collect();
                self.edge.before(instance, &keys).await.map(Some)
            }
            Act::Park { routes } | Act::Unroute { routes } => self.edge.before(instance, routes).await.map(Some),
            _ => Ok(None),
        }
    }

    pub(super) async fn take_back(&self, job: &Job<'_>, before: Option<&Value>) -> Result<(), Error> {
        let instance = &job.step.on.instance;
        let absent = || Ok::<_, Error>(read_back::<There>(before)?.is_some_and(|was| !was.there));
        match &job.step.act {
            Act::EnsureNetwork { name, subnet: Some(_) } if absent()? => {
                self.drop_network(instance, name, None).await.map(drop)
            }
            Act::EnsureVolume { name, external: false } if absent()? => {
                self.drop_volume(instance, name).await.map(drop)
            }
            Act::EnsureFile { file } if absent()? => {
                let path = self.path_of(&job.step.on.resource, instance, file)?;
                disk::remove(&path)
                    .map(drop)
                    .map_err(|source| Error::Host { act: format!("remove {}", path.display()).into(), source })
            }
            Act::Create(placement) => self.discard(&job.step.on, &placement.name).await,
            Act::Start { name } => match read_back::<Ran>(before)? {
                Some(was) if was.running => Ok(()),
                _ => self.halt(job, name, grace(job)).await.map(drop),
            },
            Act::Run { name, .. } => self.halt(job, name, grace(job)).await.map(drop),
            Act::Attach { lines } => self.detach(instance, lines, before).await,
            Act::Stop { name, .. } => {
                let was = read_back::<Ran>(before)?.unwrap_or(Ran { running: true, lines: Vec::new() });
                if was.running && self.inspect(name).await?.is_some() {
                    // It ran before, whatever its hooks say of this start.
                    match self.start_up(job, name).await {
                        Ok(_) | Err(Error::Gate { .. }) => {}
                        Err(error) => return Err(error),
                    }
                    // Its routes come back next: whoever is parked there would meet a process that does not listen yet.
                    self.awake(job, name).await;
                }
                self.restore_lines(instance, was.lines).await
            }
            Act::Switch { routes } => {
                let Some(before) = before else { return Ok(()) };
                self.edge.restore(instance, before).await?;
                // Whoever was served by the new container already is served to the end; it stops next.
                let seen = self.edge.routes().await?.remove(instance).unwrap_or_default();
                let serves = |id: &ResourceId| seen.values().any(|route| route.backends.iter().any(|(it, _)| it == id));
                let left = routes.values().flat_map(|target| &target.backends).map(|(id, _)| id.clone());
                let left: Vec<ResourceId> = left.filter(|id| !serves(id)).collect();
                self.edge.drain(&left, DRAIN).await.map(drop)
            }
            Act::Park { .. } | Act::Unroute { .. } => match before {
                Some(before) => self.edge.restore(instance, before).await,
                None => Ok(()),
            },
            Act::Remove { name, .. } => Err(Error::Bug {
                act: format!("bring {name} back").into(),
                why: "what was removed cannot be brought back".into(),
            }),
            Act::EnsureImage { .. }
            | Act::EnsureNetwork { .. }
            | Act::EnsureVolume { .. }
            | Act::EnsureFile { .. }
            | Act::Gate { .. }
            | Act::Join { .. }
            | Act::Follow(_)
            | Act::Drain { .. }
            | Act::Apply
            | Act::Prune => Ok(()),
        }
    }
}

/// How long the container of a step may take to stop.
fn grace(job: &Job<'_>) -> u64 {
    job.desired.service(&job.step.on.resource.key).map_or(10_000, |(_, service)| service.stop_grace_ms)
}
