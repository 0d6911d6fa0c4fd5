//! The binary: arguments → settings → one verb per file.
//!
//! In: the command line, the environment, a terminal. Out: data on standard output, everything else on standard error, an exit code.
//! **Invariant**: only `terminal` prints; only `exit` numbers the ways out; a mistake of ours ends with 255 and says so.
//! Not here: reading, planning, doing (the other rooms).
//! Tests: `tests/it` (black box), and beside each painter.

mod args;
mod commands;
mod exit;
mod settings;
mod terminal;
mod views;
mod wire;

use exit::{Exit, Fault};
use std::ffi::OsString;
use std::process::ExitCode;
use terminal::Terminal;

/// Reading files and carrying requests live on many small pieces of memory, which cost less here than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
        Terminal::detect().bug(&format!("{}{place}", panic_words(info.payload())));
    }));
    let terminal = Terminal::detect();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&terminal)));
    // The hook has said it already.
    ended.unwrap_or(Exit::Bug).into()
}

/// From the command line to the way out.
fn run(terminal: &Terminal) -> Exit {
    let words: Vec<_> = std::env::args_os().collect();
    let done = if wire::is_process(&words) { wire::process(&words) } else { obey(words, terminal) };
    match done {
        Ok(exit) => exit,
        Err(Fault::Gone) => Exit::Done,
        Err(Fault::Findings(exit, findings)) => {
            terminal.findings(&findings, &|_| None);
            exit
        }
        Err(Fault::Files(exit, findings, sources)) => {
            terminal.findings(&findings, sources.0.as_ref());
            exit
        }
        Err(Fault::Other(Exit::Bug, error)) => {
            terminal.bug(&format!("{error:#}"));
            Exit::Bug
        }
        Err(Fault::Other(exit, error)) => {
            terminal.error(&error);
            exit
        }
    }
}

/// Does what was typed.
fn obey(words: Vec<OsString>, terminal: &Terminal) -> exit::Done {
    args::parse(words).and_then(|parsed| match parsed {
        args::Parsed::Text(text) => terminal.data(&text).map(|()| Exit::Done),
        args::Parsed::Verb(cli) => settings::Settings::gather(&cli).and_then(|settings| {
            let runtime = runtime(&cli.verb)?;
            let done = runtime.block_on(commands::run(cli.verb, &settings, terminal));
            // A thread that still waits for a key would be waited for otherwise.
            runtime.shutdown_background();
            done
        }),
    })
}

/// What is about the proxy waits for one answer; everything else shares two threads.
fn runtime(verb: &args::Verb) -> Result<tokio::runtime::Runtime, Fault> {
    let mut builder = match verb {
        args::Verb::Proxy(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build().map_err(Fault::bug)
}

/// What a panic said.
fn panic_words(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it did not say why".to_owned())
}
