//! The variables that a Compose file names.
//!
//! In: the text of a Compose file or an environment file. Out: each variable, and what the file says of it.
//! **Invariant:** every variable of the file is found; one that the file gives no default is needed.
//! Not here: filling variables in (`compose`).
//! Tests: `propose/tests.rs`.

use super::Language;
use crate::text::{Limits, Node, parse};
use std::collections::BTreeMap;

/// What a file says of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// It may be absent, and this stands in its place.
    Default(String),
    /// It may be absent, and what stands in its place is not a plain text.
    Optional,
    /// It is needed.
    Required,
}

/// All variables of a file, but those that Compose and Escadre set.
pub fn variables(text: &str, language: Language) -> BTreeMap<String, Use> {
    let mut found = BTreeMap::new();
    if language == Language::Variables {
        text.lines().filter(|line| !line.trim_start().starts_with('#')).for_each(|line| scan(line, &mut found, 0));
        return found;
    }
    let (documents, _) = parse("compose.yaml", text.as_bytes(), Limits::default());
    for document in &documents {
        walk(document, &mut found);
    }
    found
}

fn walk(node: &Node, found: &mut BTreeMap<String, Use>) {
    if let Some(text) = node.as_str() {
        scan(text, found, 0);
    }
    for (_, child) in node.as_mapping().into_iter().flat_map(|mapping| mapping.iter()) {
        walk(child, found);
    }
    for child in node.as_sequence().into_iter().flatten() {
        walk(child, found);
    }
}
/// Finds `$NAME` and `${NAME…}` in a text.
pub(crate) fn scan(text: &str, found: &mut BTreeMap<String, Use>, depth: usize) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(escaped) = after.strip_prefix('$') {
            rest = escaped;
            continue;
        }
        let braced = after.strip_prefix('{');
        let begin = braced.unwrap_or(after);
        let name: String = begin.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let behind = begin.get(name.len()..).unwrap_or_default();
        rest = behind;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            continue;
        }
        let kind = if braced.is_some() {
            let (inner, behind) = braces(behind);
            rest = behind;
            // Deeper than that nobody reads it either.
            if depth < 8 {
                scan(inner, found, depth + 1);
            }
            kind_of(inner)
        } else {
            Use::Required
        };
        if !name.starts_with("ESCADRE_") && name != "COMPOSE_PROJECT_NAME" {
            note(found, name, kind);
        }
    }
}

/// What stands before the brace that closes, and after it.
fn braces(text: &str) -> (&str, &str) {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                return (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    (text, "")
}

/// What `:-default`, `?error` and the like say.
fn kind_of(inner: &str) -> Use {
    let operator = inner.strip_prefix(':').unwrap_or(inner);
    if let Some(default) = operator.strip_prefix('-') {
        return if default.contains('$') { Use::Optional } else { Use::Default(default.to_owned()) };
    }
    if operator.starts_with('+') { Use::Optional } else { Use::Required }
}

/// The first default stands; whoever needs it anywhere needs it.
fn note(found: &mut BTreeMap<String, Use>, name: String, kind: Use) {
    match found.get(&name) {
        None => {
            found.insert(name, kind);
        }
        Some(Use::Optional) if kind != Use::Optional => {
            found.insert(name, kind);
        }
        Some(Use::Default(_)) if kind == Use::Required => {
            found.insert(name, kind);
        }
        Some(_) => {}
    }
}
