//! A target's own words for one resource, kept opaque: JSON text with holes where secrets go.
//!
//! In: what `escadre-render` spells, once for all instances that differ in nothing but late variables ([`Words`]). Out: the words of one of them
//! ([`Payload`]); the same with the holes for secrets filled, at the last moment, by a driver.
//! **Invariant:** a payload can be hashed, stored and shown: no secret value is in it. A text with a secret stays `{"$text": [literal, {"secret": name}, …]}`.
//! Words filled with values are, byte by byte, what would have been spelled with them.
//! Not here: what the words mean (`escadre-render`), who fills them (`escadre-drivers`).
//! Tests: `payload/tests.rs`.

use crate::secret::{Secret, SecretRef};
use crate::text::{Piece, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The key that marks a text with holes.
const TEXT: &str = "$text";
/// The key of a late variable's slot, in words that are not yet written down.
const LATE: &str = "late";
/// The key of a secret's name.
const SECRET: &str = "secret";

/// A target's words for a resource of many instances, with holes for late variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pieces: Vec<Written>,
    secrets: BTreeSet<SecretRef>,
}

/// A piece of JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Written {
    Json(Box<str>),
    /// Within a JSON string: the value of the late variable of that slot.
    Late(usize),
}

/// A target's words for a resource of one instance, with holes for secrets.
#[derive(Clone)]
pub struct Payload {
    words: Arc<Words>,
    late: Arc<[Arc<str>]>,
}

/// Why a payload could not be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody has a value for this secret.
    #[error("no value for secret \"{0}\"")]
    Unset(Arc<str>),
    /// The secret's bytes are no text, and the place wants text.
    #[error("secret \"{0}\" is not UTF-8 text, and it is used inside a text")]
    NotText(Arc<str>),
}

/// Spells a text with holes as a value of [`Words`]; a text without any is a plain string.
pub fn text(text: &Text) -> Value {
    let pieces = text.pieces();
    if let [Piece::Literal(all)] = pieces.as_slice() {
        return Value::String(all.to_string());
    }
    let hole = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_owned(), value)]));
    let spelled = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => Value::String(text.to_string()),
            Piece::Secret(name) => hole(SECRET, Value::String(name.0.to_string())),
            Piece::Late(late) => hole(LATE, late.slot().into()),
        })
        .collect();
    hole(TEXT, Value::Array(spelled))
}

impl Words {
    /// Writes a target's words down.
    pub fn new(value: &Value) -> Self {
        let (mut writer, mut secrets) = (Writer::default(), BTreeSet::new());
        writer.value(value);
        collect(value, &mut secrets);
        Self { pieces: writer.finish(), secrets }
    }

    /// Words that are JSON text already.
    fn of_text(text: Box<str>) -> Self {
        let mut secrets = BTreeSet::new();
        // Few payloads have holes; the others need not be parsed to know it.
        if text.contains(TEXT)
            && let Ok(value) = serde_json::from_str(&text)
        {
            collect(&value, &mut secrets);
        }
        Self { pieces: vec![Written::Json(text)], secrets }
    }

    /// The secrets that they have holes for.
    pub fn secrets(&self) -> &BTreeSet<SecretRef> {
        &self.secrets
    }

    /// Adds the JSON text with these values of late variables.
    pub fn write(&self, late: &[Arc<str>], to: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Written::Json(text) => to.extend_from_slice(text.as_bytes()),
                Written::Late(slot) => inside(late.get(*slot).map_or("", |value| value), to),
            }
        }
    }
}

/// Adds the letters of a JSON string, without its quotes.
fn inside(letters: &str, to: &mut Vec<u8>) {
    if letters.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        to.extend_from_slice(letters.as_bytes());
        return;
    }
    let quoted = Value::String(letters.to_owned()).to_string();
    to.extend_from_slice(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().as_bytes());
}

/// Writes values as compact JSON, cut where late variables are.
#[derive(Default)]
struct Writer {
    pieces: Vec<Written>,
    open: Vec<u8>,
}

