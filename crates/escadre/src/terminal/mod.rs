//! The only place that prints.
//!
//! In: texts made by painters. Out: data on standard output, everything else on standard error.
//! **Invariant**: a closed standard output is the reader's right and ends the verb with success; colour goes to a terminal only, and no meaning depends on it.
//! Not here: what is said (`views`, painters beside this file).
//! Tests: beside each painter; `tests/it`.

pub(crate) mod ask;
pub(crate) mod findings;
pub(crate) mod plan_adopt;
pub(crate) mod plan_block;
pub(crate) mod plan_groups;
pub(crate) mod plan_markdown;
pub(crate) mod plan_stray;
pub(crate) mod plan_text;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod time;

use crate::exit::Fault;
use escadre_model::diagnostic::Diagnostic;
use std::io::{IsTerminal, Write};

pub(crate) use style::Look;

/// Where words go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// How standard output looks.
    pub(crate) out: Look,
    /// How standard error looks.
    pub(crate) err: Look,
    /// Somebody is there to answer: standard input and standard error are terminals.
    pub(crate) interactive: bool,
    /// Standard error can be redrawn in place.
    pub(crate) live: bool,
}

impl Terminal {
    /// Looks at the streams and at NO_COLOR, CLICOLOR_FORCE, TERM and COLUMNS.
    pub(crate) fn detect() -> Self {
        let set = |key: &str| std::env::var_os(key).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let colour = |terminal: bool| !set("NO_COLOR") && (set("CLICOLOR_FORCE") || (terminal && !dumb));
        let width = style::width(
            std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()),
            columns(std::io::stdout()).or_else(|| columns(std::io::stderr())),
        );
        Self {
            out: Look { width, colour: colour(out) },
            err: Look { width, colour: colour(err) },
            interactive: std::io::stdin().is_terminal() && err,
            live: err && !dumb,
        }
    }

    /// Data: what a script would read.
    ///
    /// # Errors
    /// [`Fault::Gone`] when nobody reads it any more.
    pub(crate) fn data(&self, text: &str) -> Result<(), Fault> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Fault::Gone,
            _ => Fault::world(anyhow::Error::new(error).context("standard output cannot be written")),
        })
    }

    /// A JSON document, pretty, with a line's end.
    ///
    /// # Errors
    /// As [`Terminal::data`].
    pub(crate) fn json(&self, value: &impl serde::Serialize) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(value).map_err(Fault::bug)?;
        self.data(&format!("{text}\n"))
    }

    /// Everything that is not data. When nobody listens, nothing is lost that would matter.
    pub(crate) fn say(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        // Nobody could be told of a standard error that does not take a text.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Findings, painted with excerpts of the sources that are at hand.
    pub(crate) fn findings(&self, findings: &[Diagnostic], source: &dyn Fn(&str) -> Option<String>) {
        self.say(&findings::paint(findings, source, self.err));
    }

    /// An error with its chain.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        self.say(&findings::chain(error, self.err));
    }

    /// A mistake of ours.
    pub(crate) fn bug(&self, words: &str) {
        let label = self.err.paint(style::BAD, "this is a mistake in escadre");
        self.say(&format!(
            "{label}, not yours: {words}\nversion {}; what was done is in the journal, and \"escadre status\" tells how things stand.\n",
            env!("CARGO_PKG_VERSION")
        ));
    }
}

/// The width of a stream's terminal, if it is one.
fn columns(stream: impl std::os::fd::AsFd) -> Option<usize> {
    rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
