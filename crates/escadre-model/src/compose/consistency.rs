//! Do the entries of a model fit each other?
//!
//! In: the normalised model, split by profiles. Out: one finding for each reference to nothing, contradiction or cycle.
//! **Invariant**: nothing is changed; everything wrong is found, not the first only.
//! Not here: whether an engine can do it (verdicts).
//! Source: Compose Specification; the reference's checks.
//! Tests: tests/cases/compose.

use super::verdicts::acknowledged;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::text::{Key, Mapping, Node};
use std::collections::{BTreeMap, HashSet};

/// A model whose services are split by profiles.
pub(crate) struct Model<'n> {
    pub(crate) root: &'n Node,
    pub(crate) enabled: &'n Mapping,
    pub(crate) disabled: &'n Mapping,
}

/// Checks everything.
pub(crate) fn check(model: &Model<'_>, findings: &mut Vec<Diagnostic>) {
    for (key, service) in model.enabled.iter() {
        Service { model, key, node: service, findings }.check();
    }
    secrets(model, findings);
    jobs(model, findings);
    cycles(model, findings);
    acknowledged(model.root, findings);
}

fn section<'n>(root: &'n Node, name: &str) -> Option<&'n Mapping> {
    root.get(name).and_then(Node::as_mapping)
}

struct Service<'a, 'n> {
    model: &'a Model<'n>,
    key: &'n Key,
    node: &'n Node,
    findings: &'a mut Vec<Diagnostic>,
}

