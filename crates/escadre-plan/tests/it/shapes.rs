//! One among many is what it would be alone: instances that share a shape want, byte by byte, what they want when each is resolved for itself.
//!
//! In: products made of every kind of attribute with variables in it, and of the cases that the Compose reader is tested with. Out: nothing; they are equal.
//! **Invariant:** instances differ in every value, so that nothing of one can be taken for another's unseen.

#![expect(clippy::disallowed_methods, reason = "tests read the cases of another room")]

use crate::pure::Memory;
use escadre_model::desired::{Desired, Head, Parts};
use escadre_model::fleet::{self, Fleet};
use escadre_model::hash::Hash;
use escadre_model::name::Name;
use escadre_model::parallel::Threads;
use escadre_model::resolve::{self, Cache, Keys};
use escadre_render::engine::{Dialect, Facts, fleet as spell, render};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// Services, one attribute or a few each; `$N` parameters are different in each instance.
const SERVICES: &[&str] = &[
    "image: 'x:1'\n    environment: { A: '$A', B: 'b-${B}-b', C: '${C:-c}', D: \"$E\", E: , PLAIN: 1 }",
    "image: 'x:1'\n    environment: ['A=$A', 'B=${B}', 'C', 'PLAIN=${E:-}x']",
    "image: 'x:${TAG}'\n    labels: { app: '${A}', fixed: x }\n    annotations: ['who=${B}']",
    "image: x\n    command: [serve, '--domain', '${A}', '${B:+with b}']\n    entrypoint: ['/x', '$$A']",
    "image: x\n    command: serve --domain ${A} --x",
    "image: x\n    healthcheck: { test: ['CMD', 'check', 'http://${A}/'], interval: 5s }",
    "image: x\n    healthcheck: { test: 'check ${B} | x', retries: '${N}' }",
    "image: x\n    hostname: '${A}'\n    domainname: example\n    user: '${B}'\n    working_dir: '/${B}'",
    "image: x\n    ports: ['${PORT}:80', '127.0.0.1:9${TWO}:90/udp']",
    "image: x\n    expose: ['${TWO}80']\n    stop_grace_period: ${TWO}s\n    mem_limit: ${TWO}m",
    "image: x\n    volumes: ['data:/data', './conf:/${B}', 'named:/n', { type: tmpfs, target: '/t${B}' }, '/${B}/anon']",
    "image: x\n    networks: { front: { aliases: ['${A}', web] }, back: { priority: 5 } }",
    "image: x\n    extra_hosts: ['${A}:10.0.0.1', 'b=host-gateway']\n    dns: ['${DNS}']",
    "image: x\n    configs: [motd, { source: lines, target: '/etc/${B}', mode: 0400 }, logo]\n    secrets: [{ source: db_password, target: '/run/${B}' }]",
    "image: x\n    environment: { URL: 'postgres://app:${DB_URL}@${A}/x', ONLY: '$DB_URL' }\n    command: ['${DB_URL}', '${A}']",
    "image: x\n    depends_on: { s0: { condition: service_healthy } }\n    deploy: { replicas: '${TWO}', labels: ['a=${A}'] }",
    "image: x\n    tmpfs: ['/x:size=${TWO}m']\n    sysctls: { net.x: '${TWO}' }\n    cap_add: ['${CAP}']\n    ulimits: { nofile: { soft: 10, hard: 20 } }",
    "image: x\n    logging: { driver: json-file, options: { max-size: '${TWO}m', tag: '${A}' } }\n    restart: on-failure",
    "image: x\n    env_file: [{ path: 'some.env', required: false }]\n    labels: ['traefik.rule=Host(`${A}`)', 'b=${B}']",
    "build: { context: ., args: { WHO: '${A}', N: '${N}' }, dockerfile_inline: \"FROM x\\n\" }",
    "image: x\n    network_mode: 'service:s0'\n    pid: host\n    devices: ['/dev/${B}:/dev/x']",
    "image: '${ESCADRE_INSTANCE}/x'\n    container_name: '${COMPOSE_PROJECT_NAME}-web'",
    "image: x\n    environment: { WHO: '${ESCADRE_INSTANCE}', PROJECT: '$COMPOSE_PROJECT_NAME', WHERE: '$ESCADRE_ENVIRONMENT', NONE: '${UNKNOWN}' }",
    "image: x\n    extends: { service: base }\n    environment: { MORE: '${A}${B}' }",
    "image: x\n    profiles: [extra]\n    environment: { A: '${A}' }",
    "image: x\n    scale: 0\n    cpus: '0.${TWO}'\n    shm_size: ${TWO}m\n    stdin_open: true\n    x-note: '${A}'",
];

