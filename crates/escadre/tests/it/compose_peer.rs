//! The same Compose files brought up by docker compose and by Escadre on the same engine, compared field by field.
//!
//! In: `tests/compose/NN-name/`, docker compose below `.peers` (scripts/peers), an engine's socket, the images of the tests (scripts/images test).
//! Out: every field of `inspect` of containers, networks and volumes that differs and is not in `tests/compose/differences.txt`.
//! **Invariant**: an unlisted difference fails; so does a listed one that no file shows any more on either engine.
//! The page `docs/reference/compose-engines.md` is made from the same files (`UPDATE=1` writes it).
//! Not here: whether what both make is right (the verdicts, and the tests of the driver).
#![expect(clippy::print_stdout, reason = "the table of what was compared is for people")]

use super::world::Which;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const IMAGE: &str = "localhost/escadre-test/base:v1";
/// Lists whose order means something.
const ORDERED: &[&str] = &["Cmd", "Entrypoint", "Args", "Test"];

/// How many files are compared at a time: both sides wait most of the time.
const ABREAST: usize = 3;

/// A line of differences.txt: engine, file or `*`, pattern of a field, reason.
struct Allowed {
    on: Option<Which>,
    file: String,
    field: String,
    reason: String,
    /// The attribute it is about, if about one.
    attribute: Option<String>,
    line: usize,
    /// Only some runs show it, as its reason says.
    at_times: bool,
}

type Fields = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose")
}

fn skip(reason: &str) {
    crate::world::skip("compose_peer", reason);
}

fn run(program: &Path, line: &[&str], dir: &Path, env: &[(&str, &str)]) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["-k", "5", "120"])
        .arg(program)
        .args(line)
        .current_dir(dir)
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// One of the two who bring a file up.
pub(crate) struct Side<'a> {
    pub(crate) which: Which,
    pub(crate) address: &'a str,
    pub(crate) program: PathBuf,
    pub(crate) project: String,
    /// The label of what it makes.
    pub(crate) label: String,
    pub(crate) ours: bool,
    pub(crate) dir: &'a Path,
    pub(crate) state: &'a str,
}

