//! What a container may use of its host: limits, rights, restarts, namespaces.
//!
//! In: the payload's `HostConfig`, the inspection's. Out: differences.
//! **Invariant:** what the files do not say is compared only where an engine has no default of its own.
//! Not here: mounts, networks, ports (`places`).
//! Tests: `differences/tests.rs`.

use super::{Compare, plain};
use escadre_model::desired::Shown;
use escadre_model::observed::Difference;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Numbers that are 0 where nothing is said, with the path people know.
const LIMITS: &[(&str, &str)] =
    &[("memory", "Memory"), ("mem_reservation", "MemoryReservation"), ("cpu_shares", "CpuShares")];
/// Switches.
const FLAGS: &[(&str, &str)] = &[("privileged", "Privileged"), ("read_only", "ReadonlyRootfs")];
/// What is compared only where the files say it: engines have defaults of their own.
const WRITTEN: &[(&str, &str)] = &[
    ("pids", "PidsLimit"),
    ("shm_size", "ShmSize"),
    ("oom_score_adj", "OomScoreAdj"),
    ("cpuset", "CpusetCpus"),
    ("init", "Init"),
    ("pid", "PidMode"),
    ("ipc", "IpcMode"),
    ("uts", "UTSMode"),
    ("userns_mode", "UsernsMode"),
];
/// Lists without order.
const SETS: &[(&str, &str)] = &[
    ("cap_add", "CapAdd"),
    ("security_opt", "SecurityOpt"),
    ("dns", "Dns"),
    ("dns_search", "DnsSearch"),
    ("group_add", "GroupAdd"),
];

impl Compare<'_> {
    pub(super) fn host(&mut self) {
        let empty = Map::new();
        let runs = self.made.container.get("HostConfig").and_then(Value::as_object).unwrap_or(&empty);
        let wanted = self.create.get("HostConfig").and_then(Value::as_object).cloned().unwrap_or_default();
        let number = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_i64).unwrap_or(0);
        for (path, key) in LIMITS {
            self.numbers(path, number(runs, key), number(&wanted, key));
        }
        self.numbers("cpus", nano_cpus(runs), nano_cpus(&wanted));
        for (path, key) in FLAGS {
            let flag = |map: &Map<String, Value>| map.get(*key).and_then(Value::as_bool).unwrap_or(false);
            let text = |flag: bool| if flag { "true" } else { "false" };
            self.texts(path, text(flag(runs)), text(flag(&wanted)));
        }
        for (path, key) in WRITTEN {
            if let Some(value) = wanted.get(*key) {
                let runs = runs.get(*key).map(plain).unwrap_or_default();
                self.texts(path, &runs, &plain(value));
            }
        }
        for (path, key) in SETS {
            let set = |map: &Map<String, Value>| -> BTreeSet<String> {
                map.get(*key).and_then(Value::as_array).into_iter().flatten().map(|one| right(&plain(one))).collect()
            };
            let (is, want) = (set(runs), set(&wanted));
            // Security options have defaults of the engine among them.
            let same = if *key == "SecurityOpt" { want.is_subset(&is) } else { want == is };
            if !same {
                self.texts(path, &joined(&is), &joined(&want));
            }
        }
        // Engines tell what they drop by themselves, too.
        let dropped = |map: &Map<String, Value>| -> BTreeSet<String> {
            map.get("CapDrop").and_then(Value::as_array).into_iter().flatten().map(|one| right(&plain(one))).collect()
        };
        let (is, want) = (dropped(runs), dropped(&wanted));
        if !want.contains("ALL") && !want.is_subset(&is) {
            self.texts("cap_drop", &joined(&is), &joined(&want));
        }
        self.texts("restart", &restart(runs), &restart(&wanted));
        self.limits(runs, &wanted);
        self.devices(runs, &wanted);
        let extra = self.service.extra_hosts.iter().map(|(name, at)| format!("{name}:{at}"));
        let want: BTreeSet<String> = extra.collect();
        let is = runs.get("ExtraHosts").and_then(Value::as_array).into_iter().flatten().map(plain).collect();
        if want != is {
            self.texts("extra_hosts", &joined(&is), &joined(&want));
        }
    }

    fn numbers(&mut self, path: &str, runs: i64, wanted: i64) {
        if runs != wanted {
            let text = |number: i64| match path {
                "cpus" => spelled_cpus(number),
                "memory" | "mem_reservation" => spelled_bytes(number),
                _ => number.to_string(),
            };
            let shown = |number: i64| (number != 0).then(|| Shown::Plain(text(number).into()));
            self.found.push(Difference { path: path.into(), runs: shown(runs), wanted: shown(wanted) });
        }
    }

    fn limits(&mut self, runs: &Map<String, Value>, wanted: &Map<String, Value>) {
        let find = |map: &Map<String, Value>, name: &str| {
            let all = map.get("Ulimits").and_then(Value::as_array).into_iter().flatten();
            let plain_name = |limit: &Value| {
                let name = limit.get("Name").and_then(Value::as_str).unwrap_or_default();
                name.trim_start_matches("RLIMIT_").to_ascii_lowercase()
            };
            let both = |limit: &Value| Some((limit.get("Soft")?.as_i64()?, limit.get("Hard")?.as_i64()?));
            let mut all = all.filter(|limit| plain_name(limit) == name).filter_map(both);
            all.next()
        };
        let names = wanted.get("Ulimits").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<String> =
            names.filter_map(|limit| limit.get("Name").and_then(Value::as_str)).map(str::to_ascii_lowercase).collect();
        for name in names {
            let (is, want) = (find(runs, &name), find(wanted, &name));
            if is != want {
                let text =
                    |both: Option<(i64, i64)>| both.map(|(soft, hard)| format!("{soft}:{hard}")).unwrap_or_default();
                self.texts(&format!("ulimits.{name}"), &text(is), &text(want));
            }
        }
    }

    fn devices(&mut self, runs: &Map<String, Value>, wanted: &Map<String, Value>) {
        let set = |map: &Map<String, Value>| -> BTreeSet<String> {
            let all = map.get("Devices").and_then(Value::as_array).into_iter().flatten();
            let text =
                |device: &Value, key: &str| device.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            all.map(|device| format!("{}:{}", text(device, "PathOnHost"), text(device, "PathInContainer"))).collect()
        };
        let (is, want) = (set(runs), set(wanted));
        if is != want {
            self.texts("devices", &joined(&is), &joined(&want));
        }
    }
}

