//! Prints a project's normalised model: `-f FILE`, `--profile P`, `-p NAME`, `--format json`, `--no-env-file`, as `docker compose config` does.
//!
//! In: arguments, environment, files. Out: JSON on standard output, findings on standard error.
//! **Invariant**: the same functions as `escadre compose config`.
//! Not here: painted findings.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example stands outside the rooms: it reads files and prints"
)]

use escadre_model::compose::{Cache, Files, Options, ReadError, Variables, discover, load, paths};
use std::process::ExitCode;
use std::sync::Arc;

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReadError(error.to_string())),
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let here =
        std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).unwrap_or_else(|_| "/".to_owned());
    let environment: Variables = std::env::vars().collect();
    let mut options = Options::new(here.clone(), Vec::new());
    let mut folder = None;
    let mut dot_env = true;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-f" => options.files.extend(arguments.next().map(|file| paths::join(&here, &file))),
            "--profile" => options.profiles.extend(arguments.next()),
            "-p" => options.project_name = arguments.next().map(Into::into),
            "--project-directory" => folder = arguments.next().map(|folder| paths::join(&here, &folder)),
            // As `--env-file /dev/null` of the verb.
            "--no-env-file" => dot_env = false,
            "--format" => drop(arguments.next()),
            other => eprintln!("ignored: {other}"),
        }
    }
    let mut findings = Vec::new();
    if options.files.is_empty() {
        match discover(&here, &Disk, &mut findings) {
            Ok(files) => options.files = files,
            Err(error) => eprintln!("{error}"),
        }
    }
    options.working_dir = folder.or_else(|| options.files.first().map(|file| paths::parent(file))).unwrap_or(here);
    options.home = environment.get("HOME").and_then(|home| home.text.as_str().map(str::to_owned));
    options.environment = environment;
    options.use_dot_env = dot_env;
    let (project, more) = load(&options, &Disk, &Cache::new());
    for finding in findings.iter().chain(&more) {
        eprintln!("{finding}");
    }
    match project {
        None => ExitCode::from(1),
        Some(project) => match serde_json::to_string_pretty(&project) {
            Ok(json) => {
                println!("{json}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(255)
            }
        },
    }
}
