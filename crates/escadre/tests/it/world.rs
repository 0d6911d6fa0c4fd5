//! A folder of files, a state folder and a project of their own on the real engine, and the binary on them.
//!
//! In: files. Out: what the binary said, what the engine has.
//! **Invariant**: everything made here carries the project's name and is removed at the end, also when the test fails.
//! Not here: what is expected (the suites beside).
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use super::presence::{self, Presence};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The image of all tests here; `scripts/images test` makes it.
pub(crate) const IMAGE: &str = "localhost/escadre-test/base";
static COUNT: AtomicU32 = AtomicU32::new(0);
static PORT: AtomicU16 = AtomicU16::new(0);

/// One fleet on the real engine.
pub(crate) struct World {
    /// The fleet's name; in a fleet of one also the project's.
    pub(crate) name: String,
    /// The folder of its files.
    pub(crate) root: PathBuf,
    /// Its state folder.
    pub(crate) state: PathBuf,
    /// Further environment of the binary.
    pub(crate) env: Mutex<BTreeMap<String, String>>,
    which: Which,
    socket: String,
    folder: tempfile::TempDir,
    images: Mutex<BTreeSet<String>>,
    /// Its state folder lies on a small disk of its own.
    small: AtomicBool,
    _presence: Presence,
}

/// How the binary ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit code; `None`: it was killed.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Said {
    /// Both, for looking.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// It must have ended like this.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// It must say this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "it does not say {text:?}:\n{}\n{}", self.out, self.err);
        self
    }

    /// It must not say this.
    #[track_caller]
    pub(crate) fn never(self, text: &str) -> Self {
        assert!(!self.all().contains(text), "it says {text:?}:\n{}\n{}", self.out, self.err);
        self
    }
}

/// Says that a test cannot run here, where it is counted.
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os("ESCADRE_TEST_SKIPS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("the list of skips");
        writeln!(file, "{test}: {reason}").expect("the list of skips is written");
    }
}

/// The engines that are driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Podman,
    Docker,
}

impl Which {
    /// Its socket, as a target says it; nothing, and a skip counted, where it is not to be used.
    pub(crate) fn address(self, test: &str) -> Option<String> {
        let (variable, usual) = match self {
            Which::Podman => ("ESCADRE_TEST_PODMAN", "unix:///run/podman/podman.sock"),
            Which::Docker => ("ESCADRE_TEST_DOCKER", "unix:///run/docker.sock"),
        };
        match std::env::var(variable) {
            Ok(said) if said.starts_with("unix:") => Some(said),
            Ok(said) if said != "no" => Some(usual.to_owned()),
            _ => {
                skip(&format!("{test} ({self:?})"), &format!("needs a real engine, set {variable}"));
                None
            }
        }
    }

