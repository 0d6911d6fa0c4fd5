//! What runs before a service starts: each step of `pre_start` becomes a service of its own that ends, and for which the service waits.
//!
//! In: a loaded project. Out: the same with `web-pre-start-1`, `web-pre-start-2`, … before `web`.
//! **Invariant**: a step runs after what its service depends on and after the step before it, with the service's volumes and networks and with none of its
//! addresses; what is added counts as implied, so that nobody gets a verdict on a line that was not written.
//! Not here: what a step inherits from its service (`normalise`), when it runs again (decision on jobs, `escadre-plan`).
//! Source: Compose Specification, `pre_start`.
//! Tests: `tests/cases/compose/steps*.case` (`show: steps`), `crates/escadre/tests/it/hooks.rs`.

use super::Project;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::text::{Key, Mapping, Node};
use std::sync::Arc;

/// What of a network is one container's own: two that live at once cannot both have it.
const ADDRESSES: &[&str] = &["aliases", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address"];

impl Project {
    /// Makes services of all steps. What is wrong with them is found on the way; nothing is changed by a second call.
    pub fn unfold_steps(&mut self, findings: &mut Vec<Diagnostic>) {
        if !self.steps.is_empty() || !self.services().any(|service| !service.list("pre_start").is_empty()) {
            return;
        }
        let Some(services) = self.root.mapping_mut().and_then(|root| root.get_mut("services")) else { return };
        let Some(written) = services.as_mapping() else { return };
        let mut all = Mapping::with_capacity(written.len());
        for (key, node) in written.iter() {
            let mut node = node.clone();
            let mut before: Option<Arc<str>> = None;
            let hooks = node.get("pre_start").and_then(Node::as_sequence).unwrap_or_default().to_vec();
            for (number, hook) in hooks.iter().enumerate() {
                let name: Arc<str> = format!("{}-pre-start-{}", key.text, number + 1).into();
                if let Some(taken) = written.key(&name) {
                    let message = format!("{name} is what this step is called, and another service too");
                    let finding = Diagnostic::error(Code::E0502, message).label(&hook.span, "this step");
                    findings.push(finding.label(&taken.span, "that service").hint("call the service something else"));
                    continue;
                }
                refuse_many(hook, key, number, findings);
                all.insert(Key::implied(Arc::clone(&name), &hook.span), step(hook, &node, before.as_deref()));
                self.steps.insert(Arc::clone(&name), Arc::clone(&key.text));
                before = Some(name);
            }
            if let (Some(last), Some(hook)) = (before, hooks.last())
                && let Some(service) = node.mapping_mut()
            {
                wait_for(service, &last, &hook.span);
            }
            all.insert(key.clone(), node);
        }
        *services = Node::mapping(all, &services.span);
    }
}

/// A step for each replica: nobody runs those, the reference neither.
fn refuse_many(hook: &Node, service: &Key, number: usize, findings: &mut Vec<Diagnostic>) {
    let Some(node) = hook.get("per_replica").filter(|node| node.as_str() == Some("true")) else { return };
    let path = format!("services.{}.pre_start.{number}.per_replica", service.text);
    let message = format!("`{path}`: a step runs once for its service, however many replicas there are");
    let finding = Diagnostic::error(Code::E0430, message).at(&node.span).path(path);
    findings.push(finding.hint("leave it out, or let the container's own start do it"));
}

/// The service that a step is.
fn step(hook: &Node, service: &Node, before: Option<&str>) -> Node {
    let mut node = hook.clone();
    let span = hook.span.clone();
    let Some(step) = node.mapping_mut() else { return node };
    step.remove("per_replica");
    step.remove("mac_address");
    let image = |of: Option<&Node>| of.and_then(Node::as_scalar).map(|scalar| scalar.text.clone());
    // What is built for the service is built for its steps: they run again when it changes.
    if image(step.get("image")) == image(service.get("image"))
        && let Some(build) = service.get("build")
    {
        step.insert(Key::implied("build", &span), build.clone());
    }
    let networks = step.get_mut("networks").and_then(Node::mapping_mut).into_iter().flat_map(Mapping::iter_mut);
    for network in networks.filter_map(|(_, network)| network.mapping_mut()) {
        network.retain(|key, _| !ADDRESSES.contains(&&*key.text));
    }
    let volumes = volumes(step, service);
    if !volumes.is_empty() {
        step.insert(Key::implied("volumes", &span), Node::sequence(volumes, &span));
    }
    if let Some(depends_on) = service.get("depends_on") {
        step.insert(Key::implied("depends_on", &depends_on.span), depends_on.clone());
    }
    if let Some(before) = before {
        wait_for(step, before, &span);
    }
    node
}

/// A step's own volumes and those of its service; memory and volumes without a name belong to one container alone.
fn volumes(step: &Mapping, service: &Node) -> Vec<Node> {
    let list = |node: Option<&Node>| node.and_then(Node::as_sequence).unwrap_or_default().to_vec();
    let mut all = list(step.get("volumes"));
    for mount in list(service.get("volumes")) {
        let target = mount.get("target").and_then(Node::as_str);
        let taken = all.iter().any(|own| own.get("target").and_then(Node::as_str) == target);
        if mount.get("source").is_some() && !taken {
            all.push(mount);
        }
    }
    all
}

/// Adds that it waits until another one has ended well.
fn wait_for(service: &mut Mapping, other: &str, span: &Span) {
    let dependency = [
        (Key::implied("condition", span), Node::text("service_completed_successfully", span)),
        (Key::implied("restart", span), Node::plain("false", span)),
        (Key::implied("required", span), Node::plain("true", span)),
    ];
    let dependency = Node::mapping(dependency.into_iter().collect(), span);
    if service.get("depends_on").and_then(Node::as_mapping).is_none() {
        service.insert(Key::implied("depends_on", span), Node::mapping(Mapping::new(), span));
    }
    if let Some(depends_on) = service.get_mut("depends_on").and_then(Node::mapping_mut) {
        depends_on.insert(Key::implied(other, span), dependency);
    }
}
