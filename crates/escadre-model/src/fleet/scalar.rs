//! The scalars of our own files: names, ports, amounts of bytes and time.
//!
//! In: a text as written. Out: a checked value, or a finding at its place.
//! **Invariant:** a text is taken as written (`no` is a country); what is no text is reported once.
//! Not here: parameters of products (`parameter`).
//! Tests: `tests.rs`.

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::name::Name;
use crate::text::{Fields, Mapping, Node};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A text, or a finding.
pub(super) fn text(node: &Node, path: &str, findings: &mut Vec<Diagnostic>) -> Option<Spanned<Arc<str>>> {
    if let Some(tag) = &node.tag {
        let message = format!("the tag `{tag}` is not known here");
        findings.push(Diagnostic::error(Code::E0109, message).at(&node.span).path(path));
    }
    let found = node.as_str().map(|text| Spanned::new(text.into(), node.span.clone()));
    if found.is_none() {
        let message = format!("`{path}` must be a text, here is {}", node.kind());
        let finding = Diagnostic::error(Code::E0113, message).at(&node.span).path(path);
        findings.push(if node.is_null() { finding.hint("write \"\" for an empty text") } else { finding });
    }
    found
}

/// A name of ours, or a finding.
pub(super) fn name(written: &str, span: &Span, what: &str, findings: &mut Vec<Diagnostic>) -> Option<Spanned<Name>> {
    match Name::new(written) {
        Ok(name) => Some(Spanned::new(name, span.clone())),
        Err(why) => {
            let shown: String = written.chars().take(80).flat_map(char::escape_default).collect();
            let finding = Diagnostic::error(Code::E0501, format!("\"{shown}\" is no name of {what}: {why}")).at(span);
            let mended = mend(written);
            findings.push(match mended {
                Some(better) => finding.hint(format!("`{better}` would be one")),
                None => finding,
            });
            None
        }
    }
}

/// The nearest text that is a name.
fn mend(written: &str) -> Option<Name> {
    let better: String = written
        .chars()
        .take(63)
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    Name::new(better.trim_matches('-')).ok()
}

/// A name that must be there.
pub(super) fn required_name(fields: &mut Fields<'_, '_>, key: &'static str, what: &str) -> Option<Spanned<Name>> {
    let text = fields.required_str(key)?;
    name(&text.value, &text.span, what, fields.findings())
}

/// A name that may be there.
pub(super) fn optional_name(fields: &mut Fields<'_, '_>, key: &'static str, what: &str) -> Option<Spanned<Name>> {
    let text = fields.optional_str(key)?;
    name(&text.value, &text.span, what, fields.findings())
}

/// A map from texts to texts: values, labels.
pub(super) fn texts(fields: &mut Fields<'_, '_>, key: &'static str) -> BTreeMap<Arc<str>, Spanned<Arc<str>>> {
    let path = fields.path_of(key);
    let Some(mapping) = fields.optional_map(key) else { return BTreeMap::new() };
    pairs(mapping, &path, fields.findings())
}

fn pairs(mapping: &Mapping, path: &str, findings: &mut Vec<Diagnostic>) -> BTreeMap<Arc<str>, Spanned<Arc<str>>> {
    mapping
        .iter()
        .filter_map(|(key, node)| Some((Arc::clone(&key.text), text(node, &format!("{path}.{}", key.text), findings)?)))
        .collect()
}

/// A value that some function can read, or a finding that says what is wanted.
pub(super) fn parsed<T>(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    wanted: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Spanned<T>> {
    let path = fields.path_of(key);
    let text = fields.optional_str(key)?;
    match read(&text.value) {
        Some(value) => Some(Spanned::new(value, text.span)),
        None => {
            let message = format!("`{path}` must be {wanted}, here is \"{}\"", shown(&text.value));
            fields.findings().push(Diagnostic::error(Code::E0115, message).at(&text.span).path(path));
            None
        }
    }
}

/// A text for a message: short, and without characters that could confuse a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A TCP port.
pub(super) fn port(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|port| *port != 0)
}

/// An amount of bytes as Compose writes it: `200M`, `512MiB`, `1.5g`, `1024`. Units are powers of 1024.
pub fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)?;
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    let bytes = {
        let product = number * factor as f64;
        (product < 9e18).then_some(product as u64)
    };
    bytes
}

/// A time as Compose writes it: `10s`, `1h30m`, `500ms`, `1.5s`; in milliseconds.
pub fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0.0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let factor = match unit {
            "us" | "µs" => 0.001,
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    // A hundred years: longer ones are mistakes.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on this line")]
    (total.is_finite() && total <= 3.2e12).then_some(total as u64)
}
