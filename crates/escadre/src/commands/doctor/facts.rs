//! What the machine is, looked at without changing it.
//!
//! In: /proc, /sys, /dev, PATH, the engine's socket, the state folder. Out: [`Facts`].
//! **Invariant**: reads only; nothing here fails: what cannot be told is said to be unknown.
//! Not here: what is well (`doctor`). Tests: `doctor/tests.rs` on made-up facts.

use crate::settings::Settings;
use escadre_drivers::store::SqliteStore;
use escadre_drivers::systemd;
use escadre_engine::journal::verify;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) root: bool,
    pub(super) systemd: bool,
    pub(super) apt: bool,
    pub(super) engine: Engine,
    pub(super) netavark: bool,
    pub(super) aardvark: bool,
    pub(super) iptables: bool,
    /// cgroup v2's controllers; `None`: version 1.
    pub(super) controllers: Option<Vec<String>>,
    pub(super) open_files: Option<u64>,
    pub(super) tun: bool,
    /// Those of 80 and 443 that somebody listens on.
    pub(super) ports_taken: Vec<u16>,
    pub(super) edge_runs: bool,
    /// What becomes of the edge and of instances at a boot.
    pub(super) boot: Boot,
    pub(super) state: StateFolder,
    /// The journal in it.
    pub(super) journal: Journal,
    /// Free bytes where the state lies.
    pub(super) room: Option<u64>,
}

/// What happens at a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boot {
    /// Nothing is routed: nobody misses anything.
    Nothing,
    /// systemd starts the edge and the instances.
    Starts,
    /// It would, for a user who is logged in.
    AtLogin,
    /// Nobody starts them.
    Nobody,
}

/// The journal.
#[derive(Clone, Debug)]
pub(super) enum Journal {
    /// Nothing was applied here yet.
    Absent,
    /// So many entries, each linked to the one before.
    Whole(usize),
    /// A link does not hold, or it cannot be read.
    Broken(String),
}

/// The engine.
#[derive(Clone, Debug)]
pub(super) enum Engine {
    /// It answers.
    Answers { what: String, version: String, at: String },
    /// Its socket is there and does not answer.
    Silent { at: String, why: String },
    /// It is installed, and there is no socket.
    Stopped,
    /// There is none.
    Missing,
}

/// The state folder.
#[derive(Clone, Debug)]
pub(super) struct StateFolder {
    pub(super) path: PathBuf,
    pub(super) found: Folder,
}

/// How a folder is.
#[derive(Clone, Debug)]
pub(super) enum Folder {
    Absent,
    Odd(String),
    Open(u32),
    Foreign(u32),
    Well,
}

/// Looks.
pub(super) async fn gather(settings: &Settings) -> Facts {
    let root = rustix::process::geteuid().is_root();
    let on_path = |name: &str| {
        let path = settings.environment.get("PATH").map(String::as_str).unwrap_or_default();
        let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"];
        path.split(':').chain(more).any(|folder| !folder.is_empty() && Path::new(folder).join(name).is_file())
    };
    let helper = |name: &str| {
        let folders = ["/usr/lib/podman", "/usr/libexec/podman", "/usr/local/lib/podman", "/usr/local/libexec/podman"];
        folders.iter().any(|folder| Path::new(folder).join(name).is_file()) || on_path(name)
    };
    let engine = engine(settings, root, on_path("podman"));
    let kind = match &engine {
        Engine::Answers { what, .. } if what == "docker" => "docker",
        _ => "podman",
    };
    let state = settings.state_of(kind, root);
    Facts {
        root,
        systemd: Path::new("/run/systemd/system").is_dir(),
        apt: on_path("apt-get"),
        netavark: helper("netavark"),
        aardvark: helper("aardvark-dns"),
        iptables: on_path("iptables") || on_path("nft"),
        controllers: std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")
            .ok()
            .map(|text| text.split_whitespace().map(str::to_owned).collect()),
        open_files: rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
        tun: Path::new("/dev/net/tun").exists(),
        ports_taken: listening(&[80, 443]),
        edge_runs: state.join("edge").join("control.sock").exists(),
        boot: boot(settings, &state.join("edge")),
        room: room(&state),
        journal: journal(&state.join("store")).await,
        state: StateFolder { found: folder(&state), path: state },
        engine,
    }
}

