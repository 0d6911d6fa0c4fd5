//! One tree laid over another.
//!
//! In: what there is and what overrides it. Out: the merged tree, and findings.
//! **Invariant**: mappings merge by key, lists append, and the exceptions are the table in [`rule`]; nothing is dropped silently.
//! Not here: where the trees come from (load, extends, include), repeated list entries (unique).
//! Source: Compose Specification, chapter Merge.
//! Tests: tests/cases/compose.

use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Key, Mapping, Node, Scalar, Style, Value};
use std::sync::Arc;

/// How the values at a path merge.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// Mappings by key, lists appended without identical entries, anything else replaced.
    Plain,
    /// The later one stands alone.
    Replace,
    /// `KEY=value` lists and mappings, by key.
    Pairs,
    /// A text is a list of one; lists append.
    List,
    /// A text is `{context: text}`.
    Build,
    /// A list of services is a mapping with the default condition.
    DependsOn,
    /// A list of names is a mapping of names to nothing.
    Named,
    /// Options merge only when the drivers agree.
    Logging,
    /// A number and a mapping replace each other; mappings merge.
    Ulimit,
    /// Address pools, by subnet.
    Pools,
}

fn rule(path: &[&str]) -> Rule {
    match path {
        ["networks", _, "ipam", "config"] => Rule::Pools,
        ["networks" | "volumes" | "secrets" | "configs", _, "labels"] => Rule::Pairs,
        ["services", _, "deploy", "labels"] => Rule::Pairs,
        ["services" | "jobs", _, rest @ ..] => match rest {
            ["annotations" | "environment" | "labels" | "sysctls"] => Rule::Pairs,
            ["build", "args" | "additional_contexts" | "labels"] => Rule::Pairs,
            ["build"] => Rule::Build,
            ["build", "extra_hosts"] => Rule::List,
            ["dns" | "dns_opt" | "dns_search" | "env_file" | "label_file" | "extra_hosts" | "tmpfs"] => Rule::List,
            ["command" | "entrypoint"] | ["healthcheck", "test"] => Rule::Replace,
            ["depends_on"] => Rule::DependsOn,
            ["models" | "networks"] => Rule::Named,
            ["logging"] => Rule::Logging,
            ["ulimits", _] => Rule::Ulimit,
            _ => Rule::Plain,
        },
        _ => Rule::Plain,
    }
}

/// Lays `over` over `base`. `path` is where both stand.
pub(crate) fn merge(base: Node, over: Node, path: &[&str], findings: &mut Vec<Diagnostic>) -> Node {
    match rule(path) {
        Rule::Plain => {}
        Rule::Replace => return over,
        Rule::Pairs => return convert(base, over, path, findings, pairs, unite_pairs),
        Rule::List => return Node { value: append(list(&base), list(&over)), ..base },
        Rule::Build => {
            return convert(base, over, path, findings, |node, _| named_context(node), unite);
        }
        Rule::DependsOn => return convert(base, over, path, findings, |node, _| by_name(node, true), unite),
        Rule::Named => return convert(base, over, path, findings, |node, _| by_name(node, false), unite),
        Rule::Logging => return logging(base, over, path, findings),
        Rule::Ulimit => {
            if base.as_mapping().is_none() || over.as_mapping().is_none() {
                return over;
            }
        }
        Rule::Pools => return pools(base, over, path, findings),
    }
    if over.is_null() {
        return base;
    }
    match (&base.value, &over.value) {
        (Value::Mapping(_), Value::Mapping(_)) => unite(base, over, path, findings),
        (Value::Sequence(items), Value::Sequence(more)) => {
            Node { value: append(items.to_vec(), more.to_vec()), ..base }
        }
        (Value::Mapping(_) | Value::Sequence(_), _) => {
            conflict(&base, &over, path, findings);
            base
        }
        _ => over,
    }
}

