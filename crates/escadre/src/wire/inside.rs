//! Looking inside: logs as they come, a command in a container.
//!
//! In: what was typed. Out: a stream of lines, an exit code.
//! **Invariant:** only containers of the fleet at hand can be reached.
//! Not here: painting lines (`views::log`).
//! Tests: `tests/it`.

use super::files::{self, Read};
use super::{Ask, ground};
use crate::args::inside::Exec as Typed;
use crate::exit::{Exit, Fault};
use crate::settings::{Selection, Settings};
use escadre_drivers::podman::Exec;
use escadre_engine::journal::{self, Body};
use escadre_engine::observe::observe;
use escadre_engine::ports::{Driver, LogLine, LogQuery, Scope};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::ids::InstanceId;
use escadre_model::observed::{ContainerSeen, Phase};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::Arc;

/// Lines in flight between the engine and the terminal.
const LINES: usize = 1024;

/// Log lines of the chosen instances, as they come.
///
/// # Errors
/// When the engine cannot be asked.
pub(crate) async fn logs(
    settings: &Settings,
    ask: &Ask,
    plan: Option<&str>,
    mut query: LogQuery,
) -> Result<(tokio::sync::mpsc::Receiver<LogLine>, bool), Fault> {
    let read = Read::from(files::find(settings, &ask.files, ask.path.as_deref())?, &ask.files)?;
    let (world, wanted) = ground::wanted(settings, read, &ask.files).await?;
    let scope = if ask.selection.is_all() {
        Scope::Fleet(wanted.fleet.clone())
    } else {
        Scope::Instances(ground::chosen(&ask.selection, &wanted).unwrap_or_default().into_iter().collect())
    };
    named(&ask.selection, &scope, &world, &wanted).await?;
    let (to, from) = tokio::sync::mpsc::channel(LINES);
    if let Some(plan) = plan {
        let kept = kept(&world, &wanted, plan).await?;
        tokio::spawn(async move {
            for line in kept {
                if to.send(line).await.is_err() {
                    return;
                }
            }
        });
        return Ok((from, wanted.single.is_some()));
    }
    for record in journal::records(world.store.as_ref(), &wanted.fleet, None).await.map_err(Fault::world)?.into_values()
    {
        let adopted = record.owned.into_iter().filter(|(engine, _)| record.adopted.contains_key(engine));
        query.adopted.extend(adopted);
    }
    let engine = Arc::clone(&world.engine);
    tokio::spawn(async move {
        // The receiver sees the end; a failing engine ends the stream, and the next verb says why.
        if let Err(error) = engine.logs(&scope, &query, to.clone()).await {
            let line = LogLine {
                container: nobody(),
                at: "".into(),
                error: true,
                text: format!("the engine stopped: {error}").into(),
            };
            // Nobody listens any more: then nobody needs to know.
            let _ = to.send(line).await;
        }
    });
    Ok((from, wanted.single.is_some()))
}

/// Every instance that was named must be in the files, or run though it is in none.
async fn named(
    selection: &Selection,
    scope: &Scope,
    world: &super::world::World,
    wanted: &files::Wanted,
) -> Result<(), Fault> {
    let Scope::Instances(meant) = scope else { return Ok(()) };
    let written = |id: &&InstanceId| wanted.resolved.iter().any(|one| one.instance == **id);
    let strange: Vec<InstanceId> = meant.iter().filter(|id| !written(id)).cloned().collect();
    if strange.is_empty() {
        return Ok(());
    }
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    let observed = observe(&ports, &Scope::Instances(strange), &[], BTreeSet::new()).await.map_err(Fault::world)?;
    let seen = observed.instances.iter().filter(|(_, seen)| !seen.containers.is_empty()).map(|(id, _)| id);
    let all: Vec<&InstanceId> = wanted.resolved.iter().map(|one| &one.instance).chain(seen).collect();
    selection.known(all.iter().map(|id| id.instance.as_str()))
}

