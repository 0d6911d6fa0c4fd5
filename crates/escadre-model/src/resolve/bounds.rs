//! What a project may not ask for, whoever asks: labels that are ours, binds by another door, more than a host can carry, names that are one.
//!
//! In: a loaded project. Out: findings.
//! **Invariant:** nothing is changed; the cost is linear, because it is done for every instance.
//! Not here: binds of services (content), clashes between instances (clash), policies of zones.
//! Tests: `tests/it/resolve.rs`, and in the binary's `tests/cases/bad.case`.

use crate::compose::Project;
use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Key, Mapping, Node};

/// Containers of one instance; five thousand are more than any host starts.
const MOST_CONTAINERS: u64 = 5_000;

/// Networks of one instance; the pool of a host holds about as many.
const MOST_NETWORKS: usize = 1_000;

/// Who may bind which paths of the host.
pub(super) struct Grants<'a> {
    /// Whether a path of the host is granted; nothing in a fleet of one, where everything is.
    pub(super) granted: Option<&'a dyn Fn(&str) -> bool>,
    /// The file that would grant one.
    pub(super) file: &'a str,
}

/// Everything that goes too far.
pub(super) fn check(project: &Project, grants: &Grants<'_>, findings: &mut Vec<Diagnostic>) {
    labels(project, findings);
    volumes(project, grants, findings);
    size(project, findings);
    twins(project, findings);
}

fn mapping<'n>(node: &'n Node, path: &str) -> impl Iterator<Item = (&'n Key, &'n Node)> + use<'n> {
    node.at(path).and_then(Node::as_mapping).into_iter().flat_map(Mapping::iter)
}

/// Our labels say what is ours; a file that writes them could make us take, or remove, what is not.
fn labels(project: &Project, findings: &mut Vec<Diagnostic>) {
    let mut owners: Vec<(String, &Node)> = Vec::new();
    for section in ["services", "networks", "volumes"] {
        owners.extend(project.entries(section).map(|(key, node)| (format!("{section}.{}.labels", key.text), node)));
    }
    let nested = project.services().filter_map(|service| Some((service.name, service.node("build")?)));
    owners.extend(nested.map(|(name, build)| (format!("services.{name}.build.labels"), build)));
    for (path, owner) in owners {
        for (key, _) in mapping(owner, "labels") {
            if key.text.starts_with("dev.escadre.") || key.text.starts_with("dev.escadre/") {
                let message = format!("the label {} is Escadre's own: it says what belongs to it", key.text);
                let finding =
                    Diagnostic::error(Code::E0527, message).at(&key.span).path(format!("{path}.{}", key.text));
                findings.push(finding.hint("take another name"));
            }
        }
    }
}

/// A volume can be a bind in disguise: `driver_opts: { o: bind, device: / }`.
fn volumes(project: &Project, grants: &Grants<'_>, findings: &mut Vec<Diagnostic>) {
    let Some(granted) = grants.granted else { return };
    for (key, node) in project.entries("volumes") {
        let text = |path: &str| node.at(path).and_then(Node::as_str);
        let Some(device) = text("driver_opts.device").filter(|device| device.starts_with('/')) else { continue };
        // `//server/share` is a place in a network.
        let of_network =
            device.starts_with("//") || text("driver_opts.type").is_some_and(|kind| kind.starts_with("nfs"));
        if of_network || granted(device) {
            continue;
        }
        let message = format!("the volume {} is {device} of the host, which product.yaml does not grant", key.text);
        let place = node.at("driver_opts.device").map_or(&node.span, |device| &device.span);
        let finding =
            Diagnostic::error(Code::E0521, message).at(place).path(format!("volumes.{}.driver_opts", key.text));
        findings.push(finding.hint(format!("grants: {{ binds: [{device}] }} in {}", grants.file)));
    }
}

fn size(project: &Project, findings: &mut Vec<Diagnostic>) {
    let mut sum = 0u64;
    for service in project.services() {
        sum += u64::from(service.scale());
        if sum > MOST_CONTAINERS {
            let message = format!("one instance would have more than {MOST_CONTAINERS} containers");
            let place = service.node("scale").or_else(|| service.node("deploy.replicas"));
            let place = place.map_or(service.span, |node| &node.span);
            findings.push(Diagnostic::error(Code::E0525, message).at(place).hint("divide it into several instances"));
            break;
        }
    }
    if let Some((key, _)) = project.entries("networks").nth(MOST_NETWORKS) {
        let message = format!("one instance would have more than {MOST_NETWORKS} networks");
        findings.push(Diagnostic::error(Code::E0525, message).at(&key.span));
    }
}

/// Names of services are host names, where capitals are nothing.
fn twins(project: &Project, findings: &mut Vec<Diagnostic>) {
    for (first, key) in project.same_host_names() {
        let message = format!("the services {} and {} are one host name", first.text, key.text);
        let finding =
            Diagnostic::error(Code::E0526, message).label(&key.span, "this one").label(&first.span, "that one");
        findings.push(finding.hint("capitals make no difference in host names: call one of them something else"));
    }
}
