//! Secrets: set, shown, rotated, encrypted anew.
//!
//! In: whose and which, a value that was not on the command line. Out: secrets files, sentences.
//! **Invariant:** a value is written encrypted only, and printed with --reveal only; files change all together or not at all.
//! Not here: encryption (`escadre_drivers::age`), edits of the text (`escadre_model::fleet::write`).
//! Tests: `tests/it/write.rs`.

use super::land::{Landing, shown};
use super::{edit_fault, fleet_here};
use crate::args::secret::{Named, SecretVerb};
use crate::exit::{Exit, Fault};
use crate::settings::{Owner, Settings};
use crate::terminal::table::Table;
use crate::terminal::{Terminal, ask};
use crate::wire::keys;
use escadre_drivers::age::{self, Place, Recipients, Vault};
use escadre_drivers::files;
use escadre_model::diagnostic::{Code, Diagnostic, nearest};
use escadre_model::fleet::{self, Fleet, Generate, Scope, Stored, write};
use escadre_model::secret::Secret;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where secrets are set.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Secrets {
    /// Always `escadre.secrets/1`.
    schema: &'static str,
    /// One for each secret of each owner.
    secrets: Vec<One>,
}

/// A secret, and where its value stands.
#[derive(Debug, Serialize, JsonSchema)]
struct One {
    /// `instance`, `environment` or `fleet`: who uses it.
    scope: &'static str,
    /// Which instance, environment or fleet.
    of: String,
    /// Its name.
    name: String,
    /// Whose value it is: `instance`, `environment` or `fleet`; null: it has none.
    value_of: Option<&'static str>,
    /// The file the value stands in.
    file: Option<String>,
    /// The line there.
    line: Option<u32>,
    /// Whether the key at hand decrypts it; null: there is no key at hand.
    readable: Option<bool>,
    /// Why it does not.
    why: Option<String>,
}

/// What a verb on secrets works with.
struct Work<'s> {
    settings: &'s Settings,
    root: PathBuf,
    fleet: Arc<Fleet>,
    findings: Vec<Diagnostic>,
}

/// Does what is asked of secrets (whose and which: checked already; `None` means all); the text to be printed as data.
///
/// # Errors
/// When it cannot be done; nothing is written then.
pub(crate) async fn secret(
    settings: &Settings,
    verb: &SecretVerb,
    owner: Option<Owner>,
    name: Option<String>,
) -> Result<String, Fault> {
    let (root, fleet, findings) = fleet_here(settings)?;
    let work = Work { settings, root, fleet, findings };
    match (verb, owner, name) {
        (SecretVerb::Set { named, from, generate }, Some(owner), Some(name)) => {
            work.set(named, &owner, &name, from.as_deref(), *generate)
        }
        (SecretVerb::Rotate { named }, Some(owner), Some(name)) => work.set(named, &owner, &name, None, true),
        (SecretVerb::Show { reveal: true, identity, form, .. }, Some(owner), Some(name)) => {
            if form.json {
                return Err(Fault::usage(Code::E0201, "--reveal prints the value and nothing else: leave --json out"));
            }
            work.reveal(identity.as_deref(), &owner, &name)
        }
        (SecretVerb::Show { identity, form, .. }, owner, name) => {
            work.show(identity.as_deref(), owner.as_ref(), name.as_deref(), form.json)
        }
        (SecretVerb::Rekey { identity }, ..) => work.rekey(identity.as_deref()),
        _ => Err(Fault::usage(Code::E0201, "it is not said whose secret, or which")),
    }
}

