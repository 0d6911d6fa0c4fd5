//! Every scalar gets its type and its one spelling; what equals absence goes.
//!
//! In: a complete tree in long syntax. Out: the normalised tree: sizes as bytes, durations as `1m30s`, commands as words.
//! **Invariant**: two files that mean the same give the same tree; a secret is only where a text is passed on unread.
//! Not here: references between entries (consistency).
//! Tests: tests/cases/compose.

use super::schema::{Integer, Object, Pairs, Shape, tables as t};
use super::trail::{Step, Trail};
use super::{merge, units};
use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Mapping, Node, Resolved, Scalar, Style, Value};
use std::sync::Arc;

/// What became of a value.
enum Outcome {
    Same,
    New(Node),
    /// It says what absence says.
    Drop,
}

/// The normalised tree.
pub(crate) fn decode(root: &Node, shape: &Shape, findings: &mut Vec<Diagnostic>) -> Node {
    let mut decoder = Decoder::at(String::new(), findings);
    match decoder.node(root, shape) {
        Outcome::New(node) => node,
        Outcome::Same | Outcome::Drop => root.clone(),
    }
}

pub(crate) struct Decoder<'f> {
    findings: &'f mut Vec<Diagnostic>,
    path: Trail,
}

impl<'f> Decoder<'f> {
    /// Begins at a path.
    pub(crate) fn at(path: String, findings: &'f mut Vec<Diagnostic>) -> Self {
        Self { findings, path: Trail::at(path) }
    }

    /// Reports what cannot be read.
    pub(crate) fn reads(&mut self, node: &Node, shape: &Shape) {
        self.node(node, shape);
    }
}

