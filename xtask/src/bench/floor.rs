//! The floor: the calls of a first apply in a bare loop, with the same wait until services work, and nothing else.
//!
//! In: what was recorded of a first apply. Out: how long the bare loop takes.
//! **Invariant:** the same bodies and the same wait (the port is open in the container's own socket table at three looks with a second between); no journal, no
//! looking before acting, no edge.
//! Not here: the recording (`wire`).
//! Tests: every call must succeed.

use super::wire::Request;
use anyhow::{Context, Result, anyhow, bail, ensure};
use escadre_drivers::podman::door::{Call, Door, encode};
use escadre_drivers::podman::policy::Policy;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What docker compose's projects are called here; a number follows.
pub(crate) const PROJECTS: &str = "escadrebenchdc";
/// How many instances are brought up at once: more make Podman 4.3 slower.
const WORKERS: usize = 2;
/// How many containers are removed at once.
const REMOVERS: usize = 4;
/// The port every service opens.
const PORT: u16 = 8080;
/// How often it must be open in a row, and how far apart.
const LOOKS: (u32, Duration) = (3, Duration::from_secs(1));
/// Between two looks at a port that is not open yet.
const PAUSE: Duration = Duration::from_millis(200);

/// What the calls of one instance make, in order.
#[derive(Clone, Debug, Default)]
struct Instance {
    networks: Vec<Value>,
    /// Name → body.
    containers: Vec<(String, Value)>,
}

/// The calls of a first apply, by instance.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    instances: Vec<Instance>,
    /// How many of its calls changed something.
    pub(crate) changing: usize,
}

/// Sorts what was heard.
pub(crate) fn calls(heard: Vec<Request>) -> Result<Calls> {
    let changing = heard.iter().filter(|request| request.mutates()).count();
    let mut instances: BTreeMap<String, Instance> = BTreeMap::new();
    for request in heard.into_iter().filter(|request| request.method == "POST") {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let network = path.ends_with("/networks/create");
        if !network && !path.ends_with("/containers/create") {
            continue;
        }
        let body: Value = serde_json::from_slice(&request.body).context("a recorded body is no JSON")?;
        let owner = body.pointer("/Labels/dev.escadre.instance").and_then(Value::as_str);
        let owner = owner.context("a recorded call says not whose it is")?.to_owned();
        let instance = instances.entry(owner).or_default();
        if network {
            instance.networks.push(body);
        } else {
            let name = query.split('&').find_map(|pair| pair.strip_prefix("name="));
            instance.containers.push((name.context("a recorded container has no name")?.to_owned(), body));
        }
    }
    Ok(Calls { instances: instances.into_values().collect(), changing })
}

impl Calls {
    /// The same calls, after a folder that they name has moved.
    pub(crate) fn moved(&self, from: &Path, to: &Path) -> Result<Self> {
        let move_one = |body: &Value| -> Result<Value> {
            let text = body.to_string().replace(&*from.to_string_lossy(), &to.to_string_lossy());
            serde_json::from_str(&text).context("a moved body is no JSON")
        };
        let mut moved = self.clone();
        for instance in &mut moved.instances {
            for body in instance.networks.iter_mut().chain(instance.containers.iter_mut().map(|(_, body)| body)) {
                *body = move_one(body)?;
            }
        }
        Ok(moved)
    }
}

fn door(socket: &str) -> Door {
    Door::new("podman", socket, Policy::default())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start a runtime")
}

/// Makes everything and waits until it works.
pub(crate) fn run(socket: &str, calls: &Calls) -> Result<Duration> {
    let door = Arc::new(door(socket));
    let queue = Arc::new(Mutex::new(calls.instances.iter().cloned().collect::<VecDeque<_>>()));
    let wanted: usize = calls.instances.iter().map(|instance| instance.containers.len()).sum();
    let began = Instant::now();
    let ready: usize = runtime()?.block_on(async {
        let mut workers: JoinSet<Result<JoinSet<Result<()>>>> = JoinSet::new();
        for _ in 0..WORKERS {
            let (door, queue) = (Arc::clone(&door), Arc::clone(&queue));
            workers.spawn(async move {
                let mut waits = JoinSet::new();
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(instance) = next else { return Ok(waits) };
                    make(&door, instance, &mut waits).await?;
                }
            });
        }
        let mut ready = 0;
        while let Some(worker) = workers.join_next().await {
            let mut waits = worker.context("a worker broke off")??;
            while let Some(wait) = waits.join_next().await {
                wait.context("a wait broke off")??;
                ready += 1;
            }
        }
        Ok::<usize, anyhow::Error>(ready)
    })?;
    ensure!(ready == wanted, "{ready} containers work instead of {wanted}");
    Ok(began.elapsed())
}

