//! fleet.yaml: who the fleet is, its environments, targets, registries and recipients.
//!
//! In: fleet.yaml and the secrets files beside it. Out: the head of a [`super::Fleet`].
//! **Invariant:** a fleet of another version is refused before anything else of it is believed.
//! Not here: products, zones, instances.
//! Tests: `tests.rs`.

use super::edge::{self, EdgeSettings};
use super::folder::{Found, Reader};
use super::secrets_file::{self, Scope, SecretsFile};
use super::{FILE, VERSION, reserved, scalar, version};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::name::Name;
use crate::text::{Fields, Mapping, Node};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An environment of the fleet.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: Spanned<Name>,
    /// Values of parameters; they beat the product's defaults.
    pub values: BTreeMap<Arc<str>, Spanned<Arc<str>>>,
    /// `require: commit`: a dirty work tree is refused here.
    pub require_commit: bool,
    /// `ENVIRONMENT.secrets.yaml`.
    pub secrets: Option<Arc<SecretsFile>>,
}

/// Where instances run.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: Spanned<Name>,
    /// Which engine.
    pub kind: TargetKind,
    /// The engine's address: `unix:///run/podman/podman.sock`.
    pub address: Spanned<Arc<str>>,
    /// Its edge.
    pub edge: EdgeSettings,
    /// The addresses that networks are cut from: `10.210.0.0/16`.
    pub pool: Option<Spanned<Arc<str>>>,
    /// `require: commit`: a dirty work tree is refused here.
    pub require_commit: bool,
}

/// The engine of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Podman.
    Podman,
    /// Docker.
    Docker,
}

/// How to log in to a registry.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Where it is written.
    pub span: Span,
    /// The user.
    pub user: Option<Spanned<Arc<str>>>,
    /// The name of the fleet secret that holds the password.
    pub password: Option<Spanned<Arc<str>>>,
}