impl<'n> Service<'_, 'n> {
    fn check(&mut self) {
        self.image();
        self.build();
        self.networks();
        self.health();
        self.dependencies();
        self.mounts();
        self.references();
        self.scale();
        self.resources();
        self.develop();
        self.targets();
    }

    fn text(&self, path: &str) -> Option<(&'n Node, &'n str)> {
        let node = self.node.at(path)?;
        node.as_str().map(|text| (node, text))
    }

    fn list(&self, path: &str) -> &'n [Node] {
        self.node.at(path).and_then(Node::as_sequence).unwrap_or_default()
    }

    fn error(&mut self, code: Code, place: &Node, message: String) {
        let path = format!("services.{}", self.key.text);
        self.findings.push(Diagnostic::error(code, message).at(&place.span).path(path));
    }

    fn image(&mut self) {
        let has = |key| self.node.get(key).is_some();
        if !has("build") && !has("image") && !has("provider") {
            let message = format!("the service `{}` has neither `image:` nor `build:`", self.key.text);
            let path = format!("services.{}", self.key.text);
            self.findings.push(Diagnostic::error(Code::E0415, message).at(&self.key.span).path(path));
        }
    }

    fn build(&mut self) {
        let Some(build) = self.node.get("build") else { return };
        if let (Some(inline), Some(_)) = (build.get("dockerfile_inline"), build.get("dockerfile")) {
            let message = format!("`{}` has both `dockerfile` and `dockerfile_inline`", self.key.text);
            self.error(Code::E0414, inline, message);
        }
        for (_, context) in section(build, "additional_contexts").into_iter().flat_map(Mapping::iter) {
            let Some(service) = context.as_str().and_then(|text| text.strip_prefix("service:")) else { continue };
            match self.model.enabled.get(service).or_else(|| self.model.disabled.get(service)) {
                None => self.error(
                    Code::E0413,
                    context,
                    format!("the build of `{}` uses the unknown service `{service}`", self.key.text),
                ),
                Some(other) if other.get("build").is_none() => {
                    let message = format!("the build of `{}` uses `{service}`, which is not built", self.key.text);
                    self.error(Code::E0414, context, message);
                }
                Some(_) => {}
            }
        }
        let platforms = self.list("build.platforms");
        if let Some((node, platform)) = self.text("platform")
            && !platforms.is_empty()
            && !platforms.iter().any(|other| other.as_str() == Some(platform))
        {
            self.error(
                Code::E0414,
                node,
                format!("`build.platforms` of `{}` does not hold its platform `{platform}`", self.key.text),
            );
        }
    }

    fn networks(&mut self) {
        let networks = section(self.node, "networks");
        if let (Some(mode), Some(networks)) = (self.node.get("network_mode"), networks)
            && !networks.is_empty()
        {
            let message = format!("`{}` has both `network_mode` and `networks`", self.key.text);
            self.error(Code::E0414, mode, message);
        }
        let known = section(self.model.root, "networks");
        for (network, _) in networks.into_iter().flat_map(Mapping::iter) {
            self.reference("network", &network.text, &Node::null(&network.span), known);
        }
        if let Some((node, mode)) = self.text("network_mode")
            && let Some(service) = mode.strip_prefix("service:")
            && self.model.enabled.get(service).is_none()
        {
            self.error(
                Code::E0413,
                node,
                format!("`network_mode` of `{}` names the unknown service `{service}`", self.key.text),
            );
        }
    }

    fn reference(&mut self, what: &str, name: &str, place: &Node, known: Option<&Mapping>) {
        let section = self.model.root.get(&format!("{what}s"));
        let unreadable = known.is_none() && section.is_some_and(|section| !section.is_null());
        if unreadable || known.is_some_and(|known| known.contains(name)) {
            return;
        }
        let message = format!("the service `{}` refers to the {what} `{name}`, which is not there", self.key.text);
        let finding =
            Diagnostic::error(Code::E0413, message).at(&place.span).path(format!("services.{}", self.key.text));
        let meant = known.and_then(|known| nearest(name, known.keys()));
        self.findings.push(match meant {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding.hint(format!("add `{name}:` under `{what}s:` at the top level")),
        });
    }

    fn health(&mut self) {
        if let Some(first) = self.list("healthcheck.test").first()
            && !matches!(first.as_str(), Some("CMD" | "CMD-SHELL" | "NONE"))
        {
            let message = format!("`healthcheck.test` of `{}` must begin with CMD, CMD-SHELL or NONE", self.key.text);
            self.error(Code::E0405, first, message);
        }
    }

    fn dependencies(&mut self) {
        for (key, dependency) in section(self.node, "depends_on").into_iter().flat_map(Mapping::iter) {
            let name = &*key.text;
            if self.model.enabled.contains(name) {
                continue;
            }
            let required = dependency.get("required").and_then(Node::as_str) != Some("false");
            let place = Node::null(&key.span);
            if let Some(other) = self.model.disabled.get(name) {
                if required {
                    let profiles: Vec<&str> = other
                        .get("profiles")
                        .and_then(Node::as_sequence)
                        .unwrap_or_default()
                        .iter()
                        .filter_map(Node::as_str)
                        .collect();
                    let message = format!(
                        "`{}` depends on `{name}`, which only the profiles {} switch on",
                        self.key.text,
                        profiles.join(", ")
                    );
                    self.error(Code::E0413, &place, message);
                }
            } else if section(self.model.root, "jobs").is_some_and(|jobs| jobs.contains(name)) {
                self.error(
                    Code::E0413,
                    &place,
                    format!("the service `{}` cannot depend on the job `{name}`", self.key.text),
                );
            } else {
                self.reference("service", name, &place, Some(self.model.enabled));
            }
        }
    }

    fn mounts(&mut self) {
        let known = section(self.model.root, "volumes");
        for volume in self.list("volumes") {
            if volume.get("type").and_then(Node::as_str) == Some("volume")
                && let Some(source) = volume.get("source")
                && let Some(name) = source.as_str()
            {
                self.reference("volume", name, source, known);
            }
        }
    }

    fn references(&mut self) {
        for (what, path) in [("secret", "build.secrets"), ("config", "configs"), ("secret", "secrets")] {
            let known = section(self.model.root, if what == "secret" { "secrets" } else { "configs" });
            for item in self.list(path) {
                let source = item.get("source");
                let name = source.and_then(Node::as_str).unwrap_or_default();
                self.reference(what, name, source.unwrap_or(item), known);
            }
        }
        let known = section(self.model.root, "models");
        for (key, _) in section(self.node, "models").into_iter().flat_map(Mapping::iter) {
            self.reference("model", &key.text, &Node::null(&key.span), known);
        }
    }

    fn scale(&mut self) {
        let (scale, replicas) = (self.text("scale"), self.text("deploy.replicas"));
        if let (Some((node, scale)), Some((_, replicas))) = (scale, replicas)
            && scale != replicas
        {
            self.error(
                Code::E0414,
                node,
                format!("`{}` has scale {scale} and deploy.replicas {replicas}", self.key.text),
            );
        }
        for (node, value) in [scale, replicas].into_iter().flatten() {
            if value.starts_with('-') {
                self.error(Code::E0405, node, format!("`{}` cannot run {value} times", self.key.text));
            }
        }
        let count: i64 = scale.or(replicas).and_then(|(_, text)| text.parse().ok()).unwrap_or(1);
        if count > 1
            && let Some((node, _)) = self.text("container_name")
        {
            self.error(
                Code::E0414,
                node,
                format!("`{}` runs {count} times, so it cannot have one `container_name`", self.key.text),
            );
        }
    }

    fn resources(&mut self) {
        let table = [
            ("cpus", "limits", "cpus"),
            ("mem_limit", "limits", "memory"),
            ("mem_reservation", "reservations", "memory"),
            ("pids_limit", "limits", "pids"),
        ];
        for (own, kind, field) in table {
            let Some((node, value)) = self.text(own) else { continue };
            if self.node.at(&format!("deploy.resources.{kind}")).is_none() {
                continue;
            }
            let path = format!("deploy.resources.{kind}.{field}");
            let other = self.text(&path).map_or("0", |(_, other)| other);
            if other != value {
                self.error(Code::E0414, node, format!("`{}` has {own} {value} and {path} {other}", self.key.text));
            }
        }
    }

    fn develop(&mut self) {
        for watch in self.list("develop.watch") {
            let action = watch.get("action").and_then(Node::as_str).unwrap_or_default();
            if watch.get("target").is_none() && !matches!(action, "rebuild" | "restart") {
                let message = format!("`develop.watch` of `{}` needs `target:` for {action}", self.key.text);
                self.error(Code::E0404, watch, message);
            }
            if watch.get("path").is_none() {
                self.error(Code::E0404, watch, format!("`develop.watch` of `{}` needs a path", self.key.text));
            }
        }
    }

    fn targets(&mut self) {
        let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
        let tmpfs = self.list("tmpfs").iter().filter_map(|node| Some((node.as_str()?.split(':').next()?, node)));
        let volumes = self
            .list("volumes")
            .iter()
            .map(|node| (node.get("target").and_then(Node::as_str).unwrap_or_default(), node));
        for (target, node) in tmpfs.chain(volumes) {
            if target.is_empty() {
                self.error(Code::E0404, node, format!("a mount of `{}` needs `target:`", self.key.text));
            } else if let Some(first) = seen.insert(target, node) {
                let message = format!("`{}` mounts two things at {target}", self.key.text);
                let finding = Diagnostic::error(Code::E0419, message)
                    .label(&node.span, "again here")
                    .label(&first.span, "first here");
                self.findings.push(finding.path(format!("services.{}", self.key.text)));
            }
        }
    }
}

