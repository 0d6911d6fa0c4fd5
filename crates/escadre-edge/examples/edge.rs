//! The edge alone: `edge DIR` is the holder, `edge worker` its worker. The tests run it as real processes.

use std::ffi::OsString;
use std::process::ExitCode;

use escadre_edge::{Options, Program, Version, holder, worker};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let done = match args.next() {
        Some(first) if first == "worker" => worker::run(Version::ours()).map_err(Box::<dyn std::error::Error>::from),
        Some(dir) => hold(dir, args.collect()),
        None => Err("usage: edge DIR [take-over] [worker=program] [notify=socket] [limit=number ...]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            let _unread = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn hold(dir: OsString, limits: Vec<OsString>) -> Result<(), Box<dyn std::error::Error>> {
    let program = std::env::current_exe()?;
    let worker = Program { program: program.clone(), args: vec!["worker".into()] };
    let again = std::iter::once(&dir).chain(limits.iter().filter(|word| *word != "take-over")).cloned();
    let mut options = Options::new(&dir, worker, Program { program, args: again.collect() });
    options.notify = std::env::var_os("NOTIFY_SOCKET").map(Into::into);
    for limit in limits {
        let text = limit.to_str().ok_or("a limit is text")?;
        if text == "take-over" {
            options.take_over = true;
            continue;
        }
        let (name, number) = text.split_once('=').ok_or("a limit is name=number")?;
        if name == "worker" {
            options.worker.program = number.into();
            continue;
        }
        if name == "notify" {
            options.notify = Some(number.into());
            continue;
        }
        let number: u64 = number.parse()?;
        match name {
            "header_timeout_ms" => options.limits.header_timeout_ms = number,
            "connect_timeout_ms" => options.limits.connect_timeout_ms = number,
            "acme_wait_ms" => options.limits.acme_wait_ms = number,
            "listen_retry_ms" => options.limits.listen_retry_ms = number,
            "idle_timeout_ms" => options.limits.idle_timeout_ms = number,
            "patience_ms" => options.limits.patience_ms = number,
            "client_connections" => options.limits.client_connections = u32::try_from(number)?,
            "connections" => options.limits.connections = usize::try_from(number)?,
            _ => return Err(format!("no limit is called {name}").into()),
        }
    }
    holder::run(options)?;
    Ok(())
}
