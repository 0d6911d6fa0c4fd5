//! The bodies of the calls that create: a resource's payload, made whole with what is planned rather than written.
//!
//! In: a payload with its holes filled, and a [`Place`]. Out: the JSON that leaves through the door.
//! **Invariant:** everything an engine is told about a container is in its payload or its place; nothing is added elsewhere.
//! Not here: secret values (filled by the driver just before), the calls themselves.
//! Tests: `create/tests.rs`.

use super::{Dialect, labels};
use escadre_model::desired::{Body, Desired, EnginePort, Resource};
use escadre_model::hash::Hash;
use escadre_model::ids::{ResourceId, ResourceKey};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Everything about a new container that is planned rather than written by people, with paths of this host.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The instance.
    pub desired: &'a Desired,
    /// Who the container is, with replica and generation.
    pub id: &'a ResourceId,
    /// Its resource.
    pub resource: &'a Resource,
    /// The engine's id of its image, or a reference where none is known.
    pub image: &'a str,
    /// Networks, in order of priority.
    pub networks: Vec<On>,
    /// Path of its hosts file; `None` when it has no network of its own.
    pub hosts: Option<String>,
    /// Volume key → name on the engine.
    pub volumes: &'a BTreeMap<Arc<str>, Arc<str>>,
    /// File resource → path on the host.
    pub files: BTreeMap<ResourceKey, String>,
    /// The folder of the instance that its services write into, for binds of untracked paths.
    pub data: String,
    /// Ports the engine publishes.
    pub engine_ports: &'a [EnginePort],
    /// Its network is that of this container.
    pub shares_network_of: Option<&'a str>,
    /// Other namespaces that are those of a container: `pid`, `ipc`.
    pub shares: &'a BTreeMap<Arc<str>, Arc<str>>,
    /// Keys of the routes that lead to it.
    pub routes: &'a [Arc<str>],
}

/// Namespaces beside the network that a service may share with another one, with the engine's word.
pub(super) const NAMESPACES: &[(&str, &str)] = &[("pid", "PidMode"), ("ipc", "IpcMode")];

/// A network that a container joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct On {
    /// Key of the network.
    pub network: Arc<str>,
    /// Its name on the engine.
    pub name: Arc<str>,
    /// The planned address.
    pub address: Option<IpAddr>,
    /// Names that programs asking the engine's DNS find it under.
    pub aliases: Vec<Arc<str>>,
}

/// The body of `POST /containers/create`, from the payload with its holes filled.
pub fn container(words: &Value, place: &Place<'_>, dialect: Dialect) -> Value {
    let mut body = match words.get("create") {
        Some(Value::Object(create)) => create.clone(),
        _ => Map::new(),
    };
    body.insert("Image".to_owned(), json!(place.image));
    let mut all = match body.remove("Labels") {
        Some(Value::Object(written)) => written,
        _ => Map::new(),
    };
    all.extend(container_labels(place).into_iter().map(|(key, value)| (key, Value::String(value))));
    if let Some(hooks) = words.get("hooks") {
        all.insert(labels::LABEL_HOOKS.to_owned(), Value::String(hooks.to_string()));
    }
    body.insert("Labels".to_owned(), Value::Object(all));

    let mut host = match body.remove("HostConfig") {
        Some(Value::Object(host)) => host,
        _ => Map::new(),
    };
    let empty = Vec::new();
    let written = words.get("mounts").and_then(Value::as_array).unwrap_or(&empty);
    let mut mounts: Vec<Value> = written.iter().filter_map(|mount| spell_mount(mount, place)).collect();
    if let Some(hosts) = &place.hosts {
        mounts.push(json!({"Type": "bind", "Source": hosts, "Target": "/etc/hosts", "ReadOnly": true}));
    }
    host.insert("Mounts".to_owned(), Value::Array(mounts));
    networking(words, place, &mut body, &mut host);
    for (key, name) in NAMESPACES {
        if let Some(other) = place.shares.get(*key) {
            host.insert((*name).to_owned(), json!(format!("container:{other}")));
        }
    }
    ports(place.engine_ports, &mut body, &mut host);
    short_mounts(dialect, &mut host);
    if dialect == Dialect::Podman {
        podman_quirks(&mut host);
        podman_check(&mut body);
    }
    body.insert("HostConfig".to_owned(), Value::Object(host));
    Value::Object(body)
}

