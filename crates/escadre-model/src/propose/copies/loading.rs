//! Projects loaded with their own files, and with the product's.
//!
//! In: a copy, files. Out: values by path; the variables with which the product's file says the same.
//! **Invariant:** a variable is taken only if more of the values come out as wanted with it.
//! Not here: literals (`wishes`).
//! Tests: `propose/tests.rs`.

use super::super::edit::{Language, written};
use super::super::flat::flatten;
use super::super::literals::Proposal;
use super::super::template::solutions;
use super::super::variables::variables;
use super::Copy;
use crate::compose::{self, Cache, Files, Options, Project, ReadError};
use crate::diagnostic::{Diagnostic, has_errors};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often values are looked for: one may be found only when another is known.
const TURNS: usize = 4;

/// Files with some texts in their place.
pub(super) struct Over<'f> {
    pub(super) files: &'f dyn Files,
    pub(super) texts: &'f BTreeMap<String, String>,
}

impl Files for Over<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        match self.texts.get(path) {
            Some(text) => Ok(Some(text.as_bytes().into())),
            None => self.files.read(path),
        }
    }
}

/// The product's files, seen from a copy's folder.
struct Moved<'f> {
    over: Over<'f>,
    here: &'f str,
    there: &'f str,
}

impl Moved<'_> {
    fn path(&self, path: &str) -> String {
        moved(path, self.here, self.there)
    }
}

impl Files for Moved<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.over.read(&self.path(path))
    }
}

fn moved(path: &str, from: &str, to: &str) -> String {
    match path.strip_prefix(from) {
        Some(rest) if rest.starts_with('/') => format!("{to}{rest}"),
        _ => path.to_owned(),
    }
}

/// A copy's options with all its services.
pub(super) fn options(copy: &Copy) -> Options {
    Options { profiles: vec!["*".to_owned()], ..copy.options.clone() }
}

/// A copy as its own files and what runs say.
pub(super) struct Loaded {
    pub(super) project: Project,
    /// Path → value, as it runs.
    pub(super) values: BTreeMap<String, String>,
}

/// How the product's file comes out for a copy.
pub(super) struct Ways {
    /// Variables of the product's file.
    pub(super) variables: BTreeMap<String, String>,
    /// What the file says with them, where that is not what runs: path → what it says, and before interpolation.
    pub(super) differs: BTreeMap<String, (Option<String>, String)>,
    /// Everything the file says.
    pub(super) says: BTreeMap<String, String>,
}