/// What fleet.yaml says.
pub(super) struct Head {
    pub(super) name: Option<Spanned<Name>>,
    pub(super) id: Option<Spanned<Arc<str>>>,
    pub(super) environments: Vec<Arc<Environment>>,
    pub(super) targets: BTreeMap<Name, Arc<Target>>,
    pub(super) default_target: Option<Spanned<Name>>,
    pub(super) default_zone: Option<Spanned<Name>>,
    pub(super) registries: BTreeMap<Arc<str>, Registry>,
    pub(super) recipients: BTreeMap<Name, Spanned<Arc<str>>>,
    pub(super) secrets: Option<Arc<SecretsFile>>,
    /// Secrets files beside fleet.yaml that belong to no environment.
    pub(super) foreign_secrets: Vec<Arc<str>>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Head> {
    let node = match reader.look(FILE) {
        Found::File(bytes) => reader.parse(FILE, &bytes)?,
        _ => return None,
    };
    let beside = reader.list("");
    let findings = &mut reader.findings;
    let mut fields = Fields::new(&node, "", findings);
    if let Some(requires) = fields.optional_str("requires") {
        match version::allows(&requires.value, VERSION) {
            Some(true) => {}
            Some(false) => {
                let message =
                    format!("this fleet wants Escadre {}, and this is {VERSION}", scalar::shown(&requires.value));
                let finding = Diagnostic::error(Code::E0509, message).at(&requires.span);
                fields.findings().push(finding.hint("use a version that the fleet allows, or change `requires:`"));
                // Another version may mean other things by the same words: nothing else of this fleet is judged.
                return None;
            }
            None => {
                let message = format!("\"{}\" is no requirement", scalar::shown(&requires.value));
                let finding = Diagnostic::error(Code::E0509, message).at(&requires.span);
                fields.findings().push(finding.hint("write it as \">=0.1, <0.2\""));
            }
        }
    }
    let name = scalar::required_name(&mut fields, "fleet", "a fleet");
    let id = fields.optional_str("id").filter(|id| check_id(id, fields.findings()));
    let mut environments = environments(&mut fields);
    let targets = targets(&mut fields);
    let (default_target, default_zone) = defaults(&mut fields);
    let registries = registries(&mut fields);
    let recipients = recipients(&mut fields);
    fields.finish();
    let mut foreign_secrets = Vec::new();
    let mut secrets = None;
    for file in beside.iter() {
        let Some(of) = file.strip_suffix(".secrets.yaml") else { continue };
        if of == "fleet" {
            secrets =
                secrets_file::read(reader, file, Scope::Fleet, name.as_ref().map_or("", |name| name.value.as_str()));
        } else if let Some(environment) = environments.iter_mut().find(|known| known.name.value.as_str() == of) {
            environment.secrets = secrets_file::read(reader, file, Scope::Environment, of);
        } else {
            foreign_secrets.push(Arc::clone(file));
        }
    }
    Some(Head {
        name,
        id,
        environments: environments.into_iter().map(Arc::new).collect(),
        targets,
        default_target,
        default_zone,
        registries,
        recipients,
        secrets,
        foreign_secrets,
    })
}

fn check_id(id: &Spanned<Arc<str>>, findings: &mut Vec<Diagnostic>) -> bool {
    let fits = (4..=64).contains(&id.value.len()) && id.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits {
        let message = "`id` must be 4 to 64 letters, digits and hyphens";
        findings
            .push(Diagnostic::error(Code::E0115, message).at(&id.span).path("id").hint("escadre new fleet writes one"));
    }
    fits
}

fn environments(fields: &mut Fields<'_, '_>) -> Vec<Environment> {
    let mut all = Vec::new();
    fields.required("environments");
    for (key, node) in fields.optional_map("environments").into_iter().flat_map(Mapping::iter) {
        let name = scalar::name(&key.text, &key.span, "an environment", fields.findings());
        if &*key.text == "fleet" {
            let message = "no environment may be called \"fleet\": fleet.secrets.yaml would belong to two";
            fields.findings().push(Diagnostic::error(Code::E0501, message).at(&key.span));
        }
        let mut values = BTreeMap::new();
        let mut require_commit = false;
        if !node.is_null() {
            let mut inner = Fields::new(node, format!("environments.{}", key.text), fields.findings());
            values = scalar::texts(&mut inner, "values");
            require_commit = require(&mut inner);
            reserved::refuse(&mut inner, node, reserved::ENVIRONMENT);
            inner.finish();
        }
        if let Some(name) = name {
            all.push(Environment { name, values, require_commit, secrets: None });
        }
    }
    all
}

fn require(fields: &mut Fields<'_, '_>) -> bool {
    scalar::parsed(fields, "require", "`commit`", |text| (text == "commit").then_some(())).is_some()
}

fn targets(fields: &mut Fields<'_, '_>) -> BTreeMap<Name, Arc<Target>> {
    let mut all = BTreeMap::new();
    for (key, node) in fields.optional_map("targets").into_iter().flat_map(Mapping::iter) {
        let name = scalar::name(&key.text, &key.span, "a target", fields.findings());
        let target = target(&key.text, node, fields.findings());
        if let (Some(name), Some(target)) = (name, target) {
            all.insert(name.value.clone(), Arc::new(Target { name, ..target }));
        }
    }
    all
}

fn target(key: &str, node: &Node, findings: &mut Vec<Diagnostic>) -> Option<Target> {
    let mut fields = Fields::new(node, format!("targets.{key}"), findings);
    let engines =
        [(TargetKind::Podman, fields.optional_str("podman")), (TargetKind::Docker, fields.optional_str("docker"))];
    let edge = edge::read(&mut fields);
    let pool = scalar::parsed(&mut fields, "pool", "a network such as 10.210.0.0/16", |text| {
        network(text).then(|| Arc::<str>::from(text))
    });
    let require_commit = require(&mut fields);
    reserved::refuse(&mut fields, node, reserved::TARGET);
    let reserved_only = reserved::TARGET.iter().any(|word| node.get(word.key).is_some());
    let span = fields.span().clone();
    fields.finish();
    let mut written = engines.into_iter().filter_map(|(kind, address)| Some((kind, address?)));
    let Some((kind, address)) = written.next() else {
        if !reserved_only && node.as_mapping().is_some() {
            let message = format!("the target \"{key}\" names no engine");
            let finding = Diagnostic::error(Code::E0114, message).at(&span).path(format!("targets.{key}"));
            findings.push(finding.hint("podman: unix:///run/podman/podman.sock"));
        }
        return None;
    };
    if let Some((_, second)) = written.next() {
        let message = format!("the target \"{key}\" names two engines, one is wanted");
        findings.push(Diagnostic::error(Code::E0115, message).at(&second.span).path(format!("targets.{key}")));
    }
    if !address.value.starts_with("unix://") {
        let message = format!(
            "an engine is reached over a socket of this host (unix://…), here is \"{}\"",
            scalar::shown(&address.value)
        );
        findings.push(Diagnostic::error(Code::E0115, message).at(&address.span));
    }
    let name = Spanned::new(Name::new("x").ok()?, span);
    Some(Target { name, kind, address, edge, pool, require_commit })
}

/// A network in CIDR form, /8 to /24, with no bits set after the prefix.
fn network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<std::net::Ipv4Addr>(), length.parse::<u32>()) else {
        return false;
    };
    (8..=24).contains(&length) && u32::from(address).trailing_zeros() >= 32 - length
}

