//! Whole instances resolved: which value wins, what travels, what clashes, how long it takes.

use crate::fleet::Memory;
use escadre_model::compose::Variables;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::fleet::{self, Fleet};
use escadre_model::resolve::{self, Cache, Keys, ROOT, SingleInput};
use escadre_model::resolved::{Content, Resolved};
use escadre_model::secret::{HashKey, Secret};
use std::fmt::Write as _;

const BLOCK: &str = "  -----BEGIN AGE ENCRYPTED FILE-----\n  YWdl\n  -----END AGE ENCRYPTED FILE-----\n";

fn world() -> Memory {
    Memory::default()
        .with(
            "fleet.yaml",
            "fleet: worteks\nid: 6f1c9a2e\nenvironments:\n  integration: { values: { LOG_LEVEL: debug, SEATS: 7 } }\n  production: {}\n\
             targets: { host-1: { podman: unix:///run/podman/podman.sock } }\ndefaults: { zone: customers }\n",
        )
        .with("zones/customers.yaml", "zone: customers\nlabels: { kind: customer }\nvalues: { LOG_LEVEL: warn }\n")
        .with(
            "products/desk/product.yaml",
            "product: desk\nparameters:\n  DOMAIN: { type: hostname, required: true }\n  SEATS: { type: integer, default: 50 }\n\
             \x20 LOG_LEVEL: { default: info }\n  COUNTRY: {}\n  CONFIG: { type: file, default: files/desk.toml }\n\
             secrets:\n  db_password: { generate: password }\n  SMTP_PASSWORD: { as: environment }\n\
             endpoints:\n  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"], redirect: [\"www.${DOMAIN}\"], body: 200M, timeout: 60s }\n\
             \x20 ldap: { service: ldap, port: 389, hosts: [\"ldap.${DOMAIN}\"] }\n\
             sizes:\n  small: { web: { cpus: 0.5, memory: 256M }, db: { memory: 512M } }\n\
             volumes: { uploads: { shared: true } }\ngrants: { binds: [/srv/nfs] }\n",
        )
        .with(
            "products/desk/compose.yaml",
            "services:\n  web:\n    image: desk/web:${ESCADRE_RELEASE}\n    cpus: 2\n    mem_limit: 1g\n    ports: ['8080:80']\n\
             \x20   environment:\n      SEATS: ${SEATS}\n      LOG: ${LOG_LEVEL}\n      COUNTRY: ${COUNTRY:-none}\n\
             \x20     URL: smtp://x:${SMTP_PASSWORD}@mail\n      WHO: ${ESCADRE_INSTANCE}.${ESCADRE_ENVIRONMENT}\n\
             \x20   configs: [CONFIG]\n    volumes: ['./conf:/etc/desk:ro', './data:/data', '/srv/nfs/x:/x', 'uploads:/up']\n\
             \x20 db:\n    image: postgres:16\n    secrets: [db_password]\n    build: { context: ./db }\n\
             \x20 ldap: { image: ldap, profiles: [ldap] }\n\
             configs: { CONFIG: { file: ./files/desk.toml } }\nsecrets: { db_password: { file: ./dev/password } }\nvolumes: { uploads: {} }\n",
        )
        .with("products/desk/compose.integration.yaml", "services: { web: { environment: { EXTRA: \"1\" } } }\n")
        .with("products/desk/files/desk.toml", "x = 1\n")
        .with("products/desk/conf/a", "a")
        .with("products/desk/conf/sub/b", "b")
        .with("products/desk/db/Dockerfile", "FROM scratch\n")
        .with("products/desk/db/.dockerignore", "*.log\n")
        .with("instances/acme.yaml", "instance: acme\nproduct: desk\nenvironment: production\nsize: small\nvalues: { DOMAIN: Help.acme.example, SEATS: 250 }\nlabels: { country: fr }\nvolumes: { uploads: acme_up }\n")
        .with("instances/acme.secrets.yaml", format!("SMTP_PASSWORD: |\n{BLOCK}"))
        .with("instances/no/instance.yaml", "instance: no\nproduct: desk\nenvironment: integration\nsize: small\nvalues: { DOMAIN: no.example, COUNTRY: no, CONFIG: files/own.toml }\noverride: compose.yaml\nprofiles: [ldap]\n")
        .with("instances/no/compose.yaml", "services: { web: { image: !reset null, build: !reset null } }\n".replace("image: !reset null, build: !reset null", "mem_limit: 2g, ports: !reset []"))
        .with("instances/no/files/own.toml", "x = 2\n")
        .with("fleet.secrets.yaml", format!("db_password: |\n{BLOCK}SMTP_PASSWORD: |\n{BLOCK}"))
}

