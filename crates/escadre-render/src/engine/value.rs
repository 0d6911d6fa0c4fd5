//! Values on their way from a Compose tree into a payload and into fields for people.
//!
//! In: nodes. Out: JSON with holes, shown values with their source.
//! **Invariant:** a text with a secret in it stays a text with a hole; a sensitive value is shown as it was written, never as it is.
//! Not here: which attribute means what (`service`).
//! Tests: through `render/tests.rs`.

use escadre_model::compose;
use escadre_model::desired::{Field, Shown};
use escadre_model::hash::KeyedHash;
use escadre_model::payload::{self, Piece};
use escadre_model::resolved::Resolved;
use escadre_model::source::Source;
use escadre_model::text::{Node, Resolved as Reads, Scalar, Value as Tree};
use serde_json::Value;
use std::sync::Arc;

/// A scalar as a text of the payload, with holes; numbers and booleans as they are written.
pub(super) fn text(node: &Node) -> Value {
    node.as_scalar().map_or(Value::Null, |scalar| payload::text(&scalar.text.pieces()))
}

/// `KEY=value` with the value's holes.
pub(super) fn pair(key: &str, node: &Node) -> Value {
    let mut pieces = vec![Piece::Literal(format!("{key}=").into())];
    for piece in node.as_scalar().map(|scalar| scalar.text.pieces()).unwrap_or_default() {
        match (pieces.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(more)) => *before = format!("{before}{more}").into(),
            (_, piece) => pieces.push(piece),
        }
    }
    payload::text(&pieces)
}

/// A list of texts with holes.
pub(super) fn list(node: &Node) -> Value {
    Value::Array(node.as_sequence().unwrap_or_default().iter().map(text).collect())
}

/// A mapping of texts with holes; null becomes an empty text.
pub(super) fn map(node: &Node) -> Value {
    let entries = node.as_mapping().into_iter().flat_map(escadre_model::text::Mapping::iter);
    let spelled = |value: &Node| if value.is_null() { Value::String(String::new()) } else { text(value) };
    Value::Object(entries.map(|(key, value)| (key.text.to_string(), spelled(value))).collect())
}

/// An integer.
pub(super) fn integer(node: &Node) -> Option<i64> {
    compose::integer(node).or_else(|| node.as_str()?.parse().ok())
}

/// A boolean.
pub(super) fn flag(node: &Node) -> Option<bool> {
    match node.as_scalar().map(Scalar::resolve) {
        Some(Reads::Bool(value)) => Some(value),
        _ => node.as_str()?.parse().ok(),
    }
}

/// Milliseconds of a duration.
pub(super) fn milliseconds(node: &Node) -> Option<u64> {
    compose::duration(node).and_then(|nanoseconds| u64::try_from(nanoseconds / 1_000_000).ok())
}

/// Where a node was written.
pub(super) fn source(node: &Node) -> Source {
    Source { file: Arc::clone(&node.span.file), line: node.span.line }
}

/// The keyed hash of a secret, if it is known.
pub(super) fn secret_hash(resolved: &Resolved, name: &str) -> Option<KeyedHash> {
    resolved.secrets.get(name).and_then(|secret| secret.hash.clone())
}

/// A scalar as it may be shown.
pub(super) fn shown(resolved: &Resolved, node: &Node) -> Shown {
    let Some(scalar) = node.as_scalar() else { return Shown::Plain("".into()) };
    let mut secrets = scalar.text.secrets().peekable();
    if secrets.peek().is_some() {
        return match secrets.find_map(|name| secret_hash(resolved, &name.0)) {
            Some(hash) => Shown::Secret(hash),
            None => Shown::Unknown,
        };
    }
    match &node.raw {
        Some(raw) if is_sensitive(resolved, raw) => Shown::Plain(Arc::clone(raw)),
        _ => Shown::Plain(scalar.display().into_owned().into()),
    }
}

/// Does a text before interpolation name a variable whose value nobody shall see?
fn is_sensitive(resolved: &Resolved, raw: &str) -> bool {
    let names = |name: &str| {
        raw.match_indices(name).any(|(at, _)| {
            let before = raw.get(..at).unwrap_or_default();
            let after = raw.get(at + name.len()..).unwrap_or_default();
            (before.ends_with('$') || before.ends_with("${"))
                && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    resolved.values.iter().any(|(name, value)| value.sensitive && names(name))
}

/// A field from a scalar.
pub(super) fn field(resolved: &Resolved, path: impl Into<Arc<str>>, node: &Node) -> Field {
    let path = path.into();
    // The engine tells everybody which image runs: hiding its name would only make plans unreadable.
    let open = matches!(path.as_ref(), "image" | "reference");
    let value = match node.as_scalar() {
        Some(scalar) if open && scalar.text.secrets().next().is_none() => {
            Shown::Plain(scalar.display().into_owned().into())
        }
        _ => shown(resolved, node),
    };
    Field { path, value, source: Some(source(node)), raw: node.raw.clone() }
}

/// Every scalar below a node as a field; a list of scalars is one field, its values in a row.
pub(super) fn fields(resolved: &Resolved, path: &str, node: &Node, to: &mut Vec<Field>) {
    match &node.value {
        Tree::Null => {}
        Tree::Scalar(_) => to.push(field(resolved, path, node)),
        Tree::Mapping(map) => {
            for (key, value) in map.iter() {
                fields(resolved, &format!("{path}.{}", key.text), value, to);
            }
        }
        Tree::Sequence(items) if items.iter().all(|item| item.as_scalar().is_some()) => {
            to.push(row(resolved, path, node, items));
        }
        Tree::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                fields(resolved, &format!("{path}.{index}"), item, to);
            }
        }
    }
}

fn row(resolved: &Resolved, path: &str, node: &Node, items: &[Node]) -> Field {
    let all: Vec<Shown> = items.iter().map(|item| shown(resolved, item)).collect();
    let hidden = all.iter().find(|shown| !matches!(shown, Shown::Plain(_)));
    let value = match hidden {
        Some(hidden) => hidden.clone(),
        None => {
            let words = all.iter().map(|shown| match shown {
                Shown::Plain(text) if text.is_empty() || text.contains(char::is_whitespace) => format!("{text:?}"),
                Shown::Plain(text) => text.to_string(),
                _ => String::new(),
            });
            Shown::Plain(words.collect::<Vec<_>>().join(" ").into())
        }
    };
    let raw = items.iter().any(|item| item.raw.is_some()).then(|| {
        let words = items.iter().map(|item| item.raw.as_deref().or_else(|| item.as_str()).unwrap_or_default());
        words.collect::<Vec<_>>().join(" ").into()
    });
    Field { path: path.into(), value, source: Some(source(node)), raw }
}
