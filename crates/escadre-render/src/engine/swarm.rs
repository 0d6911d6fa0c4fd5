//! Stacks of a Docker Swarm, as Compose files.
//!
//! In: the lists that a manager answers (services, networks, configs, secrets). Out: for each stack a Compose model, files of its configs, and what becomes
//! otherwise, in words.
//! **Invariant:** total: any JSON gives stacks or none; the value of a secret is never asked for; what is left out is told.
//! Not here: the calls (`escadre-drivers`), which stacks are one product (`escadre_model::propose`).
//! Tests: `swarm/tests.rs`, with answers recorded from a real Swarm.

mod service;

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const STACK: &str = "com.docker.stack.namespace";

/// What a manager lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// `/services`.
    pub services: Value,
    /// `/networks`.
    pub networks: Value,
    /// `/configs`.
    pub configs: Value,
    /// `/nodes`.
    pub nodes: Value,
}

/// A stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// The same as a Compose model.
    pub compose: Value,
    /// Files of its configs: name → bytes, base64 as the Swarm tells them.
    pub configs: BTreeMap<String, String>,
    /// Secrets, by the names they have in the Compose model.
    pub secrets: BTreeSet<String>,
    /// Volumes: key → the engine's name.
    pub volumes: BTreeMap<String, String>,
    /// The image of each service.
    pub images: BTreeMap<String, String>,
    /// What will be otherwise: a sentence each.
    pub otherwise: Vec<String>,
}

/// What one stack is made of while its services are read.
struct Work<'l> {
    name: &'l str,
    /// Network id → (name, the whole).
    networks: BTreeMap<&'l str, &'l Value>,
    /// Config id → base64.
    data: BTreeMap<&'l str, &'l str>,
    stack: Stack,
    used: BTreeMap<String, Value>,
}

/// All stacks; services that belong to none are stacks of their own.
pub fn stacks(lists: &Lists) -> Vec<Stack> {
    let mut all: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for service in list(&lists.services) {
        let name = text(service, "/Spec/Name");
        let stack = label(service.get("Spec"), STACK).unwrap_or(name);
        if !stack.is_empty() {
            all.entry(stack.to_owned()).or_default().push(service);
        }
    }
    all.iter().map(|(name, services)| one(name, services, lists)).collect()
}

fn one(name: &str, services: &[&Value], lists: &Lists) -> Stack {
    let networks = list(&lists.networks).map(|one| (text(one, "/Id"), one)).collect();
    let data = list(&lists.configs).map(|one| (text(one, "/ID"), text(one, "/Spec/Data"))).collect();
    let stack = Stack { name: name.to_owned(), ..Stack::default() };
    let mut work = Work { name, networks, data, stack, used: BTreeMap::new() };
    let mut sorted = services.to_vec();
    sorted.sort_by_key(|service| text(service, "/Spec/Name"));
    let mut written = Map::new();
    for service in sorted {
        let key = work.own(text(service, "/Spec/Name"));
        let model = work.service(&key, service.get("Spec").unwrap_or(&Value::Null));
        written.insert(key, model);
    }
    let networks = work.all_networks();
    let Work { mut stack, .. } = work;
    let mut compose = Map::new();
    compose.insert("services".to_owned(), Value::Object(written));
    let mut put = |key: &str, map: Map<String, Value>| {
        if !map.is_empty() {
            compose.insert(key.to_owned(), Value::Object(map));
        }
    };
    put("networks", networks);
    put("volumes", stack.volumes.keys().map(|key| (key.clone(), json!({}))).collect());
    let file = |folder: &str, key: &String| (key.clone(), json!({ "file": format!("./{folder}/{key}") }));
    put("configs", stack.configs.keys().map(|key| file("configs", key)).collect());
    put("secrets", stack.secrets.iter().map(|key| file("secrets", key)).collect());
    stack.compose = Value::Object(compose);
    let nodes = list(&lists.nodes).count();
    if nodes > 1 {
        stack
            .otherwise
            .push(format!("the Swarm has {nodes} nodes: volumes and files of the other ones do not come along"));
    }
    stack
}

impl Work<'_> {
    /// A name without the stack's before it.
    fn own(&self, name: &str) -> String {
        name.strip_prefix(self.name)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|rest| !rest.is_empty())
            .unwrap_or(name)
            .to_owned()
    }

    fn tell(&mut self, text: String) {
        if !self.stack.otherwise.contains(&text) {
            self.stack.otherwise.push(text);
        }
    }

    fn all_networks(&mut self) -> Map<String, Value> {
        let mut all = Map::new();
        for (key, network) in std::mem::take(&mut self.used) {
            let mut model = Map::new();
            if network.get("Internal") == Some(&Value::Bool(true)) {
                model.insert("internal".to_owned(), json!(true));
            }
            if label(Some(&network), STACK) != Some(self.name) {
                let name = text(&network, "/Name");
                self.tell(format!("network {name} is shared with other stacks; the instance gets one of its own, and whoever it talks to there is not in it"));
            } else if text(&network, "/Driver") == "overlay" {
                self.tell(format!("network {key} is an overlay over all nodes; it becomes a network of this host"));
            }
            all.insert(key, Value::Object(model));
        }
        // Compose's own.
        if all.len() == 1 && all.get("default") == Some(&json!({})) {
            all.clear();
        }
        all
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn label<'v>(value: Option<&'v Value>, name: &str) -> Option<&'v str> {
    value?.get("Labels")?.get(name)?.as_str()
}

#[cfg(test)]
mod tests;