    /// What its own program, which knows nothing of ours, says.
    pub(crate) fn says(self, line: &[&str]) -> String {
        let mut program = match self {
            Which::Podman => Command::new("podman"),
            Which::Docker => {
                let mut docker = Command::new("docker");
                docker.args(["--host", &self.address("docker").unwrap_or_default()]).env("DOCKER_BUILDKIT", "0");
                docker
            }
        };
        let output = program.args(line).stdin(Stdio::null()).output().expect("the engine's program is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Names and states of the containers that a filter lets through.
    pub(crate) fn states(self, filter: &str) -> BTreeMap<String, String> {
        let list = |format: &str| self.says(&["ps", "-a", "--filter", filter, "--format", format]);
        match self {
            // Its templates know states only in sentences.
            Which::Podman => {
                let all: Value = serde_json::from_str(&list("json")).expect("JSON");
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                all.as_array().into_iter().flatten().map(|one| (text(&one["Names"][0]), text(&one["State"]))).collect()
            }
            Which::Docker => {
                let text = list("{{.Names}} {{.State}}");
                let pairs = text.lines().filter_map(|line| line.split_once(' '));
                pairs.map(|(name, state)| (name.into(), state.into())).collect()
            }
        }
    }

    /// Removes containers as they stand.
    pub(crate) fn remove(self, names: &[&str]) {
        if !names.is_empty() {
            let how: &[&str] = if self == Which::Podman { &["--depend", "-t", "0"] } else { &[] };
            self.says(&[&["rm", "-f", "-v"][..], how, names].concat());
        }
    }
}

/// A world on Podman, or nothing where it is not to be used.
pub(crate) fn world(test: &str) -> Option<World> {
    world_on(Which::Podman, test)
}

/// A world, or nothing where the engine is not to be used.
pub(crate) fn world_on(which: Which, test: &str) -> Option<World> {
    let socket = which.address(test)?;
    Some(world_at(which, socket, test))
}

/// A world whose binary finds the engine at this socket.
pub(crate) fn world_at(which: Which, socket: String, test: &str) -> World {
    let presence = presence::among_others();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("files");
    std::fs::create_dir(&root).expect("a folder");
    let state = folder.path().join("state");
    let name = format!("bb{}-{number}-{test}", std::process::id());
    let images = Mutex::new(BTreeSet::new());
    let (env, small) = (Mutex::new(BTreeMap::new()), AtomicBool::new(false));
    World { name, root, state, env, which, socket, folder, images, small, _presence: presence }
}

/// Podman's service, started by a test and for it alone, on the same containers: it can be killed and come again.
pub(crate) struct Service {
    socket: PathBuf,
    child: Mutex<Child>,
}

impl Service {
    /// A world with a service of its own, or nothing where the engine is not to be used.
    pub(crate) fn with_world(test: &str) -> Option<(World, Self)> {
        Which::Podman.address(test)?;
        let mut world = world_at(Which::Podman, String::new(), test);
        let socket = world.folder.path().join("podman.sock");
        world.socket = format!("unix://{}", socket.display());
        let child = Mutex::new(Self::start(&socket));
        Some((world, Self { socket, child }))
    }

    fn start(socket: &Path) -> Child {
        let mut program = Command::new("podman");
        program.args(["system", "service", "--time=0"]).arg(format!("unix://{}", socket.display()));
        let child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("podman is installed");
        until("the service listens", || UnixStream::connect(socket).is_ok());
        child
    }

    /// It dies in the middle of whatever it does; what answers from now on at its socket is another one.
    pub(crate) fn restart(&self) {
        let beside = self.socket.with_extension("beside");
        let next = Self::start(&beside);
        let mut child = self.child.lock().expect("unpoisoned");
        kill(&mut child);
        std::fs::rename(&beside, &self.socket).expect("a socket can be renamed");
        *child = next;
    }

    /// It dies, and nobody answers.
    pub(crate) fn kill(&self) {
        kill(&mut self.child.lock().expect("unpoisoned"));
    }

    /// It is there again.
    pub(crate) fn again(&self) {
        std::fs::remove_file(&self.socket).expect("what the dead one left");
        *self.child.lock().expect("unpoisoned") = Self::start(&self.socket);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            kill(&mut child);
        }
    }
}

/// Without a farewell.
fn kill(child: &mut Child) {
    // One that ended by itself is gone as well.
    let _ = child.kill();
    let _ = child.wait();
}

/// Runs a command that [`World::command`] made, to its end.
pub(crate) fn ended(mut command: Command) -> Said {
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts"))
}

/// A port nobody listens on, outside of the range that outgoing connections use.
pub(crate) fn port() -> u16 {
    let start = 20_000 + u16::try_from(std::process::id() % 600).expect("small") * 16;
    loop {
        let port = start + PORT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

impl World {
    /// Writes a file of the fleet.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Writes a fleet with one environment and one target; gives the port where its edge answers.
    pub(crate) fn fleet_at(&self, engine: &str) -> u16 {
        let (name, http) = (&self.name, port());
        self.write(
            "fleet.yaml",
            format!(
                "fleet: {name}\nid: {name}\nenvironments: {{ production: {{}} }}\ntargets:\n  host-1:\n    podman: {engine}\n    \
                 edge: {{ http: {http}, https: {} }}\ndefaults: {{ target: host-1 }}\n",
                port()
            ),
        );
        http
    }

    /// Removes a file of the fleet.
    pub(crate) fn erase(&self, path: &str) {
        std::fs::remove_file(self.root.join(path)).expect("it was there");
    }

    /// The engine's address, as a target says it.
    pub(crate) fn address(&self) -> &str {
        &self.socket
    }

    /// Where the key that reads its secrets is.
    pub(crate) fn identity(&self) -> PathBuf {
        self.folder.path().join(".config/escadre/identity")
    }

    /// From now on the binary sees this variable.
    pub(crate) fn set(&self, key: &str, value: &str) {
        self.env.lock().expect("unpoisoned").insert(key.to_owned(), value.to_owned());
    }

    /// From now on the binary does not see this variable.
    #[cfg(feature = "kill-points")]
    pub(crate) fn unset(&self, key: &str) {
        self.env.lock().expect("unpoisoned").remove(key);
    }

    /// Its state folder lies on a disk of so many kB from now on; false, and a skip counted, where that may not be.
    pub(crate) fn on_a_small_disk(&self, test: &str, kb: u32) -> bool {
        std::fs::create_dir(&self.state).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kb}k,mode=0700"), "tmpfs"]).arg(&self.state);
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        self.small.store(mounted, Ordering::Relaxed);
        if !mounted {
            skip(test, "a disk of its own cannot be mounted here");
        }
        mounted
    }

    /// Fills its small disk until so many kB are left.
    pub(crate) fn fill(&self, left: u64) {
        self.make_room();
        let seen = rustix::fs::statvfs(&self.state).expect("a disk");
        let room = (seen.f_bavail * seen.f_frsize).saturating_sub(left * 1024);
        let full = std::fs::write(self.state.join("fill"), vec![0; usize::try_from(room).expect("small")]);
        full.expect("there was so much room");
    }

    /// Makes room on its small disk.
    pub(crate) fn make_room(&self) {
        let _absent = std::fs::remove_file(self.state.join("fill"));
    }

    /// An image that is removed at the end.
    pub(crate) fn doomed(&self, reference: &str) {
        self.images.lock().expect("unpoisoned").insert(reference.to_owned());
    }

    /// The binary on these files.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_escadre"));
        command.arg("--state").arg(&self.state).args(line).current_dir(&self.root).stdin(Stdio::null()).env_clear();
        command.env("COLUMNS", "100").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", self.folder.path());
        let variable = if self.which == Which::Podman { "CONTAINER_HOST" } else { "DOCKER_HOST" };
        command.env(variable, &self.socket).env("USER", "tester");
        command.envs(self.env.lock().expect("unpoisoned").iter());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, line: &[&str]) -> Said {
        let child = self.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        finish(child.expect("the binary starts"))
    }

    /// Starts the binary; its end is awaited with [`finish`].
    pub(crate) fn start(&self, line: &[&str]) -> Child {
        let child = self.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        child.expect("the binary starts")
    }

    /// `up --yes`, which must succeed.
    #[track_caller]
    pub(crate) fn up(&self) -> Said {
        self.run(&["up", "--yes"]).ends(0)
    }

    /// `up --yes`, which must end with this code.
    #[track_caller]
    pub(crate) fn up_ends(&self, code: i32) -> Said {
        self.run(&["up", "--yes"]).ends(code)
    }

    /// Names and states of all containers of this fleet, sorted.
    pub(crate) fn containers(&self) -> BTreeMap<String, String> {
        let label = format!("label=dev.escadre.fleet={}", self.name);
        self.which.states(&label)
    }

    /// Names of the services of an instance that run, sorted; a service with two running containers is there twice.
    pub(crate) fn running(&self, instance: &str) -> Vec<String> {
        let fleet = format!("label=dev.escadre.fleet={}", self.name);
        let instance = format!("label=dev.escadre.instance={instance}");
        let line = ["ps", "--filter", &fleet, "--filter", &instance, "--format"];
        let label = match self.which {
            Which::Podman => "{{index .Labels \"dev.escadre.service\"}}",
            Which::Docker => "{{.Label \"dev.escadre.service\"}}",
        };
        let text = self.which.says(&[&line[..], &[label]].concat());
        let mut services: Vec<String> = text.lines().map(str::to_owned).collect();
        services.sort();
        services
    }

    /// Names of the volumes, networks or images whose name has the fleet's in it.
    pub(crate) fn named(&self, kind: &str) -> Vec<String> {
        let format = if kind == "image" { "{{.Repository}}:{{.Tag}}" } else { "{{.Name}}" };
        let text = self.which.says(&[kind, "ls", "--format", format]);
        text.lines().filter(|name| name.contains(&self.name)).map(str::to_owned).collect()
    }

    /// What `inspect` says of a container.
    pub(crate) fn inspect(&self, container: &str) -> Value {
        let text = self.which.says(&["container", "inspect", container]);
        let mut all: Value = serde_json::from_str(&text).expect("JSON");
        all[0].take()
    }

    /// Nothing is left on the engine and in the edge.
    #[track_caller]
    pub(crate) fn nothing_left(&self) {
        assert_eq!(self.containers(), BTreeMap::new(), "containers are left");
        assert_eq!(self.named("network"), Vec::<String>::new(), "networks are left");
        assert_eq!(self.named("volume"), Vec::<String>::new(), "volumes are left");
        if let Ok(routes) = std::fs::read_to_string(self.state.join("edge/routes.json")) {
            assert!(!routes.contains(&self.name), "routes are left: {routes}");
        }
    }

    /// All files below the state folder whose bytes contain these.
    pub(crate) fn files_with(&self, bytes: &[u8]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.state, &mut |path| {
            // A socket or a file that goes in this moment has no bytes.
            let whole = std::fs::read(path).unwrap_or_default();
            if whole.windows(bytes.len()).any(|window| window == bytes) {
                found.push(path.strip_prefix(&self.state).expect("below").to_owned());
            }
        });
        found.sort();
        found
    }
}

