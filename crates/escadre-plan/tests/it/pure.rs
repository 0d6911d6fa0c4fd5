//! The pure rooms as one chain, from files to plan: the same input gives the same bytes, whoever asks, in whatever order; and the spec hashes that
//! containers carry stay what they are, because a changed one restarts every container of everybody at the next apply.

use escadre_model::desired::{Body, Desired};
use escadre_model::diagnostic::has_errors;
use escadre_model::fleet;
use escadre_model::observed::{Complete, Observed};
use escadre_model::resolve::{self, Cache, Keys};
use escadre_model::tree::{Entry, Error, Tree};
use escadre_plan::make::{self, Abilities, Input, Options, TargetFacts};
use escadre_render::engine::{Facts, render};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// Recorded: resource by resource the hash that its container, network or volume is labelled with.
const RECORDED: &str = include_str!("../cases/spec-hashes.txt");

#[derive(Default)]
pub(crate) struct Memory(BTreeMap<String, String>);

impl Memory {
    pub(crate) fn put(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.0.insert(path.into(), text.into());
    }
}

impl Tree for Memory {
    fn entry(&self, path: &str) -> Result<Entry, Error> {
        if let Some(text) = self.0.get(path) {
            return Ok(Entry::File { bytes: text.as_bytes().into(), executable: false, tracked: true });
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.0.keys().filter_map(|key| key.strip_prefix(&prefix)?.split('/').next());
        let names: BTreeSet<Arc<str>> = below.map(Into::into).collect();
        Ok(if names.is_empty() { Entry::Absent } else { Entry::Folder(names.into_iter().collect()) })
    }
}

pub(crate) fn world() -> Memory {
    let files = [
        (
            "fleet.yaml",
            "fleet: worteks\nid: 6f1c9a2e\nenvironments: { production: {} }\ntargets: { host-1: { podman: unix:///run/podman/podman.sock } }\n",
        ),
        (
            "products/desk/product.yaml",
            "product: desk\nparameters:\n  DOMAIN: { type: hostname, required: true }\n  SEATS: { type: integer, default: 50 }\n\
             endpoints:\n  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"] }\n",
        ),
        (
            "products/desk/compose.yaml",
            "services:\n  web:\n    image: desk/web:1\n    command: [serve, --all]\n    cpus: 2\n    mem_limit: 1g\n    init: true\n\
             \x20   environment: { SEATS: '${SEATS}', WHO: '${ESCADRE_INSTANCE}' }\n    configs: [motd]\n    depends_on:\n\
             \x20     migrate: { condition: service_completed_successfully }\n      db: { condition: service_healthy }\n\
             \x20   volumes: ['./conf:/etc/desk:ro', './data:/data', '../../shared/logo.svg:/logo.svg:ro']\n    networks: [front, back]\n    scale: 2\n\
             \x20 migrate: { image: 'desk/web:1', command: [migrate], networks: [back] }\n\
             \x20 db:\n    image: postgres:16\n    volumes: ['data:/var/lib/postgresql/data']\n    networks: [back]\n    shm_size: 128m\n\
             \x20   healthcheck: { test: [CMD, pg_isready], interval: 5s, retries: 5 }\n    stop_grace_period: 30s\n\
             \x20   logging: { driver: json-file, options: { max-size: 5m } }\n\
             configs: { motd: { content: 'hello ${ESCADRE_INSTANCE}' } }\nvolumes: { data: {} }\nnetworks: { front: {}, back: { internal: true } }\n",
        ),
        ("products/desk/conf/a", "a"),
        ("shared/logo.svg", "<svg/>"),
        (
            "instances/acme.yaml",
            "instance: acme\nproduct: desk\nenvironment: production\nvalues: { DOMAIN: acme.example, SEATS: 250 }\n",
        ),
        (
            "instances/elm.yaml",
            "instance: elm\nproduct: desk\nenvironment: production\nvalues: { DOMAIN: elm.example }\n",
        ),
        (
            "instances/oak.yaml",
            "instance: oak\nproduct: desk\nenvironment: production\nvalues: { DOMAIN: oak.example }\n",
        ),
    ];
    Memory(files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect())
}

/// Files → plan; instances in the order given or the other way round.
fn chain(backwards: bool) -> (Vec<Desired>, String) {
    let tree = world();
    let (read, findings) = fleet::read(&tree);
    assert!(findings.is_empty(), "{findings:#?}");
    let read = read.expect("a fleet");
    let mut names: Vec<_> = read.instances.keys().collect();
    if backwards {
        names.reverse();
    }
    let (cache, keys) = (Cache::new(), Keys::none());
    let desired: Vec<Desired> = names
        .into_iter()
        .map(|name| {
            let (resolved, findings) = resolve::instance(&read, name.as_str(), &tree, &keys, &cache);
            assert!(!has_errors(&findings), "{findings:#?}");
            let (desired, findings) = render(&resolved.expect("resolved"), &Facts::default());
            assert!(!has_errors(&findings), "{findings:#?}");
            desired
        })
        .collect();
    let complete = Complete { containers: true, networks: true, volumes: true, images: true, record: true };
    let observed = Observed { complete, ..Observed::default() };
    let plan = make::make(&Input {
        fleet: "worteks".into(),
        commit: "".into(),
        dirty: None,
        desired: &desired,
        listed: true,
        observed: &observed,
        target: TargetFacts::default(),
        abilities: Abilities::default(),
        options: Options::default(),
        registry: BTreeMap::new(),
    });
    let plan = serde_json::to_string(&plan).expect("JSON");
    (desired, plan)
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let (desired, plan) = chain(false);
    assert!(plan.len() > 10_000, "a plan of three new instances: {plan}");
    let elsewhere = std::thread::spawn(|| chain(false).1).join().expect("it ends");
    assert_eq!(plan, chain(false).1, "asked twice");
    assert_eq!(plan, elsewhere, "asked by another thread");
    let (mut other, backwards) = chain(true);
    other.reverse();
    assert_eq!(serde_json::to_string(&desired).expect("JSON"), serde_json::to_string(&other).expect("JSON"));
    assert_eq!(plan, backwards, "the order of instances decides nothing");
}

