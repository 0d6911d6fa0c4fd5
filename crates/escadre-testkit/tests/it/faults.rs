//! The differential oracle: killed, failed and unanswered at every step, the end is the undisturbed one, or (for failures) the former state.

use crate::happy::{desk, images};
use escadre_engine::apply::End;
use escadre_model::desired::{Condition, State};
use escadre_model::observed::Lookup;
use escadre_testkit::bench::{Bench, paused};
use escadre_testkit::sketch::{ServiceSketch, Sketch};
use escadre_testkit::world::{Behaviour, Fault};

/// From what, to what.
fn journeys() -> Vec<(&'static str, Option<Sketch>, Sketch)> {
    vec![
        ("create", None, desk("api:1")),
        ("update", Some(desk("api:1")), desk("api:2")),
        ("down", Some(desk("api:1")), desk("api:1").state(State::Removed)),
        ("stop first", Some(desk("api:1")), stop_first("api:2")),
        ("follow", Some(stack("api:1", "once:1")), stack("api:2", "once:1")),
        ("need not follow", Some(stack("api:1", "again:1")), stack("api:2", "again:1")),
    ]
}

/// The api stops before its successor starts.
fn stop_first(api: &str) -> Sketch {
    let mut sketch = desk(api);
    sketch.services.iter_mut().filter(|one| one.key == "api").for_each(|one| one.stop_first = true);
    sketch
}

/// A front that calls the api, and a worker that does.
fn stack(api: &str, caller: &str) -> Sketch {
    let mut sketch = desk(api);
    sketch.services.push(ServiceSketch::new("web", caller).check().port(80).after("api", Condition::Healthy));
    sketch.services.push(ServiceSketch::new("worker", caller).stop_first().after("api", Condition::Started));
    sketch
}

async fn begin(from: &Option<Sketch>) -> Bench {
    let bench = Bench::new();
    images(&bench);
    bench.image("once:1", Behaviour { calls: Some(Lookup::Once), ..Behaviour::healthy(500) });
    bench.image("again:1", Behaviour { calls: Some(Lookup::Again), ..Behaviour::healthy(500) });
    if let Some(from) = from {
        bench.up(&[from.clone()]).await;
    }
    bench.world.kill_at(None);
    bench.world.fault_at(None);
    bench
}

#[test]
fn killed_at_every_point() {
    for (name, from, to) in journeys() {
        let (wanted, points) = paused(async {
            let bench = begin(&from).await;
            bench.up(&[to.clone()]).await;
            (bench.snapshot(), bench.world.points())
        });
        assert!(points > 10, "{name}: only {points} points");
        for k in 1..=points {
            paused(async {
                let bench = begin(&from).await;
                bench.world.kill_at(Some(k));
                let ended = bench.world.until_killed(bench.up(&[to.clone()])).await;
                assert!(ended.is_none(), "{name}: not killed at {k} of {points}");
                bench.world.kill_at(None);
                let report = bench.up(&[to.clone()]).await;
                assert_eq!(report.code(), 0, "{name} killed at {k}: {report:#?}");
                // A run that was finished by recovery makes the plan made before it stale or done; the next one has nothing to do.
                let report = bench.up(&[to.clone()]).await;
                assert!(matches!(report.instances[0].end, End::NothingToDo), "{name} killed at {k}: {report:#?}");
                assert_eq!(wanted, bench.snapshot(), "{name} killed at {k} of {points}");
                bench.sound(&[to.id()]).await.unwrap_or_else(|error| panic!("{name} killed at {k}: {error}"));
            });
        }
    }
}

#[test]
fn the_same_plan_goes_on_after_death_at_every_point() {
    for (name, from, to) in journeys() {
        let (wanted, points) = paused(async {
            let bench = begin(&from).await;
            bench.up(&[to.clone()]).await;
            (bench.snapshot(), bench.world.points())
        });
        for k in 1..=points {
            paused(async {
                let bench = begin(&from).await;
                let prepared = bench.plan(&[to.clone()]).await;
                bench.world.kill_at(Some(k));
                let _ = bench.world.until_killed(bench.apply(&prepared)).await;
                bench.world.kill_at(None);
                let report = bench.apply(&prepared).await;
                let end = &report.instances[0].end;
                assert!(matches!(end, End::Done(_) | End::AlreadyDone), "{name} killed at {k}: {end:?}");
                assert_eq!(wanted, bench.snapshot(), "{name} killed at {k} of {points}");
                bench.sound(&[to.id()]).await.unwrap_or_else(|error| panic!("{name} killed at {k}: {error}"));
            });
        }
    }
}

#[test]
fn killed_twice() {
    // The recovery itself dies, at every one of its points.
    for (name, from, to) in journeys() {
        let (wanted, points) = paused(async {
            let bench = begin(&from).await;
            bench.up(&[to.clone()]).await;
            (bench.snapshot(), bench.world.points())
        });
        for first in (1..=points).step_by(3) {
            for second in 1..=8 {
                paused(async {
                    let bench = begin(&from).await;
                    for k in [first, second] {
                        bench.world.kill_at(Some(k));
                        let _ = bench.world.until_killed(bench.up(&[to.clone()])).await;
                    }
                    bench.world.kill_at(None);
                    bench.up(&[to.clone()]).await;
                    assert_eq!(wanted, bench.snapshot(), "{name} killed at {first}, then at {second}");
                    bench.sound(&[to.id()]).await.unwrap_or_else(|error| panic!("{name} {first} {second}: {error}"));
                });
            }
        }
    }
}

#[test]
fn refused_at_every_call() {
    for (name, from, to) in journeys() {
        let (former, calls) = paused(async {
            let bench = begin(&from).await;
            let former = bench.snapshot();
            bench.up(&[to.clone()]).await;
            (former, bench.world.mutating())
        });
        for k in 1..=calls {
            paused(async {
                let bench = begin(&from).await;
                bench.world.fault_at(Some((k, Fault::Refuse)));
                let report = bench.up(&[to.clone()]).await;
                match &report.instances[0].end {
                    // Volumes stay: going back never removes data.
                    End::WentBack(_) => {
                        let now = bench.snapshot();
                        let kept = |line: &&str| !line.starts_with("volume") || former.contains(*line);
                        let now: String = now.lines().filter(kept).map(|line| format!("{line}\n")).collect();
                        assert_eq!(former, now, "{name} refused at {k} of {calls}");
                    }
                    End::Done(left) => assert_eq!(left.len().min(1), 1, "{name} refused at {k}: nothing left over?"),
                    other => panic!("{name} refused at {k}: {other:?}"),
                }
                bench.sound(&[to.id()]).await.unwrap_or_else(|error| panic!("{name} refused at {k}: {error}"));
            });
        }
    }
}

#[test]
fn unanswered_at_every_call() {
    for fault in [Fault::Lost, Fault::Silent, Fault::Slow] {
        for (name, from, to) in journeys() {
            let (wanted, calls) = paused(async {
                let bench = begin(&from).await;
                bench.up(&[to.clone()]).await;
                (bench.snapshot(), bench.world.mutating())
            });
            for k in 1..=calls {
                paused(async {
                    let bench = begin(&from).await;
                    bench.world.fault_at(Some((k, fault)));
                    let report = bench.up(&[to.clone()]).await;
                    assert_eq!(report.code(), 0, "{name} {fault:?} at {k} of {calls}: {report:#?}");
                    assert_eq!(wanted, bench.snapshot(), "{name} {fault:?} at {k} of {calls}");
                    bench.sound(&[to.id()]).await.unwrap_or_else(|error| panic!("{name} {fault:?} at {k}: {error}"));
                });
            }
        }
    }
}
