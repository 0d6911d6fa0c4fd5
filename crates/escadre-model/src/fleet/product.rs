//! Products: what an instance is an instance of.
//!
//! In: `products/NAME/` with product.yaml, compose.yaml and channels.yaml. Out: [`Product`].
//! **Invariant:** a product names everything an instance may differ in; nothing else differs.
//! Not here: the services themselves (`compose`), releases.
//! Tests: `tests.rs`.

use super::endpoint::{self, Endpoint, TlsBy};
use super::folder::{Found, Reader};
use super::parameter::{self, Parameter};
use super::size::{self, Size};
use super::{check, reserved, scalar, zone};
use crate::compose::verdicts::Acknowledgement;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::name::Name;
use crate::text::{Fields, Mapping, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names under which a Compose file is looked for, as Compose does.
pub const COMPOSE_FILES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// A product.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its name, as its folder is called.
    pub name: Spanned<Name>,
    /// Its folder: `products/desk`.
    pub folder: Arc<str>,
    /// Its file.
    pub file: Arc<str>,
    /// For people.
    pub title: Option<Spanned<Arc<str>>>,
    /// The Compose file.
    pub compose: Option<Arc<str>>,
    /// Parameters by name, in the order written.
    pub parameters: Vec<(Arc<str>, Arc<Parameter>)>,
    /// Secrets by name.
    pub secrets: BTreeMap<Arc<str>, SecretDeclaration>,
    /// Endpoints by key.
    pub endpoints: BTreeMap<Arc<str>, Endpoint>,
    /// Sizes by name.
    pub sizes: BTreeMap<Name, Arc<Size>>,
    /// Volumes that two generations of a service may write at once.
    pub shared_volumes: Vec<Spanned<Arc<str>>>,
    /// Absolute paths of the host that services may bind.
    pub binds: Vec<Spanned<Arc<str>>>,
    /// Verdicts on Compose attributes that are known and accepted.
    pub acknowledged: Vec<Acknowledgement>,
    /// Files called `compose.NAME.yaml`: NAME and path. The one of an environment is laid over the Compose file there.
    pub overrides: Vec<(Arc<str>, Arc<str>)>,
    /// Environments named in channels.yaml; all of them run `tree` until there are releases.
    pub channels: BTreeMap<Arc<str>, Span>,
}

/// A secret that a product wants.
#[derive(Clone, Debug)]
pub struct SecretDeclaration {
    /// Where it is declared.
    pub span: Span,
    /// How `new instance` makes one; `None`: people set it.
    pub generate: Option<Generate>,
    /// It goes into the environment instead of a file (`as: environment`).
    pub environment: bool,
    /// What it is for, for people.
    pub help: Option<Arc<str>>,
}

/// How a secret is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generate {
    /// How many characters.
    pub length: u32,
    /// From which characters.
    pub alphabet: Arc<str>,
}

impl Generate {
    /// Letters and digits, without those that are taken for each other.
    pub const PASSWORD: &'static str = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    /// Hexadecimal digits.
    pub const HEXADECIMAL: &'static str = "0123456789abcdef";
}

impl Product {
    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&Arc<Parameter>> {
        self.parameters.iter().find(|(key, _)| &**key == name).map(|(_, parameter)| parameter)
    }

    /// The secrets that its endpoints take certificates and keys from: those that are named, else `ENDPOINT.tls`, which an
    /// instance may have.
    pub fn certificate_secrets(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        self.endpoints.iter().flat_map(|(key, endpoint)| match &endpoint.tls.by {
            TlsBy::Off => Vec::new(),
            TlsBy::Secret { chain, key } => std::iter::once(chain).chain(key).cloned().collect(),
            _ => vec![usual_certificate(key)],
        })
    }

    /// The names of all secrets that mean something for an instance of it.
    pub fn secret_names(&self) -> BTreeSet<Arc<str>> {
        self.secrets.keys().cloned().chain(self.certificate_secrets()).collect()
    }
}

/// The secret that brings a certificate for an endpoint without being named: `portal.tls`.
pub fn usual_certificate(endpoint: &str) -> Arc<str> {
    format!("{endpoint}.tls").into()
}

