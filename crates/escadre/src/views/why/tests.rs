//! Golden texts of why.
use super::*;
use crate::terminal::time::Now;
use crate::views::tests::golden;
use crate::views::{samples, why_service};

#[test]
fn the_first_sentence_is_the_answer() {
    let desired: Vec<Desired> = ["birch", "larch", "oak", "yew"].map(|name| samples::desired(name, "60")).to_vec();
    let (observed, plan, now) = (samples::observed(), samples::drifted(), Now::fixed());
    let looked = Looked {
        fleet: "desk",
        single: None,
        desired: &desired,
        observed: &observed,
        plan: &plan,
        ports: crate::views::look::EdgePorts { http: 80, https: 443 },
        edge: Some(&samples::edge()),
        now: &now,
    };
    let value = |text: &str, sensitive| Value {
        text: text.into(),
        source: samples::source("instances/larch.yaml", 6),
        from: "instance".into(),
        sensitive,
    };
    let values = BTreeMap::from([
        (Arc::from("DOMAIN"), value("help.larch.example", false)),
        (Arc::from("TOKEN"), value("canary", true)),
    ]);
    for one in &desired {
        let name = one.instance.instance.as_str();
        let none = BTreeMap::new();
        let why = build(&looked, one, if name == "larch" { &values } else { &none });
        golden(&format!("look/why-{name}"), &paint(&why, Look::plain(80)));
        assert!(!serde_json::to_string(&why).unwrap().contains("canary"), "a sensitive value is not shown");
    }
    let service = why_service::build(&looked, &desired[1], "web").unwrap();
    for width in [80, 160] {
        golden(&format!("look/why-service.{width}"), &why_service::paint(&service, Look::plain(width)));
    }
    assert!(why_service::build(&looked, &desired[1], "nothing").is_none());
}

#[test]
fn two_instances_differ() {
    let (one, other) = (samples::desired("larch", "50"), samples::desired("birch", "60"));
    let value = |text: &str, from: &str, place: &str| {
        let source = samples::source(place, 6);
        Value { text: text.into(), source, from: from.into(), sensitive: text == "canary" }
    };
    let values = |name: &str, from: &str, tag: &str, token: &str| {
        let place = format!("instances/{name}.yaml");
        let place = if from == "instance" { place.as_str() } else { "products/desk/product.yaml" };
        Values::from([
            ("DOMAIN".into(), value(&format!("help.{name}.example"), "instance", place)),
            ("TAG".into(), value(tag, from, place)),
            ("TOKEN".into(), value(token, from, place)),
        ])
    };
    let (ours, theirs) = (values("larch", "instance", "4.2.0", "canary"), values("birch", "default", "4.2.1", ""));
    let differ = super::differ((&one, &ours), (&other, &theirs));
    assert_eq!(differ.everyone, ["DOMAIN", "web environment.PASSWORD"]);
    let text = paint_differ(&differ, Look::plain(80));
    assert!(!text.contains("canary"), "a sensitive value is not shown: {text}");
    golden("look/differ", &text);
    let same = super::differ((&one, &ours), (&one, &ours));
    assert_eq!(paint_differ(&same, Look::plain(80)), "larch and larch differ in nothing.\n");
}
