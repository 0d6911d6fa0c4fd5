//! What the model as a whole implies: the default network, names, dependencies, variables taken from the environment.
//!
//! In: the complete model of all files. Out: the model with what it implies written down.
//! **Invariant**: doing it twice changes nothing.
//! Not here: defaults of single entries (complete), checks (consistency).
//! Source: Compose Specification; the reference for the order.
//! Tests: tests/cases/compose.

use super::complete::is_external;
use super::interpolate::Lookup;
use super::merge::merge;
use super::paths::{clean, each, is_container_key};
use crate::diagnostic::Diagnostic;
use crate::text::{Key, Mapping, Node, Piece, Scalar, Style, Text, Value};
use std::sync::Arc;

/// Writes down what the model implies.
pub(crate) fn normalise(root: &mut Node, project: &Text, variables: &dyn Lookup, findings: &mut Vec<Diagnostic>) {
    networks(root);
    for section in ["services", "jobs"] {
        each(root, section, |entry| container(entry, variables, findings));
    }
    names(root, project);
}

fn networks(root: &mut Node) {
    let mut used = false;
    for section in ["services", "jobs"] {
        each(root, section, |entry| {
            if entry.contains("provider") || entry.contains("network_mode") {
                return;
            }
            let named = entry.get("networks").and_then(Node::as_mapping);
            if named.is_some_and(|networks| !networks.is_empty()) {
                used |= named.is_some_and(|networks| networks.contains("default"));
                return;
            }
            let Some(span) = entry.iter().next().map(|(key, _)| key.span.clone()) else { return };
            let default = std::iter::once((Key::implied("default", &span), Node::null(&span)));
            entry.insert(Key::implied("networks", &span), Node::mapping(default.collect(), &span));
            used = true;
        });
    }
    if !used {
        return;
    }
    let span = root.span.clone();
    let Some(model) = root.mapping_mut() else { return };
    if !model.contains("networks") {
        model.insert(Key::implied("networks", &span), Node::mapping(Mapping::new(), &span));
    }
    if let Some(networks) = model.get_mut("networks").and_then(Node::mapping_mut)
        && !networks.contains("default")
    {
        networks.insert(Key::implied("default", &span), Node::null(&span));
    }
}

fn container(entry: &mut Mapping, variables: &dyn Lookup, findings: &mut Vec<Diagnostic>) {
    if entry.get("pull_policy").and_then(Node::as_str) == Some("if_not_present")
        && let Some(policy) = entry.get_mut("pull_policy")
    {
        policy.value = Value::Scalar(Scalar::text("missing"));
    }
    if let Some(build) = entry.get_mut("build") {
        let span = build.span.clone();
        if let Some(build) = build.mapping_mut() {
            if !build.contains("dockerfile") && !build.contains("dockerfile_inline") {
                build.insert(Key::implied("dockerfile", &span), Node::text("Dockerfile", &span));
            }
            inherit(build, "args", variables, false);
        }
    }
    inherit(entry, "environment", variables, true);
    dependencies(entry);
    if let Some(volumes) = entry.get("volumes").and_then(Node::as_sequence)
        && volumes
            .iter()
            .any(|volume| volume.get("target").and_then(Node::as_str).is_some_and(|target| clean(target) != target))
        && let Some(volumes) = entry.get_mut("volumes").and_then(Node::sequence_mut)
    {
        for target in volumes.iter_mut().filter_map(|volume| volume.mapping_mut()?.get_mut("target")) {
            if let Some(text) = target.as_str() {
                target.value = Value::Scalar(Scalar::text(clean(text)));
            }
        }
    }
    // `scale` and `deploy.replicas` say the same; where both can be written, both are.
    if let Some(scale) = entry.get("scale").cloned()
        && let Some(deploy) = entry.get_mut("deploy").and_then(Node::mapping_mut)
        && !deploy.contains("replicas")
    {
        deploy.insert(Key::implied("replicas", &scale.span), scale);
    }
    pre_start(entry, variables, findings);
}

/// Keys without a value take it from the environment; what the environment does not have stays without (`keep`) or goes.
fn inherit(owner: &mut Mapping, key: &str, variables: &dyn Lookup, keep: bool) {
    if !owner.get(key).and_then(Node::as_mapping).is_some_and(|pairs| pairs.iter().any(|(_, value)| value.is_null())) {
        return;
    }
    let Some(pairs) = owner.get_mut(key).and_then(Node::mapping_mut) else { return };
    pairs.retain(|key, value| {
        if !value.is_null() {
            return true;
        }
        match variables.value(&key.text) {
            Some(text) => {
                value.value = Value::Scalar(Scalar { text: text.clone(), style: Style::Quoted });
                value.raw = Some(format!("${{{}}}", key.text).into());
                true
            }
            None => keep,
        }
    });
}

