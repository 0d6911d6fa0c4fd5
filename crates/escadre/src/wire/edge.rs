//! The edge's processes: the holder in the foreground or detached, the worker, their state.
//!
//! In: what was typed. Out: an exit code.
//! **Invariant:** the edge runs without engine, store and fleet; only its folder is given to it.
//! Not here: traffic (`escadre_edge`), who starts it by itself (`escadre_drivers::edge`).
//! Tests: `tests/it`.

use crate::args::proxy::{Proxy, ProxyVerb};
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use escadre_drivers::edge::{EdgeFiles, Start};
use escadre_edge::control::{CertificateStatus, Client};
use escadre_edge::{Options, Version, WorkerProgram};
use escadre_model::diagnostic::Code;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a stopping edge may finish what it has.
const GOODBYE: Duration = Duration::from_secs(10);

/// Runs or tends the edge; the exit code.
///
/// # Errors
/// When it cannot start.
pub(crate) async fn proxy(settings: &Settings, args: &Proxy) -> Result<u8, Fault> {
    let folder = folder(settings, args.dir.as_deref());
    match &args.verb {
        None if args.detach => {
            let program = std::env::current_exe().map_err(Fault::world)?;
            let start = Start { program, arguments: vec!["proxy".into(), "--dir".into(), folder.clone().into()] };
            EdgeFiles::new(folder, None, Some(start)).ensure().await.map_err(Fault::world)?;
            Ok(Exit::Done.number())
        }
        None => hold(folder),
        Some(ProxyVerb::Worker { .. }) => {
            apart(|| escadre_edge::worker::run(Version::ours()).map_err(anyhow::Error::new))
        }
        Some(ProxyVerb::Status { json }) => status(&folder, *json).await,
        Some(ProxyVerb::Stop) => {
            match Client::new(&folder).stop(GOODBYE).await {
                Ok(()) => say("the edge has stopped\n")?,
                Err(escadre_edge::control::ControlError::Absent { .. }) => say("the edge does not run\n")?,
                Err(error) => return Err(Fault::world(error)),
            }
            Ok(Exit::Done.number())
        }
        Some(ProxyVerb::Install) => install(&folder),
        // Painted by the verb.
        Some(ProxyVerb::Renew { .. }) => Ok(Exit::Done.number()),
        Some(ProxyVerb::Other(words)) => Err(crate::args::reserved::refuse_proxy(words)),
    }
}

/// The edge's folder: the one that was named, else that of the engine whose edge has been here, Podman's first.
pub(super) fn folder(settings: &Settings, named: Option<&Path>) -> PathBuf {
    if let Some(folder) = named {
        return settings.folder.join(folder);
    }
    let of = |engine| settings.state_of(engine, rustix::process::geteuid().is_root()).join("edge");
    let (podman, docker) = (of("podman"), of("docker"));
    if !podman.is_dir() && docker.is_dir() { docker } else { podman }
}

fn hold(folder: PathBuf) -> Result<u8, Fault> {
    let program = std::env::current_exe().map_err(Fault::world)?;
    let worker = WorkerProgram { program, args: vec!["proxy".into(), "worker".into()] };
    apart(move || escadre_edge::holder::run(Options::new(folder, worker)).map_err(anyhow::Error::new))
}

/// Holder and worker make runtimes of their own, which is not possible inside of one.
fn apart(run: impl FnOnce() -> Result<(), anyhow::Error> + Send + 'static) -> Result<u8, Fault> {
    match std::thread::spawn(run).join() {
        Ok(Ok(())) => Ok(Exit::Done.number()),
        Ok(Err(error)) => Err(Fault::Other(Exit::World, error)),
        Err(_) => Err(Fault::bug(anyhow::anyhow!("the edge panicked"))),
    }
}

async fn status(folder: &std::path::Path, json: bool) -> Result<u8, Fault> {
    let status = Client::new(folder).status().await.map_err(Fault::world)?;
    if json {
        let text = serde_json::to_string_pretty(&status).map_err(Fault::bug)?;
        say(&format!("{text}\n"))?;
        return Ok(Exit::Done.number());
    }
    let version =
        status.version.as_ref().map_or_else(|| "an early version".to_owned(), |version| format!("version {version}"));
    let mut text = format!(
        "The edge runs ({version}, process {}), with routes of generation {}.\n",
        status.pid, status.generation
    );
    if let Some(problem) = &status.problem {
        text.push_str(&format!("  problem  {problem}\n"));
    }
    for listener in &status.listeners {
        let state = format!("{:?}", listener.state).to_lowercase();
        text.push_str(&format!("  listens  {:<22}  {state}\n", listener.address.to_string()));
    }
    // A route has a twin for the other family of addresses, which is the same to people.
    let names: std::collections::BTreeSet<String> = status
        .routes
        .iter()
        .map(|route| route.counters.id.to_string())
        .map(|id| id.strip_suffix("@6").map(str::to_owned).unwrap_or(id))
        .collect();
    for name in names {
        text.push_str(&format!("  route    {name}\n"));
    }
    say(&text)?;
    Ok(Exit::Done.number())
}

/// Asks for a certificate now; what became of it.
///
/// # Errors
/// When it is no host, it has no certificate of an authority, or no edge runs.
pub(crate) async fn renew(settings: &Settings, args: &Proxy, host: &str) -> Result<CertificateStatus, Fault> {
    let folder = folder(settings, args.dir.as_deref());
    let name = escadre_model::host::read(host).map_err(|why| {
        let shown: String = host.chars().take(80).flat_map(char::escape_default).collect();
        Fault::usage(Code::E0202, format!("\"{shown}\" is no host name: {why}"))
    })?;
    Client::new(&folder).renew(&name).await.map_err(Fault::world)
}

/// Writes a systemd unit; the person starts it, so that nothing happens behind their back.
fn install(folder: &std::path::Path) -> Result<u8, Fault> {
    let program = std::env::current_exe().map_err(Fault::world)?;
    let unit = format!(
        "[Unit]\nDescription=Escadre edge\nAfter=network-online.target\nWants=network-online.target\n\n[Service]\nExecStart={} proxy --dir {}\nRestart=always\nRestartSec=1\nLimitNOFILE=65536\n\n[Install]\nWantedBy=multi-user.target\n",
        program.display(),
        folder.display()
    );
    let path = PathBuf::from("/etc/systemd/system/escadre-proxy.service");
    escadre_drivers::files::write_atomic(&path, unit.as_bytes(), 0o644).map_err(Fault::world)?;
    say(&format!("written {}\n  next   systemctl enable --now escadre-proxy\n", path.display()))?;
    Ok(Exit::Done.number())
}

fn say(text: &str) -> Result<(), Fault> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Fault::Gone,
        _ => Fault::world(error),
    })
}