fn container_labels(place: &Place<'_>) -> BTreeMap<String, String> {
    let mut all = labels::of(place.desired, place.id, place.resource);
    for (key, name) in place.volumes {
        all.insert(format!("{}.{key}", labels::LABEL_VOLUME), name.to_string());
    }
    if !place.routes.is_empty() {
        all.insert(labels::LABEL_ROUTES.to_owned(), place.routes.join(","));
    }
    let addresses: Vec<String> =
        place.networks.iter().filter_map(|on| Some(format!("{}={}", on.name, on.address?))).collect();
    if !addresses.is_empty() {
        all.insert(labels::LABEL_ADDRESSES.to_owned(), addresses.join(","));
    }
    let secrets: Vec<&Arc<str>> = match &place.resource.body {
        Body::Service(service) => service
            .files
            .iter()
            .filter(|key| key.kind == escadre_model::ids::Kind::Secret)
            .map(|key| &key.key)
            .collect(),
        _ => Vec::new(),
    };
    let payload = place.resource.payload();
    let inside = payload.secrets();
    if !secrets.is_empty() || !inside.is_empty() {
        let specs: Vec<_> = secrets
            .into_iter()
            .map(|key| {
                let key = ResourceKey::new(escadre_model::ids::Kind::Secret, Arc::clone(key));
                (key.to_string(), place.desired.resources.get(&key).map(|resource| resource.spec.clone()))
            })
            .collect();
        let used: Vec<_> = inside.iter().map(|name| &name.0).collect();
        all.insert(labels::LABEL_SECRETS.to_owned(), Hash::of_json(&(specs, used)).short().to_owned());
    }
    all
}

