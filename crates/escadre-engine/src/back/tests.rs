//! Which receipt is meant.
use super::*;
use escadre_model::desired::{Desired, State};
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use std::collections::BTreeMap;

fn desired(what: &str) -> Desired {
    let name = |text| Name::project(text).unwrap();
    Desired {
        instance: InstanceId::new(name("desk"), name("acme")),
        origin: "".into(),
        release: what.into(),
        state: State::Running,
        environment: "".into(),
        labels: BTreeMap::new(),
        resources: BTreeMap::new(),
        routes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        adopts: None,
    }
}

/// Newest first: (plan, what, how it ended).
fn receipts(all: &[(&str, &str, Outcome)]) -> Vec<Receipt> {
    let one = |(plan, what, outcome): &(&str, &str, Outcome)| Receipt {
        seq: 0,
        plan: (*plan).into(),
        commit: "".into(),
        dirty: None,
        at: "".into(),
        by: "".into(),
        outcome: *outcome,
        because: None,
        last_line: None,
        back: plan.starts_with("back").then(|| "p".into()),
        desired: Arc::new(desired(what)),
        images: BTreeMap::new(),
        fields: BTreeMap::new(),
    };
    all.iter().map(one).collect()
}

fn found(all: &[Receipt], which: Which<'_>) -> Result<String, NoWay> {
    find(all, which).map(|receipt| receipt.plan.to_string())
}

#[test]
fn without_a_word_the_last_other_healthy_one() {
    use Outcome::*;
    let all = receipts(&[("p4", "c", WentBack), ("p3", "b", Healthy), ("p2", "b", Healthy), ("p1", "a", Healthy)]);
    assert_eq!(found(&all, Which::Last), Ok("p1".to_owned()));
    assert_eq!(found(&all[..3], Which::Last), Err(NoWay::NothingEarlier));
    // Files may have gone back and forth: the other one is meant.
    let all = receipts(&[("p3", "a", Healthy), ("p2", "b", Healthy), ("p1", "a", Healthy)]);
    assert_eq!(found(&all, Which::Last), Ok("p2".to_owned()));
    // Asked again after a way back, it does not go forward to what was left.
    let all = receipts(&[("back", "a", Healthy), ("p2", "b", Healthy), ("p1", "a", Healthy), ("p0", "z", Healthy)]);
    assert_eq!(found(&all, Which::Last), Ok("p0".to_owned()));
    assert_eq!(found(&all[..3], Which::Last), Err(NoWay::NothingEarlier));
    // Taken down, it goes back to what ran last.
    let all = receipts(&[("p3", "b", Removed), ("p2", "b", Healthy), ("p1", "a", Healthy)]);
    assert_eq!(found(&all, Which::Last), Ok("p2".to_owned()));
    let all = receipts(&[("p3", "b", Stopped), ("p2", "b", Healthy), ("p1", "a", Healthy)]);
    assert_eq!(found(&all, Which::Last), Ok("p1".to_owned()));
}

#[test]
fn by_plan() {
    use Outcome::*;
    let all = receipts(&[("p4", "c", Healthy), ("p3", "x", WentBack), ("p2", "b", Healthy), ("p1", "a", Healthy)]);
    assert_eq!(found(&all, Which::Of("p1")), Ok("p1".to_owned()));
    assert_eq!(found(&all, Which::Of("p3")), Err(NoWay::NotHealthy("p3".into())));
    assert_eq!(found(&all, Which::Of("p4")), Err(NoWay::Same("p4".into())));
    assert_eq!(found(&all, Which::Of("p9")), Err(NoWay::Unknown("p9".into())));
    assert_eq!(found(&all, Which::Before("p4")), Ok("p2".to_owned()));
    assert_eq!(found(&all, Which::Before("p2")), Ok("p1".to_owned()));
    assert_eq!(found(&all, Which::Before("p1")), Err(NoWay::NothingEarlier));
}
