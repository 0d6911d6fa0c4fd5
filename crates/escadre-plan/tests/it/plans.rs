//! First creation, the unchanged second plan, and single reasons.
use crate::world::*;
use escadre_model::desired::*;
use escadre_model::hash::Hash;
use escadre_model::ids::Kind;
use escadre_model::observed::{Difference, EngineId, HeldBy, Hold, MadeByCompose, Outcome, Phase, TaskSeen};
use escadre_plan::change::{Action, Reason};
use escadre_plan::plan::{Consent, Refusal};
use escadre_plan::precondition;
use escadre_plan::step::Act;

#[test]
fn a_first_create_then_nothing() {
    let desired = [desk("acme", "1")];
    let mut world = World::new();
    let plan = world.up(&desired);
    assert_eq!(plan.instances[0].consent, Consent::Additive, "{}", dump(&plan));
    // Whoever asks is told that it is starting, before anything else is done, and led to it when it has proven itself.
    assert_eq!(acts(&plan, "web"), ["switch", "create", "attach", "start", "gate", "switch"]);
    let leads = plan.instances[0].steps.iter().filter_map(|step| match &step.act {
        Act::Switch { routes } => {
            routes.values().next().map(|to| (step.after.is_empty(), to.starting, to.backends.len()))
        }
        _ => None,
    });
    assert_eq!(leads.collect::<Vec<_>>(), [(true, true, 0), (false, false, 1)]);
    assert_eq!(acts(&plan, "migrate"), ["create", "attach", "run"]);
    assert_eq!(action(&plan, Kind::Service, "migrate"), "run");
    let second = world.plan(&desired);
    assert_eq!(second.steps(), 0, "{}", dump(&second));
    assert_eq!(second.instances[0].consent, Consent::Nothing);
    assert!(second.instances[0].changes.iter().all(|change| change.action == Action::Keep), "{}", dump(&second));
    assert!(second.groups.is_empty() && second.waves.is_empty() && second.notes.is_empty());
}

#[test]
fn conditions_become_order() {
    let plan = World::new().plan(&[desk("acme", "1")]);
    let steps = &plan.instances[0].steps;
    let place = |service: &str, act: fn(&Act) -> bool| {
        steps.iter().find(|step| step.on.resource.key.as_ref() == service && act(&step.act)).unwrap()
    };
    let run = place("migrate", |act| matches!(act, Act::Run { .. }));
    let db = place("db", |act| matches!(act, Act::Gate { .. }));
    let api = place("api", |act| matches!(act, Act::Start { .. }));
    let web = place("web", |act| matches!(act, Act::Start { .. }));
    assert!(run.after.contains(&db.index), "{}", dump(&plan));
    assert!(api.after.contains(&run.index) && api.after.contains(&db.index));
    assert!(web.after.contains(&api.index));
}

fn changed(edit: impl FnOnce(&mut Desired)) -> (World, escadre_plan::plan::Plan) {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let mut desired = desk("acme", "1");
    edit(&mut desired);
    let plan = world.plan(&[desired]);
    (world, plan)
}

fn reasons(plan: &escadre_plan::plan::Plan, service: &str) -> Vec<Reason> {
    let all = plan.instances[0].changes.iter().filter(|change| change.on == key(Kind::Service, service));
    all.flat_map(|change| change.reasons.clone()).collect()
}

#[test]
fn a_changed_value_says_old_new_and_where() {
    let (_, plan) = changed(|desired| {
        service("web", "desk/web:2")
            .edit(|web| web.files.push(key(Kind::Config, "desk.toml")))
            .after("api", Condition::Started, false)
            .into(desired);
    });
    assert_eq!(action(&plan, Kind::Service, "web"), "update");
    let [Reason::Changed { path, old, new, unknown: false, source: Some(source), .. }] = &reasons(&plan, "web")[..]
    else {
        panic!("{}", dump(&plan))
    };
    assert_eq!((path.as_ref(), source.to_string().as_str()), ("image", "compose.yaml:28"));
    assert_eq!(old, &Some(Shown::Plain("desk/web:1".into())));
    assert_eq!(new, &Some(Shown::Plain("desk/web:2".into())));
    let beside = ["create", "start", "gate", "join", "attach", "switch", "drain", "stop", "remove"];
    assert_eq!(acts(&plan, "web"), beside);
    for other in ["db", "api", "migrate"] {
        assert!(acts(&plan, other).is_empty(), "{}", dump(&plan));
    }
    assert_eq!(plan.instances[0].consent, Consent::Additive);
    assert_eq!(plan.totals().restarts, 1);
}

