//! A Swarm's service in Compose's words.
//!
//! In: its `Spec`. Out: the model of one service; what it uses is noted in [`Work`].
//! **Invariant:** a word that has no place in Compose, or means nothing on one host, is told.
//! Not here: networks, volumes, configs as a whole (`swarm`).
//! Tests: `tests.rs`.

use super::{Work, list, text};
use escadre_model::compose::units::duration_text;
use serde_json::{Map, Value, json};

/// Service words that are the same but for their spelling.
const PLAIN: &[(&str, &str)] = &[
    ("Hostname", "hostname"),
    ("User", "user"),
    ("Dir", "working_dir"),
    ("TTY", "tty"),
    ("OpenStdin", "stdin_open"),
    ("ReadOnly", "read_only"),
    ("StopSignal", "stop_signal"),
    ("Init", "init"),
    ("Groups", "group_add"),
    ("CapabilityAdd", "cap_add"),
    ("CapabilityDrop", "cap_drop"),
    ("Sysctls", "sysctls"),
    ("Command", "entrypoint"),
    ("Args", "command"),
];

/// Is there anything in a value?
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }
}

/// Puts what is said.
fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    if is_said(&value) {
        map.insert(key.to_owned(), value);
    }
}

fn duration(value: Option<&Value>) -> Value {
    let nanoseconds = value.and_then(Value::as_i64).filter(|ns| *ns > 0);
    nanoseconds.map_or(Value::Null, |ns| json!(duration_text(ns)))
}

/// Labels without the stack's own.
fn labels(of: &Value) -> Value {
    let all = of.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default();
    Value::Object(all.into_iter().filter(|(key, _)| !key.starts_with("com.docker.stack.")).collect())
}