fn walk(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), each),
            Ok(kind) if kind.is_file() => each(&entry.path()),
            _ => {}
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The test is over either way: what cannot be removed was not there.
        let _ = self.command(&["proxy", "stop"]).output();
        if self.small.load(Ordering::Relaxed) {
            let _ = Command::new("umount").arg("--lazy").arg(&self.state).status();
        }
        let fleet = format!("label=dev.escadre.fleet={}", self.name);
        let ours = self.which.says(&["ps", "-a", "--filter", &fleet, "--format", "{{.Names}}"]);
        let named = self.which.says(&["ps", "-a", "--format", "{{.Names}}"]);
        let named = named.lines().filter(|name| name.contains(&self.name));
        self.which.remove(&ours.lines().chain(named).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        for kind in ["network", "volume"] {
            for name in self.named(kind) {
                self.which.says(&[kind, "rm", "-f", &name]);
            }
        }
        let listed = self.images.lock().map(|images| images.clone()).unwrap_or_default();
        for image in listed.into_iter().chain(self.named("image")) {
            // First without -f, which would take the image from others that are made of the same.
            self.which.says(&["rmi", &image]);
            self.which.says(&["rmi", "-f", &image]);
        }
    }
}

/// Awaits the end of a started binary.
pub(crate) fn finish(child: Child) -> Said {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Podman's own program.
pub(crate) fn podman(line: &[&str]) -> String {
    Which::Podman.says(line)
}

/// Waits until this is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "still not: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One request without a second try: status and body.
pub(crate) fn get(port: u16, host: &str, path: &str) -> Result<(u16, String), String> {
    let said = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(said)?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(said)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").map_err(said)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(said)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no answer")?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned()).unwrap_or_default();
    Ok((status, body))
}

