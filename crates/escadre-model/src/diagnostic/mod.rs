//! Findings as plain data: what is wrong, where, and what to do next.
//!
//! In: what a reader found. Out: [`Diagnostic`] values, painted elsewhere for terminal, JSON and portal.
//! **Invariant**: every finding carries a [`Code`] of the closed list in `code.rs`, and every code has a page.
//! Not here: colours, source excerpts, exit codes.
//! Tests: `tests.rs`.

mod code;
mod suggest;
#[cfg(test)]
mod tests;

pub use code::Code;
pub use suggest::nearest;

use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// A place in a file: where a value was written.
///
/// Lines and columns count from 1 (columns in characters); `start` and `end` are byte offsets into the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Span {
    /// The file's path as the caller named it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
    /// Byte offset of the first character.
    pub start: u32,
    /// Byte offset after the last character.
    pub end: u32,
}

impl Span {
    /// The beginning of a file; for findings about the file as a whole.
    pub fn whole(file: &Arc<str>) -> Self {
        Self { file: Arc::clone(file), line: 1, column: 1, start: 0, end: 0 }
    }

    /// `file:line`, the short form for reasons in plans.
    pub fn short(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and the place where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Pairs a value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing to do.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// What was asked cannot be done.
    Error,
}

/// A place and what is to say about it. The first label of a finding is the primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there; may be empty when the message says it all.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The stable code; `escadre explain CODE` prints its page.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: the act and the thing.
    pub message: String,
    /// Places, the primary one first.
    pub labels: Vec<Label>,
    /// What to do: a change to make or the next command.
    pub hints: Vec<String>,
    /// The path inside the document, such as `services.web.image`.
    pub path: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// A warning.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// A note.
    pub fn note(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Note, message)
    }

    fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self { code, severity, message: message.into(), labels: Vec::new(), hints: Vec::new(), path: None }
    }

    /// Adds a place without a remark of its own.
    #[must_use]
    pub fn at(self, span: &Span) -> Self {
        self.label(span, "")
    }

    /// Adds a place and what is to say about it.
    #[must_use]
    pub fn label(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.clone(), text: text.into() });
        self
    }

    /// Adds a hint: a change to make or a command to run next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Names the path inside the document.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Whether this finding stops what was asked.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The primary place, if there is one.
    pub fn span(&self) -> Option<&Span> {
        self.labels.first().map(|label| &label.span)
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `file:line:column: CODE message`. The painted form with excerpts is made by the binary.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = self.span() {
            write!(out, "{span}: ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(out, "{severity}[{}]: {}", self.code, self.message)?;
        self.hints.iter().try_for_each(|hint| write!(out, " ({hint})"))
    }
}

/// Whether any finding is an error.
pub fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(Diagnostic::is_error)
}
