//! The life of a container on a real engine: every step done, repeated, found, undone, undone again.

use super::world::{World, on_each_engine};
use escadre_drivers::podman::Exec;
use escadre_engine::ports::{Changed, Driver, Error, Found, LogQuery, Scope};
use escadre_model::desired::HealthCheck;
use escadre_model::ids::Kind;
use escadre_model::observed::{EngineId, Phase};
use escadre_plan::step::{Act, HostLine, PlannedGate};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;

const SERVE: &[&str] = &["sh", "-c", "echo hello from web; echo oops >&2; exec httpd -f -p 80 -h /data"];

async fn ground(world: &mut World) {
    for step in world.groundwork() {
        let first = world.perform(&step).await.unwrap();
        let again = world.perform(&step).await.unwrap();
        assert_eq!(again.changed, Changed::NotNeeded, "{:?}", step.act);
        if matches!(step.act, Act::EnsureImage { .. }) {
            assert!(first.image.is_some());
        } else {
            assert_eq!(first.changed, Changed::Added, "{:?}", step.act);
        }
    }
}

async fn said(world: &World, command: &[&str]) -> (i64, String) {
    let exec = Exec { command: command.iter().map(ToString::to_string).collect(), ..Exec::default() };
    let session = world.engine.exec(&world.container(1), &exec).await.unwrap();
    let mut out = Vec::new();
    let code = world.engine.converse(session, tokio::io::empty(), &mut out, tokio::io::sink()).await.unwrap();
    (code, String::from_utf8_lossy(&out).into_owned())
}

