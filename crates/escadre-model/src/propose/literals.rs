//! Literals that should be an instance's own: domains, ports, passwords.
//!
//! In: a Compose file as it is loaded. Out: variables in their place, with the literal as default; secrets lifted out, without one.
//! **Invariant:** with no variable set but the lifted secrets, the new texts are loaded as the same project as the old ones; what would not be is left as it was.
//! Not here: variables that stand there already (`variables`), the product's text (`product`).
//! Tests: `propose/tests.rs`.

use super::edit::{self, Edit, Language};
use super::flat::{Flat, flatten};
use super::product::{is_host, type_of};
use super::{For, Parameter, Use, named, variable_name, variables};
use crate::compose::{self, Cache, Files, Options, Project, ReadError};
use crate::diagnostic::{Diagnostic, Span};
use crate::secret::looks_secret;
use crate::text::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A shorter secret cannot be told from an ordinary word.
const TELLING: usize = 6;

/// A secret that stood in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// The name it has from now on.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it stood: `compose.yaml:12`.
    pub place: String,
}

/// A value that is to be an instance's own, whatever it looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Where it stands, as [`flatten`] says.
    pub path: String,
    /// What stands in its place; `{}` is the variable.
    pub form: String,
    /// What the variable stands for here; nothing: `form` names variables that there are.
    pub value: Option<String>,
    /// Wishes of one number share a variable.
    pub group: usize,
    /// The variable's name, if it is free.
    pub name: String,
    /// The parameter's type; nothing: a secret.
    pub kind: Option<&'static str>,
}

/// What is proposed for a Compose file.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// Parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// Secrets that were lifted out of plain text.
    pub lifted: Vec<Lifted>,
    /// Compose secrets of the file, which are files already.
    pub secrets: Vec<String>,
    /// Path → new text, of the files that change.
    pub texts: BTreeMap<String, String>,
    /// Literals that could not be written otherwise in place: where, and which.
    pub left: Vec<String>,
    /// The variables of wishes, by their number.
    pub wished: BTreeMap<usize, String>,
    /// What they stand for in these files.
    pub given: BTreeMap<String, String>,
    /// The project, as it was loaded.
    pub project: Option<Project>,
}

/// Some files in the place of others.
struct Over<'f> {
    files: &'f dyn Files,
    texts: &'f BTreeMap<String, String>,
}

impl Files for Over<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        match self.texts.get(path) {
            Some(text) => Ok(Some(text.as_bytes().into())),
            None => self.files.read(path),
        }
    }
}

/// A scalar as it stands, and what it is to be.
type Places = BTreeMap<(String, usize, usize), String>;

struct Work<'w> {
    texts: &'w BTreeMap<String, String>,
    places: Places,
    names: BTreeMap<String, String>,
    proposal: Proposal,
}

