//! The product that a Compose file makes: its variables as parameters, its secrets as secrets.
//!
//! In: a Compose file's text. Out: product.yaml.
//! **Invariant:** every variable of the file is a parameter; one that the file gives no default is required.
//! Not here: filling variables in (`escadre_model::compose`).
//! Tests: `variables/tests.rs`.

use escadre_model::fleet::write::quote;
use escadre_model::name::Name;
use escadre_model::text::{Limits, Node, parse};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a file says of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    /// It may be absent, and this stands in its place.
    Default(String),
    /// It may be absent, and what stands in its place is not a plain text.
    Optional,
    /// It is needed.
    Required,
}

/// The text of product.yaml for a Compose file.
pub(super) fn product(name: &Name, compose: &str) -> String {
    let (documents, _) = parse("compose.yaml", compose.as_bytes(), Limits::default());
    let mut found = BTreeMap::new();
    for document in &documents {
        walk(document, &mut found);
    }
    let mut text = format!("product: {name}\n# title: for people\n");
    if !found.is_empty() {
        text.push_str("parameters:                       # a parameter is the Compose variable of its name\n");
    }
    for (name, kind) in &found {
        // Writing to a String cannot fail; so below.
        let _ = match kind {
            Use::Default(default) => writeln!(text, "  {name}: {{ type: string, default: {} }}", quote(default)),
            Use::Optional => writeln!(text, "  {name}: {{ type: string }}"),
            Use::Required => writeln!(text, "  {name}: {{ type: string, required: true }}"),
        };
    }
    let mut secrets = documents.iter().filter_map(|document| document.get("secrets")?.as_mapping()).peekable();
    if secrets.peek().is_some() {
        text.push_str("secrets:                          # each fills the Compose secret of its name, a file under /run/secrets\n");
        for key in secrets.flat_map(|mapping| mapping.keys()) {
            let _ = writeln!(
                text,
                "  {}: {{}}      # {{ generate: password, length: 32 }} makes one for each new instance",
                quote(key)
            );
        }
    } else {
        text.push_str(
            "# secrets:\n#   db_password: { generate: password, length: 32 }     # a file under /run/secrets\n",
        );
    }
    text.push_str("# endpoints:\n#   portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"] }\n");
    text.push_str("# sizes:\n#   small: { web: { cpus: 0.5, memory: 256M } }\n");
    text
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
fn scan(text: &str, found: &mut BTreeMap<String, Use>, depth: usize) {
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

#[cfg(test)]
mod tests;
