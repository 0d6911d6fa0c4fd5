//! `build:` in the words that our driver reads: from what an image is built, and with what.
//!
//! In: `build` of a service. Out: part of the payload of its image.
//! **Invariant:** what the engine's builder cannot do is refused with what to do instead; a secret stays a hole.
//! Not here: the hash of what is built from (`escadre_model::resolve`), building (`escadre-drivers`).
//! Tests: `render/tests.rs`.

use super::render::Render;
use super::{Dialect, value};
use escadre_model::compose::{self, Service as Written};
use escadre_model::image;
use escadre_model::payload;
use escadre_model::resolve::ROOT;
use escadre_model::text::{Node, Text};
use serde_json::{Map, Value, json};

/// Lists of texts.
const LISTS: &[&str] = &["tags", "extra_hosts"];

/// Spells it.
pub(super) fn spell(render: &mut Render<'_>, written: Written<'_>, node: &Node) -> Value {
    let mut build = Map::new();
    let present = |key: &str| node.get(key).filter(|node| !node.is_null());
    for key in ["dockerfile", "dockerfile_inline", "target", "network"] {
        if let Some(found) = present(key) {
            build.insert(key.to_owned(), value::text(found));
        }
    }
    if let Some(context) = present("context") {
        build.insert("context".to_owned(), folder(context));
    }
    for key in ["args", "labels"] {
        if let Some(found) = present(key) {
            build.insert(key.to_owned(), value::map(found));
        }
    }
    for key in LISTS {
        if let Some(found) = present(key).filter(|node| node.as_sequence().is_some_and(|items| !items.is_empty())) {
            build.insert((*key).to_owned(), value::list(found));
        }
    }
    for key in ["no_cache", "pull"] {
        if let Some(flag) = present(key).and_then(value::flag) {
            build.insert(key.to_owned(), json!(flag));
        }
    }
    if let Some(size) = present("shm_size").and_then(compose::bytes) {
        build.insert("shm_size".to_owned(), json!(size));
    }
    let limits: Vec<Value> = present("ulimits")
        .and_then(Node::as_mapping)
        .into_iter()
        .flat_map(|map| map.iter())
        .filter_map(|(key, node)| {
            let (soft, hard) = match value::integer(node) {
                Some(both) => (both, both),
                None => (node.get("soft").and_then(value::integer)?, node.get("hard").and_then(value::integer)?),
            };
            Some(json!({"name": &*key.text, "soft": soft, "hard": hard}))
        })
        .collect();
    if !limits.is_empty() {
        build.insert("ulimits".to_owned(), Value::Array(limits));
    }
    if let Some(platform) = platform(render, written, node) {
        build.insert("platform".to_owned(), platform);
    }
    caches(render, written, node, &mut build);
    contexts(render, written, node, &mut build);
    secrets(render, written, node, &mut build);
    Value::Object(build)
}

/// A folder: of a fleet, below where its files are.
fn folder(node: &Node) -> Value {
    let inside = node.as_str().and_then(|path| path.strip_prefix(ROOT)).map(|rest| rest.trim_start_matches('/'));
    inside.map_or_else(|| value::text(node), |inside| json!(if inside.is_empty() { "." } else { inside }))
}

/// One platform is built for.
fn platform(render: &mut Render<'_>, written: Written<'_>, node: &Node) -> Option<Value> {
    let own = written.node("platform").filter(|node| !node.is_null()).map(value::text);
    let all = node.get("platforms").filter(|node| !node.is_null());
    let items = all.and_then(Node::as_sequence).unwrap_or_default();
    if let (Some(all), [first, _, ..]) = (all, items) {
        let path = format!("services.{}.build.platforms", written.name);
        let first = first.as_str().unwrap_or_default();
        render.approximate(all, &path, format!("an image for {first} alone is built here; build in CI for several"));
    }
    own.or_else(|| items.first().map(value::text))
}

