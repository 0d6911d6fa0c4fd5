//! Gates: a new container proves that it works.
//!
//! In: a planned gate. Out: what was seen, or why it failed with evidence.
//! **Invariant:** a container that ended or restarted fails at once, whatever the gate; looking changes nothing.
//! Not here: which gate (`escadre-plan`), what a failure leads to (`escadre-engine`).
//! Tests: `tests/it`.

use super::door::{Call, encode};
use super::{Engine, containers, host, outcome};
use crate::clock::SystemClock;
use escadre_engine::ports::{Changed, Clock, Error, Event, Evidence, Job, Outcome};
use escadre_model::desired::{HealthCheck, Route};
use escadre_model::observed::Health;
use escadre_plan::gate::ONE_PORT_MS;
use escadre_plan::step::PlannedGate;
use escadre_render::engine::read;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks while nothing is to be counted.
const LOOK: Duration = Duration::from_millis(200);
/// The first wait between health checks in the grace time; it doubles up to the interval.
const EAGER: Duration = Duration::from_millis(250);
/// Longest wait for a former container to listen again: as long as requests are parked.
const AWAKE: Duration = Duration::from_secs(10);
/// A former container that listens this long, wherever, has found its place.
const SETTLED: Duration = Duration::from_secs(2);
/// Longest wait for the engine's events, which end with the running second; and how often they are asked.
const EVENTS: Duration = Duration::from_secs(5);
const EVENT_TRIES: u32 = 3;
/// How many log lines go with a failure.
const LINES: usize = 20;

/// A time as people say it.
pub(super) fn words(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} s", time.as_secs())
    }
}

/// One look at a container that must stay alive.
struct Look {
    health: Health,
    /// How many checks in a row failed, where the engine runs them.
    failed: u64,
    process: i64,
}

/// Ports a gate waits for.
struct Ports<'p> {
    ports: &'p [u16],
    times: u32,
    every: Duration,
    or_alive: Option<Duration>,
}

impl Engine {
    pub(super) async fn gate(&self, job: &Job<'_>, name: &str, gate: &PlannedGate) -> Result<Outcome, Error> {
        let began = Instant::now();
        let before = self.restarts(name).await?;
        let passed = match gate {
            PlannedGate::Healthy { check, deadline_ms } => {
                self.healthy(job, name, before, check, Duration::from_millis(*deadline_ms)).await?
            }
            PlannedGate::PortOpen { ports, times, every_ms, deadline_ms, or_alive_ms } => {
                let every = Duration::from_millis(*every_ms);
                let wanted = Ports { ports, times: *times, every, or_alive: or_alive_ms.map(Duration::from_millis) };
                self.port_open(job, name, before, &wanted, Duration::from_millis(*deadline_ms)).await?
            }
            PlannedGate::Alive { for_ms } => {
                let time = Duration::from_millis(*for_ms);
                while began.elapsed() < time {
                    self.look(job, name, before).await?;
                    tell(job, "staying alive", began);
                    sleep(LOOK.min(time)).await;
                }
                self.look(job, name, before).await?;
                format!("alive for {}", words(time))
            }
        };
        Ok(Outcome { seen: Some(passed.into()), ..outcome(Changed::NotNeeded) })
    }

    async fn restarts(&self, name: &str) -> Result<u64, Error> {
        let entry = self.inspect(name).await?;
        Ok(entry.and_then(|entry| entry.get("RestartCount").and_then(Value::as_u64)).unwrap_or(0))
    }

