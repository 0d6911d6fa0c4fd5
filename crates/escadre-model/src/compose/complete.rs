//! What a file leaves out: defaults of entries, and rules that hold within one entry.
//!
//! In: the merged model of all files of one project or include, in long syntax. Out: the same with defaults; findings.
//! **Invariant**: only what is absent is added.
//! Not here: what depends on other entries (normalise, consistency).
//! Source: Compose Specification.
//! Tests: tests/cases/compose.

use super::paths::each;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::text::{Key, Mapping, Node, Resolved, Scalar};

/// Adds defaults and checks single entries.
pub(crate) fn complete(root: &mut Node, findings: &mut Vec<Diagnostic>) {
    for section in ["services", "jobs"] {
        each(root, section, |entry| container(entry, findings));
    }
    check_files(root, "configs", &["file", "environment", "content"], findings);
    check_files(root, "secrets", &["file", "environment"], findings);
    check_volumes(root, findings);
}

fn default(mapping: &mut Mapping, key: &str, value: Node) {
    if !mapping.contains(key) {
        mapping.insert(Key::implied(key, &value.span), value);
    }
}

fn list(entry: &mut Mapping, key: &str, mut change: impl FnMut(&mut Mapping)) {
    if entry.get(key).and_then(Node::as_sequence).is_some_and(|items| !items.is_empty())
        && let Some(items) = entry.get_mut(key).and_then(Node::sequence_mut)
    {
        items.iter_mut().filter_map(Node::mapping_mut).for_each(&mut change);
    }
}

fn container(entry: &mut Mapping, findings: &mut Vec<Diagnostic>) {
    if let Some(build) = entry.get_mut("build") {
        let span = build.span.clone();
        if let Some(build) = build.mapping_mut() {
            default(build, "context", Node::text(".", &span));
        }
    }
    list(entry, "secrets", |secret| {
        if let Some(source) = secret.get("source").cloned() {
            let target = format!("/run/secrets/{}", source.as_str().unwrap_or_default());
            default(secret, "target", Node::text(target, &source.span));
        }
    });
    for port in entry.get("ports").and_then(Node::as_sequence).unwrap_or_default() {
        if port.as_mapping().is_some() && port.get("target").is_none() {
            findings
                .push(Diagnostic::error(Code::E0404, "a port needs `target:`, the container's port").at(&port.span));
        }
    }
    list(entry, "ports", |port| {
        check_address(port, findings);
        let Some(span) = port.iter().next().map(|(key, _)| key.span.clone()) else { return };
        default(port, "protocol", Node::text("tcp", &span));
        default(port, "mode", Node::text("ingress", &span));
    });
    list(entry, "volumes", |volume| {
        if volume.get("bind").is_some_and(|bind| bind.as_mapping().is_some() && bind.get("create_host_path").is_none())
            && let Some(bind) = volume.get_mut("bind")
        {
            let span = bind.span.clone();
            if let Some(bind) = bind.mapping_mut() {
                default(bind, "create_host_path", Node::plain("true", &span));
            }
        }
    });
    for device in entry.get("devices").and_then(Node::as_sequence).unwrap_or_default() {
        if device.as_mapping().is_some() && device.get("target").is_none() {
            findings.push(Diagnostic::error(Code::E0404, "a device needs `target:`").at(&device.span));
        }
    }
    requests(entry, "gpus", findings);
    let devices = entry.get("deploy").and_then(|deploy| deploy.at("resources.reservations.devices")).is_some();
    if devices
        && let Some(reservations) = ["resources", "reservations"]
            .iter()
            .try_fold(entry.get_mut("deploy").and_then(Node::mapping_mut), |mapping, key| {
                Some(mapping?.get_mut(key).and_then(Node::mapping_mut))
            })
            .flatten()
    {
        requests(reservations, "devices", findings);
    }
}

fn requests(entry: &mut Mapping, key: &str, findings: &mut Vec<Diagnostic>) {
    if entry.get(key).and_then(Node::as_sequence).is_none_or(<[Node]>::is_empty) {
        return;
    }
    for request in entry.get_mut(key).and_then(Node::sequence_mut).into_iter().flatten() {
        let span = request.span.clone();
        if let Some(request) = request.mapping_mut() {
            device_request(request, &span, findings);
        }
    }
}

fn device_request(request: &mut Mapping, span: &Span, findings: &mut Vec<Diagnostic>) {
    match (request.get("count"), request.get("device_ids")) {
        (Some(count), Some(ids)) => {
            let message = "a device request has either `count` or `device_ids`";
            findings.push(Diagnostic::error(Code::E0414, message).label(&count.span, "").label(&ids.span, ""));
        }
        (None, None) => default(request, "count", Node::text("all", span)),
        _ => {}
    }
}

fn check_address(port: &Mapping, findings: &mut Vec<Diagnostic>) {
    if let Some(host) = port.get("host_ip")
        && let Some(text) = host.as_str()
        && text.parse::<std::net::IpAddr>().is_err()
    {
        findings.push(Diagnostic::error(Code::E0412, host.veil(&format!("`{text}` is no address"))).at(&host.span));
    }
}

fn entries<'n>(root: &'n Node, section: &str) -> impl Iterator<Item = (&'n Key, &'n Node)> + use<'n> {
    root.get(section).and_then(Node::as_mapping).into_iter().flat_map(Mapping::iter)
}

/// Whether an entry says that it exists already.
pub(crate) fn is_external(entry: &Node) -> bool {
    entry.get("external").is_some_and(|external| match external.as_scalar().map(Scalar::resolve) {
        Some(Resolved::Bool(value)) => value,
        _ => external
            .as_str()
            .is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "y")),
    })
}

fn check_files(root: &Node, section: &str, keys: &[&str], findings: &mut Vec<Diagnostic>) {
    for (key, entry) in entries(root, section) {
        let path = format!("{section}.{}", key.text);
        let given: Vec<&Node> = keys.iter().filter_map(|key| entry.get(key)).collect();
        if let [one, other, ..] = given.as_slice() {
            let message = format!("`{path}` has more than one of {}", keys.join(", "));
            findings
                .push(Diagnostic::error(Code::E0414, message).label(&one.span, "").label(&other.span, "").path(path));
        } else if given.is_empty() && entry.get("driver").is_none() && entry.get("external").is_none() {
            let message = format!("`{path}` needs one of {}", keys.join(", "));
            findings.push(Diagnostic::error(Code::E0404, message).at(&key.span).path(path));
        }
    }
}

fn check_volumes(root: &Node, findings: &mut Vec<Diagnostic>) {
    for (key, entry) in entries(root, "volumes") {
        let Some(mapping) = entry.as_mapping().filter(|_| is_external(entry)) else { continue };
        for (name, _) in mapping.iter() {
            if !matches!(&*name.text, "name" | "external") && !name.text.starts_with("x-") {
                let path = format!("volumes.{}", key.text);
                let message = format!("`{path}` exists already (`external`), so `{}` has no effect", name.text);
                findings.push(
                    Diagnostic::error(Code::E0414, message).at(&name.span).path(path).hint("remove one of the two"),
                );
            }
        }
    }
}
