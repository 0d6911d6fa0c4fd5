//! Words that make sense at a place.
//!
//! In: a path of the schema, as steps. Out: words of which each alone is accepted there.
//! **Invariant**: the first lists are accepted wherever they are asked for; `odd` ones may be refused or mean something else.
//! Not here: what may stand together (make).

/// Names of services, in the order in which they may refer to one another: to later ones only.
pub(crate) const SERVICES: &[&str] = &["web", "db", "my_job", "a.b"];
pub(crate) const NETWORKS: &[&str] = &["front", "back", "default"];
pub(crate) const VOLUMES: &[&str] = &["data", "cache"];
pub(crate) const CONFIGS: &[&str] = &["conf", "motd"];
pub(crate) const SECRETS: &[&str] = &["key", "token"];
pub(crate) const MODELS: &[&str] = &["llm", "small"];

#[rustfmt::skip]
const ANY: &[&str] = &[
    "x", "alpha", "a b", "yes", "1", "0x10", "true", "~", "null", "a=b", "a: b", "é", "1.5", "a,b", "-", "on", "x#y", "x #y", "[a]", "{b}", "it's",
    "say \"x\"", "back\\slash", "two\nlines", " lead", "trail ", "tab\there", "@x", "`x`", "%x", "!x", "&x", "*x", "?", "|", ">", "2001-12-14", "12:30:45",
];

