//! Secrets files: names and encrypted values. Only their structure is read here.
//!
//! In: `fleet.secrets.yaml`, `ENVIRONMENT.secrets.yaml`, `NAME.secrets.yaml`, `NAME/secrets.yaml`. Out: [`SecretsFile`].
//! **Invariant:** a value that is not encrypted is refused, and no message repeats it.
//! Not here: decryption (`escadre_drivers::age`), edits (`write`).
//! Tests: `tests.rs`.

use super::folder::Reader;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::source::Source;
use crate::text::{Fields, Node};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an armoured age block begins.
pub const ARMOUR_BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// How an armoured age block ends.
pub const ARMOUR_END: &str = "-----END AGE ENCRYPTED FILE-----";

/// Whose a secret is. The narrower one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One instance's.
    Instance,
    /// One environment's.
    Environment,
    /// The whole fleet's.
    Fleet,
}

impl Scope {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Instance => "instance",
            Scope::Environment => "environment",
            Scope::Fleet => "fleet",
        }
    }
}

/// A file of encrypted values.
#[derive(Clone, Debug)]
pub struct SecretsFile {
    /// The file.
    pub file: Arc<str>,
    /// Whose secrets they are.
    pub scope: Scope,
    /// Which instance, environment or fleet.
    pub of: Arc<str>,
    /// Name → armoured block; its place is that of the name.
    pub secrets: BTreeMap<Arc<str>, Spanned<Arc<str>>>,
}

/// An encrypted value, and what it must say of itself once it is decrypted.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'f> {
    /// Whose it is.
    pub scope: Scope,
    /// Which instance, environment or fleet.
    pub of: &'f Arc<str>,
    /// Its name.
    pub name: &'f Arc<str>,
    /// The armoured block.
    pub block: &'f Spanned<Arc<str>>,
}

impl SecretsFile {
    /// The encrypted value of that name.
    pub fn stored(&self, name: &str) -> Option<Stored<'_>> {
        let (name, block) = self.secrets.get_key_value(name)?;
        Some(Stored { scope: self.scope, of: &self.of, name, block })
    }

    /// All encrypted values.
    pub fn all(&self) -> impl Iterator<Item = Stored<'_>> {
        self.secrets.iter().map(|(name, block)| Stored { scope: self.scope, of: &self.of, name, block })
    }
}

impl Stored<'_> {
    /// Where it is written.
    pub fn source(&self) -> Source {
        Source { file: Arc::clone(&self.block.span.file), line: self.block.span.line }
    }
}

/// Reads a file that is there.
pub(super) fn read(reader: &mut Reader<'_>, path: &str, scope: Scope, of: &str) -> Option<Arc<SecretsFile>> {
    let (node, is_there) = reader.document_or_nothing(path);
    let Some(node) = node else {
        let empty = SecretsFile { file: path.into(), scope, of: of.into(), secrets: BTreeMap::new() };
        return is_there.then(|| Arc::new(empty));
    };
    Some(Arc::new(from_node(&node, path, scope, of, &mut reader.findings)))
}

pub(super) fn from_node(
    node: &Node,
    path: &str,
    scope: Scope,
    of: &str,
    findings: &mut Vec<Diagnostic>,
) -> SecretsFile {
    let mut secrets = BTreeMap::new();
    if node.as_mapping().is_none() {
        Fields::new(node, "", findings).finish();
    }
    for (key, value) in node.as_mapping().into_iter().flat_map(|mapping| mapping.iter()) {
        let block =
            value.as_str().map(str::trim).filter(|text| text.starts_with(ARMOUR_BEGIN) && text.ends_with(ARMOUR_END));
        match block {
            Some(block) => {
                secrets.insert(Arc::clone(&key.text), Spanned::new(block.into(), key.span.clone()));
            }
            None => {
                let message = format!("\"{}\" is not encrypted", super::scalar::shown(&key.text));
                let finding = Diagnostic::error(Code::E0601, message).at(&key.span);
                findings.push(
                    finding.hint(format!("escadre secret set {of} {}; if it was ever committed, change it", key.text)),
                );
            }
        }
    }
    SecretsFile { file: path.into(), scope, of: of.into(), secrets }
}
