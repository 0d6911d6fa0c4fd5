//! Rendering: a Compose text in, what the engine and the planner hear out.

use super::*;
use crate::engine::{Dialect, create, read};
use escadre_model::compose::{Cache, Files, Options, ReadError, load};
use escadre_model::desired::{Body, Gate, HttpRoute, Manner, NetworkMode, Resource, Route, Service, Shown};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::name::Name;
use escadre_model::resolved::Content as Stands;
use escadre_model::routes::ProxyProtocol;
use std::net::IpAddr;

struct Memory(Arc<[u8]>);
impl Files for Memory {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok((path == "/p/compose.yaml").then(|| Arc::clone(&self.0)))
    }
}

pub(in crate::engine) fn resolved(yaml: &str, single: bool) -> Option<Resolved> {
    let options = Options::new("/p", vec!["/p/compose.yaml".to_owned()]);
    let (project, mut findings) = load(&options, &Memory(yaml.as_bytes().into()), &Cache::new());
    let mut project = project?;
    project.unfold_steps(&mut findings);
    assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
    let name = |text| Name::new(text).ok();
    let shape = Shape { single, ..Shape::new("totem", project) };
    let instance = InstanceId::new(name("totem")?, name(if single { "totem" } else { "france" })?);
    Some(Resolved { origin: "id:1".into(), ..Resolved::new(instance, shape) })
}

fn shape(resolved: &mut Resolved) -> &mut Shape {
    Arc::make_mut(&mut resolved.shape)
}

fn rendered(yaml: &str, single: bool) -> (Desired, Vec<Diagnostic>) {
    let resolved = resolved(yaml, single).expect("a project");
    let first = render(&resolved, &Facts::default());
    let again = render(&resolved, &Facts::default());
    assert_eq!(first.0.hash(), again.0.hash(), "the same input gives the same bytes");
    first
}

fn service<'a>(desired: &'a Desired, key: &str) -> (&'a Resource, &'a Service) {
    desired.service(key).expect("the service")
}

/// A container's place on an engine: alone, without anything around it.
fn placed<'a>(
    desired: &'a Desired,
    id: &'a ResourceId,
    resource: &'a Resource,
    volumes: &'a BTreeMap<Arc<str>, Arc<str>>,
    shares: &'a BTreeMap<Arc<str>, Arc<str>>,
) -> create::Place<'a> {
    create::Place {
        desired,
        id,
        resource,
        image: "sha256:aa",
        networks: Vec::new(),
        hosts: None,
        volumes,
        files: BTreeMap::new(),
        data: "/data".to_owned(),
        engine_ports: &[],
        shares_network_of: None,
        shares,
        routes: &[],
    }
}

fn words(desired: &Desired, key: &str) -> Value {
    service(desired, key).0.payload().value()
}

#[test]
fn a_service_in_the_engines_words() {
    let (desired, findings) = rendered(
        "services:\n  web:\n    image: x:1\n    command: [serve, --all]\n    environment: { A: '1', GONE: }\n    user: '1000'\n    \
         mem_limit: 64m\n    cpus: 0.5\n    cap_drop: [ALL]\n    read_only: true\n    ulimits: { nofile: { soft: 10, hard: 20 } }\n    \
         restart: unless-stopped\n    stop_grace_period: 90s\n    tmpfs: /run:size=1m\n    labels: { a: b }\n",
        true,
    );
    assert!(findings.is_empty(), "{findings:?}");
    let create = words(&desired, "web").get("create").cloned().expect("create");
    assert_eq!(
        create,
        json!({
            "Cmd": ["serve", "--all"],
            "Env": ["A=1"],
            "User": "1000",
            "StopTimeout": 90,
            "Labels": {"a": "b"},
            "HostConfig": {
                "CapDrop": ["ALL"],
                "ReadonlyRootfs": true,
                "Memory": 67_108_864,
                "NanoCpus": 500_000_000,
                "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}],
                "Tmpfs": {"/run": "size=1m"},
                "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
                "LogConfig": {"Type": "k8s-file", "Config": {"max-size": "10m"}},
            },
        })
    );
    let (_, web) = service(&desired, "web");
    assert_eq!((web.stop_grace_ms, web.replicas, web.job), (90_000, 1, false));
    assert_eq!(web.gate, Gate::Unstated { disabled: false, ports: Vec::new(), times: None });
}