impl Work<'_> {
    fn set(
        &self,
        named: &Named,
        owner: &Owner,
        name: &str,
        from: Option<&Path>,
        generate: bool,
    ) -> Result<String, Fault> {
        let (path, place) = self.place(owner, name)?;
        let rule = self.declared(owner, name)?;
        let recipients = recipients(&self.fleet)?;
        if let Some(identity) = &named.identity {
            // Setting needs no key; one that is named and cannot be used is said all the same.
            keys::identities(self.settings, Some(identity))?;
        }
        let value = match (generate, rule) {
            (true, Some(rule)) => age::generate(rule.length, &rule.alphabet).map_err(|error| crypt(&error))?,
            (true, None) => {
                let message = format!("product.yaml does not say how \"{name}\" is generated");
                return Err(Fault::usage_hint(
                    Code::E0202,
                    message,
                    format!("write there: {name}: {{ generate: password, length: 32 }}"),
                ));
            }
            (false, _) => given(self.settings, from, name)?,
        };
        let block = age::encrypt(&recipients, &place, &value).map_err(|error| crypt(&error))?;
        let full = self.root.join(&path);
        let before = files::read(&full).map_err(Fault::world)?;
        let text = text_of(&path, before.as_deref())?;
        let edited = write::set_secret(&path, text, name, &block).map_err(edit_fault)?;
        let word = if self.stored(owner, name).is_some_and(|stored| *stored.block.span.file == *path) {
            "has a new value"
        } else {
            "is set"
        };
        let mut landing = Landing::default();
        landing.edit(full, before, edited);
        let made = hash_key(&self.root, &self.fleet, &recipients, &mut landing)?;
        let written = landing.write(self.settings, &self.root)?;
        let mut said = format!("{name} of {} {} {word}: {}\n", place.scope.word(), place.of, written.join(", "));
        if made {
            said.push_str(
                "fleet.age is new: the key that tells whether a secret has changed, encrypted to the recipients\n",
            );
        }
        Ok(said)
    }

    /// The file and the place of a secret of an owner.
    fn place(&self, owner: &Owner, name: &str) -> Result<(String, Place), Fault> {
        let fleet = &self.fleet;
        let (path, scope, of) = match owner {
            Owner::Fleet => {
                let path = fleet.secrets.as_ref().map_or("fleet.secrets.yaml", |file| &file.file);
                (path.to_owned(), Scope::Fleet, fleet.name.value.to_string())
            }
            Owner::Environment(of) => {
                if fleet.environment(of.as_str()).is_none() {
                    let all = fleet.environments.iter().map(|one| one.name.value.as_str());
                    return Err(unknown("environment", of.as_str(), all));
                }
                (format!("{of}.secrets.yaml"), Scope::Environment, of.to_string())
            }
            Owner::Instance(of) if fleet.broken.contains(of.as_str()) && !fleet.instances.contains_key(of) => {
                // Its file says what it is; as long as it cannot be read, nobody knows where its secrets belong.
                let stops = self.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
                return Err(Fault::Files(Exit::Files, stops, crate::wire::ground::sources(&self.root)));
            }
            Owner::Instance(of) => {
                let path = write::secrets_path(fleet, of).ok_or_else(|| {
                    unknown("instance", of.as_str(), fleet.instances.keys().map(escadre_model::name::Name::as_str))
                })?;
                (path, Scope::Instance, of.to_string())
            }
        };
        let place = Place { fleet: fleet.name.value.as_str().into(), scope, of: of.as_str().into(), name: name.into() };
        Ok((path, place))
    }

    /// Refuses a secret that nobody declares; how it is generated, if product.yaml says so.
    fn declared(&self, owner: &Owner, name: &str) -> Result<Option<&Generate>, Fault> {
        let names = self.names(owner);
        if !names.contains(name) {
            let message = format!("no product.yaml declares a secret \"{name}\" that could be set here");
            return Err(match nearest(name, names.iter().map(|name| &**name)) {
                Some(near) => Fault::usage_hint(Code::E0202, message, format!("did you mean \"{near}\"?")),
                None => Fault::usage_hint(
                    Code::E0202,
                    message,
                    format!("declare it there first: secrets: {{ {name}: {{}} }}"),
                ),
            });
        }
        let product = |owner: &Owner| match owner {
            Owner::Instance(of) => self.fleet.instances.get(of).and_then(|instance| self.fleet.product_of(instance)),
            _ => None,
        };
        let products = match product(owner) {
            Some(product) => vec![product],
            None => self.fleet.products.values().collect(),
        };
        Ok(products.into_iter().find_map(|product| product.secrets.get(name)?.generate.as_ref()))
    }

    /// The names of secrets that mean something for an owner.
    fn names(&self, owner: &Owner) -> BTreeSet<Arc<str>> {
        let fleet = &self.fleet;
        match owner {
            Owner::Instance(of) => {
                let product = fleet.instances.get(of).and_then(|instance| fleet.product_of(instance));
                product.into_iter().flat_map(|product| product.secret_names()).collect()
            }
            Owner::Environment(_) => fleet.products.values().flat_map(|product| product.secret_names()).collect(),
            Owner::Fleet => {
                let registries = fleet.registries.values().filter_map(|registry| registry.password.as_ref());
                let products = fleet.products.values().flat_map(|product| product.secret_names());
                registries.map(|password| Arc::clone(&password.value)).chain(products).collect()
            }
        }
    }

    /// The value that stands for an owner: for an instance also its environment's or the fleet's.
    fn stored(&self, owner: &Owner, name: &str) -> Option<Stored<'_>> {
        let fleet = &self.fleet;
        match owner {
            Owner::Instance(of) => fleet.secret(fleet.instances.get(of)?, name),
            Owner::Environment(of) => fleet.environment(of.as_str())?.secrets.as_deref()?.stored(name),
            Owner::Fleet => fleet.fleet_secret(name),
        }
    }

    fn reveal(&self, identity: Option<&Path>, owner: &Owner, name: &str) -> Result<String, Fault> {
        self.place(owner, name)?;
        let Some(stored) = self.stored(owner, name) else {
            let message = format!("\"{name}\" has no value");
            return Err(Fault::Findings(
                Exit::Files,
                vec![
                    Diagnostic::error(Code::E0606, message).hint(format!("escadre secret set {} {name}", words(owner))),
                ],
            ));
        };
        let identities = keys::identities(self.settings, identity)?;
        let vault = Vault::new(Arc::clone(&self.fleet), Arc::new(identities));
        let value = vault.open(&stored).map_err(|error| sealed(&error, &[stored]))?;
        let text = std::str::from_utf8(value.reveal()).map_err(|_| {
            Fault::world(anyhow::anyhow!("the value is no text; it reaches containers as the bytes it is"))
        })?;
        // A value of lines ends with one already.
        Ok(if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") })
    }

    fn show(
        &self,
        identity: Option<&Path>,
        owner: Option<&Owner>,
        name: Option<&str>,
        json: bool,
    ) -> Result<String, Fault> {
        let owners = match owner {
            Some(owner) => {
                self.place(owner, "any")?;
                vec![owner.clone()]
            }
            None => {
                let environments = self.fleet.environments.iter().filter(|one| one.secrets.is_some());
                let fleet = self.fleet.secrets.iter().map(|_| Owner::Fleet);
                let environments = environments.map(|one| Owner::Environment(one.name.value.clone()));
                fleet.chain(environments).chain(self.fleet.instances.keys().cloned().map(Owner::Instance)).collect()
            }
        };
        let identities = keys::identities(self.settings, identity)?;
        let vault = (!identities.is_empty()).then(|| Vault::new(Arc::clone(&self.fleet), Arc::new(identities)));
        let mut all = Vec::new();
        for one in &owners {
            let mut names = self.names(one);
            // Of the shared ones only what is set: whoever does not need them has not set them.
            if *one != Owner::Fleet || owner.is_none() {
                names.retain(|name| matches!(one, Owner::Instance(_)) || self.stored(one, name).is_some());
            }
            if let Some(wanted) = name {
                if !names.contains(wanted) {
                    self.declared(one, wanted)?;
                    names.insert(wanted.into());
                }
                names.retain(|name| &**name == wanted);
            }
            all.extend(names.iter().map(|name| self.about(one, name, vault.as_ref())));
        }
        let list = Secrets { schema: "escadre.secrets/1", secrets: all };
        if json {
            return serde_json::to_string_pretty(&list).map(|text| format!("{text}\n")).map_err(Fault::bug);
        }
        if list.secrets.is_empty() {
            return Ok("No secret is declared here.\n".to_owned());
        }
        let mut table = Table::words(0, 5);
        table.head(["OF", "SECRET", "VALUE", "YOUR KEY", "WHERE"]);
        for one in &list.secrets {
            let of = if one.scope == "instance" { one.of.clone() } else { format!("{} {}", one.scope, one.of) };
            let value = one.value_of.map_or("missing".to_owned(), |whose| {
                if whose == one.scope { "set".to_owned() } else { format!("set by the {whose}") }
            });
            let place = one.file.clone().unwrap_or_default();
            let key = match (one.readable, &one.why) {
                (Some(true), _) => "reads it".to_owned(),
                (Some(false), Some(why)) => why.clone(),
                _ => String::new(),
            };
            table.row([of, one.name.clone(), value, key, place]);
        }
        Ok(table.paint(Terminal::detect().out))
    }

    fn about(&self, owner: &Owner, name: &str, vault: Option<&Vault>) -> One {
        let (scope, of) = match owner {
            Owner::Instance(of) => (Scope::Instance, of.to_string()),
            Owner::Environment(of) => (Scope::Environment, of.to_string()),
            Owner::Fleet => (Scope::Fleet, self.fleet.name.value.to_string()),
        };
        let stored = self.stored(owner, name);
        let opened = stored.as_ref().and_then(|stored| Some(vault?.open(stored).map(drop)));
        One {
            scope: scope.word(),
            of,
            name: name.to_owned(),
            value_of: stored.map(|stored| stored.scope.word()),
            file: stored.map(|stored| stored.block.span.file.to_string()),
            line: stored.map(|stored| stored.block.span.line),
            readable: opened.as_ref().map(Result::is_ok),
            why: opened.and_then(Result::err).map(|error| error.to_string()),
        }
    }

    fn rekey(&self, identity: Option<&Path>) -> Result<String, Fault> {
        let bad = |finding: &&Diagnostic| {
            matches!(finding.code, Code::E0601 | Code::E0605 | Code::W0501)
                || (self.fleet.incomplete && finding.is_error())
        };
        let unread = self.fleet.broken.iter().any(|name| self.fleet.instance(name).is_none());
        let mut stops: Vec<Diagnostic> = self.findings.iter().filter(bad).cloned().collect();
        if stops.is_empty() && (unread || self.fleet.incomplete) {
            stops = self.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
        }
        if !stops.is_empty() {
            // Secrets that are not seen would stay encrypted to those who should no longer read them.
            return Err(Fault::Files(Exit::Files, stops, crate::wire::ground::sources(&self.root)));
        }
        let recipients = recipients(&self.fleet)?;
        let identities = Arc::new(keys::identities(self.settings, identity)?);
        let vault = Vault::new(Arc::clone(&self.fleet), Arc::clone(&identities));
        let mut by_file: BTreeMap<Arc<str>, Vec<(Stored<'_>, Secret)>> = BTreeMap::new();
        let mut failed: Vec<(age::Error, Stored<'_>)> = Vec::new();
        for stored in self.fleet.stored() {
            match vault.open(&stored) {
                Ok(value) => by_file.entry(Arc::clone(&stored.block.span.file)).or_default().push((stored, value)),
                Err(error) => failed.push((error, stored)),
            }
        }
        if let Some((error, _)) = failed.first() {
            let places: Vec<Stored<'_>> = failed.iter().map(|(_, stored)| *stored).collect();
            return Err(sealed(error, &places));
        }
        let mut landing = Landing::default();
        let mut count = 0;
        for (path, values) in &by_file {
            let full = self.root.join(&**path);
            let before = files::read(&full).map_err(Fault::world)?;
            let mut text = text_of(path, before.as_deref())?.to_owned();
            for (stored, value) in values {
                let place = Place::of(self.fleet.name.value.as_str(), stored);
                let block = age::encrypt(&recipients, &place, value).map_err(|error| crypt(&error))?;
                text = write::set_secret(path, &text, stored.name, &block).map_err(edit_fault)?;
                count += 1;
            }
            landing.edit(full, before, text);
        }
        let path = self.root.join(fleet::HASH_KEY_FILE);
        let name = self.fleet.name.value.as_str();
        if let Some(bytes) = files::read(&path).map_err(Fault::world)? {
            let block = String::from_utf8_lossy(&bytes).into_owned();
            let key = age::decrypt_hash_key(&identities, name, &block).map_err(|error| sealed(&error, &[]))?;
            let block = age::encrypt_hash_key(&recipients, name, &key).map_err(|error| crypt(&error))?;
            landing.edit(path, Some(bytes), block);
        } else {
            hash_key(&self.root, &self.fleet, &recipients, &mut landing)?;
        }
        let written = landing.write(self.settings, &self.root)?;
        let who: Vec<&str> = self.fleet.recipients.keys().map(escadre_model::name::Name::as_str).collect();
        Ok(format!(
            "{} encrypted to {} now, in {}\n",
            crate::terminal::style::count(count, "secret"),
            who.join(", "),
            written.join(", ")
        ))
    }
}

/// The recipients of a fleet.
pub(in crate::wire) fn recipients(fleet: &Fleet) -> Result<Recipients, Fault> {
    Recipients::of(fleet).map_err(|error| match error {
        age::Error::NoRecipients => {
            let finding = Diagnostic::error(Code::E0605, "fleet.yaml names nobody who could read the secrets");
            let hint = "write there: recipients: { me: age1… } (or the public half of an ssh-ed25519 key)";
            Fault::Findings(Exit::Files, vec![finding.hint(hint)])
        }
        error => Fault::Findings(Exit::Files, vec![Diagnostic::error(error.code(), error.to_string())]),
    })
}

/// Adds the key that compares secrets, if there is none; whether it did.
pub(in crate::wire) fn hash_key(
    root: &Path,
    fleet: &Fleet,
    recipients: &Recipients,
    landing: &mut Landing,
) -> Result<bool, Fault> {
    let path = root.join(fleet::HASH_KEY_FILE);
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let key = age::new_hash_key().map_err(|error| crypt(&error))?;
    let block = age::encrypt_hash_key(recipients, fleet.name.value.as_str(), &key).map_err(|error| crypt(&error))?;
    landing.add(path, block, 0o644);
    Ok(true)
}

/// A value from a file, standard input, or a person.
fn given(settings: &Settings, from: Option<&Path>, name: &str) -> Result<Secret, Fault> {
    let bytes = if let Some(from) = from {
        let path = settings.folder.join(from);
        let bytes = files::read(&path).map_err(|error| Fault::Other(Exit::CommandLine, error.into()))?;
        bytes.ok_or_else(|| Fault::usage(Code::E0202, format!("{} is not there", shown(settings, &path))))?
    } else if Terminal::detect().interactive {
        let first = ask::hidden(&format!("{name}: "))?;
        if ask::hidden("once more: ")? != first {
            return Err(Fault::refused(Diagnostic::error(Code::E0208, "the two differ. Nothing was done (exit 3)")));
        }
        first
    } else {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(age::LARGEST + 2).read_to_end(&mut bytes);
        read.map_err(|error| Fault::world(anyhow::Error::new(error).context("standard input cannot be read")))?;
        // `echo` ends a line; whoever needs the line's end takes --from.
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        bytes
    };
    if bytes.is_empty() {
        return Err(Fault::usage_hint(
            Code::E0202,
            format!("no value for \"{name}\" was given"),
            "give it on standard input, with --from FILE, or with --generate",
        ));
    }
    Ok(Secret::new(bytes))
}

/// The text of a file; a new one is empty.
fn text_of<'b>(path: &str, bytes: Option<&'b [u8]>) -> Result<&'b str, Fault> {
    std::str::from_utf8(bytes.unwrap_or_default()).map_err(|_| {
        Fault::Findings(Exit::Files, vec![Diagnostic::error(Code::E0101, format!("{path} is not UTF-8 text"))])
    })
}

