//! A service: its container in the engine's words, and what the planner must know of it.
//!
//! In: a service's normalised tree. Out: a resource with payload, fields, gate, manner.
//! **Invariant:** whatever changes the container changes the spec; what only changes routes, order or count does not.
//! Not here: limits and the like (`host_config`), mounts, files, routes.
//! Tests: `render/tests.rs`.

use super::draft::{self, Plain, ServiceSpec};
use super::render::Render;
use super::{Dialect, files, hooks, host_config, mounts, routes, value};
use escadre_model::compose::{self, Service as Written};
use escadre_model::desired::{
    After, Attachment, Condition, Gate, HealthCheck, Manner, NetworkMode, OnFailure, Rollout, Service,
};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::payload::Words;
use escadre_model::sheet::Entry;
use escadre_model::text::Node;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a container may take to stop when nothing is said, in milliseconds.
const GRACE: u64 = 10_000;
/// Attributes that are no part of the container: order, count, how it is made, how it is replaced.
const ELSEWHERE: &[&str] = &[
    "annotations",
    "build",
    "configs",
    "depends_on",
    "deploy",
    "develop",
    "env_file",
    "expose",
    "extends",
    "healthcheck",
    "image",
    "links",
    "name",
    "networks",
    "ports",
    "pre_start",
    "profiles",
    "pull_policy",
    "scale",
    "secrets",
    "volumes",
];
/// Attributes without effect here, each with what happens instead.
const WITHOUT: &[(&str, &str)] = &[
    ("credential_spec", "it is a setting of Windows"),
    ("isolation", "it is a setting of Windows"),
    ("attach", "logs are read with `escadre logs`"),
    ("models", "models are not provided here"),
    ("use_api_socket", "the engine's socket is not given away"),
];

/// Adds a service with everything that belongs to it.
pub(super) fn add(render: &mut Render<'_>, written: Written<'_>) {
    if let Some(provider) = written.node("provider") {
        let path = format!("services.{}.provider", written.name);
        let message = format!("`{path}`: a provider is a program that a plan cannot foresee");
        let finding = Diagnostic::error(Code::E0430, message).at(&provider.span).path(path);
        let instead = "start what it provides yourself, and write its address into `environment:`";
        render.findings.push(finding.hint(instead));
        return;
    }
    said(render, written);
    let Some(image) = render.image(written) else { return };
    let job = render.is_job(written.name);
    let mut mounts = mounts::of(render, written);
    let seen = files::add(render, written, &mut mounts.spelled);
    mounts.files.extend(seen);
    let networks = networks(render, written);
    let mode = network_mode(render, written);
    let engine_ports = routes::by_the_engine(written);
    let extra_hosts = extra_hosts(written);
    let gate = gate(render, written, job);
    let shares = host_config::shares(written);
    let manner = manner(render, written, &mounts, &mode, &engine_ports, &networks);

    let create = create(render, written, &mode);
    let mut words =
        json!({"create": create, "mounts": mounts.spelled, "networks": endpoint_words(render, written, &networks)});
    let hooks = hooks::spell(render, written);
    if let (Some(words), false) = (words.as_object_mut(), hooks.is_null()) {
        words.insert("hooks".to_owned(), hooks);
    }
    let grace = written.node("stop_grace_period").and_then(value::milliseconds).unwrap_or(GRACE);
    let spec = ServiceSpec {
        before: draft::within(&(&image, render.shape.builds.get(written.name))),
        files: mounts.files.clone(),
        secrets: Words::new(&words).secrets().iter().cloned().collect(),
        within: match shares.is_empty() {
            true => draft::within(&(&networks, &mode)),
            false => draft::within(&(&networks, &mode, &shares)),
        },
        volumes: mounts.volumes.keys().cloned().collect(),
        behind: draft::within(&(&engine_ports, &extra_hosts)),
    };
    let fields = fields(render, written, &mounts);
    let body = Service {
        image,
        replicas: written.scale(),
        job,
        after: after(written),
        gate,
        manner,
        networks,
        network_mode: mode,
        shares,
        volumes: mounts.volumes,
        files: mounts.files,
        extra_hosts,
        stop_grace_ms: grace,
        engine_ports,
        on_failure: on_failure(render, written),
        rollout: rollout(written),
    };
    render.put(Kind::Service, Arc::clone(written.name), fields, &words, Plain::Service(Arc::new(body), spec));
}

