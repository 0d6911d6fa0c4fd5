//! Reading our own files: typed getters that collect findings.
//!
//! In: a node and the path it stands at. Out: typed values with spans; findings for what is missing, unknown or of the wrong type.
//! **Invariant**: every key is either asked for or reported by [`Fields::finish`]; reading goes on after an error.
//! Not here: what the values mean.
//! Tests: `tests.rs`.

use super::{Mapping, Node, Resolved, Value};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned, nearest};
use std::sync::Arc;

/// A mapping being read, key by key.
///
/// Scalars are taken as written: `no` is a country, `2.10` is not `2.1`.
pub struct Fields<'n, 'd> {
    node: &'n Node,
    mapping: Option<&'n Mapping>,
    path: String,
    asked: Vec<&'static str>,
    findings: &'d mut Vec<Diagnostic>,
}

impl<'n, 'd> Fields<'n, 'd> {
    /// Begins to read `node`, which stands at `path` (empty for a whole document). What is not a mapping is reported once, here;
    /// all getters then answer nothing without further findings.
    pub fn new(node: &'n Node, path: impl Into<String>, findings: &'d mut Vec<Diagnostic>) -> Self {
        let path = path.into();
        if let Some(tag) = &node.tag {
            findings.push(
                Diagnostic::error(Code::E0109, format!("the tag `{tag}` is not known here"))
                    .at(&node.span)
                    .path(&*path),
            );
        }
        if node.as_mapping().is_none() {
            let message = format!("{} must be a mapping, here is {}", subject(&path), node.kind());
            findings.push(Diagnostic::error(Code::E0113, message).at(&node.span).path(&*path));
        }
        Self { node, mapping: node.as_mapping(), path, asked: Vec::new(), findings }
    }

    /// Where the mapping was written.
    pub fn span(&self) -> &'n Span {
        &self.node.span
    }

    /// The findings, to add to or to hand to a nested reader.
    pub fn findings(&mut self) -> &mut Vec<Diagnostic> {
        self.findings
    }

    /// The path of a key: `targets.host-1`.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The node of a key, if it is there and not null.
    pub fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let node = self.mapping?.get(key)?;
        if let Some(tag) = &node.tag {
            let path = self.path_of(key);
            self.findings.push(
                Diagnostic::error(Code::E0109, format!("the tag `{tag}` is not known here")).at(&node.span).path(path),
            );
        }
        (!node.is_null()).then_some(node)
    }

    /// The node of a key that must be there.
    pub fn required(&mut self, key: &'static str) -> Option<&'n Node> {
        let found = self.optional(key);
        if found.is_none() && self.mapping.is_some() {
            let place = self.mapping.and_then(|mapping| mapping.key(key)).map_or(&self.node.span, |key| &key.span);
            let what = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            let finding =
                Diagnostic::error(Code::E0114, format!("`{key}:` is missing{what}")).at(place).path(self.path_of(key));
            self.findings.push(finding);
        }
        found
    }

    /// A text as written.
    pub fn optional_str(&mut self, key: &'static str) -> Option<Spanned<Arc<str>>> {
        let node = self.optional(key)?;
        self.text(key, node)
    }

    /// A text as written that must be there.
    pub fn required_str(&mut self, key: &'static str) -> Option<Spanned<Arc<str>>> {
        let node = self.required(key)?;
        self.text(key, node)
    }

    /// `true` or `false`.
    pub fn optional_bool(&mut self, key: &'static str) -> Option<Spanned<bool>> {
        let node = self.optional(key)?;
        match node.as_scalar().map(super::Scalar::resolve) {
            Some(Resolved::Bool(value)) => Some(Spanned::new(value, node.span.clone())),
            _ => self.wrong(key, node, "`true` or `false`"),
        }
    }

    /// An integer that fits 64 bits.
    pub fn optional_integer(&mut self, key: &'static str) -> Option<Spanned<i64>> {
        let node = self.optional(key)?;
        let value = match node.as_scalar().map(super::Scalar::resolve) {
            Some(Resolved::Integer(value)) => i64::try_from(value).ok(),
            _ => None,
        };
        match value {
            Some(value) => Some(Spanned::new(value, node.span.clone())),
            None => self.wrong(key, node, "an integer"),
        }
    }

    /// A list.
    pub fn optional_list(&mut self, key: &'static str) -> Option<&'n [Node]> {
        let node = self.optional(key)?;
        match node.as_sequence() {
            Some(items) => Some(items),
            None => self.wrong(key, node, "a list"),
        }
    }

    /// A list of texts; one text alone is a list of one.
    pub fn optional_strs(&mut self, key: &'static str) -> Option<Vec<Spanned<Arc<str>>>> {
        let node = self.optional(key)?;
        match &node.value {
            Value::Sequence(items) => Some(items.iter().filter_map(|item| self.text(key, item)).collect()),
            Value::Scalar(_) => Some(self.text(key, node).into_iter().collect()),
            _ => self.wrong(key, node, "a list of texts"),
        }
    }

    /// A mapping.
    pub fn optional_map(&mut self, key: &'static str) -> Option<&'n Mapping> {
        let node = self.optional(key)?;
        match node.as_mapping() {
            Some(mapping) => Some(mapping),
            None => self.wrong(key, node, "a mapping"),
        }
    }

    /// Accepts a key without reading it: reserved words that the caller treats otherwise.
    pub fn ignore(&mut self, key: &'static str) -> &mut Self {
        self.asked.push(key);
        self
    }

    /// Reports every key that nobody asked for, with the nearest one that exists.
    pub fn finish(self) {
        let Some(mapping) = self.mapping else { return };
        for (key, _) in mapping.iter() {
            if self.asked.contains(&&*key.text) {
                continue;
            }
            let message = match self.path.as_str() {
                "" => format!("unknown key `{}`", key.text),
                path => format!("unknown key `{}` in `{path}`", key.text),
            };
            let path = self.path_of(&key.text);
            let finding = Diagnostic::error(Code::E0112, message).at(&key.span).path(path);
            self.findings.push(match nearest(&key.text, self.asked.iter().copied()) {
                Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                None => finding.hint(format!("known here: {}", self.asked.join(", "))),
            });
        }
    }

    fn text(&mut self, key: &str, node: &Node) -> Option<Spanned<Arc<str>>> {
        match node.as_str() {
            Some(text) => Some(Spanned::new(text.into(), node.span.clone())),
            None => self.wrong(key, node, "a text"),
        }
    }

    fn wrong<T>(&mut self, key: &str, node: &Node, wanted: &str) -> Option<T> {
        let path = self.path_of(key);
        let message = format!("`{path}` must be {wanted}, here is {}", node.kind());
        self.findings.push(Diagnostic::error(Code::E0113, message).at(&node.span).path(path));
        None
    }
}

fn subject(path: &str) -> String {
    if path.is_empty() { "the document".to_owned() } else { format!("`{path}`") }
}
