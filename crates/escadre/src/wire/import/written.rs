//! The files of what is brought in.
//!
//! In: products with their copies, the fleet as it is. Out: files to be landed; the same read again as a fleet, compared with what runs.
//! **Invariant:** a value of a secret is in no file but encrypted; what is written is read again, rendered and compared before anything is on disk.
//! Not here: what is told of it (`told`).
//! Tests: `tests/it/import.rs`.

use super::fleet::Here;
use super::found::Found;
use super::{Group, Wish, address};
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use crate::wire::ground;
use crate::wire::world::World;
use crate::wire::write::begin::{Begun, new_fleet};
use crate::wire::write::bring::{Bring, inside};
use crate::wire::write::edit_fault;
use crate::wire::write::land::Landing;
use crate::wire::write::secrets::{crypt, hash_key, recipients};
use escadre_drivers::age::{self, Place, Recipients};
use escadre_drivers::files;
use escadre_drivers::folder::WorkTree;
use escadre_model::desired::Former;
use escadre_model::diagnostic::{Diagnostic, has_errors};
use escadre_model::fleet::{self, ARMOUR_BEGIN, ARMOUR_END, Scope, Stored, write};
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::Difference;
use escadre_model::parallel::Threads;
use escadre_model::propose::{Member, Product};
use escadre_model::resolve::Keys;
use escadre_model::secret::{Secret, SecretRef, looks_secret};
use escadre_model::text::{Node, yaml};
use escadre_model::tree::{Entry, Error as TreeError, Memory, Tree};
use escadre_render::engine::differences::{Made, differences};
use escadre_render::engine::{Dialect, Facts};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// What is to be written.
#[derive(Default)]
pub(super) struct Files {
    /// Path in the fleet → bytes.
    pub(super) all: BTreeMap<String, Vec<u8>>,
    /// Values of secrets: (whose, of, name) → value.
    values: BTreeMap<(Scope, String, String), Secret>,
    /// Secrets that were the same in every copy of a product, and are one now: name → how many.
    pub(super) shared: BTreeMap<String, usize>,
    /// Secrets that have no value: instance → names.
    pub(super) missing: BTreeMap<Name, BTreeSet<String>>,
    /// How many values are encrypted.
    pub(super) encrypted: usize,
    /// For how many recipients.
    pub(super) recipients: usize,
}

impl Files {
    /// The file of an instance's secrets: beside its own.
    fn secrets_of(&self, instance: &str) -> String {
        if self.all.contains_key(&format!("instances/{instance}/instance.yaml")) {
            format!("instances/{instance}/secrets.yaml")
        } else {
            format!("instances/{instance}.secrets.yaml")
        }
    }
}

/// The files read again.
#[derive(Default)]
pub(super) struct Checked {
    /// What is wrong with them.
    pub(super) findings: Vec<Diagnostic>,
    /// In what containers are not as the files will want them: instance → service → differences.
    pub(super) differs: BTreeMap<Name, BTreeMap<String, Vec<Difference>>>,
}