/// The last lines of what failed under a plan, as its receipt keeps them.
async fn kept(world: &super::world::World, wanted: &files::Wanted, plan: &str) -> Result<Vec<LogLine>, Fault> {
    let mut lines = Vec::new();
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    for one in &wanted.resolved {
        let entries = ports.store.history(&one.instance).await.map_err(Fault::world)?;
        let mut acting = BTreeMap::new();
        for entry in entries.iter().filter(|entry| &*entry.entry.plan == plan) {
            match (Body::of(entry).map_err(Fault::world)?, entry.entry.step) {
                (Body::Intent { on, .. }, Some(step)) => {
                    acting.insert(step, on);
                }
                (Body::Failed { evidence: Some(evidence), .. }, Some(step)) => {
                    let on = acting.get(&step).cloned().unwrap_or_else(nobody);
                    let line = |text: &Arc<str>| LogLine {
                        container: on.clone(),
                        at: "".into(),
                        error: false,
                        text: Arc::clone(text),
                    };
                    lines.extend(evidence.log.iter().map(line));
                }
                _ => {}
            }
        }
    }
    if lines.is_empty() {
        let finding = Diagnostic::error(Code::E0302, format!("nothing of plan {plan} is kept"))
            .hint("what was done: escadre history");
        return Err(Fault::Findings(Exit::CommandLine, vec![finding]));
    }
    Ok(lines)
}

fn nobody() -> escadre_model::ids::ResourceId {
    use escadre_model::ids::{Kind, ResourceKey};
    use escadre_model::name::Name;
    // Both are names by the grammar; the fallback can never be taken.
    let name = |text: &str| Name::new(text);
    match (name("escadre"), name("engine")) {
        (Ok(fleet), Ok(instance)) => {
            InstanceId::new(fleet, instance).resource(ResourceKey::new(Kind::Service, "engine"))
        }
        _ => unreachable!("names by the grammar"),
    }
}

/// Runs a command in a container; its exit code.
///
/// # Errors
/// When the container is not there or the engine refuses.
pub(crate) async fn exec(settings: &Settings, args: &Typed) -> Result<u8, Fault> {
    let read = Read::from(files::find(settings, &args.files, None)?, &args.files)?;
    let (world, wanted) = ground::wanted(settings, read, &args.files).await?;
    let known = Selection { instances: vec![args.place.instance.clone()], ..Selection::default() };
    known.known(wanted.resolved.iter().map(|one| one.instance.instance.as_str()))?;
    let id = InstanceId::new(wanted.fleet.clone(), args.place.instance.clone());
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    let observed =
        observe(&ports, &Scope::Instances(vec![id.clone()]), &[], BTreeSet::new()).await.map_err(Fault::world)?;
    let seen = observed.instances.get(&id).map(|seen| seen.containers.as_slice()).unwrap_or_default();
    let running = |one: &&ContainerSeen| {
        *one.id.resource.key == *args.place.service
            && one.id.replica == Some(args.replica)
            && one.phase == Phase::Running
    };
    let Some(container) = seen.iter().filter(running).max_by_key(|one| one.id.generation) else {
        let message = format!("{}/{} does not run", args.place.instance, args.place.service);
        let finding =
            Diagnostic::error(Code::E0206, message).hint(format!("what runs: escadre ps {}", args.place.instance));
        return Err(Fault::Findings(Exit::World, vec![finding]));
    };
    let tty = !args.no_tty && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let exec = Exec {
        command: args.command.clone(),
        user: args.user.clone(),
        folder: args.workdir.clone(),
        tty,
        stdin: true,
        ..Exec::default()
    };
    let session = world.engine.exec(&container.name, &exec).await.map_err(Fault::world)?;
    let raw = if tty { Raw::begin() } else { None };
    if let (true, Ok(size)) = (tty, rustix::termios::tcgetwinsize(std::io::stdout())) {
        // A terminal of the wrong size is a smaller evil than none.
        let _ = world.engine.resize(&session, size.ws_row, size.ws_col).await;
    }
    let (input, output, errors) = (tokio::io::stdin(), tokio::io::stdout(), tokio::io::stderr());
    let code = world.engine.converse(session, input, output, errors).await;
    drop(raw);
    let code = code.map_err(Fault::world)?;
    // A thread may still wait for a key: it ends with the process.
    Ok(u8::try_from(code).unwrap_or(255))
}

/// The terminal passes every key on, until this is dropped.
struct Raw(rustix::termios::Termios);

impl Raw {
    fn begin() -> Option<Self> {
        let before = rustix::termios::tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nobody to be told when the terminal is gone.
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}