/// Texts.
#[rustfmt::skip]
pub(crate) fn good(path: &[&str]) -> &'static [&'static str] {
    match path {
        [.., "ports", "[]"] => &["8080:80", "127.0.0.1:8001:8001/udp", "80", "9000-9001", "[::1]:6000:7000", "0.0.0.0::90", "7000-7009:81", ":81", "1:2/sctp", "22:22/tcp", "3000-3002:4000-4002", "6060:6060/udp"],
        [.., "ports", "[]", "published"] => &["8080", "9000-9005", "0", "00443"],
        [.., "ports", "[]", "target"] => &["80", "443"],
        [.., "ports", "[]", "host_ip"] => &["127.0.0.1", "::1", "0.0.0.0"],
        [.., "ports", "[]", "protocol"] => &["tcp", "udp"],
        [.., "ports", "[]", "mode"] => &["host", "ingress"],
        [.., "expose", "[]"] => &["80", "3000", "8000-8010/udp", "53/udp"],
        [.., "volumes", "[]"] => &["data:/d", "./src:/s:ro", "/abs:/a:rw,z", "cache:/c:nocopy", "/anon", "~/h:/h", "../u:/u:rslave", "data:/d2:ro,volume-nocopy", ".:/dot", "C:\\x:/w", "./x:/s", "data:/d/", "data:/d:bogus", "./src:/s:cached", "/e/../f:/g/./h//i", "~:/home"],
        [.., "volumes", "[]", "target"] => &["/t", "/t/u/", "/a/../b", "t"],
        [.., "volumes", "[]", "source"] => &["./x", "/abs/y", "~/z", "..", "C:\\y"],
        [.., "tmpfs"] | [.., "tmpfs", "[]"] => &["/run", "/tmp:size=64m", "/x:mode=755,uid=1", "/a=b"],
        [.., "devices", "[]"] if !path.contains(&"deploy") => &["/dev/a", "/dev/a:/dev/b", "/dev/a:/dev/b:rw", "/dev/c:/dev/c:r", "vendor.com/class=x"],
        [.., "devices", "[]", "source" | "target"] => &["/dev/a", "/dev/b", "/dev/c"],
        [.., "permissions"] => &["r", "rw", "rwm"],
        [.., "image"] => &["nginx", "registry.example:5000/a/b:1.2", "x@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "Alpine:latest"],
        [.., "extra_hosts"] | [.., "extra_hosts", "[]"] => &["a:1.2.3.4", "b=1.2.3.5", "c=[::1]", "d:::1", "a=host-gateway", "e=::2", "f=1.1.1.1,2.2.2.2"],
        [.., "extra_hosts", "*"] | [.., "extra_hosts", "*", "[]"] => &["1.2.3.4", "::1", "[::2]", "host-gateway"],
        [.., "cap_add" | "cap_drop", "[]"] => &["ALL", "NET_ADMIN", "SYS_TIME", "CAP_CHOWN"],
        [.., "profiles", "[]"] => &["one", "two", "3"],
        [.., "dns"] | [.., "dns", "[]"] => &["1.1.1.1", "8.8.8.8", "2606:4700::1111"],
        [.., "dns_opt", "[]"] => &["ndots:2", "use-vc", "timeout:1"],
        [.., "external_links", "[]"] => &["other", "other:alias"],
        [.., "label_file"] | [.., "label_file", "[]"] => &["a.env", "./b.env", "sub/c.env"],
        [.., "env_file"] | [.., "env_file", "[]"] | [.., "env_file", "[]", "path"] => &["a.env", "./b.env", "sub/c.env", "sub/../a.env"],
        [.., "platform"] | [.., "platforms", "[]"] => &["linux/amd64", "linux/arm64", "linux/arm/v7"],
        [.., "pull_policy"] => &["always", "if_not_present", "missing", "never", "build", "refresh", "every_12h", "daily", "weekly", "every_1w2d"],
        [.., "container_name"] => &["box", "my.box", "Box_1"],
        ["services", _, "restart"] => &["no", "always", "on-failure:3", "unless-stopped", "on-failure"],
        [.., "restart_policy", "condition"] => &["none", "on-failure", "any"],
        [.., "failure_action"] => &["pause", "continue", "rollback"],
        [.., "deploy", "mode"] => &["replicated", "global", "replicated-job"],
        [.., "endpoint_mode"] => &["vip", "dnsrr"],
        [.., "isolation"] => &["default", "hyperv"],
        [.., "ipc" | "uts"] => &["host", "private", "shareable", "container:abc"],
        [.., "pid" | "userns_mode"] => &["host", "keep-id"],
        [.., "network_mode"] => &["host", "none", "bridge", "container:abc"],
        [.., "network"] => &["host", "none", "front"],
        [.., "subnet" | "ip_range"] => &["10.0.0.0/24", "fd00::/64", "10.1.0.0/16"],
        [.., "gateway" | "ipv4_address"] | [.., "aux_addresses", "*"] => &["10.0.0.1", "10.0.0.9"],
        [.., "ipv6_address"] | [.., "link_local_ips", "[]"] => &["fd00::2", "fe80::3"],
        [.., "mac_address"] => &["02:42:ac:11:65:43", "02-42-AC-11-65-43"],
        [.., "driver"] => &["local", "bridge", "x_1"],
        [.., "cron"] | [.., "schedule", "[]"] => &["0 3 * * *", "*/5 * * * *", "@daily"],
        [.., "timezone"] => &["Europe/Paris", "UTC"],
        [.., "dockerfile"] => &["Dockerfile", "sub/D.x", "../D", "/abs/Dockerfile"],
        [.., "dockerfile_inline"] => &["FROM x\nRUN a && b\n", "FROM $${y}"],
        [.., "build" | "context"] => &[".", "./dir", "https://x.example/y.git#main", "../up", "git@h.example:a/b.git", "~/ctx", "docker-image://x", "/abs/", "dir/../other"],
        [.., "additional_contexts", "*"] => &["./ctx", "docker-image://alpine", "/abs", "https://x.example/y.git"],
        [.., "additional_contexts", "[]"] => &["a=./ctx", "b=docker-image://alpine", "c=/abs"],
        [.., "ssh", "[]"] => &["default", "key=./id", "abs=/id"],
        [.., "ssh", "*"] => &["./id", "/id", "~/id"],
        [.., "tags", "[]"] => &["a:1", "reg.example/b:2", "a=b"],
        [.., "cache_from" | "cache_to", "[]"] => &["type=gha", "user/app:cache"],
        [.., "provenance" | "sbom"] => &["mode=max", "true", "generator=x"],
        [.., "command" | "entrypoint"] => &["echo hi", "sh -c \"a && b\"", "a 'b c' d", "exec top -b", "x\\ y z", "a  b", "--flag=\"q r\"", "sh -c 'echo $$HOME'"],
        [.., "command" | "entrypoint", "[]"] => &["echo", "-c", "a b", "", "$$x", "x=y"],
        [.., "test"] => &["curl -f http://x/ || exit 1", "true", "a \"b c\""],
        [.., "interval" | "timeout" | "start_period" | "start_interval" | "stop_grace_period" | "delay" | "window" | "monitor"] => &["10s", "1m30s", "0s", "1h", "500ms", "1.5s", "2d", "1w", "0", "100us", "1h0m5s", "90s", "36h"],
        [.., "cpus"] => &["0.5", "1", "0.123456789", "2.50", "1e1"],
        [.., "mem_limit" | "memswap_limit" | "mem_reservation" | "shm_size" | "memory" | "size" | "rate" | "mem_swappiness"] => &["64m", "1g", "512M", "1.5G", "100", "2kb", "1 gb", "1GiB", "-1", "10MiB", "0", "7B", "3e2"],
        [.., "mode"] => &["0440", "777", "0", "0777"],
        [.., "count"] => &["all", "2", "ALL"],
        [.., "external"] => &["true", "yes", "True"],
        [.., "healthcheck", "retries"] | [.., "parallelism" | "max_attempts" | "max_replicas_per_node" | "replicas" | "scale" | "pids" | "pids_limit" | "cpu_count"] => &["3", "0", "12"],
        [.., "max_failure_ratio"] => &["0.3", "1", "0"],
        [.., "oom_score_adj"] => &["-500", "0", "1000"],
        [.., "umask"] => &["022", "18", "0o77", "0"],
        [.., "cpu_percent"] => &["50", "0", "100"],
        [.., "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime" | "cpu_shares"] => &["1000", "0", "-1"],
        [.., "ulimits", _] | [.., "soft" | "hard"] => &["1024", "-1", "65535"],
        [.., "weight"] => &["10", "500"],
        [.., "value"] => &["2", "0"],
        [.., "init" | "privileged" | "read_only" | "attach" | "stdin_open" | "tty" | "oom_kill_disable" | "internal" | "attachable" | "enable_ipv4" | "enable_ipv6" | "nocopy" | "no_cache" | "pull" | "disable" | "manual" | "per_replica" | "use_service_name_alias" | "create_host_path"]
        | [.., "depends_on", _, "restart" | "required"] | [.., "env_file", "[]", "required"] => &["true", "false", "yes", "off", "True", "n"],
        [.., "stop_signal"] => &["SIGTERM", "9", "INT"],
        [.., "user"] => &["1000", "root", "1000:1000", "a:b"],
        [.., "uid" | "gid"] => &["103", "0"],
        [.., "group_add", "[]"] => &["wheel", "44", "0"],
        [.., "security_opt", "[]"] => &["no-new-privileges:true", "label=disable", "seccomp=unconfined"],
        [.., "sysctls", "[]"] => &["net.core.somaxconn=1024", "net.ipv4.ip_forward=0", "kernel.x="],
        [.., "propagation"] => &["rslave", "shared", "private"],
        [.., "format"] => &[""],
        [.., "working_dir"] | [.., "watch", "[]", "target"] => &["/app", "/a/../b", "rel"],
        [.., "watch", "[]", "path"] => &["./src", "/abs/src", "."],
        [.., "secrets" | "configs", "[]", "target"] => &["/etc/c", "name", "/run/secrets/other"],
        [.., "file"] => &["./f.txt", "/abs/f", "~/f", "../f", "C:\\f"],
        [.., "secrets" | "configs", _, "environment"] => &["TAG", "UNSET", "PORT"],
        ["name"] => &["proj", "p-1", "My.Proj", "_x"],
        ["version"] => &["3.8", "2"],
        [.., "networks" | "volumes" | "secrets" | "configs", _, "name"] => &["n1", "My_Net", "x-y.z"],
        [.., "environment" | "args" | "labels" | "annotations", "[]"] => &["A=1", "B=x=y", "LONG_NAME= y ", "C=", "k.dot=z", "A=2", "EMPTY_ONE=\"\"", "Q='x'", "J={\"a\": [1, 2]}", "M=a\nb"],
        [.., "options", "[]"] => &["A=1", "B=x=y"],
        _ => ANY,
    }
}

/// Texts that are refused, or mean something else.
#[rustfmt::skip]
pub(crate) fn odd(path: &[&str]) -> &'static [&'static str] {
    match path {
        [.., "ports", "[]"] => &["8081:80/TCP", "a:80", "80:b", "70000:1", "::1:80:81", "3000-3005:80", "", "1:2:3:4", "80/", "80-79", "1.2.3.4.5:1:2", "host:1:2", "65536", "8000-8002:9000-9001", "[::1]:80", "0"],
        [.., "ports", "[]", "published"] => &["x", "80-70", "70000", ""],
        [.., "volumes", "[]"] => &["a/b:/c", "", ":", "a:", ":/b", "data:/x:ro:more", "nowhere:/n", "data:rel", "\\\\.\\pipe\\a:\\\\.\\pipe\\b", "d:\\a:b", "é:/x", "ab", "data:/d:ro,rw,nocopy,Z"],
        [.., "extra_hosts"] | [.., "extra_hosts", "[]"] => &["a", "a=", "=1.2.3.4", "a:b:c", "a b=1.1.1.1", "x=[1.1.1.1]"],
        [.., "interval" | "timeout" | "start_period" | "start_interval" | "stop_grace_period" | "delay" | "window" | "monitor"] => &["10", "-5s", "1y", "1 s", "", "5 minutes", "1e3s", ".5s", "1.s", "99999999999h", "1m 30s", "+3s", "1d12h", "10S", "1µs"],
        [.., "mem_limit" | "memswap_limit" | "mem_reservation" | "shm_size" | "memory" | "size" | "rate" | "mem_swappiness"] => &["1x", "", "-1m", "99999999999999999999", "9999999P", "1.5.5g", "m", "1 m b", "1_000", "1Gi", "1__0", "1_", "0x10", "+1", "1,5g", "1e400", "NaN"],
        [.., "cpus" | "max_failure_ratio"] => &["x", "", "-1", "1,5", "NaN", "inf", "1e400", "0x1p3", "1_0"],
        [.., "command" | "entrypoint"] => &["a 'b", "a | b", "a; b", "a > f", "$(x)", "a \"b", "a\\", "`x`", "", "a && b", "(x)", "a # b"],
        [.., "init" | "privileged" | "read_only" | "tty"] => &["1", "TRUE ", "", "maybe", "T", "t"],
        [.., "healthcheck", "retries"] | [.., "replicas" | "scale" | "pids_limit" | "oom_score_adj" | "umask" | "weight"] | [.., "soft" | "hard"] => &["x", "", "1.5", "-3", "1_000", "0x10", "010", "99999999999999999999", "+4", " 5", "08"],
        [.., "mode"] => &["x", "9", "", "0o644", "0x1ff", "99999999999", "-1"],
        [.., "count"] => &["x", "", "1.5", "-1"],
        [.., "pull_policy"] => &["", "Always", "every_", "every_5x", "every_h"],
        [.., "container_name"] => &["", "a", "-", "a b", "é"],
        [.., "host_ip"] => &["", "x", "1.2.3", "[::1]"],
        [.., "build" | "context"] => &["", "service:db", "~"],
        [.., "ssh", "[]"] => &["other", "default=", "="],
        [.., "additional_contexts", "[]"] => &["alone", "=x"],
        [.., "env_file"] | [.., "env_file", "[]"] | [.., "env_file", "[]", "path"] => &["gone.env", "", "bad.env", "."],
        [.., "format"] => &["raw", "RAW", "x"],
        [.., "image"] => &["", "UPPER", "a b", "x@sha256:1"],
        ["name"] => &["", "é", "-", "___", "${UNSET}", "1"],
        [.., "environment" | "args" | "labels" | "annotations", "[]"] => &["TAG", "UNSET", "=x", "", "A =1", " A=1", "TAG=", "A B=1"],
        _ => &["", "$$x", "$", "${", "${X", "$1", "${1}", "$$$$", "${TAG", "$}", "a$", "${TAG:}", "${TAG?}", "${-x}", "\u{1}", "0", "false", "é\u{301}", "🦀"],
    }
}

