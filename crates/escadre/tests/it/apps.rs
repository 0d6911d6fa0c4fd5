//! Applications that people run: up, changed, updated, taken back, down without leftovers, beside docker compose on the same engine.
//!
//! In: `tests/apps/*.yaml`, Compose files as their authors wrote them; a stand-in for every image and every context that is built. Out: what runs after each step.
//! **Invariant**: no image is pulled, no port and no path of this host is used but free ones and the test's own; the stand-in's names are ours alone.
//! Not here: what each container looks like (`compose_peer`).
#![expect(clippy::print_stdout, reason = "which application took how long is for people")]

use super::compose_peer::{Side, peer};
use super::world::{Which, World, port, skip, world_on};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How many applications live at a time: they wait most of the time.
const ABREAST: usize = 3;
const STAND_IN: &str = "localhost/escadre-test/stand-in";
/// What a stand-in is made of, beside the image of the tests: it listens where such programs do, ends when told to, and is healthy.
const FILES: &[(&str, &str)] = &[
    (
        "stand-in",
        "#!/bin/sh\necho \"stand-in $TAG for: $*\"\nfor port in $PORTS; do httpd -f -p $port -h /srv & done\n\
         trap 'kill $(jobs -p); exit 0' TERM INT\nwait\n",
    ),
    ("ok", "#!/bin/sh\nexit 0\n"),
    ("passwd", "root:x:0:0:root:/:/bin/sh\npostgres:x:70:70:postgres:/:/bin/sh\n"),
    (
        "Dockerfile",
        "ARG TAG\nFROM localhost/escadre-test/base:${TAG}\nCOPY passwd /etc/passwd\nCOPY stand-in /bin/stand-in\nCOPY ok /bin/curl\nCOPY ok /bin/mysqladmin\n\
         COPY ok /bin/pg_isready\nCOPY ok /opt/mssql-tools/bin/sqlcmd\nENV PORTS=\"53 80 443 3000 3306 4200 5000 5044 5054 5432 5601 6379 8000 8080 9000 9090 9200 9229 9230 9300 9600\"\nEXPOSE 80\nENTRYPOINT [\"stand-in\"]\n",
    ),
];

fn apps() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps");
    let all = std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(files.len() >= 25, "at least 25 applications: {}", files.len());
    files
}

/// Makes the stand-in, in both versions.
fn stand_ins(which: Which) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in FILES {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    for tag in ["v1", "v2"] {
        let (argument, name) = (format!("TAG={tag}"), format!("{STAND_IN}:{tag}"));
        let line = ["build", "-q", "--build-arg", &argument, "-t", &name, &folder.path().display().to_string()];
        let said = which.says(&line);
        assert!(!said.trim().is_empty(), "the stand-in is built on {which:?}");
    }
}

/// An application's file with stand-ins in it, and its contexts.
struct App {
    text: String,
    contexts: BTreeSet<String>,
}

impl App {
    fn read(path: &Path, which: Which) -> Self {
        let written = std::fs::read_to_string(path).expect("the file is there");
        let (mut ports, mut contexts, mut text) = (BTreeMap::new(), BTreeSet::new(), String::new());
        let mut in_build = false;
        for line in written.lines() {
            let bare = line.trim().trim_start_matches("- ").trim_matches(['"', '\'']);
            let indent = &line[..line.len() - line.trim_start().len()];
            let new = if line.trim().starts_with("image:") {
                format!("{indent}image: {STAND_IN}:${{STAND_IN:-v1}}")
            } else if let Some((from, to)) = published(bare) {
                let free = *ports.entry(from).or_insert_with(port);
                format!("{indent}- \"{free}:{to}\"")
            } else if line.trim_start().starts_with("- ") && bare.starts_with('/') && bare.contains(':') {
                format!("{indent}- ./host{bare}")
            } else {
                // Both engines may be at it at once.
                line.replace("172.20.0.", if which == Which::Podman { "10.251.77." } else { "10.251.78." })
            };
            if let Some(context) = line.trim().strip_prefix("build:").map(str::trim) {
                in_build = context.is_empty();
                if !context.is_empty() {
                    contexts.insert(context.to_owned());
                }
            }
            if let (true, Some(context)) = (in_build, line.trim().strip_prefix("context:")) {
                contexts.insert(context.trim().to_owned());
            }
            text.push_str(&new);
            text.push('\n');
        }
        Self { text, contexts }
    }

