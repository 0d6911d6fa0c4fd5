//! A product from the Compose file that developers have, and its first instance.
//!
//! In: a Compose file with what it names. Out: what would be written, to be shown first; then the files.
//! **Invariant:** no value of a secret is shown, and none is written but encrypted; the Compose file reads as before; nothing existing is overwritten.
//! Not here: which literals become parameters (`escadre_model::propose`).
//! Tests: `tests/it/write.rs`.

use super::begin::{Begun, taken};
use super::bring::{Bring, inside, outside, read};
use super::fleet_here;
use super::land::{Landing, shown};
use super::secrets::{crypt, hash_key, recipients};
use crate::exit::{Exit, Fault, Sources};
use crate::settings::Settings;
use crate::wire::files::Host;
use crate::wire::ground::sources;
use escadre_drivers::age::{self, Place};
use escadre_drivers::folder::OpenFolder;
use escadre_model::compose::{Options, paths};
use escadre_model::diagnostic::{Code, Diagnostic, has_errors};
use escadre_model::fleet::{Fleet, Scope, write};
use escadre_model::name::Name;
use escadre_model::propose::{self, Parameter, Product, Proposal};
use escadre_model::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What was typed.
pub(crate) struct Wish<'w> {
    /// The product's name.
    pub(crate) name: &'w Name,
    /// The Compose file.
    pub(crate) from: &'w Path,
    /// Take it as it stands.
    pub(crate) unchanged: bool,
    /// A first instance, and its environment.
    pub(crate) first: Option<(&'w Name, &'w Name)>,
}

/// What would be written.
pub(crate) struct Proposed {
    /// What changes, for people; no value of a secret is in it.
    pub(crate) told: String,
    /// Findings of the Compose file, with the texts they point into.
    pub(crate) findings: (Vec<Diagnostic>, Sources),
    landing: Landing,
    root: PathBuf,
    begun: Begun,
}

impl Proposed {
    /// Writes it.
    ///
    /// # Errors
    /// When something is in the way; nothing is written then.
    pub(crate) fn write(self, settings: &Settings) -> Result<Begun, Fault> {
        let written = self.landing.write(settings, &self.root)?;
        Ok(Begun { written, ..self.begun })
    }
}

/// Reads a Compose file and proposes a product.
///
/// # Errors
/// When there is no fleet, the name is taken, or the file cannot be read.
pub(crate) fn propose(settings: &Settings, wish: &Wish<'_>) -> Result<Proposed, Fault> {
    let (root, fleet, _) = fleet_here(settings)?;
    if let Some(there) = fleet.products.get(wish.name) {
        return Err(taken("product", wish.name, &there.file));
    }
    if let Some((name, environment)) = wish.first {
        if let Some(there) = fleet.instances.get(name) {
            return Err(taken("instance", name, &there.file));
        }
        if fleet.environment(environment.as_str()).is_none() {
            let known: Vec<&str> = fleet.environments.iter().map(|one| one.name.value.as_str()).collect();
            let hint = format!("environments: {}", known.join(", "));
            return Err(Fault::usage_hint(Code::E0202, format!("there is no environment \"{environment}\""), hint));
        }
    }
    let file = PathBuf::from(paths::join(&settings.folder.to_string_lossy(), &wish.from.to_string_lossy()));
    let named = shown(settings, &file);
    if !file.is_file() {
        return Err(Fault::usage(Code::E0202, format!("{named} is not there")));
    }
    let folder = file.parent().map_or_else(|| settings.folder.clone(), Path::to_owned);
    let open = OpenFolder::new(&folder);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut options = Options::new(text(&folder), vec![text(&file)]);
    options.project_name = Some(wish.name.as_str().into());
    options.use_dot_env = true;
    options.home = settings.environment.get("HOME").cloned();
    options.profiles = vec!["*".to_owned()];
    let (proposal, findings) = propose::propose(&options, &Host(&open), &[]);
    let Some(mut proposal) = proposal.filter(|_| !has_errors(&findings)) else {
        return Err(Fault::Files(Exit::Files, findings, sources(&folder)));
    };
    if wish.unchanged {
        proposal.texts.clear();
        proposal.parameters.retain(|name, _| names(&open, &file, name));
        proposal.lifted.retain(|one| names(&open, &file, &one.name));
    }
    let mut making = Making {
        wish,
        fleet: &fleet,
        root: &root,
        folder: &folder,
        file: &file,
        open: &open,
        landing: Landing::default(),
        notes: Vec::new(),
    };
    let told = making.all(&proposal)?;
    let next = match wish.first {
        Some((name, _)) => format!("escadre plan {name}"),
        None => {
            let environment = fleet.environments.first().map_or("ENVIRONMENT", |one| one.name.value.as_str());
            format!("escadre new instance NAME --product {} --environment {environment}", wish.name)
        }
    };
    let Making { landing, notes, .. } = making;
    let begun = Begun { written: Vec::new(), notes, next };
    Ok(Proposed { told, findings: (findings, sources(&folder)), landing, root: root.clone(), begun })
}

