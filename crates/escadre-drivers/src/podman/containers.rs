//! Containers: made, started, run to their end, stopped, removed.
//!
//! In: steps with a name on the engine. Out: outcomes.
//! **Invariant:** a container is removed only when its labels say it is the one the step means, or, where it has none of ours, its id; another engine id is
//! left alone.
//! Not here: whether it works (`gate`), what its payload says (`escadre_render::engine`).
//! Tests: `tests/it`.

use super::door::{Call, encode};
use super::ensure::{id_of, is_labelled, same_owner};
use super::{Engine, disk, is_absent, outcome};
use escadre_engine::ports::{Changed, Error, Job, Outcome};
use escadre_model::desired::Body;
use escadre_model::ids::{InstanceId, Kind, ResourceId};
use escadre_model::observed::{ContainerSeen, EngineId, Phase};
use escadre_plan::step::Placement;
use escadre_render::engine::{Dialect, create, read};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A loopback port that the plan chose is taken by now: told apart, because another plan chooses another one. Those that people wrote are none of these.
/// Engines have no code for it: Podman ends with 500, Docker with 500 or 403, each with words.
fn crossed(job: &Job<'_>, error: Error) -> Error {
    let Error::Refused { message, .. } = &error else { return error };
    let words = ["address already in use", "port is already allocated"];
    let port = message.split_once("127.0.0.1:").and_then(|(_, rest)| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        digits.parse::<u16>().ok()
    });
    let written = |port: &u16| match job.desired.resources.get(&job.step.on.resource).map(|one| &one.body) {
        Some(Body::Service(service)) => service.engine_ports.iter().any(|one| one.published == *port),
        _ => false,
    };
    match port.filter(|port| words.iter().any(|word| message.contains(word)) && !written(port)) {
        Some(port) => Error::Crossed { what: format!("port {port}").into(), by: message.clone() },
        None => error,
    }
}

impl Engine {
    /// A container as the engine shows it.
    pub(super) async fn inspect(&self, name: &str) -> Result<Option<Value>, Error> {
        let path = self.compat(&format!("/containers/{}/json", encode(name)));
        self.absent_or(Call::get(format!("look at container {name}"), path)).await
    }

    pub(super) async fn create(&self, job: &Job<'_>, placement: &Placement) -> Result<Outcome, Error> {
        let name = placement.name.as_ref();
        let resource = Self::resource(job)?;
        let place = self.place(job, placement)?;
        let words = resource.payload().fill(&|secret| job.reveal(secret))?;
        let mut body = create::container(&words, &place, self.api.dialect);
        let further = if self.api.dialect == Dialect::Docker { create::further(&mut body, &place) } else { Vec::new() };
        self.folders(&words, &place)?;
        if let Some(hosts) = &placement.hosts {
            self.seed_hosts(job, placement, hosts).await?;
        }
        let call = Call::post(format!("create container {name}"), self.compat("/containers/create"))
            .query("name", name)
            .json(body)
            .within(Some(Duration::from_secs(300)));
        self.know_bridges(job, placement).await?;
        let turn = self.turn().await;
        let answer = self.door.json(call).await;
        drop(turn);
        let made = match answer {
            Ok(made) => made,
            // The name may be taken, by the same container made before or by somebody else's.
            Err(error @ Error::Refused { .. }) => match self.inspect(name).await? {
                Some(_) => {
                    let found = self.found(job, name).await?;
                    self.connect_further(name, &further).await?;
                    return Ok(found);
                }
                None => return Err(error),
            },
            Err(error) => return Err(error),
        };
        let engine = id_of(&made);
        self.connect_further(name, &further).await?;
        if let (Some(hosts), Some(id)) = (&placement.hosts, &engine) {
            self.own_line(job, placement, hosts, id).await?;
        }
        let seen = self.inspect(name).await?.as_ref().and_then(read::container);
        let fields = seen.and_then(|ours| ours.seen.fields);
        Ok(Outcome { engine, fields, ..outcome(Changed::Added) })
    }

    /// Puts a new container on the networks that Docker does not take when it is made (before its API 1.44).
    async fn connect_further(&self, name: &str, further: &[(Arc<str>, Value)]) -> Result<(), Error> {
        if further.is_empty() {
            return Ok(());
        }
        let on = self.inspect(name).await?.as_ref().map(read::endpoints).unwrap_or_default();
        for (network, endpoint) in further.iter().filter(|(network, _)| !on.contains_key(network)) {
            let body = serde_json::json!({"Container": name, "EndpointConfig": endpoint});
            self.connect_to(network, body).await?;
        }
        Ok(())
    }

    /// Networks that Compose made are first met here: their bridges keep their addresses as those of ours do.
    async fn know_bridges(&self, job: &Job<'_>, placement: &Placement) -> Result<(), Error> {
        for on in &placement.networks {
            if let Some(entry) = self.find_network(&on.name).await? {
                self.know_bridge(&job.step.on.instance, &entry).await;
            }
        }
        Ok(())
    }

