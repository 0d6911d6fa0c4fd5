//! Drafts: the resources of a shape, spelled once, and filled for each of its instances.
//!
//! In: what `render` spelled of a [`Shape`](escadre_model::resolved::Shape); a `Resolved` that has it. Out: `Desired`.
//! **Invariant:** filling looks at nothing but names, values of late variables, hashes of secrets and the instance's own words, so the cost of an instance is
//! what differs in it, and its hashes.
//! Not here: what the words are (`render` and the modules below it).
//! Tests: `render/tests.rs`; `escadre-plan/tests/it/shapes.rs`.

use super::files::{self, Bytes};
use super::names;
use escadre_model::desired::{
    Body, CertificateSource, Content, Desired, File, Image, Network, Resource, Route, Service, Volume,
};
use escadre_model::diagnostic::{Code, Diagnostic, Span};
use escadre_model::hash::{Hash, KeyedHash};
use escadre_model::ids::ResourceKey;
use escadre_model::resolved::Resolved;
use escadre_model::secret::SecretRef;
use escadre_model::sheet::{Sheet, Values};
use escadre_model::text::Text;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was spelled of a shape.
#[derive(Debug)]
pub(super) struct Drafts {
    /// Resources by kind and key; what a service uses comes before it.
    pub(super) resources: BTreeMap<ResourceKey, Draft>,
    /// Published TCP ports.
    pub(super) routes: BTreeMap<Arc<str>, Route>,
    /// What is refused or only approximated.
    pub(super) findings: Vec<Diagnostic>,
}

/// A resource of a shape.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) sheet: Arc<Sheet>,
    pub(super) body: Plain,
}

/// The body of a resource before it belongs to an instance.
#[derive(Debug)]
pub(super) enum Plain {
    Network { name: Called, external: bool, subnet: Option<Arc<str>> },
    Volume { name: Called, external: bool },
    File { bytes: Bytes, mode: u32, uid: Option<u32>, gid: Option<u32> },
    Image(Image, Hash),
    Service(Arc<Service>, ServiceSpec),
}

/// What a network or volume is called on the engine.
#[derive(Debug)]
pub(super) enum Called {
    /// As we call it.
    Ours,
    /// As the product does.
    Theirs(Text),
    /// As we call it, because the product's name would be one for all instances.
    Renamed { written: Arc<str>, section: &'static str, span: Span },
}

/// What the spec of a service is made of beside its payload.
#[derive(Debug)]
pub(super) struct ServiceSpec {
    /// JSON text of what comes first: image, build.
    pub(super) before: Vec<u8>,
    /// Files that it sees.
    pub(super) files: Vec<ResourceKey>,
    /// Secrets within its texts.
    pub(super) secrets: Vec<SecretRef>,
    /// JSON text of what comes in the middle: networks, network mode.
    pub(super) within: Vec<u8>,
    /// Volumes that it mounts.
    pub(super) volumes: Vec<Arc<str>>,
    /// JSON text of what comes last: engine ports, extra hosts.
    pub(super) behind: Vec<u8>,
}

/// A hash over what makes a resource what it is; the word says which rules made it.
pub(super) fn spec(payload: &serde_json::Value, rest: &impl Serialize) -> Hash {
    Hash::of_json(&(RULES, payload, rest))
}

const RULES: &str = "spec/1";

/// An instance being filled.
struct Filling<'f> {
    resolved: &'f Resolved,
    values: Arc<Values>,
    resources: BTreeMap<ResourceKey, Resource>,
    findings: Vec<Diagnostic>,
    /// JSON text of the spec that is being hashed.
    text: Vec<u8>,
}

impl Drafts {
    /// What an instance wants that has the shape.
    pub(super) fn fill(&self, resolved: &Resolved) -> (Desired, Vec<Diagnostic>) {
        let secrets =
            resolved.secrets.iter().filter_map(|(name, seen)| Some((SecretRef(name.clone()), seen.hash.clone()?)));
        let values = Values { late: Arc::clone(&resolved.late), secrets: secrets.collect() };
        let mut filling = Filling {
            resolved,
            values: Arc::new(values),
            resources: BTreeMap::new(),
            findings: self.findings.clone(),
            text: Vec::with_capacity(1 << 12),
        };
        for (key, draft) in &self.resources {
            let resource = filling.resource(key, draft);
            filling.resources.insert(key.clone(), resource);
        }
        let secrets = self.secrets(resolved, &filling.values);
        let http = resolved.endpoints.iter().map(|(key, route)| (Arc::clone(key), Route::Http(route.clone())));
        let tcp = self.routes.iter().map(|(key, route)| (Arc::clone(key), route.clone()));
        let desired = Desired {
            instance: resolved.instance.clone(),
            origin: Arc::clone(&resolved.origin),
            release: Arc::clone(&resolved.release),
            state: resolved.state,
            environment: Arc::clone(&resolved.shape.environment),
            labels: resolved.labels.clone(),
            resources: filling.resources,
            routes: http.chain(tcp).collect(),
            secrets,
            adopts: resolved.adopts.clone(),
        };
        (desired, filling.findings)
    }

    /// Which value is meant of each secret that is used, as far as it is known.
    fn secrets(&self, resolved: &Resolved, values: &Values) -> BTreeMap<Arc<str>, KeyedHash> {
        let within = self.resources.values().flat_map(|draft| match &draft.body {
            Plain::Service(_, parts) => parts.secrets.as_slice(),
            Plain::File { bytes: Bytes::Secret(name), .. } => std::slice::from_ref(name),
            _ => &[],
        });
        let certificates = resolved.endpoints.values().filter_map(|route| match &route.tls.as_ref()?.from {
            CertificateSource::Secret { chain, key, .. } => Some(std::iter::once(chain).chain(key)),
            _ => None,
        });
        let used = within.chain(certificates.flatten());
        used.filter_map(|name| Some((Arc::clone(&name.0), values.secrets.get(name)?.clone()))).collect()
    }
}

