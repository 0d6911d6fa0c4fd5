//! One thing that is wrong in a project that was right.
//!
//! In: a case. Out: the case, changed at one place.
//! **Invariant**: one change, at a place of any depth.
//! Not here: making the case.

use super::case::{Body, Case};
use super::chance::Chance;
use super::tree::{List, Map, Raw, Text, Tree, raw, text};
use super::words;

/// Spoils a case.
pub(crate) fn spoil(case: &mut Case, chance: &mut Chance) {
    let trees: Vec<usize> = case
        .files
        .iter()
        .enumerate()
        .filter(|(_, (_, body))| matches!(body, Body::Yaml(_)))
        .map(|(at, _)| at)
        .collect();
    let Some(at) = trees.get(chance.below(trees.len())) else { return };
    let Some((_, Body::Yaml(documents))) = case.files.get_mut(*at) else { return };
    let document = chance.below(documents.len());
    if let Some(tree) = documents.get_mut(document) {
        let target = chance.below(size(tree));
        at_place(tree, target, &mut |tree| change(tree, chance));
    }
}

/// How many values a tree holds.
pub(crate) fn size(tree: &Tree) -> usize {
    1 + match tree {
        Map(entries) => entries.iter().map(|(_, value)| size(value)).sum(),
        List(items) => items.iter().map(size).sum(),
        Tree::Anchor(_, inner) | Tree::Tagged(_, inner) => size(inner),
        _ => 0,
    }
}

/// Calls `change` with the value of a number; returns how many are left to skip.
pub(crate) fn at_place(tree: &mut Tree, skip: usize, change: &mut dyn FnMut(&mut Tree)) -> Option<usize> {
    if skip == 0 {
        change(tree);
        return None;
    }
    let mut left = skip - 1;
    let children: Vec<&mut Tree> = match tree {
        Map(entries) => entries.iter_mut().map(|(_, value)| value).collect(),
        List(items) => items.iter_mut().collect(),
        Tree::Anchor(_, inner) | Tree::Tagged(_, inner) => vec![inner],
        _ => Vec::new(),
    };
    for child in children {
        left = at_place(child, left, change)?;
    }
    Some(left)
}

fn change(tree: &mut Tree, chance: &mut Chance) {
    let wild = raw(chance.of(words::WILD));
    match tree {
        Map(entries) => match chance.below(7) {
            0 if !entries.is_empty() => {
                entries.remove(chance.below(entries.len()));
            }
            1 if !entries.is_empty() => {
                let at = chance.below(entries.len());
                let twice = entries.get(at).cloned();
                entries.extend(twice);
            }
            2 => entries.push((
                chance
                    .of(&[
                        "imge", "Image", "bogus", "x-fine", "labels", "x_no", "", "external", "driver", "name",
                        "extends", "build", "ports",
                    ])
                    .to_owned(),
                wild,
            )),
            3 if !entries.is_empty() => {
                let at = chance.below(entries.len());
                if let Some((key, _)) = entries.get_mut(at) {
                    *key = match chance.below(4) {
                        0 => key.to_uppercase(),
                        1 => format!("{key}s"),
                        2 => format!("x-{key}"),
                        _ => format!("{key} "),
                    };
                }
            }
            4 => *tree = List(vec![tree.clone()]),
            5 => *tree = List(entries.iter().map(|(key, _)| text(key.clone())).collect()),
            _ => *tree = wild,
        },
        List(items) => match chance.below(5) {
            0 if !items.is_empty() => {
                let twice = items.get(chance.below(items.len())).cloned();
                items.extend(twice);
            }
            1 => items.push(wild),
            2 if items.len() == 1 => *tree = items.remove(0),
            3 => *tree = Map(items.iter().map(|item| (super::case::plain(item), raw("null"))).collect()),
            _ => *tree = wild,
        },
        Raw(word) if chance.one_in(3) => *tree = Text(word.clone()),
        Text(word) if chance.one_in(3) => *tree = Raw(word.replace(['\n', ':', '#'], "x")),
        Text(word) if chance.one_in(3) => *tree = List(vec![text(word.clone())]),
        Text(word) if chance.one_in(2) => {
            let piece = chance.of(&[
                "$",
                "${",
                " ",
                "\t",
                "${X:?gone}",
                "${TAG:?}",
                "$$",
                "${UNSET?no}",
                "\u{0}",
                ",",
                ":",
                "=",
                "/",
                "${",
                "é",
            ]);
            let at = word
                .char_indices()
                .map(|(at, _)| at)
                .nth(chance.below(word.chars().count().max(1)))
                .unwrap_or_default();
            word.insert_str(at, piece);
        }
        _ => *tree = wild,
    }
}
