//! What was typed, and where it was typed → what it means.
//!
//! In: options, environment variables, the working folder. Out: [`Settings`], and per verb what its words mean ([`What`], [`Selection`]).
//! **Invariant**: the environment and the working folder are read here and nowhere else; nothing is guessed.
//! Not here: finding and reading the fleet, connecting to an engine (`wire`).
//! Tests: `settings/tests.rs`.

use crate::args::shared::{Files, Filter};
use crate::args::value::Pair;
use crate::args::{Cli, value};
use crate::exit::Fault;
use escadre_model::diagnostic::Code;
use escadre_model::name::Name;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What every verb may need to know of its surroundings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The folder the command was given in.
    pub(crate) folder: PathBuf,
    /// The state folder, if one was named before the verb.
    pub(crate) state: Option<PathBuf>,
    /// The environment, for fleets of one and for engine addresses; values may be secret.
    pub(crate) environment: BTreeMap<String, String>,
    /// Who asks: for locks and receipts.
    pub(crate) who: String,
}

/// Which instances are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Named ones; empty: all.
    pub(crate) instances: Vec<Name>,
    /// Labels they must have, all of them.
    pub(crate) filter: Vec<Pair>,
    /// Not these.
    pub(crate) except: Vec<Name>,
}

/// What `up` was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Start looking for the files there.
    Path(PathBuf),
    /// Instances of the fleet found upwards from the working folder; empty: all.
    Instances(Vec<Name>),
}

/// What an instance looks like to a filter.
pub(crate) struct Seen<'a> {
    /// Its name.
    pub(crate) name: &'a Name,
    /// `environment`, `product`, `target`.
    pub(crate) facts: &'a [(&'a str, &'a str)],
    /// Its labels.
    pub(crate) labels: &'a BTreeMap<std::sync::Arc<str>, std::sync::Arc<str>>,
}

impl Settings {
    /// Reads the surroundings.
    ///
    /// # Errors
    /// When there is no working folder.
    pub(crate) fn gather(cli: &Cli) -> Result<Self, Fault> {
        let folder = std::env::current_dir()
            .map_err(|error| Fault::world(anyhow::Error::new(error).context("the working folder cannot be read")))?;
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let state = cli.state.as_ref().map(|path| folder.join(path));
        let who = who(&environment);
        Ok(Self { folder, state, environment, who })
    }

    /// The file with the key that decrypts secrets: named, by ESCADRE_IDENTITY, else ~/.config/escadre/identity (which may not exist).
    pub(crate) fn identity(&self, named: Option<&Path>) -> Option<PathBuf> {
        if let Some(path) = named {
            return Some(self.folder.join(path));
        }
        if let Some(path) = self.environment.get("ESCADRE_IDENTITY").filter(|path| !path.is_empty()) {
            return Some(self.folder.join(path));
        }
        let set = |key: &str| self.environment.get(key).filter(|path| !path.is_empty()).map(PathBuf::from);
        let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
        Some(config.join("escadre").join("identity"))
    }

    /// The state folder: the named one, else decision 20's for this engine (`podman`, `docker`) and user.
    pub(crate) fn state_of(&self, engine: &str, root: bool) -> PathBuf {
        if let Some(path) = &self.state {
            return path.clone();
        }
        if root {
            return Path::new("/var/lib/escadre").join(engine);
        }
        let set = |key: &str| self.environment.get(key).filter(|path| !path.is_empty()).map(PathBuf::from);
        let base = set("XDG_STATE_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/state")))
            .unwrap_or_else(|| self.folder.join(".escadre-state"));
        base.join("escadre").join(engine)
    }

    /// Folders that services write outside of volumes: beside the state folder, never in it.
    pub(crate) fn data_of(&self, root: bool) -> PathBuf {
        if let Some(path) = &self.state {
            return path.with_file_name(format!(
                "{}-data",
                path.file_name().map_or_else(|| "state".into(), |name| name.to_string_lossy())
            ));
        }
        let set = |key: &str| self.environment.get(key).filter(|path| !path.is_empty()).map(PathBuf::from);
        if root {
            return PathBuf::from("/var/lib/escadre/data");
        }
        let base = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
        base.unwrap_or_else(|| self.folder.join(".escadre-data")).join("escadre/data")
    }

    /// Compose files that force a fleet of one, as absolute paths.
    pub(crate) fn compose_files(&self, files: &Files) -> Vec<PathBuf> {
        files.file.iter().map(|path| self.folder.join(path)).collect()
    }
}

/// `user@host`, as records show it. `ESCADRE_BY` for CI, where the user says nothing.
fn who(environment: &BTreeMap<String, String>) -> String {
    if let Some(by) = environment.get("ESCADRE_BY").filter(|by| !by.is_empty()) {
        return by.chars().filter(|c| !c.is_control()).take(120).collect();
    }
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|key| environment.get(key)).cloned();
    let user = user.unwrap_or_else(|| match rustix::process::getuid() {
        root if root.is_root() => "root".to_owned(),
        other => format!("uid-{}", other.as_raw()),
    });
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{}", host.trim())
}