    /// Writes everything; what is built is built from this version of the stand-in.
    fn write(&self, world: &World, tag: &str) {
        world.write("compose.yaml", &self.text);
        for context in &self.contexts {
            // No two of the same: Podman 4.3 loses a name where two builds at a time end in one image.
            let text = format!(
                "FROM {STAND_IN}:{tag} AS stand-in\nLABEL org.example.context={}-{context}\n\
                 FROM stand-in AS builder\nFROM builder AS development\nFROM development AS final\n",
                world.name
            );
            world.write(&format!("{context}/Dockerfile"), text);
            if context == "." {
                world.write(".dockerignore", "*\n!Dockerfile\n");
            }
        }
        // Files that the application keeps beside its Compose file.
        for file in
            ["db/password.txt", "proxy/nginx.conf", "logstash/pipeline/logstash-nginx.config", "logstash/nginx.log"]
        {
            if self.text.contains(file) {
                world.write(file, "a canary of the tests");
            }
        }
        for file in ["backend/package.json", "backend/package-lock.json"] {
            if self.text.contains(file) {
                world.write(file, "{}");
            }
        }
        world.set("STAND_IN", tag);
    }
}

/// `8080:80`, with a protocol perhaps.
fn published(text: &str) -> Option<(u16, &str)> {
    let (from, to) = text.split_once(':')?;
    let number = to.split('/').next()?;
    number.parse::<u16>().ok()?;
    Some((from.parse().ok()?, to))
}

/// Service → the version that its running containers have.
fn versions(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, state) in world.containers() {
        if state == "running" {
            let container = world.inspect(&name);
            let label = container["Config"]["Labels"]["dev.escadre.service"].as_str().unwrap_or_default().to_owned();
            let variables = container["Config"]["Env"].as_array().cloned().unwrap_or_default();
            let tag = variables.iter().filter_map(|one| one.as_str()?.strip_prefix("TAG=")).next_back();
            found.entry(label).or_default().insert(tag.unwrap_or_default().to_owned());
        }
    }
    found
}

fn services(world: &World) -> Vec<String> {
    let said = world.run(&["compose", "config", "--format", "json"]).ends(0);
    let config: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let mut all: Vec<String> = config["services"].as_object().expect("services").keys().cloned().collect();
    all.sort();
    all
}

/// What docker compose runs of the same file.
fn beside(world: &World, which: Which, address: &str) -> BTreeSet<String> {
    let project = format!("{}-peer", world.name);
    let label = format!("label=com.docker.compose.project={project}");
    let state = world.state.display().to_string();
    let program = peer();
    let side = Side { which, address, program, project, label, ours: false, dir: &world.root, state: &state };
    side.up().unwrap_or_else(|why| panic!("{why}"));
    let format = match which {
        Which::Podman => "{{index .Labels \"com.docker.compose.service\"}}",
        Which::Docker => "{{.Label \"com.docker.compose.service\"}}",
    };
    which.says(&["ps", "--filter", &side.label, "--format", format]).lines().map(str::to_owned).collect()
}

