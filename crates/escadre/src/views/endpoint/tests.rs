//! Golden texts of certificates, and when they call a person.
use super::*;
use crate::views::look::EdgePorts;
use crate::views::tests::golden;
use crate::views::{samples, status};
use escadre_edge::control::Status as EdgeStatus;
use escadre_model::desired::{CertificateSource, Https};
use escadre_model::observed::Observed;

const DAY: u64 = 86_400;
/// `Now::fixed()`: 2026-11-20T13:15:02Z.
const NOW: u64 = 1_795_180_502;

fn told(host: &str, from: CertificateFrom) -> CertificateStatus {
    let text = format!("{{\"host\":\"{host}\",\"from\":\"other\",\"works\":true}}");
    let mut told: CertificateStatus = serde_json::from_str(&text).unwrap();
    (told.from, told.ends_s, told.issuer) = (from, Some(NOW + 70 * DAY), Some("Let's Encrypt E7".into()));
    told.next_s = Some(NOW + 40 * DAY);
    told
}

fn failing(host: &str, points_to: &[&str], here: &[&str], ends_in: u64) -> CertificateStatus {
    let mut told = told(host, CertificateFrom::Acme);
    let of = |all: &[&str]| all.iter().map(|at| at.parse().unwrap()).collect();
    told.ends_s = Some(NOW + ends_in * DAY);
    told.works = ends_in > 0;
    told.next_s = Some(NOW + 4 * 3_600);
    told.problem = Some("the authority refuses it: invalid response from http://help.fir.fr/.well-known/: 404".into());
    told.failed = Some(Failing {
        times: 9,
        since_s: NOW - 23 * DAY,
        last_s: NOW - 240,
        points_to: of(points_to),
        here: of(here),
    });
    told
}

fn desired(host: &str, tls: bool) -> Desired {
    let mut desired = samples::desired("fir", "50");
    for route in desired.routes.values_mut() {
        if let Route::Http(route) = route {
            route.hosts = vec![host.into()];
            let from = CertificateSource::Usual;
            route.tls = tls.then_some(Https { from, plain: None, hsts_s: None });
        }
    }
    desired
}

/// What is said of one endpoint, and what calls a person.
fn said(desired: &Desired, edge: Option<&EdgeStatus>) -> (String, String) {
    let (observed, plan, now) = (Observed::default(), samples::drifted(), Now::fixed());
    let desired = std::slice::from_ref(desired);
    let looked = Looked {
        fleet: "desk",
        single: None,
        desired,
        observed: &observed,
        plan: &plan,
        ports: EdgePorts { http: 80, https: 443 },
        edge,
        now: &now,
    };
    let key = desired[0].routes.keys().next().unwrap();
    let view = build(&looked, &desired[0], key).unwrap();
    assert!(build(&looked, &desired[0], "nonsense").is_none());
    let needs: Vec<String> =
        calls(&looked, &desired[0]).into_iter().map(|call| format!("{}\n{}", call.text, call.next)).collect();
    drop(status::build(&looked));
    (paint(&view, Look::plain(80)), needs.join("\n"))
}

fn edge(told: CertificateStatus) -> EdgeStatus {
    EdgeStatus { certificates: vec![told], ..samples::edge() }
}

#[test]
fn the_first_sentence_is_the_answer() {
    let host = "help.fir.fr";
    let with = |told: CertificateStatus| said(&desired(host, true), Some(&edge(told)));
    let plain = |from| told(host, from);
    let mut missing = failing(host, &[], &["192.0.2.11"], 0);
    missing.problem = Some("the authority refuses it: DNS problem: NXDOMAIN looking up A for help.fir.fr".into());
    let mut limited = failing(host, &["192.0.2.11"], &["192.0.2.11"], 0);
    limited.problem = Some("the authority was asked too often: too many certificates for fir.fr".into());
    let mut asked = plain(CertificateFrom::Acme);
    (asked.works, asked.ends_s, asked.problem) = (false, None, Some("it has not been asked for yet".into()));
    let mut bad = plain(CertificateFrom::Brought);
    (bad.works, bad.problem) = (false, Some("it does not name help.fir.fr; it names oak.fr".into()));
    let mut soon = plain(CertificateFrom::Brought);
    soon.ends_s = Some(NOW + 9 * DAY);
    let mut text = String::new();
    for (what, (said, needs)) in [
        ("well", with(plain(CertificateFrom::Acme))),
        ("local", with(plain(CertificateFrom::Local))),
        ("brought", with(plain(CertificateFrom::Brought))),
        ("brought and ending", with(soon)),
        ("brought and wrong", with(bad)),
        ("moved away", with(failing(host, &["203.0.113.80"], &["192.0.2.11"], 6))),
        ("behind a router", with(failing(host, &["203.0.113.80"], &["10.0.0.5"], 6))),
        ("it leads here", with(failing(host, &["192.0.2.11"], &["192.0.2.11"], 6))),
        ("no such name", with(missing)),
        ("asked too often", with(limited)),
        ("being asked for", with(asked)),
        ("off", said(&desired(host, false), Some(&samples::edge()))),
        ("the edge does not run", said(&desired(host, true), None)),
        ("not carried yet", said(&desired(host, true), Some(&samples::edge()))),
        (
            "letters",
            said(&desired("xn--bcher-kva.fr", true), Some(&edge(told("xn--bcher-kva.fr", CertificateFrom::Acme)))),
        ),
    ] {
        text.push_str(&format!("=== {what}\n{said}--- needs you\n{needs}\n\n"));
    }
    golden("look/why-endpoint", &text);
}

#[test]
fn one_failure_of_a_certificate_that_holds_long_calls_nobody() {
    let mut once = failing("help.fir.fr", &["192.0.2.11"], &["192.0.2.11"], 29);
    once.failed.as_mut().unwrap().times = 1;
    assert_eq!(said(&desired("help.fir.fr", true), Some(&edge(once.clone()))).1, "");
    once.failed.as_mut().unwrap().times = 3;
    assert!(!said(&desired("help.fir.fr", true), Some(&edge(once))).1.is_empty());
}
