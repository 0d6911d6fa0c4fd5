//! The tables: every attribute of the Compose Specification.
//!
//! In: nothing. Out: one [`Object`] per mapping of the specification.
//! **Invariant**: fields are sorted by name within each part (a test holds it); lookups rely on it.
//! Not here: how a shape is read.
//! Tests: `tests.rs`.

use super::{Absent, Field, Integer, Keys, Object, Pairs, Shape};

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

pub(crate) static ROOT: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static SERVICE: Object = Object {
    parts: &[CONTAINER, SERVICE_ONLY, WORKLOAD],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null), ("entrypoint", Absent::Null)],
};

pub(crate) static JOB: Object = Object {
    parts: &[CONTAINER, JOB_ONLY, WORKLOAD],
    required: &["triggers"],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null), ("entrypoint", Absent::Null)],
};

pub(crate) static PRE_START: Object = Object {
    parts: &[CONTAINER, PRE_START_ONLY],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null), ("entrypoint", Absent::Null)],
};

pub(crate) static BLKIO: Object = Object {
    parts: &[&[
        ("device_read_bps", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        ("device_read_iops", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        ("device_write_bps", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        ("device_write_iops", Shape::List { of: &Shape::Object(&BLKIO_LIMIT), unique: false }),
        (
            "weight",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: 65535, keep: false, null: false }),
        ),
        ("weight_device", Shape::List { of: &Shape::Object(&BLKIO_WEIGHT), unique: false }),
    ]],
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static BLKIO_LIMIT: Object = Object {
    parts: &[&[("path", Shape::Text), ("rate", Shape::Bytes { number: true, fraction: false, least: i64::MIN })]],
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static BLKIO_WEIGHT: Object = Object {
    parts: &[&[
        ("path", Shape::Text),
        (
            "weight",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: 65535, keep: false, null: false }),
        ),
    ]],
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static CREDENTIAL_SPEC: Object = Object {
    parts: &[&[("config", Shape::Text), ("file", Shape::Text), ("registry", Shape::Text)]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static LOGGING: Object = Object {
    parts: &[&[("driver", Shape::Text), ("options", Shape::Options { null: true })]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static SERVICE_MODEL: Object = Object {
    parts: &[&[("endpoint_var", Shape::Text), ("model_var", Shape::Text)]],
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static SERVICE_NETWORK: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static HEALTHCHECK: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEVELOP: Object = Object {
    parts: &[&[("watch", Shape::List { of: &Shape::Object(&WATCH), unique: false })]],
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static WATCH: Object = Object {
    parts: &[&[
        ("action", Shape::Choice(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
        ("exec", Shape::Object(&HOOK)),
        ("ignore", Shape::TextOrTexts { unique: true }),
        ("include", Shape::TextOrTexts { unique: true }),
        ("initial_sync", Shape::Bool { text: false, keep: false }),
        ("path", Shape::Text),
        ("target", Shape::Text),
    ]],
    required: &["path", "action"],
    extensions: true,
    nullable: false,
    always: &[("exec", Absent::Exec)],
};

pub(crate) static HOOK: Object = Object {
    parts: &[&[
        ("command", Shape::Command),
        ("environment", Shape::Pairs(Pairs::Environment)),
        ("privileged", Shape::Bool { text: true, keep: false }),
        ("user", Shape::Text),
        ("working_dir", Shape::Text),
    ]],
    required: &["command"],
    extensions: true,
    nullable: false,
    always: &[("command", Absent::Null)],
};

pub(crate) static PROVIDER: Object = Object {
    parts: &[&[("options", Shape::MultiOptions), ("type", Shape::Text)]],
    required: &["type"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static EXTENDS: Object = Object {
    parts: &[&[("file", Shape::Text), ("service", Shape::Text)]],
    required: &["service"],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static INCLUDE: Object = Object {
    parts: &[&[
        ("env_file", Shape::TextOrTexts { unique: true }),
        ("path", Shape::TextOrTexts { unique: true }),
        ("project_directory", Shape::Text),
    ]],
    required: &[],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static TRIGGERS: Object = Object {
    parts: &[&[
        ("manual", Shape::Bool { text: true, keep: true }),
        ("schedule", Shape::List { of: &Shape::Schedule, unique: false }),
    ]],
    required: &["manual|schedule"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static SCHEDULE: Object = Object {
    parts: &[&[
        ("concurrency", Shape::Choice(&["forbid", "queue"])),
        ("cron", Shape::Text),
        ("missed_fires", Shape::Choice(&["one", "skip"])),
        ("timezone", Shape::Text),
    ]],
    required: &["cron"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEPLOY: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: true,
    always: &[("resources", Absent::Empty), ("placement", Absent::Empty)],
};

pub(crate) static UPDATE_CONFIG: Object = Object {
    parts: &[&[
        ("delay", Shape::Duration { keep: false }),
        ("failure_action", Shape::Text),
        ("max_failure_ratio", Shape::Float { fraction: true, least: f64::MIN, most: f64::MAX }),
        ("monitor", Shape::Duration { keep: false }),
        ("order", Shape::Choice(&["start-first", "stop-first"])),
        (
            "parallelism",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: i64::MAX, keep: true, null: false }),
        ),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static RESOURCES: Object = Object {
    parts: &[&[("limits", Shape::Object(&LIMITS)), ("reservations", Shape::Object(&RESERVATIONS))]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static LIMITS: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static RESERVATIONS: Object = Object {
    parts: &[&[
        ("cpus", Shape::Float { fraction: true, least: f64::MIN, most: f64::MAX }),
        ("devices", Shape::List { of: &Shape::Object(&DEVICE_REQUEST), unique: false }),
        ("generic_resources", Shape::List { of: &Shape::Object(&GENERIC), unique: false }),
        ("memory", Shape::Bytes { number: false, fraction: false, least: i64::MIN }),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static GENERIC: Object = Object {
    parts: &[&[("discrete_resource_spec", Shape::Object(&DISCRETE))]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DISCRETE: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEVICE_REQUEST: Object = Object {
    parts: &[&[
        ("capabilities", Shape::Texts { unique: true }),
        ("count", Shape::DeviceCount),
        ("device_ids", Shape::Texts { unique: true }),
        ("driver", Shape::Text),
        ("options", Shape::Pairs(Pairs::Values)),
    ]],
    required: &["capabilities"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static GPU: Object = Object {
    parts: &[&[
        ("capabilities", Shape::Texts { unique: true }),
        ("count", Shape::DeviceCount),
        ("device_ids", Shape::Texts { unique: true }),
        ("driver", Shape::Text),
        ("options", Shape::Pairs(Pairs::Values)),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static RESTART_POLICY: Object = Object {
    parts: &[&[
        ("condition", Shape::Text),
        ("delay", Shape::Duration { keep: true }),
        (
            "max_attempts",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: i64::MAX, keep: true, null: false }),
        ),
        ("window", Shape::Duration { keep: true }),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static PLACEMENT: Object = Object {
    parts: &[&[
        ("constraints", Shape::Texts { unique: false }),
        (
            "max_replicas_per_node",
            Shape::Int(&Integer { fraction: false, text: true, least: 0, most: i64::MAX, keep: false, null: false }),
        ),
        ("preferences", Shape::List { of: &Shape::Object(&PREFERENCE), unique: false }),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static PREFERENCE: Object =
    Object { parts: &[&[("spread", Shape::Text)]], required: &[], extensions: true, nullable: false, always: &[] };

pub(crate) static NETWORK: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: true,
    always: &[("ipam", Absent::Empty)],
};

pub(crate) static IPAM: Object = Object {
    parts: &[&[
        ("config", Shape::List { of: &Shape::Object(&IPAM_POOL), unique: false }),
        ("driver", Shape::Text),
        ("options", Shape::Dict(Keys::Any, &Shape::Text)),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static IPAM_POOL: Object = Object {
    parts: &[&[
        ("aux_addresses", Shape::Dict(Keys::Any, &Shape::Text)),
        ("gateway", Shape::Text),
        ("ip_range", Shape::Text),
        ("subnet", Shape::Text),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static VOLUME: Object = Object {
    parts: &[&[
        ("driver", Shape::Text),
        ("driver_opts", Shape::Options { null: false }),
        ("external", Shape::External),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("name", Shape::Text),
    ]],
    required: &[],
    extensions: true,
    nullable: true,
    always: &[],
};

pub(crate) static SECRET: Object = Object {
    parts: &[&[
        ("driver", Shape::Text),
        ("driver_opts", Shape::Options { null: false }),
        ("environment", Shape::Text),
        ("external", Shape::External),
        ("file", Shape::Text),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("name", Shape::Text),
        ("template_driver", Shape::Text),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static CONFIG: Object = Object {
    parts: &[&[
        ("content", Shape::Text),
        ("environment", Shape::Text),
        ("external", Shape::External),
        ("file", Shape::Text),
        ("labels", Shape::Pairs(Pairs::Values)),
        ("name", Shape::Text),
        ("template_driver", Shape::Text),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MODEL: Object = Object {
    parts: &[&[
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
    ]],
    required: &["model"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static EXTERNAL: Object =
    Object { parts: &[&[("name", Shape::Text)]], required: &[], extensions: true, nullable: false, always: &[] };

pub(crate) static BUILD: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static DEPENDENCY: Object = Object {
    parts: &[&[
        ("condition", Shape::Choice(&["service_started", "service_healthy", "service_completed_successfully"])),
        ("required", Shape::Bool { text: true, keep: true }),
        ("restart", Shape::Bool { text: true, keep: false }),
    ]],
    required: &["condition"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static PORT: Object = Object {
    parts: &[&[
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
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT: Object = Object {
    parts: &[&[
        ("bind", Shape::Object(&MOUNT_BIND)),
        ("consistency", Shape::Text),
        ("image", Shape::Object(&MOUNT_IMAGE)),
        ("read_only", Shape::Bool { text: true, keep: false }),
        ("source", Shape::Text),
        ("target", Shape::Text),
        ("tmpfs", Shape::Object(&MOUNT_TMPFS)),
        ("type", Shape::Choice(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
        ("volume", Shape::Object(&MOUNT_VOLUME)),
    ]],
    required: &["type"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_BIND: Object = Object {
    parts: &[&[
        ("create_host_path", Shape::OptOut { text: true }),
        ("propagation", Shape::Text),
        ("recursive", Shape::Choice(&["enabled", "disabled", "writable", "readonly"])),
        ("selinux", Shape::Choice(&["z", "Z"])),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_VOLUME: Object = Object {
    parts: &[&[
        ("labels", Shape::Pairs(Pairs::Values)),
        ("nocopy", Shape::Bool { text: true, keep: false }),
        ("subpath", Shape::Text),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_TMPFS: Object = Object {
    parts: &[&[("mode", Shape::TmpfsMode), ("size", Shape::Bytes { number: true, fraction: false, least: 0 })]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static MOUNT_IMAGE: Object =
    Object { parts: &[&[("subpath", Shape::Text)]], required: &[], extensions: true, nullable: false, always: &[] };

pub(crate) static DEVICE: Object = Object {
    parts: &[&[("permissions", Shape::Text), ("source", Shape::Text), ("target", Shape::Text)]],
    required: &["source"],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static FILE_REFERENCE: Object = Object {
    parts: &[&[
        ("gid", Shape::Text),
        ("mode", Shape::Mode),
        ("source", Shape::Text),
        ("target", Shape::Text),
        ("uid", Shape::Text),
    ]],
    required: &[],
    extensions: true,
    nullable: false,
    always: &[],
};

pub(crate) static ENV_FILE: Object = Object {
    parts: &[&[("format", Shape::Text), ("path", Shape::Text), ("required", Shape::OptOut { text: true })]],
    required: &["path"],
    extensions: false,
    nullable: false,
    always: &[],
};

pub(crate) static ULIMIT: Object = Object {
    parts: &[&[
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
    ]],
    required: &["soft", "hard"],
    extensions: true,
    nullable: false,
    always: &[],
};

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
