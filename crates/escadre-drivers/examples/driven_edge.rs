//! The edge alone, for the tests of the driver: `driven_edge DIR` is the holder, `driven_edge worker` its worker.

use escadre_edge::{Options, WorkerProgram, holder, worker};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match std::env::args_os().nth(1) {
        Some(first) if first == "worker" => worker::run().map_err(Box::<dyn std::error::Error>::from),
        Some(dir) => std::env::current_exe().map_err(Into::into).and_then(|program| {
            let worker = WorkerProgram { program, args: vec!["worker".into()] };
            holder::run(Options::new(dir, worker)).map_err(Into::into)
        }),
        None => Err("usage: driven_edge DIR".into()),
    };
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
