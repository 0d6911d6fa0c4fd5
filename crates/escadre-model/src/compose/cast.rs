//! Texts that stand where a number or a boolean is wanted: each file is asked, before another one may replace the value.
//!
//! In: a document after interpolation. Out: findings.
//! **Invariant**: the tree is not changed; what is found here is worded as the typing of the whole would word it.
//! Not here: the typing itself (decode).
//! Source: Compose Specification, chapter Interpolation; which attributes are asked early, by the reference's behaviour.
//! Tests: tests/cases/compose.

use super::decode::Decoder;
use super::schema::{ROOT, Shape, tables as t};
use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Node, Resolved, Value};

/// A path, with `*` for any step.
type Steps = &'static [&'static str];

/// Attributes of anything that declares a container.
const CONTAINER: &[Steps] = &[
    &["cpu_count"],
    &["cpu_percent"],
    &["cpu_period"],
    &["cpu_quota"],
    &["cpu_rt_period"],
    &["cpu_rt_runtime"],
    &["cpus"],
    &["cpu_shares"],
    &["init"],
    &["networks", "*", "use_service_name_alias"],
    &["oom_kill_disable"],
    &["oom_score_adj"],
    &["pids_limit"],
    &["privileged"],
    &["read_only"],
    &["umask"],
    &["ulimits", "*"],
    &["ulimits", "*", "hard"],
    &["ulimits", "*", "soft"],
    &["volumes", "*", "read_only"],
    &["volumes", "*", "volume", "nocopy"],
];

/// Attributes of services and jobs.
const WORKLOAD: &[Steps] = &[
    &["depends_on", "*", "required"],
    &["depends_on", "*", "restart"],
    &["healthcheck", "retries"],
    &["healthcheck", "disable"],
    &["ports", "*", "target"],
    &["stdin_open"],
    &["tty"],
];

/// Attributes of services alone.
const SERVICE: &[Steps] = &[
    &["deploy", "replicas"],
    &["deploy", "update_config", "parallelism"],
    &["deploy", "update_config", "max_failure_ratio"],
    &["deploy", "rollback_config", "parallelism"],
    &["deploy", "rollback_config", "max_failure_ratio"],
    &["deploy", "restart_policy", "max_attempts"],
    &["deploy", "placement", "max_replicas_per_node"],
    &["scale"],
];

const PLACES: &[(Steps, &[&[Steps]])] = &[
    (&["services", "*"], &[CONTAINER, WORKLOAD, SERVICE]),
    (&["services", "*", "pre_start", "*"], &[CONTAINER]),
    (&["jobs", "*"], &[CONTAINER, WORKLOAD]),
    (&["networks", "*"], &[&[&["external"], &["internal"], &["attachable"], &["enable_ipv4"], &["enable_ipv6"]]]),
    (&["volumes", "*"], &[&[&["external"]]]),
    (&["secrets", "*"], &[&[&["external"]]]),
    (&["configs", "*"], &[&[&["external"]]]),
];

/// Reports every text that is not the number or boolean it stands for.
pub(crate) fn check(root: &Node, findings: &mut Vec<Diagnostic>) {
    let mut path = Vec::new();
    for (owner, groups) in PLACES {
        descend(root, owner, &mut path, &mut |node, path| {
            for attribute in groups.iter().copied().flatten() {
                descend(node, attribute, path, &mut |node, path| {
                    let text = node
                        .as_scalar()
                        .is_some_and(|scalar| scalar.as_str().is_some() && scalar.resolve() == Resolved::Text);
                    if text && let Some(shape) = shape(path) {
                        let mut found = Vec::new();
                        Decoder::at(path.join("."), &mut found).reads(node, shape);
                        // What is a number, and too large or too small, a later file may still replace. Only a umask has no sign at all.
                        let is_umask = path.last().is_some_and(|last| last == "umask");
                        findings.extend(found.into_iter().filter(|one| one.code == Code::E0408 || is_umask));
                    }
                });
            }
        });
    }
}

/// Calls `found` with every node that a path with `*` for any step leads to.
fn descend<'n>(
    node: &'n Node,
    steps: &[&str],
    path: &mut Vec<String>,
    found: &mut dyn FnMut(&'n Node, &mut Vec<String>),
) {
    let Some((step, rest)) = steps.split_first() else { return found(node, path) };
    let mut into = |key: String, child: &'n Node| {
        path.push(key);
        descend(child, rest, path, found);
        path.pop();
    };
    match &node.value {
        Value::Mapping(mapping) if *step == "*" => {
            mapping.iter().for_each(|(key, child)| into(key.text.to_string(), child));
        }
        Value::Mapping(mapping) => {
            if let Some(child) = mapping.get(step) {
                into((*step).to_owned(), child);
            }
        }
        Value::Sequence(items) if *step == "*" => {
            items.iter().enumerate().for_each(|(index, child)| into(index.to_string(), child));
        }
        _ => {}
    }
}

/// The shape of what stands at a path.
fn shape(path: &[String]) -> Option<&'static Shape> {
    let mut steps = path.iter();
    let mut shape = ROOT.field(steps.next()?)?;
    for step in steps {
        shape = match shape {
            Shape::Object(object) => object.field(step)?,
            Shape::Dict(_, of) | Shape::Named(of) | Shape::List { of, .. } => of,
            Shape::DependsOn => {
                static DEPENDENCY: Shape = Shape::Object(&t::DEPENDENCY);
                &DEPENDENCY
            }
            Shape::Ports => &Shape::Port,
            Shape::Port => t::PORT.field(step)?,
            Shape::Volume => t::MOUNT.field(step)?,
            Shape::Ulimit => t::ULIMIT.field(step)?,
            _ => return None,
        };
    }
    Some(shape)
}
