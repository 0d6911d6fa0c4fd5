//! The word in an instance's file that says which Compose project it was.
//!
//! In: an instance, a project that runs here. Out: the file with `adopt:`, and with the names of volumes that the instance would call otherwise.
//! **Invariant:** comments and order of the file are kept; a project that does not run here is refused, and nothing is written.
//! Not here: taking it over (`ground`), the edit of the text (`escadre_model::fleet::write`).
//! Tests: `tests/it/adopt.rs`.

use super::files::{self, Read, Source};
use super::ground;
use super::write::{edit_fault, land::Landing};
use crate::args::shared::Files;
use crate::exit::{Exit, Fault};
use crate::settings::{Selection, Settings};
use escadre_engine::ports::{Driver as _, Scope};
use escadre_model::desired::Body;
use escadre_model::diagnostic::{Code, Diagnostic, nearest};
use escadre_model::fleet::write;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Writes the word; what was written, for people. `None`: beside a plain Compose file there is no instance's file.
///
/// # Errors
/// When it is not said which instance, or no such project runs here; nothing is written then.
pub(crate) async fn adopt_into(
    settings: &Settings,
    files: &Files,
    selection: &Selection,
    project: &str,
) -> Result<Option<String>, Fault> {
    let source = files::find(settings, files, None)?;
    if !matches!(source, Source::Fleet(_)) {
        return Ok(None);
    }
    let [name] = selection.instances.as_slice() else {
        let message = "--project says what one instance was: name exactly one";
        return Err(Fault::usage_hint(Code::E0201, message, "escadre adopt INSTANCE --project NAME"));
    };
    let read = Read::from(source, files)?;
    let root = read.source.root().to_owned();
    let Some(instance) = read.fleet.as_ref().and_then(|fleet| fleet.instances.get(name).cloned()) else {
        let known: Vec<String> =
            read.fleet.iter().flat_map(|fleet| fleet.instances.keys()).map(ToString::to_string).collect();
        let finding = Diagnostic::error(Code::E0505, format!("there is no instance \"{name}\""));
        let finding = match nearest(name.as_str(), known.iter().map(String::as_str)) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding.hint("begin it with: escadre new instance NAME"),
        };
        return Err(Fault::Findings(Exit::CommandLine, vec![finding]));
    };
    let (world, wanted) = ground::wanted(settings, read, files).await?;
    let observed = world.engine.observe(&Scope::Instances(Vec::new()), &BTreeSet::new()).await.map_err(Fault::world)?;
    let Some(seen) = observed.host.projects.get(project) else {
        let all: Vec<&str> = observed.host.projects.keys().map(AsRef::as_ref).collect();
        let finding = Diagnostic::error(Code::E0324, format!("no Docker Compose project \"{project}\" runs here"));
        let finding = match nearest(project, all.iter().copied()) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if all.is_empty() => finding.hint("nothing that docker compose made is left to be taken over"),
            None => finding.hint(format!("what there is: {}", all.join(", "))),
        };
        return Err(Fault::Findings(Exit::World, vec![finding]));
    };
    let desired = wanted.desired.iter().find(|one| one.instance.instance == *name);
    let mut names: Vec<(String, String)> =
        instance.volumes.iter().map(|(key, name)| (key.to_string(), name.value.to_string())).collect();
    for volume in &seen.volumes {
        let body = desired.and_then(|desired| desired.resources.get(&volume.key)).map(|resource| &resource.body);
        let strange = matches!(body, Some(Body::Volume(own)) if own.name != volume.name && !own.external && !own.named);
        if strange {
            names.push((volume.key.key.to_string(), volume.name.to_string()));
        }
    }
    let path = root.join(&*instance.file);
    let before = escadre_drivers::files::read(&path).map_err(Fault::world)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&before).into_owned();
    let word = format!("adopt: {{ project: {} }}\n", write::quote(project));
    let mut edited = write::put(&instance.file, &text, "adopt", &word).map_err(edit_fault)?;
    let mut said = format!("{}:\n  + {word}", instance.file);
    if names.len() > instance.volumes.len() {
        let pairs: Vec<String> =
            names.iter().map(|(key, name)| format!("{}: {}", write::quote(key), write::quote(name))).collect();
        let word = format!("volumes: {{ {} }}\n", pairs.join(", "));
        edited = write::put(&instance.file, &edited, "volumes", &word).map_err(edit_fault)?;
        // Writing to a String cannot fail.
        let _ = write!(said, "  + {word}");
    }
    if edited != text {
        let mut landing = Landing::default();
        landing.edit(path, Some(before), edited);
        landing.write(settings, &root)?;
    }
    said.push('\n');
    Ok(Some(said))
}
