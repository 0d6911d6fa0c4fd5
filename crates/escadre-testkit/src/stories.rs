//! Stories: scripts of commands, faults and clock moves against the small world, with a golden transcript.
//!
//! In: a `.world` file: commands, one a line. Out: its transcript, to be compared with what stands below the dashed line of the same file.
//! **Invariant:** the same script gives the same transcript; an unknown command is an error, never skipped.
//! Not here: the real command line (`escadre`), whose words these only resemble.
//! Tests: `tests/worlds/*.world`, run by `tests/it/stories.rs`; `UPDATE=1` writes the transcripts anew.

use crate::bench::Bench;
use crate::sketch::{ServiceSketch, Sketch, instance};
use crate::world::compose;
use crate::world::{Behaviour, Container, Fault, Image, duration};
use escadre_engine::apply::{End, Failure, InstanceReport, Refused, Report};
use escadre_engine::back::{self, Which};
use escadre_engine::hold::{hold, unhold};
use escadre_engine::journal;
use escadre_engine::ports::Holder;
use escadre_engine::rebuild::rebuild;
use escadre_engine::reconcile::{Asked, Prepared};
use escadre_model::desired::{Condition, State};
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::observed::Receipt;
use escadre_plan::make::{How, Touch};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The line between script and transcript.
pub const LINE: &str = "----------------------------------------";

struct Story {
    bench: Bench,
    instances: BTreeMap<String, Sketch>,
    now: String,
    saved: Option<Prepared>,
    /// Ids of plans seen: in transcripts they are numbered, since an id changes with every word of a plan.
    plans: Vec<Arc<str>>,
    text: String,
}

/// Plays a script and gives its transcript.
///
/// # Errors
/// The line that is not understood.
pub async fn play(script: &str) -> Result<String, String> {
    let fr = Sketch::new("desk", "fr", Vec::new());
    let mut story = Story {
        bench: Bench::new(),
        instances: BTreeMap::from([("fr".to_owned(), fr)]),
        now: "fr".to_owned(),
        saved: None,
        plans: Vec::new(),
        text: String::new(),
    };
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let _ = writeln!(story.text, "> {line}");
        if !line.starts_with('#') {
            let words: Vec<&str> = line.split_whitespace().collect();
            story.command(&words).await.map_err(|error| format!("{line}: {error}"))?;
        }
    }
    Ok(story.text)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

impl Story {
    fn say(&mut self, text: impl AsRef<str>) {
        let number = |text: String, (at, id): (usize, &Arc<str>)| text.replace(&**id, &format!("plan-{}", at + 1));
        let text = self.plans.iter().enumerate().fold(text.as_ref().to_owned(), number);
        let _ = writeln!(self.text, "  {text}");
    }

    fn sketch(&mut self) -> &mut Sketch {
        let sketch = Sketch::new("desk", &self.now, Vec::new());
        self.instances.entry(self.now.clone()).or_insert(sketch)
    }

    fn asked(&self) -> Asked {
        let all: Vec<Sketch> = self.instances.values().cloned().collect();
        let mut asked = self.bench.asked(&[Sketch::new("desk", "fr", Vec::new())]);
        asked.desired = all.iter().map(Sketch::desired).collect();
        asked
    }