/// All products, and the folders of those that could not be read.
pub(super) fn read_all(reader: &mut Reader<'_>) -> (BTreeMap<Name, Arc<Product>>, BTreeSet<Arc<str>>) {
    let mut products = BTreeMap::new();
    let mut unread = BTreeSet::new();
    for folder in reader.list("products").iter().filter(|name| !name.starts_with('.')) {
        let path = format!("products/{folder}");
        match reader.look(&path) {
            Found::Folder(names) if names.iter().any(|name| &**name == "product.yaml") => {
                match read(reader, &path, folder, &names) {
                    Some(product) => drop(products.insert(product.name.value.clone(), Arc::new(product))),
                    None => drop(unread.insert(Arc::clone(folder))),
                }
            }
            Found::Folder(_) => {
                let message = format!("{path} has no product.yaml");
                let finding = Diagnostic::error(Code::E0516, message).at(&Span::whole(&path.into()));
                reader.findings.push(finding.hint(format!("escadre new product {folder}")));
                unread.insert(Arc::clone(folder));
            }
            Found::File(_) => reader.findings.push(check::stray(&path, "products/ holds one folder for each product")),
            Found::Nothing => {}
            Found::Refused => drop(unread.insert(Arc::clone(folder))),
        }
    }
    (products, unread)
}

fn read(reader: &mut Reader<'_>, folder: &str, stem: &str, names: &[Arc<str>]) -> Option<Product> {
    let file = format!("{folder}/product.yaml");
    let node = reader.document(&file)?;
    let channels = channels(reader, folder);
    let findings = &mut reader.findings;
    let mut fields = Fields::new(&node, "", findings);
    let name = scalar::required_name(&mut fields, "product", "a product");
    let title = fields.optional_str("title");
    let mut product = Product {
        name: Spanned::new(Name::new("x").ok()?, node.span.clone()),
        folder: folder.into(),
        file: file.as_str().into(),
        title,
        compose: COMPOSE_FILES
            .iter()
            .find(|known| names.iter().any(|name| &**name == **known))
            .map(|known| format!("{folder}/{known}").into()),
        overrides: names
            .iter()
            .filter_map(|name| {
                let of = name.strip_prefix("compose.")?.strip_suffix(".yaml")?;
                Some((of.into(), format!("{folder}/{name}").into()))
            })
            .collect(),
        parameters: Vec::new(),
        secrets: BTreeMap::new(),
        endpoints: BTreeMap::new(),
        sizes: BTreeMap::new(),
        shared_volumes: Vec::new(),
        binds: Vec::new(),
        acknowledged: Vec::new(),
        channels,
    };
    parts(&mut fields, &mut product);
    reserved::refuse(&mut fields, &node, reserved::PRODUCT);
    fields.finish();
    clashes(&product, findings);
    if product.compose.is_none() {
        let message = format!("{folder} has no Compose file");
        let finding = Diagnostic::error(Code::E0516, message).at(&Span::whole(&product.file));
        findings.push(finding.hint(format!("put the services into {folder}/compose.yaml")));
    }
    let name = name?;
    zone::same_as_file(&name, stem, "product", findings);
    Some(Product { name, ..product })
}

fn parts(fields: &mut Fields<'_, '_>, product: &mut Product) {
    for (key, node) in fields.optional_map("parameters").into_iter().flat_map(Mapping::iter) {
        if let Some(parameter) = parameter::read(&key.text, &key.span, node, fields.findings()) {
            product.parameters.push((Arc::clone(&key.text), Arc::new(parameter)));
        }
    }
    for (key, node) in fields.optional_map("secrets").into_iter().flat_map(Mapping::iter) {
        if let Some(secret) = secret(&key.text, &key.span, node, fields.findings()) {
            product.secrets.insert(Arc::clone(&key.text), secret);
        }
    }
    for (key, node) in fields.optional_map("endpoints").into_iter().flat_map(Mapping::iter) {
        if let Some(endpoint) = endpoint::read(&key.text, &key.span, node, fields.findings()) {
            product.endpoints.insert(Arc::clone(&key.text), endpoint);
        }
    }
    if let Some(node) = fields.optional("sizes") {
        product.sizes = size::read(node, fields.findings());
    }
    for (key, node) in fields.optional_map("volumes").into_iter().flat_map(Mapping::iter) {
        let mut volume = Fields::new(node, format!("volumes.{}", key.text), fields.findings());
        if volume.optional_bool("shared").is_some_and(|shared| shared.value) {
            product.shared_volumes.push(Spanned::new(Arc::clone(&key.text), key.span.clone()));
        }
        volume.finish();
    }
    for item in fields.optional_strs("acknowledge").unwrap_or_default() {
        match Acknowledgement::new(&item.value, &item.span) {
            Ok(acknowledgement) => product.acknowledged.push(acknowledgement),
            Err(finding) => fields.findings().push(finding.path("acknowledge")),
        }
    }
    if let Some(node) = fields.optional("grants") {
        let mut grants = Fields::new(node, "grants", fields.findings());
        product.binds = grants.optional_strs("binds").unwrap_or_default();
        grants.finish();
        for bind in &product.binds {
            if !bind.value.starts_with('/') || bind.value.split('/').any(|part| part == "..") {
                let message =
                    format!("a granted path is absolute and without `..`, here is \"{}\"", scalar::shown(&bind.value));
                fields.findings().push(Diagnostic::error(Code::E0115, message).at(&bind.span).path("grants.binds"));
            }
        }
    }
}

