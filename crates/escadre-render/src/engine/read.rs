//! Reading back: an engine's lists and inspections as parts of `Observed`.
//!
//! In: JSON of Podman's and Docker's list and inspect calls. Out: [`ContainerSeen`] and the others, matched by label.
//! **Invariant:** total: any JSON gives a value or nothing. The hash of a container's fields is the same from every call that can show it.
//! Not here: the calls (`escadre-drivers`), what a difference means (`escadre-plan`).
//! Tests: `read/tests.rs`, with answers recorded from a real engine.

use super::labels;
use escadre_model::desired::{EnginePort, HealthCheck};
use escadre_model::hash::Hash;
use escadre_model::ids::ResourceId;
use escadre_model::observed::{ContainerSeen, EngineId, Health, ImageSeen, NetworkSeen, Phase, VolumeSeen};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A thing of ours and who its fleet is.
#[derive(Clone, Debug, PartialEq)]
pub struct Ours<T> {
    /// Whose it is.
    pub instance: escadre_model::ids::InstanceId,
    /// Who the fleet is.
    pub origin: Option<Arc<str>>,
    /// The thing.
    pub seen: T,
}

/// The name of a container in any answer, without the slash that Docker puts before it.
pub fn container_name(entry: &Value) -> Option<&str> {
    let first = entry.get("Names").and_then(|names| names.get(0)).or_else(|| entry.get("Name"))?;
    first.as_str().map(|name| name.trim_start_matches('/'))
}

/// A container, from a list (Podman's own or Docker's) or an inspection; `None` when it is not ours.
pub fn container(entry: &Value) -> Option<Ours<ContainerSeen>> {
    let all = labels_of(entry)?;
    let whose = labels::read(all)?;
    let mut seen = seen(entry, whose.id.clone())?;
    (seen.spec, seen.addresses, seen.volumes) = (whose.spec, addresses(entry, all), volumes(all));
    Some(Ours { instance: whose.id.instance, origin: whose.origin, seen })
}

/// A container, whoever made it, but for what its maker's labels say.
pub(super) fn seen(entry: &Value, id: ResourceId) -> Option<ContainerSeen> {
    let name: Arc<str> = container_name(entry)?.into();
    let image = image_id(entry);
    Some(ContainerSeen {
        engine: EngineId(entry.get("Id")?.as_str()?.into()),
        spec: None,
        fields: Some(fields(&name, &image, &networks_of(entry))),
        phase: phase(entry),
        health: health(entry),
        restarts: restarts(entry),
        started: started(entry),
        addresses: BTreeMap::new(),
        published: published(entry),
        volumes: BTreeMap::new(),
        known: false,
        compose: None,
        id,
        name,
        image,
    })
}

/// Ports of the host that the engine publishes for a container, from a list (Podman's own or Docker's); each once, whatever the families of addresses.
pub(super) fn published(entry: &Value) -> Vec<EnginePort> {
    let ports = entry.get("Ports").and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<EnginePort> = ports.flat_map(published_one).collect();
    all.sort_by(|a, b| (a.published, &a.protocol, &a.host).cmp(&(b.published, &b.protocol, &b.host)));
    all.dedup();
    all
}

/// What one entry says: Docker has one for each port, Podman one for a range of them.
fn published_one(port: &Value) -> impl Iterator<Item = EnginePort> {
    let text = |docker: &str, podman: &str| port.get(docker).or_else(|| port.get(podman)).and_then(Value::as_str);
    let number = |docker: &str, podman: &str| {
        let number = port.get(docker).or_else(|| port.get(podman)).and_then(Value::as_u64);
        number.and_then(|number| u16::try_from(number).ok()).filter(|number| *number != 0)
    };
    let host = text("IP", "host_ip").filter(|host| !matches!(*host, "0.0.0.0" | "::")).unwrap_or_default();
    let protocol = text("Type", "protocol").unwrap_or("tcp");
    let range = port.get("range").and_then(Value::as_u64).and_then(|range| u16::try_from(range).ok()).unwrap_or(1);
    let first = number("PublicPort", "host_port").zip(number("PrivatePort", "container_port"));
    let (host, protocol): (Arc<str>, Arc<str>) = (host.into(), protocol.into());
    first.into_iter().flat_map(move |(published, target)| {
        let (host, protocol) = (host.clone(), protocol.clone());
        (0..range.max(1)).filter_map(move |step| {
            Some(EnginePort {
                host: host.clone(),
                published: published.checked_add(step)?,
                target: target.checked_add(step)?,
                protocol: protocol.clone(),
            })
        })
    })
}

