//! New fleets, products, instances.
//!
//! In: names, values. Out: files that were not there before, and the next command.
//! **Invariant:** nothing existing is overwritten; all files or none; a generated secret is written encrypted only.
//! Not here: the texts (`escadre_model::fleet::write`).
//! Tests: `tests/it/write.rs`.

use super::land::Landing;
use super::secrets::{crypt, hash_key, recipients, unknown};
use super::{edit_fault, fleet_here};
use crate::args::value::Pair;
use crate::args::write::What;
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use escadre_drivers::age::{self, Place, Recipients};
use escadre_drivers::files;
use escadre_model::diagnostic::{Code, Diagnostic, nearest};
use escadre_model::fleet::write::{self, NewInstance};
use escadre_model::fleet::{Fleet, HASH_KEY_FILE, Product, Scope};
use escadre_model::name::Name;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was begun.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// The files, as they are named from the working folder.
    pub(crate) written: Vec<String>,
    /// What else there is to know, a sentence each.
    pub(crate) notes: Vec<String>,
    /// The next command.
    pub(crate) next: String,
}

/// Writes a new fleet, product or instance.
///
/// # Errors
/// When something is in the way; nothing is written then.
pub(crate) async fn begin(settings: &Settings, what: &What) -> Result<Begun, Fault> {
    match what {
        What::Fleet { name, dir, recipient } => fleet(settings, name, dir.as_deref(), recipient),
        What::Product { name, .. } => product(settings, name),
        What::Instance { name, product, environment, size, target, values, labels, folder } => {
            let (root, fleet, _) = fleet_here(settings)?;
            let product = chosen(&fleet, product.as_ref())?;
            let wish = Wish { name, environment, size: size.as_deref(), target: target.as_ref(), values, labels };
            wish.instance(settings, &root, &fleet, &product, *folder)
        }
    }
}

fn fleet(settings: &Settings, name: &Name, dir: Option<&Path>, named: &[Pair]) -> Result<Begun, Fault> {
    let root = dir.map_or_else(|| settings.folder.clone(), |dir| settings.folder.join(dir));
    let mut landing = Landing::default();
    let mut begun = Begun::default();
    new_fleet(
        settings,
        &root,
        name,
        &|who| write_fleet(name, &engine(settings), who),
        named,
        (&mut landing, &mut begun),
    )?;
    begun.written = landing.write(settings, &root)?;
    let there = dir.map_or(String::new(), |dir| format!("cd {} && ", dir.display()));
    begun.next = format!("{there}escadre new product NAME --from compose.yaml");
    Ok(begun)
}

fn write_fleet(name: &Name, address: &str, who: &[(Name, String)]) -> Result<String, Fault> {
    let id = age::new_id().map_err(|error| crypt(&error))?;
    let files = write::new_fleet(name, &id, address, who);
    Ok(files.into_iter().map(|file| file.text).collect())
}

/// Makes the text of fleet.yaml for recipients.
pub(in crate::wire) type FleetText<'t> = dyn Fn(&[(Name, String)]) -> Result<String, Fault> + 't;

/// What makes a fleet: fleet.yaml with the text that is made for its recipients, the key that hashes secrets, one's own key where there is none.
pub(in crate::wire) fn new_fleet(
    settings: &Settings,
    root: &Path,
    name: &Name,
    text: &FleetText<'_>,
    named: &[Pair],
    (landing, begun): (&mut Landing, &mut Begun),
) -> Result<Recipients, Fault> {
    let mut who = Vec::new();
    for pair in named {
        let key = Name::new(&pair.key)
            .map_err(|error| Fault::usage(Code::E0202, format!("\"{}\" names no recipient: {error}", pair.key)))?;
        who.push((key, pair.value.trim().to_owned()));
    }
    let mut identity = None;
    if who.is_empty() {
        let (public, made) = own_key(settings)?;
        if let Some((path, text)) = made {
            begun.notes.push(format!(
                "{} is new: the key that reads the secrets. Keep a copy in a safe place, and never in the repository.",
                path.display()
            ));
            identity = Some((path, text));
        }
        who = public;
    }
    let recipients = Recipients::new(who.iter().map(|(name, key)| (name.as_str(), key.as_str()))).map_err(|error| {
        Fault::Findings(Exit::CommandLine, vec![Diagnostic::error(error.code(), error.to_string())])
    })?;
    landing.add(root.join(escadre_model::fleet::FILE), text(&who)?, 0o644);
    let key = age::new_hash_key().map_err(|error| crypt(&error))?;
    let block = age::encrypt_hash_key(&recipients, name.as_str(), &key).map_err(|error| crypt(&error))?;
    landing.add(root.join(HASH_KEY_FILE), block, 0o644);
    if let Some((path, text)) = identity {
        landing.add(path, text, 0o600);
    }
    Ok(recipients)
}

