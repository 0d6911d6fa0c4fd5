//! How an apply ended: the sentence, then what failed and why, what was undone and what was not, what to do.
//!
//! In: [`Ended`], made from the engine's report. Out: text, or JSON.
//! **Invariant**: what was not undone is said as loudly as what was; nothing is said that was not counted.
//! Not here: progress while it runs. Tests: `report/tests.rs`.

use super::style::{self, Look, count, hang, harmless};
use super::time;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// The schema of [`Ended`] as JSON.
pub(crate) const SCHEMA: &str = "escadre.report/1";

/// The addresses of so many instances are told after an apply; more belong to `status`.
const MOST: usize = 12;

/// How an apply ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Ended {
    /// Always `escadre.report/1`.
    pub(crate) schema: &'static str,
    /// The plan.
    pub(crate) plan: String,
    /// A fleet of one: the text speaks of services and addresses.
    pub(crate) single: bool,
    /// Instances that are as planned.
    pub(crate) done: Vec<String>,
    /// Those of them that were taken down, as planned.
    pub(crate) down: Vec<String>,
    /// Volumes that went with those, with their data.
    pub(crate) destroyed: usize,
    /// Services that were stopped, as planned: `larch/web`.
    pub(crate) stopped: Vec<String>,
    /// Instances that are back at what a plan left behind: instance, plan.
    pub(crate) back: Vec<(String, String)>,
    /// Instances that failed, with all that is known.
    pub(crate) failures: Vec<Failure>,
    /// Instances that were not touched, and why.
    pub(crate) refused: Vec<Refused>,
    /// What the edge counted meanwhile for those that are as planned, by name; nothing for one that nobody asked.
    pub(crate) traffic: Vec<(String, Requests)>,
    /// Instances that were planned again on the way, because somebody took what their plan had chosen.
    pub(crate) again: Vec<Again>,
    /// Instances not begun because the apply stopped.
    pub(crate) not_begun: Vec<String>,
    /// Where the product is reached now (a fleet of one, or a few addresses).
    pub(crate) addresses: Vec<String>,
    /// Where each instance of a fleet that is as planned is reached, by name.
    pub(crate) reach: Vec<(String, Vec<String>)>,
    /// Some of these addresses have certificates of the local authority, and this machine's programs do not trust it.
    pub(crate) untrusted: bool,
    /// Milliseconds in all.
    pub(crate) took_ms: u64,
    /// The exit code.
    pub(crate) exit: u8,
}

/// An instance that was planned again on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Again {
    /// Which.
    pub(crate) instance: String,
    /// The plan it went on under.
    pub(crate) plan: String,
    /// What was taken, and by whom.
    pub(crate) why: String,
    /// In what that plan is different.
    pub(crate) otherwise: String,
}

/// An instance that failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Failure {
    /// Which.
    pub(crate) instance: String,
    /// How its turn ended.
    pub(crate) manner: Manner,
    /// What failed, as `web ended with code 78 after 2 s`.
    pub(crate) failed: String,
    /// The gate, in words.
    pub(crate) gate: Option<String>,
    /// The last probe: when, where, what.
    pub(crate) last_probe: Option<String>,
    /// The last lines of its log.
    pub(crate) log: Vec<String>,
    /// How many lines it had in all.
    pub(crate) log_lines: u64,
    /// Where what changed was written: `instances/larch/files/desk.toml:12`.
    pub(crate) because: Vec<String>,
    /// What was undone, one sentence each.
    pub(crate) undone: Vec<String>,
    /// What was not undone, one sentence each: volumes that were written to, jobs that ran.
    pub(crate) not_undone: Vec<String>,
    /// Nothing of it ran before.
    pub(crate) created: bool,
    /// What the edge counted meanwhile.
    pub(crate) traffic: Option<Requests>,
    /// The plan it failed under, where it was planned again on the way.
    pub(crate) plan: Option<String>,
    /// What can be done.
    pub(crate) remedy: Remedy,
    /// The hold that was set, in words; `None`: none.
    pub(crate) hold: Option<String>,
    /// The service to look at: for `escadre logs larch/web --plan`.
    pub(crate) service: Option<String>,
}

