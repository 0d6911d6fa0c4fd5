//! Gates: the product's check, else the image's, else a port, else being alive.
use escadre_model::desired::{Gate, HealthCheck};
use escadre_model::observed::ImageSeen;
use escadre_plan::gate::decide;
use escadre_plan::step::PlannedGate;

fn check(test: &[&str]) -> HealthCheck {
    HealthCheck {
        test: test.iter().map(|word| (*word).into()).collect(),
        interval_ms: 30_000,
        timeout_ms: 30_000,
        retries: 3,
        start_period_ms: 5_000,
        start_interval_ms: 5_000,
    }
}

fn image(ports: &[u16], health: Option<HealthCheck>) -> ImageSeen {
    ImageSeen { id: "sha256:1".into(), digests: Vec::new(), ports: ports.to_vec(), health, size: 1, build: None }
}

fn words(gate: &Gate, image: Option<&ImageSeen>) -> String {
    decide(gate, image).1.to_string()
}

#[test]
fn the_best_proof_there_is() {
    let unstated = |ports: &[u16]| Gate::Unstated { disabled: false, ports: ports.to_vec(), times: None };
    let healthy = image(&[80], Some(check(&["CMD", "true"])));
    assert_eq!(words(&Gate::Check(check(&["CMD", "probe"])), None), "healthcheck");
    assert_eq!(words(&unstated(&[6379]), Some(&healthy)), "healthcheck");
    assert_eq!(
        words(&Gate::Unstated { disabled: true, ports: vec![6379], times: None }, Some(&healthy)),
        "port 6379 open"
    );
    assert_eq!(words(&unstated(&[]), Some(&image(&[443, 80], None))), "ports 80, 443 open, or alive for 10 s");
    let some = words(&unstated(&[3306, 33060]), Some(&image(&[80], None)));
    assert_eq!(some, "ports 3306, 33060 open, or one of them for 10 s");
    assert_eq!(words(&unstated(&[]), Some(&image(&[], None))), "alive for 10 s");
    assert_eq!(words(&unstated(&[]), None), "alive for 10 s (image not here yet)");
    assert_eq!(words(&Gate::Check(check(&["NONE"])), Some(&image(&[], None))), "alive for 10 s");
    assert_eq!(words(&Gate::ExitZero, None), "exit code 0");
}

#[test]
fn every_wait_has_an_end() {
    let (Some(PlannedGate::Healthy { deadline_ms, .. }), _) = decide(&Gate::Check(check(&["CMD", "x"])), None) else {
        panic!("a check gives a check")
    };
    assert_eq!(deadline_ms, 5_000 + 4 * 30_000);
    let mut short = check(&["CMD", "x"]);
    short.interval_ms = 1_000;
    short.retries = u32::MAX;
    short.interval_ms = u64::MAX;
    let (Some(PlannedGate::Healthy { deadline_ms, .. }), _) = decide(&Gate::Check(short), None) else {
        panic!("a check gives a check")
    };
    assert_eq!(deadline_ms, u64::MAX);
}

#[test]
fn a_check_without_a_test_takes_the_images() {
    let own = image(&[], Some(check(&["CMD", "own"])));
    let (Some(PlannedGate::Healthy { check: taken, .. }), _) = decide(&Gate::Check(check(&[])), Some(&own)) else {
        panic!("the image has a check")
    };
    assert_eq!(taken.test[1].as_ref(), "own");
}

#[test]
fn times_without_a_test_give_an_open_port_its_deadline() {
    let times = HealthCheck { start_period_ms: 300_000, interval_ms: 10_000, ..check(&[]) };
    let gate = |times| Gate::Unstated { disabled: false, ports: vec![80], times };
    let deadline = |gate: &Gate, image| match decide(gate, image).0 {
        Some(PlannedGate::PortOpen { deadline_ms, .. }) => deadline_ms,
        other => panic!("{other:?}"),
    };
    assert_eq!(deadline(&gate(None), None), 60_000);
    assert_eq!(deadline(&gate(Some(Box::new(times.clone()))), None), 300_000 + 4 * 10_000);
    let short = HealthCheck { start_period_ms: 0, interval_ms: 1_000, ..check(&[]) };
    assert_eq!(deadline(&gate(Some(Box::new(short))), Some(&image(&[], None))), 60_000, "never below a minute");
    // Where the image has a check, they are that check's.
    let own = image(&[], Some(check(&["CMD", "own"])));
    let (Some(PlannedGate::Healthy { check: taken, deadline_ms }), _) =
        decide(&gate(Some(Box::new(times))), Some(&own))
    else {
        panic!("the image has a check")
    };
    assert_eq!((taken.test[1].as_ref(), taken.start_period_ms, deadline_ms), ("own", 300_000, 340_000));
}
