//! What no variable of the product says: sizes, profiles, overrides.
//!
//! In: how the product's file comes out for each copy. Out: [`Member`]s.
//! **Invariant:** no secret is in an override; what can be written nowhere is in `left`.
//! Not here: variables (`wishes`).
//! Tests: `propose/tests.rs`.

use super::super::product::Size;
use super::loading::{Loaded, Ways};
use super::wishes::is_size;
use super::{Copy, Member, Together};
use crate::compose::units;
use crate::secret::looks_secret;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Attributes that an override replaces whole.
const PLAIN: &[&str] = &[
    "image",
    "restart",
    "user",
    "working_dir",
    "hostname",
    "container_name",
    "command",
    "entrypoint",
    "stop_signal",
    "privileged",
    "read_only",
    "tty",
    "stdin_open",
];

/// A shorter secret cannot be told from an ordinary word.
const TELLING: usize = 6;

/// Names of sizes above and below the usual one, nearest first.
const ABOVE: [&str; 3] = ["large", "xlarge", "xxlarge"];
const BELOW: [&str; 3] = ["small", "xsmall", "xxsmall"];

pub(super) fn members(ways: &[Ways], copies: &[Copy], loaded: &[Loaded], together: &mut Together) -> Vec<Member> {
    let asked: Vec<Size> = ways.iter().zip(loaded).map(|(way, one)| size(way, one)).collect();
    together.sizes = named(&asked, ways);
    let mut members = Vec::new();
    for ((way, copy), (one, asked)) in ways.iter().zip(copies).zip(loaded.iter().zip(&asked)) {
        let mut member = Member {
            size: together.sizes.iter().find(|(_, size)| *size == asked).map(|(name, _)| name.clone()),
            profiles: profiles(copy, together),
            ..Member::default()
        };
        let secrets: BTreeSet<&str> = together.proposal.lifted.iter().map(|one| one.name.as_str()).collect();
        for (name, value) in &way.variables {
            let default = together.proposal.parameters.get(name).and_then(|one| one.default.as_ref());
            if secrets.contains(name.as_str()) {
                member.secrets.insert(name.clone(), value.clone());
            } else if together.proposal.parameters.contains_key(name) && default != Some(value) {
                member.values.insert(name.clone(), value.clone());
            }
        }
        let mut over = Map::new();
        for (path, (says, _)) in way.differs.iter().filter(|(path, _)| !is_size(path) || member.size.is_none()) {
            let runs = one.values.get(path);
            // Whatever it stands in, a secret is in no override.
            let known =
                |text: &&String| member.secrets.values().any(|secret| secret.len() >= TELLING && text.contains(secret));
            if runs.as_ref().is_some_and(known) || !written(path, runs, &mut over) {
                member.left.insert(path.clone(), (runs.cloned(), says.clone()));
            }
        }
        member.over = (!over.is_empty()).then(|| json!({ "services": over }));
        members.push(member);
    }
    members
}

/// Processors and memory that a copy has otherwise.
fn size(way: &Ways, one: &Loaded) -> Size {
    let mut size = Size::new();
    for path in way.differs.keys().filter(|path| is_size(path)) {
        let mut parts = path.splitn(3, '.').skip(1);
        let (Some(service), Some(key), Some(value)) = (parts.next(), parts.next(), one.values.get(path)) else {
            continue;
        };
        let entry = size.entry(service.to_owned()).or_default();
        if key.contains("mem") {
            // Engines tell bytes, files say `256m`.
            if same_bytes(value, way.says.get(path)) {
                continue;
            }
            entry.1 = Some(spelled(value));
        } else {
            entry.0 = Some(value.clone());
        }
    }
    size.retain(|_, (cpus, memory)| cpus.is_some() || memory.is_some());
    size
}

/// Bytes in the largest unit that leaves nothing over.
fn spelled(text: &str) -> String {
    let Ok(bytes) = units::bytes(text) else { return text.to_owned() };
    let all = [("G", 1_i64 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    let unit = all.iter().find(|(_, size)| bytes > 0 && bytes % size == 0);
    unit.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes / size))
}

fn same_bytes(a: &str, b: Option<&String>) -> bool {
    let bytes = |text: &str| units::bytes(text).ok();
    b.is_some_and(|b| bytes(a).is_some() && bytes(a) == bytes(b))
}

/// Sizes by name: those with more memory than the file says are large.
fn named(asked: &[Size], ways: &[Ways]) -> BTreeMap<String, Size> {
    let mut all: Vec<&Size> = asked.iter().filter(|size| !size.is_empty()).collect();
    all.sort_by_key(|size| memory(size));
    all.dedup();
    let usual = |size: &Size| -> i64 {
        let says = |service: &String| {
            let keys = ["mem_limit", "deploy.resources.limits.memory"];
            keys.iter().find_map(|key| ways.first()?.says.get(&format!("services.{service}.{key}")))
        };
        size.keys().filter_map(says).filter_map(|text| units::bytes(text).ok()).sum()
    };
    let (above, below): (Vec<&Size>, Vec<&Size>) = all.into_iter().partition(|size| memory(size) >= usual(size));
    let above = above.into_iter().zip(ABOVE);
    let below = below.into_iter().rev().zip(BELOW);
    above.chain(below).map(|(size, name)| (name.to_owned(), size.clone())).collect()
}

fn memory(size: &Size) -> i64 {
    size.values().filter_map(|(_, memory)| units::bytes(memory.as_ref()?).ok()).sum()
}

/// Profiles that have to be switched on for what runs.
fn profiles(copy: &Copy, together: &Together) -> Vec<String> {
    let mut on: BTreeSet<String> = BTreeSet::new();
    for service in together.proposal.project.iter().flat_map(|project| project.services()) {
        let of: Vec<&str> = service.strs("profiles").collect();
        let has = of.iter().any(|one| on.contains(*one));
        if let (Some(first), false, true) = (of.first(), has, copy.services.contains(&**service.name)) {
            on.insert((*first).to_owned());
        }
    }
    on.into_iter().collect()
}

/// Writes a difference into the override; false where an override cannot say it.
fn written(path: &str, runs: Option<&String>, over: &mut Map<String, Value>) -> bool {
    let parts: Vec<&str> = path.splitn(4, '.').collect();
    let value = |text: &String| {
        // Lists are told as JSON.
        serde_json::from_str::<Value>(text).ok().filter(Value::is_array).unwrap_or_else(|| json!(text))
    };
    let value = runs.map_or_else(|| json!({ "!reset": null }), value);
    let place = |over: &mut Map<String, Value>, keys: &[&str], value: Value| {
        let mut map = over;
        let (last, before) = (keys.last().copied().unwrap_or_default(), keys.len().saturating_sub(1));
        for key in keys.iter().take(before) {
            let inner = map.entry((*key).to_owned()).or_insert_with(|| json!({}));
            let Some(inner) = inner.as_object_mut() else { return };
            map = inner;
        }
        map.insert(last.to_owned(), value);
    };
    match parts.as_slice() {
        ["services", service, key @ ("environment" | "labels"), name] => {
            let secret = *key == "environment" && looks_secret(name, runs.map_or("", String::as_str));
            if secret {
                return false;
            }
            place(over, &[service, key, name], value);
            true
        }
        ["services", service, key] if PLAIN.contains(key) => {
            place(over, &[service, key], value);
            true
        }
        _ => false,
    }
}