/// Numbers, as they are written.
#[rustfmt::skip]
pub(crate) fn numbers(path: &[&str]) -> &'static [&'static str] {
    match path {
        [.., "ports", "[]"] => &["80", "443", "8080"],
        [.., "target"] => &["80", "0x50"],
        [.., "published"] => &["8080", "0"],
        [.., "cpu_percent"] => &["0", "50", "100"],
        [.., "oom_score_adj"] => &["0", "-1000", "999"],
        [.., "umask"] => &["022", "0o77", "0", "18"],
        [.., "mode"] => &["0440", "0o440", "288", "0x1FF", "0"],
        [.., "expose", "[]"] => &["80", "443"],
        [.., "weight"] => &["10", "0", "1000"],
        [.., "count" | "scale" | "replicas" | "retries" | "parallelism" | "max_attempts" | "max_replicas_per_node"] => &["0", "1", "3"],
        _ => &["0", "1", "100", "1024", "7", "1_000"],
    }
}

/// Numbers with a fraction, and whole ones that are written as such.
pub(crate) const FRACTIONS: &[&str] = &["1.5", "2.0", "0.25", "1.50", ".5", "1e3", "1.", "0.1", "0.0"];

/// What no schema asks for.
#[rustfmt::skip]
pub(crate) const WILD: &[&str] = &[
    "null", "~", "true", "False", "no", "0", "-1", "010", "0o17", "0x1F", "1_000", "0b11", "99999999999999999999", "9223372036854775808", "1.5", "1e3", ".5", "1e999", ".inf",
    "-.inf", ".nan", "[]", "{}", "[null]", "{a: null}", "\"\"", "x", "[x, x]", "{x: 1}", "[[x]]", "[{}]", "2001-12-14", "12:30", "!!str 5", "!!int \"5\"", "!!float 3", "!!null x", "!own x",
    "[1, 2]", "[true]", "!!binary aGk=", "+5", "0o8", "08", "1__0", "0x", "-0", "+.inf", "yes", "Null", "NULL", "nULL", "y", "=", "<<",
];

