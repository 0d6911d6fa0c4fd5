//! The tables: every attribute of the Compose Specification.
//!
//! In: nothing. Out: one [`Object`] per mapping of the specification.
//! **Invariant**: fields are sorted by name within each part (a test holds it); lookups rely on it.
//! Not here: how a shape is read.
//! Tests: `tests.rs`.

use super::groups::{CONTAINER, JOB_ONLY, PRE_START_ONLY, SERVICE_ONLY, WORKLOAD};
use super::{Absent, Integer, Keys, Object, Pairs, Parts, Shape};

pub(crate) static ROOT: Object = Object {
    parts: Parts::of(&[&[
        ("configs", Shape::Dict(Keys::Names, &Shape::Object(&CONFIG))),
        ("include", Shape::List { of: &Shape::Short("path", &INCLUDE), unique: false }),
        ("jobs", Shape::Dict(Keys::Names, &Shape::Object(&JOB))),
        ("models", Shape::Dict(Keys::Names, &Shape::Object(&MODEL))),
        ("name", Shape::Text),
        ("networks", Shape::Dict(Keys::Names, &Shape::Object(&NETWORK))),
        ("secrets", Shape::Dict(Keys::Names, &Shape::Object(&SECRET))),
        ("services", Shape::Dict(Keys::Names, &Shape::Object(&SERVICE))),
        ("version", Shape::Text),
        ("volumes", Shape::Dict(Keys::Names, &Shape::Object(&VOLUME))),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static SERVICE: Object = Object {
    parts: Parts::of(&[CONTAINER, SERVICE_ONLY, WORKLOAD]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null), ("entrypoint", Absent::Null)],
};

pub(crate) static JOB: Object = Object {
    parts: Parts::of(&[CONTAINER, JOB_ONLY, WORKLOAD]),
    required: &["triggers"],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null), ("entrypoint", Absent::Null)],
};

pub(crate) static PRE_START: Object = Object {
    parts: Parts::of(&[CONTAINER, PRE_START_ONLY]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null), ("entrypoint", Absent::Null)],
};