impl Side<'_> {
    fn call(&self, line: &[&str]) -> Output {
        if self.ours {
            let line = [&["--state", self.state], line].concat();
            let engine = if self.which == Which::Podman { "CONTAINER_HOST" } else { "DOCKER_HOST" };
            return run(
                &self.program,
                &line,
                self.dir,
                &[("COMPOSE_PROJECT_NAME", &self.project), (engine, self.address)],
            );
        }
        let line = [&["-p", &self.project], line].concat();
        // Podman has no BuildKit; Docker builds with what it always had, so that both sides build alike.
        run(&self.program, &line, self.dir, &[("DOCKER_HOST", self.address), ("DOCKER_BUILDKIT", "0")])
    }

    pub(crate) fn up(&self) -> Result<(), String> {
        let done = AtomicBool::new(false);
        let output = std::thread::scope(|scope| {
            // Podman leaves checks to systemd's timers; where none runs, docker compose would wait for ever.
            scope.spawn(|| {
                while !self.ours && self.which == Which::Podman && !done.load(Ordering::Relaxed) {
                    for id in self.ids(&["ps", "--filter", "health=starting"]) {
                        self.which.says(&["healthcheck", "run", &id]);
                    }
                    std::thread::sleep(Duration::from_millis(500));
                }
            });
            let output = self.call(if self.ours { &["up", "--yes"] } else { &["up", "-d"] });
            done.store(true, Ordering::Relaxed);
            output
        });
        if !output.status.success() {
            return Err(format!("{} up in {}:\n{}", self.project, self.dir.display(), said(&output)));
        }
        // docker compose is back before the engine has written everything down.
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let states = self.which.states(&self.label);
            if states.values().all(|state| matches!(state.as_str(), "running" | "exited")) {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn ids(&self, kind: &[&str]) -> Vec<String> {
        let line = [kind, &["-q", "--filter", &self.label]].concat();
        self.which.says(&line).lines().map(str::to_owned).collect()
    }

    fn down(&self) {
        if self.ours {
            self.call(&["down", "--yes"]);
        } else {
            self.call(&["down", "-v", "-t", "1"]);
        }
        // What either leaves: volumes, and containers of a failed run.
        let containers = self.ids(&["ps", "-a"]);
        self.which.remove(&containers.iter().map(String::as_str).collect::<Vec<_>>());
        for kind in ["volume", "network"] {
            let ids = self.ids(&[kind, "ls"]);
            if !ids.is_empty() {
                self.which
                    .says(&[&[kind, "rm", "-f"], &ids.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
            }
        }
    }

    /// Every field of everything it made, under names that both sides share.
    fn look(&self) -> Fields {
        let list = |kind: &[&str], inspect: &[&str]| -> Vec<Value> {
            let ids = self.ids(kind);
            if ids.is_empty() {
                return Vec::new();
            }
            let text = self.which.says(&[inspect, &ids.iter().map(String::as_str).collect::<Vec<_>>()].concat());
            serde_json::from_str(&text).expect("inspect answers JSON")
        };
        let containers = list(&["ps", "-a"], &["inspect", "--type", "container"]);
        let mut words = vec![
            (self.project.clone(), "PROJECT".to_owned()),
            (self.dir.display().to_string(), "FOLDER".to_owned()),
            (self.state.to_owned(), "STATE".to_owned()),
        ];
        for container in &containers {
            let id = text(container, "/Id");
            words.push((id.clone(), format!("<{}>", name_of(container))));
            words.push((id[..12].to_owned(), format!("<{}>", name_of(container))));
        }
        let mut all = Fields::new();
        let mut add = |prefix: String, value: &Value| {
            let mut fields = Fields::new();
            flatten(value, &prefix, &mut fields);
            for (path, value) in fields {
                let plain = |text: String| words.iter().fold(text, |text, (from, to)| text.replace(from, to));
                all.insert(plain(path), plain(value));
            }
        };
        for container in &containers {
            add(format!("container {}: ", name_of(container)), container);
        }
        for network in list(&["network", "ls"], &["network", "inspect"]) {
            let name = text(&network, if self.which == Which::Podman { "/name" } else { "/Name" });
            add(format!("network {name}: "), &network);
        }
        for volume in list(&["volume", "ls"], &["volume", "inspect"]) {
            add(format!("volume {}: ", text(&volume, "/Name")), &volume);
        }
        all
    }
}

impl Drop for Side<'_> {
    fn drop(&mut self) {
        self.down();
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn name_of(container: &Value) -> String {
    let label = |key: &str| text(container, &format!("/Config/Labels/com.docker.compose.{key}"));
    format!("{}.{}", label("service"), label("container-number"))
}

/// Lists of mounts by their place, of variables by their name; other lists as sets, unless their order means something.
fn flatten(value: &Value, path: &str, to: &mut Fields) {
    let join = |key: &str| if path.ends_with(": ") { format!("{path}{key}") } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(value, &join(key), to)),
        Value::Array(items) if path.ends_with("Mounts") => {
            items.iter().for_each(|mount| {
                flatten(
                    mount,
                    &join(&text(mount, if mount.get("Target").is_some() { "/Target" } else { "/Destination" })),
                    to,
                )
            });
        }
        Value::Array(items) if path.ends_with("Config.Env") || path.ends_with("Binds") => {
            for item in items.iter().filter_map(Value::as_str) {
                let (key, value) = if path.ends_with("Env") {
                    item.split_once('=').unwrap_or((item, ""))
                } else {
                    (item.split(':').nth(1).unwrap_or(item), item)
                };
                to.insert(join(key), value.to_owned());
            }
        }
        Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
            if !ORDERED.iter().any(|name| path.ends_with(name)) {
                items.sort();
            }
            // Nothing and an empty list are the same.
            if !items.is_empty() {
                to.insert(path.to_owned(), items.join(" "));
            }
        }
        Value::Null => {}
        other => {
            to.insert(path.to_owned(), other.to_string());
        }
    }
}

/// `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn allowed() -> Vec<Allowed> {
    let text = std::fs::read_to_string(root().join("differences.txt")).expect("the list is there");
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            let mut parts = line.split(" | ").map(str::trim);
            let (file, field, reason) = (parts.next(), parts.next(), parts.next());
            assert!(reason.is_some_and(|reason| reason.len() > 10), "differences.txt:{}: no reason", index + 1);
            let file = file.unwrap_or_default();
            let (on, file) = match file.split_once(':') {
                Some(("podman", file)) => (Some(Which::Podman), file),
                Some(("docker", file)) => (Some(Which::Docker), file),
                _ => (None, file),
            };
            Allowed {
                on,
                file: file.to_owned(),
                field: field.unwrap_or_default().to_owned(),
                reason: reason.unwrap_or_default().trim_start_matches("at times: ").to_owned(),
                attribute: parts.next().map(str::to_owned),
                line: index + 1,
                at_times: reason.is_some_and(|reason| reason.starts_with("at times: ")),
            }
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("an entry");
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file is copied");
        }
    }
}

