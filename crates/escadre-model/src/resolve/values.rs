//! Values of parameters: product default < environment < zone < instance.
//!
//! In: a fleet and an instance. Out: values with where they come from, and the Compose variables made of them.
//! **Invariant:** what is no parameter, no built-in and no environment secret is no variable.
//! Not here: whether a value has the right type (`fleet`).
//! Tests: `tests/it/resolve.rs`.

use super::{Work, files};
use crate::compose::Variables;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::fleet::{ParameterType, folder_of, join};
use crate::resolved::Value;
use crate::source::Source;
use crate::text::Text;
use crate::tree::Entry;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value, and what else resolving needs of it.
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) span: Span,
    /// The path in the tree, for a file.
    pub(super) file: Option<Arc<str>>,
}

pub(super) fn source(span: &Span) -> Source {
    Source { file: Arc::clone(&span.file), line: span.line }
}

impl Work<'_> {
    pub(super) fn values(&mut self) -> BTreeMap<Arc<str>, Given> {
        let environment = self.fleet.environment(self.instance.environment.value.as_str());
        let zone = self.fleet.zone_of(self.instance);
        let mut all = BTreeMap::new();
        for (name, parameter) in &self.product.parameters {
            let own = self.instance.values.get(name).map(|value| (value, "instance".to_owned()));
            let from_zone =
                || zone.and_then(|zone| Some((zone.values.get(name)?, format!("zone {}", zone.name.value))));
            let from_environment = || {
                environment
                    .and_then(|known| Some((known.values.get(name)?, format!("environment {}", known.name.value))))
            };
            let default = || parameter.default.as_ref().map(|value| (value, "default".to_owned()));
            let Some((written, from)) = own.or_else(from_zone).or_else(from_environment).or_else(default) else {
                continue;
            };
            let file = if parameter.kind == ParameterType::File { self.file(name, written) } else { None };
            let value = Value {
                text: Arc::clone(&written.value),
                source: Some(source(&written.span)),
                from: from.into(),
                sensitive: false,
            };
            all.insert(Arc::clone(name), Given { value, span: written.span.clone(), file });
        }
        all
    }

    /// The file that a value names, beside the file where it is written; it must be there.
    fn file(&mut self, name: &str, written: &Spanned<Arc<str>>) -> Option<Arc<str>> {
        let Some(path) = join(folder_of(&written.span.file), &written.value) else {
            self.findings.push(crate::fleet::outside(name, written));
            return None;
        };
        match self.tree.entry(&path) {
            Ok(Entry::File { tracked, .. }) => {
                if !tracked {
                    let message = format!("{name}: {path} is not known to Git, so it is part of no commit");
                    let finding = Diagnostic::error(Code::E0516, message).at(&written.span);
                    self.findings.push(finding.hint(format!("git add {path}")));
                }
                return Some(path);
            }
            Ok(Entry::Folder(_)) => {
                let message = format!("{name} must be a file, and {path} is a folder");
                self.findings.push(Diagnostic::error(Code::E0516, message).at(&written.span));
            }
            Ok(Entry::Absent) => {
                let message = format!("{name}: {path} is not there");
                self.findings.push(Diagnostic::error(Code::E0516, message).at(&written.span));
            }
            Err(error) => {
                let mut finding = crate::fleet::refused(&path, &error);
                finding.labels.clear();
                self.findings.push(finding.at(&written.span));
            }
        }
        None
    }

    /// The variables that Compose files of this instance see.
    pub(super) fn variables(&self, values: &BTreeMap<Arc<str>, Given>) -> Variables {
        let mut variables = Variables::default();
        for (name, given) in values {
            let text = match &given.file {
                // Compose files may name the file by its variable.
                Some(path) => files::inside(path),
                None => given.value.text.to_string(),
            };
            variables.set(&**name, text, Some(given.span.clone()));
        }
        for (name, secret) in self.product.secrets.iter().filter(|(_, secret)| secret.environment) {
            variables.set(&**name, Text::secret(Arc::clone(name)), Some(secret.span.clone()));
        }
        for name in ["ESCADRE_INSTANCE", "COMPOSE_PROJECT_NAME"] {
            variables.set(name, self.instance.name.value.as_str(), Some(self.instance.name.span.clone()));
        }
        let environment = &self.instance.environment;
        variables.set("ESCADRE_ENVIRONMENT", environment.value.as_str(), Some(environment.span.clone()));
        variables.set("ESCADRE_RELEASE", "tree", None);
        variables
    }
}
