//! The fleet of one: a plain Compose file, with nothing else.
//!
//! In: the folder, the files, the caller's environment. Out: [`Single`]: an instance named as Compose names the project, and its secrets.
//! **Invariant:** Compose's own meaning throughout: `.env`, the caller's environment, paths of the host; all values count as sensitive.
//! Not here: where Compose files are found (`compose::discover`).
//! Tests: `tests/it/resolve.rs`.

use super::content::gather;
use super::values::source;
use super::{Cache, bounds, build, clash, files};
use crate::compose::{self, Options, Project, Variables};
use crate::desired::{Adopts, Former};
use crate::diagnostic::{Code, Diagnostic, has_errors};
use crate::hash::{Hash, KeyedHash};
use crate::ids::InstanceId;
use crate::name::Name;
use crate::resolved::{Content, Resolved, SecretSeen, Shape, Value};
use crate::secret::{HashKey, Secret, SecretRef};
use crate::text::Node;
use crate::tree::{Entry, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a fleet of one is made of.
#[derive(Clone, Debug, Default)]
pub struct SingleInput {
    /// The folder of the project, absolute.
    pub folder: String,
    /// Its Compose files, absolute, in order.
    pub files: Vec<String>,
    /// The project's name, if the caller decides it (`-p`).
    pub project_name: Option<String>,
    /// Profiles that are switched on.
    pub profiles: Vec<String>,
    /// The caller's environment.
    pub environment: Variables,
    /// What `~` stands for.
    pub home: Option<String>,
}

/// A resolved fleet of one.
#[derive(Debug)]
pub struct Single {
    /// The instance.
    pub resolved: Resolved,
    /// Values of its secrets, which have no other place than the files and variables they were read from.
    pub secrets: BTreeMap<SecretRef, Secret>,
}

/// Resolves a plain Compose project. The tree answers absolute paths of the host.
pub fn single(
    input: &SingleInput,
    tree: &dyn Tree,
    key: Option<&HashKey>,
    cache: &Cache,
) -> (Option<Single>, Vec<Diagnostic>) {
    let view = files::OnHost { tree, shown_from: format!("{}/", input.folder.trim_end_matches('/')) };
    let mut options = Options::new(input.folder.clone(), input.files.clone());
    options.project_name = input.project_name.as_deref().map(Into::into);
    options.profiles.clone_from(&input.profiles);
    options.environment = input.environment.clone();
    options.home.clone_from(&input.home);
    options.use_dot_env = true;
    let (project, mut findings) = compose::load(&options, &view, &cache.compose);
    let resolved = project.and_then(|project| resolve(input, tree, key, project, &mut findings));
    (resolved.filter(|_| !has_errors(&findings)), findings)
}

fn resolve(
    input: &SingleInput,
    tree: &dyn Tree,
    key: Option<&HashKey>,
    mut project: Project,
    findings: &mut Vec<Diagnostic>,
) -> Option<Single> {
    project.unfold_steps(findings);
    let title = project.name.display().into_owned();
    let name = match Name::project(&title) {
        Ok(name) => name,
        Err(why) => {
            let finding =
                Diagnostic::error(Code::E0501, format!("the project's name \"{title}\" cannot be used: {why}"));
            findings.push(finding.hint("give another one by `name:` in the Compose file, or -p"));
            return None;
        }
    };
    let (seen, secrets) = secrets(tree, key, &project, findings);
    bounds::check(&project, &bounds::Grants { granted: None, file: "" }, findings);
    let contents = contents(tree, &project, findings);
    let builds = builds(tree, &project, findings);
    elsewhere(input, tree, &project, findings);
    let values = values(tree, &project);
    let ports = clash::ports(&project, &[], true);
    let shape = Shape {
        single: true,
        contents,
        acknowledged: project.acknowledgements(),
        builds,
        ports,
        secrets: seen.keys().cloned().collect(),
        sensitive: values.keys().cloned().collect(),
        ..Shape::new(title, project)
    };
    let instance = InstanceId::new(name.clone(), name);
    // A project's own containers, as docker compose would take them: those of its name that were started here.
    let folder: Arc<str> = input.folder.as_str().into();
    let adopts = Some(Adopts {
        from: Former::Compose,
        project: instance.instance.as_str().into(),
        folder: Some(Arc::clone(&folder)),
    });
    let resolved = Resolved { origin: folder, values, secrets: seen, adopts, ..Resolved::new(instance, shape) };
    Some(Single { resolved, secrets })
}

type Secrets = (BTreeMap<Arc<str>, SecretSeen>, BTreeMap<SecretRef, Secret>);

/// Compose's secrets: from a file or a variable.
fn secrets(tree: &dyn Tree, key: Option<&HashKey>, project: &Project, findings: &mut Vec<Diagnostic>) -> Secrets {
    let (mut seen, mut values) = (BTreeMap::new(), BTreeMap::new());
    for (name, node) in project.entries("secrets") {
        let value = if let Some(file) = node.get("file").and_then(Node::as_str) {
            match tree.entry(file) {
                Ok(Entry::File { bytes, .. }) => Some(Secret::new(bytes.to_vec())),
                Ok(_) => None,
                Err(error) => {
                    findings.push(crate::fleet::refused(file, &error).at(&node.span));
                    continue;
                }
            }
        } else {
            let variable = node.get("environment").and_then(Node::as_str);
            variable
                .and_then(|variable| project.variables.get(variable)?.text.as_str())
                .map(|text| Secret::new(text.as_bytes().to_vec()))
        };
        if value.is_none() && node.get("external").is_none() {
            findings.push(without_value(&name.text, node));
        }
        let scope = format!("fleet {}, {}", project.name.display(), name.text);
        let hash = value.as_ref().and_then(|value| Some(KeyedHash::of(key?, &scope, value)));
        let place = value.is_some().then(|| source(&node.span));
        seen.insert(Arc::clone(&name.text), SecretSeen { source: place, hash, environment: false });
        if let Some(value) = value {
            values.insert(SecretRef(Arc::clone(&name.text)), value);
        }
    }
    (seen, values)
}

/// A secret whose file or variable is not there: which, and what to do.
fn without_value(name: &str, node: &Node) -> Diagnostic {
    let (what, hint, written) = match (node.get("file"), node.get("environment")) {
        (Some(file), _) => {
            let path = file.as_str().unwrap_or_default();
            (format!("{path} is not there"), "make the file, outside of Git", file)
        }
        (None, Some(variable)) => {
            let variable_name = variable.as_str().unwrap_or_default();
            (
                format!("the variable `{variable_name}` is not set"),
                "set it, or write it into .env, outside of Git",
                variable,
            )
        }
        (None, None) => ("nothing says where it is".to_owned(), "give it `file:` or `environment:`", node),
    };
    let message = format!("the secret \"{name}\" has no value: {what}");
    Diagnostic::error(Code::E0606, message).at(&written.span).hint(hint)
}

fn contents(tree: &dyn Tree, project: &Project, findings: &mut Vec<Diagnostic>) -> BTreeMap<Arc<str>, Content> {
    let mut all = BTreeMap::new();
    for (name, config) in project.entries("configs") {
        let Some(node) = config.get("file") else { continue };
        let Some(path) = node.as_str() else { continue };
        match tree.entry(path) {
            Ok(Entry::File { bytes, executable, .. }) => {
                all.insert(path.into(), Content::File { bytes, executable });
            }
            Ok(Entry::Folder(_)) => match gather(tree, path) {
                Ok(content) => drop(all.insert(path.into(), content)),
                Err(finding) => findings.push(finding.at(&node.span)),
            },
            Ok(Entry::Absent) => {
                let message = format!("the config \"{}\" is {path}, which is not there", name.text);
                findings.push(Diagnostic::error(Code::E0516, message).at(&node.span));
            }
            Err(error) => findings.push(crate::fleet::refused(path, &error).at(&node.span)),
        }
    }
    all
}

fn builds(tree: &dyn Tree, project: &Project, findings: &mut Vec<Diagnostic>) -> BTreeMap<Arc<str>, Hash> {
    let mut all = BTreeMap::new();
    for service in project.services() {
        let Some(node) = service.node("build") else { continue };
        let context = node.get("context").and_then(Node::as_str).unwrap_or_default();
        if !context.starts_with('/') {
            all.insert(Arc::clone(service.name), Hash::of_json(&node.to_json()));
            continue;
        }
        let further = build::further(node, |path| build::inputs(tree, path, "", false));
        let inputs = build::inputs(tree, context, &build::dockerfile(node), false);
        match inputs.and_then(|inputs| Ok((inputs, further?))) {
            Ok((inputs, further)) => {
                all.insert(Arc::clone(service.name), build::of(&inputs, &further, node));
            }
            // The short form has no `context:` of its own.
            Err(finding) => findings.push(finding.at(&node.get("context").unwrap_or(node).span)),
        }
    }
    all
}

/// What is read from outside of the repository, or without one from outside of the project's folder: it is what Compose would read, and in no commit.
fn elsewhere(input: &SingleInput, tree: &dyn Tree, project: &Project, findings: &mut Vec<Diagnostic>) {
    let folder = input.folder.trim_end_matches('/');
    let up = std::iter::successors(Some(folder), |path| path.rsplit_once('/').map(|(above, _)| above));
    let is_repository =
        |path: &&str| !path.is_empty() && !matches!(tree.entry(&format!("{path}/.git")), Ok(Entry::Absent) | Err(_));
    let root = up.into_iter().find(is_repository).unwrap_or(folder);
    let contexts = project.services().filter_map(|service| service.node("build")?.get("context"));
    let configs = project.entries("configs").filter_map(|(_, config)| config.get("file"));
    let places = contexts.chain(configs).filter_map(|node| Some((node.as_str()?, &node.span)));
    let named = project.named.iter().map(|(path, span)| (path.as_str(), span));
    let mut told = BTreeSet::new();
    for (path, span) in named.chain(places) {
        let inside = path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        if inside || !path.starts_with('/') || !told.insert(path) {
            continue;
        }
        let message = format!("{path} lies outside of {root}: it is read, and no commit says what was in it");
        let finding = Diagnostic::warning(Code::W0408, message).at(span);
        findings
            .push(finding.hint(format!("keep it below {root}, and name that; a fleet reads nothing from elsewhere")));
    }
}

/// The variables that the files name, with the values they have.
fn values(tree: &dyn Tree, project: &Project) -> BTreeMap<Arc<str>, Value> {
    let mut named = BTreeSet::new();
    for file in &project.files {
        if let Ok(Entry::File { bytes, .. }) = tree.entry(file) {
            variables(&String::from_utf8_lossy(&bytes), &mut named);
        }
    }
    let value = |name: String| {
        let variable = project.variables.get(&name)?;
        let text = variable.text.as_str()?.into();
        let place = variable.span.as_ref().map(source);
        let from = if place.is_some() { "file" } else { "the caller's environment" };
        Some((name.into(), Value { text, source: place, from: from.into(), sensitive: true }))
    };
    named.into_iter().filter_map(value).collect()
}

/// Names after `$` or `${`.
pub(super) fn variables(text: &str, found: &mut BTreeSet<String>) {
    let mut parts = text.split('$').peekable();
    parts.next();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            // `$$` is a dollar, and what follows it no name.
            parts.next();
            continue;
        }
        let part = part.strip_prefix('{').unwrap_or(part);
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        let name = part.get(..end).unwrap_or_default();
        if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
            found.insert(name.to_owned());
        }
    }
}
