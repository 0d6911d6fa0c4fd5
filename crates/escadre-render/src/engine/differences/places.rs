//! Where a container is: its mounts, networks, ports.
//!
//! In: the payload's mounts, the service's networks and ports, the inspection. Out: differences.
//! **Invariant:** a volume without a name is the one the container has; a file of ours (config, secret, copy of a tracked path) is compared by its place only,
//! because everybody keeps it elsewhere.
//! Not here: what the host gives (`host`).
//! Tests: `differences/tests.rs`.

use super::{Compare, plain};
use crate::engine::names;
use escadre_model::desired::{Body, NetworkMode, Route, Shown};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::Difference;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a mount is that Escadre writes.
pub(super) const FILE: &str = "a file of the instance";

impl Compare<'_> {
    pub(super) fn places(&mut self) {
        self.mounted();
        self.networks();
        self.ports();
    }

    fn mounted(&mut self) {
        let mut runs = mounts(self.made.container);
        for mount in std::mem::take(&mut self.mounts) {
            let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
            let target = text("target").trim_end_matches('/').to_owned();
            let writes =
                if mount.get("read_only").and_then(Value::as_bool) == Some(true) { " (read-only)" } else { "" };
            let is = runs.remove(&target);
            let wanted = match text("kind") {
                "volume" => {
                    let key = text("key");
                    let unnamed = key == names::unnamed(self.key, text("target"));
                    if unnamed && is.as_ref().is_some_and(|is| is.starts_with("volume ")) {
                        continue;
                    }
                    format!("volume {}{writes}", self.volume(key).unwrap_or_default())
                }
                "bind" => format!("{}{writes}", text("source")),
                "tmpfs" => "tmpfs".to_owned(),
                "data" => format!("folder {}{writes}", text("path")),
                _ if is.is_some() => continue,
                _ => FILE.to_owned(),
            };
            let path = format!("mounts.{target}");
            if is.as_deref() != Some(wanted.as_str()) {
                self.differ(&path, is.map(|is| Shown::Plain(is.into())), Some(&wanted));
            }
        }
        for (target, is) in runs {
            // What its image declares is no word of the files.
            if !is.starts_with("volume ") || !is.trim_start_matches("volume ").bytes().all(|b| b.is_ascii_hexdigit()) {
                let runs = Some(Shown::Plain(is.into()));
                self.found.push(Difference { path: format!("mounts.{target}").into(), runs, wanted: None });
            }
        }
    }

    fn networks(&mut self) {
        let mode = self.made.container.pointer("/HostConfig/NetworkMode").and_then(Value::as_str).unwrap_or_default();
        let is = match mode {
            "host" | "none" => mode,
            shared if shared.starts_with("container:") => "service",
            _ => "own",
        };
        let want = match &self.service.network_mode {
            NetworkMode::Own if self.service.networks.is_empty() => "none",
            NetworkMode::Own => "own",
            NetworkMode::Host => "host",
            NetworkMode::None => "none",
            NetworkMode::Service(_) => "service",
        };
        if is != want {
            self.texts("network_mode", is, want);
            return;
        }
        let all = self.made.container.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
        let mut runs: BTreeMap<&str, &Value> =
            all.into_iter().flatten().map(|(name, on)| (name.as_str(), on)).collect();
        runs.retain(|name, _| !matches!(*name, "host" | "none"));
        for on in &self.service.networks {
            let key = &on.network;
            let ours =
                match self.desired.resources.get(&ResourceKey::new(Kind::Network, key.clone())).map(|one| &one.body) {
                    Some(Body::Network(network)) => network.name.to_string(),
                    _ => String::new(),
                };
            let theirs = format!("{}_{key}", self.project());
            let Some(there) = runs.remove(ours.as_str()).or_else(|| runs.remove(theirs.as_str())) else {
                self.differ(&format!("networks.{key}"), None, Some("joined"));
                continue;
            };
            let has: BTreeSet<String> =
                there.get("Aliases").and_then(Value::as_array).into_iter().flatten().map(plain).collect();
            let missing: Vec<&str> = on.names.iter().map(AsRef::as_ref).filter(|name| !has.contains(*name)).collect();
            // A container's own name is found too, without being an alias.
            let own =
                self.made.container.get("Name").and_then(Value::as_str).unwrap_or_default().trim_start_matches('/');
            let missing: Vec<&str> = missing.into_iter().filter(|name| *name != own).collect();
            if !missing.is_empty() {
                self.differ(&format!("networks.{key}.aliases"), None, Some(&missing.join(" ")));
            }
            if let Some(address) = &on.address {
                let is = there.get("IPAddress").and_then(Value::as_str).unwrap_or_default();
                self.texts(&format!("networks.{key}.ipv4_address"), is, address);
            }
        }
        for name in runs.into_keys() {
            let key = name.strip_prefix(&format!("{}_", self.project())).unwrap_or(name).to_owned();
            let runs = Some(Shown::Plain("joined".into()));
            self.found.push(Difference { path: format!("networks.{key}").into(), runs, wanted: None });
        }
    }

    fn ports(&mut self) {
        let runs = published(self.made.container);
        let mut want: BTreeSet<String> = BTreeSet::new();
        let mut any: BTreeSet<String> = BTreeSet::new();
        for route in self.desired.routes.values() {
            if let Route::Tcp(tcp) = route
                && tcp.service.as_ref() == self.key
            {
                match tcp.published {
                    0 => drop(any.insert(format!("{}/tcp", tcp.port))),
                    port => drop(want.insert(port_words(&tcp.host, port, tcp.port, "tcp"))),
                }
            }
        }
        for one in &self.service.engine_ports {
            want.insert(port_words(&one.host, one.published, one.target, &one.protocol));
        }
        let fits = |one: &&String| !any.iter().any(|target| one.ends_with(&format!(":{target}")));
        let is: Vec<&str> = runs.difference(&want).filter(fits).map(String::as_str).collect();
        let missing: Vec<&str> = want.difference(&runs).map(String::as_str).collect();
        if !is.is_empty() || !missing.is_empty() {
            self.texts("ports", &is.join(" "), &missing.join(" "));
        }
    }
}

