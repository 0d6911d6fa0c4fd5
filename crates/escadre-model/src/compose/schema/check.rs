//! Does a tree have the shape the specification asks for?
//!
//! In: a tree and a [`Shape`]. Out: one finding for each place that does not fit.
//! **Invariant**: the tree is not changed; a place is reported once, however often it is checked.
//! Not here: whether texts hold what they should (units, ports, times): decode.
//! Tests: tests/cases/compose.

use super::super::schema::tables as t;
use super::super::trail::{Step, Trail};
use super::{Integer, Keys, Object, Pairs, Shape};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::text::{Key, Mapping, Node, Resolved, Scalar, Text, Value};
use std::collections::HashSet;

/// Errors after which no more are looked for; nobody reads a thousand, and each is compared with those before it.
const MOST: usize = 1_000;

/// Walks a tree and collects what does not fit.
pub(crate) struct Checker<'f> {
    path: Trail,
    findings: &'f mut Vec<Diagnostic>,
}

impl<'f> Checker<'f> {
    /// Begins at the top of a document.
    pub(crate) fn new(findings: &'f mut Vec<Diagnostic>) -> Self {
        Self { path: Trail::default(), findings }
    }

    fn report(&mut self, finding: Diagnostic) {
        let finding = finding.path(&*self.path);
        let errors = self.findings.iter().filter(|known| known.is_error()).count();
        if errors < MOST && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn within(&mut self, step: impl Step, check: impl FnOnce(&mut Self)) {
        let here = self.path.go(step);
        check(self);
        self.path.back(here);
    }

    fn wrong(&mut self, node: &Node, wanted: &str) {
        let message = format!("`{}` must be {wanted}, here is {}", self.path, node.kind());
        self.report(Diagnostic::error(Code::E0403, message).at(&node.span));
    }

    fn bad(&mut self, node: &Node, message: String) {
        self.report(Diagnostic::error(Code::E0405, node.veil(&message)).at(&node.span));
    }

    /// Checks one value that stands below a key.
    pub(crate) fn check_at(&mut self, key: &str, node: &Node, shape: &Shape) {
        self.within(key, |checker| checker.check(node, shape));
    }

    /// Checks one value.
    pub(crate) fn check(&mut self, node: &Node, shape: &Shape) {
        match shape {
            Shape::Text => self.scalar(node, &[Kind::Text], "a text"),
            Shape::TextOrNull => self.scalar(node, &[Kind::Text, Kind::Null], "a text"),
            Shape::TextOrNumber => self.scalar(node, &[Kind::Text, Kind::Integer], "a text or an integer"),
            Shape::TextOrBool => self.scalar(node, &[Kind::Text, Kind::Bool], "a text or a boolean"),
            Shape::Choice(words) => self.choice(node, words),
            Shape::Rule(holds, words) => self.rule(node, *holds, words),
            Shape::Bool { text: true, .. } | Shape::OptOut { text: true } => {
                self.scalar(node, &[Kind::Bool, Kind::Text], "`true` or `false`");
            }
            Shape::Bool { .. } | Shape::OptOut { .. } => self.scalar(node, &[Kind::Bool], "`true` or `false`"),
            Shape::Int(integer) => self.integer(node, integer),
            Shape::Float { fraction, least, most } => self.float(node, *fraction, *least, *most),
            Shape::Bytes { number, fraction, least } => self.bytes(node, *number, *fraction, *least),
            Shape::Duration { .. } => self.scalar(node, &[Kind::Text], "a duration such as `1m30s`"),
            Shape::Mode | Shape::TmpfsMode => {
                self.scalar(node, &[Kind::Integer, Kind::Float, Kind::Text], "file permissions")
            }
            Shape::DeviceCount => self.scalar(node, &[Kind::Integer, Kind::Text], "a number or `all`"),
            Shape::Object(object) => self.object(node, object),
            Shape::Short(_, object) => self.text_or_object(node, object),
            Shape::Dict(keys, of) => self.dict(node, *keys, of),
            Shape::Named(of) => self.named(node, of),
            Shape::List { of, unique } => self.list(node, of, *unique),
            Shape::Texts { unique } => self.texts(node, *unique, "a list of texts"),
            Shape::TextOrTexts { unique } if kind(node) != Kind::Text => {
                self.texts(node, *unique, "a text or a list of texts");
            }
            Shape::TextOrTexts { .. } => {}
            Shape::TextsOrNumbers => {
                self.items(node, true, "a list of texts or numbers", &[Kind::Text, Kind::Integer]);
                self.numbers_again(node);
            }
            Shape::Command if matches!(kind(node), Kind::Null | Kind::Text) => {}
            Shape::HealthTest if kind(node) == Kind::Text => {}
            Shape::Command | Shape::HealthTest => self.texts(node, false, "a text or a list of texts"),
            Shape::Pairs(pairs) => self.pairs(node, *pairs),
            Shape::Options { null } => self.options(node, *null),
            Shape::MultiOptions => self.multi_options(node),
            Shape::Hosts => self.hosts(node),
            Shape::Ulimit => self.ulimit(node),
            Shape::Ports => self.ports(node),
            Shape::Port => self.object(node, &t::PORT),
            Shape::Volume => self.text_or_object(node, &t::MOUNT),
            Shape::Device => self.text_or_object(node, &t::DEVICE),
            Shape::FileReference => self.text_or_object(node, &t::FILE_REFERENCE),
            Shape::EnvFiles => self.env_files(node),
            Shape::DependsOn => self.depends_on(node),
            Shape::Build => self.text_or_object(node, &t::BUILD),
            Shape::Gpus => self.gpus(node),
            Shape::External => self.external(node),
            Shape::Schedule => self.text_or_object(node, &t::SCHEDULE),
        }
    }

    fn scalar(&mut self, node: &Node, kinds: &[Kind], wanted: &str) {
        if !kinds.contains(&kind(node)) {
            self.wrong(node, wanted);
        }
    }

    fn choice(&mut self, node: &Node, words: &[&str]) {
        if kind(node) != Kind::Text {
            return self.wrong(node, &format!("one of {}", words.join(", ")));
        }
        let text = shown(node);
        if !words.contains(&&*text) {
            let message = format!("`{}` is `{text}`; it must be one of {}", self.path, words.join(", "));
            let finding = Diagnostic::error(Code::E0405, node.veil(&message)).at(&node.span);
            self.report(match nearest(&text, words.iter().copied()) {
                Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                None => finding,
            });
        }
    }

    fn rule(&mut self, node: &Node, holds: fn(&str) -> bool, words: &str) {
        if kind(node) != Kind::Text {
            return self.wrong(node, &format!("a text: {words}"));
        }
        let text = shown(node);
        if !holds(&text) {
            self.bad(node, format!("`{}` is `{text}`; it must be {words}", self.path));
        }
    }

    fn integer(&mut self, node: &Node, integer: &Integer) {
        match node.as_scalar().map(Scalar::resolve) {
            None if node.is_null() && integer.null => {}
            Some(Resolved::Integer(value)) => {
                if value < i128::from(integer.least) || value > i128::from(integer.most) {
                    self.bad(
                        node,
                        format!(
                            "`{}` is {value}; it must lie between {} and {}",
                            self.path, integer.least, integer.most
                        ),
                    );
                }
            }
            Some(Resolved::Float(value)) if integer.fraction || value.fract() == 0.0 => {
                #[expect(clippy::cast_precision_loss, reason = "a bound need not be exact")]
                if !(value >= integer.least as f64 && value <= integer.most as f64) {
                    self.bad(
                        node,
                        format!(
                            "`{}` is {value}; it must lie between {} and {}",
                            self.path, integer.least, integer.most
                        ),
                    );
                }
            }
            Some(Resolved::Text) if integer.text => {}
            _ => self.wrong(node, if integer.fraction { "a number" } else { "an integer" }),
        }
    }

    fn float(&mut self, node: &Node, fraction: bool, least: f64, most: f64) {
        let value = match node.as_scalar().map(Scalar::resolve) {
            // A text counts as the number it holds; that it holds one is looked at later.
            Some(Resolved::Text) => match node.as_str().map(str::parse::<f64>) {
                Some(Ok(value)) if !value.is_finite() => return,
                Some(Ok(value)) if fraction || value.fract() == 0.0 => value,
                Some(Ok(_)) => return self.wrong(node, "an integer"),
                _ => return,
            },
            #[expect(clippy::cast_precision_loss, reason = "a bound need not be exact")]
            Some(Resolved::Integer(value)) => value as f64,
            Some(Resolved::Float(value)) if fraction || value.fract() == 0.0 => value,
            _ => return self.wrong(node, "a number"),
        };
        if !(value >= least && value <= most) {
            self.bad(node, format!("`{}` is {value}; it must lie between {least} and {most}", self.path));
        }
    }

    fn bytes(&mut self, node: &Node, number: bool, fraction: bool, least: i64) {
        match node.as_scalar().map(Scalar::resolve) {
            Some(Resolved::Text) => {}
            Some(Resolved::Integer(value)) if number => {
                if value < i128::from(least) {
                    self.bad(node, format!("`{}` is {value}; it must be {least} or more", self.path));
                }
            }
            Some(Resolved::Float(value)) if number && (fraction || value.fract() == 0.0) => {}
            _ => self.wrong(node, if number { "a number of bytes, such as `512M`" } else { "a text such as `512M`" }),
        }
    }

    fn object(&mut self, node: &Node, object: &Object) {
        let Some(mapping) = node.as_mapping() else {
            if !(node.is_null() && object.nullable) {
                self.wrong(node, "a mapping");
            }
            return;
        };
        for (key, value) in mapping.iter() {
            match object.field(&key.text) {
                Some(shape) => self.within(&key.text, |checker| checker.check(value, shape)),
                None if object.extensions && key.text.starts_with("x-") => {}
                None => self.unknown(key, object),
            }
        }
        for name in object.required {
            if !name.split('|').any(|name| mapping.contains(name)) {
                let name = name.replace('|', ":` or `");
                let what = if self.path.is_empty() { "the document" } else { &self.path };
                let message = format!("`{name}:` is missing in `{what}`");
                self.report(Diagnostic::error(Code::E0404, message).at(&node.span));
            }
        }
    }

    fn unknown(&mut self, key: &Key, object: &Object) {
        let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
        let finding = Diagnostic::error(Code::E0402, format!("unknown attribute `{}`{place}", key.text)).at(&key.span);
        let finding = match nearest(&key.text, object.names()) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if object.extensions => finding.hint("keys of your own begin with `x-`"),
            None => finding,
        };
        self.report(finding);
    }

