//! Building an image from a folder, by the engine's own builder.
//!
//! In: `build` of an image resource's payload. Out: an image with its reference and the hash of its inputs as label.
//! **Invariant:** what leaves is what is below the context and not ignored; symbolic links travel as links.
//! Not here: the hash of the inputs (`escadre_model`), when it is built (`images`).
//! Tests: `build/tests.rs`, `tests/it`.

use super::Engine;
use super::door::{Call, Payload};
use super::images::{auths, build_labels, image_error};
use crate::git;
use bytes::Bytes;
use escadre_engine::ports::{Error, Job};
use escadre_model::hash::Hash;
use escadre_render::engine::Dialect;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc::{Sender, channel};

/// Name of a Dockerfile that was written inside the Compose file.
const INLINE: &str = ".escadre.Dockerfile";
/// Name of a secret beside the context, before its number.
const SECRET: &str = ".escadre.secret.";
/// Size of the pieces of the archive.
const PIECE: usize = 128 * 1024;

impl Engine {
    pub(super) async fn build(&self, job: &Job<'_>, reference: &str, hash: &Hash) -> Result<(), Error> {
        let words = Self::resource(job)?.payload().fill(&|secret| job.reveal(secret))?;
        let Some(build) = words.get("build") else {
            return Err(image_error(reference, "it is to be built, and nothing says from what".to_owned()));
        };
        let text = |key: &str| build.get(key).and_then(Value::as_str);
        let exported = self.exported(reference, build).await?;
        let root = exported.as_ref().map_or(self.settings.root.as_path(), |folder| folder.path());
        let context = root.join(text("context").unwrap_or("."));
        if !context.is_dir() {
            return Err(image_error(reference, format!("its context {} is no folder", context.display())));
        }
        let inline = text("dockerfile_inline").map(str::to_owned);
        let dockerfile = if inline.is_some() { INLINE } else { text("dockerfile").unwrap_or("Dockerfile") };
        let mut labels = build.get("labels").cloned().unwrap_or_else(|| json!({}));
        if let (Some(labels), Value::Object(ours)) = (labels.as_object_mut(), build_labels(hash)) {
            labels.extend(ours);
        }
        let mut call = Call::post(format!("build image {reference}"), self.compat("/build"))
            .query("t", reference)
            .query("dockerfile", dockerfile)
            .query("labels", labels.to_string())
            .query("rm", "true");
        if let Some(args) = build.get("args").filter(|args| args.is_object()) {
            call = call.query("buildargs", args.to_string());
        }
        for tag in texts(build, "tags") {
            call = call.query("t", tag);
        }
        for (key, name) in [("target", "target"), ("platform", "platform"), ("network", "networkmode")] {
            if let Some(value) = text(key) {
                call = call.query(name, value);
            }
        }
        for (key, name) in [("no_cache", "nocache"), ("pull", "pull")] {
            if build.get(key).and_then(Value::as_bool) == Some(true) {
                call = call.query(name, "true");
            }
        }
        if let Some(size) = build.get("shm_size").and_then(Value::as_u64) {
            call = call.query("shmsize", size.to_string());
        }
        call = self.surroundings(call, build, root);
        if !self.settings.registries.is_empty() {
            // Whom the images that it is built from ask.
            call = call.header(http::HeaderName::from_static("x-registry-config"), auths(&self.settings.registries));
        }
        let secrets: Vec<(String, String)> = secrets(build);
        if !secrets.is_empty() {
            // Podman takes these files out of the context before it builds.
            let told = secrets.iter().enumerate().map(|(index, (id, _))| format!("id={id},src={SECRET}{index}"));
            call = call.query("secrets", json!(told.collect::<Vec<_>>()).to_string());
        }
        let mut beside: Vec<(String, String)> = inline.map(|text| (INLINE.to_owned(), text)).into_iter().collect();
        beside.extend(secrets.into_iter().enumerate().map(|(index, (_, value))| (format!("{SECRET}{index}"), value)));
        let (to, pieces) = channel(8);
        call.body = Payload::Tar(pieces);
        let dockerfile = dockerfile.to_owned();
        let packing = tokio::task::spawn_blocking(move || pack(&context, &dockerfile, &beside, to));
        let built = match self.door.stream(call.within(None)).await {
            Ok(body) => self.follow(job, reference, body).await,
            Err(error) => Err(error),
        };
        // An archive that broke off is the cause of whatever the engine says of it.
        match (packing.await, built) {
            (Ok(Err(source)), _) if source.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::Host { act: format!("read the context of image {reference}").into(), source })
            }
            (_, Err(Error::Image { why, .. })) => Err(image_error(reference, format!("its build failed: {why}"))),
            (_, built) => built,
        }
    }
}