/// Proposes; `None` when the file cannot be loaded, and the findings say why.
pub fn propose(options: &Options, files: &dyn Files, wishes: &[Wish]) -> (Option<Proposal>, Vec<Diagnostic>) {
    let (project, findings) = compose::load(options, files, &Cache::new());
    let Some(project) = project else { return (None, findings) };
    let mut texts = BTreeMap::new();
    let variables = named(&project).into_iter().filter(|(_, what)| *what == For::Variables).map(|(path, _)| path);
    for path in project.files.iter().cloned().chain(variables) {
        if let Ok(Some(bytes)) = files.read(&path) {
            texts.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    let mut work = Work { texts: &texts, places: Places::new(), names: BTreeMap::new(), proposal: Proposal::default() };
    work.written(&texts);
    let flat = flatten(&project);
    // A password that stands alone gives its name to the one in an address.
    for within in [false, true] {
        for (path, value) in &flat {
            work.secret(path, *value, within);
        }
    }
    let ports = flat.iter().filter(|(path, value)| port_of(path).is_some() && is_literal_port(**value)).count();
    for (path, value) in &flat {
        work.port(path, *value, ports == 1);
        work.domain(path, *value, &project, &["hostname", "email"]);
    }
    // An address with a host name in it needs no variable of its own.
    work.inside(&flat);
    for (path, value) in &flat {
        work.domain(path, *value, &project, &["url"]);
    }
    for wish in wishes {
        if let Some(value) = flat.get(&wish.path) {
            work.wish(wish, *value);
        }
    }
    work.lines(&texts);
    for service in project.services() {
        work.again(service.node);
    }
    work.secrets(&project);
    let mut proposal = work.settle(options, files, &project);
    proposal.project = Some(project);
    (Some(proposal), findings)
}

/// The service and the port of its own of a published port.
fn port_of(path: &str) -> Option<(&str, &str)> {
    let (service, rest) = path.strip_prefix("services.")?.split_once('.')?;
    let target = rest.strip_prefix("ports.")?;
    (!target.contains('.')).then(|| (service, target.split('/').next().unwrap_or_default()))
}

fn is_literal_port(value: Flat<'_>) -> bool {
    let text = value.text();
    !value.raw().contains('$') && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The service and the name of a variable.
fn variable(path: &str) -> Option<(&str, &str)> {
    let (service, rest) = path.strip_prefix("services.")?.split_once('.')?;
    Some((service, rest.strip_prefix("environment.")?))
}

impl Work<'_> {
    /// Variables that stand in the files already.
    fn written(&mut self, texts: &BTreeMap<String, String>) {
        for (path, text) in texts {
            for (name, used) in variables(text, Language::of(path)) {
                let (default, required) = match used {
                    Use::Default(default) => (Some(default), false),
                    Use::Optional => (None, false),
                    Use::Required => (None, true),
                };
                if let Some(default) = default.as_ref().filter(|default| looks_secret(&name, default)) {
                    let place = format!("the default of {name}");
                    self.proposal.lifted.push(Lifted { name: name.clone(), value: default.clone(), place });
                    continue;
                }
                if default.is_none() && looks_secret(&name, "a value") {
                    self.proposal.lifted.push(Lifted { name, value: String::new(), place: String::new() });
                    continue;
                }
                let values: Vec<&str> = default.iter().map(String::as_str).collect();
                let kind = type_of(&name, &values);
                self.proposal.parameters.insert(name, Parameter { kind, default, required });
            }
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.proposal.parameters.contains_key(name) || self.proposal.lifted.iter().any(|one| one.name == name)
    }

    /// A name for a value: its own, or with the service's before it where another value has that.
    fn name(&mut self, service: &str, name: &str, value: &str) -> String {
        let own = variable_name(name);
        let long = variable_name(&format!("{service}_{name}"));
        let free = |this: &Self, name: &str| match this.names.get(name) {
            Some(other) => other == value,
            None => !this.is_taken(name),
        };
        let chosen = if free(self, &own) { own } else { long };
        self.names.insert(chosen.clone(), value.to_owned());
        chosen
    }

    /// Writes a piece of a scalar otherwise; false where that cannot be done in place.
    fn put(&mut self, value: Flat<'_>, from: &str, to: &str) -> bool {
        let span = &value.node.span;
        let path = self.texts.keys().find(|path| path.ends_with(&*span.file) || **path == *span.file).cloned();
        let Some((path, text)) = path.and_then(|path| Some((path.clone(), self.texts.get(&path)?))) else {
            return false;
        };
        let language = Language::of(&path);
        let (start, end) = edit::extent(text, span, language);
        let key = (path, start, end);
        let now = self.places.get(&key).cloned().or_else(|| edit::written(text, span, language));
        let Some(now) = now else { return false };
        // An anchor's value stands in one place for all who use it.
        if self.places.contains_key(&key) && now.contains(to) {
            return true;
        }
        let Some(at) = piece(&now, from) else { return false };
        let (before, after) = (now.get(..at).unwrap_or_default(), now.get(at + from.len()..).unwrap_or_default());
        self.places.insert(key, format!("{before}{to}{after}"));
        true
    }

    /// Was something written in its place already?
    fn is_placed(&self, value: Flat<'_>) -> bool {
        let (start, end) = (value.node.span.start as usize, value.node.span.end as usize);
        self.places.iter().any(|((_, from, to), now)| (*from, *to) == (start, end) && now.contains('$'))
    }

    fn place(value: Flat<'_>) -> String {
        value.node.span.short()
    }

    fn secret(&mut self, path: &str, value: Flat<'_>, within: bool) {
        let Some((service, name)) = variable(path) else { return };
        let (raw, text) = (value.raw(), value.text());
        // `${X:-changeme}`: the variable is one already, its default goes.
        if let Some(lifted) =
            self.proposal.lifted.iter().find(|one| {
                raw.starts_with(&format!("${{{}:-", one.name)) || raw.starts_with(&format!("${{{}-", one.name))
            })
        {
            let to = format!("${{{}}}", lifted.name);
            self.put(value, &raw, &to);
            return;
        }
        if raw.contains('$') || !looks_secret(name, &text) || address_password(&text).is_some() != within {
            return;
        }
        let (inner, name) = match address_password(&text) {
            Some(password) => (password.to_owned(), format!("{name}_PASSWORD")),
            None => (text.clone(), name.to_owned()),
        };
        // The same value has one name, wherever it stands.
        let known = self.proposal.lifted.iter().find(|one| one.value == inner).map(|one| one.name.clone());
        let chosen = known.clone().unwrap_or_else(|| self.name(service, &name, &inner));
        if !self.put(value, &inner, &format!("${{{chosen}}}")) {
            self.proposal.left.push(format!("{}  {path}", Self::place(value)));
            return;
        }
        if known.is_none() && !self.proposal.lifted.iter().any(|one| one.name == chosen) {
            self.proposal.lifted.push(Lifted { name: chosen, value: inner, place: Self::place(value) });
        }
    }

    fn port(&mut self, path: &str, value: Flat<'_>, only: bool) {
        let Some((service, target)) = port_of(path).filter(|_| is_literal_port(value)) else { return };
        let text = value.text();
        let name = if only && !self.is_taken("PORT") { "PORT".to_owned() } else { format!("{service}_PORT") };
        let name =
            if self.names.contains_key(&variable_name(&name)) { format!("{service}_PORT_{target}") } else { name };
        let chosen = self.name(service, &name, &text);
        if self.put(value, &text, &format!("${{{chosen}:-{text}}}")) {
            self.proposal
                .parameters
                .insert(chosen, Parameter { kind: "integer", default: Some(text), required: false });
        } else {
            self.proposal.left.push(format!("{}  {path}", Self::place(value)));
        }
    }

    fn domain(&mut self, path: &str, value: Flat<'_>, project: &Project, kinds: &[&str]) {
        let Some((service, name)) = variable(path) else { return };
        let (raw, text) = (value.raw(), value.text());
        let kind = type_of(name, &[&text]);
        let is_one = kinds.contains(&kind) && !text.contains("localhost") && !self.is_placed(value);
        if raw.contains('$') || !is_one || project.service(&text).is_some() || looks_secret(name, &text) {
            return;
        }
        let chosen = self.name(service, name, &text);
        if self.put(value, &text, &format!("${{{chosen}:-{text}}}")) {
            self.proposal.parameters.insert(chosen, Parameter { kind, default: Some(text), required: false });
        } else {
            self.proposal.left.push(format!("{}  {path}", Self::place(value)));
        }
    }

    /// Host names that stand inside other values, such as labels of a proxy.
    fn inside(&mut self, flat: &BTreeMap<String, Flat<'_>>) {
        let hosts: Vec<(String, String)> = self
            .proposal
            .parameters
            .iter()
            .filter(|(name, one)| one.kind == "hostname" && self.names.contains_key(*name))
            .filter_map(|(name, one)| Some((name.clone(), one.default.clone()?)))
            .collect();
        for (path, value) in flat.iter().filter(|(path, _)| path.starts_with("services.")) {
            let (raw, text) = (value.raw(), value.text());
            for (name, host) in hosts.iter().filter(|(_, host)| is_host(host)) {
                let within = raw == text && text != *host && text.contains(host.as_str());
                let is_one = within && value.node.as_scalar().is_some();
                if is_one && !self.put(*value, host, &format!("${{{name}:-{host}}}")) {
                    self.proposal.left.push(format!("{}  {path}", Self::place(*value)));
                }
            }
        }
    }

    /// Writes what was wished; what cannot be written in place stays.
    fn wish(&mut self, wish: &Wish, value: Flat<'_>) {
        let text = value.text();
        let known = self.proposal.wished.get(&wish.group).cloned();
        let service = wish.path.split('.').nth(1).unwrap_or_default().to_owned();
        let name = match (&wish.value, known) {
            (None, _) => String::new(),
            (Some(_), Some(name)) => name,
            (Some(own), None) => self.name(&service, &wish.name, &format!("{}\0{own}", wish.group)),
        };
        let to = wish.form.replace("{}", &format!("${{{name}}}"));
        let is_mount = wish.path.contains(".volumes.");
        let from = if is_mount { self.source_of(value).unwrap_or(text) } else { text };
        if !self.put(value, &from, &to) {
            self.proposal.left.push(format!("{}  {}", Self::place(value), wish.path));
            return;
        }
        let Some(own) = &wish.value else { return };
        self.proposal.given.insert(name.clone(), own.clone());
        self.proposal.wished.insert(wish.group, name.clone());
        match wish.kind {
            Some(kind) => {
                self.proposal.parameters.insert(name, Parameter { kind, default: None, required: true });
            }
            None if !self.proposal.lifted.iter().any(|one| one.name == name) => {
                self.proposal.lifted.push(Lifted { name, value: own.clone(), place: Self::place(value) });
            }
            None => {}
        }
    }

    /// The source of a mount as it is written: before the first colon in the short form.
    fn source_of(&self, value: Flat<'_>) -> Option<String> {
        let span = &value.node.span;
        let (path, text) = self.texts.iter().find(|(path, _)| path.ends_with(&*span.file) || **path == *span.file)?;
        let now = edit::written(text, span, Language::of(path))?;
        now.split(':').next().map(str::to_owned)
    }

    /// Lines of environment files that no service gets, because `environment:` says otherwise: they stand in the file all the same.
    fn lines(&mut self, texts: &BTreeMap<String, String>) {
        for (path, text) in texts.iter().filter(|(path, _)| Language::of(path) == Language::Variables) {
            let (file, mut start) = (std::sync::Arc::from(path.as_str()), 0);
            for line in text.split_inclusive('\n') {
                let span = Span { start: u32::try_from(start).unwrap_or(u32::MAX), ..Span::whole(&file) };
                start += line.len();
                let (from, to) = edit::extent(text, &span, Language::Variables);
                let Some(now) = edit::written(text, &span, Language::Variables) else { continue };
                let Some((name, value)) = now.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
                    continue;
                };
                let key = (path.clone(), from, to);
                if self.places.contains_key(&key) || value.contains('$') || !looks_secret(name, value) {
                    continue;
                }
                let known = self.proposal.lifted.iter().find(|one| one.value == value || one.name == name);
                let chosen = match known {
                    Some(known) => known.name.clone(),
                    None => {
                        let chosen = self.name("", name, value);
                        let number = text.get(..from).unwrap_or_default().matches('\n').count() + 1;
                        let place = format!("{path}:{number}");
                        self.proposal.lifted.push(Lifted { name: chosen.clone(), value: value.to_owned(), place });
                        chosen
                    }
                };
                self.places.insert(key, format!("{name}=${{{chosen}}}"));
            }
        }
    }

    /// Secrets that are written out once more, in commands, labels and the like.
    fn again(&mut self, node: &Node) {
        for (_, child) in node.as_mapping().into_iter().flat_map(|mapping| mapping.iter()) {
            self.again(child);
        }
        for child in node.as_sequence().into_iter().flatten() {
            self.again(child);
        }
        let value = Flat { node };
        if node.as_scalar().is_none() || value.raw().contains('$') {
            return;
        }
        let text = value.text();
        let mut found: Vec<(String, String)> = self
            .proposal
            .lifted
            .iter()
            .filter(|one| one.value.len() >= TELLING && text.contains(&one.value))
            .map(|one| (one.name.clone(), one.value.clone()))
            .collect();
        found.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        for (name, secret) in found {
            // What cannot be written otherwise is found again when everything is written.
            self.put(value, &secret, &format!("${{{name}}}"));
        }
    }

    fn secrets(&mut self, project: &Project) {
        self.proposal.secrets.extend(project.entries("secrets").map(|(key, _)| key.text.to_string()));
    }

    /// Writes the texts, and leaves out what would not be read as the same.
    fn settle(mut self, options: &Options, files: &dyn Files, project: &Project) -> Proposal {
        let all: Vec<((String, usize, usize), String)> = std::mem::take(&mut self.places).into_iter().collect();
        let wanted = values(project);
        let mut options = options.clone();
        for one in &self.proposal.lifted {
            let set = project.variables.get(&one.name).and_then(|variable| variable.text.as_str());
            let value = set.filter(|value| !value.is_empty()).unwrap_or(&one.value);
            if !value.is_empty() {
                options.environment.set(&one.name, value, None);
            }
        }
        for (name, value) in &self.proposal.given {
            options.environment.set(name, value.as_str(), None);
        }
        let same = |texts: &BTreeMap<String, String>| {
            let (loaded, _) = compose::load(&options, &Over { files, texts }, &Cache::new());
            loaded.is_some_and(|loaded| values(&loaded) == wanted)
        };
        let texts = written_over(self.texts, &all);
        if texts.as_ref().is_some_and(same) {
            self.proposal.texts = texts.unwrap_or_default();
            return self.named();
        }
        let mut kept = Vec::new();
        for one in all {
            kept.push(one);
            let fits = written_over(self.texts, &kept).as_ref().is_some_and(same);
            if let Some(((path, start, _), _)) = if fits { None } else { kept.pop() } {
                let before = self.texts.get(&path).and_then(|text| text.get(..start)).unwrap_or_default();
                self.proposal.left.push(format!("{path}:{}", before.matches('\n').count() + 1));
            }
        }
        self.proposal.texts = written_over(self.texts, &kept).unwrap_or_default();
        self.named()
    }

    /// Without what no file names after all; and where a secret still stands in plain text.
    fn named(mut self) -> Proposal {
        let mut names = BTreeSet::new();
        for (path, old) in self.texts {
            let text = self.proposal.texts.get(path).unwrap_or(old);
            names.extend(variables(text, Language::of(path)).into_keys());
            for (number, line) in text.lines().enumerate() {
                let told = |one: &Lifted| one.value.len() >= TELLING && line.contains(&one.value);
                if self.proposal.lifted.iter().any(told) {
                    self.proposal.left.push(format!("{path}:{}  a secret in plain text", number + 1));
                }
            }
        }
        self.proposal.parameters.retain(|name, _| names.contains(name));
        self.proposal.lifted.retain(|one| names.contains(&one.name));
        self.proposal.wished.retain(|_, name| names.contains(name));
        self.proposal.left.sort();
        self.proposal.left.dedup();
        self.proposal
    }
}

fn values(project: &Project) -> BTreeMap<String, String> {
    flatten(project).into_iter().map(|(path, value)| (path, value.text())).collect()
}

fn written_over(
    texts: &BTreeMap<String, String>,
    places: &[((String, usize, usize), String)],
) -> Option<BTreeMap<String, String>> {
    let mut edits: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
    for ((path, start, end), value) in places {
        edits.entry(path).or_default().push(Edit { start: *start, end: *end, value: value.clone() });
    }
    let files: BTreeSet<&str> = edits.keys().copied().collect();
    files
        .into_iter()
        .map(|path| Some((path.to_owned(), edit::apply(texts.get(path)?, edits.get(path)?, Language::of(path))?)))
        .collect()
}

/// Where a piece stands in a text: as a word of its own, behind a variable's `=` first.
pub(super) fn piece(text: &str, wanted: &str) -> Option<usize> {
    if wanted.is_empty() {
        return None;
    }
    let from = text.split_once('=').map_or(0, |(name, _)| {
        if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) { name.len() + 1 } else { 0 }
    });
    let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let fits = |at: &usize| {
        let (before, after) = (text.get(..*at).unwrap_or_default(), text.get(*at + wanted.len()..).unwrap_or_default());
        !word(before.chars().next_back()) && !word(after.chars().next())
    };
    let rest = text.get(from..).unwrap_or_default();
    let found = rest.match_indices(wanted).map(|(at, _)| from + at).find(fits);
    found.or_else(|| text.match_indices(wanted).map(|(at, _)| at).find(fits))
}

/// The password in an address, if that is what makes it a secret.
fn address_password(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let (who, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    who.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}