#[test]
fn names_are_composes_alone_and_ours_in_a_fleet() {
    let yaml = "services:\n  db:\n    image: x\n    volumes: [data:/data]\nvolumes: { data: }\n";
    let name = |single| {
        let (desired, _) = rendered(yaml, single);
        let body = desired.resources.get(&ResourceKey::new(Kind::Volume, "data")).map(|resource| resource.body.clone());
        match body {
            Some(Body::Volume(volume)) => volume.name.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(name(true), "totem_data");
    assert_eq!(name(false), "totem_france_data");
}

#[test]
fn who_is_stop_first_and_why() {
    let (desired, _) = rendered(
        "services:\n  web: { image: x, ports: ['8080:80'] }\n  db: { image: x, volumes: ['data:/d'], expose: ['5432'] }\n  \
         worker: { image: x }\n  dns: { image: x, ports: ['53:53/udp'] }\n  shared: { image: x, expose: ['1'], volumes: ['both:/d'] }\n  \
         other: { image: x, expose: ['1'], volumes: ['both:/d'] }\n  \
         first: { image: x, volumes: ['own:/d'], expose: ['1'], deploy: { update_config: { order: start-first } } }\n\
         volumes: { data: , both: , own: }\n",
        true,
    );
    let why = |key: &str| match &service(&desired, key).1.manner {
        Manner::Beside => "beside".to_owned(),
        Manner::StopFirst(why) => why.to_string(),
    };
    assert_eq!(why("web"), "beside");
    assert_eq!(why("db"), "it writes to volume data");
    assert_eq!(why("worker"), "nobody calls it: a short absence hurts nobody, two at once may");
    assert_eq!(why("dns"), "it publishes port 53/udp on the host itself");
    assert_eq!((why("shared"), why("first")), ("beside".to_owned(), "beside".to_owned()));
}

#[test]
fn a_published_port_belongs_to_the_edge_unless_an_endpoint_serves_it() {
    let yaml = "services:\n  web: { image: x, ports: ['8080:80', '127.0.0.1:9000:9000'] }\n";
    let (alone, _) = rendered(yaml, true);
    let keys: Vec<_> = alone.routes.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["port-127.0.0.1-9000", "port-8080"]);
    let mut fleet = resolved(yaml, false).expect("a project");
    let portal = HttpRoute {
        service: "web".into(),
        port: 80,
        hosts: vec!["fr.example".into()],
        redirect: Vec::new(),
        path: "/".into(),
        body_limit: None,
        timeout_ms: None,
        tls: None,
        source: None,
    };
    fleet.endpoints.insert("portal".into(), portal);
    shape(&mut fleet).served.push(("web".into(), 80));
    let (desired, _) = render(&fleet, &Facts::default());
    assert!(matches!(desired.routes.get("portal"), Some(Route::Http(_))));
    assert!(!desired.routes.contains_key("port-8080") && desired.routes.contains_key("port-127.0.0.1-9000"));
}

#[test]
fn a_secret_is_a_file_and_a_hole() {
    let yaml = "services:\n  web: { image: x, secrets: [db_password, { source: key, target: /etc/key, mode: 0400, uid: '70' }] }\n\
                secrets: { db_password: { environment: NOPE }, key: { environment: NOPE } }\n";
    let (desired, _) = rendered(yaml, true);
    let mounts = words(&desired, "web").get("mounts").cloned().expect("mounts");
    assert_eq!(
        mounts,
        json!([
            {"kind": "file", "resource": "secret/db_password", "target": "/run/secrets/db_password"},
            {"kind": "file", "resource": "secret/key@400:70:", "target": "/etc/key"},
        ])
    );
    let field = service(&desired, "web").0.field("files./run/secrets/db_password").map(|field| field.value.clone());
    assert_eq!(field, Some(Shown::Unknown));
}

#[test]
fn binds_in_a_fleet_are_copies_folders_or_granted() {
    let yaml = "services:\n  web:\n    image: x\n    volumes: ['./conf/a.toml:/a.toml', './cache:/cache', '/srv/nfs/x:/x', '/etc:/host']\n";
    let mut fleet = resolved(yaml, false).expect("a project");
    let file = Stands::File { bytes: (*b"a = 1\n").into(), executable: false };
    shape(&mut fleet).contents.insert("/p/conf/a.toml".into(), file);
    shape(&mut fleet).contents.insert("/p/cache".into(), Stands::Untracked);
    shape(&mut fleet).granted_binds.push("/srv/nfs".into());
    let (desired, findings) = render(&fleet, &Facts::default());
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::E0431], "{findings:?}");
    assert_eq!(
        words(&desired, "web").get("mounts"),
        Some(&json!([
            {"kind": "file", "resource": "config/conf/a.toml", "target": "/a.toml"},
            {"kind": "data", "path": "cache", "target": "/cache", "read_only": false},
            {"kind": "bind", "source": "/srv/nfs/x", "target": "/x", "read_only": false, "create": true},
        ]))
    );
    // Another content is another spec; another name for the same content is not asked for.
    let before = service(&desired, "web").0.spec.clone();
    let other = Stands::File { bytes: (*b"a = 2\n").into(), executable: false };
    shape(&mut fleet).contents.insert("/p/conf/a.toml".into(), other);
    assert_ne!(render(&fleet, &Facts::default()).0.service("web").map(|(web, _)| web.spec.clone()), Some(before));
}