pub(crate) static BLKIO: Object = Object {
    parts: Parts::of(&[&[
        ("device_read_bps", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        ("device_read_iops", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        ("device_write_bps", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        ("device_write_iops", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        (
            "weight",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: 65535, keep: false, null: false }),
        ),
        ("weight_device", Shape::List { of: &Shape::Object(&BLKIO_WEIGHT), unique: false }),
    ]]),
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static BLKIO_LIMIT: Object = Object {
    parts: Parts::of(&[&[
        ("path", Shape::Text),
        ("rate", Shape::Bytes { number: true, fraction: false, least: i64::MIN }),
    ]]),
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static BLKIO_WEIGHT: Object = Object {
    parts: Parts::of(&[&[
        ("path", Shape::Text),
        (
            "weight",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: 65535, keep: false, null: false }),
        ),
    ]]),
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static CREDENTIAL_SPEC: Object = Object {
    parts: Parts::of(&[&[("config", Shape::Text), ("file", Shape::Text), ("registry", Shape::Text)]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static LOGGING: Object = Object {
    parts: Parts::of(&[&[("driver", Shape::Text), ("options", Shape::Options { null: true })]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static SERVICE_MODEL: Object = Object {
    parts: Parts::of(&[&[("endpoint_var", Shape::Text), ("model_var", Shape::Text)]]),
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static SERVICE_NETWORK: Object = Object {
    parts: Parts::of(&[&[
        ("aliases", Shape::Texts { unique: true }),
        ("driver_opts", Shape::Options { null: false }),
        (
            "gw_priority",
            Shape::Int(&Integer {
                fraction: true,
                text: false,
                least: i64::MIN,
                most: i64::MAX,
                keep: false,
                null: false,
            }),
        ),
        ("interface_name", Shape::Text),
        ("ipv4_address", Shape::Text),
        ("ipv6_address", Shape::Text),
        ("link_local_ips", Shape::Texts { unique: true }),
        ("mac_address", Shape::Text),
        (
            "priority",
            Shape::Int(&Integer {
                fraction: true,
                text: false,
                least: i64::MIN,
                most: i64::MAX,
                keep: false,
                null: false,
            }),
        ),
        ("use_service_name_alias", Shape::Bool { text: true, keep: true }),
    ]]),
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static HEALTHCHECK: Object = Object {
    parts: Parts::of(&[&[
        ("disable", Shape::Bool { text: true, keep: false }),
        ("interval", Shape::Duration { keep: true }),
        (
            "retries",
            Shape::Int(&Integer { fraction: true, text: true, least: 0, most: i64::MAX, keep: true, null: false }),
        ),
        ("start_interval", Shape::Duration { keep: true }),
        ("start_period", Shape::Duration { keep: true }),
        ("test", Shape::HealthTest),
        ("timeout", Shape::Duration { keep: true }),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEVELOP: Object = Object {
    parts: Parts::of(&[&[("watch", Shape::List { of: &Shape::Object(&WATCH), unique: false })]]),
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static WATCH: Object = Object {
    parts: Parts::of(&[&[
        ("action", Shape::Choice(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
        ("exec", Shape::Object(&HOOK)),
        ("ignore", Shape::TextOrTexts { unique: true }),
        ("include", Shape::TextOrTexts { unique: true }),
        ("initial_sync", Shape::Bool { text: false, keep: false }),
        ("path", Shape::Text),
        ("target", Shape::Text),
    ]]),
    required: &["path", "action"],
    extensions: true,
    nullable: false,
    always: &[("exec", Absent::Exec)],
};

pub(crate) static HOOK: Object = Object {
    parts: Parts::of(&[&[
        ("command", Shape::Command),
        ("environment", Shape::Pairs(Pairs::Environment)),
        ("privileged", Shape::Bool { text: true, keep: false }),
        ("user", Shape::Text),
        ("working_dir", Shape::Text),
    ]]),
    required: &["command"],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null)],
};

pub(crate) static PROVIDER: Object = Object {
    parts: Parts::of(&[&[("options", Shape::MultiOptions), ("type", Shape::Text)]]),
    required: &["type"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static EXTENDS: Object = Object {
    parts: Parts::of(&[&[("file", Shape::Text), ("service", Shape::Text)]]),
    required: &["service"],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static INCLUDE: Object = Object {
    parts: Parts::of(&[&[
        ("env_file", Shape::TextOrTexts { unique: true }),
        ("path", Shape::TextOrTexts { unique: true }),
        ("project_directory", Shape::Text),
    ]]),
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static TRIGGERS: Object = Object {
    parts: Parts::of(&[&[
        ("manual", Shape::Bool { text: true, keep: true }),
        ("schedule", Shape::List { of: &Shape::Schedule, unique: false }),
    ]]),
    required: &["manual|schedule"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static SCHEDULE: Object = Object {
    parts: Parts::of(&[&[
        ("concurrency", Shape::Choice(&["forbid", "queue"])),
        ("cron", Shape::Text),
        ("missed_fires", Shape::Choice(&["one", "skip"])),
        ("timezone", Shape::Text),
    ]]),
    required: &["cron"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEPLOY: Object = Object {
    parts: Parts::of(&[&[
        ("endpoint_mode", Shape::Text),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("mode", Shape::Text),
        ("placement", Shape::Object(&PLACEMENT)),
        (
            "replicas",
            Shape::Int(&Integer {
                fraction: false,
                text: true,
                least: i64::MIN,
                most: i64::MAX,
                keep: true,
                null: false,
            }),
        ),
        ("resources", Shape::Object(&RESOURCES)),
        ("restart_policy", Shape::Object(&RESTART_POLICY)),
        ("rollback_config", Shape::Object(&UPDATE_CONFIG)),
        ("update_config", Shape::Object(&UPDATE_CONFIG)),
    ]]),
    required: &[],
    extensions: true,
    nullable: true,
    always: &[("resources", Absent::Empty), ("placement", Absent::Empty)],
};

pub(crate) static UPDATE_CONFIG: Object = Object {
    parts: Parts::of(&[&[
        ("delay", Shape::Duration { keep: false }),
        ("failure_action", Shape::Text),
        ("max_failure_ratio", Shape::Float { fraction: true, least: f64::MIN, most: f64::MAX }),
        ("monitor", Shape::Duration { keep: false }),
        ("order", Shape::Choice(&["start-first", "stop-first"])),
        (
            "parallelism",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: i64::MAX, keep: true, null: false }),
        ),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static RESOURCES: Object = Object {
    parts: Parts::of(&[&[("limits", Shape::Object(&LIMITS)), ("reservations", Shape::Object(&RESERVATIONS))]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static LIMITS: Object = Object {
    parts: Parts::of(&[&[
        ("cpus", Shape::Float { fraction: true, least: f64::MIN, most: f64::MAX }),
        ("memory", Shape::Bytes { number: false, fraction: false, least: i64::MIN }),
        (
            "pids",
            Shape::Int(&Integer {
                fraction: false,
                text: true,
                least: i64::MIN,
                most: i64::MAX,
                keep: false,
                null: false,
            }),
        ),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static RESERVATIONS: Object = Object {
    parts: Parts::of(&[&[
        ("cpus", Shape::Float { fraction: true, least: f64::MIN, most: f64::MAX }),
        ("devices", Shape::List { of: &Shape::Object(&DEVICE_REQUEST), unique: false }),
        ("generic_resources", Shape::List { of: &Shape::Object(&GENERIC), unique: false }),
        ("memory", Shape::Bytes { number: false, fraction: false, least: i64::MIN }),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static GENERIC: Object = Object {
    parts: Parts::of(&[&[("discrete_resource_spec", Shape::Object(&DISCRETE))]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DISCRETE: Object = Object {
    parts: Parts::of(&[&[
        ("kind", Shape::Text),
        (
            "value",
            Shape::Int(&Integer {
                fraction: true,
                text: true,
                least: i64::MIN,
                most: i64::MAX,
                keep: true,
                null: false,
            }),
        ),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEVICE_REQUEST: Object = Object {
    parts: Parts::of(&[&[
        ("capabilities", Shape::Texts { unique: true }),
        ("count", Shape::DeviceCount),
        ("device_ids", Shape::Texts { unique: true }),
        ("driver", Shape::Text),
        ("options", Shape::Pairs(Pairs::Values)),
    ]]),
    required: &["capabilities"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static GPU: Object = Object {
    parts: Parts::of(&[&[
        ("capabilities", Shape::Texts { unique: true }),
        ("count", Shape::DeviceCount),
        ("device_ids", Shape::Texts { unique: true }),
        ("driver", Shape::Text),
        ("options", Shape::Pairs(Pairs::Values)),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static RESTART_POLICY: Object = Object {
    parts: Parts::of(&[&[
        ("condition", Shape::Text),
        ("delay", Shape::Duration { keep: true }),
        (
            "max_attempts",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: i64::MAX, keep: true, null: false }),
        ),
        ("window", Shape::Duration { keep: true }),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static PLACEMENT: Object = Object {
    parts: Parts::of(&[&[
        ("constraints", Shape::Texts { unique: false }),
        (
            "max_replicas_per_node",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: i64::MAX, keep: false, null: false }),
        ),
        ("preferences", Shape::List { of: &Shape::Object(&PREFERENCE), unique: false }),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static PREFERENCE: Object = Object {
    parts: Parts::of(&[&[("spread", Shape::Text)]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static NETWORK: Object = Object {
    parts: Parts::of(&[&[
        ("attachable", Shape::Bool { text: true, keep: false }),
        ("driver", Shape::Text),
        ("driver_opts", Shape::Options { null: false }),
        ("enable_ipv4", Shape::Bool { text: true, keep: true }),
        ("enable_ipv6", Shape::Bool { text: true, keep: true }),
        ("external", Shape::External),
        ("internal", Shape::Bool { text: true, keep: false }),
        ("ipam", Shape::Object(&IPAM)),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("name", Shape::Text),
    ]]),
    required: &[],
    extensions: true,
    nullable: true,
    always: &[("ipam", Absent::Empty)],
};

pub(crate) static IPAM: Object = Object {
    parts: Parts::of(&[&[
        ("config", Shape::List { of: &Shape::Object(&IPAM_POOL), unique: false }),
        ("driver", Shape::Text),
        ("options", Shape::Dict(Keys::Any, &Shape::Text)),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static IPAM_POOL: Object = Object {
    parts: Parts::of(&[&[
        ("aux_addresses", Shape::Dict(Keys::Any, &Shape::Text)),
        ("gateway", Shape::Text),
        ("ip_range", Shape::Text),
        ("subnet", Shape::Text),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static VOLUME: Object = Object {
    parts: Parts::of(&[&[
        ("driver", Shape::Text),
        ("driver_opts", Shape::Options { null: false }),
        ("external", Shape::External),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("name", Shape::Text),
    ]]),
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static SECRET: Object = Object {
    parts: Parts::of(&[&[
        ("driver", Shape::Text),
        ("driver_opts", Shape::Options { null: false }),
        ("environment", Shape::Text),
        ("external", Shape::External),
        ("file", Shape::Text),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("name", Shape::Text),
        ("template_driver", Shape::Text),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static CONFIG: Object = Object {
    parts: Parts::of(&[&[
        ("content", Shape::Text),
        ("environment", Shape::Text),
        ("external", Shape::External),
        ("file", Shape::Text),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("name", Shape::Text),
        ("template_driver", Shape::Text),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MODEL: Object = Object {
    parts: Parts::of(&[&[
        (
            "context_size",
            Shape::Int(&Integer {
                fraction: false,
                text: false,
                least: i64::MIN,
                most: i64::MAX,
                keep: false,
                null: false,
            }),
        ),
        ("model", Shape::Text),
        ("name", Shape::Text),
        ("runtime_flags", Shape::Texts { unique: false }),
    ]]),
    required: &["model"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static EXTERNAL: Object = Object {
    parts: Parts::of(&[&[("name", Shape::Text)]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static BUILD: Object = Object {
    parts: Parts::of(&[&[
        ("additional_contexts", Shape::Pairs(Pairs::Contexts)),
        ("args", Shape::Pairs(Pairs::Arguments)),
        ("cache_from", Shape::Texts { unique: false }),
        ("cache_to", Shape::Texts { unique: false }),
        ("context", Shape::Text),
        ("dockerfile", Shape::Text),
        ("dockerfile_inline", Shape::Text),
        ("entitlements", Shape::Texts { unique: false }),
        ("extra_hosts", Shape::Hosts),
        ("isolation", Shape::Text),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("network", Shape::Text),
        ("no_cache", Shape::Bool { text: true, keep: false }),
        ("no_cache_filter", Shape::TextOrTexts { unique: true }),
        ("platforms", Shape::Texts { unique: false }),
        ("privileged", Shape::Bool { text: true, keep: false }),
        ("provenance", Shape::TextOrBool),
        ("pull", Shape::Bool { text: true, keep: false }),
        ("sbom", Shape::TextOrBool),
        ("secrets", Shape::List { of: &Shape::FileReference, unique: false }),
        ("shm_size", Shape::Bytes { number: true, fraction: false, least: i64::MIN }),
        ("ssh", Shape::Pairs(Pairs::Ssh)),
        ("tags", Shape::Texts { unique: false }),
        ("target", Shape::Text),
        ("ulimits", Shape::Dict(Keys::Words, &Shape::Ulimit)),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEPENDENCY: Object = Object {
    parts: Parts::of(&[&[
        ("condition", Shape::Choice(&["service_started", "service_healthy", "service_completed_successfully"])),
        ("required", Shape::Bool { text: true, keep: true }),
        ("restart", Shape::Bool { text: true, keep: false }),
    ]]),
    required: &["condition"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static PORT: Object = Object {
    parts: Parts::of(&[&[
        ("app_protocol", Shape::Text),
        ("host_ip", Shape::Text),
        ("mode", Shape::Text),
        ("name", Shape::Text),
        ("protocol", Shape::Text),
        ("published", Shape::TextOrNumber),
        (
            "target",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: 65535, keep: false, null: false }),
        ),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT: Object = Object {
    parts: Parts::of(&[&[
        ("bind", Shape::Object(&MOUNT_BIND)),
        ("consistency", Shape::Text),
        ("image", Shape::Object(&MOUNT_IMAGE)),
        ("read_only", Shape::Bool { text: true, keep: false }),
        ("source", Shape::Text),
        ("target", Shape::Text),
        ("tmpfs", Shape::Object(&MOUNT_TMPFS)),
        ("type", Shape::Choice(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
        ("volume", Shape::Object(&MOUNT_VOLUME)),
    ]]),
    required: &["type"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_BIND: Object = Object {
    parts: Parts::of(&[&[
        ("create_host_path", Shape::OptOut { text: true }),
        ("propagation", Shape::Text),
        ("recursive", Shape::Choice(&["enabled", "disabled", "writable", "readonly"])),
        ("selinux", Shape::Choice(&["z", "Z"])),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_VOLUME: Object = Object {
    parts: Parts::of(&[&[
        ("labels", Shape::Pairs(Pairs::Values)),
        ("nocopy", Shape::Bool { text: true, keep: false }),
        ("subpath", Shape::Text),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_TMPFS: Object = Object {
    parts: Parts::of(&[&[
        ("mode", Shape::TmpfsMode),
        ("size", Shape::Bytes { number: true, fraction: false, least: 0 }),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_IMAGE: Object = Object {
    parts: Parts::of(&[&[("subpath", Shape::Text)]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEVICE: Object = Object {
    parts: Parts::of(&[&[("permissions", Shape::Text), ("source", Shape::Text), ("target", Shape::Text)]]),
    required: &["source"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static FILE_REFERENCE: Object = Object {
    parts: Parts::of(&[&[
        ("gid", Shape::Text),
        ("mode", Shape::Mode),
        ("source", Shape::Text),
        ("target", Shape::Text),
        ("uid", Shape::Text),
    ]]),
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static ENV_FILE: Object = Object {
    parts: Parts::of(&[&[("format", Shape::Text), ("path", Shape::Text), ("required", Shape::OptOut { text: true })]]),
    required: &["path"],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static ULIMIT: Object = Object {
    parts: Parts::of(&[&[
        (
            "hard",
            Shape::Int(&Integer {
                fraction: false,
                text: true,
                least: i64::MIN,
                most: i64::MAX,
                keep: false,
                null: false,
            }),
        ),
        (
            "soft",
            Shape::Int(&Integer {
                fraction: false,
                text: true,
                least: i64::MIN,
                most: i64::MAX,
                keep: false,
                null: false,
            }),
        ),
    ]]),
    required: &["soft", "hard"],
    extensions: true,
    nullable: false,
    always: &[],
};
