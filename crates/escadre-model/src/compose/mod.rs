//! Compose projects: files in, one normalised model out.
//!
//! In: [`Options`], and the bytes of files that the caller's [`Files`] answers. Out: [`Project`] and findings.
//! **Invariant**: pure; everything wrong in all files is reported at once; every value keeps the place where it was written.
//! Not here: reading files, painting findings, what an engine does with a model (escadre-render).
//!
//! The order of work, per document: tags out ([`reset`]), variables in ([`interpolate`]), included files in, what is extended
//! in, merged over what came before ([`merge`]), repeated entries out ([`unique`]), checked against the tables ([`schema`]),
//! long syntax ([`canonical`]). For the whole: defaults ([`complete`]), absolute paths ([`paths`]), what it implies
//! ([`normalise`]), types ([`decode`]), profiles, references ([`consistency`]), environment files.
//!
//! Source: Compose Specification; where it is silent, the reference loader's behaviour.
//! Tests: beside each module, and `tests/cases/compose/`.

mod canonical;
mod cast;
mod complete;
mod consistency;
mod decode;
mod discover;
mod dotenv;
mod environment;
mod extends;
mod include;
mod interpolate;
mod json;
mod load;
mod merge;
mod normalise;
pub mod paths;
mod project;
mod reset;
mod schema;
mod source;
mod steps;
mod trail;
mod unique;
pub mod units;
pub mod verdicts;

pub use discover::discover;
pub use environment::{Variable, Variables};
pub(crate) use interpolate::substitute;
pub use load::load;
pub use project::{Project, Service, UsedUp, bytes, duration, fraction, integer};
pub use source::{Cache, Files, ReadError};

use crate::text::Text;

/// What to load, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that relative paths of the first files begin at; absolute.
    pub working_dir: String,
    /// Compose files in order, later ones override earlier ones; relative ones begin at `working_dir`.
    pub files: Vec<String>,
    /// The project's name, if the caller decides it (`-p`). Else `COMPOSE_PROJECT_NAME`, `name:` in a file, the folder.
    pub project_name: Option<Text>,
    /// Variables for interpolation.
    pub environment: Variables,
    /// Whether `.env` in the working folder adds variables that are not set.
    pub use_dot_env: bool,
    /// Profiles to switch on; `*` is all.
    pub profiles: Vec<String>,
    /// Whether paths become absolute.
    pub resolve_paths: bool,
    /// What `~` stands for.
    pub home: Option<String>,
}

impl Options {
    /// Options that load `files` in `working_dir` without any variable.
    pub fn new(working_dir: impl Into<String>, files: Vec<String>) -> Self {
        Self {
            working_dir: working_dir.into(),
            files,
            project_name: None,
            environment: Variables::default(),
            use_dot_env: false,
            profiles: Vec::new(),
            resolve_paths: true,
            home: None,
        }
    }
}
