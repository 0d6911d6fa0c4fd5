//! What a process costs: wall time, processor time, memory; and middles of several runs.
//!
//! In: a closure, a command. Out: numbers, with their units in their names.
//! **Invariant:** memory is a process's own high-water mark, so each case that is asked for memory is a process of its own.
//! Not here: what is measured (`planning`, `engine`, `size`).
//! Tests: the tools are their own users.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc`; the kernel's interface fixes it.
const TICKS: f64 = 100.0;

/// Runs something and says how long it took.
pub(crate) fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let made = what();
    (made, began.elapsed())
}

/// Processor seconds this process has used.
pub(crate) fn cpu_seconds() -> Result<f64> {
    ticks("self", 11)
}

/// Processor seconds that ended children of this process have used.
pub(crate) fn children_cpu_seconds() -> Result<f64> {
    ticks("self", 13)
}

/// Processor seconds that another process has used.
pub(crate) fn cpu_seconds_of(process: u32) -> Result<f64> {
    ticks(&process.to_string(), 11)
}

/// Two numbers of `/proc/PID/stat` from this one on, counted behind the name: time in programs and time in the kernel.
fn ticks(process: &str, first: usize) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The second field is a name in parentheses and may hold anything.
    let after = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
    let fields: Vec<f64> =
        after.split_whitespace().skip(first).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(fields.iter().sum::<f64>() / TICKS)
}

/// The greatest resident memory this process ever had, in bytes.
pub(crate) fn peak_bytes() -> Result<u64> {
    status_bytes("self", "VmHWM:")
}

/// A line of `/proc/PID/status`, in bytes.
pub(crate) fn status_bytes(process: &str, line: &str) -> Result<u64> {
    kilobytes(Path::new(&format!("/proc/{process}/status")), line)
}

/// A line of a file of `/proc` whose values are in kB, in bytes.
pub(crate) fn kilobytes(path: &Path, line: &str) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let found = text.lines().find_map(|found| found.strip_prefix(line));
    let number = found.and_then(|found| found.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    Ok(number.with_context(|| format!("{} has no {line}", path.display()))? * 1024)
}

/// Runs a command to its end; its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let ended = command.stdin(Stdio::null()).output().with_context(|| format!("start {shown}"))?;
    if !ended.status.success() {
        let words = String::from_utf8_lossy(&ended.stderr);
        let last: Vec<&str> = words.lines().rev().take(12).collect();
        bail!("{shown} ended with {}: {}", ended.status, last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// Runs a case of this program in a process of its own; what it found.
pub(crate) fn case(words: &[&str]) -> Result<Value> {
    let program = std::env::current_exe().context("find this program")?;
    let text = output(Command::new(program).args(["bench", "case"]).args(words))?;
    serde_json::from_str(&text).with_context(|| format!("the case {words:?} did not answer JSON: {text}"))
}

/// A number of a case's answer.
pub(crate) fn number(answer: &Value, key: &str) -> Result<f64> {
    answer.get(key).and_then(Value::as_f64).with_context(|| format!("a case did not tell its {key}"))
}

/// The middle one of several numbers; of an even count the mean of the two in the middle.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => at(count / 2),
        count => f64::midpoint(at(count / 2 - 1), at(count / 2)),
    }
}
