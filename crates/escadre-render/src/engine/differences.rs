//! In what a container that others made is not as an instance wants its service.
//!
//! In: a service's resource, an engine's inspection of a container and of its image, values of secrets. Out: differences, value by value.
//! **Invariant:** only what an inspection tells is compared, and nothing is taken for a difference that an engine or Docker Compose adds by itself; no value
//! that may be a secret is told.
//! Not here: what follows from a difference (`escadre-plan`), how logs are kept (Escadre's own matter), how many containers there are.
//! Tests: `differences/tests.rs`; against real containers of docker compose, `escadre/tests/it/adopt.rs`.

pub(super) mod host;
pub(super) mod places;

use super::composed;
use escadre_model::desired::{Body, Desired, Resource, Service, Shown};
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::Difference;
use escadre_model::secret::{Secret, SecretRef, looks_secret};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Variables that an engine sets by itself.
const ENGINES: &[&str] = &["PATH", "HOSTNAME", "HOME", "TERM", "container"];

/// A container and its image, as an engine shows them.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The container's inspection.
    pub container: &'a Value,
    /// Its image's inspection; nothing: what comes from the image is not compared.
    pub image: Option<&'a Value>,
}

/// Both sides, and what was found.
struct Compare<'a> {
    desired: &'a Desired,
    key: &'a str,
    resource: &'a Resource,
    service: &'a Service,
    /// The payload's `create`, holes filled where their values are at hand.
    create: Map<String, Value>,
    mounts: Vec<Value>,
    made: Made<'a>,
    found: Vec<Difference>,
}

