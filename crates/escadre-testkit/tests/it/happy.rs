//! What should simply work.

use escadre_engine::apply::End;
use escadre_model::desired::{Condition, State};
use escadre_testkit::bench::{Bench, paused};
use escadre_testkit::sketch::{ServiceSketch, Sketch};
use escadre_testkit::world::Behaviour;

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
        let (fr, mut es) = (desk("api:1"), desk("api:1"));
        es.instance = "es".into();
        let (plan, desired) = bench.plan(&[es.clone(), fr.clone()]).await;
        bench.up(&[fr.clone()]).await;
        let report = bench.apply(&plan, &desired).await;
        assert!(matches!(report.instances[0].end, End::Done(_)), "{report:#?}");
        assert!(matches!(report.instances[1].end, End::Refused(_)), "{report:#?}");
        assert_eq!(report.code(), 3);
    });
}
