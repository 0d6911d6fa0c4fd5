//! Which literals of the product's file have to become variables, and what else has to change in it.
//!
//! In: copies, how the product's file comes out for each. Out: wishes; texts with profiles for services that not every copy has.
//! **Invariant:** a literal that contains what a variable stands for in every copy is written with that variable; equal values share one.
//! Not here: writing them (`literals`), what no variable can say (`residual`).
//! Tests: `propose/tests.rs`.

use super::super::flat::flatten;
use super::super::groups::repository;
use super::super::literals::{Proposal, Wish, piece};
use super::super::product::type_of;
use super::Copy;
use super::loading::{Loaded, Ways};
use crate::compose::Files;
use crate::secret::looks_secret;
use crate::text::Node;
use std::collections::{BTreeMap, BTreeSet};

/// A shorter value is contained in others by chance.
const TELLING: usize = 4;

/// The product's texts with a profile for each service that not every copy has.
pub(super) fn profiled(copies: &[Copy], loaded: &[Loaded], base: usize, files: &dyn Files) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let Some(own) = loaded.get(base) else { return texts };
    for service in own.project.services() {
        let everywhere = copies.iter().all(|copy| copy.services.contains(&**service.name));
        if everywhere || !service.list("profiles").is_empty() {
            continue;
        }
        // A one-shot that was cleaned away is no reason for a profile: elsewhere the files have it too.
        let has = |(copy, one): (&Copy, &Loaded)| {
            copy.services.contains(&**service.name) || one.project.service(service.name).is_some()
        };
        if copies.iter().zip(loaded).all(has) {
            continue;
        }
        let place = &service.span.file;
        let Some(path) = own.project.files.iter().find(|path| path.ends_with(&**place)) else { continue };
        let read = || Some(String::from_utf8_lossy(&files.read(path).ok()??).into_owned());
        let Some(text) = texts.get(path).cloned().or_else(read) else { continue };
        if let Some(new) = insert(&text, service.name) {
            texts.insert(path.clone(), new);
        }
    }
    texts
}

/// `profiles:` before the first key of a service in block style.
fn insert(text: &str, service: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 40);
    let (mut within, mut waits, mut done) = (false, None, false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        if depth == 0 && !bare.trim().is_empty() && !bare.starts_with('#') {
            within = bare.starts_with("services:");
        }
        if let Some(key) = waits.filter(|_| !done && !bare.trim().is_empty() && !bare.starts_with('#')) {
            if depth <= key {
                return None;
            }
            out.push_str(&format!("{}profiles: [{service}]\n", " ".repeat(depth)));
            done = true;
        }
        let key = bare.split('#').next().unwrap_or_default().trim_end();
        if within && depth > 0 && waits.is_none() && key == format!("{service}:") {
            waits = Some(depth);
        }
        out.push_str(line);
    }
    done.then_some(out)
}

/// Folders of the host that services bind and that do not come with the product: each copy has its own.
pub(super) fn binds(copies: &[Copy], loaded: &[Loaded], base: usize, files: &dyn Files) -> Vec<Wish> {
    let (Some(copy), Some(own)) = (copies.get(base), loaded.get(base)) else { return Vec::new() };
    let folder = format!("{}/", copy.options.working_dir);
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for service in own.project.services() {
        let binds = service.list("volumes").iter().filter(|one| text(one, "type") == Some("bind"));
        for bind in binds {
            let (Some(source), Some(target)) = (text(bind, "source"), text(bind, "target")) else { continue };
            let inside = source.strip_prefix(&folder);
            let reads = text(bind, "read_only") == Some("true");
            let raw = bind.get("source").and_then(|node| node.raw.clone());
            if raw.is_some_and(|raw| raw.contains('$')) || (inside.is_none() && copies.len() > 1) {
                continue;
            }
            let same = |inside: &str| {
                let content =
                    |copy: &Copy| files.read(&format!("{}/{inside}", copy.options.working_dir)).ok().flatten();
                let first = content(copy);
                first.is_some() && copies.iter().all(|copy| content(copy) == first)
            };
            // A file that is only read and everywhere the same comes with the product.
            if inside.is_none() || (reads && inside.is_some_and(same)) {
                continue;
            }
            let count = names.len();
            let group = *names.entry(source.to_owned()).or_insert(count);
            let last = target.rsplit('/').find(|word| !word.is_empty()).unwrap_or("data");
            let last: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            found.push(Wish {
                path: format!("services.{}.volumes.{target}", service.name),
                form: "{}".to_owned(),
                value: Some(source.to_owned()),
                group,
                name: format!("{}_{last}", service.name),
                kind: Some("string"),
            });
        }
    }
    found
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::as_str)
}