/// What was found, over all files and engines.
#[derive(Default)]
struct Found {
    used: BTreeSet<usize>,
    failures: Vec<String>,
}

/// CAP_SYS_RESOURCE is there: not so inside of many containers and small virtual machines.
fn may_raise_limits() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap_or_default().trim();
    u64::from_str_radix(bounding, 16).is_ok_and(|set| set >> 24 & 1 == 1)
}

fn missing(which: Which) -> Option<&'static str> {
    if which.says(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).trim().is_empty() {
        return Some("the images of the tests are missing (scripts/images test)");
    }
    None
}

pub(crate) fn peer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/bin/docker-compose")
}

/// Compares what both make of one file.
fn compare(which: Which, address: &str, file: &Path, allowed: &[Allowed], found: &Mutex<Found>) {
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    let scratch = tempfile::tempdir().expect("a folder");
    let (dir, state) = (scratch.path().join("files"), scratch.path().join("state"));
    copy(file, &dir);
    if which == Which::Docker && !may_raise_limits() {
        // Docker's privileged containers want every capability there is.
        let path = dir.join("compose.yaml");
        let text = std::fs::read_to_string(&path).expect("the file is there");
        std::fs::write(&path, text.replace("privileged: true", "privileged: false")).expect("the file is written");
    }
    let state = state.display().to_string();
    let side = |ours: bool| {
        let project = format!("escadre-{}-{}", if ours { "ours" } else { "peer" }, &name[..2]);
        let label = format!("label=com.docker.compose.project={project}");
        let program = if ours { PathBuf::from(env!("CARGO_BIN_EXE_escadre")) } else { peer() };
        Side { which, address, program, project, label, ours, dir: &dir, state: &state }
    };
    let look = |ours: bool| {
        let side = side(ours);
        side.up()?;
        // What is up is at rest: a second look finds nothing that differs.
        let again = if ours { said(&side.call(&["up", "--yes"])) } else { "Nothing to do".to_owned() };
        if again.contains("Nothing to do") { Ok(side.look()) } else { Err(format!("it is not at rest:\n{again}")) }
    };
    let (theirs, ours) = (look(false), look(true));
    run(Path::new(env!("CARGO_BIN_EXE_escadre")), &["--state", &state, "proxy", "stop"], &dir, &[]);
    let mut found = found.lock().expect("unpoisoned");
    let ours = match ours {
        Ok(ours) => ours,
        Err(why) => return found.failures.push(format!("{which:?} {name}: escadre: {why}")),
    };
    let theirs = match theirs {
        Ok(theirs) => theirs,
        // What docker compose cannot do on this engine is a difference like others.
        Err(why) => {
            let known = allowed.iter().find(|line| {
                line.on == Some(which) && name.starts_with(&line.file) && line.field == "docker compose up"
            });
            match known {
                Some(line) => {
                    found.used.insert(line.line);
                    println!("{which:?} {name}: docker compose cannot, as listed");
                }
                None => found.failures.push(format!("{which:?} {name}: docker compose: {why}")),
            }
            return;
        }
    };
    assert!(!theirs.is_empty() && !ours.is_empty(), "{name}: nothing to compare");
    let (mut listed, mut other) = (0, 0);
    for path in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
        let (theirs, ours) = (theirs.get(path), ours.get(path));
        if theirs == ours {
            continue;
        }
        let fits = |line: &&Allowed| {
            line.on.is_none_or(|on| on == which)
                && (line.file == "*" || name.starts_with(&line.file))
                && matches(&line.field, path)
        };
        match allowed.iter().find(fits) {
            Some(line) => {
                listed += 1;
                found.used.insert(line.line);
            }
            None => {
                other += 1;
                found.failures.push(format!(
                    "{which:?} {name}: {path}\n    docker compose  {theirs:?}\n    escadre         {ours:?}"
                ));
            }
        }
    }
    println!("{which:?} {name}: {} fields, {listed} differ as listed, {other} otherwise", theirs.len());
}