    fn text_or_object(&mut self, node: &Node, object: &Object) {
        match kind(node) {
            Kind::Text => {}
            Kind::Mapping => self.object(node, object),
            _ => self.wrong(node, "a text or a mapping"),
        }
    }

    fn dict(&mut self, node: &Node, keys: Keys, of: &Shape) {
        let Some(mapping) = node.as_mapping() else { return self.wrong(node, "a mapping") };
        if keys == Keys::Any {
            self.named_keys(mapping);
        }
        for (key, value) in mapping.iter() {
            if keys == Keys::Names && !is_key_name(&key.text) {
                let message = format!(
                    "`{}` is no name for an entry of `{}`: letters, digits, `.`, `_` and `-`",
                    key.text, self.path
                );
                self.report(Diagnostic::error(Code::E0405, message).at(&key.span));
            }
            // The specification leaves limits with other names unchecked; so does the reference.
            if keys == Keys::Words && !key.text.bytes().all(|b| b.is_ascii_lowercase()) {
                continue;
            }
            self.within(&key.text, |checker| checker.check(value, of));
        }
    }

    fn named(&mut self, node: &Node, of: &Shape) {
        match &node.value {
            Value::Sequence(_) => self.texts(node, true, "a list of names or a mapping"),
            Value::Mapping(_) => self.dict(node, Keys::Names, of),
            _ => self.wrong(node, "a list of names or a mapping"),
        }
    }

