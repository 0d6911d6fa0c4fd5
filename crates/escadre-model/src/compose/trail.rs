//! Where in a document a walk is: `services.web.ports.0`.
//!
//! In: steps, as they are gone. Out: the path as findings write it.
//! **Invariant**: going a step costs no memory of its own; whoever went it cuts it off again.
//! Not here: places in files (`diagnostic::Span`).
//! Tests: through its users.

use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::Arc;

/// Keys and list positions, separated by dots.
#[derive(Debug, Default)]
pub(super) struct Trail(String);

/// A key, or the position in a list.
pub(super) trait Step {
    fn write(&self, to: &mut String);
}

impl Step for &str {
    fn write(&self, to: &mut String) {
        to.push_str(self);
    }
}

impl Step for &Arc<str> {
    fn write(&self, to: &mut String) {
        to.push_str(self);
    }
}

impl Step for usize {
    fn write(&self, to: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(to, "{self}");
    }
}

impl Trail {
    /// Begins somewhere.
    pub(super) fn at(path: String) -> Self {
        Self(path)
    }

    /// Goes a step; what comes back is to be given to [`Trail::back`].
    pub(super) fn go(&mut self, step: impl Step) -> usize {
        let before = self.0.len();
        if before > 0 {
            self.0.push('.');
        }
        step.write(&mut self.0);
        before
    }

    /// Goes back to where a step began.
    pub(super) fn back(&mut self, to: usize) {
        self.0.truncate(to);
    }
}

impl Deref for Trail {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Trail {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}
