//! Images: there, pulled, built, kept from pruning.
//!
//! In: ensuring steps. Out: image ids.
//! **Invariant:** what the engine has is not asked for again unless the step says so; a pull that may succeed later is tried again, one that is refused is not.
//! Not here: building (`build`), when a registry is asked for a digest (`escadre-plan`).
//! Tests: `images/tests.rs`, `tests/it`.

use super::door::{Call, encode};
use super::{Credentials, Engine, is_absent, outcome};
use base64::Engine as _;
use bytes::Bytes;
use escadre_engine::ports::{Changed, Error, Event, Job, KeptImage, Outcome};
use escadre_model::desired::{Body, PullPolicy};
use escadre_model::hash::Hash;
use escadre_model::observed::EngineId;
use escadre_render::engine::{Dialect, labels, read};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The name under which images of ours are kept from pruning; the tag is the beginning of the id.
pub(super) const KEEP: &str = "localhost/escadre/keep";
/// How often a pull is tried.
const TRIES: u32 = 4;
/// The wait before the second try; it doubles.
const BACK_OFF: Duration = Duration::from_millis(700);
/// What a registry or the way to it says when it may work later.
const PASSING: &[&str] = &[
    "toomanyrequests",
    "too many requests",
    "429",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "gateway time-out",
    "status code 500",
    "status code 502",
    "status code 503",
    "status code 504",
    "status: 500",
    "status: 502",
    "status: 503",
    "timeout",
    "timed out",
    "connection reset",
    "unexpected eof",
    "temporary failure",
    "connection refused",
];

impl Engine {
    pub(super) async fn ensure_image(
        &self,
        job: &Job<'_>,
        reference: &str,
        refresh: bool,
        build: Option<&Hash>,
        expect: Option<&str>,
    ) -> Result<Outcome, Error> {
        // A rollback names the id it wants: the reference may lead elsewhere by now.
        if let Some(expect) = expect
            && !refresh
            && let Some(entry) = self.inspect_image(expect).await?
        {
            return self.kept(&entry, Changed::NotNeeded).await;
        }
        if !refresh && let Some(found) = self.find_image(reference, build).await? {
            return Ok(found);
        }
        let before = self.inspect_image(reference).await?.and_then(|entry| read::image(&entry)).map(|image| image.id);
        match build {
            Some(hash) => self.build(job, reference, hash).await?,
            None => self.pull(job, reference).await?,
        }
        let Some(entry) = self.inspect_image(reference).await? else {
            return Err(image_error(reference, "the engine says it has it now, and does not".to_owned()));
        };
        let now = read::image(&entry).map(|image| image.id);
        if let (Some(expect), None, Some(now)) = (expect, build, &now)
            && read::with_algorithm(expect) != *now
        {
            let why = format!(
                "the plan is made for {}, which the engine does not have any more, and the registry gives {} for that name",
                digits(expect),
                digits(now)
            );
            return Err(image_error(reference, why));
        }
        let changed = match (&before, &now) {
            (None, _) => Changed::Added,
            (Some(old), Some(new)) if old == new => Changed::NotNeeded,
            _ => Changed::Updated,
        };
        self.kept(&entry, changed).await
    }

    /// The image if the engine has it, built from these inputs where it is built.
    pub(super) async fn find_image(&self, reference: &str, build: Option<&Hash>) -> Result<Option<Outcome>, Error> {
        let Some(entry) = self.inspect_image(reference).await? else { return Ok(None) };
        let Some(image) = read::image(&entry) else { return Ok(None) };
        if build.is_some() && image.build.as_ref() != build {
            return Ok(None);
        }
        self.kept(&entry, Changed::NotNeeded).await.map(Some)
    }