#[test]
fn containers_are_those_that_docker_compose_makes() {
    let engines: Vec<(Which, String)> = [Which::Podman, Which::Docker]
        .into_iter()
        .filter_map(|which| Some((which, which.address("compose_peer")?)))
        .filter(|(which, _)| match missing(*which) {
            Some(reason) => {
                skip(&format!("{which:?}: {reason}"));
                false
            }
            None => true,
        })
        .collect();
    if engines.is_empty() {
        return;
    }
    if !peer().exists() {
        return skip("docker compose is not below .peers (scripts/peers brings it)");
    }
    let allowed = allowed();
    let only = std::env::var("ESCADRE_TEST_FILE").ok();
    let mut files: Vec<PathBuf> = std::fs::read_dir(root()).expect("files").map(|e| e.expect("entry").path()).collect();
    files.retain(|path| path.is_dir());
    files.sort();
    assert!(files.len() >= 10, "at least ten files are compared");
    let wanted = |file: &&PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        only.as_deref().is_none_or(|only| name.starts_with(only))
    };
    let found = Mutex::new(Found::default());
    let todo: Vec<_> = engines.iter().flat_map(|on| files.iter().filter(wanted).map(move |file| (on, file))).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..ABREAST {
            scope.spawn(|| {
                while let Some(((which, address), file)) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                    compare(*which, address, file, &allowed, &found);
                }
            });
        }
    });
    let Found { used, mut failures } = found.into_inner().expect("unpoisoned");
    let here = |line: &&Allowed| engines.iter().any(|(which, _)| line.on.is_none_or(|on| on == *which));
    if only.is_none() && engines.len() == 2 {
        for line in allowed.iter().filter(here).filter(|line| !line.at_times && !used.contains(&line.line)) {
            failures.push(format!("differences.txt:{}: {} is listed, and no file shows it", line.line, line.field));
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

/// Attributes that are written in the files compared: attribute → numbers of the files.
fn compared() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let folders = std::fs::read_dir(root()).expect("files").map(|entry| entry.expect("an entry").path());
    for folder in folders.filter(|path| path.is_dir()) {
        let number = folder.file_name().and_then(|name| name.to_str()).expect("a name")[..2].to_owned();
        let line = ["compose", "config", "--format", "json"];
        let said = run(Path::new(env!("CARGO_BIN_EXE_escadre")), &line, &folder, &[]);
        let config: Value = serde_json::from_slice(&said.stdout).expect("JSON");
        let mut note = |attribute: String| {
            found.entry(attribute).or_default().insert(number.clone());
        };
        for service in entries(&config["services"]) {
            for (key, value) in keys(service) {
                note(key.clone());
                match key.as_str() {
                    "deploy" | "build" => keys(value).for_each(|(part, _)| note(format!("{key}.{part}"))),
                    "networks" => entries(value).flat_map(keys).for_each(|(part, _)| note(format!("{key}.{part}"))),
                    _ => {}
                }
            }
        }
        for section in ["networks", "volumes"] {
            let all = entries(&config[section]).flat_map(keys);
            all.for_each(|(key, _)| note(format!("top-level {section}: {key}")));
        }
    }
    found
}

fn entries(section: &Value) -> impl Iterator<Item = &Value> {
    section.as_object().into_iter().flat_map(serde_json::Map::values)
}

/// What is written of something.
fn keys(one: &Value) -> impl Iterator<Item = (&String, &Value)> {
    one.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null())
}

