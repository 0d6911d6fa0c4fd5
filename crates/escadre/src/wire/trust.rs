//! The local authority and the stores of this machine.
//!
//! In: what was typed. Out: [`Trusting`].
//! **Invariant:** a store that could not be changed does not keep the others from it.
//! Not here: how a store is changed (`escadre_drivers::trust`).
//! Tests: `tests/it/trust.rs`.

use super::edge;
use crate::args::trust::Trust;
use crate::exit::Fault;
use crate::settings::Settings;
use crate::terminal::time::day;
use escadre_drivers::files;
use escadre_drivers::trust::{Root, Store, TrustError, stores};
use escadre_engine::ports::Changed;
use escadre_model::host::PRIVATE;
use std::path::Path;

/// What came of it.
pub(crate) enum Trusting {
    /// The certificate alone.
    Shown(String),
    /// What became of each store.
    Said(String),
    /// The same, and some could not be changed.
    Failed(String),
}

/// Shows, writes, adds or removes the root.
///
/// # Errors
/// When the authority cannot be read or made.
pub(crate) fn trust(settings: &Settings, args: &Trust) -> Result<Trusting, Fault> {
    let folder = edge::folder(settings, args.dir.as_deref());
    if args.remove && args.file.is_none() {
        return match Root::there(&folder).map_err(Fault::world)? {
            Some(root) => Ok(each(settings, &root, true, &folder)),
            None => Ok(Trusting::Said(format!(
                "There is no local authority in {}: nothing to take out.\n",
                folder.display()
            ))),
        };
    }
    let root = match &args.file {
        Some(path) => Root::read(&settings.folder.join(path)).map_err(Fault::world)?,
        None => Root::of(&folder).map_err(Fault::world)?,
    };
    if args.show {
        return Ok(Trusting::Shown(root.pem));
    }
    if let Some(out) = &args.out {
        let path = settings.folder.join(out);
        files::write_atomic(&path, root.pem.as_bytes(), 0o644).map_err(Fault::world)?;
        let there =
            out.file_name().map_or_else(|| out.display().to_string(), |name| name.to_string_lossy().into_owned());
        return Ok(Trusting::Said(format!(
            "{} is written. On another machine:\n\n  trust it   escadre trust {there}\n",
            path.display()
        )));
    }
    Ok(each(settings, &root, args.remove, &folder))
}

fn each(settings: &Settings, root: &Root, remove: bool, folder: &Path) -> Trusting {
    let home = settings.environment.get("HOME").map(Path::new);
    let found = stores(home);
    let mut text = format!("{}, until {}\n", root.name, day(root.ends));
    if !remove {
        text.push_str(&format!(
            "It can vouch for private names only, and says so itself: those that end in\n{}.\n",
            wrapped(&PRIVATE.join(", "))
        ));
    }
    text.push('\n');
    let (mut failed, mut changed, mut missing) = (false, false, None);
    for store in &found {
        let done = if remove { store.remove(root) } else { store.add(root) };
        let word = match &done {
            Ok(Changed::Added) => "added".to_owned(),
            Ok(Changed::Updated) => "taken out".to_owned(),
            Ok(Changed::NotNeeded) => if remove { "was not there" } else { "was there already" }.to_owned(),
            Err(error) => {
                failed = true;
                missing = missing.or(error.missing());
                with_causes(error)
            }
        };
        changed |= matches!(done, Ok(Changed::Added));
        text.push_str(&format!("  {:<8}  {}  {word}\n", store.whose(), store.place(root).display()));
    }
    if found.is_empty() {
        failed = true;
        text.push_str("  No store that is known was found on this machine; give the certificate to your programs by hand:\n    escadre trust --out root.pem\n");
    }
    let pem = escadre_edge::authority::folder(folder).join("root.pem");
    let not_root = found.iter().any(|store| matches!(store, Store::System(_))) && !rustix::process::geteuid().is_root();
    let verb = if remove { "trust --remove" } else { "trust" };
    let mut next = Vec::new();
    if let Some(package) = missing {
        next.push(format!("first         sudo apt install {package}"));
    }
    if failed && not_root {
        next.push(format!("the system's  sudo escadre {verb} {}", pem.display()));
    }
    if changed {
        next.push("undo it       escadre trust --remove".to_owned());
        next.push("              a browser that runs must be started again".to_owned());
    }
    if !next.is_empty() {
        text.push('\n');
        next.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    if failed { Trusting::Failed(text) } else { Trusting::Said(text) }
}

fn with_causes(error: &TrustError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text.push_str(&format!(": {words}"));
        }
        cause = next.source();
    }
    text
}

/// At most 80 columns.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.len());
        if last + word.len() >= 79 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// Does this machine trust the authority of an edge's folder, as far as can be told without asking programs? `None`: there is no authority.
pub(super) fn is_trusted(settings: &Settings, folder: &Path) -> Option<bool> {
    let root = Root::there(folder).ok().flatten()?;
    let home = settings.environment.get("HOME").map(Path::new);
    let system = stores(home).into_iter().find(|store| matches!(store, Store::System(_)));
    Some(system.is_some_and(|store| store.has(&root).unwrap_or(false)))
}