    /// It runs and has not restarted; else the gate has failed.
    async fn look(&self, job: &Job<'_>, name: &str, before: u64) -> Result<Look, Error> {
        let Some(entry) = self.inspect(name).await? else {
            return Err(self.gate_error(job, name, "is gone".to_owned()).await);
        };
        let restarts = entry.get("RestartCount").and_then(Value::as_u64).unwrap_or(0);
        if restarts > before {
            let times = restarts - before;
            let times = format!("{times} time{}", if times == 1 { "" } else { "s" });
            // Between two attempts the engine still knows how the last one ended; while the next one runs it says 0, and only its events tell.
            let known = entry.get("State").and_then(|state| state.get("ExitCode")).and_then(Value::as_i64);
            let code = match known.filter(|_| matches!(containers::state(&entry), "exited" | "stopped" | "restarting"))
            {
                Some(code) => Some(code),
                None => self.last_code(name, &entry).await,
            };
            let why = match code {
                None => format!("ended and was restarted {times} instead of staying"),
                Some(0) => format!("ended with code 0 and was restarted {times} instead of staying"),
                Some(code) => format!("ended with code {code}, also when started again ({times})"),
            };
            return Err(self.gate_error(job, name, why).await);
        }
        if !containers::running(&entry) {
            let code = entry.get("State").and_then(|state| state.get("ExitCode")).and_then(Value::as_i64).unwrap_or(-1);
            let why = match containers::state(&entry) {
                "created" | "configured" | "initialized" => "was never started".to_owned(),
                _ => containers::ended_with(&entry, code),
            };
            return Err(self.gate_error(job, name, why).await);
        }
        let health = match entry.get("State").and_then(|state| state.get("Health")).and_then(|h| h.get("Status")) {
            Some(Value::String(word)) if word == "healthy" => Health::Healthy,
            Some(Value::String(word)) if word == "unhealthy" => Health::Unhealthy,
            Some(Value::String(word)) if word == "starting" => Health::Starting,
            _ => Health::None,
        };
        let failed = entry.pointer("/State/Health/FailingStreak").and_then(Value::as_u64).unwrap_or(0);
        let process = entry.get("State").and_then(|state| state.get("Pid")).and_then(Value::as_i64).unwrap_or(0);
        Ok(Look { health, failed, process })
    }

    /// The code that a container ended with last, as the engine's log of events has it; nothing where it keeps none. Once Podman's did not have it yet when
    /// the count of restarts had it already: so it is asked again.
    async fn last_code(&self, name: &str, entry: &Value) -> Option<i64> {
        for _ in 0..EVENT_TRIES {
            if let Some(code) = self.told_code(name, entry).await {
                return Some(code);
            }
        }
        None
    }

    async fn told_code(&self, name: &str, entry: &Value) -> Option<i64> {
        let second = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
        let since = entry.get("Created").and_then(Value::as_str).and_then(second)?;
        // What happened in this second is told only by who asks until the next one.
        let until = second(&SystemClock::start().now())? + 1;
        let filters = serde_json::json!({"container": [name], "type": ["container"]});
        let call = Call::get(format!("read the events of container {name}"), self.compat("/events"))
            .query("since", since.to_string())
            .query("until", until.to_string())
            .query("filters", filters.to_string())
            .within(Some(EVENTS));
        // The gate has failed either way; without the events it is told without its code.
        let said = self.door.bytes(call).await.ok()?;
        let all = serde_json::Deserializer::from_slice(&said).into_iter::<Value>().map_while(Result::ok);
        all.filter_map(|event| death(&event)).last()
    }

    async fn healthy(
        &self,
        job: &Job<'_>,
        name: &str,
        before: u64,
        check: &HealthCheck,
        deadline: Duration,
    ) -> Result<String, Error> {
        let began = Instant::now();
        let interval = Duration::from_millis(check.interval_ms.max(1));
        // An engine's own first check comes after one interval: what fails before that would not have been seen.
        let grace = Duration::from_millis(check.start_period_ms).max(interval);
        let (mut pause, mut failed) = (EAGER, 0);
        loop {
            let look = self.look(job, name, before).await?;
            tell(job, "waiting for its healthcheck", began);
            let (verdict, probe) = if self.runs_checks() {
                (look.health, None)
            } else {
                self.probe(name, Duration::from_millis(check.timeout_ms)).await?
            };
            match verdict {
                Health::Healthy => return Ok(format!("healthcheck passed after {}", words(began.elapsed()))),
                Health::None => {
                    return Err(self.failed(job, name, "has no healthcheck to pass".to_owned(), probe).await);
                }
                Health::Unhealthy if self.runs_checks() => {
                    let times = look.failed.max(u64::from(check.retries.max(1)));
                    return Err(self.failed(job, name, format!("failed its healthcheck {times} times"), probe).await);
                }
                Health::Unhealthy if began.elapsed() >= grace => failed += 1,
                _ => {}
            }
            if failed >= check.retries.max(1) {
                let why = format!("failed its healthcheck {failed} times");
                return Err(self.failed(job, name, why, probe).await);
            }
            if began.elapsed() >= deadline {
                let why = format!("was not healthy within {}", words(deadline));
                return Err(self.failed(job, name, why, probe).await);
            }
            let wait = if self.runs_checks() {
                LOOK
            } else if began.elapsed() < grace {
                pause.min(grace.saturating_sub(began.elapsed()).max(Duration::from_millis(50)))
            } else {
                interval
            };
            pause = (pause * 2).min(interval).min(Duration::from_millis(check.start_interval_ms.max(250)));
            sleep(wait).await;
        }
    }

