//! JSON values as YAML in block style.
//!
//! In: a JSON value. Out: YAML text that every reader of YAML, of 1.1 or 1.2, reads as the same value.
//! **Invariant**: a text is written plain only where no reader can take it for anything else; all others are quoted.
//! Not here: comments, and what people wrote (`fleet::write`).
//! Tests: `yaml/tests.rs`.

use serde_json::Value;
use std::fmt::Write as _;

/// A key that stands for a tag: a mapping with it alone is the tagged value (`{"!override": [1]}` is `!override [1]`).
fn tagged(map: &serde_json::Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, value) = map.iter().next().filter(|_| map.len() == 1)?;
    matches!(key.as_str(), "!override" | "!reset").then_some((key, value))
}

/// A value as a YAML document. Compose's tags `!override` and `!reset` are written as a mapping with that key alone.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => entries(map, 0, &mut out),
        Value::Array(list) if !list.is_empty() => items(list, 0, &mut out),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

fn entries(map: &serde_json::Map<String, Value>, depth: usize, out: &mut String) {
    for (index, (key, value)) in map.iter().enumerate() {
        // The first entry of an item stands behind its dash.
        if index > 0 || !out.ends_with("- ") {
            indent(depth, out);
        }
        out.push_str(&text(key));
        out.push(':');
        below(value, depth, out);
    }
}

fn items(list: &[Value], depth: usize, out: &mut String) {
    for (index, value) in list.iter().enumerate() {
        if index > 0 || !out.ends_with("- ") {
            indent(depth, out);
        }
        out.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => entries(map, depth + 1, out),
            Value::Array(list) if !list.is_empty() => items(list, depth + 1, out),
            other => {
                out.push_str(&scalar(other));
                out.push('\n');
            }
        }
    }
}

/// What stands behind `key:`.
fn below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if tagged(map).is_some() => {
            if let Some((tag, value)) = tagged(map) {
                out.push(' ');
                out.push_str(tag);
                below(value, depth, out);
            }
        }
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            entries(map, depth + 1, out);
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            items(list, depth + 1, out);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(written) => text(written),
        // Empty collections, numbers, booleans and null are the same in both languages.
        other => other.to_string(),
    }
}

/// Words that some reader takes for something else than a text.
const WORDS: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"];

fn text(written: &str) -> String {
    let inside = |c: char| c.is_ascii_alphanumeric() || "._/@+-:".contains(c);
    let plain = written.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && written.chars().all(inside)
        && !written.ends_with(':')
        && !WORDS.iter().any(|word| written.eq_ignore_ascii_case(word));
    if plain {
        return written.to_owned();
    }
    let mut out = String::with_capacity(written.len() + 2);
    out.push('"');
    for c in written.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Not printable in YAML, or a line break for some readers.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
