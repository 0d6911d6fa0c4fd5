//! What a container may use of its host: limits, rights, namespaces, devices, logging.
//!
//! In: a service's tree. Out: the payload's `HostConfig` without mounts, networks and ports.
//! **Invariant:** an attribute that the dialect cannot honour is said.
//! Not here: mounts, networks and ports, which are placed (`create`).
//! Tests: `render/tests.rs`.

use super::create::NAMESPACES;
use super::render::Render;
use super::{Dialect, value};
use escadre_model::compose::{self, Service as Written};
use escadre_model::desired::NetworkMode;
use escadre_model::text::Node;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Attributes that are a list of texts, with the engine's word.
const LISTS: &[(&str, &str)] = &[
    ("cap_add", "CapAdd"),
    ("cap_drop", "CapDrop"),
    ("security_opt", "SecurityOpt"),
    ("dns", "Dns"),
    ("dns_search", "DnsSearch"),
    ("dns_opt", "DnsOptions"),
    ("group_add", "GroupAdd"),
    ("device_cgroup_rules", "DeviceCgroupRules"),
];
/// Attributes that are one text.
const TEXTS: &[(&str, &str)] = &[
    ("uts", "UTSMode"),
    ("userns_mode", "UsernsMode"),
    ("cgroup", "CgroupnsMode"),
    ("cgroup_parent", "CgroupParent"),
    ("runtime", "Runtime"),
    ("cpuset", "CpusetCpus"),
];
/// Attributes that are a switch.
const FLAGS: &[(&str, &str)] = &[
    ("privileged", "Privileged"),
    ("read_only", "ReadonlyRootfs"),
    ("init", "Init"),
    ("oom_kill_disable", "OomKillDisable"),
];
/// Attributes that are a whole number.
const NUMBERS: &[(&str, &str)] = &[
    ("cpu_shares", "CpuShares"),
    ("cpu_quota", "CpuQuota"),
    ("cpu_count", "CpuCount"),
    ("cpu_percent", "CpuPercent"),
    ("pids_limit", "PidsLimit"),
    ("mem_swappiness", "MemorySwappiness"),
    ("oom_score_adj", "OomScoreAdj"),
];
/// Attributes that are a size in bytes.
const SIZES: &[(&str, &str)] = &[
    ("mem_limit", "Memory"),
    ("memswap_limit", "MemorySwap"),
    ("mem_reservation", "MemoryReservation"),
    ("shm_size", "ShmSize"),
];
/// Attributes that are microseconds, or a duration.
const PERIODS: &[(&str, &str)] =
    &[("cpu_period", "CpuPeriod"), ("cpu_rt_period", "CpuRealtimePeriod"), ("cpu_rt_runtime", "CpuRealtimeRuntime")];

