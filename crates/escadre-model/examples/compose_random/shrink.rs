//! The smallest project that still shows a difference.
//!
//! In: a case, and whether a case shows it. Out: a case from which nothing can be taken without losing it.
//! **Invariant**: every step keeps the difference.
//! Not here: finding differences.

use super::case::{Body, Case};
use super::spoil::{at_place, size};
use super::tree::{Layout, List, Map, Tree, raw, text};

/// Shrinks a case.
///
/// # Errors
/// When the other loader has ended.
pub(crate) fn shrink(mut case: Case, shows: &mut dyn FnMut(&Case) -> std::io::Result<bool>) -> std::io::Result<Case> {
    loop {
        let mut smaller = false;
        let mut try_it = |case: &mut Case, change: &dyn Fn(&mut Case) -> bool| -> std::io::Result<bool> {
            let mut candidate = case.clone();
            if change(&mut candidate) && shows(&candidate)? {
                *case = candidate;
                return Ok(true);
            }
            Ok(false)
        };
        smaller |= try_it(&mut case, &|case| {
            let look = |layout: Layout| (layout.flow_from, layout.remarks, layout.frame);
            let other = look(case.layout) != look(Layout::PLAIN);
            case.layout = Layout::PLAIN;
            other
        })?;
        for at in (0..case.files.len()).rev() {
            smaller |= try_it(&mut case, &|case| {
                let (path, _) = case.files.remove(at);
                case.order.retain(|known| *known != path);
                true
            })?;
        }
        for name in case.env.keys().cloned().collect::<Vec<_>>() {
            smaller |= try_it(&mut case, &|case| case.env.remove(&name).is_some())?;
        }
        if !case.profiles.is_empty() {
            smaller |= try_it(&mut case, &|case| {
                case.profiles.clear();
                true
            })?;
        }
        for file in 0..case.files.len() {
            smaller |= shrink_file(&mut case, file, &mut try_it)?;
        }
        if !smaller {
            return Ok(case);
        }
    }
}

type Try<'t> = dyn FnMut(&mut Case, &dyn Fn(&mut Case) -> bool) -> std::io::Result<bool> + 't;

fn shrink_file(case: &mut Case, file: usize, try_it: &mut Try<'_>) -> std::io::Result<bool> {
    let mut smaller = false;
    let count = |case: &Case| match case.files.get(file) {
        Some((_, Body::Yaml(documents))) => documents.len(),
        Some((_, Body::Lines(lines))) => lines.len(),
        _ => 0,
    };
    for at in (0..count(case)).rev() {
        smaller |= try_it(case, &|case| match case.files.get_mut(file) {
            Some((_, Body::Yaml(documents))) if documents.len() > 1 => {
                documents.remove(at);
                true
            }
            Some((_, Body::Lines(lines))) => {
                lines.remove(at);
                true
            }
            _ => false,
        })?;
    }
    for document in 0..count(case) {
        let mut place = 0;
        while let Some(tree) = tree_of(case, file, document).filter(|tree| place < size(tree)) {
            let children = children_at(tree, place);
            for child in (0..children).rev() {
                smaller |= try_it(case, &|case| edit(case, file, document, place, &|tree| remove(tree, child)))?;
            }
            for simpler in 0..4 {
                smaller |= try_it(case, &|case| edit(case, file, document, place, &|tree| simplify(tree, simpler)))?;
            }
            place += 1;
        }
    }
    Ok(smaller)
}

fn tree_of(case: &Case, file: usize, document: usize) -> Option<&Tree> {
    match case.files.get(file) {
        Some((_, Body::Yaml(documents))) => documents.get(document),
        _ => None,
    }
}

fn edit(case: &mut Case, file: usize, document: usize, place: usize, change: &dyn Fn(&mut Tree) -> bool) -> bool {
    let Some((_, Body::Yaml(documents))) = case.files.get_mut(file) else { return false };
    let Some(tree) = documents.get_mut(document) else { return false };
    let mut changed = false;
    at_place(tree, place, &mut |tree| changed = change(tree));
    changed
}

fn children_at(tree: &Tree, place: usize) -> usize {
    let mut copy = tree.clone();
    let mut found = 0;
    at_place(&mut copy, place, &mut |tree| {
        found = match tree {
            Map(entries) => entries.len(),
            List(items) => items.len(),
            _ => 0,
        };
    });
    found
}

fn remove(tree: &mut Tree, child: usize) -> bool {
    match tree {
        Map(entries) => {
            entries.remove(child);
        }
        List(items) => {
            items.remove(child);
        }
        _ => return false,
    }
    true
}

fn simplify(tree: &mut Tree, how: usize) -> bool {
    let simpler = match (how, &*tree) {
        (0, Tree::Anchor(_, inner) | Tree::Tagged(_, inner)) => (**inner).clone(),
        (1, Tree::Styled(_, words)) => text(words.clone()),
        (2, Map(_) | List(_)) => text("x"),
        (3, Tree::Text(words)) if words.len() > 1 => text("x"),
        (3, Tree::Raw(word)) if word != "null" && !word.starts_with('!') => raw("null"),
        _ => return false,
    };
    *tree = simpler;
    true
}