/// Hash of what somebody can change by hand on a container that exists: its name, its image, its networks. Everything else is fixed by its id.
fn fields(name: &str, image: &str, networks: &[String]) -> Hash {
    Hash::of_json(&("fields/1", name, image, networks))
}

pub(super) fn labels_of(entry: &Value) -> Option<&Map<String, Value>> {
    entry.get("Labels").or_else(|| entry.get("labels")).or_else(|| entry.get("Config")?.get("Labels"))?.as_object()
}

/// The id of the image, with its `sha256:`.
fn image_id(entry: &Value) -> Arc<str> {
    let id = entry.get("ImageID").or_else(|| entry.get("Image")).and_then(Value::as_str).unwrap_or_default();
    with_algorithm(id)
}

/// An image's id as everybody writes it.
pub fn with_algorithm(id: &str) -> Arc<str> {
    if id.is_empty() || id.contains(':') { id.into() } else { format!("sha256:{id}").into() }
}

fn networks_of(entry: &Value) -> Vec<String> {
    // Podman's inspection shows the networks of the container in whose network it lives, its list shows none.
    let mode = entry.get("HostConfig").and_then(|host| host.get("NetworkMode")).and_then(Value::as_str);
    if mode.is_some_and(|mode| mode.starts_with("container:")) {
        return Vec::new();
    }
    let mut names: Vec<String> = match entry.get("Networks") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => match entry.get("NetworkSettings").and_then(|settings| settings.get("Networks")) {
            Some(Value::Object(networks)) => networks.keys().cloned().collect(),
            _ => Vec::new(),
        },
    };
    // Words for "no network of its own", not names.
    names.retain(|name| !matches!(name.as_str(), "host" | "none"));
    names.sort();
    names
}

pub(super) fn addresses(entry: &Value, all: &Map<String, Value>) -> BTreeMap<Arc<str>, IpAddr> {
    let planned = all.get(labels::LABEL_ADDRESSES).and_then(Value::as_str).unwrap_or_default();
    let mut found: BTreeMap<Arc<str>, IpAddr> = planned
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(network, address)| Some((network.into(), address.parse().ok()?)))
        .collect();
    let now = entry.get("NetworkSettings").and_then(|settings| settings.get("Networks")).and_then(Value::as_object);
    for (network, endpoint) in now.into_iter().flatten() {
        if let Some(address) = endpoint.get("IPAddress").and_then(Value::as_str).and_then(|text| text.parse().ok()) {
            found.insert(network.as_str().into(), address);
        }
    }
    found
}

/// A container on a network, from its inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address there; nothing while it does not run.
    pub address: Option<IpAddr>,
    /// Its hardware address there.
    pub hardware: Option<Arc<str>>,
    /// The network's gateway: whom the host speaks as.
    pub gateway: Option<IpAddr>,
    /// Names that programs asking the engine's DNS find it under, but for its own.
    pub names: BTreeSet<Arc<str>>,
}

