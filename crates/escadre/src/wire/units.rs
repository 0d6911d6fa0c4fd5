//! systemd's units for the edge and the instances: written, taken into force, removed.
//!
//! In: what was typed. Out: what became of each unit, and what is left to do.
//! **Invariant:** everything that is done is said; an edge that runs is taken over, never stopped.
//! Not here: their text and systemd itself (`escadre_drivers::systemd`).
//! Tests: `tests/it/boot.rs`, with a real systemd in a container.

use super::edge::say;
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use escadre_drivers::systemd::{EDGE, Error, INSTANCES, Units, Whose, Written};
use escadre_edge::control::Client;
use escadre_model::diagnostic::{Code, Diagnostic};
use std::path::{Path, PathBuf};

/// The units of the edge in this folder.
pub(crate) fn of(settings: &Settings, program: &Path, folder: &Path) -> Units {
    let set = |key: &str| settings.environment.get(key).filter(|value| !value.is_empty());
    let config = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(home).join(".config")))
        .unwrap_or_else(|| settings.folder.join(".config"));
    let whose = Whose {
        root: rustix::process::geteuid().is_root(),
        config,
        runtime: set("XDG_RUNTIME_DIR").map(PathBuf::from),
        user: set("USER").cloned().unwrap_or_default(),
    };
    Units::new(whose, program.to_owned(), settings.state.clone(), folder.to_owned())
}

/// Writes the units, has them started at boot, and the edge kept by its unit from now on.
///
/// # Errors
/// When systemd does not run or refuses, or the unit is another edge's.
pub(super) async fn install(settings: &Settings, folder: &Path, print: bool) -> Result<u8, Fault> {
    let program = std::env::current_exe().map_err(Fault::world)?;
    let units = of(settings, &program, folder);
    if print {
        for (unit, text) in [(EDGE, units.edge().map_err(fault)?), (INSTANCES, units.instances().map_err(fault)?)] {
            say(&format!("# {}\n{text}\n", units.path(unit).display()))?;
        }
        return Ok(Exit::Done.number());
    }
    let became = units.write().map_err(fault)?;
    for (unit, became) in [EDGE, INSTANCES].into_iter().zip(became) {
        let word = match became {
            Written::Added => "written",
            Written::Updated => "updated",
            Written::NotNeeded => "as it was",
        };
        say(&format!("{word:<10} {}\n", units.path(unit).display()))?;
    }
    let client = Client::new(folder);
    let before = client.status().await.ok().map(|status| status.holder.map_or(status.pid, |holder| holder.pid));
    let (this, active) = (units.clone(), units.is_active());
    let began = tokio::task::spawn_blocking(move || this.enable().and_then(|()| this.start())).await;
    began.map_err(Fault::bug)?.map_err(fault)?;
    let updated = active && became[0] == Written::Updated;
    // What systemd is to keep for it, it says when it begins.
    let now = if updated { client.upgrade().await } else { client.status().await };
    let now = now.map_err(Fault::world)?;
    let now = now.holder.map_or(now.pid, |holder| holder.pid);
    let edge = match before {
        _ if updated => {
            format!(
                "the edge (process {now}) was renewed, nothing was interrupted; some of it may hold from its next start"
            )
        }
        _ if active => format!("the edge (process {now}) is kept by systemd already"),
        Some(before) => format!("the edge: process {now} took over from process {before}, nothing was interrupted"),
        None => format!("the edge is started (process {now})"),
    };
    let at = if units.ends_at_logout() { "login" } else { "boot" };
    say(&format!(
        "running    {edge}\nfrom now on systemd starts the edge at {at}, and then what ran and was not stopped\n"
    ))?;
    if units.ends_at_logout() {
        say("  next   loginctl enable-linger      otherwise the edge ends when you log out\n")?;
    }
    say(&format!("  look   {} status {EDGE}\n  undo   escadre proxy uninstall\n", units.systemctl()))?;
    Ok(Exit::Done.number())
}

/// Removes the units. The edge that runs goes on, whoever started it.
///
/// # Errors
/// When the unit is another edge's, or systemd refuses.
pub(super) async fn uninstall(settings: &Settings, folder: &Path) -> Result<u8, Fault> {
    let program = std::env::current_exe().map_err(Fault::world)?;
    let units = of(settings, &program, folder);
    let place = units.place();
    let removed = tokio::task::spawn_blocking(move || units.remove()).await.map_err(Fault::bug)?.map_err(fault)?;
    if !removed {
        say("no unit of this edge is installed\n")?;
        return Ok(Exit::Done.number());
    }
    say(&format!("removed    {EDGE} and {INSTANCES} from {}\n", place.display()))?;
    if Client::new(folder).status().await.is_ok() {
        say("the edge runs on until the next boot, or until: escadre proxy stop\n")?;
    }
    Ok(Exit::Done.number())
}

fn fault(error: Error) -> Fault {
    let hint = match &error {
        Error::Absent => {
            "without it: escadre proxy --detach starts the edge until the next boot; what would be written: escadre proxy install --print".to_owned()
        }
        Error::Foreign { folder, .. } => format!("first: escadre proxy uninstall --dir {folder}"),
        _ => return Fault::world(error),
    };
    let finding = Diagnostic::error(Code::E0328, format!("the edge is not installed: {error}")).hint(hint);
    Fault::Findings(Exit::World, vec![finding])
}
