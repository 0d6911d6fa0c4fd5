//! What runs otherwise than a Compose file says, by the paths of that file's values.
//!
//! In: an engine's inspection of a container and its image, the values of its service. Out: path → what runs.
//! **Invariant:** only what an inspection tells and what Compose would have set; what an engine or an image adds by itself is no difference.
//! Not here: what a fleet's instance wants (`differences`), what follows (`escadre_model::propose`).
//! Tests: `running/tests.rs`; `escadre/tests/it/import.rs`.

use super::differences::{Made, familiar, host, places};
use escadre_model::compose::units;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Variables that an engine sets by itself.
const ENGINES: &[&str] = &["PATH", "HOSTNAME", "HOME", "TERM", "container"];

/// The image a container was made from, as people write it.
pub fn image(container: &Value) -> Option<String> {
    let name = container.pointer("/Config/Image")?.as_str()?;
    (!name.is_empty()).then(|| familiar(name))
}

/// Compares one service; `says` are the values of its files by path.
pub fn otherwise(service: &str, says: &BTreeMap<String, String>, made: Made<'_>) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    let at = |key: &str| format!("services.{service}.{key}");
    let mut put = |path: String, runs: Option<String>| {
        if says.get(&path) != runs.as_ref() {
            found.insert(path, runs);
        }
    };
    if let (Some(says), Some(runs)) = (says.get(&at("image")), image(made.container))
        && familiar(says) != runs
        && !runs.starts_with("sha256:")
    {
        // A registry that is written and that `familiar` leaves out stays written.
        let host = ["docker.io/", "localhost/"].into_iter().find(|host| says.starts_with(host)).unwrap_or_default();
        put(at("image"), Some(format!("{host}{runs}")));
    }
    let config = |from: Option<&Value>, key: &str| pairs(from.and_then(|from| from.pointer(&format!("/Config/{key}"))));
    let (runs, given) = (config(Some(made.container), "Env"), config(made.image, "Env"));
    for (name, value) in &runs {
        let path = at(&format!("environment.{name}"));
        let adds = given.get(name) == Some(value) || ENGINES.contains(&name.as_str());
        if says.contains_key(&path) || !adds {
            put(path, Some(value.clone()));
        }
    }
    let prefix = at("environment.");
    for path in says.keys() {
        if let Some(name) = path.strip_prefix(&prefix)
            && !runs.contains_key(name)
        {
            put(path.clone(), None);
        }
    }
    labels(service, says, made, &mut put);
    limits(service, says, made.container, &mut put);
    ways(service, says, made.container, &mut put);
    found
}

type Put<'p> = dyn FnMut(String, Option<String>) + 'p;

fn labels(service: &str, says: &BTreeMap<String, String>, made: Made<'_>, put: &mut Put<'_>) {
    let of = |from: Option<&Value>| -> Map<String, Value> {
        from.and_then(|from| from.pointer("/Config/Labels")).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let runs = of(Some(made.container));
    let prefix = format!("services.{service}.labels.");
    for path in says.keys() {
        let Some(name) = path.strip_prefix(&prefix) else { continue };
        put(path.clone(), runs.get(name).and_then(Value::as_str).map(str::to_owned));
    }
}

/// Memory, processors, restarts.
fn limits(service: &str, says: &BTreeMap<String, String>, container: &Value, put: &mut Put<'_>) {
    let empty = Map::new();
    let runs = container.get("HostConfig").and_then(Value::as_object).unwrap_or(&empty);
    let either = |own: &str, deployed: &str| {
        let deployed = format!("services.{service}.deploy.resources.limits.{deployed}");
        if says.contains_key(&deployed) { deployed } else { format!("services.{service}.{own}") }
    };
    let bytes = runs.get("Memory").and_then(Value::as_i64).unwrap_or(0);
    let path = either("mem_limit", "memory");
    let written = says.get(&path).and_then(|text| units::bytes(text).ok()).unwrap_or(0);
    if written != bytes {
        put(path, (bytes > 0).then(|| host::spelled_bytes(bytes)));
    }
    let nano = host::nano_cpus(runs);
    let path = either("cpus", "cpus");
    let written = says.get(&path).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    if (written - nano as f64 / 1e9).abs() > 0.0005 {
        put(path, (nano > 0).then(|| host::spelled_cpus(nano)));
    }
    let path = format!("services.{service}.restart");
    let is = host::restart(runs);
    let deployed = says.keys().any(|path| path.starts_with(&format!("services.{service}.deploy.restart_policy")));
    if !deployed && says.get(&path).map_or("no", String::as_str) != is {
        put(path, Some(is));
    }
}

/// Published ports and folders of the host.
fn ways(service: &str, says: &BTreeMap<String, String>, container: &Value, put: &mut Put<'_>) {
    let prefix = format!("services.{service}.ports.");
    for port in places::published(container) {
        // `127.0.0.1:8081:80/tcp`
        let Some((before, target)) = port.rsplit_once(':') else { continue };
        let published = before.rsplit(':').next().unwrap_or(before);
        let path = format!("{prefix}{target}");
        if says.get(&path).is_some_and(|says| !says.is_empty() && !says.contains('-')) {
            put(path, Some(published.to_owned()));
        }
    }
    let mounts = places::mounts(container);
    let prefix = format!("services.{service}.volumes.");
    for (path, source) in says {
        let Some(target) = path.strip_prefix(&prefix).filter(|_| source.starts_with('/')) else { continue };
        if let Some(runs) = mounts.get(target.trim_end_matches('/')).map(|runs| runs.trim_end_matches(" (read-only)"))
            && runs.starts_with('/')
        {
            put(path.clone(), Some(runs.to_owned()));
        }
    }
}

fn pairs(value: Option<&Value>) -> BTreeMap<String, String> {
    let all = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    all.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[cfg(test)]
mod tests;
