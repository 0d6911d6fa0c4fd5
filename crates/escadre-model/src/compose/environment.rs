//! Variables of a project: names, values, and where a value was written.
//!
//! In: what the caller gives, and environment files. Out: [`Variables`].
//! **Invariant**: a name that is set is never set again by a weaker source.
//! Not here: filling them into texts (interpolate), the format of files (dotenv).
//! Tests: tests/cases/compose.

use super::dotenv;
use super::interpolate::Lookup;
use super::source::{Files, ReadError};
use crate::diagnostic::{Diagnostic, Span};
use crate::text::Text;
use std::collections::BTreeMap;

/// The value of a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// The value, possibly with secrets in it.
    pub text: Text,
    /// Where it was written; nothing for the caller's environment.
    pub span: Option<Span>,
}

/// Variables by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    by_name: BTreeMap<String, Variable>,
}

impl Variables {
    /// The variable of a name.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.by_name.get(name)
    }

    /// Sets a variable, replacing another value.
    pub fn set(&mut self, name: impl Into<String>, text: impl Into<Text>, span: Option<Span>) {
        self.by_name.insert(name.into(), Variable { text: text.into(), span });
    }

    /// Sets a variable unless it is set.
    pub fn set_default(&mut self, name: impl Into<String>, variable: Variable) {
        self.by_name.entry(name.into()).or_insert(variable);
    }

    /// Adds the variables of an environment file that are not set; whether the file is there.
    ///
    /// # Errors
    /// It is there and cannot be read. What is wrong inside is a finding.
    pub fn add_file(
        &mut self,
        path: &str,
        files: &dyn Files,
        findings: &mut Vec<Diagnostic>,
    ) -> Result<bool, ReadError> {
        let Some(bytes) = files.read(path)? else { return Ok(false) };
        let lines = dotenv::parse(&files.shown(path).into(), &bytes, false, (&*self, &dotenv::Nothing), findings);
        // Within one file the last line for a name stands.
        for line in lines.into_iter().rev() {
            self.set_default(line.key, Variable { text: line.text, span: Some(line.span) });
        }
        Ok(true)
    }

    /// The same with these values of late variables, by slot.
    pub(crate) fn fill(&self, late: &[std::sync::Arc<str>]) -> Self {
        let fill = |variable: &Variable| Variable { text: variable.text.fill(late), span: variable.span.clone() };
        Self { by_name: self.by_name.iter().map(|(name, variable)| (name.clone(), fill(variable))).collect() }
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.by_name.iter().map(|(name, variable)| (name.as_str(), variable))
    }
}

impl<N: Into<String>, T: Into<Text>> FromIterator<(N, T)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(variables: I) -> Self {
        let mut collected = Self::default();
        for (name, text) in variables {
            collected.set(name, text, None);
        }
        collected
    }
}

impl Lookup for Variables {
    fn value(&self, name: &str) -> Option<&Text> {
        self.by_name.get(name).map(|variable| &variable.text)
    }
}
