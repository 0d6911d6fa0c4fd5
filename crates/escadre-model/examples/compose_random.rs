//! Compares the loader with the reference on projects that nobody wrote, as many as one has time for.
//!
//! `compose_random PEER [SEED [COUNT]]`: PEER is the program that `go build` makes in `xtask/peers/reference-config`. The projects come from the JSON schema that
//! it answers with. Out: each kind of difference once, shrunk, in the form of a case of `tests/cases/compose/`; then counts and coverage. Exit 1 when there is a
//! difference that `tests/compose-differences.txt` does not name.
//! `compose_random PEER show SEED`: that project alone, with both answers.
//! **Invariant**: the same seed makes the same project; what may be written comes from the schema, not from the loader's own tables.
//! Not here: the rules of the loader; the other loader.
//! Tests: `tests/it/random.rs` runs a few hundred; differences it found are kept as cases in `tests/cases/compose/`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example stands outside the rooms: it reads files and prints"
)]

#[path = "compose_random/case.rs"]
mod case;
#[path = "compose_random/chance.rs"]
mod chance;
#[path = "compose_random/compare.rs"]
mod compare;
#[path = "compose_random/listed.rs"]
mod listed;
#[path = "compose_random/make.rs"]
mod make;
#[path = "compose_random/peer.rs"]
mod peer;
#[path = "compose_random/run.rs"]
mod run;
#[path = "compose_random/shrink.rs"]
mod shrink;
#[path = "compose_random/spec.rs"]
mod spec;
#[path = "compose_random/spoil.rs"]
mod spoil;
#[path = "compose_random/tree.rs"]
mod tree;
#[path = "compose_random/words.rs"]
mod words;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [peer, "show", seed] => seed.parse().map_err(std::io::Error::other).and_then(|seed| show(peer, seed)),
        [peer, rest @ ..] if rest.len() < 3 => {
            let number = |at: usize, other: u64| rest.get(at).map_or(Ok(other), |word| word.parse());
            match (number(0, 1), number(1, 1_000)) {
                (Ok(seed), Ok(count)) => all(peer, seed, count),
                _ => Err(std::io::Error::other("SEED and COUNT are numbers")),
            }
        }
        _ => Err(std::io::Error::other("usage: compose_random PEER [SEED [COUNT]] | PEER show SEED")),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

fn all(peer: &str, seed: u64, count: u64) -> std::io::Result<ExitCode> {
    let mut run = run::Run::start(Path::new(peer))?;
    run.cases(seed, count, |line| eprintln!("{line}"))?;
    print!("{}", run.report());
    Ok(ExitCode::from(u8::from(!run.found.is_empty())))
}

fn show(peer: &str, seed: u64) -> std::io::Result<ExitCode> {
    let mut run = run::Run::start(Path::new(peer))?;
    let case = case::make(seed, &run.schema);
    let (theirs, ours) = run.both(&case)?;
    println!("{}", case.as_case());
    let shown = |answer: &peer::Answer| match answer {
        Ok(model) => format!("{model:#}"),
        Err(words) => format!("refused: {words}"),
    };
    println!("==> theirs\n{}\n==> ours\n{}", shown(&theirs), shown(&ours));
    Ok(ExitCode::SUCCESS)
}
