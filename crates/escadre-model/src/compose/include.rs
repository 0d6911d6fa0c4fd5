//! `include`: another project's files inside this one.
//!
//! In: a document, the files it names. Out: the document with their services, networks and so on below its own.
//! **Invariant**: included files have their own folder and their own `.env`; the including file overrides; a circle is an
//! error that names its members.
//! Not here: how two entries merge (merge).
//! Source: Compose Specification, chapter Include; for conflicts, the reference (the including file wins).
//! Tests: tests/cases/compose.

use super::environment::Variables;
use super::interpolate::Lookup;
use super::load::{Loader, Scope};
use super::merge::{merge, same};
use super::paths::{each, join, parent, relative};
use super::reset::Resets;
use super::schema::{Checker, ROOT};
use crate::diagnostic::{Code, Diagnostic, Span, has_errors};
use crate::text::{Mapping, Node, Scalar, Style, Value};
use std::sync::Arc;

/// Levels of includes within includes.
const DEEPEST: usize = 32;

/// An include that was loaded: the same files in the same folder with the same variables give the same model.
pub(crate) struct Loaded {
    files: Vec<String>,
    folder: String,
    base: String,
    variables: Arc<Variables>,
    model: Option<Node>,
}

const SECTIONS: [&str; 7] = ["services", "jobs", "volumes", "networks", "secrets", "configs", "models"];

impl Loader<'_> {
    /// Brings in what a document includes and takes `include` out of it.
    pub(crate) fn include(&mut self, root: &mut Node, file: &str, scope: &Scope, resets: &Resets) {
        let Some(include) = root.get("include").cloned() else { return };
        // One that is left empty includes nothing, as `volumes:` and the like.
        let items = if include.is_null() { Some(&[][..]) } else { include.as_sequence() };
        let Some(items) = items else {
            let message = format!("`include` must be a list, here is {}", include.kind());
            self.report(Diagnostic::error(Code::E0403, message).at(&include.span).path("include"));
            return;
        };
        let known = self.findings.len();
        if let Some(shape) = ROOT.field("include") {
            Checker::new(&mut self.findings).check_at("include", &without_nothing(items, &include), shape);
        }
        if has_errors(self.findings.get(known..).unwrap_or_default()) {
            return;
        }
        let mut trail = scope.trail.clone();
        trail.push(file.to_owned());
        if trail.len() > DEEPEST {
            let message = format!("includes are nested deeper than {DEEPEST} levels");
            self.report(Diagnostic::error(Code::E0422, message).at(&include.span));
            return;
        }
        for item in items {
            let Some(model) = self.included(item, scope, &trail) else { continue };
            self.import(root, &model, resets);
        }
        if let Some(key) = root.as_mapping().and_then(|root| root.key("include")).cloned() {
            self.use_up("include".to_owned(), "include", &key.span);
        }
        if let Some(root) = root.mapping_mut() {
            root.remove("include");
        }
    }

    fn included(&mut self, item: &Node, scope: &Scope, trail: &[String]) -> Option<Node> {
        let path = if item.as_scalar().is_some() { Some(item) } else { item.get("path") };
        let Some(path) = path else {
            self.report(Diagnostic::error(Code::E0404, "an include needs `path:`").at(&item.span).path("include"));
            return None;
        };
        if let Some(remote) = texts(path).into_iter().find(|text| is_remote(text)) {
            self.report(elsewhere(remote, &path.span).path("include"));
            return None;
        }
        let files: Vec<String> = texts(path).into_iter().map(|text| join(&scope.folder, text)).collect();
        let Some(main) = files.first() else {
            self.report(
                Diagnostic::error(Code::E0405, "an include needs at least one path").at(&path.span).path("include"),
            );
            return None;
        };
        if trail.contains(main) {
            let circle: Vec<&str> = trail.iter().map(String::as_str).chain([main.as_str()]).collect();
            let message = format!("the files include each other in a circle: {}", circle.join(" -> "));
            self.report(Diagnostic::error(Code::E0410, message).at(&path.span).path("include"));
            return None;
        }
        let named = item.get("project_directory").and_then(Node::as_str).filter(|text| !text.is_empty());
        let folder = named.map_or_else(|| parent(main), |folder| join(&scope.folder, folder));
        let absolute = named.is_some_and(|folder| folder.starts_with('/'));
        let base = if absolute { folder.clone() } else { relative(&scope.folder, &folder) };
        let variables = self.variables_of(item, &folder, scope);
        let known = self.includes.iter().find(|known| {
            known.files == files && known.base == base && known.folder == folder && *known.variables == *variables
        });
        if let Some(known) = known {
            return known.model.clone();
        }
        let inner = Scope {
            folder: folder.clone(),
            base: base.clone(),
            variables: Arc::clone(&variables),
            trail: trail.to_vec(),
        };
        let mut model = self.model(&files, Some(&path.span), &inner);
        if let Some(model) = &mut model {
            from_environment(model, &variables);
        }
        self.includes.push(Loaded { files, folder, base, variables, model: model.clone() });
        model
    }

    /// The variables of an included project: ours, and below them those of its own `.env` or `env_file`.
    fn variables_of(&mut self, item: &Node, folder: &str, scope: &Scope) -> Arc<Variables> {
        let named = item.get("env_file").map(texts).unwrap_or_default();
        let mut variables = Variables::clone(&scope.variables);
        if named.is_empty() {
            if !self.dot_env(&join(folder, ".env"), &mut variables) {
                return Arc::clone(&scope.variables);
            }
            return Arc::new(variables);
        }
        let mut below: Vec<(String, super::Variable)> = Vec::new();
        for file in named.iter().filter(|file| **file != "/dev/null") {
            let path = join(&scope.folder, file);
            let Some(bytes) = self.read(&path, item.get("env_file").map(|node| &node.span)) else { continue };
            let mut above = Variables::default();
            for (name, variable) in &below {
                above.set(name.clone(), variable.text.clone(), None);
            }
            let known: (&dyn Lookup, &dyn Lookup) = (&*scope.variables, &above);
            let lines = super::dotenv::parse(&path.as_str().into(), &bytes, false, known, &mut self.findings);
            below.extend(
                lines.into_iter().map(|line| (line.key, super::Variable { text: line.text, span: Some(line.span) })),
            );
        }
        // Later files win over earlier ones, ours over both.
        for (name, variable) in below.into_iter().rev() {
            variables.set_default(name, variable);
        }
        Arc::new(variables)
    }

    fn import(&mut self, root: &mut Node, model: &Node, resets: &Resets) {
        for section in SECTIONS {
            let Some(theirs) = model.get(section).and_then(Node::as_mapping).filter(|theirs| !theirs.is_empty()) else {
                continue;
            };
            let Some(key) = model.as_mapping().and_then(|model| model.key(section)) else { continue };
            let Some(target) = root.mapping_mut() else { return };
            if target.get(section).is_none_or(Node::is_null) {
                target.insert(key.clone(), Node::mapping(Mapping::new(), &key.span));
            }
            let Some(ours) = target.get_mut(section).and_then(Node::mapping_mut) else { continue };
            for (key, entry) in theirs.iter() {
                match ours.get_mut(&key.text) {
                    None => {
                        ours.insert(key.clone(), entry.clone());
                    }
                    Some(own) if same(own, entry) => {}
                    Some(own) => {
                        let mut base = entry.clone();
                        resets.apply_within(section, &key.text, &mut base);
                        *own = merge(base, own.clone(), &[section, &*key.text], &mut self.findings);
                    }
                }
            }
        }
    }
}