#[test]
fn a_bind_of_the_repository_beside_the_product_needs_no_grant() {
    let yaml = "services:\n  web:\n    image: x\n    volumes: ['/.fleet/shared/logo.svg:/logo.svg', '/.fleet/shared/cache:/cache']\n";
    let mut fleet = resolved(yaml, false).expect("a project");
    let file = Stands::File { bytes: (*b"<svg/>").into(), executable: false };
    shape(&mut fleet).contents.insert("/.fleet/shared/logo.svg".into(), file);
    shape(&mut fleet).contents.insert("/.fleet/shared/cache".into(), Stands::Untracked);
    let (desired, findings) = render(&fleet, &Facts::default());
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(
        words(&desired, "web").get("mounts"),
        Some(&json!([
            {"kind": "file", "resource": "config/.fleet/shared/logo.svg", "target": "/logo.svg"},
            {"kind": "data", "path": ".fleet/shared/cache", "target": "/cache", "read_only": false},
        ]))
    );
}

#[test]
fn order_and_count_change_no_container() {
    let one = rendered("services:\n  a: { image: x }\n  b: { image: x }\n", true).0;
    let two = rendered("services:\n  a: { image: x, depends_on: [b], scale: 3 }\n  b: { image: x }\n", true).0;
    assert_eq!(service(&one, "a").0.spec, service(&two, "a").0.spec);
    assert_eq!(service(&two, "a").1.replicas, 3);
}

#[test]
fn jobs_and_dependencies() {
    let (desired, _) = rendered(
        "services:\n  api: { image: x, depends_on: { migrate: { condition: service_completed_successfully } } }\n  \
         migrate: { image: x, restart: always, depends_on: { db: { condition: service_healthy, restart: true } } }\n  \
         db: { image: x, healthcheck: { test: [CMD, ok], interval: 5s }, network_mode: host }\n",
        true,
    );
    let (_, migrate) = service(&desired, "migrate");
    assert!(migrate.job && migrate.gate == Gate::ExitZero);
    assert_eq!(migrate.after.first().map(|after| (after.service.as_ref(), after.restart)), Some(("db", true)));
    assert!(words(&desired, "migrate").pointer("/create/HostConfig/RestartPolicy").is_none());
    let (_, db) = service(&desired, "db");
    assert!(matches!(&db.gate, Gate::Check(check) if check.interval_ms == 5000 && check.retries == 3));
    assert_eq!((&db.network_mode, db.networks.len()), (&NetworkMode::Host, 0));
}

#[test]
fn a_step_before_the_start_is_a_job_with_what_its_service_has() {
    let (desired, findings) = rendered(
        "services:\n  web: { build: ., user: '7', volumes: ['data:/data'], pre_start: [{ command: [a] }, { image: tool, command: [b] }], scale: 2 }\n\
         volumes: { data: }\n",
        true,
    );
    assert!(findings.is_empty(), "{findings:?}");
    let (_, web) = service(&desired, "web");
    let after = |service: &Service| service.after.iter().map(|after| after.service.to_string()).collect::<Vec<_>>();
    assert_eq!((web.job, web.replicas, after(web)), (false, 2, vec!["web-pre-start-2".to_owned()]));
    let (_, first) = service(&desired, "web-pre-start-1");
    let (_, second) = service(&desired, "web-pre-start-2");
    assert_eq!((first.job, first.replicas, &first.image), (true, 1, &web.image), "the image that is built for it");
    assert_eq!((second.job, &*second.image, after(second)), (true, "tool", vec!["web-pre-start-1".to_owned()]));
    assert_eq!(words(&desired, "web-pre-start-1").pointer("/create/User"), Some(&json!("7")));
    assert!(first.volumes.contains_key("data") && web.volumes.contains_key("data"));
}

