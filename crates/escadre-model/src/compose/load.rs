//! The order of work.
//!
//! In: options, files, a cache. Out: a project and findings.
//! **Invariant**: see `mod.rs`; each step reports and the next goes on with what is left, so that one run finds everything.
//! Not here: the steps themselves.
//! Tests: tests/cases/compose.

use super::complete::complete;
use super::consistency::{self, Model};
use super::dotenv;
use super::environment::Variables;
use super::extends::ExtendsCache;
use super::interpolate::{Interpolation, Lookup, substitute};
use super::merge::merge;
use super::normalise::normalise;
use super::paths::{self, Base, join};
use super::project::{Project, UsedUp};
use super::schema::{Checker, ROOT, Shape};
use super::source::{Cache, Files, Parsed};
use super::unique::unique;
use super::{Options, canonical, cast, decode};
use crate::diagnostic::{Code, Diagnostic, Span, has_errors};
use crate::text::{Key, Mapping, Node, Origin, Scalar, Style, Text, Value};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Files a project may be made of, included ones counted each time they are included.
const MOST_FILES: usize = 1_000;

/// Loads a project. Without errors there is a project; with or without, there may be findings.
pub fn load(options: &Options, files: &dyn Files, cache: &Cache) -> (Option<Project>, Vec<Diagnostic>) {
    let mut loader = Loader {
        files,
        cache,
        options,
        findings: Vec::new(),
        loaded: 0,
        exhausted: false,
        includes: Vec::new(),
        used_up: Vec::new(),
        named: Vec::new(),
    };
    let project = loader.project();
    let mut told = HashSet::new();
    let mut findings = loader.findings;
    findings.retain(|finding| {
        // A warning about a variable stands for all its uses.
        let span = if finding.code == Code::W0402 { None } else { finding.span() };
        told.insert(format!("{} {} {}", finding.code, finding.message, span.map(Span::to_string).unwrap_or_default()))
    });
    (project.filter(|_| !has_errors(&findings)), findings)
}

/// What stays the same while the files of one project or include are read.
#[derive(Clone)]
pub(crate) struct Scope {
    /// Where relative paths begin.
    pub(crate) folder: String,
    /// The same folder as its model writes it: of the project absolute, of an included project relative to the one around it, so that one file that two of them
    /// name is the same entry when they merge.
    pub(crate) base: String,
    pub(crate) variables: Arc<Variables>,
    /// Files being included, outermost first.
    pub(crate) trail: Vec<String>,
}

pub(crate) struct Loader<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) cache: &'a Cache,
    pub(crate) options: &'a Options,
    pub(crate) findings: Vec<Diagnostic>,
    loaded: usize,
    /// A row of `extends` was too long; it is told once.
    pub(crate) exhausted: bool,
    /// Models of includes that were loaded already.
    pub(crate) includes: Vec<super::include::Loaded>,
    used_up: Vec<UsedUp>,
    /// Files that the files name, with the place that does.
    named: Vec<(String, Span)>,
}