const REST: &str = "networks: { front: {}, back: { internal: true, labels: { who: '${A}' } }, named: { name: 'net-${B}' }, default: { name: shared } }\n\
    volumes: { data: {}, named: { name: 'vol-${ESCADRE_INSTANCE}', driver_opts: { o: '${B}' } } }\n\
    configs: { motd: { content: 'hello ${ESCADRE_INSTANCE} of ${A}' }, lines: { environment: B }, logo: { file: files/logo.txt } }\n\
    secrets: { db_password: { environment: NOPE } }\n";

fn name(index: usize) -> String {
    format!("t{index:02}")
}

/// A fleet of one product and some instances, whose values all differ but a few.
fn tree(
    files: BTreeMap<String, String>,
    parameters: &[String],
    values: &dyn Fn(usize, &str) -> Option<String>,
) -> Memory {
    let mut tree = Memory::default();
    tree.put(
        "fleet.yaml",
        "fleet: many\nid: 6f1c9a2e\nenvironments: { production: {}, integration: {} }\ntargets: { host-1: { podman: unix:///x } }\n",
    );
    let mut product = "product: desk\nparameters:\n  LOGO: { type: file, default: files/logo.txt }\n".to_owned();
    for parameter in parameters {
        writeln!(product, "  {parameter}: {{ type: string }}").expect("a String takes it");
    }
    product.push_str("secrets: { DB_URL: { as: environment }, db_password: {} }\n");
    let ours = files.values().any(|text| text.contains("[extra]"));
    if ours {
        product.push_str("sizes: { small: { s0: { memory: 64m } } }\n");
        product.push_str("endpoints: { portal: { service: s0, port: 80, hosts: ['${A}', 'x.${A}'], redirect: ['y-${ESCADRE_INSTANCE}.example'] } }\n");
    }
    tree.put("products/desk/product.yaml", product);
    for (path, text) in files {
        tree.put(format!("products/desk/{path}"), text);
    }
    tree.put("products/desk/files/logo.txt", "logo");
    for index in 0..INSTANCES {
        let name = name(index);
        let mut text = format!("instance: {name}\nproduct: desk\nstate: stopped\n");
        text.push_str(if index % 5 == 4 { "environment: integration\n" } else { "environment: production\n" });
        if ours && index % 4 == 3 {
            let _ = writeln!(text, "size: small\nprofiles: [extra]\nvolumes: {{ data: its_own_{index} }}");
        }
        text.push_str("values:\n");
        if index == 6 {
            text.push_str("  LOGO: files/own.txt\n");
            tree.put("instances/files/own.txt", "its own");
        }
        for parameter in parameters {
            if let Some(value) = values(index, parameter) {
                writeln!(text, "  {parameter}: {}", serde_json::Value::String(value)).expect("a String takes it");
            }
        }
        tree.put(format!("instances/{name}.yaml"), text);
    }
    tree
}

const INSTANCES: usize = 18;