/// How a failed turn ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Manner {
    /// The former state serves again.
    #[default]
    WentBack,
    /// Going back failed too: a person must look.
    Stuck,
    /// Something around it failed (the journal, the disk): it stands in the middle, and the next run goes on from there.
    Broken,
    /// Something around it failed before anything of it was begun.
    Untouched,
}

/// What can be done about a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Remedy {
    /// Correct the files.
    #[default]
    Mend,
    /// Nothing stands against trying the same again.
    Again,
    /// Make room on the disk first.
    Room,
    /// Have the engine answer first.
    Engine,
    /// Look: nobody knows more.
    Look,
}

/// Requests (HTTP) and connections (TCP) that the edge counted between two moments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Requests {
    /// All that arrived.
    pub(crate) all: u64,
    /// Those that could not be served.
    pub(crate) failed: u64,
    /// Answered 5xx by the service itself.
    pub(crate) service_errors: u64,
    /// They were connections only.
    pub(crate) connections: bool,
}

impl Requests {
    /// Both together.
    fn plus(self, other: &Self) -> Self {
        Self {
            all: self.all.saturating_add(other.all),
            failed: self.failed.saturating_add(other.failed),
            service_errors: self.service_errors.saturating_add(other.service_errors),
            connections: self.connections && other.connections,
        }
    }

    /// `0 of 74 requests failed`.
    fn words(&self) -> String {
        let what = if self.connections { "connection" } else { "request" };
        let s = if self.all == 1 { "" } else { "s" };
        let failed = format!("{} of {} {what}{s} failed", style::grouped(self.failed), style::grouped(self.all));
        match self.service_errors {
            0 => failed,
            errors => format!("{failed}, {} more the service itself answered with 5xx", style::grouped(errors)),
        }
    }
}

/// An instance that was left alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Refused {
    /// Which.
    pub(crate) instance: String,
    /// The code, as `E0303`.
    pub(crate) code: String,
    /// Why: `it changed after plan c03f11 was made`.
    pub(crate) why: String,
    /// What changed, first of all, where that is why.
    pub(crate) differs: Vec<String>,
    /// What to do: a command.
    pub(crate) next: Option<String>,
}

/// The report as text.
pub(crate) fn paint(ended: &Ended, look: Look) -> String {
    let mut out = String::new();
    for failure in &ended.failures {
        out.push_str(&block(failure, failure.plan.as_ref().unwrap_or(&ended.plan), look));
        out.push('\n');
    }
    for refused in &ended.refused {
        let head = format!("refused for {}: ", refused.instance);
        out.push_str(&hang(&head, &format!("{}  {}", harmless(&refused.why), refused.code), look.width));
        for differs in &refused.differs {
            out.push_str(&hang("  changed             ", &harmless(differs), look.width));
        }
        if let Some(next) = &refused.next {
            out.push_str(&format!("  {:<19} {next}\n", "next"));
        }
    }
    if !ended.not_begun.is_empty() {
        let names: Vec<&str> = ended.not_begun.iter().map(String::as_str).collect();
        out.push_str(&hang("not begun: ", &style::names(&names, false), look.width));
        out.push_str(&format!("  {:<19} escadre resume {}\n", "the rest", ended.plan));
    }
    if ended.stopped.is_empty() {
        let reach = reach(ended, look);
        if !reach.is_empty() && !out.is_empty() && !out.ends_with("\n\n") {
            out.push('\n');
        }
        out.push_str(&reach);
    }
    out.push_str(&meanwhile(ended, look));
    out.push_str(&last_line(ended, look));
    for (instance, plan) in &ended.back {
        let text =
            format!("{instance} is back at what plan {plan} left behind, and stays there until its files change;");
        out.push_str(&hang("", &text, look.width));
        out.push_str(&format!("or: escadre unhold {instance}\n"));
    }
    let serves = ended.stopped.is_empty() && ended.down.len() < ended.done.len();
    if ended.untrusted && serves {
        out.push_str("\nPrivate names have certificates of this machine's own authority.\n");
        out.push_str("  trust it   escadre trust\n");
    }
    out
}