#[test]
fn an_upgrade_of_escadre_alone_restarts_nothing() {
    let (desired, _) = chain(false);
    let acme = desired.iter().find(|one| one.instance.instance.as_str() == "acme").expect("acme");
    let mut said = String::new();
    for (key, resource) in &acme.resources {
        writeln!(said, "{key} {}", resource.spec).expect("a String takes it");
    }
    assert_eq!(
        said, RECORDED,
        "a recorded spec hash changed: every container of this kind restarts at the next apply of everybody. If that is meant, say so in CHANGELOG \
         and record the new ones"
    );
}

#[test]
fn what_is_wanted_does_not_depend_on_where_it_is_written() {
    let hash = |change: &dyn Fn(&mut String)| {
        let mut tree = world();
        change(tree.0.get_mut("products/desk/compose.yaml").expect("the product's file"));
        let (read, _) = fleet::read(&tree);
        let (resolved, findings) =
            resolve::instance(&read.expect("a fleet"), "acme", &tree, &Keys::none(), &Cache::new());
        let (desired, _) = render(&resolved.unwrap_or_else(|| panic!("{findings:?}")), &Facts::default());
        (desired.hash(), serde_json::to_string(&desired).expect("JSON"))
    };
    let (as_it_was, text) = hash(&|_| {});
    let (below_a_comment, moved) = hash(&|file| file.insert_str(0, "# of the desk\n"));
    assert_ne!(text, moved, "every line has moved");
    assert_eq!(as_it_was, below_a_comment, "and nothing else is wanted");
    // What changes no container changes what is wanted all the same: order, count, gate.
    for (from, to) in [("service_healthy", "service_started"), ("scale: 2", "scale: 3"), ("retries: 5", "retries: 6")] {
        let (changed, _) = hash(&|file| *file = file.replace(from, to));
        assert_ne!(as_it_was, changed, "{to}");
    }
}

fn part() -> impl Strategy<Value = String> {
    "[ab]([ab-]{0,2}[ab])?"
}

/// Names of everything an instance would have on an engine, from one volume and one network of a Compose file.
fn names(fleet: &str, instance: &str, key: &str) -> Vec<Arc<str>> {
    let mut tree = world();
    tree.0.retain(|path, _| !path.starts_with("instances/"));
    tree.put("fleet.yaml", format!("fleet: {fleet}\nid: 6f1c9a2e\nenvironments: {{ production: {{}} }}\ntargets: {{ host-1: {{ podman: unix:///x }} }}\n"));
    tree.put("products/desk/product.yaml", "product: desk\n");
    tree.put(
        "products/desk/compose.yaml",
        format!("services: {{ web: {{ image: x, volumes: ['{key}:/d'], networks: ['{key}'] }} }}\nvolumes: {{ '{key}': }}\nnetworks: {{ '{key}': }}\n"),
    );
    tree.put(
        format!("instances/{instance}.yaml"),
        format!("instance: {instance}\nproduct: desk\nenvironment: production\n"),
    );
    let (read, findings) = fleet::read(&tree);
    let read = read.unwrap_or_else(|| panic!("{findings:?}"));
    let (resolved, findings) = resolve::instance(&read, instance, &tree, &Keys::none(), &Cache::new());
    let (desired, _) = render(&resolved.unwrap_or_else(|| panic!("{findings:?}")), &Facts::default());
    let names = desired.resources.values().filter_map(|resource| match &resource.body {
        Body::Volume(volume) => Some(volume.name.clone()),
        Body::Network(network) => Some(network.name.clone()),
        _ => None,
    });
    names.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn two_instances_of_a_fleet_never_share_a_volume_or_network(fleet in part(), named in any::<bool>(), a in (part(), "[ab]([ab_-]{0,3}[ab])?"), b in (part(), "[ab]([ab_-]{0,3}[ab])?")) {
        prop_assume!(a.0 != b.0);
        // An instance may bear its fleet's name.
        let fleet = if named { a.0.clone() } else { fleet };
        let (one, other) = (names(&fleet, &a.0, &a.1), names(&fleet, &b.0, &b.1));
        prop_assert_eq!((one.len(), other.len()), (2, 2));
        prop_assert!(one.iter().all(|name| !other.contains(name)), "{:?} {:?}", one, other);
    }
}