impl Decoder<'_> {
    fn within<T>(&mut self, step: impl Step, read: impl FnOnce(&mut Self) -> T) -> T {
        let here = self.path.go(step);
        let result = read(self);
        self.path.back(here);
        result
    }

    fn error(&mut self, code: Code, node: &Node, message: &str) -> Outcome {
        let finding = Diagnostic::error(code, format!("`{}`: {}", self.path, node.veil(message)))
            .at(&node.span)
            .path(&*self.path);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
        Outcome::Same
    }

    /// The letters of a scalar that has to be read here.
    fn letters<'n>(&mut self, node: &'n Node) -> Result<&'n str, Outcome> {
        match node.as_scalar().map(Scalar::as_str) {
            Some(Some(text)) => Ok(text),
            Some(None) => Err(self.error(
                Code::E0420,
                node,
                "a secret cannot stand here; its value is not read before the engine call",
            )),
            None => {
                Err(self.error(Code::E0403, node, &format!("a text or a number is wanted, here is {}", node.kind())))
            }
        }
    }

    fn node(&mut self, node: &Node, shape: &Shape) -> Outcome {
        if node.is_null() && !matches!(shape, Shape::Object(_) | Shape::Pairs(_)) {
            return Outcome::Drop;
        }
        match shape {
            Shape::Text
            | Shape::TextOrNull
            | Shape::Choice(_)
            | Shape::Rule(..)
            | Shape::TextOrNumber
            | Shape::TextOrBool => text(node),
            Shape::Bool { keep, .. } => self.boolean(node, |value| *keep || value),
            Shape::OptOut { .. } => self.boolean(node, |value| !value),
            Shape::External => self.boolean(node, |value| value),
            Shape::Int(integer) => self.integer(node, integer),
            Shape::Float { .. } => self.float(node),
            Shape::Bytes { .. } => self.bytes(node),
            Shape::Duration { keep } => self.duration(node, *keep),
            Shape::Mode => self.mode(node),
            Shape::TmpfsMode => self.tmpfs_mode(node),
            Shape::DeviceCount => self.device_count(node),
            Shape::Object(object) | Shape::Short(_, object) => self.object(node, object),
            Shape::Port => self.object(node, &t::PORT),
            Shape::Volume => self.object(node, &t::MOUNT),
            Shape::Device => self.object(node, &t::DEVICE),
            Shape::FileReference => self.object(node, &t::FILE_REFERENCE),
            Shape::Build => self.object(node, &t::BUILD),
            Shape::Schedule => self.object(node, &t::SCHEDULE),
            Shape::Dict(_, of) | Shape::Named(of) => self.dict(node, of),
            Shape::DependsOn => self.dict(node, &Shape::Object(&t::DEPENDENCY)),
            Shape::List { of, .. } => self.list(node, of),
            Shape::Ports => self.list(node, &Shape::Port),
            Shape::EnvFiles => self.list(node, &Shape::Object(&t::ENV_FILE)),
            Shape::Gpus => self.list(node, &Shape::Object(&t::GPU)),
            Shape::Texts { .. } | Shape::TextOrTexts { .. } | Shape::TextsOrNumbers => texts(node),
            Shape::Command => self.command(node),
            Shape::HealthTest => self.health_test(node),
            Shape::Pairs(pairs) => self.pairs(node, *pairs),
            Shape::Options { .. } => self.pairs(node, Pairs::Values),
            Shape::MultiOptions => multi_options(node),
            Shape::Hosts => self.hosts(node),
            Shape::Ulimit => self.ulimit(node),
        }
    }

    fn boolean(&mut self, node: &Node, keep: impl Fn(bool) -> bool) -> Outcome {
        let value = match node.as_scalar().map(Scalar::resolve) {
            Some(Resolved::Bool(value)) => value,
            _ => match self.letters(node) {
                Err(outcome) => return outcome,
                Ok(text) => match text.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    "y" | "yes" | "on" => self.spelled(node, text, true),
                    "n" | "no" | "off" => self.spelled(node, text, false),
                    _ => return self.error(Code::E0408, node, &format!("`{text}` is neither `true` nor `false`")),
                },
            },
        };
        if !keep(value) {
            return Outcome::Drop;
        }
        plain(node, if value { "true" } else { "false" }.to_owned())
    }

    fn spelled(&mut self, node: &Node, text: &str, value: bool) -> bool {
        let message = format!("`{}`: {}", self.path, node.veil(&format!("`{text}` is read as `{value}`")));
        let finding = Diagnostic::warning(Code::W0403, message).at(&node.span).path(&*self.path);
        self.findings.push(finding.hint(format!("write `{value}`")));
        value
    }

    fn integer(&mut self, node: &Node, integer: &Integer) -> Outcome {
        let value = match node.as_scalar().map(Scalar::resolve) {
            Some(Resolved::Integer(value)) => i64::try_from(value).ok(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "fractions are cut, as the reference does; out of range is refused"
            )]
            Some(Resolved::Float(value)) if value.abs() < 9e18 => Some(value as i64),
            _ => match self.letters(node) {
                Err(outcome) => return outcome,
                // A quoted number is decimal: `"010"` is ten, while a bare `010` is eight.
                // Only a umask reads the same with and without quotes.
                Ok(text) if self.path.ends_with(".umask") => units::go_integer(text).map(i64::from),
                Ok(text) => text.parse().ok(),
            },
        };
        match value {
            None => {
                let shown = node.as_scalar().map(Scalar::display).unwrap_or_default();
                self.error(Code::E0408, node, &format!("`{shown}` is no integer of 64 bits"))
            }
            Some(value) if value < integer.least || value > integer.most => {
                let message = format!("{value} must lie between {} and {}", integer.least, integer.most);
                self.error(Code::E0405, node, &message)
            }
            Some(0) if !integer.keep => Outcome::Drop,
            Some(value) => plain(node, value.to_string()),
        }
    }

    fn float(&mut self, node: &Node) -> Outcome {
        let value = match node.as_scalar().map(Scalar::resolve) {
            #[expect(clippy::cast_precision_loss, reason = "that is what a float is")]
            Some(Resolved::Integer(value)) => Some(value as f64),
            Some(Resolved::Float(value)) => Some(value),
            _ => match self.letters(node) {
                Err(outcome) => return outcome,
                Ok(text) => units::joined(text).and_then(|text| text.parse::<f64>().ok()),
            },
        };
        #[expect(clippy::cast_possible_truncation, reason = "32 bits, as the reference keeps")]
        match value.filter(|value| value.is_finite()).map(|value| value as f32) {
            None => {
                let shown = node.as_scalar().map(Scalar::display).unwrap_or_default();
                self.error(Code::E0408, node, &format!("`{shown}` is no number"))
            }
            Some(0.0) => Outcome::Drop,
            Some(value) if value < 0.0 => self.error(Code::E0405, node, &format!("{value} must not be negative")),
            Some(value) => plain(node, value.to_string()),
        }
    }

    fn bytes(&mut self, node: &Node) -> Outcome {
        let value = match node.as_scalar().map(Scalar::resolve) {
            Some(Resolved::Integer(value)) => i64::try_from(value).map_err(|_| format!("{value} is larger than 8 EiB")),
            _ => match self.letters(node) {
                Err(outcome) => return outcome,
                Ok(text) => units::bytes(text),
            },
        };
        match value {
            Err(message) => self.error(Code::E0412, node, &message),
            Ok(0) => Outcome::Drop,
            Ok(value) => quoted(node, value.to_string()),
        }
    }

    fn duration(&mut self, node: &Node, keep: bool) -> Outcome {
        let text = match self.letters(node) {
            Err(outcome) => return outcome,
            Ok(text) => text,
        };
        match units::nanoseconds(text) {
            Err(message) => self.error(Code::E0412, node, &message),
            Ok(0) if !keep => Outcome::Drop,
            Ok(value) => quoted(node, units::duration_text(value)),
        }
    }

    fn mode(&mut self, node: &Node) -> Outcome {
        let value = match node.as_scalar().map(Scalar::resolve) {
            Some(Resolved::Integer(value)) => i64::try_from(value).ok(),
            Some(Resolved::Float(_)) => None,
            _ => match self.letters(node) {
                Err(outcome) => return outcome,
                Ok(text) => i64::from_str_radix(text, 8).ok(),
            },
        };
        match value {
            Some(value) if value >= 0 => quoted(node, format!("0{value:o}")),
            _ => self.error(Code::E0412, node, "file permissions are an octal number such as `0440`"),
        }
    }

    fn tmpfs_mode(&mut self, node: &Node) -> Outcome {
        let value = match node.as_scalar().map(Scalar::resolve) {
            Some(Resolved::Integer(value)) => u32::try_from(value).ok(),
            Some(Resolved::Float(_)) => None,
            _ => match self.letters(node) {
                Err(outcome) => return outcome,
                Ok(text) => u32::from_str_radix(text, 8).ok(),
            },
        };
        match value {
            None => self.error(Code::E0412, node, "file permissions are an octal number such as `0755`"),
            Some(0) => Outcome::Drop,
            Some(value) => plain(node, value.to_string()),
        }
    }

    fn device_count(&mut self, node: &Node) -> Outcome {
        if let Some(Resolved::Integer(value)) = node.as_scalar().map(Scalar::resolve) {
            return if value == 0 { Outcome::Drop } else { plain(node, value.to_string()) };
        }
        match self.letters(node) {
            Err(outcome) => outcome,
            Ok(text) if text.eq_ignore_ascii_case("all") => plain(node, "-1".to_owned()),
            Ok(text) => match text.parse::<i64>() {
                Ok(0) => Outcome::Drop,
                Ok(value) => plain(node, value.to_string()),
                Err(_) => self.error(Code::E0408, node, &format!("`{text}` is neither `all` nor a number")),
            },
        }
    }

    fn object(&mut self, node: &Node, object: &Object) -> Outcome {
        let Some(mapping) = node.as_mapping() else {
            return if node.is_null() { Outcome::Drop } else { Outcome::Same };
        };
        let mut changed: Option<Mapping> = None;
        for (key, value) in mapping.iter() {
            let Some(shape) = object.field(&key.text) else { continue };
            let outcome = self.within(&key.text, |decoder| decoder.node(value, shape));
            if !matches!(outcome, Outcome::Same) {
                let into = changed.get_or_insert_with(|| mapping.clone());
                match outcome {
                    Outcome::New(node) => into.replace(&key.text, node),
                    _ => {
                        into.remove(&key.text);
                    }
                }
            }
        }
        rebuilt(node, changed)
    }

    fn dict(&mut self, node: &Node, of: &Shape) -> Outcome {
        let Some(mapping) = node.as_mapping() else { return Outcome::Same };
        if mapping.is_empty() {
            return Outcome::Drop;
        }
        let mut changed: Option<Mapping> = None;
        for (key, value) in mapping.iter() {
            if let Outcome::New(node) = self.within(&key.text, |decoder| decoder.node(value, of)) {
                changed.get_or_insert_with(|| mapping.clone()).replace(&key.text, node);
            }
        }
        rebuilt(node, changed)
    }

    fn list(&mut self, node: &Node, of: &Shape) -> Outcome {
        let Some(items) = node.as_sequence() else { return Outcome::Same };
        if items.is_empty() {
            return Outcome::Drop;
        }
        let mut changed: Option<Vec<Node>> = None;
        for (index, item) in items.iter().enumerate() {
            if let Outcome::New(node) = self.within(index, |decoder| decoder.node(item, of))
                && let Some(slot) = changed.get_or_insert_with(|| items.to_vec()).get_mut(index)
            {
                *slot = node;
            }
        }
        match changed {
            None => Outcome::Same,
            Some(items) => Outcome::New(Node { value: Value::Sequence(Arc::new(items)), ..node.clone() }),
        }
    }

    fn command(&mut self, node: &Node) -> Outcome {
        if node.as_sequence().is_some() {
            return Outcome::Same;
        }
        let line = match node.as_scalar().map(Scalar::as_str) {
            Some(Some(line)) => line,
            Some(None) => {
                return self.error(Code::E0420, node, "a secret can stand in a command only in the list form");
            }
            None => return Outcome::Same,
        };
        match units::words(line) {
            Err(message) => self.error(Code::E0412, node, &format!("the command cannot be split: {message}")),
            Ok(words) => {
                let items = words.into_iter().map(|word| Node::text(word, &node.span)).collect();
                Outcome::New(Node { value: Value::Sequence(Arc::new(items)), ..node.clone() })
            }
        }
    }

    fn health_test(&mut self, node: &Node) -> Outcome {
        match &node.value {
            Value::Scalar(_) => {
                let items = vec![Node::text("CMD-SHELL", &node.span), as_text(node)];
                Outcome::New(Node { value: Value::Sequence(Arc::new(items)), ..node.clone() })
            }
            Value::Sequence(items) if items.is_empty() => Outcome::Drop,
            _ => Outcome::Same,
        }
    }

    fn pairs(&mut self, node: &Node, pairs: Pairs) -> Outcome {
        if node.as_sequence().is_some()
            && let Some(mapping) = merge::pairs(node, self.findings)
        {
            let mapping = Node { value: Value::Mapping(Arc::new(mapping)), ..node.clone() };
            return match self.pairs(&mapping, pairs) {
                Outcome::Same => Outcome::New(mapping),
                other => other,
            };
        }
        let Some(mapping) = node.as_mapping() else {
            return if node.is_null() { Outcome::Drop } else { Outcome::Same };
        };
        if mapping.is_empty() {
            return Outcome::Drop;
        }
        let mut changed: Option<Mapping> = None;
        for (key, value) in mapping.iter() {
            if key.text.ends_with(char::is_whitespace) && matches!(pairs, Pairs::Environment | Pairs::Arguments) {
                self.error(Code::E0405, value, &format!("the variable `{}` ends with a space", key.text));
            }
            let new = match &value.value {
                Value::Null if pairs == Pairs::Values => Some(Node::text("", &value.span)),
                Value::Scalar(scalar) if scalar.resolve() != Resolved::Text => Some(as_text(value)),
                _ => None,
            };
            if let Some(new) = new {
                changed.get_or_insert_with(|| mapping.clone()).replace(&key.text, new);
            }
        }
        rebuilt(node, changed)
    }

    fn hosts(&mut self, node: &Node) -> Outcome {
        let mut hosts: Vec<(String, Node)> = Vec::new();
        match &node.value {
            Value::Mapping(mapping) => {
                for (key, value) in mapping.iter() {
                    let values = value.as_sequence().unwrap_or(std::slice::from_ref(value));
                    for address in values {
                        let letters = address.as_str().unwrap_or_default();
                        self.host(&key.text, letters, address, &mut hosts);
                    }
                }
            }
            Value::Sequence(items) => {
                for item in items.iter() {
                    let text = match self.letters(item) {
                        Err(_) => continue,
                        Ok(text) => text,
                    };
                    match text.split_once('=').or_else(|| text.split_once(':')) {
                        Some((name, addresses)) => {
                            for address in addresses.split(',') {
                                self.host(name, address, item, &mut hosts);
                            }
                        }
                        None => {
                            self.error(Code::E0412, item, &format!("`{text}` has no address; write `host=address`"));
                        }
                    }
                }
            }
            _ => return Outcome::Same,
        }
        if hosts.is_empty() && node.as_mapping().is_none_or(Mapping::is_empty) {
            return Outcome::Drop;
        }
        hosts.sort_by(|a, b| a.0.cmp(&b.0));
        let items = hosts.into_iter().map(|(_, node)| node).collect();
        Outcome::New(Node { value: Value::Sequence(Arc::new(items)), ..node.clone() })
    }

    fn host(&mut self, name: &str, address: &str, node: &Node, hosts: &mut Vec<(String, Node)>) {
        if name.is_empty() || name.contains([':', '=']) {
            self.error(Code::E0412, node, &format!("`{name}` is no host name"));
            return;
        }
        let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
        let text = format!("{name}={address}");
        hosts.push((text.clone(), Node { value: Node::text(text, &node.span).value, ..node.clone() }));
    }

    fn ulimit(&mut self, node: &Node) -> Outcome {
        const ANY: Integer =
            Integer { fraction: false, text: true, least: i64::MIN, most: i64::MAX, keep: true, null: false };
        if node.as_mapping().is_some() {
            return self.object(node, &t::ULIMIT);
        }
        let outcome = self.integer(node, &ANY);
        let number = if let Outcome::New(number) = &outcome { number } else { node };
        // The reference prints a single zero as an empty mapping.
        if number.as_str() == Some("0") {
            return Outcome::New(Node::mapping(Mapping::new(), &node.span));
        }
        outcome
    }
}

