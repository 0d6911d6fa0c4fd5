//! Secrets that stand in Compose files in plain text.
//!
//! In: a resolved instance. Out: warnings, each with what to write instead.
//! **Invariant:** what is said of a secret never holds its value.
//! Not here: private keys anywhere in a file (`compose::source`), secrets files of a fleet (`fleet::secrets_file`).
//! Tests: `tests/it/resolve.rs`, and in the binary's `tests/cases/bad.case`.

use crate::compose::Service;
use crate::diagnostic::{Code, Diagnostic};
use crate::resolved::Resolved;
use crate::text::{Mapping, Node};

/// Parts of the names of variables that hold secrets.
const SECRET_WORDS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "CREDENTIAL",
];

impl Resolved {
    /// Values of variables that stand in the Compose files themselves and are secrets by their name or their form.
    pub fn plain_secrets(&self) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        for service in self.project().services() {
            of_service(service, self.shape.single, &mut findings);
        }
        findings
    }
}

fn of_service(service: Service<'_>, single: bool, findings: &mut Vec<Diagnostic>) {
    for section in ["environment", "build.args"] {
        for (key, value) in service.node(section).and_then(Node::as_mapping).into_iter().flat_map(Mapping::iter) {
            // What comes from a variable or an environment file is not written here.
            let in_file = value.span.file.ends_with(".yaml") || value.span.file.ends_with(".yml");
            let Some(text) = value.as_str().filter(|_| value.raw.is_none() && in_file) else { continue };
            if !(is_secret_name(&key.text) && is_secret_value(text) || holds_password(text)) {
                continue;
            }
            let name = &key.text;
            let path = format!("services.{}.{section}.{name}", service.name);
            let message = format!("`{path}` holds a secret in plain text, for everybody who reads the repository");
            let finding = Diagnostic::warning(Code::W0406, message).at(&value.span).path(path);
            let finding = finding.hint(if single {
                format!("write ${{{name}}} here, and the value into .env, outside of Git")
            } else {
                format!("write ${{{name}}} here, and in product.yaml secrets: {{ {name}: {{ as: environment }} }}; then escadre secret set")
            });
            findings.push(
                finding.hint("where the image can read it from a file, better a Compose secret below /run/secrets"),
            );
        }
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    !name.ends_with("_FILE") && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Switches, numbers and paths are no secrets, whatever their variable is called.
fn is_secret_value(text: &str) -> bool {
    let text = text.trim();
    let switch = matches!(
        text.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null"
    );
    !switch && text.parse::<i64>().is_err() && !text.starts_with('/') && !text.starts_with("http")
}

/// An address with a password in it: `postgres://app:password@db`.
fn holds_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
}
