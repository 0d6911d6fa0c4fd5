//! Parameters: the typed values of a product. A parameter is the Compose variable of its name.
//!
//! In: `parameters:` of product.yaml. Out: [`Parameter`], and the check of a value against it.
//! **Invariant:** the list of types is closed; a value is a text and stays as it was written.
//! Not here: which value wins (`resolve`).
//! Tests: `tests.rs`.

use super::scalar;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned, nearest};
use crate::text::{Fields, Node};
use std::sync::Arc;

/// What a parameter's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// Any text. The default.
    String,
    /// A whole number of 64 bits.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of `choices`.
    Choice,
    /// A DNS name.
    Hostname,
    /// An address with a scheme.
    Url,
    /// A mail address.
    Email,
    /// A time such as `30s`.
    Duration,
    /// An amount of bytes such as `200M`.
    Size,
    /// A file beside the one that names it; it fills the Compose config of the parameter's name.
    File,
}

impl ParameterType {
    /// Every type with its word.
    pub const ALL: &'static [(&'static str, ParameterType)] = &[
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("choice", Self::Choice),
        ("hostname", Self::Hostname),
        ("url", Self::Url),
        ("email", Self::Email),
        ("duration", Self::Duration),
        ("size", Self::Size),
        ("file", Self::File),
    ];

    /// The word for it in product.yaml.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("string", |(word, _)| word)
    }

    /// The value as a number, for ranges: itself, milliseconds or bytes.
    fn measure(self, value: &str) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "ranges are not that exact")]
        match self {
            Self::Integer => value.parse::<i64>().ok().map(|n| n as f64),
            Self::Number => value.parse::<f64>().ok().filter(|n| n.is_finite()),
            Self::Duration => scalar::milliseconds(value).map(|n| n as f64),
            Self::Size => scalar::bytes(value).map(|n| n as f64),
            _ => None,
        }
    }

    fn has_range(self) -> bool {
        matches!(self, Self::Integer | Self::Number | Self::Duration | Self::Size)
    }
}

/// A parameter of a product.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Where it is declared.
    pub span: Span,
    /// What its value must be.
    pub kind: ParameterType,
    /// Every instance must have a value, of its own or from its environment or zone.
    pub required: bool,
    /// The value where nobody gives one.
    pub default: Option<Spanned<Arc<str>>>,
    /// The least value.
    pub min: Option<Spanned<Arc<str>>>,
    /// The greatest value.
    pub max: Option<Spanned<Arc<str>>>,
    /// The values of a choice.
    pub choices: Vec<Spanned<Arc<str>>>,
    /// What it is for, for people.
    pub help: Option<Arc<str>>,
}

impl Parameter {
    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence: `must be an integer`.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let wanted = match self.kind {
            ParameterType::String => return Ok(()),
            ParameterType::Integer if value.parse::<i64>().is_err() => "must be an integer",
            ParameterType::Number if self.kind.measure(value).is_none() => "must be a number",
            ParameterType::Boolean if !matches!(value, "true" | "false") => "must be true or false",
            ParameterType::Hostname if !hostname(value) => "must be a host name such as help.example.org",
            ParameterType::Url if !url(value) => "must be an address such as https://example.org/",
            ParameterType::Email if !email(value) => "must be a mail address",
            ParameterType::Duration if self.kind.measure(value).is_none() => "must be a time such as 30s or 1h30m",
            ParameterType::Size if self.kind.measure(value).is_none() => "must be an amount of bytes such as 200M",
            ParameterType::File if value.is_empty() => "must be the path of a file",
            ParameterType::Choice => return self.check_choice(value),
            _ => return self.check_range(value),
        };
        Err(wanted.to_owned())
    }

    fn check_choice(&self, value: &str) -> Result<(), String> {
        let choices = || self.choices.iter().map(|choice| &*choice.value);
        // Without choices the declaration is what is wrong.
        if self.choices.is_empty() || choices().any(|choice| choice == value) {
            return Ok(());
        }
        let meant = nearest(value, choices()).map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        Err(format!("must be one of {}{meant}", choices().collect::<Vec<_>>().join(", ")))
    }

    fn check_range(&self, value: &str) -> Result<(), String> {
        let Some(number) = self.kind.measure(value) else { return Ok(()) };
        let bound = |bound: &Option<Spanned<Arc<str>>>| {
            bound.as_ref().and_then(|bound| Some((self.kind.measure(&bound.value)?, Arc::clone(&bound.value))))
        };
        match (bound(&self.min), bound(&self.max)) {
            (Some((least, text)), _) if number < least => Err(format!("must be at least {text}")),
            (_, Some((most, text))) if number > most => Err(format!("must be at most {text}")),
            _ => Ok(()),
        }
    }
}

