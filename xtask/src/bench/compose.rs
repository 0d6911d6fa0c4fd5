//! The Compose loader measured: one file of a megabyte, and a collection of published projects; beside it the library inside docker compose.
//!
//! In: a file written to a scratch folder; a folder of projects that `ESCADRE_BENCH_COMPOSE` names (each holds a `case.json` with `files`, and `env` and `profiles`
//! where it has them). Out: rows of the table.
//! **Invariant:** each side reads everything in one process that it shares with nobody, begins with the files on disk and ends with the normalised model as JSON.
//! Not here: whether both say the same (`crates/escadre-model/tests/it/random.rs`).
//! Tests: each case checks how many services, or projects, it read.

use super::fleet::put;
use super::measure::{self, timed};
use super::planning::{megabytes, seconds};
use super::table::{Row, Table, Verdict};
use anyhow::{Context, Result, ensure};
use escadre_model::compose::{self, Cache, Files, Options, ReadError, Variables, load, paths};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Services of the large file.
const SERVICES: usize = 1_400;
/// Where the published projects are.
const GIVEN: &str = "ESCADRE_BENCH_COMPOSE";
/// How often each side reads what is measured; the middle counts.
const TIMES: usize = 5;

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReadError(error.to_string())),
        }
    }
}

/// One project to read.
struct Project {
    folder: String,
    /// What both sides are asked: `folder`, `files`, `env`, `profiles`.
    question: Value,
}

impl Project {
    fn new(folder: &Path, mut question: Value) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("find {}", folder.display()))?;
        let folder = folder.to_str().context("a folder's name is no text")?.to_owned();
        question["folder"] = folder.as_str().into();
        Ok(Self { folder, question })
    }

    fn texts(&self, key: &str) -> Vec<&str> {
        self.question[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Reads it with Escadre's loader: its model, also as JSON, or nothing where it is refused.
    fn read(&self, cache: &Cache) -> Result<Option<(String, compose::Project)>> {
        let files = self.texts("files").iter().map(|file| paths::join(&self.folder, file)).collect();
        let mut options = Options::new(self.folder.clone(), files);
        options.profiles = self.texts("profiles").iter().map(|&profile| profile.to_owned()).collect();
        let env = self.question["env"].as_object();
        let env: Variables = env
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        options.environment = env;
        options.use_dot_env = true;
        let (project, _) = load(&options, &Disk, cache);
        let Some(project) = project else { return Ok(None) };
        let text = serde_json::to_string(&project).context("write a model")?;
        Ok(Some((text, project)))
    }
}

/// The file of a megabyte: one anchor, and services that differ in little.
fn large() -> String {
    let mut text = "x-common: &common\n  image: registry.example.org/desk/all:4.2.0\n  restart: unless-stopped\n  networks: [front, back]\n  logging: { driver: json-file, options: { max-size: 10m } }\n  deploy: { resources: { limits: { cpus: \"0.5\", memory: 256M } } }\nservices:\n".to_owned();
    for index in 0..SERVICES {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  service-{index:04}:\n    <<: *common\n    command: [serve, --name, service-{index:04}, --listen, \"0.0.0.0:8080\", --data, /var/lib/data]\n    environment:\n      ROLE: role-{index:04}\n      DOMAIN: ${{DOMAIN:-example.org}}\n      SEATS: ${{SEATS:-50}}\n      MAIL_FROM: no-reply@${{DOMAIN:-example.org}}\n      DATABASE_URL: postgres://desk@database-{index:04}.example.org:5432/desk?application_name=service-{index:04}\n      LOG_LEVEL: ${{LOG_LEVEL:-info}}\n    expose: [\"8080\"]\n    volumes: [\"data:/var/lib/data\"]\n    labels:\n      org.example.team: team-{:02}\n      org.example.about: A service that stands beside many others of its kind\n    healthcheck:\n      test: [CMD, /check, \"http://127.0.0.1:8080/healthz\"]\n      interval: 5s\n      timeout: 2s\n      retries: 3\n",
            index % 40,
        );
    }
    text.push_str("networks: { front: {}, back: {} }\nvolumes: { data: {} }\n");
    text
}

/// All projects below a folder, in the order of their names.
fn given(folder: &Path) -> Result<Vec<Project>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let case = folder.join("case.json");
        if case.exists() {
            let text = fs::read_to_string(&case).with_context(|| format!("read {}", case.display()))?;
            let case: Value = serde_json::from_str(&text).with_context(|| format!("read {}", case.display()))?;
            found.push(Project::new(&folder, case)?);
            continue;
        }
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    ensure!(!found.is_empty(), "there is no project below {}", folder.display());
    Ok(found)
}