/// Repositories in which a builder looks for layers, and where it leaves them; Podman's takes them without a tag.
fn caches(render: &mut Render<'_>, written: Written<'_>, node: &Node, build: &mut Map<String, Value>) {
    let podman = render.facts.dialect == Dialect::Podman;
    for key in ["cache_from", "cache_to"] {
        let path = format!("services.{}.build.{key}", written.name);
        let mut all = Vec::new();
        for item in node.get(key).and_then(Node::as_sequence).unwrap_or_default() {
            let Some(text) = item.as_str() else {
                render.refuse(item, &path, format!("{key}: a secret cannot be part of a repository's name"));
                continue;
            };
            let parts = || text.split(',').filter_map(|part| part.split_once('='));
            let part = |name: &str| parts().find(|(key, _)| *key == name).map(|(_, value)| value);
            let reference = match (part("type"), part("ref")) {
                (None, _) => text,
                (Some("registry"), Some(reference)) => reference,
                (Some(kind), _) => {
                    let message = format!("{key}: a cache of type {kind} is not used: name a repository in a registry");
                    render.approximate(item, &path, message);
                    continue;
                }
            };
            match image::Reference::parse(reference) {
                Ok(named) if podman => all.push(json!(named.repository())),
                Ok(_) => all.push(json!(reference)),
                Err(why) => render.refuse(item, &path, format!("{key}: \"{reference}\" names no repository: {why}")),
            }
        }
        match (podman, key, all.as_slice()) {
            (_, _, []) => continue,
            (false, "cache_to", _) => {
                render.approximate(node, &path, "cache_to has no effect: Docker's own builder leaves no cache");
                continue;
            }
            (true, "cache_to", [_, _, ..]) => {
                render.approximate(node, &path, "cache_to: only the first repository is used");
                all.truncate(1);
            }
            _ => {}
        }
        build.insert(key.to_owned(), Value::Array(all));
    }
}

/// Further contexts: folders of the project, and images.
fn contexts(render: &mut Render<'_>, written: Written<'_>, node: &Node, build: &mut Map<String, Value>) {
    let Some(all) = node.get("additional_contexts").filter(|node| node.as_mapping().is_some_and(|map| !map.is_empty()))
    else {
        return;
    };
    let path = format!("services.{}.build.additional_contexts", written.name);
    if render.facts.dialect == Dialect::Docker {
        render.refuse(all, &path, "Docker's own builder has one context: copy what is needed into it, or build in CI");
        return;
    }
    let mut spelled = Map::new();
    for (key, node) in all.as_mapping().into_iter().flat_map(|map| map.iter()) {
        let place = node.as_str().unwrap_or_default();
        let words = match (place.strip_prefix("docker-image://"), place.starts_with('/')) {
            (Some(image), _) => json!({"image": image}),
            (None, true) => json!({"folder": folder(node)}),
            (None, false) => {
                let message = format!("the context {place} is neither a folder of the project nor docker-image://NAME");
                render.refuse(node, &path, message);
                continue;
            }
        };
        spelled.insert(key.text.to_string(), words);
    }
    build.insert("contexts".to_owned(), Value::Object(spelled));
}

/// Secrets that are at hand while it is built, and in no layer.
fn secrets(render: &mut Render<'_>, written: Written<'_>, node: &Node, build: &mut Map<String, Value>) {
    let items = node.get("secrets").and_then(Node::as_sequence).unwrap_or_default();
    let Some(first) = items.first() else { return };
    let path = format!("services.{}.build.secrets", written.name);
    if render.facts.dialect == Dialect::Docker {
        render.refuse(first, &path, "Docker's own builder is given no secrets: build in CI and write `image:` alone");
        return;
    }
    if !render.shape.single {
        let message = "an image is one for all instances, and secrets are each instance's own: build in CI and write `image:` alone";
        render.refuse(first, &path, message);
        return;
    }
    let spelled = items.iter().filter_map(|secret| {
        let source = secret.get("source").and_then(Node::as_str)?;
        let id = secret.get("target").and_then(Node::as_str).unwrap_or(source);
        Some(json!({"id": id.rsplit('/').next().unwrap_or(id), "value": payload::text(&Text::secret(source))}))
    });
    build.insert("secrets".to_owned(), Value::Array(spelled.collect()));
}