/// What has no effect is said.
fn said(render: &mut Render<'_>, written: Written<'_>) {
    for (key, instead) in WITHOUT {
        if let Some(node) = written.node(key)
            && !node.is_null()
        {
            let message = format!("{key} has no effect on an engine: {instead}");
            render.approximate(node, &format!("services.{}.{key}", written.name), message);
        }
    }
    for key in ["placement.constraints", "endpoint_mode", "rollback_config"] {
        if let Some(node) = written.node("deploy").and_then(|deploy| deploy.at(key)) {
            let message = format!("deploy.{key} has no effect on one host");
            render.approximate(node, &format!("services.{}.deploy.{key}", written.name), message);
        }
    }
}

fn create(render: &mut Render<'_>, written: Written<'_>, mode: &NetworkMode) -> Value {
    let mut create = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            create.insert(key.to_owned(), value);
        }
    };
    let present = |key: &str| written.node(key).filter(|node| !node.is_null());
    put("Cmd", present("command").map(value::list));
    put("Entrypoint", present("entrypoint").map(value::list));
    // A name alone takes a variable of the image away, on Docker; Podman takes it for nothing.
    let docker = render.facts.dialect == Dialect::Docker;
    let environment: Vec<Value> = written
        .map("environment")
        .filter(|(_, node)| docker || !node.is_null())
        .map(|(key, node)| if node.is_null() { json!(&*key.text) } else { value::pair(&key.text, node) })
        .collect();
    put("Env", (!environment.is_empty()).then(|| Value::Array(environment)));
    put("WorkingDir", present("working_dir").map(value::text));
    put("User", present("user").map(value::text));
    // A container without a network of its own has no name of its own either.
    if !matches!(mode, NetworkMode::Host | NetworkMode::Service(_)) {
        put("Hostname", present("hostname").map(value::text));
        put("Domainname", present("domainname").map(value::text));
    }
    put("Tty", present("tty").and_then(value::flag).map(Value::Bool));
    put("OpenStdin", present("stdin_open").and_then(value::flag).map(Value::Bool));
    put("StopSignal", present("stop_signal").map(value::text));
    let seconds = present("stop_grace_period").and_then(value::milliseconds).map(|ms| ms.div_ceil(1000));
    put("StopTimeout", seconds.map(|seconds| json!(seconds)));
    put("MacAddress", present("mac_address").map(value::text));
    put("Labels", present("labels").map(value::map));
    put("Healthcheck", health_words(written));
    let exposed: Map<String, Value> = written
        .strs("expose")
        .map(|port| (if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") }, json!({})))
        .collect();
    put("ExposedPorts", (!exposed.is_empty()).then_some(Value::Object(exposed)));
    let host = host_config::of(render, written, mode);
    create.insert("HostConfig".to_owned(), host);
    Value::Object(create)
}

fn health(written: Written<'_>) -> Option<HealthCheck> {
    let node = written.node("healthcheck").filter(|node| node.as_mapping().is_some_and(|map| !map.is_empty()))?;
    let test: Vec<Arc<str>> = node
        .get("test")
        .and_then(Node::as_sequence)
        .into_iter()
        .flatten()
        .filter_map(Node::as_str)
        .map(Into::into)
        .collect();
    let ms = |key: &str, default: u64| {
        node.get(key).and_then(value::milliseconds).filter(|time| *time > 0).unwrap_or(default)
    };
    let retries = node.get("retries").and_then(value::integer).and_then(|count| u32::try_from(count).ok());
    Some(HealthCheck {
        test,
        interval_ms: ms("interval", 30_000),
        timeout_ms: ms("timeout", 30_000),
        retries: retries.filter(|count| *count > 0).unwrap_or(3),
        start_period_ms: ms("start_period", 0),
        start_interval_ms: ms("start_interval", 5_000),
    })
}

fn is_disabled(written: Written<'_>) -> bool {
    let none = written.node("healthcheck.test").and_then(Node::as_sequence).and_then(<[Node]>::first);
    written.flag("healthcheck.disable") || none.and_then(Node::as_str) == Some("NONE")
}

/// The check in the engine's words; only what was written, so that the rest comes from the image.
fn health_words(written: Written<'_>) -> Option<Value> {
    if is_disabled(written) {
        return Some(json!({"Test": ["NONE"]}));
    }
    let node = written.node("healthcheck").filter(|node| node.as_mapping().is_some_and(|map| !map.is_empty()))?;
    let mut words = Map::new();
    if let Some(test) = node.get("test") {
        words.insert("Test".to_owned(), value::list(test));
    }
    let times = [
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start_period", "StartPeriod"),
        ("start_interval", "StartInterval"),
    ];
    for (key, name) in times {
        if let Some(time) = node.get(key).and_then(compose::duration) {
            words.insert(name.to_owned(), json!(time));
        }
    }
    if let Some(retries) = node.get("retries").and_then(value::integer) {
        words.insert("Retries".to_owned(), json!(retries));
    }
    Some(Value::Object(words))
}

fn gate(render: &Render<'_>, written: Written<'_>, job: bool) -> Gate {
    if job {
        return Gate::ExitZero;
    }
    let disabled = is_disabled(written);
    match health(written).filter(|_| !disabled) {
        Some(check) if !check.test.is_empty() => Gate::Check(check),
        times => Gate::Unstated { disabled, ports: routes::reachable(render, written), times: times.map(Box::new) },
    }
}

fn after(written: Written<'_>) -> Vec<After> {
    let flag = |node: &Node, key: &str, default: bool| node.get(key).and_then(value::flag).unwrap_or(default);
    let mut all: Vec<After> = written
        .map("depends_on")
        .map(|(key, node)| After {
            service: Arc::clone(&key.text),
            condition: match node.get("condition").and_then(Node::as_str) {
                Some("service_healthy") => Condition::Healthy,
                Some("service_completed_successfully") => Condition::Completed,
                _ => Condition::Started,
            },
            required: flag(node, "required", true),
            restart: flag(node, "restart", false),
        })
        .collect();
    all.sort_by(|a, b| a.service.cmp(&b.service));
    all
}

fn network_mode(render: &mut Render<'_>, written: Written<'_>) -> NetworkMode {
    match written.str("network_mode") {
        None | Some("bridge" | "default") => NetworkMode::Own,
        Some("host") => NetworkMode::Host,
        Some("none") => NetworkMode::None,
        Some(other) => match other.strip_prefix("service:") {
            Some(service) => NetworkMode::Service(service.into()),
            None => {
                if let Some(node) = written.node("network_mode") {
                    let message = format!("network_mode: {other} leads out of the instance");
                    render.refuse(node, &format!("services.{}.network_mode", written.name), message);
                }
                NetworkMode::None
            }
        },
    }
}

/// Networks in order of priority, then of their keys; the names a service has there.
fn networks(render: &mut Render<'_>, written: Written<'_>) -> Vec<Attachment> {
    let mut all: Vec<(i64, Attachment)> = Vec::new();
    for (key, node) in written.map("networks") {
        let mut names: Vec<Arc<str>> = vec![Arc::clone(written.name)];
        names.extend(written.str("container_name").map(Arc::from));
        let aliases = node.get("aliases").and_then(Node::as_sequence).unwrap_or_default();
        names.extend(aliases.iter().filter_map(Node::as_str).map(Arc::from));
        names.extend(render.others.linked.get(&**written.name).into_iter().flatten().map(|alias| Arc::from(*alias)));
        let mut unique = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        let address = node.get("ipv4_address").and_then(Node::as_str).map(Into::into);
        let priority = node.get("priority").and_then(value::integer).unwrap_or(0);
        all.push((priority, Attachment { network: Arc::clone(&key.text), names: unique, address }));
        render.network(&key.text);
    }
    all.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.network.cmp(&y.network)));
    if written.str("network_mode").is_some_and(|mode| mode != "bridge" && mode != "default") {
        return Vec::new();
    }
    all.into_iter().map(|(_, attachment)| attachment).collect()
}

