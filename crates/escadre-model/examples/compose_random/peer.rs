//! The other loader, as a process that answers for as long as it is asked.
//!
//! In: questions, one line of JSON each. Out: answers. **Invariant**: answers come in the order of the questions.
//! Not here: what is asked.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What the other loader says of a project: its model, or its words of refusal.
pub(crate) type Answer = Result<Value, String>;

/// The process.
pub(crate) struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it (`go build` in `xtask/peers/reference-config` makes it).
    pub(crate) fn start(program: &Path) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .env_clear()
            .env("HOME", super::compare::HOME)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || std::io::Error::other("the process has no pipes");
        let to = child.stdin.take().ok_or_else(missing)?;
        let from = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        Ok(Self { child, to, from })
    }

    /// Asks without waiting for the answer.
    pub(crate) fn ask(&mut self, question: &Value) -> std::io::Result<()> {
        writeln!(self.to, "{question}")?;
        self.to.flush()
    }

    fn line(&mut self) -> std::io::Result<Value> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("the other loader has ended"));
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// The next answer about a project.
    pub(crate) fn answer(&mut self) -> std::io::Result<Answer> {
        let mut line = self.line()?;
        Ok(match line.get_mut("model") {
            Some(model) => Ok(model.take()),
            None => Err(line["refused"].as_str().unwrap_or_default().to_owned()),
        })
    }

    /// The JSON schema of the specification.
    pub(crate) fn schema(&mut self) -> std::io::Result<Value> {
        self.ask(&serde_json::json!({"schema": true}))?;
        Ok(self.line()?["schema"].take())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