#[test]
fn without_a_receipt_the_old_value_is_unknown() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    world.seen("acme").record.receipts.clear();
    let same = world.plan(&[desk("acme", "1")]);
    assert_eq!(same.steps(), 0, "{}", dump(&same));
    let mut desired = desk("acme", "1");
    service("web", "desk/web:2").into(&mut desired);
    let plan = world.plan(&[desired]);
    assert!(matches!(&reasons(&plan, "web")[0], Reason::Changed { unknown: true, .. }), "{}", dump(&plan));
}

#[test]
fn a_changed_secret_replaces_who_sees_it_and_an_unknown_one_does_not() {
    let (_, plan) = changed(|desired| secret(desired, "password", Some("other")));
    assert_eq!(action(&plan, Kind::Secret, "password"), "update");
    assert!(matches!(&reasons(&plan, "db")[..], [Reason::SecretChanged { .. }]), "{}", dump(&plan));
    let text = serde_json::to_string(&plan).unwrap();
    assert!(!text.contains("other\"") && !text.contains("hunter2"), "a secret in a plan");
    let (_, plan) = changed(|desired| secret(desired, "password", None));
    assert_eq!(plan.steps(), 0, "{}", dump(&plan));
    assert!(plan.notes.iter().any(|note| note.code.as_ref() == "W0303"), "{}", dump(&plan));
}

#[test]
fn what_does_not_run_starts_and_what_is_missing_is_made() {
    let desired = [desk("acme", "1")];
    let mut world = World::new();
    world.up(&desired);
    world.container("acme", "api").phase = Phase::Exited(137);
    let plan = world.plan(&desired);
    assert_eq!(acts(&plan, "api"), ["attach", "start", "gate"]);
    assert!(
        matches!(&reasons(&plan, "api")[..], [Reason::NotRunning { phase }] if phase.as_ref() == "exited with code 137")
    );
    assert_eq!(plan.instances[0].consent, Consent::Additive);
    world.seen("acme").containers.retain(|one| one.id.resource.key.as_ref() != "web");
    let plan = world.plan(&desired);
    assert_eq!(action(&plan, Kind::Service, "web"), "create");
}

#[test]
fn drift_and_moved_images_replace() {
    let desired = [desk("acme", "1")];
    let mut world = World::new();
    world.up(&desired);
    world.container("acme", "db").fields = Some(escadre_model::hash::Hash::of("memory 1 GiB"));
    let plan = world.plan(&desired);
    assert!(matches!(&reasons(&plan, "db")[..], [Reason::Drift { .. }]), "{}", dump(&plan));
    // As far as the list tells, it is said in what.
    let there = world.container("acme", "db");
    there.name = "renamed".into();
    there.addresses.insert("by-hand".into(), "10.9.9.9".parse().unwrap());
    let plan = world.plan(&desired);
    let [Reason::Drift { what }] = &reasons(&plan, "db")[..] else { panic!("{}", dump(&plan)) };
    assert_eq!(&**what, "it is called renamed now; it is on network by-hand, too");
    let mut world = World::new();
    world.up(&desired);
    world.observed.host.images.get_mut("desk/web:1").unwrap().id = "sha256:new".into();
    let plan = world.plan(&desired);
    assert!(matches!(&reasons(&plan, "web")[..], [Reason::ImageMoved { .. }]), "{}", dump(&plan));
}