/// Settings of a network's endpoint that are no address and no name.
fn endpoint_words(render: &Render<'_>, written: Written<'_>, networks: &[Attachment]) -> Value {
    let mut all = Map::new();
    // Podman hears of a hardware address only where the network is; it is that of the first one.
    let first = networks.first().filter(|_| render.facts.dialect == Dialect::Podman).map(|first| &first.network);
    for (key, node) in written.map("networks") {
        let mut words = Map::new();
        let service = written.node("mac_address").filter(|mac| !mac.is_null() && first == Some(&key.text));
        if let Some(mac) = node.get("mac_address").or(service) {
            words.insert("MacAddress".to_owned(), value::text(mac));
        }
        if let Some(options) = node.get("driver_opts") {
            words.insert("DriverOpts".to_owned(), value::map(options));
        }
        if !words.is_empty() {
            all.insert(key.text.to_string(), Value::Object(words));
        }
    }
    Value::Object(all)
}

fn extra_hosts(written: Written<'_>) -> Vec<(Arc<str>, Arc<str>)> {
    let mut all: Vec<(Arc<str>, Arc<str>)> = written
        .strs("extra_hosts")
        .filter_map(|line| line.split_once('=').or_else(|| line.split_once(':')))
        .map(|(name, address)| (name.into(), address.trim_matches(['[', ']']).into()))
        .collect();
    all.sort();
    all
}

