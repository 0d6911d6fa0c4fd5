//! Compose projects: placeholder of the reader that is being built; the shape is final.

use crate::text::Node;
use std::sync::Arc;

/// A Compose project, merged, interpolated, normalised.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its name.
    pub name: Arc<str>,
    /// The normalised tree: `services`, `networks`, `volumes`, `configs`, `secrets`, every node with span and raw text.
    pub root: Node,
    /// Relative paths start here.
    pub working_dir: Arc<str>,
    /// The files it was read from.
    pub files: Vec<Arc<str>>,
}
