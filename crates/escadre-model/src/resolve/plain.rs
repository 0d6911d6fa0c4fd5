//! Secrets that stand in Compose files in plain text.
//!
//! In: a resolved instance. Out: warnings, each with what to write instead.
//! **Invariant:** what is said of a secret never holds its value.
//! Not here: private keys anywhere in a file (`compose::source`), secrets files of a fleet (`fleet::secrets_file`).
//! Tests: `tests/it/resolve.rs`, and in the binary's `tests/cases/bad.case`.

use crate::compose::{Service, Variables, substitute};
use crate::diagnostic::{Code, Diagnostic};
use crate::propose::Use;
use crate::resolved::Resolved;
use crate::secret::looks_secret;
use crate::text::{Mapping, Node};
use std::collections::{BTreeMap, BTreeSet};

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

/// What a program is started with: everybody on the host may read it while it runs.
const LINES: &[&str] = &["command", "entrypoint", "healthcheck.test"];

impl Resolved {
    /// Values of variables and words of command lines that stand in the Compose files themselves and are secrets by their name or their form.
    pub fn plain_secrets(&self) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        for service in self.project().services() {
            for section in ["environment", "build.args"] {
                variables(service, section, self.shape.single, &mut findings);
            }
            LINES.iter().for_each(|section| line(service, section, &mut findings));
        }
        findings
    }
}

/// What comes from an environment file is not written in a Compose file.
fn in_file(node: &Node) -> bool {
    node.span.file.ends_with(".yaml") || node.span.file.ends_with(".yml")
}

fn variables(service: Service<'_>, section: &str, single: bool, findings: &mut Vec<Diagnostic>) {
    for (key, value) in service.node(section).and_then(Node::as_mapping).into_iter().flat_map(Mapping::iter) {
        let name = &key.text;
        let found = match &value.raw {
            _ if !in_file(value) => None,
            None => {
                let text = value.as_str().unwrap_or_default();
                (is_secret_name(name) && is_secret_value(text) || holds_password(text)).then(|| (name.to_string(), ""))
            }
            Some(raw) => default(name, raw),
        };
        let Some((variable, how)) = found else { continue };
        let path = format!("services.{}.{section}.{name}", service.name);
        let message = format!("`{path}` holds a secret in plain text{how}, for everybody who reads the repository");
        let finding = Diagnostic::warning(Code::W0406, message).at(&value.span).path(path);
        let finding = finding.hint(if single {
            format!("write ${{{variable}}} here, and the value into .env, outside of Git")
        } else {
            format!("write ${{{variable}}} here, and in product.yaml secrets: {{ {variable}: {{ as: environment }} }}; then escadre secret set")
        });
        findings
            .push(finding.hint("where the image can read it from a file, better a Compose secret below /run/secrets"));
    }
}

/// The variable whose default is a secret, or the name itself where only the whole is one: `postgres://app:${NAME:-…}@db`.
fn default(name: &str, raw: &str) -> Option<(String, &'static str)> {
    let mut used = BTreeMap::new();
    crate::propose::scan(raw, &mut used, 0);
    // Only `$$` stands in it.
    let whole = used.is_empty() && is_secret_name(name);
    let secret = used.into_iter().find_map(|(variable, used)| match used {
        Use::Default(text) if is_secret_value(&text) => {
            (is_secret_name(&variable) || is_secret_name(name)).then_some((variable, " as a default"))
        }
        _ => None,
    });
    secret.or_else(|| {
        let text = by_default(raw)?;
        (whole && is_secret_value(&text) || holds_password(&text)).then(|| (name.to_owned(), ""))
    })
}

/// The text where no variable is set.
fn by_default(raw: &str) -> Option<String> {
    let text = substitute(raw, &Variables::default(), &mut BTreeSet::new()).ok()?;
    Some(text.display().into_owned())
}

/// A secret among the words of a command: `--password hunter2`, `TOKEN=…`, an address with a password in it.
fn line(service: Service<'_>, section: &str, findings: &mut Vec<Diagnostic>) {
    let Some(node) = service.node(section) else { return };
    // A line with variables in it keeps them beside its words.
    let words: Vec<(String, &Node)> = match (&node.raw, node.as_sequence()) {
        (Some(raw), _) => by_default(raw).map(|text| (text, node)).into_iter().collect(),
        (None, Some(items)) => items.iter().filter_map(|item| Some((written(item)?, item))).collect(),
        (None, None) => written(node).map(|text| (text, node)).into_iter().collect(),
    };
    let mut flag: Option<String> = None;
    for (text, node) in words.iter().filter(|(_, node)| in_file(node)) {
        for word in text.split_whitespace().map(|word| word.trim_matches(['\'', '"'])) {
            let before = flag.take();
            let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let dashed = name.starts_with('-');
            let secret = match value {
                Some(value) => looks_secret_word(name, value),
                None if dashed => {
                    flag = Some(name.to_owned());
                    false
                }
                None => before.is_some_and(|flag| looks_secret_word(&flag, word)),
            };
            if secret || holds_password(word) {
                let path = format!("services.{}.{section}", service.name);
                let message = format!("`{path}` holds a secret in plain text, for everybody who reads the repository");
                let finding = Diagnostic::warning(Code::W0406, message).at(&node.span).path(path);
                let finding = finding.hint("words of a command are seen by everybody on the host as well: let the program read a Compose secret below /run/secrets");
                findings.push(
                    finding.hint("or let a shell in the container fill it in: $$NAME, with NAME in environment:"),
                );
                return;
            }
        }
    }
}

fn written(node: &Node) -> Option<String> {
    match &node.raw {
        Some(raw) => by_default(raw),
        None => node.as_str().map(str::to_owned),
    }
}

/// What a shell fills in is not written here.
fn looks_secret_word(name: &str, value: &str) -> bool {
    let name = name.trim_start_matches('-').replace('-', "_");
    let name = if name == "requirepass" { "password" } else { &name };
    is_secret_value(value) && !value.starts_with(['$', '{', '<', '`']) && looks_secret(name, value)
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
