//! A target's own words for one resource, kept opaque: JSON with holes where secrets go.
//!
//! In: what `escadre-render` spells. Out: the same with the holes filled, at the last moment, by a driver.
//! **Invariant:** a payload can be hashed, stored and shown: no secret value is in it. A text with a secret stays `{"$text": [literal, {"secret": name}, …]}`.
//! Not here: what the words mean (`escadre-render`), who fills them (`escadre-drivers`).
//! Tests: `payload/tests.rs`.

use crate::secret::{Secret, SecretRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The key that marks a text with holes.
const TEXT: &str = "$text";

/// A target's words for a resource, with holes for secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(pub Arc<Value>);

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Piece {
    /// Characters as they are.
    Literal(Arc<str>),
    /// The place where a secret goes.
    Secret(SecretRef),
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

/// Spells a text with holes as a payload value; a text without any is a plain string.
pub fn text(pieces: &[Piece]) -> Value {
    if pieces.is_empty() {
        return Value::String(String::new());
    }
    if let [Piece::Literal(all)] = pieces {
        return Value::String(all.to_string());
    }
    let spelled = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => Value::String(text.to_string()),
            Piece::Secret(name) => {
                Value::Object(Map::from_iter([("secret".to_owned(), Value::String(name.0.to_string()))]))
            }
        })
        .collect();
    Value::Object(Map::from_iter([(TEXT.to_owned(), Value::Array(spelled))]))
}

impl Payload {
    /// Wraps a target's words.
    pub fn new(value: Value) -> Self {
        Self(Arc::new(value))
    }

    /// The secrets that this payload has holes for.
    pub fn secrets(&self) -> BTreeSet<SecretRef> {
        let mut found = BTreeSet::new();
        collect(&self.0, &mut found);
        found
    }

    /// The payload with every hole filled. The result is secret: it goes to the engine and nowhere else.
    ///
    /// # Errors
    /// When a secret has no value, or one that is no text.
    pub fn fill(&self, secret: &dyn Fn(&SecretRef) -> Option<Secret>) -> Result<Value, Error> {
        fill(&self.0, secret)
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
        found.extend(pieces.iter().filter_map(|piece| piece.get("secret").and_then(Value::as_str)).map(SecretRef::new));
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
            match (piece.as_str(), piece.get("secret").and_then(Value::as_str)) {
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
