//! Instances: what is written for each customer, country or purpose.
//!
//! In: everything under `instances/`. Out: [`Instance`] by name, and the names of those that could not be read.
//! **Invariant:** every file under `instances/` is an instance, its secrets, its override or its data; anything else is an error, so that
//! a misspelled file is never silently nobody's.
//! Not here: whether what an instance refers to exists (`check`).
//! Tests: `tests.rs`.

use super::folder::{self, DEEPEST, Found, MOST, Reader};
use super::secrets_file::{self, Scope, SecretsFile};
use super::{check, reserved, scalar, zone};
use crate::desired::{Former, State};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::name::Name;
use crate::parallel::{self, Threads};
use crate::text::{Fields, Mapping, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An instance as its file says.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name, as its file or folder is called.
    pub name: Spanned<Name>,
    /// Its file.
    pub file: Arc<str>,
    /// The folder of its file: `override:` and files given as values are beside it.
    pub folder: Arc<str>,
    /// Its product.
    pub product: Spanned<Name>,
    /// Its environment.
    pub environment: Spanned<Name>,
    /// Its zone, if it names one.
    pub zone: Option<Spanned<Name>>,
    /// Its target, if it names one.
    pub target: Option<Spanned<Name>>,
    /// Its size, if it names one.
    pub size: Option<Spanned<Name>>,
    /// Values of parameters.
    pub values: BTreeMap<Arc<str>, Spanned<Arc<str>>>,
    /// Labels.
    pub labels: BTreeMap<Arc<str>, Spanned<Arc<str>>>,
    /// Compose profiles that only some customers have.
    pub profiles: Vec<Spanned<Arc<str>>>,
    /// A Compose override beside it: the path in the tree.
    pub override_file: Option<Spanned<Arc<str>>>,
    /// Whether it shall run.
    pub state: State,
    /// Volumes that have another name on the engine: key → name.
    pub volumes: BTreeMap<Arc<str>, Spanned<Arc<str>>>,
    /// The Docker Compose project that it was, and whose containers it takes over; or the Swarm's stack whose place it takes.
    pub adopts: Option<(Former, Spanned<Arc<str>>)>,
    /// Its secrets file.
    pub secrets: Option<Arc<SecretsFile>>,
}

/// All instances, and those that could not be read.
pub(super) struct AllInstances {
    pub(super) instances: BTreeMap<Name, Arc<Instance>>,
    pub(super) unreadable: BTreeSet<Arc<str>>,
}

/// A YAML file under `instances/`, before it is known what it is.
struct Candidate {
    path: Arc<str>,
    /// The name its file or folder gives it.
    stem: Arc<str>,
    node: Option<Node>,
}

/// A file that may become a [`Candidate`], as it was found.
struct Seen {
    path: Arc<str>,
    stem: Arc<str>,
    /// `None`: it could not be read, and a finding says so.
    bytes: Option<Arc<[u8]>>,
}

#[derive(Default)]
struct Walk {
    files: Vec<Seen>,
    secrets: BTreeMap<Arc<str>, Arc<str>>,
    seen: usize,
}

pub(super) fn read_all(reader: &mut Reader<'_>) -> AllInstances {
    let mut walk = Walk::default();
    descend(reader, &mut walk, "instances", 0);
    let candidates = parse(reader, std::mem::take(&mut walk.files));
    let mut overrides: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut all = AllInstances { instances: BTreeMap::new(), unreadable: BTreeSet::new() };
    let mut others = Vec::new();
    for candidate in candidates {
        let Some(node) = &candidate.node else {
            others.push((candidate, true));
            continue;
        };
        if node.get("instance").is_none() {
            // Its override is looked for even if the rest is wrong.
            others.push((candidate, false));
            continue;
        }
        let (instance, override_file) = read(reader, &candidate, node);
        overrides.extend(override_file);
        match instance {
            Some(instance) => add(reader, &mut all, instance, &mut walk.secrets),
            None => {
                all.unreadable.insert(Arc::clone(&candidate.stem));
            }
        }
    }
    let unread: BTreeSet<Arc<str>> =
        others.iter().filter(|(_, unreadable)| *unreadable).map(|(c, _)| folder::folder_of(&c.path).into()).collect();
    for (candidate, unreadable) in others {
        if overrides.contains(&candidate.path) {
            continue;
        }
        all.unreadable.insert(Arc::clone(&candidate.stem));
        // Beside a file that could not be read nobody knows whose override this is.
        if !unreadable && !unread.contains(folder::folder_of(&candidate.path)) {
            let message = "is no instance (no `instance:`), and no instance names it as its `override:`";
            reader.findings.push(check::stray(&candidate.path, message));
        }
    }
    for (stem, path) in walk.secrets {
        // The instance's own finding is enough where its file cannot be read.
        if !all.unreadable.contains(last_word(&stem)) {
            reader.findings.push(check::nobodys_secrets(&path));
        }
    }
    all
}

