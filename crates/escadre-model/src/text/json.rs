//! Trees as JSON.
//!
//! In: a [`Node`]. Out: what serde writes of it.
//! **Invariant**: plain scalars are read by the YAML 1.2 core rules; secrets appear as `<secret NAME>`.
//! Not here: which parts of a Compose model are printed (compose).
//! Tests: `tests.rs`, tests/cases/compose.

use super::{Node, Resolved, Scalar, Value};
use serde::{Serialize, Serializer};

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => out.serialize_unit(),
            Value::Scalar(scalar) => scalar.serialize(out),
            Value::Sequence(items) => out.collect_seq(items.iter()),
            Value::Mapping(mapping) => out.collect_map(mapping.iter().map(|(key, node)| (&*key.text, node))),
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.resolve() {
            Resolved::Null => out.serialize_unit(),
            Resolved::Bool(value) => out.serialize_bool(value),
            Resolved::Integer(value) => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(small), _) => out.serialize_i64(small),
                (_, Ok(large)) => out.serialize_u64(large),
                _ => out.collect_str(&value),
            },
            Resolved::Float(value) if value.is_finite() => out.serialize_f64(value),
            Resolved::Float(_) | Resolved::Text => out.serialize_str(&self.display()),
        }
    }
}

impl Node {
    /// The tree as a JSON value.
    pub fn to_json(&self) -> serde_json::Value {
        // Keys are texts and numbers finite: nothing here can fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}
