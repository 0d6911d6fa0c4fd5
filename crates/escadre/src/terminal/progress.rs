//! Progress while the engine works.
//!
//! In: the engine's events. Out: on a terminal a few lines redrawn in place; without one, a line per finished instance, time first.
//! **Invariant**: losing a line changes nothing; what is redrawn is never longer than a screen.
//! Not here: what happens (`escadre-engine`), how it ended (`report`). Tests: `progress/tests.rs`.

use super::Terminal;
use super::style::{self, Look, columns};
use super::time::{self, Now};
use escadre_engine::ports::{Event, Progress};
use escadre_model::ids::{InstanceId, Kind, ResourceId};
use escadre_model::observed::Outcome;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// At most so many instances are shown at work; more would scroll.
const MOST: usize = 12;
/// How often the lines are redrawn when nothing happens.
const TICK: Duration = Duration::from_millis(500);

/// What is going on, as far as the events tell.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Instances in all.
    total: usize,
    /// Columns that the names of instances take.
    wide: usize,
    /// One instance only: its services are told one by one.
    single: bool,
    done: usize,
    back: usize,
    stuck: usize,
    at_work: BTreeMap<InstanceId, Work>,
    words: BTreeMap<(InstanceId, u32), &'static str>,
    /// Images, as they take long and belong to all.
    pulls: usize,
}

/// An instance at work.
#[derive(Debug, Default)]
struct Work {
    on: String,
    doing: String,
    unwinding: bool,
    since: Option<Instant>,
}

impl State {
    /// For so many instances.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, single: total == 1, wide: 8, ..Self::default() }
    }

    /// With names of so many columns, so that lines stand below each other.
    pub(crate) fn named(self, wide: usize) -> Self {
        Self { wide: wide.clamp(8, 32), ..self }
    }

    /// Takes an event; gives the lines that are final and stay on the screen.
    pub(crate) fn take(&mut self, event: &Event, clock: Option<&str>) -> Vec<String> {
        match event {
            Event::InstanceBegan(id) => {
                self.at_work.insert(id.clone(), Work { doing: "begins".to_owned(), ..Work::default() });
                // Where nothing is redrawn, a few instances say that they have begun; of hundreds the ends are enough.
                let told = clock.is_some() && !self.single && self.total <= MOST;
                let wide = self.wide;
                told.then(|| stamped(clock, &format!("{:<wide$} begins", id.instance.as_str()))).into_iter().collect()
            }
            Event::StepBegan(on, step, act) => {
                self.words.insert((on.instance.clone(), *step), act);
                self.doing(on, act_words(act).to_owned());
                Vec::new()
            }
            Event::StepNews(on, _, news) => {
                self.doing(on, style::harmless(news).into_owned());
                Vec::new()
            }
            Event::StepDone(on, step, took) => self.step_done(on, *step, *took, clock),
            Event::StepFailed(on, _, why) => {
                let why = style::harmless(why).into_owned();
                // Gates name their service themselves.
                let what = on.resource.key.as_ref();
                let why = if why.contains(what) { why } else { format!("{what} {why}") };
                let wide = self.wide;
                let line = format!("{:<wide$} failed      {why}", on.instance.instance.as_str());
                self.doing(on, format!("failed: {why}"));
                vec![stamped(clock, &line)]
            }
            Event::Unwinding(id) => {
                let work = self.at_work.entry(id.clone()).or_default();
                work.unwinding = true;
                work.doing = "goes back".to_owned();
                Vec::new()
            }
            Event::InstanceAgain(id, otherwise) => {
                // It is not over: it went back to go on.
                self.back = self.back.saturating_sub(1);
                self.at_work.insert(id.clone(), Work { doing: "begins again".to_owned(), ..Work::default() });
                let wide = self.wide;
                let said = format!("planned again, as before but for {}", style::harmless(otherwise));
                vec![stamped(clock, &format!("{:<wide$} {said}", id.instance.as_str()))]
            }
            Event::InstanceEnded(id, outcome, took) => vec![self.ended(id, *outcome, *took, clock)],
        }
    }

    fn doing(&mut self, on: &ResourceId, doing: String) {
        let work = self.at_work.entry(on.instance.clone()).or_default();
        let key = on.resource.key.to_string();
        if work.on != key || work.since.is_none() {
            work.since = Some(Instant::now());
        }
        work.on = key;
        work.doing = doing;
    }

    /// In a single instance the gates and jobs that are passed stay on the screen: `db  ready  3.1 s`.
    fn step_done(&mut self, on: &ResourceId, step: u32, took: Duration, clock: Option<&str>) -> Vec<String> {
        let act = self.words.remove(&(on.instance.clone(), step)).unwrap_or_default();
        if on.resource.kind == Kind::Image {
            self.pulls += 1;
        }
        let said = match act {
            "gate" => "ready",
            "run" => "exit code 0",
            "ensure image" => "is here",
            _ => return Vec::new(),
        };
        // An image that was here already took no time worth a line.
        if !self.single || (act == "ensure image" && took < Duration::from_millis(300)) {
            return Vec::new();
        }
        vec![stamped(clock, &format!("  {:<24} {said:<12} {:>9}", on.resource.key, time::short(took)))]
    }

    fn ended(&mut self, id: &InstanceId, outcome: Outcome, took: Duration, clock: Option<&str>) -> String {
        self.at_work.remove(id);
        self.words.retain(|(instance, _), _| instance != id);
        let said = match outcome {
            Outcome::Healthy => {
                self.done += 1;
                "done"
            }
            Outcome::Stopped => {
                self.done += 1;
                "stopped"
            }
            Outcome::Removed => {
                self.done += 1;
                "down"
            }
            Outcome::WentBack => {
                self.back += 1;
                "went back"
            }
            Outcome::Stuck => {
                self.stuck += 1;
                "STUCK"
            }
        };
        let wide = self.wide;
        stamped(clock, &format!("{:<wide$} {said:<11} {:>9}", id.instance.as_str(), time::short(took)))
    }

    /// The lines that are redrawn.
    pub(crate) fn live(&self, look: Look) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.single {
            let stuck = if self.stuck == 0 { String::new() } else { format!("   stuck {}", self.stuck) };
            lines.push(format!("  done {} / {}   went back {}{stuck}", self.done, self.total, self.back));
        }
        let wide = self.at_work.keys().map(|id| columns(id.instance.as_str())).max().unwrap_or(0).min(24);
        for (id, work) in self.at_work.iter().take(MOST) {
            let back = if work.unwinding { "goes back: " } else { "" };
            let waited = work.since.map(|since| since.elapsed()).filter(|waited| *waited >= Duration::from_secs(1));
            let waited = waited.map(|waited| format!(" ({})", time::long(waited))).unwrap_or_default();
            let on = if work.on.is_empty() { String::new() } else { format!("{}  ", work.on) };
            let line = format!("     {:<wide$}  {on}{back}{}{waited}", id.instance.as_str(), work.doing);
            lines.push(style::cut(&line, look.width.saturating_sub(1)).into_owned());
        }
        if self.at_work.len() > MOST {
            lines.push(format!("     and {} more", self.at_work.len() - MOST));
        }
        lines
    }
}