/// Whether this is a variable's name: what Compose can interpolate.
pub(super) fn is_variable(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(super) fn read(key: &str, span: &Span, node: &Node, findings: &mut Vec<Diagnostic>) -> Option<Parameter> {
    if !is_variable(key) {
        let message = format!("\"{}\" is no name of a parameter: letters, digits and _ make one", scalar::shown(key));
        findings.push(Diagnostic::error(Code::E0501, message).at(span));
    }
    if key.starts_with("ESCADRE_") {
        let message = format!("\"{key}\" begins with ESCADRE_, which is kept for what Escadre itself gives");
        findings.push(Diagnostic::error(Code::E0511, message).at(span));
    }
    let path = format!("parameters.{key}");
    let empty = Parameter {
        span: span.clone(),
        kind: ParameterType::String,
        required: false,
        default: None,
        min: None,
        max: None,
        choices: Vec::new(),
        help: None,
    };
    if node.is_null() {
        return Some(empty);
    }
    let mut fields = Fields::new(node, path, findings);
    let kind = kind(&mut fields);
    let required = fields.optional_bool("required").is_some_and(|required| required.value);
    let default = fields.optional_str("default");
    let (min, max) = (fields.optional_str("min"), fields.optional_str("max"));
    let choices = fields.optional_strs("choices").unwrap_or_default();
    let help = fields.optional_str("help").map(|help| help.value);
    fields.finish();
    let parameter = Parameter { kind: kind?, required, default, min, max, choices, help, ..empty };
    declared(key, &parameter, findings);
    Some(parameter)
}

fn kind(fields: &mut Fields<'_, '_>) -> Option<ParameterType> {
    let Some(word) = fields.optional_str("type") else { return Some(ParameterType::String) };
    if let Some((_, kind)) = ParameterType::ALL.iter().find(|(name, _)| *name == &*word.value) {
        return Some(*kind);
    }
    let path = fields.path_of("type");
    let words = || ParameterType::ALL.iter().map(|(word, _)| *word);
    let message = format!("\"{}\" is no type of a parameter", scalar::shown(&word.value));
    let finding = Diagnostic::error(Code::E0511, message).at(&word.span).path(path);
    fields.findings().push(match nearest(&word.value, words()) {
        Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
        None => finding.hint(format!("types: {}", words().collect::<Vec<_>>().join(", "))),
    });
    None
}

/// What a declaration must fulfil beyond its types.
fn declared(key: &str, parameter: &Parameter, findings: &mut Vec<Diagnostic>) {
    let mut wrong = |message: String, span: &Span| findings.push(Diagnostic::error(Code::E0511, message).at(span));
    let word = parameter.kind.word();
    for (bound, name) in [(&parameter.min, "min"), (&parameter.max, "max")] {
        let Some(bound) = bound else { continue };
        if !parameter.kind.has_range() {
            wrong(format!("{key}: `{name}` has no meaning for the type {word}"), &bound.span);
        } else if parameter.kind.measure(&bound.value).is_none() {
            wrong(
                format!("{key}: `{name}` must be of the type {word}, here is {}", scalar::shown(&bound.value)),
                &bound.span,
            );
        }
    }
    let measured = |bound: &Option<Spanned<Arc<str>>>| bound.as_ref().and_then(|b| parameter.kind.measure(&b.value));
    if let (Some(least), Some(most)) = (measured(&parameter.min), measured(&parameter.max))
        && least > most
    {
        wrong(format!("{key}: `min` is greater than `max`"), &parameter.span);
    }
    match (parameter.kind, parameter.choices.first()) {
        (ParameterType::Choice, None) => wrong(format!("{key}: a choice needs `choices:`"), &parameter.span),
        (kind, Some(first)) if kind != ParameterType::Choice => {
            wrong(format!("{key}: `choices` has no meaning for the type {word}"), &first.span);
        }
        _ => {}
    }
    if let Some(default) = &parameter.default {
        if let Err(why) = parameter.check(&default.value) {
            wrong(format!("{key}: the default \"{}\" {why}", scalar::shown(&default.value)), &default.span);
        }
        if parameter.required {
            wrong(
                format!("{key}: a required parameter with a default is never missing; write one of the two"),
                &default.span,
            );
        }
    }
}

/// A host name, in letters of any script.
fn hostname(text: &str) -> bool {
    crate::host::read(text).is_ok()
}

fn url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let first = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let letters = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    first
        && letters
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
    !local.is_empty() && local.len() <= 64 && local.chars().all(plain) && hostname(domain)
}
