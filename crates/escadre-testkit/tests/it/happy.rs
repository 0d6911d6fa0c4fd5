//! What should simply work.

use escadre_engine::apply::{End, Refused};
use escadre_engine::hold::{hold, unhold};
use escadre_engine::ports::{Holder, Store as _};
use escadre_engine::rebuild::{Rebuilt, rebuild};
use escadre_model::desired::{Condition, State};
use escadre_model::observed::Outcome;
use escadre_plan::plan::Consent;
use escadre_testkit::bench::{Bench, paused};
use escadre_testkit::sketch::{ServiceSketch, Sketch};
use escadre_testkit::world::{Behaviour, Fault};
use std::sync::Arc;

pub(crate) fn images(bench: &Bench) {
    bench.image("db:1", Behaviour::healthy(2000));
    bench.image("api:1", Behaviour::healthy(500));
    bench.image("api:2", Behaviour::healthy(700));
    bench.image("bad:1", Behaviour::exits(78, 2000));
    bench.image("mute:1", Behaviour::never());
    bench.image("migrate:1", Behaviour::exits(0, 1000));
    bench.image("broken-job:1", Behaviour::exits(3, 1000));
}

pub(crate) fn desk(api: &str) -> Sketch {
    let services = vec![
        ServiceSketch::new("db", "db:1").check().volume("data"),
        ServiceSketch::new("migrate", "migrate:1").job().after("db", Condition::Healthy),
        ServiceSketch::new("api", api)
            .check()
            .port(80)
            .file("conf", "x = 1")
            .after("db", Condition::Healthy)
            .after("migrate", Condition::Completed),
    ];
    Sketch::new("desk", "fr", services)
}

#[test]
fn first_up_then_nothing() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        let report = bench.up(&[desk("api:1")]).await;
        assert!(matches!(report.instances[0].end, End::Done(_)), "{:#?}", report);
        bench.sound(&[desk("api:1").id()]).await.unwrap();
        let before = bench.snapshot();
        assert_eq!(before.matches("runs").count(), 2, "{before}");
        bench.world.fault_at(None);
        let report = bench.up(&[desk("api:1")]).await;
        assert!(matches!(report.instances[0].end, End::NothingToDo), "{:#?}", report);
        assert_eq!(bench.world.mutating(), 0);
        assert_eq!(before, bench.snapshot());
    });
}

#[test]
fn a_journal_without_parts_is_read() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let desired = desk("api:1").desired();
        let whole = serde_json::to_vec(&desired).expect("JSON");
        bench.store.append(Vec::new(), vec![(desired.hash(), whole.into())]).await.unwrap();
        let report = bench.up(&[desk("api:1")]).await;
        assert!(matches!(report.instances[0].end, End::NothingToDo), "{:#?}", report);
        let report = bench.up(&[desk("api:2")]).await;
        assert!(matches!(report.instances[0].end, End::Done(_)), "{:#?}", report);
    });
}

#[test]
fn an_image_changes() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let report = bench.up(&[desk("api:2")]).await;
        assert_eq!(report.code(), 0, "{:#?}", report);
        bench.sound(&[desk("api:1").id()]).await.unwrap();
        let after = bench.snapshot();
        assert_eq!(after.matches("service/api").count(), 2, "container and backend: {after}");
    });
}

#[test]
fn a_crash_goes_back_and_holds() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let before = bench.snapshot();
        let report = bench.up(&[desk("bad:1")]).await;
        let End::WentBack(failure) = &report.instances[0].end else { panic!("{report:#?}") };
        assert_eq!(&*failure.why, "api ended with code 78 after 2000 ms");
        assert!(failure.hold.as_ref().unwrap().against.is_some());
        assert_eq!(report.code(), 4);
        assert_eq!(before, bench.snapshot());
        bench.sound(&[desk("api:1").id()]).await.unwrap();
        let seen = bench.observe(&desk("bad:1")).await;
        let record = &seen.instances[&desk("bad:1").id()].record;
        assert_eq!(record.receipts.len(), 2);
        assert!(record.hold.is_some());
        let report = bench.up(&[desk("api:2")]).await;
        assert_eq!(report.code(), 0);
        assert!(bench.observe(&desk("api:2")).await.instances[&desk("bad:1").id()].record.hold.is_none());
    });
}

