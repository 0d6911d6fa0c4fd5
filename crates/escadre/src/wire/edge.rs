//! The edge's processes: the holder in the foreground or detached, the worker, their state.
//!
//! In: what was typed. Out: an exit code.
//! **Invariant:** the edge runs without engine, store and fleet; only its folder is given to it.
//! Not here: traffic (`escadre_edge`), who starts it by itself (`escadre_drivers::edge`).
//! Tests: `tests/it`.

use super::units;
use crate::args::proxy::{Proxy, ProxyVerb};
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use escadre_drivers::edge::{EdgeFiles, Start};
use escadre_edge::control::{CertificateStatus, Client};
use escadre_edge::{Options, Program, Version};
use escadre_model::diagnostic::Code;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the edge's two processes are begun with; behind the holder's stand its folder, whether it takes over, and whom
/// it tells that it serves. They live for weeks, and so begin without what is only needed to understand people: they would
/// hold on to megabytes of it.
const HOLDER: [&str; 2] = ["proxy", "holder"];
const WORKER: [&str; 2] = ["proxy", "worker"];
const TAKE_OVER: &str = "take-over";
const ALONE: &str = "alone";

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
            let units = Some(units::of(settings, &program, &folder));
            let arguments = vec!["proxy".into(), "--dir".into(), folder.clone().into()];
            let start = Start { program, arguments, units };
            EdgeFiles::new(folder, None, Some(start)).ensure().await.map_err(Fault::world)?;
            Ok(Exit::Done.number())
        }
        None => Err(hold(settings, folder, args.take_over)),
        Some(ProxyVerb::Status { json }) => status(&folder, *json).await,
        Some(ProxyVerb::Upgrade) => upgrade(&folder).await,
        Some(ProxyVerb::Stop) => {
            match Client::new(&folder).stop(GOODBYE).await {
                Ok(()) => say("the edge has stopped\n")?,
                Err(escadre_edge::control::ControlError::Absent { .. }) => say("the edge does not run\n")?,
                Err(error) => return Err(Fault::world(error)),
            }
            Ok(Exit::Done.number())
        }
        Some(ProxyVerb::Install { print }) => units::install(settings, &folder, *print).await,
        Some(ProxyVerb::Uninstall) => units::uninstall(settings, &folder).await,
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

/// The holder, in place of this process.
fn hold(settings: &Settings, folder: PathBuf, take_over: bool) -> Fault {
    let notify = settings.environment.get("NOTIFY_SOCKET").filter(|path| !path.is_empty());
    let mut args: Vec<OsString> = HOLDER.map(OsString::from).into();
    args.extend([folder.into(), if take_over { TAKE_OVER } else { ALONE }.into()]);
    args.extend(notify.map(OsString::from));
    let become_it = |program| escadre_edge::holder::give_place(&Program { program, args });
    Fault::world(std::env::current_exe().map_or_else(|error| error, become_it))
}

/// Worker and holder become what the program is now.
async fn upgrade(folder: &Path) -> Result<u8, Fault> {
    let status = Client::new(folder).upgrade().await.map_err(Fault::world)?;
    let version = words(status.version.as_ref());
    match status.holder.as_ref().map(|holder| &holder.problem) {
        Some(None) => say(&format!("the edge is of {version}: its processes are replaced, nothing was interrupted\n"))?,
        Some(Some(problem)) => {
            say(&format!("the edge is of {version}, but for the process that holds its listeners: {problem}\n"))?;
            return Ok(Exit::World.number());
        }
        None => {
            say(&format!(
                "the edge is of {version}, but for the process that holds its listeners, which is too early to be replaced:\n  next   escadre proxy stop, then escadre proxy --detach (who comes in between is refused)\n"
            ))?;
            return Ok(Exit::World.number());
        }
    }
    Ok(Exit::Done.number())
}

fn words(version: Option<&Version>) -> String {
    version.map_or_else(|| "an early version".to_owned(), |version| format!("version {version}"))
}

/// Whether these are the words that begin one of the edge's processes.
pub(crate) fn is_process(words: &[OsString]) -> bool {
    match words {
        [_, process @ ..] if process == WORKER => true,
        [_, verb, process, _folder, _how, ..] => HOLDER == [verb, process],
        _ => false,
    }
}

/// Is the process of the edge that these words begin, until it has ended.
///
/// # Errors
/// When it cannot start.
pub(crate) fn process(words: &[OsString]) -> Result<Exit, Fault> {
    let ended = match words.get(2..).unwrap_or_default() {
        [_, folder, how, notify @ ..] => {
            let program = std::env::current_exe().map_err(Fault::world)?;
            let worker = Program { program: program.clone(), args: WORKER.map(OsString::from).into() };
            let again = Program { program, args: vec!["proxy".into(), "--dir".into(), folder.clone()] };
            let notify = notify.first().map(PathBuf::from);
            let take_over = how == TAKE_OVER;
            escadre_edge::holder::run(Options { take_over, notify, ..Options::new(folder, worker, again) })
                .map_err(Fault::world)
        }
        _ => escadre_edge::worker::run(Version::ours()).map_err(Fault::world),
    };
    ended.map(|()| Exit::Done)
}

async fn status(folder: &std::path::Path, json: bool) -> Result<u8, Fault> {
    let status = Client::new(folder).status().await.map_err(Fault::world)?;
    if json {
        let text = serde_json::to_string_pretty(&status).map_err(Fault::bug)?;
        say(&format!("{text}\n"))?;
        return Ok(Exit::Done.number());
    }
    let version = words(status.version.as_ref());
    let process = status.holder.as_ref().map_or(status.pid, |holder| holder.pid);
    let mut text =
        format!("The edge runs ({version}, process {process}), with routes of generation {}.\n", status.generation);
    if let Some(holder) = status.holder.as_ref().filter(|holder| Some(&holder.version) != status.version.as_ref()) {
        text.push_str(&format!("  problem  its listeners are held by a process of version {}\n", holder.version));
    }
    if let Some(problem) = status.holder.as_ref().and_then(|holder| holder.problem.as_ref()) {
        text.push_str(&format!("  problem  {problem}\n"));
    }
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

pub(super) fn say(text: &str) -> Result<(), Fault> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Fault::Gone,
        _ => Fault::world(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_the_edge_is_begun_by_its_own_words_and_by_nothing_that_people_type() {
        let is = |words: &str| is_process(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(is("escadre proxy worker") && is("escadre proxy holder /edge alone"));
        assert!(is("escadre proxy holder /edge take-over /run/systemd/notify"));
        for typed in ["escadre proxy", "escadre proxy --dir /edge", "escadre proxy holder", "escadre worker", "escadre"]
        {
            assert!(!is(typed), "{typed}");
        }
    }
}