/// The engine's usual socket for whoever asks.
fn engine(settings: &Settings) -> String {
    let root = rustix::process::geteuid().is_root();
    let run = settings.environment.get("XDG_RUNTIME_DIR").filter(|path| path.starts_with('/'));
    match run {
        Some(run) if !root => format!("unix://{run}/podman/podman.sock"),
        _ if !root => format!("unix:///run/user/{}/podman/podman.sock", rustix::process::getuid().as_raw()),
        _ => "unix:///run/podman/podman.sock".to_owned(),
    }
}

/// Recipients as `recipients:` names them.
type Who = Vec<(Name, String)>;

/// The public half of one's own key, and the file of a new one where there is none.
fn own_key(settings: &Settings) -> Result<(Who, Option<(PathBuf, String)>), Fault> {
    let Some(path) = settings.identity(None) else {
        let message = "it is not known where your key lies: neither HOME nor ESCADRE_IDENTITY is set";
        return Err(Fault::usage_hint(Code::E0604, message, "name who can read: --recipient NAME=age1…"));
    };
    let name = own_name(settings)?;
    let Some(bytes) = files::read(&path).map_err(Fault::world)? else {
        let key = age::new_identity();
        let secret = String::from_utf8_lossy(key.secret.reveal()).into_owned();
        let text = format!("# The key of an Escadre fleet; its public half is {}\n{secret}\n", key.recipient);
        return Ok((vec![(name, key.recipient)], Some((path, text))));
    };
    let text = String::from_utf8_lossy(&bytes);
    let public = age::public_of(&path.display().to_string(), &text).map_err(|error| {
        Fault::Findings(Exit::CommandLine, vec![Diagnostic::error(error.code(), error.to_string())])
    })?;
    let mut who = Vec::new();
    for (index, key) in public.into_iter().enumerate() {
        let name =
            if index == 0 { name.clone() } else { Name::new(&format!("{name}-{}", index + 1)).map_err(Fault::bug)? };
        who.push((name, key));
    }
    Ok((who, None))
}

/// Whoever asks, as a name of ours.
fn own_name(settings: &Settings) -> Result<Name, Fault> {
    let user = settings.who.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let user: String = user.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    Name::new(user.trim_matches('-')).or_else(|_| Name::new("me")).map_err(Fault::bug)
}

fn product(settings: &Settings, name: &Name) -> Result<Begun, Fault> {
    let (root, fleet, _) = fleet_here(settings)?;
    if let Some(there) = fleet.products.get(name) {
        return Err(taken("product", name, &there.file));
    }
    let mut landing = Landing::default();
    for file in write::new_product(name) {
        landing.add(root.join(file.path), file.text, 0o644);
    }
    let written = landing.write(settings, &root)?;
    let environment = fleet.environments.first().map_or("ENVIRONMENT", |one| one.name.value.as_str());
    let next = format!("escadre new instance NAME --product {name} --environment {environment}");
    Ok(Begun { written, notes: Vec::new(), next })
}

