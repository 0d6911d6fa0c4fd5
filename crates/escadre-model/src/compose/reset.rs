//! `!reset` and `!override`: what a later file takes away from earlier ones.
//!
//! In: the tree of one document. Out: the tree without what is reset, and the paths that earlier files lose.
//! **Invariant**: no tag is left in a tree that comes out of here; unknown tags are errors.
//! Not here: merging itself (merge).
//! Source: Compose Specification, chapter Merge.
//! Tests: tests/cases/compose.

use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Mapping, Node, Style, Value};
use std::sync::Arc;

/// Paths that a document takes away from what earlier documents said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resets {
    paths: Vec<Vec<Arc<str>>>,
}

/// What became of a value.
enum Cleaned {
    Same,
    New(Node),
    Gone,
}

impl Resets {
    /// Takes the tags out of a document.
    pub(crate) fn collect(node: &Node, findings: &mut Vec<Diagnostic>) -> (Node, Self) {
        let mut resets = Self::default();
        let mut path = Vec::new();
        let cleaned = match resets.clean(node, &mut path, findings) {
            Cleaned::Same => node.clone(),
            Cleaned::New(node) => node,
            Cleaned::Gone => Node::null(&node.span),
        };
        (cleaned, resets)
    }

    /// Takes the tags out of one value; what holds none stays shared with whatever else refers to it.
    fn clean(&mut self, node: &Node, path: &mut Vec<Arc<str>>, findings: &mut Vec<Diagnostic>) -> Cleaned {
        let mut changed: Option<Node> = None;
        match node.tag.as_deref() {
            None => {}
            Some("!reset") => {
                self.paths.push(path.clone());
                return Cleaned::Gone;
            }
            Some(tag) => {
                let mut bare = Node { tag: None, ..node.clone() };
                if tag == "!override" {
                    self.paths.push(path.clone());
                    if node.is_null() {
                        // The reference reads the text `null` here: a command of that name, a list of one.
                        let message = format!(
                            "`{}`: `!override` puts something in the place of what was there, and here is nothing",
                            path.join(".")
                        );
                        let finding = Diagnostic::error(Code::E0405, message).at(&node.span).path(path.join("."));
                        findings.push(finding.hint("write `!reset null` to take away what was there"));
                    }
                    // A tag of ours says nothing about numbers; what it stands before is a text.
                    if let Value::Scalar(scalar) = &mut bare.value {
                        scalar.style = Style::Quoted;
                    }
                } else {
                    let message = format!("the tag `{tag}` is not known in a Compose file");
                    let finding = Diagnostic::error(Code::E0109, message).at(&node.span).path(path.join("."));
                    findings.push(finding.hint("known are `!reset` and `!override`"));
                }
                changed = Some(bare);
            }
        }
        let value = match &node.value {
            Value::Sequence(items) => self.items(items, path, findings).map(|items| Value::Sequence(Arc::new(items))),
            Value::Mapping(mapping) => {
                self.entries(mapping, path, findings).map(|mapping| Value::Mapping(Arc::new(mapping)))
            }
            Value::Null | Value::Scalar(_) => None,
        };
        if let Some(value) = value {
            changed.get_or_insert_with(|| node.clone()).value = value;
        }
        changed.map_or(Cleaned::Same, Cleaned::New)
    }

    fn items(&mut self, items: &[Node], path: &mut Vec<Arc<str>>, findings: &mut Vec<Diagnostic>) -> Option<Vec<Node>> {
        let mut changed: Option<Vec<Node>> = None;
        for (index, item) in items.iter().enumerate() {
            let plain = item.tag.is_none() && matches!(item.value, Value::Null | Value::Scalar(_));
            let cleaned = if plain {
                Cleaned::Same
            } else {
                path.push(index.to_string().into());
                let cleaned = self.clean(item, path, findings);
                path.pop();
                cleaned
            };
            if !matches!(cleaned, Cleaned::Same) {
                changed.get_or_insert_with(|| items.iter().take(index).cloned().collect());
            }
            if let Some(kept) = &mut changed {
                match cleaned {
                    Cleaned::Same => kept.push(item.clone()),
                    Cleaned::New(node) => kept.push(node),
                    Cleaned::Gone => {}
                }
            }
        }
        changed
    }

    fn entries(
        &mut self,
        mapping: &Mapping,
        path: &mut Vec<Arc<str>>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Mapping> {
        let mut changed: Option<Mapping> = None;
        for (key, value) in mapping.iter() {
            if value.tag.is_none() && matches!(value.value, Value::Null | Value::Scalar(_)) {
                continue;
            }
            path.push(Arc::clone(&key.text));
            match self.clean(value, path, findings) {
                Cleaned::Same => {}
                Cleaned::New(node) => {
                    changed.get_or_insert_with(|| mapping.clone()).insert(key.clone(), node);
                }
                Cleaned::Gone => {
                    changed.get_or_insert_with(|| mapping.clone()).remove(&key.text);
                }
            }
            path.pop();
        }
        changed
    }

    /// Removes what is taken away from a model.
    pub(crate) fn apply(&self, model: &mut Node) {
        for path in &self.paths {
            remove(model, path);
        }
    }

    /// Removes what is taken away from one entry, such as a service that is being extended.
    pub(crate) fn apply_within(&self, section: &str, name: &str, entry: &mut Node) {
        for path in &self.paths {
            if let [first, second, rest @ ..] = path.as_slice()
                && &**first == section
                && &**second == name
                && !rest.is_empty()
            {
                remove(entry, rest);
            }
        }
    }
}

fn remove(node: &mut Node, path: &[Arc<str>]) {
    let Some((last, parents)) = path.split_last() else { return };
    // Nothing is copied unless the path exists.
    if path.iter().try_fold(&*node, |node, step| node.get(step)).is_none() {
        return;
    }
    let owner = parents.iter().try_fold(node, |node, step| node.mapping_mut()?.get_mut(step));
    if let Some(mapping) = owner.and_then(Node::mapping_mut) {
        mapping.remove(last);
    }
}