/// Spells it.
pub(super) fn of(render: &mut Render<'_>, written: Written<'_>, mode: &NetworkMode) -> Value {
    let mut host = Map::new();
    let present = |key: &str| written.node(key).filter(|node| !node.is_null());
    for (key, name) in LISTS {
        if let Some(node) = present(key).filter(|node| node.as_sequence().is_some_and(|items| !items.is_empty())) {
            host.insert((*name).to_owned(), value::list(node));
        }
    }
    for (key, name) in TEXTS {
        if let Some(node) = present(key) {
            let of_another = |mode: &str| mode.starts_with("service:") || mode.starts_with("container:");
            if *key == "uts" && node.as_str().is_some_and(of_another) {
                let message = "uts: an engine gives a container its own host name, or the host's";
                render.refuse(node, &format!("services.{}.uts", written.name), message);
                continue;
            }
            host.insert((*name).to_owned(), value::text(node));
        }
    }
    for (key, name) in FLAGS {
        if let Some(flag) = present(key).and_then(value::flag) {
            host.insert((*name).to_owned(), json!(flag));
        }
    }
    for (key, name) in NUMBERS {
        if let Some(number) = present(key).and_then(value::integer) {
            host.insert((*name).to_owned(), json!(number));
        }
    }
    for (key, name) in SIZES {
        if let Some(size) = present(key).and_then(compose::bytes) {
            host.insert((*name).to_owned(), json!(size));
        }
    }
    for (key, name) in PERIODS {
        let micros = |node: &Node| value::integer(node).or_else(|| compose::duration(node).map(|ns| ns / 1000));
        if let Some(time) = present(key).and_then(micros) {
            host.insert((*name).to_owned(), json!(time));
        }
    }
    resources(render, written, &mut host);
    limits(written, &mut host);
    devices(render, written, &mut host);
    block_io(written, &mut host);
    if let Some(sysctls) = present("sysctls") {
        host.insert("Sysctls".to_owned(), value::map(sysctls));
    }
    if let Some(options) = present("storage_opt") {
        host.insert("StorageOpt".to_owned(), value::map(options));
    }
    if let Some(annotations) = present("annotations") {
        host.insert("Annotations".to_owned(), value::map(annotations));
    }
    let tmpfs: Map<String, Value> = written
        .strs("tmpfs")
        .map(|text| text.split_once(':').unwrap_or((text, "")))
        .map(|(path, options)| (path.to_owned(), json!(options)))
        .collect();
    if !tmpfs.is_empty() {
        host.insert("Tmpfs".to_owned(), Value::Object(tmpfs));
    }
    namespaces(render, written, &mut host);
    match mode {
        NetworkMode::Host => {
            host.insert("NetworkMode".to_owned(), json!("host"));
            // Its hosts file is the host's: only then the engine hears of further names.
            let lines: Vec<_> = written.strs("extra_hosts").map(|line| json!(line.replacen('=', ":", 1))).collect();
            if !lines.is_empty() {
                host.insert("ExtraHosts".to_owned(), Value::Array(lines));
            }
        }
        NetworkMode::None => {
            host.insert("NetworkMode".to_owned(), json!("none"));
        }
        NetworkMode::Own | NetworkMode::Service(_) => {}
    }
    if let Some(policy) = restart(render, written) {
        host.insert("RestartPolicy".to_owned(), policy);
    }
    host.insert("LogConfig".to_owned(), logging(render, written));
    Value::Object(host)
}

fn resources(render: &mut Render<'_>, written: Written<'_>, host: &mut Map<String, Value>) {
    let cpus = written.node("cpus").or_else(|| written.node("deploy.resources.limits.cpus"));
    if let Some(cpus) = cpus.and_then(compose::fraction).filter(|cpus| *cpus > 0.0) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a number of processors; what is below a billionth of one is cut"
        )]
        host.insert("NanoCpus".to_owned(), json!((cpus * 1e9).round() as i64));
    }
    let sizes = [("limits.memory", "Memory"), ("reservations.memory", "MemoryReservation")];
    for (key, name) in sizes {
        let node = written.node("deploy.resources").and_then(|resources| resources.at(key));
        if let Some(size) = node.and_then(compose::bytes) {
            host.entry(name).or_insert(json!(size));
        }
    }
    if let Some(pids) = written.node("deploy.resources.limits.pids").and_then(value::integer) {
        host.entry("PidsLimit").or_insert(json!(pids));
    }
    if let Some(node) = written.node("deploy.resources.reservations.devices").or_else(|| written.node("gpus")) {
        if render.facts.dialect == Dialect::Podman {
            let path = format!("services.{}.deploy.resources.reservations.devices", written.name);
            render.approximate(node, &path, "reserved devices are not given by Podman's compatible API; write them as devices: [\"nvidia.com/gpu=all\"]");
            return;
        }
        host.insert("DeviceRequests".to_owned(), device_requests(node));
    }
}