impl Loader<'_> {
    pub(crate) fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// Remembers a key that is taken out of the tree because what it says is done.
    pub(crate) fn use_up(&mut self, path: String, attribute: &'static str, span: &Span) {
        let used = UsedUp { path, attribute, span: span.clone() };
        if !self.used_up.contains(&used) {
            self.used_up.push(used);
        }
    }

    /// Reads a file that has to be there.
    pub(crate) fn read(&mut self, path: &str, wanted_by: Option<&Span>) -> Option<Arc<[u8]>> {
        let message = match self.files.read(path) {
            Ok(Some(bytes)) => {
                self.named.extend(wanted_by.map(|span| (path.to_owned(), span.clone())));
                return Some(bytes);
            }
            Ok(None) => format!("{path} is not there"),
            Err(error) => format!("{path} cannot be read: {error}"),
        };
        let finding = Diagnostic::error(Code::E0409, message);
        let whole = Span::whole(&self.files.shown(path).into());
        self.report(finding.at(wanted_by.unwrap_or(&whole)));
        None
    }

    fn parse(&mut self, path: &str, wanted_by: Option<&Span>) -> Option<Arc<Parsed>> {
        self.loaded += 1;
        if self.loaded > MOST_FILES {
            let message = format!("more than {MOST_FILES} files are read for one project");
            self.report(
                Diagnostic::error(Code::E0422, message)
                    .at(wanted_by.unwrap_or(&Span::whole(&self.files.shown(path).into()))),
            );
            return None;
        }
        let bytes = self.read(path, wanted_by)?;
        let parsed = self.cache.parse(path, self.files.shown(path), &bytes);
        self.findings.extend(parsed.findings.iter().cloned());
        Some(parsed)
    }

    fn project(&mut self) -> Option<Project> {
        let mut variables = self.options.environment.clone();
        let folder = self.options.working_dir.clone();
        if self.options.use_dot_env {
            self.dot_env(&join(&folder, ".env"), &mut variables);
        }
        let files: Vec<String> = self.options.files.iter().map(|file| join(&folder, file)).collect();
        if files.is_empty() {
            self.report(
                Diagnostic::error(Code::E0417, "no Compose file is given")
                    .hint("write compose.yaml, or name one with -f"),
            );
            return None;
        }
        let name = self.name(&files, &folder, &variables)?;
        variables.set("COMPOSE_PROJECT_NAME", name.clone(), None);
        let variables = Arc::new(variables);
        let scope = Scope { base: folder.clone(), folder, variables: Arc::clone(&variables), trail: Vec::new() };
        let mut root = self.model(&files, None, &scope)?;
        if self.findings.iter().any(|finding| finding.is_error() && is_structural(finding.code)) {
            // Parts are missing, so that most checks would only speak of that; whether files can be read is known all the same.
            let root = decode::decode(&root, &Shape::Object(&ROOT), &mut Vec::new());
            let (mut root, _) = split(root, &self.options.profiles);
            self.environment_files(&mut root, &variables);
            return None;
        }
        if root.as_mapping().is_none_or(Mapping::is_empty) {
            self.report(Diagnostic::error(Code::E0417, "the Compose files say nothing").at(&root.span));
            return None;
        }
        let mut more = Vec::new();
        normalise(&mut root, &name, &*variables, &mut more);
        let root = decode::decode(&root, &Shape::Object(&ROOT), &mut more);
        let (mut root, disabled) = split(root, &self.options.profiles);
        let empty = Mapping::new();
        let enabled = root.get("services").and_then(Node::as_mapping).unwrap_or(&empty);
        consistency::check(&Model { root: &root, enabled, disabled: &disabled }, &mut more);
        self.add_news(more);
        self.environment_files(&mut root, &variables);
        let Scope { folder, .. } = scope;
        let used_up = std::mem::take(&mut self.used_up);
        let named = std::mem::take(&mut self.named);
        Some(Project {
            name,
            root,
            disabled,
            working_dir: folder,
            files,
            used_up,
            named,
            steps: std::collections::BTreeMap::new(),
            variables,
        })
    }

    /// Adds findings of later steps, except those that only follow from what was found already: at the same place, or a
    /// service without an image in which an attribute was mistyped.
    fn add_news(&mut self, findings: Vec<Diagnostic>) {
        let known = self.findings.len();
        for finding in findings {
            let before = self.findings.get(..known).unwrap_or_default();
            let same_place = |other: &Diagnostic| other.is_error() && other.span() == finding.span();
            let mistyped =
                |other: &Diagnostic| matches!(other.code, Code::E0402 | Code::E0403) && other.path == finding.path;
            let follows = finding.is_error() && before.iter().any(same_place)
                || finding.code == Code::E0415 && before.iter().any(mistyped);
            if !follows {
                self.findings.push(finding);
            }
        }
    }

    /// Adds the variables of an environment file that are not set, if the file is there.
    pub(crate) fn dot_env(&mut self, path: &str, variables: &mut Variables) -> bool {
        match variables.add_file(path, self.files, &mut self.findings) {
            Ok(found) => found,
            Err(error) => {
                let message = format!("{path} cannot be read: {error}");
                self.report(Diagnostic::error(Code::E0409, message).at(&Span::whole(&self.files.shown(path).into())));
                true
            }
        }
    }

    /// The project's name: as asked, `COMPOSE_PROJECT_NAME`, the last `name:` in the files, the folder.
    fn name(&mut self, files: &[String], folder: &str, variables: &Variables) -> Option<Text> {
        let plain = |name: &str| normal_name(name) == name && !name.is_empty();
        let environment = || variables.get("COMPOSE_PROJECT_NAME").and_then(|variable| variable.text.as_str());
        // A late one has been checked by whoever gives it.
        if let Some(late) = self.options.project_name.as_ref().filter(|name| name.is_late()) {
            return Some(late.clone());
        }
        let asked = || self.options.project_name.as_ref().and_then(Text::as_str);
        if let Some(name) = asked().or_else(|| environment().filter(|name| !name.is_empty())) {
            if plain(name) {
                return Some(name.into());
            }
            let message = format!(
                "`{name}` is no project name: lower-case letters, digits, `-` and `_`, beginning with a letter or digit"
            );
            self.report(Diagnostic::error(Code::E0416, message));
            return None;
        }
        let mut written: Option<(String, Span)> = None;
        for file in files {
            let Ok(Some(bytes)) = self.files.read(file) else { continue };
            for document in &self.cache.parse(file, self.files.shown(file), &bytes).documents {
                if let Some(name) = document.root.get("name")
                    && let Some(text) = name.as_str().filter(|text| !text.is_empty())
                {
                    written = Some((text.to_owned(), name.span.clone()));
                }
            }
        }
        let name = match &written {
            Some((template, _)) => substitute(template, variables, &mut BTreeSet::new())
                .ok()
                .and_then(|text| text.as_str().map(normal_name)),
            None => Some(normal_name(folder.rsplit('/').next().unwrap_or_default())),
        };
        match name.filter(|name| !name.is_empty()) {
            Some(name) => Some(name.into()),
            None => {
                let finding = Diagnostic::error(Code::E0416, "the project has no name")
                    .hint("write `name:` at the top of the Compose file");
                self.report(match &written {
                    Some((_, span)) => finding.at(span),
                    None => finding,
                });
                None
            }
        }
    }

    /// The model of several files, later ones over earlier ones: complete, with absolute paths.
    pub(crate) fn model(&mut self, files: &[String], wanted_by: Option<&Span>, scope: &Scope) -> Option<Node> {
        let mut extends = ExtendsCache::default();
        let mut model: Option<Node> = None;
        let mut readable = true;
        for file in files {
            match self.parse(file, wanted_by) {
                Some(parsed) => {
                    model = self
                        .file(file, &parsed, model, scope, &mut extends, true)
                        .or(Some(Node::null(&Span::whole(&file.as_str().into()))))
                }
                None => readable = false,
            }
        }
        let mut model = model.filter(|_| readable)?;
        complete(&mut model, &mut self.findings);
        if self.options.resolve_paths || !scope.trail.is_empty() {
            let base = Base { folder: &scope.base, home: self.options.home.as_deref() };
            paths::resolve(&mut model, base, &mut self.findings);
        }
        Some(model)
    }

    /// A file that only lends services (`extends.file`): no includes, no checks, paths absolute.
    pub(crate) fn lender(&mut self, file: &str, wanted_by: &Span, scope: &Scope) -> Option<(Node, Arc<Parsed>)> {
        let parsed = self.parse(file, Some(wanted_by))?;
        let mut model = self.file(file, &parsed, None, scope, &mut ExtendsCache::default(), false)?;
        let base = Base { folder: &scope.base, home: self.options.home.as_deref() };
        paths::resolve(&mut model, base, &mut self.findings);
        Some((model, parsed))
    }

    /// Lays the documents of a file over a model. `whole`: the file is part of the project, not only a lender of services.
    fn file(
        &mut self,
        file: &str,
        parsed: &Parsed,
        mut model: Option<Node>,
        scope: &Scope,
        extends: &mut ExtendsCache,
        whole: bool,
    ) -> Option<Node> {
        let alone = self.options.files.len() < 2 && scope.trail.is_empty();
        for document in &parsed.documents {
            let mut current = Interpolation::new(&*scope.variables, &mut self.findings).tree(&document.root);
            // What stands alone is asked once, at the end.
            if !whole || !alone || parsed.documents.len() > 1 {
                cast::check(&current, &mut self.findings);
            }
            promote(&mut current, &mut self.findings);
            if whole {
                self.include(&mut current, file, scope, &document.resets);
            }
            if let Some(model) = &mut model {
                document.resets.apply(model);
            }
            if whole {
                self.extend(&mut current, file, scope, extends, &document.resets);
            }
            let mut merged = match model.take() {
                None => current,
                Some(model) => merge(model, current, &[], &mut self.findings),
            };
            unique(&mut merged);
            if whole {
                Checker::new(&mut self.findings).check(&merged, &Shape::Object(&ROOT));
                self.version(&mut merged);
            }
            if let Some(long) = canonical::canonical(&merged, &Shape::Object(&ROOT), &mut self.findings) {
                merged = long;
            }
            canonical::omit_empty_dns(&mut merged);
            unique(&mut merged);
            model = Some(merged);
        }
        model
    }

    fn version(&mut self, model: &mut Node) {
        let Some(key) = model.as_mapping().and_then(|model| model.key("version")).cloned() else { return };
        if let Some(model) = model.mapping_mut() {
            model.remove("version");
        }
        self.use_up("version".to_owned(), "version", &key.span);
        let finding = Diagnostic::warning(Code::W0401, "`version` has no effect").at(&key.span).hint("remove the line");
        self.report(finding.path("version"));
    }

    /// Reads environment and label files into the services that are switched on.
    fn environment_files(&mut self, root: &mut Node, variables: &Variables) {
        let wanted = |entry: &Node| entry.get("env_file").is_some() || entry.get("label_file").is_some();
        let any = root.get("services").and_then(Node::as_mapping).is_some_and(|services| {
            services.iter().any(|(_, entry)| {
                wanted(entry)
                    || entry.get("pre_start").and_then(Node::as_sequence).is_some_and(|hooks| hooks.iter().any(wanted))
            })
        });
        if !any {
            return;
        }
        let Some(services) = root.mapping_mut().and_then(|root| root.get_mut("services")).and_then(Node::mapping_mut)
        else {
            return;
        };
        for (_, service) in services.iter_mut() {
            if let Some(service) = service.mapping_mut() {
                self.files_of(service, variables);
                if service.get("pre_start").is_some()
                    && let Some(hooks) = service.get_mut("pre_start").and_then(Node::sequence_mut)
                {
                    hooks.iter_mut().filter_map(Node::mapping_mut).for_each(|hook| self.files_of(hook, variables));
                }
            }
        }
    }

    fn files_of(&mut self, entry: &mut Mapping, variables: &Variables) {
        let list = |entry: &Mapping, key: &str| {
            entry.get(key).and_then(Node::as_sequence).map(<[Node]>::to_vec).unwrap_or_default()
        };
        let mut from_files = Mapping::new();
        for file in list(entry, "env_file") {
            let Some(path) = file.get("path").and_then(Node::as_str) else {
                if file.get("path").is_none_or(|path| path.as_scalar().is_none()) {
                    self.report(Diagnostic::error(Code::E0404, "an environment file needs `path:`").at(&file.span));
                }
                continue;
            };
            let required = file.get("required").and_then(Node::as_str) != Some("false");
            let raw = file.get("format").and_then(Node::as_str) == Some("raw");
            if let Some(format) = file.get("format").and_then(Node::as_str).filter(|format| *format != "raw") {
                let message = format!("`{format}` is no format of environment files; `raw` is the only one to name");
                self.report(Diagnostic::error(Code::E0405, message).at(&file.span));
                continue;
            }
            let own = OwnVariables { variables, own: entry.get("environment").and_then(Node::as_mapping) };
            let read = self.lines(path, required, raw, &file.span, (&own, &Above(&from_files)));
            from_files = std::mem::take(&mut from_files).into_iter().chain(read).collect();
        }
        add_below(entry, "environment", from_files);
        let mut labels = Mapping::new();
        for file in list(entry, "label_file") {
            let Some(path) = file.as_str() else { continue };
            let read = self.lines(path, true, false, &file.span, (&Above(&labels), &dotenv::Nothing));
            labels = std::mem::take(&mut labels).into_iter().chain(read).collect();
        }
        add_below(entry, "labels", labels);
    }

    fn lines(
        &mut self,
        path: &str,
        required: bool,
        raw: bool,
        span: &Span,
        known: (&dyn Lookup, &dyn Lookup),
    ) -> Vec<(Key, Node)> {
        let bytes = match self.files.read(path) {
            Ok(Some(bytes)) => {
                self.named.push((path.to_owned(), span.clone()));
                bytes
            }
            Ok(None) if !required => return Vec::new(),
            _ => {
                self.read(path, Some(span));
                return Vec::new();
            }
        };
        let lines = dotenv::parse(&self.files.shown(path).into(), &bytes, raw, known, &mut self.findings);
        lines
            .into_iter()
            .map(|line| {
                let value = Value::Scalar(Scalar { text: line.text, style: Style::Quoted });
                (Key::new(line.key, &line.span), Node::new(value, &line.span))
            })
            .collect()
    }
}