impl Work<'_> {
    pub(super) fn service(&mut self, key: &str, spec: &Value) -> Value {
        let empty = Value::Null;
        let task = spec.get("TaskTemplate").unwrap_or(&empty);
        let container = task.get("ContainerSpec").unwrap_or(&empty);
        let mut model = Map::new();
        let image = self.image(key, spec, container);
        self.stack.images.insert(key.to_owned(), image.clone());
        put(&mut model, "image", json!(image));
        for (theirs, ours) in PLAIN {
            put(&mut model, ours, container.get(*theirs).cloned().unwrap_or_default());
        }
        let pairs = container.get("Env").map(list).into_iter().flatten().filter_map(Value::as_str);
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        // A dollar sign would begin a variable.
        put(
            &mut model,
            "environment",
            pairs.map(|(name, value)| (name.to_owned(), json!(escaped(value)))).collect::<Map<_, _>>().into(),
        );
        put(&mut model, "labels", escape(labels(container)));
        for key in ["command", "entrypoint"] {
            if let Some(words) = model.remove(key) {
                model.insert(key.to_owned(), escape(words));
            }
        }
        put(&mut model, "stop_grace_period", duration(container.get("StopGracePeriod")));
        put(&mut model, "healthcheck", health(container.get("Healthcheck").unwrap_or(&empty)));
        let hosts = container.get("Hosts").map(list).into_iter().flatten().filter_map(Value::as_str);
        let hosts =
            hosts.filter_map(|line| line.split_once(' ')).map(|(address, name)| json!(format!("{name}:{address}")));
        put(&mut model, "extra_hosts", hosts.collect());
        for (theirs, ours) in [("Nameservers", "dns"), ("Search", "dns_search"), ("Options", "dns_opt")] {
            put(&mut model, ours, container.pointer(&format!("/DNSConfig/{theirs}")).cloned().unwrap_or_default());
        }
        let volumes = self.mounts(key, container);
        put(&mut model, "volumes", volumes);
        let (configs, secrets) = (self.files(container, "Config"), self.files(container, "Secret"));
        put(&mut model, "configs", configs);
        put(&mut model, "secrets", secrets);
        let networks = self.networks(key, task.get("Networks").or_else(|| spec.get("Networks")).unwrap_or(&empty));
        put(&mut model, "networks", networks);
        let ports = self.ports(key, spec);
        put(&mut model, "ports", ports);
        if let Some(driver) = task.pointer("/LogDriver/Name").and_then(Value::as_str) {
            put(
                &mut model,
                "logging",
                json!({ "driver": driver, "options": task.pointer("/LogDriver/Options").cloned().unwrap_or(json!({})) }),
            );
        }
        let deploy = self.deploy(key, spec, task);
        put(&mut model, "deploy", deploy);
        Value::Object(model)
    }

    /// The image as the stack's file named it, not as the Swarm pinned it.
    fn image(&mut self, key: &str, spec: &Value, container: &Value) -> String {
        let runs = text(container, "/Image");
        let (name, digest) = runs.split_once('@').map_or((runs, None), |(name, digest)| (name, Some(digest)));
        let written = super::label(Some(spec), "com.docker.stack.image").filter(|image| !image.is_empty());
        // `docker service update --image` leaves the label behind.
        if let Some(written) = written.filter(|written| written.split('@').next() != Some(name)) {
            self.tell(format!("{key} runs {name}, the stack was deployed with {written}: what runs is taken"));
        }
        match digest {
            Some(digest) if !name.rsplit('/').next().is_some_and(|last| last.contains(':')) => {
                format!("{name}@{digest}")
            }
            _ => name.to_owned(),
        }
    }

    fn mounts(&mut self, key: &str, container: &Value) -> Value {
        let mut all = Vec::new();
        for mount in container.get("Mounts").map(list).into_iter().flatten() {
            let (kind, source, target) = (text(mount, "/Type"), text(mount, "/Source"), text(mount, "/Target"));
            let mut one = Map::new();
            put(&mut one, "type", json!(kind));
            put(&mut one, "target", json!(target));
            put(&mut one, "read_only", mount.get("ReadOnly").cloned().unwrap_or_default());
            match kind {
                "volume" if !source.is_empty() => {
                    let own = self.own(source);
                    self.stack.volumes.insert(own.clone(), source.to_owned());
                    put(&mut one, "source", json!(own));
                    if let Some(driver) = mount
                        .pointer("/VolumeOptions/DriverConfig/Name")
                        .and_then(Value::as_str)
                        .filter(|name| *name != "local")
                    {
                        self.tell(format!("{key}: volume {own} is of the driver {driver}; as it is there already it is taken by its name"));
                    }
                }
                "bind" => put(&mut one, "source", json!(source)),
                _ => {}
            }
            if let Some(size) =
                mount.pointer("/TmpfsOptions/SizeBytes").and_then(Value::as_i64).filter(|size| *size > 0)
            {
                put(&mut one, "tmpfs", json!({ "size": size }));
            }
            all.push(Value::Object(one));
        }
        Value::Array(all)
    }

    /// Configs or secrets of a service.
    fn files(&mut self, container: &Value, kind: &str) -> Value {
        let mut all = Vec::new();
        for one in container.get(format!("{kind}s")).map(list).into_iter().flatten() {
            let own = self.own(text(one, &format!("/{kind}Name")));
            if kind == "Config" {
                let data = self.data.get(text(one, "/ConfigID")).copied().unwrap_or_default();
                self.stack.configs.insert(own.clone(), data.to_owned());
            } else {
                self.stack.secrets.insert(own.clone());
            }
            let mut entry = Map::new();
            put(&mut entry, "source", json!(own));
            put(&mut entry, "target", json!(text(one, "/File/Name")));
            for (theirs, ours) in [("UID", "uid"), ("GID", "gid")] {
                put(&mut entry, ours, json!(text(one, &format!("/File/{theirs}"))));
            }
            entry.retain(|key, value| !matches!(key.as_str(), "uid" | "gid") || *value != json!("0"));
            let mode = one.pointer("/File/Mode").and_then(Value::as_u64).filter(|mode| *mode != 0o444);
            put(&mut entry, "mode", mode.map_or(Value::Null, |mode| json!(format!("0{mode:o}"))));
            all.push(Value::Object(entry));
        }
        Value::Array(all)
    }

    fn networks(&mut self, key: &str, networks: &Value) -> Value {
        let mut all = Map::new();
        for one in list(networks) {
            let Some(network) = self.networks.get(text(one, "/Target")).copied() else { continue };
            let own = self.own(text(network, "/Name"));
            self.used.insert(own.clone(), network.clone());
            let aliases: Vec<&Value> =
                one.get("Aliases").map(list).into_iter().flatten().filter(|name| *name != key).collect();
            all.insert(own, if aliases.is_empty() { Value::Null } else { json!({ "aliases": aliases }) });
        }
        if all.len() == 1 && all.get("default") == Some(&Value::Null) {
            all.clear();
        }
        Value::Object(all)
    }

    fn ports(&mut self, key: &str, spec: &Value) -> Value {
        let mut all = Vec::new();
        for port in spec.pointer("/EndpointSpec/Ports").map(list).into_iter().flatten() {
            let number = |name: &str| port.get(name).and_then(Value::as_u64).unwrap_or(0);
            let mut one = Map::new();
            put(&mut one, "target", json!(number("TargetPort")));
            let published = number("PublishedPort");
            put(&mut one, "published", if published > 0 { json!(published.to_string()) } else { Value::Null });
            put(&mut one, "protocol", json!(text(port, "/Protocol")));
            if published == 0 {
                self.tell(format!(
                    "{key}: port {} was given a number by the Swarm; it gets another one",
                    number("TargetPort")
                ));
            }
            // On one host the two ways are one: without `mode: host` the edge holds the port, so that updates leave no gap.
            if text(port, "/PublishMode") == "host" && text(port, "/Protocol") != "udp" {
                self.tell(format!("{key}: port {published} was published in mode host; the edge holds it, so that updates leave no gap"));
            }
            all.push(Value::Object(one));
        }
        Value::Array(all)
    }

    fn deploy(&mut self, key: &str, spec: &Value, task: &Value) -> Value {
        let mut deploy = Map::new();
        let replicas = spec.pointer("/Mode/Replicated/Replicas").and_then(Value::as_u64);
        match replicas {
            Some(1) => {}
            Some(number) => drop(deploy.insert("replicas".to_owned(), json!(number))),
            None => {
                let mode = spec.get("Mode").and_then(Value::as_object).and_then(|mode| mode.keys().next().cloned());
                let mode = mode.unwrap_or_default().to_lowercase();
                self.tell(format!("{key} ran in mode {mode}, on each node: on one host that is one container"));
            }
        }
        put(&mut deploy, "labels", escape(labels(spec)));
        put(&mut deploy, "update_config", rollout(spec.get("UpdateConfig")));
        if spec.get("RollbackConfig").is_some_and(|one| !one.is_null()) {
            self.tell(format!("{key}: rollback_config is left out: going back is beside what runs, whatever it says"));
        }
        put(&mut deploy, "restart_policy", restart(task.get("RestartPolicy"), spec.get("Mode")));
        put(&mut deploy, "resources", resources(task.get("Resources")));
        for what in ["Constraints", "Preferences"] {
            let all = task.pointer(&format!("/Placement/{what}"));
            if let Some(all) = all.filter(|all| is_said(all)) {
                let words: Vec<String> =
                    list(all).map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
                self.tell(format!("{key}: placement {} is left out: there is one host", words.join(", ")));
            }
        }
        if let Some(most) = task.pointer("/Placement/MaxReplicas").and_then(Value::as_u64).filter(|most| *most > 0) {
            self.tell(format!("{key}: at most {most} on a node is left out: there is one host"));
        }
        if text(spec, "/EndpointSpec/Mode") == "dnsrr" {
            self.tell(format!("{key}: endpoint mode dnsrr: names lead to all containers of a service anyway"));
        }
        Value::Object(deploy)
    }
}

