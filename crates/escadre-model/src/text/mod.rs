//! YAML as a tree that remembers where everything was written.
//!
//! In: bytes and a file name. Out: [`Node`] trees with spans and tags, or findings.
//! **Invariant**: a tree shares what aliases share, so it is never larger in memory than its text; copying a node is cheap.
//! Not here: what the values mean (compose, fleet).
//! Tests: `tests.rs`.

mod fields;
mod json;
mod late;
mod mapping;
mod parse;
mod recent;
mod scalar;
#[cfg(test)]
mod tests;
pub mod yaml;

pub use fields::Fields;
pub use late::{LONGEST as LONGEST_LATE, Late, LateVariables};
pub use mapping::Mapping;
pub use parse::{Limits, parse, parse_one};
pub(crate) use parse::{Read, read};
pub use scalar::{Piece, Resolved, Scalar, SecretRef, Style, Text};

use crate::diagnostic::Span;
use std::sync::Arc;

/// One value in a document.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written. For what an alias or a merge key brought in, the place of the original.
    pub span: Span,
    /// A tag that is not one of YAML's own core tags, as written: `!reset`.
    pub tag: Option<Arc<str>>,
    /// The text before interpolation, where it differed.
    pub raw: Option<Arc<str>>,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// A text, number or boolean.
    Scalar(Scalar),
    /// A list.
    Sequence(Arc<Vec<Node>>),
    /// A mapping, in the order written.
    Mapping(Arc<Mapping>),
}

/// A mapping's key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key's text.
    pub text: Arc<str>,
    /// Where it was written.
    pub span: Span,
    /// Whether it was written plain and reads as a number, a boolean or null. Compose refuses such keys.
    pub typed: bool,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It stands in a file.
    Written,
    /// The long syntax of something that stands in a file in its short one.
    Spelled,
    /// A rule or a default adds it.
    Implied,
}

impl Key {
    /// A key of the long syntax; `span` is the place of the short one.
    pub fn new(text: impl Into<Arc<str>>, span: &Span) -> Self {
        Self { text: text.into(), span: span.clone(), typed: false, origin: Origin::Spelled }
    }

    /// A key that some rule adds; `span` is the place that made the rule apply.
    pub fn implied(text: impl Into<Arc<str>>, span: &Span) -> Self {
        Self { origin: Origin::Implied, ..Self::new(text, span) }
    }
}

impl Node {
    /// A node with a value at a place, without tag.
    pub fn new(value: Value, span: &Span) -> Self {
        Self { value, span: span.clone(), tag: None, raw: None }
    }

    /// Null.
    pub fn null(span: &Span) -> Self {
        Self::new(Value::Null, span)
    }

    /// A text, whatever it looks like.
    pub fn text(text: impl Into<Text>, span: &Span) -> Self {
        Self::new(Value::Scalar(Scalar::text(text)), span)
    }

    /// A scalar that reads as what it looks like: `true`, `8080`, `1.5`.
    pub fn plain(text: impl Into<Text>, span: &Span) -> Self {
        Self::new(Value::Scalar(Scalar::plain(text)), span)
    }

    /// A list.
    pub fn sequence(items: Vec<Node>, span: &Span) -> Self {
        Self::new(Value::Sequence(Arc::new(items)), span)
    }

    /// A mapping.
    pub fn mapping(mapping: Mapping, span: &Span) -> Self {
        Self::new(Value::Mapping(Arc::new(mapping)), span)
    }

    /// The mapping, if it is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// A scalar's text as written; nothing for lists, mappings, null and texts with secrets in them.
    pub fn as_str(&self) -> Option<&str> {
        self.as_scalar().and_then(Scalar::as_str)
    }

    /// A mapping to be changed; shared parts are copied one level deep, once.
    pub fn mapping_mut(&mut self) -> Option<&mut Mapping> {
        match &mut self.value {
            Value::Mapping(mapping) => Some(Arc::make_mut(mapping)),
            _ => None,
        }
    }

    /// A list to be changed; shared parts are copied one level deep, once.
    pub fn sequence_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            Value::Sequence(items) => Some(Arc::make_mut(items)),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.get(key)
    }

    /// The value at a path of keys (and list positions) separated by dots: `healthcheck.test`.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, step| match &node.value {
            Value::Mapping(mapping) => mapping.get(step),
            Value::Sequence(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What the value is, for messages: "a text", "a list".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Scalar(scalar) => match scalar.resolve() {
                Resolved::Null => "nothing",
                Resolved::Bool(_) => "a boolean",
                Resolved::Integer(_) | Resolved::Float(_) => "a number",
                Resolved::Text => "a text",
            },
        }
    }

    /// A message about this value without what variables brought into it: every quoted part that comes from the value is
    /// replaced by the text before interpolation. Values of variables may be secret to somebody.
    pub fn veil(&self, message: &str) -> String {
        let (Some(raw), Some(scalar)) = (&self.raw, self.as_scalar()) else { return message.to_owned() };
        let value = scalar.display();
        let part = |(index, part): (usize, &str)| {
            let quoted = index % 2 == 1;
            if quoted && !part.is_empty() && value.contains(part) { raw.to_string() } else { part.to_owned() }
        };
        message.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
    }
}