/// What an environment file may use: the project's variables, then the service's own.
struct OwnVariables<'a> {
    variables: &'a Variables,
    own: Option<&'a Mapping>,
}

impl Lookup for OwnVariables<'_> {
    fn value(&self, name: &str) -> Option<&Text> {
        if let Some(variable) = self.variables.get(name) {
            return Some(&variable.text);
        }
        self.own.and_then(|own| own.get(name)).and_then(Node::as_scalar).map(|scalar| &scalar.text)
    }
}

/// What earlier files of the same list say.
struct Above<'a>(&'a Mapping);

impl Lookup for Above<'_> {
    fn value(&self, name: &str) -> Option<&Text> {
        self.0.get(name).and_then(Node::as_scalar).map(|scalar| &scalar.text)
    }
}

/// Adds entries below those written: what is written stands.
fn add_below(entry: &mut Mapping, key: &str, mut below: Mapping) {
    if below.is_empty() {
        return;
    }
    let Some(span) = below.iter().next().map(|(key, _)| key.span.clone()) else { return };
    if let Some(written) = entry.get(key).and_then(Node::as_mapping) {
        for (key, node) in written.iter() {
            below.insert(key.clone(), node.clone());
        }
    }
    let span = entry.get(key).map_or(span, |node| node.span.clone());
    entry.insert(Key::new(key, &span), Node::mapping(below, &span));
}