#[test]
fn a_port_can_tell_who_connects_and_what_is_wrong_there_is_said() {
    let with = |port: &str| rendered(&format!("services:\n  web: {{ image: x, ports: [{port}] }}\n"), true);
    let asked = |port: &str| match with(port).0.routes.into_values().next() {
        Some(Route::Tcp(route)) => route.proxy_protocol,
        other => panic!("a TCP route: {other:?}"),
    };
    assert_eq!(asked("'25:25'"), None);
    assert_eq!(asked("{ target: 25, published: 25, x-escadre: { proxy_protocol: v1 } }"), Some(ProxyProtocol::V1));
    assert_eq!(asked("{ target: 25, published: 25, x-escadre: { proxy_protocol: v2 } }"), Some(ProxyProtocol::V2));
    for (port, code, word) in [
        ("{ target: 25, published: 25, x-escadre: { proxy_protocol: 2 } }", Code::E0405, "`v1` or `v2`"),
        ("{ target: 25, published: 25, x-escadre: { proxyprotocol: v2 } }", Code::E0402, "proxyprotocol"),
        ("{ target: 25, published: 25, x-escadre: v2 }", Code::E0403, "must be a mapping"),
        ("{ target: 25, published: 25, mode: host, x-escadre: { proxy_protocol: v2 } }", Code::E0430, "mode: host"),
    ] {
        let (_, findings) = with(port);
        assert!(findings.iter().any(|one| one.code == code && one.message.contains(word)), "{port}: {findings:?}");
    }
}

#[test]
fn caches_of_builds_are_repositories() {
    let yaml = "services:\n  web:\n    image: x\n    build:\n      context: .\n      cache_from: ['r.example/a:cache', 'type=registry,ref=r.example/b:c', 'type=gha']\n      \
                cache_to: ['r.example/a:cache', 'r.example/c']\n";
    let mut resolved = resolved(yaml, true).expect("a project");
    shape(&mut resolved).builds.insert("web".into(), Hash::of(b"inputs"));
    let caches = |dialect| {
        let (desired, findings) = render(&resolved, &Facts { dialect, ..Facts::default() });
        let image = desired.resources.get(&ResourceKey::new(Kind::Image, "x")).expect("an image");
        let words = image.payload().value();
        let part = |key: &str| words.pointer(&format!("/build/{key}")).cloned().unwrap_or(Value::Null);
        (part("cache_from"), part("cache_to"), findings.len())
    };
    assert_eq!(caches(Dialect::Podman), (json!(["r.example/a", "r.example/b"]), json!(["r.example/a"]), 2));
    assert_eq!(caches(Dialect::Docker), (json!(["r.example/a:cache", "r.example/b:c"]), Value::Null, 2));
}

#[test]
fn labels_for_selinux_reach_the_engine() {
    for dialect in [Dialect::Podman, Dialect::Docker] {
        let yaml = "services:\n  web: { image: x, volumes: ['./site:/site:ro,Z', '/srv/data:/data:z', 'own:/own:z', './plain:/plain'] }\nvolumes: { own: }\n";
        let (desired, findings) = rendered(yaml, true);
        assert!(findings.is_empty(), "{findings:?}");
        let (resource, _) = service(&desired, "web");
        let id = desired.instance.resource(ResourceKey::new(Kind::Service, "web")).container(1, 1);
        let (volumes, shares) = (BTreeMap::from([("own".into(), "totem_own".into())]), BTreeMap::new());
        let place = placed(&desired, &id, resource, &volumes, &shares);
        let body = create::container(&resource.payload().value(), &place, dialect);
        let host = body.get("HostConfig").expect("a host's part");
        assert_eq!(
            host.get("Binds"),
            Some(&json!(["/p/site:/site:ro,Z", "/srv/data:/data:rw,z", "totem_own:/own:rw,z"]))
        );
        assert_eq!(host.pointer("/Mounts/0/Target"), Some(&json!("/plain")), "{host}");
    }
    let (_, findings) = rendered(
        "services:\n  web: { image: x, volumes: [{ type: bind, source: '/a:b', target: /c, bind: { selinux: z } }] }\n",
        true,
    );
    assert!(findings.iter().any(|finding| finding.message.contains("a colon in it")), "{findings:?}");
}

