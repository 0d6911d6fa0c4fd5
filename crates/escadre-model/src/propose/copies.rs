//! Running copies of one product, brought together: one Compose file, and what is each copy's own.
//!
//! In: projects with their files, what runs otherwise than these say. Out: the product as [`Proposal`], values and secrets of each copy, sizes, overrides.
//! **Invariant:** the product's file with a copy's values reads as what runs of that copy; where it does not, the difference is in `left`, and no secret is
//! in an override.
//! Not here: which projects belong together (`groups`), what runs (`escadre_render`), writing (the binary).
//! Tests: `propose/tests.rs`.

mod loading;
mod residual;
mod wishes;

use super::edit::Language;
use super::literals::{Proposal, propose};
use super::product::Size;
use super::variables::variables;
use crate::compose::{Files, Options};
use crate::diagnostic::Diagnostic;
use loading::{Loaded, Over, Ways};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How often literals are looked for again: a domain explains what contains it only once it is a variable.
const ROUNDS: usize = 8;

/// A project that runs.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Its name.
    pub project: String,
    /// How its own files are loaded.
    pub options: Options,
    /// Its services that have containers.
    pub services: BTreeSet<String>,
    /// What runs otherwise than the files say, by path: the value, or nothing where it is not there.
    pub runs: BTreeMap<String, Option<String>>,
}

/// What is a copy's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Values of parameters, where they are not the product's.
    pub values: BTreeMap<String, String>,
    /// Secrets.
    pub secrets: BTreeMap<String, String>,
    /// Its size.
    pub size: Option<String>,
    /// Profiles that are switched on.
    pub profiles: Vec<String>,
    /// Files that fill configs: name of the config → bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// A Compose override.
    pub over: Option<Value>,
    /// What could not be written: path → (what runs, what the files will say).
    pub left: BTreeMap<String, (Option<String>, Option<String>)>,
}

/// A product and its copies.
#[derive(Clone, Debug, Default)]
pub struct Together {
    /// The copy whose files are the product's.
    pub base: usize,
    /// The product.
    pub proposal: Proposal,
    /// Sizes by name.
    pub sizes: BTreeMap<String, Size>,
    /// The copies, in the order given.
    pub members: Vec<Member>,
    /// Paths of the base that are each copy's own from now on.
    pub bound: BTreeSet<String>,
}

/// Brings copies together.
///
/// # Errors
/// The findings of the file that cannot be loaded.
pub fn together(copies: &[Copy], files: &dyn Files) -> Result<Together, Vec<Diagnostic>> {
    let mut loaded = Vec::new();
    for copy in copies {
        loaded.push(Loaded::of(copy, files)?);
    }
    let base = common(copies, &loaded, files);
    let Some(own) = copies.get(base) else { return Err(Vec::new()) };
    let texts = wishes::profiled(copies, &loaded, base, files);
    let over = Over { files, texts: &texts };
    let mut wanted = wishes::binds(copies, &loaded, base, files);
    let bound = wanted.iter().filter_map(|wish| wish.value.clone()).collect();
    let mut together = Together { base, bound, ..Together::default() };
    let mut ways: Vec<Ways> = Vec::new();
    for round in 0..ROUNDS {
        let (proposal, findings) = propose(&loading::options(own), &over, &wanted);
        let Some(mut proposal) = proposal else { return Err(findings) };
        for (path, text) in &texts {
            proposal.texts.entry(path.clone()).or_insert_with(|| text.clone());
        }
        let solved = copies.iter().zip(&loaded).map(|(copy, one)| one.solve(copy, own, &proposal, files));
        ways = solved.collect::<Result<_, _>>()?;
        together.proposal = proposal;
        let more = wishes::derive(&ways, &loaded, copies, &together.proposal, &wanted);
        if more.is_empty() || round + 1 == ROUNDS {
            break;
        }
        wanted.extend(more);
    }
    together.members = residual::members(&ways, copies, &loaded, &mut together);
    configs(&mut together, copies, &loaded, files);
    let written = written(own, files);
    defaults(&mut together, &ways);
    open(&mut together, &ways, &written);
    Ok(together)
}