/// All files.
pub(super) fn files(
    settings: &Settings,
    wish: &Wish<'_>,
    here: &Here,
    world: &World,
    open: &dyn Tree,
    groups: &[Group<'_>],
    (landing, begun): (&mut Landing, &mut Begun),
) -> Result<Files, Fault> {
    let mut out = Files::default();
    let recipients = match &here.fleet {
        Some(fleet) => {
            out.recipients = fleet.recipients.len();
            let recipients = recipients(fleet)?;
            hash_key(&here.root, fleet, &recipients, landing)?;
            recipients
        }
        None => {
            let text = |who: &[(Name, String)]| fleet_text(&here.name, world, wish.environment, who);
            let recipients = new_fleet(settings, &here.root, &here.name, &text, &[], (landing, begun))?;
            out.recipients = recipients.len();
            // Read again without its recipients: nobody has to decrypt for that.
            out.all.insert(fleet::FILE.to_owned(), text(&[])?.into_bytes());
            recipients
        }
    };
    for group in groups {
        product(group, open, &mut out, begun);
        secrets(group, here, &mut out);
        for ((found, name), member) in group.found.iter().zip(&group.instances).zip(&group.together.members) {
            instance(wish, group, found, name, member, &mut out);
        }
    }
    encrypt(here, &recipients, &mut out)?;
    for (path, bytes) in &out.all {
        // fleet.yaml with its recipients is landed already.
        if path == fleet::FILE {
            continue;
        }
        let full = here.root.join(path);
        match files::read(&full).map_err(Fault::world)? {
            Some(before) if path.ends_with("fleet.secrets.yaml") => {
                landing.edit(full, Some(before), String::from_utf8_lossy(bytes).into_owned());
            }
            _ => landing.add(full, bytes.clone(), 0o644),
        }
    }
    Ok(out)
}

/// fleet.yaml, with the engine that was found and the environment that was named.
fn fleet_text(name: &Name, world: &World, environment: &Name, who: &[(Name, String)]) -> Result<String, Fault> {
    let id = age::new_id().map_err(|error| crypt(&error))?;
    let text: String = write::new_fleet(name, &id, &address(world), who).into_iter().map(|file| file.text).collect();
    let text =
        if world.engine.api().dialect == Dialect::Docker { text.replace("{ podman:", "{ docker:") } else { text };
    if ["integration", "production"].contains(&environment.as_str()) {
        return Ok(text);
    }
    Ok(text.replace("  production: {}\n", &format!("  {environment}: {{}}\n  production: {{}}\n")))
}

/// The product's folder.
fn product(group: &Group<'_>, open: &dyn Tree, out: &mut Files, begun: &mut Begun) {
    let (together, into) = (&group.together, format!("products/{}", group.product));
    let Some(base) = group.found.get(together.base) else { return };
    let folder = Path::new(&base.copy.options.working_dir);
    let Some(project) = &together.proposal.project else { return };
    let named = &base.copy.options.files;
    let mut renamed = BTreeMap::new();
    match named.as_slice() {
        [one] => drop(renamed.insert(one.clone(), "compose.yaml".to_owned())),
        several => {
            // Several files are one by `include`, which merges as `-f` does.
            let mut paths = Vec::new();
            for path in several {
                let own = inside(folder, path).unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path).to_owned());
                let own = if own == "compose.yaml" { "compose.base.yaml".to_owned() } else { own };
                paths.push(write::quote(&own));
                renamed.insert(path.clone(), own);
            }
            let text = format!("include:\n  - path: [{}]\n", paths.join(", "));
            out.all.insert(format!("{into}/compose.yaml"), text.into_bytes());
        }
    }
    let mut bring = Bring { open, folder, into: into.clone(), notes: Vec::new() };
    let files = bring.files(project, &together.proposal.texts, &renamed, &together.bound);
    begun.notes.append(&mut bring.notes);
    out.all.extend(files);
    let environment = |name: &String| together.proposal.lifted.iter().any(|one| one.name == *name);
    let names = together.proposal.secrets.iter().chain(together.proposal.lifted.iter().map(|one| &one.name));
    let product = Product {
        name: group.product.to_string(),
        parameters: together.proposal.parameters.clone(),
        secrets: names.map(|name| (name.clone(), environment(name))).collect(),
        sizes: together.sizes.clone(),
        binds: grants(group),
    };
    out.all.insert(format!("{into}/product.yaml"), product.text().into_bytes());
}

/// Folders of the host that services of this product may see: those that copies have of their own by what they have in common.
fn grants(group: &Group<'_>) -> Vec<String> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    let base = group.found.get(group.together.base).map(|one| format!("{}/", one.copy.options.working_dir));
    let binds = group
        .together
        .proposal
        .project
        .iter()
        .flat_map(|project| project.services())
        .flat_map(|one| one.list("volumes"));
    for bind in binds.filter(|one| one.get("type").and_then(Node::as_str) == Some("bind")) {
        let Some(source) = bind.get("source").and_then(Node::as_str) else { continue };
        let comes = base.as_ref().is_some_and(|base| source.starts_with(base));
        if !comes && !group.together.bound.contains(source) {
            all.insert(source.to_owned());
        }
    }
    let own: Vec<&String> = group
        .together
        .members
        .iter()
        .flat_map(|one| one.values.values())
        .filter(|value| value.starts_with('/'))
        .collect();
    if own.len() > 1
        && let Some(folder) = ancestor(&own)
    {
        all.retain(|path| !path.starts_with(&format!("{folder}/")));
        all.insert(folder);
    } else {
        all.extend(own.into_iter().cloned());
    }
    all.into_iter().collect()
}

/// The deepest folder that all paths lie in; never the root.
fn ancestor(paths: &[&String]) -> Option<String> {
    let first = Path::new(paths.first()?);
    let folder =
        first.ancestors().skip(1).find(|folder| paths.iter().all(|path| Path::new(path).starts_with(folder)))?;
    (folder != Path::new("/")).then(|| folder.to_string_lossy().into_owned())
}