fn on_failure(render: &mut Render<'_>, written: Written<'_>) -> OnFailure {
    let Some(node) = written.node("deploy.update_config.failure_action") else { return OnFailure::GoBack };
    match node.as_str() {
        Some("pause") => OnFailure::GoBackAndHold,
        Some("continue") => {
            let path = format!("services.{}.deploy.update_config.failure_action", written.name);
            render.approximate(
                node,
                &path,
                "failure_action: continue is taken as `rollback`: a service that failed its gate is not left running",
            );
            OnFailure::GoBack
        }
        _ => OnFailure::GoBack,
    }
}

fn rollout(written: Written<'_>) -> Rollout {
    let get = |key: &str| written.node("deploy.update_config").and_then(|config| config.get(key));
    let count = get("parallelism").and_then(value::integer).and_then(|count| u32::try_from(count).ok());
    let ms = |key: &str| get(key).and_then(value::milliseconds).unwrap_or(0);
    Rollout { parallelism: count.unwrap_or(1), delay_ms: ms("delay"), monitor_ms: ms("monitor") }
}

/// Whether two generations may run at once, and why not.
fn manner(
    render: &Render<'_>,
    written: Written<'_>,
    mounts: &mounts::Mounts,
    mode: &NetworkMode,
    engine_ports: &[escadre_model::desired::EnginePort],
    networks: &[Attachment],
) -> Manner {
    let stop = |why: String| Manner::StopFirst(why.into());
    if let Some(port) = engine_ports.first() {
        return stop(format!("it publishes port {}/{} on the host itself", port.published, port.protocol));
    }
    match mode {
        NetworkMode::Host => return stop("it uses the host's network".to_owned()),
        NetworkMode::Service(other) => return stop(format!("it lives in the network of {other}")),
        NetworkMode::Own | NetworkMode::None => {}
    }
    if let Some((what, other)) = host_config::shares(written).into_iter().next() {
        return stop(format!("its {what} namespace is that of {other}"));
    }
    if networks.iter().any(|network| network.address.is_some()) {
        return stop("it has an address of its own".to_owned());
    }
    match written.str("deploy.update_config.order") {
        Some("start-first") => return Manner::Beside,
        Some("stop-first") => return stop("its order is stop-first".to_owned()),
        _ => {}
    }
    let shared = |source: &Arc<str>| render.shape.shared_volumes.contains(source) || render.writers(source) > 1;
    if let Some((_, what)) = mounts.writable.iter().find(|(source, _)| !shared(source)) {
        return stop(format!("it writes to {what}"));
    }
    let called = !routes::reachable(render, written).is_empty() || render.others.called.contains(&**written.name);
    if !called {
        return stop("nobody calls it: a short absence hurts nobody, two at once may".to_owned());
    }
    Manner::Beside
}

