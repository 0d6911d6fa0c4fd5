//! What becomes of every attribute on an engine target.
//!
//! In: a project. Out: one verdict for each attribute that is written, with its place.
//! **Invariant**: every attribute of the specification has a verdict (a test holds it); nothing is silently ignored.
//! Not here: the engine's words (escadre-render). Whoever makes an attribute work changes its line here.
//! Source: Compose Specification; decisions on engines in `docs/adr/`.
//! Tests: `verdicts/tests.rs`.

#[cfg(test)]
mod tests;

use super::Project;
use crate::diagnostic::{Code, Span};
use crate::text::{Node, Value};
use serde::Serialize;

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// As the specification says.
    Exact,
    /// The same purpose by other means, or nearly.
    Approximated,
    /// The platform decides; the line has no effect of its own.
    Platform,
    /// Nothing yet: accepted, without effect until it is built.
    NotYet,
    /// Not done: a file that says this does not run.
    Refused,
}

/// What the target can do; verdicts depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capabilities {
    /// The engine runs without root.
    pub rootless: bool,
}

/// The verdict on one attribute that is written.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Its path: `services.web.container_name`.
    pub path: String,
    /// Where it is written.
    pub span: Span,
    /// What becomes of it.
    pub kind: Kind,
    /// The code whose page explains it.
    pub code: Code,
    /// One sentence; empty for exact ones.
    pub text: &'static str,
}

/// A line of the table. `value`: only where the attribute has this value.
struct Line {
    path: &'static str,
    value: Option<&'static str>,
    rootless: bool,
    kind: Kind,
    code: Code,
    text: &'static str,
}

const fn line(path: &'static str, kind: Kind, code: Code, text: &'static str) -> Line {
    Line { path, value: None, rootless: false, kind, code, text }
}

const fn exact(path: &'static str) -> Line {
    line(path, Kind::Exact, Code::C0101, "")
}

const fn not_yet(path: &'static str, text: &'static str) -> Line {
    line(path, Kind::NotYet, Code::C0106, text)
}

const fn windows(path: &'static str) -> Line {
    line(path, Kind::Refused, Code::C0107, "exists for Windows containers only")
}

const fn with(path: &'static str, value: &'static str, kind: Kind, code: Code, text: &'static str) -> Line {
    Line { path, value: Some(value), rootless: false, kind, code, text }
}

const fn rootless(path: &'static str, text: &'static str) -> Line {
    Line { path, value: None, rootless: true, kind: Kind::Approximated, code: Code::C0115, text }
}

