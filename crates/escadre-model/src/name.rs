//! Names people choose for fleets, products, instances, environments, zones and targets.
//!
//! In: text from a file or the command line. Out: a `Name`, or why it is none.
//! **Invariant:** a `Name` holds only lower-case letters, digits and inner hyphens (a Compose project's also underscores), so it can never be an
//! option, a path or a second word, wherever it is put.
//! Not here: names of services, networks and volumes, which keep Compose's grammar (`compose`).
//! Tests: `name/tests.rs`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The longest name, in characters: one label of a DNS name.
pub const LONGEST: usize = 63;

/// A checked name: `[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`, taken as written (`no` is a country, `2.10` is refused rather than read as a number).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("a name has at least one character")]
    Empty,
    /// More than [`LONGEST`] characters.
    #[error("a name has at most 63 characters, this one has {0}")]
    TooLong(usize),
    /// A character outside the grammar; shown escaped, because it may be invisible.
    #[error("a name is made of a-z, 0-9 and inner hyphens; it cannot hold {0}")]
    Character(String),
    /// It starts or ends with a hyphen.
    #[error("a name starts and ends with a letter or a digit")]
    Edge,
}

impl Name {
    /// Checks a name of ours.
    ///
    /// # Errors
    /// When the text is outside the grammar of fleets, instances, environments and targets.
    pub fn new(text: &str) -> Result<Self, Error> {
        Self::checked(text, false)
    }

    /// Checks a Compose project's name, which may also hold underscores.
    ///
    /// # Errors
    /// When the text is outside Compose's grammar `[a-z0-9][a-z0-9_-]*`, or longer than [`LONGEST`].
    pub fn project(text: &str) -> Result<Self, Error> {
        Self::checked(text, true)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn checked(text: &str, project: bool) -> Result<Self, Error> {
        let length = text.chars().count();
        if length == 0 {
            return Err(Error::Empty);
        }
        if length > LONGEST {
            return Err(Error::TooLong(length));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (project && c == '_');
        if let Some(c) = text.chars().find(|c| !allowed(*c)) {
            return Err(Error::Character(format!("\"{}\"", c.escape_default())));
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !edge(text.chars().next()) || (!project && !edge(text.chars().last())) {
            return Err(Error::Edge);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::project(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests;
