//! Resolve: one instance with everything decided that files can decide.
//!
//! In: a `Fleet` and the name of an instance, its `Tree`, keys. Out: [`Resolved`], and findings.
//! **Invariant:** the same tree and keys give the same result; the cost of an instance does not depend on how many there are.
//! Not here: how a target spells it (`escadre-render`), what runs (`escadre-plan`).
//! Tests: `tests/it/resolve.rs`.

mod bounds;
mod build;
mod clash;
mod content;
mod endpoint;
mod files;
mod ignore;
mod limits;
mod plain;
mod secrets;
mod shape;
mod single;
#[cfg(test)]
mod tests;
mod values;

pub use clash::clashes;
pub use files::ROOT;
pub use single::{Single, SingleInput, single};

use crate::compose::{self, Options, Project};
use crate::desired::Adopts;
use crate::diagnostic::{Code, Diagnostic, Span, has_errors, nearest};
use crate::fleet::{Fleet, Instance, Product, Stored};
use crate::ids::InstanceId;
use crate::name::Name;
use crate::resolved::Resolved;
use crate::secret::{HashKey, Secret};
use crate::text::Node;
use crate::tree::{Entry, Tree};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Decrypts a stored value. `None`: nobody here can read it. An error: it is damaged, or belongs somewhere else; the instance is not planned.
pub type Reveal<'k> = dyn Fn(&Stored<'_>) -> Result<Option<Secret>, Box<Diagnostic>> + Sync + 'k;

/// What compares secrets.
pub struct Keys<'k> {
    /// The key of the fleet; `None`: whether a secret changed cannot be known.
    pub hash_key: Option<HashKey>,
    /// Decrypts a stored value.
    pub reveal: &'k Reveal<'k>,
}

impl Keys<'static> {
    /// No key and no identity: secrets stay unknown.
    pub fn none() -> Self {
        Self { hash_key: None, reveal: &|_| Ok(None) }
    }
}

impl std::fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.hash_key.is_some() { "Keys" } else { "Keys (none)" })
    }
}

/// What instances of one tree share: parsed Compose files, hashes of shared secrets, listings. One for each tree.
#[derive(Debug, Default)]
pub struct Cache {
    compose: compose::Cache,
    shapes: shape::Shapes,
    hashes: Mutex<HashMap<(Arc<str>, u32), secrets::Hashed>>,
    folders: Mutex<HashMap<Arc<str>, content::Gathered>>,
    builds: Mutex<HashMap<Arc<str>, build::Context>>,
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The value of a key, made once. What is made may be made twice by two threads; both are equal.
fn once<K: std::hash::Hash + Eq + Clone, V: Clone>(map: &Mutex<HashMap<K, V>>, key: &K, make: impl FnOnce() -> V) -> V {
    if let Some(known) = map.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
        return known.clone();
    }
    let made = make();
    map.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), made.clone());
    made
}

/// Everything one instance is resolved from.
struct Work<'w> {
    fleet: &'w Fleet,
    instance: &'w Instance,
    product: &'w Product,
    tree: &'w dyn Tree,
    keys: &'w Keys<'w>,
    cache: &'w Cache,
    findings: Vec<Diagnostic>,
}

/// Resolves one instance. `None`: it is not to be planned; the findings here, or those of `fleet::read` for a broken one, say why.
pub fn instance(
    fleet: &Fleet,
    name: &str,
    tree: &dyn Tree,
    keys: &Keys<'_>,
    cache: &Cache,
) -> (Option<Resolved>, Vec<Diagnostic>) {
    find(fleet, name, tree, keys, cache, false)
}

/// Resolves one instance of many: what it has in common with others of this cache is made once, with late variables. Whoever asks for one of those on the
/// way (`resolved.shape.late.asked()`) has to begin again with what this gives the next time.
pub fn one_of_many(
    fleet: &Fleet,
    name: &str,
    tree: &dyn Tree,
    keys: &Keys<'_>,
    cache: &Cache,
) -> (Option<Resolved>, Vec<Diagnostic>) {
    find(fleet, name, tree, keys, cache, true)
}