impl Filling<'_> {
    fn resource(&mut self, key: &ResourceKey, draft: &Draft) -> Resource {
        let (spec, body) = match &draft.body {
            Plain::Network { name, external, subnet } => {
                let body = Network { name: self.name(key, name), external: *external, subnet: subnet.clone() };
                (self.spec(draft, &(&body.name, &body.external, &body.subnet)), Body::Network(body))
            }
            Plain::Volume { name, external } => {
                let adopted = self.resolved.volume_names.get(&key.key).cloned();
                let named = adopted.is_some();
                let body = Volume { name: adopted.unwrap_or_else(|| self.name(key, name)), external: *external, named };
                (self.spec(draft, &(&body.name, &body.external)), Body::Volume(body))
            }
            Plain::File { bytes, mode, uid, gid } => {
                let content = self.content(bytes);
                let told = match &content {
                    Content::Bytes { hash, .. } | Content::Folder { hash, .. } => hash.to_string(),
                    Content::Secret { name, hash } => {
                        format!("{name} {}", hash.as_ref().map_or("unknown", |hash| hash.as_str()))
                    }
                };
                let spec = spec(&serde_json::Value::Null, &(told, mode, uid, gid));
                (spec, Body::File(File { content, mode: *mode, uid: *uid, gid: *gid }))
            }
            Plain::Image(image, spec) => (spec.clone(), Body::Image(image.clone())),
            Plain::Service(service, parts) => (self.service(draft, parts), Body::Service(Arc::clone(service))),
        };
        Resource::of(spec, Arc::clone(&draft.sheet), Arc::clone(&self.values), body)
    }

    /// The engine's name of a network or volume. An adopted volume is not asked for one.
    fn name(&mut self, key: &ResourceKey, called: &Called) -> Arc<str> {
        let ours = || names::owned(&self.resolved.instance, self.resolved.shape.single, &key.key);
        match called {
            Called::Ours => ours().into(),
            Called::Theirs(name) => name.fill(&self.resolved.late).display().into(),
            Called::Renamed { written, section, span } => {
                let ours = ours();
                let what =
                    format!("{section} of one name would be shared by all instances: {written} is called {ours} here");
                let finding = Diagnostic::warning(Code::W0430, what).at(span);
                self.findings.push(finding.path(format!("{section}.{}.name", key.key)));
                ours.into()
            }
        }
    }

    fn content(&self, bytes: &Bytes) -> Content {
        match bytes {
            Bytes::Fixed(content) => content.clone(),
            Bytes::Letters(text) => files::letters(&text.fill(&self.resolved.late)),
            Bytes::Secret(name) => {
                let hash = self.values.secrets.get(name).cloned();
                Content::Secret { name: Arc::clone(&name.0), hash }
            }
        }
    }

    /// The spec of a resource that is spelled once: its words with the values in them, and what else makes it.
    fn spec(&mut self, draft: &Draft, rest: &impl Serialize) -> Hash {
        self.begin(draft);
        json(&mut self.text, rest);
        self.end()
    }

    fn service(&mut self, draft: &Draft, parts: &ServiceSpec) -> Hash {
        let files: Vec<&Hash> =
            parts.files.iter().filter_map(|key| self.resources.get(key)).map(|file| &file.spec).collect();
        let secrets: Vec<_> = parts.secrets.iter().map(|name| (self.values.secrets.get(name), name)).collect();
        let names: BTreeMap<&Arc<str>, &Arc<str>> = parts
            .volumes
            .iter()
            .filter_map(|key| {
                let resource =
                    self.resources.get(&ResourceKey::new(escadre_model::ids::Kind::Volume, Arc::clone(key)))?;
                match &resource.body {
                    Body::Volume(volume) => Some((key, &volume.name)),
                    _ => None,
                }
            })
            .collect();
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        open(&mut text, draft, &self.values);
        text.push(b'[');
        text.extend_from_slice(&parts.before);
        text.push(b',');
        json(&mut text, &files);
        text.push(b',');
        json(&mut text, &secrets);
        text.push(b',');
        text.extend_from_slice(&parts.within);
        text.push(b',');
        json(&mut text, &names);
        text.push(b',');
        text.extend_from_slice(&parts.behind);
        text.push(b']');
        self.text = text;
        self.end()
    }

    fn begin(&mut self, draft: &Draft) {
        self.text.clear();
        open(&mut self.text, draft, &self.values);
    }

    fn end(&mut self) -> Hash {
        self.text.push(b']');
        Hash::of(&self.text)
    }
}

/// The beginning of a spec's text: rules and words.
fn open(text: &mut Vec<u8>, draft: &Draft, values: &Values) {
    text.push(b'[');
    json(text, &RULES);
    text.push(b',');
    draft.sheet.words.write(&values.late, text);
    text.push(b',');
}

/// Adds a value's JSON text.
fn json(to: &mut Vec<u8>, value: &impl Serialize) {
    // Only a map with keys that are no strings could fail, and there is none.
    let _ = serde_json::to_writer(to, value);
}

/// The JSON text of values as it stands within a list of more.
pub(super) fn within(values: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    json(&mut text, values);
    text.pop();
    text.drain(..1.min(text.len()));
    text
}