    fn list(&mut self, node: &Node, of: &Shape, unique: bool) {
        let Some(items) = node.as_sequence() else { return self.wrong(node, "a list") };
        for (index, item) in items.iter().enumerate() {
            self.within(index, |checker| checker.check(item, of));
        }
        if unique {
            self.unique(items);
        }
    }

    fn texts(&mut self, node: &Node, unique: bool, wanted: &str) {
        self.items(node, unique, wanted, &[Kind::Text]);
    }

    fn items(&mut self, node: &Node, unique: bool, wanted: &str, kinds: &[Kind]) {
        let Some(items) = node.as_sequence() else { return self.wrong(node, wanted) };
        for (index, item) in items.iter().enumerate() {
            if !kinds.contains(&kind(item)) {
                self.within(index, |checker| checker.wrong(item, "a text"));
            }
        }
        if unique {
            self.unique(items);
        }
    }

    /// A number after a text that holds it.
    fn numbers_again(&mut self, node: &Node) {
        let mut texts: Vec<f64> = Vec::new();
        for item in node.as_sequence().unwrap_or_default() {
            match item.as_scalar().map(Scalar::resolve) {
                Some(Resolved::Text) => texts.extend(item.as_str().and_then(|text| text.parse::<f64>().ok())),
                #[expect(clippy::cast_precision_loss, reason = "numbers of groups and ports are small")]
                Some(Resolved::Integer(value)) if texts.contains(&(value as f64)) => {
                    let message = format!("`{value}` is listed twice in `{}`, as a text and as a number", self.path);
                    self.report(Diagnostic::error(Code::E0421, message).at(&item.span));
                }
                _ => {}
            }
        }
    }

