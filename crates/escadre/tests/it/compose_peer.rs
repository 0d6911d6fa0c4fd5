//! The same Compose files brought up by docker compose and by Escadre on the same engine, compared field by field.
//!
//! In: `tests/compose/NN-name/`, docker compose below `.peers` (scripts/peers), Podman's socket, the images of the tests (scripts/images test).
//! Out: every field of `inspect` of containers, networks and volumes that differs and is not in `tests/compose/differences.txt`.
//! **Invariant**: an unlisted difference fails; so does a listed one that no file shows any more.
//! Not here: whether what both make is right (the verdicts, and the tests of the driver).
#![expect(clippy::print_stdout, reason = "the table of what was compared is for people")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SOCKET: &str = "/run/podman/podman.sock";
const IMAGE: &str = "localhost/escadre-test/base:v1";
/// Lists whose order means something.
const ORDERED: &[&str] = &["Cmd", "Entrypoint", "Args", "Test"];

/// A line of differences.txt: file or `*`, pattern of a field, reason.
struct Allowed {
    file: String,
    field: String,
    line: usize,
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

fn podman(line: &[&str]) -> String {
    let output = run(Path::new("podman"), line, Path::new("/"), &[]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// One of the two who bring a file up.
struct Side<'a> {
    program: PathBuf,
    project: String,
    /// The label of what it makes.
    label: String,
    ours: bool,
    dir: &'a Path,
    state: &'a str,
}

impl Side<'_> {
    fn call(&self, line: &[&str]) -> Output {
        if self.ours {
            let line = [&["--state", self.state], line].concat();
            return run(&self.program, &line, self.dir, &[("COMPOSE_PROJECT_NAME", &self.project)]);
        }
        let line = [&["-p", &self.project], line].concat();
        let socket = format!("unix://{SOCKET}");
        // The engine has no BuildKit.
        run(&self.program, &line, self.dir, &[("DOCKER_HOST", &socket), ("DOCKER_BUILDKIT", "0")])
    }

    fn up(&self) {
        let done = AtomicBool::new(false);
        let output = std::thread::scope(|scope| {
            // Podman leaves checks to systemd's timers; where none runs, docker compose would wait for ever.
            scope.spawn(|| {
                while !self.ours && !done.load(Ordering::Relaxed) {
                    for id in self.ids(&["ps", "--filter", "health=starting"]) {
                        podman(&["healthcheck", "run", &id]);
                    }
                    std::thread::sleep(Duration::from_millis(500));
                }
            });
            let output = self.call(if self.ours { &["up", "--yes"] } else { &["up", "-d"] });
            done.store(true, Ordering::Relaxed);
            output
        });
        assert!(output.status.success(), "{} up in {}:\n{}", self.project, self.dir.display(), said(&output));
        // docker compose is back before the engine has written everything down.
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let states = podman(&["ps", "-a", "--filter", &self.label, "--format", "{{.State}}"]);
            if states.lines().all(|state| matches!(state, "running" | "exited")) {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn ids(&self, kind: &[&str]) -> Vec<String> {
        let line = [kind, &["-q", "--filter", &self.label]].concat();
        podman(&line).lines().map(str::to_owned).collect()
    }

    fn down(&self) {
        if self.ours {
            self.call(&["down", "--yes"]);
        } else {
            self.call(&["down", "-v", "-t", "1"]);
        }
        // What either leaves: volumes, and containers of a failed run.
        for (list, remove) in [
            (&["ps", "-a"][..], &["rm", "-f", "--depend", "-t", "1", "-v"][..]),
            (&["volume", "ls"], &["volume", "rm", "-f"]),
            (&["network", "ls"], &["network", "rm", "-f"]),
        ] {
            let ids = self.ids(list);
            if !ids.is_empty() {
                podman(&[remove, &ids.iter().map(String::as_str).collect::<Vec<_>>()].concat());
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
            let text = podman(&[inspect, &ids.iter().map(String::as_str).collect::<Vec<_>>()].concat());
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
            add(format!("network {}: ", text(&network, "/name")), &network);
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
            items.iter().for_each(|mount| flatten(mount, &join(&text(mount, "/Destination")), to));
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
            Allowed {
                file: file.unwrap_or_default().to_owned(),
                field: field.unwrap_or_default().to_owned(),
                line: index + 1,
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

#[test]
fn containers_are_those_that_docker_compose_makes() {
    if std::env::var_os("ESCADRE_TEST_PODMAN").is_none() {
        return skip("needs a real engine, set ESCADRE_TEST_PODMAN");
    }
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/bin/docker-compose");
    if !peer.exists() {
        return skip("docker compose is not below .peers (scripts/peers brings it)");
    }
    if !Path::new(SOCKET).exists() {
        return skip("no Podman socket of root here");
    }
    if podman(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).trim().is_empty() {
        return skip("the images of the tests are missing (scripts/images test)");
    }
    let allowed = allowed();
    let only = std::env::var("ESCADRE_TEST_FILE").ok();
    let mut files: Vec<PathBuf> = std::fs::read_dir(root()).expect("files").map(|e| e.expect("entry").path()).collect();
    files.retain(|path| path.is_dir());
    files.sort();
    assert_eq!(files.len(), 10, "ten files are compared");
    let (mut used, mut failures) = (BTreeSet::new(), Vec::new());
    for file in &files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        if only.as_deref().is_some_and(|only| !name.starts_with(only)) {
            continue;
        }
        let scratch = tempfile::tempdir().expect("a folder");
        let (dir, state) = (scratch.path().join("files"), scratch.path().join("state"));
        copy(file, &dir);
        let state = state.display().to_string();
        let side = |ours: bool| {
            let project = format!("escadre-{}-{}", if ours { "ours" } else { "peer" }, &name[..2]);
            let label = format!("label=com.docker.compose.project={project}");
            let program = if ours { PathBuf::from(env!("CARGO_BIN_EXE_escadre")) } else { peer.clone() };
            Side { program, project, label, ours, dir: &dir, state: &state }
        };
        let look = |ours: bool| {
            let side = side(ours);
            side.up();
            side.look()
        };
        let (theirs, ours) = (look(false), look(true));
        run(Path::new(env!("CARGO_BIN_EXE_escadre")), &["--state", &state, "proxy", "stop"], &dir, &[]);
        assert!(!theirs.is_empty() && !ours.is_empty(), "{name}: nothing to compare");
        let (mut listed, before) = (0, failures.len());
        for path in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let (theirs, ours) = (theirs.get(path), ours.get(path));
            if theirs == ours {
                continue;
            }
            let known = allowed
                .iter()
                .find(|line| (line.file == "*" || name.starts_with(&line.file)) && matches(&line.field, path));
            match known {
                Some(line) => {
                    listed += 1;
                    used.insert(line.line);
                }
                None => failures
                    .push(format!("{name}: {path}\n    docker compose  {theirs:?}\n    escadre         {ours:?}")),
            }
        }
        println!("{name}: {} fields, {listed} differ as listed, {} otherwise", theirs.len(), failures.len() - before);
    }
    if only.is_none() {
        for line in allowed.iter().filter(|line| !used.contains(&line.line)) {
            failures.push(format!("differences.txt:{}: {} is listed, and no file shows it", line.line, line.field));
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}
