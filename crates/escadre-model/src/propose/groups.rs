//! Which projects are one product in many copies.
//!
//! In: the images of each project's services. Out: groups.
//! **Invariant:** the members of a group have the same images, but for their tags, in every service that two of them have; one of them has all services.
//! Not here: in what copies differ (`copies`).
//! Tests: `propose/tests.rs`.

use std::collections::BTreeMap;

/// A project's services, and the image of each without its tag.
pub type Services = BTreeMap<String, String>;

/// Groups of places in the list, the one with the most services first in each; larger groups first.
pub fn groups(projects: &[Services]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..projects.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(projects.get(*at).map_or(0, BTreeMap::len)), *at));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in order {
        let Some(one) = projects.get(at) else { continue };
        let fits = |group: &Vec<usize>| {
            let head = group.first().and_then(|head| projects.get(*head));
            head.is_some_and(|head| {
                let within = one.iter().all(|(service, image)| head.get(service) == Some(image));
                within && !one.is_empty() && 2 * one.len() >= head.len()
            })
        };
        match groups.iter_mut().find(|group| fits(group)) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group.first().copied()));
    groups
}

/// An image's name without its tag or digest.
pub fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// A name for what these projects have in common: the words that all their names share.
pub fn common_name(projects: &[&str]) -> Option<String> {
    let words: Vec<Vec<&str>> = projects.iter().map(|name| name.split(['-', '_']).collect()).collect();
    let first = words.first()?;
    let shared = |at: usize, back: bool| {
        let word = pick(first, at, back)?;
        words.iter().all(|name| pick(name, at, back) == Some(word)).then_some(word)
    };
    let from_front: Vec<&str> = (0..first.len()).map_while(|at| shared(at, false)).collect();
    let mut from_back: Vec<&str> = (0..first.len()).map_while(|at| shared(at, true)).collect();
    from_back.reverse();
    let all = if from_front.is_empty() { from_back } else { from_front };
    (!all.is_empty() && projects.len() > 1).then(|| all.join("-"))
}

/// A word by its place, counted from either end.
fn pick<'n>(words: &[&'n str], at: usize, back: bool) -> Option<&'n str> {
    if back { words.iter().rev().nth(at).copied() } else { words.get(at).copied() }
}

/// What is left of a project's name without what all of them share, and without the product's.
pub fn own_name(project: &str, all: &[&str], product: &str) -> String {
    let name = project.replace('_', "-");
    let without = |name: &str, part: &str| -> String {
        let rest = name.strip_prefix(&format!("{part}-")).or_else(|| name.strip_suffix(&format!("-{part}")));
        rest.map_or_else(|| name.to_owned(), str::to_owned)
    };
    let common = common_name(all).unwrap_or_default();
    let own = without(&without(&name, &common), product);
    own.trim_matches('-').to_owned()
}
