//! Finding the engine: where it listens, which one it is, and starting Podman where it is installed but not running.
//!
//! In: an address from the fleet or the environment, or nothing. Out: a door and what is behind it.
//! **Invariant:** an address somebody wrote is taken or refused, never replaced by another; only Podman is ever started.
//! Not here: which target a fleet names (`escadre_model`).
//! Tests: `tests/it`.

use super::door::{Call, Door};
use super::policy::Policy;
use crate::exec::{self, Program};
use escadre_engine::ports::Error;
use escadre_render::engine::Dialect;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a started engine may take until it answers.
const START: Duration = Duration::from_secs(20);
/// Newest version of Docker's API that is spoken.
const NEWEST: (u32, u32) = (1, 44);

/// Where to look; everything comes from outside.
#[derive(Clone, Debug, Default)]
pub struct Where {
    /// What the target says: `unix:///run/podman/podman.sock`.
    pub address: Option<Arc<str>>,
    /// The value of `CONTAINER_HOST`.
    pub container_host: Option<Arc<str>>,
    /// The value of `DOCKER_HOST`.
    pub docker_host: Option<Arc<str>>,
    /// The value of `XDG_RUNTIME_DIR`, for engines without root.
    pub runtime_dir: Option<PathBuf>,
    /// The caller is root.
    pub root: bool,
    /// Start Podman when nothing listens and it is installed.
    pub start: bool,
}

/// What is behind a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Which spelling it hears.
    pub dialect: Dialect,
    /// Its version: `4.3.1`.
    pub version: Arc<str>,
    /// Prefix of Docker's calls: `/v1.41`.
    pub compat: String,
    /// Prefix of Podman's own calls: `/v4.0.0/libpod`.
    pub libpod: Option<String>,
    /// It runs without root.
    pub rootless: bool,
}

impl Where {
    /// Sockets worth trying, best first: what somebody wrote alone, else the usual places.
    fn candidates(&self) -> Result<(Vec<PathBuf>, bool), Error> {
        let written = self.address.as_ref().or(self.container_host.as_ref()).or(self.docker_host.as_ref());
        if let Some(written) = written {
            return Ok((vec![socket_of(written)?], true));
        }
        let mut places = Vec::new();
        if self.root {
            places.push(PathBuf::from("/run/podman/podman.sock"));
        } else if let Some(folder) = &self.runtime_dir {
            places.push(folder.join("podman/podman.sock"));
            places.push(folder.join("docker.sock"));
        }
        places.push(PathBuf::from("/var/run/docker.sock"));
        Ok((places, false))
    }

    /// Finds the engine, starts it if it may and must, and asks who it is.
    ///
    /// # Errors
    /// When nothing listens and nothing can be started, or what answers is no engine.
    pub async fn find(&self, policy: Policy) -> Result<(Door, Api), Error> {
        let (places, written) = self.candidates()?;
        let mut refused = None;
        for place in &places {
            match ask(place, policy).await {
                Ok(found) => return Ok(found),
                // Something is there and does not let us in: that is the answer, unless another place answers.
                Err(error) if is_refusal(&error) => refused = Some(error),
                // A place of somebody's own is somebody's own to serve: only at the usual place is Podman started.
                Err(error) if written && !(self.start && self.is_usual(place)) => return Err(error),
                Err(_) => {}
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        let (Some(place), true) = (places.first(), self.start && !self.names_docker()) else {
            return Err(nothing(&places, "no container engine answers; is Podman or Docker installed and running?"));
        };
        start(place).await?;
        let deadline = tokio::time::Instant::now() + START;
        loop {
            match ask(place, policy).await {
                Ok(found) => return Ok(found),
                Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Where Podman's own units would serve it.
    fn is_usual(&self, place: &Path) -> bool {
        let own = self.runtime_dir.as_ref().map(|folder| folder.join("podman/podman.sock"));
        if self.root { place == Path::new("/run/podman/podman.sock") } else { own.is_some_and(|own| own == place) }
    }

    fn names_docker(&self) -> bool {
        self.address
            .as_ref()
            .or(self.container_host.as_ref())
            .or(self.docker_host.as_ref())
            .is_some_and(|a| a.ends_with("docker.sock"))
    }
}

fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Unreachable { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        _ => true,
    }
}

fn nothing(places: &[PathBuf], why: &str) -> Error {
    let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    Error::Unreachable {
        engine: "the container engine".into(),
        at: places.join(" or ").into(),
        source: io::Error::new(io::ErrorKind::NotFound, why),
    }
}

fn socket_of(address: &str) -> Result<PathBuf, Error> {
    match address.strip_prefix("unix://").or_else(|| address.starts_with('/').then_some(address)) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(Error::Unreachable {
            engine: "the container engine".into(),
            at: address.into(),
            source: io::Error::new(
                io::ErrorKind::Unsupported,
                "only engines on this host are driven, by unix:///path; other hosts come with ssh targets",
            ),
        }),
    }
}

/// Asks who answers behind a socket. `_ping` carries everything and costs a millisecond; `/version` costs half a second on Podman.
async fn ask(socket: &Path, policy: Policy) -> Result<(Door, Api), Error> {
    let door = Door::new("the container engine", socket, policy);
    let head = door.head(Call::get("ask who it is", "/_ping").within(Some(Duration::from_secs(10)))).await?;
    let get = |name: &str| head.get(name).and_then(|value| value.to_str().ok());
    let server = get("Server").unwrap_or_default();
    let version_of = |text: &str| text.split_once('/').and_then(|(_, rest)| rest.split(' ').next().map(Arc::from));
    let (dialect, version, name): (_, Arc<str>, _) = match get("Libpod-Api-Version") {
        Some(version) => (Dialect::Podman, version.into(), "podman"),
        None => (Dialect::Docker, version_of(server).unwrap_or_else(|| "of unknown version".into()), "docker"),
    };
    let spoken = get("Api-Version")
        .and_then(|text| text.split_once('.'))
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    let Some(spoken) = spoken else {
        return Err(Error::Bug {
            act: format!("ask who answers at {}", socket.display()).into(),
            why: "what answers there is no container engine".into(),
        });
    };
    let (major, minor) = spoken.min(NEWEST);
    let libpod = (dialect == Dialect::Podman).then(|| "/v4.0.0/libpod".to_owned());
    let owner = std::fs::metadata(socket).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)).unwrap_or(0);
    let api = Api { dialect, version, compat: format!("/v{major}.{minor}"), libpod, rootless: owner != 0 };
    Ok((Door::new(name, socket, policy), api))
}

/// Starts Podman's service, detached: it stays when this program ends.
async fn start(socket: &Path) -> Result<(), Error> {
    let act: Arc<str> = "start podman".into();
    let host = |source| Error::Host { act: Arc::clone(&act), source };
    if let Some(folder) = socket.parent() {
        super::disk::ensure_dir(folder, 0o755).map_err(host)?;
    }
    let address = format!("unix://{}", socket.display());
    match exec::Call::new(Program::Podman, ["system", "service", "--time=0", &address]).detach() {
        // Nobody waits for it: it is to outlive us.
        Ok(_) => Ok(()),
        Err(exec::Error::NotInstalled(_)) => Err(nothing(
            &[socket.to_owned()],
            "nothing listens there and podman is not installed (on Debian: apt install podman)",
        )),
        Err(error) => Err(host(io::Error::other(error))),
    }
}
