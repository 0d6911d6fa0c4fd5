//! A Desired as it is kept: what many instances have in common stands in parts that are kept once.
//!
//! In: a [`Desired`]. Out: a head of its own and parts by their hashes; and back.
//! **Invariant:** what comes back is what went in, and shares with all others what it has in common with them. Bytes of files are no part of it; they are
//! blobs of their own.
//! Not here: where it is kept (`escadre-engine`).
//! Tests: `tests.rs`; `escadre-plan/tests/it/shapes.rs`.

use super::{Adopts, Body, Desired, Resource, Route, Service, Shown, State};
use crate::hash::{Hash, KeyedHash};
use crate::ids::{InstanceId, ResourceKey};
use crate::payload::Words;
use crate::secret::SecretRef;
use crate::sheet::{Entry, Sheet, Told, Values};
use crate::source::Source;
use crate::text::{Late, Piece, Text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A Desired, packed.
#[derive(Debug)]
pub struct Packed {
    /// JSON text of what is the instance's own.
    pub head: Vec<u8>,
    /// JSON texts of what it may have in common with others, by their hashes.
    pub parts: BTreeMap<Hash, Vec<u8>>,
}

/// Why something packed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is not what was written.
    #[error("it is no JSON of this version")]
    Json(#[from] serde_json::Error),
    /// A part is not there.
    #[error("its part {} is missing", .0.short())]
    Missing(Hash),
}

/// Parts that were read: each is held once, however many heads name it.
#[derive(Debug, Default)]
pub struct Parts {
    sheets: HashMap<Hash, Arc<Sheet>>,
    services: HashMap<Hash, Arc<Service>>,
}

/// What is an instance's own.
#[derive(Debug, Serialize, Deserialize)]
pub struct Head {
    instance: InstanceId,
    origin: Arc<str>,
    release: Arc<str>,
    state: State,
    environment: Arc<str>,
    labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Values of late variables in the sheets.
    late: Arc<[Arc<str>]>,
    /// Keyed hashes of secrets in the sheets.
    hidden: BTreeMap<SecretRef, KeyedHash>,
    resources: Vec<(ResourceKey, Hash, Hash, PackedBody)>,
    routes: BTreeMap<Arc<str>, Route>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<Arc<str>, KeyedHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adopts: Option<Adopts>,
}

/// The body of a resource: a service's is a part, others are short.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PackedBody {
    Part(Hash),
    Own(Body),
}

#[derive(Serialize, Deserialize)]
struct PackedSheet {
    fields: Vec<PackedEntry>,
    words: Vec<PackedWords>,
    body: Option<Hash>,
}