on_each_engine!(a_container_from_nothing_to_nothing, "life");
async fn a_container_from_nothing_to_nothing(mut world: World) {
    world.product(SERVE, json!({}));
    ground(&mut world).await;

    let create = world.step(world.web(1), Act::Create(world.placement(1, 4)));
    assert_eq!(world.engine.find(&world.job(&create)).await.unwrap(), Found::NotDone);
    let made = world.perform(&create).await.unwrap();
    assert_eq!(made.changed, Changed::Added);
    let again = world.perform(&create).await.unwrap();
    assert_eq!((again.changed, &again.engine, &again.fields), (Changed::NotNeeded, &made.engine, &made.fields));
    assert!(made.fields.is_some());
    assert!(matches!(world.engine.find(&world.job(&create)).await.unwrap(), Found::Done(_)));

    let start = world.step(world.web(1), Act::Start { name: world.container(1) });
    assert_eq!(world.engine.find(&world.job(&start)).await.unwrap(), Found::NotDone);
    assert_eq!(world.perform(&start).await.unwrap().changed, Changed::Updated);
    assert_eq!(world.perform(&start).await.unwrap().changed, Changed::NotNeeded);

    let gate =
        PlannedGate::PortOpen { ports: vec![80], times: 3, every_ms: 200, deadline_ms: 10_000, or_alive_ms: None };
    let gate = world.step(world.web(1), Act::Gate { name: world.container(1), gate });
    let seen = world.perform(&gate).await.unwrap().seen.unwrap_or_default();
    assert!(seen.starts_with("port 80 open"), "{seen}");
    // A port that is published or exposed and that nobody listens on does not keep the others from counting.
    let gate = PlannedGate::PortOpen {
        ports: vec![80, 33060],
        times: 3,
        every_ms: 200,
        deadline_ms: 60_000,
        or_alive_ms: None,
    };
    let gate = world.step(world.web(1), Act::Gate { name: world.container(1), gate });
    let seen = world.perform(&gate).await.unwrap().seen.unwrap_or_default();
    assert!(seen.starts_with("of ports 80, 33060 only 80 open for 10 s"), "{seen}");

    let line = |last: u8| HostLine {
        hosts: "front".into(),
        who: "web/1".into(),
        address: world.address(last),
        names: vec!["web".into(), "www".into()],
    };
    let (first, second) = (vec![line(4)], vec![line(5)]);
    let attach = world.step(world.web(1), Act::Attach { lines: first });
    let attached = world.perform(&attach).await.unwrap();
    assert_eq!(attached.changed, Changed::Updated);
    assert_eq!(world.perform(&attach).await.unwrap().changed, Changed::NotNeeded);
    let (_, hosts) = said(&world, &["cat", "/etc/hosts"]).await;
    let own = made.engine.as_ref().map(|id| id.0.get(..12).unwrap_or_default().to_owned()).unwrap_or_default();
    assert!(hosts.contains(&format!("{}\tweb www\t# web/1", world.address(4))), "{hosts}");
    assert!(hosts.contains(&own) && hosts.contains("192.0.2.7\toutside"), "{hosts}");

    // The names move, the container sees it without being touched; undone, they are back.
    let moved = world.step(world.web(1), Act::Attach { lines: second });
    let noted = world.engine.before(&world.job(&moved)).await.unwrap();
    let mut outcome = world.perform(&moved).await.unwrap();
    outcome.before = noted;
    assert!(said(&world, &["cat", "/etc/hosts"]).await.1.contains(&format!("{}\tweb www", world.address(5))));
    world.engine.undo(&world.job(&moved), Some(&outcome)).await.unwrap();
    world.engine.undo(&world.job(&moved), Some(&outcome)).await.unwrap();
    assert!(said(&world, &["cat", "/etc/hosts"]).await.1.contains(&format!("{}\tweb www", world.address(4))));

    assert_eq!(said(&world, &["cat", "/run/secrets/db_password"]).await, (0, "canary-4711".to_owned()));
    assert_eq!(said(&world, &["sh", "-c", "exit 7"]).await.0, 7);
    assert!(world.engine.usage(&world.container(1)).await.unwrap().is_some_and(|usage| usage.memory > 0));

    let mutating = world.engine.door().mutating();
    let began = Instant::now();
    let images = BTreeSet::from([super::world::IMAGE.into(), "localhost/podtest/nobody-made:1".into()]);
    let seen = world.engine.observe(&Scope::Instances(vec![world.desired.instance.clone()]), &images).await.unwrap();
    eprintln!("observe: {:?}", began.elapsed());
    assert_eq!(world.engine.door().mutating(), mutating, "observing changes nothing");
    let instance = seen.instance(&world.desired.instance).unwrap();
    let container = instance.containers.first().unwrap();
    assert_eq!(container.phase, Phase::Running);
    assert_eq!(Some(&container.engine), made.engine.as_ref());
    assert_eq!(container.fields, made.fields, "list and inspection give the same hash");
    assert_eq!(container.addresses.values().copied().collect::<Vec<_>>(), [world.address(4)]);
    assert_eq!(container.volumes.get("data").map(AsRef::as_ref), Some(world.name("data").as_str()));
    assert_eq!((instance.networks.len(), instance.volumes.len()), (1, 1));
    assert_eq!(seen.host.images.keys().map(AsRef::as_ref).collect::<Vec<_>>(), [super::world::IMAGE]);
    assert!(seen.host.subnets.iter().any(|subnet| subnet.as_ref() == world.subnet));

    let (to, mut lines) = tokio::sync::mpsc::channel(100);
    let scope = Scope::Instances(vec![world.desired.instance.clone()]);
    world.engine.logs(&scope, &LogQuery::default(), to).await.unwrap();
    let mut said = Vec::new();
    while let Some(line) = lines.recv().await {
        assert!(line.at.contains('T'), "{line:?}");
        said.push((line.error, line.text.to_string()));
    }
    said.sort();
    assert_eq!(said, [(false, "hello from web".to_owned()), (true, "oops".to_owned())]);

    let stop = Act::Stop { name: world.container(1), grace_ms: 1000, forget: true };
    let stop = world.step(world.web(1), stop);
    let noted = world.engine.before(&world.job(&stop)).await.unwrap();
    let mut stopped = world.perform(&stop).await.unwrap();
    stopped.before = noted;
    assert_eq!(stopped.changed, Changed::Updated);
    assert_eq!(world.perform(&stop).await.unwrap().changed, Changed::NotNeeded);
    assert!(matches!(world.engine.find(&world.job(&stop)).await.unwrap(), Found::Done(_)));
    let after = world.engine.observe(&scope, &BTreeSet::new()).await.unwrap();
    let after = after.instance(&world.desired.instance).and_then(|seen| seen.containers.first().cloned()).unwrap();
    assert_eq!(after.fields, made.fields, "stopping is no drift");
    assert!(matches!(after.phase, Phase::Exited(_)), "{:?}", after.phase);
    assert_eq!(after.addresses, container.addresses, "a stopped container keeps its address");
    world.engine.undo(&world.job(&stop), Some(&stopped)).await.unwrap();
    world.engine.undo(&world.job(&stop), Some(&stopped)).await.unwrap();
    let back = said_hosts(&world).await;
    assert!(back.contains("web www"), "{back}");

    let other = Act::Remove { name: world.container(1), engine: Some(EngineId("another".into())), data: false };
    assert_eq!(world.perform(&world.step(world.web(1), other)).await.unwrap().changed, Changed::NotNeeded);
    world.engine.undo(&world.job(&create), Some(&made)).await.unwrap();
    world.engine.undo(&world.job(&create), Some(&made)).await.unwrap();
    assert_eq!(world.engine.find(&world.job(&create)).await.unwrap(), Found::NotDone);
    assert!(kept_logs(&world).contains("hello from web"), "the log of what was removed is kept");
    world.clean().await;
}