/// A literal that differs.
struct Literal<'a> {
    path: &'a str,
    /// What it is in each copy that has it.
    values: Vec<Option<&'a str>>,
    base: &'a str,
}

/// Literals that differ between copies, as wishes that are not made yet.
pub(super) fn derive(
    ways: &[Ways],
    loaded: &[Loaded],
    copies: &[Copy],
    proposal: &Proposal,
    before: &[Wish],
) -> Vec<Wish> {
    let Some(project) = &proposal.project else { return Vec::new() };
    let flat = flatten(project);
    let paths: BTreeSet<&String> = ways
        .iter()
        .flat_map(|way| way.differs.iter().filter(|(_, (_, raw))| raw.is_empty()).map(|(path, _)| path))
        .collect();
    let mut literals: Vec<Literal<'_>> = Vec::new();
    let bases: BTreeMap<&String, String> = flat.iter().map(|(path, value)| (path, value.text())).collect();
    for path in paths {
        let service = path.strip_prefix("services.").and_then(|rest| rest.split('.').next());
        let known = before.iter().any(|wish| wish.path == *path) || is_size(path);
        let Some(base) =
            bases.get(path).filter(|_| !known && flat.get(path).is_some_and(|one| one.node.as_scalar().is_some()))
        else {
            continue;
        };
        let has = |copy: &Copy| service.is_none_or(|service| copy.services.contains(service));
        let values: Vec<Option<&str>> = copies
            .iter()
            .zip(loaded)
            .map(|(copy, one)| if has(copy) { one.values.get(path).map(String::as_str) } else { None })
            .collect();
        // Where a copy lacks it altogether, no variable helps.
        let lacks = copies.iter().zip(&values).any(|(copy, value)| has(copy) && value.is_none());
        if !lacks {
            literals.push(Literal { path, values, base });
        }
    }
    literals.sort_by_key(|one| (one.base.len(), one.path));
    let explained: Vec<Wish> = literals.iter().filter_map(|one| explain(one, ways, proposal)).collect();
    if !explained.is_empty() {
        return explained;
    }
    fresh(&literals, before)
}

/// A literal in the words of a variable that there is.
fn explain(literal: &Literal<'_>, ways: &[Ways], proposal: &Proposal) -> Option<Wish> {
    let names = proposal.parameters.keys().chain(proposal.lifted.iter().map(|one| &one.name));
    for name in names {
        let default = proposal.parameters.get(name).and_then(|one| one.default.as_ref());
        let of = |way: &&Ways| way.variables.get(name).or(default).cloned();
        let all: BTreeSet<Option<String>> = ways.iter().map(|way| of(&way)).collect();
        if all.len() < 2 {
            continue;
        }
        let form = |(way, value): (&Ways, &Option<&str>)| -> Option<String> {
            let value = (*value)?;
            let own = of(&way).filter(|own| own.len() >= TELLING)?;
            let at = piece(value, &own)?;
            let (before, after) = (value.get(..at)?, value.get(at + own.len()..)?);
            let word = default.map_or_else(|| format!("${{{name}}}"), |default| format!("${{{name}:-{default}}}"));
            (!before.contains('$') && !after.contains('$')).then(|| format!("{before}{word}{after}"))
        };
        let there = || ways.iter().zip(&literal.values).filter(|(_, value)| value.is_some());
        let forms: BTreeSet<Option<String>> = there().map(form).collect();
        if let (Some(Some(form)), 1) = (forms.iter().next(), forms.len()) {
            let path = literal.path.to_owned();
            return Some(Wish {
                path,
                form: form.clone(),
                value: None,
                group: usize::MAX,
                name: String::new(),
                kind: Some("string"),
            });
        }
    }
    None
}