async fn make(door: &Arc<Door>, instance: Instance, waits: &mut JoinSet<Result<()>>) -> Result<()> {
    for body in instance.networks {
        let made = door.json(Call::post("create network", "/v1.41/networks/create").json(body)).await;
        made.map_err(|error| anyhow!("{error}"))?;
    }
    for (name, body) in instance.containers {
        let call = Call::post("create container", "/v1.41/containers/create").query("name", &name).json(body);
        door.json(call).await.map_err(|error| anyhow!("{error}"))?;
        let path = format!("/v1.41/containers/{}/start", encode(&name));
        door.bytes(Call::post("start container", path)).await.map_err(|error| anyhow!("{error}"))?;
        let door = Arc::clone(door);
        waits.spawn(async move { works(&door, &name).await });
    }
    Ok(())
}

/// Waits until a container works, as a gate does.
async fn works(door: &Door, name: &str) -> Result<()> {
    let began = Instant::now();
    let mut row = 0;
    while row < LOOKS.0 {
        ensure!(began.elapsed() < Duration::from_secs(60), "{name} does not work");
        let call = Call::get("look at container", format!("/v1.41/containers/{}/json", encode(name)));
        let entry = door.json(call).await.map_err(|error| anyhow!("{error}"))?;
        let process = entry.pointer("/State/Pid").and_then(Value::as_i64).unwrap_or(0);
        row = if open(process) { row + 1 } else { 0 };
        if row < LOOKS.0 {
            tokio::time::sleep(if row > 0 { LOOKS.1 } else { PAUSE }).await;
        }
    }
    Ok(())
}

/// Does a socket listen on the port, in the process's own network?
fn open(process: i64) -> bool {
    ["tcp", "tcp6"].iter().any(|table| {
        let text = std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        text.lines().skip(1).any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let port = words.next().and_then(|local| local.rsplit_once(':')).map(|(_, port)| port.to_owned());
            port.is_some_and(|port| u16::from_str_radix(&port, 16) == Ok(PORT)) && words.nth(1) == Some("0A")
        })
    })
}

/// Removes whatever our fleet has on the engine.
pub(crate) fn clear(socket: &str) -> Result<()> {
    remove(socket, &format!("dev.escadre.fleet={}", super::fleet::FLEET), |_| true)
}

/// Removes whatever our docker compose projects have on the engine.
pub(crate) fn clear_projects(socket: &str) -> Result<()> {
    let ours = |labels: &Value| {
        labels.get("com.docker.compose.project").and_then(Value::as_str).is_some_and(|name| name.starts_with(PROJECTS))
    };
    remove(socket, "com.docker.compose.project", ours)
}

/// Removes containers and networks that carry a label and are meant.
fn remove(socket: &str, label: &str, meant: impl Fn(&Value) -> bool) -> Result<()> {
    let door = Arc::new(door(socket));
    let filters = serde_json::json!({ "label": [label] }).to_string();
    runtime()?.block_on(async {
        let list =
            Call::get("list containers", "/v1.41/containers/json").query("all", "true").query("filters", &filters);
        let containers = door.json(list).await.map_err(|error| anyhow!("{error}"))?;
        // At once, as many as Podman can: their web servers do not hear the signal to end, and need not be waited for.
        let mut going = JoinSet::new();
        for one in containers.as_array().into_iter().flatten().filter(|one| meant(&one["Labels"])) {
            let id = one["Id"].as_str().context("a container has no id")?;
            let call = Call::delete("remove container", format!("/v4.0.0/libpod/containers/{id}"));
            let (call, door) = (call.query("force", "true").query("timeout", "0"), Arc::clone(&door));
            going.spawn(async move { door.bytes(call).await });
            if going.len() >= REMOVERS
                && let Some(removed) = going.join_next().await
            {
                gone(removed.context("a removal broke off")?)?;
            }
        }
        while let Some(removed) = going.join_next().await {
            gone(removed.context("a removal broke off")?)?;
        }
        let list = Call::get("list networks", "/v4.0.0/libpod/networks/json").query("filters", &filters);
        let networks = door.json(list).await.map_err(|error| anyhow!("{error}"))?;
        for one in networks.as_array().into_iter().flatten().filter(|one| meant(&one["labels"])) {
            let name = one["name"].as_str().context("a network has no name")?;
            gone(door.bytes(Call::delete("remove network", format!("/v1.41/networks/{}", encode(name)))).await)?;
        }
        Ok(())
    })
}

fn gone<T>(removed: Result<T, escadre_engine::ports::Error>) -> Result<()> {
    match removed {
        Ok(_) | Err(escadre_engine::ports::Error::Refused { status: 404, .. }) => Ok(()),
        Err(error) => bail!("{error}"),
    }
}
