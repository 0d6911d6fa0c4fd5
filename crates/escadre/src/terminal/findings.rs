//! Findings for eyes and for machines.
//!
//! In: [`Diagnostic`]s and the sources they point into. Out: excerpts, one line each, or JSON.
//! **Invariant**: a source that is not at hand, or has changed, costs the excerpt and never the finding.
//! Not here: making findings. Tests: `findings/tests.rs`.

use super::style::{self, Look};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use escadre_model::diagnostic::{Diagnostic, Label, Severity};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The schema of [`Json`].
pub(crate) const SCHEMA: &str = "escadre.diagnostics/1";

/// Excerpts longer than this are not painted: the file is generated, and the place is named anyway.
const LONGEST_LINE: usize = 400;

/// More findings of one code than this would bury the others: then only the first few have excerpts.
const MANY: usize = 6;
/// How many of many have excerpts.
const FIRST: usize = 3;

/// Findings with excerpts, then how many there are. Of many with one code the first have excerpts, the others a line each.
pub(crate) fn paint(findings: &[Diagnostic], source: &dyn Fn(&str) -> Option<String>, look: Look) -> String {
    let mut out = String::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines_before = false;
    for (index, finding) in findings.iter().enumerate() {
        let code = finding.code.as_str();
        let seen = seen.entry(code).or_default();
        *seen += 1;
        let line = *seen > FIRST && findings.iter().filter(|other| other.code == finding.code).count() > MANY;
        // An empty line between excerpts, none behind the last: a single refusal is two lines.
        if index > 0 && !(line && lines_before) {
            out.push('\n');
        }
        if line {
            out.push_str(&lines(std::slice::from_ref(finding)));
        } else {
            out.push_str(&one(finding, source, look));
        }
        lines_before = line;
    }
    if findings.len() > 1 {
        out.push_str(&format!("\n{}\n", summary(findings)));
    }
    out
}

/// `3 errors, 1 warning`.
pub(crate) fn summary(findings: &[Diagnostic]) -> String {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let parts = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning"), (of(Severity::Note), "note")];
    let said: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| style::count(n, word)).collect();
    if said.is_empty() { "nothing found".to_owned() } else { said.join(", ") }
}

/// One finding with excerpts.
pub(crate) fn one(finding: &Diagnostic, source: &dyn Fn(&str) -> Option<String>, look: Look) -> String {
    let mut files: Vec<(Arc<str>, String)> = Vec::new();
    for label in &finding.labels {
        if !files.iter().any(|(file, _)| *file == label.span.file)
            && let Some(text) = source(&label.span.file)
        {
            files.push((Arc::clone(&label.span.file), text));
        }
    }
    let all = finding
        .labels
        .iter()
        .all(|label| files.iter().any(|(file, text)| *file == label.span.file && shows(label, text)));
    if finding.labels.is_empty() || !all {
        return plain(finding, look);
    }
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(style::readable(&finding.message)).id(finding.code.as_str());
    let mut group = Group::with_title(title);
    for (file, text) in &files {
        let mut snippet = Snippet::source(text.as_str()).path(file.as_ref()).fold(true);
        for (index, label) in finding.labels.iter().enumerate().filter(|(_, label)| label.span.file == *file) {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mut annotation = kind.span(label.span.start as usize..label.span.end as usize);
            if !label.text.is_empty() {
                annotation = annotation.label(style::readable(&label.text));
            }
            snippet = snippet.annotation(annotation);
        }
        group = group.element(snippet);
    }
    for hint in &finding.hints {
        group = group.element(Level::HELP.message(style::readable(hint)));
    }
    let renderer = if look.colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.term_width(look.width).render(&[group]);
    text.push('\n');
    text
}

/// Whether an excerpt of this text can show the label: the offsets lie in it, at letters, on lines of a bearable length.
fn shows(label: &Label, text: &str) -> bool {
    let (start, end) = (label.span.start as usize, label.span.end as usize);
    let fits = start <= end && text.is_char_boundary(start) && text.is_char_boundary(end) && end <= text.len();
    let line = text.lines().nth((label.span.line as usize).saturating_sub(1));
    // A finding about a file as a whole has an empty span at its beginning: an excerpt of line 1 would mislead.
    let whole = start == 0 && end == 0;
    fits && !whole && line.is_some_and(|line| line.len() <= LONGEST_LINE)
}