/// The networks a container is on, by name, from its inspection.
pub fn endpoints(entry: &Value) -> BTreeMap<Arc<str>, Endpoint> {
    let id = entry.get("Id").and_then(Value::as_str).unwrap_or_default();
    let own = container_name(entry).unwrap_or_default();
    let all = entry.get("NetworkSettings").and_then(|settings| settings.get("Networks")).and_then(Value::as_object);
    let one = |endpoint: &Value| {
        let text = |key: &str| endpoint.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let names = endpoint.get("Aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // Engines add the beginning of the container's id.
        let foreign = |name: &&str| *name != own && !(name.len() >= 12 && id.starts_with(*name));
        Endpoint {
            address: text("IPAddress").and_then(|text| text.parse().ok()),
            hardware: text("MacAddress").map(Into::into),
            gateway: text("Gateway").and_then(|text| text.parse().ok()),
            names: names.filter(foreign).map(Into::into).collect(),
        }
    };
    all.into_iter().flatten().map(|(network, endpoint)| (network.as_str().into(), one(endpoint))).collect()
}

fn volumes(all: &Map<String, Value>) -> BTreeMap<Arc<str>, Arc<str>> {
    let prefix = format!("{}.", labels::LABEL_VOLUME);
    all.iter().filter_map(|(key, name)| Some((key.strip_prefix(&prefix)?.into(), name.as_str()?.into()))).collect()
}

fn phase(entry: &Value) -> Phase {
    let (word, code) = match entry.get("State") {
        Some(Value::String(word)) => (word.as_str(), list_code(entry)),
        Some(state @ Value::Object(_)) => (
            state.get("Status").and_then(Value::as_str).unwrap_or_default(),
            state.get("ExitCode").and_then(Value::as_i64),
        ),
        _ => ("", None),
    };
    match word {
        "created" | "configured" | "initialized" => Phase::Created,
        "running" => Phase::Running,
        "paused" => Phase::Paused,
        "restarting" => Phase::Restarting,
        "exited" | "stopped" => Phase::Exited(code.unwrap_or(-1)),
        _ => Phase::Unknown,
    }
}

/// The exit code in a list: a number (Podman) or inside a sentence, `Exited (137) 5 minutes ago` (Docker).
fn list_code(entry: &Value) -> Option<i64> {
    entry.get("ExitCode").and_then(Value::as_i64).or_else(|| {
        let status = entry.get("Status")?.as_str()?;
        status.split_once('(')?.1.split_once(')')?.0.parse().ok()
    })
}

fn health(entry: &Value) -> Health {
    let word = match entry.get("State") {
        Some(state @ Value::Object(_)) => state
            .get("Health")
            .or_else(|| state.get("Healthcheck"))
            .and_then(|health| health.get("Status"))
            .and_then(Value::as_str),
        _ => entry.get("Status").and_then(Value::as_str),
    };
    match word.unwrap_or_default() {
        word if word.contains("unhealthy") => Health::Unhealthy,
        word if word.contains("healthy") => Health::Healthy,
        word if word.contains("starting") => Health::Starting,
        _ => Health::None,
    }
}

fn restarts(entry: &Value) -> u32 {
    let count = entry.get("RestartCount").or_else(|| entry.get("Restarts")).and_then(Value::as_u64).unwrap_or(0);
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn started(entry: &Value) -> Arc<str> {
    if let Some(seconds) = entry.get("StartedAt").and_then(Value::as_i64) {
        return if seconds <= 0 { "".into() } else { instant(seconds).into() };
    }
    let text = entry.get("State").and_then(|state| state.get("StartedAt")).and_then(Value::as_str).unwrap_or_default();
    if text.starts_with("0001-") { "".into() } else { text.into() }
}

/// Seconds since 1970 as RFC 3339, in UTC (days to civil date after Hinnant's well-known algorithm).
pub fn instant(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The name of a network in any answer.
pub fn network_name(entry: &Value) -> Option<&str> {
    entry.get("name").or_else(|| entry.get("Name"))?.as_str()
}

/// A network, from Podman's own list or Docker's; `None` when it is not ours.
pub fn network(entry: &Value) -> Option<Ours<NetworkSeen>> {
    let whose = labels::read(labels_of(entry)?)?;
    let seen = NetworkSeen {
        key: whose.id.resource,
        engine: EngineId(entry.get("id").or_else(|| entry.get("Id"))?.as_str()?.into()),
        name: network_name(entry)?.into(),
        spec: whose.spec,
        subnets: subnets(entry),
        compose: false,
    };
    Some(Ours { instance: whose.id.instance, origin: whose.origin, seen })
}

/// The subnets of a network, ours or not.
pub fn subnets(entry: &Value) -> Vec<Arc<str>> {
    let list = entry.get("subnets").or_else(|| entry.get("IPAM")?.get("Config")).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|subnet| subnet.get("subnet").or_else(|| subnet.get("Subnet"))?.as_str().map(Into::into))
        .collect()
}

/// The name of a volume.
pub fn volume_name(entry: &Value) -> Option<&str> {
    entry.get("Name")?.as_str()
}

/// A volume; `None` when it is not ours.
pub fn volume(entry: &Value) -> Option<Ours<VolumeSeen>> {
    let whose = labels::read(labels_of(entry)?)?;
    let seen = VolumeSeen { key: whose.id.resource, name: volume_name(entry)?.into(), spec: whose.spec };
    Some(Ours { instance: whose.id.instance, origin: whose.origin, seen })
}

/// The names an image goes by, in a list or an inspection.
pub fn image_names(entry: &Value) -> Vec<Arc<str>> {
    let list = |key: &str| entry.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut names: Vec<Arc<str>> =
        list("RepoTags").chain(list("RepoDigests")).filter(|name| !name.contains("<none>")).map(Into::into).collect();
    names.sort();
    names.dedup();
    names
}

/// An image, from its inspection.
pub fn image(entry: &Value) -> Option<ImageSeen> {
    let config = entry.get("Config");
    let get = |key: &str| config.and_then(|config| config.get(key));
    let ports = get("ExposedPorts").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let mut ports: Vec<u16> = ports
        .filter_map(|port| match port.split_once('/') {
            Some((number, "tcp")) => number.parse().ok(),
            Some(_) => None,
            None => port.parse().ok(),
        })
        .collect();
    ports.sort_unstable();
    let digests = entry.get("RepoDigests").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    // Podman's own answer has the check beside `Config`; its Docker-compatible one (4.3) leaves it out.
    let health = get("Healthcheck").or_else(|| entry.get("Healthcheck")).and_then(health_check);
    Some(ImageSeen {
        id: with_algorithm(entry.get("Id")?.as_str()?),
        digests: digests.map(Into::into).collect(),
        ports,
        health,
        size: entry.get("Size").and_then(Value::as_u64).unwrap_or(0),
        build: get("Labels")
            .and_then(|labels| labels.get(labels::LABEL_BUILD))
            .and_then(|hash| serde_json::from_value(hash.clone()).ok()),
    })
}

/// A health check as an engine spells it (times in nanoseconds); `None` when there is none or it is disabled.
pub fn health_check(spelled: &Value) -> Option<HealthCheck> {
    let test: Vec<Arc<str>> =
        spelled.get("Test")?.as_array()?.iter().filter_map(Value::as_str).map(Into::into).collect();
    if test.is_empty() || test.first().is_some_and(|word| word.as_ref() == "NONE") {
        return None;
    }
    let ms = |key: &str, default: u64| match spelled.get(key).and_then(Value::as_u64) {
        None | Some(0) => default,
        Some(nanoseconds) => nanoseconds / 1_000_000,
    };
    let retries = spelled.get("Retries").and_then(Value::as_u64).unwrap_or(0);
    Some(HealthCheck {
        test,
        interval_ms: ms("Interval", 30_000),
        timeout_ms: ms("Timeout", 30_000),
        retries: if retries == 0 { 3 } else { u32::try_from(retries).unwrap_or(u32::MAX) },
        start_period_ms: ms("StartPeriod", 0),
        start_interval_ms: ms("StartInterval", 5_000),
    })
}

#[cfg(test)]
mod tests;