#[test]
fn what_has_no_effect_is_said() {
    let (_, findings) =
        rendered("services:\n  web: { image: x, deploy: { endpoint_mode: vip }, logging: { driver: gelf } }\n", true);
    let paths: Vec<_> = findings.iter().filter_map(|finding| finding.path.as_deref()).collect();
    assert_eq!(paths, ["services.web.deploy.endpoint_mode", "services.web.logging.driver"]);
}

#[test]
fn both_ways_what_was_written_is_read_back() {
    let (desired, _) = rendered(
        "services:\n  web: { image: 'x:1', volumes: ['data:/data'], networks: [front] }\nvolumes: { data: }\nnetworks: { front: }\n",
        false,
    );
    let (resource, _) = service(&desired, "web");
    let id = desired.instance.resource(ResourceKey::new(Kind::Service, "web")).container(1, 3);
    let address: IpAddr = "10.210.0.3".parse().expect("an address");
    let volumes = BTreeMap::from([("data".into(), "totem_france_data".into())]);
    let shares = BTreeMap::new();
    let place = create::Place {
        networks: vec![create::On {
            network: "front".into(),
            name: "totem_france_front".into(),
            address: Some(address),
            aliases: vec!["web".into()],
        }],
        hosts: Some("/state/hosts-front".to_owned()),
        routes: &["portal".into()],
        ..placed(&desired, &id, resource, &volumes, &shares)
    };
    let body = create::container(&resource.payload().value(), &place, Dialect::Podman);
    assert_eq!(
        body.pointer("/NetworkingConfig/EndpointsConfig/totem_france_front"),
        Some(
            &json!({"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.210.0.3"}, "MacAddress": "02:42:0a:d2:00:03"})
        )
    );
    assert_eq!(
        body.pointer("/HostConfig/Mounts"),
        Some(&json!([
            {"Type": "volume", "Source": "totem_france_data", "Target": "/data", "ReadOnly": false},
            {"Type": "bind", "Source": "/state/hosts-front", "Target": "/etc/hosts", "ReadOnly": true},
        ]))
    );
    let labels = body.get("Labels").cloned();
    let listed = json!({"Id": "c1", "Names": ["totem_france_web_1_g3"], "ImageID": "aa", "Labels": labels, "State": "running",
        "Status": "healthy", "Networks": ["totem_france_front"], "StartedAt": 1_795_226_672, "ExitCode": 0});
    let inspected = json!({"Id": "c1", "Name": "/totem_france_web_1_g3", "Image": "sha256:aa", "Config": {"Labels": labels},
        "State": {"Status": "exited", "ExitCode": 137, "StartedAt": "0001-01-01T00:00:00Z"}, "RestartCount": 2,
        "NetworkSettings": {"Networks": {"totem_france_front": {"IPAddress": ""}}}});
    let (list, inspection) = (read::container(&listed).expect("ours"), read::container(&inspected).expect("ours"));
    assert_eq!((&list.seen.id, &list.seen.spec), (&id, &Some(resource.spec.clone())));
    assert_eq!(list.seen.fields, inspection.seen.fields, "both calls give the same hash");
    assert_eq!(list.seen.addresses, inspection.seen.addresses);
    assert_eq!(list.seen.addresses.get("totem_france_front"), Some(&address));
    assert_eq!(list.seen.volumes.get("data").map(AsRef::as_ref), Some("totem_france_data"));
    assert_eq!(inspection.seen.phase, escadre_model::observed::Phase::Exited(137));
    let mut joined = listed.clone();
    if let Some(map) = joined.as_object_mut() {
        map.insert("Networks".to_owned(), json!(["totem_france_front", "by-hand"]));
    }
    assert_ne!(read::container(&joined).map(|ours| ours.seen.fields), Some(list.seen.fields), "drift is seen");
}