/// One finding without an excerpt.
fn plain(finding: &Diagnostic, look: Look) -> String {
    let (word, painted) = severity(finding.severity);
    let head = look.paint(painted, &format!("{word}[{}]", finding.code)).into_owned();
    let mut out = style::hang(&format!("{head}: "), &style::readable(&finding.message), look.width);
    for label in &finding.labels {
        let more = if label.text.is_empty() { String::new() } else { format!("  {}", style::readable(&label.text)) };
        out.push_str(&format!("  --> {}{more}\n", style::readable(&label.span.to_string())));
    }
    for hint in &finding.hints {
        out.push_str(&style::hang("  = help: ", &style::readable(hint), look.width));
    }
    out
}

fn severity(severity: Severity) -> (&'static str, anstyle::Style) {
    match severity {
        Severity::Error => ("error", style::BAD),
        Severity::Warning => ("warning", style::CARE),
        Severity::Note => ("note", style::QUIET),
    }
}

/// One line for each finding, for editors and for grep.
pub(crate) fn lines(findings: &[Diagnostic]) -> String {
    findings.iter().map(|finding| format!("{}\n", style::harmless(&finding.to_string()))).collect()
}

/// An error that is no finding: the act, then its reasons.
pub(crate) fn chain(error: &anyhow::Error, look: Look) -> String {
    let head = look.paint(style::BAD, "error").into_owned();
    let mut out = style::hang(&format!("{head}: "), &style::readable(&error.to_string()), look.width);
    for cause in error.chain().skip(1) {
        out.push_str(&style::hang("  because: ", &style::readable(&cause.to_string()), look.width));
    }
    for hint in error.chain().filter_map(next) {
        out.push_str(&style::hang("  = help: ", hint, look.width));
    }
    out
}

/// What to do about a cause that is known.
fn next(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use escadre_engine::ports::{Error, StoreError};
    if let Some(error) = cause.downcast_ref::<Error>() {
        return match error {
            Error::Unreachable { .. } => Some("what is wrong with this machine: escadre doctor"),
            Error::Taken { .. } => Some("take it away, or choose another name or port in the files"),
            _ => None,
        };
    }
    if let Some(StoreError::Newer { .. }) = cause.downcast_ref::<StoreError>() {
        return Some("use the version of escadre that wrote it, or another state folder: escadre --state DIR");
    }
    let io = cause.downcast_ref::<std::io::Error>()?;
    match io.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Some("make room (df -h), then give the same command again: it goes on from the journal")
        }
        std::io::ErrorKind::PermissionDenied => {
            Some("give the command as the user who may, or name another state folder: escadre --state DIR")
        }
        _ => None,
    }
}

/// Findings as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Json {
    /// Always `escadre.diagnostics/1`.
    schema: &'static str,
    /// How many errors.
    errors: usize,
    /// How many warnings.
    warnings: usize,
    /// All findings.
    findings: Vec<JsonFinding>,
}

/// One finding as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JsonFinding {
    /// The code, as `E0101`.
    code: &'static str,
    /// `error`, `warning` or `note`.
    severity: &'static str,
    /// The sentence.
    message: String,
    /// Places, the primary one first.
    places: Vec<JsonPlace>,
    /// What to do.
    hints: Vec<String>,
    /// The path inside the document, as `services.web.image`.
    path: Option<String>,
}

/// A place as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JsonPlace {
    /// The file.
    file: Arc<str>,
    /// The line, from 1.
    line: u32,
    /// The column, from 1, in characters.
    column: u32,
    /// Byte offset of the first character.
    start: u32,
    /// Byte offset after the last character.
    end: u32,
    /// What is there.
    text: String,
}

/// Findings as JSON.
pub(crate) fn json(findings: &[Diagnostic]) -> Json {
    Json {
        schema: SCHEMA,
        errors: findings.iter().filter(|finding| finding.severity == Severity::Error).count(),
        warnings: findings.iter().filter(|finding| finding.severity == Severity::Warning).count(),
        findings: findings.iter().map(json_finding).collect(),
    }
}

/// One finding as JSON.
pub(crate) fn json_finding(finding: &Diagnostic) -> JsonFinding {
    let place = |label: &Label| JsonPlace {
        file: Arc::clone(&label.span.file),
        line: label.span.line,
        column: label.span.column,
        start: label.span.start,
        end: label.span.end,
        text: label.text.clone(),
    };
    JsonFinding {
        code: finding.code.as_str(),
        severity: severity(finding.severity).0,
        message: finding.message.clone(),
        places: finding.labels.iter().map(place).collect(),
        hints: finding.hints.clone(),
        path: finding.path.clone(),
    }
}

#[cfg(test)]
mod tests;
