//! The Compose Specification's attributes as data.
//!
//! In: nothing. Out: [`Shape`]s, one per attribute, from which checking, canonical forms, typing and JSON all work.
//! **Invariant**: an attribute is known here or nowhere.
//! Not here: what an attribute does (verdicts), how trees merge (merge).
//! Source: Compose Specification, its JSON schema (2026-10).
//! Tests: `tests.rs`.

mod check;
mod groups;
pub(crate) mod tables;
#[cfg(test)]
mod tests;

use hashbrown::HashTable;
use std::sync::OnceLock;

pub(crate) use check::Checker;
pub(crate) use tables::{ROOT, SERVICE};
#[cfg(test)]
pub(crate) use tests::attributes;

/// One attribute: its name and what it may hold.
pub(crate) type Field = (&'static str, Shape);

/// A mapping with known keys.
pub(crate) struct Object {
    /// Its fields.
    pub(crate) parts: Parts,
    /// Keys that must be there; with `|` between them, one of several.
    pub(crate) required: &'static [&'static str],
    /// Whether `x-` keys are accepted.
    pub(crate) extensions: bool,
    /// Whether null stands for an empty mapping.
    pub(crate) nullable: bool,
    /// Keys that the normalised JSON always has, with what stands for absence.
    pub(crate) always: &'static [(&'static str, Absent)],
}

/// Fields in groups, each sorted by name, so that mappings which have a group in common share its table.
pub(crate) struct Parts {
    pub(crate) groups: &'static [&'static [Field]],
    /// All fields by name, made when the first one is looked for.
    index: OnceLock<HashTable<&'static Field>>,
}

impl Parts {
    pub(crate) const fn of(groups: &'static [&'static [Field]]) -> Self {
        Self { groups, index: OnceLock::new() }
    }

    /// A file asks for a field at each attribute of each service, in four stages.
    fn find(&self, name: &str) -> Option<&'static Shape> {
        let index = self.index.get_or_init(|| {
            let mut index = HashTable::new();
            for field in self.groups.iter().copied().flatten() {
                // Where groups have a name in common, the first one stands.
                if index.find(mixed(field.0), |known: &&Field| known.0 == field.0).is_none() {
                    index.insert_unique(mixed(field.0), field, |field| mixed(field.0));
                }
            }
            index
        });
        index.find(mixed(name), |field| field.0 == name).map(|field| &field.1)
    }
}

/// A number in which few names of attributes are the same: of their length and four of their letters. The names are ours; keys that people write are only looked for.
fn mixed(name: &str) -> u64 {
    let letter = |at: usize| u64::from(name.as_bytes().get(at).copied().unwrap_or_default());
    let length = name.len();
    let letters = [letter(0), letter(length / 3), letter(length / 2), letter(length.saturating_sub(1)), length as u64];
    letters.iter().fold(0, |mixed, part| (mixed << 8) | part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}

/// What the normalised JSON prints for an attribute that is not there.
#[derive(Clone, Copy)]
pub(crate) enum Absent {
    Null,
    Empty,
    Exec,
}

impl Object {
    /// The shape of a key.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Shape> {
        self.parts.find(name)
    }

    /// All known keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.parts.groups.iter().flat_map(|part| part.iter().map(|(name, _)| *name))
    }
}

/// Which keys a mapping of free keys takes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Keys {
    /// Names of services, networks and the like.
    Names,
    /// Lower-case words.
    Words,
    /// Anything.
    Any,
}

/// How `KEY=value` lists and mappings read.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pairs {
    /// A key without a value stays without one: it is taken from the environment.
    Environment,
    /// A key without a value has an empty one.
    Values,
    /// As `Environment`, but dropped where the environment has no such variable.
    Arguments,
    /// Build contexts: a value is required in the list form.
    Contexts,
    /// SSH agents and keys of a build.
    Ssh,
}

/// What an integer attribute accepts.
pub(crate) struct Integer {
    /// Fractions are accepted (and cut).
    pub(crate) fraction: bool,
    /// Texts are accepted, if they hold a number.
    pub(crate) text: bool,
    pub(crate) least: i64,
    pub(crate) most: i64,
    /// Zero differs from absent.
    pub(crate) keep: bool,
    /// Null is accepted.
    pub(crate) null: bool,
}

/// What an attribute may hold.
pub(crate) enum Shape {
    Text,
    /// A text or null.
    TextOrNull,
    /// A text or a number, read as a text.
    TextOrNumber,
    /// A text or a boolean, read as a text.
    TextOrBool,
    Choice(&'static [&'static str]),
    /// A text that satisfies a rule, and the rule in words.
    Rule(fn(&str) -> bool, &'static str),
    /// `text`: texts such as `"yes"` are accepted; `keep`: false differs from absent.
    Bool {
        text: bool,
        keep: bool,
    },
    /// A boolean that is true when absent.
    OptOut {
        text: bool,
    },
    Int(&'static Integer),
    /// 32 bits, as the reference; integers within the bounds, or texts; `fraction`: not only integers.
    Float {
        fraction: bool,
        least: f64,
        most: f64,
    },
    /// A number of bytes, with or without unit.
    Bytes {
        number: bool,
        fraction: bool,
        least: i64,
    },
    /// A text such as `1m30s`; `keep`: zero differs from absent.
    Duration {
        keep: bool,
    },
    /// File permissions: a number, or an octal text.
    Mode,
    /// As `Mode`, kept as a number.
    TmpfsMode,
    /// A number of devices, or `all`.
    DeviceCount,
    Object(&'static Object),
    /// A text that stands for a mapping with one key, or the mapping.
    Short(&'static str, &'static Object),
    Dict(Keys, &'static Shape),
    /// A list of names, or a mapping of names to the shape or null.
    Named(&'static Shape),
    List {
        of: &'static Shape,
        unique: bool,
    },
    /// A list of texts.
    Texts {
        unique: bool,
    },
    /// A text or a list of texts.
    TextOrTexts {
        unique: bool,
    },
    /// A list of texts or numbers, read as texts.
    TextsOrNumbers,
    Command,
    HealthTest,
    Pairs(Pairs),
    /// A mapping of texts and numbers, read as texts; `null`: null is accepted.
    Options {
        null: bool,
    },
    /// A mapping of texts, numbers, booleans and lists of these, read as lists of texts.
    MultiOptions,
    Hosts,
    Ulimit,
    Ports,
    /// One port in its long form.
    Port,
    Volume,
    Device,
    FileReference,
    EnvFiles,
    DependsOn,
    Build,
    Gpus,
    /// `true`, a text, or (deprecated) a mapping with a name.
    External,
    Schedule,
}

impl Object {
    /// The first group of fields: of a service, those that any container has.
    pub(crate) fn first_part(&self) -> Option<&'static [Field]> {
        self.parts.groups.first().copied()
    }
}
