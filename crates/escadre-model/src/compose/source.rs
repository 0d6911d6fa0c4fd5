//! Files as the caller answers them, parsed once.
//!
//! In: paths. Out: documents whose tags and keys are checked already.
//! **Invariant**: the same bytes are parsed once per [`Cache`], however many projects read them; nothing is read here.
//! Not here: variables (they differ from project to project).
//! Tests: tests/cases/compose.

use super::reset::Resets;
use super::schema::Checker;
use crate::diagnostic::{Code, Diagnostic, Span, has_errors};
use crate::text::{self, Limits, Node, Read};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a file could not be read, in a few words: "permission denied", "outside the repository".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// The files that a load may read. The caller decides what can be seen, and records what was asked.
pub trait Files {
    /// The bytes of a file, or nothing if there is no such file.
    ///
    /// # Errors
    /// The file is there but cannot be read, or must not be.
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError>;

    /// The path as findings and spans name it.
    fn shown<'p>(&self, path: &'p str) -> &'p str {
        path
    }
}

/// One document of a file, without tags.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    pub(crate) resets: Resets,
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Parsed {
    bytes: Arc<[u8]>,
    pub(crate) documents: Vec<Document>,
    pub(crate) findings: Vec<Diagnostic>,
}

/// Files already parsed, by path and content; share one between the projects of a fleet.
#[derive(Debug, Default)]
pub struct Cache {
    files: Mutex<HashMap<String, Arc<Parsed>>>,
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn parse(&self, path: &str, shown: &str, bytes: &Arc<[u8]>) -> Arc<Parsed> {
        // A panic while the lock is held cannot leave a half-written entry: entries are inserted whole.
        let known = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(known) = known
            && (Arc::ptr_eq(&known.bytes, bytes) || known.bytes == *bytes)
        {
            return known;
        }
        let parsed = Arc::new(read(shown, bytes));
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), Arc::clone(&parsed));
        parsed
    }
}

fn read(path: &str, bytes: &Arc<[u8]>) -> Parsed {
    let Read { documents: nodes, mut findings, is_plain } = text::read(path, bytes, Limits::default());
    let count = nodes.len();
    let mut documents = Vec::with_capacity(count);
    for node in nodes {
        // `---` at the end of a file begins a document in which nothing stands.
        if node.is_null() && count > 1 {
            continue;
        }
        let (root, resets) = if is_plain { (node, Resets::default()) } else { Resets::collect(&node, &mut findings) };
        if root.as_mapping().is_none() {
            let message = format!("a Compose file must be a mapping, here is {}", root.kind());
            findings.push(Diagnostic::error(Code::E0401, message).at(&root.span));
            continue;
        }
        if !is_plain {
            Checker::new(&mut findings).keys(&root);
        }
        documents.push(Document { root, resets });
    }
    findings.extend(private_key(path, bytes));
    if documents.is_empty() && !has_errors(&findings) {
        findings.push(Diagnostic::error(Code::E0417, format!("{path} is empty")).at(&Span::whole(&path.into())));
    }
    Parsed { bytes: Arc::clone(bytes), documents, findings }
}

/// A private key anywhere in a file, in a comment too.
fn private_key(path: &str, bytes: &[u8]) -> Option<Diagnostic> {
    let text = std::str::from_utf8(bytes).ok()?;
    let start = text.match_indices("-----BEGIN ").map(|(at, _)| at).find(|at| {
        let line = text.get(*at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        line.contains("PRIVATE KEY-----")
    })?;
    let (before, rest) = text.split_at(start);
    let clip = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let end = start + rest.lines().next().unwrap_or_default().len();
    let span = Span {
        file: path.into(),
        line: clip(before.matches('\n').count() + 1),
        column: clip(column + 1),
        start: clip(start),
        end: clip(end),
    };
    let message = "a private key stands here in plain text, for everybody who reads the repository";
    let finding = Diagnostic::warning(Code::W0406, message).at(&span);
    Some(
        finding
            .hint("take it out, give the program a secret from outside of Git, and make a new key: this one is known"),
    )
}
