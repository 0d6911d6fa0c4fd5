//! Which Compose files belong to a folder.
//!
//! In: a folder. Out: the file and its override, looked for in the folder and those above it.
//! **Invariant**: the order of names is the reference's.
//! Not here: `-f` and `COMPOSE_FILE`, which leave nothing to find.
//! Tests: tests/cases/compose.

use super::paths::{join, parent};
use super::source::{Files, ReadError};
use crate::diagnostic::{Code, Diagnostic, Span};

const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// The Compose file of `folder`, or of the nearest folder above that has one, and its override. Empty when there is none.
///
/// # Errors
/// A file is there but cannot be read.
pub fn discover(folder: &str, files: &dyn Files, findings: &mut Vec<Diagnostic>) -> Result<Vec<String>, ReadError> {
    let mut folder = folder.to_owned();
    loop {
        if let Some(main) = first(&folder, &NAMES, files, findings)? {
            let over = first(&folder, &OVERRIDES, files, findings)?;
            return Ok(std::iter::once(main).chain(over).collect());
        }
        let above = parent(&folder);
        if above == folder {
            return Ok(Vec::new());
        }
        folder = above;
    }
}

fn first(
    folder: &str,
    names: &[&str],
    files: &dyn Files,
    findings: &mut Vec<Diagnostic>,
) -> Result<Option<String>, ReadError> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        let path = join(folder, name);
        if files.read(&path)?.is_some() {
            found.push(path);
        }
    }
    if let [winner, others @ ..] = found.as_slice()
        && !others.is_empty()
    {
        let message = format!("{winner} is used; {} stands beside it and is not", others.join(", "));
        findings.push(Diagnostic::warning(Code::W0405, message).at(&Span::whole(&winner.as_str().into())));
    }
    Ok(found.into_iter().next())
}