    /// Runs the container's check once: Podman does not do it by itself where there is no systemd.
    async fn probe(&self, name: &str, patience: Duration) -> Result<(Health, Option<Arc<str>>), Error> {
        let Some(path) = self.libpod(&format!("/containers/{}/healthcheck", encode(name))) else {
            return Ok((Health::None, None));
        };
        let call = Call::get(format!("check the health of container {name}"), path)
            .within(Some(patience + Duration::from_secs(2)));
        let answer = match self.door.json(call).await {
            Ok(answer) => answer,
            Err(Error::Unreachable { source, .. }) if source.kind() == std::io::ErrorKind::TimedOut => {
                return Ok((Health::Unhealthy, Some(format!("no answer within {}", words(patience)).into())));
            }
            // The container may just have ended, which the next look says better; without a check it is 409 as well.
            Err(Error::Refused { status: 409, message, .. }) if message.contains("no defined healthcheck") => {
                return Ok((Health::None, None));
            }
            Err(Error::Refused { status: 409 | 500, message, .. }) => return Ok((Health::Unhealthy, Some(message))),
            Err(error) => return Err(error),
        };
        // Podman 4.3 says only the verdict here; what the check printed stands in the inspection.
        let healthy = answer.get("Status").and_then(Value::as_str) == Some("healthy");
        Ok((if healthy { Health::Healthy } else { Health::Unhealthy }, None))
    }

    async fn port_open(
        &self,
        job: &Job<'_>,
        name: &str,
        before: u64,
        wanted: &Ports<'_>,
        deadline: Duration,
    ) -> Result<String, Error> {
        let Ports { ports, times, every, or_alive } = *wanted;
        let began = Instant::now();
        let (mut row, mut first): (u32, Option<Instant>) = (0, None);
        let spelled = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        loop {
            let look = self.look(job, name, before).await?;
            // The process may end between the two looks; the next one says so.
            let open = host::ports_of(look.process).unwrap_or_default();
            let ready =
                if or_alive.is_some() { !open.is_empty() } else { ports.iter().all(|port| open.contains(port)) };
            row = if ready { row + 1 } else { 0 };
            let some = ports.iter().filter(|port| open.contains(port)).map(ToString::to_string).collect::<Vec<_>>();
            first = if some.is_empty() { None } else { first.or_else(|| Some(Instant::now())) };
            let long = Duration::from_millis(ONE_PORT_MS);
            if or_alive.is_none() && ports.len() > 1 && first.is_some_and(|first| first.elapsed() >= long) {
                return Ok(format!("of ports {spelled} only {} open for {}", some.join(", "), words(long)));
            }
            if row >= times.max(1) {
                let found = if or_alive.is_some() {
                    open.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                } else {
                    spelled
                };
                return Ok(format!("port {found} open after {}", words(began.elapsed())));
            }
            if let Some(time) = or_alive.filter(|time| open.is_empty() && began.elapsed() >= *time) {
                return Ok(format!("alive for {} without an open port", words(time)));
            }
            if began.elapsed() >= deadline {
                let missing: Vec<_> =
                    ports.iter().filter(|port| !open.contains(port)).map(ToString::to_string).collect();
                let why = format!("did not open port {} within {}", missing.join(", "), words(deadline));
                let open: Vec<_> = open.iter().map(ToString::to_string).collect();
                let seen = if open.is_empty() { "no port".to_owned() } else { format!("port {}", open.join(", ")) };
                let probe = format!("{}: {seen} is open in the container", SystemClock::start().now());
                return Err(self.failed(job, name, why, Some(probe.into())).await);
            }
            tell(job, &format!("waiting for port {spelled}"), began);
            sleep(if row > 0 { every } else { LOOK.min(every) }).await;
        }
    }