fn lives(which: Which, address: &str, file: &Path) {
    let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
    let began = Instant::now();
    let Some(world) = world_on(which, &name.replace(|c: char| !c.is_ascii_alphanumeric(), "").to_lowercase()) else {
        return;
    };
    world.set("COMPOSE_PROJECT_NAME", &world.name);
    let app = App::read(file, which);
    app.write(&world, "v1");
    let services = services(&world);
    let all = |tag: &str| -> BTreeMap<String, BTreeSet<String>> {
        services.iter().map(|service| (service.clone(), BTreeSet::from([tag.to_owned()]))).collect()
    };
    let theirs = peer().exists().then(|| beside(&world, which, address));

    world.up();
    assert_eq!(versions(&world), all("v1"), "{name}: all services run");
    if let Some(theirs) = theirs {
        assert_eq!(theirs.into_iter().collect::<Vec<_>>(), services, "{name}: docker compose runs the same services");
    }
    world.up().says("Nothing to do");

    // One value of one service: that service alone is touched.
    let before = world.containers();
    let first = services.first().expect("a service");
    world.write(
        "compose.override.yaml",
        format!("services: {{ {first}: {{ environment: {{ CHANGED_BY_HAND: \"1\" }} }} }}\n"),
    );
    let said = world.up();
    let after = world.containers();
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let touched: BTreeSet<&str> = gone.filter_map(|gone| gone.rsplit('_').nth(2)).collect();
    // Whoever calls it may have to follow, which the plan has said.
    let follows = |service: &&str| {
        said.all().lines().any(|line| line.trim_start().starts_with("perhaps") && line.contains(service))
    };
    assert!(touched.contains(first.as_str()), "{name}: {first} is replaced: {touched:?}");
    assert!(touched.iter().all(|one| one == first || follows(one)), "{name}: {touched:?}\n{}", said.all());
    assert_eq!(versions(&world), all("v1"), "{name}: all services run");

    // Another version of everything, and back.
    app.write(&world, "v2");
    world.up();
    assert_eq!(versions(&world), all("v2"), "{name}: everything is updated");
    world.run(&["rollback", "--yes"]).ends(0);
    assert_eq!(versions(&world), all("v1"), "{name}: everything is taken back");

    let prefix = format!("{}_", world.name);
    let doomed: Vec<String> = world
        .named("volume")
        .iter()
        .map(|volume| format!("{}/volume/{}", world.name, volume.strip_prefix(&prefix).unwrap_or(volume)))
        .collect();
    let mut line = vec!["down", "--yes"];
    line.extend(doomed.iter().flat_map(|volume| ["--destroy", volume]));
    world.run(&line).ends(0);
    world.nothing_left();
    println!(
        "{which:?} {name}: {} services, {} volumes, {:.1} s",
        services.len(),
        doomed.len(),
        began.elapsed().as_secs_f64()
    );
}

fn live(which: Which) {
    let Some(address) = which.address("apps") else { return };
    if !peer().exists() {
        skip("apps", "docker compose is not below .peers (scripts/peers brings it): ours live alone");
    }
    stand_ins(which);
    let only = std::env::var("ESCADRE_TEST_FILE").ok();
    let files: Vec<PathBuf> = apps()
        .into_iter()
        .filter(|path| only.as_deref().is_none_or(|only| path.file_stem().is_some_and(|name| name == only)))
        .enumerate()
        // All of them take a quarter of an hour on two processors: without ESCADRE_SLOW=1 every fifth one lives.
        .filter(|(number, _)| only.is_some() || number.is_multiple_of(5) || std::env::var_os("ESCADRE_SLOW").is_some())
        .map(|(_, path)| path)
        .collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..ABREAST {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // One that fails must not keep the others from being tried.
                    if std::panic::catch_unwind(|| lives(which, &address, file)).is_err() {
                        failed.lock().expect("unpoisoned").push(file.clone());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("unpoisoned");
    assert!(failed.is_empty(), "{} of {} applications failed on {which:?}: {failed:?}", failed.len(), files.len());
}

#[test]
fn applications_that_people_run() {
    live(Which::Podman);
}

#[test]
fn applications_that_people_run_on_docker() {
    live(Which::Docker);
}