/// Among the copies that have all services, one whose files are like most.
fn common(copies: &[Copy], loaded: &[Loaded], files: &dyn Files) -> usize {
    let most = loaded.iter().map(|one| one.services().count()).max().unwrap_or(0);
    let text = |at: usize| -> Vec<Option<std::sync::Arc<[u8]>>> {
        let paths = copies.get(at).map(|copy| copy.options.files.clone()).unwrap_or_default();
        paths.iter().map(|path| files.read(path).ok().flatten()).collect()
    };
    let texts: Vec<_> = (0..copies.len()).map(text).collect();
    let like = |at: usize| texts.iter().filter(|other| texts.get(at) == Some(*other)).count();
    let all = (0..copies.len()).filter(|at| loaded.get(*at).is_some_and(|one| one.services().count() == most));
    all.max_by_key(|at| (like(*at), std::cmp::Reverse(*at))).unwrap_or(0)
}

/// Configs whose file is not the same in every copy become parameters.
fn configs(together: &mut Together, copies: &[Copy], loaded: &[Loaded], files: &dyn Files) {
    let content = |at: usize, name: &str| {
        let path = loaded.get(at)?.project.entry("configs", name)?.get("file")?.as_str()?.to_owned();
        files.read(&path).ok().flatten()
    };
    let Some(base) = loaded.get(together.base) else { return };
    let folder = copies.get(together.base).map(|copy| format!("{}/", copy.options.working_dir)).unwrap_or_default();
    for (name, entry) in base.project.entries("configs") {
        let Some(path) = entry.get("file").and_then(crate::text::Node::as_str) else { continue };
        let own = content(together.base, &name.text);
        let differ = (0..copies.len()).any(|at| content(at, &name.text).is_some_and(|is| Some(&is) != own.as_ref()));
        if !differ {
            continue;
        }
        let default = path.strip_prefix(&folder).map(str::to_owned);
        let parameter = super::Parameter { kind: "file", default, required: false };
        together.proposal.parameters.insert(name.text.to_string(), parameter);
        for (at, member) in together.members.iter_mut().enumerate() {
            if let Some(bytes) = content(at, &name.text).filter(|is| Some(is) != own.as_ref()) {
                member.files.insert(name.text.to_string(), bytes.to_vec());
            }
        }
    }
}

/// Variables that developers wrote themselves: they know their defaults.
fn written(own: &Copy, files: &dyn Files) -> BTreeSet<String> {
    let text = |path: &String| Some(String::from_utf8_lossy(&files.read(path).ok()??).into_owned());
    let of = |path: &String| text(path).map(|text| variables(&text, Language::of(path)).into_keys());
    own.options.files.iter().filter_map(of).flatten().collect()
}

/// What most copies have is the default of a variable that was made for the others.
fn defaults(together: &mut Together, ways: &[Ways]) {
    let Together { proposal, members, .. } = together;
    for name in proposal.wished.values() {
        let Some(parameter) = proposal.parameters.get_mut(name) else { continue };
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        ways.iter().filter_map(|way| way.variables.get(name)).for_each(|value| *counts.entry(value).or_default() += 1);
        let Some((usual, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else { continue };
        if 2 * count <= members.len() {
            continue;
        }
        (parameter.default, parameter.required) = (Some(usual.clone()), false);
        members.iter_mut().for_each(|member| member.values.retain(|key, value| key != name || value != usual));
        for text in proposal.texts.values_mut() {
            *text = text.replace(&format!("${{{name}}}"), &format!("${{{name}:-{usual}}}"));
        }
    }
}

/// A value that every copy has another one of has no default: whoever forgets it must hear of it.
fn open(together: &mut Together, ways: &[Ways], written: &BTreeSet<String>) {
    let Together { proposal, members, .. } = together;
    if members.len() < 2 {
        return;
    }
    let made = |(name, one): &(&String, &mut super::Parameter)| one.kind != "file" && !written.contains(*name);
    for (name, parameter) in proposal.parameters.iter_mut().filter(made) {
        let Some(default) = parameter.default.clone() else { continue };
        let of = |at: usize| ways.get(at).and_then(|way| way.variables.get(name)).unwrap_or(&default).clone();
        let all: BTreeSet<String> = (0..members.len()).map(of).collect();
        let is_own = all.len() == members.len() || (parameter.kind == "hostname" && all.len() > 1);
        if !is_own {
            continue;
        }
        for (at, member) in members.iter_mut().enumerate() {
            member.values.insert(name.clone(), of(at));
        }
        (parameter.default, parameter.required) = (None, true);
        let form = format!("${{{name}:-{default}}}");
        for text in proposal.texts.values_mut() {
            *text = text.replace(&form, &format!("${{{name}}}"));
        }
    }
}

#[cfg(test)]
mod tests;