fn defaults(fields: &mut Fields<'_, '_>) -> (Option<Spanned<Name>>, Option<Spanned<Name>>) {
    let Some(node) = fields.optional("defaults") else { return (None, None) };
    let mut inner = Fields::new(node, "defaults", fields.findings());
    let target = scalar::optional_name(&mut inner, "target", "a target");
    let zone = scalar::optional_name(&mut inner, "zone", "a zone");
    if let Some(key) = node.as_mapping().and_then(|mapping| mapping.key("environment")) {
        let message = "there is no default environment: a forgotten line must not land in production";
        let finding = Diagnostic::error(Code::E0112, message).at(&key.span).path("defaults.environment");
        inner.ignore("environment").findings().push(finding.hint("write `environment:` in each instance"));
    }
    inner.finish();
    (target, zone)
}

fn registries(fields: &mut Fields<'_, '_>) -> BTreeMap<Arc<str>, Registry> {
    let mut all = BTreeMap::new();
    for (key, node) in fields.optional_map("registries").into_iter().flat_map(Mapping::iter) {
        let mut inner = Fields::new(node, format!("registries.{}", key.text), fields.findings());
        let user = inner.optional_str("user");
        let password = inner.optional_str("password");
        inner.finish();
        all.insert(Arc::clone(&key.text), Registry { span: key.span.clone(), user, password });
    }
    all
}

fn recipients(fields: &mut Fields<'_, '_>) -> BTreeMap<Name, Spanned<Arc<str>>> {
    let mut all = BTreeMap::new();
    for (key, node) in fields.optional_map("recipients").into_iter().flat_map(Mapping::iter) {
        let path = format!("recipients.{}", key.text);
        let name = scalar::name(&key.text, &key.span, "a recipient", fields.findings());
        let Some(text) = scalar::text(node, &path, fields.findings()) else { continue };
        // The shape only; whether it is a key is seen by whoever encrypts.
        if !text.value.starts_with("age1") && !text.value.starts_with("ssh-ed25519 ") {
            let message = format!("`{path}` must be an age recipient (age1…) or an ssh-ed25519 public key");
            fields.findings().push(Diagnostic::error(Code::E0605, message).at(&text.span).path(path));
        }
        if let Some(name) = name {
            all.insert(name.value, text);
        }
    }
    all
}
