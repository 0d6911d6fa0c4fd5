//! What becomes of every attribute on a target.
//!
//! In: a project. Out: one verdict for each key that is written, with its place.
//! **Invariant**: every attribute of the specification has a line in `table.txt` (a test holds it); nothing is silently ignored.
//! Not here: the engine's words (escadre-render). Whoever makes an attribute work changes its line in the table.
//! Source: Compose Specification; decisions on engines in `docs/adr/`.
//! Tests: `tests.rs`, `tests/it/verdicts.rs`.

mod acknowledge;
mod table;
#[cfg(test)]
mod tests;

pub use acknowledge::{Acknowledgement, acknowledge, acknowledged, is_code};

use super::Project;
use crate::diagnostic::{Code, Span};
use crate::text::{Mapping, Node, Origin, Value};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use table::{Facts, Line, Place, TABLE};

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// As the specification says.
    Exact,
    /// The platform decides; the line has no effect of its own.
    Platform,
    /// The same purpose by other means, or nearly.
    Approximated,
    /// Not done. Where a service without it would be another service, the file is refused as well.
    Refused,
}

/// What verdicts depend on beside the Compose file.
#[derive(Clone, Debug, Default)]
pub struct Capabilities {
    /// The engine runs without root.
    pub rootless: bool,
    /// A fleet of one: a Compose file alone.
    pub single: bool,
    /// Secrets that the product fills.
    pub filled: BTreeSet<Arc<str>>,
    /// Services and their ports that endpoints of the product lead to.
    pub endpoints: BTreeSet<(Arc<str>, u16)>,
}

/// The verdict on one key that is written.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Its path: `services.web.container_name`. What the short syntax says in one text has one verdict: `services.web.ports.0`.
    pub path: String,
    /// Where it is written.
    pub span: Span,
    /// What becomes of it.
    pub kind: Kind,
    /// The code whose page explains it.
    pub code: Code,
    /// What happens, in a few words; empty for exact ones.
    pub text: &'static str,
    /// What to write or to do instead; empty unless refused.
    pub instead: &'static str,
    /// Where somebody wrote that this is known and accepted.
    pub acknowledged: Option<Span>,
}

impl Project {
    /// The verdict on every key that is written, of the services that are switched on, in the order of the normalised model; those that reading itself
    /// uses up (`version`, `include`, `extends`) come last.
    pub fn verdicts(&self, capabilities: &Capabilities) -> Vec<Verdict> {
        let facts = Facts { rootless: capabilities.rootless, single: capabilities.single, ..Facts::default() };
        let mut walk =
            Walk { capabilities, path: String::new(), names: Vec::new(), facts, many_ports: false, out: Vec::new() };
        walk.node(&self.root, &TABLE.root);
        for used in &self.used_up {
            walk.path.clone_from(&used.path);
            if let Some(line) = TABLE.general(used.attribute) {
                walk.say(line, &used.span);
            }
        }
        walk.out
    }
}

struct Walk<'c> {
    capabilities: &'c Capabilities,
    path: String,
    /// Names of entries that people chose, outermost first.
    names: Vec<Arc<str>>,
    facts: Facts,
    /// The service has so many ports that the engine publishes them itself.
    many_ports: bool,
    out: Vec<Verdict>,
}

/// Ports of one service beyond which the engine publishes them itself, instead of the edge.
const MANY_PORTS: usize = 64;

impl Walk<'_> {
    fn within(&mut self, step: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(step);
        walk(self);
        self.path.truncate(length);
    }

    fn say(&mut self, line: &'static Line, span: &Span) {
        self.out.push(Verdict {
            path: self.path.clone(),
            span: span.clone(),
            kind: line.kind,
            code: line.code,
            text: line.text,
            instead: line.instead,
            acknowledged: None,
        });
    }

    /// What stands below a place.
    fn node(&mut self, node: &Node, place: &'static Place) {
        match &node.value {
            Value::Mapping(mapping) => self.mapping(mapping, node, place),
            Value::Sequence(items) => {
                let Some(place) = place.below("[]") else { return };
                self.many_ports = items.len() > MANY_PORTS;
                for (index, item) in items.iter().enumerate() {
                    self.within(&index.to_string(), |walk| walk.node(item, place));
                }
            }
            Value::Null | Value::Scalar(_) => {}
        }
    }

    fn mapping(&mut self, mapping: &Mapping, node: &Node, place: &'static Place) {
        let facts = self.facts_of(node);
        // One text of the short syntax: all that it says has one verdict, the gravest.
        let spelled = || mapping.iter().filter(|(key, _)| key.origin == Origin::Spelled);
        if !self.path.is_empty()
            && !place.is_named()
            && spelled().next().is_some()
            && mapping.iter().all(|(key, _)| key.origin != Origin::Written)
        {
            let lines = spelled().filter_map(|(key, value)| place.below(&key.text)?.line(value, facts));
            if let Some(line) = lines.max_by_key(|line| line.kind) {
                self.say(line, &node.span);
            }
            return;
        }
        for (key, value) in mapping.iter().filter(|(key, _)| key.origin != Origin::Implied) {
            // What a later file adds to a short form stands beside it; the short form itself has no key.
            let Some(place) = place.below(&key.text).filter(|below| key.origin == Origin::Written || below.is_entry())
            else {
                continue;
            };
            if place.is_entry() {
                self.names.push(Arc::clone(&key.text));
            }
            self.within(&key.text, |walk| {
                let before = walk.out.len();
                if place.has_below() {
                    walk.node(value, place);
                }
                if walk.out.len() == before
                    && let Some(line) = place.line(value, facts)
                {
                    walk.say(line, &key.span);
                }
            });
            if place.is_entry() {
                self.names.pop();
            }
        }
    }

    /// What is true of a mapping's members.
    fn facts_of(&self, node: &Node) -> Facts {
        let text = |key: &str| node.get(key).and_then(Node::as_str);
        let name = self.names.last();
        let port = text("target").and_then(|target| target.parse().ok());
        let endpoint =
            |port: u16| name.is_some_and(|name| self.capabilities.endpoints.contains(&(Arc::clone(name), port)));
        Facts {
            engine: self.many_ports
                || text("mode") == Some("host")
                || text("protocol").is_some_and(|protocol| protocol != "tcp"),
            endpoint: port.is_some_and(endpoint),
            external: text("external") == Some("true"),
            filled: name.is_some_and(|name| self.capabilities.filled.contains(name)),
            ..self.facts
        }
    }
}
