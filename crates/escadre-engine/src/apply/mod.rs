//! Apply: carries out exactly one plan, several instances at once, each by itself.
//!
//! In: a plan, what its instances want (rendered again), ports. Out: a `Report`.
//! **Invariant:** an intent is durable before its act; nothing is done that the plan does not say; one bad instance stops no other.
//! Not here: deciding what to do (`escadre-plan`), words for people (`escadre`).
//! Tests: `escadre-testkit`: stories, faults and kills at every step.

mod fetch;
mod hands;
mod promises;
mod report;
mod turn;
mod unwind;

pub(crate) use hands::Hands;
pub(crate) use hands::chain;
pub use report::{Again, Around, End, Failure, InstanceReport, Leftover, Next, NotUndone, Refused, Report};
pub use turn::Halt;
pub(crate) use turn::{Turn, lock, take};

use crate::kill::Kill;
use crate::ports::{Clock, Driver, Locks, Progress, Secrets, Store};
use escadre_model::desired::Desired;
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::observed::InstanceSeen;
use escadre_plan::plan::{InstancePlan, Plan};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The outside world, as the engine needs it.
#[derive(Clone)]
pub struct Ports {
    /// The target.
    pub driver: Arc<dyn Driver>,
    /// The journal.
    pub store: Arc<dyn Store>,
    /// Locks.
    pub locks: Arc<dyn Locks>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Values of secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Whom to tell.
    pub progress: Arc<dyn Progress>,
}

/// How an apply is done; not what.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many instances at once.
    pub instances: usize,
    /// How many steps of one instance at once.
    pub steps: usize,
    /// Who asks, for receipts and locks.
    pub by: Arc<str>,
    /// How long to wait for a lock that somebody has; zero: not at all.
    pub wait: Duration,
    /// To be stopped by Ctrl-C.
    pub stop: Stop,
    /// Where to die, in tests of the real binary.
    pub kill: Kill,
}

impl Default for Options {
    fn default() -> Self {
        let by = Arc::from("");
        Self { instances: 2, steps: 4, by, wait: Duration::ZERO, stop: Stop::default(), kill: Kill::default() }
    }
}

/// A request to stop: what has begun is finished, nothing new is begun.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Was it asked?
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Renders an instance again: what it wants now. `None`: it is wanted no more, or cannot be rendered.
pub type Render = Arc<dyn Fn(&InstanceId) -> Option<Arc<Desired>> + Send + Sync>;

/// The hash an instance's plan is bound to, computed from what is wanted and seen now. The planner's own function.
pub type Precondition = fn(&Hash, Option<&InstanceSeen>) -> Hash;

/// What to carry out.
#[derive(Clone)]
pub struct Orders {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What its instances want.
    pub render: Render,
    /// What binds the plan to the world.
    pub precondition: Precondition,
}

/// Carries out a plan, all of its instances. It never fails as a whole: each instance says how it ended.
pub async fn apply(orders: &Orders, ports: &Ports, options: &Options) -> Report {
    let began = ports.clock.monotonic();
    let all: BTreeMap<&InstanceId, &InstancePlan> =
        orders.plan.instances.iter().map(|plan| (&plan.instance, plan)).collect();
    let mut ends: BTreeMap<InstanceId, InstanceReport> = BTreeMap::new();
    fetch::images(orders, ports, options).await;
    for wave in waves(&orders.plan) {
        let turns = wave.iter().filter_map(|instance| all.get(instance).map(|plan| (*plan).clone())).collect();
        for report in run_wave(turns, orders, ports, options).await {
            ends.insert(report.instance.clone(), report);
        }
    }
    let instances = orders.plan.instances.iter().filter_map(|plan| ends.remove(&plan.instance)).collect();
    let again = Vec::new();
    Report { plan: orders.plan.id.clone(), instances, again, took: ports.clock.monotonic().saturating_sub(began) }
}

/// The plan's waves; what is in none of them comes last, so that nothing is forgotten silently.
fn waves(plan: &Plan) -> Vec<Vec<InstanceId>> {
    let mut waves = plan.waves.clone();
    let known: std::collections::BTreeSet<InstanceId> = waves.iter().flatten().cloned().collect();
    let rest: Vec<InstanceId> =
        plan.instances.iter().map(|plan| plan.instance.clone()).filter(|instance| !known.contains(instance)).collect();
    if !rest.is_empty() {
        waves.push(rest);
    }
    waves
}

async fn run_wave(turns: Vec<InstancePlan>, orders: &Orders, ports: &Ports, options: &Options) -> Vec<InstanceReport> {
    let room = Arc::new(Semaphore::new(options.instances.max(1)));
    let mut set = JoinSet::new();
    let mut names = BTreeMap::new();
    for plan in turns {
        let (orders, ports, options, room) = (orders.clone(), ports.clone(), options.clone(), room.clone());
        let instance = plan.instance.clone();
        let task = set.spawn(async move {
            // The semaphore is never closed; without a permit it would only be more at once.
            let _permit = room.acquire().await.ok();
            take(&plan, &orders, &ports, &options).await
        });
        names.insert(task.id(), instance);
    }
    let mut reports = Vec::new();
    while let Some(ended) = set.join_next_with_id().await {
        match ended {
            Ok((_, report)) => reports.push(report),
            Err(error) => {
                let Some(instance) = names.get(&error.id()) else { continue };
                let why = panic_text(error);
                reports.push(InstanceReport::new(instance.clone(), End::Bug(why), Duration::ZERO));
            }
        }
    }
    reports
}

fn panic_text(error: tokio::task::JoinError) -> Arc<str> {
    if !error.is_panic() {
        return "the instance's turn was cut off".into();
    }
    let panic = error.into_panic();
    let text =
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned()).into()
}
