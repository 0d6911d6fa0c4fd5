//! Timings, printed and not asserted (`cargo test --release -p escadre-plan bench -- --nocapture`).
use crate::world::*;
use escadre_model::desired::Desired;
use std::io::Write;
use std::time::Instant;

fn fleet(instances: usize, services: usize, image: &str) -> Vec<Desired> {
    let make = |index: usize| {
        let mut desired = instance("desk", &format!("c{index:05}"));
        for number in 0..services {
            service(&format!("s{number}"), image).into(&mut desired);
        }
        http(&mut desired, "portal", "s0", &format!("c{index}.example.org"));
        desired
    };
    (0..instances).map(make).collect()
}

#[test]
fn bench_of_plans() {
    let sizes: &[(usize, usize)] =
        if cfg!(debug_assertions) { &[(20, 20)] } else { &[(100, 20), (200, 20), (1_000, 20)] };
    for (instances, services) in sizes {
        let mut world = World::new();
        world.target.pool = "10.0.0.0/8".into();
        let desired = fleet(*instances, *services, "app:1");
        let first = world.bare_plan(&desired);
        let (plan, create) = first;
        world.apply(&plan, &desired);
        let (_, same) = world.bare_plan(&desired);
        let next = fleet(*instances, *services, "app:2");
        let (plan, change) = world.bare_plan(&next);
        let start = Instant::now();
        let _ = plan.content_id();
        let id = start.elapsed();
        let start = Instant::now();
        desired.iter().for_each(|one| drop(one.hash()));
        let hashes = start.elapsed();
        let mut out = std::io::stderr();
        let _ = writeln!(
            out,
            "{instances} x {services}: create {create:?}, unchanged {same:?}, all changed {change:?} (of it plan id {id:?}, hashes of Desired {hashes:?})"
        );
    }
}

impl World {
    fn bare_plan(&self, desired: &[Desired]) -> (escadre_plan::plan::Plan, std::time::Duration) {
        let start = Instant::now();
        let plan = self.plan_once(desired);
        (plan, start.elapsed())
    }
}