fn conflict(base: &Node, over: &Node, path: &[&str], findings: &mut Vec<Diagnostic>) {
    let message = format!("`{}` cannot be merged: {} here, {} there", path.join("."), over.kind(), base.kind());
    let finding = Diagnostic::error(Code::E0411, message)
        .label(&over.span, "this overrides")
        .label(&base.span, "what is written here")
        .path(path.join("."));
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

type Convert = fn(&Node, &mut Vec<Diagnostic>) -> Option<Mapping>;
type Unite = fn(Node, Node, &[&str], &mut Vec<Diagnostic>) -> Node;

/// Brings both sides into one form and unites them; null is an empty mapping.
fn convert(
    base: Node,
    over: Node,
    path: &[&str],
    findings: &mut Vec<Diagnostic>,
    convert: Convert,
    unite: Unite,
) -> Node {
    let both = (convert(&base, findings), convert(&over, findings));
    let (Some(left), Some(right)) = both else {
        conflict(&base, &over, path, findings);
        return over;
    };
    let left = Node { value: Value::Mapping(Arc::new(left)), ..base };
    let right = Node { value: Value::Mapping(Arc::new(right)), ..over };
    unite(left, right, path, findings)
}

/// Mappings by key; both are mappings.
fn unite(mut base: Node, over: Node, path: &[&str], findings: &mut Vec<Diagnostic>) -> Node {
    let (Some(into), Value::Mapping(from)) = (base.mapping_mut(), &over.value) else { return over };
    for (key, value) in from.iter() {
        match into.get_mut(&key.text) {
            None => {
                into.insert(key.clone(), value.clone());
            }
            Some(slot) => {
                let before = std::mem::replace(slot, Node::null(&value.span));
                let mut deeper: Vec<&str> = path.to_vec();
                deeper.push(&key.text);
                *slot = merge(before, value.clone(), &deeper, findings);
            }
        }
    }
    base
}

/// `KEY=value`: the later value of a key stands, at the place of the first. What comes out counts as a list.
fn unite_pairs(mut base: Node, over: Node, _: &[&str], _: &mut Vec<Diagnostic>) -> Node {
    if let (Some(into), Value::Mapping(from)) = (base.mapping_mut(), over.value) {
        for (key, value) in from.iter() {
            into.insert(key.clone(), value.clone());
        }
        for (key, value) in into.iter_mut().filter(|(_, value)| value.is_null()) {
            value.raw = Some(Arc::clone(&key.text));
        }
    }
    base
}

/// `KEY=value` lists as a mapping; a key without value has null.
pub(crate) fn pairs(node: &Node, _: &mut Vec<Diagnostic>) -> Option<Mapping> {
    match &node.value {
        Value::Null => Some(Mapping::new()),
        Value::Mapping(mapping) if mapping.keys().any(|key| key.contains('=')) => Some(split_names(mapping)),
        Value::Mapping(mapping) => Some(Mapping::clone(mapping)),
        Value::Scalar(_) => pair(node).map(|entry| std::iter::once(entry).collect()),
        Value::Sequence(items) => items.iter().map(pair).collect(),
    }
}

/// A name that holds `=` is a name and the beginning of its value, as it would be in a list.
fn split_names(mapping: &Mapping) -> Mapping {
    let entry = |(key, value): (&Key, &Node)| match (key.text.split_once('='), value.as_str()) {
        (Some((name, begin)), rest) if value.is_null() || rest.is_some() => {
            let text = rest.map_or_else(|| begin.to_owned(), |rest| format!("{begin}={rest}"));
            (Key::new(name, &key.span), Node { value: Node::text(text, &value.span).value, ..value.clone() })
        }
        _ => (key.clone(), value.clone()),
    };
    mapping.iter().map(entry).collect()
}

/// `KEY=value` as key and value; `KEY` alone has null, with the name as what was written. Nothing for what is no text.
pub(crate) fn pair(node: &Node) -> Option<(Key, Node)> {
    let scalar = node.as_scalar()?;
    if scalar.resolve() != crate::text::Resolved::Text {
        return None;
    }
    // The key comes before the first hole, or there is no key.
    let (key, value) = scalar.text.split_once('=')?;
    let Some(text) = value else {
        return Some((Key::new(Arc::clone(&key), &node.span), Node { raw: Some(key), ..Node::null(&node.span) }));
    };
    let value = Value::Scalar(Scalar { text, style: Style::Quoted });
    // What was written before interpolation belongs to the value alone from here on.
    let raw = node.raw.as_ref().map(|raw| raw.split_once('=').map_or_else(|| Arc::clone(raw), |(_, raw)| raw.into()));
    Some((Key::new(key, &node.span), Node { value, span: node.span.clone(), tag: None, raw }))
}

fn named_context(node: &Node) -> Option<Mapping> {
    match &node.value {
        Value::Null => Some(Mapping::new()),
        Value::Mapping(mapping) => Some(Mapping::clone(mapping)),
        Value::Scalar(_) => Some(std::iter::once((Key::new("context", &node.span), node.clone())).collect()),
        Value::Sequence(_) => None,
    }
}

/// What `depends_on: [db]` stands for.
pub(crate) fn started(node: &Node) -> Node {
    let entries = [
        (Key::new("condition", &node.span), Node::text("service_started", &node.span)),
        (Key::new("required", &node.span), Node::plain("true", &node.span)),
    ];
    Node::mapping(entries.into_iter().collect(), &node.span)
}

/// A list of names as a mapping.
pub(crate) fn by_name(node: &Node, dependency: bool) -> Option<Mapping> {
    let value = |item: &Node| if dependency { started(item) } else { Node::null(&item.span) };
    let entry = |item: &Node| Some((Key::new(item.as_str()?, &item.span), value(item)));
    match &node.value {
        Value::Null => Some(Mapping::new()),
        Value::Mapping(mapping) => Some(Mapping::clone(mapping)),
        Value::Scalar(_) => entry(node).map(|entry| std::iter::once(entry).collect()),
        Value::Sequence(items) => items.iter().map(entry).collect(),
    }
}

fn logging(base: Node, over: Node, path: &[&str], findings: &mut Vec<Diagnostic>) -> Node {
    let (Some(old), Some(new)) = (base.as_mapping(), over.as_mapping()) else {
        conflict(&base, &over, path, findings);
        return over;
    };
    let agree = match (old.get("driver"), new.get("driver")) {
        (Some(old), Some(new)) => same(old, new),
        _ => true,
    };
    if agree { unite(base, over, path, findings) } else { over }
}

fn pools(base: Node, over: Node, path: &[&str], findings: &mut Vec<Diagnostic>) -> Node {
    let (Some(old), Some(new)) = (base.as_sequence(), over.as_sequence()) else {
        conflict(&base, &over, path, findings);
        return over;
    };
    // The reference changes pools while others still refer to them; what comes out depends on that, so places stand for pools.
    let mut pools: Vec<Node> = old.iter().chain(new).cloned().collect();
    let mut kept: Vec<usize> = Vec::new();
    let same_subnet = |pools: &[Node], a: usize, b: usize| subnet_of(pools, a) == subnet_of(pools, b);
    for right in 0..old.len() {
        for left in old.len()..old.len() + new.len() {
            if !same_subnet(&pools, left, right) && !kept.iter().any(|at| same_subnet(&pools, *at, left)) {
                kept.push(left);
                continue;
            }
            if let (Some(grown), Some(change)) = (pools.get(right).cloned(), pools.get(left).cloned()) {
                let merged = merge(grown, change, &[], findings);
                if let Some(slot) = pools.get_mut(right) {
                    *slot = merged;
                }
            }
            match kept.iter().position(|at| same_subnet(&pools, *at, right)) {
                Some(place) => kept.iter_mut().skip(place).take(1).for_each(|at| *at = right),
                None => kept.push(right),
            }
        }
    }
    let pools = kept.into_iter().filter_map(|at| pools.get(at).cloned()).collect();
    Node { value: Value::Sequence(Arc::new(pools)), ..base }
}

fn subnet_of(pools: &[Node], at: usize) -> Option<&str> {
    pools.get(at)?.get("subnet")?.as_str()
}

/// A text is a list of one; a mapping is a list of `key=value`; null is empty.
fn list(node: &Node) -> Vec<Node> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::Sequence(items) => items.to_vec(),
        Value::Scalar(_) => vec![node.clone()],
        Value::Mapping(mapping) => {
            let mut items: Vec<(String, Node)> = Vec::new();
            let mut push = |text: String, node: &Node| {
                items.push((text.clone(), Node { value: Node::text(text, &node.span).value, ..node.clone() }))
            };
            for (key, value) in mapping.iter() {
                match &value.value {
                    Value::Null => push(key.text.to_string(), value),
                    Value::Sequence(values) => {
                        for item in values.iter() {
                            push(format!("{}={}", key.text, item.as_str().unwrap_or_default()), item);
                        }
                    }
                    _ => push(format!("{}={}", key.text, value.as_str().unwrap_or_default()), value),
                }
            }
            items.sort_by(|a, b| a.0.cmp(&b.0));
            items.into_iter().map(|(_, node)| node).collect()
        }
    }
}

/// Appends what is not already there in identical form.
fn append(mut base: Vec<Node>, more: Vec<Node>) -> Value {
    for item in more {
        if !base.iter().any(|known| same(known, &item)) {
            base.push(item);
        }
    }
    Value::Sequence(Arc::new(base))
}

/// Whether two trees hold the same, wherever they were written.
pub(crate) fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Null, Value::Null) => true,
        (Value::Scalar(a), Value::Scalar(b)) => {
            use crate::text::Resolved::Text as Letters;
            match (a.resolve(), b.resolve()) {
                (Letters, Letters) => a.text == b.text,
                (a, b) => a == b,
            }
        }
        (Value::Sequence(a), Value::Sequence(b)) => {
            Arc::ptr_eq(a, b) || a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Mapping(a), Value::Mapping(b)) => {
            Arc::ptr_eq(a, b)
                || a.len() == b.len()
                    && a.iter().all(|(key, node)| b.get(&key.text).is_some_and(|other| same(node, other)))
        }
        _ => false,
    }
}