impl Loaded {
    pub(super) fn of(copy: &Copy, files: &dyn Files) -> Result<Self, Vec<Diagnostic>> {
        let (project, findings) = compose::load(&options(copy), files, &Cache::new());
        let Some(project) = project.filter(|_| !has_errors(&findings)) else { return Err(findings) };
        let mut values: BTreeMap<String, String> =
            flatten(&project).into_iter().map(|(path, value)| (path, value.text())).collect();
        for (path, value) in &copy.runs {
            match value {
                Some(value) => values.insert(path.clone(), value.clone()),
                None => values.remove(path),
            };
        }
        values.retain(|path, _| matters(path, &copy.services));
        Ok(Self { project, values })
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &Arc<str>> {
        self.project.services().map(|service| service.name)
    }

    /// Looks for the variables with which the product's file says what runs.
    ///
    /// # Errors
    /// When it cannot be loaded for this copy whatever they are.
    pub(super) fn solve(
        &self,
        copy: &Copy,
        base: &Copy,
        proposal: &Proposal,
        files: &dyn Files,
    ) -> Result<Ways, Vec<Diagnostic>> {
        let written: BTreeSet<String> = proposal
            .texts
            .iter()
            .flat_map(|(path, text)| variables(text, Language::of(path)).into_keys())
            .chain(proposal.parameters.keys().cloned())
            .chain(proposal.lifted.iter().map(|one| one.name.clone()))
            .collect();
        let fresh: BTreeSet<&String> = proposal.wished.values().collect();
        let own = |name: &String| {
            let value = self.project.variables.get(name)?.text.as_str()?.to_owned();
            (!fresh.contains(name)).then(|| (name.clone(), value))
        };
        let lifted: BTreeMap<&str, &str> =
            proposal.lifted.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
        let first = |name: &String| {
            let value = proposal.given.get(name).map(String::as_str).or_else(|| lifted.get(name.as_str()).copied());
            value.filter(|value| !value.is_empty()).map(|value| (name.clone(), value.to_owned()))
        };
        let mut way = Ways {
            // What stood in the product's own files is a beginning: without any value many a text cannot be read.
            variables: written.iter().filter_map(|name| own(name).or_else(|| first(name))).collect(),
            differs: BTreeMap::new(),
            says: BTreeMap::new(),
        };
        let look = |variables: &BTreeMap<String, String>| self.seen(copy, base, proposal, files, variables);
        (way.differs, way.says) = look(&way.variables)?;
        for _ in 0..TURNS {
            let before = way.differs.len();
            self.together(&mut way, &look);
            self.one_by_one(&mut way, &look);
            if way.differs.len() == before || way.differs.is_empty() {
                break;
            }
        }
        Ok(way)
    }

    /// The first answer for every variable at once: mostly it is right.
    fn together(&self, way: &mut Ways, look: &Look<'_>) {
        let mut tried = way.variables.clone();
        let mut seen = BTreeSet::new();
        for (path, (_, raw)) in &way.differs {
            let Some(wanted) = self.values.get(path) else { continue };
            if let Some((name, value)) = solutions(raw, wanted, &way.variables).into_iter().next()
                && seen.insert(name.clone())
            {
                tried.insert(name, value);
            }
        }
        if let Ok((differs, says)) = look(&tried)
            && differs.len() < way.differs.len()
        {
            (way.variables, way.differs, way.says) = (tried, differs, says);
        }
    }

    fn one_by_one(&self, way: &mut Ways, look: &Look<'_>) {
        for (path, (_, raw)) in way.differs.clone() {
            let (Some(wanted), true) = (self.values.get(&path), way.differs.contains_key(&path)) else { continue };
            for (name, value) in solutions(&raw, wanted, &way.variables) {
                let mut tried = way.variables.clone();
                tried.insert(name, value);
                if let Ok((differs, says)) = look(&tried)
                    && differs.len() < way.differs.len()
                {
                    (way.variables, way.differs, way.says) = (tried, differs, says);
                    break;
                }
            }
        }
    }

    fn seen(
        &self,
        copy: &Copy,
        base: &Copy,
        proposal: &Proposal,
        files: &dyn Files,
        variables: &BTreeMap<String, String>,
    ) -> Result<Seen, Vec<Diagnostic>> {
        let (here, there) = (copy.options.working_dir.as_str(), base.options.working_dir.as_str());
        let view = Moved { over: Over { files, texts: &proposal.texts }, here, there };
        let mut options = options(copy);
        options.files = base.options.files.iter().map(|path| moved(path, there, here)).collect();
        options.project_name = Some(copy.project.as_str().into());
        options.use_dot_env = false;
        options.environment = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (project, findings) = compose::load(&options, &view, &Cache::new());
        let (mut differs, mut says) = (BTreeMap::new(), BTreeMap::new());
        let Some(project) = project.filter(|_| !has_errors(&findings)) else { return Err(findings) };
        let flat = flatten(&project);
        for (path, value) in flat.iter().filter(|(path, _)| matters(path, &copy.services)) {
            let text = value.text();
            if self.values.get(path) != Some(&text) {
                let place = &value.node.span;
                let file = view.path(&place.file);
                let short = || written(proposal.texts.get(&file)?, place, Language::of(&file));
                let raw = Some(value.raw()).filter(|raw| raw.contains('$'));
                let raw = raw.or_else(|| short().filter(|raw| raw.contains('$'))).unwrap_or_default();
                differs.insert(path.clone(), (Some(text.clone()), raw));
            }
            says.insert(path.clone(), text);
        }
        for path in self.values.keys().filter(|path| !says.contains_key(*path)) {
            differs.insert(path.clone(), (None, String::new()));
        }
        Ok((differs, says))
    }
}

type Seen = (BTreeMap<String, (Option<String>, String)>, BTreeMap<String, String>);
type Look<'l> = dyn Fn(&BTreeMap<String, String>) -> Result<Seen, Vec<Diagnostic>> + 'l;

/// Is a value one that copies are compared by?
fn matters(path: &str, services: &BTreeSet<String>) -> bool {
    let parts: Vec<&str> = path.splitn(4, '.').collect();
    match parts.as_slice() {
        ["services", service, key, ..] => {
            services.contains(*service) && !matches!(*key, "build" | "profiles" | "develop" | "pull_policy")
        }
        // The instance's file names volumes; contents of configs and secrets are compared apart.
        ["volumes", _, "name"] | ["configs" | "secrets", _, "file" | "environment"] => false,
        _ => true,
    }
}
