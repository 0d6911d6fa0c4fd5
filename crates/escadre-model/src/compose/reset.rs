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

impl Resets {
    /// Takes the tags out of a document.
    pub(crate) fn collect(node: &Node, findings: &mut Vec<Diagnostic>) -> (Node, Self) {
        let mut resets = Self::default();
        let mut path = Vec::new();
        let cleaned = resets.clean(node, &mut path, findings).unwrap_or_else(|| Node::null(&node.span));
        (cleaned, resets)
    }

    /// The node without tags; nothing if it is reset.
    fn clean(&mut self, node: &Node, path: &mut Vec<Arc<str>>, findings: &mut Vec<Diagnostic>) -> Option<Node> {
        let mut node = node.clone();
        match node.tag.take().as_deref() {
            None => {}
            Some("!reset") => {
                self.paths.push(path.clone());
                return None;
            }
            Some("!override") => {
                self.paths.push(path.clone());
                // A tag of ours says nothing about numbers; what it stands before is a text.
                if let Value::Scalar(scalar) = &mut node.value {
                    scalar.style = Style::Quoted;
                }
            }
            Some(tag) => {
                let path = path.join(".");
                let finding = Diagnostic::error(Code::E0109, format!("the tag `{tag}` is not known in a Compose file"));
                findings.push(finding.at(&node.span).path(path).hint("known are `!reset` and `!override`"));
            }
        }
        let value = match &node.value {
            Value::Sequence(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string().into());
                    kept.extend(self.clean(item, path, findings));
                    path.pop();
                }
                Value::Sequence(Arc::new(kept))
            }
            Value::Mapping(mapping) => {
                let mut kept = Mapping::with_capacity(mapping.len());
                for (key, value) in mapping.iter() {
                    path.push(Arc::clone(&key.text));
                    if let Some(value) = self.clean(value, path, findings) {
                        kept.insert(key.clone(), value);
                    }
                    path.pop();
                }
                Value::Mapping(Arc::new(kept))
            }
            other => other.clone(),
        };
        Some(Node { value, ..node })
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
