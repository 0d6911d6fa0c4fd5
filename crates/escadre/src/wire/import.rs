//! What runs under other tools, written as a fleet.
//!
//! In: the engine of this host, what was typed. Out: what would be written, to be shown first; then the files.
//! **Invariant:** nothing that runs and no file outside the fleet is changed; no value of a secret is shown, and none is written but encrypted; nothing existing
//! is overwritten.
//! Not here: which projects are one product and what is their own (`escadre_model::propose`), taking over (`ground`).
//! Tests: `tests/it/import.rs`.

mod fleet;
mod found;
mod told;
mod written;

use super::ground;
use super::world::{self, World};
use super::write::begin::Begun;
use super::write::land::Landing;
use crate::exit::{Exit, Fault, Sources};
use crate::settings::Settings;
use crate::terminal::style::count;
use escadre_drivers::folder::OpenFolder;
use escadre_model::diagnostic::{Code, Diagnostic, nearest};
use escadre_model::name::Name;
use escadre_model::propose::{self, Together};
use found::Found;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was typed.
pub(crate) struct Wish<'w> {
    /// Only these projects; none: all that are one of several copies.
    pub(crate) projects: &'w [String],
    /// The product's name.
    pub(crate) product: Option<&'w Name>,
    /// The environment of the instances.
    pub(crate) environment: &'w Name,
    /// The name of the fleet, where there is none yet.
    pub(crate) fleet: Option<&'w Name>,
}

/// What would be written.
pub(crate) struct Imported {
    /// What was found, for people.
    pub(crate) told: String,
    /// Findings, with the texts they point into.
    pub(crate) findings: (Vec<Diagnostic>, Sources),
    /// How many instances.
    pub(crate) instances: usize,
    landing: Landing,
    root: PathBuf,
    begun: Begun,
}

impl Imported {
    /// Writes it.
    ///
    /// # Errors
    /// When something is in the way; nothing is written then.
    pub(crate) fn write(self, settings: &Settings) -> Result<Begun, Fault> {
        let written = self.landing.write(settings, &self.root)?;
        Ok(Begun { written, ..self.begun })
    }
}

/// A product and the projects that are its copies.
struct Group<'f> {
    product: Name,
    found: Vec<&'f Found>,
    instances: Vec<Name>,
    together: Together,
}

/// Reads what docker compose runs here and proposes a fleet.
///
/// # Errors
/// When nothing runs, names clash, or files cannot be read.
pub(crate) async fn import_compose(settings: &Settings, wish: &Wish<'_>) -> Result<Imported, Fault> {
    let here = fleet::Here::of(settings, wish)?;
    let target = here.target();
    let world = world::connect(settings, &here.root, target.as_deref(), here.fleet.is_none(), BTreeMap::new()).await?;
    let open = OpenFolder::new(Path::new("/"));
    let (found, mut left) = found::all(&world, &open, settings, &here.adopted()).await?;
    known(wish, &found, &left)?;
    let groups = groups(wish, &here, &found, &open, &mut left)?;
    if groups.is_empty() {
        let message = "no Docker Compose project here is one of several copies of a product";
        let mut finding = Diagnostic::error(Code::E0324, message);
        let (already, other): (Vec<_>, Vec<_>) = left.iter().partition(|(_, why)| why.ends_with("already"));
        if !already.is_empty() {
            finding = finding.hint(format!("{} of this fleet already", count_are(already.len())));
        }
        for (project, why) in other {
            finding = finding.hint(format!("{project}: {why}"));
        }
        let hint = match found.first() {
            Some(one) => {
                format!("to bring one in that there is once only, name it: escadre import compose {}", one.project)
            }
            None => {
                "what docker compose runs is found by its labels; what runs at all: podman ps, docker ps".to_owned()
            }
        };
        return Err(Fault::Findings(Exit::World, vec![finding.hint(hint)]));
    }
    let mut landing = Landing::default();
    let mut begun = Begun { next: "escadre plan".to_owned(), ..Begun::default() };
    let files = written::files(settings, wish, &here, &world, &open, &groups, (&mut landing, &mut begun))?;
    let checked = written::checked(&here, &files, &groups, &world.facts)?;
    let told = told::text(&world.engine_words(), found.len() + left.len(), &groups, &left, &files, &checked);
    let instances = groups.iter().map(|group| group.instances.len()).sum();
    let findings = (checked.findings, ground::sources(&here.root));
    Ok(Imported { told, findings, instances, landing, root: here.root, begun })
}

