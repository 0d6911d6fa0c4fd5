//! .dockerignore: which files of a context the builder is not given.
//!
//! In: the file's text. Out: whether a path is left out.
//! **Invariant:** the last pattern that fits decides; work is bounded by pattern times path.
//! Not here: .gitignore, which knows other rules.
//! Source: the Dockerfile reference, "dockerignore file". Tests: `tests.rs`.

/// The patterns of a file.
pub(super) struct Ignore(Vec<Pattern>);

struct Pattern {
    parts: Vec<String>,
    /// `!`: what fits comes back.
    back: bool,
}

impl Ignore {
    pub(super) fn new(text: &str) -> Self {
        let mut patterns = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (back, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let parts: Vec<String> =
                pattern.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
            if !parts.is_empty() {
                patterns.push(Pattern { parts, back });
            }
        }
        Self(patterns)
    }

    /// Whether a file is left out: a pattern that fits it or a folder above it, unless a later one brings it back.
    pub(super) fn ignores(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let mut ignored = false;
        for pattern in &self.0 {
            let fits = (1..=parts.len()).any(|end| parts.get(..end).is_some_and(|above| fits(&pattern.parts, above)));
            if fits {
                ignored = !pattern.back;
            }
        }
        ignored
    }
}

/// Whether all parts of a path fit a pattern; `**` is any number of parts. A row of a table instead of recursion keeps it bounded.
fn fits(pattern: &[String], path: &[&str]) -> bool {
    // reached[i]: the pattern so far fits the first i parts.
    let mut reached = vec![false; path.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        let mut any = false;
        for (i, reach) in reached.iter().enumerate() {
            any |= *reach;
            if part == "**" {
                if let Some(slot) = next.get_mut(i) {
                    *slot = any;
                }
            } else if *reach
                && path.get(i).is_some_and(|name| glob(part, name))
                && let Some(slot) = next.get_mut(i + 1)
            {
                *slot = true;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

/// `*`, `?` and classes within one part.
fn glob(pattern: &str, name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    let mut reached = vec![false; letters.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        let mut next = vec![false; letters.len() + 1];
        if c == '*' {
            let mut any = false;
            for (slot, reach) in next.iter_mut().zip(&reached) {
                any |= *reach;
                *slot = any;
            }
            reached = next;
            continue;
        }
        let one: Box<dyn Fn(char) -> bool> = match c {
            '?' => Box::new(|_| true),
            '[' => class(&mut rest),
            '\\' => {
                let literal = rest.next().unwrap_or('\\');
                Box::new(move |letter| letter == literal)
            }
            c => Box::new(move |letter| letter == c),
        };
        for (i, letter) in letters.iter().enumerate() {
            if reached.get(i) == Some(&true)
                && one(*letter)
                && let Some(slot) = next.get_mut(i + 1)
            {
                *slot = true;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

fn class(rest: &mut std::str::Chars<'_>) -> Box<dyn Fn(char) -> bool> {
    let inside: Vec<char> = rest.by_ref().take_while(|c| *c != ']').collect();
    let (not, inside) = match inside.split_first() {
        Some(('^' | '!', after)) => (true, after.to_vec()),
        _ => (false, inside),
    };
    Box::new(move |letter| {
        let mut found = false;
        let mut i = 0;
        while let Some(low) = inside.get(i) {
            match (inside.get(i + 1), inside.get(i + 2)) {
                (Some('-'), Some(high)) => {
                    found |= (*low..=*high).contains(&letter);
                    i += 3;
                }
                _ => {
                    found |= *low == letter;
                    i += 1;
                }
            }
        }
        found != not
    })
}