/// Time first, where there is no terminal.
fn stamped(clock: Option<&str>, line: &str) -> String {
    match clock {
        Some(clock) => format!("{clock} {}", line.trim_start()),
        None => format!("  {}", line.trim_start()),
    }
}

/// An act in words.
fn act_words(act: &str) -> &str {
    match act {
        "ensure image" => "having its image",
        "ensure network" | "ensure volume" | "ensure file" | "ensure secret" | "ensure config" => "preparing",
        "create" => "making the new one",
        "start" => "starting",
        "run" => "running to its end",
        "gate" => "waiting until it is ready",
        "attach" => "taking its names over",
        "switch" => "taking its requests over",
        "park" => "letting requests wait",
        "drain" => "letting the old one finish",
        "stop" => "stopping the old one",
        "remove" => "removing the old one",
        "unroute" => "taking its addresses back",
        other => other,
    }
}

/// Paints progress on standard error.
pub(crate) struct Painter {
    terminal: Terminal,
    quiet: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    drawn: usize,
    shown: Vec<String>,
    over: bool,
}

impl Painter {
    /// For these instances; `quiet` says nothing (with `--json`).
    pub(crate) fn new(terminal: &Terminal, names: &[&str], quiet: bool) -> Arc<Self> {
        let wide = names.iter().map(|name| columns(name)).max().unwrap_or(0);
        let inner =
            Mutex::new(Inner { state: State::new(names.len()).named(wide), drawn: 0, shown: Vec::new(), over: false });
        let painter = Arc::new(Self { terminal: *terminal, quiet, inner });
        if terminal.live && !quiet {
            painter.tick();
        }
        painter
    }

    /// Waits over a second are seen to go on: the lines are redrawn also when nothing happens.
    fn tick(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(TICK);
                let Some(painter) = weak.upgrade() else { return };
                let Ok(mut inner) = painter.inner.lock() else { return };
                if inner.over {
                    return;
                }
                painter.draw(&mut inner, &[]);
            }
        });
    }

    /// A line that stays, above what is redrawn.
    pub(crate) fn note(&self, text: &str) {
        match self.inner.lock() {
            Ok(mut inner) if self.terminal.live && !self.quiet => self.draw(&mut inner, &[text.to_owned()]),
            _ => self.terminal.say(&format!("{text}\n")),
        }
    }

    fn draw(&self, inner: &mut Inner, finals: &[String]) {
        let live = inner.state.live(self.terminal.err);
        if finals.is_empty() && live == inner.shown {
            return;
        }
        let mut text = erase(inner.drawn);
        for line in finals.iter().chain(&live) {
            text.push_str(line);
            text.push('\n');
        }
        inner.drawn = live.len();
        inner.shown = live;
        self.terminal.say(&text);
    }

    /// Takes the redrawn lines away, before something else is printed.
    pub(crate) fn finish(&self) {
        if let Ok(mut inner) = self.inner.lock() {
            inner.over = true;
            let text = erase(std::mem::take(&mut inner.drawn));
            self.terminal.say(&text);
        }
    }
}

impl Progress for Painter {
    fn tell(&self, event: Event) {
        if self.quiet {
            return;
        }
        // A panic elsewhere while it was held costs the picture only.
        let Ok(mut inner) = self.inner.lock() else { return };
        if !self.terminal.live {
            let lines = inner.state.take(&event, Some(&Now::here().clock()));
            if !lines.is_empty() {
                self.terminal.say(&format!("{}\n", lines.join("\n")));
            }
            return;
        }
        let finals = inner.state.take(&event, None);
        self.draw(&mut inner, &finals);
    }
}

/// Goes up so many lines and clears what is below.
fn erase(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}A\r\x1b[0J") }
}

#[cfg(test)]
mod tests;
