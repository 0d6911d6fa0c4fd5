//! Files and folders of the fleet, with every refusal turned into a finding.
//!
//! In: a `Tree`. Out: YAML documents, folder listings; findings are gathered on the way.
//! **Invariant:** what could not be read is remembered as incomplete: a half-read fleet never looks like a smaller one.
//! Not here: what the files mean.
//! Tests: `tests.rs`.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::text::{self, Limits, Node};
use crate::tree::{Entry, Tree};
use std::sync::Arc;

/// How deep folders under `instances/` may go: nobody finds a file below that.
pub(super) const DEEPEST: usize = 16;

/// How many files and folders under `instances/` are looked at: ten times the largest fleet thought of.
pub(super) const MOST: usize = 200_000;

/// Reads the fleet's files.
pub(super) struct Reader<'t> {
    tree: &'t dyn Tree,
    /// What was found wrong so far.
    pub(super) findings: Vec<Diagnostic>,
    incomplete: bool,
}

/// What stands at a path.
pub(super) enum Found {
    File(Arc<[u8]>),
    Folder(Arc<[Arc<str>]>),
    Nothing,
    /// It could not be read, and a finding says so.
    Refused,
}

impl<'t> Reader<'t> {
    pub(super) fn new(tree: &'t dyn Tree) -> Self {
        Self { tree, findings: Vec::new(), incomplete: false }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.findings
    }

    pub(super) fn incomplete(&self) -> bool {
        self.incomplete
    }

    /// Notes that something may exist which was not seen.
    pub(super) fn not_all_seen(&mut self) {
        self.incomplete = true;
    }

    pub(super) fn look(&mut self, path: &str) -> Found {
        match self.tree.entry(path) {
            Ok(Entry::File { bytes, .. }) => Found::File(bytes),
            Ok(Entry::Folder(names)) => Found::Folder(names),
            Ok(Entry::Absent) => Found::Nothing,
            Err(error) => {
                self.incomplete = true;
                self.findings.push(refused(path, &error));
                Found::Refused
            }
        }
    }

    /// The names in a folder, sorted; empty when there is none.
    pub(super) fn list(&mut self, path: &str) -> Arc<[Arc<str>]> {
        match self.look(path) {
            Found::Folder(names) => names,
            Found::File(_) => {
                let finding = Diagnostic::error(Code::E0504, format!("{path} must be a folder, here is a file"));
                self.findings.push(finding.at(&Span::whole(&path.into())));
                self.incomplete = true;
                Arc::from([])
            }
            Found::Nothing | Found::Refused => Arc::from([]),
        }
    }

    /// The only document of a YAML file; nothing when there is no such file, or when it is no YAML (a finding says so).
    pub(super) fn document(&mut self, path: &str) -> Option<Node> {
        match self.look(path) {
            Found::File(bytes) => self.parse(path, &bytes),
            Found::Folder(_) => {
                let finding = Diagnostic::error(Code::E0504, format!("{path} must be a file, here is a folder"));
                self.findings.push(finding.at(&Span::whole(&path.into())));
                None
            }
            Found::Nothing | Found::Refused => None,
        }
    }

    /// As [`Reader::document`], for files that may hold nothing but comments: those say nothing, and are no error. The second answer says
    /// whether the file is there.
    pub(super) fn document_or_nothing(&mut self, path: &str) -> (Option<Node>, bool) {
        let empty = |line: &[u8]| line.trim_ascii().is_empty() || line.trim_ascii().starts_with(b"#");
        match self.look(path) {
            Found::File(bytes) if bytes.split(|byte| *byte == b'\n').all(empty) => (None, true),
            Found::File(bytes) => (self.parse(path, &bytes), true),
            _ => (self.document(path), false),
        }
    }

    /// The only document in these bytes.
    pub(super) fn parse(&mut self, path: &str, bytes: &[u8]) -> Option<Node> {
        let (node, mut findings) = parse(path, bytes);
        self.findings.append(&mut findings);
        node
    }
}

/// The only document in these bytes, and what is wrong with them.
pub(super) fn parse(path: &str, bytes: &[u8]) -> (Option<Node>, Vec<Diagnostic>) {
    text::parse_one(path, bytes, Limits::default())
}

/// A tree's refusal as a finding.
pub(crate) fn refused(path: &str, error: &crate::tree::Error) -> Diagnostic {
    let code = match error {
        crate::tree::Error::Outside(_) | crate::tree::Error::Link(_) => Code::E0515,
        crate::tree::Error::TooLarge(..) => Code::E0102,
        crate::tree::Error::Unreadable { .. } => Code::E0517,
    };
    Diagnostic::error(code, error.to_string()).at(&Span::whole(&path.into()))
}

/// A relative path as written, taken from a folder of the tree, without `.` and `..`; `None`: it is absolute or leads out of the tree.
pub(crate) fn join(folder: &str, written: &str) -> Option<Arc<str>> {
    if written.starts_with('/') || written.starts_with('~') || written.contains(['\\', '\0']) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/").into())
}

/// The folder a file stands in; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of a path.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