    async fn command(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["image", reference, behaviour @ ..] => self.bench.image(reference, Behaviour::parse(behaviour)?),
            ["service", key, image, rest @ ..] => {
                let service = service(key, image, rest)?;
                let sketch = self.sketch();
                sketch.services.retain(|one| one.key != *key);
                sketch.services.push(service);
            }
            ["adopt", project] => self.sketch().adopts = Some((*project).to_owned()),
            ["drop", key] => self.sketch().services.retain(|one| one.key != *key),
            ["instance", name] => {
                self.now = (*name).to_owned();
                self.sketch();
            }
            ["forget", name] => drop(self.instances.remove(*name)),
            ["state", state] => {
                let state = match *state {
                    "removed" => State::Removed,
                    "stopped" => State::Stopped,
                    _ => State::Running,
                };
                self.sketch().state = Some(state);
            }
            ["wait", time] => tokio::time::sleep(Duration::from_millis(duration(time)?)).await,
            _ => return self.act(words).await,
        }
        Ok(())
    }

    async fn act(&mut self, words: &[&str]) -> Result<(), String> {
        let id = instance("desk", &self.now);
        match words {
            ["up"] => self.verb(self.asked()).await,
            ["down"] => {
                let mut asked = self.asked();
                (asked.options.only, asked.options.down) = (Some([id].into()), true);
                self.verb(asked).await;
            }
            [word @ ("stop" | "start" | "restart"), services @ ..] => {
                let how = match *word {
                    "stop" => How::Stop,
                    "start" => How::Start,
                    _ => How::Restart,
                };
                let mut asked = self.asked();
                let services = services.iter().map(|key| (*key).into()).collect();
                asked.options.touch = Some(Touch { how, services: [(id.clone(), services)].into() });
                if self.as_it_was(&mut asked, &id, Which::Last).await? {
                    self.verb(asked).await;
                }
            }
            ["rollback", plan @ ..] => {
                let numbered = plan.first().and_then(|text| text.strip_prefix("plan-")?.parse::<usize>().ok());
                let plan = numbered.and_then(|number| self.plans.get(number.checked_sub(1)?).cloned());
                let mut asked = self.asked();
                let which = plan.as_deref().map_or(Which::Last, Which::Of);
                if self.as_it_was(&mut asked, &id, which).await? {
                    self.verb(asked).await;
                }
            }
            ["plan"] => {
                let prepared = self.bench.plan_for(&self.asked()).await;
                self.changes(&prepared);
                self.saved = Some(prepared);
            }
            ["apply"] => {
                let prepared = self.saved.clone().ok_or("there is no plan")?;
                self.bench.world.calls();
                let report = self.bench.apply(&prepared).await;
                self.report(&report);
            }
            ["hold", because @ ..] => {
                let end = hold(&id, &because.join(" "), self.bench.ports(), &self.bench.options).await;
                self.say(format!("{end:?}"));
            }
            ["unhold"] => {
                let end = unhold(&id, self.bench.ports(), &self.bench.options).await;
                self.say(format!("{end:?}"));
            }
            ["recover"] => {
                let desired = self.instances.values().map(|one| (one.id(), Arc::new(one.desired()))).collect();
                let (ports, options) = (self.bench.ports().clone(), self.bench.options.clone());
                let rebuilt = rebuild(&id.fleet, "id:test", &desired, &ports, &options).await;
                for (instance, one) in rebuilt.map_err(|error| error.to_string())? {
                    self.say(format!("{instance}: {one:?}"));
                }
            }
            ["world"] => {
                let snapshot = self.bench.snapshot();
                snapshot.lines().for_each(|line| self.say(line));
            }
            _ => return self.disturb(words),
        }
        Ok(())
    }

    /// Puts what a receipt has in the place of what is sketched: the state to go back to, or (to touch services) what runs.
    async fn as_it_was(&mut self, asked: &mut Asked, id: &InstanceId, which: Which<'_>) -> Result<bool, String> {
        let store = self.bench.ports().store.clone();
        let receipts = journal::receipts(store.as_ref(), id).await.map_err(|error| error.to_string())?;
        let touched = asked.options.touch.is_some();
        let runs = |one: &&Receipt| one.outcome.is_as_planned();
        let receipt = match (touched, back::find(&receipts, which)) {
            (true, _) => receipts.iter().find(runs).ok_or("nothing of it is on record")?,
            (false, Ok(receipt)) => receipt,
            (false, Err(error)) => {
                self.say(format!("no way back: {error}"));
                return Ok(false);
            }
        };
        for one in asked.desired.iter_mut().filter(|one| one.instance == *id) {
            if !touched {
                asked.options.only = Some([id.clone()].into());
                asked.options.back = [(id.clone(), back::way(receipt, Some(one.hash())))].into();
            }
            *one = receipt.desired.as_ref().clone();
        }
        Ok(true)
    }

    fn disturb(&mut self, words: &[&str]) -> Result<(), String> {
        let world = self.bench.world.clone();
        match words {
            ["fault", at, kind] => {
                let fault = match *kind {
                    "refuse" => Fault::Refuse,
                    "silent" => Fault::Silent,
                    "lost" => Fault::Lost,
                    "gone" => Fault::Gone,
                    "slow" => Fault::Slow,
                    other => return Err(format!("{other} is no fault")),
                };
                world.fault_at(Some((number(at)?, fault)));
            }
            ["engine", "back"] => world.fault_at(None),
            ["undo-fails", at] => world.undo_fails_at(Some(number(at)?)),
            ["registry", "gone"] => world.with(|state, _| state.registry.clear()),
            ["lists", how] => world.incomplete(*how == "cut"),
            ["disk", how] => self.bench.store.set_full(*how == "full"),
            ["lose"] => self.bench.store.lose(),
            ["locked", by] => {
                let holder = Holder { by: (*by).into(), plan: "7c41e9".into(), alive: true, ..Holder::default() };
                let id = instance("desk", &self.now);
                self.bench.locks.foreign(&id, Some(holder));
            }
            ["unlocked"] => {
                let id = instance("desk", &self.now);
                self.bench.locks.foreign(&id, None);
            }
            ["compose", project, key, image, rest @ ..] => {
                let made = compose::parse(project, key, image, rest)?;
                world.with(|state, now| compose::up(state, &made, now))?;
            }
            ["tamper", key] => {
                let id = instance("desk", &self.now);
                world.with(|state, _| {
                    let mine = |one: &&mut Container| {
                        one.owner.as_ref().is_some_and(|(who, _)| who.instance == id && &*who.resource.key == *key)
                    };
                    state.containers.values_mut().filter(mine).for_each(|one| one.fields = Hash::of("by hand"));
                });
            }
            ["foreign", name] => world.with(|state, _| {
                let (engine, image) =
                    (state.id("c"), Image { id: "sha256:else".into(), behaviour: Behaviour::default() });
                let container = Container {
                    engine,
                    owner: None,
                    spec: None,
                    fields: Hash::of(""),
                    image,
                    job: false,
                    started: Some(0),
                    stopped: None,
                    networks: BTreeMap::new(),
                    names: std::collections::BTreeSet::new(),
                    volumes: BTreeMap::new(),
                    compose: None,
                    published: Vec::new(),
                };
                state.containers.insert((*name).into(), container);
            }),
            _ => return Err("unknown command".to_owned()),
        }
        Ok(())
    }

    async fn verb(&mut self, asked: Asked) {
        let ports = self.bench.ports().clone();
        match escadre_engine::reconcile::recover(&asked, &ports, &self.bench.options).await {
            Ok(all) => all.iter().for_each(|(instance, how)| self.say(format!("{instance}: recovered: {how:?}"))),
            Err(error) => self.say(format!("cannot recover: {error}")),
        }
        let prepared = self.bench.plan_for(&asked).await;
        self.changes(&prepared);
        self.bench.world.calls();
        let report = self.bench.apply(&prepared).await;
        self.report(&report);
    }

    fn changes(&mut self, prepared: &Prepared) {
        if !self.plans.contains(&prepared.plan.id) {
            self.plans.push(prepared.plan.id.clone());
        }
        for one in &prepared.plan.instances {
            for change in one.changes.iter().filter(|change| !change.is_quiet()) {
                let follows = change.follows.join(", ");
                let may =
                    if follows.is_empty() { String::new() } else { format!(", unless it has to follow {follows}") };
                self.say(format!("{} {} {}{may}", one.instance.instance, change.action.word(), change.on));
            }
        }
        for note in &prepared.plan.notes {
            self.say(format!("{} {}", note.code, note.text));
        }
    }

    fn report(&mut self, report: &Report) {
        for one in &report.instances {
            self.instance(one);
        }
        let mutating = self.bench.world.calls().iter().filter(|call| call.mutating).count();
        self.say(format!("exit {}, {mutating} mutating calls, {} ms", report.code(), report.took.as_millis()));
    }

    fn instance(&mut self, report: &InstanceReport) {
        let name: Name = report.instance.instance.clone();
        let words = match &report.end {
            End::Done(left) if left.is_empty() => "done".to_owned(),
            End::Done(left) => format!("done, left over: {left:?}"),
            End::NothingToDo => "nothing to do".to_owned(),
            End::AlreadyDone => "done already".to_owned(),
            End::NotBegun => "not begun".to_owned(),
            End::Refused(Refused::Locked(by)) => format!("refused: locked by {}, plan {}", by.by, by.plan),
            End::Refused(Refused::Plan(why)) => format!("refused: {why:?}"),
            End::Refused(why) => format!("refused: {why:?}"),
            End::WentBack(_) => "went back".to_owned(),
            End::Stuck(_) => "stuck".to_owned(),
            End::Broken { why, .. } => format!("broken: {why}"),
            End::Bug(why) => format!("bug: {why}"),
        };
        self.say(format!("{name}: {words}"));
        if let End::WentBack(failure) | End::Stuck(failure) = &report.end {
            self.failure(failure);
        }
    }

    fn failure(&mut self, failure: &Failure) {
        self.say(format!("  failed      {} {}: {}", failure.act, failure.on.resource, failure.why));
        if let Some(evidence) = &failure.evidence {
            self.say(format!("  gate        {}", evidence.gate.as_deref().unwrap_or("none")));
            evidence.log.iter().for_each(|line| self.say(format!("    | {line}")));
        }
        for (on, act) in &failure.undone {
            self.say(format!("  undone      {act} {}", on.resource));
        }
        for one in &failure.not_undone {
            self.say(format!("  not undone  {} {}: {}", one.act, one.on.resource, one.why));
        }
        match &failure.hold {
            Some(hold) if hold.against.is_some() => self.say("  hold        until its files change"),
            Some(_) => self.say("  hold        until somebody lifts it"),
            None => {}
        }
        self.say(format!("  next        {:?}", failure.next));
    }
}

fn service(key: &str, image: &str, words: &[&str]) -> Result<ServiceSketch, String> {
    let mut service = ServiceSketch::new(key, image);
    for word in words {
        service = match word.split_once('=') {
            None if *word == "check" => service.check(),
            None if *word == "job" => service.job(),
            None if *word == "stop-first" => service.stop_first(),
            Some(("replicas", count)) => service.replicas(count.parse().map_err(|_| format!("{count} is no number"))?),
            Some(("publish", ports)) => {
                let (host, port) = compose::ports(ports)?;
                service.publish(host, port)
            }
            Some(("port", port)) => service.port(port.parse().map_err(|_| format!("{port} is no port"))?),
            Some(("volume", key)) => service.volume(key),
            Some(("file", text)) => service.file("conf", text),
            Some(("after", other)) => match other.split_once(':') {
                Some((other, "healthy")) => service.after(other, Condition::Healthy),
                Some((other, "completed")) => service.after(other, Condition::Completed),
                _ => service.after(other, Condition::Started),
            },
            Some((name, value)) => service.value(name, value),
            None => return Err(format!("{word} is nothing of a service")),
        };
    }
    Ok(service)
}
