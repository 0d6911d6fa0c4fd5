//! The world of one verb: engine, journal, locks, clock, edge.
//!
//! In: settings, the target. Out: [`World`].
//! **Invariant:** nothing on the machine is changed by connecting, but that the state folder and, if it is installed and does not run, Podman's service come to be.
//! Not here: what is done with it (`escadre_engine`).
//! Tests: `tests/it`.

use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use crate::views::look::EdgePorts;
use escadre_drivers::clock::SystemClock;
use escadre_drivers::edge::{self, EdgeFiles, Start};
use escadre_drivers::files;
use escadre_drivers::locks::FileLocks;
use escadre_drivers::podman::{self, Credentials, Engine, locate::Where};
use escadre_drivers::store::SqliteStore;
use escadre_engine::apply::Ports;
use escadre_engine::ports::{Progress, Secrets, Silent};
use escadre_model::diagnostic::{Code, Diagnostic, Spanned};
use escadre_model::fleet::{AcmeSetting, Target, TargetKind};
use escadre_model::routes::{Acme, everywhere};
use escadre_plan::make::TargetFacts;
use escadre_render::engine::{Dialect, Facts};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The edge's ports without a word about them: rootful 80 and 443, rootless 8080 and 8443.
const USUAL: [(u16, u16); 2] = [(80, 443), (8080, 8443)];

/// Everything outside, for one verb.
pub(super) struct World {
    /// The engine.
    pub(super) engine: Arc<Engine>,
    /// The journal.
    pub(super) store: Arc<SqliteStore>,
    /// The edge.
    pub(super) edge: Arc<EdgeFiles>,
    /// The state folder.
    pub(super) state: PathBuf,
    /// What the planner must know of the target.
    pub(super) target: TargetFacts,
    /// What rendering must know of it.
    pub(super) facts: Facts,
    /// Where the edge answers for host names.
    pub(super) ports: EdgePorts,
}

/// Where the files are that are meant.
pub(super) struct Root<'f> {
    /// Their folder.
    pub(super) folder: &'f Path,
    /// The commit that was asked for; `None`: as they stand there.
    pub(super) commit: Option<Arc<str>>,
}

/// Connects to the engine of a target (`single`: of a fleet of one, which has none) and opens its state folder.
///
/// # Errors
/// When there is no engine, or the state folder or journal cannot be opened.
pub(super) async fn connect(
    settings: &Settings,
    root: Root<'_>,
    target: Option<&Target>,
    single: bool,
    registries: BTreeMap<Arc<str>, Credentials>,
) -> Result<World, Fault> {
    let is_root = rustix::process::geteuid().is_root();
    let kind = match target.map(|target| target.kind) {
        Some(TargetKind::Docker) => "docker",
        _ => "podman",
    };
    connect_in(settings, settings.state_of(kind, is_root), root, target, single, registries).await
}

/// The same, with this state folder.
///
/// # Errors
/// As [`connect`].
pub(super) async fn connect_in(
    settings: &Settings,
    state: PathBuf,
    root: Root<'_>,
    target: Option<&Target>,
    single: bool,
    registries: BTreeMap<Arc<str>, Credentials>,
) -> Result<World, Fault> {
    let is_root = rustix::process::geteuid().is_root();
    let at = Where {
        address: target.map(|target| Arc::clone(&target.address.value)),
        container_host: settings.environment.get("CONTAINER_HOST").map(|text| text.as_str().into()),
        docker_host: settings.environment.get("DOCKER_HOST").map(|text| text.as_str().into()),
        runtime_dir: settings.environment.get("XDG_RUNTIME_DIR").map(PathBuf::from),
        root: is_root,
        start: target.is_none_or(|target| target.kind == TargetKind::Podman),
    };
    let data = settings.data_of(is_root);
    files::ensure_dir(&state, 0o700).map_err(Fault::world)?;
    let ports = edge_ports(target, is_root);
    let folder = state.join("edge");
    let program = own_program()?;
    let units = Some(super::units::of(settings, &program, &folder));
    let start = Start { program, arguments: vec!["proxy".into(), "--dir".into(), folder.clone().into()], units };
    // A fleet of one has ports and no host names: what others set for the edge on this machine stays.
    let set = if single { None } else { Some(edge_settings(root.folder, target, ports)?) };
    let edge = Arc::new(EdgeFiles::new(folder, set, Some(start)));
    let engine = Engine::connect(
        podman::Settings {
            at,
            state: state.clone(),
            data,
            root: root.folder.to_owned(),
            commit: root.commit,
            policy: podman::policy::Policy::default(),
            registries,
            systemd: Path::new("/run/systemd/system").is_dir(),
        },
        Arc::clone(&edge) as _,
    )
    .await
    .map_err(absent)?;
    let store = SqliteStore::open(&state.join("store")).await.map_err(Fault::world)?;
    let facts = engine.facts();
    let defaults = TargetFacts::default();
    let target = TargetFacts {
        name: target.map_or_else(|| Arc::clone(&defaults.name), |target| target.name.value.as_str().into()),
        pool: target
            .and_then(|target| target.pool.as_ref())
            .map_or_else(|| Arc::clone(&defaults.pool), |pool| Arc::clone(&pool.value)),
        rootless: facts.rootless,
        edge: [ports.http, ports.https],
        ..defaults
    };
    Ok(World { engine: Arc::new(engine), store: Arc::new(store), edge, state, target, facts, ports })
}