/// The cases, by their words.
pub(crate) fn case(words: &[&str]) -> Result<Option<Value>> {
    match words {
        ["compose", folder] => {
            let project = Project::new(Path::new(folder), json!({ "files": ["compose.yaml"] }))?;
            let cpu = measure::cpu_seconds()?;
            // As the verb, which ends its process without giving the memory back.
            let cache = Cache::new();
            let (read, wall) = timed(|| project.read(&cache));
            let cpu = measure::cpu_seconds()? - cpu;
            let (_, model) = read?.context("the large file was refused")?;
            let services = model.services().count();
            Ok(Some(json!({
                "wall": wall.as_secs_f64(), "cpu": cpu, "peak": measure::peak_bytes()?, "services": services,
            })))
        }
        ["compose-given", folder] => {
            let mut took = Took::default();
            for project in given(Path::new(folder))? {
                let (read, wall) = timed(|| project.read(&Cache::new()));
                took.add(&project.folder, wall, read?.is_some());
            }
            Ok(Some(took.answer()))
        }
        _ => Ok(None),
    }
}

/// What a collection took.
#[derive(Default)]
struct Took {
    total: Duration,
    slowest: Duration,
    name: String,
    read: usize,
    refused: usize,
}

impl Took {
    fn add(&mut self, folder: &str, wall: Duration, read: bool) {
        self.total += wall;
        if wall > self.slowest {
            self.slowest = wall;
            folder.rsplit('/').next().unwrap_or(folder).clone_into(&mut self.name);
        }
        *(if read { &mut self.read } else { &mut self.refused }) += 1;
    }

    fn answer(&self) -> Value {
        json!({
            "total": self.total.as_secs_f64(), "slowest": self.slowest.as_secs_f64(), "name": self.name,
            "read": self.read, "refused": self.refused,
        })
    }
}

/// The library inside docker compose, as a process that answers.
struct Reference {
    child: Child,
}

