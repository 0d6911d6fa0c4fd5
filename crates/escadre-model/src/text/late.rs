//! Late variables: those whose value nobody has asked for yet.
//!
//! In: names. Out: holes for texts ([`Late`]), and which of them were asked for ([`LateVariables::asked`]).
//! **Invariant:** whoever looks at the letters of a text asks every late variable in it. What was made without asking is therefore the same for all values
//! (that are not empty), and the values can be put in afterwards; what was made with asking is thrown away and made again with the value.
//! Not here: texts (`scalar`), which variables are late (`resolve`).
//! Tests: `tests.rs`; `escadre-render/tests/it` compares every kind of product with and without late variables.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that the value of a late variable may have. Longer ones are known from the start: a text may hold many of them, and the loader bounds how long it grows.
pub const LONGEST: usize = 256;

/// The late variables of one spelling.
#[derive(Debug, Default)]
pub struct LateVariables {
    all: Vec<(Arc<str>, AtomicBool)>,
}

/// A hole for the value of a late variable.
#[derive(Clone)]
pub struct Late {
    slot: usize,
    of: Arc<LateVariables>,
}

impl LateVariables {
    /// Late variables of these names; their slots are in this order.
    pub fn new(names: impl IntoIterator<Item = Arc<str>>) -> Arc<Self> {
        Arc::new(Self { all: names.into_iter().map(|name| (name, AtomicBool::new(false))).collect() })
    }

    /// The names, in the order of the slots.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.iter().map(|(name, _)| name)
    }

    /// A hole for each, in the order of the slots.
    pub fn holes(self: &Arc<Self>) -> impl Iterator<Item = (&Arc<str>, Late)> {
        self.all.iter().enumerate().map(|(slot, (name, _))| (name, Late { slot, of: Arc::clone(self) }))
    }

    /// Those that somebody asked for.
    pub fn asked(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.iter().filter(|(_, asked)| asked.load(Ordering::Relaxed)).map(|(name, _)| name)
    }
}

impl Late {
    /// A hole that was kept: it is only ever filled.
    pub(crate) fn kept(slot: usize) -> Self {
        Self { slot, of: Arc::default() }
    }

    /// Which of the late variables it is.
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// Notes that the value matters.
    pub(super) fn ask(&self) {
        if let Some((_, asked)) = self.of.all.get(self.slot) {
            asked.store(true, Ordering::Relaxed);
        }
    }

    fn name(&self) -> &str {
        self.of.all.get(self.slot).map_or("", |(name, _)| name)
    }
}

/// The same variable of the same spelling.
impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && Arc::ptr_eq(&self.of, &other.of)
    }
}
impl Eq for Late {}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<late {}>", self.name())
    }
}