impl Engine {
    /// The folders that a build reads, as the commit that is meant has them; nothing where the folder itself is meant.
    async fn exported(&self, reference: &str, build: &Value) -> Result<Option<tempfile::TempDir>, Error> {
        let Some(commit) = self.settings.commit.clone() else { return Ok(None) };
        let further = build.get("contexts").and_then(Value::as_object).into_iter().flatten();
        let further = further.filter(|(_, context)| context.get("image").is_none());
        let folders = further.filter_map(|(_, context)| context.get("folder").and_then(Value::as_str));
        let context = build.get("context").and_then(Value::as_str).unwrap_or(".");
        let paths: Vec<String> = std::iter::once(context).chain(folders).map(str::to_owned).collect();
        let (root, state) = (self.settings.root.clone(), self.settings.state.clone());
        let done = tokio::task::spawn_blocking(move || git::export(&root, &commit, &paths, &state)).await;
        let done = done.map_err(|error| Error::Bug {
            act: format!("read the context of image {reference}").into(),
            why: error.to_string().into(),
        })?;
        done.map(Some).map_err(|error| {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), |why| format!("{error}: {why}"));
            image_error(reference, format!("its context cannot be read from the commit: {why}"))
        })
    }

    /// What a build finds around it, in the words of the engine's builder: names of hosts, limits, caches, further contexts.
    fn surroundings(&self, mut call: Call, build: &Value, root: &Path) -> Call {
        let podman = self.api.dialect == Dialect::Podman;
        let hosts: Vec<String> = texts(build, "extra_hosts").map(|line| line.replacen('=', ":", 1)).collect();
        match podman {
            true if !hosts.is_empty() => call = call.query("extrahosts", json!(hosts).to_string()),
            true => {}
            false => call = hosts.iter().fold(call, |call, line| call.query("extrahosts", line)),
        }
        call = caches(call, build, podman);
        let number = |limit: &Value, key: &str| limit.get(key).and_then(Value::as_i64).unwrap_or_default();
        let name = |limit: &Value| limit.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let limits = build.get("ulimits").and_then(Value::as_array).into_iter().flatten().map(|limit| {
            let (name, soft, hard) = (name(limit), number(limit, "soft"), number(limit, "hard"));
            match podman {
                true => json!(format!("{name}={soft}:{hard}")),
                false => json!({"Name": name, "Soft": soft, "Hard": hard}),
            }
        });
        let limits: Vec<Value> = limits.collect();
        if !limits.is_empty() {
            call = call.query("ulimits", Value::Array(limits).to_string());
        }
        let contexts = build.get("contexts").and_then(Value::as_object).into_iter().flatten().map(|(key, context)| {
            let text = |key: &str| context.get(key).and_then(Value::as_str);
            let place = match (text("image"), text("folder")) {
                (Some(image), _) => image.to_owned(),
                (None, folder) => root.join(folder.unwrap_or(".")).display().to_string(),
            };
            (key.clone(), json!({"IsURL": false, "IsImage": text("image").is_some(), "Value": place}))
        });
        let contexts: serde_json::Map<String, Value> = contexts.collect();
        if !contexts.is_empty() {
            call = call.query("additionalbuildcontexts", Value::Object(contexts).to_string());
        }
        call
    }
}