fn last_word(stem: &str) -> &str {
    folder::last(stem)
}

/// Looks through a folder; `depth` counts from `instances/`.
fn descend(reader: &mut Reader<'_>, walk: &mut Walk, folder: &str, depth: usize) {
    if depth > DEEPEST {
        let message = format!("{folder} lies deeper than {DEEPEST} folders");
        reader.findings.push(Diagnostic::error(Code::E0518, message).at(&Span::whole(&folder.into())));
        reader.not_all_seen();
        return;
    }
    let names = reader.list(folder);
    for name in names.iter().filter(|name| !name.starts_with('.')) {
        walk.seen += 1;
        if walk.seen > MOST {
            if walk.seen == MOST + 1 {
                let message = format!("more than {MOST} files and folders under instances/");
                reader.findings.push(Diagnostic::error(Code::E0518, message).at(&Span::whole(&folder.into())));
                reader.not_all_seen();
            }
            return;
        }
        if &**name == "files" {
            continue;
        }
        let path: Arc<str> = format!("{folder}/{name}").into();
        match reader.look(&path) {
            Found::Folder(_) => descend(reader, walk, &path, depth + 1),
            Found::File(bytes) => file(reader, walk, folder, name, path, bytes),
            Found::Nothing => {}
            Found::Refused => {
                let stem = name.strip_suffix(".yaml").unwrap_or(name);
                let stem = if stem == "instance" { folder::last(folder) } else { stem };
                walk.files.push(Seen { path, stem: stem.into(), bytes: None });
            }
        }
    }
}

fn file(reader: &mut Reader<'_>, walk: &mut Walk, folder: &str, name: &str, path: Arc<str>, bytes: Arc<[u8]>) {
    if name == "secrets.yaml" {
        walk.secrets.insert(folder.into(), path);
        return;
    }
    if let Some(stem) = name.strip_suffix(".secrets.yaml") {
        walk.secrets.insert(format!("{folder}/{stem}").into(), path);
        return;
    }
    let Some(stem) = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")) else {
        reader
            .findings
            .push(check::stray(&path, "under instances/ there are YAML files; data goes into a folder called files/"));
        return;
    };
    let stem = if stem == "instance" && folder != "instances" { folder::last(folder) } else { stem };
    walk.files.push(Seen { path, stem: stem.into(), bytes: Some(bytes) });
}

/// All files as YAML, on several processors: it is most of the time that reading a fleet takes. The findings come in the order of the files.
fn parse(reader: &mut Reader<'_>, files: Vec<Seen>) -> Vec<Candidate> {
    let parsed = parallel::map(files, Threads::of_machine(), |Seen { path, stem, bytes }| {
        let (node, findings) = bytes.map_or((None, Vec::new()), |bytes| folder::parse(&path, &bytes));
        (Candidate { path, stem, node }, findings)
    });
    let (candidates, findings): (Vec<_>, Vec<_>) = parsed.into_iter().unzip();
    reader.findings.extend(findings.into_iter().flatten());
    candidates
}

fn add(
    reader: &mut Reader<'_>,
    all: &mut AllInstances,
    mut instance: Instance,
    secrets: &mut BTreeMap<Arc<str>, Arc<str>>,
) {
    let name = instance.name.value.clone();
    if let Some(first) = all.instances.get(&name) {
        let finding = Diagnostic::error(Code::E0502, format!("two instances are called \"{name}\""))
            .label(&instance.name.span, "again here")
            .label(&first.name.span, "first here");
        reader.findings.push(finding);
        // Neither may be planned: which one is meant is not ours to say.
        all.unreadable.insert(name.as_str().into());
        return;
    }
    let own = if folder::last(&instance.file) == "instance.yaml" {
        instance.folder.to_string()
    } else {
        format!("{}/{name}", instance.folder)
    };
    if let Some(path) = secrets.remove(own.as_str()) {
        instance.secrets = secrets_file::read(reader, &path, Scope::Instance, name.as_str());
    }
    all.instances.insert(name, Arc::new(instance));
}

