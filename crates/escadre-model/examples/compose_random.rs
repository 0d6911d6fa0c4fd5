//! Compares the loader with another one on made-up projects.
//!
//! In: `write FOLDER SEED COUNT` writes that many cases, one folder each: `case.json` (`files`, `env`, `profiles`) and the
//! files. `compare FOLDER ANSWERS` loads each case here and compares it with the other loader's answers, one line of JSON
//! per case (`xtask/peers/reference-config` writes them). Out: one line per difference, then the counts.
//! **Invariant**: the same seed writes the same cases; what may be written comes from the loader's own tables.
//! Not here: the rules of the loader; the other loader.
//! Tests: none; the differences it found are kept as cases in `tests/cases/compose/`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example stands outside the rooms: it reads files and prints"
)]

#[path = "compose_random/compare.rs"]
mod compare;
#[path = "compose_random/make.rs"]
mod make;
#[path = "../src/compose/schema/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tables are used here, what checks by them is not")]
mod schema;

use escadre_model::{diagnostic, text};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["write", folder, seed, count] => match (seed.parse(), count.parse()) {
            (Ok(seed), Ok(count)) => make::write(folder, seed, count).map(|()| ExitCode::SUCCESS),
            _ => Err(std::io::Error::other("SEED and COUNT are numbers")),
        },
        ["compare", folder, answers] => compare::run(folder, answers),
        _ => Err(std::io::Error::other("usage: compose_random write FOLDER SEED COUNT | compare FOLDER ANSWERS")),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}
