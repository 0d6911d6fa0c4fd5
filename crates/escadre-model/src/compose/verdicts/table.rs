//! The table of verdicts: `table.txt`, read once.
//!
//! In: the text. Out: [`TABLE`], a tree of places with their lines.
//! **Invariant**: a line that cannot be read is in no release: the tests read every line.
//! Not here: which lines a project meets.
//! Tests: `tests.rs`.

use super::Kind;
use crate::diagnostic::Code;
use crate::text::Node;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The table.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("table.txt")));

/// What a line asks for beside its attribute.
#[derive(Debug, PartialEq)]
pub(super) enum Where {
    Always,
    /// One of these values, `*` for any text.
    Values(Vec<&'static str>),
    /// The engine runs without root.
    Rootless,
    /// A port that the engine publishes itself.
    Engine,
    /// A port that an endpoint of the product leads to.
    Endpoint,
    /// An entry that exists already.
    External,
    /// A secret that the product fills.
    Filled,
    /// A fleet of one: a Compose file alone.
    Single,
}

/// What is true where an attribute stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    pub(super) rootless: bool,
    pub(super) engine: bool,
    pub(super) endpoint: bool,
    pub(super) external: bool,
    pub(super) filled: bool,
    pub(super) single: bool,
}

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) attribute: &'static str,
    pub(super) only: Where,
    pub(super) kind: Kind,
    pub(super) code: Code,
    pub(super) text: &'static str,
    pub(super) instead: &'static str,
    /// The same on Kubernetes, once there is such a target.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page prints it; no target reads it yet"))]
    pub(super) kubernetes: &'static str,
}

impl Line {
    /// Whether it holds for a value.
    pub(super) fn fits(&self, value: Option<&str>, facts: Facts) -> bool {
        match &self.only {
            Where::Always => true,
            Where::Values(values) => value.is_some_and(|value| values.iter().any(|pattern| matches(pattern, value))),
            Where::Rootless => facts.rootless,
            Where::Engine => facts.engine,
            Where::Endpoint => facts.endpoint,
            Where::External => facts.external,
            Where::Filled => facts.filled,
            Where::Single => facts.single,
        }
    }
}

/// Whether a text fits a pattern with `*` for any text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// A place of the specification: an attribute, a name that people choose, the items of a list.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) lines: Vec<Line>,
    children: BTreeMap<&'static str, Place>,
    step: &'static str,
}

impl Place {
    /// The place of a key.
    pub(super) fn below(&self, key: &str) -> Option<&Place> {
        self.children.get(key).or_else(|| self.children.get("*"))
    }

    /// The first line that fits a value.
    pub(super) fn line(&self, value: &Node, facts: Facts) -> Option<&Line> {
        self.lines.iter().find(|line| line.fits(value.as_str(), facts))
    }

    /// Whether any line stands below.
    pub(super) fn has_below(&self) -> bool {
        !self.children.is_empty()
    }

    /// Whether people choose the names below.
    pub(super) fn is_named(&self) -> bool {
        self.children.contains_key("*")
    }

    /// Whether people choose its own name.
    pub(super) fn is_entry(&self) -> bool {
        self.step == "*"
    }
}

/// All lines, as a tree.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) root: Place,
    /// Lines that cannot be read.
    pub(super) broken: Vec<&'static str>,
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match read(line) {
                None => table.broken.push(line),
                Some(line) => {
                    let mut place = &mut table.root;
                    for step in line.attribute.split('.') {
                        place = place.children.entry(step).or_default();
                        place.step = step;
                    }
                    place.lines.push(line);
                }
            }
        }
        table
    }

    /// The line of an attribute, whatever its value.
    pub(super) fn general(&self, attribute: &str) -> Option<&Line> {
        let place = attribute.split('.').try_fold(&self.root, |place, step| place.below(step))?;
        place.lines.iter().find(|line| line.only == Where::Always)
    }

    /// All lines, in the order of the attributes' names.
    #[cfg(test)]
    pub(super) fn lines(&self) -> Vec<&Line> {
        fn visit<'t>(place: &'t Place, out: &mut Vec<&'t Line>) {
            out.extend(&place.lines);
            place.children.values().for_each(|child| visit(child, out));
        }
        let mut out = Vec::new();
        visit(&self.root, &mut out);
        out
    }
}

pub(super) fn read(line: &'static str) -> Option<Line> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let [attribute, only, kind, code, text, instead, kubernetes] = columns.as_slice() else { return None };
    let only = match *only {
        "" => Where::Always,
        "rootless" => Where::Rootless,
        "engine" => Where::Engine,
        "endpoint" => Where::Endpoint,
        "external" => Where::External,
        "filled" => Where::Filled,
        "single" => Where::Single,
        values => Where::Values(values.strip_prefix('=')?.split(',').map(str::trim).collect()),
    };
    let kind = match *kind {
        "exact" => Kind::Exact,
        "platform" => Kind::Platform,
        "approximated" => Kind::Approximated,
        "refused" => Kind::Refused,
        _ => return None,
    };
    Some(Line { attribute, only, kind, code: Code::find(code)?, text, instead, kubernetes })
}