impl Writer {
    fn raw(&mut self, text: &str) {
        self.open.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Array(items) => {
                self.raw("[");
                for (index, item) in items.iter().enumerate() {
                    self.raw(if index == 0 { "" } else { "," });
                    self.value(item);
                }
                self.raw("]");
            }
            Value::Object(map) => match holes(value) {
                Some(pieces) if pieces.iter().any(|piece| slot(piece).is_some()) => self.text(pieces),
                _ => {
                    self.raw("{");
                    for (index, (key, item)) in map.iter().enumerate() {
                        self.raw(if index == 0 { "\"" } else { ",\"" });
                        inside(key, &mut self.open);
                        self.raw("\":");
                        self.value(item);
                    }
                    self.raw("}");
                }
            },
            Value::String(text) => {
                self.raw("\"");
                inside(text, &mut self.open);
                self.raw("\"");
            }
            other => self.raw(&other.to_string()),
        }
    }

    /// A text with late variables. What stands between secrets is one string; without secrets it is nothing but that.
    fn text(&mut self, pieces: &[Value]) {
        let whole = pieces.iter().all(|piece| piece.get(SECRET).is_none());
        self.raw(if whole { "\"" } else { "{\"$text\":[" });
        let mut within = whole;
        for (index, piece) in pieces.iter().enumerate() {
            if let Some(secret) = piece.get(SECRET) {
                self.raw(if within {
                    "\","
                } else if index > 0 {
                    ","
                } else {
                    ""
                });
                within = false;
                self.raw("{\"secret\":");
                self.value(secret);
                self.raw("}");
                continue;
            }
            if !within {
                self.raw(if index > 0 { ",\"" } else { "\"" });
                within = true;
            }
            match (piece.as_str(), slot(piece)) {
                (Some(letters), _) => inside(letters, &mut self.open),
                (None, Some(slot)) => {
                    self.close();
                    self.pieces.push(Written::Late(slot));
                }
                (None, None) => {}
            }
        }
        self.raw(if within { "\"" } else { "" });
        self.raw(if whole { "" } else { "]}" });
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            // It was written from texts.
            let text = String::from_utf8_lossy(&self.open).into_owned();
            self.pieces.push(Written::Json(text.into()));
            self.open.clear();
        }
    }

    fn finish(mut self) -> Vec<Written> {
        self.close();
        self.pieces
    }
}

/// The slot of a late variable.
fn slot(piece: &Value) -> Option<usize> {
    piece.get(LATE).and_then(Value::as_u64).and_then(|slot| usize::try_from(slot).ok())
}

impl Payload {
    /// A target's words without late variables.
    pub fn new(value: &Value) -> Self {
        Self { words: Arc::new(Words::new(value)), late: Arc::default() }
    }

    /// Words with the values of late variables.
    pub fn of(words: Arc<Words>, late: Arc<[Arc<str>]>) -> Self {
        Self { words, late }
    }

    /// The words that it shares with other instances.
    pub(crate) fn words(&self) -> Arc<Words> {
        Arc::clone(&self.words)
    }

    /// The words as JSON text.
    pub fn json(&self) -> String {
        let mut text = Vec::new();
        self.words.write(&self.late, &mut text);
        // It was written from texts.
        String::from_utf8(text).unwrap_or_default()
    }

    /// The words as a value; texts with holes for secrets are as they stand in JSON.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.json()).unwrap_or(Value::Null)
    }

    /// The secrets that this payload has holes for.
    pub fn secrets(&self) -> &BTreeSet<SecretRef> {
        &self.words.secrets
    }

    /// The payload with every hole filled. The result is secret: it goes to the engine and nowhere else.
    ///
    /// # Errors
    /// When a secret has no value, or one that is no text.
    pub fn fill(&self, secret: &dyn Fn(&SecretRef) -> Option<Secret>) -> Result<Value, Error> {
        let value = self.value();
        if self.words.secrets.is_empty() { Ok(value) } else { fill(&value, secret) }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.words, &other.words) && self.late == other.late || self.json() == other.json()
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.json()).map_err(serde::ser::Error::custom)?.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text: Box<str> = Box::<RawValue>::deserialize(from)?.into();
        Ok(Self { words: Arc::new(Words::of_text(text)), late: Arc::default() })
    }
}

fn holes(value: &Value) -> Option<&Vec<Value>> {
    match value {
        Value::Object(map) if map.len() == 1 => map.get(TEXT).and_then(Value::as_array),
        _ => None,
    }
}

fn collect(value: &Value, found: &mut BTreeSet<SecretRef>) {
    if let Some(pieces) = holes(value) {
        found.extend(pieces.iter().filter_map(|piece| piece.get(SECRET).and_then(Value::as_str)).map(SecretRef::new));
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => map.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn fill(value: &Value, secret: &dyn Fn(&SecretRef) -> Option<Secret>) -> Result<Value, Error> {
    if let Some(pieces) = holes(value) {
        let mut text = String::new();
        for piece in pieces {
            match (piece.as_str(), piece.get(SECRET).and_then(Value::as_str)) {
                (Some(literal), _) => text.push_str(literal),
                (None, Some(name)) => {
                    let value = secret(&SecretRef::new(name)).ok_or_else(|| Error::Unset(name.into()))?;
                    text.push_str(std::str::from_utf8(value.reveal()).map_err(|_| Error::NotText(name.into()))?);
                }
                (None, None) => {}
            }
        }
        return Ok(Value::String(text));
    }
    Ok(match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, secret)).collect::<Result<_, _>>()?),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, item)| Ok((key.clone(), fill(item, secret)?))).collect::<Result<_, Error>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests;
