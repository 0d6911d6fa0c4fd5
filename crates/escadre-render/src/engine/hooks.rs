//! Hooks: commands that run in a container when it has started, and before it is stopped.
//!
//! In: `post_start` and `pre_stop` of a service. Out: the payload's words; the same read back from a container, whoever is stopped by then.
//! **Invariant:** a container's hooks are those it was made with: an old one is stopped by its own, not by its successor's. No secret is among them.
//! Not here: running them (`escadre-drivers`).
//! Tests: `render/tests.rs`, `create/tests.rs`.

use super::render::Render;
use super::{labels, value};
use escadre_model::compose::Service as Written;
use escadre_model::payload::Words;
use escadre_model::text::Node;
use serde_json::{Map, Value, json};

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The container has started.
    PostStart,
    /// The container is about to be told to stop.
    PreStop,
}

impl When {
    /// Its word in Compose files.
    pub fn word(self) -> &'static str {
        match self {
            When::PostStart => "post_start",
            When::PreStop => "pre_stop",
        }
    }
}

/// A command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables beside the container's own, `KEY=value`.
    pub environment: Vec<String>,
    /// As this user; `None`: the container's.
    pub user: Option<String>,
    /// In this folder; `None`: the container's.
    pub folder: Option<String>,
    /// With all rights.
    pub privileged: bool,
}

/// Spells a service's hooks; `Null` where it has none.
pub(super) fn spell(render: &mut Render<'_>, written: Written<'_>) -> Value {
    let mut all = Map::new();
    for when in [When::PostStart, When::PreStop] {
        let spelled: Vec<Value> = written.list(when.word()).iter().map(hook).collect();
        let words = Value::Array(spelled);
        if let (Some(node), Some(secret)) = (written.node(when.word()), Words::new(&words).secrets().first()) {
            let path = format!("services.{}.{}", written.name, when.word());
            let message = format!(
                "the value of secret \"{}\" would stand in the container's labels: give it to the service as a variable or a file, where its hooks find it",
                secret.0
            );
            render.refuse(node, &path, message);
        } else if words.as_array().is_some_and(|hooks| !hooks.is_empty()) {
            all.insert(when.word().to_owned(), words);
        }
    }
    if all.is_empty() { Value::Null } else { Value::Object(all) }
}

fn hook(node: &Node) -> Value {
    let present = |key: &str| node.get(key).filter(|node| !node.is_null());
    let mut spelled =
        Map::from_iter([("command".to_owned(), present("command").map_or_else(|| json!([]), value::list))]);
    for key in ["user", "working_dir"] {
        if let Some(text) = present(key).map(value::text) {
            spelled.insert(key.to_owned(), text);
        }
    }
    if present("privileged").and_then(value::flag) == Some(true) {
        spelled.insert("privileged".to_owned(), json!(true));
    }
    let variables = present("environment").and_then(Node::as_mapping).into_iter().flat_map(|map| map.iter());
    let variables: Vec<Value> =
        variables.filter(|(_, node)| !node.is_null()).map(|(key, node)| value::pair(&key.text, node)).collect();
    if !variables.is_empty() {
        spelled.insert("environment".to_owned(), Value::Array(variables));
    }
    Value::Object(spelled)
}

/// A container's hooks, from its inspection, in their order.
pub fn read(entry: &Value, when: When) -> Vec<Hook> {
    let label =
        entry.get("Config").and_then(|config| config.get("Labels")).and_then(|all| all.get(labels::LABEL_HOOKS));
    let all: Value = label.and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |hook: &Value, key: &str| {
        hook.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(text).collect::<Vec<_>>()
    };
    let one = |hook: &Value| Hook {
        command: list(hook, "command"),
        environment: list(hook, "environment"),
        user: hook.get("user").and_then(text),
        folder: hook.get("working_dir").and_then(text),
        privileged: hook.get("privileged").and_then(Value::as_bool).unwrap_or(false),
    };
    let hooks = all.get(when.word()).and_then(Value::as_array).into_iter().flatten();
    hooks.map(one).filter(|hook| !hook.command.is_empty()).collect()
}