/// Somebody who asks all the time, one request after the other, without a second try.
pub(crate) struct Client {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Asked>>,
}

/// What a [`Client`] got.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Requests answered with 200, by body.
    pub(crate) good: BTreeMap<String, u32>,
    /// What the others got.
    pub(crate) failed: Vec<String>,
    /// The longest answer.
    pub(crate) longest: Duration,
}

impl Client {
    /// Begins to ask.
    pub(crate) fn begin(port: u16, host: &str, path: &str) -> Self {
        Self::every(Duration::from_millis(5), port, host, path)
    }

    /// Begins to ask, with a pause between an answer and the next question.
    pub(crate) fn every(pause: Duration, port: u16, host: &str, path: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, host, path) = (Arc::clone(&stop), host.to_owned(), path.to_owned());
        let thread = std::thread::spawn(move || {
            let mut asked = Asked::default();
            while !seen.load(Ordering::Relaxed) {
                let began = Instant::now();
                match get(port, &host, &path) {
                    Ok((200, body)) => *asked.good.entry(body).or_default() += 1,
                    other => asked.failed.push(format!("{other:?} after {:?}", began.elapsed())),
                }
                asked.longest = asked.longest.max(began.elapsed());
                std::thread::sleep(pause);
            }
            asked
        });
        Self { stop, thread: Some(thread) }
    }

    /// Stops asking.
    pub(crate) fn end(mut self) -> Asked {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it runs").join().expect("it ends")
    }
}

/// A door before the engine's that writes down which calls pass.
pub(crate) struct Recorder {
    calls: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    /// Opens the door in a world's folder, and sends its binary through it.
    pub(crate) fn before(world: &World) -> Self {
        let path = world.folder.path().join("recorder.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (to, seen) = (world.socket.trim_start_matches("unix://").to_owned(), Arc::clone(&calls));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&to) else { continue };
                let (Ok(from), Ok(back)) = (client.try_clone(), server.try_clone()) else { continue };
                let calls = Arc::clone(&seen);
                std::thread::spawn(move || pass(from, server, Some(&calls)));
                std::thread::spawn(move || pass(back, client, None));
            }
        });
        world.set("CONTAINER_HOST", &format!("unix://{}", path.display()));
        Self { calls }
    }

    /// Forgets what passed.
    pub(crate) fn forget(&self) {
        self.calls.lock().expect("unpoisoned").clear();
    }

    /// Everything that passed.
    pub(crate) fn all(&self) -> Vec<String> {
        self.calls.lock().expect("unpoisoned").clone()
    }

    /// Calls that create, change or remove something.
    pub(crate) fn mutating(&self) -> Vec<String> {
        self.all().into_iter().filter(|call| !call.starts_with("GET ") && !call.starts_with("HEAD ")).collect()
    }
}

/// Passes bytes on; the first line of each request is written down.
fn pass(mut from: UnixStream, mut to: UnixStream, calls: Option<&Mutex<Vec<String>>>) {
    let mut buffer = [0; 65536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..read];
        if let Some(calls) = calls {
            let text = String::from_utf8_lossy(bytes);
            let first = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
            calls.lock().expect("unpoisoned").extend(first.map(str::to_owned));
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    // The other side may have closed already.
    let _ = to.shutdown(std::net::Shutdown::Write);
}