/// What happens at a boot.
fn boot(settings: &Settings, edge: &Path) -> Boot {
    let units = crate::wire::units(settings, Path::new("escadre"), edge);
    let routed = edge.join("routes.json").exists();
    match units.is_installed() && units.is_enabled(systemd::EDGE) && units.is_enabled(systemd::INSTANCES) {
        true if units.ends_at_logout() => Boot::AtLogin,
        true => Boot::Starts,
        false if routed => Boot::Nobody,
        false => Boot::Nothing,
    }
}

/// Finds the engine: DOCKER_HOST or CONTAINER_HOST, then Podman, then Docker.
fn engine(settings: &Settings, root: bool, podman: bool) -> Engine {
    let named = ["CONTAINER_HOST", "DOCKER_HOST"]
        .iter()
        .find_map(|key| settings.environment.get(*key)?.strip_prefix("unix://").map(PathBuf::from));
    let runtime = settings.environment.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = if root {
        Some(PathBuf::from("/run/podman/podman.sock"))
    } else {
        runtime.map(|dir| dir.join("podman/podman.sock"))
    };
    let candidates = named
        .into_iter()
        .chain(usual)
        .chain([PathBuf::from("/run/docker.sock"), PathBuf::from("/var/run/docker.sock")]);
    match candidates.into_iter().find(|path| path.exists()) {
        None if podman => Engine::Stopped,
        None => Engine::Missing,
        Some(path) => {
            let at = format!("unix://{}", path.display());
            match version(&path) {
                Ok((what, version)) => Engine::Answers { what, version, at },
                Err(error) => Engine::Silent { at, why: error.to_string() },
            }
        }
    }
}

/// Asks a socket for its version: (`podman` or `docker`, `4.3.1`).
fn version(path: &Path) -> std::io::Result<(String, String)> {
    /// An answer larger than this is no version.
    const MOST: u64 = 64 * 1024;
    let mut socket = UnixStream::connect(path)?;
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    socket.set_write_timeout(Some(Duration::from_secs(3)))?;
    socket.write_all(b"GET /version HTTP/1.0\r\nHost: engine\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    socket.take(MOST).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let odd = || std::io::Error::new(std::io::ErrorKind::InvalidData, "it answers with something else than a version");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).ok_or_else(odd)?;
    let json = body.get(body.find('{').ok_or_else(odd)?..=body.rfind('}').ok_or_else(odd)?).ok_or_else(odd)?;
    let json: serde_json::Value = serde_json::from_str(json).map_err(|_| odd())?;
    let version = json.get("Version").and_then(|value| value.as_str()).ok_or_else(odd)?.to_owned();
    let podman = json.get("Components").map(ToString::to_string).is_some_and(|text| text.contains("Podman"));
    Ok((if podman { "podman" } else { "docker" }.to_owned(), version))
}

/// Which of these ports somebody listens on.
fn listening(ports: &[u16]) -> Vec<u16> {
    let text: String =
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    // A line: `0: 00000000:0050 00000000:0000 0A …`; 0A is LISTEN.
    let open = |port: &u16| {
        text.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let local = words
                .next()
                .and_then(|local| local.rsplit(':').next())
                .and_then(|hex| u16::from_str_radix(hex, 16).ok());
            local == Some(*port) && words.nth(1) == Some("0A")
        })
    };
    ports.iter().copied().filter(open).collect()
}

/// Reads the whole journal and checks every link of its chain.
pub(super) async fn journal(path: &Path) -> Journal {
    if !path.exists() {
        return Journal::Absent;
    }
    let checked = match SqliteStore::open(path).await {
        Ok(store) => verify(&store).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(entries) => Journal::Whole(usize::try_from(entries).unwrap_or(usize::MAX)),
        Err(error) => Journal::Broken(format!("{:#}", anyhow::Error::new(error))),
    }
}

fn folder(path: &Path) -> Folder {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Folder::Absent,
        Err(error) => Folder::Odd(error.to_string()),
        Ok(seen) if !seen.is_dir() => Folder::Odd("it is no folder".to_owned()),
        Ok(seen) if seen.uid() != rustix::process::geteuid().as_raw() => Folder::Foreign(seen.uid()),
        Ok(seen) if seen.mode() & 0o077 != 0 => Folder::Open(seen.mode() & 0o777),
        Ok(_) => Folder::Well,
    }
}

/// Free bytes where a path lies or will lie.
fn room(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    let seen = rustix::fs::statvfs(there).ok()?;
    seen.f_bavail.checked_mul(seen.f_frsize)
}
