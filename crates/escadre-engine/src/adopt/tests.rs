//! Which of Compose's containers comes to which instance, and as whom.

use super::*;
use escadre_model::desired::{Adopts, Former, State};
use escadre_model::hash::Hash;
use escadre_model::name::Name;
use escadre_model::observed::{Adopted, Health, MadeByCompose, NetworkSeen, Phase};

fn name(text: &str) -> Name {
    Name::project(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn id(fleet: &str, instance: &str) -> InstanceId {
    InstanceId::new(name(fleet), name(instance))
}

fn container(service: &str, number: u32) -> ContainerSeen {
    let made = MadeByCompose { project: "acme".into(), folder: "/srv/acme".into(), number, ..MadeByCompose::default() };
    ContainerSeen {
        id: id("acme", "acme").resource(ResourceKey::new(Kind::Service, service)).container(number, 0),
        engine: EngineId(format!("c-{service}-{number}").into()),
        name: format!("acme-{service}-{number}").into(),
        spec: None,
        fields: None,
        image: "sha256:1".into(),
        phase: Phase::Running,
        health: Health::None,
        restarts: 0,
        started: "".into(),
        addresses: BTreeMap::new(),
        published: Vec::new(),
        volumes: BTreeMap::new(),
        known: false,
        compose: Some(Box::new(made)),
    }
}

fn desired(services: &[&str], folder: Option<&str>) -> Desired {
    let resource = |key: &str| {
        let body = Body::Network(escadre_model::desired::Network { name: key.into(), external: false, subnet: None });
        escadre_model::desired::Resource::new(Hash::of(key), Vec::new(), &serde_json::Value::Null, body)
    };
    let key = |one: &&str| (ResourceKey::new(Kind::Service, *one), resource(one));
    Desired {
        instance: id("desk", "acme"),
        origin: "id:1".into(),
        release: "tree".into(),
        state: State::Running,
        environment: "".into(),
        labels: BTreeMap::new(),
        resources: services.iter().map(key).collect(),
        routes: BTreeMap::new(),
        adopts: Some(Adopts { from: Former::Compose, project: "acme".into(), folder: folder.map(Into::into) }),
        secrets: Default::default(),
    }
}

fn world(containers: Vec<ContainerSeen>) -> Observed {
    let mut observed = Observed::default();
    observed.host.foreign = containers.iter().map(|one| (ForeignKind::Container, one.name.clone())).collect();
    let network = NetworkSeen {
        key: ResourceKey::new(Kind::Network, "default"),
        engine: EngineId("n-1".into()),
        name: "acme_default".into(),
        spec: None,
        subnets: Vec::new(),
        compose: true,
    };
    let project = ProjectSeen { containers, networks: vec![network], volumes: Vec::new() };
    observed.host.projects = BTreeMap::from([("acme".into(), project)]);
    observed
}

fn ids(observed: &Observed) -> Vec<String> {
    let seen = observed.instance(&id("desk", "acme"));
    seen.into_iter().flat_map(|seen| &seen.containers).map(|one| one.id.to_string()).collect()
}

#[test]
fn a_claimed_project_comes_to_its_instance_and_the_rest_stays() {
    let mut observed = world(vec![container("extra", 1), container("web", 2), container("web", 3)]);
    join(&mut observed, &[&desired(&["web"], None)]);
    assert_eq!(ids(&observed), ["desk/acme/service/web/1/g1", "desk/acme/service/web/2/g1"]);
    assert_eq!(observed.host.projects["acme"].containers.len(), 1, "what no file has stays a stranger");
    assert_eq!(observed.host.foreign, [(ForeignKind::Container, "acme-extra-1".into())]);
}

#[test]
fn without_the_word_nothing_is_taken() {
    let mut observed = world(vec![container("web", 1)]);
    let mut other = desired(&["web"], None);
    other.adopts = None;
    join(&mut observed, &[&other]);
    assert!(ids(&observed).is_empty());
    assert_eq!(observed.host.foreign.len(), 1);
}

#[test]
fn a_project_of_another_folder_stays_where_it_is() {
    let mut observed = world(vec![container("web", 1)]);
    join(&mut observed, &[&desired(&["web"], Some("/srv/other"))]);
    assert!(ids(&observed).is_empty());
    join(&mut observed, &[&desired(&["web"], Some("/srv/acme/"))]);
    assert_eq!(ids(&observed), ["desk/acme/service/web/1/g1"]);
}

#[test]
fn what_is_on_record_is_found_by_its_id_without_any_word() {
    let mut observed = world(vec![container("web", 1), container("web", 2)]);
    let mut record = escadre_model::observed::Record::default();
    let known = id("desk", "acme").resource(ResourceKey::new(Kind::Service, "web")).container(1, 1);
    record.owned.insert(EngineId("c-web-1".into()), known);
    record.adopted.insert(EngineId("c-web-1".into()), Adopted { spec: Some(Hash::of("s")), differs: Vec::new() });
    observed.instances.entry(id("desk", "acme")).or_default().record = record;
    join(&mut observed, &[]);
    assert_eq!(ids(&observed), ["desk/acme/service/web/1/g1"]);
    assert_eq!(observed.instances[&id("desk", "acme")].containers[0].spec, Some(Hash::of("s")));
    // Another container of that place, made since: it stands beside the one on record, as the next generation.
    join(&mut observed, &[&desired(&["web"], None)]);
    assert_eq!(ids(&observed), ["desk/acme/service/web/1/g1", "desk/acme/service/web/2/g1"]);
}
