//! Sheets: what a resource is in many instances, with holes for what is each instance's own.
//!
//! In: fields and words of a product's resource, made once. Out: the fields and the payload of one instance's resource, when somebody looks.
//! **Invariant:** a filled sheet is what would have been made for that instance alone; no secret value is in it, only keyed hashes.
//! Not here: making one (`escadre-render`), the resource around it (`desired`).
//! Tests: `sheet/tests.rs`; `escadre-render/tests/it` compares whole instances.

use crate::desired::{Field, Shown};
use crate::hash::{Hash, KeyedHash};
use crate::payload::{Payload, Words};
use crate::secret::SecretRef;
use crate::source::Source;
use crate::text::Text;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What people see of a resource and what the target hears of it, in all instances that share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// The values a person would compare, sorted by path.
    pub fields: Vec<Entry>,
    /// The target's words.
    pub words: Arc<Words>,
    /// The hash of what the planner must know, where it is the same in all of them.
    pub body: Option<Hash>,
}

/// One value of a resource, where it was written, and what it is in each instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// A path in the field's terms; see [`Field::path`].
    pub path: Arc<str>,
    /// The value.
    pub value: Told,
    /// Where it was written.
    pub source: Option<Source>,
    /// The text before interpolation, where that differs.
    pub raw: Option<Arc<str>>,
}

/// The value of a field in many instances.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The same in all.
    Shown(Shown),
    /// A text with holes.
    Text(Text),
    /// Texts in a row, at least one of them with holes.
    Row(Vec<Text>),
    /// The short hash of a text with holes: what people see of a file.
    Digest(Text),
}

/// What is an instance's own in its sheets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Values of late variables, by slot.
    pub late: Arc<[Arc<str>]>,
    /// Keyed hashes of secrets, where they are known.
    pub secrets: BTreeMap<SecretRef, KeyedHash>,
}

/// A field of an instance as it stands in its sheet: looked at without being copied.
#[derive(Clone, Copy, Debug)]
pub struct View<'s> {
    entry: &'s Entry,
    values: &'s Values,
}

impl<'s> View<'s> {
    /// The path.
    pub fn path(self) -> &'s Arc<str> {
        &self.entry.path
    }

    /// The value as it may be shown.
    pub fn value(self) -> Cow<'s, Shown> {
        match &self.entry.value {
            Told::Shown(shown) => Cow::Borrowed(shown),
            other => Cow::Owned(other.shown(self.values)),
        }
    }

    /// Whether the value is the same in another one.
    pub fn same_value(self, other: View<'_>) -> bool {
        match (&self.entry.value, &other.entry.value) {
            (Told::Shown(a), Told::Shown(b)) => a == b,
            _ => self.value() == other.value(),
        }
    }

    /// Where it was written.
    pub fn source(self) -> Option<&'s Source> {
        self.entry.source.as_ref()
    }

    /// The text before interpolation, where it differs.
    pub fn raw(self) -> Option<&'s Arc<str>> {
        self.entry.raw.as_ref()
    }
}

impl Sheet {
    /// A resource's fields for an instance, without copying them.
    pub fn views<'s>(&'s self, values: &'s Values) -> impl Iterator<Item = View<'s>> {
        self.fields.iter().map(move |entry| View { entry, values })
    }

    /// A resource's fields for an instance.
    pub fn fields(&self, values: &Values) -> Vec<Field> {
        self.fields.iter().map(|entry| entry.field(values)).collect()
    }

    /// The value at a path.
    pub fn field(&self, path: &str, values: &Values) -> Option<Field> {
        let index = self.fields.binary_search_by(|entry| entry.path.as_ref().cmp(path)).ok()?;
        self.fields.get(index).map(|entry| entry.field(values))
    }

    /// A resource's words for an instance.
    pub fn payload(&self, values: &Values) -> Payload {
        Payload::of(Arc::clone(&self.words), Arc::clone(&values.late))
    }
}

impl Entry {
    /// The field of an instance.
    pub fn field(&self, values: &Values) -> Field {
        Field {
            path: Arc::clone(&self.path),
            value: self.value.shown(values),
            source: self.source.clone(),
            raw: self.raw.clone(),
        }
    }

    /// Whether the value cannot be known for an instance.
    pub fn is_unknown(&self, values: &Values) -> bool {
        let unknown = |text: &Text| matches!(secret(text, values), Some(Shown::Unknown));
        match &self.value {
            Told::Shown(shown) => *shown == Shown::Unknown,
            Told::Text(text) | Told::Digest(text) => unknown(text),
            Told::Row(_) => self.value.shown(values) == Shown::Unknown,
        }
    }
}

impl From<Field> for Entry {
    fn from(field: Field) -> Self {
        Self { path: field.path, value: Told::Shown(field.value), source: field.source, raw: field.raw }
    }
}

impl Told {
    /// A text; one without holes is the same for all.
    pub fn text(text: Text) -> Self {
        let has_holes = text.is_late() || text.secrets().next().is_some();
        if has_holes { Told::Text(text) } else { Told::Shown(plain(&text)) }
    }

    /// Texts in a row; without holes they are the same for all.
    pub fn row(texts: Vec<Text>) -> Self {
        let has_holes = |text: &Text| text.is_late() || text.secrets().next().is_some();
        if texts.iter().any(has_holes) {
            return Told::Row(texts);
        }
        Told::Shown(row(&texts.iter().map(plain).collect::<Vec<_>>()))
    }

    /// The value as an instance may show it.
    pub fn shown(&self, values: &Values) -> Shown {
        match self {
            Told::Shown(shown) => shown.clone(),
            Told::Text(text) => shown(text, values),
            Told::Row(texts) => row(&texts.iter().map(|text| shown(text, values)).collect::<Vec<_>>()),
            Told::Digest(text) => Shown::Plain(Hash::of(&*text.fill(&values.late).display()).short().into()),
        }
    }
}

fn plain(text: &Text) -> Shown {
    Shown::Plain(text.display().into())
}

/// What is shown of a text with secrets in it: the keyed hash of the first that is known. `None`: there are none.
fn secret(text: &Text, values: &Values) -> Option<Shown> {
    let mut secrets = text.secrets().peekable();
    secrets.peek()?;
    Some(match secrets.find_map(|name| values.secrets.get(name)) {
        Some(hash) => Shown::Secret(hash.clone()),
        None => Shown::Unknown,
    })
}

fn shown(text: &Text, values: &Values) -> Shown {
    secret(text, values).unwrap_or_else(|| plain(&text.fill(&values.late)))
}

/// Words in a row, or what is shown of the first that may not be seen.
fn row(all: &[Shown]) -> Shown {
    if let Some(hidden) = all.iter().find(|shown| !matches!(shown, Shown::Plain(_))) {
        return hidden.clone();
    }
    let words = all.iter().map(|shown| match shown {
        Shown::Plain(text) if text.is_empty() || text.contains(char::is_whitespace) => format!("{text:?}"),
        Shown::Plain(text) => text.to_string(),
        _ => String::new(),
    });
    Shown::Plain(words.collect::<Vec<_>>().join(" ").into())
}

#[cfg(test)]
mod tests;