/// Everything below the state folder's `logs/FLEET/INSTANCE`.
fn kept_logs(world: &World) -> String {
    let id = &world.desired.instance;
    let folder = world.state.path().join("logs").join(id.fleet.as_str()).join(id.instance.as_str());
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .collect()
}

async fn said_hosts(world: &World) -> String {
    said(world, &["cat", "/etc/hosts"]).await.1
}

on_each_engine!(a_gate_fails_with_evidence_when_the_container_ends, "ends");
async fn a_gate_fails_with_evidence_when_the_container_ends(mut world: World) {
    // In pieces, as programs do that write the end of a line by itself.
    world.product(
        &["sh", "-c", "printf 'no such '; sleep 0.1; echo settings; sleep 0.1; echo ends; exit 78"],
        json!({}),
    );
    ground(&mut world).await;
    let create = world.step(world.web(1), Act::Create(world.placement(1, 4)));
    world.perform(&create).await.unwrap();
    let start = world.step(world.web(1), Act::Start { name: world.container(1) });
    world.perform(&start).await.unwrap();
    let gate = PlannedGate::Alive { for_ms: 3000 };
    let gate = world.step(world.web(1), Act::Gate { name: world.container(1), gate });
    match world.perform(&gate).await {
        Err(Error::Gate { service, why, evidence }) => {
            assert_eq!(service.as_ref(), "web");
            assert!(why.starts_with("ended with code 78 "), "{why}");
            assert_eq!(evidence.log.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["no such settings", "ends"]);
            assert_eq!(evidence.ended.as_deref(), Some("ended with code 78"));
        }
        other => panic!("{other:?}"),
    }

    // One that stays and opens no port: what was seen last is told.
    world.product(&["sleep", "1000"], json!({}));
    world.perform(&world.step(world.web(2), Act::Create(world.placement(2, 5)))).await.unwrap();
    world.perform(&world.step(world.web(2), Act::Start { name: world.container(2) })).await.unwrap();
    let gate = PlannedGate::PortOpen { ports: vec![80], times: 3, every_ms: 200, deadline_ms: 1500, or_alive_ms: None };
    let gate = world.step(world.web(2), Act::Gate { name: world.container(2), gate });
    match world.perform(&gate).await {
        Err(Error::Gate { why, evidence, .. }) => {
            assert_eq!(why.as_ref(), "did not open port 80 within 1.5 s");
            let probe = evidence.last_probe.unwrap_or_default();
            assert!(probe.ends_with(": no port is open in the container"), "{probe}");
        }
        other => panic!("{other:?}"),
    }
    world.clean().await;
}