fn device_requests(node: &Node) -> Value {
    let request = |device: &Node| {
        let texts = |key: &str| device.get(key).map(value::list);
        let count = match device.get("count").and_then(Node::as_str) {
            Some("all") => Some(-1),
            _ => device.get("count").and_then(value::integer),
        };
        let mut spelled = Map::from_iter([(
            "Capabilities".to_owned(),
            json!([texts("capabilities").unwrap_or_else(|| json!(["gpu"]))]),
        )]);
        let ids = texts("device_ids");
        if ids.is_none() {
            spelled.insert("Count".to_owned(), json!(count.unwrap_or(-1)));
        }
        for (key, value) in [("DeviceIDs", ids), ("Driver", device.get("driver").map(value::text))] {
            if let Some(value) = value {
                spelled.insert(key.to_owned(), value);
            }
        }
        if let Some(options) = device.get("options") {
            spelled.insert("Options".to_owned(), value::map(options));
        }
        Value::Object(spelled)
    };
    Value::Array(node.as_sequence().unwrap_or_default().iter().map(request).collect())
}

fn limits(written: Written<'_>, host: &mut Map<String, Value>) {
    let mut all: Vec<Value> = written
        .map("ulimits")
        .filter_map(|(key, node)| {
            let (soft, hard) = match value::integer(node) {
                Some(both) => (both, both),
                None => (node.get("soft").and_then(value::integer)?, node.get("hard").and_then(value::integer)?),
            };
            Some(json!({"Name": &*key.text, "Soft": soft, "Hard": hard}))
        })
        .collect();
    all.sort_by_key(|limit| limit.get("Name").and_then(Value::as_str).map(str::to_owned));
    if !all.is_empty() {
        host.insert("Ulimits".to_owned(), Value::Array(all));
    }
}

fn devices(render: &mut Render<'_>, written: Written<'_>, host: &mut Map<String, Value>) {
    let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
    let all: Vec<Value> = written
        .list("devices")
        .iter()
        .filter_map(|node| {
            let source = text(node, "source").or_else(|| node.as_str().map(str::to_owned))?;
            let target = text(node, "target").unwrap_or_else(|| source.clone());
            let rights = text(node, "permissions").unwrap_or_else(|| "rwm".to_owned());
            Some(json!({"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": rights}))
        })
        .collect();
    if let (Some(first), true, false) = (written.list("devices").first(), render.facts.rootless, all.is_empty()) {
        let path = format!("services.{}.devices", written.name);
        render.approximate(first, &path, "without root the engine can only give devices that its user may use");
    }
    if !all.is_empty() {
        host.insert("Devices".to_owned(), Value::Array(all));
    }
}

fn block_io(written: Written<'_>, host: &mut Map<String, Value>) {
    let Some(node) = written.node("blkio_config") else { return };
    if let Some(weight) = node.get("weight").and_then(value::integer) {
        host.insert("BlkioWeight".to_owned(), json!(weight));
    }
    let rates = [
        ("weight_device", "BlkioWeightDevice", "weight", "Weight"),
        ("device_read_bps", "BlkioDeviceReadBps", "rate", "Rate"),
        ("device_write_bps", "BlkioDeviceWriteBps", "rate", "Rate"),
        ("device_read_iops", "BlkioDeviceReadIOps", "rate", "Rate"),
        ("device_write_iops", "BlkioDeviceWriteIOps", "rate", "Rate"),
    ];
    for (key, name, from, to) in rates {
        let all: Vec<Value> = node
            .get(key)
            .and_then(Node::as_sequence)
            .unwrap_or_default()
            .iter()
            .filter_map(|device| {
                let amount = device.get(from)?;
                let amount = compose::bytes(amount).or_else(|| value::integer(amount))?;
                Some(json!({"Path": device.get("path").and_then(Node::as_str)?, to: amount}))
            })
            .collect();
        if !all.is_empty() {
            host.insert(name.to_owned(), Value::Array(all));
        }
    }
}

/// `pid` and `ipc`: a mode, or another service's, which is only known where the container is placed.
fn namespaces(render: &mut Render<'_>, written: Written<'_>, host: &mut Map<String, Value>) {
    for (key, name) in NAMESPACES {
        let Some(node) = written.node(key).filter(|node| !node.is_null()) else { continue };
        match node.as_str() {
            Some(mode) if mode.starts_with("service:") => {}
            Some(mode) if mode.starts_with("container:") => {
                let path = format!("services.{}.{key}", written.name);
                render.refuse(node, &path, format!("{key}: {mode} leads out of the instance"));
            }
            _ => {
                host.insert((*name).to_owned(), value::text(node));
            }
        }
    }
}