/// Where layers are looked for, and where they are left. Podman reads one repository after the other, and a list in JSON as none; Docker reads a list.
fn caches(mut call: Call, build: &Value, podman: bool) -> Call {
    let from: Vec<&str> = texts(build, "cache_from").collect();
    if podman {
        call = from.iter().fold(call, |call, repository| call.query("cachefrom", repository));
        return texts(build, "cache_to").fold(call, |call, repository| call.query("cacheto", repository));
    }
    if !from.is_empty() {
        call = call.query("cachefrom", json!(from).to_string());
    }
    call
}

fn texts<'a>(build: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    build.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Secrets by the id that a recipe asks for.
fn secrets(build: &Value) -> Vec<(String, String)> {
    let all = build.get("secrets").and_then(Value::as_array).into_iter().flatten();
    let text = |secret: &Value, key: &str| secret.get(key).and_then(Value::as_str).map(str::to_owned);
    all.filter_map(|secret| Some((text(secret, "id")?, text(secret, "value")?))).collect()
}

/// Writes the archive of a context into the channel, and files that stand beside it.
fn pack(
    context: &Path,
    dockerfile: &str,
    beside: &[(String, String)],
    to: Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let ignored = Ignored::read(context, dockerfile)?;
    let mut archive = tar::Builder::new(Pipe { to, piece: Vec::with_capacity(PIECE) });
    archive.follow_symlinks(false);
    archive.mode(tar::HeaderMode::Deterministic);
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut entries = std::fs::read_dir(context.join(&folder))?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let inside = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            let out = ignored.matches(&inside) && inside != Path::new(dockerfile);
            if kind.is_dir() {
                // Below an ignored folder something may be wanted again (`!keep`).
                if !out {
                    archive.append_dir(&inside, entry.path())?;
                }
                if !out || ignored.has_exceptions() {
                    folders.push(inside);
                }
            } else if !out && (kind.is_file() || kind.is_symlink()) {
                archive.append_path_with_name(entry.path(), &inside)?;
            }
        }
    }
    for (name, text) in beside {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.into_inner()?.flush()
}

/// The writing end of the archive.
struct Pipe {
    to: Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        if piece.is_empty() {
            return Ok(());
        }
        self.to.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// The rules of a `.dockerignore`: the last one that matches wins.
#[derive(Debug, Default)]
struct Ignored(Vec<(Vec<String>, bool)>);

impl Ignored {
    fn read(context: &Path, dockerfile: &str) -> io::Result<Self> {
        for name in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()] {
            if let Some(bytes) = super::disk::read(&context.join(name))? {
                return Ok(Self::parse(&String::from_utf8_lossy(&bytes)));
            }
        }
        Ok(Self::default())
    }

    fn parse(text: &str) -> Self {
        let rule = |line: &str| {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (line, wanted) = line.strip_prefix('!').map_or((line, false), |rest| (rest.trim(), true));
            let parts = line.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
            Some((parts, wanted))
        };
        Self(text.lines().filter_map(rule).filter(|(parts, _): &(Vec<String>, bool)| !parts.is_empty()).collect())
    }

    fn has_exceptions(&self) -> bool {
        self.0.iter().any(|(_, wanted)| *wanted)
    }

    /// A rule matches a path, or a folder above it.
    fn matches(&self, path: &Path) -> bool {
        let parts: Vec<String> =
            path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        let hit =
            |rule: &[String]| (1..=parts.len()).any(|end| parts.get(..end).is_some_and(|above| fits(rule, above)));
        self.0.iter().rev().find(|(rule, _)| hit(rule)).is_some_and(|(_, wanted)| !wanted)
    }
}

fn fits(rule: &[String], path: &[String]) -> bool {
    match (rule.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            fits(rest, path) || path.split_first().is_some_and(|(_, below)| fits(rule, below))
        }
        (Some((first, rest)), Some((part, below))) => {
            glob(&first.chars().collect::<Vec<_>>(), &part.chars().collect::<Vec<_>>()) && fits(rest, below)
        }
        _ => false,
    }
}

fn glob(rule: &[char], text: &[char]) -> bool {
    match (rule.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => glob(rest, text) || text.split_first().is_some_and(|(_, text)| glob(rule, text)),
        (Some(('?', rest)), Some((_, text))) => glob(rest, text),
        (Some((a, rest)), Some((b, text))) if a == b => glob(rest, text),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
