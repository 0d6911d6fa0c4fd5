//! Questions.
//!
//! In: what a plan needs a yes for. Out: yes, or a refusal (exit code 3).
//! **Invariant**: the easy answer is never the dangerous one; without a terminal nothing is asked and nothing is done.
//! Not here: the plan's text. Tests: `ask/tests.rs`.

use super::style::{self, count};
use super::{Terminal, plan_adopt};
use crate::exit::Fault;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_plan::plan::{Consent, Plan};
use std::io::{BufRead, Read};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// `[Y/n]`: nothing stops, nothing goes.
    Yes(String),
    /// `[y/N]`: there is a gap.
    No(String),
    /// The number is typed: several instances, or something is deleted.
    Number(String, usize),
}

/// The question a plan needs; `None` when there is nothing to do.
pub(crate) fn of(plan: &Plan) -> Option<Question> {
    let changing: Vec<_> = plan
        .instances
        .iter()
        .filter(|instance| instance.refused.is_none() && instance.consent != Consent::Nothing)
        .collect();
    let worst = changing.iter().map(|instance| instance.consent).max()?;
    let adopts = changing.iter().all(|one| plan_adopt::only(&super::plan_text::changing(one)));
    let what = match worst {
        _ if adopts => "What runs is taken over as it is.",
        Consent::Deletion => "Something is deleted.",
        Consent::Gap => "There is a gap.",
        Consent::Additive | Consent::Nothing => "Nothing stops, nothing is deleted.",
    };
    Some(match (worst, changing.len()) {
        (Consent::Deletion, n) => number(what, n),
        (_, n) if n > 1 => number(what, n),
        (Consent::Gap, _) => Question::No(format!("{what} Go on?")),
        _ => Question::Yes("Go on?".to_owned()),
    })
}

/// A question for the number of instances.
pub(crate) fn number(what: &str, instances: usize) -> Question {
    let text = format!("{what} To go on, type the number of instances ({})", style::grouped(instances as u64));
    Question::Number(text, instances)
}

/// Asks on the terminal.
///
/// # Errors
/// Exit code 3 without a terminal, or when the answer is not a yes.
pub(crate) fn ask(question: &Question, terminal: &Terminal) -> Result<(), Fault> {
    if !terminal.interactive {
        let needs = match question {
            Question::Number(_, n) => format!("this needs a yes for {}", count(*n, "instance")),
            _ => "this needs a yes".to_owned(),
        };
        let message = format!("{needs}, and there is no terminal to ask on. Nothing was done (exit 3)");
        return Err(Fault::refused(Diagnostic::error(Code::E0207, message).hint("to say yes beforehand: --yes")));
    }
    terminal.say(&prompt(question));
    let mut answer = String::new();
    // A terminal that is closed has not said yes.
    let read = std::io::stdin().lock().read_line(&mut answer).unwrap_or(0);
    let agreed = if read == 0 { false } else { agrees(question, &answer) };
    if agreed {
        return Ok(());
    }
    Err(Fault::refused(Diagnostic::error(Code::E0208, "not agreed. Nothing was done (exit 3)")))
}

/// Asks for a line without showing what is typed.
///
/// # Errors
/// Exit code 3 when it was broken off; 4 when the terminal cannot be read.
pub(crate) fn hidden(prompt: &str) -> Result<Vec<u8>, Fault> {
    let terminal = Terminal::detect();
    let world = |error: std::io::Error| Fault::world(anyhow::Error::new(error).context("the terminal cannot be read"));
    let quiet = Quiet::begin().map_err(world)?;
    terminal.say(prompt);
    let mut typed = Vec::new();
    let mut input = std::io::stdin().lock();
    let mut byte = [0_u8; 1];
    let ended = loop {
        if input.read(&mut byte).map_err(world)? == 0 {
            break false;
        }
        match byte {
            [b'\n' | b'\r'] => break true,
            // Ctrl-C and Ctrl-D: the terminal does not act on them while it is quiet.
            [3 | 4] => break false,
            [8 | 127] => {
                // Not half a letter.
                while typed.pop().is_some_and(|last| last & 0b1100_0000 == 0b1000_0000) {}
            }
            [21] => typed.clear(),
            [other] => typed.push(other),
        }
    };
    drop(quiet);
    terminal.say("\n");
    if ended {
        Ok(typed)
    } else {
        Err(Fault::refused(Diagnostic::error(Code::E0208, "broken off. Nothing was done (exit 3)")))
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet(rustix::termios::Termios);

impl Quiet {
    fn begin() -> std::io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin())?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &now)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

/// The question with its brackets.
fn prompt(question: &Question) -> String {
    match question {
        Question::Yes(text) => format!("{text} [Y/n] "),
        Question::No(text) => format!("{text} [y/N] "),
        Question::Number(text, _) => format!("{text}: "),
    }
}

/// Whether an answer is a yes.
fn agrees(question: &Question, answer: &str) -> bool {
    let answer = answer.trim();
    let yes = ["y", "yes"].iter().any(|word| answer.eq_ignore_ascii_case(word));
    match question {
        Question::Yes(_) => yes || answer.is_empty(),
        Question::No(_) => yes,
        Question::Number(_, number) => answer.parse() == Ok(*number),
    }
}

#[cfg(test)]
mod tests;