/// What the words after `up` mean.
///
/// # Errors
/// When a path stands beside other words, or a word is neither path nor name.
pub(crate) fn what(words: &[String]) -> Result<What, Fault> {
    let is_path =
        |word: &str| word.contains('/') || word.starts_with('.') || word.ends_with(".yaml") || word.ends_with(".yml");
    match words {
        [path] if is_path(path) => Ok(What::Path(path.into())),
        words => {
            if let Some(path) = words.iter().find(|word| is_path(word)) {
                let message = format!("\"{path}\" is a path, and a path stands alone");
                return Err(Fault::usage_hint(Code::E0201, message, "instances of another folder: cd there first"));
            }
            let names = words.iter().map(|word| {
                value::name(word)
                    .map_err(|why| Fault::usage(Code::E0202, format!("\"{word}\" names no instance: {why}")))
            });
            names.collect::<Result<_, _>>().map(What::Instances)
        }
    }
}

/// Whose secrets are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An instance's.
    Instance(Name),
    /// An environment's.
    Environment(Name),
    /// The whole fleet's.
    Fleet,
}

/// Whose secrets, and which: what the words of `secret` mean. Nothing said means everybody's, and all of them.
///
/// # Errors
/// When there is a word too many, or a word is no name.
pub(crate) fn secret(
    first: Option<&str>,
    second: Option<&str>,
    environment: Option<&Name>,
    fleet: bool,
) -> Result<(Option<Owner>, Option<String>), Fault> {
    let owner = match (environment, fleet) {
        (Some(environment), _) => Some(Owner::Environment(environment.clone())),
        (None, true) => Some(Owner::Fleet),
        (None, false) => None,
    };
    match (owner, first, second) {
        (Some(_), _, Some(word)) => {
            let message =
                format!("\"{word}\" is one word too many: with --environment or --fleet no instance is named");
            Err(Fault::usage(Code::E0201, message))
        }
        (owner @ Some(_), secret, None) => Ok((owner, secret.map(secret_name).transpose()?)),
        (None, None, _) => Ok((None, None)),
        (None, Some(instance), secret) => {
            let name = value::name(instance)
                .map_err(|why| Fault::usage(Code::E0202, format!("\"{instance}\" names no instance: {why}")))?;
            Ok((Some(Owner::Instance(name)), secret.map(secret_name).transpose()?))
        }
    }
}

/// The name of a secret, in Compose's grammar.
fn secret_name(text: &str) -> Result<String, Fault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.starts_with('-') || !text.chars().all(fits) {
        let message = format!("\"{text}\" names no secret: letters, digits, dots, underscores and inner hyphens");
        return Err(Fault::usage(Code::E0202, message));
    }
    Ok(text.to_owned())
}

impl Selection {
    /// From names and filters.
    pub(crate) fn new(instances: &[Name], filter: &Filter) -> Self {
        Self { instances: instances.to_vec(), filter: filter.filter.clone(), except: filter.except.clone() }
    }

    /// Whether nothing was chosen, which means everything.
    pub(crate) fn is_all(&self) -> bool {
        self.instances.is_empty() && self.filter.is_empty() && self.except.is_empty()
    }

    /// Whether an instance is meant.
    pub(crate) fn takes(&self, seen: &Seen<'_>) -> bool {
        let named = self.instances.is_empty() || self.instances.contains(seen.name);
        named && !self.except.contains(seen.name) && self.filter.iter().all(|pair| has(seen, pair))
    }

    /// Names on the command line that the fleet does not have: a finding for each, with the nearest that it has.
    ///
    /// # Errors
    /// When there is any: exit code 2.
    pub(crate) fn known<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) -> Result<(), Fault> {
        use escadre_model::diagnostic::{Diagnostic, nearest};
        let strange =
            self.instances.iter().chain(&self.except).filter(|name| !names.clone().any(|n| n == name.as_str()));
        let findings: Vec<Diagnostic> = strange
            .map(|name| {
                let finding = Diagnostic::error(Code::E0206, format!("there is no instance \"{name}\" in this fleet"));
                match nearest(name.as_str(), names.clone()) {
                    Some(near) => finding.hint(format!("did you mean \"{near}\"?")),
                    None => finding.hint("all names: escadre status --list"),
                }
            })
            .collect();
        if findings.is_empty() { Ok(()) } else { Err(Fault::Findings(crate::exit::Exit::CommandLine, findings)) }
    }
}

/// Whether an instance has a label of that value.
fn has(seen: &Seen<'_>, pair: &Pair) -> bool {
    let fact = seen.facts.iter().any(|(key, value)| *key == pair.key && *value == pair.value);
    fact || seen.labels.get(pair.key.as_str()).is_some_and(|value| value.as_ref() == pair.value)
}

#[cfg(test)]
mod tests;
