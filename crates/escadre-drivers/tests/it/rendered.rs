//! From a Compose file to a running container: what the renderer spells is what the engine takes.

use super::world::{Which, World, on_each_engine};
use escadre_engine::ports::{Changed, Driver as _};
use escadre_model::compose::{Cache, Files, Options, ReadError, load};
use escadre_model::desired::Gate;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::resolved::{Resolved, SecretSeen, Shape};
use escadre_plan::step::{Act, PlacedNetwork, Placement, PlannedGate};
use escadre_render::engine::render;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const COMPOSE: &str = r#"
name: podtest
services:
  web:
    image: localhost/escadre-test/base:v1
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.2; done"]
    environment: { GREETING: "hello world", EMPTY: "" }
    user: "1000:1000"
    working_dir: /tmp
    hostname: desk
    domainname: example.org
    read_only: true
    init: false
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: [no-new-privileges]
    group_add: ["70"]
    ulimits: { nofile: { soft: 1024, hard: 2048 }, nproc: 512 }
    sysctls: { net.core.somaxconn: 512 }
    tmpfs: ["/run:size=1m"]
    shm_size: 16m
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 50
    stop_signal: SIGTERM
    stop_grace_period: 3s
    restart: on-failure:2
    dns: [192.0.2.53]
    extra_hosts: ["gate:host-gateway", "outside:192.0.2.9"]
    labels: { team: desk }
    logging: { options: { max-size: 1m, max-file: "5" } }
    healthcheck: { test: ["CMD", "sh", "-c", "test \"$$GREETING\" = 'hello world'"], interval: 5s, start_period: 1s }
    secrets: [db_password]
    configs: [{ source: greeting, target: /etc/greeting }]
    volumes: ["data:/data", "/scratch", { type: tmpfs, target: /cache, tmpfs: { size: 1m } }]
    networks: { front: { aliases: [www] } }
    oom_score_adj: 100
    ports: ["PORT:80/udp"]
networks: { front: }
volumes: { data: }
secrets: { db_password: { environment: X } }
configs: { greeting: { content: "good day\n" } }
"#;

struct One(String);
impl Files for One {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok((path == "/p/compose.yaml").then(|| self.0.as_bytes().into()))
    }
}

on_each_engine!(a_compose_service_with_many_attributes_runs_as_written, "rendered");
async fn a_compose_service_with_many_attributes_runs_as_written(mut world: World) {
    // Both engines may be at it at once.
    let port = if world.which == Which::Podman { "18099" } else { "18098" };
    let options = Options::new("/p", vec!["/p/compose.yaml".to_owned()]);
    let (project, findings) = load(&options, &One(COMPOSE.replace("PORT", port)), &Cache::new());
    let project = project.unwrap_or_else(|| panic!("{findings:?}"));
    let secret = SecretSeen { source: None, hash: None, environment: false };
    let mut shape = Shape::new("desk", project);
    shape.secrets.insert("db_password".into());
    let resolved = Resolved {
        origin: "id:podtest".into(),
        secrets: BTreeMap::from([("db_password".into(), secret)]),
        ..Resolved::new(world.desired.instance.clone(), shape)
    };
    let (desired, findings) = render(&resolved, &world.engine.facts());
    assert!(findings.is_empty(), "{findings:?}");
    world.desired = desired;
    let file = |key: &ResourceKey| Arc::<str>::from(format!("{}/{}", key.kind.word(), key.key));
    for step in world.groundwork().into_iter().take(3) {
        world.perform(&step).await.unwrap();
    }
    let (_, service) = world.desired.service("web").unwrap();
    let service = service.clone();
    for key in &service.files {
        let step = world.step(world.desired.instance.resource(key.clone()), Act::EnsureFile { file: file(key) });
        assert_eq!(world.perform(&step).await.unwrap().changed, Changed::Added);
    }
    let volumes: BTreeMap<Arc<str>, Arc<str>> =
        service.volumes.keys().map(|key| (key.clone(), world.name(key).into())).collect();
    for (key, name) in &volumes {
        let step = Act::EnsureVolume { name: name.clone(), external: false };
        world.perform(&world.step(world.on(Kind::Volume, key), step)).await.unwrap();
    }
    let placement = Placement {
        name: world.container(1),
        image: service.image.clone(),
        networks: vec![PlacedNetwork {
            network: "front".into(),
            name: world.name("front").into(),
            address: Some(world.address(6)),
            aliases: service.networks.first().map(|network| network.names.clone()).unwrap_or_default(),
        }],
        hosts: Some("front+abc".into()),
        volumes: volumes.clone(),
        files: service.files.iter().map(|key| (key.clone(), file(key))).collect(),
        engine_ports: service.engine_ports.clone(),
        shares_network_of: None,
        shares: std::collections::BTreeMap::new(),
        routes: Vec::new(),
    };
    world.perform(&world.step(world.web(1), Act::Create(placement))).await.unwrap();
    world.perform(&world.step(world.web(1), Act::Start { name: world.container(1) })).await.unwrap();
    let script = "id -u; id -G; hostname; pwd; cat /run/secrets/db_password /etc/greeting; echo; grep -c . /etc/hosts; \
                  grep gate /etc/hosts; cat /proc/sys/net/core/somaxconn; ulimit -n; df /run /cache /data | wc -l; \
                  touch /x 2>&1 | grep -c ead-only; cat /proc/self/oom_score_adj; echo $GREETING";
    let exec = escadre_drivers::podman::Exec {
        command: ["sh", "-c", script].iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let session = world.engine.exec(&world.container(1), &exec).await.unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    world.engine.converse(session, tokio::io::empty(), &mut out, &mut err).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
    eprintln!("{out}{err}");
    for wanted in
        ["1000\n", " 70", "desk", "/tmp", "canary-4711", "good day", "512\n", "1024\n", "hello world", "100\n"]
    {
        assert!(out.contains(wanted), "{wanted:?} is not in:\n{out}{err}");
    }
    let Gate::Check(check) = service.gate.clone() else { panic!("a check: {:?}", service.gate) };
    let gate = PlannedGate::Healthy { check, deadline_ms: 20_000 };
    let seen =
        world.perform(&world.step(world.web(1), Act::Gate { name: world.container(1), gate })).await.unwrap().seen;
    assert!(seen.is_some_and(|seen| seen.starts_with("healthcheck passed")));
    let before = world.engine.door().mutating();
    let scope = escadre_engine::ports::Scope::Instances(vec![world.desired.instance.clone()]);
    let seen = world.engine.observe(&scope, &BTreeSet::new()).await.unwrap();
    let seen = seen.instance(&world.desired.instance).unwrap().clone();
    assert_eq!(
        seen.containers.first().and_then(|c| c.spec.clone()),
        world.desired.service("web").map(|(r, _)| r.spec.clone())
    );
    assert_eq!(world.engine.door().mutating(), before);
    world.clean().await;
    for (key, name) in volumes {
        let remove = Act::Remove { name, engine: None, data: true };
        world.perform(&world.step(world.on(Kind::Volume, &key), remove)).await.unwrap();
    }
}