/// Whether an error leaves the model without parts of it, so that later checks would only speak of what is missing.
fn is_structural(code: Code) -> bool {
    code < Code::E0112
        || matches!(
            code,
            Code::E0401 | Code::E0409 | Code::E0410 | Code::E0411 | Code::E0417 | Code::E0422 | Code::E0423
        )
}

/// Lower case, and only what a project name may hold.
fn normal_name(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
        .collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

/// Two extensions have become attributes; the attribute wins where both are written.
fn promote(root: &mut Node, findings: &mut Vec<Diagnostic>) {
    let has = |service: &Node| {
        let watched = |node: Option<&Node>| {
            node.and_then(|node| node.get("watch"))
                .and_then(Node::as_sequence)
                .is_some_and(|items| items.iter().any(|item| item.get("x-initialSync").is_some()))
        };
        service.get("x-develop").is_some() || watched(service.get("develop"))
    };
    if !root
        .get("services")
        .and_then(Node::as_mapping)
        .is_some_and(|services| services.iter().any(|(_, service)| has(service)))
    {
        return;
    }
    paths::each(root, "services", |service| {
        if let Some(extension) = service.remove("x-develop") {
            let merged = match service.remove("develop") {
                Some(develop) if !develop.is_null() => {
                    merge(extension, develop, &["services", "x", "develop"], findings)
                }
                _ => extension,
            };
            service.insert(renamed("develop", &merged.span), merged.clone());
        }
        let Some(develop) = service.get_mut("develop").and_then(Node::mapping_mut) else { return };
        let Some(items) = develop.get_mut("watch").and_then(Node::sequence_mut) else { return };
        for item in items.iter_mut().filter_map(Node::mapping_mut) {
            if let Some(extension) = item.remove("x-initialSync")
                && !item.contains("initial_sync")
            {
                item.insert(renamed("initial_sync", &extension.span), extension.clone());
            }
        }
    });
}

/// Splits services and jobs by profiles; those that are not switched on come second.
fn split(mut root: Node, profiles: &[String]) -> (Node, Mapping) {
    let mut disabled = Mapping::new();
    let on = |entry: &Node| {
        let own = entry.get("profiles").and_then(Node::as_sequence).unwrap_or_default();
        own.is_empty()
            || profiles.iter().any(|profile| profile == "*" || own.iter().any(|own| own.as_str() == Some(profile)))
    };
    for section in ["services", "jobs"] {
        if root.get(section).and_then(Node::as_mapping).is_none_or(|entries| entries.iter().all(|(_, entry)| on(entry)))
        {
            continue;
        }
        let Some(entries) = root.mapping_mut().and_then(|root| root.get_mut(section)).and_then(Node::mapping_mut)
        else {
            continue;
        };
        entries.retain(|key, entry| {
            let keep = on(entry);
            if !keep && section == "services" {
                disabled.insert(key.clone(), entry.clone());
            }
            keep
        });
    }
    (root, disabled)
}

/// A key that stands in a file under another name.
fn renamed(text: &str, span: &Span) -> Key {
    Key { origin: Origin::Written, ..Key::new(text, span) }
}