/// What a service leans on without saying `depends_on`.
fn dependencies(entry: &mut Mapping) {
    let mut implied: Vec<(String, bool, Node)> = Vec::new();
    let list = |entry: &Mapping, key: &str| {
        entry.get(key).and_then(Node::as_sequence).map(<[Node]>::to_vec).unwrap_or_default()
    };
    for link in list(entry, "links") {
        let Some(text) = link.as_str() else { continue };
        let parts: Vec<&str> = text.split(':').collect();
        let service = if let [service, _] = parts.as_slice() { *service } else { text };
        implied.push((service.to_owned(), true, link.clone()));
    }
    for namespace in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        if let Some(node) = entry.get(namespace)
            && let Some(service) = node.as_str().and_then(|text| text.strip_prefix("service:"))
        {
            implied.push((service.to_owned(), true, node.clone()));
        }
    }
    for source in list(entry, "volumes_from") {
        let Some(text) = source.as_str().filter(|text| !text.starts_with("container:")) else { continue };
        let service = text.split(':').next().unwrap_or_default();
        implied.push((service.to_owned(), false, source.clone()));
    }
    if implied.is_empty() {
        return;
    }
    if entry.get("depends_on").and_then(Node::as_mapping).is_none()
        && let Some((_, _, node)) = implied.first()
    {
        entry.insert(Key::implied("depends_on", &node.span), Node::mapping(Mapping::new(), &node.span));
    }
    let Some(depends_on) = entry.get_mut("depends_on").and_then(Node::mapping_mut) else { return };
    for (service, restart, node) in implied {
        if depends_on.contains(&service) {
            continue;
        }
        let span = &node.span;
        let dependency = [
            (Key::implied("condition", span), Node::text("service_started", span)),
            (Key::implied("restart", span), Node::plain(if restart { "true" } else { "false" }, span)),
            (Key::implied("required", span), Node::plain("true", span)),
        ];
        depends_on.insert(Key::implied(service, span), Node::mapping(dependency.into_iter().collect(), span));
    }
}

/// A `pre_start` hook is a container like the service's, except where it says otherwise; volumes are not inherited.
fn pre_start(entry: &mut Mapping, variables: &dyn Lookup, findings: &mut Vec<Diagnostic>) {
    if entry.get("pre_start").and_then(Node::as_sequence).is_none_or(<[Node]>::is_empty) {
        return;
    }
    let inherited: Mapping = entry
        .iter()
        .filter(|(key, _)| &*key.text != "volumes" && is_container_key(key))
        .map(|(key, node)| (key.clone(), node.clone()))
        .collect();
    let Some(hooks) = entry.get_mut("pre_start").and_then(Node::sequence_mut) else { return };
    for hook in hooks.iter_mut().filter(|hook| hook.as_mapping().is_some()) {
        let base = Node::mapping(inherited.clone(), &hook.span);
        *hook = merge(base, hook.clone(), &["services", "hook"], findings);
        if let Some(hook) = hook.mapping_mut() {
            if let Some(listed) = hook.get("environment").filter(|node| node.as_sequence().is_some()).cloned() {
                let empty = Node::mapping(Mapping::new(), &listed.span);
                let key = Key::implied("environment", &listed.span);
                hook.insert(key, merge(empty, listed, &["services", "hook", "environment"], findings));
            }
            inherit(hook, "environment", variables, true);
        }
    }
}

/// The name of what is not named.
pub(super) fn implied_name(project: &Text, key: &str) -> Text {
    Text::from_pieces(project.pieces().into_iter().chain([Piece::Literal(format!("_{key}").into())]))
}

/// Networks, volumes, configs and secrets are called `<project>_<key>`, unless they are named or exist already.
fn names(root: &mut Node, project: &Text) {
    let Some(model) = root.mapping_mut() else { return };
    for section in ["networks", "volumes", "configs", "secrets"] {
        let Some(entries) = model.get_mut(section).and_then(Node::mapping_mut) else { continue };
        for (key, entry) in entries.iter_mut() {
            if entry.is_null() {
                entry.value = Node::mapping(Mapping::new(), &key.span).value;
            }
            if entry.get("name").is_some_and(|name| !name.is_null()) {
                continue;
            }
            let name =
                if is_external(entry) { Text::from(Arc::clone(&key.text)) } else { implied_name(project, &key.text) };
            if let Some(entry) = entry.mapping_mut() {
                entry.insert(Key::implied("name", &key.span), Node::text(name, &key.span));
            }
        }
    }
}