#[test]
fn a_failed_undo_is_stuck_and_nothing_more_happens() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        bench.world.undo_fails_at(Some(1));
        let report = bench.up(&[desk("mute:1")]).await;
        assert!(matches!(report.instances[0].end, End::Stuck(_)), "{report:#?}");
        let undos = bench.world.calls().iter().filter(|call| call.verb == "undo").count();
        assert_eq!(undos, 1, "nothing automatic after a failed undo");
        let hold = bench.observe(&desk("api:1")).await.instances[&desk("api:1").id()].record.hold.clone().unwrap();
        assert_eq!(hold.against, None);
    });
}

#[test]
fn images_of_all_instances_are_there_before_any_of_them_stops() {
    paused(async {
        let mut bench = Bench::new();
        images(&bench);
        bench.image("api:3", Behaviour::healthy(500));
        let es = |api: &str| Sketch { instance: "es".into(), ..desk(api) };
        bench.up(&[desk("api:1"), es("api:1")]).await;
        bench.world.calls();
        // One after the other: by themselves, the second would ask for its image when the first is long done.
        bench.options.instances = 1;
        let report = bench.up(&[desk("api:2"), es("api:3")]).await;
        assert_eq!(report.code(), 0, "{report:#?}");
        let calls = bench.world.calls();
        let done = calls.iter().filter(|call| call.verb == "perform");
        let first: Vec<_> =
            done.take_while(|call| call.act == "ensure image").filter_map(|call| call.on.clone()).collect();
        let images: Vec<&str> = first.iter().map(|on| on.resource.key.as_ref()).take(2).collect();
        assert_eq!(images, ["api:3", "api:2"], "each once, before anything else: {first:?}");
        // One that is not to be had concerns those alone who need it.
        let report = bench.up(&[desk("nowhere:1"), es("api:2")]).await;
        assert!(matches!(report.instances[0].end, End::Done(_)), "{report:#?}");
        assert!(matches!(report.instances[1].end, End::WentBack(_)), "{report:#?}");
    });
}

#[test]
fn down_keeps_volumes() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let report = bench.up(&[desk("api:1").state(State::Removed)]).await;
        assert_eq!(report.code(), 0, "{report:#?}");
        let after = bench.snapshot();
        assert!(after.contains("volume desk_fr_data"), "{after}");
        assert!(!after.contains("container") && !after.contains("network"), "{after}");
        bench.sound(&[desk("api:1").id()]).await.unwrap();
    });
}

#[test]
fn a_stale_plan_is_refused_and_the_others_proceed() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        let both = |api: &str| {
            let mut es = desk(api);
            es.instance = "es".into();
            [desk(api), es]
        };
        bench.up(&both("api:1")).await;
        let prepared = bench.plan(&both("api:2")).await;
        bench.world.with(|state, _| {
            let container = state.containers.iter_mut().find(|(name, _)| name.starts_with("desk_fr_api"));
            container.unwrap().1.fields = escadre_model::hash::Hash::of("changed by hand");
        });
        let report = bench.apply(&prepared).await;
        assert!(matches!(report.instances[0].end, End::Done(_)), "{report:#?}");
        let End::Refused(Refused::RunsOther(differs)) = &report.instances[1].end else { panic!("{report:#?}") };
        assert_eq!(differs[..], ["api was changed by hand: its name, its image or its networks".into()]);
        assert_eq!(report.code(), 3);
        // The same again: what is done is left alone.
        let report = bench.apply(&prepared).await;
        assert!(matches!(report.instances[0].end, End::AlreadyDone), "{report:#?}");
    });
}

#[test]
fn a_job_that_ran_does_not_run_again_after_going_back() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        let report = bench.up(&[desk("bad:1")]).await;
        let End::WentBack(failure) = &report.instances[0].end else { panic!("{report:#?}") };
        assert_eq!(failure.not_undone.len(), 1, "the job: {failure:#?}");
        assert_eq!(report.instances[0].ran, ["migrate".into()]);
        let report = bench.up(&[desk("api:1")]).await;
        assert_eq!(report.code(), 0, "{report:#?}");
        assert!(report.instances[0].ran.is_empty(), "its volume is still there, so is what it did: {report:#?}");
    });
}

#[test]
fn a_hold_by_hand_stands_against_everything() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let id = desk("api:1").id();
        hold(&id, "audit", bench.ports(), &bench.options).await.unwrap();
        let report = bench.up(&[desk("api:2")]).await;
        assert!(matches!(report.instances[0].end, End::Refused(Refused::Plan(_))), "{report:#?}");
        unhold(&id, bench.ports(), &bench.options).await.unwrap();
        assert_eq!(bench.up(&[desk("api:2")]).await.code(), 0);
    });
}

