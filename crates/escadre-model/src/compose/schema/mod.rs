//! The Compose Specification's attributes as data.
//!
//! In: nothing. Out: [`Shape`]s, one per attribute, from which checking, canonical forms, typing and JSON all work.
//! **Invariant**: an attribute is known here or nowhere.
//! Not here: what an attribute does (verdicts), how trees merge (merge).
//! Source: Compose Specification, its JSON schema (2026-10).
//! Tests: `tests.rs`.

mod check;
pub(crate) mod tables;
#[cfg(test)]
mod tests;

pub(crate) use check::Checker;
pub(crate) use tables::{ROOT, SERVICE};
#[cfg(test)]
pub(crate) use tests::attributes;

/// One attribute: its name and what it may hold.
pub(crate) type Field = (&'static str, Shape);

/// A mapping with known keys.
pub(crate) struct Object {
    /// Groups of fields, each sorted by name.
    pub(crate) parts: &'static [&'static [Field]],
    /// Keys that must be there; with `|` between them, one of several.
    pub(crate) required: &'static [&'static str],
    /// Whether `x-` keys are accepted.
    pub(crate) extensions: bool,
    /// Whether null stands for an empty mapping.
    pub(crate) nullable: bool,
    /// Keys that the normalised JSON always has, with what stands for absence.
    pub(crate) always: &'static [(&'static str, Absent)],
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
        self.parts.iter().find_map(|part| {
            part.binary_search_by(|(known, _)| (*known).cmp(name))
                .ok()
                .and_then(|at| part.get(at))
                .map(|(_, shape)| shape)
        })
    }

    /// All known keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().flat_map(|part| part.iter().map(|(name, _)| *name))
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
        self.parts.first().copied()
    }
}