fn secrets(model: &Model<'_>, findings: &mut Vec<Diagnostic>) {
    for (key, secret) in section(model.root, "secrets").into_iter().flat_map(Mapping::iter) {
        if secret.get("external").is_none() && secret.get("file").is_none() && secret.get("environment").is_none() {
            let message = format!("the secret `{}` needs `file:` or `environment:`", key.text);
            findings.push(Diagnostic::error(Code::E0404, message).at(&key.span).path(format!("secrets.{}", key.text)));
        }
    }
}

fn jobs(model: &Model<'_>, findings: &mut Vec<Diagnostic>) {
    let jobs = section(model.root, "jobs");
    for (key, job) in jobs.into_iter().flat_map(Mapping::iter) {
        if model.enabled.contains(&key.text) || model.disabled.contains(&key.text) {
            let message = format!("`{}` is both a service and a job", key.text);
            findings.push(Diagnostic::error(Code::E0414, message).at(&key.span));
        }
        for (other, dependency) in section(job, "depends_on").into_iter().flat_map(Mapping::iter) {
            let known = model.enabled.contains(&other.text) || jobs.is_some_and(|jobs| jobs.contains(&other.text));
            let optional = dependency.get("required").and_then(Node::as_str) == Some("false");
            let later = optional && model.disabled.contains(&other.text);
            if !(known || later) {
                let message = format!("the job `{}` depends on `{}`, which is not there", key.text, other.text);
                findings.push(Diagnostic::error(Code::E0413, message).at(&other.span));
            }
        }
    }
}

/// Finds circles in `depends_on` without recursion, so that ten thousand services in a row are no danger.
fn cycles(model: &Model<'_>, findings: &mut Vec<Diagnostic>) {
    let mut names: Vec<&str> = model.enabled.keys().collect();
    names.sort_unstable();
    let children = |name: &str| -> Vec<&Key> {
        let depends_on = model.enabled.get(name).and_then(|service| section(service, "depends_on"));
        depends_on
            .into_iter()
            .flat_map(Mapping::iter)
            .map(|(key, _)| key)
            .filter(|key| model.enabled.contains(&key.text))
            .collect()
    };
    let mut done: HashSet<&str> = HashSet::new();
    for start in names {
        if done.contains(start) {
            continue;
        }
        let mut trail: Vec<&str> = vec![start];
        let mut open = vec![children(start)];
        while let Some(next) = open.last_mut() {
            let Some(key) = next.pop() else {
                open.pop();
                done.extend(trail.pop());
                continue;
            };
            let name = &*key.text;
            if let Some(at) = trail.iter().position(|step| *step == name) {
                let circle: Vec<&str> = trail.iter().skip(at).copied().chain([name]).collect();
                let message = format!("the services depend on each other in a circle: {}", circle.join(" -> "));
                findings.push(Diagnostic::error(Code::E0410, message).at(&key.span));
            } else if !done.contains(name) {
                trail.push(name);
                open.push(children(name));
            }
        }
    }
}