fn read(tree: &Memory) -> Fleet {
    let (fleet, findings) = fleet::read(tree);
    assert!(findings.is_empty(), "{findings:?}");
    fleet.unwrap()
}

fn one(tree: &Memory, fleet: &Fleet, name: &str) -> Resolved {
    let (resolved, findings) = resolve::instance(fleet, name, tree, &Keys::none(), &Cache::new());
    assert!(findings.is_empty(), "{findings:#?}");
    resolved.unwrap()
}

fn at(resolved: &Resolved, path: &str) -> String {
    resolved
        .project()
        .root
        .at(path)
        .and_then(|node| node.as_scalar())
        .map_or_else(|| "absent".to_owned(), |scalar| scalar.display().into_owned())
}

#[test]
fn the_narrower_value_wins_and_knows_where_it_was_written() {
    let tree = world();
    let fleet = read(&tree);
    let (acme, no) = (one(&tree, &fleet, "acme"), one(&tree, &fleet, "no"));
    assert_eq!(at(&acme, "services.web.environment.SEATS"), "250");
    assert_eq!(at(&no, "services.web.environment.SEATS"), "7");
    assert_eq!(at(&acme, "services.web.environment.LOG"), "warn", "a zone beats the default");
    assert_eq!(at(&no, "services.web.environment.LOG"), "warn", "a zone beats an environment");
    assert_eq!(at(&acme, "services.web.environment.COUNTRY"), "none", "without a value Compose's own default stands");
    assert_eq!(at(&no, "services.web.environment.COUNTRY"), "no", "as written");
    assert_eq!(at(&acme, "services.web.environment.WHO"), "acme.production");
    assert_eq!(at(&acme, "services.web.image"), "desk/web:tree");
    assert_eq!(at(&acme, "services.web.environment.EXTRA"), "absent");
    assert_eq!(at(&no, "services.web.environment.EXTRA"), "1", "compose.ENVIRONMENT.yaml");
    let seats = &acme.values["SEATS"];
    assert_eq!(
        (seats.source.as_ref().unwrap().to_string().as_str(), &*seats.from),
        ("instances/acme.yaml:5", "instance")
    );
    assert_eq!(&*no.values["SEATS"].from, "environment integration");
    assert_eq!(&*acme.values["LOG_LEVEL"].from, "zone customers");
    assert!(!acme.values.contains_key("COUNTRY"));
    assert_eq!(acme.labels.len(), 2);
    assert_eq!(&*acme.volume_names["uploads"], "acme_up");
    assert_eq!(acme.shape.shared_volumes.len(), 1);
    let span = &acme.shape.project.root.at("services.web.image").unwrap().span;
    assert_eq!(span.short(), "products/desk/compose.yaml:3", "no made-up folder in places");
}

#[test]
fn a_size_beats_the_product_and_an_override_beats_the_size() {
    let tree = world();
    let fleet = read(&tree);
    let (acme, no) = (one(&tree, &fleet, "acme"), one(&tree, &fleet, "no"));
    assert_eq!(at(&acme, "services.web.deploy.resources.limits.memory"), "268435456");
    assert_eq!(at(&acme, "services.web.deploy.resources.limits.cpus"), "0.5");
    assert_eq!(
        (at(&acme, "services.web.mem_limit"), at(&acme, "services.web.cpus")),
        ("absent".to_owned(), "absent".to_owned())
    );
    assert_eq!(at(&acme, "services.db.deploy.resources.limits.memory"), "536870912");
    assert_eq!(at(&no, "services.web.mem_limit"), "2147483648");
    assert_eq!(at(&no, "services.web.deploy.resources.limits.memory"), "absent");
    assert_eq!(at(&no, "services.web.deploy.resources.limits.cpus"), "0.5");
    let memory = acme.shape.project.root.at("services.web.deploy.resources.limits.memory").unwrap();
    assert_eq!((memory.span.short().as_str(), memory.raw.as_deref()), ("products/desk/product.yaml:15", Some("256M")));
}

