//! Broken files: neither the YAML reader nor the Compose loader panics or hangs on any of them.
//!
//! In: the files of the Compose cases, changed by chance from fixed seeds. Out: pass or fail.
//! **Invariant**: the same seeds give the same inputs; what is accepted is accepted twice with the same model.
//! Not here: what the answers should be (`compose.rs`).

use crate::case;
use escadre_model::compose::{Cache, Files, Options, ReadError, load};
use escadre_model::text::{Limits, parse};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Chance (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % most.max(1)
    }
}

struct One(Arc<[u8]>);

impl Files for One {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok((path == "/w/compose.yaml" || path == "/w/a.env").then(|| Arc::clone(&self.0)))
    }
}

const TOKENS: &[&str] = &[
    "&a ",
    "*a",
    "<<: *a",
    "!reset null",
    "!override ",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "\t",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "---\n",
    "...",
    "#",
    "?",
    "${",
    "}",
    "$$",
    "${A:-${B:?x}}",
    "%",
    "\u{feff}",
    "\u{0}",
    "é",
    "🦀",
    "99999999999999999999",
    "-0x8",
    ".nan",
    "null",
    "~",
    "true",
    "extends: web",
    "include: [compose.yaml]",
    "env_file: a.env",
    "\r\n",
    "\u{85}",
    "services:",
    "  ",
    "0o9",
    "1e999",
];

fn mutated(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seeds[chance.below(seeds.len())].clone();
    for _ in 0..chance.below(5) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = u8::try_from(chance.below(256)).unwrap(),
            2 => {
                let end = (at + chance.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                // A piece of another file, or of this one once more.
                let other = &seeds[chance.below(seeds.len())];
                let begin = chance.below(other.len() + 1);
                let piece = other[begin..(begin + chance.below(60)).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let token = TOKENS[chance.below(TOKENS.len())];
                bytes.splice(at..at, token.bytes());
            }
        }
    }
    bytes
}

fn once(bytes: &Arc<[u8]>) -> bool {
    let mut options = Options::new("/w", vec!["compose.yaml".to_owned()]);
    options.environment.set("A", "1", None);
    let load = || load(&options, &One(Arc::clone(bytes)), &Cache::new());
    let (first, findings) = load();
    if let Some(project) = &first {
        let (again, same) = load();
        assert_eq!(findings, same);
        assert_eq!(Some(project.to_json()), again.map(|project| project.to_json()));
    }
    first.is_some()
}

#[test]
fn nothing_panics_and_nothing_hangs() {
    const INPUTS: usize = 20_000;
    let seeds = case::files("compose", 2_000);
    assert!(seeds.len() > 20, "{} files to begin with", seeds.len());
    let mut chance = Chance(0x5eed_0001);
    let (mut accepted, mut slowest) = (0, Duration::ZERO);
    for number in 0..INPUTS {
        let bytes: Arc<[u8]> = mutated(&seeds, &mut chance).into();
        let begin = Instant::now();
        let outcome = std::panic::catch_unwind(|| {
            // Every input is read as YAML; each tenth one as a project too.
            parse("compose.yaml", &bytes, Limits::default());
            number % 10 == 0 && once(&bytes)
        });
        slowest = slowest.max(begin.elapsed());
        let Ok(loaded) = outcome else { panic!("input {number} panics:\n{}", String::from_utf8_lossy(&bytes)) };
        accepted += usize::from(loaded);
    }
    // Both sides were reached: some inputs still are projects, most are not.
    assert!(accepted > INPUTS / 200 && accepted < INPUTS / 10, "{accepted} of {} were accepted", INPUTS / 10);
    assert!(slowest < Duration::from_secs(5), "one input took {slowest:?}");
}
