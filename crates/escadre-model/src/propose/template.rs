//! What a variable must be, so that a text comes out as wanted.
//!
//! In: a text with variables, what it is to say. Out: values that may do; whoever asks tries them.
//! **Invariant:** a value that is offered fits the letters around its variable.
//! Not here: filling variables in as Compose does (`compose`).
//! Tests: `propose/tests.rs`.

use std::collections::BTreeMap;

/// A piece of a text before interpolation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Letters.
    Letters(String),
    /// A variable: `$NAME`, `${NAME}`, `${NAME:-default}`; other forms are none that can be turned round.
    Variable { name: String, default: Option<String> },
}

/// The pieces; nothing where a form stands that cannot be turned round.
fn pieces(raw: &str) -> Option<Vec<Piece>> {
    let mut all = Vec::new();
    let mut letters = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('$') {
        letters.push_str(before);
        if let Some(escaped) = after.strip_prefix('$') {
            letters.push('$');
            rest = escaped;
            continue;
        }
        let begin = after.strip_prefix('{').unwrap_or(after);
        let length = begin.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (name, behind) = begin.split_at(length);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (inner, behind) = if after.starts_with('{') { behind.split_once('}')? } else { ("", behind) };
        let default = inner.strip_prefix(":-").or_else(|| inner.strip_prefix('-'));
        let is_plain = inner.is_empty() || inner.starts_with('?') || inner.starts_with(":?");
        if default.is_none() && !is_plain || inner.contains('$') {
            return None;
        }
        if !letters.is_empty() {
            all.push(Piece::Letters(std::mem::take(&mut letters)));
        }
        all.push(Piece::Variable { name: name.to_owned(), default: default.map(str::to_owned) });
        rest = behind;
    }
    letters.push_str(rest);
    if !letters.is_empty() {
        all.push(Piece::Letters(letters));
    }
    Some(all)
}

/// Values that may make a text come out as wanted, each with its variable.
pub(super) fn solutions(raw: &str, wanted: &str, known: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // An entry of a list bears its name before it.
    let behind = raw.split_once('=').map(|(_, value)| value).filter(|value| value.contains('$'));
    for text in std::iter::once(raw).chain(behind) {
        let Some(all) = pieces(text) else { continue };
        for (at, piece) in all.iter().enumerate() {
            let Piece::Variable { name, .. } = piece else { continue };
            let filled = |pieces: &[Piece]| -> Option<String> {
                let each = pieces.iter().map(|piece| match piece {
                    Piece::Letters(letters) => Some(letters.clone()),
                    Piece::Variable { name: other, .. } if other == name => None,
                    Piece::Variable { name, default } => known.get(name).or(default.as_ref()).cloned(),
                });
                each.collect()
            };
            let (before, after) = (all.get(..at).and_then(filled), all.get(at + 1..).and_then(filled));
            let (Some(before), Some(after)) = (before, after) else { continue };
            let inner = wanted.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
            found.extend(inner.map(|value| (name.clone(), value.to_owned())));
        }
    }
    // A short form holds more than the value: `${PORT}:80`.
    for piece in pieces(raw).into_iter().flatten() {
        if let Piece::Variable { name, .. } = piece {
            found.push((name, wanted.to_owned()));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|one| seen.insert(one.clone()));
    found
}
