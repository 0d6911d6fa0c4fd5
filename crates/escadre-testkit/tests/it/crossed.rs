//! Two state folders on one engine: what the one chose, the other has taken before its step came.

use crate::happy::{desk, images};
use escadre_engine::apply::{End, Failure, Render, Report};
use escadre_engine::ports::Event;
use escadre_engine::reconcile::{self, Asked, Prepared};
use escadre_plan::plan::Plan;
use escadre_plan::step::Act;
use escadre_testkit::bench::{Bench, paused};
use escadre_testkit::sketch::Sketch;
use escadre_testkit::world::Network;
use std::sync::{Arc, Mutex};

/// One side: an engine of its own in the common world, what it wants, and its plan.
struct Side {
    bench: Bench,
    sketch: Sketch,
    asked: Asked,
    prepared: Prepared,
}

impl Side {
    async fn new(bench: Bench, fleet: &str, pool: &str, rootless: bool) -> Self {
        images(&bench);
        let sketch = Sketch { fleet: fleet.into(), ..desk("api:1") };
        let mut asked = bench.asked(std::slice::from_ref(&sketch));
        asked.target.pool = pool.into();
        asked.target.rootless = rootless;
        let prepared = bench.plan_for(&asked).await;
        Self { bench, sketch, asked, prepared }
    }

    /// Carries its plan out; `keep` sees each plan that follows.
    async fn go(&self, keep: &(dyn Fn(&Plan) -> bool + Sync)) -> Report {
        let desired = self.prepared.desired.clone();
        let render: Render = Arc::new(move |id| desired.get(id).cloned());
        let plan = self.prepared.plan.clone();
        reconcile::carry_out_asked(&self.asked, plan, render, self.bench.ports(), &self.bench.options, keep).await
    }

    async fn sound(&self) {
        self.bench.sound(&[self.sketch.id()]).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

fn subnet(plan: &Plan) -> Arc<str> {
    let steps = plan.instances.iter().flat_map(|one| &one.steps);
    let mut found = steps.filter_map(|step| match &step.act {
        Act::EnsureNetwork { subnet, .. } => subnet.clone(),
        _ => None,
    });
    found.next().expect("a network")
}

/// Two that chose the same, each before the other did anything: their names choose, so one is looked for that chooses the same of two.
async fn two(pool: &str) -> [Side; 2] {
    let one = Side::new(Bench::new(), "desk", pool, false).await;
    for n in 0..64 {
        let other = Side::new(one.bench.beside(), &format!("desk-{n}"), pool, false).await;
        if subnet(&other.prepared.plan) == subnet(&one.prepared.plan) {
            return [one, other];
        }
    }
    panic!("none of 64 names chooses the same of two subnets")
}

fn failure(report: &Report) -> &Failure {
    let End::WentBack(failure) = &report.instances[0].end else { panic!("{report:#?}") };
    failure
}

#[test]
fn a_subnet_that_the_other_one_took_is_chosen_again() {
    paused(async {
        let [one, other] = two("10.210.0.0/25").await;
        let first = subnet(&other.prepared.plan);
        assert_eq!(one.go(&|_| true).await.code(), 0);
        // One that was saved is carried out as it is or not at all; it holds nothing, and leaves no network.
        let report = other.bench.apply(&other.prepared).await;
        let failed = failure(&report);
        assert!(failed.crossed && failed.hold.is_none() && failed.why.contains(&*first), "{failed:#?}");
        assert_eq!(other.bench.world.with(|state, _| state.networks.len()), 1);

        let [one, other] = two("10.210.0.0/25").await;
        assert_eq!(one.go(&|_| true).await.code(), 0);
        other.bench.told.take();
        let kept = Mutex::new(Vec::new());
        let report = other.go(&|plan| kept.lock().map(|mut kept| kept.push(plan.clone())).is_ok()).await;
        assert!(matches!(report.instances[0].end, End::Done(_)), "{report:#?}");
        let kept = kept.into_inner().expect("no panic");
        let [again] = &report.again[..] else { panic!("{report:#?}") };
        assert_eq!((kept.len(), &kept[0].id, &report.plan), (1, &again.plan, &other.prepared.plan.id));
        let second = subnet(&kept[0]);
        assert_ne!(first, second);
        assert_eq!(*again.otherwise, format!("subnet {second} instead of {first}"));
        assert!(again.why.contains(&*first), "{}", again.why);
        let told = other.bench.told.take();
        assert!(told.contains(&Event::InstanceAgain(other.sketch.id(), again.otherwise.clone())), "{told:?}");
        let mut there: Vec<Arc<str>> =
            other.bench.world.with(|state, _| state.networks.values().map(|one| one.subnet.clone()).collect());
        there.sort();
        assert_eq!(there, ["10.210.0.0/26".into(), "10.210.0.64/26".into()]);
        one.sound().await;
        other.sound().await;
    });
}

#[test]
fn a_loopback_port_that_the_other_one_took_is_chosen_again() {
    paused(async {
        let one = Side::new(Bench::new(), "desk", "10.210.0.0/16", true).await;
        let other = Side::new(one.bench.beside(), "bureau", "10.210.0.0/16", true).await;
        assert_eq!(one.go(&|_| true).await.code(), 0);
        let report = other.go(&|_| true).await;
        assert!(matches!(report.instances[0].end, End::Done(_)), "{report:#?}");
        let [again] = &report.again[..] else { panic!("{report:#?}") };
        assert_eq!(&*again.otherwise, "port 20001 instead of 20000");
        one.sound().await;
        other.sound().await;
    });
}

#[test]
fn what_is_not_to_be_had_any_more_is_not_tried_again() {
    paused(async {
        let [one, other] = two("10.210.0.0/26").await;
        assert_eq!(one.go(&|_| true).await.code(), 0);
        let report = other.go(&|_| panic!("there is no other subnet")).await;
        assert!(failure(&report).crossed && report.again.is_empty(), "{report:#?}");
        other.sound().await;
    });
}

#[test]
fn whoever_takes_every_subnet_is_left_alone_in_the_end() {
    paused(async {
        let [one, other] = two("10.210.0.0/22").await;
        assert_eq!(one.go(&|_| true).await.code(), 0);
        let steal = |plan: &Plan| {
            let (name, subnet) = (plan.id.clone(), subnet(plan));
            let theirs = Network { engine: name.clone(), owner: None, spec: None, subnet, compose: None };
            other.bench.world.with(|state, _| state.networks.insert(name, theirs)).is_none()
        };
        let report = other.go(&steal).await;
        assert_eq!(report.again.len(), 3, "{report:#?}");
        assert!(failure(&report).crossed);
        // One that cannot be kept is not begun.
        let before = other.bench.snapshot();
        let report = other.go(&|_| false).await;
        assert!(report.again.is_empty(), "{report:#?}");
        assert_eq!(before, other.bench.snapshot());
        other.sound().await;
    });
}