fn find(
    fleet: &Fleet,
    name: &str,
    tree: &dyn Tree,
    keys: &Keys<'_>,
    cache: &Cache,
    shared: bool,
) -> (Option<Resolved>, Vec<Diagnostic>) {
    let Some(instance) = fleet.instance(name) else {
        if fleet.broken.contains(name) {
            return (None, Vec::new());
        }
        let message = format!(
            "there is no instance \"{}\"",
            name.chars().take(80).flat_map(char::escape_default).collect::<String>()
        );
        let finding = Diagnostic::error(Code::E0505, message);
        let known = fleet.instances.keys().map(Name::as_str);
        return (
            None,
            vec![match nearest(name, known) {
                Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                None => finding,
            }],
        );
    };
    let (false, Some(product)) = (fleet.broken.contains(name), fleet.product_of(instance)) else {
        return (None, Vec::new());
    };
    let mut work = Work { fleet, instance, product, tree, keys, cache, findings: Vec::new() };
    let resolved = work.resolve(shared);
    let findings = work.findings.into_iter().map(files::named_plainly).collect::<Vec<_>>();
    (resolved.filter(|_| !has_errors(&findings)), findings)
}

/// Resolves instances of a fleet, all that are sound, and looks for what they claim twice. What is said of several instances in the same
/// words at the same place is said once; instances that clash are left out.
pub fn all<'n>(
    fleet: &Fleet,
    names: impl IntoIterator<Item = &'n str>,
    tree: &dyn Tree,
    keys: &Keys<'_>,
    cache: &Cache,
) -> (Vec<Arc<Resolved>>, Vec<Diagnostic>) {
    let mut resolved = Vec::new();
    let mut findings = Findings::default();
    for name in names {
        let (one, said) = instance(fleet, name, tree, keys, cache);
        resolved.extend(one.map(Arc::new));
        said.into_iter().for_each(|finding| findings.add(finding));
    }
    let said = |id: &InstanceId, endpoint: Option<&str>| place(fleet, id, endpoint);
    let clashing = clash::find(resolved.iter().map(AsRef::as_ref), &said);
    clashing.findings.into_iter().for_each(|finding| findings.add(finding));
    resolved.retain(|one| !clashing.instances.contains(&one.instance));
    (resolved, findings.all)
}

/// Where an instance's own file makes the host names of an endpoint: its value of a parameter that is in them, else its name.
fn place(fleet: &Fleet, id: &InstanceId, endpoint: Option<&str>) -> Option<Span> {
    let instance = fleet.instances.get(&id.instance)?;
    let names = endpoint.and_then(|key| fleet.product_of(instance)?.endpoints.get(key));
    let mut used = BTreeSet::new();
    for written in names.into_iter().flat_map(|one| one.hosts.iter().chain(&one.redirect)) {
        single::variables(&written.value, &mut used);
    }
    let value = instance.values.iter().find(|(name, _)| used.contains(&***name)).map(|(_, value)| &value.span);
    Some(value.unwrap_or(&instance.name.span).clone())
}

/// Findings without repetitions.
#[derive(Default)]
struct Findings {
    seen: std::collections::HashSet<(Code, String, Option<Span>)>,
    all: Vec<Diagnostic>,
}

impl Findings {
    fn add(&mut self, finding: Diagnostic) {
        if self.seen.insert((finding.code, finding.message.clone(), finding.span().cloned())) {
            self.all.push(finding);
        }
    }
}