    /// Gives an image a name of ours beside its own, so that neither a moved tag nor `image prune` takes it from a receipt.
    async fn kept(&self, entry: &Value, changed: Changed) -> Result<Outcome, Error> {
        let Some(image) = read::image(entry) else {
            return Err(Error::Bug { act: "look at an image".into(), why: "the answer has no id".into() });
        };
        let digits = image.id.rsplit(':').next().and_then(|hex| hex.get(..12)).unwrap_or_default();
        let name = format!("{KEEP}:{digits}");
        if !read::image_names(entry).iter().any(|has| has.as_ref() == name) {
            let path = self.compat(&format!("/images/{}/tag", encode(&image.id)));
            let call = Call::post(format!("keep image {}", image.id), path).query("repo", KEEP).query("tag", digits);
            self.door.bytes(call).await?;
        }
        Ok(Outcome { image: Some(image.id), ..outcome(changed) })
    }

    pub(super) async fn remove_image(&self, name: &str, engine: Option<&EngineId>) -> Result<Changed, Error> {
        if let Some(wanted) = engine {
            let now = self.inspect_image(name).await?.and_then(|entry| read::image(&entry)).map(|image| image.id);
            if now.as_ref() != Some(&read::with_algorithm(&wanted.0)) {
                return Ok(Changed::NotNeeded);
            }
        }
        let path = self.compat(&format!("/images/{}", encode(name)));
        match self.door.bytes(Call::delete(format!("remove image {name}"), path)).await {
            Ok(_) => Ok(Changed::Updated),
            Err(error) if is_absent(&error) => Ok(Changed::NotNeeded),
            Err(error) => Err(error),
        }
    }

    /// Images of these ids that bear our name, with who has them. Container lists of both engines tell the image by its id.
    pub(super) async fn images_of_ours(
        &self,
        known: &BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    ) -> Result<Vec<KeptImage>, Error> {
        let images = self.list(Call::get("list images", self.compat("/images/json")), None).await?;
        let containers = self.list_containers().await?;
        let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(read::with_algorithm);
        let used: BTreeSet<Arc<str>> = containers.iter().filter_map(|entry| text(entry, "ImageID")).collect();
        let of = |entry: &Value| {
            let id = text(entry, "Id")?;
            let fetched = known.get(&id)?;
            let own = |name: &Arc<str>| {
                name.strip_prefix(KEEP).is_some_and(|rest| rest.starts_with(':'))
                    || fetched.contains(name)
                    || spellings(name).iter().any(|spelling| fetched.contains(spelling))
            };
            let names = entry.get("RepoTags").and_then(Value::as_array).into_iter().flatten();
            let names = names.filter_map(Value::as_str).filter(|name| !name.contains("<none>")).map(Arc::from);
            let (ours, others): (Vec<Arc<str>>, Vec<Arc<str>>) = names.partition(own);
            let bytes = entry.get("Size").and_then(Value::as_u64).unwrap_or_default();
            let kept = ours.iter().any(|name| name.starts_with(KEEP));
            kept.then(|| KeptImage { used: used.contains(&id), id, ours, others, bytes })
        };
        Ok(images.iter().filter_map(of).collect())
    }

