//! What runs under other tools, written as a fleet.
//!
//! In: the engine of this host, what was typed. Out: what would be written, to be shown first; then the files.
//! **Invariant:** nothing that runs and no file outside the fleet is changed; no value of a secret is shown, and none is written but encrypted; nothing existing
//! is overwritten.
//! Not here: which projects are one product and what is their own (`escadre_model::propose`), taking over (`ground`).
//! Tests: `tests/it/import.rs`.

mod fleet;
mod found;
mod swarm;
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
use escadre_model::desired::Former;
use escadre_model::diagnostic::{Code, Diagnostic, nearest};
use escadre_model::name::Name;
use escadre_model::propose::{self, Together};
use escadre_model::tree::Tree;
use found::Found;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What one of the things that are brought in is called.
fn thing(from: Former) -> &'static str {
    match from {
        Former::Compose => "project",
        Former::Swarm => "stack",
    }
}

/// The tool, as it is typed.
fn word(from: Former) -> &'static str {
    match from {
        Former::Compose => "compose",
        Former::Swarm => "swarm",
    }
}

/// What was typed.
pub(crate) struct Wish<'w> {
    /// What runs it now.
    pub(crate) from: Former,
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

/// Reads what runs here and proposes a fleet.
///
/// # Errors
/// When nothing runs, names clash, or files cannot be read.
pub(crate) async fn import(settings: &Settings, wish: &Wish<'_>) -> Result<Imported, Fault> {
    let here = fleet::Here::of(settings, wish)?;
    let target = here.target();
    let root = world::Root { folder: &here.root, commit: None };
    let world = world::connect(settings, root, target.as_deref(), here.fleet.is_none(), BTreeMap::new()).await?;
    let (found, mut left, open): (_, _, Box<dyn Tree>) = match wish.from {
        Former::Compose => {
            let open = OpenFolder::new(Path::new("/"));
            let (found, left) = found::all(&world, &open, settings, &here.adopted(wish.from)).await?;
            (found, left, Box::new(open))
        }
        Former::Swarm => {
            let (found, left, files) = swarm::all(&world, &here.adopted(wish.from)).await?;
            (found, left, Box::new(files))
        }
    };
    known(wish, &found, &left)?;
    let groups = groups(wish, &here, &found, open.as_ref(), &mut left)?;
    if groups.is_empty() {
        return Err(nothing(wish, &found, &left));
    }
    let mut landing = Landing::default();
    let mut begun = Begun { next: "escadre plan".to_owned(), ..Begun::default() };
    let files = written::files(settings, wish, &here, &world, open.as_ref(), &groups, (&mut landing, &mut begun))?;
    let checked = written::checked(&here, &files, &groups, &world.facts)?;
    let engine = world.engine_words();
    let told = told::Told {
        from: wish.from,
        engine: &engine,
        projects: found.len() + left.len(),
        groups: &groups,
        left: &left,
    };
    let told = told.text(&files, &checked);
    if !files.missing.is_empty() {
        begun.next = "give the secrets their values, then: escadre plan".to_owned();
    }
    let instances = groups.iter().map(|group| group.instances.len()).sum();
    let findings = (checked.findings, ground::sources(&here.root));
    Ok(Imported { told, findings, instances, landing, root: here.root, begun })
}

/// There is nothing to be brought in.
fn nothing(wish: &Wish<'_>, found: &[Found], left: &[(String, String)]) -> Fault {
    let message = match wish.from {
        Former::Compose => "no Docker Compose project here is one of several copies of a product",
        Former::Swarm if left.is_empty() => "this Swarm runs no stack",
        Former::Swarm => "no stack of this Swarm is left to be brought in",
    };
    let mut finding = Diagnostic::error(Code::E0324, message);
    let (already, other): (Vec<_>, Vec<_>) = left.iter().partition(|(_, why)| why.ends_with("already"));
    if !already.is_empty() {
        finding = finding.hint(format!("{} of this fleet already", count_are(already.len())));
    }
    for (project, why) in other {
        finding = finding.hint(format!("{project}: {why}"));
    }
    let hint = match (wish.from, found.first()) {
        (Former::Compose, Some(one)) => {
            format!("to bring one in that there is once only, name it: escadre import compose {}", one.project)
        }
        (Former::Compose, None) => {
            "what docker compose runs is found by its labels; what runs at all: podman ps, docker ps".to_owned()
        }
        (Former::Swarm, _) => "what a Swarm runs: docker service ls".to_owned(),
    };
    Fault::Findings(Exit::World, vec![finding.hint(hint)])
}

/// Projects that were named must be there.
fn known(wish: &Wish<'_>, found: &[Found], left: &[(String, String)]) -> Result<(), Fault> {
    let all: Vec<&str> = found.iter().map(|one| one.project.as_str()).collect();
    let missing = wish.projects.iter().find(|project| !all.contains(&project.as_str()));
    if let Some(project) = missing {
        let message = match left.iter().find(|(name, _)| name == project) {
            Some((_, why)) => format!("the project \"{project}\" cannot be brought in: {why}"),
            None if wish.from == Former::Swarm => format!("no stack \"{project}\" runs here"),
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
    open: &dyn Tree,
    left: &mut Vec<(String, String)>,
) -> Result<Vec<Group<'f>>, Fault> {
    let meant: Vec<&Found> =
        found.iter().filter(|one| wish.projects.is_empty() || wish.projects.contains(&one.project)).collect();
    let services: Vec<propose::Services> = meant.iter().map(|one| one.images.clone()).collect();
    let mut groups = Vec::new();
    for places in propose::groups(&services) {
        let mut members: Vec<&Found> = places.iter().filter_map(|at| meant.get(*at).copied()).collect();
        members.sort_by(|a, b| a.project.cmp(&b.project));
        // Who else runs things with docker compose on a host cannot be known; a stack was deployed to be operated.
        if let ([only], true) = (members.as_slice(), wish.projects.is_empty() && wish.from == Former::Compose) {
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
        let finding = names.iter().fold(finding, |finding, names| {
            finding.hint(format!("escadre import {} --product NAME {names}", word(wish.from)))
        });
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
