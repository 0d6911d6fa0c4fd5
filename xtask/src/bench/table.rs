//! The one table: rows, the machine they were measured on, and how it is written.
//!
//! In: rows. Out: docs/bench.md.
//! **Invariant:** a target that was missed is written as missed; what was not measured is written as not measured.
//! Not here: measuring.
//! Tests: the tools are their own users.

use super::measure;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// Whether a target was met.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was.
    Met,
    /// It was not.
    Missed,
}

impl Verdict {
    /// Met if so.
    pub(crate) fn of(met: bool) -> Self {
        if met { Verdict::Met } else { Verdict::Missed }
    }
}

/// One line.
pub(crate) struct Row {
    what: String,
    measured: String,
    beside: String,
    target: Option<(String, Verdict)>,
}

impl Row {
    /// A measurement.
    pub(crate) fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into(), beside: String::new(), target: None }
    }

    /// What could not be measured, and why.
    pub(crate) fn missing(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(what, "not measured").beside(why)
    }

    /// What stands beside it.
    pub(crate) fn beside(mut self, text: impl Into<String>) -> Self {
        self.beside = text.into();
        self
    }

    /// What it should be.
    pub(crate) fn target(mut self, target: impl Into<String>, verdict: Verdict) -> Self {
        self.target = Some((target.into(), verdict));
        self
    }

    fn line(&self) -> String {
        let target = match &self.target {
            Some((target, Verdict::Met)) => format!("{target}: met"),
            Some((target, Verdict::Missed)) => format!("{target}: **missed**"),
            None => String::new(),
        };
        format!("| {} | {} | {} | {target} |", self.what, self.measured, self.beside)
    }
}

/// Tells what is going on.
#[expect(clippy::print_stderr, reason = "a tool tells what it does while it does it")]
pub(crate) fn note(text: &str) {
    eprintln!("bench: {text}");
}

/// All rows, in order; each is told on standard error as soon as it is there.
#[derive(Default)]
pub(crate) struct Table {
    parts: Vec<Part>,
}

struct Part {
    title: String,
    rows: Vec<Row>,
    /// The machine's load when it began, and the time.
    began: String,
}

/// What stands above all parts.
const HEAD: &str = "# How fast, how small\n\nWritten by `make bench` (`cargo xtask bench`, one part: `cargo xtask bench PART --keep`); do not edit. Peers and floors are measured in \
                    the same run on the same machine, so ratios say more than seconds. Times of planning are medians of several processes; a target that is missed is said to be.\n\n";

impl Table {
    /// Begins a part.
    pub(crate) fn part(&mut self, title: &str) {
        self.parts.push(Part { title: title.to_owned(), rows: Vec::new(), began: load() });
    }

    /// Adds a row.
    #[expect(clippy::print_stderr, reason = "a tool tells what it does while it does it")]
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("bench: {}", row.line());
        if let Some(part) = self.parts.last_mut() {
            part.rows.push(row);
        }
    }

    /// The page; parts of a former one that were not measured now stay as they are, in their places.
    pub(crate) fn page(&self, former: &str) -> String {
        let mut sections: Vec<(String, String)> = Vec::new();
        for section in former.split("\n## ").skip(1) {
            let (title, _) = section.split_once('\n').unwrap_or((section, ""));
            sections.push((title.to_owned(), format!("## {}\n", section.trim_end())));
        }
        for part in &self.parts {
            let text = part.section();
            match sections.iter_mut().find(|(title, _)| *title == part.title) {
                Some((_, section)) => *section = text,
                None => sections.push((part.title.clone(), text)),
            }
        }
        let sections: Vec<String> = sections.into_iter().map(|(_, section)| section).collect();
        format!("{HEAD}{}", sections.join("\n"))
    }
}

impl Part {
    fn section(&self) -> String {
        let mut text = format!("## {}\n\n{}, when it began {}\n\n", self.title, machine(), self.began);
        text.push_str("| | measured | beside it | target |\n|---|---|---|---|\n");
        for row in &self.rows {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", row.line());
        }
        text
    }
}

/// How busy the machine was in the last one, five and fifteen minutes.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The machine, the versions, the date.
fn machine() -> String {
    let said = |program: &str, words: &[&str]| {
        let text = measure::output(Command::new(program).args(words)).unwrap_or_else(|_| "unknown".to_owned());
        text.lines().next().unwrap_or_default().trim().to_owned()
    };
    let line = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let found = text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_once([':', '=']));
        found.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().trim_matches('"').to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = load();
    format!(
        "{} · {cores} cores · {} · kernel {} · {} · {} · Podman {} · {} · measured {} · load average at the end {load}",
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
        said("uname", &["-r"]),
        line("/etc/os-release", "PRETTY_NAME"),
        said("rustc", &["--version"]),
        said("podman", &["version", "--format", "{{.Client.Version}}"]),
        said("git", &["log", "-1", "--format=commit %h"]),
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
    )
}