/// Every value a person would compare, under the names people use.
fn fields(render: &Render<'_>, written: Written<'_>, mounts: &mounts::Mounts) -> Vec<Entry> {
    let shape = render.shape;
    let mut all = Vec::new();
    for (key, node) in written.node.as_mapping().into_iter().flat_map(escadre_model::text::Mapping::iter) {
        let path = match &*key.text {
            "mem_limit" => "memory",
            "pids_limit" => "pids",
            other => other,
        };
        if !ELSEWHERE.contains(&path) {
            value::fields(shape, path, node, &mut all);
        }
    }
    for key in ["image", "healthcheck", "annotations"] {
        if let Some(node) = written.node(key) {
            value::fields(shape, key, node, &mut all);
        }
    }
    let limits = [
        ("deploy.resources.limits.memory", "memory"),
        ("deploy.resources.limits.cpus", "cpus"),
        ("deploy.resources.limits.pids", "pids"),
        ("deploy.resources.reservations.memory", "mem_reservation"),
        ("deploy.restart_policy.condition", "restart"),
    ];
    for (from, path) in limits {
        if let Some(node) = written.node(from) {
            value::fields(shape, path, node, &mut all);
        }
    }
    for (key, node) in written.map("networks") {
        all.push(value::fixed(format!("networks.{}", key.text), "joined", node, None));
        value::fields(shape, &format!("networks.{}", key.text), node, &mut all);
    }
    for mount in written.list("volumes") {
        if let Some(target) = mount.get("target").and_then(Node::as_str) {
            let shown = mount.get("source").and_then(Node::as_str).or_else(|| mount.get("type").and_then(Node::as_str));
            let path = format!("mounts.{target}");
            all.push(value::fixed(path, shown.unwrap_or_default(), mount, mount.raw.clone()));
        }
    }
    for key in &mounts.files {
        let content = render.resources.get(key).and_then(|file| file.sheet.fields.first());
        if let (Some(content), Some(target)) = (content, target_of(&mounts.spelled, key)) {
            all.push(Entry { path: format!("files.{target}").into(), ..content.clone() });
        }
    }
    for port in written.list("ports").iter().filter(|port| port.get("mode").and_then(Node::as_str) == Some("host")) {
        value::fields(shape, "ports", port, &mut all);
    }
    let build = ResourceKey::new(Kind::Image, written.image().unwrap_or_default());
    let image = render.resources.get(&build).map(|image| &image.sheet.fields);
    all.extend(image.and_then(|fields| fields.iter().find(|field| &*field.path == "build")).cloned());
    all.sort_by(|a, b| a.path.cmp(&b.path));
    let mut unique: BTreeMap<Arc<str>, Entry> = BTreeMap::new();
    for field in all {
        unique.entry(Arc::clone(&field.path)).or_insert(field);
    }
    unique.into_values().collect()
}

fn target_of<'a>(spelled: &'a [Value], key: &ResourceKey) -> Option<&'a str> {
    let key = key.to_string();
    let mount = spelled.iter().find(|mount| mount.get("resource").and_then(Value::as_str) == Some(&key))?;
    mount.get("target").and_then(Value::as_str)
}