fn rebuilt(node: &Node, changed: Option<Mapping>) -> Outcome {
    match changed {
        None => Outcome::Same,
        Some(mapping) => Outcome::New(Node { value: Value::Mapping(Arc::new(mapping)), ..node.clone() }),
    }
}

fn plain(node: &Node, text: String) -> Outcome {
    match node.as_scalar() {
        Some(scalar) if scalar.style == Style::Plain && scalar.as_str() == Some(&text) => Outcome::Same,
        _ => Outcome::New(Node { value: Value::Scalar(Scalar::plain(text)), ..node.clone() }),
    }
}

fn quoted(node: &Node, text: String) -> Outcome {
    Outcome::New(Node { value: Value::Scalar(Scalar::text(text)), ..node.clone() })
}

/// Numbers and booleans as the text the reference makes of them: `1.10` is `1.1`, `0x10` is `16`.
pub(crate) fn as_text(node: &Node) -> Node {
    let Some(scalar) = node.as_scalar() else { return node.clone() };
    let text = match scalar.resolve() {
        Resolved::Text => return node.clone(),
        Resolved::Null => String::new(),
        Resolved::Bool(value) => value.to_string(),
        Resolved::Integer(value) => value.to_string(),
        Resolved::Float(value) => float_text(value),
    };
    Node { value: Value::Scalar(Scalar::text(text)), ..node.clone() }
}

