//! The tables: attributes that several kinds of containers have in common.
//!
//! In: nothing. Out: groups of fields, for the mappings in `tables`.
//! **Invariant**: a group is sorted by name (a test holds it).
//! Not here: how a shape is read.
//! Tests: `tests.rs`.

use super::tables::{
    BLKIO, CREDENTIAL_SPEC, DEPLOY, DEVELOP, EXTENDS, HEALTHCHECK, HOOK, LOGGING, PRE_START, PROVIDER, SERVICE_MODEL,
    SERVICE_NETWORK, TRIGGERS,
};
use super::{Field, Integer, Keys, Pairs, Shape};

pub(super) static CONTAINER: &[Field] = &[
    ("annotations", Shape::Pairs(Pairs::Values)),
    ("blkio_config", Shape::Object(&BLKIO)),
    ("cap_add", Shape::Texts { unique: true }),
    ("cap_drop", Shape::Texts { unique: true }),
    ("cgroup", Shape::Choice(&["host", "private"])),
    ("cgroup_parent", Shape::Text),
    ("command", Shape::Command),
    ("configs", Shape::List { of: &Shape::FileReference, unique: false }),
    (
        "cpu_count",
        Shape::Int(&Integer { fraction: false, text: true, least: 0, most: i64::MAX, keep: false, null: false }),
    ),
    ("cpu_percent", Shape::Float { fraction: false, least: 0.0, most: 100.0 }),
    (
        "cpu_period",
        Shape::Int(&Integer { fraction: true, text: true, least: i64::MIN, most: i64::MAX, keep: false, null: false }),
    ),
    (
        "cpu_quota",
        Shape::Int(&Integer { fraction: true, text: true, least: i64::MIN, most: i64::MAX, keep: false, null: false }),
    ),
    (
        "cpu_rt_period",
        Shape::Int(&Integer { fraction: true, text: true, least: i64::MIN, most: i64::MAX, keep: false, null: false }),
    ),
    (
        "cpu_rt_runtime",
        Shape::Int(&Integer { fraction: true, text: true, least: i64::MIN, most: i64::MAX, keep: false, null: false }),
    ),
    (
        "cpu_shares",
        Shape::Int(&Integer { fraction: true, text: true, least: i64::MIN, most: i64::MAX, keep: false, null: false }),
    ),
    ("cpus", Shape::Float { fraction: true, least: f64::MIN, most: f64::MAX }),
    ("cpuset", Shape::Text),
    ("credential_spec", Shape::Object(&CREDENTIAL_SPEC)),
    ("device_cgroup_rules", Shape::Texts { unique: true }),
    ("devices", Shape::List { of: &Shape::Device, unique: false }),
    ("dns", Shape::TextOrTexts { unique: true }),
    ("dns_opt", Shape::Texts { unique: true }),
    ("dns_search", Shape::TextOrTexts { unique: true }),
    ("domainname", Shape::Text),
    ("entrypoint", Shape::Command),
    ("env_file", Shape::EnvFiles),
    ("environment", Shape::Pairs(Pairs::Environment)),
    ("extra_hosts", Shape::Hosts),
    ("gpus", Shape::Gpus),
    ("group_add", Shape::TextsOrNumbers),
    ("hostname", Shape::Text),
    ("image", Shape::Text),
    ("init", Shape::Bool { text: true, keep: true }),
    ("ipc", Shape::Text),
    ("isolation", Shape::Text),
    ("label_file", Shape::TextOrTexts { unique: false }),
    ("labels", Shape::Pairs(Pairs::Values)),
    ("logging", Shape::Object(&LOGGING)),
    ("mac_address", Shape::Text),
    ("mem_limit", Shape::Bytes { number: true, fraction: true, least: i64::MIN }),
    ("mem_reservation", Shape::Bytes { number: true, fraction: false, least: i64::MIN }),
    ("mem_swappiness", Shape::Bytes { number: true, fraction: false, least: i64::MIN }),
    ("memswap_limit", Shape::Bytes { number: true, fraction: true, least: i64::MIN }),
    ("models", Shape::Named(&Shape::Object(&SERVICE_MODEL))),
    ("network_mode", Shape::Text),
    ("networks", Shape::Named(&Shape::Object(&SERVICE_NETWORK))),
    ("oom_kill_disable", Shape::Bool { text: true, keep: false }),
    (
        "oom_score_adj",
        Shape::Int(&Integer { fraction: false, text: true, least: -1000, most: 1000, keep: false, null: false }),
    ),
    ("pid", Shape::TextOrNull),
    (
        "pids_limit",
        Shape::Int(&Integer { fraction: true, text: true, least: i64::MIN, most: i64::MAX, keep: false, null: false }),
    ),
    ("platform", Shape::Text),
    ("privileged", Shape::Bool { text: true, keep: false }),
    (
        "pull_policy",
        Shape::Rule(
            pull_policy,
            "always, never, build, if_not_present, missing, refresh, daily, weekly or every_<duration>",
        ),
    ),
    ("pull_refresh_after", Shape::Text),
    ("read_only", Shape::Bool { text: true, keep: false }),
    ("runtime", Shape::Text),
    ("secrets", Shape::List { of: &Shape::FileReference, unique: false }),
    ("security_opt", Shape::Texts { unique: true }),
    ("shm_size", Shape::Bytes { number: true, fraction: true, least: i64::MIN }),
    ("stop_grace_period", Shape::Duration { keep: true }),
    ("stop_signal", Shape::Text),
    ("storage_opt", Shape::Options { null: true }),
    ("sysctls", Shape::Pairs(Pairs::Values)),
    ("tmpfs", Shape::TextOrTexts { unique: true }),
    ("ulimits", Shape::Dict(Keys::Words, &Shape::Ulimit)),
    ("umask", Shape::Int(&Integer { fraction: false, text: true, least: 0, most: 4294967295, keep: true, null: true })),
    ("use_api_socket", Shape::Bool { text: false, keep: false }),
    ("user", Shape::Text),
    ("userns_mode", Shape::Text),
    ("uts", Shape::Text),
    ("volumes", Shape::List { of: &Shape::Volume, unique: true }),
    ("volumes_from", Shape::Texts { unique: true }),
    ("working_dir", Shape::Text),
];

