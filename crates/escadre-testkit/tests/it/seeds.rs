//! Sequences by chance: edits, deaths, faults and hands that change things, then one undisturbed run: the end is that of an undisturbed world.
//! A failing seed is printed; put it into `KNOWN` and it is tried for ever.

use crate::happy::{desk, images};
use escadre_engine::hold::unhold;
use escadre_model::desired::State;
use escadre_testkit::bench::{Bench, paused};
use escadre_testkit::sketch::Sketch;
use escadre_testkit::world::Fault;

/// Seeds that once failed.
const KNOWN: [u64; 0] = [];
/// How many new ones.
const SEEDS: u64 = 60;

/// A small generator: the same seed, the same story.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn wish(chance: &mut Chance) -> Sketch {
    match chance.below(6) {
        0 | 1 => desk("api:1"),
        2 => desk("api:2"),
        3 => desk("bad:1"),
        4 => desk("mute:1"),
        _ => desk("api:1").state(State::Removed),
    }
}

async fn disturbed(seed: u64) -> String {
    let mut chance = Chance(seed);
    let bench = Bench::new();
    images(&bench);
    for _ in 0..6 {
        let wish = wish(&mut chance);
        match chance.below(4) {
            0 => bench.world.kill_at(Some(1 + chance.below(70))),
            1 => {
                let faults = [Fault::Refuse, Fault::Lost, Fault::Silent, Fault::Slow];
                let at = 1 + chance.below(18);
                let fault = usize::try_from(chance.below(4)).ok().and_then(|at| faults.get(at));
                bench.world.fault_at(fault.map(|fault| (at, *fault)));
            }
            2 => {
                // Somebody stops a container by hand.
                let nth = usize::try_from(chance.below(4)).unwrap_or(0);
                bench.world.with(|state, _| {
                    if let Some(container) = state.containers.values_mut().nth(nth).filter(|one| !one.job) {
                        container.stopped = container.started.map(|_| 137);
                    }
                });
            }
            _ => {}
        }
        let _ = bench.world.until_killed(bench.up(&[wish])).await;
        bench.world.kill_at(None);
        bench.world.fault_at(None);
    }
    unhold(&desk("api:2").id(), bench.ports(), &bench.options).await.unwrap();
    let report = bench.up(&[desk("api:2")]).await;
    assert_eq!(report.code(), 0, "seed {seed}: {report:#?}");
    bench.world.fault_at(None);
    bench.up(&[desk("api:2")]).await;
    assert_eq!(bench.world.mutating(), 0, "seed {seed}: a second run had something to do");
    bench.sound(&[desk("api:2").id()]).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    bench.snapshot()
}

#[test]
fn whatever_happened_the_next_run_makes_it_right() {
    let wanted = paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:2")]).await;
        bench.snapshot()
    });
    for seed in KNOWN.into_iter().chain(1..=SEEDS) {
        assert_eq!(wanted, paused(disturbed(seed)), "seed {seed}");
    }
}