/// Compares; nothing when there is no such service.
pub fn differences(
    desired: &Desired,
    key: &str,
    made: Made<'_>,
    secret: &dyn Fn(&SecretRef) -> Option<Secret>,
) -> Vec<Difference> {
    let Some((resource, service)) = desired.service(key) else { return Vec::new() };
    let payload = resource.payload();
    let words = payload.fill(secret).unwrap_or_else(|_| payload.value());
    let create = words.get("create").and_then(Value::as_object).cloned().unwrap_or_default();
    let mounts = words.get("mounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut compare = Compare { desired, key, resource, service, create, mounts, made, found: Vec::new() };
    compare.image();
    compare.environment();
    compare.process();
    compare.labels();
    compare.health();
    compare.host();
    compare.places();
    let mut found = compare.found;
    if composed::task(made.container).is_some() {
        found.retain(|one| !of_a_swarm(one));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    found
}

/// What a Swarm keeps for itself: its labels, the names that its own DNS answers to, its configs and secrets, which are no mounts to the engine, and starting again
/// what has ended. All of it comes from the service, and so does the file that is compared.
fn of_a_swarm(one: &Difference) -> bool {
    let path = one.path.as_ref();
    let own_label = path.starts_with("labels.com.docker.swarm.") || path.starts_with("labels.com.docker.stack.");
    let name = path.starts_with("networks.") && path.ends_with(".aliases");
    let file = path.starts_with("mounts.") && one.wanted == Some(Shown::Plain(places::FILE.into()));
    own_label || name || file && one.runs.is_none() || path == "restart"
}

impl<'a> Compare<'a> {
    fn config(&self, key: &str) -> Option<&'a Value> {
        self.made.container.get("Config")?.get(key).filter(|value| !value.is_null())
    }

    fn image_config(&self, key: &str) -> Option<&'a Value> {
        let image = self.made.image?;
        // Podman's own answer has the check beside `Config`.
        image
            .get("Config")
            .and_then(|config| config.get(key))
            .or_else(|| image.get(key))
            .filter(|value| !value.is_null())
    }

    fn image(&mut self) {
        let runs = self.config("Image").and_then(Value::as_str).unwrap_or_default().to_owned();
        let wanted = self.service.image.clone();
        if !runs.is_empty() && familiar(&runs) != familiar(&wanted) {
            self.differ("image", Some(Shown::Plain(runs.into())), Some(&wanted));
        }
    }

    fn environment(&mut self) {
        let texts = |value: Option<&Value>| -> BTreeMap<String, String> {
            let all = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            all.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect()
        };
        let (runs, given) = (texts(self.config("Env")), texts(self.image_config("Env")));
        let list = self.create.get("Env").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut named = BTreeSet::new();
        for entry in &list {
            // A hole that nobody could fill begins with the variable's name.
            let Some(pair) = entry.as_str() else {
                named.extend(hole_name(entry));
                continue;
            };
            let (name, wanted) = pair.split_once('=').unwrap_or((pair, ""));
            named.insert(name.to_owned());
            let is = runs.get(name);
            if is.map(String::as_str) != Some(wanted) {
                let path = format!("environment.{name}");
                let runs =
                    is.and_then(|is| self.may_be_shown(&path, name, wanted).then(|| Shown::Plain(is.as_str().into())));
                self.differ(&path, runs, Some(wanted));
            }
        }
        for (name, value) in &runs {
            let from_image = given.get(name).is_some_and(|has| has == value);
            if named.contains(name) || from_image || ENGINES.contains(&name.as_str()) {
                continue;
            }
            let shown = (!looks_secret(name, value)).then(|| Shown::Plain(value.as_str().into()));
            self.found.push(Difference { path: format!("environment.{name}").into(), runs: shown, wanted: None });
        }
    }

    /// A value that the files show as it is may be shown as it runs, unless its name says otherwise.
    fn may_be_shown(&self, path: &str, name: &str, wanted: &str) -> bool {
        let open = self.resource.field(path).is_some_and(|field| field.value == Shown::Plain(wanted.into()));
        open && !looks_secret(name, wanted)
    }

    fn process(&mut self) {
        let entrypoint_written = self.create.contains_key("Entrypoint");
        for (path, key) in [("entrypoint", "Entrypoint"), ("command", "Cmd")] {
            // An entrypoint that is written puts the image's command aside.
            let from_image = !(key == "Cmd" && entrypoint_written);
            let written = self.create.get(key).map(words);
            let usual = || if from_image { self.image_config(key).map(words) } else { Some(Vec::new()) };
            let Some(wanted) = written.or_else(usual).or_else(|| self.made.image.map(|_| Vec::new())) else { continue };
            let runs = self.config(key).map(words).unwrap_or_default();
            if wanted != runs {
                self.texts(path, &runs.join(" "), &wanted.join(" "));
            }
        }
        for (path, key, usual) in [("working_dir", "WorkingDir", "/"), ("user", "User", "")] {
            let text = |value: Option<&Value>| {
                value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
            };
            let written = text(self.create.get(key));
            if written.is_none() && self.made.image.is_none() {
                continue;
            }
            let wanted = written.or_else(|| text(self.image_config(key))).unwrap_or_else(|| usual.to_owned());
            let runs = text(self.config(key)).unwrap_or_else(|| usual.to_owned());
            self.texts(path, &runs, &wanted);
        }
        if let Some(wanted) = self.create.get("Hostname").and_then(Value::as_str).map(str::to_owned) {
            let runs = self.config("Hostname").and_then(Value::as_str).unwrap_or_default().to_owned();
            self.texts("hostname", &runs, &wanted);
        }
        for (path, key) in [("tty", "Tty"), ("stdin_open", "OpenStdin")] {
            let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
            let (runs, wanted) = (flag(self.config(key)), flag(self.create.get(key)));
            self.texts(path, if runs { "true" } else { "false" }, if wanted { "true" } else { "false" });
        }
        if let Some(wanted) = self.create.get("StopSignal").and_then(Value::as_str).map(signal) {
            let runs = self.config("StopSignal").map(|value| signal(&plain(value))).unwrap_or_default();
            self.texts("stop_signal", &runs, &wanted);
        }
    }

    fn labels(&mut self) {
        let map = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let (runs, given) = (map(self.config("Labels")), map(self.image_config("Labels")));
        let wanted = map(self.create.get("Labels"));
        for (name, value) in &wanted {
            let (Some(value), is) = (value.as_str(), runs.get(name).and_then(Value::as_str)) else { continue };
            if is != Some(value) {
                self.differ(&format!("labels.{name}"), is.map(|is| Shown::Plain(is.into())), Some(value));
            }
        }
        if self.made.image.is_none() {
            return;
        }
        for (name, value) in &runs {
            let added = ["com.docker.compose.", "io.podman.", "PODMAN_", "io.buildah."];
            let is_added = added.iter().any(|own| name.starts_with(own));
            if !is_added && !wanted.contains_key(name) && given.get(name) != Some(value) {
                let runs = Some(Shown::Plain(plain(value).into()));
                self.found.push(Difference { path: format!("labels.{name}").into(), runs, wanted: None });
            }
        }
    }

    fn health(&mut self) {
        let spelled = |value: Option<&Value>| -> Option<(String, BTreeMap<&'static str, i64>)> {
            let value = value?;
            let words = value.get("Test").map(words).unwrap_or_default();
            let times = ["Interval", "Timeout", "StartPeriod", "Retries"];
            let times = times.into_iter().filter_map(|key| Some((key, value.get(key)?.as_i64().filter(|n| *n != 0)?)));
            Some((check_words(&words), times.collect()))
        };
        let usual = spelled(self.image_config("Healthcheck"));
        let runs = spelled(self.config("Healthcheck")).filter(|(test, _)| !test.is_empty());
        match (spelled(self.create.get("Healthcheck")), runs) {
            (Some((test, times)), runs) => {
                let test = if test.is_empty() { usual.map(|(test, _)| test).unwrap_or_default() } else { test };
                let (is, are) = runs.unwrap_or_default();
                if test != is {
                    self.texts("healthcheck.test", &is, &test);
                }
                for (key, wanted) in times {
                    if are.get(key) != Some(&wanted) {
                        let path = format!("healthcheck.{}", snake(key));
                        let runs = are.get(key).map(|n| Shown::Plain(span(key, *n).into()));
                        self.differ(&path, runs, Some(&span(key, wanted)));
                    }
                }
            }
            (None, Some((is, _))) if self.made.image.is_some() && usual.as_ref().map(|(test, _)| test) != Some(&is) => {
                self.texts("healthcheck.test", &is, usual.map(|(test, _)| test).as_deref().unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Two texts; an empty one is nothing.
    fn texts(&mut self, path: &str, runs: &str, wanted: &str) {
        if runs != wanted {
            let runs = (!runs.is_empty()).then(|| Shown::Plain(runs.into()));
            self.differ(path, runs, (!wanted.is_empty()).then_some(wanted));
        }
    }

    fn differ(&mut self, path: &str, runs: Option<Shown>, wanted: Option<&str>) {
        let shown = self.resource.field(path).map(|field| field.value.clone());
        let wanted = wanted.map(|wanted| shown.unwrap_or_else(|| Shown::Plain(wanted.into())));
        self.found.push(Difference { path: path.into(), runs, wanted });
    }

    fn project(&self) -> &str {
        let made = composed::project(self.made.container);
        let adopts = self.desired.adopts.as_ref().map(|adopts| adopts.project.as_ref());
        match (adopts, made) {
            (Some(adopts), _) => adopts,
            (None, _) => self.desired.instance.instance.as_str(),
        }
    }

    fn volume(&self, key: &str) -> Option<Arc<str>> {
        match &self.desired.resources.get(&ResourceKey::new(Kind::Volume, key))?.body {
            Body::Volume(volume) => Some(volume.name.clone()),
            _ => None,
        }
    }
}

/// A scalar as text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A list of words; Podman's own answers have one text for some.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::String(text) if !text.is_empty() => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The words of a check without the kind of it: engines spell that in different ways.
fn check_words(words: &[String]) -> String {
    match words {
        [first, rest @ ..] if matches!(first.as_str(), "CMD" | "CMD-SHELL") => rest.join(" "),
        [first] if first == "NONE" => String::new(),
        all => all.join(" "),
    }
}

fn hole_name(entry: &Value) -> Option<String> {
    let first = entry.as_object()?.values().next()?.as_array()?.first()?.as_str()?;
    first.split_once('=').map(|(name, _)| name.to_owned())
}

fn snake(key: &str) -> String {
    let mut text = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn span(key: &str, number: i64) -> String {
    match key {
        "Retries" => number.to_string(),
        _ if number % 1_000_000_000 == 0 => format!("{}s", number / 1_000_000_000),
        _ => format!("{}ms", number / 1_000_000),
    }
}

/// A signal by its name, whichever way it is written.
fn signal(text: &str) -> String {
    let name = match text {
        "1" => "HUP",
        "2" => "INT",
        "3" => "QUIT",
        "9" => "KILL",
        "10" => "USR1",
        "12" => "USR2",
        "15" => "TERM",
        "28" => "WINCH",
        other => other.trim_start_matches("SIG"),
    };
    format!("SIG{name}")
}

/// A reference as people write it: without the registry that is meant where none is named, with its tag.
pub fn familiar(reference: &str) -> String {
    let (name, digest) = reference.split_once('@').map_or((reference, None), |(name, digest)| (name, Some(digest)));
    let name = ["docker.io/library/", "docker.io/", "localhost/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    match digest {
        Some(digest) => format!("{}@{digest}", name.split_once(':').map_or(name, |(name, _)| name)),
        None if name.rsplit('/').next().is_some_and(|last| last.contains(':')) => name.to_owned(),
        None => format!("{name}:latest"),
    }
}

#[cfg(test)]
mod tests;