    /// The container of that name was there already: is it the one?
    async fn found(&self, job: &Job<'_>, name: &str) -> Result<Outcome, Error> {
        let Some(entry) = self.inspect(name).await? else {
            return Err(Error::Bug { act: format!("create container {name}").into(), why: "it came and went".into() });
        };
        same_owner(&entry, &job.step.on.instance, &job.desired.origin, "container", name)?;
        let resource = Self::resource(job)?;
        match read::container(&entry) {
            Some(ours) if ours.seen.id == job.step.on && ours.seen.spec.as_ref() == Some(&resource.spec) => {
                Ok(Outcome { engine: Some(ours.seen.engine), fields: ours.seen.fields, ..outcome(Changed::NotNeeded) })
            }
            Some(ours) => Err(Error::Taken {
                what: format!("container {name}").into(),
                by: format!("{}, made from another version of the files", ours.seen.id).into(),
            }),
            None => Err(Error::Taken { what: format!("container {name}").into(), by: "an unknown container".into() }),
        }
    }

    fn place<'a>(&self, job: &'a Job<'_>, placement: &'a Placement) -> Result<create::Place<'a>, Error> {
        let instance = &job.step.on.instance;
        let mut files = std::collections::BTreeMap::new();
        for (key, file) in &placement.files {
            files.insert(key.clone(), self.path_of(key, instance, file)?.display().to_string());
        }
        let hosts = placement.hosts.as_ref().map(|hosts| self.hosts_path(instance, hosts).display().to_string());
        Ok(create::Place {
            desired: job.desired,
            id: &job.step.on,
            resource: Self::resource(job)?,
            image: job.images.get(&placement.image).ok_or_else(|| {
                super::images::image_error(&placement.image, "no step has made sure that the engine has it".to_owned())
            })?,
            networks: placement
                .networks
                .iter()
                .map(|on| create::On {
                    network: on.network.clone(),
                    name: on.name.clone(),
                    address: on.address,
                    aliases: on.aliases.clone(),
                })
                .collect(),
            hosts,
            volumes: &placement.volumes,
            files,
            data: self.data(instance).display().to_string(),
            engine_ports: &placement.engine_ports,
            shares_network_of: placement.shares_network_of.as_deref(),
            shares: &placement.shares,
            routes: &placement.routes,
        })
    }

    /// Folders that a payload binds and that may be made: the instance's own, and where Compose's `create_host_path` says so.
    fn folders(&self, words: &Value, place: &create::Place<'_>) -> Result<(), Error> {
        for mount in words.get("mounts").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| mount.get(key).and_then(Value::as_str);
            let (path, mode) = match text("kind") {
                Some("data") => (format!("{}/{}", place.data, text("path").unwrap_or_default()), 0o755),
                Some("bind") if mount.get("create").and_then(Value::as_bool) == Some(true) => {
                    (text("source").unwrap_or_default().to_owned(), 0o755)
                }
                _ => continue,
            };
            if std::fs::symlink_metadata(Path::new(&path)).is_err() {
                disk::ensure_dir(Path::new(&path), mode)
                    .map_err(|source| Error::Host { act: format!("make the folder {path}").into(), source })?;
            }
        }
        Ok(())
    }

    pub(super) async fn find_container(&self, id: &ResourceId, name: &str) -> Result<Option<Outcome>, Error> {
        let found = self.inspect(name).await?.as_ref().and_then(read::container);
        Ok(found.filter(|ours| &ours.seen.id == id).map(|ours| Outcome {
            engine: Some(ours.seen.engine),
            fields: ours.seen.fields,
            ..outcome(Changed::Added)
        }))
    }

    /// Undoes a creation.
    pub(super) async fn discard(&self, id: &ResourceId, name: &str) -> Result<(), Error> {
        let found = self.inspect(name).await?.as_ref().and_then(read::container);
        match found {
            Some(ours) if &ours.seen.id == id => {
                self.forget_own(&id.instance, name).await?;
                self.keep_log(&id.instance, name).await;
                self.delete(&ours.seen.engine, name).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn delete(&self, engine: &EngineId, name: &str) -> Result<Changed, Error> {
        let path = self.compat(&format!("/containers/{}", encode(&engine.0)));
        let call = Call::delete(format!("remove container {name}"), path).query("force", "true").query("v", "false");
        self.gone(call).await
    }

    /// Starts a container; those that run beside it are reached as before, which a new neighbour on their bridge would change.
    pub(super) async fn begin(&self, instance: &InstanceId, name: &str) -> Result<Outcome, Error> {
        self.keep_bridges(instance).await;
        let changed = self.start(name).await?;
        // A network's first container brings its bridge.
        let seen = self.keep_bridges(instance).await.map(Into::into);
        Ok(Outcome { seen, ..outcome(changed) })
    }

    /// Starts a container of a step, and runs what is to run then.
    pub(super) async fn start_up(&self, job: &Job<'_>, name: &str) -> Result<Outcome, Error> {
        let begun = self.begin(&job.step.on.instance, name).await;
        let outcome = begun.map_err(|error| crossed(job, error))?;
        self.started_hooks(job, name).await?;
        Ok(outcome)
    }

    pub(super) async fn start(&self, name: &str) -> Result<Changed, Error> {
        let path = self.compat(&format!("/containers/{}/start", encode(name)));
        let call = Call::post(format!("start container {name}"), path).within(Some(Duration::from_secs(120)));
        let _turn = self.turn().await;
        match self.door.changes(call).await {
            Ok(true) => Ok(Changed::Updated),
            Ok(false) => Ok(Changed::NotNeeded),
            // One that is paused or about to restart is refused in other words.
            Err(error @ Error::Refused { .. }) => {
                let running = self.inspect(name).await?.as_ref().is_some_and(running);
                if running { Ok(Changed::NotNeeded) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn run(&self, job: &Job<'_>, name: &str, deadline_ms: u64) -> Result<Outcome, Error> {
        if self.ended_well(name).await? {
            return Ok(Outcome { seen: Some("it had ended with code 0".into()), ..outcome(Changed::NotNeeded) });
        }
        // A job whose answer was lost may have ended badly since: it has run, and runs once.
        let entry = self.inspect(name).await?;
        match entry.as_ref().and_then(|entry| Some((entry, code(entry)?))).filter(|(_, code)| *code != 0) {
            Some((entry, code)) => return Err(self.gate_error(job, name, ended_with(entry, code)).await),
            None => self.start_up(job, name).await?.changed,
        };
        let path = self.compat(&format!("/containers/{}/wait", encode(name)));
        let deadline = (deadline_ms > 0).then(|| Duration::from_millis(deadline_ms));
        let call = Call::post(format!("wait for container {name}"), path)
            .query("condition", "not-running")
            .within(deadline)
            .only_reads();
        let waited = match (self.door.json(call).await, deadline) {
            (Err(Error::Unreachable { source, .. }), Some(time)) if source.kind() == std::io::ErrorKind::TimedOut => {
                let why = format!("did not end within {}", super::gate::words(time));
                return Err(self.gate_error(job, name, why).await);
            }
            (waited, _) => waited?,
        };
        match waited.get("StatusCode").and_then(Value::as_i64) {
            Some(0) => Ok(Outcome { seen: Some("it ended with code 0".into()), ..outcome(Changed::Updated) }),
            code => {
                let entry = self.inspect(name).await?.unwrap_or_default();
                let why = ended_with(&entry, code.unwrap_or(-1));
                Err(self.gate_error(job, name, why).await)
            }
        }
    }

    /// Stops a container; nothing there or not running is fine. What is seen are its hooks that went wrong.
    pub(super) async fn halt(&self, job: &Job<'_>, name: &str, grace_ms: u64) -> Result<Outcome, Error> {
        let Some(entry) = self.inspect(name).await? else { return Ok(outcome(Changed::NotNeeded)) };
        if matches!(state(&entry), "created" | "configured" | "initialized" | "exited") {
            return Ok(outcome(Changed::NotNeeded));
        }
        let seen = self.stopping_hooks(job, name, &entry, Duration::from_millis(grace_ms.max(1000))).await;
        let grace = grace_ms.div_ceil(1000);
        let path = self.compat(&format!("/containers/{}/stop", encode(name)));
        let call = Call::post(format!("stop container {name}"), path)
            .query("t", grace.to_string())
            .within(Some(Duration::from_secs(grace.saturating_add(60))));
        Ok(Outcome { seen, ..outcome(self.gone(call).await?) })
    }

    pub(super) async fn stop(&self, job: &Job<'_>, name: &str, grace_ms: u64, forget: bool) -> Result<Outcome, Error> {
        if forget && let Some(ours) = self.inspect(name).await?.as_ref().and_then(read::container) {
            self.forget(&job.step.on.instance, &ours.seen).await?;
        }
        self.halt(job, name, grace_ms).await
    }

    pub(super) async fn remove(
        &self,
        job: &Job<'_>,
        name: &str,
        engine: Option<&EngineId>,
        data: bool,
    ) -> Result<Outcome, Error> {
        let (key, instance) = (&job.step.on.resource, &job.step.on.instance);
        let changed = match key.kind {
            Kind::Service => match self.mine(instance, name, engine).await? {
                Some(found) => {
                    self.forget_own(instance, name).await?;
                    self.keep_log(instance, name).await;
                    self.delete(&found, name).await?
                }
                None => Changed::NotNeeded,
            },
            Kind::Network => self.drop_network(instance, name, engine).await?,
            Kind::Volume if data => self.remove_volume(name).await?,
            Kind::Volume => {
                return Err(Error::Bug {
                    act: format!("remove volume {name}").into(),
                    why: "its data was not named for destruction".into(),
                });
            }
            Kind::Secret | Kind::Config => {
                let path = self.path_of(key, instance, name)?;
                let gone = disk::remove(&path)
                    .map_err(|source| Error::Host { act: format!("remove {}", path.display()).into(), source })?;
                if gone { Changed::Updated } else { Changed::NotNeeded }
            }
            Kind::Image => self.remove_image(name, engine).await?,
            Kind::Route => {
                return Err(Error::Bug { act: format!("remove {name}").into(), why: "routes are unrouted".into() });
            }
        };
        Ok(outcome(changed))
    }

    /// The engine's id of the container of that name if it is this instance's and, where an id is given, that one. One without labels of ours is known by
    /// its id alone.
    async fn mine(
        &self,
        instance: &InstanceId,
        name: &str,
        engine: Option<&EngineId>,
    ) -> Result<Option<EngineId>, Error> {
        let Some(entry) = self.inspect(name).await? else { return Ok(None) };
        let (found, ours) = (id_of(&entry), read::container(&entry));
        let mine = ours.as_ref().map_or(engine.is_some() && !is_labelled(&entry), |ours| &ours.instance == instance);
        Ok(found.filter(|found| mine && engine.is_none_or(|wanted| wanted == found)))
    }

    pub(super) async fn is_gone(&self, job: &Job<'_>, name: &str, engine: Option<&EngineId>) -> Result<bool, Error> {
        let (key, instance) = (&job.step.on.resource, &job.step.on.instance);
        Ok(match key.kind {
            Kind::Service => self.mine(instance, name, engine).await?.is_none(),
            Kind::Network => self.find_network(name).await?.is_none(),
            Kind::Volume => self.find_volume(name).await?.is_none(),
            Kind::Secret | Kind::Config => std::fs::symlink_metadata(self.path_of(key, instance, name)?).is_err(),
            Kind::Image | Kind::Route => false,
        })
    }

    pub(super) async fn is_running(&self, name: &str) -> Result<bool, Error> {
        Ok(self.inspect(name).await?.as_ref().is_some_and(running))
    }

    pub(super) async fn ended_well(&self, name: &str) -> Result<bool, Error> {
        Ok(self.inspect(name).await?.as_ref().and_then(code) == Some(0))
    }

    /// Sends a signal; a container that does not run is fine.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn signal(&self, name: &str, signal: &str) -> Result<(), Error> {
        let path = self.compat(&format!("/containers/{}/kill", encode(name)));
        let call = Call::post(format!("send {signal} to container {name}"), path).query("signal", signal);
        match self.door.bytes(call).await {
            Ok(_) => Ok(()),
            Err(Error::Refused { status: 409, .. }) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn state(entry: &Value) -> &str {
    entry.get("State").and_then(|state| state.get("Status")).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn running(entry: &Value) -> bool {
    matches!(state(entry), "running" | "paused" | "restarting")
}

/// The code a container ended with; nothing when it runs or never ran.
fn code(entry: &Value) -> Option<i64> {
    let code = entry.get("State").and_then(|state| state.get("ExitCode")).and_then(Value::as_i64);
    code.filter(|_| state(entry) == "exited" && started(entry))
}

fn started(entry: &Value) -> bool {
    entry
        .get("State")
        .and_then(|state| state.get("StartedAt"))
        .and_then(Value::as_str)
        .is_some_and(|at| !at.is_empty() && !at.starts_with("0001-"))
}

/// `ended with code 78 after 1.0 s`, or `at once`; without the time where the engine does not tell it.
pub(super) fn ended_with(entry: &Value, code: i64) -> String {
    let at = |key: &str| entry.get("State")?.get(key)?.as_str()?.parse::<jiff::Timestamp>().ok();
    let lived = at("StartedAt").zip(at("FinishedAt")).map(|(from, to)| to.duration_since(from));
    // Podman notes the start when it hears of it: what ended at once may have ended before.
    let after = lived.map(|lived| match Duration::try_from(lived).unwrap_or_default() {
        lived if lived < Duration::from_millis(100) => " at once".to_owned(),
        lived => format!(" after {}", super::gate::words(lived)),
    });
    format!("ended with code {code}{}", after.unwrap_or_default())
}

/// How a container ended, in words; nothing while it runs.
pub(super) fn ended(seen: &ContainerSeen) -> Option<String> {
    match seen.phase {
        Phase::Exited(code) => Some(format!("ended with code {code}")),
        Phase::Unknown => Some("is gone".to_owned()),
        _ => None,
    }
}