#[test]
fn a_hold_keeps_exactly_what_it_is_against() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let next = desk("acme", "2");
    let hold = |against| Some(Hold { against, by: HeldBy::Hand, because: "audit".into(), at: "".into() });
    world.seen("acme").record.hold = hold(Some(next.hash()));
    let mut failed = world.seen("acme").record.receipts[0].clone();
    failed.outcome = Outcome::WentBack;
    failed.desired = std::sync::Arc::new(next.clone());
    world.seen("acme").record.receipts.insert(0, failed);
    let plan = world.plan(std::slice::from_ref(&next));
    assert!(matches!(plan.instances[0].refused, Some(Refusal::Held { .. })), "{}", dump(&plan));
    assert_eq!(action(&plan, Kind::Service, "api"), "held");
    let plan = world.plan(&[desk("acme", "3")]);
    assert!(plan.instances[0].refused.is_none());
    let retried =
        |plan: &escadre_plan::plan::Plan| reasons(plan, "api").iter().any(|one| matches!(one, Reason::Retry { .. }));
    assert!(!retried(&plan), "another version is no second try: {}", dump(&plan));
    world.seen("acme").record.hold = None;
    let plan = world.plan(std::slice::from_ref(&next));
    assert!(retried(&plan), "{}", dump(&plan));
    world.seen("acme").record.hold = hold(None);
    assert!(world.plan(&[desk("acme", "3")]).instances[0].refused.is_some());
}

#[test]
fn a_job_runs_again_only_for_another_spec_or_image() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    world.seen("acme").containers.retain(|one| one.id.resource.key.as_ref() != "migrate");
    assert_eq!(world.plan(&[desk("acme", "1")]).steps(), 0, "the record is evidence enough");
    let plan = world.plan(&[desk("acme", "2")]);
    assert_eq!(action(&plan, Kind::Service, "migrate"), "run");
    assert_eq!(plan.instances[0].consent, Consent::Gap);
    let steps = &plan.instances[0].steps;
    let run = steps.iter().find(|step| matches!(step.act, Act::Run { .. })).unwrap().index;
    let start = steps.iter().find(|step| matches!(step.act, Act::Start { .. })).unwrap();
    assert!(start.after.contains(&run), "the new api starts only when migrate is done: {}", dump(&plan));
}

#[test]
fn a_job_runs_again_where_its_volume_is_made_anew() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let seen = world.seen("acme");
    seen.containers.clear();
    seen.volumes.clear();
    let plan = world.plan(&[desk("acme", "1")]);
    assert_eq!(action(&plan, Kind::Service, "migrate"), "run", "its work went with the data: {}", dump(&plan));
}

#[test]
fn a_volume_that_would_be_made_otherwise_is_kept_and_that_is_told() {
    let (_, plan) = changed(|desired| {
        let key = key(Kind::Volume, "pgdata");
        desired.resources.get_mut(&key).expect("the volume").spec = Hash::of("other settings");
    });
    let told: Vec<&str> = plan.notes.iter().filter(|note| &*note.code == "W0306").map(|note| &*note.text).collect();
    assert_eq!(told.len(), 1, "{}", dump(&plan));
    assert!(told[0].contains("volume") && told[0].contains("was made with other settings"), "{told:?}");
    assert_eq!(action(&plan, Kind::Volume, "pgdata"), "keep", "{}", dump(&plan));
}

#[test]
fn an_incomplete_list_refuses_changes_and_deletes_nothing() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    world.observed.complete.containers = false;
    assert!(world.plan(&[desk("acme", "1")]).instances[0].refused.is_none());
    let plan = world.plan(&[desk("acme", "2")]);
    assert!(matches!(plan.instances[0].refused, Some(Refusal::Unseen { .. })), "{}", dump(&plan));
}

#[test]
fn the_other_fleet_of_the_same_name_is_refused() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    world.seen("acme").origin = Some("origin-2".into());
    let plan = world.plan(&[desk("acme", "2")]);
    assert!(matches!(plan.instances[0].refused, Some(Refusal::OtherFleet { .. })));
}

#[test]
fn what_is_not_on_record_is_adopted_first() {
    let desired = [desk("acme", "1")];
    let mut world = World::new();
    world.up(&desired);
    world.container("acme", "web").known = false;
    let plan = world.plan(&desired);
    assert_eq!(action(&plan, Kind::Service, "web"), "adopt");
    assert_eq!((plan.steps(), plan.instances[0].consent), (0, Consent::Gap));
    world.apply(&plan, &desired);
    assert!(!world.plan(&desired).instances[0].goes_ahead());
}