/// Reads one instance; its override's path is known even where the rest is wrong.
fn read(reader: &mut Reader<'_>, candidate: &Candidate, node: &Node) -> (Option<Instance>, Option<Arc<str>>) {
    let folder = folder::folder_of(&candidate.path);
    let mut fields = Fields::new(node, "", &mut reader.findings);
    let name = scalar::required_name(&mut fields, "instance", "an instance");
    let product = scalar::required_name(&mut fields, "product", "a product");
    let environment = scalar::required_name(&mut fields, "environment", "an environment");
    let zone = scalar::optional_name(&mut fields, "zone", "a zone");
    let target = scalar::optional_name(&mut fields, "target", "a target");
    let size = scalar::optional_name(&mut fields, "size", "a size");
    let values = scalar::texts(&mut fields, "values");
    let labels = scalar::texts(&mut fields, "labels");
    let profiles = fields.optional_strs("profiles").unwrap_or_default();
    let override_file = override_file(&mut fields, folder);
    let state = scalar::parsed(&mut fields, "state", "`running`, `stopped` or `removed`", |text| match text {
        "running" => Some(State::Running),
        "stopped" => Some(State::Stopped),
        "removed" => Some(State::Removed),
        _ => None,
    });
    let state_is_wrong = state.is_none() && node.get("state").is_some_and(|state| !state.is_null());
    let volumes = volumes(&mut fields);
    let adopts = adopts(&mut fields);
    reserved::refuse(&mut fields, node, reserved::INSTANCE);
    fields.finish();
    let target_path = override_file.as_ref().map(|file| Arc::clone(&file.value));
    let (Some(name), Some(product), Some(environment)) = (name, product, environment) else {
        return (None, target_path);
    };
    let same = zone::same_as_file(&name, &candidate.stem, "instance", &mut reader.findings);
    if state_is_wrong || !same {
        return (None, target_path);
    }
    let instance = Instance {
        name,
        file: Arc::clone(&candidate.path),
        folder: folder.into(),
        product,
        environment,
        zone,
        target,
        size,
        values,
        labels,
        profiles,
        override_file,
        state: state.map_or(State::Running, |state| state.value),
        volumes,
        adopts,
        secrets: None,
    };
    (Some(instance), target_path)
}

fn override_file(fields: &mut Fields<'_, '_>, folder: &str) -> Option<Spanned<Arc<str>>> {
    let written = fields.optional_str("override")?;
    match folder::join(folder, &written.value) {
        Some(path) if path.starts_with(&format!("{folder}/")) => Some(Spanned::new(path, written.span)),
        _ => {
            let message =
                format!("`override` is a file beside its instance, here is \"{}\"", scalar::shown(&written.value));
            fields.findings().push(Diagnostic::error(Code::E0515, message).at(&written.span).path("override"));
            None
        }
    }
}

/// `adopt: { project: acme }`, the Compose project that the instance was, or `adopt: { stack: acme }`, the Swarm's; the name must be one that the tool gives.
fn adopts(fields: &mut Fields<'_, '_>) -> Option<(Former, Spanned<Arc<str>>)> {
    let node = fields.optional("adopt")?;
    let mut within = Fields::new(node, "adopt", fields.findings());
    let stack = within.optional_str("stack");
    let project = if stack.is_some() { within.optional_str("project") } else { within.required_str("project") };
    within.finish();
    if let Some(stack) = stack {
        if let Some(project) = project {
            let message = "an instance was a Compose project or a Swarm's stack, not both";
            let finding = Diagnostic::error(Code::E0115, message).at(&project.span).path("adopt.project");
            fields.findings().push(finding);
        }
        return swarm_stack(stack, fields);
    }
    let project = project?;
    if let Err(why) = Name::project(&project.value) {
        let message = format!("\"{}\" is no name of a Compose project: {why}", scalar::shown(&project.value));
        let finding = Diagnostic::error(Code::E0115, message).at(&project.span).path("adopt.project");
        fields.findings().push(finding.hint("what runs under Compose on this host: escadre import compose"));
        return None;
    }
    Some((Former::Compose, project))
}

/// A stack's name as `docker stack deploy` takes it.
fn swarm_stack(stack: Spanned<Arc<str>>, fields: &mut Fields<'_, '_>) -> Option<(Former, Spanned<Arc<str>>)> {
    let fits = stack.value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && stack.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !fits {
        let message = format!("\"{}\" is no name of a Swarm's stack", scalar::shown(&stack.value));
        let finding = Diagnostic::error(Code::E0115, message).at(&stack.span).path("adopt.stack");
        fields.findings().push(finding.hint("what a Swarm runs: docker stack ls"));
        return None;
    }
    Some((Former::Swarm, stack))
}

/// Volumes that exist under another name; the name must be one an engine takes.
fn volumes(fields: &mut Fields<'_, '_>) -> BTreeMap<Arc<str>, Spanned<Arc<str>>> {
    let mut all = BTreeMap::new();
    for (key, node) in fields.optional_map("volumes").into_iter().flat_map(Mapping::iter) {
        let path = format!("volumes.{}", key.text);
        let Some(name) = scalar::text(node, &path, fields.findings()) else { continue };
        let fits = name.value.len() <= 255
            && name.value.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if fits {
            all.insert(Arc::clone(&key.text), name);
        } else {
            let message = format!("\"{}\" is no name of a volume on an engine", scalar::shown(&name.value));
            fields.findings().push(Diagnostic::error(Code::E0115, message).at(&name.span).path(path));
        }
    }
    all
}
