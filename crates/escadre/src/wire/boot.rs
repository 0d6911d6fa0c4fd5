//! What ran before the machine went down, from the record alone.
//!
//! In: the state folder. Out: for each fleet what is to be started, as a ground that can be carried out.
//! **Invariant:** only what the last apply left running is started, as it was; no file of a fleet is read, so nothing else is compared or changed.
//! Not here: starting (`escadre_engine`), what starts this at boot (`escadre_drivers::systemd`).
//! Tests: `tests/it/boot.rs`.

use super::Ground;
use super::files::Wanted;
use super::ground::{Made, asked, build, recovered};
use super::instead::{self, Instead};
use super::world;
use crate::exit::Fault;
use crate::settings::Settings;
use escadre_drivers::store::SqliteStore;
use escadre_engine::journal;
use escadre_engine::ports::Store as _;
use escadre_engine::reconcile;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::Outcome;
use escadre_plan::make::{self, How, OrphanPolicy};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Docker's socket, for instances whose state says that they are Docker's: where else it listens is written in files that are not read here.
const DOCKER: &str = "unix:///run/docker.sock";

/// The instances of a fleet that ran, each with its services that were not stopped on their own; none of them was: without any.
type Meant = BTreeMap<InstanceId, BTreeSet<Arc<str>>>;

/// A ground for each fleet that something ran of, on either engine.
///
/// # Errors
/// When an engine does not answer, or the record cannot be read.
pub(crate) async fn boot(settings: &Settings) -> Result<Vec<Ground>, Fault> {
    let is_root = rustix::process::geteuid().is_root();
    let mut grounds = grounds_of(settings, &settings.state_of("podman", is_root)).await?;
    if settings.state.is_none() {
        let mut docker = settings.clone();
        docker.environment.remove("CONTAINER_HOST");
        docker.environment.entry("DOCKER_HOST".to_owned()).or_insert_with(|| DOCKER.to_owned());
        grounds.extend(grounds_of(&docker, &settings.state_of("docker", is_root)).await?);
    }
    Ok(grounds)
}

async fn grounds_of(settings: &Settings, state: &Path) -> Result<Vec<Ground>, Fault> {
    let kept = state.join("store");
    if !kept.exists() {
        return Ok(Vec::new());
    }
    let store = SqliteStore::open(&kept).await.map_err(Fault::world)?;
    let mut fleets: BTreeMap<Name, Meant> = BTreeMap::new();
    for id in store.instances().await.map_err(Fault::world)? {
        let receipts = journal::receipts(&store, &id).await.map_err(Fault::world)?;
        let newest = receipts.iter().find(|one| one.outcome.is_as_planned());
        let Some(newest) = newest.filter(|one| one.outcome == Outcome::Healthy) else { continue };
        let stopped = journal::memory(&store, &id).await.map_err(Fault::world)?.state.stopped;
        let mut services = BTreeSet::new();
        if !stopped.is_empty() {
            let all = newest.desired.services().filter(|(key, _, one)| !one.job && !stopped.contains(*key));
            services.extend(all.map(|(key, ..)| key.clone()));
            if services.is_empty() {
                continue;
            }
        }
        fleets.entry(id.fleet.clone()).or_default().insert(id, services);
    }
    drop(store);
    let mut grounds = Vec::new();
    for (fleet, meant) in fleets {
        grounds.extend(ground(settings, state, fleet, meant).await?);
    }
    Ok(grounds)
}

async fn ground(settings: &Settings, state: &Path, fleet: Name, meant: Meant) -> Result<Option<Ground>, Fault> {
    let root = world::Root { folder: &settings.folder, commit: None };
    let world = world::connect_in(settings, state.to_owned(), root, None, true, BTreeMap::new()).await?;
    let mut wanted = Wanted::of_record(fleet, settings.folder.clone());
    // All that is meant is; what else there is of the fleet is left alone, and not spoken of.
    wanted.listed = true;
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    let mut findings = Vec::new();
    let interrupted = asked(&world, &wanted, make::Options::default());
    let left = recovered(&interrupted, &ports, settings, &mut findings).await?;
    let only: BTreeSet<InstanceId> = meant.keys().filter(|id| !left.contains(*id)).cloned().collect();
    if only.is_empty() {
        return Ok(None);
    }
    let mut options = make::Options { orphans: OrphanPolicy::Silent, ..make::Options::default() };
    let services = meant.into_iter().map(|(id, services)| (id.instance, services)).collect();
    let started = Instead::Touched(How::Start, services);
    let (only, said) = instead::put(&started, &mut wanted, Some(only), &mut options, &ports).await?;
    findings.extend(said);
    options.only = Some(only.clone());
    let asked = asked(&world, &wanted, options);
    let prepared = reconcile::prepare(&asked, &ports).await.map_err(Fault::world)?;
    let plan = Arc::unwrap_or_clone(prepared.plan);
    let made = Made { plan, asked: None, saved: false };
    let mut ground = build(world, wanted, Arc::unwrap_or_clone(prepared.observed), made, Some(&only));
    ground.findings.extend(findings);
    Ok(Some(ground))
}
