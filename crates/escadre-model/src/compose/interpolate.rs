//! Variables in texts: `$NAME`, `${NAME}`, `${NAME:-default}` and the other operators.
//!
//! In: a tree and the variables. Out: the tree with values filled in, and findings.
//! **Invariant**: a value is never read again for variables; parts without variables stay shared, and what an alias shares is
//! filled in once; secrets stay holes.
//! Not here: typing of what came out (decode).
//! Source: Compose Specification, chapter Interpolation, and the reference's behaviour where the two differ.
//! Tests: `interpolate/tests.rs`, tests/cases/compose.

#[cfg(test)]
mod tests;

use super::trail::Trail;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::text::{Mapping, Node, Piece, Scalar, Style, Text, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Levels of `${A:-${B:-...}}`; people write two.
const DEEPEST: usize = 64;

/// Bytes that one text may grow to, and all texts of a document together: a value of a megabyte used a hundred thousand times
/// must not take the machine's memory.
const LARGEST: usize = 1_000_000;
const LARGEST_TOTAL: usize = 16_000_000;

/// Where values come from.
pub(crate) trait Lookup {
    /// The value of a variable, if it is set.
    fn value(&self, name: &str) -> Option<&Text>;
}

/// Why a text could not be filled in.
#[derive(Debug, PartialEq)]
pub(crate) enum Problem {
    /// The text is not well formed.
    Malformed,
    /// `${NAME:?message}` and the variable is not set.
    Required(String, String),
    /// Too many levels.
    Deep,
    /// The text grows too large.
    Large,
}

/// Fills in the variables of one text. Names of variables that are not set and have no default are added to `unset`.
pub(crate) fn substitute(template: &str, lookup: &dyn Lookup, unset: &mut BTreeSet<String>) -> Result<Text, Problem> {
    let mut out = Vec::new();
    let mut room = LARGEST;
    fill(template, lookup, unset, 0, &mut out, &mut room)?;
    Ok(Text::from_pieces(out))
}

fn fill(
    template: &str,
    lookup: &dyn Lookup,
    unset: &mut BTreeSet<String>,
    depth: usize,
    out: &mut Vec<Piece>,
    room: &mut usize,
) -> Result<(), Problem> {
    if depth > DEEPEST {
        return Err(Problem::Deep);
    }
    let literal = |out: &mut Vec<Piece>, text: &str| {
        if !text.is_empty() {
            out.push(Piece::Literal(text.into()));
        }
    };
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        literal(out, before);
        let after = from.get(1..).unwrap_or_default();
        match after.bytes().next() {
            Some(b'$') => {
                literal(out, "$");
                rest = after.get(1..).unwrap_or_default();
            }
            Some(b) if b == b'_' || b.is_ascii_alphabetic() => {
                let (name, tail) = split_name(after);
                push_value(name, lookup, unset, out, room)?;
                rest = tail;
            }
            Some(b'{') => {
                let inner = after.get(1..).unwrap_or_default();
                rest = braced(inner, lookup, unset, depth, out, room)?;
            }
            _ => {
                literal(out, "$");
                rest = after;
            }
        }
    }
    literal(out, rest);
    Ok(())
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|b| !(b == b'_' || b.is_ascii_alphanumeric())).unwrap_or(text.len());
    text.split_at(end)
}

fn push_value(
    name: &str,
    lookup: &dyn Lookup,
    unset: &mut BTreeSet<String>,
    out: &mut Vec<Piece>,
    room: &mut usize,
) -> Result<(), Problem> {
    match lookup.value(name) {
        Some(text) => {
            *room = room.checked_sub(text.longest()).ok_or(Problem::Large)?;
            out.extend(text.pieces());
        }
        None => {
            unset.insert(name.to_owned());
        }
    }
    Ok(())
}

/// What stands after `${`; returns what follows the closing brace.
fn braced<'t>(
    inner: &'t str,
    lookup: &dyn Lookup,
    unset: &mut BTreeSet<String>,
    depth: usize,
    out: &mut Vec<Piece>,
    room: &mut usize,
) -> Result<&'t str, Problem> {
    let (name, tail) = split_name(inner);
    if !name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
        return Err(Problem::Malformed);
    }
    if let Some(rest) = tail.strip_prefix('}') {
        push_value(name, lookup, unset, out, room)?;
        return Ok(rest);
    }
    let (strict, tail) = match tail.strip_prefix(':') {
        Some(tail) => (true, tail),
        None => (false, tail),
    };
    let mut letters = tail.chars();
    let operator = letters.next().filter(|c| matches!(c, '-' | '+' | '?')).ok_or(Problem::Malformed)?;
    let (word, rest) = closing(letters.as_str())?;
    let value = lookup.value(name);
    // A secret is never empty; its value is not known here.
    let present = value.is_some_and(|text| !strict || !text.is_empty());
    match (operator, present) {
        ('-', true) | ('?', true) => push_value(name, lookup, unset, out, room)?,
        ('-', false) | ('+', true) => fill(word, lookup, unset, depth + 1, out, room)?,
        ('+', false) => {
            // Set but empty under `:+` gives the empty value itself.
        }
        _ => {
            let mut message = Vec::new();
            fill(word, lookup, unset, depth + 1, &mut message, room)?;
            let message = Text::from_pieces(message).display().into_owned();
            return Err(Problem::Required(name.to_owned(), message));
        }
    }
    Ok(rest)
}

