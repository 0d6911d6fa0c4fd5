//! The only door through which programs start.
//!
//! In: a program of a closed list and an argument vector. Out: what it printed, or why it did not end well.
//! **Invariant:** no shell; the environment is what is written here, never the caller's (except for a service that is started to stay); what is kept
//! of the output is bounded.
//! Not here: what the programs are for.
//! Tests: `exec/tests.rs`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Programs that may be started. A new one is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Git.
    Git,
    /// Podman's command line: only to start its service.
    Podman,
    /// Docker's command line.
    Docker,
    /// systemd's control.
    Systemctl,
    /// Takes additions into the system's bundle of authorities (Debian, SUSE).
    UpdateCaCertificates,
    /// The same (Fedora, Arch).
    UpdateCaTrust,
    /// Browsers' databases of authorities.
    Certutil,
    /// This very program, by its path ([`Call::own`]): only to start its edge.
    Own,
}

impl Program {
    /// Its name, looked up in [`PATH`].
    pub fn name(self) -> &'static str {
        match self {
            Program::Git => "git",
            Program::Podman => "podman",
            Program::Docker => "docker",
            Program::Systemctl => "systemctl",
            Program::UpdateCaCertificates => "update-ca-certificates",
            Program::UpdateCaTrust => "update-ca-trust",
            Program::Certutil => "certutil",
            Program::Own => "escadre",
        }
    }
}

/// Where programs are looked for: the system's folders, whatever the caller's PATH says.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of the standard output is kept: a listing of the largest repository thought of.
const MOST_OUTPUT: u64 = 256 << 20;

/// How much of the standard error is kept: a message, not a log.
const MOST_ERROR: u64 = 64 << 10;

/// A program with its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    program: Program,
    /// Where it lies; without it, it is looked for in [`PATH`].
    path: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there.
    #[error("{0} is not installed")]
    NotInstalled(&'static str),
    /// It could not be started, or its pipes broke.
    #[error("{0} could not be run")]
    Run(&'static str, #[source] io::Error),
    /// It ended with another code than 0.
    #[error("{program} ended with {code}: {said}")]
    Failed {
        /// Which program.
        program: &'static str,
        /// Its code, or `a signal`.
        code: String,
        /// The last lines of its standard error.
        said: String,
    },
    /// It printed more than is read.
    #[error("{0} printed more than {MOST_OUTPUT} bytes")]
    TooMuch(&'static str),
}

impl Call {
    /// A program with arguments.
    pub fn new(program: Program, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        Self { program, path: None, arguments, environment: Vec::new(), folder: None }
    }

    /// This very program, which lies there, with arguments.
    pub fn own(path: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self { path: Some(path.to_owned()), ..Self::new(Program::Own, arguments) }
    }

    /// The folder in which it runs.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.path.as_deref().map_or(OsStr::new(self.program.name()), Path::as_os_str));
        command.args(&self.arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, command: &mut Command) -> Result<Child, Error> {
        let program = self.program.name();
        command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if self.folder.as_deref().is_none_or(Path::is_dir) => Error::NotInstalled(program),
            _ => Error::Run(program, error),
        })
    }

    /// Runs it to its end; what it printed on its standard output.
    ///
    /// # Errors
    /// When it is not installed, cannot be started, ends badly or prints without end.
    pub fn run(&self) -> Result<Vec<u8>, Error> {
        let program = self.program.name();
        let mut child = self.start(&mut self.command())?;
        let errors = child.stderr.take();
        // The standard error is read beside, so that neither pipe can fill up and stop the program.
        let errors = std::thread::spawn(move || {
            let mut said = Vec::new();
            if let Some(mut errors) = errors {
                drop(errors.by_ref().take(MOST_ERROR).read_to_end(&mut said));
                drop(io::copy(&mut errors, &mut io::sink()));
            }
            said
        });
        let mut output = Vec::new();
        let read = match child.stdout.take() {
            Some(stdout) => stdout.take(MOST_OUTPUT + 1).read_to_end(&mut output).map(drop),
            None => Ok(()),
        };
        let too_much = output.len() as u64 > MOST_OUTPUT;
        if too_much || read.is_err() {
            drop(child.kill());
        }
        let status = child.wait().map_err(|error| Error::Run(program, error))?;
        let said = errors.join().unwrap_or_default();
        read.map_err(|error| Error::Run(program, error))?;
        if too_much {
            return Err(Error::TooMuch(program));
        }
        if status.success() {
            return Ok(output);
        }
        let code = status.code().map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
        Err(Error::Failed { program, code, said: String::from_utf8_lossy(&said).trim().to_owned() })
    }

    /// Starts it to stay: in a process group of its own, silent, in the caller's environment (its home and its session), and nobody waits for it.
    /// It does not stand in the caller's folder, which may go: Podman's service starts no container any more when its own is gone.
    ///
    /// # Errors
    /// When it is not installed or cannot be started.
    pub fn detach(&self) -> Result<Detached, Error> {
        let mut command = self.command();
        if self.folder.is_none() {
            command.current_dir("/");
        }
        command.envs(std::env::vars_os().filter(|(name, _)| name != "PATH"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Detached(self.start(&mut command)?))
    }

    /// Starts it as a partner of a conversation: lines in, bytes out.
    ///
    /// # Errors
    /// When it is not installed or cannot be started.
    pub fn converse(&self) -> Result<Conversation, Error> {
        let program = self.program.name();
        let mut command = self.command();
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = self.start(&mut command)?;
        let broken = || Error::Run(program, io::Error::from(io::ErrorKind::BrokenPipe));
        let ask = child.stdin.take().ok_or_else(broken)?;
        let answer = io::BufReader::with_capacity(1 << 16, child.stdout.take().ok_or_else(broken)?);
        Ok(Conversation { child, ask: Some(ask), answer })
    }
}

/// The file of the program that a process runs, if that can be seen.
pub fn program_of(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// A program that stays when this one ends.
#[derive(Debug)]
pub struct Detached(Child);

impl Detached {
    /// It ended already, and badly: how, in words.
    pub fn failed(&mut self) -> Option<String> {
        let status = self.0.try_wait().ok().flatten()?;
        (!status.success()).then(|| status.to_string())
    }
}

/// A program that answers until it is dropped.
#[derive(Debug)]
pub struct Conversation {
    child: Child,
    ask: Option<std::process::ChildStdin>,
    answer: io::BufReader<std::process::ChildStdout>,
}

impl Conversation {
    /// Says a line.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let ask = self.ask.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        ask.write_all(line.as_bytes())?;
        ask.write_all(b"\n")?;
        ask.flush()
    }

    /// Where it answers.
    pub fn answer(&mut self) -> &mut impl io::BufRead {
        &mut self.answer
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // Without its input it ends by itself; a kill only makes sure of it.
        drop(self.ask.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests;
