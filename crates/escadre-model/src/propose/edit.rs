//! Scalars written otherwise, in the text they stand in.
//!
//! In: a text, places, new values. Out: the text, everything else as it was.
//! **Invariant:** the new text reads as the old one but for the scalars that were meant.
//! Not here: which scalars (`literals`, `escadre_render::import`).
//! Tests: `propose/tests.rs`.

use crate::diagnostic::Span;
use crate::fleet::write::quote;
use crate::text::{Limits, Node, parse_one};

/// A scalar to be written otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its new value.
    pub value: String,
}

/// In what a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// YAML.
    Yaml,
    /// An environment file: `NAME=value`, a line each.
    Variables,
}

impl Language {
    /// By the name of a file.
    pub fn of(path: &str) -> Self {
        if path.ends_with(".yaml") || path.ends_with(".yml") { Language::Yaml } else { Language::Variables }
    }
}

/// From where to where the scalar of a place stands. In an environment file that is the whole line.
pub fn extent(text: &str, span: &Span, language: Language) -> (usize, usize) {
    let (start, end) = (span.start as usize, span.end as usize);
    match language {
        Language::Yaml => (start, end),
        Language::Variables => {
            let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            // A comment behind a value stays.
            let kept = line.find(" #").unwrap_or(line.len());
            (start, start + kept)
        }
    }
}

/// The value of the scalar that stands at a place of a text; `None`: it is none that can be written otherwise in place.
pub fn written(text: &str, span: &Span, language: Language) -> Option<String> {
    let (start, end) = extent(text, span, language);
    let slice = text.get(start..end)?.trim_end();
    if language == Language::Variables {
        let (name, value) = slice.split_once('=')?;
        let plain = |value: &str| !value.contains(['\'', '"', '\n', '\\']);
        let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        // Quotes go where nothing needs them.
        let bare = quoted.filter(|value| plain(value) && !value.contains(['$', '#']) && value.trim() == *value);
        let value = bare.or_else(|| plain(value).then_some(value))?;
        return (!name.is_empty() && !name.starts_with('#')).then(|| format!("{name}={value}"));
    }
    if slice.is_empty() || slice.starts_with(['|', '>', '&', '*', '!', '[', '{']) || slice.contains('\n') {
        return None;
    }
    let (node, findings) = parse_one("a scalar", slice.as_bytes(), Limits::default());
    node.filter(|_| findings.is_empty()).as_ref().and_then(Node::as_str).map(str::to_owned)
}

/// The text with all of these edits; those of one place must say the same. `None`: they overlap.
pub fn apply(text: &str, edits: &[Edit], language: Language) -> Option<String> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    sorted.dedup();
    let (mut out, mut at) = (String::with_capacity(text.len() + 64 * sorted.len()), 0);
    for edit in sorted {
        let end = edit.start + text.get(edit.start..edit.end)?.trim_end().len();
        out.push_str(text.get(at..edit.start)?);
        match language {
            Language::Yaml => out.push_str(&quote(&edit.value)),
            Language::Variables => out.push_str(&edit.value),
        }
        at = end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}