#[derive(Serialize, Deserialize)]
struct PackedEntry(Arc<str>, PackedTold, Option<Source>, Option<Arc<str>>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PackedTold {
    Shown(Shown),
    Text(Vec<PackedPiece>),
    Row(Vec<Vec<PackedPiece>>),
    Digest(Vec<PackedPiece>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PackedPiece {
    Is(Arc<str>),
    Secret(SecretRef),
    Late(usize),
}

/// JSON text of words, and the slot of the late variable that follows.
#[derive(Serialize, Deserialize)]
struct PackedWords(Box<str>, Option<usize>);

impl Desired {
    /// Packs it.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a bug.
    pub fn pack(&self) -> Result<Packed, serde_json::Error> {
        let mut parts = BTreeMap::new();
        let mut keep = |text: Vec<u8>| {
            let hash = Hash::of(&text);
            parts.insert(hash.clone(), text);
            hash
        };
        // All resources of an instance have its values; one that has not (or none have: it was made for itself) stands as it is.
        let none = Arc::default();
        let values: &Arc<Values> =
            self.resources.values().map(|one| &one.values).find(|one| ***one != *none).unwrap_or(&none);
        let mut resources = Vec::with_capacity(self.resources.len());
        for (key, resource) in &self.resources {
            let sheet = if resource.values == *values || !resource.sheet.has_holes() {
                keep(serde_json::to_vec(&PackedSheet::from(&*resource.sheet))?)
            } else {
                keep(serde_json::to_vec(&PackedSheet::from(&resource.sheet.filled(&resource.values)))?)
            };
            let body = match &resource.body {
                Body::Service(service) => PackedBody::Part(keep(serde_json::to_vec(service)?)),
                other => PackedBody::Own(other.clone()),
            };
            resources.push((key.clone(), resource.spec.clone(), sheet, body));
        }
        let head = serde_json::to_vec(&Head {
            instance: self.instance.clone(),
            origin: self.origin.clone(),
            release: self.release.clone(),
            state: self.state,
            environment: self.environment.clone(),
            labels: self.labels.clone(),
            late: values.late.clone(),
            hidden: values.secrets.clone(),
            resources,
            routes: self.routes.clone(),
            secrets: self.secrets.clone(),
            adopts: self.adopts.clone(),
        })?;
        Ok(Packed { head, parts })
    }
}

impl Head {
    /// Reads a head.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The hashes of the parts that it needs.
    pub fn parts(&self) -> BTreeSet<&Hash> {
        let mut all = BTreeSet::new();
        for (_, _, sheet, body) in &self.resources {
            all.insert(sheet);
            if let PackedBody::Part(hash) = body {
                all.insert(hash);
            }
        }
        all
    }

    /// The Desired that it is the head of; files in it have no bytes yet.
    ///
    /// # Errors
    /// When a part is missing, or is not what was written.
    pub fn unpack(self, parts: &mut Parts, text: &dyn Fn(&Hash) -> Option<Arc<[u8]>>) -> Result<Desired, UnpackError> {
        let values = Arc::new(Values { late: self.late, secrets: self.hidden });
        let mut resources = BTreeMap::new();
        for (key, spec, sheet, body) in self.resources {
            let sheet = parts.sheet(&sheet, text)?;
            let body = match body {
                PackedBody::Part(hash) => Body::Service(parts.service(&hash, text)?),
                PackedBody::Own(body) => body,
            };
            resources.insert(key, Resource::of(spec, sheet, Arc::clone(&values), body));
        }
        Ok(Desired {
            instance: self.instance,
            origin: self.origin,
            release: self.release,
            state: self.state,
            environment: self.environment,
            labels: self.labels,
            resources,
            routes: self.routes,
            secrets: self.secrets,
            adopts: self.adopts,
        })
    }
}

impl Parts {
    fn sheet(&mut self, hash: &Hash, text: &dyn Fn(&Hash) -> Option<Arc<[u8]>>) -> Result<Arc<Sheet>, UnpackError> {
        if let Some(known) = self.sheets.get(hash) {
            return Ok(Arc::clone(known));
        }
        let text = text(hash).ok_or_else(|| UnpackError::Missing(hash.clone()))?;
        let packed: PackedSheet = serde_json::from_slice(&text)?;
        let sheet = Arc::new(Sheet::from(packed));
        self.sheets.insert(hash.clone(), Arc::clone(&sheet));
        Ok(sheet)
    }

    fn service(&mut self, hash: &Hash, text: &dyn Fn(&Hash) -> Option<Arc<[u8]>>) -> Result<Arc<Service>, UnpackError> {
        if let Some(known) = self.services.get(hash) {
            return Ok(Arc::clone(known));
        }
        let text = text(hash).ok_or_else(|| UnpackError::Missing(hash.clone()))?;
        let service: Arc<Service> = serde_json::from_slice(&text)?;
        self.services.insert(hash.clone(), Arc::clone(&service));
        Ok(service)
    }
}

fn pieces(text: &Text) -> Vec<PackedPiece> {
    let piece = |piece| match piece {
        Piece::Literal(letters) => PackedPiece::Is(letters),
        Piece::Secret(name) => PackedPiece::Secret(name),
        Piece::Late(late) => PackedPiece::Late(late.slot()),
    };
    text.pieces().into_iter().map(piece).collect()
}

fn text(pieces: Vec<PackedPiece>) -> Text {
    Text::from_pieces(pieces.into_iter().map(|piece| match piece {
        PackedPiece::Is(letters) => Piece::Literal(letters),
        PackedPiece::Secret(name) => Piece::Secret(name),
        PackedPiece::Late(slot) => Piece::Late(Late::kept(slot)),
    }))
}

impl From<&Sheet> for PackedSheet {
    fn from(sheet: &Sheet) -> Self {
        let told = |told: &Told| match told {
            Told::Shown(shown) => PackedTold::Shown(shown.clone()),
            Told::Text(text) => PackedTold::Text(pieces(text)),
            Told::Row(texts) => PackedTold::Row(texts.iter().map(pieces).collect()),
            Told::Digest(text) => PackedTold::Digest(pieces(text)),
        };
        let fields = sheet
            .fields
            .iter()
            .map(|entry| PackedEntry(entry.path.clone(), told(&entry.value), entry.source.clone(), entry.raw.clone()))
            .collect();
        let words = sheet.words.pieces().map(|(text, slot)| PackedWords(text.into(), slot)).collect();
        Self { fields, words, body: sheet.body.clone() }
    }
}

impl From<PackedSheet> for Sheet {
    fn from(packed: PackedSheet) -> Self {
        let told = |told| match told {
            PackedTold::Shown(shown) => Told::Shown(shown),
            PackedTold::Text(pieces) => Told::Text(text(pieces)),
            PackedTold::Row(texts) => Told::Row(texts.into_iter().map(text).collect()),
            PackedTold::Digest(pieces) => Told::Digest(text(pieces)),
        };
        let entry = |PackedEntry(path, value, source, raw)| Entry { path, value: told(value), source, raw };
        let words = Words::of_pieces(packed.words.into_iter().map(|PackedWords(text, slot)| (text, slot)));
        Self { fields: packed.fields.into_iter().map(entry).collect(), words: Arc::new(words), body: packed.body }
    }
}
