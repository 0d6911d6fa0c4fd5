//! Keys and values in the order written.
//!
//! In: entries. Out: [`Mapping`].
//! **Invariant**: a key is there once; the order is that of the first insertion, on every machine and in every run.
//! Not here: what a key is (`mod.rs`), merging (compose).
//! Tests: `mapping/tests.rs` compares with `indexmap`.

#[cfg(test)]
mod tests;

use super::{Key, Node};
use hashbrown::HashTable;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Up to so many entries a key is looked for one by one: most comparisons end with the length, and there is no table to make, copy and free.
/// Nearly every mapping that people write is that short.
const FEW: usize = 16;

/// Keys and values in the order written.
#[derive(Clone, Default)]
pub struct Mapping {
    entries: Vec<(Key, Node)>,
    /// The places of all entries, once there are many.
    places: Option<Box<Places>>,
}

/// Places by the hash of the key's text.
type Places = HashTable<usize>;

/// A fixed hasher: the room knows no randomness.
fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Whether two keys are the same; of those that are not, most differ in their length or their first letter.
fn is_same(known: &str, key: &str) -> bool {
    known.len() == key.len() && known.as_bytes().first() == key.as_bytes().first() && known == key
}

fn hash_at(entries: &[(Key, Node)], place: usize) -> u64 {
    entries.get(place).map_or(0, |(key, _)| hash(&key.text))
}

impl Mapping {
    /// An empty mapping.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty mapping with room for `count` entries.
    pub fn with_capacity(count: usize) -> Self {
        Self { entries: Vec::with_capacity(count), places: None }
    }

    /// What is in it, in its exact size; it is empty afterwards, and has room for as much again.
    pub(super) fn take(&mut self) -> Self {
        Self { entries: Vec::from_iter(self.entries.drain(..)), places: self.places.take() }
    }

    fn place(&self, key: &str) -> Option<usize> {
        let is_at = |place: usize| self.entries.get(place).is_some_and(|(known, _)| *known.text == *key);
        match &self.places {
            None => self.entries.iter().position(|(known, _)| is_same(&known.text, key)),
            Some(places) => places.find(hash(key), |place| is_at(*place)).copied(),
        }
    }

    /// Makes the table anew, or drops it where there are few entries.
    fn index(&mut self) {
        self.places = (self.entries.len() > FEW).then(|| {
            let mut places = Box::new(Places::with_capacity(self.entries.len()));
            for (place, (key, _)) in self.entries.iter().enumerate() {
                places.insert_unique(hash(&key.text), place, |place| hash_at(&self.entries, *place));
            }
            places
        });
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(self.place(key)?).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let place = self.place(key)?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// The key as written, with its place.
    pub fn key(&self, key: &str) -> Option<&Key> {
        self.entries.get(self.place(key)?).map(|(key, _)| key)
    }

    /// Whether the key is there.
    pub fn contains(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Adds or replaces; a replaced entry keeps its position and its key's place.
    pub fn insert(&mut self, key: Key, value: Node) -> Option<Node> {
        if let Some(known) = self.get_mut(&key.text) {
            return Some(std::mem::replace(known, value));
        }
        let (place, hashed) = (self.entries.len(), self.places.is_some().then(|| hash(&key.text)));
        self.entries.push((key, value));
        match (&mut self.places, hashed) {
            (Some(places), Some(hashed)) => {
                let entries = &self.entries;
                places.insert_unique(hashed, place, |place| hash_at(entries, *place));
            }
            _ if self.entries.len() > FEW => self.index(),
            _ => {}
        }
        None
    }

    /// Replaces the value of a key that is there.
    pub fn replace(&mut self, key: &str, value: Node) {
        if let Some(known) = self.get_mut(key) {
            *known = value;
        }
    }

    /// Takes an entry out, keeping the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let place = self.place(key)?;
        let (_, value) = self.entries.remove(place);
        if self.entries.len() <= FEW {
            self.places = None;
        } else if let Some(places) = &mut self.places {
            if let Ok(found) = places.find_entry(hash(key), |known| *known == place) {
                found.remove();
            }
            places.iter_mut().filter(|known| **known > place).for_each(|known| *known -= 1);
        }
        Some(value)
    }

    /// Keeps the entries for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &mut Node) -> bool) {
        let before = self.entries.len();
        self.entries.retain_mut(|(key, value)| keep(key, value));
        if self.entries.len() < before {
            self.index();
        }
    }

    /// All entries in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Node)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// All entries in order, values to be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&Key, &mut Node)> + ExactSizeIterator {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys' texts in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| &*key.text)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for Mapping {
    type Item = (Key, Node);
    type IntoIter = std::vec::IntoIter<(Key, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl FromIterator<(Key, Node)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (Key, Node)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut mapping = Self::with_capacity(entries.size_hint().0);
        entries.for_each(|(key, value)| {
            mapping.insert(key, value);
        });
        mapping
    }
}