fn secret(key: &str, span: &Span, node: &Node, findings: &mut Vec<Diagnostic>) -> Option<SecretDeclaration> {
    let plain = SecretDeclaration { span: span.clone(), generate: None, environment: false, help: None };
    if !is_secret_name(key) {
        let message = format!("\"{}\" is no name of a secret: letters, digits and . _ - make one", scalar::shown(key));
        findings.push(Diagnostic::error(Code::E0501, message).at(span));
    }
    if node.is_null() {
        return Some(plain);
    }
    let mut fields = Fields::new(node, format!("secrets.{key}"), findings);
    let word = fields.optional_str("generate");
    let length = scalar::parsed(&mut fields, "length", "a number from 8 to 1024", |text| {
        text.parse::<u32>().ok().filter(|length| (8..=1024).contains(length))
    });
    let characters = scalar::parsed(&mut fields, "alphabet", "at least ten different printable characters", alphabet);
    let destination = fields.optional_str("as");
    let help = fields.optional_str("help").map(|help| help.value);
    reserved::refuse(&mut fields, node, reserved::SECRET);
    fields.finish();
    let mut wrong = |message: String, span: &Span| findings.push(Diagnostic::error(Code::E0511, message).at(span));
    let generate = match word.as_ref().map(|word| &*word.value) {
        Some("password") => Some(Generate::PASSWORD),
        Some("hex") => Some(Generate::HEXADECIMAL),
        Some(other) => {
            let place = word.as_ref().map_or(span, |word| &word.span);
            wrong(format!("{key}: `generate` is `password` or `hex`, here is \"{}\"", scalar::shown(other)), place);
            None
        }
        None => {
            if let Some(place) = length.as_ref().map(|l| &l.span).or(characters.as_ref().map(|c| &c.span)) {
                wrong(format!("{key}: `length` and `alphabet` go with `generate:`"), place);
            }
            None
        }
    };
    let environment = match destination.as_ref().map(|word| (&*word.value, &word.span)) {
        None | Some(("file", _)) => false,
        Some(("environment", place)) => {
            if !parameter::is_variable(key) {
                wrong(format!("{key}: `as: environment` needs the name of a variable"), place);
            }
            true
        }
        Some((other, place)) => {
            wrong(format!("{key}: `as` is `environment` or `file`, here is \"{}\"", scalar::shown(other)), place);
            false
        }
    };
    let generate = generate.map(|default| Generate {
        length: length.map_or(32, |length| length.value),
        alphabet: characters.map_or_else(|| default.into(), |characters| characters.value),
    });
    Some(SecretDeclaration { generate, environment, help, ..plain })
}

/// Letters, digits and . _ -.
pub(super) fn is_secret_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn alphabet(text: &str) -> Option<Arc<str>> {
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let fits = letters.len() >= 10 && letters.len() <= 94 && letters.iter().all(char::is_ascii_graphic);
    fits.then(|| letters.iter().collect::<String>().into())
}

/// One name is one thing: a parameter and an environment secret of one name would both be the variable.
fn clashes(product: &Product, findings: &mut Vec<Diagnostic>) {
    for (name, parameter) in &product.parameters {
        if let Some(secret) = product.secrets.get(name) {
            let message = format!("\"{name}\" is both a parameter and a secret");
            let finding = Diagnostic::error(Code::E0502, message).label(&secret.span, "the secret");
            findings.push(finding.label(&parameter.span, "the parameter"));
        }
    }
}

/// channels.yaml: a line for each environment; only `tree` works yet.
fn channels(reader: &mut Reader<'_>, folder: &str) -> BTreeMap<Arc<str>, Span> {
    let mut lines = BTreeMap::new();
    let path = format!("{folder}/channels.yaml");
    let (Some(node), _) = reader.document_or_nothing(&path) else { return lines };
    let Some(mapping) = node.as_mapping() else {
        Fields::new(&node, "", &mut reader.findings).finish();
        return lines;
    };
    for (environment, release) in mapping.iter() {
        if let Some(release) = scalar::text(release, &environment.text, &mut reader.findings)
            && &*release.value != "tree"
        {
            let what = format!("the release \"{}\"", scalar::shown(&release.value));
            let finding = reserved::not_built(&what, "releases; `tree` runs what the files say").at(&release.span);
            reader.findings.push(finding);
        }
        lines.insert(Arc::clone(&environment.text), environment.span.clone());
    }
    lines
}
