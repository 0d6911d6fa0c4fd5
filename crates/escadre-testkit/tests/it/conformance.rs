//! The suite on the fake engine, and planted bugs: suite or oracle finds each of them.

use crate::happy::{desk, images};
use async_trait::async_trait;
use escadre_engine::apply::End;
use escadre_engine::ports::Driver;
use escadre_model::desired::{Desired, HealthCheck};
use escadre_model::hash::Hash;
use escadre_plan::step::HostLine;
use escadre_testkit::bench::{Bench, paused};
use escadre_testkit::conformance::{self, Lab, Program};
use escadre_testkit::sketch::{ServiceSketch, Sketch};
use escadre_testkit::world::{Behaviour, Bug, Container, Fault, Image};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

struct FakeLab(Bench);

#[async_trait]
impl Lab for FakeLab {
    fn driver(&self) -> &dyn Driver {
        self.0.ports().driver.as_ref()
    }

    fn desired(&self, program: Program) -> Desired {
        let (image, behaviour) = match program {
            Program::Serves => ("serves:1".to_owned(), Behaviour::healthy(200)),
            Program::Ends(code) => (format!("ends:{code}"), Behaviour::exits(code.into(), 500)),
            Program::Sleeps => ("sleeps:1".to_owned(), Behaviour::default()),
        };
        self.0.image(&image, behaviour);
        let mut web = ServiceSketch::new("web", &image).port(80).volume("data").file("conf", "x = 1");
        (web.job, web.check) = (matches!(program, Program::Ends(_)), program == Program::Serves);
        Sketch::new("lab", "one", vec![web]).desired()
    }

    fn subnet(&self) -> (Arc<str>, [IpAddr; 3]) {
        ("10.210.9.0/26".into(), [2, 3, 4].map(|last| IpAddr::V4(Ipv4Addr::new(10, 210, 9, last))))
    }

    fn check(&self) -> HealthCheck {
        let test = vec!["CMD".into(), "check".into()];
        HealthCheck {
            test,
            interval_ms: 1000,
            timeout_ms: 1000,
            retries: 3,
            start_period_ms: 0,
            start_interval_ms: 1000,
        }
    }

    async fn foreign(&self, name: &str, there: bool) {
        let image = Image { id: "sha256:else".into(), behaviour: Behaviour::default() };
        self.0.world.with(|state, _| {
            if !there {
                state.containers.remove(name);
                return;
            }
            let engine = state.id("c");
            let container = Container {
                engine,
                owner: None,
                spec: None,
                fields: Hash::of(""),
                image,
                job: false,
                started: Some(0),
                stopped: None,
                networks: Default::default(),
                names: Default::default(),
                volumes: Default::default(),
                compose: None,
                published: Vec::new(),
            };
            state.containers.insert(name.into(), container);
        });
    }

    async fn lines(&self) -> Option<Vec<HostLine>> {
        self.0.world.with(|state, _| {
            let files = state.hosts.iter().flat_map(|((_, hosts), lines)| lines.iter().map(move |line| (hosts, line)));
            let line = |(hosts, (who, (address, names))): (&Arc<str>, (&Arc<str>, &(IpAddr, Vec<Arc<str>>)))| {
                HostLine { hosts: hosts.clone(), who: who.clone(), address: *address, names: names.clone() }
            };
            Some(files.map(line).collect())
        })
    }
}

#[test]
fn the_fake_passes() {
    paused(async {
        let findings = conformance::run(&FakeLab(Bench::new())).await;
        assert!(findings.wrong.is_empty(), "{:#?}", findings.wrong);
        assert!(findings.skipped.is_empty() && findings.checked > 100, "{findings:?}");
    });
}

/// A small oracle: an update unanswered at each call, and one that goes back; what the end should be is known from a correct driver.
async fn oracle(bugs: &[Bug]) -> Vec<String> {
    let mut wrong = Vec::new();
    let begin = async |bugs: &[Bug]| {
        let bench = Bench::with_bugs(bugs.iter().copied());
        images(&bench);
        bench.up(&[desk("api:1")]).await;
        bench.world.fault_at(None);
        bench
    };
    let right = begin(&[]).await;
    let former = right.snapshot();
    right.up(&[desk("api:2")]).await;
    let (wanted, calls) = (right.snapshot(), right.world.mutating());
    for k in 1..=calls {
        for fault in [Fault::Lost, Fault::Gone] {
            let bench = begin(bugs).await;
            bench.world.fault_at(Some((k, fault)));
            let report = bench.up(&[desk("api:2")]).await;
            if fault == Fault::Lost && report.code() != 0 {
                wrong.push(format!("{fault:?} at {k}: {:?}", report.instances[0].end));
            }
            if fault == Fault::Gone {
                bench.world.fault_at(None);
                bench.up(&[desk("api:2")]).await;
            }
            if bench.snapshot() != wanted && report.code() == 0 {
                wrong.push(format!("{fault:?} at {k}: another end"));
            }
        }
        let bench = begin(bugs).await;
        bench.world.kill_at(Some(k * 4));
        let _ = bench.world.until_killed(bench.up(&[desk("api:2")])).await;
        bench.world.kill_at(None);
        bench.up(&[desk("api:2")]).await;
        if bench.snapshot() != wanted {
            wrong.push(format!("killed at {}: another end", k * 4));
        }
        if let Err(error) = bench.sound(&[desk("api:2").id()]).await {
            wrong.push(format!("killed at {}: {error}", k * 4));
        }
    }
    let bench = begin(bugs).await;
    let report = bench.up(&[desk("bad:1")]).await;
    if !matches!(report.instances[0].end, End::WentBack(_)) || bench.snapshot() != former {
        wrong.push(format!("it did not go back: {:?}", report.instances[0].end));
    }
    bench.world.incomplete(true);
    let prepared = bench.plan(&[desk("api:2")]).await;
    if prepared.plan.instances[0].refused.is_none() {
        wrong.push("it plans by a list that was cut".into());
    }
    wrong
}

#[expect(clippy::print_stdout, reason = "a test tells what it found")]
#[test]
fn each_planted_bug_is_found() {
    let all = [
        Bug::CreatesTwice,
        Bug::TakesForeignNames,
        Bug::NeverFinds,
        Bug::UndoOnlyOnce,
        Bug::LeavesStopped,
        Bug::ForgetsFormerNames,
        Bug::GateIsBlind,
        Bug::RemovesByName,
        Bug::CallsCutListsComplete,
        Bug::NotesNothing,
    ];
    assert_eq!(paused(oracle(&[])), Vec::<String>::new(), "the oracle cries wolf");
    let mut found = Vec::new();
    for bug in all {
        let (suite, oracle) = paused(async {
            let suite = conformance::run(&FakeLab(Bench::with_bugs([bug]))).await.wrong;
            (suite, oracle(&[bug]).await)
        });
        assert!(!suite.is_empty() || !oracle.is_empty(), "{bug:?} was not found");
        let first = suite.first().or(oracle.first()).cloned().unwrap_or_default();
        found.push(format!("{bug:?}: suite {}, oracle {}; {first:.90}", suite.len(), oracle.len()));
    }
    println!("{}", found.join("\n"));
}