/// Pieces of which texts of a kind are made.
#[rustfmt::skip]
fn pieces(path: &[&str]) -> &'static [&'static str] {
    match path {
        [.., "ports", "[]"] => &["80", ":", "-", "/", "tcp", "udp", "127.0.0.1", "[::1]", "8000", "9", " ", "0", "::"],
        [.., "volumes", "[]"] => &["data", ":", "/", "a", ".", "~", "ro", ",", "rw", "z", "C", "\\", "nocopy", "..", " ", "rshared"],
        [.., "interval" | "timeout" | "start_period" | "start_interval" | "stop_grace_period" | "delay" | "window" | "monitor"] => &["1", "0", "5", ".", "s", "m", "h", "ms", "us", "ns", "d", "w", "-", "+", " ", "µs"],
        [.., "mem_limit" | "memswap_limit" | "mem_reservation" | "shm_size" | "memory" | "size" | "rate" | "mem_swappiness"] => &["1", "0", "5", ".", "k", "m", "g", "b", "i", "B", "K", " ", "-", "e", "_", "t", "P"],
        [.., "command" | "entrypoint"] => &["a", " ", "\"", "'", "\\", "$$", "(", ")", "`", "|", "&", ";", ">", "<", "\n", "\t", "#", "=", "$$(", "b"],
        [.., "extra_hosts"] | [.., "extra_hosts", "[]"] => &["a", "=", ":", "1.2.3.4", "[", "]", "::1", ",", " ", "b"],
        [.., "cpus" | "max_failure_ratio"] => &["1", "0", ".", "e", "-", "+", "_", "5", "x", "p"],
        [.., "restart" | "mode" | "umask" | "retries" | "replicas" | "scale" | "soft" | "hard" | "weight" | "pids_limit" | "count"] => &["0", "7", "1", "x", "o", "_", "-", "+", " ", "b", "8"],
        _ => &["${", "}", "$", "$$", "{", "TAG", "UNSET", "EMPTY", "DOLLAR", ":-", "-", ":?", "?", ":+", "+", ":", "x", " ", "\n", "_", "1", "${TAG", "${UNSET:-", "é"],
    }
}