/// Where the instances are reached: as many as a person reads.
fn reach(ended: &Ended, look: Look) -> String {
    let known = ended.reach.iter().filter(|(_, addresses)| !addresses.is_empty());
    if ended.single || known.clone().count() > MOST {
        return String::new();
    }
    let mut table = super::table::Table::words(2, 2);
    for (instance, addresses) in known {
        table.row([instance.clone(), addresses.join("  ")]);
    }
    let table = table.paint(look);
    if table.is_empty() { table } else { format!("{table}\n") }
}

/// What the edge counted for those that are as planned: together, and by name where something failed.
fn meanwhile(ended: &Ended, look: Look) -> String {
    let Some((_, first)) = ended.traffic.first() else { return String::new() };
    let all = ended.traffic.iter().skip(1).fold(first.clone(), |sum, (_, one)| sum.plus(one));
    let mut out = format!("{} meanwhile.\n", all.words());
    let badly = ended.traffic.iter().filter(|(_, one)| one.failed > 0);
    for (instance, one) in badly.filter(|_| ended.traffic.len() > 1) {
        out.push_str(&hang("  ", &format!("{instance}: {}", one.words()), look.width));
    }
    out
}

/// `39 of 40 updated, 1 went back.   6 min 36 s, exit 4`.
fn last_line(ended: &Ended, look: Look) -> String {
    let all = ended.done.len() + ended.failures.len() + ended.refused.len() + ended.not_begun.len();
    let took = time::short(Duration::from_millis(ended.took_ms));
    if ended.exit == 0 {
        let left = match (ended.single, ended.addresses.as_slice()) {
            _ if !ended.down.is_empty() && ended.down.len() == ended.done.len() => match ended.down.as_slice() {
                all if ended.destroyed > 0 => format!(
                    "{} down, {} destroyed with the data.",
                    if let [one] = all { format!("{one} is") } else { format!("{} are", count(all.len(), "instance")) },
                    count(ended.destroyed, "volume"),
                ),
                [one] => format!("{one} is down. What it stored stays; to start it again: escadre up"),
                all => format!("{} are down. What they stored stays.", count(all.len(), "instance")),
            },
            _ if !ended.stopped.is_empty() => {
                let what = ended.stopped.join(" ");
                format!("stopped: {}; to start again: escadre start {}", ended.stopped.join(", "), what)
            }
            (true, []) => format!("{} runs.", ended.done.join(", ")),
            (true, addresses) => format!("{} runs: {}", ended.done.join(", "), addresses.join("  ")),
            (false, _) => format!("{} done.", count(ended.done.len(), "instance")),
        };
        return right(&look.paint(style::GOOD, &left), &format!("{took} in all"), look);
    }
    let of = |manner| ended.failures.iter().filter(|failure| failure.manner == manner).count();
    let (back, stuck, broken) = (of(Manner::WentBack), of(Manner::Stuck), of(Manner::Broken));
    let mut parts = vec![format!("{} of {all} done", ended.done.len())];
    let others = [
        (back, "went back"),
        (stuck, "stuck"),
        (broken, "in the middle"),
        (ended.refused.len() + of(Manner::Untouched), "not touched"),
        (ended.not_begun.len(), "not begun"),
    ];
    parts.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")));
    right(&format!("{}.", parts.join(", ")), &format!("{took}, exit {}", ended.exit), look)
}