fn port_words(host: &str, published: u16, target: u16, protocol: &str) -> String {
    let host = if matches!(host, "" | "0.0.0.0" | "::") { String::new() } else { format!("{host}:") };
    format!("{host}{published}:{target}/{protocol}")
}

/// Ports that the engine publishes, as `8081:80/tcp`.
pub(in crate::engine) fn published(container: &Value) -> BTreeSet<String> {
    let all = container.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
    let mut found = BTreeSet::new();
    for (target, bindings) in all.into_iter().flatten() {
        let (port, protocol) = target.split_once('/').unwrap_or((target, "tcp"));
        for binding in bindings.as_array().into_iter().flatten() {
            let text = |key: &str| binding.get(key).and_then(Value::as_str).unwrap_or_default();
            if let (Ok(published), Ok(target)) = (text("HostPort").parse(), port.parse()) {
                found.insert(port_words(text("HostIp"), published, target, protocol));
            }
        }
    }
    found
}

/// What is mounted, by its place: `volume NAME`, a path of the host, `tmpfs`.
pub(in crate::engine) fn mounts(container: &Value) -> BTreeMap<String, String> {
    let all = container.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let mut found = BTreeMap::new();
    for mount in all {
        let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
        let target = text("Destination").trim_end_matches('/').to_owned();
        let writes = if mount.get("RW").and_then(Value::as_bool) == Some(false) { " (read-only)" } else { "" };
        let is = match text("Type") {
            "volume" => format!("volume {}{writes}", text("Name")),
            "tmpfs" => "tmpfs".to_owned(),
            _ => format!("{}{writes}", text("Source")),
        };
        found.insert(target, is);
    }
    let memory = container.pointer("/HostConfig/Tmpfs").and_then(Value::as_object);
    for (target, _) in memory.into_iter().flatten() {
        found.insert(target.trim_end_matches('/').to_owned(), "tmpfs".to_owned());
    }
    found
}
