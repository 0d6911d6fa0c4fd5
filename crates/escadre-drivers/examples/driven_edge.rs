//! The edge alone, for the tests of the driver: `driven_edge DIR` is the holder, `driven_edge worker` its worker. A file
//! beside it that is called as it is, with `.older` behind, makes holder and workers those of the version before.

use escadre_edge::{Options, Program, Version, holder, worker};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match std::env::args_os().nth(1) {
        Some(first) if first == "worker" => worker::run(version()).map_err(Box::<dyn std::error::Error>::from),
        Some(dir) => std::env::current_exe().map_err(Into::into).and_then(|program| {
            let worker = Program { program: program.clone(), args: vec!["worker".into()] };
            let again = Program { program, args: vec![dir.clone()] };
            let options = Options { version: version(), ..Options::new(dir, worker, again) };
            holder::run(options).map_err(Into::into)
        }),
        None => Err("usage: driven_edge DIR".into()),
    };
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// This version, or the one before: it reads one schema less, and refuses a newer file with the real words.
fn version() -> Version {
    let mut mark = std::env::current_exe().unwrap_or_default().into_os_string();
    mark.push(".older");
    let ours = Version::ours();
    if std::path::Path::new(&mark).exists() {
        Version { number: "0.0.9".to_owned(), routes_schema: ours.routes_schema - 1 }
    } else {
        ours
    }
}
