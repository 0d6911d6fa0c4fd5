//! The project's own tools, in Rust instead of scripts: `cargo xtask tidy`, `cargo xtask bench`, `cargo xtask kill`.
//!
//! In: a word. Out: a report on standard output, exit 1 when something is not as it should be.
//! **Invariant:** what CI checks here can be run the same way by hand.
//! Not here: installing things (`scripts/`), the product (`crates/`).
//! Tests: `tidy/tests.rs`; the tools are their own users.

mod bench;
mod tidy;

use std::process::ExitCode;

/// The binary's: what is measured inside this process would cost something else with another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool prints")]
fn main() -> ExitCode {
    let word = std::env::args().nth(1);
    match word.as_deref() {
        Some("tidy") => match tidy::check(&tidy::root()) {
            Ok(findings) if findings.is_empty() => {
                println!("tidy: nothing to complain about");
                ExitCode::SUCCESS
            }
            Ok(findings) => {
                findings.iter().for_each(|finding| println!("{finding}"));
                eprintln!("tidy: {} findings", findings.len());
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("tidy: {error:#}");
                ExitCode::FAILURE
            }
        },
        Some("bench") => match bench::run(&tidy::root(), &std::env::args().skip(2).collect::<Vec<_>>()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench: {error:#}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: cargo xtask tidy|bench");
            ExitCode::from(2)
        }
    }
}