fn edge_ports(target: Option<&Target>, root: bool) -> EdgePorts {
    let (http, https) = if root { USUAL[0] } else { USUAL[1] };
    let written = |port: Option<u16>, usual| port.unwrap_or(usual);
    EdgePorts {
        http: written(target.and_then(|target| target.edge.http.as_ref()).map(|port| port.value), http),
        https: written(target.and_then(|target| target.edge.https.as_ref()).map(|port| port.value), https),
    }
}

/// What is set for the edge as a whole.
fn edge_settings(root: &Path, target: Option<&Target>, ports: EdgePorts) -> Result<edge::Settings, Fault> {
    let written = target.map(|target| target.edge.clone()).unwrap_or_default();
    let acme = match written.acme {
        AcmeSetting::Off => None,
        AcmeSetting::At { directory, email, ca } => {
            let roots = ca.map(|ca| authority_file(root, &ca)).transpose()?;
            Some(Acme { directory: directory.to_string(), email: email.map(|email| email.to_string()), roots })
        }
    };
    Ok(edge::Settings {
        http: everywhere(ports.http),
        https: everywhere(ports.https),
        acme,
        trusted_proxies: written.trusted_proxies,
        client_connections: written.client_connections,
        access_log: written.access_log,
    })
}

/// The certificates that an authority's own server is judged by: a file of the repository.
fn authority_file(root: &Path, written: &Spanned<Arc<str>>) -> Result<String, Fault> {
    let wrong = |why: &str| {
        let message = format!("the certificates of the authority, {}, {why}", written.value);
        let finding = Diagnostic::error(Code::E0516, message).at(&written.span).path("acme.ca");
        Fault::Findings(Exit::Files, vec![finding])
    };
    let bytes =
        files::read(&root.join(&*written.value)).map_err(Fault::world)?.ok_or_else(|| wrong("are not there"))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("are no text"))?;
    if text.contains("-----BEGIN CERTIFICATE-----") { Ok(text) } else { Err(wrong("hold no certificate (PEM)")) }
}

/// No engine: what was tried, and who knows more.
fn absent(error: escadre_engine::ports::Error) -> Fault {
    let (message, cause) = (error.to_string(), anyhow::Error::new(error));
    let causes: Vec<String> = cause.chain().skip(1).map(ToString::to_string).collect();
    let because = if causes.is_empty() { String::new() } else { format!(": {}", causes.join(": ")) };
    let finding = Diagnostic::error(Code::E0301, format!("{message}{because}"))
        .hint("what is wrong and what mends it: escadre doctor");
    Fault::Findings(Exit::World, vec![finding])
}

/// The running executable, which the edge is started from.
fn own_program() -> Result<PathBuf, Fault> {
    std::env::current_exe()
        .map_err(|error| Fault::world(anyhow::Error::new(error).context("the path of this program cannot be read")))
}

impl World {
    /// Ports for looking and for acting.
    pub(super) fn ports(&self, secrets: Arc<dyn Secrets>, progress: Option<Arc<dyn Progress>>) -> Ports {
        Ports {
            driver: Arc::clone(&self.engine) as _,
            store: Arc::clone(&self.store) as _,
            locks: Arc::new(FileLocks::new(&self.state.join("locks"))),
            clock: Arc::new(SystemClock::start()),
            secrets,
            progress: progress.unwrap_or_else(|| Arc::new(Silent)),
        }
    }

    /// `podman 4.3.1 at /run/podman/podman.sock`.
    pub(super) fn engine_words(&self) -> String {
        let api = self.engine.api();
        let name = if api.dialect == Dialect::Docker { "docker" } else { "podman" };
        format!("{name} {} at {}", api.version, self.engine.door().socket().display())
    }
}
