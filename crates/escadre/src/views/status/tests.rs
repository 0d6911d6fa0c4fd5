//! Golden texts of the status.
use super::*;
use crate::terminal::time::Now;
use crate::views::samples;
use crate::views::tests::golden;
use escadre_model::observed::Observed;

fn status(observed: &Observed) -> Status {
    let desired: Vec<Desired> = ["birch", "larch", "oak", "yew"].map(|name| samples::desired(name, "50")).to_vec();
    let (plan, now) = (samples::drifted(), Now::fixed());
    build(&Looked {
        fleet: "desk",
        single: None,
        desired: &desired,
        observed,
        plan: &plan,
        ports: crate::views::look::EdgePorts { http: 80, https: 443 },
        edge: Some(&samples::edge()),
        now: &now,
    })
}

#[test]
fn what_needs_you_comes_first() {
    let status = status(&samples::observed());
    for width in [80, 160] {
        golden(&format!("look/status.{width}"), &paint(&status, Look::plain(width)));
    }
    assert!(calls(&status));
    assert_eq!(check_line(&status), "needs you: oak (unhealthy), larch (hold), oak (drift)\n");
}

#[test]
fn what_was_not_seen_is_unknown() {
    let mut observed = samples::observed();
    observed.complete.containers = false;
    let status = status(&observed);
    assert!(status.instances.iter().all(|instance| instance.health == Condition::Unknown));
    let text = paint(&status, Look::plain(80));
    assert!(text.contains("Not seen in full: containers") && !text.contains("Nothing needs you"), "{text}");
    observed.instances.clear();
    assert!(check_line(&super::tests::status(&observed)).contains("not seen in full"));
}

#[test]
fn json_carries_its_schema_and_no_secret() {
    let json = serde_json::to_string(&status(&samples::observed())).unwrap();
    assert!(json.starts_with("{\"schema\":\"escadre.status/1\"") && !json.contains("canary"));
}
