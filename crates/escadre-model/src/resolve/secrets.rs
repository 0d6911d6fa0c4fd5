//! Secrets of an instance: where their values stand, and their keyed hashes.
//!
//! In: what the product declares, what the files store, the project. Out: [`SecretSeen`] by name.
//! **Invariant:** no value leaves this module; without the key the hash is unknown, never guessed.
//! Not here: files and variables that carry them (`escadre-render`).
//! Tests: `tests/it/resolve.rs`.

use super::{Work, once};
use crate::compose::Project;
use crate::desired::State;
use crate::diagnostic::{Code, Diagnostic};
use crate::fleet::{Stored, TlsBy, usual_certificate};
use crate::hash::KeyedHash;
use crate::resolved::SecretSeen;
use crate::text::{Node, Scalar, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The keyed hash of a stored value, or what is wrong with it.
pub(super) type Hashed = Result<Option<KeyedHash>, Box<Diagnostic>>;

impl Work<'_> {
    pub(super) fn secrets(&mut self, project: &Project, used: &BTreeSet<Arc<str>>) -> BTreeMap<Arc<str>, SecretSeen> {
        let mut all = self.certificates(project);
        for (name, declared) in &self.product.secrets {
            let stored = self.fleet.secret(self.instance, name);
            let wanted = used.contains(name) || !declared.environment && project.entry("secrets", name).is_some();
            if stored.is_none() && wanted && self.instance.state == State::Running {
                let message = format!("{} has no value of the secret {name}", self.instance.name.value);
                let finding = Diagnostic::error(Code::E0606, message).at(&self.instance.name.span);
                let finding = finding.label(&declared.span, "declared here");
                self.findings.push(finding.hint(format!("escadre secret set {} {name}", self.instance.name.value)));
            }
            let hash = match stored.as_ref().map_or(Ok(None), |stored| self.hash(stored)) {
                Ok(hash) => hash,
                Err(finding) => {
                    self.findings.push(*finding);
                    None
                }
            };
            let source = stored.map(|stored| stored.source());
            all.insert(Arc::clone(name), SecretSeen { source, hash, environment: declared.environment });
        }
        all
    }

    /// The secrets that endpoints take certificates from: those that are named must be there, the usual ones may.
    fn certificates(&mut self, project: &Project) -> BTreeMap<Arc<str>, SecretSeen> {
        let mut all = BTreeMap::new();
        let product = self.product;
        for (key, endpoint) in product.endpoints.iter().filter(|(_, one)| project.service(&one.service.value).is_some())
        {
            let (names, must) = match &endpoint.tls.by {
                TlsBy::Off => continue,
                TlsBy::Secret { chain, key } => (std::iter::once(chain).chain(key).cloned().collect(), true),
                _ => (vec![usual_certificate(key)], false),
            };
            for name in names {
                let stored = self.fleet.secret(self.instance, &name);
                if stored.is_none() && must && self.instance.state == State::Running {
                    let instance = &self.instance.name;
                    let message =
                        format!("{} has no value of the secret {name}, the certificate of {key}", instance.value);
                    let finding = Diagnostic::error(Code::E0606, message).at(&instance.span);
                    let finding = finding.label(&endpoint.tls.span, "wanted here");
                    self.findings.push(finding.hint(format!("escadre secret set {} {name}", instance.value)));
                }
                let Some(stored) = stored else { continue };
                let hash = self.hash(&stored).unwrap_or_else(|finding| {
                    self.findings.push(*finding);
                    None
                });
                all.insert(name, SecretSeen { source: Some(stored.source()), hash, environment: false });
            }
        }
        all
    }

    /// The keyed hash of a stored value: once for each block, however many instances share it.
    pub(super) fn hash(&self, stored: &Stored<'_>) -> Hashed {
        let Some(key) = self.keys.hash_key.as_ref() else { return Ok(None) };
        let place = (Arc::clone(&stored.block.span.file), stored.block.span.start);
        once(&self.cache.hashes, &place, || {
            let scope = format!("{} {}, {}", stored.scope.word(), stored.of, stored.name);
            match (self.keys.reveal)(stored) {
                Ok(secret) => Ok(secret.map(|secret| KeyedHash::of(key, &scope, &secret))),
                Err(finding) => Err(Box::new(finding.at(&stored.block.span))),
            }
        })
    }

    /// Where developers' values of declared secrets come from is nothing to a fleet; what is not declared has no value here.
    pub(super) fn strip(&mut self, project: &mut Project) {
        let names: Vec<Arc<str>> = project.entries("secrets").map(|(key, _)| Arc::clone(&key.text)).collect();
        for name in names {
            let node = project.entry("secrets", &name);
            if node.is_none_or(|node| node.get("external").is_some()) && !self.product.secrets.contains_key(&name) {
                continue;
            }
            if !self.product.secrets.contains_key(&name) {
                let message = format!("the secret \"{name}\" of the Compose file is not declared in product.yaml");
                let finding = Diagnostic::error(Code::E0606, message);
                let finding = match node {
                    Some(node) => finding.at(&node.span),
                    None => finding,
                };
                self.findings.push(finding.hint(format!("secrets: {{ {name}: {{}} }} in {}", self.product.file)));
                continue;
            }
            let secrets = project.root.mapping_mut().and_then(|root| root.get_mut("secrets"));
            let Some(node) = secrets.and_then(Node::mapping_mut).and_then(|secrets| secrets.get_mut(&name)) else {
                continue;
            };
            if let Some(secret) = node.mapping_mut() {
                secret.retain(|key, _| !matches!(&*key.text, "file" | "environment" | "external"));
            }
        }
    }
}

/// The secrets that texts of a project have holes for.
pub(super) fn used(project: &Project) -> BTreeSet<Arc<str>> {
    let mut found = BTreeSet::new();
    holes(&project.root, &mut found);
    found
}

fn holes(node: &Node, found: &mut BTreeSet<Arc<str>>) {
    match &node.value {
        Value::Null => {}
        Value::Scalar(Scalar { text, .. }) => found.extend(text.secrets().map(|secret| Arc::clone(&secret.0))),
        Value::Sequence(items) => items.iter().for_each(|item| holes(item, found)),
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, item)| holes(item, found)),
    }
}