/// Projects that were named must be there.
fn known(wish: &Wish<'_>, found: &[Found], left: &[(String, String)]) -> Result<(), Fault> {
    let all: Vec<&str> = found.iter().map(|one| one.project.as_str()).collect();
    let missing = wish.projects.iter().find(|project| !all.contains(&project.as_str()));
    if let Some(project) = missing {
        let message = match left.iter().find(|(name, _)| name == project) {
            Some((_, why)) => format!("the project \"{project}\" cannot be brought in: {why}"),
            None => format!("no Docker Compose project \"{project}\" runs here"),
        };
        let finding = Diagnostic::error(Code::E0324, message);
        let finding = match nearest(project, all.iter().copied()) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if all.is_empty() => finding,
            None => finding.hint(format!("what there is: {}", all.join(", "))),
        };
        return Err(Fault::Findings(Exit::World, vec![finding]));
    }
    Ok(())
}

/// Products with their copies; a project that is there once only is left alone unless it was named.
fn groups<'f>(
    wish: &Wish<'_>,
    here: &fleet::Here,
    found: &'f [Found],
    open: &OpenFolder,
    left: &mut Vec<(String, String)>,
) -> Result<Vec<Group<'f>>, Fault> {
    let meant: Vec<&Found> =
        found.iter().filter(|one| wish.projects.is_empty() || wish.projects.contains(&one.project)).collect();
    let services: Vec<propose::Services> = meant.iter().map(|one| one.images.clone()).collect();
    let mut groups = Vec::new();
    for places in propose::groups(&services) {
        let mut members: Vec<&Found> = places.iter().filter_map(|at| meant.get(*at).copied()).collect();
        members.sort_by(|a, b| a.project.cmp(&b.project));
        if let ([only], true) = (members.as_slice(), wish.projects.is_empty()) {
            left.push((only.project.clone(), "there is no other copy of it".to_owned()));
            continue;
        }
        groups.push(members);
    }
    if wish.product.is_some() && groups.len() > 1 {
        let names: Vec<String> = groups
            .iter()
            .map(|members| members.iter().map(|one| one.project.as_str()).collect::<Vec<_>>().join(" "))
            .collect();
        let message = format!("--product names one product, and these are {}", groups.len());
        let finding = Diagnostic::error(Code::E0202, message);
        let finding = names
            .iter()
            .fold(finding, |finding, names| finding.hint(format!("escadre import compose --product NAME {names}")));
        return Err(Fault::Findings(Exit::CommandLine, vec![finding]));
    }
    let mut all: Vec<Group<'f>> = Vec::new();
    for members in groups {
        let product = here.product(wish, &members, &all)?;
        let instances = here.instances(&product, &members, &all)?;
        let copies: Vec<propose::Copy> = members.iter().map(|one| one.copy.clone()).collect();
        let together = propose::together(&copies, &super::files::Host(open))
            .map_err(|findings| Fault::Files(Exit::Files, findings, ground::sources(&here.root)))?;
        all.push(Group { product, found: members, instances, together });
    }
    Ok(all)
}

/// `19 are instances`.
fn count_are(number: usize) -> String {
    if number == 1 { "1 is an instance".to_owned() } else { format!("{number} are instances") }
}

/// `3 values`, for lists of what differs.
fn values(number: usize) -> String {
    count(number, "value")
}

/// The engine's address for fleet.yaml.
fn address(world: &World) -> String {
    format!("unix://{}", world.engine.door().socket().display())
}
