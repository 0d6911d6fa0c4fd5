//! A line of a log.
//!
//! In: the engine's lines. Out: `instance/service | text`, or a JSON object per line.
//! **Invariant**: a log line cannot move the cursor or change colours.
//! Not here: fetching. Tests: `tests.rs`.

use crate::terminal::style::{Look, QUIET, harmless};
use escadre_engine::ports::LogLine;
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of [`Line`].
pub(crate) const SCHEMA: &str = "escadre.log/1";

/// A line as JSON; one object per line of output.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line<'l> {
    /// Always `escadre.log/1`.
    schema: &'static str,
    /// Whose.
    instance: &'l str,
    /// Of which service.
    service: &'l str,
    /// Which of several containers.
    replica: u32,
    /// When, RFC 3339; empty when unknown.
    at: &'l str,
    /// It was written to standard error.
    error: bool,
    /// The text.
    text: &'l str,
}

/// What is wanted of a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Only lines with this text in them.
    pub(crate) grep: Option<String>,
    /// A fleet of one: no instance in front.
    pub(crate) single: bool,
    /// As JSON.
    pub(crate) json: bool,
    /// How wide names are, so that texts stand below each other.
    pub(crate) wide: usize,
}

/// A line as it is printed; nothing when it is not wanted.
pub(crate) fn paint(line: &LogLine, wanted: &Wanted, look: Look) -> Option<String> {
    if wanted.grep.as_ref().is_some_and(|text| !line.text.contains(text.as_str())) {
        return None;
    }
    if wanted.json {
        let json = Line {
            schema: SCHEMA,
            instance: line.container.instance.instance.as_str(),
            service: &line.container.resource.key,
            replica: line.container.replica.unwrap_or(1),
            at: &line.at,
            error: line.error,
            text: &line.text,
        };
        // Texts and numbers only: this cannot fail.
        return serde_json::to_string(&json).ok().map(|text| format!("{text}\n"));
    }
    let wide = wanted.wide;
    let who = format!("{:<wide$} |", who(line, wanted.single));
    let text = harmless(&line.text);
    Some(format!("{} {text}\n", look.paint(QUIET, &who)))
}

/// `larch/web`, with the replica where it is not the first.
pub(crate) fn who(line: &LogLine, single: bool) -> String {
    let service = &line.container.resource.key;
    let replica = line.container.replica.filter(|replica| *replica > 1).map(|n| format!("-{n}")).unwrap_or_default();
    if single {
        format!("{service}{replica}")
    } else {
        format!("{}/{service}{replica}", line.container.instance.instance)
    }
}
