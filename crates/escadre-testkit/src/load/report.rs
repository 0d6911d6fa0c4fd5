//! What a load has shown.
//!
//! In: all pieces of work. Out: counts, percentiles, sentences.
//! **Invariant:** every piece is in exactly one count; a kind that was asked for and hardly ever succeeded is an error, because then nothing was loaded.
//! Not here: what is acceptable (its users).
//! Tests: `tests.rs`.

use super::{End, Kind, Piece, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// With less than this part of what was to begin, the load itself was too slow to say anything.
const ENOUGH: f64 = 0.9;

/// How pieces of work ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All.
    pub all: usize,
    /// Refused.
    pub refused: usize,
    /// Broken off.
    pub cut: usize,
    /// Answered with something else.
    pub wrong: usize,
}

impl Count {
    /// Those that did not end as they should.
    pub fn failed(&self) -> usize {
        self.refused + self.cut + self.wrong
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} failed", self.failed(), self.all)?;
        if self.failed() > 0 {
            write!(f, " ({} refused, {} cut, {} wrong)", self.refused, self.cut, self.wrong)?;
        }
        Ok(())
    }
}

/// Everything that was done.
#[derive(Clone, Debug)]
pub struct Report {
    /// The targets that pieces name by their places.
    pub targets: Vec<Target>,
    /// All pieces, by their beginning.
    pub pieces: Vec<Piece>,
    asked: BTreeMap<Kind, f64>,
    length: Duration,
}

impl Report {
    pub(super) fn new(targets: Vec<Target>, asked: BTreeMap<Kind, f64>, length: Duration, pieces: Vec<Piece>) -> Self {
        Self { targets, pieces, asked, length }
    }

    /// How the pieces for which this holds ended.
    pub fn count(&self, which: impl Fn(&Piece) -> bool) -> Count {
        let mut count = Count::default();
        for piece in self.pieces.iter().filter(|piece| which(piece)) {
            count.all += 1;
            match piece.end {
                End::Good(_) => {}
                End::Refused(_) => count.refused += 1,
                End::Cut(_) => count.cut += 1,
                End::Wrong(_) => count.wrong += 1,
            }
        }
        count
    }

    /// The time below which this part of the answers came, among those for which this holds; nothing where there were none.
    pub fn percentile(&self, part: f64, which: impl Fn(&Piece) -> bool) -> Option<Duration> {
        let meant = |piece: &&Piece| piece.kind.is_answer() && which(piece);
        let mut times: Vec<Duration> = self.pieces.iter().filter(meant).map(|piece| piece.took).collect();
        times.sort();
        let last = times.len().checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
        let index = (last as f64 * part).round() as usize;
        times.get(index).copied()
    }

    /// When a target first answered with this tag.
    pub fn first(&self, target: usize, tag: &str) -> Option<Duration> {
        let with = |piece: &&Piece| piece.target == target && piece.kind.is_answer() && is(&piece.end, tag);
        self.pieces.iter().filter(with).map(|piece| piece.at).min()
    }

    /// The tags a target answered with, asked for itself.
    pub fn tags(&self, target: usize) -> BTreeSet<Arc<str>> {
        let own = |piece: &&Piece| piece.target == target && matches!(piece.kind, Kind::Short | Kind::Kept);
        let tag = |piece: &Piece| match &piece.end {
            End::Good(tag) => Some(Arc::clone(tag)),
            _ => None,
        };
        self.pieces.iter().filter(own).filter_map(tag).collect()
    }

    /// The failed pieces for which this holds, as sentences.
    pub fn failures(&self, which: impl Fn(&Piece) -> bool) -> Vec<String> {
        let failed = self.pieces.iter().filter(|piece| which(piece) && !matches!(piece.end, End::Good(_)));
        failed.map(|piece| self.tell(piece)).collect()
    }

    fn tell(&self, piece: &Piece) -> String {
        let name = self.targets.get(piece.target).map(|target| Arc::clone(&target.name)).unwrap_or_default();
        let (at, took) = (piece.at.as_secs_f64(), piece.took.as_secs_f64());
        format!("{at:.2} s {name}: one of the {} after {took:.2} s: {:?}", piece.kind.word(), piece.end)
    }

    /// Whether there was a load at all: every kind that was asked for was begun as often as it was to be, and most of it succeeded somewhere.
    ///
    /// # Errors
    /// Says what was not loaded.
    pub fn loaded(&self) -> Result<(), String> {
        for (kind, rate) in &self.asked {
            let count = self.count(|piece| piece.kind == *kind);
            let wanted = match kind {
                Kind::Line => self.targets.iter().filter(|target| target.lines.is_some()).count() as f64,
                _ => rate * self.length.as_secs_f64() * ENOUGH,
            };
            if (count.all as f64) < wanted.floor() {
                return Err(format!("{}: {} began, {wanted:.0} were to begin at least", kind.word(), count.all));
            }
            if count.all == count.failed() {
                let why = self.failures(|piece| piece.kind == *kind).into_iter().next().unwrap_or_default();
                return Err(format!("{}: none of {} succeeded: {why}", kind.word(), count.all));
            }
        }
        Ok(())
    }
}

fn is(end: &End, tag: &str) -> bool {
    matches!(end, End::Good(said) if said.as_ref() == tag)
}