    fn unique(&mut self, items: &[Node]) {
        if items.len() < 2 {
            return;
        }
        let (mut seen, mut same) = (HashSet::new(), HashSet::new());
        // Late variables are asked only where two texts may turn out to be the same.
        let mut late: Vec<&Text> = Vec::new();
        let mut texts: Vec<&Text> = Vec::new();
        for item in items {
            let Some(scalar) = item.as_scalar() else {
                if item.as_mapping().is_some() && !same.insert(item.to_json().to_string()) {
                    let message = format!("the same entry is listed twice in `{}`", self.path);
                    self.report(Diagnostic::error(Code::E0421, message).at(&item.span));
                }
                continue;
            };
            let text = &scalar.text;
            let known = late.iter().chain(if text.is_late() { texts.iter() } else { [].iter() });
            let mut twice = known.filter(|known| **known == text).count() > 0;
            if text.is_late() {
                late.push(text);
            } else {
                texts.push(text);
                twice |= !seen.insert((scalar.display(), scalar.resolve() == Resolved::Text));
            }
            if twice {
                let message = format!("`{}` is listed twice in `{}`", scalar.display(), self.path);
                self.report(Diagnostic::error(Code::E0421, message).at(&item.span));
            }
        }
    }

    fn pairs(&mut self, node: &Node, pairs: Pairs) {
        match &node.value {
            Value::Sequence(items) => {
                self.texts(node, true, "a mapping or a list of `KEY=value`");
                if let Some(item) =
                    items.iter().find(|item| item.as_scalar().is_some_and(|scalar| scalar.text.starts_with('=')))
                {
                    let message = format!("a name in `{}` is empty", self.path);
                    self.report(Diagnostic::error(Code::E0405, message).at(&item.span));
                }
            }
            Value::Mapping(mapping) => {
                self.named_keys(mapping);
                for (key, value) in mapping.iter() {
                    if matches!(value.value, Value::Sequence(_) | Value::Mapping(_)) {
                        self.within(&key.text, |checker| {
                            checker.wrong(value, "a text, a number, a boolean or nothing")
                        });
                    }
                }
            }
            _ if pairs == Pairs::Ssh => self.wrong(node, "a mapping or a list of agents and keys"),
            _ => self.wrong(node, "a mapping or a list of `KEY=value`"),
        }
    }

    /// Names that people choose are not empty.
    fn named_keys(&mut self, mapping: &Mapping) {
        if let Some(key) = mapping.key("") {
            let message = format!("a name in `{}` is empty", self.path);
            self.report(Diagnostic::error(Code::E0405, message).at(&key.span));
        }
    }

    fn options(&mut self, node: &Node, null: bool) {
        let Some(mapping) = node.as_mapping() else { return self.wrong(node, "a mapping") };
        for (key, value) in mapping.iter() {
            let fits = matches!(kind(value), Kind::Text | Kind::Integer | Kind::Float) || null && value.is_null();
            if !fits {
                self.within(&key.text, |checker| checker.wrong(value, "a text or a number"));
            }
        }
    }

    fn multi_options(&mut self, node: &Node) {
        let Some(mapping) = node.as_mapping() else { return self.wrong(node, "a mapping") };
        let plain = |node: &Node| matches!(kind(node), Kind::Text | Kind::Integer | Kind::Float | Kind::Bool);
        for (key, value) in mapping.iter() {
            if !plain(value) && !value.as_sequence().is_some_and(|items| items.iter().all(plain)) {
                self.within(&key.text, |checker| {
                    checker.wrong(value, "a text, a number, a boolean or a list of these")
                });
            }
        }
    }