/// Compares; how many instances were sound, and how many distinct shapes they have.
fn compare(tree: &Memory, what: &str) -> (usize, usize) {
    let (read, findings) = fleet::read(tree);
    let read: Fleet = read.unwrap_or_else(|| panic!("{what}: {findings:#?}"));
    let names: Vec<&Name> = read.instances.keys().collect();
    let (mut sound, mut shapes) = (0, BTreeSet::new());
    for facts in [Facts::default(), Facts { dialect: Dialect::Docker, rootless: true }] {
        let many = spell(&read, &names, tree, &Keys::none(), &facts, Threads::new(1));
        (sound, shapes) = (0, BTreeSet::new());
        let mut parts = BTreeMap::new();
        for (name, one) in names.iter().zip(&many) {
            let (resolved, mut findings) = resolve::instance(&read, name.as_str(), tree, &Keys::none(), &Cache::new());
            let alone = resolved.and_then(|resolved| {
                let (desired, found) = render(&resolved, &facts);
                let sound = !escadre_model::diagnostic::has_errors(&found);
                findings.extend(found);
                sound.then_some((resolved, desired))
            });
            assert_eq!(one.findings, findings, "{what}, {name}");
            let text = |wanted: Option<&Desired>| wanted.map(|it| serde_json::to_string_pretty(it).expect("JSON"));
            let (among, by_itself) =
                (text(one.wanted.as_ref().map(|(_, it)| it)), text(alone.as_ref().map(|(_, it)| it)));
            if among != by_itself {
                let (among, by_itself) = (among.unwrap_or_default(), by_itself.unwrap_or_default());
                let differs = among.lines().zip(by_itself.lines()).find(|(a, b)| a != b);
                panic!("{what}, {name}: {differs:?}");
            }
            let Some(((shared, desired), (own, wanted))) = one.wanted.as_ref().zip(alone) else { continue };
            assert_eq!(desired.hash(), wanted.hash(), "{what}, {name}");
            assert_eq!(desired, &wanted, "{what}, {name}");
            kept_and_read(desired, &mut parts);
            assert_eq!(shared.project().to_json(), own.project().to_json(), "{what}, {name}");
            assert_eq!(
                (&shared.values, &shared.endpoints, &shared.shape.ports),
                (&own.values, &own.endpoints, &own.shape.ports)
            );
            sound += 1;
            shapes.insert(Arc::as_ptr(&shared.shape));
        }
    }
    (sound, shapes.len())
}

/// What an instance wants comes back as it was kept, with parts that others have kept too.
fn kept_and_read(desired: &Desired, parts: &mut BTreeMap<Hash, Arc<[u8]>>) {
    let packed = desired.pack().expect("JSON");
    parts.extend(packed.parts.into_iter().map(|(hash, text)| (hash, text.into())));
    let head = Head::read(&packed.head).expect("a head");
    let read = head.unpack(&mut Parts::default(), &|hash| parts.get(hash).cloned()).expect("all parts are there");
    let text = |it: &Desired| serde_json::to_string(it).expect("JSON");
    assert_eq!(text(&read), text(desired));
    assert_eq!(read.hash(), desired.hash());
    let again = read.pack().expect("JSON");
    assert_eq!(again.head, packed.head);
}

const PARAMETERS: [&str; 10] = ["A", "B", "C", "E", "N", "TAG", "PORT", "TWO", "DNS", "CAP"];

fn value(index: usize, parameter: &str) -> Option<String> {
    Some(match parameter {
        "A" => format!("t{index}.example"),
        "B" => format!("b{index}"),
        // Set for some, empty for one.
        "C" if index.is_multiple_of(3) => return None,
        "C" if index == 7 => String::new(),
        "C" => format!("c {index}"),
        // Awkward letters.
        "E" => format!("\"{index}\\ 'é\u{1f6a2}"),
        "N" | "TWO" => format!("{}", 2 + index % 2),
        "TAG" => format!("v{}", index % 3),
        "PORT" => format!("{}", 18_000 + index),
        "DNS" => format!("10.0.0.{index}"),
        _ => "NET_ADMIN".to_owned(),
    })
}

fn product(services: &[&str]) -> BTreeMap<String, String> {
    let mut text = "services:\n  base: { image: base, environment: { BASE: '${A}' } }\n  more: { image: base, profiles: [extra] }\n".to_owned();
    for (index, service) in services.iter().enumerate() {
        writeln!(text, "  s{index}:\n    {service}").expect("a String takes it");
    }
    text.push_str(REST);
    [("compose.yaml".to_owned(), text)].into()
}