/// New variables, equal values sharing one; what another of them will explain waits for the next round.
fn fresh(literals: &[Literal<'_>], before: &[Wish]) -> Vec<Wish> {
    let mut next = before.iter().filter(|wish| wish.group != usize::MAX).map(|wish| wish.group + 1).max().unwrap_or(0);
    let mut chosen: Vec<(Vec<Option<String>>, usize)> = Vec::new();
    let mut found = Vec::new();
    for literal in literals {
        let is_image = literal.path.ends_with(".image");
        // Only the tag of an image: its name is the product's.
        let own = |value: &str| -> String {
            if !is_image {
                return value.to_owned();
            }
            value.strip_prefix(repository(value)).unwrap_or_default().trim_start_matches([':', '@']).to_owned()
        };
        let values: Vec<Option<String>> = literal.values.iter().map(|value| value.map(own)).collect();
        let waits = chosen.iter().any(|(other, _)| *other != values && contains(&values, other));
        if waits || values.iter().flatten().any(String::is_empty) && is_image {
            continue;
        }
        let group = match chosen.iter().find(|(other, _)| agrees(other, &values)) {
            Some((_, group)) => *group,
            None => {
                chosen.push((values.clone(), next));
                next += 1;
                next - 1
            }
        };
        let texts: Vec<&str> = values.iter().flatten().map(String::as_str).collect();
        let (name, secret) = name_of(literal.path, &texts);
        let form = if is_image { format!("{}:{{}}", repository(literal.base)) } else { "{}".to_owned() };
        let kind = (!secret).then(|| if is_image { "string" } else { type_of(&name, &texts) });
        found.push(Wish { path: literal.path.to_owned(), form, value: Some(own(literal.base)), group, name, kind });
    }
    // One version of several services is the product's.
    let shared: BTreeSet<usize> = {
        let images = || found.iter().filter(|wish: &&Wish| wish.path.ends_with(".image"));
        images()
            .filter(|wish| images().filter(|other| other.group == wish.group).count() > 1)
            .map(|wish| wish.group)
            .collect()
    };
    found.iter_mut().filter(|wish| shared.contains(&wish.group)).for_each(|wish| wish.name = "version".to_owned());
    found
}

/// The same wherever both are.
fn agrees(a: &[Option<String>], b: &[Option<String>]) -> bool {
    let both = || a.iter().zip(b).filter_map(|(a, b)| Some((a.as_ref()?, b.as_ref()?)));
    both().count() > 1 && both().all(|(a, b)| a == b)
}

fn contains(values: &[Option<String>], inner: &[Option<String>]) -> bool {
    values.iter().zip(inner).all(|(value, inner)| match (value, inner) {
        (Some(value), Some(inner)) => inner.len() >= TELLING && piece(value, inner).is_some(),
        (None, _) => true,
        _ => false,
    })
}

/// What a variable is called by the place of its value, and whether it is a secret.
fn name_of(path: &str, values: &[&str]) -> (String, bool) {
    let parts: Vec<&str> = path.splitn(4, '.').collect();
    match parts.as_slice() {
        ["services", _, "environment", name] => {
            ((*name).to_owned(), values.iter().any(|value| looks_secret(name, value)))
        }
        ["services", service, "image"] => (format!("{service}_version"), false),
        ["services", service, "ports", target] => {
            (format!("{service}_port_{}", target.split('/').next().unwrap_or_default()), false)
        }
        ["services", service, _, rest] => {
            let last = rest.rsplit(['.', '/']).find(|word| !word.is_empty()).unwrap_or(rest);
            (format!("{service}_{last}"), false)
        }
        ["services", service, key] => (format!("{service}_{key}"), false),
        _ => (path.replace('.', "_"), false),
    }
}

/// Memory and processors are the matter of sizes.
pub(super) fn is_size(path: &str) -> bool {
    let parts: Vec<&str> = path.splitn(3, '.').collect();
    matches!(
        parts.as_slice(),
        ["services", _, "mem_limit" | "cpus" | "deploy.resources.limits.memory" | "deploy.resources.limits.cpus"]
    )
}