/// The table. More specific paths, and lines with a value or for rootless engines, beat general ones.
static TABLE: &[Line] = &[
    exact("name"),
    exact("include"),
    line("version", Kind::Platform, Code::C0101, "has no meaning since 2020"),
    not_yet("jobs", "jobs on a schedule are not started yet; services that end are run as jobs"),
    line("models", Kind::Refused, Code::C0113, "models are not served by an engine"),
    // Networks
    exact("networks"),
    line("networks.*.driver", Kind::Approximated, Code::C0116, "networks of an instance are bridges of its host"),
    with("networks.*.driver", "bridge", Kind::Exact, Code::C0101, ""),
    line(
        "networks.*.driver_opts",
        Kind::Approximated,
        Code::C0116,
        "passed to the engine, which may not know every option",
    ),
    line(
        "networks.*.ipam",
        Kind::Approximated,
        Code::C0116,
        "subnets are planned over the host; a written one is taken if it is free",
    ),
    line("networks.*.attachable", Kind::Platform, Code::C0110, "means something in a Swarm only"),
    // Volumes
    exact("volumes"),
    exact("volumes.*.driver"),
    exact("volumes.*.driver_opts"),
    // Secrets and configs
    exact("secrets"),
    line(
        "secrets.*.external",
        Kind::Refused,
        Code::C0108,
        "an engine keeps no secrets of its own; name the secret in product.yaml",
    ),
    line("secrets.*.driver", Kind::Refused, Code::C0108, "drivers of secrets exist in a Swarm only"),
    line("secrets.*.driver_opts", Kind::Refused, Code::C0108, "drivers of secrets exist in a Swarm only"),
    line("secrets.*.template_driver", Kind::Refused, Code::C0108, "templates exist in a Swarm only"),
    exact("configs"),
    line(
        "configs.*.external",
        Kind::Refused,
        Code::C0108,
        "an engine keeps no configs of its own; use `file:` or `content:`",
    ),
    line("configs.*.template_driver", Kind::Refused, Code::C0108, "templates exist in a Swarm only"),
    // Services: what a container is
    not_yet("services.*.annotations", "the engines' common API has no word for them"),
    exact("services.*.cap_add"),
    exact("services.*.cap_drop"),
    exact("services.*.cgroup"),
    exact("services.*.cgroup_parent"),
    exact("services.*.command"),
    exact("services.*.configs"),
    line(
        "services.*.configs.*.uid",
        Kind::Platform,
        Code::C0112,
        "files are readable by all in the container, as with docker compose",
    ),
    line(
        "services.*.configs.*.gid",
        Kind::Platform,
        Code::C0112,
        "files are readable by all in the container, as with docker compose",
    ),
    exact("services.*.cpu_period"),
    exact("services.*.cpu_quota"),
    exact("services.*.cpu_rt_period"),
    exact("services.*.cpu_rt_runtime"),
    exact("services.*.cpu_shares"),
    exact("services.*.cpus"),
    exact("services.*.cpuset"),
    rootless("services.*.cpuset", "needs the cpuset controller to be delegated to the user"),
    windows("services.*.cpu_count"),
    windows("services.*.cpu_percent"),
    windows("services.*.credential_spec"),
    windows("services.*.isolation"),
    line(
        "services.*.blkio_config",
        Kind::Approximated,
        Code::C0119,
        "passed on; an engine leaves it out, without a word, where the host's kernel cannot",
    ),
    rootless("services.*.blkio_config", "needs the io controller to be delegated to the user"),
    line(
        "services.*.device_cgroup_rules",
        Kind::Approximated,
        Code::C0119,
        "passed on; Podman leaves such rules out: name the devices in `devices:`",
    ),
    exact("services.*.devices"),
    rootless("services.*.devices", "only devices that the user may open"),
    exact("services.*.dns"),
    exact("services.*.dns_opt"),
    exact("services.*.dns_search"),
    line(
        "services.*.domainname",
        Kind::Approximated,
        Code::C0119,
        "stands in the hosts file beside the name; Podman does not tell the kernel",
    ),
    exact("services.*.entrypoint"),
    exact("services.*.env_file"),
    exact("services.*.environment"),
    exact("services.*.expose"),
    exact("services.*.extra_hosts"),
    not_yet("services.*.gpus", "devices of this kind are not handed to containers yet"),
    exact("services.*.group_add"),
    exact("services.*.healthcheck"),
    line(
        "services.*.healthcheck.start_interval",
        Kind::Approximated,
        Code::C0119,
        "used while an update waits; Podman itself checks at `interval`",
    ),
    exact("services.*.hostname"),
    exact("services.*.image"),
    exact("services.*.init"),
    exact("services.*.ipc"),
    exact("services.*.label_file"),
    exact("services.*.labels"),
    line(
        "services.*.logging",
        Kind::Approximated,
        Code::C0109,
        "passed on; without it, logs are rotated so that they cannot fill the disk",
    ),
    exact("services.*.mac_address"),
    exact("services.*.mem_limit"),
    exact("services.*.mem_reservation"),
    exact("services.*.mem_swappiness"),
    exact("services.*.memswap_limit"),
    line("services.*.models", Kind::Refused, Code::C0113, "models are not served by an engine"),
    exact("services.*.network_mode"),
    exact("services.*.networks"),
    line(
        "services.*.networks.*.ipv4_address",
        Kind::Approximated,
        Code::C0116,
        "taken if it lies in the planned subnet; the service is then stop-first",
    ),
    line(
        "services.*.networks.*.ipv6_address",
        Kind::Approximated,
        Code::C0116,
        "taken if it lies in the planned subnet; the service is then stop-first",
    ),
    not_yet("services.*.networks.*.interface_name", "the engine names the interfaces"),
    not_yet("services.*.networks.*.gw_priority", "the engine chooses the gateway"),
    not_yet("services.*.networks.*.link_local_ips", "link-local addresses are not set"),
    exact("services.*.oom_kill_disable"),
    exact("services.*.oom_score_adj"),
    exact("services.*.pid"),
    exact("services.*.pids_limit"),
    exact("services.*.platform"),
    exact("services.*.ports"),
    line(
        "services.*.ports.*.published",
        Kind::Approximated,
        Code::C0102,
        "the edge listens and passes on: no gap at updates, but the service sees the edge's address",
    ),
    exact("services.*.ports.*.mode"),
    exact("services.*.privileged"),
    exact("services.*.pull_policy"),
    line(
        "services.*.pull_refresh_after",
        Kind::NotYet,
        Code::C0106,
        "images are asked for by `pull_policy` and `--pull` only",
    ),
    exact("services.*.read_only"),
    exact("services.*.runtime"),
    exact("services.*.secrets"),
    line(
        "services.*.secrets.*.uid",
        Kind::Platform,
        Code::C0112,
        "secrets are files readable by all in the container, as with docker compose",
    ),
    line(
        "services.*.secrets.*.gid",
        Kind::Platform,
        Code::C0112,
        "secrets are files readable by all in the container, as with docker compose",
    ),
    exact("services.*.security_opt"),
    exact("services.*.shm_size"),
    exact("services.*.stdin_open"),
    exact("services.*.stop_grace_period"),
    exact("services.*.stop_signal"),
    exact("services.*.storage_opt"),
    exact("services.*.sysctls"),
    exact("services.*.tmpfs"),
    exact("services.*.tty"),
    exact("services.*.ulimits"),
    line(
        "services.*.ulimits.*.hard",
        Kind::Approximated,
        Code::C0119,
        "Podman is given the soft limit as the hard one too: it confuses two that differ",
    ),
    not_yet("services.*.umask", "the image's file mode mask stands"),
    line(
        "services.*.use_api_socket",
        Kind::Refused,
        Code::C0114,
        "the engine's socket is root on the host; a container never gets it this way",
    ),
    exact("services.*.user"),
    exact("services.*.userns_mode"),
    exact("services.*.uts"),
    exact("services.*.volumes"),
    with("services.*.volumes.*.type", "npipe", Kind::Refused, Code::C0107, "exists for Windows containers only"),
    with("services.*.volumes.*.type", "cluster", Kind::Refused, Code::C0110, "exists in a Swarm only"),
    with("services.*.volumes.*.type", "image", Kind::NotYet, Code::C0106, "images are not mounted yet"),
    exact("services.*.volumes.*.type"),
    not_yet("services.*.volumes.*.bind.selinux", "labels of files are left as they are"),
    line("services.*.volumes.*.consistency", Kind::Platform, Code::C0107, "means something on macOS only"),
    not_yet("services.*.volumes.*.volume.subpath", "the whole volume is mounted"),
    not_yet("services.*.volumes.*.image", "images are not mounted yet"),
    exact("services.*.volumes_from"),
    exact("services.*.working_dir"),
    // Services: what is around the container
    line("services.*.attach", Kind::Platform, Code::C0105, "`escadre logs` chooses what is shown"),
    exact("services.*.build"),
    not_yet("services.*.build.cache_from", "the builder's own cache is used"),
    not_yet("services.*.build.cache_to", "the builder's own cache is used"),
    not_yet("services.*.build.entitlements", "the builder gives none"),
    not_yet("services.*.build.provenance", "no attestation is made yet"),
    not_yet("services.*.build.sbom", "no list of parts is made yet"),
    not_yet("services.*.build.ssh", "no agent is handed to a build"),
    not_yet("services.*.build.secrets", "no secret is handed to a build"),
    not_yet("services.*.build.additional_contexts", "a build has one context"),
    not_yet("services.*.build.extra_hosts", "a build resolves names as the host does"),
    not_yet("services.*.build.ulimits", "a build has the engine's limits"),
    not_yet("services.*.build.platforms", "images are built for the host's platform"),
    not_yet("services.*.build.no_cache_filter", "the builder's own cache is used"),
    not_yet("services.*.build.tags", "the image has the one name that the plan shows"),
    not_yet("services.*.build.privileged", "builds run without privileges"),
    windows("services.*.build.isolation"),
    line(
        "services.*.container_name",
        Kind::Approximated,
        Code::C0103,
        "becomes a network alias; the container's name says instance, service and generation",
    ),
    exact("services.*.depends_on"),
    exact("services.*.deploy"),
    line("services.*.deploy.endpoint_mode", Kind::Platform, Code::C0110, "the edge spreads requests"),
    line(
        "services.*.deploy.labels",
        Kind::Platform,
        Code::C0110,
        "labels of a Swarm service; those of containers are `labels:`",
    ),
    with("services.*.deploy.mode", "global", Kind::Approximated, Code::C0110, "one container, as there is one host"),
    with(
        "services.*.deploy.mode",
        "replicated-job",
        Kind::Approximated,
        Code::C0110,
        "run as a job when it ends by itself",
    ),
    with(
        "services.*.deploy.mode",
        "global-job",
        Kind::Approximated,
        Code::C0110,
        "run as a job when it ends by itself",
    ),
    exact("services.*.deploy.mode"),
    line("services.*.deploy.placement", Kind::Platform, Code::C0110, "an instance's target says where it runs"),
    exact("services.*.deploy.replicas"),
    exact("services.*.deploy.resources"),
    not_yet("services.*.deploy.resources.reservations.cpus", "processors are limited, not reserved"),
    not_yet(
        "services.*.deploy.resources.reservations.devices",
        "devices of this kind are not handed to containers yet",
    ),
    not_yet("services.*.deploy.resources.reservations.generic_resources", "an engine counts no resources of this kind"),
    line(
        "services.*.deploy.restart_policy",
        Kind::Approximated,
        Code::C0104,
        "as `restart:`; the engine chooses the pauses",
    ),
    line("services.*.deploy.rollback_config", Kind::Platform, Code::C0104, "a failed update is unwound as one step"),
    exact("services.*.deploy.update_config"),
    exact("services.*.deploy.update_config.order"),
    with(
        "services.*.deploy.update_config.failure_action",
        "continue",
        Kind::Approximated,
        Code::C0104,
        "a failed instance is unwound; the others go on",
    ),
    exact("services.*.deploy.update_config.failure_action"),
    line(
        "services.*.deploy.update_config.parallelism",
        Kind::Approximated,
        Code::C0104,
        "replicas are replaced one after another",
    ),
    line(
        "services.*.deploy.update_config.delay",
        Kind::Approximated,
        Code::C0104,
        "the next replica waits for the gate of the one before",
    ),
    line(
        "services.*.deploy.update_config.monitor",
        Kind::Approximated,
        Code::C0104,
        "the health gate decides how long is waited",
    ),
    line(
        "services.*.deploy.update_config.max_failure_ratio",
        Kind::Approximated,
        Code::C0104,
        "one failed gate unwinds the instance",
    ),
    line("services.*.develop", Kind::Platform, Code::C0105, "for the developer's machine; no effect on a target"),
    exact("services.*.extends"),
    not_yet("services.*.external_links", "containers outside the instance are not linked"),
    exact("services.*.links"),
    not_yet("services.*.post_start", "hooks are not run yet"),
    not_yet("services.*.pre_start", "hooks are not run yet"),
    not_yet("services.*.pre_stop", "hooks are not run yet"),
    exact("services.*.profiles"),
    line("services.*.provider", Kind::Refused, Code::C0113, "providers are programs that a plan cannot foresee"),
    exact("services.*.restart"),
    exact("services.*.scale"),
];