/// A text of such pieces.
pub(crate) fn soup(path: &[&str], chance: &mut super::chance::Chance) -> String {
    let pieces = pieces(path);
    (0..=chance.below(7)).map(|_| chance.of(pieces)).collect()
}

/// A word of the letters that numbers are made of.
pub(crate) fn number_soup(chance: &mut super::chance::Chance) -> String {
    let pieces = ["0", "1", "7", "9", ".", "e", "E", "+", "-", "_", "x", "o", "b", "f", ":", "inf", "nan"];
    let word: String = (0..=chance.below(5)).map(|_| chance.of(&pieces)).collect();
    // What ends with a colon is a key, and a dash alone begins a list.
    if word.ends_with(':') || word.starts_with('-') && word.len() < 2 { "0".to_owned() } else { word }
}

/// A line for an environment file.
#[rustfmt::skip]
pub(crate) fn line_soup(chance: &mut super::chance::Chance) -> String {
    let pieces = ["A", "B", "=", "=", "\"", "'", "$", "${", "}", "TAG", ":-", " ", "#", "\\", "n", "\\n", "export ", ":", "\t", "x", "1", "é", "`", ".", "-", "\\$", "$$", "UNSET"];
    format!("{}{}", chance.of(&["A=", "B=", "export C=", "", "D: "]), (0..=chance.below(8)).map(|_| chance.of(&pieces)).collect::<String>())
}