fn health(check: &Value) -> Value {
    let mut out = Map::new();
    put(&mut out, "test", escape(check.get("Test").cloned().unwrap_or_default()));
    for (theirs, ours) in [("Interval", "interval"), ("Timeout", "timeout"), ("StartPeriod", "start_period")] {
        put(&mut out, ours, duration(check.get(theirs)));
    }
    put(&mut out, "retries", check.get("Retries").cloned().unwrap_or_default());
    Value::Object(out)
}

fn rollout(config: Option<&Value>) -> Value {
    let Some(config) = config else { return Value::Null };
    let mut out = Map::new();
    put(&mut out, "parallelism", config.get("Parallelism").cloned().unwrap_or_default());
    put(&mut out, "delay", duration(config.get("Delay")));
    put(&mut out, "monitor", duration(config.get("Monitor")));
    put(&mut out, "failure_action", config.get("FailureAction").cloned().unwrap_or_default());
    put(&mut out, "order", config.get("Order").cloned().unwrap_or_default());
    Value::Object(out)
}

/// A Swarm starts again whatever has ended, unless its service says otherwise; engines do not. Jobs end once and for all.
fn restart(policy: Option<&Value>, mode: Option<&Value>) -> Value {
    let empty = Value::Null;
    let policy = policy.unwrap_or(&empty);
    let stays = mode.is_some_and(|mode| mode.get("Replicated").is_some() || mode.get("Global").is_some());
    let usual = || if stays { json!("any") } else { Value::Null };
    let mut out = Map::new();
    let said = policy.get("Condition").filter(|condition| is_said(condition)).cloned();
    put(&mut out, "condition", said.unwrap_or_else(usual));
    put(&mut out, "delay", duration(policy.get("Delay")));
    put(&mut out, "max_attempts", policy.get("MaxAttempts").cloned().unwrap_or_default());
    put(&mut out, "window", duration(policy.get("Window")));
    Value::Object(out)
}

fn resources(resources: Option<&Value>) -> Value {
    let mut out = Map::new();
    for (theirs, ours) in [("Limits", "limits"), ("Reservations", "reservations")] {
        let Some(of) = resources.and_then(|all| all.get(theirs)) else { continue };
        let mut one = Map::new();
        let nano = of.get("NanoCPUs").and_then(Value::as_i64).filter(|nano| *nano > 0);
        put(
            &mut one,
            "cpus",
            nano.map_or(Value::Null, |nano| json!(crate::engine::differences::host::spelled_cpus(nano))),
        );
        let bytes = of.get("MemoryBytes").and_then(Value::as_i64).filter(|bytes| *bytes > 0);
        put(
            &mut one,
            "memory",
            bytes.map_or(Value::Null, |bytes| json!(crate::engine::differences::host::spelled_bytes(bytes))),
        );
        put(&mut one, "pids", of.get("Pids").cloned().unwrap_or_default());
        put(&mut out, ours, Value::Object(one));
    }
    Value::Object(out)
}

/// A text that Compose takes as it is.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn escape(value: Value) -> Value {
    match value {
        Value::String(text) => json!(escaped(&text)),
        Value::Array(items) => items.into_iter().map(escape).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, escape(value))).collect::<Map<_, _>>().into(),
        other => other,
    }
}
