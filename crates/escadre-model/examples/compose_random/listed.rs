//! Differences that are meant, each with its reason.
//!
//! In: `tests/compose-differences.txt`. Out: whether a difference is one of them.
//! **Invariant**: a difference that no line names is a failure.
//! Not here: finding differences.

use super::case::Case;

/// A line of the file.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Words of the difference, `*` for any text.
    pub(crate) pattern: String,
    /// A text that a file of the project holds; empty: any.
    pub(crate) needs: String,
    /// What the other loader does, what we do, why.
    pub(crate) columns: [String; 3],
}

/// Reads the file.
///
/// # Panics
/// When a line has not its five parts.
pub(crate) fn read(text: &str) -> Vec<Listed> {
    let mut before = [const { String::new() }; 3];
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [pattern, needs, rest @ ..] = parts.as_slice() else { panic!("no ` | ` in: {line}") };
            match rest {
                ["the same"] => {}
                [theirs, ours, why] => before = [theirs, ours, why].map(|part| (*part).to_owned()),
                _ => panic!("not the parts that a line has: {line}"),
            }
            let needs = if *needs == "-" { "" } else { needs };
            Listed { pattern: (*pattern).to_owned(), needs: needs.to_owned(), columns: before.clone() }
        })
        .collect()
}

impl Listed {
    /// Whether the line names this difference of a project.
    pub(crate) fn names(&self, difference: &str, case: &Case) -> bool {
        let holds = |needed: &str| {
            let in_file =
                |(path, body): &(String, super::case::Body)| path.contains(needed) || case.text(body).contains(needed);
            needed.is_empty() || case.files.iter().any(in_file)
        };
        self.fits(difference) && self.needs.split(" & ").all(holds)
    }

    fn fits(&self, difference: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let Some(mut rest) = parts.next().and_then(|first| difference.strip_prefix(first)) else { return false };
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.is_empty()
    }
}