on_each_engine!(a_hook_that_fails_before_the_stop_is_told, "prestop");
async fn a_hook_that_fails_before_the_stop_is_told(mut world: World) {
    let hooks = json!({"pre_stop": [{"command": ["sh", "-c", "echo still busy; exit 3"]}, {"command": ["true"]}]});
    world.product(&["sleep", "1000"], json!({"Labels": {"dev.escadre.hooks": hooks.to_string()}}));
    ground(&mut world).await;
    world.perform(&world.step(world.web(1), Act::Create(world.placement(1, 4)))).await.unwrap();
    world.perform(&world.step(world.web(1), Act::Start { name: world.container(1) })).await.unwrap();
    let stop = Act::Stop { name: world.container(1), grace_ms: 1000, forget: false };
    let stopped = world.perform(&world.step(world.web(1), stop)).await.unwrap();
    assert_eq!(stopped.seen.as_deref(), Some("pre_stop: sh -c echo still busy; exit 3 ended with code 3: still busy"));
    assert_eq!(stopped.changed, escadre_engine::ports::Changed::Updated, "it is stopped all the same");
    world.clean().await;
}

on_each_engine!(a_rising_restart_count_fails_a_gate_at_once, "restarts");
async fn a_rising_restart_count_fails_a_gate_at_once(mut world: World) {
    let policy = json!({"HostConfig": {"RestartPolicy": {"Name": "always"}}});
    world.product(&["sh", "-c", "sleep 0.5; exit 3"], policy);
    ground(&mut world).await;
    world.perform(&world.step(world.web(1), Act::Create(world.placement(1, 4)))).await.unwrap();
    world.perform(&world.step(world.web(1), Act::Start { name: world.container(1) })).await.unwrap();
    let gate =
        PlannedGate::PortOpen { ports: vec![80], times: 3, every_ms: 1000, deadline_ms: 20_000, or_alive_ms: None };
    let gate = world.step(world.web(1), Act::Gate { name: world.container(1), gate });
    let began = Instant::now();
    let error = world.perform(&gate).await.err();
    // The next attempt may run already: its code is the last one's all the same.
    let Some(Error::Gate { why, .. }) = &error else { panic!("{error:?}") };
    assert!(why.starts_with("ended with code 3, also when started again ("), "{why}");
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    world.clean().await;
}

on_each_engine!(a_healthcheck_is_run_where_the_engine_does_not, "health");
async fn a_healthcheck_is_run_where_the_engine_does_not(mut world: World) {
    let check = |test: &str| json!({"Test": ["CMD-SHELL", test], "Interval": 500_000_000_u64, "Timeout": 2_000_000_000_u64, "Retries": 2});
    let planned = HealthCheck {
        test: Vec::new(),
        interval_ms: 500,
        timeout_ms: 2000,
        retries: 2,
        start_period_ms: 0,
        start_interval_ms: 5000,
    };
    let slow = &["sh", "-c", "sleep 1; touch /tmp/ok; sleep 1000"];
    world.product(slow, json!({"Healthcheck": check("test -e /tmp/ok")}));
    ground(&mut world).await;
    world.perform(&world.step(world.web(1), Act::Create(world.placement(1, 4)))).await.unwrap();
    world.perform(&world.step(world.web(1), Act::Start { name: world.container(1) })).await.unwrap();
    let planned = HealthCheck { start_period_ms: 3000, ..planned };
    let gate = |world: &World, check: &HealthCheck, generation| {
        let gate = PlannedGate::Healthy { check: check.clone(), deadline_ms: 20_000 };
        world.step(world.web(generation), Act::Gate { name: world.container(generation), gate })
    };
    let seen = world.perform(&gate(&world, &planned, 1)).await.unwrap().seen.unwrap_or_default();
    assert!(seen.starts_with("healthcheck passed after"), "{seen}");

    world.product(slow, json!({"Healthcheck": check("echo cannot reach db; exit 1")}));
    world.perform(&world.step(world.web(2), Act::Create(world.placement(2, 5)))).await.unwrap();
    world.perform(&world.step(world.web(2), Act::Start { name: world.container(2) })).await.unwrap();
    let planned = HealthCheck { start_period_ms: 0, ..planned };
    match world.perform(&gate(&world, &planned, 2)).await {
        Err(Error::Gate { why, evidence, .. }) => {
            assert_eq!(why.as_ref(), "failed its healthcheck 2 times");
            let probe = evidence.last_probe.unwrap_or_default();
            assert!(probe.contains("exit code 1"), "{probe}");
            eprintln!("probe: {probe}");
        }
        other => panic!("{other:?}"),
    }
    world.clean().await;
}