/// Whether a path is an address: nothing is fetched while files are read.
pub(super) fn is_remote(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@")
}

/// A file on another machine: refused, more so where it could change without a commit.
pub(super) fn elsewhere(address: &str, span: &Span) -> Diagnostic {
    let hexadecimal = |text: &str, lengths: &[usize]| {
        let digits = text.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default();
        lengths.contains(&digits.len())
    };
    let digest = address.split_once("@sha256:").is_some_and(|(_, digest)| hexadecimal(digest, &[64]));
    let commit = address.split_once('#').is_some_and(|(_, commit)| hexadecimal(commit, &[40, 64]));
    let message = if digest || commit {
        format!("{address} lies on another machine, and nothing is fetched while files are read")
    } else {
        format!("{address} lies on another machine and is not pinned: it could change without a commit")
    };
    Diagnostic::error(Code::E0423, message).at(span).hint("keep a copy in the repository, and name that")
}

/// The items of an include without keys that hold nothing: those count as absent.
fn without_nothing(items: &[Node], include: &Node) -> Node {
    let items = items.iter().map(|item| {
        let mut item = item.clone();
        if let Some(mapping) = item.mapping_mut() {
            mapping.retain(|_, value| !value.is_null());
        }
        item
    });
    Node::sequence(items.collect(), &include.span)
}

/// Names alone in a list of variables take the value that the included project has; in a mapping, that of the project as a whole.
fn from_environment(model: &mut Node, variables: &Variables) {
    let listed = |node: &Node| node.is_null() && node.raw.is_some();
    for section in ["services", "jobs"] {
        each(model, section, |entry| {
            let any =
                |node: &Node| node.as_mapping().is_some_and(|entries| entries.iter().any(|(_, value)| listed(value)));
            if !entry.get("environment").is_some_and(any) {
                return;
            }
            for (key, value) in
                entry.get_mut("environment").and_then(Node::mapping_mut).into_iter().flat_map(Mapping::iter_mut)
            {
                if listed(value)
                    && let Some(variable) = variables.get(&key.text)
                {
                    value.value = Value::Scalar(Scalar { text: variable.text.clone(), style: Style::Quoted });
                }
            }
        });
    }
}

fn texts(node: &Node) -> Vec<&str> {
    match node.as_sequence() {
        Some(items) => items.iter().filter_map(Node::as_str).collect(),
        None => node.as_str().into_iter().collect(),
    }
}