impl Reference {
    fn start(program: &Path) -> Result<Self> {
        let child = Command::new(program)
            .env_clear()
            .env("HOME", "/nonexistent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self { child })
    }

    /// Asks everything, one after the other; each answer is timed from the question to its last byte.
    fn ask<'a>(&mut self, projects: impl IntoIterator<Item = &'a Project>) -> Result<Vec<(&'a str, Duration, bool)>> {
        let to = self.child.stdin.as_mut().context("the reference has no input")?;
        let mut from = BufReader::new(self.child.stdout.as_mut().context("the reference has no output")?);
        let mut answers = Vec::new();
        for project in projects {
            let mut line = String::new();
            let (done, wall) = timed(|| -> std::io::Result<usize> {
                writeln!(to, "{}", project.question)?;
                from.read_line(&mut line)
            });
            ensure!(done.context("ask the reference")? > 0, "the reference has ended");
            answers.push((project.folder.as_str(), wall, line.starts_with("{\"model\"")));
        }
        Ok(answers)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All rows about the loader.
pub(crate) fn rows(table: &mut Table, scratch: &Path, peers: &Path) -> Result<()> {
    let reference = peers.join("reference-config");
    let reference = reference.exists().then_some(reference);
    one_file(table, scratch, reference.as_deref())?;
    collection(table, reference.as_deref())
}

fn one_file(table: &mut Table, scratch: &Path, reference: Option<&Path>) -> Result<()> {
    let folder = scratch.join("large");
    let text = large();
    put(&folder.join("compose.yaml"), &text)?;
    let shown = folder.display().to_string();
    let project = Project::new(&folder, json!({ "files": ["compose.yaml"] }))?;
    let (mut walls, mut cpus, mut peaks, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let answer = measure::case(&["compose", &shown])?;
        ensure!(answer["services"] == SERVICES, "not all services were read: {answer}");
        walls.push(measure::number(&answer, "wall")?);
        cpus.push(measure::number(&answer, "cpu")?);
        peaks.push(measure::number(&answer, "peak")?);
        if let Some(program) = reference {
            let answer = Reference::start(program)?.ask([&project])?;
            let (_, wall, read) = answer.first().context("no answer")?;
            ensure!(read, "the reference refuses the large file");
            theirs.push(wall.as_secs_f64());
        }
    }
    let (wall, peak) = (measure::median(&walls), measure::median(&peaks));
    table.add(
        Row::new(
            format!(
                "**a Compose file of {:.2} MB, {SERVICES} services that share one anchor**",
                text.len() as f64 / 1e6
            ),
            seconds(wall),
        )
        .beside(format!("processor {}", seconds(measure::median(&cpus))))
        .target("≤ 60 ms", Verdict::of(wall <= 0.060)),
    );
    table.add(Row::new("its memory, the whole process", megabytes(peak)).target("≤ 60 MB", Verdict::of(peak <= 60e6)));
    let what = "the same file by the library inside docker compose (compose-go 2)";
    table.add(match reference {
        Some(_) => {
            let theirs = measure::median(&theirs);
            Row::new(what, seconds(theirs)).beside(format!("{:.1}× of ours", theirs / wall))
        }
        None => Row::missing(what, "no Go here to build it"),
    });
    Ok(())
}

fn collection(table: &mut Table, reference: Option<&Path>) -> Result<()> {
    let what = "published projects, each read once, in one process";
    let Some(folder) = std::env::var_os(GIVEN).map(PathBuf::from) else {
        table.add(Row::missing(what, format!("{GIVEN} names no folder of them")));
        return Ok(());
    };
    let projects = given(&folder)?;
    let mut middle = Vec::new();
    for _ in 0..TIMES {
        let answer = measure::case(&["compose-given", &folder.display().to_string()])?;
        middle.push((measure::number(&answer, "total")?, answer));
    }
    let ours = middle_of(middle)?;
    let total = measure::number(&ours, "total")?;
    let counted = |answer: &Value| {
        format!(
            "slowest {} (`{}`); {} read, {} refused",
            seconds(answer["slowest"].as_f64().unwrap_or(f64::NAN)),
            answer["name"].as_str().unwrap_or_default(),
            answer["read"],
            answer["refused"]
        )
    };
    table.add(Row::new(format!("{} {what}", projects.len()), seconds(total)).beside(counted(&ours)));
    let what = "the same by the library inside docker compose (compose-go 2)";
    let Some(program) = reference else {
        table.add(Row::missing(what, "no Go here to build it"));
        return Ok(());
    };
    let mut middle = Vec::new();
    for _ in 0..TIMES {
        let mut took = Took::default();
        for (folder, wall, read) in Reference::start(program)?.ask(&projects)? {
            took.add(folder, wall, read);
        }
        middle.push((took.total.as_secs_f64(), took.answer()));
    }
    let theirs = middle_of(middle)?;
    let wall = measure::number(&theirs, "total")?;
    table.add(Row::new(what, seconds(wall)).beside(format!("{:.1}× of ours; {}", wall / total, counted(&theirs))));
    Ok(())
}

/// The answer whose total is the middle one.
fn middle_of(mut answers: Vec<(f64, Value)>) -> Result<Value> {
    answers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = answers.len() / 2;
    answers.into_iter().nth(at).map(|(_, answer)| answer).context("nothing was measured")
}