/// Is the variable one of the file itself?
fn names(open: &OpenFolder, file: &Path, name: &str) -> bool {
    let text = read(open, &file.to_string_lossy()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    propose::variables(&text.unwrap_or_default(), propose::Language::Yaml).contains_key(name)
}

struct Making<'m> {
    wish: &'m Wish<'m>,
    fleet: &'m Fleet,
    root: &'m Path,
    folder: &'m Path,
    file: &'m Path,
    open: &'m OpenFolder,
    landing: Landing,
    notes: Vec<String>,
}

impl Making<'_> {
    fn all(&mut self, proposal: &Proposal) -> Result<String, Fault> {
        let mut told = String::new();
        let product = self.product(proposal);
        let folder = format!("products/{}", self.wish.name);
        let main = self.file.to_string_lossy().into_owned();
        for (path, text) in &proposal.texts {
            let before =
                read(self.open, path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let target = if *path == main {
                "compose.yaml".to_owned()
            } else {
                inside(self.folder, path).unwrap_or_else(|| path.clone())
            };
            told.push_str(&difference(&format!("{folder}/{target}"), &before, text, &proposal.lifted));
        }
        let mut bring = Bring {
            open: self.open,
            folder: self.folder,
            into: format!("products/{}", self.wish.name),
            notes: Vec::new(),
        };
        let renamed = BTreeMap::from([(main.clone(), "compose.yaml".to_owned())]);
        let mut files = proposal
            .project
            .as_ref()
            .map(|project| bring.files(project, &proposal.texts, &renamed, &BTreeSet::new()))
            .unwrap_or_default();
        self.notes.append(&mut bring.notes);
        let text = product.text();
        // Writing to a String cannot fail; so below.
        let _ = write!(told, "{folder}/product.yaml:\n{}", indented(&text));
        files.push((format!("{folder}/product.yaml"), text.into_bytes()));
        if let Some((name, environment)) = self.wish.first {
            told.push_str(&self.instance(proposal, name, environment, &product, &mut files)?);
        } else {
            let plain: Vec<&str> =
                proposal.lifted.iter().filter(|one| !one.value.is_empty()).map(|one| one.name.as_str()).collect();
            if !plain.is_empty() {
                self.notes.push(format!(
                    "{} stood in plain text; the value is in no file of the fleet: escadre secret set INSTANCE {}, or give the first instance here: --instance NAME --environment ENVIRONMENT",
                    plain.join(", "),
                    plain.first().copied().unwrap_or_default()
                ));
            }
        }
        for place in &proposal.left {
            self.notes.push(format!("left as it is, because only a person can write it otherwise: {place}"));
        }
        files.sort();
        for (path, bytes) in files {
            self.landing.add(self.root.join(path), bytes, 0o644);
        }
        Ok(told)
    }

    fn product(&self, proposal: &Proposal) -> Product {
        let mut secrets: BTreeMap<String, bool> = proposal.secrets.iter().map(|name| (name.clone(), false)).collect();
        secrets.extend(proposal.lifted.iter().map(|one| (one.name.clone(), true)));
        let binds = proposal.project.iter().flat_map(|project| outside(self.folder, project)).collect();
        Product {
            name: self.wish.name.to_string(),
            parameters: proposal.parameters.clone(),
            secrets,
            sizes: BTreeMap::new(),
            binds,
        }
    }

    /// The first instance: its file, and its secrets encrypted.
    fn instance(
        &mut self,
        proposal: &Proposal,
        name: &Name,
        environment: &Name,
        product: &Product,
        files: &mut Vec<(String, Vec<u8>)>,
    ) -> Result<String, Fault> {
        let variables = proposal.project.as_ref().map(|project| &project.variables);
        let value =
            |name: &str| variables.and_then(|all| all.get(name)).and_then(|one| one.text.as_str()).map(str::to_owned);
        let mut text = format!("instance: {name}\nproduct: {}\nenvironment: {environment}\n", self.wish.name);
        let given = |(parameter, one): (&String, &Parameter)| {
            let value = value(parameter).or_else(|| one.default.clone())?;
            Some(format!("  {}: {}\n", write::quote(parameter), write::quote(&value)))
        };
        let values: String = product.parameters.iter().filter_map(given).collect();
        if !values.is_empty() {
            let _ = write!(text, "values:\n{values}");
        }
        let mut told = format!("instances/{name}.yaml:\n{}", indented(&text));
        files.push((format!("instances/{name}.yaml"), text.into_bytes()));
        let mut secrets: Vec<(String, Secret)> = Vec::new();
        for one in &proposal.lifted {
            let value = value(&one.name).filter(|value| !value.is_empty()).unwrap_or_else(|| one.value.clone());
            if value.is_empty() {
                self.notes.push(format!("still without a value: escadre secret set {name} {}", one.name));
            } else {
                secrets.push((one.name.clone(), Secret::new(value.into_bytes())));
            }
        }
        for (secret, entry) in proposal.project.iter().flat_map(|project| project.entries("secrets")) {
            let file = entry.get("file").and_then(escadre_model::text::Node::as_str);
            match file.and_then(|file| read(self.open, file)) {
                Some(bytes) => secrets.push((secret.text.to_string(), Secret::new(bytes))),
                None => self.notes.push(format!("still without a value: escadre secret set {name} {}", secret.text)),
            }
        }
        if secrets.is_empty() {
            return Ok(told);
        }
        let recipients = recipients(self.fleet)?;
        let path = format!("instances/{name}.secrets.yaml");
        let mut text = String::new();
        for (secret, value) in &secrets {
            let place = Place {
                fleet: self.fleet.name.value.as_str().into(),
                scope: Scope::Instance,
                of: name.as_str().into(),
                name: secret.as_str().into(),
            };
            let block = age::encrypt(&recipients, &place, value).map_err(|error| crypt(&error))?;
            text = write::set_secret(&path, &text, secret, &block).map_err(super::edit_fault)?;
        }
        hash_key(self.root, self.fleet, &recipients, &mut self.landing)?;
        let names: Vec<&str> = secrets.iter().map(|(name, _)| name.as_str()).collect();
        let _ = writeln!(told, "{path}: encrypted: {}", names.join(", "));
        files.push((path, text.into_bytes()));
        Ok(told)
    }
}

pub(in crate::wire) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// The lines that differ; edits never add or remove one. Values of secrets are not shown.
fn difference(path: &str, before: &str, after: &str, lifted: &[propose::Lifted]) -> String {
    let mut told = format!("{path}:\n");
    for (number, (old, new)) in before.lines().zip(after.lines()).enumerate().filter(|(_, (old, new))| old != new) {
        let mut old = old.trim_end().to_owned();
        for one in lifted.iter().filter(|one| !one.value.is_empty()) {
            old = old.replace(&one.value, "********");
        }
        // Writing to a String cannot fail.
        let _ = write!(told, "  {:>4} - {}\n       + {}\n", number + 1, old.trim_start(), new.trim());
    }
    told
}