#[test]
fn a_volume_that_no_file_names_is_told_where_a_container_is_adopted() {
    let desired = [desk("acme", "1")];
    let mut world = World::new();
    world.up(&desired);
    let web = world.container("acme", "web");
    let anonymous = [("/var/cache".into(), "8c2f".into())].into();
    web.compose = Some(Box::new(MadeByCompose { project: "acme".into(), anonymous, ..MadeByCompose::default() }));
    web.known = false;
    let plan = world.plan(&desired);
    let told = plan.notes.iter().filter(|note| &*note.code == "W0309").map(|note| &*note.text);
    let text = "web: /var/cache is a volume that no file names (8c2f); its next update begins with an empty one";
    assert_eq!(told.collect::<Vec<_>>(), [text]);
}

#[test]
fn an_instance_waits_for_the_stack_whose_place_it_takes_and_says_what_will_differ() {
    let mut desired = [desk("acme", "1")];
    desired[0].adopts = Some(Adopts { from: Former::Swarm, project: "desk-acme".into(), folder: None });
    let mut world = World::new();
    let differs = vec![Difference {
        path: "image".into(),
        runs: Some(Shown::Plain("web:0".into())),
        wanted: Some(Shown::Plain("web:1".into())),
    }];
    let task = |service: &str, runs, differs: &[Difference]| TaskSeen {
        service: service.into(),
        runs,
        engine: EngineId(format!("task-{service}-{runs}").into()),
        differs: differs.to_vec(),
    };
    let tasks = vec![task("web", true, &differs), task("web", false, &[])];
    world.observed.host.stacks.insert("desk-acme".into(), tasks);
    let plan = world.plan(&desired);
    assert_eq!(plan.instances[0].refused, Some(Refusal::Stack { name: "desk-acme".into(), runs: 1 }));
    assert_eq!(plan.steps(), 0, "two must not have one volume");
    let web = plan.instances[0].changes.iter().find(|one| one.on == key(Kind::Service, "web")).expect("web");
    assert!(matches!(&web.reasons[..], [Reason::Changed { path, .. }] if &**path == "image"), "{:?}", web.reasons);
    // Kept by the Swarm, though it has ended: the stack is there, and would start again.
    world.observed.host.stacks.insert("desk-acme".into(), vec![task("web", false, &[])]);
    assert_eq!(world.plan(&desired).instances[0].refused, Some(Refusal::Stack { name: "desk-acme".into(), runs: 0 }));
    // Another's stack is nothing to it; and once its own is gone, it is made like any other.
    world.observed.host.stacks.insert("other".into(), vec![task("web", true, &differs)]);
    world.observed.host.stacks.remove("desk-acme");
    let plan = world.plan(&desired);
    assert_eq!(plan.instances[0].refused, None);
    assert_eq!(action(&plan, Kind::Service, "web"), "create");
    assert!(plan.steps() > 0);
}

#[test]
fn the_precondition_moves_with_what_was_seen_but_not_with_health() {
    let desired = [desk("acme", "1")];
    let mut world = World::new();
    world.up(&desired);
    let before = world.plan(&desired).instances[0].precondition.clone();
    world.container("acme", "web").restarts = 7;
    assert_eq!(world.plan(&desired).instances[0].precondition, before);
    world.container("acme", "web").fields = None;
    assert_ne!(world.plan(&desired).instances[0].precondition, before);
}

#[test]
fn a_plan_knows_what_it_saw_and_in_what_that_changed() {
    let mut world = World::new();
    world.up(&[desk("acme", "1")]);
    let plan = world.plan(&[desk("acme", "2")]);
    let saw = &plan.instances[0].seen;
    let now = |world: &mut World| precondition::differences(saw, Some(world.seen("acme")));
    assert!(!saw.is_empty());
    assert_eq!(now(&mut world)[..], []);
    assert!(world.plan(&[desk("acme", "1")]).instances[0].seen.is_empty(), "where nothing is done, nothing is noted");
    let was = world.container("acme", "web").engine.clone();
    world.container("acme", "web").engine = EngineId("another".into());
    assert_eq!(now(&mut world)[..], [format!("web is another one than it was (another instead of {})", was.0).into()]);
    world.container("acme", "web").engine = was;
    world.container("acme", "web").fields = None;
    assert_eq!(now(&mut world)[..], ["web was changed by hand: its name, its image or its networks".into()]);
    assert!(precondition::differences(saw, None).contains(&"web is gone".into()));
    assert!(precondition::differences(&[], Some(world.seen("acme")))[0].contains(" is there and was not ("));
}