    /// Takes names from an image, ours last: should the engine refuse one, the image is still known as ours.
    pub(super) async fn take_names(&self, id: &str, names: &[Arc<str>]) -> Result<bool, Error> {
        let engine = EngineId(id.into());
        let (ours, fetched): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.starts_with(KEEP));
        for name in fetched.into_iter().chain(ours) {
            self.remove_image(name, Some(&engine)).await?;
        }
        Ok(self.inspect_image(id).await?.is_none())
    }

    async fn pull(&self, job: &Job<'_>, reference: &str) -> Result<(), Error> {
        if let Some(resource) = job.desired.resources.get(&job.step.on.resource)
            && let Body::Image(image) = &resource.body
            && image.pull == PullPolicy::Never
        {
            let why = "the engine does not have it, and pull_policy: never forbids asking the registry";
            return Err(image_error(reference, why.to_owned()));
        }
        let full = full_name(reference);
        let mut wait = BACK_OFF;
        let mut tries = 1;
        loop {
            let why = match self.pull_once(job, &full).await {
                Ok(()) => return Ok(()),
                Err(Error::Image { why, .. }) => why,
                Err(Error::Refused { message, status, .. }) => format!("{message} (status {status})").into(),
                Err(other) => return Err(other),
            };
            // Docker asks a registry that is busy how to log in, takes no answer for "without", and then reports that it was not let in.
            let unasked = tries == 1
                && self.api.dialect == Dialect::Docker
                && self.settings.registries.contains_key(registry_of(&full))
                && is_locked_out(&why.to_lowercase());
            if tries >= TRIES || !(passing(&why) || unasked) {
                return Err(image_error(reference, advice(&why, &full)));
            }
            let news = format!("the registry says \"{}\"; trying again in {} ms", short(&why), wait.as_millis());
            job.progress.tell(Event::StepNews(job.step.on.clone(), job.step.index, news.into()));
            tokio::time::sleep(wait).await;
            wait *= 2;
            tries += 1;
        }
    }

    async fn pull_once(&self, job: &Job<'_>, full: &str) -> Result<(), Error> {
        let act = format!("pull image {full}");
        let registry = registry_of(full);
        let platform = match job.desired.resources.get(&job.step.on.resource).map(|resource| &resource.body) {
            Some(Body::Image(image)) => image.platform.clone(),
            _ => None,
        };
        let mut call = match self.libpod("/images/pull") {
            Some(path) => {
                let mut call = Call::post(act, path).query("reference", full);
                // As Docker does: nobody sits between this host and itself.
                if on_this_host(registry) {
                    call = call.query("tlsVerify", "false");
                }
                let parts = platform.as_deref().map(|platform| platform.split('/').collect::<Vec<_>>());
                for (key, part) in ["OS", "Arch", "Variant"].iter().zip(parts.unwrap_or_default()) {
                    call = call.query(key, part);
                }
                call
            }
            None => {
                let mut call = Call::post(act, self.compat("/images/create")).query("fromImage", full);
                // Without a tag Docker would bring all of them.
                if is_untagged(full) {
                    call = call.query("tag", "latest");
                }
                if let Some(platform) = platform {
                    call = call.query("platform", platform);
                }
                call
            }
        };
        if let Some(credentials) = self.settings.registries.get(registry) {
            call = call.header(http::HeaderName::from_static("x-registry-auth"), auth(credentials, registry));
        }
        let body = self.door.stream(call.within(None)).await?;
        self.follow(job, full, body).await
    }

    /// Reads an engine's progress, one JSON object after the other, and tells it; an `error` in it is the end.
    pub(super) async fn follow(&self, job: &Job<'_>, what: &str, mut body: Incoming) -> Result<(), Error> {
        let mut rest = Vec::new();
        let mut told = tokio::time::Instant::now();
        let mut last: Arc<str> = "".into();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| image_error(what, format!("the answer broke off: {error} (unexpected EOF)")))?;
            rest.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
            let mut values = serde_json::Deserializer::from_slice(&rest).into_iter::<Value>();
            let mut read = 0;
            while let Some(Ok(value)) = values.next() {
                read = values.byte_offset();
                if let Some(error) = value.get("error").and_then(Value::as_str).filter(|error| !error.is_empty()) {
                    return Err(image_error(what, error.to_owned()));
                }
                let said = value.get("stream").or_else(|| value.get("status")).and_then(Value::as_str);
                let Some(said) = said.map(str::trim).filter(|said| !said.is_empty()) else { continue };
                let news: Arc<str> = progress(&value, said).into();
                if news != last && told.elapsed() > Duration::from_millis(150) {
                    told = tokio::time::Instant::now();
                    job.progress.tell(Event::StepNews(job.step.on.clone(), job.step.index, Arc::clone(&news)));
                    last = news;
                }
            }
            rest.drain(..read);
        }
        Ok(())
    }
}

fn progress(value: &Value, said: &str) -> String {
    let number = |key: &str| value.get("progressDetail").and_then(|detail| detail.get(key)).and_then(Value::as_u64);
    match (number("current"), number("total")) {
        (Some(current), Some(total)) if total > 0 => {
            format!("{said}: {} of {} MB", current / 1_000_000, total.div_ceil(1_000_000))
        }
        _ => short(said),
    }
}

pub(super) fn short(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect()
}