/// How an owner is named on the command line.
fn words(owner: &Owner) -> String {
    match owner {
        Owner::Instance(of) => of.to_string(),
        Owner::Environment(of) => format!("--environment {of}"),
        Owner::Fleet => "--fleet".to_owned(),
    }
}

/// A name that the fleet does not have.
pub(in crate::wire) fn unknown<'n>(what: &str, name: &str, all: impl Iterator<Item = &'n str> + Clone) -> Fault {
    let code = if what == "instance" { Code::E0206 } else { Code::E0505 };
    let message = format!("there is no {what} \"{name}\" in this fleet");
    let known: Vec<&str> = all.clone().take(8).collect();
    match nearest(name, all) {
        Some(near) => Fault::usage_hint(code, message, format!("did you mean \"{near}\"?")),
        None if known.is_empty() && matches!(what, "product" | "instance") => {
            Fault::usage_hint(code, message, format!("escadre new {what} {name}"))
        }
        None if known.is_empty() => Fault::usage(code, message),
        None => Fault::usage_hint(code, message, format!("there are: {}", known.join(", "))),
    }
}

/// Encryption failed.
pub(in crate::wire) fn crypt(error: &age::Error) -> Fault {
    Fault::Findings(Exit::World, vec![Diagnostic::error(error.code(), error.to_string())])
}

/// Something could not be decrypted.
fn sealed(error: &age::Error, places: &[Stored<'_>]) -> Fault {
    let mut finding = Diagnostic::error(error.code(), error.to_string());
    for stored in places.iter().take(5) {
        finding = finding.at(&stored.block.span);
    }
    let exit = match error {
        age::Error::NoIdentity => {
            finding = finding
                .hint("name your key: --identity FILE, or ESCADRE_IDENTITY=FILE; else ~/.config/escadre/identity is taken")
                .hint("an ssh-ed25519 key works too: --identity ~/.ssh/id_ed25519");
            Exit::CommandLine
        }
        age::Error::NotForUs => {
            finding = finding
                .hint("add your public key to recipients: in fleet.yaml; somebody who can read them then runs: escadre secret rekey");
            Exit::CommandLine
        }
        _ => {
            finding = finding.hint("set it again: escadre secret set");
            Exit::Files
        }
    };
    Fault::Findings(exit, vec![finding])
}
