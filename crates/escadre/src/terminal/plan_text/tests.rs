//! Golden texts of plans; `UPDATE=1` writes them anew.
use super::*;
use crate::terminal::plan_markdown;
use crate::views::samples;
use crate::views::tests::golden;

fn both(name: &str, plan: &Plan, around: &Around) {
    for width in [80, 160] {
        let text = paint(plan, around, Look::plain(width));
        for line in text.lines() {
            assert!(style::columns(line) <= width, "{name} at {width}: {line}");
        }
        golden(&format!("plan/{name}.{width}"), &text);
    }
}

fn compose() -> Around {
    Around {
        single: Some("compose.yaml".into()),
        lead: vec![
            "desk: compose.yaml, 5 services (nothing else is needed)".into(),
            "engine: podman 4.3.1 at unix:///run/podman/podman.sock".into(),
        ],
        addresses: vec![("http://localhost:8080".into(), "web:80".into())],
        verdicts: Some(Verdicts { exact: 46, approximated: 1, platform: 1, refused: 0, acknowledged: 0 }),
        ..Around::default()
    }
}

fn fleet() -> Around {
    Around { seen: "seen in full 2 s ago".into(), saved: true, ..Around::default() }
}

#[test]
fn one_instance() {
    both("first-up", &samples::first_up(), &compose());
    both("second-up", &samples::second_up(), &Around { lead: vec![], verdicts: None, ..compose() });
    both("nothing", &samples::nothing(), &Around { lead: vec![], verdicts: None, ..compose() });
}

#[test]
fn a_fleet() {
    both("fleet", &samples::fleet(), &fleet());
    both("troubled", &samples::troubled(), &fleet());
    both("fleet-nothing", &samples::nothing(), &fleet());
}

#[test]
fn a_long_name_stays_apart_from_its_reason() {
    let mut plan = samples::second_up();
    let Some(change) =
        plan.instances.iter_mut().flat_map(|instance| &mut instance.changes).find(|change| {
            change.action != Action::Keep && change.on.kind == Kind::Service && !change.reasons.is_empty()
        })
    else {
        panic!("something changes for a reason")
    };
    change.on.key = "web-pre-start-1".into();
    let text = paint(&plan, &compose(), Look::plain(80));
    assert!(text.lines().any(|line| line.starts_with("  because  web-pre-start-1 ")), "{text}");
}

#[test]
fn markdown() {
    golden("plan/fleet.md", &plan_markdown::paint(&samples::fleet(), &fleet()));
    golden("plan/troubled.md", &plan_markdown::paint(&samples::troubled(), &fleet()));
}

#[test]
fn an_instance_that_is_left_alone_names_the_page_that_explains_it() {
    let what = || "port 443 of the host".into();
    let next = |refusal: &Refusal| refusal_next("elm", refusal).unwrap_or_default();
    assert!(next(&Refusal::Taken { what: what() }).ends_with("(escadre explain E0321)"));
    assert!(next(&Refusal::NoAddress { what: what() }).ends_with("(escadre explain E0322)"));
    assert!(next(&Refusal::OtherFleet { origin: "id:9".into() }).ends_with("(escadre explain E0323)"));
    assert_eq!(next(&Refusal::Held { by: HeldBy::Hand, because: "plan by hand".into() }), "escadre unhold elm");
}

#[test]
fn images_move() {
    let moved = |old: &str, new: &str| image_move(old, new);
    assert_eq!(moved("r:5000/web:1", "r:5000/web:2"), ("r:5000/web".into(), "1 -> 2".into()));
    assert_eq!(moved("r:5000/web", "r:5000/web:2"), (String::new(), "r:5000/web -> r:5000/web:2".into()));
    assert_eq!(moved("a:1", "b:1"), (String::new(), "a:1 -> b:1".into()));
}

#[test]
fn every_instance_of_a_plan_is_named() {
    for plan in [samples::fleet(), samples::troubled()] {
        let text = paint(&plan, &fleet(), Look::plain(80));
        for instance in &plan.instances {
            assert!(text.contains(instance.instance.instance.as_str()), "{}", instance.instance);
        }
    }
}

#[test]
fn an_image_that_is_another_one_for_each_is_told_by_its_text() {
    let mut plan = samples::fleet();
    let raw: std::sync::Arc<str> = "registry.example.org/desk/web:${TAG}".into();
    for (place, instance) in plan.instances.iter_mut().enumerate() {
        for reason in instance.changes.iter_mut().flat_map(|change| &mut change.reasons) {
            if let Reason::Changed { path, new, raw: text, .. } = reason
                && &**path == "image"
            {
                *new = Some(Shown::Plain(format!("registry.example.org/desk/web:4.2.{place}").into()));
                *text = Some(raw.clone());
            }
        }
    }
    let first = plan.instances.first().expect("one").changes.clone();
    plan.groups.iter_mut().for_each(|group| group.changes = first.clone());
    let text = paint(&plan, &fleet(), Look::plain(80));
    let group = text.split_once("EQUAL CHANGES").expect("a group").1;
    assert!(group.contains("${TAG}, for each its own") && !group.contains("4.2.0 ->"), "{group}");
}

#[test]
fn what_is_not_as_the_last_apply_left_it_is_told_with_what_becomes_of_it() {
    use crate::terminal::plan_stray::Stray;
    let plan = samples::fleet();
    let one =
        plan.instances.iter().find(|one| one.refused.is_none() && !changing(one).is_empty()).expect("one changes");
    let change = changing(one).into_iter().find(|change| change.on.kind == Kind::Service).expect("of a service");
    let stray =
        |on: &str| Stray { instance: one.instance.clone(), on: on.into(), what: "its container is gone".into() };
    let around = Around { strays: vec![stray(&change.on.key), stray("nothing-of-the-plan")], ..fleet() };
    let text = paint(&plan, &around, Look::plain(100));
    let name = &one.instance.instance;
    assert!(text.contains("\nFOUND (2): not as the last apply left it\n"), "{text}");
    assert!(text.contains(&format!("  {name}/nothing-of-the-plan  its container is gone; it stays so\n")), "{text}");
    assert!(text.contains("its container is gone; a new one takes its place, without a gap\n"), "{text}");
}

#[test]
fn what_is_found_of_one_hides_no_reason_of_another() {
    use crate::terminal::plan_stray::{Stray, tells};
    let plan = samples::fleet();
    let [one, other] = &plan.instances[..2] else { panic!("a fleet") };
    let change = one.changes.iter().find(|change| change.on.kind == Kind::Service).expect("of a service");
    let found = [Stray { instance: one.instance.clone(), on: change.on.key.to_string(), what: "it is gone".into() }];
    let (one, other) = (one.instance.clone(), other.instance.clone());
    assert!(tells(&found, std::slice::from_ref(&one), change, &Reason::Missing));
    assert!(!tells(&found, std::slice::from_ref(&other), change, &Reason::Missing));
    assert!(!tells(&found, &[one, other], change, &Reason::Missing), "they are told together");
}