/// Values of secrets: those that are the same in every copy are the fleet's.
fn secrets(group: &Group<'_>, here: &Here, out: &mut Files) {
    let mut all: BTreeMap<String, Vec<Option<Secret>>> = BTreeMap::new();
    let members = || group.found.iter().zip(&group.together.members);
    for one in &group.together.proposal.lifted {
        let value = |(_, member): (&&Found, &Member)| {
            member
                .secrets
                .get(&one.name)
                .filter(|value| !value.is_empty())
                .map(|value| Secret::new(value.clone().into_bytes()))
        };
        all.insert(one.name.clone(), members().map(value).collect());
    }
    for name in &group.together.proposal.secrets {
        let value = |(found, _): (&&Found, &Member)| found.secrets.get(name).cloned().flatten().map(Secret::new);
        all.insert(name.clone(), members().map(value).collect());
    }
    let fleet = here.name.to_string();
    for (name, values) in all {
        let bytes: Vec<Option<&[u8]>> = values.iter().map(|value| value.as_ref().map(Secret::reveal)).collect();
        let same = values.len() > 1 && bytes.iter().all(|value| value.is_some() && *value == bytes[0]);
        let place = (Scope::Fleet, fleet.clone(), name.clone());
        let free = !out.values.contains_key(&place)
            && here.fleet.as_ref().is_none_or(|fleet| fleet.fleet_secret(&name).is_none());
        if same && free {
            out.shared.insert(name, values.len());
            out.values.extend(values.into_iter().flatten().next().map(|value| (place, value)));
            continue;
        }
        for (value, instance) in values.into_iter().zip(&group.instances) {
            match value {
                Some(value) => drop(out.values.insert((Scope::Instance, instance.to_string(), name.clone()), value)),
                None => {
                    out.missing.entry(instance.clone()).or_default().insert(name.clone());
                }
            }
        }
    }
}

/// An instance's file, with what is beside it.
fn instance(wish: &Wish<'_>, group: &Group<'_>, found: &Found, name: &Name, member: &Member, out: &mut Files) {
    let folder = member.over.is_some() || !member.files.is_empty();
    let at = if folder { format!("instances/{name}") } else { "instances".to_owned() };
    let mut text = format!("instance: {name}\nproduct: {}\nenvironment: {}\n", group.product, wish.environment);
    // Writing to a String cannot fail; so below.
    if let Some(size) = &member.size {
        let _ = writeln!(text, "size: {size}");
    }
    let mut values = member.values.clone();
    for (config, bytes) in &member.files {
        let file = format!("files/{}", config.replace('/', "_"));
        out.all.insert(format!("{at}/{file}"), bytes.clone());
        values.insert(config.clone(), file);
    }
    if !values.is_empty() {
        text.push_str("values:\n");
    }
    for (key, value) in &values {
        let _ = writeln!(text, "  {}: {}", write::quote(key), write::quote(value));
    }
    if !member.profiles.is_empty() {
        let profiles: Vec<String> = member.profiles.iter().map(|one| write::quote(one)).collect();
        let _ = writeln!(text, "profiles: [{}]", profiles.join(", "));
    }
    if let Some(over) = &member.over {
        text.push_str("override: compose.yaml\n");
        out.all.insert(format!("{at}/compose.yaml"), yaml::document(over).into_bytes());
    }
    for line in &found.otherwise {
        let line = line.replace(char::is_control, " ");
        let _ = writeln!(text, "# otherwise than in the Swarm: {line}");
    }
    let word = match found.former {
        Former::Compose => "project",
        Former::Swarm => "stack",
    };
    let _ = writeln!(text, "adopt: {{ {word}: {} }}", write::quote(&found.project));
    if !found.volumes.is_empty() {
        let volumes: Vec<String> =
            found.volumes.iter().map(|(key, name)| format!("{}: {}", write::quote(key), write::quote(name))).collect();
        let _ = writeln!(text, "volumes: {{ {} }}", volumes.join(", "));
    }
    let file = if folder { format!("{at}/instance.yaml") } else { format!("{at}/{name}.yaml") };
    out.all.insert(file, text.into_bytes());
}