    fn hosts(&mut self, node: &Node) {
        let Some(mapping) = node.as_mapping() else {
            return self.texts(node, true, "a mapping or a list of `host=address`");
        };
        self.named_keys(mapping);
        for (key, value) in mapping.iter() {
            if kind(value) != Kind::Text {
                self.within(&key.text, |checker| checker.texts(value, false, "an address or a list of addresses"));
            }
        }
    }

    fn ulimit(&mut self, node: &Node) {
        match kind(node) {
            Kind::Integer | Kind::Text => {}
            Kind::Mapping => self.object(node, &t::ULIMIT),
            _ => self.wrong(node, "an integer or a mapping with `soft` and `hard`"),
        }
    }

    fn ports(&mut self, node: &Node) {
        let Some(items) = node.as_sequence() else { return self.wrong(node, "a list") };
        for (index, item) in items.iter().enumerate() {
            self.within(index, |checker| match kind(item) {
                Kind::Text | Kind::Integer => {}
                Kind::Mapping => checker.object(item, &t::PORT),
                _ => checker.wrong(item, "a port such as `8080:80` or a mapping"),
            });
        }
        self.unique(items);
    }

    fn env_files(&mut self, node: &Node) {
        match &node.value {
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.within(index, |checker| checker.text_or_object(item, &t::ENV_FILE));
                }
            }
            _ => self.scalar(node, &[Kind::Text], "a path or a list of paths"),
        }
    }

    fn depends_on(&mut self, node: &Node) {
        match &node.value {
            Value::Mapping(_) => self.dict(node, Keys::Names, &Shape::Object(&t::DEPENDENCY)),
            _ => self.texts(node, true, "a list of services or a mapping"),
        }
    }

    fn gpus(&mut self, node: &Node) {
        match &node.value {
            Value::Sequence(_) => self.list(node, &Shape::Object(&t::GPU), false),
            _ => self.choice(node, &["all"]),
        }
    }

    fn external(&mut self, node: &Node) {
        match kind(node) {
            Kind::Bool | Kind::Text => {}
            Kind::Mapping => self.object(node, &t::EXTERNAL),
            _ => self.wrong(node, "`true` or `false`"),
        }
    }

    /// Compose keys are texts: a bare number, boolean or null is none. Numbers are finite.
    pub(crate) fn keys(&mut self, node: &Node) {
        match &node.value {
            Value::Mapping(mapping) => self.typed_keys(mapping),
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    if matches!(item.value, Value::Sequence(_) | Value::Mapping(_)) || is_endless(item) {
                        self.within(index, |checker| checker.keys(item));
                    }
                }
            }
            Value::Scalar(_) if is_endless(node) => {
                self.bad(
                    node,
                    format!("`{}` is `{}`, which is no number that can be counted with", self.path, shown(node)),
                );
            }
            Value::Null | Value::Scalar(_) => {}
        }
    }

    fn typed_keys(&mut self, mapping: &Mapping) {
        for (key, value) in mapping.iter() {
            if key.typed {
                let message = format!("the key `{}` is not a text", key.text);
                self.report(
                    Diagnostic::error(Code::E0110, message).at(&key.span).hint(format!("write `\"{}\"`", key.text)),
                );
            }
            if matches!(value.value, Value::Sequence(_) | Value::Mapping(_)) || is_endless(value) {
                self.within(&key.text, |checker| checker.keys(value));
            }
        }
    }
}

/// `.inf` and `.nan`.
fn is_endless(node: &Node) -> bool {
    node.as_scalar().is_some_and(Scalar::is_endless)
}

/// Names that the specification accepts as keys of services, networks, volumes and the like.
pub(crate) fn is_key_name(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    // A folder of that name would be this one, or the one above.
    !matches!(text, "" | "." | "..") && text.bytes().all(known)
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Null,
    Bool,
    Integer,
    Float,
    Text,
    Sequence,
    Mapping,
}

fn kind(node: &Node) -> Kind {
    match &node.value {
        Value::Null => Kind::Null,
        Value::Sequence(_) => Kind::Sequence,
        Value::Mapping(_) => Kind::Mapping,
        Value::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => Kind::Null,
            Resolved::Bool(_) => Kind::Bool,
            Resolved::Integer(_) => Kind::Integer,
            Resolved::Float(_) => Kind::Float,
            Resolved::Text => Kind::Text,
        },
    }
}

fn shown(node: &Node) -> std::borrow::Cow<'_, str> {
    node.as_scalar().map(Scalar::display).unwrap_or_default()
}