    /// Waits until a container that was started again listens where its routes lead, for a bounded time. Without a route nobody waits for it.
    pub(super) async fn awake(&self, job: &Job<'_>, name: &str) {
        let led: Vec<u16> = job
            .desired
            .routes
            .values()
            .map(|route| match route {
                Route::Http(route) => (&route.service, route.port),
                Route::Tcp(route) => (&route.service, route.port),
            })
            .filter(|(service, _)| **service == job.step.on.resource.key)
            .map(|(_, port)| port)
            .collect();
        let began = Instant::now();
        while !led.is_empty() && began.elapsed() < AWAKE {
            // One that ended again is not waited for: it is what it was, and who looks is told.
            let Ok(look) = self.look(job, name, u64::MAX).await else { return };
            let open = host::ports_of(look.process).unwrap_or_default();
            // The former version may have listened elsewhere: a port that stays open is its port.
            let settled = !open.is_empty() && began.elapsed() >= SETTLED;
            if settled || led.iter().all(|port| open.contains(port)) {
                break;
            }
            sleep(LOOK).await;
        }
        self.settle(job, name).await;
    }

    /// Where the engine runs no checks by itself, a container that was started again would be called "starting" for ever: its check is run until it
    /// passes, for a bounded time.
    async fn settle(&self, job: &Job<'_>, name: &str) {
        let began = Instant::now();
        while !self.runs_checks() && began.elapsed() < AWAKE {
            match self.look(job, name, u64::MAX).await {
                Ok(Look { health: Health::Starting | Health::Unhealthy, .. }) => {}
                _ => return,
            }
            match self.probe(name, AWAKE).await {
                Ok((Health::Starting | Health::Unhealthy, _)) => sleep(LOOK).await,
                _ => return,
            }
        }
    }

    async fn failed(&self, job: &Job<'_>, name: &str, why: String, probe: Option<Arc<str>>) -> Error {
        match self.gate_error(job, name, why).await {
            Error::Gate { service, why, mut evidence } => {
                evidence.last_probe = probe.or(evidence.last_probe);
                Error::Gate { service, why, evidence }
            }
            other => other,
        }
    }

    /// A failed gate with everything that is known. Whatever cannot be found out any more is left out.
    pub(super) async fn gate_error(&self, job: &Job<'_>, name: &str, why: String) -> Error {
        let log = self.last_lines(name, LINES).await.unwrap_or_default();
        let entry = self.inspect(name).await.ok().flatten();
        let seen = entry.as_ref().and_then(read::container);
        let evidence = Evidence {
            ended: seen.as_ref().and_then(|ours| containers::ended(&ours.seen)).map(Into::into),
            gate: Some(why.as_str().into()),
            last_probe: entry.as_ref().and_then(last_probe).map(Into::into),
            log_lines: log.1,
            log: log.0,
        };
        Error::Gate { service: job.step.on.resource.key.clone(), why: why.into(), evidence: Box::new(evidence) }
    }
}

/// The code of an event that says that a container ended; each engine has its own words.
fn death(event: &Value) -> Option<i64> {
    let action = event.get("Action").or_else(|| event.get("status")).and_then(Value::as_str)?;
    let about = event.pointer("/Actor/Attributes").filter(|_| matches!(action, "die" | "died"))?;
    let code = about.get("exitCode").or_else(|| about.get("containerExitCode"))?;
    code.as_str().and_then(|code| code.parse().ok()).or_else(|| code.as_i64())
}

/// The last check of a container, from its inspection: when, how it ended, what it printed.
fn last_probe(entry: &Value) -> Option<String> {
    let state = entry.get("State")?;
    let last = state.get("Health").or_else(|| state.get("Healthcheck"))?.get("Log")?.as_array()?.last()?;
    let get = |key: &str| last.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    let code = last.get("ExitCode").and_then(Value::as_i64)?;
    let output = cut(get("Output"));
    Some(format!("{}: exit code {code}{}{output}", get("End"), if output.is_empty() { "" } else { ": " }))
}

fn cut(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// Tells about once a second.
fn tell(job: &Job<'_>, what: &str, began: Instant) {
    let seconds = began.elapsed().as_secs();
    if began.elapsed().subsec_millis() < 260 && seconds > 0 {
        let news = format!("{what} ({seconds} s)");
        job.progress.tell(Event::StepNews(job.step.on.clone(), job.step.index, news.into()));
    }
}