#[test]
fn a_lock_that_somebody_holds() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        let holder = Holder { by: "ops".into(), plan: "7c41e9".into(), alive: true, ..Holder::default() };
        bench.locks.foreign(&desk("api:1").id(), Some(holder));
        let report = bench.up(&[desk("api:1")]).await;
        let End::Refused(Refused::Locked(holder)) = &report.instances[0].end else { panic!("{report:#?}") };
        assert_eq!((&*holder.by, report.code()), ("ops", 3));
        assert_eq!(bench.snapshot(), "");
    });
}

#[test]
fn the_record_is_made_anew_from_labels() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let before = bench.snapshot();
        bench.store.lose();
        let sketch = desk("api:1");
        let desired = [(sketch.id(), Arc::new(sketch.desired()))].into();
        let rebuilt = rebuild(&sketch.id().fleet, "id:test", &desired, bench.ports(), &bench.options).await.unwrap();
        assert!(matches!(rebuilt[&sketch.id()], Rebuilt::Adopted { things: 5, .. }), "{rebuilt:?}");
        let prepared = bench.plan(&[sketch.clone()]).await;
        assert_eq!(prepared.plan.instances[0].consent, Consent::Nothing, "{:#?}", prepared.plan);
        bench.world.fault_at(None);
        assert_eq!(bench.up(&[sketch.clone()]).await.code(), 0);
        assert_eq!((bench.world.mutating(), bench.snapshot()), (0, before));
        let again = rebuild(&sketch.id().fleet, "id:test", &desired, bench.ports(), &bench.options).await.unwrap();
        assert_eq!(again[&sketch.id()], Rebuilt::NotNeeded);
    });
}

#[test]
fn nothing_wanted_deletes_nothing() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let before = bench.snapshot();
        for (listed, cut) in [(true, false), (false, false), (true, true)] {
            bench.world.incomplete(cut);
            let mut asked = bench.asked(&[desk("api:1")]);
            (asked.desired, asked.listed) = (Vec::new(), listed);
            bench.world.fault_at(None);
            assert_eq!(bench.verb(&asked).await.code(), 0);
            assert_eq!((bench.world.mutating(), bench.snapshot()), (0, before.clone()));
        }
        // A list that was cut: what is wanted is not made a second time either.
        let report = bench.up(&[desk("api:1")]).await;
        assert!(matches!(report.instances[0].end, End::Refused(Refused::Plan(_))), "{report:#?}");
        assert_eq!(before, bench.snapshot());
    });
}

#[test]
fn a_full_disk_stops_before_the_world_is_touched() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.store.set_full(true);
        let report = bench.up(&[desk("api:1")]).await;
        assert!(matches!(report.instances[0].end, End::Broken { .. }), "{report:#?}");
        assert_eq!((report.code(), bench.snapshot()), (4, String::new()));
        bench.store.set_full(false);
        assert_eq!(bench.up(&[desk("api:1")]).await.code(), 0);
    });
}

#[test]
fn down_by_name_without_a_file() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        let mut asked = bench.asked(&[desk("api:1")]);
        asked.desired = Vec::new();
        asked.options.only = Some([desk("api:1").id()].into());
        asked.options.down = true;
        assert_eq!(bench.verb(&asked).await.code(), 0);
        assert_eq!(bench.snapshot(), "volume desk_fr_data ours true\n");
        let seen = bench.observe(&desk("api:1")).await;
        assert_eq!(seen.instances[&desk("api:1").id()].record.receipts[0].outcome, Outcome::Removed);
    });
}

#[test]
fn a_panic_stops_no_other_instance_and_is_recovered_from() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        let mut es = desk("api:1");
        es.instance = "es".into();
        bench.world.fault_at(Some((9, Fault::Panic)));
        let report = bench.up(&[desk("api:1"), es.clone()]).await;
        let bugs = report.instances.iter().filter(|one| matches!(one.end, End::Bug(_))).count();
        let done = report.instances.iter().filter(|one| matches!(one.end, End::Done(_))).count();
        assert_eq!((bugs, done, report.code()), (1, 1, 255), "{report:#?}");
        bench.world.fault_at(None);
        assert_eq!(bench.up(&[desk("api:1"), es.clone()]).await.code(), 0);
        bench.sound(&[desk("api:1").id(), es.id()]).await.unwrap();
    });
}

#[test]
fn asked_to_stop_nothing_new_begins() {
    paused(async {
        let bench = Bench::new();
        images(&bench);
        bench.options.stop.ask();
        let report = bench.up(&[desk("api:1")]).await;
        assert!(matches!(report.instances[0].end, End::NotBegun), "{report:#?}");
        assert_eq!((report.code(), bench.snapshot()), (3, String::new()));
    });
}
