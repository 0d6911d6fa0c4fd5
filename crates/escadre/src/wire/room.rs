//! Making room: what the state folder and the engine keep for ways back.
//!
//! In: which instances, how many states. Out: what would go, then what went.
//! **Invariant:** with errors in the files nobody is taken for gone; a saved plan stays as long as its state does, and a week in any case.
//! Not here: what may go (`escadre_engine::room`), words for it (`views::room`).
//! Tests: `tests/it/room.rs`.

use super::files::{self, Read};
use super::ground;
use super::world::World;
use crate::args::room::Prune;
use crate::exit::{Exit, Fault};
use crate::settings::{Selection, Settings};
use escadre_engine::apply::{Options, Ports};
use escadre_engine::ports::Silent;
use escadre_engine::room::{self, Asked, Made, Room, RoomError};
use escadre_model::diagnostic::{Code, Diagnostic, has_errors};
use escadre_model::ids::InstanceId;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a saved plan waits for its `apply`.
const PLAN_STAYS: Duration = Duration::from_secs(7 * 24 * 3600);

/// What would go, and where.
pub(crate) struct Found {
    /// The engine and its address.
    pub(crate) engine: String,
    /// What the engine's part of us says.
    pub(crate) room: Room,
    /// How many states of each instance stay.
    pub(crate) keep: usize,
    /// Saved plans, with their sizes.
    pub(crate) plans: Vec<(PathBuf, u64)>,
    /// Instances whose earlier states go because no file names them any more.
    pub(crate) gone: BTreeSet<InstanceId>,
    asked: Asked,
    ports: Ports,
}

/// Looks what would go.
///
/// # Errors
/// Files with errors, the command line, the world.
pub(crate) async fn room(settings: &Settings, args: &Prune) -> Result<Found, Fault> {
    let read = Read::from(files::find(settings, &args.files, None)?, &args.files)?;
    let (world, wanted) = ground::wanted(settings, read, &args.files).await?;
    if has_errors(&wanted.findings) || !wanted.listed {
        let sources = ground::sources(&wanted.root);
        return Err(Fault::Files(Exit::Files, wanted.findings, sources));
    }
    let selection = Selection::new(&args.which.instances, &args.which.filter);
    let ports = world.ports(Arc::clone(&wanted.secrets), Some(Arc::new(Silent)));
    let named: BTreeSet<InstanceId> = wanted.resolved.iter().map(|one| one.instance.clone()).collect();
    let recorded = ports.store.instances().await.map_err(Fault::world)?;
    let ours: BTreeSet<InstanceId> = recorded.into_iter().filter(|one| one.fleet == wanted.fleet).collect();
    selection.known(named.union(&ours).map(|one| one.instance.as_str()))?;
    let chosen = ground::chosen(&selection, &wanted);
    let chosen = |one: &&InstanceId| chosen.as_ref().is_none_or(|only| only.contains(*one));
    let asked = Asked {
        instances: ours.iter().filter(chosen).cloned().collect(),
        keep: args.keep.into(),
        gone: ours.difference(&named).filter(chosen).cloned().collect(),
    };
    let room = room::look(&asked, &ports).await.map_err(Fault::world)?;
    let gone = asked.gone.iter().filter(|one| room.states.contains_key(*one)).cloned().collect();
    let plans = plans(&world, &room);
    Ok(Found { engine: world.engine_words(), room, keep: args.keep.into(), plans, gone, asked, ports })
}

/// Saved plans of no kept state. A folder that cannot be listed has none to show.
fn plans(world: &World, room: &Room) -> Vec<(PathBuf, u64)> {
    let entries = std::fs::read_dir(world.state.join("plans")).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| {
        let path = entry.path();
        let id = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
        let about = entry.metadata().ok()?;
        let age = about.modified().ok()?.elapsed().unwrap_or_default();
        (age > PLAN_STAYS && !room.plans.contains(id.as_str())).then_some((path, about.len()))
    };
    entries.filter_map(of).collect()
}

/// Makes the room that was shown.
///
/// # Errors
/// When somebody works on an instance, or nothing can be read.
pub(crate) async fn make_room(settings: &Settings, found: &Found, wait: Duration) -> Result<Made, Fault> {
    let options = Options { by: settings.who.as_str().into(), wait, ..Options::default() };
    let mut made =
        room::make(&found.room, &found.asked, &found.ports, &options).await.map_err(|error| match error {
            RoomError::Busy(..) => {
                let message = format!("{error}. Nothing was done (exit 3)");
                Fault::refused(Diagnostic::error(Code::E0311, message).hint("wait for it: --wait"))
            }
            error => Fault::world(error),
        })?;
    for (path, _) in &found.plans {
        if let Err(error) = std::fs::remove_file(path) {
            made.failed.push(format!("cannot remove {}: {error}", path.display()));
        }
    }
    Ok(made)
}