#[test]
fn every_attribute_is_the_same_among_many_as_alone() {
    let parameters = PARAMETERS.map(str::to_owned);
    let mut shared = 0;
    for (index, service) in SERVICES.iter().enumerate() {
        let first = if index == 0 { Vec::new() } else { vec![SERVICES[0]] };
        let services: Vec<&str> = first.into_iter().chain([*service]).collect();
        let (sound, shapes) = compare(&tree(product(&services), &parameters, &value), service);
        assert_eq!(sound, INSTANCES, "{service}");
        shared += usize::from(shapes < sound);
    }
    assert!(shared > SERVICES.len() / 3, "only {shared} of {} products have instances that share", SERVICES.len());
}

#[test]
fn a_product_of_all_of_them_is_the_same_too() {
    let parameters = PARAMETERS.map(str::to_owned);
    assert_eq!(compare(&tree(product(SERVICES), &parameters, &value), "all services").0, INSTANCES);
    // What nobody asks for stays out of the shape: one for each class.
    let text = "services:\n  more: { image: x, profiles: [extra] }\n  s0:\n    image: x:1\n    environment: { A: '$A', B: '${B}' }\n    labels: ['a=${A}', 'b=${B}']\n";
    let files = BTreeMap::from([("compose.yaml".to_owned(), text.to_owned())]);
    let (sound, shapes) = compare(&tree(files, &["A".to_owned(), "B".to_owned()], &value), "a plain product");
    assert_eq!(sound, INSTANCES);
    assert_eq!(shapes, 4, "production, with a size, integration, and the one with a file of its own");
}

/// The cases of the Compose reader, each as a product: its environment becomes parameters.
#[test]
fn the_cases_of_the_reader_are_the_same_among_many_as_alone() {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../escadre-model/tests/cases/compose");
    // More of them, in the same form: `compose_random PEER show SEED` prints one.
    let more = std::env::var("ESCADRE_MORE_CASES").ok();
    let (mut cases, mut sound) = (0, 0);
    for folder in [Some(own.to_owned()), more].into_iter().flatten() {
        for entry in std::fs::read_dir(&folder).expect("a folder of cases") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let Some((files, environment)) = case(&text) else { continue };
            cases += 1;
            let parameters: Vec<String> = environment.keys().cloned().collect();
            let value = |index: usize, parameter: &str| {
                let value = environment.get(parameter)?;
                // Some have the case's own value, others another one.
                Some(if index.is_multiple_of(3) || value.is_empty() {
                    value.clone()
                } else {
                    format!("{value}{index}")
                })
            };
            sound += compare(&tree(files, &parameters, &value), &path.to_string_lossy()).0;
        }
    }
    assert!(cases > 40 && sound > 200, "{cases} cases, {sound} sound instances");
}

/// Files and variables of a case; `None`: it is none of a product.
fn case(text: &str) -> Option<(BTreeMap<String, String>, BTreeMap<String, String>)> {
    let (settings, rest) = text.split_once("//- ").unwrap_or((text, ""));
    let rest = rest.split("\n----------------------------------------").next().unwrap_or_default();
    let mut environment = BTreeMap::new();
    for line in settings.lines() {
        match line.split_once(": ") {
            Some(("env", pair)) => {
                let (name, value) = pair.split_once('=')?;
                let is_name =
                    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
                if is_name && name != "COMPOSE_PROJECT_NAME" {
                    environment.insert(name.to_owned(), value.to_owned());
                }
            }
            Some(("files", names)) if !names.split(' ').next()?.ends_with("compose.yaml") => return None,
            _ => {}
        }
    }
    let files: BTreeMap<String, String> = rest
        .split("\n//- ")
        .filter_map(|file| file.split_once('\n'))
        .map(|(path, text)| (path.trim_start_matches('/').to_owned(), format!("{text}\n")))
        .collect();
    files.contains_key("compose.yaml").then_some((files, environment))
}