#[test]
fn endpoints_contents_and_builds() {
    let tree = world();
    let fleet = read(&tree);
    let (acme, no) = (one(&tree, &fleet, "acme"), one(&tree, &fleet, "no"));
    let portal = &acme.endpoints["portal"];
    assert_eq!((&*portal.hosts[0], &*portal.redirect[0]), ("help.acme.example", "www.help.acme.example"));
    assert_eq!((portal.body_limit, portal.timeout_ms), (Some(200 << 20), Some(60_000)));
    assert!(
        !acme.endpoints.contains_key("ldap") && no.endpoints.contains_key("ldap"),
        "an endpoint goes with its profile"
    );
    let text = |resolved: &Resolved, path: String| match &resolved.shape.contents[path.as_str()] {
        Content::File { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{path} is {other:?}"),
    };
    assert_eq!(text(&acme, format!("{ROOT}/products/desk/files/desk.toml")), "x = 1\n");
    assert_eq!(at(&no, "configs.CONFIG.file"), format!("{ROOT}/instances/no/files/own.toml"));
    assert_eq!(text(&no, format!("{ROOT}/instances/no/files/own.toml")), "x = 2\n");
    let Content::Folder(conf) = &acme.shape.contents[format!("{ROOT}/products/desk/conf").as_str()] else {
        panic!("a folder")
    };
    assert_eq!(conf.keys().map(|key| &**key).collect::<Vec<_>>(), ["a", "sub/b"]);
    assert_eq!(acme.shape.contents[format!("{ROOT}/products/desk/data").as_str()], Content::Untracked);
    assert_eq!(acme.shape.granted_binds.len(), 1);
    let built = &acme.shape.builds["db"];
    assert_eq!(*built, no.shape.builds["db"]);
    let tree = tree.with("products/desk/db/x.log", "noise");
    assert_eq!(*built, one(&tree, &fleet, "acme").shape.builds["db"], "what .dockerignore leaves out does not count");
    let tree = tree.with("products/desk/db/new", "x");
    assert_ne!(*built, one(&tree, &fleet, "acme").shape.builds["db"]);
}

#[test]
fn secrets_are_holes_with_keyed_hashes() {
    let tree = world();
    let fleet = read(&tree);
    let keys = Keys {
        hash_key: Some(HashKey::new([7; 32])),
        reveal: &|stored| Ok(Some(Secret::new(format!("canary of {}", stored.of).into_bytes()))),
    };
    let (acme, findings) = resolve::instance(&fleet, "acme", &tree, &keys, &Cache::new());
    assert!(findings.is_empty());
    let acme = acme.unwrap();
    assert_eq!(at(&acme, "services.web.environment.URL"), "smtp://x:<secret SMTP_PASSWORD>@mail");
    let smtp = &acme.secrets["SMTP_PASSWORD"];
    assert!(smtp.environment && smtp.hash.is_some());
    assert_eq!(
        &*smtp.source.as_ref().unwrap().file,
        "instances/acme.secrets.yaml",
        "the instance's own beats the fleet's"
    );
    assert_eq!(&*acme.secrets["db_password"].source.as_ref().unwrap().file, "fleet.secrets.yaml");
    assert_eq!(at(&acme, "secrets.db_password.file"), "absent", "the developers' file is nothing to a fleet");
    assert!(!format!("{acme:?}").contains("canary"));
    let swapped = Keys {
        hash_key: Some(HashKey::new([7; 32])),
        reveal: &|_| Err(Box::new(Diagnostic::error(Code::E0602, "this block is another"))),
    };
    let (none, findings) = resolve::instance(&fleet, "acme", &tree, &swapped, &Cache::new());
    assert!(
        none.is_none()
            && findings.iter().any(|finding| finding.span().unwrap().short() == "instances/acme.secrets.yaml:1"),
        "{findings:?}"
    );
    assert_eq!(one(&tree, &fleet, "acme").secrets["SMTP_PASSWORD"].hash, None, "without a key nothing is known");
}

fn findings_with(path: &str, text: &str) -> Vec<Diagnostic> {
    let tree = world().with(path, text);
    let (fleet, mut findings) = fleet::read(&tree);
    if let Some(fleet) = fleet {
        findings.extend(resolve::instance(&fleet, "acme", &tree, &Keys::none(), &Cache::new()).1);
    }
    findings
}

#[test]
fn what_is_wrong_has_its_code() {
    let acme = |line: &str| {
        format!("instance: acme\nproduct: desk\nenvironment: production\nvalues: {{ DOMAIN: a.example }}\n{line}\n")
    };
    let compose =
        |web: &str| format!("services:\n  web: {{ image: x, {web} }}\n  db: {{ image: x }}\n  ldap: {{ image: x }}\n");
    let mut told = String::new();
    for (path, text) in [
        ("instances/acme.yaml", acme("override: none.yaml")),
        ("instances/acme.yaml", acme("override: ../../x.yaml")),
        ("instances/acme.yaml", acme("values2: 1")),
        ("instances/acme.yaml", acme("profiles: [ldpa]")),
        ("instances/acme.yaml", acme("").replace("DOMAIN: a.example", "DOMAIN: a.example, CONFIG: nothing.toml")),
        ("products/desk/compose.yaml", compose("volumes: ['/etc:/etc']")),
        ("products/desk/compose.yaml", compose("volumes: ['../../../etc:/etc']")),
        ("products/desk/compose.yaml", compose("environment: { A: '${NOBODY:?is needed}' }")),
        ("products/desk/compose.yaml", compose("build: { context: ../../.. }")),
        ("products/desk/compose.yaml", compose("env_file: ../../../../etc/passwd")),
        ("products/desk/compose.yaml", compose("").replace("web:", "wbe:")),
        ("products/desk/compose.yaml", compose("depends_on: [nobody]")),
        ("products/desk/compose.yaml", format!("{}secrets: {{ other: {{ file: x }} }}\n", compose("secrets: [other]"))),
        ("products/desk/conf/sub/b", "!link".to_owned()),
        ("fleet.secrets.yaml", format!("db_password: |\n{BLOCK}")),
    ] {
        // The instance's own secrets would hide that the fleet has none.
        let findings = findings_with(path, &text);
        assert!(
            findings.iter().any(Diagnostic::is_error) || path == "fleet.secrets.yaml",
            "{path}: {text}\n{findings:?}"
        );
        findings.iter().for_each(|finding| writeln!(told, "{finding}").unwrap());
        assert!(findings.iter().all(|finding| !finding.to_string().contains("/.fleet")), "{findings:?}");
    }
    for code in [Code::E0516, Code::E0515, Code::E0521, Code::E0407, Code::E0505, Code::E0606, Code::E0409] {
        assert!(told.contains(code.as_str()), "{code} in\n{told}");
    }
}

#[test]
fn two_claims_to_one_thing_name_both() {
    let tree = world().with(
        "instances/twin.yaml",
        "instance: twin\nproduct: desk\nenvironment: production\nvalues: { DOMAIN: help.acme.example }\n",
    );
    let fleet = read(&tree);
    let cache = Cache::new();
    let all: Vec<Resolved> = fleet
        .instances
        .keys()
        .filter_map(|name| resolve::instance(&fleet, name.as_str(), &tree, &Keys::none(), &cache).0)
        .collect();
    let told: Vec<String> = resolve::clashes(&fleet, &all).iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let names = fleet.instances.keys().map(|name| name.as_str());
    let (sound, findings) = resolve::all(&fleet, names, &tree, &Keys::none(), &cache);
    assert_eq!(sound.iter().map(|one| one.instance.instance.as_str()).collect::<Vec<_>>(), ["no"]);
    assert_eq!(findings.len(), 2);
    assert!(told[0].contains("acme and twin both claim the host name help.acme.example"), "{told:?}");

    let tree = tree.with("products/desk/compose.yaml", "services:\n  web: { image: x, ports: ['8080:80', '2222:22'] }\n  db: { image: x }\n  ldap: { image: x, profiles: [ldap] }\n");
    let (fleet, _) = fleet::read(&tree);
    let fleet = fleet.unwrap();
    let all: Vec<Resolved> = ["acme", "twin"]
        .iter()
        .filter_map(|name| resolve::instance(&fleet, name, &tree, &Keys::none(), &Cache::new()).0)
        .collect();
    let told: Vec<String> = resolve::clashes(&fleet, &all).iter().map(ToString::to_string).collect();
    assert_eq!(all.len(), 2);
    assert!(told.iter().any(|text| text.contains("both claim port 2222")), "{told:?}");
    assert!(
        !told.iter().any(|text| text.contains("8080")),
        "an endpoint serves port 80, so 8080 is not opened: {told:?}"
    );
}

#[test]
fn a_fleet_of_one_is_what_compose_sees() {
    let tree = Memory::default()
        .with("/work/desk/compose.yaml", "services:\n  web: { image: 'web:${TAG}', environment: { A: '${B:-b}' }, secrets: [s, e], configs: [c], build: . }\nsecrets: { s: { file: ./s.txt }, e: { environment: SECRET } }\nconfigs: { c: { file: ./c.txt } }\n")
        .with("/work/desk/.env", "TAG=1.2\nUNUSED=x\n")
        .with("/work/desk/s.txt", "canary")
        .with("/work/desk/c.txt", "config")
        .with("/work/desk/Dockerfile", "FROM scratch");
    let input = SingleInput {
        folder: "/work/desk".into(),
        files: vec!["/work/desk/compose.yaml".into()],
        environment: [("SECRET", "canary2"), ("HOME", "/root")].into_iter().collect::<Variables>(),
        ..SingleInput::default()
    };
    let key = HashKey::new([1; 32]);
    let (single, findings) = resolve::single(&input, &tree, Some(&key), &Cache::new());
    assert!(findings.is_empty(), "{findings:?}");
    let single = single.unwrap();
    assert_eq!(single.resolved.instance.to_string(), "desk/desk");
    assert!(single.resolved.shape.single);
    assert_eq!(&*single.resolved.origin, "/work/desk");
    assert_eq!(at(&single.resolved, "services.web.image"), "web:1.2");
    assert_eq!(
        single.resolved.values.keys().map(|key| &**key).collect::<Vec<_>>(),
        ["TAG"],
        "only what the files name"
    );
    assert!(single.resolved.values["TAG"].sensitive);
    assert_eq!(single.secrets.len(), 2);
    assert!(single.resolved.secrets.values().all(|seen| seen.hash.is_some()));
    assert!(!format!("{:?}", single.resolved.secrets).contains("canary"));
    assert!(single.resolved.shape.contents.contains_key("/work/desk/c.txt"));
    assert!(single.resolved.shape.builds.contains_key("web"));
}

/// A fleet of `instances` with a product of `services`.
fn large(instances: usize, services: usize) -> Memory {
    let mut compose = String::from("services:\n");
    for i in 0..services {
        write!(compose, "  s{i}:\n    image: registry.example/s{i}:${{TAG}}\n    environment:\n      DOMAIN: ${{DOMAIN}}\n      LEVEL: info\n      PORT: \"80{i:02}\"\n    healthcheck: {{ test: [CMD, 'true'], interval: 10s }}\n    volumes: ['v{i}:/data']\n    deploy: {{ resources: {{ limits: {{ memory: 128M }} }} }}\n").unwrap();
        if i > 0 {
            writeln!(compose, "    depends_on: [s{}]", i - 1).unwrap();
        }
    }
    compose.push_str("volumes:\n");
    (0..services).for_each(|i| writeln!(compose, "  v{i}: {{}}").unwrap());
    let mut tree = Memory::default()
        .with("fleet.yaml", "fleet: large\nenvironments: { production: {} }\ntargets: { h: { podman: unix:///x } }\n")
        .with("products/p/product.yaml", "product: p\nparameters:\n  DOMAIN: { type: hostname, required: true }\n  TAG: { default: '1' }\nendpoints: { e: { service: s0, port: 80, hosts: ['${DOMAIN}'] } }\n")
        .with("products/p/compose.yaml", compose);
    for i in 0..instances {
        tree = tree.with(
            &format!("instances/i{i}.yaml"),
            format!("instance: i{i}\nproduct: p\nenvironment: production\nvalues: {{ DOMAIN: i{i}.example }}\n"),
        );
    }
    tree
}

#[test]
fn two_hundred_instances_of_twenty_services_are_quick() {
    let tree = large(200, 20);
    let start = std::time::Instant::now();
    let fleet = read(&tree);
    let reading = start.elapsed();
    let cache = Cache::new();
    let all: Vec<Resolved> = fleet
        .instances
        .keys()
        .map(|name| resolve::instance(&fleet, name.as_str(), &tree, &Keys::none(), &cache).0.unwrap())
        .collect();
    assert!(resolve::clashes(&fleet, &all).is_empty());
    let all_of_it = start.elapsed();
    // Debug builds are many times slower; the bound only catches what is no longer linear.
    let most = if cfg!(debug_assertions) { 60 } else { 2 };
    assert!(all_of_it.as_secs() < most, "read in {reading:?}, all in {all_of_it:?}");
}