/// Two texts at the two ends of 80 columns.
fn right(left: &str, right: &str, look: Look) -> String {
    let used = style::columns(left) + style::columns(right);
    let edge = look.width.min(80);
    if used + 2 > edge {
        return format!("{left}  {right}\n");
    }
    format!("{left}{}{right}\n", " ".repeat(edge - used))
}

/// All that is known of a failure.
fn block(failure: &Failure, plan: &str, look: Look) -> String {
    let name = &failure.instance;
    let head = match failure.manner {
        Manner::WentBack if failure.created => {
            format!("{name} did not come up. Nothing of it ran before, and what was begun is undone.")
        }
        Manner::WentBack => format!("{name} went back to what it was."),
        Manner::Stuck => format!("{name} is STUCK: it failed, and going back failed too. Look before you go on."),
        Manner::Broken => format!("{name} stands in the middle of plan {plan}."),
        Manner::Untouched => format!("{name} was not touched: plan {plan} could not begin."),
    };
    let counted = failure.traffic.as_ref().map(|counted| format!(" {} meanwhile.", counted.words()));
    let head = format!("{head}{}", counted.unwrap_or_default());
    let back = failure.manner == Manner::WentBack;
    let painted = if failure.manner == Manner::Stuck { style::BAD } else { style::CARE };
    let mut out = style::wrap(&head, look.width.min(80))
        .iter()
        .fold(String::new(), |out, line| format!("{out}{}\n", look.paint(painted, line)));
    out.push('\n');
    let mut line = |label: &str, text: &str| {
        out.push_str(&hang(&format!("  {label:<11} "), &harmless(text), look.width));
    };
    line("failed", &failure.failed);
    if let Some(gate) = &failure.gate {
        line("gate", gate);
    }
    if let Some(probe) = &failure.last_probe {
        line("last probe", probe);
    }
    if !failure.log.is_empty() {
        let said = failure.log.len() as u64;
        let lines = if said >= failure.log_lines {
            format!("all of it, {}", count(failure.log.len(), "line"))
        } else {
            format!("the last {said} lines of {}", style::grouped(failure.log_lines))
        };
        line("its log", &lines);
    }
    for text in &failure.log {
        // The end of a line often is what matters: it goes on below.
        for line in style::wrap(&harmless(text), look.width.saturating_sub(6)) {
            out.push_str(&format!("    | {line}\n"));
        }
    }
    let mut list = |label: &str, texts: &[String], none: Option<&str>| {
        let shown: Vec<&str> =
            if texts.is_empty() { none.into_iter().collect() } else { texts.iter().map(String::as_str).collect() };
        for (index, text) in shown.into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            out.push_str(&hang(&format!("  {label:<11} "), &harmless(text), look.width));
        }
    };
    list("because", &failure.because, None);
    list("undone", &failure.undone, back.then_some("nothing had to be"));
    list("not undone", &failure.not_undone, back.then_some("nothing"));
    if let Some(hold) = &failure.hold {
        list("hold", &[hold.clone(), format!("or: escadre unhold {name}")], None);
    }
    out.push('\n');
    let what = match failure.because.as_slice() {
        [one] => format!("correct {one}"),
        _ => "correct the files".to_owned(),
    };
    let again = if back { format!("escadre up {name}") } else { format!("escadre resume {plan}") };
    out.push_str(&match failure.remedy {
        Remedy::Mend => format!("  mend it     {what}, then: {again}\n"),
        Remedy::Again => format!("  again       {again}      (nothing stands against it)\n"),
        Remedy::Room => format!("  go on       make room (df -h), then: {again}\n"),
        Remedy::Engine => format!("  go on       when the engine answers (escadre doctor): {again}\n"),
        Remedy::Look => String::new(),
    });
    let place = failure.service.as_ref().map_or(name.clone(), |service| format!("{name}/{service}"));
    out.push_str(&format!("  see more    escadre why {name}      escadre logs {place} --plan {plan}\n"));
    out
}

#[cfg(test)]
mod tests;