/// The product that is meant.
fn chosen(fleet: &Fleet, named: Option<&Name>) -> Result<Arc<Product>, Fault> {
    let all = fleet.products.keys().map(Name::as_str);
    match named {
        Some(name) => fleet.products.get(name).cloned().ok_or_else(|| unknown("product", name.as_str(), all)),
        None => match (fleet.products.values().next(), fleet.products.len()) {
            (Some(only), 1) => Ok(Arc::clone(only)),
            (None, _) => Err(Fault::usage_hint(
                Code::E0201,
                "this fleet has no product yet",
                "escadre new product NAME --from compose.yaml",
            )),
            _ => {
                let names: Vec<&str> = all.collect();
                Err(Fault::usage_hint(Code::E0201, "which product?", format!("--product: {}", names.join(", "))))
            }
        },
    }
}

/// Values of parameters.
type Values = BTreeMap<Arc<str>, Arc<str>>;

/// What a new instance is to be.
struct Wish<'w> {
    name: &'w Name,
    environment: &'w Name,
    size: Option<&'w str>,
    target: Option<&'w Name>,
    values: &'w [Pair],
    labels: &'w [Pair],
}

impl Wish<'_> {
    fn instance(
        &self,
        settings: &Settings,
        root: &Path,
        fleet: &Fleet,
        product: &Product,
        folder: bool,
    ) -> Result<Begun, Fault> {
        let name = self.name;
        let (size, values) = self.checked(fleet, product)?;
        let new = NewInstance { name, environment: self.environment, size: size.as_ref(), values };
        let file = write::new_instance(product, &new);
        let mut text = file.text;
        if let Some(target) = self.target {
            // Writing to a String cannot fail; so below.
            let _ = writeln!(text, "target: {target}");
        }
        if !self.labels.is_empty() {
            text.push_str("labels:\n");
            for label in self.labels {
                let _ = writeln!(text, "  {}: {}", write::quote(&label.key), write::quote(&label.value));
            }
        }
        let (path, secrets) = if folder {
            (format!("instances/{name}/instance.yaml"), format!("instances/{name}/secrets.yaml"))
        } else {
            (file.path, format!("instances/{name}.secrets.yaml"))
        };
        let mut landing = Landing::default();
        let mut notes = Vec::new();
        landing.add(root.join(&path), text, 0o644);
        let made = self.secrets(root, fleet, product, &secrets, &mut landing)?;
        if !made.is_empty() {
            notes.push(format!("generated and encrypted: {}", made.join(", ")));
        }
        let written = landing.write(settings, root)?;
        if folder {
            files::ensure_dir(&root.join(format!("instances/{name}/files")), 0o755).map_err(Fault::world)?;
        }
        let missing = self.missing(fleet, product, &new.values);
        let next = if missing.is_empty() {
            let unset = |secret: &&&Arc<str>| self.shared(fleet, secret).is_none();
            let asked: Vec<_> = write::secrets_asked(product).collect();
            match asked.iter().map(|(secret, _)| secret).find(unset) {
                Some(secret) => format!("escadre secret set {name} {secret}"),
                None => format!("escadre plan {name}"),
            }
        } else {
            notes.push(format!("still without a value: {}; write them in {path}", missing.join(", ")));
            "escadre check".to_owned()
        };
        Ok(Begun { written, notes, next })
    }

    /// Everything that is wrong with what was typed, at once; else the size and the values.
    fn checked(&self, fleet: &Fleet, product: &Product) -> Result<(Option<Name>, Values), Fault> {
        let mut findings = Vec::new();
        let mut collect = |fault: Fault| match fault {
            Fault::Findings(_, more) => findings.extend(more),
            other => findings.push(Diagnostic::error(Code::E0202, format!("{other:?}"))),
        };
        if let Some(there) = fleet.instances.get(self.name) {
            collect(taken("instance", self.name, &there.file));
        }
        if fleet.environment(self.environment.as_str()).is_none() {
            let all = fleet.environments.iter().map(|one| one.name.value.as_str());
            collect(unknown("environment", self.environment.as_str(), all));
        }
        if let Some(target) = self.target
            && !fleet.targets.contains_key(target)
        {
            collect(unknown("target", target.as_str(), fleet.targets.keys().map(Name::as_str)));
        }
        let size = self.size.map(|word| {
            let size = Name::new(word).ok().filter(|size| product.sizes.contains_key(size));
            size.ok_or_else(|| unknown("size", word, product.sizes.keys().map(Name::as_str)))
        });
        let size = size.transpose().unwrap_or_else(|fault| {
            collect(fault);
            None
        });
        let mut values = BTreeMap::new();
        for pair in self.values {
            let Some(parameter) = product.parameter(&pair.key) else {
                let finding = Diagnostic::error(
                    Code::E0507,
                    format!("product {} has no parameter \"{}\"", product.name.value, pair.key),
                );
                let near = nearest(&pair.key, product.parameters.iter().map(|(name, _)| &**name));
                findings.push(match near {
                    Some(near) => finding.hint(format!("did you mean \"{near}\"?")),
                    None => finding,
                });
                continue;
            };
            if let Err(why) = parameter.check(&pair.value) {
                findings.push(Diagnostic::error(Code::E0508, format!("{}: {why}", pair.key)));
            }
            values.insert(pair.key.as_str().into(), pair.value.as_str().into());
        }
        if findings.is_empty() { Ok((size, values)) } else { Err(Fault::Findings(Exit::CommandLine, findings)) }
    }

    /// Generates what product.yaml says, unless the environment or the fleet has it; the names.
    fn secrets(
        &self,
        root: &Path,
        fleet: &Fleet,
        product: &Product,
        path: &str,
        landing: &mut Landing,
    ) -> Result<Vec<String>, Fault> {
        let made: Vec<_> = write::secrets_made(product).collect();
        let made: Vec<_> = made.into_iter().filter(|(name, _)| self.shared(fleet, name).is_none()).collect();
        if made.is_empty() {
            return Ok(Vec::new());
        }
        let recipients = recipients(fleet)?;
        let mut text = String::new();
        for (name, rule) in &made {
            let value = age::generate(rule.length, &rule.alphabet).map_err(|error| crypt(&error))?;
            let place = Place {
                fleet: fleet.name.value.as_str().into(),
                scope: Scope::Instance,
                of: self.name.as_str().into(),
                name: Arc::clone(name),
            };
            let block = age::encrypt(&recipients, &place, &value).map_err(|error| crypt(&error))?;
            text = write::set_secret(path, &text, name, &block).map_err(edit_fault)?;
        }
        landing.add(root.join(path), text, 0o644);
        hash_key(root, fleet, &recipients, landing)?;
        Ok(made.iter().map(|(name, _)| name.to_string()).collect())
    }

    /// The value that the environment or the fleet has for a secret.
    fn shared<'f>(&self, fleet: &'f Fleet, name: &str) -> Option<escadre_model::fleet::Stored<'f>> {
        let environment = fleet.environment(self.environment.as_str());
        environment.and_then(|one| one.secrets.as_deref()?.stored(name)).or_else(|| fleet.fleet_secret(name))
    }

    /// Required parameters that nobody gives a value yet.
    fn missing(&self, fleet: &Fleet, product: &Product, values: &Values) -> Vec<String> {
        let environment = fleet.environment(self.environment.as_str());
        let zone = fleet.default_zone.as_ref().and_then(|name| fleet.zones.get(&name.value));
        let given = |name: &str| {
            values.contains_key(name)
                || environment.is_some_and(|one| one.values.contains_key(name))
                || zone.is_some_and(|zone| zone.values.contains_key(name))
        };
        let open = product
            .parameters
            .iter()
            .filter(|(name, parameter)| parameter.required && parameter.default.is_none() && !given(name));
        open.map(|(name, _)| name.to_string()).collect()
    }
}

pub(in crate::wire) fn taken(what: &str, name: &Name, file: &str) -> Fault {
    let message = format!("there is a {what} \"{name}\" already, in {file}; nothing is overwritten");
    Fault::Findings(
        Exit::CommandLine,
        vec![Diagnostic::error(Code::E0502, message.replace("a instance", "an instance"))],
    )
}
