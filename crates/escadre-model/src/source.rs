//! Where a value was written, small enough to be kept in plans and receipts.
//!
//! In: a file of the tree and a line. Out: `compose.yaml:28`.
//! **Invariant:** the path is the tree's (relative, with `/`), never one of this machine's beyond it.
//! Not here: full spans for error messages (`diagnostic::Span`).
//! Tests: through their users.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A file and a line in it, from 1.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Source {
    /// The path as people write it: relative to the fleet's root, or to where the command was given.
    pub file: Arc<str>,
    /// The line, from 1; 0 where only the file is known.
    pub line: u32,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