/// One mount in the engine's words; nothing when the place has no path for it, which the driver has refused before.
fn spell_mount(mount: &Value, place: &Place<'_>) -> Option<Value> {
    let text = |key: &str| mount.get(key).and_then(Value::as_str);
    let target = text("target")?;
    let read_only = mount.get("read_only").and_then(Value::as_bool).unwrap_or(false);
    let mut spelled = match text("kind")? {
        "volume" => {
            let source = place.volumes.get(text("key")?)?;
            json!({"Type": "volume", "Source": source, "Target": target, "ReadOnly": read_only})
        }
        "file" => {
            let key = text("resource")?;
            let source = place.files.iter().find(|(resource, _)| resource.to_string() == key).map(|(_, path)| path)?;
            json!({"Type": "bind", "Source": source, "Target": target, "ReadOnly": true})
        }
        "bind" => json!({"Type": "bind", "Source": text("source")?, "Target": target, "ReadOnly": read_only}),
        "data" => {
            let source = format!("{}/{}", place.data, text("path")?);
            json!({"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only})
        }
        "tmpfs" => json!({"Type": "tmpfs", "Target": target, "ReadOnly": read_only}),
        _ => return None,
    };
    if let (Some(options), Some(map)) = (mount.get("options").and_then(Value::as_object), spelled.as_object_mut()) {
        map.extend(options.clone());
    }
    if let (Some(label), Some(map)) = (text("label"), spelled.as_object_mut()) {
        map.insert("Label".to_owned(), json!(label));
    }
    Some(spelled)
}

fn networking(words: &Value, place: &Place<'_>, body: &mut Map<String, Value>, host: &mut Map<String, Value>) {
    if let Some(other) = place.shares_network_of {
        host.insert("NetworkMode".to_owned(), json!(format!("container:{other}")));
        return;
    }
    let Some(first) = place.networks.first() else {
        // `host` and `none` are in the payload; a service without any network has none.
        host.entry("NetworkMode").or_insert_with(|| json!("none"));
        return;
    };
    host.insert("NetworkMode".to_owned(), json!(first.name));
    let mut endpoints = Map::new();
    for on in &place.networks {
        let mut endpoint = match words.get("networks").and_then(|all| all.get(on.network.as_ref())) {
            Some(Value::Object(written)) => written.clone(),
            _ => Map::new(),
        };
        if !on.aliases.is_empty() {
            endpoint.insert("Aliases".to_owned(), json!(on.aliases));
        }
        if let Some(address) = on.address {
            let family = if address.is_ipv4() { "IPv4Address" } else { "IPv6Address" };
            endpoint.insert("IPAMConfig".to_owned(), json!({family: address.to_string()}));
            if let (IpAddr::V4(address), false) = (address, body.contains_key("MacAddress")) {
                endpoint.entry("MacAddress").or_insert_with(|| json!(hardware(address)));
            }
        }
        endpoints.insert(on.name.to_string(), Value::Object(endpoint));
    }
    body.insert("NetworkingConfig".to_owned(), json!({"EndpointsConfig": endpoints}));
}

/// Takes all endpoints but the first out of a body, as (network, endpoint) in order: Docker before its API 1.44 refuses a container that is made with more
/// than one.
pub fn further(body: &mut Value, place: &Place<'_>) -> Vec<(Arc<str>, Value)> {
    let endpoints = body.pointer_mut("/NetworkingConfig/EndpointsConfig").and_then(Value::as_object_mut);
    let Some(endpoints) = endpoints else { return Vec::new() };
    let further = place.networks.iter().skip(1);
    further.filter_map(|on| Some((Arc::clone(&on.name), endpoints.remove(on.name.as_ref())?))).collect()
}

/// A container on a network, as it is attached to it anew while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached<'a> {
    /// The container's name on the engine.
    pub container: &'a str,
    /// Its address there.
    pub address: IpAddr,
    /// Its hardware address there; nothing: the one that belongs to the address.
    pub hardware: Option<&'a str>,
    /// Names that programs asking the engine's DNS find it under.
    pub names: &'a [Arc<str>],
}

/// The body of the call that attaches a container to a network: Podman's own (`POST /libpod/networks/NAME/connect`) or Docker's.
pub fn connect(attached: &Attached<'_>, dialect: Dialect) -> Value {
    let derived = match attached.address {
        IpAddr::V4(address) => Some(hardware(address)),
        IpAddr::V6(_) => None,
    };
    let hardware = attached.hardware.map(str::to_owned).or(derived);
    let Attached { container, address, names, .. } = attached;
    match dialect {
        Dialect::Podman => {
            let mut body = json!({"container": container, "static_ips": [address.to_string()], "aliases": names});
            if let (Some(hardware), Some(map)) = (hardware, body.as_object_mut()) {
                map.insert("static_mac".to_owned(), json!(hardware));
            }
            body
        }
        Dialect::Docker => {
            let family = if address.is_ipv4() { "IPv4Address" } else { "IPv6Address" };
            let mut endpoint = json!({"IPAMConfig": {family: address.to_string()}, "Aliases": names});
            if let (Some(hardware), Some(map)) = (hardware, endpoint.as_object_mut()) {
                map.insert("MacAddress".to_owned(), json!(hardware));
            }
            json!({"Container": container, "EndpointConfig": endpoint})
        }
    }
}

/// The hardware address that belongs to an address. Left to itself an engine gives a container another one at every start, and whoever spoke with it before
/// (the edge, its neighbours) goes on sending to the former one until the kernel has forgotten it: half a minute of silence after a way back.
fn hardware(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn ports(published: &[EnginePort], body: &mut Map<String, Value>, host: &mut Map<String, Value>) {
    if published.is_empty() {
        return;
    }
    let mut bindings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in published {
        let outside = if port.published == 0 { String::new() } else { port.published.to_string() };
        bindings
            .entry(format!("{}/{}", port.target, port.protocol))
            .or_default()
            .push(json!({"HostIp": port.host, "HostPort": outside}));
    }
    let mut exposed = match body.remove("ExposedPorts") {
        Some(Value::Object(exposed)) => exposed,
        _ => Map::new(),
    };
    exposed.extend(bindings.keys().map(|port| (port.clone(), json!({}))));
    body.insert("ExposedPorts".to_owned(), Value::Object(exposed));
    host.insert("PortBindings".to_owned(), json!(bindings));
}

/// Mounts that are spelled in one text, `source:target:options`: no engine knows labels for SELinux in the long spelling, and Podman does not hear `NoCopy` there.
fn short_mounts(dialect: Dialect, host: &mut Map<String, Value>) {
    let Some(Value::Array(mounts)) = host.get_mut("Mounts") else { return };
    let mut binds = Vec::new();
    mounts.retain(|mount| {
        let text = |at: &str| mount.pointer(at).and_then(Value::as_str);
        let options = mount.get("VolumeOptions").and_then(Value::as_object);
        let no_copy = options.is_some_and(|all| all.len() == 1 && all.get("NoCopy") == Some(&Value::Bool(true)));
        if text("/Label").is_none() && !(no_copy && dialect == Dialect::Podman) {
            return true;
        }
        let read_only = mount.get("ReadOnly").and_then(Value::as_bool) == Some(true);
        let how = [
            Some(if read_only { "ro" } else { "rw" }),
            text("/Label"),
            text("/BindOptions/Propagation"),
            no_copy.then_some("nocopy"),
        ];
        let how: Vec<&str> = how.into_iter().flatten().collect();
        let (source, target) = (text("/Source").unwrap_or_default(), text("/Target").unwrap_or_default());
        binds.push(json!(format!("{source}:{target}:{}", how.join(","))));
        false
    });
    if !binds.is_empty() {
        host.insert("Binds".to_owned(), Value::Array(binds));
    }
}

/// Podman 4.3 swaps soft and hard limits that come over this API; equal ones cannot be swapped.
fn podman_quirks(host: &mut Map<String, Value>) {
    for limit in host.get_mut("Ulimits").and_then(Value::as_array_mut).into_iter().flatten() {
        let soft = limit.get("Soft").cloned();
        if let (Some(soft), Some(map)) = (soft, limit.as_object_mut()) {
            map.insert("Hard".to_owned(), soft);
        }
    }
}

/// Podman 4.3 joins the words of a `CMD` check with spaces and splits them again: an argument with a space in it falls apart. A list in JSON as its
/// only word is taken as it is.
fn podman_check(body: &mut Map<String, Value>) {
    let Some(Value::Array(test)) = body.get_mut("Healthcheck").and_then(|check| check.get_mut("Test")) else { return };
    let splits = |word: &Value| word.as_str().is_some_and(|word| word.is_empty() || word.contains(char::is_whitespace));
    if let Some((Value::String(first), words)) = test.split_first()
        && first == "CMD"
        && words.iter().any(splits)
    {
        let whole = Value::Array(words.to_vec()).to_string();
        *test = vec![Value::String(whole)];
    }
}

/// The body of `POST /networks/create`.
pub fn network(desired: &Desired, id: &ResourceId, resource: &Resource, name: &str, subnet: &str) -> Value {
    let mut body = match resource.payload().value() {
        Value::Object(words) => words,
        _ => Map::new(),
    };
    body.insert("Name".to_owned(), json!(name));
    body.entry("Driver").or_insert_with(|| json!("bridge"));
    let gateway =
        body.remove("gateway").and_then(|value| value.as_str().map(str::to_owned)).or_else(|| gateway(subnet));
    let mut pool = Map::from_iter([("Subnet".to_owned(), json!(subnet))]);
    if let Some(gateway) = gateway {
        pool.insert("Gateway".to_owned(), json!(gateway));
    }
    body.insert("IPAM".to_owned(), json!({"Config": [pool]}));
    put_labels(&mut body, desired, id, resource);
    Value::Object(body)
}

/// The body of `POST /volumes/create`.
pub fn volume(desired: &Desired, id: &ResourceId, resource: &Resource, name: &str) -> Value {
    let mut body = match resource.payload().value() {
        Value::Object(words) => words,
        _ => Map::new(),
    };
    body.insert("Name".to_owned(), json!(name));
    body.entry("Driver").or_insert_with(|| json!("local"));
    put_labels(&mut body, desired, id, resource);
    Value::Object(body)
}

fn put_labels(body: &mut Map<String, Value>, desired: &Desired, id: &ResourceId, resource: &Resource) {
    let mut all = match body.remove("Labels") {
        Some(Value::Object(written)) => written,
        _ => Map::new(),
    };
    all.extend(labels::of(desired, id, resource).into_iter().map(|(key, value)| (key, Value::String(value))));
    body.insert("Labels".to_owned(), Value::Object(all));
}

/// The first address of a subnet: where its gateway lives.
pub fn gateway(subnet: &str) -> Option<String> {
    let (base, _) = subnet.split_once('/')?;
    match base.parse().ok()? {
        IpAddr::V4(base) => Some(std::net::Ipv4Addr::from(u32::from(base).checked_add(1)?).to_string()),
        IpAddr::V6(base) => Some(std::net::Ipv6Addr::from(u128::from(base).checked_add(1)?).to_string()),
    }
}

#[cfg(test)]
mod tests;