/// The shortest decimal form; from a million on, and below a ten-thousandth, with an exponent.
fn float_text(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let power: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&power) {
        return value.to_string();
    }
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

fn text(node: &Node) -> Outcome {
    match node.as_scalar() {
        Some(scalar) if scalar.is_empty() => Outcome::Drop,
        Some(scalar) if scalar.resolve() != Resolved::Text => Outcome::New(as_text(node)),
        _ => Outcome::Same,
    }
}

fn texts(node: &Node) -> Outcome {
    let Some(items) = node.as_sequence() else {
        return match node.as_scalar() {
            Some(_) => Outcome::New(Node::sequence(vec![as_text(node)], &node.span)),
            None => Outcome::Same,
        };
    };
    if items.is_empty() {
        return Outcome::Drop;
    }
    if items.iter().all(|item| item.as_scalar().is_none_or(|scalar| scalar.resolve() == Resolved::Text)) {
        return Outcome::Same;
    }
    let items = items.iter().map(as_text).collect();
    Outcome::New(Node { value: Value::Sequence(Arc::new(items)), ..node.clone() })
}

fn multi_options(node: &Node) -> Outcome {
    let Some(mapping) = node.as_mapping() else { return Outcome::Same };
    let lists = mapping.iter().map(|(key, value)| {
        let items = match value.as_sequence() {
            Some(items) => items.iter().map(as_text).collect(),
            None => vec![as_text(value)],
        };
        (key.clone(), Node::sequence(items, &value.span))
    });
    let lists: Mapping = lists.filter(|(_, list)| list.as_sequence().is_some_and(|items| !items.is_empty())).collect();
    if lists.is_empty() { Outcome::Drop } else { rebuilt(node, Some(lists)) }
}
