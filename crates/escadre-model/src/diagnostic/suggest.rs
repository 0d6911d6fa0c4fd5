//! The word somebody probably meant.
//!
//! In: what was typed and what exists. Out: the nearest candidate, if it is near enough.
//! **Invariant**: the answer is one of the candidates; ties go to the first.
//! Not here: the sentence around it.
//! Tests: `tests.rs`.

/// The candidate nearest to `word`, by optimal string alignment distance; nothing when the nearest needs more than a third of
/// the letters (at least one, at most three) changed.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Longer words than any key of ours are not typing errors, and the table below is quadratic.
    const LONGEST: usize = 64;
    let typed: Vec<char> = word.chars().take(LONGEST + 1).collect();
    if typed.len() > LONGEST {
        return None;
    }
    let allowed = (typed.len() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().take(LONGEST + 1).collect();
        if letters.len().abs_diff(typed.len()) > allowed {
            continue;
        }
        let found = distance(&typed, &letters);
        if found <= allowed && best.is_none_or(|(least, _)| found < least) {
            best = Some((found, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours, each counted once.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let same = x.to_lowercase().eq(y.to_lowercase());
            let mut cost = (above[j] + usize::from(!same)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(a.len())
}