#[test]
fn an_image_is_told_even_where_its_tag_came_from_the_environment() {
    let mut resolved =
        resolved("services: { web: { image: 'x:${TAG:-v1}', environment: { A: '${TAG:-v1}' } } }\n", true)
            .expect("a project");
    shape(&mut resolved).sensitive.insert("TAG".into());
    let (desired, _) = render(&resolved, &Facts::default());
    let shown = |path| service(&desired, "web").0.field(path).map(|field| field.value.clone());
    assert_eq!(shown("image"), Some(Shown::Plain("x:v1".into())));
    assert_eq!(shown("environment.A"), Some(Shown::Plain("${TAG:-v1}".into())), "everything else stays hidden");
}

#[test]
fn what_an_engine_cannot_give_is_told_with_its_place() {
    let told = |yaml: &str, single: bool| -> Vec<(Code, String, u32)> {
        let (_, findings) = rendered(yaml, single);
        let line = |finding: &Diagnostic| finding.labels.first().map_or(0, |label| label.span.line);
        findings
            .iter()
            .map(|finding| (finding.code, finding.path.as_deref().unwrap_or_default().to_owned(), line(finding)))
            .collect()
    };
    assert_eq!(
        told("services:\n  web: { image: x, pid: 'container:db' }\n", true),
        [(Code::E0430, "services.web.pid".to_owned(), 2)]
    );
    assert_eq!(
        told("services:\n  web: { image: x, configs: [c] }\nconfigs:\n  c: { file: ./c.txt }\n", true),
        [(Code::E0432, "services.web.configs".to_owned(), 4)]
    );
    let shared = "services:\n  web: { image: x, networks: [back] }\nnetworks:\n  back: { name: backbone }\n";
    assert_eq!(told(shared, false), [(Code::W0430, "networks.back.name".to_owned(), 4)]);
    assert_eq!(told(shared, true), []);
}

#[test]
fn hooks_are_read_back_as_they_were_written() {
    use crate::engine::hooks::{self, Hook, When};
    let (desired, findings) = rendered(
        "services:\n  web:\n    image: x\n    post_start:\n      - { command: 'warm up --all', user: '7', working_dir: /w, privileged: true, environment: { A: b } }\n      \
         - command: [echo]\n    pre_stop: [ { command: [bye] } ]\n",
        true,
    );
    assert!(findings.is_empty(), "{findings:?}");
    let words = words(&desired, "web");
    let label = words.get("hooks").expect("hooks").to_string();
    let entry = json!({"Config": {"Labels": {"dev.escadre.hooks": label}}});
    let text = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let first = Hook {
        command: text(&["warm", "up", "--all"]),
        environment: text(&["A=b"]),
        user: Some("7".into()),
        folder: Some("/w".into()),
        privileged: true,
    };
    let plain = |command: &str| Hook { command: text(&[command]), ..Hook::default() };
    assert_eq!(hooks::read(&entry, When::PostStart), [first, plain("echo")]);
    assert_eq!(hooks::read(&entry, When::PreStop), [plain("bye")]);
    assert_eq!(hooks::read(&json!({}), When::PreStop), []);
}

#[test]
fn namespaces_of_another_service_are_placed() {
    let (desired, findings) = rendered(
        "services:\n  web: { image: x, pid: 'service:db', ipc: 'service:db' }\n  db: { image: y, ipc: shareable }\n",
        true,
    );
    assert!(findings.is_empty(), "{findings:?}");
    let (_, web) = service(&desired, "web");
    assert_eq!(web.lives_in().map(AsRef::as_ref).collect::<Vec<&str>>(), ["db", "db"]);
    assert_eq!(web.manner, Manner::StopFirst("its ipc namespace is that of db".into()));
    assert_eq!(words(&desired, "web").pointer("/create/HostConfig/PidMode"), None);
    assert_eq!(words(&desired, "db").pointer("/create/HostConfig/IpcMode"), Some(&json!("shareable")));
}

#[test]
fn times_without_a_test_are_the_images_or_the_deadline_of_an_open_port() {
    let (desired, _) =
        rendered("services: { web: { image: x, ports: ['8080:80'], healthcheck: { start_period: 5m } } }\n", true);
    let Gate::Unstated { disabled: false, ports, times: Some(times) } = &service(&desired, "web").1.gate else {
        panic!("{:?}", service(&desired, "web").1.gate)
    };
    assert_eq!((ports[..].to_vec(), times.start_period_ms, times.interval_ms), (vec![80], 300_000, 30_000));
}