/// The services whose `pid` and `ipc` a service has.
pub(super) fn shares(written: Written<'_>) -> BTreeMap<Arc<str>, Arc<str>> {
    let other = |key: &str| written.str(key)?.strip_prefix("service:");
    NAMESPACES.iter().filter_map(|(key, _)| Some(((*key).into(), other(key)?.into()))).collect()
}

fn restart(render: &mut Render<'_>, written: Written<'_>) -> Option<Value> {
    let policy = |name: &str, count: i64| Some(json!({"Name": name, "MaximumRetryCount": count}));
    if let Some(node) = written.node("deploy.restart_policy") {
        for key in ["delay", "window"] {
            if let Some(node) = node.get(key) {
                let path = format!("services.{}.deploy.restart_policy.{key}", written.name);
                render.approximate(node, &path, format!("deploy.restart_policy.{key} is the engine's own"));
            }
        }
        let count = node.get("max_attempts").and_then(value::integer).unwrap_or(0);
        return match node.get("condition").and_then(Node::as_str).unwrap_or("any") {
            "none" => None,
            "on-failure" => policy("on-failure", count),
            _ => policy("always", 0),
        };
    }
    // A job that is to end must not be started again when it has.
    let job = render.is_job(written.name);
    match written.str("restart")? {
        "always" | "unless-stopped" if job => {
            if let Some(node) = written.node("restart") {
                let path = format!("services.{}.restart", written.name);
                render.approximate(node, &path, "a job that has ended is not started again: others wait for its end");
            }
            None
        }
        "always" => policy("always", 0),
        "unless-stopped" => policy("unless-stopped", 0),
        text => {
            let rest = text.strip_prefix("on-failure")?;
            policy("on-failure", rest.trim_start_matches(':').parse().unwrap_or(0))
        }
    }
}

/// Logs rotate unless the product says otherwise: a full disk stops everything.
fn logging(render: &mut Render<'_>, written: Written<'_>) -> Value {
    let driver = written.str("logging.driver");
    let mut options: Map<String, Value> = match written.node("logging.options").map(value::map) {
        Some(Value::Object(options)) => options,
        _ => Map::new(),
    };
    let podman = render.facts.dialect == Dialect::Podman;
    let ours = if podman { "k8s-file" } else { "json-file" };
    let driver = match driver {
        None | Some("json-file") => ours,
        Some("local") if podman => ours,
        Some(driver @ ("k8s-file" | "passthrough")) if !podman => {
            if let Some(node) = written.node("logging.driver") {
                let path = format!("services.{}.logging.driver", written.name);
                render.approximate(
                    node,
                    &path,
                    format!("Docker has no log driver {driver}: logs stay in its own files"),
                );
            }
            options.retain(|key, _| matches!(key.as_str(), "max-size" | "tag"));
            ours
        }
        Some(driver @ ("none" | "journald" | "k8s-file" | "passthrough")) => driver,
        Some(driver) if podman => {
            if let Some(node) = written.node("logging.driver") {
                let path = format!("services.{}.logging.driver", written.name);
                render.approximate(node, &path, format!("Podman has no log driver {driver}: logs stay in files"));
            }
            options.clear();
            ours
        }
        Some(driver) => driver,
    };
    if matches!(driver, "json-file" | "local" | "k8s-file") {
        options.entry("max-size").or_insert(json!("10m"));
        if !podman {
            options.entry("max-file").or_insert(json!("3"));
        }
    }
    // Podman keeps one file of that size and knows no other option.
    if podman {
        options.retain(|key, _| matches!(key.as_str(), "max-size" | "tag" | "path"));
    }
    json!({"Type": driver, "Config": options})
}