/// Attributes of services, networks and volumes with their verdict, from the table of verdicts.
fn verdicts() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../escadre-model/src/compose/verdicts/table.txt");
    let text = std::fs::read_to_string(path).expect("the table of verdicts");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.split('|').map(str::trim);
        let (Some(path), Some(condition), Some(verdict)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Some(attribute) = attribute(path) else { continue };
        let verdict = match condition.strip_prefix("= ") {
            _ if condition.is_empty() => verdict.to_owned(),
            Some(values) => format!("{verdict} where `{values}`"),
            None if condition == "rootless" => format!("{verdict} without root"),
            None if condition == "single" => format!("{verdict} without a fleet"),
            None => format!("{verdict} where {condition}"),
        };
        found.entry(attribute).or_default().push(verdict);
    }
    found.into_iter().map(|(attribute, all)| (attribute, all.join(", else "))).collect()
}

/// What an attribute of the table is called on the page; deeper ones are not on it.
fn attribute(path: &str) -> Option<String> {
    let flat = |rest: &str| !rest.contains('.');
    if let Some(own) = path.strip_prefix("services.*.") {
        return match own.split_once('.') {
            None => Some(own.to_owned()),
            Some((key @ ("deploy" | "build"), part)) if flat(part) => Some(format!("{key}.{part}")),
            Some(("networks", rest)) => {
                rest.strip_prefix("*.").filter(|part| flat(part)).map(|part| format!("networks.{part}"))
            }
            Some(_) => None,
        };
    }
    let (section, rest) = path.split_once(".*.")?;
    (matches!(section, "networks" | "volumes") && flat(rest)).then(|| format!("top-level {section}: {rest}"))
}

/// The page: what of each attribute was compared on which engine, and what differs.
fn page() -> String {
    let (compared, allowed) = (compared(), allowed());
    let mut page = "# Containers beside docker compose's\n\n\
        Made from the files in `crates/escadre/tests/compose` and the list of differences there: the test `compose_peer` brings every file up with docker compose 2.40 and with Escadre, on Podman and on Docker, and fails on a\n\
        field of `inspect` (containers, networks, volumes) that differs and is not listed.\n\n\
        *As docker compose*: the attribute stands in one of the files and shows no difference of its own. What is refused makes no container; what is not compared is promised by its [verdict](compose.md) alone.\n\n\
        | attribute | verdict | Podman | Docker | in file |\n|---|---|---|---|---|\n"
        .to_owned();
    for (attribute, verdict) in verdicts() {
        let files = compared.get(&attribute);
        let cell = |which: Which| {
            let about = |line: &&Allowed| {
                line.on.is_none_or(|on| on == which) && line.attribute.as_deref() == Some(attribute.as_str())
            };
            let reasons: BTreeSet<&str> = allowed.iter().filter(about).map(|line| line.reason.as_str()).collect();
            match (files, reasons.is_empty()) {
                (None, _) if verdict.starts_with("refused") => "–".to_owned(),
                (None, _) => "not compared".to_owned(),
                (Some(_), true) => "as docker compose".to_owned(),
                (Some(_), false) => reasons.into_iter().collect::<Vec<_>>().join("; "),
            }
        };
        let (podman, docker) = (cell(Which::Podman), cell(Which::Docker));
        let files = files.map(|files| files.iter().cloned().collect::<Vec<_>>().join(" ")).unwrap_or_default();
        page.push_str(&format!("| `{attribute}` | {verdict} | {podman} | {docker} | {files} |\n"));
    }
    page.push_str("\n## Whatever the file says\n\n| engine | field | why |\n|---|---|---|\n");
    for line in allowed.iter().filter(|line| line.attribute.is_none()) {
        let engine = line.on.map_or("both".to_owned(), |on| format!("{on:?}"));
        let field = line.field.replace("container *: ", "").replace(": ", " ");
        page.push_str(&format!("| {engine} | `{field}` | {} |\n", line.reason));
    }
    page
}

#[test]
fn the_page_of_engines_is_what_the_files_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/compose-engines.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/reference/compose-engines.md is not what the files say: UPDATE=1 writes it");
}