/// Splits at the brace that closes the one already open. Braces in the text count; when they do not balance, the last brace of
/// the line closes, as in the reference.
fn closing(text: &str) -> Result<(&str, &str), Problem> {
    let line = text.split('\n').next().unwrap_or_default();
    let mut open = 1usize;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Ok((&text[..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    let last = line.rfind('}').ok_or(Problem::Malformed)?;
    Ok((&text[..last], &text[last + 1..]))
}

/// Fills in a whole tree; keys are left alone.
pub(crate) struct Interpolation<'a> {
    lookup: &'a dyn Lookup,
    findings: &'a mut Vec<Diagnostic>,
    /// Variables that are not set, with the first place that uses them.
    unset: BTreeMap<String, Span>,
    /// What aliases share is filled in once: from the address of the shared part to the result.
    shared: HashMap<usize, Option<Node>>,
    path: Trail,
    /// Bytes that texts may still grow to.
    room: usize,
}

impl<'a> Interpolation<'a> {
    /// Begins with these variables.
    pub(crate) fn new(lookup: &'a dyn Lookup, findings: &'a mut Vec<Diagnostic>) -> Self {
        Self {
            lookup,
            findings,
            unset: BTreeMap::new(),
            shared: HashMap::new(),
            path: Trail::default(),
            room: LARGEST_TOTAL,
        }
    }

    /// The tree with values filled in.
    pub(crate) fn tree(mut self, node: &Node) -> Node {
        let filled = self.node(node).unwrap_or_else(|| node.clone());
        for (name, span) in &self.unset {
            let message = format!("the variable `{name}` is not set; an empty text stands in its place");
            let finding =
                Diagnostic::warning(Code::W0402, message).at(span).hint(format!("set it, or write `${{{name}:-}}`"));
            self.findings.push(finding);
        }
        filled
    }

    /// The changed node, or nothing when nothing changed.
    fn node(&mut self, node: &Node) -> Option<Node> {
        match &node.value {
            Value::Null => None,
            Value::Scalar(scalar) => self.scalar(node, scalar),
            Value::Sequence(items) => {
                self.once(Arc::as_ptr(items) as usize, Arc::strong_count(items) > 1, |this| this.sequence(node, items))
            }
            Value::Mapping(mapping) => {
                let address = Arc::as_ptr(mapping).cast::<u8>() as usize;
                self.once(address, Arc::strong_count(mapping) > 1, |this| this.mapping(node, mapping))
            }
        }
    }

    fn once(&mut self, address: usize, shared: bool, fill: impl FnOnce(&mut Self) -> Option<Node>) -> Option<Node> {
        if !shared {
            return fill(self);
        }
        if let Some(known) = self.shared.get(&address) {
            return known.clone();
        }
        let filled = fill(self);
        self.shared.insert(address, filled.clone());
        filled
    }

    fn sequence(&mut self, node: &Node, items: &[Node]) -> Option<Node> {
        let mut changed: Option<Vec<Node>> = None;
        for (index, item) in items.iter().enumerate() {
            let here = self.path.go(index);
            if let Some(filled) = self.node(item)
                && let Some(slot) = changed.get_or_insert_with(|| items.to_vec()).get_mut(index)
            {
                *slot = filled;
            }
            self.path.back(here);
        }
        changed.map(|items| Node { value: Value::Sequence(Arc::new(items)), ..node.clone() })
    }

    fn mapping(&mut self, node: &Node, mapping: &Mapping) -> Option<Node> {
        let mut changed: Option<Mapping> = None;
        for (key, value) in mapping.iter() {
            let here = self.path.go(&key.text);
            if let Some(filled) = self.node(value)
                && let Some(slot) = changed.get_or_insert_with(|| mapping.clone()).get_mut(&key.text)
            {
                *slot = filled;
            }
            self.path.back(here);
        }
        changed.map(|mapping| Node { value: Value::Mapping(Arc::new(mapping)), ..node.clone() })
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar) -> Option<Node> {
        let template = scalar.as_str()?;
        if !template.contains('$') {
            return None;
        }
        let mut unset = BTreeSet::new();
        let filled = substitute(template, self.lookup, &mut unset);
        for name in unset {
            self.unset.entry(name).or_insert_with(|| node.span.clone());
        }
        let filled = filled.and_then(|text| {
            self.room = self.room.checked_sub(text.longest()).ok_or(Problem::Large)?;
            Ok(text)
        });
        match filled {
            Ok(text) => {
                // What was filled in is a text, whatever it looks like; attributes that want numbers read it as one.
                let raw = scalar.text.letters();
                Some(Node { value: Value::Scalar(Scalar { text, style: Style::Quoted }), raw, ..node.clone() })
            }
            Err(problem) => {
                let path = self.path.to_string();
                let finding = match problem {
                    Problem::Malformed => {
                        Diagnostic::error(Code::E0406, format!("`{path}`: `{template}` is not well formed"))
                            .hint("write `$$` for a dollar sign")
                    }
                    Problem::Large => Diagnostic::error(
                        Code::E0422,
                        format!(
                            "`{path}`: the text grows larger than {LARGEST} bytes, or all of them larger than {LARGEST_TOTAL}"
                        ),
                    ),
                    Problem::Deep => {
                        Diagnostic::error(Code::E0406, format!("`{path}`: more than {DEEPEST} levels of `${{...}}`"))
                    }
                    Problem::Required(name, message) if message.is_empty() => Diagnostic::error(
                        Code::E0407,
                        format!("`{path}` needs the variable `{name}`, which is not set"),
                    ),
                    Problem::Required(name, message) => {
                        Diagnostic::error(Code::E0407, format!("`{path}` needs the variable `{name}`: {message}"))
                    }
                };
                self.findings.push(finding.at(&node.span).path(path));
                None
            }
        }
    }
}