/// Encrypts every value for its place.
fn encrypt(here: &Here, recipients: &Recipients, out: &mut Files) -> Result<(), Fault> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for ((scope, of, name), value) in &out.values {
        let path = match scope {
            Scope::Fleet => "fleet.secrets.yaml".to_owned(),
            _ => out.secrets_of(of),
        };
        let text = match texts.entry(path.clone()) {
            std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let before = if *scope == Scope::Fleet {
                    files::read(&here.root.join(&path)).map_err(Fault::world)?
                } else {
                    None
                };
                free.insert(String::from_utf8_lossy(&before.unwrap_or_default()).into_owned())
            }
        };
        let place = Place {
            fleet: here.name.as_str().into(),
            scope: *scope,
            of: of.as_str().into(),
            name: name.as_str().into(),
        };
        let block = age::encrypt(recipients, &place, value).map_err(|error| crypt(&error))?;
        *text = write::set_secret(&path, text, name, &block).map_err(edit_fault)?;
        out.encrypted += 1;
    }
    out.all.extend(texts.into_iter().map(|(path, text)| (path, text.into_bytes())));
    Ok(())
}

/// What is about to be written, over what is there.
struct Beside {
    new: Memory,
    there: Option<WorkTree>,
}

impl Tree for Beside {
    fn entry(&self, path: &str) -> Result<Entry, TreeError> {
        let below = self.there.as_ref().map_or(Ok(Entry::Absent), |there| there.entry(path))?;
        Ok(match (self.new.entry(path)?, below) {
            (Entry::Folder(new), Entry::Folder(old)) => {
                let names: BTreeSet<_> = new.iter().chain(old.iter()).cloned().collect();
                Entry::Folder(names.into_iter().collect())
            }
            (Entry::Absent, below) => below,
            (new, _) => new,
        })
    }
}

/// Reads the files as a fleet, renders the new instances and compares them with their containers.
pub(super) fn checked(here: &Here, files: &Files, groups: &[Group<'_>], facts: &Facts) -> Result<Checked, Fault> {
    let mut tree = Beside { new: Memory::default(), there: None };
    for (path, bytes) in &files.all {
        tree.new.put(path, bytes);
    }
    // A secret that nobody could tell is told of by its name; nothing else of its instance is to be left unread for it.
    for (instance, names) in &files.missing {
        let path = files.secrets_of(instance.as_str());
        let mut text = String::from_utf8_lossy(files.all.get(&path).map_or(&[][..], Vec::as_slice)).into_owned();
        for name in names {
            let block = format!("{ARMOUR_BEGIN}\n{ARMOUR_END}\n");
            text = write::set_secret(&path, &text, name, &block).map_err(edit_fault)?;
        }
        tree.new.put(&path, text);
    }
    if here.fleet.is_some() {
        tree.there = Some(WorkTree::open(&here.root).map_err(|error| Fault::world(anyhow::anyhow!("{error}")))?);
    }
    let (fleet, mut findings) = fleet::read(&tree);
    let names: Vec<&Name> = groups.iter().flat_map(|group| &group.instances).collect();
    let Some(fleet) = fleet else { return Err(Fault::Files(Exit::Files, findings, ground::sources(&here.root))) };
    let value =
        |scope: Scope, of: &str, name: &str| files.values.get(&(scope, of.to_owned(), name.to_owned())).cloned();
    let reveal = |stored: &Stored<'_>| Ok(value(stored.scope, stored.of, stored.name));
    let keys = Keys { hash_key: None, reveal: &reveal };
    let mut out = Checked::default();
    for spelled in escadre_render::engine::fleet(&fleet, &names, &tree, &keys, facts, Threads::of_machine()) {
        findings.extend(spelled.findings);
        let Some((resolved, desired)) = spelled.wanted else { continue };
        let name = &resolved.instance.instance;
        let found = groups.iter().find_map(|group| {
            let at = group.instances.iter().position(|one| one == name)?;
            group.found.get(at)
        });
        let Some(found) = found else { continue };
        let secret = |_: &InstanceId, wanted: &SecretRef| {
            let stored = fleet.secret(fleet.instances.get(name)?, &wanted.0)?;
            value(stored.scope, stored.of, stored.name)
        };
        let reveal = |wanted: &SecretRef| secret(&desired.instance, wanted);
        for (service, id) in &found.containers {
            let Some(container) = found.inspected.containers.get(id) else { continue };
            let made = Made { container, image: found.inspected.image_of(container) };
            let differs = differences(&desired, service, made, &reveal);
            if !differs.is_empty() {
                out.differs.entry(name.clone()).or_default().insert(service.clone(), differs);
            }
        }
    }
    if has_errors(&findings) {
        let findings = findings.into_iter().filter(Diagnostic::is_error).collect();
        return Err(Fault::Files(Exit::Files, findings, ground::sources(&here.root)));
    }
    out.findings = findings;
    Ok(out)
}

/// May a value be shown?
pub(super) fn open_value(path: &str, value: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    !looks_secret(name, value)
}