impl Project {
    /// The verdict on every attribute that is written, in the order of the normalised model.
    pub fn verdicts(&self, capabilities: &Capabilities) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        walk(&self.root, &mut Vec::new(), &mut String::new(), capabilities, &mut verdicts);
        verdicts
    }
}

fn walk(
    node: &Node,
    pattern: &mut Vec<String>,
    path: &mut String,
    capabilities: &Capabilities,
    out: &mut Vec<Verdict>,
) {
    let depth = path.len();
    let enter = |path: &mut String, step: &str| {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(step);
    };
    match &node.value {
        Value::Mapping(mapping) => {
            for (key, child) in mapping.iter() {
                // The keys of sections and networks are names that people choose.
                let free = pattern.len() == 1
                    || matches!(pattern.last().map(String::as_str), Some("networks" | "models" | "ulimits"));
                pattern.push(if free { "*".to_owned() } else { key.text.to_string() });
                enter(path, &key.text);
                let text = pattern.join(".");
                if let Some(line) = find(&text, child.as_str(), capabilities)
                    && !(text == "services.*.ports.*.published" && is_published_by_engine(node))
                {
                    out.push(Verdict {
                        path: path.clone(),
                        span: key.span.clone(),
                        kind: line.kind,
                        code: line.code,
                        text: line.text,
                    });
                }
                if deeper(&text) {
                    walk(child, pattern, path, capabilities, out);
                }
                pattern.pop();
                path.truncate(depth);
            }
        }
        Value::Sequence(items) => {
            for (index, child) in items.iter().enumerate() {
                pattern.push("*".to_owned());
                enter(path, &index.to_string());
                walk(child, pattern, path, capabilities, out);
                pattern.pop();
                path.truncate(depth);
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

/// Ports that the engine publishes itself: those in host mode, and all that are not TCP.
fn is_published_by_engine(port: &Node) -> bool {
    let text = |key: &str| port.get(key).and_then(Node::as_str);
    text("mode") == Some("host") || text("protocol").is_some_and(|protocol| protocol != "tcp")
}

/// The line of exactly this path: one for the value, one for rootless engines, or the general one.
fn find(path: &str, value: Option<&str>, capabilities: &Capabilities) -> Option<&'static Line> {
    let lines = || TABLE.iter().filter(|line| line.path == path);
    lines()
        .find(|line| line.value.is_some() && line.value == value)
        .or_else(|| lines().find(|line| line.rootless && capabilities.rootless))
        .or_else(|| lines().find(|line| line.value.is_none() && !line.rootless))
}

fn deeper(path: &str) -> bool {
    TABLE.iter().any(|line| line.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}