pub(super) static WORKLOAD: &[Field] = &[
    ("build", Shape::Build),
    ("depends_on", Shape::DependsOn),
    ("expose", Shape::TextsOrNumbers),
    ("healthcheck", Shape::Object(&HEALTHCHECK)),
    ("ports", Shape::Ports),
    ("stdin_open", Shape::Bool { text: true, keep: false }),
    ("tty", Shape::Bool { text: true, keep: false }),
];

pub(super) static SERVICE_ONLY: &[Field] = &[
    ("attach", Shape::Bool { text: true, keep: true }),
    ("container_name", Shape::Rule(container_name, "a letter or digit, then letters, digits, `_`, `.` or `-`")),
    ("deploy", Shape::Object(&DEPLOY)),
    ("develop", Shape::Object(&DEVELOP)),
    ("extends", Shape::Short("service", &EXTENDS)),
    ("external_links", Shape::Texts { unique: true }),
    ("links", Shape::Texts { unique: true }),
    ("post_start", Shape::List { of: &Shape::Object(&HOOK), unique: false }),
    ("pre_start", Shape::List { of: &Shape::Object(&PRE_START), unique: false }),
    ("pre_stop", Shape::List { of: &Shape::Object(&HOOK), unique: false }),
    ("profiles", Shape::Texts { unique: true }),
    ("provider", Shape::Object(&PROVIDER)),
    ("restart", Shape::Text),
    (
        "scale",
        Shape::Int(&Integer { fraction: false, text: true, least: i64::MIN, most: i64::MAX, keep: true, null: false }),
    ),
];

pub(super) static JOB_ONLY: &[Field] =
    &[("profiles", Shape::Texts { unique: true }), ("triggers", Shape::Object(&TRIGGERS))];

pub(super) static PRE_START_ONLY: &[Field] = &[("per_replica", Shape::Bool { text: true, keep: false })];

fn pull_policy(text: &str) -> bool {
    matches!(text, "always" | "never" | "build" | "if_not_present" | "missing" | "refresh" | "daily" | "weekly")
        || text.strip_prefix("every_").is_some_and(|rest| {
            !rest.is_empty()
                && rest.split_inclusive(|c: char| c.is_ascii_alphabetic()).all(|part| {
                    let digits = part.trim_end_matches(['w', 'd', 'h', 'm', 's']);
                    digits.len() + 1 == part.len() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
                })
        })
}

/// The specification asks for one such run anywhere in the name.
fn container_name(text: &str) -> bool {
    let follows = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    text.as_bytes().windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_alphanumeric() && follows(*b)))
}