on_each_engine!(a_job_runs_to_its_end_once, "job");
async fn a_job_runs_to_its_end_once(mut world: World) {
    world.product(&["sh", "-c", "echo run >> /data/runs; sleep 0.3"], json!({}));
    ground(&mut world).await;
    world.perform(&world.step(world.web(1), Act::Create(world.placement(1, 4)))).await.unwrap();
    let run = world.step(world.web(1), Act::Run { name: world.container(1), deadline_ms: 20_000 });
    assert_eq!(world.perform(&run).await.unwrap().changed, Changed::Updated);
    assert_eq!(world.perform(&run).await.unwrap().changed, Changed::NotNeeded);
    assert!(matches!(world.engine.find(&world.job(&run)).await.unwrap(), Found::Done(_)));

    world.product(&["sh", "-c", "exit 4"], json!({}));
    world.perform(&world.step(world.web(2), Act::Create(world.placement(2, 5)))).await.unwrap();
    let run = world.step(world.web(2), Act::Run { name: world.container(2), deadline_ms: 20_000 });
    let error = world.perform(&run).await.err();
    assert!(matches!(&error, Some(Error::Gate { why, .. }) if why.starts_with("ended with code 4 ")), "{error:?}");
    // Repeated after a lost answer, it says the same and does not run a second time.
    let mutating = world.engine.door().mutating();
    let error = world.perform(&run).await.err();
    assert!(matches!(&error, Some(Error::Gate { why, .. }) if why.starts_with("ended with code 4 ")), "{error:?}");
    assert_eq!(world.engine.door().mutating(), mutating);
    world.clean().await;
}

on_each_engine!(what_is_not_ours_is_never_touched, "foreign");
async fn what_is_not_ours_is_never_touched(mut world: World) {
    world.product(SERVE, json!({}));
    ground(&mut world).await;
    world.perform(&world.step(world.web(1), Act::Create(world.placement(1, 4)))).await.unwrap();
    // The same names, asked for by another fleet of the same name, or from other files.
    let origin = std::mem::replace(&mut world.desired.origin, "id:somebody".into());
    let create = world.step(world.web(1), Act::Create(world.placement(1, 4)));
    assert!(matches!(world.perform(&create).await.err(), Some(Error::Taken { .. })));
    let network = world.groundwork().into_iter().nth(1).unwrap();
    assert!(matches!(world.perform(&network).await.err(), Some(Error::Taken { .. })));
    world.desired.origin = origin;
    world.product(&["sleep", "1"], json!({}));
    let create = world.step(world.web(1), Act::Create(world.placement(1, 4)));
    assert!(matches!(world.perform(&create).await.err(), Some(Error::Taken { .. })));
    let missing = Act::EnsureNetwork { name: "podtest-no-such-network".into(), subnet: None };
    let error = world.perform(&world.step(world.on(Kind::Network, "front"), missing)).await.err();
    assert!(error.is_some_and(|error| error.to_string().contains("external")), "an external network is not made");
    world.clean().await;
}