fn joined(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// A capability without its prefix.
fn right(text: &str) -> String {
    text.trim_start_matches("CAP_").to_owned()
}

/// Processors in billionths, whichever of its two ways an engine tells them.
pub(in crate::engine) fn nano_cpus(host: &Map<String, Value>) -> i64 {
    let number = |key: &str| host.get(key).and_then(Value::as_i64).unwrap_or(0);
    match (number("NanoCpus"), number("CpuQuota"), number("CpuPeriod")) {
        (0, quota, period) if quota > 0 => {
            quota.saturating_mul(1_000_000_000) / if period > 0 { period } else { 100_000 }
        }
        (nano, ..) => nano,
    }
}

pub(in crate::engine) fn spelled_cpus(nano: i64) -> String {
    let text = format!("{}.{:03}", nano / 1_000_000_000, nano % 1_000_000_000 / 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Bytes in the largest unit that leaves nothing over.
pub(in crate::engine) fn spelled_bytes(bytes: i64) -> String {
    let units = [("G", 1_i64 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    let unit = units.iter().find(|(_, size)| bytes > 0 && bytes % size == 0);
    unit.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// The restart policy in Compose's words.
pub(in crate::engine) fn restart(host: &Map<String, Value>) -> String {
    let policy = host.get("RestartPolicy");
    let name = policy.and_then(|policy| policy.get("Name")).and_then(Value::as_str).unwrap_or_default();
    let count = policy.and_then(|policy| policy.get("MaximumRetryCount")).and_then(Value::as_i64).unwrap_or(0);
    match (name, count) {
        ("" | "no" | "none", _) => "no".to_owned(),
        ("on-failure", count) if count > 0 => format!("on-failure:{count}"),
        (name, _) => name.to_owned(),
    }
}