/// The beginning of an image's id.
fn digits(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

pub(super) fn image_error(reference: &str, why: String) -> Error {
    Error::Image { reference: reference.into(), why: why.into() }
}

fn passing(why: &str) -> bool {
    let why = why.to_lowercase();
    PASSING.iter().any(|word| why.contains(word))
}

/// The registry wants to know who asks, or somebody else.
fn is_locked_out(lower: &str) -> bool {
    const WORDS: &[&str] =
        &["unauthorized", "authentication required", "no basic auth credentials", "access to the resource is denied"];
    WORDS.iter().any(|words| lower.contains(words))
}

/// The engine's words, with what to do first.
fn advice(why: &str, full: &str) -> String {
    let lower = why.to_lowercase();
    // Words, not status numbers: the registry's port, or a digest, may hold the digits of one.
    let registry = registry_of(full);
    let first = if is_locked_out(&lower) {
        format!("{registry} wants other credentials (registries: in fleet.yaml)")
    } else if lower.contains("manifest unknown") || lower.contains("not found") {
        format!("{registry} has no such image or tag")
    } else if lower.contains("no such host") || lower.contains("connection refused") {
        format!("{registry} cannot be reached")
    } else {
        return short_words(why);
    };
    format!("{first}; the engine says: {}", short_words(why))
}

fn short_words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

/// A reference with its registry: what Docker and Compose mean by a short one.
pub(super) fn full_name(reference: &str) -> String {
    let first = reference.split('/').next().unwrap_or_default();
    let named = reference.contains('/') && (first.contains('.') || first.contains(':') || first == "localhost");
    if named {
        reference.to_owned()
    } else if reference.contains('/') {
        format!("docker.io/{reference}")
    } else {
        format!("docker.io/library/{reference}")
    }
}

/// Neither a tag nor a digest says which one is meant.
fn is_untagged(full: &str) -> bool {
    !full.contains('@') && !full.rsplit('/').next().unwrap_or_default().contains(':')
}

fn registry_of(full: &str) -> &str {
    full.split('/').next().unwrap_or_default()
}

fn on_this_host(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Every further way in which people write an image's full name: `docker.io/library/redis:latest` is `redis`.
pub(super) fn spellings(name: &str) -> Vec<Arc<str>> {
    let mut found: Vec<String> = Vec::new();
    if let Some(rest) = name.strip_prefix("docker.io/") {
        found.push(rest.to_owned());
        found.extend(rest.strip_prefix("library/").map(str::to_owned));
    } else if let Some(rest) = name.strip_prefix("localhost/") {
        found.push(rest.to_owned());
    } else if !name.split('/').next().unwrap_or_default().contains(['.', ':']) || !name.contains('/') {
        found.push(full_name(name));
    }
    let untagged: Vec<String> = found
        .iter()
        .map(String::as_str)
        .chain([name])
        .filter_map(|name| name.strip_suffix(":latest").map(str::to_owned))
        .collect();
    found.extend(untagged);
    found.into_iter().map(Into::into).collect()
}

fn spelled(credentials: &Credentials, registry: &str) -> Value {
    serde_json::json!({
        "username": credentials.user,
        "password": String::from_utf8_lossy(credentials.password.reveal()),
        "serveraddress": registry,
    })
}

/// Who we are to all registries, as a builder wants to know it.
pub(super) fn auths(registries: &BTreeMap<Arc<str>, Credentials>) -> String {
    let all: serde_json::Map<String, Value> =
        registries.iter().map(|(registry, who)| (registry.to_string(), spelled(who, registry))).collect();
    base64::engine::general_purpose::URL_SAFE.encode(Value::Object(all).to_string())
}

fn auth(credentials: &Credentials, registry: &str) -> String {
    let text = spelled(credentials, registry);
    base64::engine::general_purpose::URL_SAFE.encode(text.to_string())
}

/// The labels a build of ours gets.
pub(super) fn build_labels(hash: &Hash) -> Value {
    serde_json::json!({ labels::LABEL_BUILD: hash.as_str() })
}

#[cfg(test)]
mod tests;