impl Work<'_> {
    fn resolve(&mut self, shared: bool) -> Option<Resolved> {
        let values = self.values();
        let made = if shared { self.shared(&values) } else { None };
        let made = made.or_else(|| self.alone(&values))?;
        self.findings.extend(made.findings.iter().cloned());
        let project = &made.shape.project;
        let secrets = self.secrets(project, &made.used);
        let endpoints = self.endpoints(project, &self.variables(&values));
        let target = self.fleet.target_of(self.instance);
        let zone = self.fleet.zone_of(self.instance);
        let labels = zone.into_iter().flat_map(|zone| &zone.labels).chain(&self.instance.labels);
        let texts = |(key, value): (&Arc<str>, &crate::diagnostic::Spanned<Arc<str>>)| {
            (Arc::clone(key), Arc::clone(&value.value))
        };
        Some(Resolved {
            instance: InstanceId::new(self.fleet.name.value.clone(), self.instance.name.value.clone()),
            origin: self.fleet.id.as_ref().map_or_else(|| "".into(), |id| Arc::clone(&id.value)),
            release: "tree".into(),
            target: target.map_or_else(|| "".into(), |target| target.name.value.as_str().into()),
            state: self.instance.state,
            labels: labels.map(texts).collect(),
            endpoints,
            values: values.into_iter().map(|(name, given)| (name, given.value)).collect(),
            secrets,
            volume_names: self.instance.volumes.iter().map(texts).collect(),
            adopts: self.instance.adopts.as_ref().map(|(from, one)| Adopts {
                from: *from,
                project: Arc::clone(&one.value),
                folder: None,
            }),
            shape: made.shape,
            late: made.late,
        })
    }

    /// A profile that no service names is a misspelled one.
    fn profiles(&mut self, project: &Project) {
        let all =
            || project.services().map(|service| service.node).chain(project.disabled.iter().map(|(_, node)| node));
        let known = || all().flat_map(|node| node.get("profiles").and_then(Node::as_sequence).unwrap_or_default());
        for profile in &self.instance.profiles {
            if !known().any(|known| known.as_str() == Some(&*profile.value)) {
                let message = format!("no service has the profile \"{}\"", profile.value);
                let finding = Diagnostic::error(Code::E0505, message).at(&profile.span);
                self.findings.push(match nearest(&profile.value, known().filter_map(Node::as_str)) {
                    Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                    None => finding,
                });
            }
        }
    }

    /// The files of the project: the product's, the environment's, the instance's.
    fn options(&mut self, values: &BTreeMap<Arc<str>, values::Given>) -> Option<Options> {
        let compose = self.product.compose.as_ref()?;
        let folder = &self.product.folder;
        let mut files = vec![files::inside(compose)];
        let standard = format!("{folder}/compose.{}.yaml", self.instance.environment.value);
        match self.tree.entry(&standard) {
            Ok(Entry::File { .. }) => files.push(files::inside(&standard)),
            Ok(_) => {}
            Err(error) => self.findings.push(crate::fleet::refused(&standard, &error)),
        }
        if let Some(written) = &self.instance.override_file {
            match self.tree.entry(&written.value) {
                Ok(Entry::File { .. }) => files.push(files::inside(&written.value)),
                Ok(_) => {
                    let message = format!("{} is not there", written.value);
                    self.findings.push(Diagnostic::error(Code::E0516, message).at(&written.span).path("override"));
                }
                Err(error) => self.findings.push(crate::fleet::refused(&written.value, &error).at(&written.span)),
            }
        }
        let mut options = Options::new(files::inside(folder), files);
        // A name of ours is one of Compose's, and `name:` in the file belongs to developers.
        options.project_name = Some(self.instance.name.value.as_str().into());
        options.environment = self.variables(values);
        options.profiles = self.instance.profiles.iter().map(|profile| profile.value.to_string()).collect();
        Some(options)
    }
}

/// The services that are switched on, with their keys.
fn service_names(project: &Project) -> impl Iterator<Item = &str> {
    project.root.get("services").and_then(Node::as_mapping).into_iter().flat_map(|services| services.keys())
}

/// Something of the product names a service that the Compose file does not have.
fn no_service(what: &str, service: &str, span: &Span, project: &Project) -> Diagnostic {
    let message = format!("{what} names the service \"{service}\", which the Compose file does not have");
    let finding = Diagnostic::error(Code::E0505, message).at(span);
    let known: Vec<&str> = service_names(project).chain(project.disabled.keys()).collect();
    match nearest(service, known.iter().copied()) {
        Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
        None => finding.hint(format!("services: {}", known.join(", "))),
    }
}
