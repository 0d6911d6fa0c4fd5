//! A workbench: a world with an engine on it, and the few verbs that tests need.
//!
//! In: sketches. Out: plans applied, worlds to be compared.
//! **Invariant:** all parts share one world, so faults and kills reach each of them.
//! Not here: the real verbs (`escadre`).
//! Tests: through all others.

use crate::sketch::Sketch;
use crate::store::{MemoryLocks, MemoryStore};
use crate::world::{Behaviour, Bug, FakeDriver, Image, World};
use escadre_engine::apply::{Options, Ports, Report};
use escadre_engine::journal;
use escadre_engine::observe;
use escadre_engine::ports::{Event, NoSecrets, Progress, Scope};
use escadre_engine::reconcile::{self, Asked, Prepared};
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::observed::Observed;
use escadre_plan::make::{self, TargetFacts};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// A world with an engine.
#[derive(Clone)]
pub struct Bench {
    /// The world.
    pub world: World,
    /// Its journal.
    pub store: MemoryStore,
    /// Its locks.
    pub locks: MemoryLocks,
    /// What was told.
    pub told: Told,
    /// How plans are carried out.
    pub options: Options,
    ports: Ports,
}

/// Keeps the events.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<Event>>>);

impl Told {
    /// All events since the last time this was asked.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress for Told {
    fn tell(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// Runs a test on a runtime whose time is virtual.
///
/// # Panics
/// When there is no runtime to be had.
pub fn paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap_or_else(|error| panic!("no runtime: {error}")).block_on(test)
}

impl Bench {
    /// An empty world. Inside [`paused`].
    pub fn new() -> Self {
        Self::with_bugs([])
    }

    /// An empty world whose driver has mistakes.
    pub fn with_bugs(bugs: impl IntoIterator<Item = Bug>) -> Self {
        Self::on(World::new(), bugs)
    }

    /// Another engine in the same world, with a journal and locks of its own: another state folder.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self::on(self.world.clone(), [])
    }

    fn on(world: World, bugs: impl IntoIterator<Item = Bug>) -> Self {
        let (store, locks, told) = (MemoryStore::new(&world), MemoryLocks::default(), Told::default());
        let ports = Ports {
            driver: Arc::new(FakeDriver::with_bugs(&world, bugs)),
            store: Arc::new(store.clone()),
            locks: Arc::new(locks.clone()),
            clock: Arc::new(world.clock()),
            secrets: Arc::new(NoSecrets),
            progress: Arc::new(told.clone()),
        };
        let options = Options { by: "test".into(), ..Options::default() };
        Self { world, store, locks, told, options, ports }
    }

    /// The ports.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// An image in the registry.
    pub fn image(&self, reference: &str, behaviour: Behaviour) {
        let image =
            Image { id: format!("sha256:{}", Hash::of(format!("{behaviour:?}{reference}")).short()).into(), behaviour };
        self.world.with(|state, _| state.registry.insert(reference.into(), image));
    }

    /// Looks.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn observe(&self, sketch: &Sketch) -> Observed {
        let scope = Scope::Fleet(sketch.id().fleet);
        let desired = sketch.desired();
        observe::observe(&self.ports, &scope, &[&desired], BTreeSet::new())
            .await
            .unwrap_or_else(|error| panic!("cannot observe: {error}"))
    }

    /// What is asked for by default: these instances as they are sketched.
    pub fn asked(&self, sketches: &[Sketch]) -> Asked {
        let Some(first) = sketches.first() else { panic!("no sketch") };
        Asked {
            fleet: first.id().fleet,
            desired: sketches.iter().map(Sketch::desired).collect(),
            listed: true,
            commit: "".into(),
            dirty: None,
            target: TargetFacts::default(),
            options: make::Options::default(),
            registry: BTreeMap::new(),
        }
    }

    /// A plan.
    pub async fn plan(&self, sketches: &[Sketch]) -> Prepared {
        self.plan_for(&self.asked(sketches)).await
    }

    /// A plan for what was asked.
    ///
    /// # Panics
    /// When the world cannot be looked at.
    pub async fn plan_for(&self, asked: &Asked) -> Prepared {
        reconcile::prepare(asked, &self.ports).await.unwrap_or_else(|error| panic!("cannot plan: {error}"))
    }

    /// Carries out a plan.
    pub async fn apply(&self, prepared: &Prepared) -> Report {
        reconcile::carry_out(prepared, &self.ports, &self.options).await
    }

    /// Recovers, plans and carries out, as every verb does.
    pub async fn up(&self, sketches: &[Sketch]) -> Report {
        self.verb(&self.asked(sketches)).await
    }

    /// The same for what was asked.
    ///
    /// # Panics
    /// When the journal cannot be read.
    pub async fn verb(&self, asked: &Asked) -> Report {
        let recovered = reconcile::recover(asked, &self.ports, &self.options).await;
        assert!(recovered.is_ok(), "cannot recover: {recovered:?}");
        let prepared = self.plan_for(asked).await;
        self.apply(&prepared).await
    }

    /// What there is, for comparison.
    pub fn snapshot(&self) -> String {
        self.world.with(|state, now| state.snapshot(now))
    }

    /// Is the journal whole, and is nothing left open in it?
    ///
    /// # Errors
    /// What is not as it should be.
    pub async fn sound(&self, instances: &[InstanceId]) -> Result<(), String> {
        journal::verify(self.ports.store.as_ref()).await.map_err(|error| error.to_string())?;
        for instance in instances {
            let memory =
                journal::memory(self.ports.store.as_ref(), instance).await.map_err(|error| error.to_string())?;
            if let Some(run) = memory.run {
                return Err(format!("{instance}: the turn under plan {} is open", run.plan));
            }
            let there = self.world.with(|state, _| {
                let containers =
                    state.containers.values().filter_map(|one| Some((one.engine.clone(), one.owner.clone()?.0)));
                let networks = state.networks.values().filter_map(|one| Some((one.engine.clone(), one.owner.clone()?)));
                containers.chain(networks).filter(|(_, id)| id.instance == *instance).collect::<Vec<_>>()
            });
            for (engine, id) in there {
                if !memory.state.owned.keys().any(|owned| owned.0 == engine) {
                    return Err(format!("{id} ({engine}) exists, and the record does not know it"));
                }
            }
        }
        match self.locks.count() {
            0 => Ok(()),
            count => Err(format!("{count} locks are left")),
        }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}
