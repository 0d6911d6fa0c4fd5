//! Values on their way from a Compose tree into a payload and into fields for people.
//!
//! In: nodes. Out: JSON with holes, shown values with their source.
//! **Invariant:** a text with a secret in it stays a text with a hole; a sensitive value is shown as it was written, never as it is.
//! Not here: which attribute means what (`service`).
//! Tests: through `render/tests.rs`.

use escadre_model::compose;
use escadre_model::desired::Shown;
use escadre_model::payload;
use escadre_model::resolved::Shape;
use escadre_model::sheet::{Entry, Told};
use escadre_model::source::Source;
use escadre_model::text::{Node, Piece, Resolved as Reads, Scalar, Text, Value as Tree};
use serde_json::Value;
use std::sync::Arc;

/// A scalar as a text of the payload, with holes; numbers and booleans as they are written.
pub(super) fn text(node: &Node) -> Value {
    node.as_scalar().map_or(Value::Null, |scalar| payload::text(&scalar.text))
}

/// `KEY=value` with the value's holes.
pub(super) fn pair(key: &str, node: &Node) -> Value {
    let value = node.as_scalar().map(|scalar| scalar.text.pieces()).unwrap_or_default();
    let key = Piece::Literal(format!("{key}=").into());
    payload::text(&Text::from_pieces(std::iter::once(key).chain(value)))
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

/// A scalar as people see it: what holds a sensitive value is shown as it was written.
fn told(shape: &Shape, node: &Node) -> Text {
    match (&node.raw, node.as_scalar()) {
        (_, None) => "".into(),
        (Some(raw), Some(scalar)) if scalar.text.secrets().next().is_none() && is_sensitive(shape, raw) => {
            Arc::clone(raw).into()
        }
        (_, Some(scalar)) => scalar.text.clone(),
    }
}

/// Does a text before interpolation name a variable whose value nobody shall see?
fn is_sensitive(shape: &Shape, raw: &str) -> bool {
    let names = |name: &str| {
        raw.match_indices(name).any(|(at, _)| {
            let before = raw.get(..at).unwrap_or_default();
            let after = raw.get(at + name.len()..).unwrap_or_default();
            (before.ends_with('$') || before.ends_with("${"))
                && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    shape.sensitive.iter().any(|name| names(name))
}

/// A field from a scalar.
pub(super) fn field(shape: &Shape, path: impl Into<Arc<str>>, node: &Node) -> Entry {
    let path = path.into();
    // The engine tells everybody which image runs: hiding its name would only make plans unreadable.
    let open = matches!(path.as_ref(), "image" | "reference");
    let text = match node.as_scalar() {
        Some(scalar) if open => scalar.text.clone(),
        _ => told(shape, node),
    };
    Entry { path, value: Told::text(text), source: Some(source(node)), raw: node.raw.clone() }
}

/// A field that is the same in all instances.
pub(super) fn fixed(path: impl Into<Arc<str>>, value: &str, node: &Node, raw: Option<Arc<str>>) -> Entry {
    Entry { path: path.into(), value: Told::Shown(Shown::Plain(value.into())), source: Some(source(node)), raw }
}

/// Every scalar below a node as a field; a list of scalars is one field, its values in a row.
pub(super) fn fields(shape: &Shape, path: &str, node: &Node, to: &mut Vec<Entry>) {
    match &node.value {
        Tree::Null => {}
        Tree::Scalar(_) => to.push(field(shape, path, node)),
        Tree::Mapping(map) => {
            for (key, value) in map.iter() {
                fields(shape, &format!("{path}.{}", key.text), value, to);
            }
        }
        Tree::Sequence(items) if items.iter().all(|item| item.as_scalar().is_some()) => {
            to.push(row(shape, path, node, items));
        }
        Tree::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                fields(shape, &format!("{path}.{index}"), item, to);
            }
        }
    }
}

fn row(shape: &Shape, path: &str, node: &Node, items: &[Node]) -> Entry {
    let value = Told::row(items.iter().map(|item| told(shape, item)).collect());
    let raw = items.iter().any(|item| item.raw.is_some()).then(|| {
        let words = items.iter().map(|item| item.raw.as_deref().or_else(|| item.as_str()).unwrap_or_default());
        words.collect::<Vec<_>>().join(" ").into()
    });
    Entry { path: path.into(), value, source: Some(source(node)), raw }
}
